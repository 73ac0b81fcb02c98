"""The network page's whole picture of one packet: who could send it, where to, and its journey through one node's rules.

``network``: Services with every address one can send to, pods and nodes with theirs, each node's proxy. ``journey``: see
``cluster/netfilter/journey.py``, with the names of whoever owns an address.

A packet from outside (an address that is no pod's or node's) arrives at the node it is sent to, else at the node that is asked for.
"""

from typing import Any

from cluster.netfilter.journey import journey as tell
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.walk import Walker
from cluster.network.policy import Decision, Wire, decide
from cluster.network.resolve import candidates, cluster_first
from cluster.snapshot.beyond import follow, true_sources
from cluster.snapshot.map import endpoints
from cluster.snapshot.network import CLIENT_PORT, NoSuchPlace, names, node_ip, proxies, source, target, walker_at
from cluster.snapshot.node_network import kernels
from cluster.snapshot.scene import Scene
from cluster.wire.packet import Packet

MAX_PODS = 400
"""Pods one can send from; a larger cluster's others are typed by name."""


def network(scene: Scene) -> dict[str, Any]:
    """``{services, pods, nodes}`` for the page's choices."""
    ready = endpoints(scene)
    services = [_service(key, doc, len(ready.get(key, ()))) for key, doc in scene.objects.get("services").items()]
    pods = [row for key, doc in scene.objects.get("pods").items() if (row := _pod(key, doc)) is not None]
    running, kept = proxies(scene.world), kernels(scene.world)
    nodes = [
        {
            "name": name,
            "ip": node_ip(doc),
            "mode": kept[name].state.tables.mode if name in kept else "",
            "proxy": running[name].status() if name in running else None,
        }
        for name, doc in sorted(scene.objects.get("nodes").items())
    ]
    return {"services": services, "pods": pods[:MAX_PODS], "morePods": max(len(pods) - MAX_PODS, 0), "nodes": nodes}


