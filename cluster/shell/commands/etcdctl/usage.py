"""The command line of ``etcdctl``: which command, its flags with their values, and ``-h``, as cobra reads and etcdctl prints them.

In → words. Out → ``Line``. Errors: ``Misused`` (an unknown flag, a value that is none: the usage is printed before the error, status 1) and ``Unknown`` command.
Upstream: etcdctl/ctlv3/help.go, github.com/spf13/cobra.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from cluster.shell.commands.etcdctl.interface import GLOBAL, ROWS, FlagRow

VERSION, API = "3.5.26", "3.5"
LATER: dict[str, tuple[FlagRow, ...]] = {
    "get": (("count-only", "", "[=false]", "Get only the count"),),
    "snapshot restore": (
        ("bump-revision", "", "=0", "How much to increase the latest revision after restore"),
        (
            "mark-compacted", "", "[=false]",
            "Mark the latest revision after restore as the point of scheduled compaction (required if --bump-revision > 0, disallowed otherwise)",
        ),
    ),
}  # fmt: skip
"""Flags that 3.5 has beside those of ``interface``."""
_COMMANDS = {row[0]: row for row in ROWS}
_ALIASES = {"compact": "compaction"}
_INTS = re.compile(r"[+-]?\d+")
_DURATION = re.compile(r"([+-]?)((?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+|0)")
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


class Misused(Exception):
    """``text`` after the usage of ``command``."""

    def __init__(self, text: str, command: str) -> None:
        super().__init__(text)
        self.command = command


class Unknown(Exception):
    """There is no such command."""


class Line(Struct):
    """``flags`` by name: switches "true" or "false", the rest as typed. ``dashes``: how many of ``words`` stood before ``--`` (-1: there was none)."""

    command: str
    words: list[str]
    flags: dict[str, str]
    dashes: int = -1

    def on(self, name: str) -> bool:
        """Is the switch set?"""
        return self.flags.get(name, "false") in ("true", "1", "t", "T", "TRUE", "True")

    def text(self, name: str) -> str:
        """The value, or the default."""
        if name in self.flags:
            return self.flags[name]
        default = next((row[2] for row in of(self.command) if row[0] == name), '=""')
        return default.strip("=").strip('"').strip("[]")

    def number(self, name: str) -> int:
        """The value as a number."""
        return int(self.text(name) or 0)

    def duration(self, name: str) -> int:
        """The value in ns."""
        return nanoseconds(self.text(name)) or 0


def nanoseconds(text: str) -> int | None:
    """Go's durations; None for what is none."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    total = sum(
        float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)", match[2])
    )
    return round(-total if match[1] == "-" else total)


def of(command: str) -> tuple[FlagRow, ...]:
    """All flags of a command."""
    own = _COMMANDS[command][4] if command in _COMMANDS else ()
    return (*own, *LATER.get(command, ()), *_inherited(command), ("help", "h", "[=false]", ""))


def _inherited(command: str) -> tuple[FlagRow, ...]:
    """The flags of every command, and those of the command's parent."""
    parent = command.rpartition(" ")[0]
    return (*(_COMMANDS[parent][4] if parent in _COMMANDS else ()), *GLOBAL)


def read(args: list[str]) -> Line:
    """Misused, Unknown."""
    command, rest = _command(args)
    line = Line(command, [], {})
    known = {row[0]: row for row in of(command)}
    letters = {row[1]: row for row in known.values() if row[1]}
    at = 0
    while at < len(rest):
        word, at = rest[at], at + 1
        if word == "--":
            line.dashes = len(line.words)
            line.words += rest[at:]
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            row = known.get(name)
            if row is None:
                raise Misused(f"unknown flag: --{name}", command)
        elif len(word) > 1 and word[0] == "-":
            row = letters.get(word[1])
            if row is None:
                raise Misused(f"unknown shorthand flag: {word[1]!r} in {word}", command)
            name, value = row[0], word[2:].removeprefix("=")
            equals = "=" if value else ""
        else:
            line.words.append(word)
            continue
        switch = row[2].startswith("[")
        if not equals and not switch:
            if at >= len(rest):
                raise Misused(
                    f"flag needs an argument: {word if word.startswith('--') else repr(word[1]) + ' in ' + word}",
                    command,
                )
            value, at = rest[at], at + 1
        elif not equals:
            value = "true"
        _check(row, value, command)
        line.flags[name] = value
    return line


