"""Recorded-looking read models for pages under test: one demo cluster, fixed in time. Shapes are those of ``cluster.snapshot``."""

from __future__ import annotations

import copy
import json
from functools import cache, partial
from pathlib import Path
from typing import Any

NOW = 83_456_789
DATA = Path(__file__).parent / "data"


def process(name: str, kind: str, **status: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "up": True, "paused": False, "boot": 1, "status": status}


def cluster_map() -> dict[str, Any]:
    hosts = []
    for i in (1, 2, 3):
        hosts.append(
            {
                "name": f"cp-{i}",
                "role": "control-plane",
                "up": True,
                "paused": False,
                "processes": [
                    process(f"kube-apiserver-cp-{i}", "kube-apiserver"),
                    process(
                        f"m{i}",
                        "etcd",
                        role="leader" if i == 2 else "follower",
                        term=3,
                        lead="m2",
                        commit=812,
                        applied=812,
                        revision=798,
                    ),
                    process(f"kube-controller-manager-cp-{i}", "kube-controller-manager", leader=i == 1),
                    process(f"kube-scheduler-cp-{i}", "kube-scheduler", leader=i == 3),
                    process(f"kubelet-cp-{i}", "kubelet"),
                    process(f"kube-proxy-cp-{i}", "kube-proxy"),
                ],
            }
        )
    for i in (1, 2, 3):
        hosts.append(
            {
                "name": f"node-{i}",
                "role": "worker",
                "up": True,
                "paused": False,
                "processes": [process(f"kubelet-node-{i}", "kubelet"), process(f"kube-proxy-node-{i}", "kube-proxy")],
            }
        )
    hosts.append({"name": "lb", "role": "lb", "up": True, "paused": False, "processes": [process("lb", "balancer")]})
    pods = []

    def pod(
        name: str,
        node: str,
        phase: str,
        namespace: str = "default",
        n: int = 0,
        owner: str = "ReplicaSet/web-7d4b9c6f5d",
    ) -> None:
        pods.append(
            {
                "namespace": namespace,
                "name": name,
                "uid": f"uid-{name}",
                "node": node,
                "phase": phase,
                "ip": f"10.244.{node[-1] or 0}.{n}" if node else "",
                "owner": owner,
                "restarts": 3 if phase == "CrashLoop" else 0,
                "app": "web",
            }
        )

    pod("coredns-668d6bf9bc-4xk2p", "node-1", "Ready", "kube-system", 2, "ReplicaSet/coredns-668d6bf9bc")
    pod("coredns-668d6bf9bc-9vq7m", "node-2", "Ready", "kube-system", 2, "ReplicaSet/coredns-668d6bf9bc")
    pod("web-7d4b9c6f5d-7baro", "node-1", "Ready", n=3)
    pod("web-7d4b9c6f5d-x2k9f", "node-2", "Running", n=3)
    pod("web-7d4b9c6f5d-q8zvn", "node-3", "Creating", n=2)
    pod("mynginx", "node-3", "Terminating", n=3, owner="")
    pod("migrate-db-5bhkd", "node-2", "Succeeded", n=4, owner="Job/migrate-db")
    pod("broken-6c9f7b8d44-m4t2s", "node-1", "CrashLoop", n=4, owner="ReplicaSet/broken-6c9f7b8d44")
    pod("greedy-0", "", "Pending", owner="StatefulSet/greedy")
    nodes = [
        {"name": f"{kind}-{i}", "ready": True, "unschedulable": False, "podCIDR": f"10.244.{k + i}.0/24", "taints": []}
        for k, kind in ((2, "cp"), (-1, "node"))
        for i in (1, 2, 3)
    ]
    return {
        "cluster": "demo",
        "kubernetesVersion": "1.32.0",
        "nowMicros": NOW,
        "rate": 1,
        "paused": False,
        "revision": 798,
        "watching": 2,
        "hosts": hosts,
        "nodes": nodes,
        "pods": pods,
        "services": [
            {
                "namespace": "default",
                "name": "kubernetes",
                "type": "ClusterIP",
                "clusterIP": "10.96.0.1",
                "ports": ["443/TCP"],
                "endpoints": 3,
            },
            {
                "namespace": "default",
                "name": "web",
                "type": "ClusterIP",
                "clusterIP": "10.96.118.42",
                "ports": ["80/TCP"],
                "endpoints": 2,
            },
            {
                "namespace": "kube-system",
                "name": "kube-dns",
                "type": "ClusterIP",
                "clusterIP": "10.96.0.10",
                "ports": ["53/UDP", "53/TCP"],
                "endpoints": 2,
            },
        ],
        "deployments": [
            {"namespace": "default", "name": "web", "ready": 1, "replicas": 3},
            {"namespace": "kube-system", "name": "coredns", "ready": 2, "replicas": 2},
        ],
    }


