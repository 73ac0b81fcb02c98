"""One case on the real kernel: load, read back, packets. Every disagreement is a line of text; none means agreement.

Flavours: ``legacy`` and ``nft`` (iptables by either kernel interface), ``nftables`` (kube-proxy's own table).
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cluster.kubeproxy.offline import is_nft, proxyrules
from cluster.kubeproxy.options import ProxyOptions
from cluster.netfilter import Ruleset, Walker, parse_save, restore, save
from cluster.netfilter.ipset import IpSet, apply_line, save_sets
from cluster.netfilter.nft_parse import parse_nft
from cluster.netfilter.nft_render import list_ruleset
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.passage import Leaf, Step, Walk
from cluster.netfilter.walk import as_json
from cluster.wire.packet import Packet
from tests.kernel.room import LONG_PATIENCE, PATIENCE, REFUSAL_PATIENCE, Room, Tried

TRIES = 80
COUNTED = re.compile(r"^\[(\d+):(\d+)\] ")
FIRST = {("tcp", 4): 60, ("tcp", 6): 80, ("udp", 4): 29, ("udp", 6): 49}
"""Bytes of a connection's first packet, as this kernel and the room send it."""


@dataclass(frozen=True)
class Row:
    """A connection to try."""

    src: str
    dst: str
    protocol: str
    port: int


@dataclass
class Report:
    """What was compared, and what disagreed."""

    packets: int = 0
    rules: int = 0
    skipped: int = 0
    untold: int = 0
    """Packets whose end cannot be told from ``nft list ruleset``, which leaves out the options of some of iptables' extensions."""
    wrong: list[str] = field(default_factory=list)


def check(
    room: Room, rules: str, flavours: Iterable[str], rows: list[Row], options: ProxyOptions, report: Report, name: str
) -> None:
    """Load ``rules`` in every flavour, and compare."""
    for flavour in flavours:
        try:
            check_one(room, rules, flavour, rows, options, report, f"{name} ({flavour})")
        except RuntimeError as refused:
            report.wrong.append(f"{name} ({flavour}): the kernel refused: {refused}")


def check_one(
    room: Room, rules: str, flavour: str, rows: list[Row], options: ProxyOptions, report: Report, name: str
) -> None:
    """One flavour."""
    if flavour == "ipvs":
        _check_ipvs(room, rules, options, report, name)
        return
    if flavour == "nftables":
        room.tool("nft", "-f", "-", given="flush ruleset\n" + rules)
        text = room.tool("nft", "list", "ruleset")
        ours = list_ruleset(parse_nft(rules))
        report.rules += rules.count("\nadd rule ") or rules.count("\n\t\t")
        if text != ours and "\nadd rule " in rules:  # (a listing of any rules need not be printed, only read)
            report.wrong.append(f"{name}: listed otherwise than we print it: {_first_difference(text, ours)}")
        affinity = [
            " ".join(line.split()[2:5])
            for line in rules.splitlines()
            if line.startswith("add set") and "affinity-" in line
        ]
        walker: Walker | NftWalker = NftWalker(parse_nft(text), room.node_ips)
        for row in rows:
            _packet(room, walker, None, row, report, name, affinity)
        room.tool("nft", "flush", "ruleset")
        return
    tool = f"ip{'6' if options.family == 6 else ''}tables-{flavour}"
    room.tool(f"{tool}-restore", given=EMPTY)
    room.tool(f"{tool}-restore", "--noflush", "--counters", given=rules)
    text = _saved(room, tool)
    model = Ruleset(options.family)
    restore(model, EMPTY)
    restore(model, rules)
    ours = save(model)
    report.rules += rules.count("\n-A ")
    if _tables(text) != _tables(ours):
        report.wrong.append(f"{name}: saved otherwise than we print it: {_first_difference(*_shown(text, ours))}")
    walker = Walker(parse_save(text, options.family), room.node_ips, bridge_in="")
    listed = NftWalker(parse_nft(room.tool("nft", "list", "ruleset")), room.node_ips) if flavour == "nft" else None
    for row in rows:
        _packet(room, walker, tool, row, report, name, [], listed)
    room.tool(f"{tool}-restore", given=EMPTY)


