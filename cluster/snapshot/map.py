"""The whole cluster on one screen: hosts with their processes, nodes, pods, services; cheap at 3 nodes and at 1,000.

A picture of 10,000 pods is a picture of counts. So the model has two depths: ``cells`` has every worker as one short row (how it is, how
many pods in which phase, how much of its CPU is asked for), whatever their number; ``hosts`` and ``pods`` have the things themselves while
there are few enough to be drawn one by one (``LISTED_WORKERS``, ``LISTED_PODS``), and what ``node=`` asks for besides.

Documents never change in place, so a row is made again only when its document is another one (``rows``): looking again at a cluster
that stood still costs a comparison an object.

Simplified here: a worker's load is the CPU that its pods request of what it can give, not what they burn.
"""

from collections.abc import Callable
from typing import Any

from cluster.api import quantity
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
HIDDEN = ("shell", "kubeadm", "kernel", "coredns", "sshd")
"""Kinds that are the desk people sit at, the machines themselves, and what is shown as a Pod."""
PHASES = ("Ready", "Running", "Creating", "Pending", "Terminating", "Succeeded", "Failed", "CrashLoop", "Unknown")
"""The order of a cell's counts."""
LISTED_WORKERS = 24
LISTED_PODS = 240
ZONE = "topology.kubernetes.io/zone"


def role_of(host: str) -> str:
    """``control-plane``, ``worker``, ``etcd``, ``lb`` or ``desk``, from the host's name."""
    if host == "lb" or host == "desk":
        return host
    return {"cp": "control-plane", "node": "worker", "etcd": "etcd"}.get(host.rpartition("-")[0], "etcd")


def processes(scene: Scene, hosts: set[str] | None = None) -> list[dict[str, Any]]:
    """Every process of the cluster (of ``hosts``), in a fixed order."""
    world = scene.world
    rows = []
    for slot in world.state.slots.values():
        if slot.kind in HIDDEN or (hosts is not None and slot.host not in hosts):
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


