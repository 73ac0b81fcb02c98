"""Reads nft's language: what ``nft list ruleset`` prints, and scripts of ``add …`` lines as kube-proxy writes them.

In: text → out: ``Nft``: tables of chains (with their rules as lists of statements), sets and maps. Every rule knows its line.

Errors: ``ParseError`` names the line when the text is not nft's language. A match or statement that isn't simulated is no error: it
becomes ``Unknown``, and whether it matters is for the walk to say.

Simplified here: ``define``, ``include``, ``insert … position``, ``replace`` and flowtables are refused or passed over by name; ``delete``
and ``flush`` know tables, chains and sets.

Upstream: nftables src/scanner.l, src/parser_bison.y.
"""

import re
from collections.abc import Iterator

from msgspec import Struct, field

from cluster.netfilter.parse import ParseError

FAMILIES = ("ip", "ip6", "inet", "arp", "bridge", "netdev")
PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
TOKEN = re.compile(r'"([^"\n]*)"|(\n)|(#[^\n]*)|([{},;])|(!=|==|<=|>=|<|>)|([^\s{},;"#!<>=]+)|(=)')
VERDICTS = ("accept", "drop", "return", "continue")


class Token(Struct, frozen=True):
    """A word with its line (from 1); ``quoted`` words are texts, never keywords. A line's end is the word ``\\n``."""

    text: str
    line: int
    quoted: bool = False


# -- what a rule is made of ---------------------------------------------------------------------------------------------


class Key(Struct, frozen=True):
    """What is looked at: ``words`` as ``("ip", "daddr")``; ``ops`` are bit operations on it, in order."""

    words: tuple[str, ...]
    ops: tuple[tuple[str, int], ...] = ()


Value = tuple[str, ...]
"""One literal, a word a part of a concatenation: ``("1.2.3.4", "tcp", "80")``."""


class Elements(Struct):
    """A set or a map: literal → what it is mapped to ("" in a set)."""

    values: dict[Value, str] = field(default_factory=dict)
    comments: dict[Value, str] = field(default_factory=dict)
    kind: str = "set"
    head: list[str] = field(default_factory=list)
    """What else is said of it, a line each: its type, flags, timeout, comment."""
    index: dict[Value, str] | None = None
    """Literals without ranges, for a look-up in one step; made when first asked."""
    ranges: list[tuple[Value, str]] = field(default_factory=list)


class Match(Struct, frozen=True):
    """``keys op values``; ``named`` is a set's name instead of values."""

    keys: tuple[Key, ...]
    op: str
    values: tuple[Value, ...] = ()
    named: str = ""


class VerdictMap(Struct, frozen=True):
    """``keys vmap``: a verdict by what is found; nothing found: the next rule. ``named`` is a map's name."""

    keys: tuple[Key, ...]
    values: tuple[tuple[Value, str], ...] = ()
    named: str = ""


class Numgen(Struct, frozen=True):
    """``numgen random mod N vmap { … }``: one of N numbers, and the verdict for it."""

    modulus: int
    offset: int
    values: tuple[tuple[Value, str], ...]
    named: str = ""


class Verdict(Struct, frozen=True):
    """``accept``, ``drop``, ``return``, ``continue``, ``reject``, ``jump X``, ``goto X``."""

    text: str


class SetMark(Struct, frozen=True):
    """``mark set``: start from ``source`` ("mark", "ctmark" or a number), then ``ops``; into the packet's or the flow's mark."""

    target: str
    source: str
    ops: tuple[tuple[str, int], ...]


class Translate(Struct, frozen=True):
    """``dnat``, ``snat``, ``masquerade``, ``redirect``; ``choices``: several destinations, equally likely."""

    kind: str
    address: str = ""
    port: int = 0
    choices: tuple[tuple[str, int], ...] = ()


class Passive(Struct, frozen=True):
    """Changes nothing that is simulated: counter, log, set updates."""

    text: str


class NoTrack(Struct, frozen=True):
    """The flow is not followed."""


class Unknown(Struct, frozen=True):
    """Words that are not simulated. ``final``: it may decide the packet's fate, not only whether the rule matches."""

    text: str
    final: bool = False


Statement = Match | VerdictMap | Numgen | Verdict | SetMark | Translate | Passive | NoTrack | Unknown


class Rule(Struct, frozen=True):
    line: int
    text: str
    statements: tuple[Statement, ...]


