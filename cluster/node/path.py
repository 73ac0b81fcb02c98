"""A packet's way through one node: connection tracking, the rules in their hooks, NetworkPolicy, the routing decision, the source it leaves with.

In: the kernel's tables and books, a packet and where it came in → out: a ``Way``: what becomes of it, as what it leaves, by which device, and
why. The first packet of a connection walks all tables; later ones, and replies, walk all but ``nat``, in whose place they are rewritten by their
connection's entry. Every rule that a packet meets on its way counts it (see ``counting``).

Order: PREROUTING (or OUTPUT) · routing · NetworkPolicy of pods on this node, where a CNI plug-in's chains stand in FORWARD: after destination
NAT and before source NAT · POSTROUTING · the entry is confirmed.

Simplified here: an echo reply is taken to belong to a request; marks of a connection (CONNMARK) are not kept for its later packets; an ICMP error
walks no tables; where old and new tables of two modes both translate, the first that was registered wins: iptables' before nftables'.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from msgspec import Struct, structs

from cluster.netfilter.conntrack import TIMEOUTS, Flow
from cluster.netfilter.nft_render import counted
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.passage import Onward
from cluster.netfilter.walk import Leaf, Walk, Walker, as_json
from cluster.network.policy import Decision, Wire, decide
from cluster.node import interfaces
from cluster.node.state import KernelConfig, KernelState
from cluster.sim import SECOND, Dice
from cluster.wire.packet import Packet

TRACKED = ("tcp", "udp", "sctp")


class Known(Struct, frozen=True):
    """What the node's agent knows of the cluster. ``pods`` by address."""

    cidrs: Mapping[str, str] = {}
    policies: tuple[Any, ...] = ()
    pods: Mapping[str, Any] = {}
    spaces: Mapping[str, Any] = {}


class Way(Struct, frozen=True):
    """``verdict``: pod (delivered here), host (to a process of the node), forward (to ``node``), outside, drop, reject, lost (no route)."""

    verdict: str
    packet: Packet
    why: str = ""
    device_in: str = ""
    device_out: str = ""
    pod: str = ""
    node: str = ""
    tunnel: bool = False
    policies: tuple[Decision, ...] = ()
    state: str = ""
    walk: Walk | None = None
    flow: Flow | None = None


def travel(
    config: KernelConfig, state: KernelState, known: Known, packet: Packet, *, kind: str, device: str, local: bool, pod: str,
    now: int, dice: Dice | None, commit: bool = True, size: int = 0,
) -> Way:  # fmt: skip
    """Take ``packet`` through the node. ``pod``: uid of the local pod that sent it, "" otherwise. ``commit`` False: only look.

    ``size`` bytes are counted at the rules it meets.
    """
    there = Here(config, state, known, packet, kind, device, local, now, dice, size if commit else 0)
    flow = _known_flow(state, packet, now)
    if flow is not None:
        return _later(there, flow, commit)
    if kind == "echo-reply":
        leaf = _follow(there, Onward(packet.dst, packet.dport), "ESTABLISHED")
        if leaf.verdict in ("DROP", "REJECT"):
            return Way(leaf.verdict.lower(), packet, "a rule", device, state="ESTABLISHED")
        return structs.replace(
            _route(config, state, known, packet, device), state="ESTABLISHED", why="the answer to an echo request"
        )
    first = kind in ("syn", "udp", "echo")
    ctstate = "NEW" if first else "INVALID"
    walk, leaf = _walk(there, ctstate)
    if leaf.verdict in ("DROP", "REJECT", ""):
        verdict = "reject" if leaf.verdict == "REJECT" else "drop"
        return Way(verdict, packet, _last(walk), device, state=ctstate, walk=walk)
    translated = structs.replace(leaf.packet, src=packet.src, sport=packet.sport, mark=leaf.packet.mark)
    way = _route(config, state, known, translated, device)
    if way.verdict == "lost":
        return structs.replace(way, state=ctstate, walk=walk)
    decisions = _policies(config, state, known, pod, way, translated) if first and not local else ()
    refused = next((one for one in decisions if not one.allowed), None)
    if refused is not None:
        return structs.replace(way, verdict="drop", why=refused.text, policies=decisions, state=ctstate, walk=walk)
    if leaf.masquerade or leaf.packet.src != packet.src:
        source = _masquerade(config, known, way) if leaf.masquerade else leaf.packet.src
        way = structs.replace(
            way, packet=structs.replace(translated, src=source, sport=_port(state, translated, source, now))
        )
    flow = None
    if first and commit and packet.protocol in TRACKED:
        flow = state.conntrack.confirm(packet, way.packet, now)
    why = _last(walk) if walk.steps else way.why
    return structs.replace(way, policies=decisions, state=ctstate, walk=walk, why=why, flow=flow)


