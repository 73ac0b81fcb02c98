"""POSIX regular expressions in Python's notation."""

import re

_CLASSES = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s",
    "blank": r" \t", "punct": r"!-/:-@\[-`{-~", "xdigit": "0-9a-fA-F", "cntrl": r"\x00-\x1f\x7f", "print": r"\x20-\x7e",
    "graph": r"\x21-\x7e", "word": r"\w",
}  # fmt: skip
_BRACKET = re.compile(r"\[\^?\]?(?:\[:\w+:\]|[^\]])*\]")


def classes(text: str) -> str:
    """``[:alpha:]`` and its like, inside brackets."""
    return re.sub(r"\[:(\w+):\]", lambda match: _CLASSES.get(match[1], match[0]), text)


def _bracket(text: str) -> str:
    negated = "^" if text.startswith("[^") else ""
    inner = text[1 + len(negated) : -1]
    return f"[{negated}{classes(inner.replace(chr(92), chr(92) * 2)).replace(chr(92) * 2 + 's', chr(92) + 's')}]"


def _convert(pattern: str, *, swap: str) -> str:
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        if char == "[":
            match = _BRACKET.match(pattern, at)
            if match is not None:
                out.append(_bracket(match[0]).replace("[[", "[\\["))
                at = match.end()
                continue
        if char == "\\" and at + 1 < len(pattern):
            following = pattern[at + 1]
            if following in swap:
                out.append(following)
            elif following in "<>":
                out.append(r"\b")
            else:
                out.append(char + following)
            at += 2
            continue
        if char in swap or (char == "*" and swap and at == 0):
            out.append("\\" + char)
        else:
            out.append(char)
        at += 1
    return "".join(out)


def basic(pattern: str) -> str:
    """A basic regular expression: ``+ ? | ( ) { }`` mean themselves unless a backslash stands before them."""
    return _convert(pattern, swap="+?|(){}")


def extended(pattern: str) -> str:
    """An extended regular expression."""
    return _convert(pattern, swap="")