def members() -> list[dict[str, Any]]:
    rows = []
    for i, (role, last, commit) in enumerate((("follower", 811, 811), ("leader", 813, 812), ("follower", 813, 812)), 1):
        log = [
            [
                k,
                2 if k < 797 else 3,
                f"put /registry/{f'leases/kube-node-lease/node-{k % 3 + 1}' if k % 4 else 'pods/default/web-7d4b9c6f5d-x2k9f'}",
            ]
            for k in range(790, last + 1)
        ]
        rows.append(
            {
                "id": f"m{i}",
                "name": f"cp-{i}",
                "host": f"cp-{i}",
                "up": True,
                "paused": False,
                "boot": 1,
                "role": role,
                "term": 3,
                "votedFor": "m2",
                "lead": "m2",
                "commit": commit,
                "applied": commit,
                "lastIndex": last,
                "snapIndex": 0,
                "snapTerm": 0,
                "log": log,
                "kvDigest": "9f2c",
                "revision": 798,
                "timerStartMicros": NOW - 300_000,
                "timerEndMicros": NOW + 1_100_000 - 200_000 * i,
            }
        )
    rows[1]["progress"] = [
        {"id": "m1", "match": 811, "next": 814, "state": "replicate"},
        {"id": "m2", "match": 813, "next": 814, "state": "replicate"},
        {"id": "m3", "match": 812, "next": 814, "state": "replicate"},
    ]
    return rows


def row(
    id: int,
    method: str,
    path: str,
    verb: str,
    resource: str,
    namespace: str,
    name: str,
    user: str,
    code: int,
    start: int,
    took: int | None,
    initiator: int | None = None,
    client: str = "outside:127.0.0.1",
    outside: bool = True,
) -> dict[str, Any]:
    outcome = (
        "wait"
        if took is None and not code
        else "deny"
        if code in (401, 403)
        else "throttle"
        if code == 429
        else "allow"
        if code < 400
        else "error"
    )
    return {
        "t": "request",
        "id": id,
        "method": method,
        "path": path,
        "verb": verb,
        "group": "",
        "resource": resource,
        "namespace": namespace,
        "name": name,
        "user": user,
        "groups": ["system:authenticated"],
        "userAgent": "kubectl/v1.32.0 (linux/amd64)",
        "client": client,
        "server": "kube-apiserver-cp-1",
        "code": code,
        "outcome": outcome,
        "stream": took is None and bool(code),
        "startMicros": start,
        "endMicros": None if took is None else start + took,
        "initiator": initiator,
        "outside": outside,
    }


def requests(
    limit: int = 100, verb: str = "", code: int = 0, user: str = "", system: bool = False, since: int = 0
) -> list[dict[str, Any]]:
    deploy = "/apis/apps/v1/namespaces/default/deployments"
    rows = [
        row(
            4108,
            "DELETE",
            "/api/v1/namespaces/default/pods/mynginx",
            "delete",
            "pods",
            "default",
            "mynginx",
            "system:serviceaccount:default:default",
            200,
            NOW - 1_200_000,
            6_400,
        ),
        row(
            4102,
            "GET",
            "/api/v1/nodes?limit=500",
            "list",
            "nodes",
            "",
            "",
            "system:anonymous",
            403,
            NOW - 3_000_000,
            410,
        ),
        row(
            4096,
            "GET",
            "/api/v1/namespaces/default/pods?watch=true&resourceVersion=781",
            "watch",
            "pods",
            "default",
            "",
            "kubernetes-admin",
            200,
            NOW - 4_000_000,
            None,
        ),
        row(
            4071,
            "POST",
            "/api/v1/namespaces/default/pods/web-7d4b9c6f5d-x2k9f/binding",
            "create",
            "pods/binding",
            "default",
            "web-7d4b9c6f5d-x2k9f",
            "system:kube-scheduler",
            201,
            NOW - 5_980_000,
            4_800,
            4060,
            "kube-scheduler-cp-3",
        ),
        row(
            4066,
            "POST",
            "/api/v1/namespaces/default/pods",
            "create",
            "pods",
            "default",
            "web-7d4b9c6f5d-x2k9f",
            "system:serviceaccount:kube-system:replicaset-controller",
            201,
            NOW - 5_990_000,
            5_200,
            4060,
            "kube-controller-manager-cp-1",
        ),
        row(
            4060,
            "POST",
            deploy + "?fieldManager=kubectl-create&fieldValidation=Strict",
            "create",
            "deployments",
            "default",
            "web",
            "kubernetes-admin",
            201,
            NOW - 6_000_000,
            5_930,
        ),
        row(
            4011,
            "GET",
            "/api/v1/namespaces/default/pods/nothere",
            "get",
            "pods",
            "default",
            "nothere",
            "kubernetes-admin",
            404,
            NOW - 9_000_000,
            520,
        ),
    ]
    if system:
        rows.append(
            row(
                3990,
                "PUT",
                "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1",
                "update",
                "leases",
                "kube-node-lease",
                "node-1",
                "system:node:node-1",
                200,
                NOW - 9_500_000,
                5_100,
                None,
                "kubelet-node-1",
                False,
            )
        )
    return [
        r
        for r in rows
        if (not verb or r["verb"] == verb) and (not code or r["code"] == code) and (not user or r["user"] == user)
    ][:limit]


