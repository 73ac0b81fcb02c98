"""Flags of the small tools, as getopt reads them: ``-abc``, ``-n 5``, ``-n5``, ``--long``, ``--long=value``, ``--``."""


class OptionError(Exception):
    """A flag that the tool doesn't know; the text is the tool's complaint without its name."""


def getopt(
    args: list[str], short: str, long: dict[str, str] | None = None, *, numbers: bool = False
) -> tuple[dict[str, str], list[str]]:
    """``(flags, operands)``. ``short`` as in getopt(3): letters, a colon after those with a value. ``long`` maps a long name
    (with ``=`` at its end if it takes a value) to its letter. ``numbers``: ``-5`` means ``-n 5``. A repeated flag keeps
    its last value."""
    takes = {letter: short[place + 1 : place + 2] == ":" for place, letter in enumerate(short) if letter != ":"}
    names = long or {}
    flags: dict[str, str] = {}
    operands: list[str] = []
    at = 0
    while at < len(args):
        word = args[at]
        at += 1
        if word == "--":
            return flags, operands + args[at:]
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if f"{name}=" in names:
                if not equals:
                    if at >= len(args):
                        raise OptionError(f"option '--{name}' requires an argument")
                    value = args[at]
                    at += 1
                flags[names[f"{name}="]] = value
            elif name in names:
                flags[names[name]] = "1"
            else:
                raise OptionError(f"unrecognized option '--{name}'")
        elif numbers and word[:1] == "-" and word[1:].isdigit():
            flags["n"] = word[1:]
        elif word.startswith("-") and len(word) > 1:
            place = 1
            while place < len(word):
                letter = word[place]
                place += 1
                if letter not in takes:
                    raise OptionError(f"invalid option -- '{letter}'")
                if not takes[letter]:
                    flags[letter] = "1"
                    continue
                value = word[place:]
                if not value:
                    if at >= len(args):
                        raise OptionError(f"option requires an argument -- '{letter}'")
                    value = args[at]
                    at += 1
                flags[letter] = value
                break
        else:
            operands.append(word)
    return flags, operands