def rows(scene: Scene, resource: str, make: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """``make(document)`` of every object of ``resource``, by "namespace/name"; kept until the document is another one."""
    known: dict[str, tuple[Any, Any]] = scene.objects.derived.get(resource, {})
    fresh: dict[str, tuple[Any, Any]] = {}
    out: dict[str, Any] = {}
    for key, doc in scene.objects.get(resource).items():
        was = known.get(key)
        if was is None or was[0] is not doc:
            was = doc, make(doc)
        fresh[key], out[key] = was, was[1]
    scene.objects.derived[resource] = fresh
    return out


def milli(text: Any) -> int:
    """A CPU quantity in thousandths of a core; 0 for what is none."""
    try:
        return quantity.parse(str(text)).nano // 1_000_000
    except ValueError:
        return 0


def _pod(doc: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """(row, CPU asked for in thousandths of a core)."""
    asked = 0
    for container in (doc.get("spec") or {}).get("containers") or ():
        wish = ((container.get("resources") or {}).get("requests") or {}).get("cpu")
        asked += milli(wish) if wish else 0
    return pod_row(doc), asked


def _node(doc: dict[str, Any]) -> tuple[dict[str, Any], int, str]:
    """(row, CPU it can give in thousandths of a core, zone)."""
    able = milli(((doc.get("status") or {}).get("allocatable") or {}).get("cpu") or 0)
    return node_row(doc), able, (doc["metadata"].get("labels") or {}).get(ZONE, "")


def _slice(doc: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """(the Service's key, addresses that are ready)."""
    service = (doc["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
    ready = (e for e in doc.get("endpoints") or [] if (e.get("conditions") or {}).get("ready") is not False)
    return f"{doc['metadata'].get('namespace', '')}/{service}", tuple(a for e in ready for a in e["addresses"])


def endpoints(scene: Scene) -> dict[str, set[str]]:
    """Ready addresses of each Service, by "namespace/name"."""
    out: dict[str, set[str]] = {}
    for key, addresses in rows(scene, "endpointslices", _slice).values():
        out.setdefault(key, set()).update(addresses)
    return out


def cells(scene: Scene) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, int]]:
    """(a row for every worker, all pods' rows, pods by phase). A cell: ``{name, zone, state, counts, cpu}``.

    ``state`` is up, cordoned, notready, paused or down; ``counts`` pods by ``PHASES``; ``cpu`` thousandths of its CPU asked for.
    """
    pods = rows(scene, "pods", _pod)
    nodes = rows(scene, "nodes", _node)
    counts: dict[str, list[int]] = {}
    asked: dict[str, int] = {}
    totals: dict[str, int] = dict.fromkeys(PHASES, 0)
    place = {phase: index for index, phase in enumerate(PHASES)}
    for row, cpu in pods.values():
        phase, node = row["phase"], row["node"]
        totals[phase] += 1
        if node:
            counts.setdefault(node, [0] * len(PHASES))[place[phase]] += 1
            asked[node] = asked.get(node, 0) + cpu
    out: list[dict[str, Any]] = []
    for host in scene.world.state.hosts.values():
        if role_of(host.name) != "worker":
            continue
        row, able, zone = nodes.get(host.name, ({"ready": False, "unschedulable": False}, 0, ""))
        state = "down" if not host.up else "paused" if host.paused else "notready" if not row["ready"] else "up"
        state = "cordoned" if state == "up" and row["unschedulable"] else state
        cpu = asked.get(host.name, 0) * 1000 // able if able else 0
        out.append(
            {
                "name": host.name,
                "zone": zone,
                "state": state,
                "counts": counts.get(host.name, [0] * len(PHASES)),
                "cpu": cpu,
            }
        )
    return out, [row for row, _ in pods.values()], totals


def cluster_map(scene: Scene, node: str = "") -> dict[str, Any]:
    """The map page's model (see the module). ``node``: this worker and its pods in full, however many there are."""
    world, objects = scene.world, scene.objects
    workers, pods, totals = cells(scene)
    few = len(workers) <= LISTED_WORKERS
    shown = {
        host.name: host
        for host in world.state.hosts.values()
        if host.name != "desk" and (few or host.name == node or role_of(host.name) != "worker")
    }
    by_host: dict[str, list[dict[str, Any]]] = {}
    for row in processes(scene, set(shown)):
        by_host.setdefault(row["host"], []).append(row)
    # Beyond the limit the first that were stored stand for the kind of thing there is; the counts are what is drawn.
    few_pods = pods if len(pods) <= LISTED_PODS else [row for row in pods if row["node"] == node] if node else pods
    listed = sorted(few_pods[:LISTED_PODS], key=lambda row: (row["created"], row["namespace"], row["name"]))
    nodes = [row for row, _, _ in rows(scene, "nodes", _node).values()]
    ready_addresses = endpoints(scene)
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
            for host in shown.values()
        ],
        "network": network(scene),
        "nodes": sorted(nodes, key=lambda row: row["name"]),
        "cells": workers,
        "counts": {
            "nodes": len(nodes),
            "nodesReady": sum(1 for row in nodes if row["ready"]),
            "pods": len(pods),
            "phases": {phase: count for phase, count in totals.items() if count},
        },
        "pods": listed,
        "services": [
            {
                "namespace": doc["metadata"].get("namespace", ""),
                "name": doc["metadata"]["name"],
                "type": doc["spec"].get("type", "ClusterIP"),
                "clusterIP": doc["spec"].get("clusterIP", ""),
                "ports": [f"{p['port']}/{p.get('protocol', 'TCP')}" for p in doc["spec"].get("ports") or []],
                "endpoints": len(ready_addresses.get(key, ())),
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


def network(scene: Scene) -> dict[str, Any]:
    """What differs from a whole network: who is apart from whom, and which ways are cut, lossy or slow."""
    net = scene.world.state.network
    return {
        "groups": net.groups,
        "links": [
            {"a": a, "b": b, "cut": link.cut, "loss": link.loss, "lowMicros": (link.low or 0) // 1000}
            for (a, b), link in net.links.items()
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