def listed(row: dict[str, Any]) -> dict[str, Any]:
    """A row as ``request_list`` tells it."""
    took = (row["endMicros"] or row["startMicros"] + 400) - row["startMicros"]
    marks = [
        ("authn", 0, 83),
        ("authz", 83, 103),
        ("etcd", 103, max(took - 50, 104)),
        ("response", max(took - 50, 104), took),
    ]
    return {
        **row,
        "size": 512,
        "parts": [list(mark) for mark in marks],
        "component": row["userAgent"].split("/")[0],
        "because": "create deployments/web" if row["initiator"] else "",
    }


def request_list(
    limit: int = 100, system: bool = False, verb: str = "", user: str = "", code: str = "", text: str = "", **other: Any
) -> dict[str, Any]:
    everything = [listed(row) for row in requests(system=system)]
    rows = [
        row
        for row in everything
        if verb in ("", row["verb"])
        and user in ("", row["user"])
        and code in ("", str(row["code"]))
        and text in row["path"]
        and not (other.get("errors") and row["code"] < 400)
        and (not other.get("before") or row["id"] < other["before"])
        and row["id"] > other.get("since", 0)
    ]
    facets = {
        name: sorted({row[name]: 1 for row in everything if row[name]}.items())
        for name in ("verb", "user", "namespace", "resource", "component")
    }
    return {
        "rows": rows[:limit],
        "matched": len(rows),
        "kept": len(everything),
        "more": max(len(rows) - limit, 0),
        "facets": facets,
        "nowMicros": NOW,
    }


@cache
def recorded() -> dict[int, dict[str, Any]]:
    """Traces of a real cluster (tests/browser/record_traces.py), by number: 70001 a Deployment, 70002 a refusal, 70003 the same allowed."""
    return {trace["id"]: trace for trace in json.loads((DATA / "traces.json").read_text())}


def nearest(id: int) -> dict[str, Any]:
    rows = [listed({**trace}) | {"id": number} for number, trace in recorded().items() if number != id]
    other = {70002: 70003, 70003: 70002}.get(id, 0)
    return {"rows": sorted(rows, key=lambda row: row["id"] != other), "suggested": other}


