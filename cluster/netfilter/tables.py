"""A node's rule tables: table → chain → rules, as the kernel holds them.

``Ruleset`` is plain data and lives in the state of whoever owns the kernel. Rules are shared between nodes (they are frozen); the
lists that hold them are each node's own.

A rule's counters go with its chain: they begin anew when the chain is flushed, as kube-proxy does at each write of a chain, and stay where only
other chains are written.

Simplified here: two equal rules of one chain share their counters. A real table exists once something touched it; here too.
"""

from msgspec import Struct, field

from cluster.netfilter.hooks import BUILTIN, SAVE_ORDER
from cluster.netfilter.ipset import IpSet
from cluster.netfilter.ipvs import Ipvs
from cluster.netfilter.rules import Rule


class Chain(Struct):
    """``policy`` is ACCEPT or DROP for a built-in chain, "-" for a user's. ``lines``: where each rule stood in the text read."""

    policy: str = "-"
    rules: list[Rule] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    counters: dict[Rule | None, list[int]] = field(default_factory=dict)
    """Rule (None: the policy) → [packets, bytes] that it caught; rules that caught none are not in it."""

    def flush(self) -> None:
        """Take all rules out; the policy goes on counting."""
        policy = self.counters.get(None)
        self.rules, self.lines, self.counters = [], [], {None: policy} if policy else {}

    def count(self, rule: Rule | None, size: int) -> None:
        """A packet of ``size`` bytes was caught."""
        held = self.counters.setdefault(rule, [0, 0])
        held[0] += 1
        held[1] += size


class Ruleset(Struct):
    """``family`` 4 or 6. ``tables`` maps table → chain name → chain; ``sets`` are what rules with ``-m set`` ask; ``ipvs``: None without it."""

    family: int = 4
    tables: dict[str, dict[str, Chain]] = field(default_factory=dict)
    sets: dict[str, IpSet] = field(default_factory=dict)
    ipvs: Ipvs | None = None

    def table(self, name: str) -> dict[str, Chain]:
        """The table, made with its built-in chains if nobody touched it yet."""
        chains = self.tables.get(name)
        if chains is None:
            chains = {chain: Chain("ACCEPT") for chain in BUILTIN.get(name, ())}
            self.tables[name] = chains
        return chains

    def chain(self, table: str, chain: str) -> Chain | None:
        """The chain, or None."""
        return self.tables.get(table, {}).get(chain)

    def rule_count(self) -> int:
        """How many rules there are in all tables."""
        return sum(len(chain.rules) for table in self.tables.values() for chain in table.values())


def fresh_ruleset(family: int = 4) -> Ruleset:
    """A node after boot: the three tables kube-proxy touches, empty, everything accepted."""
    ruleset = Ruleset(family)
    for name in ("mangle", "filter", "nat"):
        ruleset.table(name)
    return ruleset


def ordered_tables(ruleset: Ruleset) -> list[str]:
    """Table names in the order they are printed."""
    return [t for t in SAVE_ORDER if t in ruleset.tables] + [t for t in ruleset.tables if t not in SAVE_ORDER]


def ordered_chains(table: str, chains: dict[str, Chain]) -> list[str]:
    """Chain names in the order they are printed: built-in ones in hook order, then a user's by name."""
    builtin = BUILTIN.get(table, ())
    return [c for c in builtin if c in chains] + sorted(c for c in chains if c not in builtin)