class Chain(Struct):
    """``hook`` "": only reached by jumps."""

    name: str
    type: str = ""
    hook: str = ""
    priority: int = 0
    policy: str = "accept"
    comment: str = ""
    rules: list[Rule] = field(default_factory=list)


class Table(Struct):
    family: str
    name: str
    comment: str = ""
    chains: dict[str, Chain] = field(default_factory=dict)
    sets: dict[str, Elements] = field(default_factory=dict)


class Nft(Struct):
    """All tables, in the order of the text. ``bases``: the chains at hooks, by priority; made when first asked."""

    tables: dict[tuple[str, str], Table] = field(default_factory=dict)
    bases: dict[str, tuple[tuple[Table, Chain], ...]] | None = None


def tokens(text: str) -> list[Token]:
    """The words of a text."""
    found, line, at = [], 1, 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            if text[at] in " \t\r\f\v":
                at += 1
                continue
            raise ParseError(line, f"{text[at : at + 20]!r} is not nft's language")
        string, newline, comment, punctuation, operator, word, equals = match.groups()
        if newline:
            found.append(Token("\n", line))
            line += 1
        elif string is not None:
            found.append(Token(string, line, True))
        elif comment is None:
            found.append(Token(punctuation or operator or word or equals, line))
        at = match.end()
    found.append(Token("\n", line))
    return found


class Reader:
    """A place in the words."""

    def __init__(self, words: list[Token]) -> None:
        self.words = words
        self.at = 0

    def peek(self, ahead: int = 0) -> str:
        """The word here, "" at the end; a quoted one is never a keyword."""
        at = self.at + ahead
        if at >= len(self.words):
            return ""
        return "" if self.words[at].quoted else self.words[at].text

    def take(self) -> Token:
        if self.at >= len(self.words):
            raise ParseError(self.line, "the text ends in the middle of something")
        self.at += 1
        return self.words[self.at - 1]

    @property
    def line(self) -> int:
        return self.words[min(self.at, len(self.words) - 1)].line if self.words else 1

    def expect(self, word: str) -> None:
        if self.peek() != word:
            raise ParseError(self.line, f"{word!r} was expected, not {self.peek() or 'a text'!r}")
        self.at += 1

    def accept(self, word: str) -> bool:
        """Go past ``word`` if it is here."""
        if self.peek() == word:
            self.at += 1
            return True
        return False

    def skip_ends(self) -> None:
        while self.peek() in ("\n", ";"):
            self.at += 1

    def within(self) -> bool:
        """Go to the next thing in an open brace: False past the closing one. ParseError when the text ends before it."""
        self.skip_ends()
        if self.over():
            raise ParseError(self.line, "a '{' is never closed")
        return not self.accept("}")

    def over(self) -> bool:
        return self.at >= len(self.words)

    def until_end(self) -> list[Token]:
        """The rest of a statement: to its line's end, ``;`` or the ``}`` around it; braces inside belong to it."""
        found, depth = [], 0
        while not self.over():
            word = self.peek()
            if depth == 0 and word in ("\n", ";", "}"):
                break
            depth += {"{": 1, "}": -1}.get(word, 0)
            token = self.take()
            if token.text != "\n" or token.quoted:
                found.append(token)
        return found

    def skip_block(self) -> None:
        """Past a ``{ … }``."""
        self.expect("{")
        depth = 1
        while depth:
            word = self.take()
            depth += {"{": 1, "}": -1}.get("" if word.quoted else word.text, 0)


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
    nft.bases = None
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
            table.comment = reader.until_end()[1].text
        elif word == "flags":
            reader.until_end()
        elif word in ("flowtable", "counter", "quota", "ct", "limit", "secmark", "synproxy", "tunnel"):
            while reader.peek() != "{":
                reader.take()
            reader.skip_block()
        else:
            raise ParseError(reader.line, f"{word or 'a text'!r} is not understood in a table")


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
            table.sets[name] = Elements()
        else:
            table.sets.pop(name, None)
    elif what == "element":
        gone = Elements()
        _elements(reader, gone)
        for value in gone.values:
            table.sets.get(name, gone).values.pop(value, None)
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
    for value, mapped in _pairs(reader, found.comments):
        found.values[value] = mapped
    found.index = None


ATTRIBUTES = ("comment", "timeout", "expires", "counter", "packets", "bytes")


