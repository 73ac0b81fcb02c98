"""A packet's walk through nft's tables: the same answer as for iptables (``walk``), by nft's own rules of the game.

Base chains of all tables hang at hooks and are called by priority. ``accept`` ends its own base chain only, ``drop`` and ``reject``
end everything. A look-up that finds nothing ends the rule, not the chain. ``nat`` chains are asked only for a flow's first packet.

In: an ``Nft``, the node's own addresses, a ``Packet`` → out: a ``Walk`` with steps and every end. A ``numgen`` splits the walk. What a rule asks and
nobody told is never guessed: both ways are walked (see ``walk``).

Simplified here: dynamic sets (session affinity) have seen nobody yet, unless dice are thrown: that is a packet which really passes; ``numgen inc`` counts as random; ingress, egress, bridge and
arp hooks are not walked.

Upstream: Linux net/netfilter/nf_tables_core.c (``nft_do_chain``), nft_fib.c, nft_numgen.c.
"""

from collections.abc import Iterator

from cluster.netfilter.addresses import PROTOCOLS
from cluster.netfilter.nft_literals import ANY, compare, find, holds
from cluster.netfilter.nft_syntax import (
    Chain,
    Chance,
    Counter,
    Elements,
    Flags,
    Key,
    Match,
    Nft,
    NoTrack,
    Numgen,
    Passive,
    Rule,
    SetMark,
    Table,
    Translate,
    Unknown,
    Verdict,
    VerdictMap,
)
from cluster.netfilter.passage import MAX_DEPTH, MAX_UNKNOWN, Flow, Passage, Stop
from cluster.sim import Dice

WALKED = ("ip", "ip6", "inet")
HEADERS = {
    "tcp": "tcp", "udp": "udp", "sctp": "sctp", "icmp": "icmp", "icmpv6": "ipv6-icmp", "udplite": "udplite", "dccp": "dccp", "ah": "ah",
    "esp": "esp", "comp": "comp", "arp": "arp", "vlan": "vlan",
}  # fmt: skip
"""A header → the protocol of the packets that have it."""
CT_STATES = {"INVALID": "1", "ESTABLISHED": "2", "RELATED": "4", "NEW": "8", "UNTRACKED": "64"}
NAT_AT = {"prerouting": -100, "output": -100, "input": 100, "postrouting": 100}
"""Where the kernel asks its ``nat`` chains, whatever priority they name; that orders them among themselves."""


