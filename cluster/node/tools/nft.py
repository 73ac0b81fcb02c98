"""``nft``: ``list ruleset|tables|table|chain``, ``flush ruleset|table``, ``delete table``, ``-f -`` and commands as words.

What iptables (nf_tables flavour) wrote is in the same kernel, but is listed by iptables here: ``nft list ruleset`` shows nft's own tables.

Upstream: nftables 1.0.6 (texts).
"""

import re
from typing import Any

from msgspec import structs

from cluster.netfilter.errors import ParseError
from cluster.netfilter.nft_parse import parse_nft
from cluster.netfilter.nft_render import list_ruleset
from cluster.netfilter.nft_syntax import Nft, keep_seen
from cluster.node.tools import Printed

NAMES = ("nft",)


def run(kernel: Any, words: list[str], stdin: str, now: int) -> Printed:
    nft: Nft = kernel.state.tables.current().nft
    rest = [word for word in words[1:] if word not in ("-n", "-nn", "-a", "-s", "--stateless", "--handle")]
    printed = _run(nft, rest, stdin, now)
    if {"-s", "--stateless"} & set(words):
        printed.out = re.sub(r"counter packets \d+ bytes \d+", "counter", printed.out)
    return printed


def _run(nft: Nft, rest: list[str], stdin: str, now: int) -> Printed:
    if rest and rest[0] in ("-v", "--version"):
        return Printed("nftables v1.0.6 (Lester Gooch #5)\n")
    if rest and rest[0] == "-f":
        return _load(nft, stdin)
    line = " ".join(rest)
    match rest:
        case ["list", "ruleset", *family]:
            return Printed(list_ruleset(_of(nft, family), now))
        case ["list", "tables", *family]:
            return Printed("".join(f"table {key[0]} {key[1]}\n" for key in _of(nft, family).tables))
        case ["list", "table", *named]:
            return _table(nft, named, line, now)
        case ["list", "chain" | "map" | "set" as kind, *named] if len(named) >= 2:
            return _part(nft, kind, named, line, now)
        case ["flush", "ruleset", *family]:
            gone = list(_of(nft, family).tables)
            for key in gone:
                del nft.tables[key]
            return Printed(flushed=["nftables"] if gone else [])
        case ["flush", "table", *named]:
            found = _key(nft, named)
            if found is None:
                return _missing(line, named)
            for chain in nft.tables[found].chains.values():
                chain.rules = []
            return Printed(flushed=["nftables"])
        case ["delete" | "destroy", "table", *named]:
            found = _key(nft, named)
            if found is None:
                return Printed() if rest[0] == "destroy" else _missing(line, named)
            del nft.tables[found]
            return Printed(flushed=["nftables"])
        case ["add" | "insert" | "create", *_]:
            return _load(nft, line)
        case []:
            return Printed(err="Usage: nft [ options ] [ cmds... ]\n", code=1)
    word = rest[0]
    return Printed(
        err=f"Error: {line!r} is not simulated: list, flush, delete, add, -f -\n{line}\n{'^' * len(word)}\n", code=1
    )


def _of(nft: Nft, family: list[str]) -> Nft:
    return Nft({key: table for key, table in nft.tables.items() if not family or key[0] == family[0]})


def _key(nft: Nft, named: list[str]) -> tuple[str, str] | None:
    key = (named[0], named[1]) if len(named) > 1 else ("ip", named[0] if named else "")
    return key if key in nft.tables else None


def _missing(line: str, named: list[str]) -> Printed:
    name = named[-1] if named else ""
    at = len(line) - len(name)
    return Printed(err=f"Error: No such file or directory\n{line}\n{' ' * at}{'^' * len(name)}\n", code=1)


def _table(nft: Nft, named: list[str], line: str, now: int) -> Printed:
    found = _key(nft, named)
    return Printed(list_ruleset(Nft({found: nft.tables[found]}), now)) if found is not None else _missing(line, named)


def _part(nft: Nft, kind: str, named: list[str], line: str, now: int) -> Printed:
    found, name = _key(nft, named[:-1]), named[-1]
    table = nft.tables.get(found) if found is not None else None
    if found is None or table is None or name not in (table.chains if kind == "chain" else table.sets):
        return _missing(line, named)
    chains = {name: table.chains[name]} if kind == "chain" else {}
    sets = {} if kind == "chain" else {name: table.sets[name]}
    return Printed(list_ruleset(Nft({found: structs.replace(table, chains=chains, sets=sets, comment="")}), now))


def _load(nft: Nft, text: str) -> Printed:
    """Commands: applied to a copy first, so that a wrong one changes nothing."""
    try:
        made = parse_nft(list_ruleset(nft) + text + "\n")
    except ParseError as error:
        return Printed(err=f"Error: {error}\n", code=1)
    before = set(nft.tables)
    for key, table in made.tables.items():
        keep_seen(nft.tables.get(key), table)
    nft.tables = made.tables
    return Printed(flushed=["nftables"] if before - set(made.tables) else [])