def _check_ipvs(room: Room, rules: str, options: ProxyOptions, report: Report, name: str) -> None:
    """IPVS's sets and iptables rules: accepted, and read back as we print them. What asks IPVS itself is left out."""
    lines = rules.splitlines()
    members = [line for line in lines if line.startswith(("create ", "add "))]
    tables = lines[lines.index(next(line for line in lines if line.startswith("*"))) :]
    tables = [
        line
        for line in tables
        if line.startswith(("*", ":", "COMMIT")) or (line.startswith("-A KUBE") or " -j KUBE" in line)
    ]
    text = "\n".join(line for line in tables if "-m ipvs" not in line) + "\n"
    room.tool("ipset", "restore", given="\n".join(members) + "\n")
    sets: dict[str, IpSet] = {}
    for number, line in enumerate(members, 1):
        apply_line(sets, number, line)
    held = re.sub(r" bucketsize \d+ initval \S+", "", room.tool("ipset", "save"))
    report.rules += len(members)
    if sorted(held.splitlines()) != sorted(save_sets(sets).splitlines()):
        report.wrong.append(f"{name}: the kernel holds other sets than we print")
    for tool in [f"ip{'6' if options.family == 6 else ''}tables-{flavour}" for flavour in ("nft", "legacy")]:
        room.tool(f"{tool}-restore", given=EMPTY)
        room.tool(f"{tool}-restore", "--noflush", given=text)
        model = Ruleset(options.family)
        restore(model, EMPTY)
        restore(model, text)
        theirs, ours = _saved(room, tool), save(model)
        report.rules += text.count("\n-A ")
        if _tables(theirs) != _tables(ours):
            report.wrong.append(f"{name}: saved otherwise than we print it: {_first_difference(*_shown(theirs, ours))}")
        room.tool(f"{tool}-restore", given=EMPTY)
    room.tool("ipset", "destroy")