class NftWalker(Passage):
    """Walks packets through ``nft``. The interfaces are None when nobody said which they are."""

    def __init__(
        self,
        nft: Nft,
        node_ips: tuple[str, ...],
        tried: bool = False,
        in_interface: str | None = None,
        out_interface: str | None = None,
        dice: Dice | None = None,
        now: int = 0,
    ) -> None:
        super().__init__(
            node_ips, now=now, dice=dice, tried=tried, in_interface=in_interface, out_interface=out_interface
        )
        self.nft = nft
        self._bases: dict[str, tuple[tuple[Table, Chain], ...]] | None = None

    # -- stations: base chains ------------------------------------------------------------------------------------

    def stations(self, hook: str) -> tuple[tuple[Table, Chain], ...]:
        """The base chains at the hook, by priority."""
        if self._bases is None:
            self._bases = _bases(self.nft)
        return self._bases.get(hook.lower(), ())

    def consulted(self, hook: str, station: tuple[Table, Chain], flow: Flow) -> bool:
        """A table of the packet's family; a ``nat`` chain for the first packet of a flow only, and until one has decided."""
        table, chain = station
        if table.family != "inet" and table.family != ("ip" if flow.family == 4 else "ip6"):
            return False
        if chain.type != "nat":
            return True
        if flow.ctstate != "NEW" or flow.untracked or flow.looped or self.onward is not None:
            return False
        return not (flow.dnat if hook in ("PREROUTING", "OUTPUT") else flow.snat)

    def past_nat(self, hook: str, station: tuple[Table, Chain]) -> bool:
        """See ``Passage``."""
        return hook in ("PREROUTING", "OUTPUT") and (station[1].type == "nat" or station[1].priority > -100)

    def visit(self, hook: str, station: tuple[Table, Chain], flow: Flow) -> Iterator[tuple[Flow, str]]:
        """Through a base chain: ``accept`` ends it alone, ``drop`` and ``reject`` end everything."""
        table, chain = station
        for passed, verdict in self._chain(hook, table, chain, 0, flow, 0):
            if verdict in ("", "return") and chain.policy == "drop":
                verdict = "drop"
                self._step(hook, table, chain.name, 0, "policy drop", "policy drop", passed)
            if verdict == "accept" and chain.type == "filter":
                passed.explicit = True
            yield passed, verdict.upper() if verdict in ("drop", "reject") else ""

    # -- chains ---------------------------------------------------------------------------------------------------

    def _chain(
        self, hook: str, table: Table, chain: Chain, start: int, flow: Flow, depth: int
    ) -> Iterator[tuple[Flow, str]]:
        """Every way through the chain from rule ``start``: the flow and a verdict, "" when it reaches the end."""
        if depth > MAX_DEPTH:
            raise Stop(f"chain {chain.name}: jumps are nested deeper than {MAX_DEPTH}")
        self.enter(len(chain.rules) - start)
        for index in range(start, len(chain.rules)):
            flow.asked += 1
            splits = list(self._rule(hook, table, chain.name, chain.rules[index], flow))
            if len(splits) == 1 and splits[0][1] == "":
                flow = splits[0][0]
                continue
            for passed, verdict in splits:
                yield from self._after(hook, table, chain, index, passed, verdict, depth)
            return
        yield flow, ""

    def _after(
        self, hook: str, table: Table, chain: Chain, index: int, flow: Flow, verdict: str, depth: int
    ) -> Iterator[tuple[Flow, str]]:
        """What follows from a rule's verdict, to the end of its chain."""
        word, _, name = verdict.partition(" ")
        if word in ("", "continue"):
            yield from self._chain(hook, table, chain, index + 1, flow, depth)
        elif word == "return":
            yield flow, ""
        elif word in ("jump", "goto"):
            inner = table.chains.get(name)
            if inner is None:
                raise Stop(
                    f"line {chain.rules[index].line}: unknown target {name!r}: no such chain in table {table.name}"
                )
            for passed, answer in self._chain(hook, table, inner, 0, flow, depth + 1):
                if answer or word == "goto":
                    yield passed, answer
                else:
                    yield from self._chain(hook, table, chain, index + 1, passed, depth)
        else:
            yield flow, verdict

    # -- one rule -------------------------------------------------------------------------------------------------

    def _rule(
        self, hook: str, table: Table, name: str, rule: Rule, flow: Flow, at: int = 0
    ) -> Iterator[tuple[Flow, str]]:
        """Every way the rule can go from statement ``at``: the flow and a verdict, "" for the next rule."""
        touched = False
        for number in range(at, len(rule.statements)):
            match rule.statements[number]:
                case Match() as match:
                    held = self._matches(table, match, flow, hook)
                    if held is None:
                        yield from self._both(hook, table, name, rule, flow, number, " ".join(match.keys[0].words))
                        return
                    if not held:
                        if self.tried:
                            self._rule_step(hook, table, name, rule, "no match", flow)
                        yield flow, ""
                        return
                case Flags() as flags:
                    if not flags_hold(flags, flow):
                        if self.tried:
                            self._rule_step(hook, table, name, rule, "no match", flow)
                        yield flow, ""
                        return
                case Chance(share):
                    if self.dice is not None:
                        share = 1.0 if self.dice.below(0x80000000) < share * 0x80000000 else 0.0
                    if share < 1.0:
                        yield from self._split(hook, table, name, rule, flow, number, share)
                        return
                case VerdictMap() as lookup:
                    wanted = self._lookup(table, lookup, flow, hook)
                    if wanted is None:
                        raise Stop(f"line {rule.line}: unknown match {' '.join(lookup.keys[0].words)!r}")
                    if not wanted:
                        if self.tried:
                            self._rule_step(hook, table, name, rule, "not in the map", flow)
                        yield flow, ""
                    else:
                        self._rule_step(hook, table, name, rule, wanted, flow)
                        yield flow, wanted
                    return
                case Numgen() as numgen:
                    yield from self._draw(hook, table, name, rule, numgen, flow)
                    return
                case Verdict(text):
                    self._rule_step(hook, table, name, rule, text, flow)
                    yield flow, text
                    return
                case Translate() as translate:
                    yield from self._translate(hook, table, name, rule, translate, flow)
                    return
                case SetMark() as mark:
                    touched = True
                    self._rule_step(hook, table, name, rule, _set_mark(mark, flow), flow)
                case NoTrack():
                    touched = True
                    flow.untracked, flow.ctstate = True, "UNTRACKED"
                    self._rule_step(hook, table, name, rule, "not tracked", flow)
                case Counter():
                    if self.hits is not None and not flow.assumed:
                        self.hits.append((table.chains[name], rule))
                case Passive(text, named, keys):
                    touched = True
                    if named and self.dice is not None:
                        self._remember(table, text, named, keys, flow, hook)
                    self._rule_step(hook, table, name, rule, f"{text}, goes on", flow)
                case Unknown(text, final):
                    if final:
                        raise Stop(f"line {rule.line}: unknown statement {text!r}")
                    yield from self._both(hook, table, name, rule, flow, number, text)
                    return
        if not touched:
            self._rule_step(hook, table, name, rule, "counted, goes on", flow)
        yield flow, ""

    def _split(
        self, hook: str, table: Table, name: str, rule: Rule, flow: Flow, number: int, share: float
    ) -> Iterator[tuple[Flow, str]]:
        """By chance: for ``share`` of the packets it goes on, for the others to the next rule."""
        if share > 0.0:
            taken = flow.clone()
            taken.probability *= share
            yield from self._rule(hook, table, name, rule, taken, number + 1)
        flow.probability *= 1.0 - share
        yield flow, ""

    def _both(
        self, hook: str, table: Table, name: str, rule: Rule, flow: Flow, number: int, text: str
    ) -> Iterator[tuple[Flow, str]]:
        """Nobody knows whether it holds: walk on as if it did, and as if it didn't."""
        what = f"line {rule.line}: unknown match {text!r}"
        held = dict(flow.assumed).get(what)
        if held is None:
            if len(flow.assumed) == MAX_UNKNOWN:
                raise Stop(what)
            self._rule_step(hook, table, name, rule, f"unknown match {text!r}: walked both ways", flow)
            taken = flow.clone()
            taken.assumed += ((what, True),)
            flow.assumed += ((what, False),)
            yield from self._rule(hook, table, name, rule, taken, number + 1)
            yield flow, ""
        elif held:
            yield from self._rule(hook, table, name, rule, flow, number + 1)
        else:
            yield flow, ""

    def _draw(
        self, hook: str, table: Table, name: str, rule: Rule, numgen: Numgen, flow: Flow
    ) -> Iterator[tuple[Flow, str]]:
        pairs = numgen.values or tuple(table.sets.get(numgen.named, Elements()).values.items())
        try:
            spans = numgen.spans(pairs)
        except ValueError:
            raise Stop(f"line {rule.line}: unknown statement 'numgen … vmap @{numgen.named}'") from None
        if self.dice is not None:
            drawn = numgen.offset + self.dice.below(numgen.modulus)
            hit = next((verdict for first, last, verdict in spans if first <= drawn <= last), "")
            spans, shares, left = [(drawn, drawn, hit)] if hit else [], [1.0], 0.0 if hit else 1.0
        else:
            shares = [(last - first + 1) / numgen.modulus for first, last, _ in spans]
            left = 1.0 - sum(last - first + 1 for first, last, _ in spans) / numgen.modulus
        for (first, last, verdict), share in zip(spans, shares, strict=False):
            passed = flow.clone()
            passed.probability *= share
            drawn = f"{first}" if first == last else f"{first}-{last}"
            self._rule_step(hook, table, name, rule, f"{drawn} of {numgen.modulus}: {verdict}", passed)
            yield passed, verdict
        if left > 0.0:
            passed = flow.clone()
            passed.probability *= left
            yield passed, ""

    def _translate(
        self, hook: str, table: Table, name: str, rule: Rule, nat: Translate, flow: Flow
    ) -> Iterator[tuple[Flow, str]]:
        places = list(nat.choices or ((nat.address, nat.port),))
        for passed, outcome in self.translate(nat.kind.upper(), places, flow, hook):
            self._rule_step(hook, table, name, rule, outcome, passed)
            yield passed, "accept"

    # -- matches --------------------------------------------------------------------------------------------------

    def _matches(self, table: Table, match: Match, flow: Flow, hook: str) -> bool | None:
        """Whether it holds; None when nobody can tell."""
        seen = [self._value(key, flow, hook) for key in match.keys]
        if any(value is None for value in seen):
            return None
        if any(value == () for value in seen):  # another protocol or family: the rule doesn't apply
            return False
        if match.named:
            found = table.sets.get(match.named)
            if found is None:
                return None
            told = [value for value in seen if value]
            inside = find(found, told) is not None
            if not inside and self.dice is not None and found.seen:
                inside = found.remembers(tuple(value[0] for value in told), self.now)
        elif match.op in ("<", ">", "<=", ">="):
            return compare(seen[0], match.op, match.values[0][0])
        else:
            inside = any(holds([value for value in seen if value], wanted) for wanted in match.values)
        return inside != (match.op == "!=")

    def _remember(self, table: Table, text: str, named: str, keys: tuple[Key, ...], flow: Flow, hook: str) -> None:
        """A packet that really passes puts itself into a set."""
        found, seen = table.sets.get(named), [self._value(key, flow, hook) for key in keys]
        if found is not None and all(seen):
            found.remember(tuple(value[0] for value in seen if value), self.now, text.startswith("update"))

    def _lookup(self, table: Table, lookup: VerdictMap, flow: Flow, hook: str) -> str | None:
        """The verdict found, "" when none is; None when nobody can tell."""
        seen = [self._value(key, flow, hook) for key in lookup.keys]
        if any(value is None for value in seen):
            return None
        if any(value == () for value in seen):
            return ""
        if lookup.named:
            found = table.sets.get(lookup.named)
            return None if found is None else find(found, [value for value in seen if value]) or ""
        told = [value for value in seen if value]
        for wanted, verdict in sorted(lookup.values, key=lambda pair: pair[0] == (ANY,)):
            if holds(told, wanted):
                return verdict
        return ""

    def _value(self, key: Key, flow: Flow, hook: str) -> tuple[str, ...] | None:
        """What the packet has there, as it may be written (the first is the usual way); () when it has none of it; None: nobody knows."""
        words = key.words
        match words:
            case ("ip" | "ip6" as family, "saddr" | "daddr" as side):
                if (family == "ip") != (flow.family == 4):
                    return ()
                return (flow.src if side == "saddr" else flow.dst,)
            case ("ip" | "ip6" as family, _) if (family == "ip") != (flow.family == 4):
                return ()
            case ("ip", "protocol") | ("ip6", "nexthdr") | ("meta", "l4proto"):
                number = next((n for n, name in PROTOCOLS.items() if name == flow.protocol), "")
                return (flow.protocol, number, "icmpv6") if number == "58" else (flow.protocol, number)
            case ("ip" | "ip6", "version"):
                return (str(flow.family),)
            case ("meta", "protocol") | ("ether", "type"):
                return ("ip", "2048") if flow.family == 4 else ("ip6", "34525")
            case ("tcp" | "udp" | "sctp" | "th" as protocol, "sport" | "dport" as side):
                if protocol != flow.protocol and not (protocol == "th" and flow.protocol in ("tcp", "udp", "sctp")):
                    return ()
                return (str(flow.sport if side == "sport" else flow.dport),)
            case (header, _) if header in HEADERS and flow.protocol != HEADERS[header]:
                return ()
            case ("meta", "nfproto"):
                return ("ipv4", "2") if flow.family == 4 else ("ipv6", "10")
            case ("meta", "mark") | ("ct", "mark"):
                return (str(_apply(key.ops, flow.mark if words[0] == "meta" else flow.connmark)),)
            case ("ct", "state"):
                return flow.ctstate.lower(), CT_STATES.get(flow.ctstate, "")
            case ("ct", "original" | "reply" as side, what):
                return _tuple_part(flow, side, what)
            case ("ct", "direction"):
                return "original", "0"
            case ("ct", "status"):
                dnat, snat = (("dnat", "32") if flow.dnat else ()), (("snat", "16") if flow.snat else ())
                return dnat + snat or ("",)
            case ("meta", "iif" | "iifname" | "oif" | "oifname" as which):
                interface = self.interface(which[0] == "i", hook, flow)
                return None if interface is None else (interface,)
            case ("fib", "saddr" | "daddr" as side, "type"):
                return (self.type_of(flow, side == "saddr").lower(),)
            case _:
                return None

    # -- reporting ------------------------------------------------------------------------------------------------

    def bases(self, hook: str) -> list[tuple[Table, Chain]]:
        """The base chains at a hook, in calling order."""
        return list(self.stations(hook))

    def answer(self, table: Table, match: Match, flow: Flow, hook: str) -> bool | None:
        """Whether one match holds for ``flow``; None: nobody knows."""
        return self._matches(table, match, flow, hook)

    def found(self, table: Table, lookup: VerdictMap, flow: Flow, hook: str) -> str | None:
        """What a look-up finds: a verdict, "" when nothing; None: nobody knows."""
        return self._lookup(table, lookup, flow, hook)

    def seen(self, keys: tuple[Key, ...], flow: Flow, hook: str) -> str:
        """What the packet has there, as one writes it."""
        return " . ".join((self._value(key, flow, hook) or ("?",))[0] for key in keys)

    def _rule_step(self, hook: str, table: Table, chain: str, rule: Rule, outcome: str, flow: Flow) -> None:
        self._step(hook, table, chain, rule.line, rule.text, outcome, flow)

    def _step(self, hook: str, table: Table, chain: str, line: int, rule: str, outcome: str, flow: Flow) -> None:
        self.step(hook, f"{table.family} {table.name}", chain, line, rule, outcome, flow)


