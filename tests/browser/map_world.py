"""Clusters of other shapes for the map under test, and the read models that only the map asks for. Shapes are those of ``cluster.snapshot``."""

from __future__ import annotations

from functools import cache
from typing import Any

from explainer.fragments.map_field import LISTED_PODS, LISTED_WORKERS, PHASES
from tests.browser import fixture_world
from tests.browser.fixture_world import NOW, process


def shaped(
    planes: int = 3, members: int = 3, workers: int = 3, pods: int = 9, topology: str = "stacked", zones: int = 0
) -> dict[str, Any]:
    """A cluster of that shape, with pods of every phase spread over its workers."""
    hosts: list[dict[str, Any]] = []
    stacked = planes if topology == "stacked" else 0

    def member(n: int) -> dict[str, Any]:
        return process(
            f"m{n}", "etcd", role="leader" if n == 2 else "follower", term=12, lead="m2", commit=9, applied=9
        )

    for i in range(1, planes + 1):
        processes = [process(f"kube-apiserver-cp-{i}", "kube-apiserver")]
        processes += [member(i)] if i <= min(stacked, members) else []
        processes += [
            process(f"{kind}-cp-{i}", kind, leader=i == 1) for kind in ("kube-controller-manager", "kube-scheduler")
        ]
        processes += [process(f"{kind}-cp-{i}", kind) for kind in ("kubelet", "kube-proxy")]
        hosts.append({"name": f"cp-{i}", "role": "control-plane", "up": True, "paused": False, "processes": processes})
    for n in range(stacked + 1, members + 1):
        name = f"etcd-{n - stacked}"
        hosts.append({"name": name, "role": "etcd", "up": True, "paused": False, "processes": [member(n)]})
    names = [f"node-{i}" for i in range(1, workers + 1)]
    for name in names[: LISTED_WORKERS if workers <= LISTED_WORKERS else 0]:
        processes = [process(f"{kind}-{name}", kind) for kind in ("kubelet", "kube-proxy")]
        hosts.append({"name": name, "role": "worker", "up": True, "paused": False, "processes": processes})
    if planes:
        hosts.append(
            {"name": "lb", "role": "lb", "up": True, "paused": False, "processes": [process("lb", "balancer")]}
        )
    rows = [pod_row(i, names) for i in range(pods)] if names else []
    counts = {name: [0] * len(PHASES) for name in names}
    for row in rows:
        if row["node"]:
            counts[row["node"]][PHASES.index(row["phase"])] += 1
    phases = [row["phase"] for row in rows]
    cells = [
        {
            "name": name,
            "zone": f"zone-{'abcdef'[i % zones]}" if zones else "",
            "state": "notready" if i % 97 == 96 else "cordoned" if i % 131 == 130 else "up",
            "counts": counts[name],
            "cpu": i * 37 % 1000,
        }
        for i, name in enumerate(names)
    ]
    nodes = [
        {"name": name, "ready": i % 97 != 96, "unschedulable": i % 131 == 130, "podCIDR": "10.244.1.0/24", "taints": []}
        for i, name in enumerate(names)
    ]
    base = fixture_world.cluster_map()
    return {
        **base,
        "topology": topology,
        "hosts": hosts,
        "nodes": nodes,
        "cells": cells,
        "counts": {
            "nodes": workers,
            "nodesReady": sum(1 for node in nodes if node["ready"]),
            "pods": pods,
            "phases": {phase: phases.count(phase) for phase in PHASES if phase in phases},
        },
        "pods": rows[:LISTED_PODS],
    }


def pod_row(i: int, names: list[str]) -> dict[str, Any]:
    """The i-th pod: most are ready, the others go through every phase."""
    phase = PHASES[i % len(PHASES)] if i * 7919 % 1009 < 60 else "Ready"
    name = f"web-7d4b9c6f5d-{i:05}"
    return {
        "namespace": "default",
        "name": name,
        "uid": f"uid-{name}",
        "node": "" if phase == "Pending" else names[i % len(names)],
        "phase": phase,
        "ip": f"10.244.1.{i % 250}",
        "owner": "ReplicaSet/web-7d4b9c6f5d",
        "restarts": 3 if phase == "CrashLoop" else 0,
        "app": "web",
        "created": "",
    }