def request(id: int) -> dict[str, Any]:
    if id in recorded():
        return copy.deepcopy(recorded()[id])
    found = next((r for r in requests(system=True) if r["id"] == id), None)
    if found is None:
        raise KeyError(id)
    start = found["startMicros"]

    def stage(
        name: str,
        component: str,
        at: float,
        took: float,
        outcome: str,
        reason: str,
        detail: Any = None,
        patch: Any = (),
        before: Any = None,
        after: Any = None,
        source: str = "",
    ) -> dict[str, Any]:
        return {
            "name": name,
            "component": component,
            "startMicros": start + at,
            "endMicros": start + at + took,
            "outcome": outcome,
            "reason": reason,
            "detail": detail,
            "before": before,
            "after": after,
            "patch": list(patch),
            "source": source,
        }

    server = "kube-apiserver-cp-1"
    stages = [
        stage(
            "tls",
            server,
            0,
            120,
            "ok",
            "The client showed a certificate that this cluster's CA signed.",
            {"subject": "CN=kubernetes-admin, O=system:masters", "issuer": "CN=kubernetes"},
            source="apiserver.authentication.x509:41",
        )
    ]
    raw_code = f"HTTP/1.1 {found['code']}"
    if found["code"] == 403:
        stages += [
            stage(
                "authentication",
                server,
                120,
                20,
                "ok",
                "No credentials were sent, so the caller is system:anonymous.",
                {
                    "tried": [
                        {"plug-in": "x509", "answer": "no certificate"},
                        {"plug-in": "bearer-token", "answer": "no token"},
                        {"plug-in": "anonymous", "answer": "system:anonymous"},
                    ]
                },
                source="apiserver.authentication.anonymous:22",
            ),
            stage("audit", server, 140, 5, "skip", "No audit policy is set."),
            stage(
                "authorization",
                server,
                145,
                160,
                "deny",
                'nodes is forbidden: User "system:anonymous" cannot list resource "nodes" in API group "" at the cluster scope.',
                {
                    "authorizers": [
                        {"authorizer": "Node", "answer": "no opinion"},
                        {"authorizer": "RBAC", "answer": "no rule allows it"},
                    ],
                    "nearMisses": [
                        {
                            "binding": "system:public-info-viewer",
                            "role": "system:public-info-viewer",
                            "why not": "its rules name paths (/version, /healthz), not nodes",
                        }
                    ],
                },
                source="apiserver.authorization.rbac:118",
            ),
            stage("response", server, 305, 90, "ok", "403 Forbidden as a Status object."),
        ]
        body = '{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}'
    else:
        pod_patch = [
            {"op": "add", "path": "/spec/serviceAccountName", "value": "default"},
            {
                "op": "add",
                "path": "/spec/volumes/0",
                "value": {
                    "name": "kube-api-access-x2k9f",
                    "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]},
                },
            },
        ]
        before, after = (
            {"kind": "Pod", "spec": {"containers": [{"name": "nginx", "image": "nginx"}]}},
            {
                "kind": "Pod",
                "spec": {"containers": [{"name": "nginx", "image": "nginx"}], "serviceAccountName": "default"},
            },
        )
        stages += [
            stage(
                "authentication",
                server,
                120,
                22,
                "ok",
                "The certificate's common name is the user, its organisations are the groups.",
                {"user": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]},
                source="apiserver.authentication.x509:63",
            ),
            stage("audit", server, 142, 4, "skip", "No audit policy is set."),
            stage("impersonation", server, 146, 3, "skip", "No Impersonate-User header."),
            stage(
                "priority-and-fairness",
                server,
                149,
                12,
                "ok",
                "Flow schema exempt: it never queues.",
                {"flowSchema": "exempt", "priorityLevel": "exempt"},
            ),
            stage(
                "authorization",
                server,
                161,
                40,
                "allow",
                'ClusterRoleBinding "cluster-admin" gives ClusterRole "cluster-admin" to group system:masters.',
                {"binding": "cluster-admin", "rule": "verbs * on resources *.*"},
                source="apiserver.authorization.rbac:97",
            ),
            stage("decoding", server, 201, 60, "ok", "JSON, 1,204 bytes."),
            stage(
                "defaulting",
                server,
                261,
                45,
                "change",
                "14 fields got their defaults.",
                None,
                [
                    {"op": "add", "path": "/spec/strategy/type", "value": "RollingUpdate"},
                    {"op": "add", "path": "/spec/progressDeadlineSeconds", "value": 600},
                ],
            ),
            stage(
                "mutating-admission/NamespaceLifecycle",
                server,
                306,
                12,
                "allow",
                "Namespace default exists and is Active.",
            ),
            stage(
                "mutating-admission/ServiceAccount",
                server,
                318,
                60,
                "change",
                "The object names no service account, so it gets default and a token volume.",
                {"serviceAccount": "default/default"},
                pod_patch,
                before,
                after,
                "apiserver.admission.service_account:74",
            ),
            stage("mutating-admission/DefaultTolerationSeconds", server, 378, 15, "skip", "Only for pods."),
            stage(
                "strategy",
                server,
                393,
                20,
                "change",
                "uid, creationTimestamp and generation are set by the server.",
                None,
                [
                    {"op": "add", "path": "/metadata/uid", "value": "5b0c7f1e-52b1-4be1-92d1-9b7ad2c8e2f0"},
                    {"op": "replace", "path": "/metadata/generation", "was": 0, "value": 1},
                ],
            ),
            stage("validation", server, 413, 90, "allow", "All 41 rules for Deployment hold."),
            stage(
                "validating-admission/ResourceQuota", server, 503, 30, "allow", "No ResourceQuota in namespace default."
            ),
            stage(
                "etcd",
                server,
                533,
                4_900,
                "ok",
                "Stored as revision 798 by 2 of 3 members.",
                {"key": "/registry/deployments/default/web", "revision": 798},
            ),
            stage(
                "propose",
                "m2",
                1_120,
                30,
                "ok",
                "m1 forwards the proposal to the leader m2, which appends it as entry 812 of term 3.",
                {"index": 812, "term": 3},
            ),
            stage("append/m2", "m2", 1_150, 1_500, "ok", "fsync took 1.5 ms."),
            stage("append/m1", "m1", 1_900, 1_700, "ok", "fsync took 1.7 ms."),
            stage("append/m3", "m3", 2_000, 2_100, "ok", "fsync took 2.1 ms."),
            stage(
                "commit",
                "m2",
                4_300,
                20,
                "ok",
                "2 of 3 members hold entry 812: that is a quorum.",
                {"have": ["m2", "m1"], "need": 2},
            ),
            stage("apply", "m2", 4_320, 40, "ok", "Revision 798."),
            stage("response", server, 5_433, 80, "ok", "201 Created, 2,011 bytes."),
            stage(
                "watch/kube-controller-manager-cp-1",
                server,
                5_520,
                410,
                "ok",
                "ADDED deployments/web goes to the controller manager's informer.",
            ),
        ]
        body = '{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"default","resourceVersion":"798"}}'

    def node(
        id: int, component: str, text: str, at: int, code: int = 201, children: Any = (), took: int = 5_000
    ) -> dict[str, Any]:
        return {
            "kind": "request",
            "id": id,
            "component": component,
            "text": text,
            "code": code,
            "outcome": "allow",
            "startMicros": start + at,
            "endMicros": start + at + took,
            "children": list(children),
        }

    def effect(component: str, text: str, at: int) -> dict[str, Any]:
        return {"kind": "effect", "component": component, "text": text, "startMicros": start + at, "children": []}

    tree = (
        []
        if found["code"] in (403, 404)
        else [
            node(
                4063,
                "kube-controller-manager",
                "POST /apis/apps/v1/namespaces/default/replicasets",
                6_500,
                children=[
                    node(
                        4066,
                        "kube-controller-manager",
                        "POST /api/v1/namespaces/default/pods",
                        14_000,
                        children=[
                            effect("kube-scheduler-cp-3", "node-2 wins with 187 points of 3 feasible nodes.", 21_000),
                            node(
                                4071,
                                "kube-scheduler",
                                "POST /api/v1/namespaces/default/pods/web-7d4b9c6f5d-x2k9f/binding",
                                22_000,
                                children=[
                                    effect("kubelet-node-2", "Pulls image nginx.", 31_000),
                                    effect("kubelet-node-2", "Starts container nginx.", 931_000),
                                    node(
                                        4085,
                                        "kubelet",
                                        "PATCH /api/v1/namespaces/default/pods/web-7d4b9c6f5d-x2k9f/status",
                                        940_000,
                                        200,
                                    ),
                                ],
                            ),
                        ],
                    ),
                ],
            ),
            node(
                4064,
                "kube-controller-manager",
                "PUT /apis/apps/v1/namespaces/default/deployments/web/status",
                12_000,
                200,
            ),
        ]
    )
    return {
        **found,
        "stages": stages,
        "effects": [4063, 4064],
        "tree": tree,
        "ancestors": [],
        "raw": {
            "requestHead": f"{found['method']} {found['path']} HTTP/1.1\nHost: 127.0.0.1:6443\nUser-Agent: kubectl/v1.32.0\nAccept: application/json\n",
            "requestBody": "",
            "responseHead": raw_code + "\nContent-Type: application/json\n",
            "responseBody": body,
        },
    }