def _bases(nft: Nft) -> dict[str, tuple[tuple[Table, Chain], ...]]:
    found: dict[str, list[tuple[Table, Chain]]] = {}
    for table in nft.tables.values():
        if table.family in WALKED and not table.dormant:
            for chain in table.chains.values():
                if chain.hook:
                    found.setdefault(chain.hook, []).append((table, chain))
    return {hook: tuple(sorted(pairs, key=_called)) for hook, pairs in found.items()}


def _called(pair: tuple[Table, Chain]) -> tuple[int, int]:
    """What base chains of a hook are called by."""
    chain = pair[1]
    return NAT_AT.get(chain.hook, 0) if chain.type == "nat" else chain.priority, chain.priority


def _tuple_part(flow: Flow, side: str, what: str) -> tuple[str, ...] | None:
    """Of the connection's own tuples, as they stand at its first packet."""
    first = flow.original
    original = {"saddr": first.src, "daddr": first.dst, "proto-src": str(first.sport), "proto-dst": str(first.dport)}
    reply = {"saddr": flow.dst, "daddr": flow.src, "proto-src": str(flow.dport), "proto-dst": str(flow.sport)}
    if flow.untracked:
        return ()
    if what in ("l3proto", "protocol"):
        return ("ip" if flow.family == 4 else "ip6",) if what == "l3proto" else (flow.protocol,)
    found = (original if side == "original" else reply).get(what)
    return None if found is None else (found,)


def flags_hold(flags: Flags, flow: Flow) -> bool:
    """Whether the packet's flags are those."""
    if flow.protocol != "tcp":
        return False
    held = {flag.lower() for flag in flow.flags} & set(flags.mask)
    fits = held in [set(one) for one in (flags.wanted, *flags.others)] if flags.wanted else bool(held)
    return fits != flags.negate


def _set_mark(mark: SetMark, flow: Flow) -> str:
    start = {"mark": flow.mark, "ctmark": flow.connmark}.get(mark.source)
    value = _apply(mark.ops, int(mark.source, 0) if start is None else start)
    if mark.target == "mark":
        flow.mark = value
    else:
        flow.connmark = value
    return f"{'mark' if mark.target == 'mark' else 'connmark'} {value:#x}"


def _apply(ops: tuple[tuple[str, int], ...], value: int) -> int:
    for op, other in ops:
        value = value & other if op == "&" else value | other if op == "|" else value ^ other
    return value & 0xFFFFFFFF
