"""Reads nft's language: what ``nft list ruleset`` prints, and scripts of ``add …`` lines as kube-proxy writes them.

In: text → out: ``Nft``: tables of chains (with their rules as lists of statements), sets and maps. Every rule knows its line.

Errors: ``ParseError`` names the line when the text is not nft's language. A match or statement that isn't simulated is no error: it
becomes ``Unknown``, and whether it matters is for the walk to say.

Simplified here: ``define``, ``include``, ``insert … position``, ``replace`` and flowtables are refused or passed over by name; ``delete``
and ``flush`` know tables, chains and sets.

Upstream: nftables src/scanner.l, src/parser_bison.y.
"""

import re

from cluster.netfilter.errors import ParseError
from cluster.netfilter.nft_rule import rule_of
from cluster.netfilter.nft_syntax import (
    FAMILIES,
    PRIORITIES,
    Chain,
    Elements,
    Nft,
    Reader,
    Table,
    pairs,
    tokens,
)


def parse_nft(text: str) -> Nft:
    """All tables of the text. ParseError with the line when it is none."""
    reader, found = Reader(tokens(text)), Nft()
    while True:
        reader.skip_ends()
        if reader.over():
            return found
        _command(reader, found)


def _command(reader: Reader, nft: Nft) -> None:
    line, word = reader.line, reader.take().text
    if word == "table":
        _table(reader, nft)
    elif word in ("add", "create"):
        _add(reader, nft)
    elif word in ("flush", "delete", "destroy"):
        _remove(reader, nft, word)
    else:
        raise ParseError(line, f"{word!r} is not understood here (tables, add, create, flush and delete are)")


def _family(reader: Reader) -> str:
    return reader.take().text if reader.peek() in FAMILIES else "ip"


def _table_of(reader: Reader, nft: Nft, make: bool = False) -> Table:
    line, family = reader.line, _family(reader)
    name = reader.take().text
    table = nft.tables.get((family, name))
    if table is None:
        if not make:
            raise ParseError(line, f"there is no table {family} {name}")
        table = nft.tables[family, name] = Table(family, name)
    return table


def _table(reader: Reader, nft: Nft) -> None:
    table = _table_of(reader, nft, make=True)
    if reader.peek() != "{":
        return
    reader.take()
    while reader.within():
        word = reader.peek()
        if word in ("set", "map"):
            reader.take()
            _set(reader, table.sets.setdefault(reader.take().text, Elements(kind=word)))
        elif word == "chain":
            reader.take()
            name = reader.take().text
            _chain(reader, table.chains.setdefault(name, Chain(name)))
        elif word == "comment":
            table.comment = _comment(reader)
        elif word == "flags":
            table.dormant = any(token.text == "dormant" for token in reader.until_end())
        elif word in ("flowtable", "counter", "quota", "ct", "limit", "secmark", "synproxy", "tunnel"):
            while reader.peek() != "{":
                reader.take()
            reader.skip_block()
        else:
            raise ParseError(reader.line, f"{word or 'a text'!r} is not understood in a table")


def _comment(reader: Reader) -> str:
    line, words = reader.line, reader.until_end()
    if len(words) < 2:
        raise ParseError(line, "a comment without a text")
    return words[1].text


def _add(reader: Reader, nft: Nft) -> None:
    line, what = reader.line, reader.take().text
    if what == "table":
        _table(reader, nft)
    elif what in ("set", "map"):
        table = _table_of(reader, nft)
        _set(reader, table.sets.setdefault(reader.take().text, Elements(kind=what)))
    elif what == "chain":
        table = _table_of(reader, nft)
        name = reader.take().text
        chain = table.chains.setdefault(name, Chain(name))
        if reader.peek() == "{":
            _chain(reader, chain)
    elif what == "rule":
        table = _table_of(reader, nft)
        line, name = reader.line, reader.take().text
        if name not in table.chains:
            raise ParseError(line, f"there is no chain {name}")
        table.chains[name].rules.append(rule_of(reader.until_end(), line))
    elif what == "element":
        table = _table_of(reader, nft)
        line, name = reader.line, reader.take().text
        if name not in table.sets:
            raise ParseError(line, f"there is no set or map {name}")
        _elements(reader, table.sets[name])
    else:
        raise ParseError(line, f"adding a {what!r} is not understood here")


def _remove(reader: Reader, nft: Nft, word: str) -> None:
    line, what = reader.line, reader.take().text
    if what == "ruleset":
        nft.tables.clear()
        return
    table = _table_of(reader, nft, make=True)
    if what == "table":
        if word == "flush":
            for chain in table.chains.values():
                chain.rules.clear()
        else:
            del nft.tables[table.family, table.name]
        return
    name = reader.take().text
    if what == "chain":
        if word == "flush":
            table.chains.setdefault(name, Chain(name)).rules.clear()
        else:
            table.chains.pop(name, None)
    elif what in ("set", "map"):
        if word == "flush":
            flushed = table.sets.setdefault(name, Elements(kind=what))
            flushed.values, flushed.comments, flushed.index = {}, {}, None
        else:
            table.sets.pop(name, None)
    elif what == "element":
        gone = Elements()
        _elements(reader, gone)
        kept = table.sets.get(name, gone)
        kept.index = None
        for value in list(gone.values):
            kept.values.pop(value, None)
    else:
        raise ParseError(line, f"{word} {what!r} is not understood here")


def _set(reader: Reader, found: Elements) -> None:
    reader.expect("{")
    while reader.within():
        word = reader.take().text
        if word == "elements":
            reader.expect("=")
            _elements(reader, found)
        else:
            rest = " ".join(f'"{token.text}"' if token.quoted else token.text for token in reader.until_end())
            found.head.append(f"{word} {rest}".replace(" , ", ","))


def _elements(reader: Reader, found: Elements) -> None:
    reader.expect("{")
    for value, mapped in pairs(reader, found.comments):
        found.values[value] = mapped
    found.index = None


def _chain(reader: Reader, chain: Chain) -> None:
    reader.expect("{")
    while reader.within():
        line, word = reader.line, reader.peek()
        if word == "type" and reader.peek(2) == "hook":
            reader.take()
            chain.type = reader.take().text
            reader.take()
            chain.hook = reader.take().text
            rest = [token.text for token in reader.until_end()]
            if "priority" in rest:
                chain.priority = _priority(rest[rest.index("priority") + 1 :], line)
        elif word == "policy":
            reader.take()
            chain.policy = reader.take().text
        elif word == "comment":
            chain.comment = _comment(reader)
        else:
            chain.rules.append(rule_of(reader.until_end(), line))


def _priority(words: list[str], line: int) -> int:
    text = "".join(words)
    named = re.fullmatch(r"([a-z]*)([+-]?\d+)?", text)
    if named is None or not text or (named[1] and named[1] not in PRIORITIES):
        raise ParseError(line, f"{text!r} is no priority")
    return PRIORITIES.get(named[1], 0) + int(named[2] or 0)