def rules(node: str, mode: str = "iptables") -> str:
    return (DATA / "rules.txt").read_text()


def network() -> dict[str, Any]:
    """The choices of the network page, from the map's objects."""
    world = cluster_map()
    services = []
    for row in world["services"]:
        ports = [text.partition("/") for text in row["ports"]]
        ports = [{"name": "", "port": int(p), "protocol": kind.lower(), "nodePort": 0} for p, _, kind in ports]
        extra = {"key": f"{row['namespace']}/{row['name']}", "ports": ports, "externalIPs": [], "loadBalancerIPs": []}
        services.append({**row, **extra})
    pods = [
        {"key": f"{pod['namespace']}/{pod['name']}", "ip": pod["ip"], "node": pod["node"], "terminating": False}
        for pod in world["pods"]
        if pod["phase"] in ("Ready", "Running")
    ]
    nodes = [
        {"name": f"{kind}-{i}", "ip": f"172.18.0.{first + i}", "proxy": {"mode": "iptables", "rules": 30}}
        for kind, first in (("cp", 1), ("node", 10))
        for i in (1, 2, 3)
    ]
    return {"services": services, "pods": pods, "morePods": 0, "nodes": nodes}


def journey(
    src: str, dst: str, port: int, protocol: str, node: str = "", mode: str = "", way: int = 0
) -> dict[str, Any]:
    """A packet through the recorded rules, told by the world's own walker."""
    from cluster.kubeproxy.offline import walker_for
    from cluster.netfilter.journey import journey as tell
    from cluster.wire.packet import Packet

    address = {pod["key"]: pod["ip"] for pod in network()["pods"]}.get(src, "172.18.0.11")
    told = tell(
        walker_for(rules(node), node_ips=("172.18.0.11",)),
        Packet(address, dst, protocol, 45678, port),
        way=way,
    )
    owned = {"10.244.1.2": "default/web-7d4b9c6f5d-7baro", "10.244.1.3": "default/web-7d4b9c6f5d-x2k9f"}
    ways = [{**end, "pod": owned.get(end["endpoint"].rpartition(":")[0], ""), "node": "node-1"} for end in told["ways"]]
    home = {"name": src, "pod": src if "/" in src else "", "ip": address, "node": "node-1"}
    return {
        **told,
        "ways": ways,
        "node": "node-1",
        "nodeIP": "172.18.0.11",
        "mode": "iptables",
        "own": "iptables",
        "from": home,
    }


