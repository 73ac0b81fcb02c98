"""The kubelet: the agent of a node. It registers the Node, renews its Lease, and makes the pods bound to it exist.

``kubelet`` is the process; ``node_status`` what it says of its machine; ``pods`` and ``containers`` their lives, by the tables in
``machine``; ``admission`` what a node refuses; ``images`` and ``programs`` the runtime: what can be pulled and what commands do; ``status`` what
is reported of a pod; ``probes``; ``server`` port 10250 (logs and exec).

Upstream: kubernetes cmd/kubelet, pkg/kubelet (1.32).
"""
