"""Reads rule text: any ``iptables-save``, and what ``iptables-restore`` is fed.

``restore(ruleset, text)`` applies a restore input to tables as ``iptables-restore --noflush`` does; ``parse_save(text)`` reads a whole save into
a fresh ``Ruleset`` that knows the line of every rule.

Errors: ``ParseError`` names the line. An unknown match or target is not an error here, it becomes an ``UnknownMatch`` or
``UnknownTarget``: whether it matters is for the walk to say.

Simplified here: a table's changes are applied line by line after the whole text was checked to parse, where the real tool
commits table by table. ``-R``, ``-Z``, ``-E`` are refused.

Upstream: iptables/iptables-restore.c.
"""

import re

from cluster.netfilter.addresses import address_number, parse_net
from cluster.netfilter.errors import ParseError
from cluster.netfilter.hooks import BUILTIN
from cluster.netfilter.rule_reader import parse_rule
from cluster.netfilter.rules import Jump, Rule
from cluster.netfilter.tables import Chain, Ruleset

__all__ = ["ParseError", "address_number", "parse_net", "parse_rule", "parse_save", "restore"]

_COUNTERS = re.compile(r"^\[(\d+):(\d+)\]\s*")


def restore(ruleset: Ruleset, text: str, *, noflush: bool = True, lines: bool = False) -> None:
    """Apply ``iptables-restore`` input. ``lines``: remember at which line each rule stood. ParseError: nothing was changed."""
    plan: list[tuple[int, str, str, str, object]] = []
    table = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line[0] == "#":
            continue
        if line[0] == "*":
            table = line[1:].strip()
            if table not in BUILTIN:
                raise ParseError(number, f"unknown table {table!r}")
            plan.append((number, "*", table, "", None))
        elif line == "COMMIT":
            table = ""
        elif not table:
            raise ParseError(number, "a rule outside of a table (no *table line before it)")
        elif line[0] == ":":
            words = line[1:].split()
            if not words:
                raise ParseError(number, "a chain without a name")
            plan.append((number, ":", table, words[0], words[1] if len(words) > 1 else "-"))
        else:
            plan.append((number, *_command(number, table, _COUNTERS.sub("", line))))
    _check_jumps(ruleset, plan, noflush)
    for number, op, table_name, chain, argument in plan:
        _apply(ruleset, number if lines else 0, op, table_name, chain, argument, noflush)


def _command(number: int, table: str, line: str) -> tuple[str, str, str, object]:
    op, _, rest = line.partition(" ")
    chain, _, rest = rest.strip().partition(" ")
    if not chain and op not in ("-F", "--flush", "-X", "--delete-chain"):
        raise ParseError(number, f"{op!r} without a chain")
    try:
        match op:
            case "-A" | "--append":
                return "-A", table, chain, parse_rule(rest.strip())
            case "-I" | "--insert":
                first, _, more = rest.strip().partition(" ")
                at = int(first) if first.isdigit() else 1
                return "-I", table, chain, (at, parse_rule(more if first.isdigit() else rest.strip()))
            case "-D" | "--delete":
                return "-D", table, chain, parse_rule(rest.strip())
            case "-F" | "--flush" | "-X" | "--delete-chain" | "-N" | "--new-chain":
                return {"--flush": "-F", "--delete-chain": "-X", "--new-chain": "-N"}.get(op, op), table, chain, None
            case "-P" | "--policy":
                return ":", table, chain, rest.strip()
            case _:
                raise ParseError(number, f"unknown command {op!r}")
    except ParseError:
        raise
    except ValueError as error:
        raise ParseError(number, str(error)) from None


def _check_jumps(ruleset: Ruleset, plan: list[tuple[int, str, str, str, object]], noflush: bool) -> None:
    """Every chain named must exist in its table, as the kernel demands."""
    known: dict[tuple[str, str], bool] = {}
    emptied: set[str] = set()
    """Tables that lost all of a user's chains on the way."""
    for number, op, table, chain, argument in plan:
        if op in (":", "-N"):
            known[table, chain] = True
        if op == "*" and not noflush:
            emptied.add(table)
            known = {place: there for place, there in known.items() if place[0] != table}
        if op in ("*", ":", "-N"):
            continue
        rule = argument[1] if op == "-I" else argument  # type: ignore[index]
        target = rule.target.chain if isinstance(rule, Rule) and isinstance(rule.target, Jump) else ""
        for name in (chain, target):
            if not name or name in BUILTIN[table]:
                continue
            before = noflush and table not in emptied and ruleset.chain(table, name) is not None
            if not known.get((table, name), before):
                raise ParseError(number, f"no chain {name!r} in table {table}")
        if op == "-X" and chain:
            known[table, chain] = False
        elif op == "-X":
            emptied.add(table)
            known = {place: there for place, there in known.items() if place[0] != table}


def _apply(ruleset: Ruleset, number: int, op: str, table: str, name: str, argument: object, noflush: bool) -> None:
    if op == "*":
        if not noflush:
            ruleset.tables.pop(table, None)
        ruleset.table(table)
        return
    chains = ruleset.table(table)
    chain = chains.get(name)
    match op:
        case ":":
            if chain is None:
                chains[name] = Chain(str(argument))
            elif name in BUILTIN[table]:
                chain.policy = str(argument) if argument != "-" else chain.policy
            else:  # --noflush still flushes a user's chain that is declared
                chain.flush()
        case "-N":
            chains.setdefault(name, Chain())
        case "-X":
            for gone in [name] if name else [c for c in chains if c not in BUILTIN[table]]:
                chains.pop(gone, None)
        case "-F":
            for emptied in [chain] if chain is not None else chains.values():
                emptied.flush()
        case "-A":
            assert chain is not None and isinstance(argument, Rule)
            chain.rules.append(argument)
            if number:
                chain.lines.append(number)
        case "-I":
            assert chain is not None and isinstance(argument, tuple)
            chain.rules.insert(argument[0] - 1, argument[1])
            if number:
                chain.lines.insert(argument[0] - 1, number)
        case _:
            assert chain is not None and isinstance(argument, Rule)
            if argument in chain.rules:
                at = chain.rules.index(argument)
                del chain.rules[at]
                del chain.lines[at : at + 1]
                chain.counters.pop(argument, None)


def parse_save(text: str, family: int = 4) -> Ruleset:
    """A whole ``iptables-save`` (or restore input) as tables that remember their lines."""
    ruleset = Ruleset(family)
    restore(ruleset, text, noflush=True, lines=True)
    return ruleset