def changes(service: str) -> list[dict[str, Any]]:
    """One endpoint of the Service web went."""
    if service != "default/web":
        return []
    request = {"namespace": "default", "subresource": "", "user": "system:node", "code": 200, "path": "/"}
    began = NOW - 4_000_000
    pod = {
        **request,
        "id": 4060,
        "verb": "delete",
        "resource": "pods",
        "name": "web-7d4b9c6f5d-7baro",
        "at": began,
        "endAt": began + 5000,
    }
    gone = "-A KUBE-SEP-X -m tcp -p tcp -j DNAT --to-destination 10.244.1.2:8080"
    nodes = [
        {"node": f"node-{i}", "at": began + 500_000 + 90_000 * i, "added": 1, "removed": 2, "came": ["-A KUBE-SVC-X -j KUBE-SEP-Y"], "went": [gone]}
        for i in (1, 2, 3)
    ]  # fmt: skip
    head = {
        **request,
        "id": 4102,
        "verb": "update",
        "resource": "endpointslices",
        "name": "web-x1",
        "at": began + 60_000,
        "endAt": began + 64_000,
    }
    return [{**head, "chain": [pod], "beganMicros": began, "nodes": nodes, "came": [], "gone": ["10.244.1.2:8080"]}]


def node_network(node: str) -> dict[str, Any]:
    """A worker with one connection, and rules that an old mode left."""
    ends = {"src": "10.244.1.9", "dst": "10.96.118.42", "sport": 45678, "dport": 80}
    reply = {"src": "10.244.1.2", "dst": "10.244.1.9", "sport": 8080, "dport": 45678}
    flow = {"protocol": "tcp", "state": "ESTABLISHED", "left": 431_000_000_000, "original": ends, "reply": reply}
    link = {"index": 2, "name": "eth0", "kind": "ethernet", "mtu": 1500, "addresses": ["172.18.0.11/16"]}
    went = {
        "at": NOW,
        "kind": "syn",
        "before": {**ends, "protocol": "tcp"},
        "after": {**ends, "protocol": "tcp"},
        "in": "cni0",
    }
    return {
        "node": node,
        "address": "172.18.0.11",
        "podCIDR": "10.244.1.0/24",
        "podNetwork": "overlay",
        "proxy": {"up": True, "pod": "kube-system/kube-proxy-x", "mode": "nftables"},
        "interfaces": [link],
        "routes": [{"to": "default", "via": "172.18.0.1", "device": "eth0"}],
        "tables": {"iptables": 40, "nftables": 60, "ipvs": 0},
        "leftovers": [{"mode": "iptables", "chains": 9, "rules": 33, "flush": "iptables -F -t nat"}],
        "conntrack": [{**flow, "seenReply": True, "dnat": True, "snat": False}],
        "policies": [{"key": "default/closed", "types": ["Ingress"], "pods": ["default/web-x"]}],
        "passed": [
            {**went, "out": "flannel.1", "verdict": "forward", "why": "", "tunnel": ["172.18.0.11", "172.18.0.12"]}
        ],
    }


def versions(node: str, service: str) -> dict[str, Any]:
    return {"old": "1.22", "new": "1.32", "lines": ["@@ -1 +1 @@", "-# nat KUBE-XLB-X", "+# nat KUBE-EXT-X"]}


