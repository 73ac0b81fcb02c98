"""What a rule asks and what the packet answers: one ``Ask`` a comparison, in words a sentence can be made of.

In: a walker → out: its ``Book``, which finds the rule behind a step, its neighbours in the chain and their asks. Whether an ask held is the
walker's own answer, never a second opinion.

``kind`` of an ask: src, dst, in, out, protocol, sport, dport, flags, state, mark, connmark, srctype, dsttype, chance, recent, key (an nft
comparison), map (an nft look-up), set (an ipset; ``key`` its size), draw (numgen), other (anything else, as written).
"""

from typing import Any, Protocol

from msgspec import Struct

from cluster.netfilter import nft_syntax as nft
from cluster.netfilter import rules as ipt
from cluster.netfilter.hooks import BUILTIN, HOOKS, HOOKS_WITH_IPVS, IPVS
from cluster.netfilter.ipset import looked_up
from cluster.netfilter.ipvs import Ipvs, place, save_servers
from cluster.netfilter.nft_walk import NftWalker, flags_hold
from cluster.netfilter.render import render_rule
from cluster.netfilter.walk import Flow, Step, Walker

PRIORITIES = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
"""Table → its priority at a hook; nat is -100 for destinations and 100 for sources."""
CONNTRACK = {"id": "conntrack", "name": "conntrack", "priority": -200, "rules": 0}


class Ask(Struct, frozen=True):
    """``held``: 1 yes, 0 no, between: by chance; None: nobody knows. ``negate``: the rule wants it otherwise."""

    kind: str
    want: str
    have: str = ""
    negate: bool = False
    held: float | None = 1.0
    key: str = ""


class Book(Protocol):
    """The rules behind a walk's steps."""

    kind: str

    def size(self) -> dict[str, int]:
        """``rules`` there are, and ``entries`` of sets, maps and virtual servers."""
        ...

    def stations(self, hook: str) -> list[dict[str, Any]]:
        """``{id, name, priority, rules}`` of every table or base chain at a hook, in calling order, conntrack among them."""
        ...

    def station(self, step: Step) -> str:
        """The id of the station in which a step happens."""
        ...

    def index(self, step: Step) -> int:
        """The place of the step's rule in its chain; behind the last for the chain's policy."""
        ...

    def text(self, step: Step, index: int) -> tuple[int, str]:
        """(line, text) of a rule of the step's chain."""
        ...

    def comment(self, step: Step, index: int) -> str:
        """Its comment."""
        ...

    def asks(self, step: Step, index: int, flow: Flow) -> list[Ask]:
        """What a rule of the step's chain asks of ``flow``."""
        ...

    def excerpt(self, step: Step, index: int, around: int) -> list[dict[str, Any]]:
        """The lines about it: ``{line, text, here}``; a first and last ``gap`` counts those left out."""
        ...


def book_of(walker: Walker | NftWalker) -> Book:
    """The book for a walker."""
    return NftBook(walker) if isinstance(walker, NftWalker) else IptablesBook(walker)


def _excerpt(book: Book, step: Step, index: int, around: int, count: int) -> list[dict[str, Any]]:
    first = max(0, min(index - around, count - 2 * around - 1))
    last = min(count, first + 2 * around + 1)
    rows: list[dict[str, Any]] = [{"gap": first}] if first else []
    for at in range(first, last):
        line, text = book.text(step, at)
        rows.append({"line": line, "text": text, "here": at == index})
    return rows + ([{"gap": count - last}] if last < count else [])


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}-{high}"


