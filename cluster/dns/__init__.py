"""CoreDNS: the cluster's names."""