class Here(Struct, frozen=True):
    """A packet and where it is. ``size`` 0: nothing is counted."""

    config: KernelConfig
    state: KernelState
    known: Known
    packet: Packet
    kind: str
    device: str
    local: bool
    now: int
    dice: Dice | None
    size: int


FLAGS = {
    "syn": ("SYN",),
    "syn-ack": ("SYN", "ACK"),
    "rst": ("RST", "ACK"),
    "data": ("ACK", "PSH"),
    "fin": ("FIN", "ACK"),
}
"""Kind of segment → the flags of its TCP header."""


def _later(here: Here, flow: Flow, commit: bool) -> Way:
    """A packet of a connection that conntrack knows."""
    state, packet = here.state, here.packet
    original = (packet.src, packet.sport) == (flow.original.src, flow.original.sport)
    passed = state.conntrack.pass_on(packet, here.now) if commit else _translated(packet, flow)
    assert passed is not None
    if commit:
        _advance(flow, here.kind, here.now)
    ctstate = "ESTABLISHED" if flow.seen_reply else "NEW"
    ipvs, o = state.tables.ruleset.ipvs, flow.original
    balanced = original and flow.dnat and ipvs is not None and ipvs.find(o.dst, o.dport, o.protocol) is not None
    onward = Onward(passed.dst, passed.dport, flow.dnat, flow.snat, balanced, FLAGS.get(here.kind, ("ACK",)))
    leaf = _follow(here, onward, ctstate)
    if leaf.verdict in ("DROP", "REJECT"):
        why = "a rule that its first packet didn't meet so"
        return Way(leaf.verdict.lower(), packet, why, here.device, state=ctstate, flow=flow)
    way = _route(here.config, state, here.known, passed, here.device)
    return structs.replace(way, state=ctstate, flow=flow, why=_why_known(flow))


def _follow(here: Here, onward: Onward, ctstate: str) -> Leaf:
    """Through all tables but nat, counted; the end, which is DROP or REJECT where one of them says so."""
    tables = here.state.tables.current()
    own = interfaces.local_addresses(here.config, here.state, here.known.cidrs)
    walkers: list[Walker | NftWalker] = [Walker(tables.ruleset, own, now=here.now, dice=here.dice)]
    if tables.nft.tables:
        walkers.append(NftWalker(tables.nft, own, dice=here.dice, now=here.now))
    leaf = None
    for walker in walkers:
        walker.in_interface = "" if here.local else here.device
        walker.hits = []
        leaf = _pick(walker.follow(here.packet, onward, local=here.local, ctstate=ctstate))
        _count(walker, here.size)
        if leaf.verdict in ("DROP", "REJECT"):
            break
    assert leaf is not None
    return leaf


def _count(walker: Walker | NftWalker, size: int) -> None:
    """Every rule that caught the packet counts it; nft's only where it says ``counter``."""
    if not size:
        return
    for chain, rule in walker.hits or ():
        if isinstance(walker, Walker):
            chain.count(rule, size)
        elif rule in chain.rules:
            at = chain.rules.index(rule)
            chain.rules[at] = structs.replace(rule, text=counted(rule.text, size))


def _known_flow(state: KernelState, packet: Packet, now: int) -> Flow | None:
    if packet.protocol not in TRACKED:
        return None
    found = state.conntrack.find(packet, now)
    return found[0] if found is not None else None


def _translated(packet: Packet, flow: Flow) -> Packet:
    from_original = (packet.src, packet.sport) == (flow.original.src, flow.original.sport)
    to = flow.reply.turned() if from_original else flow.original.turned()
    return Packet(to.src, to.dst, to.protocol, to.sport, to.dport, packet.mark)


def _advance(flow: Flow, kind: str, now: int) -> None:
    """What a closing packet makes of the entry."""
    if flow.original.protocol != "tcp":
        return
    if kind == "rst":
        flow.state, flow.expires = "CLOSE", now + 10 * SECOND
    elif kind == "fin":
        flow.state, flow.expires = "TIME_WAIT", now + 120 * SECOND
    else:
        flow.expires = now + TIMEOUTS.get(("tcp", flow.state), 120 * SECOND)


def _why_known(flow: Flow) -> str:
    if flow.dnat or flow.snat:
        return (
            f"its connection is known: {flow.original.dst}:{flow.original.dport} is {flow.reply.src}:{flow.reply.sport}"
        )
    return "its connection is known"


