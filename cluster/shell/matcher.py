"""A regular-expression matcher that can be stopped: patterns come from strangers, and Python's own can take for ever on some.

In → a pattern in Python's notation (what ``regex.basic`` and ``regex.extended`` make). Out → a ``Matcher`` with ``search``, ``spans``
and ``substitute``. Harmless patterns on lines of harmless length run on Python's engine; the others on a small backtracking one
that counts its steps and raises ``TooMuch`` when a command has used up its ``Budget``.

"Harmless": no repeated group that itself repeats or branches, and length^(repetitions + 1) within bounds.
Simplified here: first alternative wins (as in Perl and Python), not the longest (as POSIX says).
"""

import re
from collections.abc import Callable

STEPS = 2_000_000
_FAST = 100_000_000

Span = tuple[int, int]
Continue = Callable[[int], bool]
Node = Callable[[int, Continue], bool]


class TooMuch(Exception):
    """The pattern takes too long on this text."""


class Budget:
    """Steps that are left."""

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps

    def spend(self, count: int = 1) -> None:
        """Use ``count`` steps."""
        self.left -= count
        if self.left < 0:
            raise TooMuch


class Matcher:
    """A compiled pattern."""

    def __init__(self, pattern: str, *, ignore_case: bool = False, budget: Budget | None = None) -> None:
        self.fast = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
        self.budget = budget or Budget()
        self.repeats, self.risky = _risk(pattern)
        self.pattern = pattern
        self.ignore_case = ignore_case
        self._slow: _Slow | None = None

    def find(self, text: str, start: int = 0) -> list[Span] | None:
        """Spans of the first match from ``start`` and of its groups ((-1, -1) for one that took no part); None if there is none."""
        if not self.risky and (len(text) + 1) ** (self.repeats + 1) <= _FAST:
            match = self.fast.search(text, start)
            return None if match is None else [match.span(group) for group in range(self.fast.groups + 1)]
        if self._slow is None:
            self._slow = _Slow(self.pattern, self.ignore_case, self.budget)
        return self._slow.find(text, start)

    def search(self, text: str) -> bool:
        """Whether it matches somewhere."""
        return self.find(text) is not None

    def spans(self, text: str) -> list[list[Span]]:
        """All matches that don't overlap, from left to right."""
        found: list[list[Span]] = []
        at = 0
        while at <= len(text):
            spans = self.find(text, at)
            if spans is None:
                break
            found.append(spans)
            at = spans[0][1] + (1 if spans[0][0] == spans[0][1] else 0)
        return found

    def substitute(self, text: str, fill: Callable[[list[str]], str], *, every: bool) -> tuple[str, int]:
        """``text`` with the first match (or each) replaced by ``fill([whole, group 1, …])``, and how many were."""
        out, at = "", 0
        spans = self.spans(text) if every else [each for each in [self.find(text)] if each is not None]
        for each in spans:
            out += text[at : each[0][0]] + fill([text[a:b] if a >= 0 else "" for a, b in each])
            at = each[0][1]
        return out + text[at:], len(spans)


_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?(?::|!|=|<!|<=)|[()|*+?.^$]|\{\d*,?\d*\}|.", re.DOTALL)


def _risk(pattern: str) -> tuple[int, bool]:
    """``(unbounded repetitions, whether a repeated group repeats or branches inside)``."""
    repeats, risky = 0, False
    inside: list[bool] = []
    closed = False
    for token in _TOKEN.findall(pattern):
        repeats_here = token in ("*", "+") or (len(token) > 2 and token[0] == "{")
        if repeats_here:
            repeats += 1 if token in ("*", "+") or token.endswith(",}") or token[0] == "{" else 0
            risky = risky or closed
            inside = [True] * len(inside)
        if token[0] == "(":
            inside.append(False)
        elif token == "|" and inside:
            inside[-1] = True
        closed = inside.pop() if token == ")" and inside else False
        if token[0] == "\\" and token[1:].isdigit():
            risky = True
    return repeats, risky