def _service(key: str, doc: dict[str, Any], ready: int) -> dict[str, Any]:
    spec = doc["spec"]
    ingress = ((doc.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return {
        "key": key,
        "namespace": doc["metadata"]["namespace"],
        "name": doc["metadata"]["name"],
        "uid": doc["metadata"].get("uid", ""),
        "type": spec.get("type", "ClusterIP"),
        "clusterIP": spec.get("clusterIP", ""),
        "externalIPs": list(spec.get("externalIPs") or ()),
        "loadBalancerIPs": [row["ip"] for row in ingress if row.get("ip")],
        "externalTrafficPolicy": spec.get("externalTrafficPolicy", ""),
        "internalTrafficPolicy": spec.get("internalTrafficPolicy", ""),
        "healthCheckNodePort": spec.get("healthCheckNodePort", 0),
        "sessionAffinity": spec.get("sessionAffinity", "None"),
        "ports": [
            {
                "name": port.get("name", ""),
                "port": port["port"],
                "protocol": str(port.get("protocol", "TCP")).lower(),
                "nodePort": port.get("nodePort", 0),
            }
            for port in spec.get("ports") or ()
        ],
        "endpoints": ready,
    }


def _pod(key: str, doc: dict[str, Any]) -> dict[str, Any] | None:
    status, spec = doc.get("status") or {}, doc.get("spec") or {}
    ip = status.get("podIP")
    if not ip or spec.get("hostNetwork") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    gone = bool(doc["metadata"].get("deletionTimestamp"))
    return {"key": key, "ip": ip, "node": spec.get("nodeName", ""), "terminating": gone}


def journey(
    scene: Scene,
    src: str,
    dst: str,
    protocol: str = "tcp",
    port: int = 80,
    node: str = "",
    mode: str = "",
    way: int = 0,
) -> dict[str, Any]:
    """The journey of a packet, told with names; ``{"refused": sentence}`` when it names nothing. A mode that can't be written is a ValueError."""
    objects, there = scene.objects, kernels(scene.world)
    try:
        address, home, local = source(objects, src)
        asked = (
            look_up(objects, dst, src.partition("/")[0] if "/" in src else "default") if home and not local else None
        )
        to = asked["ip"] if asked is not None else target(objects, dst)
    except NoSuchPlace as refusal:
        return {"refused": str(refusal)}
    nodes = {node_ip(doc): name for name, doc in objects.get("nodes").items()}
    node = home or nodes.get(to, "") or node or next((name for name in there if not name.startswith("cp-")), "")
    if node not in there:
        return {"refused": f"there is no node {node} that is switched on"}
    own = there[node].state.tables.mode
    if not own:
        return {"refused": f"no kube-proxy has written any rule on {node} yet"}
    packet = Packet(address, to, protocol.lower(), CLIENT_PORT, port)
    try:
        walker = walker_at(scene.world, node, packet, local=local, mode=mode)
    except KeyError:
        return {"refused": f"no kube-proxy runs on {node}"}
    known = names(objects)
    pods = objects.get("pods")
    told = tell(walker, packet, local=local, way=way)
    for end in told["ways"]:
        owner = known.get(end["endpoint"].rpartition(":")[0], "")
        end["pod"] = owner
        end["node"] = (
            pods[owner]["spec"].get("nodeName", "")
            if owner in pods
            else nodes.get(end["endpoint"].rpartition(":")[0], "")
        )
    true_sources(scene.world, objects, told, node)
    judge(scene, told, address, home, node)

    def other_walker(other: str, sent: Packet) -> Walker | NftWalker:
        return walker_at(scene.world, other, sent, local=False, mode=mode)

    try:
        beyond = follow(scene.world, objects, told, node, other_walker if mode and mode != own else None)
    except KeyError:
        beyond = None  # no kube-proxy there that could say what it would write
    if beyond is not None:
        told["beyond"] = beyond
        _other_nodes_word(told, beyond["node"])
        if not beyond["accepted"]:
            told["ways"][told["way"]] |= {
                "accepted": False,
                "verdict": "DROP" if beyond["verdict"] == "drop" else "REJECT",
            }
            told["reply"] = []
    if asked is not None:
        first = told["frames"][0]
        told["frames"].insert(0, {**first, "kind": "name", **asked})
    return {
        **told,
        "node": node,
        "nodeIP": there[node].config.address,
        "mode": mode or own,
        "own": own,
        "from": {"name": src, "pod": known.get(address, ""), "ip": address, "node": home},
    }


def _other_nodes_word(told: dict[str, Any], other: str) -> None:
    """What the other node's NetworkPolicy says is told there: on the first node the packet simply leaves."""
    frames = told["frames"]
    at = next((n for n, f in enumerate(frames) if f["kind"] == "policy" and f["node"] == other), None)
    if at is not None:
        before = frames[at - 1]["after"]
        told["frames"] = [
            *frames[:at],
            {"kind": "end", "hook": frames[at]["hook"], "before": before, "after": before, "verdict": "DNAT"},
        ]


def look_up(objects: Any, name: str, space: str) -> dict[str, Any] | None:
    """How a pod of ``space`` finds a Service by a DNS name: ``{name, tried, found, ip}``; None: no Service has such a name."""
    if "/" in name or not name.strip("."):
        return None
    tried: list[str] = []
    for full in candidates(name, cluster_first(space)):
        tried.append(full)
        labels = full.split(".")
        if len(labels) == 5 and labels[2:] == ["svc", "cluster", "local"]:
            service = objects.get("services").get(f"{labels[1]}/{labels[0]}")
            ip = service["spec"].get("clusterIP", "") if service is not None else ""
            if ip and ip != "None":
                return {"name": name, "tried": tried, "found": full, "ip": ip}
    return None


def judge(scene: Scene, told: dict[str, Any], address: str, home: str, node: str) -> None:
    """What NetworkPolicy says to every end: ``denied`` of a way; frames of kind "policy" on the way that is told, which ends at a refusal.

    The sender's egress is asked on its node, the receiver's ingress on the receiver's, by the source that arrives there. Nothing is added while no
    policy selects either.
    """
    policies = tuple(scene.objects.get("networkpolicies").values())
    if not policies:
        return
    pods = {
        doc["status"]["podIP"]: doc
        for doc in scene.objects.get("pods").values()
        if (doc.get("status") or {}).get("podIP") and not doc["spec"].get("hostNetwork")
    }
    spaces = {doc["metadata"]["name"]: doc for doc in scene.objects.get("namespaces").values()}
    nodes = {node_ip(doc): name for name, doc in scene.objects.get("nodes").items()}
    packet = told["packet"]
    for number, end in enumerate(told["ways"]):
        if not end["accepted"]:
            continue
        dst, _, port = (end["endpoint"] or f"{packet['dst']}:{packet['dport']}").rpartition(":")
        found: list[tuple[str, Decision]] = []
        sender, receiver = pods.get(address) if home else None, pods.get(dst)
        protocol = packet["protocol"].upper()
        if sender is not None and nodes.get(dst) != home:
            found.append(
                (home, decide("egress", sender, Wire(address, dst, protocol, int(port)), policies, pods, spaces))
            )
        if receiver is not None:
            there = receiver["spec"].get("nodeName", "")
            source = address if there == node else end["source"]
            if nodes.get(source) != there:
                wire = Wire(source, dst, protocol, int(port))
                found.append((there, decide("ingress", receiver, wire, policies, pods, spaces)))
        refusal = next((one for _, one in found if not one.allowed), None)
        end["denied"] = refusal.policy if refusal is not None else ""
        if number == told["way"] and any(one.policy for _, one in found):
            _insert(told, found, node)
        if refusal is not None:
            end |= {"accepted": False, "verdict": "DROP"}


def _insert(told: dict[str, Any], found: list[tuple[str, Decision]], node: str) -> None:
    frames = told["frames"]
    for where, one in found:
        here = where == node
        at = next((n + 1 for n, f in enumerate(frames) if f["kind"] == "route"), None) if here else len(frames) - 1
        if at is None:
            at = len(frames) - 1
        while here and at < len(frames) and frames[at]["kind"] == "policy":
            at += 1
        before = frames[at - 1]["after"]
        hook = "FORWARD" if frames[at - 1]["kind"] in ("route", "policy") else frames[at - 1]["hook"]
        told_one = {
            "direction": one.direction,
            "pod": one.pod,
            "allowed": one.allowed,
            "policy": one.policy,
            "index": one.rule,
            "node": where,
        }
        frames.insert(at, {"kind": "policy", "hook": hook, "before": before, "after": before, **told_one})
        if not one.allowed:
            end = {
                "kind": "end",
                "hook": hook,
                "before": before,
                "after": before,
                "verdict": "DROP",
                "policy": one.policy,
            }
            told["frames"] = [*frames[: at + 1], end]
            told["reply"] = []
            told.pop("conntrack", None)
            return