class IptablesBook:
    """See ``Book``."""

    kind = "iptables"

    def __init__(self, walker: Walker) -> None:
        self.walker = walker

    def _rules(self, step: Step) -> list[ipt.Rule]:
        chain = self.walker.ruleset.chain(step.table, step.chain)
        return chain.rules if chain is not None else []

    def size(self) -> dict[str, int]:
        """See ``Book``."""
        held = self.walker.ruleset
        servers = held.ipvs.servers.values() if held.ipvs is not None else ()
        entries = sum(len(one.entries) for one in held.sets.values()) + sum(1 + len(one.servers) for one in servers)
        return {"rules": held.rule_count(), "entries": entries}

    def stations(self, hook: str) -> list[dict[str, Any]]:
        """Tables of the hook; ``rules`` counts those of the table's own chain there, -1: nobody has touched the table."""
        rows: list[dict[str, Any]] = []
        for table in HOOKS[hook] if self.walker.ruleset.ipvs is None else HOOKS_WITH_IPVS[hook]:
            if table == IPVS:
                servers = self.walker.ruleset.ipvs
                rows.append(
                    {
                        "id": IPVS,
                        "name": IPVS,
                        "priority": 99 if hook == "INPUT" else -99,
                        "rules": len(servers.servers) if servers else 0,
                    }
                )
                continue
            if table == "security" and "security" not in self.walker.ruleset.tables:
                continue
            chain = self.walker.ruleset.chain(table, hook) if hook in BUILTIN[table] else None
            priority = PRIORITIES.get(table, -100 if hook in ("PREROUTING", "OUTPUT") else 100)
            rows.append({"id": table, "name": table, "priority": priority, "rules": len(chain.rules) if chain else -1})
            if chain is not None:
                rows[-1]["policy"] = chain.policy
        if hook in ("PREROUTING", "OUTPUT"):
            rows.append(CONNTRACK)
        return sorted(rows, key=lambda row: row["priority"])

    def station(self, step: Step) -> str:
        """Its table."""
        return step.table

    def index(self, step: Step) -> int:
        """By line; jumps that were added to the text share line 0 and are told apart by their text."""
        rules = self._rules(step)
        if not rules or step.outcome.startswith("policy "):
            return len(rules)
        lines = self.walker.ruleset.tables[step.table][step.chain].lines
        if not lines and step.line:
            return max(0, min(step.line - self.walker.line(step.table, step.chain, 0), len(rules) - 1))
        for at, line in enumerate(lines):
            if line == step.line and render_rule(step.chain, rules[at], self.walker.ruleset.family) == step.rule:
                return at
        return 0

    def text(self, step: Step, index: int) -> tuple[int, str]:
        """As saved."""
        rules = self._rules(step)
        if index >= len(rules):
            return step.line, step.rule
        family = self.walker.ruleset.family
        return self.walker.line(step.table, step.chain, index), render_rule(step.chain, rules[index], family)

    def comment(self, step: Step, index: int) -> str:
        """Of the rule, or ""."""
        rules = self._rules(step)
        return rules[index].comment if index < len(rules) else ""

    def excerpt(self, step: Step, index: int, around: int) -> list[dict[str, Any]]:
        """See ``Book``; of IPVS the virtual server and its real ones, as ``ipvsadm-save -n`` writes them."""
        servers = self.walker.ruleset.ipvs
        if step.table == IPVS and servers is not None:
            found = next((one for one in servers.servers.values() if place(one.ip, one.port) == step.chain), None)
            if found is None:
                return []
            lines = save_servers(Ipvs({found.key: found})).splitlines()
            rows = [found.line, *(one.line for one in found.servers.values())]
            shown = [
                {"line": n, "text": t, "here": bool(n) and n == step.line} for n, t in zip(rows, lines, strict=False)
            ]
            return shown[: 2 * around + 4]
        return _excerpt(self, step, index, around, len(self._rules(step)))

    def asks(self, step: Step, index: int, flow: Flow) -> list[Ask]:
        """See ``Book``; comments and counters ask nothing."""
        servers = self.walker.ruleset.ipvs
        if step.table == IPVS and servers is not None:
            return [Ask("map", "IPVS", place(flow.dst, flow.dport), False, 1.0, str(len(servers.servers)))]
        rules = self._rules(step)
        if index >= len(rules):
            return []
        found: list[Ask] = []
        for match in rules[index].matches:
            held = self.walker.answer(match, flow, step.hook)
            found += [a for a in self._ask(match, flow, step.hook, held) if a.kind != "protocol" or a not in found]
        return found

    def _ask(self, match: ipt.Match, flow: Flow, hook: str, held: float | None) -> list[Ask]:
        match match:
            case ipt.Comment() | ipt.Nfacct():
                return []
            case ipt.Address(side=side, net=net, negate=negate):
                have = flow.src if side == "-s" else flow.dst
                return [Ask("src" if side == "-s" else "dst", net.text, have, negate, held)]
            case ipt.Interface(side=side, name=name, negate=negate):
                have = self.walker.interface(side == "-i", hook, flow) or ""
                return [Ask("in" if side == "-i" else "out", name, have, negate, held)]
            case ipt.Protocol(name=name, negate=negate):
                return [Ask("protocol", name, flow.protocol, negate, held)]
            case ipt.Ports():
                return self._ports(match, flow, held)
            case ipt.Multiport(which=which, ranges=ranges, negate=negate):
                kind = "sport" if which == "--sports" else "dport"
                want = ",".join(_span(*pair) for pair in ranges)
                return [Ask(kind, want, str(flow.sport if kind == "sport" else flow.dport), negate, held)]
            case ipt.CtState(states=states, negate=negate):
                have = [flow.ctstate, *(["DNAT"] if flow.dnat else []), *(["SNAT"] if flow.snat else [])]
                return [Ask("state", ",".join(states), ",".join(have), negate, held)]
            case ipt.Mark(value=value, mask=mask, negate=negate, module=module):
                have = flow.mark if module == "mark" else flow.connmark
                return [Ask(module, f"{value:#x}/{mask:#x}", f"{have:#x}", negate, held)]
            case ipt.AddrType():
                rows = (
                    ("srctype", match.src_type, match.not_src, flow.src),
                    ("dsttype", match.dst_type, match.not_dst, flow.dst),
                )
                return [Ask(kind, want, have, negate, held) for kind, want, negate, have in rows if want]
            case ipt.Statistic(fraction=fraction, negate=negate):
                return [Ask("chance", f"{fraction / 0x80000000:.9g}", "", negate, held)]
            case ipt.Recent(name=name, seconds=seconds, op=op, negate=negate):
                return [] if op == "set" else [Ask("recent", str(seconds), name, negate, held)]
            case ipt.SetMatch(name=name, sides=sides, negate=negate):
                sets = self.walker.ruleset.sets
                interfaces = self.walker.interface(True, hook, flow), self.walker.interface(False, hook, flow)
                have = looked_up(sets, name, sides, flow, interfaces)
                size = str(len(sets[name].entries)) if name in sets else "?"
                return [Ask("set", name, have, negate, held, size)]
            case ipt.IpRange(side=side, text=text, negate=negate):
                src = side == "--src-range"
                return [Ask("src" if src else "dst", text, flow.src if src else flow.dst, negate, held)]
            case ipt.Nth(every=every, negate=negate):
                return [Ask("chance", f"1/{every}", "", negate, held)]
            case ipt.UnknownMatch(module=module, words=words):
                return [Ask("other", " ".join(words) or module, "", False, held)]
            case _:
                return [Ask("other", f"-m {type(match).__name__.lower()}", "", False, held)]

    @staticmethod
    def _ports(match: ipt.Ports, flow: Flow, held: float | None) -> list[Ask]:
        if match.module != flow.protocol:
            return [Ask("protocol", match.module, flow.protocol, False, held)]
        rows: list[Ask] = []
        for kind, pair, negate, have in (
            ("sport", match.sport, match.not_sport, flow.sport),
            ("dport", match.dport, match.not_dport, flow.dport),
        ):
            if pair is not None:
                fits = (pair[0] <= have <= pair[1]) != negate
                rows.append(Ask(kind, _span(*pair), str(have), negate, 1.0 if fits else 0.0))
        if match.flags is not None:
            rows.append(Ask("flags", " ".join(match.flags), "SYN", match.not_flags, held))
        return rows