class _Slow:
    """The backtracking engine: every node is a function (position, continuation) → matched."""

    def __init__(self, pattern: str, ignore_case: bool, budget: Budget) -> None:
        self.tokens = _TOKEN.findall(pattern)
        self.at = 0
        self.ignore_case = ignore_case
        self.budget = budget
        self.groups = 0
        self.text = ""
        self.spans: list[Span] = []
        self.root = self._alternatives()

    def find(self, text: str, start: int) -> list[Span] | None:
        self.text = text
        try:
            for begin in range(start, len(text) + 1):
                self.spans = [(-1, -1)] * (self.groups + 1)

                def accept(end: int, begin: int = begin) -> bool:
                    self.spans[0] = (begin, end)
                    return True

                self.budget.spend()
                if self.root(begin, accept):
                    return list(self.spans)
        except RecursionError:
            raise TooMuch from None
        return None

    def _peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _alternatives(self) -> Node:
        branches = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        return lambda i, k: any(branch(i, k) for branch in branches)

    def _sequence(self) -> Node:
        nodes: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            nodes.append(self._repeated())

        def run(place: int, i: int, k: Continue) -> bool:
            self.budget.spend()
            if place == len(nodes):
                return k(i)
            return nodes[place](i, lambda j: run(place + 1, j, k))

        return lambda i, k: run(0, i, k)

    def _repeated(self) -> Node:
        token = self._peek()
        single = (
            None
            if token[0] in "(^$" or token in (r"\b", r"\B") or re.fullmatch(r"\\\d", token)
            else self._single(token)
        )
        if single is not None:
            self.at += 1
            low, high = self._counts()
            return self._run_of(single, low, high)
        node = self._atom()
        low, high = self._counts()
        if (low, high) == (1, 1):
            return node

        def again(count: int, i: int, k: Continue) -> bool:
            self.budget.spend()
            if count < high and node(i, lambda j: (j > i or count < low) and again(count + 1, j, k)):
                return True
            return count >= low and k(i)

        return lambda i, k: again(0, i, k)

    def _counts(self) -> tuple[int, int]:
        token = self._peek()
        found = {"*": (0, 1 << 30), "+": (1, 1 << 30), "?": (0, 1)}.get(token)
        if found is None and len(token) > 2 and token[0] == "{":
            first, comma, last = token[1:-1].partition(",")
            low = int(first or 0)
            found = (low, int(last) if last else 1 << 30 if comma else low)
        if found is None:
            return 1, 1
        self.at += 1
        return found

    def _run_of(self, single: Callable[[str], bool], low: int, high: int) -> Node:
        """A repeated character: as many as there are, then fewer."""

        def run(i: int, k: Continue) -> bool:
            text, end = self.text, i
            while end < len(text) and end - i < high and single(text[end]):
                end += 1
            self.budget.spend(end - i + 1)
            while end - i >= low:
                if k(end):
                    return True
                end -= 1
                self.budget.spend()
            return False

        return run

    def _single(self, token: str) -> Callable[[str], bool]:
        one = re.compile(
            token if len(token) > 1 or token == "." else re.escape(token), re.IGNORECASE if self.ignore_case else 0
        )
        known: dict[str, bool] = {}

        def holds(char: str) -> bool:
            if char not in known:
                known[char] = one.fullmatch(char) is not None
            return known[char]

        return holds

    def _atom(self) -> Node:
        token = self._peek()
        self.at += 1
        if token == "^":
            return lambda i, k: i == 0 and k(i)
        if token == "$":
            return lambda i, k: i == len(self.text) and k(i)
        if token in (r"\b", r"\B"):
            return lambda i, k: (self._word(i - 1) != self._word(i)) == (token == r"\b") and k(i)
        if token[0] == "\\":
            number = int(token[1:])
            return lambda i, k: self._back(number, i, k)
        if token == "(":
            return self._group()
        node = self._alternatives()
        self.at += 1  # the closing parenthesis: re.compile has seen that it is there
        if token == "(?:":
            return node
        ahead = token in ("(?!", "(?=")
        wanted = token in ("(?=", "(?<=")
        # Look-behind is only ever one character here: that is how ``grep -w`` is written.
        return lambda i, k: (node(i if ahead else i - 1, lambda j: True) if ahead or i else False) == wanted and k(i)

    def _group(self) -> Node:
        self.groups += 1
        number = self.groups
        node = self._alternatives()
        self.at += 1

        def run(i: int, k: Continue) -> bool:
            before = self.spans[number]

            def close(j: int) -> bool:
                inner = self.spans[number]
                self.spans[number] = (i, j)
                if k(j):
                    return True
                self.spans[number] = inner
                return False

            if node(i, close):
                return True
            self.spans[number] = before
            return False

        return run

    def _back(self, number: int, i: int, k: Continue) -> bool:
        begin, end = self.spans[number] if number < len(self.spans) else (-1, -1)
        piece = self.text[begin:end] if begin >= 0 else ""
        return begin >= 0 and self.text.startswith(piece, i) and k(i + len(piece))

    def _word(self, i: int) -> bool:
        return 0 <= i < len(self.text) and (self.text[i].isalnum() or self.text[i] == "_")