VIEWS = {
    "node_network": node_network,
    "versions": versions,
    "changes": changes,
    "network": network,
    "journey": journey,
    "nodes": lambda: [{"node": f"{kind}-{i}", "mode": "iptables"} for kind in ("cp", "node") for i in (1, 2, 3)],
    "map": cluster_map,
    "clock": lambda: {"nowMicros": NOW, "rate": 1.0, "paused": False, "waiting": 0},
    "members": lambda log="none", since=0: members(),
    "requests": requests,
    "request_list": request_list,
    "nearest": nearest,
    "request": request,
    "rules": rules,
    "terms": lambda: [
        {"fromMicros": 1_900_000, "term": 2, "leader": "m1"},
        {"fromMicros": 62_000_000, "term": 3, "leader": "m2"},
    ],
}

HIGH = json.loads((DATA / "ha.json").read_text())
"""The views of the HA page, recorded from a booted cluster."""
VIEWS |= {name: partial(lambda name, **_: HIGH[name], name) for name in HIGH}

LESSON: dict[str, Any] = {}
"""How far the lesson on the cluster ``lesson-two-of-three-test`` is; a test's site plays it."""


TROUBLE = [""]
"""Why the lesson's cluster could not be asked."""


async def lesson(cluster: str) -> dict[str, Any] | None:
    """The pages' source of a lesson's state under test."""
    return LESSON or None


LAST = 5000
"""Deliveries so far: the exact moment of now is ``e5000``, and each delivery took a quarter of a second."""
DELIVERY = 250_000
KEPT_SINCE = 1_000_000
BEFORE_WEB = NOW - 5_000_000
"""Before this the Deployment web and its pods were not there."""


def instant(at: str) -> int:
    """The virtual instant of a moment. ValueError when it is not kept or has not come."""
    micros = NOW - (LAST - int(at[1:])) * DELIVERY if at.startswith("e") else int(at)
    if micros < KEPT_SINCE:
        raise ValueError("history reaches back to 0:00:01.000 only")
    if micros > NOW:
        raise ValueError("this moment has not come yet")
    return micros


def exact(micros: int) -> str:
    """The last delivery up to an instant."""
    return f"e{LAST - -(-(NOW - micros) // DELIVERY)}"


def clock_at(at: str) -> dict[str, Any]:
    micros = instant(at)
    name = at if at.startswith("e") else exact(micros)
    return {
        "nowMicros": micros,
        "rate": 1.0,
        "paused": True,
        "waiting": 0,
        "ready": True,
        "at": name,
        "liveMicros": NOW,
    }


