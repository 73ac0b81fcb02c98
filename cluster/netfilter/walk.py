"""A packet's walk through a node's tables: every rule that caught it, and everywhere it can end.

In: a ``Ruleset``, the node's own addresses, a ``Packet`` → out: a ``Walk``: steps in the order they happen and one ``Leaf`` for every
end the packet can have, each with its probability. A ``statistic`` match splits the walk in two; with a die given, it is
thrown instead and there is one end.

The order is the kernel's: a packet from outside or a pod passes PREROUTING, is routed, then INPUT (to the node) or FORWARD and
POSTROUTING; one that the node itself sends passes OUTPUT and POSTROUTING. ``nat`` is asked only for the first packet of a
flow. What a match needs and nobody told (an unknown match, an interface's name) is never guessed: both ways are walked, and
there is a verdict only if both end alike. ``Walk.unknown`` says at which lines.

Simplified here: routing knows "the node's own" and "elsewhere"; a translated packet of OUTPUT is not routed a second time; the
source that MASQUERADE chooses is the first of the node's addresses.

Upstream: Linux net/ipv4/netfilter/ip_tables.c (``ipt_do_table``), net/netfilter/nf_nat_core.c.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from cluster.netfilter.hooks import ARRIVING_FOR_OTHERS, ARRIVING_FOR_US, HOOKS, SENT_BY_US
from cluster.netfilter.parse import address_number
from cluster.netfilter.recent import RecentLists
from cluster.netfilter.render import layout, render_rule
from cluster.netfilter.rules import (
    Address,
    AddrType,
    Comment,
    CopyMark,
    CtState,
    Interface,
    Jump,
    Mark,
    Match,
    Multiport,
    Nat,
    Nfacct,
    NoTrack,
    Passive,
    Ports,
    Protocol,
    Recent,
    Reject,
    Rule,
    SetMark,
    Statistic,
    UnknownMatch,
    UnknownTarget,
    Verdict,
)
from cluster.netfilter.tables import Chain, Ruleset
from cluster.sim import Dice
from cluster.wire.packet import Packet

MAX_DEPTH = 64
"""Nested jumps; the kernel refuses loops when rules are loaded, this one when they are walked."""
MAX_LEAVES = 5000
MAX_UNKNOWN = 8
"""Unknown matches on one way that are walked both ways; with more the walk stops."""


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
    dnat: bool = False
    snat: bool = False
    masquerade: bool = False
    explicit: bool = False
    untracked: bool = False
    assumed: tuple[tuple[str, bool], ...] = ()
    last: int = -1
    asked: int = 0

    def clone(self) -> "Flow":
        return Flow(*(getattr(self, name) for name in self.__struct_fields__))


def flow_of(packet: Packet, ctstate: str) -> Flow:
    """A packet that has just been sent."""
    family, src = address_number(packet.src)
    _, dst = address_number(packet.dst)
    protocol = packet.protocol.lower()
    return Flow(
        packet.src, packet.dst, family, src, dst, protocol, packet.sport, packet.dport, packet.mark, 0, ctstate, 1.0
    )


class Walker(Struct):
    """Walks packets through ``ruleset``. ``recent`` None: session affinity has seen nobody yet."""

    ruleset: Ruleset
    node_ips: tuple[str, ...]
    recent: RecentLists | None = None
    now: int = 0
    dice: Dice | None = None
    tried: bool = False
    """Also report rules that did not match."""
    in_interface: str | None = None
    out_interface: str | None = None
    steps: list[Step] = field(default_factory=list)
    hook: str = ""
    first_lines: dict[tuple[str, str], int] = field(default_factory=dict)

    def walk(self, packet: Packet, *, local: bool | None = None, ctstate: str = "NEW") -> Walk:
        """Send ``packet``. ``local``: the node itself sends it (None: if its source is one of the node's addresses)."""
        flow = flow_of(packet, ctstate)
        self.steps = []
        self.first_lines = layout(self.ruleset)
        if local is None:
            local = self._is_local(flow.family, flow.src_number, flow.src)
        leaves: list[Leaf] = []
        for leaf in self._hooks(SENT_BY_US if local else ("PREROUTING",), 0, flow, not local):
            leaves.append(leaf)
            if len(leaves) >= MAX_LEAVES:
                break
        return conclude(leaves, self.steps)

    # -- hooks and chains -----------------------------------------------------------------------------------------

    def _hooks(self, hooks: tuple[str, ...], at: int, flow: Flow, routing: bool) -> Iterator[Leaf]:
        if at == len(hooks):
            if routing:  # PREROUTING is over: the routing decision
                ours = self._is_local(flow.family, flow.dst_number, flow.dst)
                yield from self._hooks(ARRIVING_FOR_US if ours else ARRIVING_FOR_OTHERS, 1, flow, False)
            else:
                yield leaf_of(flow, "")
            return
        yield from self._tables(hooks, at, 0, flow, routing)

    def _tables(self, hooks: tuple[str, ...], at: int, table_at: int, flow: Flow, routing: bool) -> Iterator[Leaf]:
        hook = hooks[at]
        tables = HOOKS[hook]
        while table_at < len(tables):
            table = tables[table_at]
            chain = self.ruleset.chain(table, hook)
            if chain is not None and not (table == "nat" and (flow.ctstate != "NEW" or flow.untracked)):
                break
            table_at += 1
        if table_at == len(tables):
            yield from self._hooks(hooks, at + 1, flow, routing)
            return
        table = tables[table_at]
        chain = self.ruleset.tables[table][hook]
        try:
            for passed, verdict in self._chain(hook, table, hook, chain, 0, flow, 0):
                if not verdict and chain.policy == "DROP":
                    verdict = "DROP"
                    self._step(hook, table, hook, 0, f":{hook} DROP", "policy DROP", passed)
                if verdict in ("DROP", "REJECT"):
                    yield leaf_of(passed, verdict)
                else:
                    if verdict == "ACCEPT" and table == "filter":
                        passed.explicit = True
                    yield from self._tables(hooks, at, table_at + 1, passed, routing)
        except Stop as stop:
            yield leaf_of(flow, "", str(stop))

    def _chain(
        self, hook: str, table: str, name: str, chain: Chain, start: int, flow: Flow, depth: int
    ) -> Iterator[tuple[Flow, str]]:
        """(packet, "" or the verdict) for every way out of the chain from its rule ``start`` on."""
        if depth > MAX_DEPTH:
            raise Stop(f"chain {name} of table {table} is nested deeper than {MAX_DEPTH} jumps: a loop")
        rules = chain.rules
        for index in range(start, len(rules)):
            rule = rules[index]
            flow.asked += 1
            chance, unknown = self._matches(rule, flow, hook)
            if chance == 0.0:
                if self.tried:
                    self._rule_step(hook, table, name, index, rule, "no match", flow)
                continue
            if unknown:
                what = f"line {self._line(table, name, index)}: unknown match {unknown!r}"
                held = dict(flow.assumed).get(what)
                if held is False:
                    continue
                if held is None:
                    if len(flow.assumed) == MAX_UNKNOWN:
                        raise Stop(what)
                    self._rule_step(
                        hook, table, name, index, rule, f"unknown match {unknown!r}: walked both ways", flow
                    )
                    taken = flow.clone()
                    taken.assumed += ((what, True),)
                    flow.assumed += ((what, False),)
                    taken.probability *= chance
                    yield from self._take(hook, table, name, chain, index, rule, taken, depth)
                    continue
            if chance < 1.0:
                taken = flow.clone()
                taken.probability *= chance
                flow.probability *= 1.0 - chance
                yield from self._take(hook, table, name, chain, index, rule, taken, depth)
                continue
            if self._is_transparent(rule, table):  # the common case without a nested generator
                self._change(hook, table, name, index, rule, flow)
                continue
            yield from self._take(hook, table, name, chain, index, rule, flow, depth)
            return
        yield flow, ""

    def _take(
        self, hook: str, table: str, name: str, chain: Chain, index: int, rule: Rule, flow: Flow, depth: int
    ) -> Iterator[tuple[Flow, str]]:
        """What follows from ``rule`` having matched, to the end of its chain."""
        target = rule.target
        if self._is_transparent(rule, table):
            self._change(hook, table, name, index, rule, flow)
            yield from self._chain(hook, table, name, chain, index + 1, flow, depth)
            return
        match target:
            case Verdict():
                self._rule_step(hook, table, name, index, rule, target.name, flow)
                yield flow, "" if target.name == "RETURN" else target.name
            case Reject():
                self._rule_step(hook, table, name, index, rule, "REJECT", flow)
                yield flow, "REJECT"
            case Jump():
                inner = self.ruleset.chain(table, target.chain)
                where = f"line {self._line(table, name, index)}"
                if inner is None:
                    raise Stop(f"{where}: unknown target {target.chain!r}: no such chain in table {table}")
                self._rule_step(
                    hook, table, name, index, rule, ("goto " if target.goto else "jump ") + target.chain, flow
                )
                for passed, verdict in self._chain(hook, table, target.chain, inner, 0, flow, depth + 1):
                    if verdict or target.goto:
                        yield passed, verdict
                    else:
                        yield from self._chain(hook, table, name, chain, index + 1, passed, depth)
            case Nat():
                self._translate(target, flow, hook)
                self._rule_step(hook, table, name, index, rule, _nat_outcome(target, flow), flow)
                yield flow, "ACCEPT"
            case UnknownTarget():
                raise Stop(f"line {self._line(table, name, index)}: unknown target {target.name!r}")
            case _:
                raise AssertionError(target)

    # -- one rule -------------------------------------------------------------------------------------------------

    @staticmethod
    def _is_transparent(rule: Rule, table: str) -> bool:
        return rule.target is None or type(rule.target) in (SetMark, CopyMark, NoTrack, Passive)

    def _change(self, hook: str, table: str, name: str, index: int, rule: Rule, flow: Flow) -> None:
        match rule.target:
            case SetMark(value=value, mask=mask, target=which):
                if which == "MARK":
                    flow.mark = (flow.mark & ~mask & 0xFFFFFFFF) ^ value
                    outcome = f"mark {flow.mark:#x}"
                else:
                    flow.connmark = (flow.connmark & ~mask & 0xFFFFFFFF) ^ value
                    outcome = f"connmark {flow.connmark:#x}"
            case CopyMark(op=op):
                if op == "--save-mark":
                    flow.connmark = flow.mark
                else:
                    flow.mark = flow.connmark
                outcome = op.removeprefix("--")
            case NoTrack():
                flow.untracked, flow.ctstate = True, "UNTRACKED"
                outcome = "not tracked"
            case Passive(name=passive):
                outcome = f"{passive}, goes on"
            case _:
                outcome = "counted, goes on"
        self._rule_step(hook, table, name, index, rule, outcome, flow)

    def _translate(self, nat: Nat, flow: Flow, hook: str) -> None:
        if nat.kind in ("DNAT", "REDIRECT"):
            address = nat.address
            if nat.kind == "REDIRECT":
                loopback = "127.0.0.1" if flow.family == 4 else "::1"
                address = loopback if hook == "OUTPUT" else (self.node_ips[0] if self.node_ips else loopback)
            if address:
                flow.dst = address
                flow.family, flow.dst_number = address_number(address)
            flow.dport = nat.port or flow.dport
            flow.dnat = True
        else:
            flow.masquerade = flow.snat = True
            address = nat.address or next((a for a in self.node_ips if (":" in a) == (flow.family == 6)), "")
            if address:
                flow.src = address
                _, flow.src_number = address_number(address)

    def _matches(self, rule: Rule, flow: Flow, hook: str) -> tuple[float, str]:
        """(0 no, 1 yes, between: the probability; what of it is unknown, if all known matches hold)."""
        chance = 1.0
        unknown = ""
        for match in rule.matches:
            if isinstance(match, Comment | Nfacct):
                continue
            if isinstance(match, Address):
                number = flow.src_number if match.side == "-s" else flow.dst_number
                net = match.net
                if (flow.family == net.family and number & net.mask == net.value) == match.negate:
                    return 0.0, ""
            elif isinstance(match, Protocol):
                if (match.name in ("all", flow.protocol)) == match.negate:
                    return 0.0, ""
            elif isinstance(match, Ports):
                if not _ports_match(match, flow):
                    return 0.0, ""
            elif isinstance(match, Statistic):
                chance *= self._chance(match)
                if chance == 0.0:
                    return 0.0, ""
            elif isinstance(match, UnknownMatch):
                unknown = unknown or match.module
            elif isinstance(match, Interface) and self._interface(match, hook) is None:
                unknown = unknown or f"{match.side} {match.name}"
            elif isinstance(match, Recent) and match.op == "set":
                continue  # changes the list: below, once all others hold
            elif not self._simple(match, flow, hook):
                return 0.0, ""
        if self.recent is not None:
            for match in rule.matches:
                if isinstance(match, Recent) and match.op == "set":
                    self.recent.match(match, flow.src, self.now)
        return chance, unknown

    def _chance(self, match: Statistic) -> float:
        if self.dice is not None:
            hit = self.dice.below(0x80000000) < match.fraction
            return 1.0 if hit != match.negate else 0.0
        share = match.fraction / 0x80000000
        return 1.0 - share if match.negate else share

    def _interface(self, match: Interface, hook: str) -> bool | None:
        """None: nobody said which interface it is."""
        if match.side == "-i":
            name = "" if hook in ("OUTPUT", "POSTROUTING") else self.in_interface
        else:
            name = "" if hook in ("PREROUTING", "INPUT") else self.out_interface
        if name is None:
            return None
        same = name.startswith(match.name[:-1]) if match.name.endswith("+") else name == match.name
        return same != match.negate

    def _simple(self, match: Match, flow: Flow, hook: str) -> bool:
        match match:
            case CtState():
                states = {flow.ctstate}
                if flow.dnat:
                    states.add("DNAT")
                if flow.snat:
                    states.add("SNAT")
                return any(s in states for s in match.states) != match.negate
            case Mark():
                mark = flow.mark if match.module == "mark" else flow.connmark
                return (mark & match.mask == match.value) != match.negate
            case AddrType():
                return self._address_type(match, flow)
            case Multiport():
                sides = {"--sports": (flow.sport,), "--dports": (flow.dport,)}.get(
                    match.which, (flow.sport, flow.dport)
                )
                return any(low <= p <= high for p in sides for low, high in match.ranges) != match.negate
            case Recent():
                if self.recent is None:
                    return match.negate
                return self.recent.match(match, flow.src, self.now)
            case Interface():
                return bool(self._interface(match, hook))
            case _:
                raise AssertionError(match)

    def _address_type(self, match: AddrType, flow: Flow) -> bool:
        if match.src_type and (self._type(flow, "src") == match.src_type) == match.not_src:
            return False
        return not (match.dst_type and (self._type(flow, "dst") == match.dst_type) == match.not_dst)

    def _type(self, flow: Flow, side: str) -> str:
        text, number = (flow.src, flow.src_number) if side == "src" else (flow.dst, flow.dst_number)
        if self._is_local(flow.family, number, text):
            return "LOCAL"
        if flow.family == 4:
            return "MULTICAST" if number >> 28 == 0xE else "BROADCAST" if number == 0xFFFFFFFF else "UNICAST"
        return "MULTICAST" if number >> 120 == 0xFF else "UNICAST"

    def _is_local(self, family: int, number: int, text: str) -> bool:
        loopback = number >> 24 == 127 if family == 4 else number == 1
        return loopback or text in self.node_ips

    # -- reporting ------------------------------------------------------------------------------------------------

    def answer(self, match: Match, flow: Flow, hook: str) -> float | None:
        """How likely one match holds for ``flow``; None: nobody knows."""
        chance, unknown = self._matches(Rule((match,)), flow, hook)
        return None if unknown else chance

    def is_local(self, address: str) -> bool:
        """Whether it is one of the node's own."""
        family, number = address_number(address)
        return self._is_local(family, number, address)

    def line(self, table: str, name: str, index: int) -> int:
        """The line of a rule, as steps name it; after a walk."""
        return self._line(table, name, index)

    def _line(self, table: str, name: str, index: int) -> int:
        lines = self.ruleset.tables[table][name].lines
        return lines[index] if lines else self.first_lines.get((table, name), 0) + index

    def _rule_step(self, hook: str, table: str, name: str, index: int, rule: Rule, outcome: str, flow: Flow) -> None:
        self._step(hook, table, name, self._line(table, name, index), render_rule(name, rule), outcome, flow)

    def _step(self, hook: str, table: str, chain: str, line: int, rule: str, outcome: str, flow: Flow) -> None:
        add_step(self.steps, hook, table, chain, line, rule, outcome, flow)


def add_step(
    steps: list[Step], hook: str, table: str, chain: str, line: int, rule: str, outcome: str, flow: Flow
) -> None:
    """Note what a rule did to ``flow``, as the next step of its way."""
    steps.append(
        Step(hook, table, chain, line, rule, outcome, flow.probability, flow.last, packet_of(flow), flow.asked)
    )
    flow.last = len(steps) - 1


def packet_of(flow: Flow) -> Packet:
    """The packet as it is now."""
    return Packet(flow.src, flow.dst, flow.protocol, flow.sport, flow.dport, flow.mark)


def _ports_match(match: Ports, flow: Flow) -> bool:
    if match.module != flow.protocol:
        return False
    if match.sport is not None and (match.sport[0] <= flow.sport <= match.sport[1]) == match.not_sport:
        return False
    if match.dport is not None and (match.dport[0] <= flow.dport <= match.dport[1]) == match.not_dport:
        return False
    if match.flags is not None:  # the first packet of a connection carries SYN and nothing else
        mask, wanted = (set(part.split(",")) - {"NONE"} for part in match.flags)
        return (({"SYN"} & mask if "ALL" not in mask else {"SYN"}) == wanted) != match.not_flags
    return True


def _nat_outcome(nat: Nat, flow: Flow) -> str:
    if nat.kind in ("DNAT", "REDIRECT"):
        return f"{nat.kind} to {endpoint_of(flow)}"
    return f"{nat.kind} from {flow.src}"


def endpoint_of(flow: Flow) -> str:
    return f"[{flow.dst}]:{flow.dport}" if flow.family == 6 else f"{flow.dst}:{flow.dport}"


def leaf_of(flow: Flow, verdict: str, unknown: str = "") -> Leaf:
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
    """The contract's form. ``verdict`` is null when an unknown match or target stands in the way."""
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