def _walk(here: Here, ctstate: str) -> tuple[Walk, Leaf]:
    """Through iptables' tables, then nft's; one end (``dice``) or the likeliest."""
    tables, local, dice = here.state.tables.current(), here.local, here.dice
    own = interfaces.local_addresses(here.config, here.state, here.known.cidrs)
    recent = here.state.recent if dice is not None else None
    walker = Walker(tables.ruleset, own, recent=recent, now=here.now, dice=dice)
    walker.in_interface = "" if local else here.device
    walker.hits = []
    walk = walker.walk(here.packet, local=local, ctstate=ctstate)
    _count(walker, here.size)
    leaf = _pick(walk)
    if tables.nft.tables and leaf.verdict not in ("DROP", "REJECT", "DNAT"):
        second = NftWalker(tables.nft, own, dice=dice, now=here.now)
        second.in_interface = walker.in_interface
        second.hits = []
        after = second.walk(here.packet, local=local, ctstate=ctstate)
        _count(second, here.size)
        taken = _pick(after)
        if taken.verdict != "NONE" or taken.masquerade:
            return after, structs.replace(taken, masquerade=taken.masquerade or leaf.masquerade)
    return walk, leaf


def _pick(walk: Walk) -> Leaf:
    """The likeliest end; there is one only where dice were thrown."""
    return max(walk.leaves, key=lambda leaf: leaf.probability)


def _last(walk: Walk) -> str:
    return f"{walk.steps[-1].chain}: {walk.steps[-1].outcome}" if walk.steps else "no rule caught it"


def _port(state: KernelState, packet: Packet, source: str, now: int) -> int:
    """The source port to leave with: the same if nobody else uses it."""
    port = packet.sport
    while state.conntrack.find(Packet(packet.dst, source, packet.protocol, packet.dport, port), now) is not None:
        port = 1024 + (port - 1023) % 64512
    return port


def _masquerade(config: KernelConfig, known: Known, way: Way) -> str:
    """MASQUERADE takes the address of the device that the packet leaves by."""
    cidr = known.cidrs.get(config.node, "")
    if way.device_out == "cni0" and cidr:
        return interfaces.bridge_address(cidr)
    if way.device_out == "flannel.1" and cidr:
        return interfaces.overlay_address(cidr)
    return config.address


def _route(config: KernelConfig, state: KernelState, known: Known, packet: Packet, device: str) -> Way:
    """Where a packet to ``packet.dst`` goes from here."""
    address = packet.dst
    if address in state.by_ip:
        return Way("pod", packet, "a pod of this node", device, "cni0", pod=state.by_ip[address])
    if address.startswith("127.") or address in interfaces.local_addresses(config, state, known.cidrs):
        return Way("host", packet, "an address of the node itself", device, "lo")
    for node, host in config.nodes:
        if address == host:
            return Way("forward", packet, f"the address of {node}", device, "eth0", node=node)
    number = ip_address(address)
    for node, cidr in known.cidrs.items():
        if cidr and number in ip_network(cidr):
            if node == config.node:
                return Way("lost", packet, f"no pod has {address}", device, "cni0")
            out = "flannel.1" if config.overlay else "eth0"
            return Way(
                "forward", packet, f"pods of {node} are behind {out}", device, out, node=node, tunnel=config.overlay
            )
    return Way("outside", packet, "the default route", device, "eth0")


def _policies(config: KernelConfig, state: KernelState, known: Known, pod: str, way: Way, packet: Packet) -> tuple[Decision, ...]:  # fmt: skip
    """Egress of the local pod that sent it; ingress of the local pod it goes to."""
    if not known.policies:
        return ()
    wire = Wire(packet.src, packet.dst, packet.protocol.upper(), packet.dport)
    found: list[Decision] = []
    own = interfaces.local_addresses(config, state, known.cidrs)
    sender = known.pods.get(packet.src) if pod else None
    if sender is not None and packet.dst not in own:
        found.append(decide("egress", sender, wire, known.policies, known.pods, known.spaces))
    target = known.pods.get(packet.dst) if way.verdict == "pod" else None
    if target is not None and packet.src not in own:
        found.append(decide("ingress", target, wire, known.policies, known.pods, known.spaces))
    return tuple(found)


def walk_json(way: Way) -> dict[str, Any] | None:
    """The walk and what follows it, as data."""
    if way.walk is None:
        return None
    return as_json(way.walk) | {
        "policies": [policy_json(one) for one in way.policies],
        "route": {
            "verdict": way.verdict,
            "device": way.device_out,
            "node": way.node,
            "tunnel": way.tunnel,
            "why": way.why,
        },
    }


def policy_json(one: Decision) -> dict[str, Any]:
    """``{direction, pod, allowed, policy, rule, text, policies}``."""
    return {
        "direction": one.direction, "pod": one.pod, "allowed": one.allowed, "policy": one.policy, "rule": one.rule,
        "text": one.text, "policies": list(one.policies),
    }  # fmt: skip
