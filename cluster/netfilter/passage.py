"""A packet's way through a node, whatever language its rules are in: the row of hooks, the routing decision, IPVS, and every end.

A packet from outside or a pod passes PREROUTING, is routed, then INPUT (to the node) or FORWARD and POSTROUTING; one that the node itself
sends passes OUTPUT and POSTROUTING, and when it is for the node itself also PREROUTING and INPUT (by the interface ``lo``). ``Passage`` goes along; ``walk`` (iptables) and ``nft_walk`` (nft) say what stands at a hook
(``stations``) and what it does to the packet (``visit``). Where IPVS stands between two of them it takes the packet out, translates it and sends
it by OUTPUT and POSTROUTING again.

What a rule asks and nobody told is never guessed: both ways are walked, and there is a verdict only if both end alike. ``Walk.unknown`` says
at which lines.

Simplified here: routing knows "the node's own" and "elsewhere"; a translated packet of OUTPUT is not routed a second time; the
source that MASQUERADE chooses is the first of the node's addresses.

Upstream: Linux net/ipv4/ip_input.c, ip_output.c, net/netfilter/core.c, nf_nat_core.c, ipvs/ip_vs_core.c.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from itertools import product
from typing import Any

from msgspec import Struct

from cluster.netfilter.addresses import address_number
from cluster.netfilter.hooks import ARRIVING_FOR_OTHERS, ARRIVING_FOR_US, IPVS, SENT_BY_US
from cluster.netfilter.ipvs import HASHING, Ipvs, VirtualServer, candidates, place
from cluster.sim import Dice
from cluster.wire.packet import Packet

MAX_DEPTH = 64
"""Nested jumps; the kernel refuses loops when rules are loaded, this one when they are walked."""
MAX_LEAVES = 5000
MAX_UNKNOWN = 8
"""Unknown matches on one way that are walked both ways; with more the walk stops."""
MAX_CHOICES = 256
"""Addresses and ports of a NAT range that are walked one by one."""
MAX_ASKED = 5_000_000
"""Rules asked in one walk, all ways together: a text that would take more is told so."""
ROUTE, LOOP = "route", "loop"


class Beside(Struct, frozen=True):
    """What the kernel notes beside a packet on its way (see ``Flow``)."""

    ctstate: str = "NEW"
    connmark: int = 0
    dnat: bool = False
    snat: bool = False
    untracked: bool = False
    balanced: tuple[str, int, str] | None = None
    looped: bool = False


class Step(Struct, frozen=True):
    """One rule that caught the packet (or, when asked for, one that didn't). ``line`` counts from 1."""

    hook: str
    table: str
    chain: str
    line: int
    rule: str
    outcome: str
    probability: float = 1.0
    """How likely the packet is to come here at all."""
    after: int = -1
    """The step before this one on the same way, by number in ``Walk.steps``; -1: the first."""
    packet: Packet | None = None
    """The packet as this rule leaves it."""
    asked: int = 0
    """How many rules this way has asked so far."""
    beside: Beside = Beside()
    """What is noted beside the packet once this rule is through with it."""


class Leaf(Struct, frozen=True):
    """One end of the walk. ``verdict`` "" when ``unknown`` says why it cannot be told."""

    verdict: str
    endpoint: str
    masquerade: bool
    probability: float
    packet: Packet
    unknown: str = ""
    """Why the verdict cannot be told here."""
    accepted: bool = True
    assumed: tuple[tuple[str, bool], ...] = ()
    """(unknown match, whether it was taken to hold) on the way here."""
    last: int = -1
    """The last step of the way here: with ``Step.after`` the whole way."""
    asked: int = 0
    """How many rules were asked on the way, those that did not match among them."""


class Walk(Struct, frozen=True):
    """``verdict`` DNAT, ACCEPT, DROP, REJECT, NONE, or "" when it cannot be told; ``endpoints`` in rule order."""

    verdict: str
    endpoints: tuple[str, ...]
    masquerade: bool
    steps: tuple[Step, ...]
    leaves: tuple[Leaf, ...]
    unknown: tuple[str, ...] = ()


class Onward(Struct, frozen=True):
    """A later packet of a connection: where conntrack's entry takes it. ``balanced``: IPVS does, where it stands; ``nat`` has had its say."""

    dst: str
    dport: int
    dnat: bool = False
    snat: bool = False
    balanced: bool = False
    flags: tuple[str, ...] = ("ACK",)
    """Of its TCP header."""


class Stop(Exception):
    """The walk met something it may not guess."""


class Flow(Struct):
    """The packet on its way, with what the kernel notes beside it."""

    src: str
    dst: str
    family: int
    src_number: int
    dst_number: int
    protocol: str
    sport: int
    dport: int
    mark: int
    connmark: int
    ctstate: str
    probability: float
    original: Packet
    """As it was sent: what ``--ctorigdst`` compares."""
    dnat: bool = False
    snat: bool = False
    masquerade: bool = False
    explicit: bool = False
    untracked: bool = False
    balanced: tuple[str, int, str] | None = None
    """The virtual server (address, port, protocol) by which IPVS translated it."""
    looped: bool = False
    """Sent by the node to itself: it comes by PREROUTING and INPUT as well, and nat has had its say."""
    assumed: tuple[tuple[str, bool], ...] = ()
    last: int = -1
    asked: int = 0
    flags: tuple[str, ...] = ("SYN",)

    def clone(self) -> "Flow":
        return Flow(*(getattr(self, name) for name in self.__struct_fields__))

    def go_to(self, address: str, port: int) -> None:
        """Translate the destination ("" and 0: as it is)."""
        if address:
            self.dst = address
            self.family, self.dst_number = address_number(address)
        self.dport = port or self.dport
        self.dnat = True

    def come_from(self, address: str, port: int = 0) -> None:
        """Translate the source."""
        self.snat = self.masquerade = True
        if address:
            self.src = address
            _, self.src_number = address_number(address)
        self.sport = port or self.sport


def flow_of(packet: Packet, ctstate: str) -> Flow:
    """A packet that has just been sent."""
    family, src = address_number(packet.src)
    _, dst = address_number(packet.dst)
    protocol = packet.protocol.lower()
    return Flow(
        packet.src,
        packet.dst,
        family,
        src,
        dst,
        protocol,
        packet.sport,
        packet.dport,
        packet.mark,
        0,
        ctstate,
        1.0,
        packet,
    )


class Passage:
    """Walks packets. ``dice``: thrown where the kernel draws, and there is one end; without it every end is given its probability.

    An interface is None when nobody said which it is ("" when there is none).
    """

    ipvs: Ipvs | None = None

    def __init__(
        self,
        node_ips: tuple[str, ...],
        *,
        now: int = 0,
        dice: Dice | None = None,
        tried: bool = False,
        in_interface: str | None = None,
        out_interface: str | None = None,
    ) -> None:
        self.node_ips = node_ips
        self.now = now
        self.dice = dice
        self.tried = tried
        self.in_interface, self.out_interface = in_interface, out_interface
        self.steps: list[Step] = []
        self.rows: dict[tuple[str, ...], tuple[tuple[str, Any], ...]] = {}
        self.asked = 0
        self.hits: list[tuple[Any, Any]] | None = None
        """When it is a list: (chain, rule that counted the packet; None: its policy did), in order."""
        self.terse = False
        """Counts only: no step is noted."""
        self.onward: Onward | None = None

    def stations(self, hook: str) -> tuple[Any, ...]:
        """What is consulted at the hook, in order; ``IPVS`` among it."""
        raise NotImplementedError

    def consulted(self, hook: str, station: Any, flow: Flow) -> bool:
        """Whether this packet is shown to it."""
        raise NotImplementedError

    def visit(self, hook: str, station: Any, flow: Flow) -> Iterator[tuple[Flow, str]]:
        """Every way through it: the packet and "" (goes on), DROP or REJECT."""
        raise NotImplementedError

    def walk(self, packet: Packet, *, local: bool | None = None, ctstate: str = "NEW") -> Walk:
        """Send ``packet``. ``local``: the node itself sends it (None: if its source is one of the node's addresses)."""
        flow = flow_of(packet, ctstate)
        if self.onward is not None:
            flow.dnat, flow.snat, flow.flags = self.onward.dnat, self.onward.snat, self.onward.flags
        self.steps, self.rows, self.asked = [], {}, 0
        if local is None:
            local = self._own(flow.family, flow.src_number, flow.src)
        row = self._sent() if local else (*self._row(("PREROUTING",)), ("PREROUTING", ROUTE))
        leaves: list[Leaf] = []
        for leaf in self._pass(row, 0, flow):
            leaves.append(leaf)
            if len(leaves) >= MAX_LEAVES:
                break
        return conclude(leaves, self.steps)

    def follow(self, packet: Packet, onward: Onward, *, local: bool, ctstate: str) -> Walk:
        """Send a packet of a known connection: ``nat`` isn't asked, conntrack's entry says where it goes."""
        self.onward, self.terse = onward, True
        return self.walk(packet, local=local, ctstate=ctstate)

    def _rewrite(self, onward: Onward, hook: str, station: Any, flow: Flow) -> None:
        """The destination as the entry has it, from where ``nat`` stands in PREROUTING and OUTPUT; its source changes after all rules."""
        if onward.balanced or not (station in (ROUTE, LOOP) or hook == "POSTROUTING" or self.past_nat(hook, station)):
            return
        if (flow.dst, flow.dport) != (onward.dst, onward.dport):
            flow.dst, flow.dport = onward.dst, onward.dport
            flow.family, flow.dst_number = address_number(onward.dst)

    def past_nat(self, hook: str, station: Any) -> bool:
        """Whether destinations are translated before the packet is shown to it."""
        raise NotImplementedError

    def _row(self, hooks: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
        found = self.rows.get(hooks)
        if found is None:
            found = self.rows[hooks] = tuple((hook, one) for hook in hooks for one in self.stations(hook))
        return found

    def _sent(self) -> tuple[tuple[str, Any], ...]:
        return (*self._row(SENT_BY_US), ("POSTROUTING", LOOP))

    def _pass(self, row: tuple[tuple[str, Any], ...], at: int, flow: Flow) -> Iterator[Leaf]:
        while at < len(row):
            hook, station = row[at]
            at += 1
            if self.onward is not None:
                self._rewrite(self.onward, hook, station, flow)
            if station == ROUTE:
                ours = self._own(flow.family, flow.dst_number, flow.dst)
                row, at = self._row((ARRIVING_FOR_US if ours else ARRIVING_FOR_OTHERS)[1:]), 0
            elif station == LOOP:  # to itself: it arrives again, by the interface lo
                if not flow.looped and self._own(flow.family, flow.dst_number, flow.dst):
                    flow.looped = True
                    row, at = self._row(ARRIVING_FOR_US), 0
            elif station == IPVS and self.onward is not None:
                if self.onward.balanced and (flow.dst, flow.dport) != (self.onward.dst, self.onward.dport):
                    flow.go_to(self.onward.dst, self.onward.dport)
                    if not self._own(flow.family, flow.dst_number, flow.dst):
                        row, at = self._sent(), 0
            elif station == IPVS:
                server = self._virtual(flow)
                if server is not None:
                    yield from self._balance(row, at, hook, flow, server)
                    return
            elif self.consulted(hook, station, flow):
                try:
                    for passed, verdict in self.visit(hook, station, flow):
                        if verdict:
                            yield leaf_of(passed, verdict)
                        else:
                            yield from self._pass(row, at, passed)
                except Stop as stop:
                    yield leaf_of(flow, "", str(stop))
                return
        yield leaf_of(flow, "")

    def enter(self, rules: int) -> None:
        """So many more rules will be asked. Stop when it has been far too many."""
        self.asked += rules
        if self.asked > MAX_ASKED:
            raise Stop(f"more than {MAX_ASKED:,} rules were asked: there are too many ways through this text")

    # -- IPVS -----------------------------------------------------------------------------------------------------

    def _virtual(self, flow: Flow) -> VirtualServer | None:
        if self.ipvs is None or flow.balanced is not None or flow.ctstate != "NEW":
            return None
        return self.ipvs.find(flow.dst, flow.dport, flow.protocol)

    def _balance(
        self, row: tuple[tuple[str, Any], ...], at: int, hook: str, flow: Flow, server: VirtualServer
    ) -> Iterator[Leaf]:
        where = place(server.ip, server.port)
        text = f"virtual server {server.protocol} {where} {server.scheduler}"
        chosen = candidates(server)
        if self.dice is not None and self.ipvs is not None:
            real = self.ipvs.pick(server, flow.src, self.now)
            chosen = [(real, 1.0)] if real is not None else []
        if not chosen:
            self.step(hook, IPVS, where, server.line, text, "no real server: port unreachable", flow)
            yield leaf_of(flow, "REJECT")
            return
        for real, share in chosen:
            passed = flow.clone()
            passed.probability *= share
            passed.balanced = server.key
            if real.forward != "m":
                self.step(
                    hook, IPVS, where, real.line, text, f"sent to {real.target} as it is (-{real.forward})", passed
                )
                passed.dnat = True
                yield leaf_of(passed, "DNAT")
                continue
            passed.go_to(real.ip, real.port)
            why = "by a hash of the client, " if server.scheduler in HASHING and len(chosen) > 1 else ""
            self.step(hook, IPVS, where, real.line, text, f"{why}to {real.target}", passed)
            if self._own(passed.family, passed.dst_number, passed.dst):
                yield from self._pass(row, at, passed)
            else:  # sent anew by the node: OUTPUT (whose nat has had its say), POSTROUTING
                yield from self._pass(self._sent(), 0, passed)

    # -- what both languages ask and do ---------------------------------------------------------------------------

    def is_local(self, address: str) -> bool:
        """Whether it is one of the node's own (``fib type local``): a loopback, an interface's, one of kube-ipvs0."""
        family, number = address_number(address)
        return self._own(family, number, address)

    def _own(self, family: int, number: int, text: str) -> bool:
        loopback = number >> 24 == 127 if family == 4 else number == 1
        return loopback or text in self.node_ips or (self.ipvs is not None and text in self.ipvs.addresses)

    def type_of(self, flow: Flow, source: bool) -> str:
        """LOCAL, MULTICAST, BROADCAST or UNICAST: what the routing table says of the address."""
        text, number = (flow.src, flow.src_number) if source else (flow.dst, flow.dst_number)
        if self._own(flow.family, number, text):
            return "LOCAL"
        if flow.family == 4:
            return "MULTICAST" if number >> 28 == 0xE else "BROADCAST" if number == 0xFFFFFFFF else "UNICAST"
        return "MULTICAST" if number >> 120 == 0xFF else "UNICAST"

    def interface(self, incoming: bool, hook: str, flow: Flow) -> str | None:
        """The interface's name at this hook; "" where a packet has none, None when nobody said."""
        if incoming and flow.looped:
            return "lo"
        if incoming:
            return "" if hook in ("OUTPUT", "POSTROUTING") else self.in_interface
        return "" if hook in ("PREROUTING", "INPUT") else self.out_interface

    def translate(self, kind: str, places: list[tuple[str, int]], flow: Flow, hook: str) -> Iterator[tuple[Flow, str]]:
        """The packet translated to (DNAT, REDIRECT) or from (SNAT, MASQUERADE) each of ``places``, and the words for it."""
        if self.dice is not None and len(places) > 1:
            places = [places[self.dice.below(len(places))]]
        for address, port in places:
            passed = flow.clone() if len(places) > 1 else flow
            passed.probability /= len(places)
            if kind in ("DNAT", "REDIRECT"):
                if kind == "REDIRECT":
                    loopback = "127.0.0.1" if flow.family == 4 else "::1"
                    address = loopback if hook == "OUTPUT" else self._own_address(flow.family) or loopback
                passed.go_to(address, port)
                yield passed, f"{kind} to {endpoint_of(passed)}"
            else:
                passed.come_from(address or self._own_address(flow.family), port)
                yield passed, f"{kind} from {passed.src}"

    def _own_address(self, family: int) -> str:
        return next((a for a in self.node_ips if (":" in a) == (family == 6)), "")

    def step(self, hook: str, table: str, chain: str, line: int, rule: str, outcome: str, flow: Flow) -> None:
        """Note what a rule did to ``flow``, as the next step of its way."""
        if self.terse:
            return
        self.steps.append(
            Step(
                hook, table, chain, line, rule, outcome, flow.probability, flow.last, packet_of(flow), flow.asked, beside_of(flow),
            )
        )  # fmt: skip
        flow.last = len(self.steps) - 1


def choices(address: str, last_address: str, port: int, last_port: int) -> list[tuple[str, int]]:
    """A NAT range's places, one by one. ValueError when there are too many to walk."""
    addresses, ports = [address], list(range(port, (last_port or port) + 1))
    if last_address:
        low, high = ip_address(address), ip_address(last_address)
        span = int(high) - int(low)
        if 0 <= span < MAX_CHOICES:
            addresses = [str(low + number) for number in range(span + 1)]
        else:
            raise ValueError(f"a range of {span + 1} addresses")
    if len(addresses) * len(ports) > MAX_CHOICES:
        raise ValueError(f"a range of {len(addresses) * len(ports)} places")
    return list(product(addresses, ports))


def beside_of(flow: Flow) -> Beside:
    """What is noted beside it now."""
    return Beside(flow.ctstate, flow.connmark, flow.dnat, flow.snat, flow.untracked, flow.balanced, flow.looped)


def packet_of(flow: Flow) -> Packet:
    """The packet as it is now."""
    return Packet(flow.src, flow.dst, flow.protocol, flow.sport, flow.dport, flow.mark)


def endpoint_of(flow: Flow) -> str:
    """Where it goes: ``10.0.0.1:80``."""
    return place(flow.dst, flow.dport)


def leaf_of(flow: Flow, verdict: str, unknown: str = "") -> Leaf:
    """The end of a way."""
    if not verdict and not unknown:
        verdict = "DNAT" if flow.dnat else "ACCEPT" if flow.explicit else "NONE"
    return Leaf(
        verdict,
        endpoint_of(flow) if flow.dnat else "",
        flow.masquerade,
        flow.probability,
        packet_of(flow),
        unknown,
        verdict not in ("DROP", "REJECT", ""),
        flow.assumed,
        flow.last,
        flow.asked,
    )


def conclude(leaves: list[Leaf], steps: list[Step]) -> Walk:
    """All ends together: the verdict, if they allow one."""
    lines = [what for leaf in leaves for what, _ in leaf.assumed] + [leaf.unknown for leaf in leaves if leaf.unknown]
    unknown = tuple(dict.fromkeys(lines))
    told = not any(leaf.unknown for leaf in leaves)
    if told and unknown:
        told, leaves = _agreed(leaves, unknown)
    verdicts = dict.fromkeys(leaf.verdict for leaf in leaves)
    verdict = "" if not told else "DNAT" if "DNAT" in verdicts else next(iter(verdicts), "NONE")
    endpoints = tuple(dict.fromkeys(leaf.endpoint for leaf in leaves if leaf.verdict == "DNAT"))
    masquerade = any(leaf.masquerade for leaf in leaves if leaf.accepted)
    return Walk(verdict, endpoints, masquerade, tuple(steps), tuple(leaves), unknown)


def _agreed(leaves: list[Leaf], unknown: tuple[str, ...]) -> tuple[bool, list[Leaf]]:
    """Whether every way the unknown matches could turn out ends alike; and the ends of one such way."""
    if len(unknown) > MAX_UNKNOWN:
        return False, leaves
    first: list[Leaf] = []
    wanted: dict[tuple[str, str, bool], float] | None = None
    for number in range(1 << len(unknown)):
        world = {what: bool(number >> at & 1) for at, what in enumerate(unknown)}
        here = [leaf for leaf in leaves if all(world[what] == held for what, held in leaf.assumed)]
        ends: dict[tuple[str, str, bool], float] = {}
        for leaf in here:
            end = (leaf.verdict, leaf.endpoint, leaf.masquerade)
            ends[end] = round(ends.get(end, 0.0) + leaf.probability, 9)
        if wanted is None:
            wanted, first = ends, here
        elif ends != wanted:
            return False, leaves
    return True, first


def as_json(walk: Walk) -> dict[str, Any]:
    """As ``tracepacket`` says it. ``verdict`` is null when an unknown match or target stands in the way."""
    answer: dict[str, Any] = {
        "verdict": walk.verdict or None,
        "endpoints": list(walk.endpoints),
        "masquerade": walk.masquerade,
        "outcomes": [
            {
                "verdict": leaf.verdict or None,
                "endpoint": leaf.endpoint,
                "masquerade": leaf.masquerade,
                "probability": round(leaf.probability, 9),
            }
            for leaf in walk.leaves
        ],
        "steps": [
            {
                "hook": step.hook,
                "table": step.table,
                "chain": step.chain,
                "line": step.line,
                "rule": step.rule,
                "outcome": step.outcome,
                "probability": round(step.probability, 9),
            }
            for step in walk.steps
        ],
    }
    if walk.unknown:
        answer["unknown"] = list(walk.unknown)
    return answer
