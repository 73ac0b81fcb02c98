"""A packet's walk through iptables' tables: every rule that caught it, and everywhere it can end.

In: a ``Ruleset``, the node's own addresses, a ``Packet`` → out: a ``Walk``: steps in the order they happen and one ``Leaf`` for every
end the packet can have, each with its probability. A ``statistic`` match splits the walk in two; with a die given, it is
thrown instead and there is one end.

At every hook the tables are asked in the kernel's order (``hooks``); ``nat`` only for the first packet of a flow. Jumps come back,
gotos don't; what a chain of the kernel doesn't decide is decided by its policy.

Simplified here: what ``passage`` and ``matching`` name.

Upstream: Linux net/ipv4/netfilter/ip_tables.c (``ipt_do_table``).
"""

from collections.abc import Iterator

from cluster.netfilter.hooks import HOOKS, HOOKS_WITH_IPVS, IPVS
from cluster.netfilter.matching import matches
from cluster.netfilter.passage import (
    MAX_DEPTH,
    MAX_UNKNOWN,
    Flow,
    Leaf,
    Passage,
    Step,
    Stop,
    Walk,
    as_json,
    choices,
    flow_of,
)
from cluster.netfilter.recent import RecentLists
from cluster.netfilter.render import layout, render_rule
from cluster.netfilter.rules import (
    Address,
    CopyMark,
    Jump,
    Match,
    Nat,
    NoTrack,
    Passive,
    Reject,
    Rule,
    SetMark,
    UnknownTarget,
    Verdict,
)
from cluster.netfilter.tables import Chain, Ruleset
from cluster.sim import Dice
from cluster.wire.packet import Packet

__all__ = ["Flow", "Leaf", "Step", "Stop", "Walk", "Walker", "as_json", "flow_of"]

_TRANSPARENT = (SetMark, CopyMark, NoTrack, Passive)