EMPTY = "".join(
    f"*{table}\n" + "".join(f":{chain} ACCEPT [0:0]\n" for chain in chains) + "COMMIT\n"
    for table, chains in (
        ("mangle", ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")),
        ("filter", ("INPUT", "FORWARD", "OUTPUT")),
        ("nat", ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING")),
    )
)


def _saved(room: Room, tool: str, *flags: str) -> str:
    lines = room.tool(f"{tool}-save", *flags).splitlines()
    return "\n".join(line for line in lines if not line.startswith("#")) + "\n"


def _tables(text: str) -> dict[str, tuple[list[str], list[str]]]:
    """Table → (chains, rules in order); counters are left out."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
            found[table] = [], []
        elif line.startswith(":"):
            found[table][0].append(" ".join(line.split()[:2]))
        elif line.startswith("-A"):
            found[table][1].append(line)
    return {
        table: (sorted(chains), _by_chain(rules))
        for table, (chains, rules) in found.items()
        if table in ("filter", "nat", "mangle", "raw")
    }


def _by_chain(rules: list[str]) -> list[str]:
    return sorted(rules, key=lambda line: line.split()[1])  # a stable sort: order within a chain counts


def _shown(*texts: str) -> list[str]:
    return ["\n".join(line for table in sorted(found) for line in found[table][1]) for found in map(_tables, texts)]


def _first_difference(theirs: str, ours: str) -> str:
    for one, other in zip(theirs.splitlines(), ours.splitlines(), strict=False):
        if one != other:
            return f"{one!r} is {other!r} with us"
    return f"{len(theirs.splitlines())} lines, {len(ours.splitlines())} with us"


# -- packets --------------------------------------------------------------------------------------------------------------


def _packet(
    room: Room,
    walker: Walker | NftWalker,
    tool: str | None,
    row: Row,
    report: Report,
    name: str,
    affinity: list[str],
    listed: NftWalker | None = None,
) -> None:
    """Send the row's packets and compare. ``listed``: the same tables as ``nft list ruleset`` shows them, walked as well."""
    walk = walker.walk(Packet(row.src, row.dst, row.protocol, 40000, row.port))
    reached = set(walk.endpoints) if walk.verdict == "DNAT" else set()
    if tool is not None:
        for table in ("nat", "filter"):
            room.tool(tool, "-t", table, "-Z")
    first = REFUSAL_PATIENCE if walk.verdict == "REJECT" else PATIENCE
    patience = (first, LONG_PATIENCE) if reached or walk.verdict == "REJECT" else (first,)  # (else no answer is right)
    tries = TRIES if reached else 1
    tried = room.connect(row.src, row.dst, row.port, row.protocol, reached, tries, patience, affinity)
    if "unsupported" in tried.outcomes:
        report.skipped += 1
        return
    report.packets += 1
    where = f"{name}: {row.src} to {row.dst}:{row.port}/{row.protocol}"
    report.wrong += [f"{where}: {what}" for what in _compare(walk, tried)]
    if listed is not None:
        again = listed.walk(Packet(row.src, row.dst, row.protocol, 40000, row.port))
        if again.unknown:
            report.untold += 1
        else:
            report.wrong += [f"{where}, as nft lists it: {what}" for what in _compare(again, tried)]
    if tool is not None and isinstance(walker, Walker):
        # (with draws on the way and nobody at its end a single try says little)
        complete = reached <= set(tried.seen) and bool(reached or len(walk.leaves) == 1)
        report.wrong += [f"{where}: {what}" for what in _counters(room, tool, walk, complete, tried, row)]


def _compare(walk: Walk, tried: Tried) -> list[str]:
    """The answer and the source seen."""
    got = f"the kernel gave {', '.join(tried.seen) or ', '.join(tried.outcomes)}"
    if walk.verdict == "DNAT":
        if set(tried.seen) != set(walk.endpoints) or set(tried.outcomes) != {"answered"}:
            return [f"we say {', '.join(walk.endpoints)}, {got} ({tried.outcomes})"]
        sources = {leaf.endpoint: set[str]() for leaf in walk.leaves}
        for leaf in walk.leaves:
            sources[leaf.endpoint].add(leaf.packet.src)
        return [
            f"the source at {place} is {seen}, we say {sources[place]}"
            for place, seen in tried.seen.items()
            if seen != sources[place]
        ]
    wanted = {"REJECT": {"refused", "unreachable", "not permitted"}, "DROP": {"timeout", "not permitted"}}.get(
        walk.verdict
    )
    if wanted is not None:
        return [] if set(tried.outcomes) <= wanted else [f"we say {walk.verdict}, {got}"]
    if walk.verdict in ("ACCEPT", "NONE"):  # nobody answers for an address but its owner
        sent = walk.leaves[0].packet
        return [f"we say {walk.verdict}, {got}" for place in tried.seen if sent.dst not in place]
    return [f"we cannot tell ({', '.join(walk.unknown)}), {got}"]


def _counters(room: Room, tool: str, walk: Walk, complete: bool, tried: Tried, row: Row) -> list[str]:
    """The rules of ``nat`` that counted are those on our ways, as often and as much as connections went there; refusing rules of ``filter``
    counted only where we say so."""
    counted: dict[int, int] = {}
    weighed: dict[int, int] = {}
    kind: dict[int, tuple[str, str]] = {}
    table = ""
    for number, line in enumerate(_saved(room, tool, "-c").splitlines(), 1):
        if line.startswith("*"):
            table = line[1:]
        found = COUNTED.match(line)
        if found and int(found[1]):
            counted[number], weighed[number] = int(found[1]), int(found[2])
        kind[number] = table, line
    ours = {step.line for step in walk.steps if step.table == "nat" and step.line}
    theirs = {number for number in counted if kind[number][0] == "nat"}
    wrong = []
    if theirs - ours or (complete and ours - theirs):
        odd = sorted(theirs - ours or ours - theirs)[0]
        who = "counted, but is not on our way" if odd in theirs else "is on our way, but did not count"
        wrong.append(f"{kind[odd][1]} {who}")
    if not wrong and set(tried.outcomes) == {"answered"}:  # (what is not answered may be sent again)
        wrong += _amounts(walk, counted, weighed, tried.made, FIRST.get((row.protocol, 6 if ":" in row.dst else 4), 0))
    refusing = {n for n in counted if kind[n][0] == "filter" and re.search(r"-j (DROP|REJECT)", kind[n][1])}
    expected = {s.line for s in walk.steps if s.table == "filter" and s.outcome in ("DROP", "REJECT")}
    if refusing != expected:
        wrong.append(f"refusing rules that counted: {sorted(refusing)}, we say {sorted(expected)}")
    return wrong


def _amounts(walk: Walk, counted: dict[int, int], weighed: dict[int, int], made: int, size: int) -> list[str]:
    """Rules of ``nat`` on every way count every connection, those of all ways to their endpoints together as well, a first packet each."""
    ways = [[step for step in way_to(walk, leaf) if step.table == "nat" and step.line] for leaf in walk.leaves]
    passed = [Counter(step.line for step in way) for way in ways]
    everywhere = {n: times for n, times in passed[0].items() if all(other[n] == times for other in passed)}
    ends = {way[-1].line for way in ([s for s in way if s.outcome.startswith("DNAT")] for way in ways) if way}
    wrong = [
        f"line {n} counted {counted.get(n)} packets of {made} connections"
        for n, times in everywhere.items()
        if counted.get(n) != made * times
    ]
    if ends and sum(counted.get(n, 0) for n in ends) != made:
        wrong.append(
            f"the rules that translate counted {sum(counted.get(n, 0) for n in ends)} packets of {made} connections"
        )
    return wrong + [
        f"line {step.line} counted {weighed[step.line]} bytes in {counted[step.line]} packets of {size}"
        for way in ways
        for step in way
        if size and step.line in counted and weighed[step.line] != counted[step.line] * size
    ]


def way_to(walk: Walk, leaf: Leaf) -> list[Step]:
    """The steps to one end, in order."""
    found, at = [], leaf.last
    while at >= 0:
        found.append(walk.steps[at])
        at = walk.steps[at].after
    return found[::-1]


# -- cases ----------------------------------------------------------------------------------------------------------------


def endpoints_of(rules: str) -> dict[str, set[int]]:
    """Address → ports of every endpoint that a rule text names."""
    found: dict[str, set[int]] = {}
    for place in re.findall(r"(?:--to-destination|dnat (?:ip6? )?to) (\S+)", rules):
        address, _, port = place.rpartition(":")
        if address and port.isdigit():
            found.setdefault(address.strip("[]"), set()).add(int(port))
    return found


def rules_for(objects: str, options: ProxyOptions) -> str:
    """What kube-proxy writes, with the jumps from the built-in chains."""
    return proxyrules(objects, options, jumps=True)


def flavours_of(rules: str) -> tuple[str, ...]:
    """By which tools it can be loaded."""
    if re.search("^create ", rules, re.M):
        return ("ipvs",)
    return ("nftables",) if is_nft(rules) else ("legacy", "nft")


def as_text(walk: Walk) -> Any:
    """For looking at."""
    return as_json(walk)
