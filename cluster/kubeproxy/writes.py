"""What one sync hands to the node's kernel, and what it does to the tables there once somebody looks.

A write is plain data: options, and the rules of every service port as the rulebook has them (shared, never copied). So a thousand nodes
whose tables nobody reads cost next to nothing; the text is made, and read by the kernel's model, at the first look.

In: ``NodeTables`` → out: the same, with the mode's rules as the sync left them. What other modes left there stays, except what
``Cleanup`` takes away: a kube-proxy that starts in an iptables-based mode removes nftables' table and one in nftables mode the chains of
iptables and IPVS. iptables and IPVS modes never clean up after each other: their rules stay until somebody flushes them.

Upstream: cmd/kube-proxy/app/server_linux.go (``platformCleanup``), pkg/proxy/iptables/proxier.go (``CleanupLeftovers``), 1.32.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from msgspec import Struct, structs

from cluster.kubeproxy import graceful
from cluster.kubeproxy.change_tracker import PortName
from cluster.kubeproxy.modes import iptables, ipvs, mode_named, nftables, written_whole
from cluster.kubeproxy.options import ProxyOptions
from cluster.netfilter.errors import ParseError
from cluster.netfilter.hooks import BUILTIN
from cluster.netfilter.nft_parse import parse_nft
from cluster.netfilter.nft_syntax import keep_seen
from cluster.netfilter.node_tables import Connections, NodeTables
from cluster.netfilter.parse import parse_rule, restore
from cluster.netfilter.tables import Ruleset

SERVICE_CHAINS = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-", "KUBE-FW-", "KUBE-EXT-")
GONE_NAT = (
    "KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ",
)  # fmt: skip
GONE_FILTER = (
    "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-NODEPORTS", "KUBE-NODE-PORT", "KUBE-IPVS-FILTER",
    "KUBE-IPVS-OUT-FILTER", "KUBE-SOURCE-RANGES-FIREWALL", "KUBE-PROXY-FIREWALL",
)  # fmt: skip
IPVS_SYSCTL = {f"net.ipv4.vs.{name}": "1" for name in ("conntrack", "expire_nodest_conn", "expire_quiescent_template")}
STRICT_ARP = {"net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2"}
IPTABLES_BASED = ("iptables", "ipvs", "userspace")


class Write(Struct, frozen=True):
    """What all writes share. ``mode``: of the kube-proxy that wrote."""

    mode: str

    @property
    def eager(self) -> bool:
        """Whether it is applied as it comes: what it does depends on the connections of that moment."""
        return False

    def covers(self, earlier: Any) -> bool:
        """Whether this one makes the ``earlier`` one's result irrelevant."""
        return False

    def after(self, earlier: Any) -> "Write":
        """The two as one."""
        return self

    def apply(self, tables: NodeTables, connections: Connections) -> None:
        """Write it."""
        raise NotImplementedError


class TablesWrite(Write, frozen=True):
    """A mode that writes iptables: ``names`` in order, ``ports`` by name. ``full``: also what a full sync looks after."""

    options: ProxyOptions
    names: tuple[PortName, ...]
    ports: Mapping[PortName, Any]
    full: bool

    def covers(self, earlier: Any) -> bool:
        return type(earlier) is TablesWrite and earlier.mode == self.mode

    def after(self, earlier: Any) -> "TablesWrite":
        """The two as one."""
        return TablesWrite(self.mode, self.options, self.names, self.ports, self.full or earlier.full)

    def apply(self, tables: NodeTables, connections: Connections) -> None:
        """Write it."""
        mode, ruleset = mode_named(self.mode), tables.ruleset
        ports, known = self.ports, {} if self.full else tables.known
        if self.full:
            if self.options.loopback_nodeports():
                tables.sysctl["net.ipv4.conf.all.route_localnet"] = "1"
            restore(ruleset, mode.canaries())
            _ensure_jumps(ruleset, mode)
        try:
            self._write(tables, mode, ports, known)
        except (
            ParseError
        ):  # somebody took chains away: the restore fails; the full one follows at once, not a sync period later
            if self.full:
                raise
            structs.replace(self, full=True).apply(tables, connections)

    def _write(
        self, tables: NodeTables, mode: ModuleType, ports: Mapping[PortName, Any], known: Mapping[PortName, Any]
    ) -> None:
        ruleset = tables.ruleset
        written = [ports[name] for name in self.names if known.get(name) is not ports[name]]
        kept = {chain for rules in ports.values() for chain, _ in rules.chains}
        there = ruleset.table("nat")
        if (
            self.full
        ):  # it reads the tables first, and finds what a dead kube-proxy left (the real one does at every sync)
            stale = sorted(chain for chain in there if chain.startswith(SERVICE_CHAINS) and chain not in kept)
        else:
            gone = [rules for name, rules in known.items() if ports.get(name) is not rules]
            stale = sorted({chain for rules in gone for chain, _ in rules.chains} - kept)
            stale = [chain for chain in stale if chain in there]
        restore(ruleset, mode.restore_input(self.options, [ports[name] for name in self.names], written, stale))
        tables.known = dict(ports)


