"""The few lines of this program around a verdict: ``cluster.apiserver.authorization.rbac:131`` → the file's lines 127 to 135.

In → ``module:line`` as a stage carries it; out → a `Source`, or None for anything that is not a module of the simulated world. Only
files under ``cluster/`` are ever read, by a name made of identifiers: no path from outside gets in.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2] / "cluster"
PLACE = re.compile(r"cluster((?:\.[a-z_][a-z0-9_]{0,60}){1,6}):([0-9]{1,5})")
ABOVE, BELOW = 5, 4


class Line(NamedTuple):
    """One line of a file."""

    number: int
    text: str
    decides: bool


class Source(NamedTuple):
    """Where it stands and what stands there."""

    path: str
    line: int
    function: str
    lines: tuple[Line, ...]


@lru_cache(maxsize=512)
def around(place: str) -> Source | None:
    """Return the lines around ``module:line``; ``function`` is the definition it lies in, if any."""
    found = PLACE.fullmatch(place)
    if found is None:
        return None
    names = found[1].removeprefix(".").split(".")
    number = int(found[2])
    for path in (ROOT.joinpath(*names).with_suffix(".py"), ROOT.joinpath(*names, "__init__.py")):
        if path.is_file() and path.resolve().is_relative_to(ROOT):
            lines = text(path)
            if not 1 <= number <= len(lines):
                return None
            first, last = max(number - ABOVE, 1), min(number + BELOW, len(lines))
            shown = tuple(Line(n, lines[n - 1], n == number) for n in range(first, last + 1))
            return Source(str(path.relative_to(ROOT.parent)), number, function(lines, number), shown)
    return None


@lru_cache(maxsize=128)
def text(path: Path) -> tuple[str, ...]:
    """Return a file's lines."""
    return tuple(path.read_text(encoding="utf-8").splitlines())


def function(lines: tuple[str, ...], number: int) -> str:
    """Return the name of the function around a line: the nearest ``def`` above that is less indented."""
    indent = len(lines[number - 1]) - len(lines[number - 1].lstrip())
    for line in reversed(lines[:number]):
        head = re.match(r"( *)(?:async )?def (\w+)", line)
        if head is not None and (len(head[1]) < indent or line == lines[number - 1]):
            return head[2]
    return ""
