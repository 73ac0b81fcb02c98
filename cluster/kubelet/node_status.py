"""What a kubelet says of its machine: the Node object, its status, and the Lease that proves it is alive.

In: the configuration and what is known (pod CIDR, images on disk) → out: documents for ``/api/v1/nodes`` and ``…/status``. Quantities
are text as Kubernetes writes them.

The node is NotReady until it has a pod CIDR, because until then the CNI plug-in cannot be configured.

Simplified here: no pressure ever (memory, disk and pids are not measured); the machine is what the configuration says.

Upstream: pkg/kubelet/nodestatus/setters.go, pkg/kubelet/kubelet_node_status.go.
"""

from typing import Any

from cluster.api import quantity
from cluster.sim.clock import rfc3339, rfc3339_micro

EVICTION_MEMORY = 100 * 1024 * 1024
"""--eviction-hard memory.available<100Mi is kept from pods."""
IMAGES_REPORTED = 50
CNI_MISSING = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin "
    "returns error: cni plugin not initialized"
)


def allocatable(capacity: dict[str, str]) -> dict[str, str]:
    """What is left for pods: capacity less the eviction threshold; a tenth of the disk is kept free."""
    left = dict(capacity)
    if "memory" in capacity:
        have = quantity.parse(capacity["memory"]).nano // quantity.NANO
        left["memory"] = f"{max(have - EVICTION_MEMORY, 0) // 1024}Ki"
    if "ephemeral-storage" in capacity:
        have = quantity.parse(capacity["ephemeral-storage"]).nano // quantity.NANO
        left["ephemeral-storage"] = str(have * 9 // 10)
    return left


def with_hugepages(capacity: dict[str, str]) -> dict[str, str]:
    """Capacity as reported: with the huge page sizes of amd64, of which there are none."""
    return dict(sorted({"hugepages-1Gi": "0", "hugepages-2Mi": "0", **capacity}.items()))


def extended(config: Any, node: dict[str, Any] | None, where: str = "capacity") -> dict[str, str]:
    """Resources that somebody else gave the Node (``example.com/dongle``): whatever has a domain and isn't the machine's own."""
    said: dict[str, str] = ((node or {}).get("status") or {}).get(where) or {}
    return {name: str(amount) for name, amount in said.items() if "/" in name and name not in config.capacity}


def addresses(config: Any) -> list[dict[str, str]]:
    """InternalIP and Hostname."""
    return [{"type": "InternalIP", "address": config.address}, {"type": "Hostname", "address": config.node}]


def node_info(config: Any, seed: str) -> dict[str, str]:
    """``status.nodeInfo``; the ids are derived from the node's name, as hardware ids would be fixed."""
    return {
        "machineID": seed.replace("-", ""),
        "systemUUID": seed,
        "bootID": f"{seed[9:18]}{seed[:8]}{seed[18:]}"[:36],
        "kernelVersion": config.kernel_version,
        "osImage": config.os_image,
        "containerRuntimeVersion": config.runtime_version,
        "kubeletVersion": config.version,
        "kubeProxyVersion": config.version,
        "operatingSystem": "linux",
        "architecture": "amd64",
    }


def node_labels(config: Any) -> dict[str, str]:
    """The labels a kubelet gives its own Node."""
    return {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": config.node,
        "kubernetes.io/os": "linux",
        **config.labels,
    }


def new_node(config: Any, status: dict[str, Any]) -> dict[str, Any]:
    """The Node object a kubelet registers."""
    spec: dict[str, Any] = {}
    if config.taints:
        spec["taints"] = [dict(taint) for taint in config.taints]
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": config.node,
            "labels": node_labels(config),
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": spec,
        "status": status,
    }


def conditions(ready: bool, old: list[dict[str, Any]], epoch: int, now: int) -> list[dict[str, Any]]:
    """The kubelet's four conditions; a transition time is kept while the status is the same."""
    stamp = rfc3339(epoch, now)
    before = {c["type"]: c for c in old}
    wanted = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status")
        if ready
        else ("Ready", "False", "KubeletNotReady", CNI_MISSING),
    ]
    found = []
    for kind, status, reason, message in wanted:
        known = before.get(kind)
        since = known["lastTransitionTime"] if known is not None and known["status"] == status else stamp
        found.append(
            {
                "type": kind,
                "status": status,
                "lastHeartbeatTime": stamp,
                "lastTransitionTime": since,
                "reason": reason,
                "message": message,
            }
        )
    return found


def node_status(
    config: Any, *, ready: bool, old: list[dict[str, Any]], images: list[str], seed: str, now: int,
    node: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """``Node.status``. ``old``: the conditions last reported. Resources that others gave ``node`` become allocatable."""
    capacity = {**with_hugepages(config.capacity), **extended(config, node)}
    return {
        "capacity": capacity,
        "allocatable": allocatable(capacity),
        "conditions": conditions(ready, old, config.epoch, now),
        "addresses": addresses(config),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": node_info(config, seed),
        "images": [{"names": [image], "sizeBytes": 0} for image in images[:IMAGES_REPORTED]],
    }


def lease(config: Any, known: dict[str, Any] | None, node_uid: str, now: int) -> dict[str, Any]:
    """The Lease in kube-node-lease, renewed now."""
    stamp = rfc3339_micro(config.epoch, now)
    if known is not None:
        return {**known, "spec": {**known["spec"], "renewTime": stamp}}
    meta: dict[str, Any] = {"name": config.node, "namespace": "kube-node-lease"}
    if node_uid:
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": config.node, "uid": node_uid}]
    return {
        "kind": "Lease",
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": meta,
        "spec": {"holderIdentity": config.node, "leaseDurationSeconds": 40, "renewTime": stamp},
    }
