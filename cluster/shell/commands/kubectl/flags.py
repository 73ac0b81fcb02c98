"""Command-line flags as pflag and cobra read them, with their complaints.

A ``Flag``'s ``kind``: "string", "bool", "int", "array" (repeats; ``split`` at commas), "duration". ``bare``: its value when it is given
without one (``--dry-run`` → ``unchanged``), so that only ``--flag=value`` sets another.
"""

import re
from typing import Any

from msgspec import Struct

from cluster.sim.clock import SECOND


class UsageError(Exception):
    """The line can't be understood; ``hint`` adds "See 'kubectl … --help' for usage."."""

    def __init__(self, text: str, *, hint: bool = True) -> None:
        super().__init__(text)
        self.hint = hint


class Flag(Struct, frozen=True):
    """One flag."""

    kind: str = "string"
    short: str = ""
    default: Any = ""
    bare: str | None = None
    split: bool = False


STRING = Flag()
BOOL = Flag("bool", default=False)
TRUE = Flag("bool", default=True)
ARRAY = Flag("array", default=())
LIST = Flag("array", default=(), split=True)

GLOBAL: dict[str, Flag] = {
    "namespace": Flag(short="n"), "context": STRING, "cluster": STRING, "user": STRING, "server": Flag(short="s"),
    "token": STRING, "as": STRING, "as-group": ARRAY, "as-uid": STRING, "kubeconfig": STRING, "v": Flag("int", "v", 0),
    "request-timeout": Flag(default="0"), "insecure-skip-tls-verify": BOOL, "certificate-authority": STRING,
    "client-certificate": STRING, "client-key": STRING, "cache-dir": STRING, "match-server-version": BOOL,
    "warnings-as-errors": BOOL, "tls-server-name": STRING, "help": Flag("bool", "h", False),
}  # fmt: skip

OUTPUT = {
    "output": Flag(short="o"),
    "template": STRING,
    "show-managed-fields": BOOL,
    "allow-missing-template-keys": TRUE,
}
FILES = {
    "filename": Flag("array", "f", (), split=True),
    "recursive": Flag("bool", "R", False),
    "kustomize": Flag(short="k"),
}
SELECTOR = {"selector": Flag(short="l")}
DRY_RUN = {"dry-run": Flag(default="none", bare="unchanged"), "field-manager": STRING}
VALIDATE = {"validate": Flag(default="strict", bare="strict")}

_DURATION = re.compile(r"(-?)((?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+|0)")
_UNITS = {"h": 3600 * SECOND, "m": 60 * SECOND, "s": SECOND, "ms": SECOND // 1000, "us": 1000, "µs": 1000, "ns": 1}


def duration(text: str) -> int | None:
    """Go's ``time.ParseDuration`` in ns; None if it is none."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    total = sum(
        float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)", match[2])
    )
    return int(-total if match[1] else total)


class Parsed(Struct):
    """Values by flag, which were given, and the other words. ``dash``: how many words stand before ``--`` (-1: none)."""

    values: dict[str, Any]
    given: dict[str, bool]
    args: list[str]
    dash: int = -1


def parse(words: list[str], known: dict[str, Flag]) -> Parsed:
    """Flags and arguments in any order."""
    shorts = {flag.short: name for name, flag in known.items() if flag.short}
    out = Parsed(
        {name: list(flag.default) if flag.kind == "array" else flag.default for name, flag in known.items()}, {}, []
    )
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            out.dash = len(out.args)
            out.args.extend(rest)
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name not in known:
                raise UsageError(f"unknown flag: --{name}")
            flag = known[name]
            if not equals:
                value = _implied(flag)
                if value is None:
                    if not rest:
                        raise UsageError(f"flag needs an argument: --{name}")
                    value = rest.pop(0)
            _set(out, name, flag, value)
        elif word.startswith("-") and len(word) > 1:
            _shorts(out, word, shorts, known, rest)
        else:
            out.args.append(word)
    return out


def _implied(flag: Flag) -> str | None:
    return "true" if flag.kind == "bool" else flag.bare


def _shorts(out: Parsed, word: str, shorts: dict[str, str], known: dict[str, Flag], rest: list[str]) -> None:
    at = 1
    while at < len(word):
        letter = word[at]
        at += 1
        name = shorts.get(letter)
        if name is None:
            raise UsageError(f"unknown shorthand flag: '{letter}' in {word}")
        flag = known[name]
        value = _implied(flag)
        if word[at : at + 1] == "=":
            value, at = word[at + 1 :], len(word)
        elif value is None and at < len(word):
            value, at = word[at:], len(word)
        elif value is None:
            if not rest:
                raise UsageError(f"flag needs an argument: '{letter}' in {word}")
            value = rest.pop(0)
        _set(out, name, flag, value)


def _set(out: Parsed, name: str, flag: Flag, value: str) -> None:
    out.given[name] = True
    shown = f'invalid argument "{value}" for "{"-" + flag.short + ", " if flag.short else ""}--{name}" flag'
    match flag.kind:
        case "bool":
            if value.lower() not in ("true", "false", "1", "0", "t", "f"):
                raise UsageError(f'{shown}: strconv.ParseBool: parsing "{value}": invalid syntax')
            out.values[name] = value.lower() in ("true", "1", "t")
        case "int":
            if not re.fullmatch(r"[-+]?\d+", value):
                raise UsageError(f'{shown}: strconv.ParseInt: parsing "{value}": invalid syntax')
            out.values[name] = int(value)
        case "duration":
            found = duration(value)
            if found is None:
                raise UsageError(f'{shown}: time: invalid duration "{value}"')
            out.values[name] = found
        case "array":
            out.values[name].extend(value.split(",") if flag.split else [value])
        case _:
            out.values[name] = value
