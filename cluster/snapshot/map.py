"""The whole cluster on one screen: hosts with their processes, nodes, pods, services."""

from typing import Any

from cluster.snapshot.objects import node_ready, node_row, pod_row
from cluster.snapshot.scene import Scene

ORDER = {
    "kube-apiserver": 0,
    "etcd": 1,
    "kube-controller-manager": 2,
    "kube-scheduler": 3,
    "kubelet": 4,
    "kube-proxy": 5,
    "balancer": 6,
}
HIDDEN = ("shell", "kubeadm")
"""Kinds that are the desk people sit at, not the cluster."""


def role_of(host: str) -> str:
    """``control-plane``, ``worker``, ``etcd``, ``lb`` or ``desk``, from the host's name."""
    if host == "lb" or host == "desk":
        return host
    return {"cp": "control-plane", "node": "worker", "etcd": "etcd"}.get(host.rpartition("-")[0], "etcd")


def processes(scene: Scene) -> list[dict[str, Any]]:
    """Every process of the cluster, in a fixed order."""
    world = scene.world
    rows = []
    for slot in world.state.slots.values():
        if slot.kind in HIDDEN:
            continue
        actor = world.actors.get(slot.name)
        rows.append(
            {
                "name": slot.name,
                "kind": slot.kind,
                "host": slot.host,
                "up": slot.up,
                "paused": slot.paused,
                "boot": slot.boot,
                "status": brief(slot.kind, actor.status()) if actor is not None else {},
            }
        )
    return sorted(rows, key=lambda row: ORDER.get(row["kind"], 9))


def brief(kind: str, status: dict[str, Any]) -> dict[str, Any]:
    """The few facts a box on the map has room for."""
    if kind == "etcd":
        return {key: status.get(key) for key in ("role", "term", "lead", "commit", "applied", "revision")}
    return {key: value for key, value in status.items() if isinstance(value, str | int | bool | float)}


def cluster_map(scene: Scene) -> dict[str, Any]:
    """The map page's model (see ``explainer/pages``)."""
    world, objects = scene.world, scene.objects
    by_host: dict[str, list[dict[str, Any]]] = {}
    for row in processes(scene):
        by_host.setdefault(row["host"], []).append(row)
    slices: dict[str, set[str]] = {}
    for doc in objects.get("endpointslices").values():
        service = (doc["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
        key = f"{doc['metadata'].get('namespace', '')}/{service}"
        ready = (e for e in doc.get("endpoints") or [] if (e.get("conditions") or {}).get("ready") is not False)
        slices.setdefault(key, set()).update(address for e in ready for address in e["addresses"])
    return {
        "cluster": scene.spec.name,
        "kubernetesVersion": scene.spec.kubernetes_version,
        "topology": scene.spec.topology,
        "nowMicros": world.now // 1000,
        "epoch": scene.spec.epoch,
        "revision": objects.revision,
        "hosts": [
            {
                "name": host.name,
                "role": role_of(host.name),
                "up": host.up,
                "paused": host.paused,
                "processes": by_host.get(host.name, []),
            }
            for host in world.state.hosts.values()
            if host.name != "desk"
        ],
        "network": {
            "groups": world.state.network.groups,
            "links": [
                {"a": a, "b": b, "cut": link.cut, "loss": link.loss, "lowMicros": (link.low or 0) // 1000}
                for (a, b), link in world.state.network.links.items()
            ],
        },
        "nodes": [node_row(doc) for _, doc in sorted(objects.get("nodes").items())],
        "pods": sorted(
            (pod_row(doc) for doc in objects.get("pods").values()),
            key=lambda row: (row["created"], row["namespace"], row["name"]),
        ),
        "services": [
            {
                "namespace": doc["metadata"].get("namespace", ""),
                "name": doc["metadata"]["name"],
                "type": doc["spec"].get("type", "ClusterIP"),
                "clusterIP": doc["spec"].get("clusterIP", ""),
                "ports": [f"{p['port']}/{p.get('protocol', 'TCP')}" for p in doc["spec"].get("ports") or []],
                "endpoints": len(slices.get(key, ())),
            }
            for key, doc in sorted(objects.get("services").items())
        ],
        "deployments": [
            {
                "namespace": doc["metadata"].get("namespace", ""),
                "name": doc["metadata"]["name"],
                "ready": (doc.get("status") or {}).get("readyReplicas", 0),
                "replicas": doc["spec"].get("replicas", 1),
            }
            for _, doc in sorted(objects.get("deployments").items())
        ],
    }


def ready(world: Any, objects: Any, spec: Any) -> bool:
    """Every Node that should exist is Ready and some apiserver runs; a bare cluster: some member leads."""
    if spec.bare:
        return any(
            actor.status().get("role") == "leader"
            for name, actor in world.actors.items()
            if world.state.slots[name].kind == "etcd"
        )
    expected = {slot.host for slot in world.state.slots.values() if slot.kind == "kubelet"}
    nodes = objects.get("nodes")
    serving = any(slot.up for slot in world.state.slots.values() if slot.kind == "kube-apiserver")
    settled = "kubeadm" not in world.actors
    return serving and settled and all(name in nodes and node_ready(nodes[name]) for name in sorted(expected))
