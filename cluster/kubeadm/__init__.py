"""kubeadm: what ``kubeadm init`` leaves in a cluster once its apiserver answers.

In → a fresh apiserver behind the balancer; out → the ConfigMaps, RBAC objects and add-ons (kube-proxy, CoreDNS) that
every kubeadm cluster has, created as the super-admin, one request after the other; then the process ends.

Simplified here: kubeadm's own work on the hosts (certificates, manifests, joining) is done by the topology; the
cluster-info ConfigMap carries no bootstrap-token signature. Whatever exists already is left as it is.

Upstream: cmd/kubeadm/app/phases/{addons,uploadconfig,kubelet,bootstraptoken}.
"""

from cluster.kubeadm.init import Kubeadm, KubeadmConfig

__all__ = ["Kubeadm", "KubeadmConfig"]
