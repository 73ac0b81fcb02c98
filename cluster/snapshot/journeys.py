"""The network page's whole picture of one packet: who could send it, where to, and its journey through one node's rules.

``network``: Services with every address one can send to, pods and nodes with theirs, each node's proxy. ``journey``: see
``cluster/netfilter/journey.py``, with the names of whoever owns an address.

A packet from outside (an address that is no pod's or node's) arrives at the node it is sent to, else at the node that is asked for.
"""

from typing import Any

from cluster.netfilter.journey import journey as tell
from cluster.snapshot.map import endpoints
from cluster.snapshot.network import CLIENT_PORT, NoSuchPlace, names, node_ip, proxies, source, target
from cluster.snapshot.scene import Scene
from cluster.wire.packet import Packet

MAX_PODS = 400
"""Pods one can send from; a larger cluster's others are typed by name."""


def network(scene: Scene) -> dict[str, Any]:
    """``{services, pods, nodes}`` for the page's choices."""
    ready = endpoints(scene)
    services = [_service(key, doc, len(ready.get(key, ()))) for key, doc in scene.objects.get("services").items()]
    pods = [row for key, doc in scene.objects.get("pods").items() if (row := _pod(key, doc)) is not None]
    running = proxies(scene.world)
    nodes = [
        {"name": name, "ip": node_ip(doc), "proxy": running[name].status() if name in running else None}
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
    objects, running = scene.objects, proxies(scene.world)
    try:
        address, home, local = source(objects, src)
        to = target(objects, dst)
    except NoSuchPlace as refusal:
        return {"refused": str(refusal)}
    nodes = {node_ip(doc): name for name, doc in objects.get("nodes").items()}
    node = home or nodes.get(to, "") or node or next((name for name in running if not name.startswith("cp-")), "")
    if node not in running:
        return {"refused": f"no kube-proxy runs on {node!r}"}
    proxy = running[node]
    if proxy.state.refusal and not mode:
        return {"refused": proxy.state.refusal}
    packet = Packet(address, to, protocol.lower(), CLIENT_PORT, port)
    known = names(objects)
    pods = objects.get("pods")
    told = tell(proxy.walker(mode), packet, local=local, way=way)
    for end in told["ways"]:
        owner = known.get(end["endpoint"].rpartition(":")[0], "")
        end["pod"] = owner
        end["node"] = (
            pods[owner]["spec"].get("nodeName", "")
            if owner in pods
            else nodes.get(end["endpoint"].rpartition(":")[0], "")
        )
    return {
        **told,
        "node": node,
        "nodeIP": proxy.config.node_ip,
        "mode": mode or proxy.mode,
        "own": proxy.mode,
        "from": {"name": src, "pod": known.get(address, ""), "ip": address, "node": home},
    }