def map_at(at: str) -> dict[str, Any]:
    micros = instant(at)
    world = cluster_map()
    if micros < BEFORE_WEB:
        world["pods"] = [pod for pod in world["pods"] if not pod["name"].startswith("web-")]
        world["deployments"] = world["deployments"][1:]
    world |= {"nowMicros": micros, "paused": True, "revision": 798 - (NOW - micros) // 1_000_000}
    return world


def members_at(at: str) -> list[dict[str, Any]]:
    rows = members()
    if instant(at) < 62_000_000:
        for row in rows:
            row |= {"term": 2, "lead": "m1", "role": "leader" if row["id"] == "m1" else "follower"}
    return rows


def history() -> dict[str, Any]:
    return {
        "beganMicros": 0,
        "sinceMicros": KEPT_SINCE,
        "nowMicros": NOW,
        "events": LAST,
        "bytes": 3_250_586,
        "limitBytes": 67_108_864,
        "checkpoints": 12,
        "journalEntries": 41,
        "parent": None,
        "branches": [{"cluster": "what-if", "at": exact(NOW - 20_000_000), "atMicros": NOW - 20_000_000}],
    }


def tape(start: int = 0, end: int = NOW, width: int = 400) -> dict[str, Any]:
    rows = [
        {
            "atMicros": row["startMicros"],
            "at": exact(row["startMicros"]),
            "kind": "request",
            "outcome": row["outcome"],
            "request": row["id"],
            "label": f"{row['code']} {row['verb']} {row['resource']}",
        }
        for row in requests()
    ]
    rows += [
        {"atMicros": micros, "at": exact(micros), "kind": kind, "label": label}
        for micros, kind, label in (
            (1_900_000, "election", "m1 leads in term 2"),
            (58_000_000, "fault", "m1 stopped"),
            (62_000_000, "election", "m2 leads in term 3"),
            (NOW - 5_970_000, "birth", "web-7d4b9c6f5d-7baro"),
            (NOW - 5_800_000, "rules", "node-1"),
            (NOW - 1_100_000, "death", "mynginx"),
        )
    ]
    kept = sorted((row for row in rows if start <= row["atMicros"] <= end), key=lambda row: row["atMicros"])
    return {"fromMicros": start, "toMicros": end, "terms": [[1_900_000, 2, "m1"], [62_000_000, 3, "m2"]], "marks": kept}


def compare(at: str = "", other: str = "", other_at: str = "") -> dict[str, Any]:
    def side(cluster: str, moment: str) -> dict[str, Any]:
        micros = instant(moment) if moment else NOW
        return {"cluster": cluster, "at": moment or exact(NOW), "nowMicros": micros, "revision": 781}

    def row(change: str, resource: str, name: str, patch: list[dict[str, Any]]) -> dict[str, Any]:
        return {"resource": resource, "namespace": "default", "name": name, "change": change, "patch": patch}

    spec = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-7d4b9c6f5d-7baro", "namespace": "default"}}
    rows = [
        row("added", "pods", "web-7d4b9c6f5d-7baro", [{"op": "add", "path": "", "value": spec}]),
        row(
            "changed",
            "apps/deployments",
            "web",
            [
                {"op": "replace", "path": "/spec/replicas", "value": 3, "was": 2},
                {"op": "add", "path": "/metadata/labels/tier", "value": "front"},
                {"op": "remove", "path": "/metadata/annotations/note", "was": "old"},
            ],
        ),
        row("removed", "services", "old", [{"op": "remove", "path": "", "was": {"kind": "Service"}}]),
    ]
    return {"left": side("demo", at), "right": side(other, other_at), "objects": rows, "total": 3}


PAST: dict[str, Any] = {"map": map_at, "clock": clock_at, "members": members_at}


async def query(cluster: str, view: str, at: str = "", **args: Any) -> Any:
    """The pages' source of read models under test. Cluster ``away`` never answers, any other than ``demo`` does not exist."""
    if cluster == "away":
        raise ConnectionError("nobody runs this cluster")
    if cluster.startswith("lesson-"):
        cluster = "demo"
    from tests.browser import etcd_world, map_world, objects_world

    if view in etcd_world.VIEWS and cluster == "demo":
        return etcd_world.bench(at=at, **args) if view == "bench" else etcd_world.VIEWS[view](**args)

    if view in objects_world.VIEWS:
        return objects_world.ask(view, **args)
    if cluster in map_world.CLUSTERS and view == "map":
        return map_world.CLUSTERS[cluster]()
    if cluster != "demo" and cluster not in map_world.CLUSTERS:
        raise KeyError(cluster)
    if at and view in PAST:
        return PAST[view](at)
    if at and view == "requests":
        return [row for row in VIEWS[view](**args) if row["startMicros"] <= instant(at)]
    if view in map_world.VIEWS:
        return map_world.VIEWS[view](cluster, **args)
    return VIEWS[view](**args)


def described(name: str, **more: Any) -> dict[str, Any]:
    options = {"name": name, "kubernetesVersion": "1.32", "topology": "stacked", "controlPlanes": 3, "workers": 3}
    clock = {"nowMicros": NOW, "rate": 1.0, "paused": False, "waiting": 0, "ready": True}
    return {**options, "proxyMode": "iptables", "bare": False, "clock": clock, "map": cluster_map(), **more}


async def clusters() -> list[dict[str, Any]]:
    """The list: demo, a fork of it, a fork of that, and one that is broken."""
    paused = {"nowMicros": NOW - 9_000_000, "rate": 1.0, "paused": True, "waiting": 0, "ready": True}
    stopped = cluster_map()
    stopped["hosts"][1]["up"] = False
    first = {"cluster": "demo", "at": exact(NOW - 20_000_000), "nowMicros": NOW - 20_000_000}
    second = {"cluster": "what-if", "at": "e4990", "nowMicros": NOW - 2_500_000, "without": {"request": 4060}}
    return [
        described("demo"),
        described("what-if", parent=first, clock=paused),
        described("what-if-again", parent=second, map=stopped),
        described("tired", clock=None, map=None, trouble="Its file was made by another version of the world."),
    ]


async def known() -> dict[str, dict[str, Any]]:
    """The same without what they say of themselves."""
    return {row["name"]: row for row in await clusters()}


async def difference(cluster: str, at: str, other: str, other_at: str) -> dict[str, Any]:
    """What differs, as the control API tells it."""
    if other == "nosuch":
        raise KeyError("there is no cluster named 'nosuch'")
    if other == "same":
        return {**compare(at, other, other_at), "objects": [], "total": 0}
    return compare(at, other, other_at)
