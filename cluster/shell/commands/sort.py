"""``sort [-rnufbh] [-k N] [-t C] [file…]``: lines in order (bytewise, as in the C locale)."""

import re

from cluster.shell.interpreter import Context
from cluster.shell.options import OptionError, getopt
from cluster.shell.tool import complain, ended, joined, lines

NAMES = ("sort",)
_NUMBER = re.compile(r"\s*-?\d+(?:\.\d+)?")


def run(ctx: Context) -> int:
    try:
        flags, operands = getopt(
            ctx.args, "rnufbhk:t:V", {"reverse": "r", "numeric-sort": "n", "unique": "u", "key=": "k"}
        )
    except OptionError as error:
        return complain(ctx, f"{error}\nTry 'sort --help' for more information.", 2)
    text, status = joined(ctx, operands)
    key = re.match(r"(\d+)(?:,(\d+))?([nr]*)", flags.get("k", "1"))
    if key is None or key[1] == "0":
        return complain(ctx, f"invalid number at field start: invalid count at start of '{flags['k']}'", 2)
    numeric = "n" in flags or "h" in flags or "n" in key[3]

    def of(line: str) -> tuple[float, str]:
        field = line
        if "k" in flags:
            parts = line.split(flags["t"]) if "t" in flags else line.split()
            end = int(key[2]) if key[2] else len(parts)
            field = (flags.get("t", " ")).join(parts[int(key[1]) - 1 : end])
        field = field.lower() if "f" in flags else field
        match = _NUMBER.match(field) if numeric else None
        return (float(match[0]) if match else 0.0, "" if numeric else field)

    found = sorted(lines(text), key=lambda line: (of(line), "" if "u" in flags else line))
    if "u" in flags:
        found = [line for place, line in enumerate(found) if place == 0 or of(line) != of(found[place - 1])]
    if "r" in flags or "r" in key[3]:
        found.reverse()
    ctx.out(ended(found))
    return 2 if status else 0