class NftablesWrite(Write, frozen=True):
    """nftables mode: what the table is made from."""

    options: ProxyOptions
    ports: Mapping[PortName, Any]

    def covers(self, earlier: Any) -> bool:
        return type(earlier) is NftablesWrite

    def apply(self, tables: NodeTables, connections: Connections) -> None:
        """Make the table anew; other tables stay, and what packets put into its sets."""
        text = nftables.table_text(dict(self.ports), self.options)
        made = parse_nft(text)
        for key, table in made.tables.items():
            keep_seen(tables.nft.tables.get(key), table)
            tables.nft.tables[key] = table


class WholeWrite(Write, frozen=True):
    """IPVS and userspace mode: rules, sets and virtual servers, written as a whole."""

    options: ProxyOptions
    ports: Mapping[PortName, Any]

    @property
    def eager(self) -> bool:
        return self.mode == "ipvs"

    def covers(self, earlier: Any) -> bool:
        return type(earlier) is WholeWrite and earlier.mode == self.mode

    def apply(self, tables: NodeTables, connections: Connections) -> None:
        """Its own chains are replaced, its jumps ensured, its sets and virtual servers brought up to date; all others stay."""
        made, ruleset = mode_named(self.mode).kernel_of(dict(self.ports), self.options), tables.ruleset
        for table, chains in made.tables.items():
            there = ruleset.table(table)
            for name, chain in chains.items():
                if name not in BUILTIN.get(table, ()):
                    there[name] = chain
                    continue
                missing = [rule for rule in chain.rules if rule not in there[name].rules]
                there[name].rules[:0] = missing
                there[name].lines = []
        if made.ipvs is None:
            return
        ruleset.sets.update(made.sets)
        kernel, given = ruleset.ipvs, self.options.ipvs_timeouts
        if kernel is None:
            kernel = ruleset.ipvs = made.ipvs
        else:
            graceful.bring(kernel, made.ipvs, connections, self.options.exclude_cidrs)
        kernel.timeouts = tuple(new or old for new, old in zip(given, kernel.timeouts, strict=True))
        tables.sysctl |= IPVS_SYSCTL | (STRICT_ARP if self.options.strict_arp else {})
        tables.known = {}


class Sweep(Write, frozen=True):
    """IPVS mode, every minute: real servers whose last connection is over are taken away."""

    @property
    def eager(self) -> bool:
        return True

    def apply(self, tables: NodeTables, connections: Connections) -> None:
        """Look through the list."""
        if tables.ruleset.ipvs is not None:
            graceful.sweep(tables.ruleset.ipvs, connections)


class Cleanup(Write, frozen=True):
    """What a kube-proxy that starts in ``mode`` takes away."""

    def apply(self, tables: NodeTables, connections: Connections) -> None:
        """Take it away."""
        if self.mode in IPTABLES_BASED:
            for key in [key for key in tables.nft.tables if key[1] == "kube-proxy"]:
                del tables.nft.tables[key]
            return
        _remove_iptables(tables.ruleset)
        tables.ruleset.sets, tables.ruleset.ipvs = {}, None
        tables.known = {}


def _ensure_jumps(ruleset: Ruleset, mode: ModuleType) -> None:
    """``EnsureRule`` with Prepend for every jump from a built-in chain that isn't there."""
    plan: list[tuple[str, str]] = []
    table = ""
    for line in mode.base_jumps().splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            if ruleset.chain(table, line[1:].split()[0]) is None:
                restore(ruleset, f"*{table}\n{line}\nCOMMIT\n")
        elif line.startswith("-A "):
            plan.append((table, line))
    for table, line in reversed(plan):
        _, chain, words = line.split(" ", 2)
        rule = parse_rule(words)
        found = ruleset.table(table).get(chain)
        if found is None or rule not in found.rules:
            restore(ruleset, f"*{table}\n-I {chain} 1 {words}\nCOMMIT\n")


def _remove_iptables(ruleset: Ruleset) -> None:
    """``CleanupLeftovers`` of iptables and of IPVS: jumps, then chains that are left without one."""
    gone = {"nat": GONE_NAT, "filter": GONE_FILTER}
    for jumps in (iptables.BASE_JUMPS, ipvs.BASE_JUMPS):
        for table, lines in jumps.items():
            chains = ruleset.table(table)
            for line in lines:
                _, chain, words = line.split(" ", 2)
                rule = parse_rule(words)
                if "KUBE-FIREWALL" not in words and rule in chains[chain].rules:
                    chains[chain].rules.remove(rule)
                    chains[chain].counters.pop(rule, None)
                    chains[chain].lines = []
    for table, names in gone.items():
        chains = ruleset.table(table)
        for chain in list(chains):
            if chain in names or (table == "nat" and chain.startswith(SERVICE_CHAINS)):
                del chains[chain]


def write_of(mode: str, options: ProxyOptions, state: Any, full: bool) -> TablesWrite | NftablesWrite | WholeWrite:
    """The write of the sync that ``state`` (a ``ProxyState``) has just made."""
    if written_whole(mode_named(mode)):
        ports = {name: chosen for found in state.chosen.values() for name, chosen in found.items()}
        return (NftablesWrite if mode == "nftables" else WholeWrite)(mode, options, ports)
    return TablesWrite(mode, options, tuple(state.book.names), dict(state.book.ports), full)
