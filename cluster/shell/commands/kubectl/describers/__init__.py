"""What ``kubectl describe`` says about each kind: forms for workloads and for the rest, one for kinds without a form."""
