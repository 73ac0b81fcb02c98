"""nft's language as words, and what tables and rules are made of.

In: text → out: ``Token``s with their lines, and a ``Reader`` that goes through them. Errors: ``ParseError`` names the line when the text is not nft's language.

Upstream: nftables src/scanner.l.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from cluster.netfilter.errors import ParseError

FAMILIES = ("ip", "ip6", "inet", "arp", "bridge", "netdev")
PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
TOKEN = re.compile(r'"([^"\n]*)"|(\n)|(#[^\n]*)|([{},;])|(!=|==|<=|>=|<|>|!)|([^\s{},;"#!<>=]+)|(=)')
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


SPANS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}


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
    seen: dict[Value, int] = field(default_factory=dict)
    """What packets put into a dynamic set, and until when (virtual ns; 0: for ever)."""

    def timeout(self) -> int:
        """Seconds after which what a packet put in is forgotten; 0: never."""
        word = next((line.split()[1] for line in self.head if line.startswith("timeout ")), "0")
        return sum(int(number) * SPANS[unit] for number, unit in re.findall(r"(\d+)([dhms]|$)", word))

    def remember(self, value: Value, now: int, update: bool) -> None:
        """``update`` begins its time anew, ``add`` only puts in what isn't there."""
        if update or not self.remembers(value, now):
            self.seen[value] = now + self.timeout() * 1_000_000_000 if self.timeout() else 0

    def remembers(self, value: Value, now: int) -> bool:
        """Whether a packet put it there, and its time isn't over."""
        until = self.seen.get(value)
        if until and until <= now:
            del self.seen[value]
            return False
        return until is not None


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

    def spans(self, pairs: Iterable[tuple[Value, str]]) -> list[tuple[int, int, str]]:
        """(first number, last, what it leads to) of ``pairs``, as far as they can be drawn, by number. ValueError: one is no number."""
        found: list[tuple[int, int, str]] = []
        low, high = self.offset, self.offset + self.modulus - 1
        for value, verdict in pairs:
            first, _, last = value[0].partition("-")
            span = max(int(first, 0), low), min(int(last or first, 0), high), verdict
            if span[0] <= span[1]:
                found.append(span)
        return sorted(found)


class Chance(Struct, frozen=True):
    """Holds for that share of packets: a draw against a number; 0 or 1 for limits, quotas and counts, of which nothing is used yet."""

    share: float


class Flags(Struct, frozen=True):
    """Of a TCP packet's flags those in ``mask`` are just ``wanted``, or one of ``others``; ``wanted`` (): any of them is set."""

    mask: tuple[str, ...]
    wanted: tuple[str, ...]
    negate: bool = False
    others: tuple[tuple[str, ...], ...] = ()


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


class Counter(Struct, frozen=True):
    """``counter packets 1 bytes 60``; where it stands decides what it counts."""


class Passive(Struct, frozen=True):
    """Changes nothing that is simulated: log, set updates. What ``add`` and ``update`` put into a set they name by ``named`` and ``keys``."""

    text: str
    named: str = ""
    keys: tuple[Key, ...] = ()


class NoTrack(Struct, frozen=True):
    """The flow is not followed."""


class Unknown(Struct, frozen=True):
    """Words that are not simulated. ``final``: it may decide the packet's fate, not only whether the rule matches."""

    text: str
    final: bool = False


Statement = (
    Match | Chance | Flags | VerdictMap | Numgen | Verdict | SetMark | Translate | Counter | Passive | NoTrack | Unknown
)


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
    dormant: bool = False
    """Its chains are called by no hook."""
    chains: dict[str, Chain] = field(default_factory=dict)
    sets: dict[str, Elements] = field(default_factory=dict)


class Nft(Struct):
    """All tables, in the order of the text."""

    tables: dict[tuple[str, str], Table] = field(default_factory=dict)


def keep_seen(old: Table | None, new: Table) -> None:
    """A table is made anew: what packets put into its sets stays in those that are still there."""
    for name, elements in (old.sets if old is not None else {}).items():
        if elements.seen and name in new.sets:
            new.sets[name].seen = elements.seen


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


ATTRIBUTES = ("comment", "timeout", "expires", "counter", "packets", "bytes", "limit", "quota", "ct", "last", "used")


def pairs(reader: Reader, comments: dict[Value, str] | None = None) -> Iterator[tuple[Value, str]]:
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