class Walker(Passage):
    """Walks packets through ``ruleset``. ``recent`` None: session affinity has seen nobody yet.

    ``bridge_in``: the bridge's port it came by, "" none, None when nobody said.
    """

    def __init__(
        self,
        ruleset: Ruleset,
        node_ips: tuple[str, ...],
        recent: RecentLists | None = None,
        now: int = 0,
        dice: Dice | None = None,
        tried: bool = False,
        in_interface: str | None = None,
        out_interface: str | None = None,
        bridge_in: str | None = None,
    ) -> None:
        super().__init__(
            node_ips, now=now, dice=dice, tried=tried, in_interface=in_interface, out_interface=out_interface
        )
        self.ruleset = ruleset
        self.recent = recent
        self.bridge_in = bridge_in
        self.ipvs = ruleset.ipvs
        self.first_lines: dict[str, dict[str, int]] = {}
        """Table → chain → the line of its first rule, for tables that were not read from a text."""

    def walk(self, packet: Packet, *, local: bool | None = None, ctstate: str = "NEW") -> Walk:
        """Send ``packet``. ``local``: the node itself sends it (None: if its source is one of the node's addresses)."""
        self.first_lines = {}  # somebody may have written since the last walk
        return super().walk(packet, local=local, ctstate=ctstate)

    # -- stations: tables -----------------------------------------------------------------------------------------

    def stations(self, hook: str) -> tuple[str, ...]:
        """The tables that are there, in the kernel's order."""
        rows = HOOKS if self.ipvs is None else HOOKS_WITH_IPVS
        return tuple(t for t in rows[hook] if t == IPVS or self.ruleset.chain(t, hook) is not None)

    def consulted(self, hook: str, station: str, flow: Flow) -> bool:
        """``nat`` sees the first packet of a flow only, and decides about its destination once."""
        if station != "nat":
            return True
        if flow.ctstate != "NEW" or flow.untracked or flow.looped or self.onward is not None:
            return False
        return not (hook == "OUTPUT" and flow.balanced is not None)

    def past_nat(self, hook: str, station: str) -> bool:
        """See ``Passage``."""
        return hook in ("PREROUTING", "OUTPUT") and station not in ("raw", "mangle")

    def visit(self, hook: str, station: str, flow: Flow) -> Iterator[tuple[Flow, str]]:
        """Through the table's chain of that hook."""
        table = station
        chain = self.ruleset.tables[table][hook]
        for passed, verdict in self._chain(hook, table, hook, chain, 0, flow, 0):
            if not verdict and self.hits is not None and not passed.assumed:
                self.hits.append((chain, None))
            if not verdict and chain.policy == "DROP":
                verdict = "DROP"
                self.step(hook, table, hook, 0, f":{hook} DROP", "policy DROP", passed)
            if verdict == "ACCEPT" and table == "filter":
                passed.explicit = True
            yield passed, "" if verdict == "ACCEPT" else verdict

    # -- chains ---------------------------------------------------------------------------------------------------

    def _chain(
        self, hook: str, table: str, name: str, chain: Chain, start: int, flow: Flow, depth: int
    ) -> Iterator[tuple[Flow, str]]:
        """(packet, "" or the verdict) for every way out of the chain from its rule ``start`` on."""
        if depth > MAX_DEPTH:
            raise Stop(f"chain {name} of table {table} is nested deeper than {MAX_DEPTH} jumps: a loop")
        rules = chain.rules
        self.enter(len(rules) - start)
        for index in range(start, len(rules)):
            rule = rules[index]
            flow.asked += 1
            if rule.matches and not self.tried:  # the quick way past most rules of a long chain
                first = rule.matches[0]
                if type(first) is Address and not first.negate:
                    number = flow.dst_number if first.side == "-d" else flow.src_number
                    if number & first.net.mask != first.net.value or first.net.family != flow.family:
                        continue
            chance, unknown = matches(self, rule, flow, hook)
            if chance == 0.0:
                if self.tried:
                    self._rule_step(hook, table, name, index, rule, "no match", flow)
                continue
            if unknown:
                what = f"line {self.line(table, name, index)}: unknown match {unknown!r}"
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
            if rule.target is None or type(rule.target) in _TRANSPARENT:  # the common case without a nested generator
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
        if target is None or type(target) in _TRANSPARENT:
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
                where = f"line {self.line(table, name, index)}"
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
                yield from self._nat(hook, table, name, index, rule, target, flow)
            case UnknownTarget():
                raise Stop(f"line {self.line(table, name, index)}: unknown target {target.name!r}")
            case _:
                raise AssertionError(target)

    def _nat(
        self, hook: str, table: str, name: str, index: int, rule: Rule, nat: Nat, flow: Flow
    ) -> Iterator[tuple[Flow, str]]:
        try:
            places = choices(nat.address, nat.last_address, nat.port, nat.last_port)
        except ValueError as error:
            raise Stop(f"line {self.line(table, name, index)}: the kernel chooses from {error}") from None
        if (
            nat.last_port
            and nat.port <= (flow.dport if nat.kind in ("DNAT", "REDIRECT") else flow.sport) <= nat.last_port
        ):
            places = [(address, 0) for address in dict.fromkeys(a for a, _ in places)]  # a port within stays
        for passed, outcome in self.translate(nat.kind, places, flow, hook):
            self._rule_step(hook, table, name, index, rule, outcome, passed)
            yield passed, "ACCEPT"

    def _change(self, hook: str, table: str, name: str, index: int, rule: Rule, flow: Flow) -> None:
        match rule.target:
            case SetMark(value=value, mask=mask, target=which):
                if which == "MARK":
                    flow.mark = (flow.mark & ~mask & 0xFFFFFFFF) ^ value
                    outcome = f"mark {flow.mark:#x}"
                else:
                    flow.connmark = (flow.connmark & ~mask & 0xFFFFFFFF) ^ value
                    outcome = f"connmark {flow.connmark:#x}"
            case CopyMark(op=op, nfmask=nfmask, ctmask=ctmask):
                if op == "--save-mark":
                    flow.connmark = (flow.connmark & ~ctmask & 0xFFFFFFFF) ^ (flow.mark & nfmask)
                else:
                    flow.mark = (flow.mark & ~nfmask & 0xFFFFFFFF) ^ (flow.connmark & ctmask)
                outcome = op.removeprefix("--")
            case NoTrack():
                flow.untracked, flow.ctstate = True, "UNTRACKED"
                outcome = "not tracked"
            case Passive(name=passive):
                outcome = f"{passive}, goes on"
            case _:
                outcome = "counted, goes on"
        self._rule_step(hook, table, name, index, rule, outcome, flow)

    # -- reporting ------------------------------------------------------------------------------------------------

    def answer(self, match: Match, flow: Flow, hook: str) -> float | None:
        """How likely one match holds for ``flow``; None: nobody knows."""
        chance, unknown = matches(self, Rule((match,)), flow, hook)
        return None if unknown else chance

    def line(self, table: str, name: str, index: int) -> int:
        """The line of a rule, as steps name it: where it was read, else where ``save`` would print it."""
        lines = self.ruleset.tables[table][name].lines
        if lines:
            return lines[index]
        first = self.first_lines.get(table)
        if first is None:
            first = self.first_lines[table] = layout(self.ruleset, table)
        return first.get(name, 0) + index

    def _rule_step(self, hook: str, table: str, name: str, index: int, rule: Rule, outcome: str, flow: Flow) -> None:
        if self.hits is not None and not flow.assumed:
            self.hits.append((self.ruleset.tables[table][name], rule))
        if self.terse:
            return
        self.step(
            hook,
            table,
            name,
            self.line(table, name, index),
            render_rule(name, rule, self.ruleset.family),
            outcome,
            flow,
        )