def _pairs(reader: Reader, comments: dict[Value, str] | None = None) -> Iterator[tuple[Value, str]]:
    """The elements of an open brace, each with what it is mapped to; past the closing one. ``comments`` takes theirs."""
    value: list[str] = []
    mapped: list[str] = []
    to, attribute = False, ""
    while True:
        token = reader.take()
        word = "" if token.quoted else token.text
        if word in (",", "}"):
            if value:
                yield tuple(value), " ".join(mapped)
            if word == "}":
                return
            value, mapped, to, attribute = [], [], False, ""
        elif word == "\n" or word == ".":
            continue
        elif word == ":":
            to, attribute = True, ""
        elif word in ATTRIBUTES:
            attribute = word
        elif attribute:
            if attribute == "comment" and comments is not None:
                comments[tuple(value)] = token.text
        elif to:
            mapped.append(token.text)
        else:
            value.append(token.text)


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
            chain.comment = reader.until_end()[1].text
        else:
            chain.rules.append(rule_of(reader.until_end(), line))


def _priority(words: list[str], line: int) -> int:
    text = "".join(words)
    named = re.fullmatch(r"([a-z]*)([+-]?\d+)?", text)
    if named is None or not text or (named[1] and named[1] not in PRIORITIES):
        raise ParseError(line, f"{text!r} is no priority")
    return PRIORITIES.get(named[1], 0) + int(named[2] or 0)


# -- one rule -----------------------------------------------------------------------------------------------------------

OPERATORS = ("==", "!=", "<", ">", "<=", ">=")
BITS = {"and": "&", "or": "|", "xor": "^", "&": "&", "|": "|", "^": "^"}
PAYLOADS = {
    "ip": ("saddr", "daddr", "protocol", "dscp", "ttl", "length", "version"),
    "ip6": ("saddr", "daddr", "nexthdr", "hoplimit", "dscp"),
    "tcp": ("sport", "dport", "flags"),
    "udp": ("sport", "dport"),
    "sctp": ("sport", "dport"),
    "th": ("sport", "dport"),
}
METAS = (
    "iif",
    "oif",
    "iifname",
    "oifname",
    "iiftype",
    "oiftype",
    "skuid",
    "skgid",
    "nftrace",
    "rtclassid",
    "ibrname",
    "obrname",
)
DECIDES = (
    *VERDICTS,
    "reject",
    "jump",
    "goto",
    "dnat",
    "snat",
    "masquerade",
    "redirect",
    "queue",
    "tproxy",
    "synproxy",
    "dup",
    "fwd",
)


def rule_of(words: list[Token], line: int) -> Rule:
    """A rule's words as statements."""
    text = " ".join(f'"{word.text}"' if word.quoted else word.text for word in words)
    reader = Reader(words)
    statements: list[Statement] = []
    while not reader.over():
        start = reader.at
        try:
            statement = _statement(reader)
        except (ParseError, ValueError, IndexError):
            statement = None
        if statement is None:
            reader.at = start
            statement = _unknown(reader)
        if statement != Passive(""):
            statements.append(statement)
    return Rule(line, text, tuple(statements))


def _unknown(reader: Reader) -> Unknown:
    """Pass over what isn't understood, to the next word that decides something."""
    found = [reader.take().text]
    final = found[0] in DECIDES
    while not reader.over() and (final or reader.peek() not in DECIDES):
        if reader.peek() == "comment":
            break
        found.append(reader.take().text)
    return Unknown(" ".join(found), final)


def _statement(reader: Reader) -> Statement | None:
    word = reader.take().text
    if word == "comment":
        reader.take()
        return Passive("")
    if word == "counter":
        if reader.accept("packets"):
            reader.take()
            reader.expect("bytes")
            reader.take()
        elif reader.accept("name"):
            reader.take()
        return Passive("")
    if word in VERDICTS:
        return Verdict(word)
    if word in ("jump", "goto"):
        return Verdict(f"{word} {reader.take().text}")
    if word == "reject":
        while not reader.over() and reader.peek() != "comment":
            reader.take()
        return Verdict("reject")
    if word == "notrack":
        return NoTrack()
    if word == "log":
        return _log(reader)
    if word in ("masquerade", "redirect", "dnat", "snat"):
        return _translate(reader, word)
    if word in ("update", "add", "delete") and reader.peek().startswith("@"):
        name = reader.take().text
        reader.skip_block()
        return Passive(f"{word} {name}")
    if word == "numgen":
        return _numgen(reader)
    if word in ("mark", "meta", "ct") and "set" in (reader.peek(), reader.peek(1)):
        return _set_mark(reader, word)
    reader.at -= 1
    return _match(reader)


