"""The network page's models: each node's rules as text, and one packet walked through them.

A packet is sent from a pod, a node or an address; it is walked on the node it starts at (or the one it arrives at, when
it comes from outside), by what is in that node's kernel: what kube-proxy wrote, what another mode left, what somebody flushed or added. Only
when another mode than the kernel's is asked for, the rules are those that kube-proxy would write.

On the way to a pod of another node the packet is walked there, too (``beyond``): ``second`` of the answer has a row for every such endpoint (none for a mode that the kernels are not in).
"""

from typing import Any

from msgspec import Struct

from cluster.kubeproxy.proxy import KubeProxy
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.walk import Walker, as_json
from cluster.snapshot.beyond import second_walks
from cluster.snapshot.node_network import kernels
from cluster.snapshot.scene import Scene
from cluster.wire.packet import Packet

CLIENT_PORT = 45678
"""The source port of a probe: any from the ephemeral range would do."""


class NoSuchPlace(Exception):
    """A packet's source, destination or node that isn't there; the text is a sentence for people."""


def proxies(world: Any) -> dict[str, KubeProxy]:
    """Node → its running kube-proxy, in the order of the hosts."""
    return {
        actor.config.node: actor for name, actor in world.actors.items() if world.state.slots[name].kind == "kube-proxy"
    }


def rules(scene: Scene, node: str, mode: str = "") -> str:
    """The node's rules as its tool prints them; ``mode``: as they would be in that mode. KeyError, ValueError (a mode that isn't)."""
    kernel = kernels(scene.world)[node]
    if mode and mode != kernel.state.tables.mode:
        return proxies(scene.world)[node].rules_text(mode)
    return kernel.rules_text()


def walker_at(world: Any, node: str, sent: Packet, *, local: bool | None = None, mode: str = "") -> Walker | NftWalker:
    """What walks ``sent`` there. KeyError, ValueError."""
    kernel = kernels(world)[node]
    if mode and mode != kernel.state.tables.mode:
        return proxies(world)[node].walker(mode)
    return kernel.walker(sent, local=local)


def nodes_rules(scene: Scene) -> list[dict[str, Any]]:
    """Every node with its proxy's counts."""
    return [{"node": node, **proxy.status()} for node, proxy in proxies(scene.world).items()]


def packet(world: Any, objects: Any, probe: Any) -> dict[str, Any]:
    """Walk ``probe`` (a ``PacketIn``); the control API's answer with what was resolved. An ``error`` sentence instead if it names nothing."""
    try:
        address, at, local = source(objects, probe.src)
        to = target(objects, probe.dst)
    except NoSuchPlace as refusal:
        return {"error": str(refusal)}
    node = probe.node or at
    if not node:
        node = next(iter(kernels(world)), "")
    sent, local = Packet(address, to, probe.protocol.lower(), CLIENT_PORT, probe.port), local and node == at
    try:
        mode = getattr(probe, "mode", "") or kernels(world)[node].state.tables.mode
        walker = walker_at(world, node, sent, local=local, mode=mode)
        walked = walker.walk(sent, local=local)
        walk = as_json(walked)
    except KeyError:
        return {"error": f"there is no node {node!r} that is switched on"}
    known = names(objects)
    return {
        **walk,
        "node": node,
        "second": second_walks(world, objects, node, walked.leaves)
        if kernels(world)[node].state.tables.mode == mode
        else [],
        "from": {"name": probe.src, "ip": address},
        "to": {"name": probe.dst, "ip": to, "port": probe.port, "protocol": sent.protocol},
        "endpointNames": {e: known.get(e.rpartition(":")[0], "") for e in walk.get("endpoints", [])},
    }


class Probe(Struct, frozen=True):
    """What to send from where: as ``PacketIn``, for a question that isn't journalled."""

    src: str
    dst: str
    protocol: str = "tcp"
    port: int = 80
    node: str = ""
    mode: str = ""


def packet_view(scene: Scene, **probe: Any) -> dict[str, Any]:
    """The walk of a packet as a question: nothing is journalled, so the past can be asked, too."""
    return packet(scene.world, scene.objects, Probe(**probe))


def names(objects: Any) -> dict[str, str]:
    """Address → the pod that owns it, as "namespace/name"."""
    out = {}
    for key, pod in objects.get("pods").items():
        ip = (pod.get("status") or {}).get("podIP")
        if ip and not (pod.get("spec") or {}).get("hostNetwork"):
            out[ip] = key
    return out


def node_ip(node: dict[str, Any]) -> str:
    """A Node's InternalIP, or ""."""
    addresses = (node.get("status") or {}).get("addresses") or []
    return next((a["address"] for a in addresses if a["type"] == "InternalIP"), "")


def source(objects: Any, name: str) -> tuple[str, str, bool]:
    """(address, the node it starts at, whether a process of the node itself sends it)."""
    pod = objects.get("pods").get(name if "/" in name else f"default/{name}")
    if pod is not None:
        ip = (pod.get("status") or {}).get("podIP", "")
        if not ip:
            raise NoSuchPlace(f"pod {name} has no address yet")
        return ip, pod["spec"].get("nodeName", ""), bool(pod["spec"].get("hostNetwork"))
    node = objects.get("nodes").get(name)
    if node is not None:
        return node_ip(node), name, True
    if _is_address(name):
        return name, "", False
    raise NoSuchPlace(f"there is no pod, node or address {name!r} to send a packet from")


def target(objects: Any, name: str) -> str:
    """The address that a Service, pod, node or address stands for."""
    key = name if "/" in name else f"default/{name}"
    service = objects.get("services").get(key)
    if service is not None:
        ip = service["spec"].get("clusterIP", "")
        if not _is_address(ip):
            raise NoSuchPlace(f"service {name} has no cluster IP")
        return ip
    pod = objects.get("pods").get(key)
    if pod is not None and (pod.get("status") or {}).get("podIP"):
        return pod["status"]["podIP"]
    node = objects.get("nodes").get(name)
    if node is not None:
        return node_ip(node)
    if _is_address(name):
        return name
    raise NoSuchPlace(f"there is no service, pod, node or address {name!r} to send a packet to")


def _is_address(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)