class NftBook:
    """See ``Book``. A station is a base chain, as ``table/chain``."""

    kind = "nftables"

    def __init__(self, walker: NftWalker) -> None:
        self.walker = walker
        self.bases = {
            (hook, f"{table.family} {table.name}", chain.name): f"{table.family} {table.name}/{chain.name}"
            for hook in HOOKS
            for table, chain in walker.bases(hook)
        }
        self._current: tuple[str, str] = ("", "")

    def _table(self, step: Step) -> nft.Table | None:
        family, _, name = step.table.partition(" ")
        return self.walker.nft.tables.get((family, name))

    def _rules(self, step: Step) -> list[nft.Rule]:
        table = self._table(step)
        chain = table.chains.get(step.chain) if table is not None else None
        return chain.rules if chain is not None else []

    def size(self) -> dict[str, int]:
        """See ``Book``."""
        tables = self.walker.nft.tables.values()
        rules = sum(len(chain.rules) for table in tables for chain in table.chains.values())
        return {"rules": rules, "entries": sum(len(one.values) for table in tables for one in table.sets.values())}

    def stations(self, hook: str) -> list[dict[str, Any]]:
        """See ``Book``."""
        rows: list[dict[str, Any]] = [
            {
                "id": f"{table.family} {table.name}/{chain.name}",
                "name": chain.name,
                "type": chain.type,
                "priority": chain.priority,
                "rules": len(chain.rules),
                "policy": chain.policy.upper(),
            }
            for table, chain in self.walker.bases(hook)
        ]
        if hook in ("PREROUTING", "OUTPUT"):
            rows.append(CONNTRACK)
        return sorted(rows, key=lambda row: row["priority"])

    def station(self, step: Step) -> str:
        """The base chain that the way is in: steps are asked for in order."""
        found = self.bases.get((step.hook, step.table, step.chain))
        if found is not None:
            self._current = (step.hook, found)
        return self._current[1] if self._current[0] == step.hook else ""

    def index(self, step: Step) -> int:
        """By line."""
        rules = self._rules(step)
        return next((at for at, rule in enumerate(rules) if rule.line == step.line), len(rules))

    def text(self, step: Step, index: int) -> tuple[int, str]:
        """As listed."""
        rules = self._rules(step)
        return (rules[index].line, rules[index].text) if index < len(rules) else (step.line, step.rule)

    def comment(self, step: Step, index: int) -> str:
        """nft's comments stay in the text."""
        return ""

    def excerpt(self, step: Step, index: int, around: int) -> list[dict[str, Any]]:
        """See ``Book``."""
        return _excerpt(self, step, index, around, len(self._rules(step)))

    def asks(self, step: Step, index: int, flow: Flow) -> list[Ask]:
        """See ``Book``; all comparisons of the rule, also those that the kernel leaves out once one has failed."""
        rules, table = self._rules(step), self._table(step)
        found: list[Ask] = []
        if table is None or index >= len(rules):
            return found
        for statement in rules[index].statements:
            match statement:
                case nft.Match():
                    held = self.walker.answer(table, statement, flow, step.hook)
                    want = f"@{statement.named}" if statement.named else _values(statement.values)
                    key, have = _keys(statement.keys), self.walker.seen(statement.keys, flow, step.hook)
                    found.append(
                        Ask("key", want, have, statement.op == "!=", None if held is None else float(held), key)
                    )
                case nft.VerdictMap():
                    verdict = self.walker.found(table, statement, flow, step.hook)
                    have = self.walker.seen(statement.keys, flow, step.hook)
                    named = table.sets.get(statement.named)
                    size = len(named.values) if named is not None else len(statement.values)
                    held = None if verdict is None else float(bool(verdict))
                    found.append(
                        Ask("map", f"@{statement.named}" if statement.named else "", have, False, held, str(size))
                    )
                case nft.Flags(mask=mask, wanted=wanted, negate=negate):
                    want = " ".join(filter(None, (",".join(mask), ",".join(wanted)))).upper()
                    found.append(Ask("flags", want, "SYN", negate, float(flags_hold(statement, flow))))
                case nft.Chance(share) if share < 1.0:
                    found.append(Ask("chance", f"{share:.9g}", "", False, share))
                case nft.Numgen():
                    found.append(Ask("draw", str(statement.modulus), "", False, 1.0))
                case nft.Unknown():
                    found.append(Ask("other", statement.text, "", False, None))
                case _:
                    pass
        return found


def _keys(keys: tuple[nft.Key, ...]) -> str:
    return " . ".join(" ".join(key.words) for key in keys)


def _values(values: tuple[nft.Value, ...]) -> str:
    told = [" . ".join(value) for value in values]
    return told[0] if len(told) == 1 else "{ " + ", ".join(told) + " }"