def _log(reader: Reader) -> Passive:
    options = ("prefix", "group", "level", "snaplen", "queue-threshold", "flags")
    while reader.peek() in options:
        reader.take()
        reader.take()
    return Passive("log")


def _translate(reader: Reader, kind: str) -> Translate | None:
    if kind in ("dnat", "snat") and reader.peek() in ("ip", "ip6", "inet"):
        reader.take()
    port = 0
    address = ""
    choices: tuple[tuple[str, int], ...] = ()
    if reader.accept("to"):
        if reader.peek() == "numgen":
            reader.take()
            found = _numgen(reader, "map")
            if found is None:
                return None
            choices = tuple((v.split(" . ")[0], int(v.split(" . ")[1]) if " . " in v else 0) for _, v in found.values)
        else:
            address, port = _place(reader.take().text)
            if reader.peek() == ".":
                return None
    while reader.peek() in ("fully-random", "random", "persistent", ","):
        reader.take()
    return Translate(kind, address, port, choices)


def _place(text: str) -> tuple[str, int]:
    """``1.2.3.4:80``, ``[fd00::1]:80``, ``:8080``, ``fd00::1`` → (address, port)."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return address, int(port[1:]) if port else 0
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return address, int(port)
    return text, 0


def _numgen(reader: Reader, into: str = "vmap") -> Numgen | None:
    if reader.take().text not in ("random", "inc"):
        return None
    reader.expect("mod")
    modulus = int(reader.take().text)
    offset = int(reader.take().text) if reader.accept("offset") else 0
    reader.expect(into)
    if reader.peek().startswith("@"):
        return Numgen(modulus, offset, (), reader.take().text[1:])
    reader.expect("{")
    return Numgen(modulus, offset, tuple(_pairs(reader)))


def _set_mark(reader: Reader, word: str) -> SetMark | None:
    target = "ctmark" if word == "ct" else "mark"
    if word != "mark" and reader.take().text != "mark":
        return None
    reader.expect("set")
    source = reader.take().text
    if source in ("meta", "ct"):
        if reader.take().text != "mark":
            return None
        source = "ctmark" if source == "ct" else "mark"
    elif source != "mark":
        int(source, 0)
    return SetMark(target, source, _bits(reader))


def _bits(reader: Reader) -> tuple[tuple[str, int], ...]:
    found = []
    while reader.peek() in BITS:
        op = BITS[reader.take().text]
        found.append((op, int(reader.take().text, 0)))
    return tuple(found)


def _key(reader: Reader) -> Key | None:
    word = reader.take().text
    if word in PAYLOADS:
        name = reader.take().text
        return Key((word, name), _bits(reader)) if name in PAYLOADS[word] else None
    if word == "meta":
        return Key(("meta", reader.take().text), _bits(reader))
    if word == "mark" or word in METAS:
        return Key(("meta", word), _bits(reader))
    if word == "ct":
        name = reader.take().text
        if name in ("original", "reply"):
            return None
        return Key(("ct", name), _bits(reader))
    if word == "fib":
        words = [word]
        while reader.peek() not in ("type", "oif", "oifname", ""):
            words.append(reader.take().text)
        return Key((*words, reader.take().text))
    return None


def _match(reader: Reader) -> Match | VerdictMap | None:
    keys = []
    while True:
        key = _key(reader)
        if key is None:
            return None
        keys.append(key)
        if not reader.accept("."):
            break
    if reader.accept("vmap"):
        if reader.peek().startswith("@"):
            return VerdictMap(tuple(keys), (), reader.take().text[1:])
        reader.expect("{")
        return VerdictMap(tuple(keys), tuple(_pairs(reader)))
    op = reader.take().text if reader.peek() in OPERATORS else "=="
    if reader.peek().startswith("@"):
        return Match(tuple(keys), op, (), reader.take().text[1:])
    if reader.accept("{"):
        return Match(tuple(keys), op, tuple(value for value, _ in _pairs(reader)))
    values = [[reader.take().text]]
    while reader.peek() in (".", ","):
        if reader.take().text == ",":
            values.append([])
        values[-1].append(reader.take().text)
    return Match(tuple(keys), op, tuple(tuple(value) for value in values))