def _command(args: list[str]) -> tuple[str, list[str]]:
    """The command's words may stand among global flags."""
    takes = {f"--{row[0]}" for row in GLOBAL if not row[2].startswith("[")} | {"-w", "-d"}
    path: list[str] = []
    places: list[int] = []
    at = 0
    while at < len(args) and args[at] != "--":
        word = args[at]
        if word in takes:
            at += 2
            continue
        if not word.startswith("-"):
            name = " ".join([*path, _ALIASES.get(word, word) if not path else word])
            if name not in _COMMANDS and name not in ("help", "version"):
                break
            path.append(name.rpartition(" ")[2])
            places.append(at)
            if not any(row.startswith(name + " ") for row in _COMMANDS):
                break
        at += 1
    rest = [word for place, word in enumerate(args) if place not in places]
    first = next((word for word in rest if not word.startswith("-")), "")
    if not path and first and args[at : at + 1] == [first]:
        raise Unknown(first)
    return " ".join(path), rest


def _check(row: FlagRow, value: str, command: str) -> None:
    name = f"--{row[0]}" if not row[1] else f"-{row[1]}, --{row[0]}"
    wrong = ""
    if row[2].startswith("["):
        if value not in ("1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"):
            wrong = f'strconv.ParseBool: parsing "{value}": invalid syntax'
    elif re.fullmatch(r"=\d+", row[2]):
        if _INTS.fullmatch(value) is None or abs(int(value)) >= 1 << 63:
            what = "invalid syntax" if _INTS.fullmatch(value) is None else "value out of range"
            wrong = f'strconv.ParseInt: parsing "{value}": {what}'
    elif re.fullmatch(r"=\d+m?s", row[2]) and nanoseconds(value) is None:
        bare = re.fullmatch(r"[+-]?\d+", value)
        wrong = f'time: missing unit in duration "{value}"' if bare else f'time: invalid duration "{value}"'
    if wrong:
        raise Misused(f'invalid argument "{value}" for "{name}" flag: {wrong}', command)


# -- help ---------------------------------------------------------------------------------------------------------------


def usage(command: str) -> str:
    """What ``etcdctl <command> -h`` prints."""
    if not command:
        return _top()
    name, use, short, long, own = _COMMANDS[command]
    below = [row for row in ROWS if row[0].startswith(name + " ")]
    out = f"NAME:\n\t{name} - {short}\n\nUSAGE:\n\tetcdctl {use} [flags]\n"
    if below:
        out += f"\nAPI VERSION:\n\t{API}\n\n\nCOMMANDS:\n" + _columns(
            [(f"\t{row[0].rpartition(' ')[2]}", row[2]) for row in below]
        )
    if long:
        out += "\nDESCRIPTION:\n" + "".join(f"\t{line}\n" for line in long.split("\n"))
    flags = [*own, *LATER.get(command, ()), ("help", "h", "[=false]", f"help for {name.rpartition(' ')[2]}")]
    return out + "\nOPTIONS:\n" + _flags(flags) + "\nGLOBAL OPTIONS:\n" + _flags(_inherited(command)) + "\n"


def _top() -> str:
    leaves = [row for row in ROWS if not any(other[0].startswith(row[0] + " ") for other in ROWS)]
    commands = [(f"\t{row[0]}", row[2]) for row in leaves] + [("\thelp", "Help about any command")]
    flags = [*GLOBAL, ("help", "h", "[=false]", "help for etcdctl")]
    return (
        "NAME:\n\tetcdctl - A simple command line client for etcd3.\n\nUSAGE:\n\tetcdctl [flags]\n"
        f"\nVERSION:\n\t{VERSION}\n\nAPI VERSION:\n\t{API}\n\n\nCOMMANDS:\n{_columns(sorted(commands))}\nOPTIONS:\n{_flags(flags)}\n"
    )


def _flags(rows: Iterable[FlagRow]) -> str:
    cells = [
        (f"  -{letter}, --{name}{default}" if letter else f"      --{name}{default}", usage)
        for name, letter, default, usage in sorted(rows)
    ]
    return _columns(cells)


def _columns(cells: list[tuple[str, str]]) -> str:
    """Two columns with tabs between, as a tabwriter of eights lays them out; a tab at the front is a column of its own."""
    width = max(len(left.lstrip("\t")) for left, _ in cells) // 8 * 8 + 8
    out = ""
    for left, right in cells:
        body = left.lstrip("\t")
        out += left + "\t" * (-(-(width - len(body)) // 8)) + right + "\n"
    return out


def known(command: str) -> bool:
    """Is there such a command?"""
    return command in _COMMANDS