CLUSTERS = {
    "crowd": cache(lambda: shaped(workers=1000, pods=10_000)),
    "zones": cache(lambda: shaped(workers=300, pods=3000, zones=3)),
    "cells": cache(lambda: shaped(workers=40, pods=900)),
    "boxes": cache(lambda: shaped(workers=15, pods=200)),
    "apart": cache(lambda: shaped(planes=2, members=9, workers=4, pods=40, topology="external")),
    "five": cache(lambda: shaped(planes=5, members=5, workers=5, pods=60)),
    "seven": cache(lambda: shaped(planes=3, members=7, workers=2, pods=10)),
    "one": cache(lambda: shaped(planes=1, members=1, workers=1, pods=5)),
    "none": cache(lambda: shaped(planes=3, members=3, workers=0, pods=0)),
    "bare": cache(lambda: shaped(planes=0, members=5, workers=0, pods=0, topology="external")),
}


def place(cluster: str, select: str = "") -> dict[str, Any]:
    """One thing opened, like ``cluster.snapshot.place``."""
    model = fixture_world.cluster_map() if cluster == "demo" else CLUSTERS[cluster]()
    kind, _, name = select.partition(":")
    about = {"conditions": CONDITIONS, "events": EVENTS, "requests": fixture_world.requests()[:2]}
    if kind == "pod":
        for row in model["pods"]:
            if f"{row['namespace']}/{row['name']}" == name:
                meta = {"name": row["name"], "namespace": row["namespace"]}
                return {"kind": "pod", **row, "containers": CONTAINERS, "resource": "pods",
                        "object": {"apiVersion": "v1", "kind": "Pod", "metadata": meta}, **about}  # fmt: skip
    if kind in ("node", "host"):
        host = next((h for h in model["hosts"] if h["name"] == name), None)
        node = next((n for n in model["nodes"] if n["name"] == name), None)
        if host or node:
            facts = host or {"role": "worker", "up": True, "paused": False, "processes": []}
            pods = [row for row in model["pods"] if row["node"] == name]
            return {**facts, "kind": "host", "name": name, "node": node, "pods": pods, "cpu": 400, "faults": [],
                    "resource": "nodes", "object": {"kind": "Node", "metadata": {"name": name}}, **about}  # fmt: skip
    if kind == "process":
        for host in model["hosts"]:
            for one in host["processes"]:
                if one["name"] == name:
                    return {**one, "kind": "process", "process_kind": one["kind"], "host": host["name"], "inbox": 0,
                            "peers": ["lb"], "faults": []}  # fmt: skip
    if kind == "link":
        a, _, b = name.partition("~")
        return {
            "kind": "link",
            "name": name,
            "a": a,
            "b": b,
            "hosts": [a, b],
            "apart": False,
            "faults": [],
            "usual": [0.5, 1.5],
        }
    if kind == "client":
        return {"kind": "client", "name": name}
    raise KeyError(select)


CONTAINERS = [
    {"name": "web", "image": "nginx", "state": "running", "reason": "", "exitCode": None, "ready": True, "restarts": 3}
]
CONDITIONS = [
    {"type": "Ready", "status": "True", "reason": "", "message": "", "lastTransitionTime": "2025-01-01T00:00:00Z"}
]
EVENTS = [
    {"type": "Normal", "reason": "Scheduled", "message": "Successfully assigned default/web to node-1", "count": 1,
     "source": "default-scheduler", "at": "2025-01-01T00:00:00Z"},
]  # fmt: skip
FLIGHTS = [
    {"src": "kube-apiserver-cp-1", "dst": "m1", "srcHost": "cp-1", "dstHost": "cp-1", "kind": "TxnRequest", "label": "Txn /registry/pods/default/web",
     "sentMicros": NOW - 400, "arriveMicros": NOW + 600, "cause": 4060, "outside": True},
]  # fmt: skip


def find(cluster: str, q: str = "") -> list[dict[str, str]]:
    """Names with ``q`` in them."""
    model = fixture_world.cluster_map() if cluster == "demo" else CLUSTERS[cluster]()
    names = [cell["name"] for cell in model.get("cells", ())] or [host["name"] for host in model["hosts"]]
    out = [{"select": f"host:{name}", "name": name, "kind": "host"} for name in names if q in name]
    out += [{"select": f"pod:default/{pod['name']}", "name": f"default/{pod['name']}", "kind": "pod"}
            for pod in model["pods"] if q in pod["name"]]  # fmt: skip
    return out[:20]


VIEWS = {
    "place": place,
    "find": find,
    "flights": lambda cluster, limit=120: {"nowMicros": NOW, "flights": FLIGHTS, "more": 0},
}
