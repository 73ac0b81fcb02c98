"""Backslash escapes of ``echo -e``, ``printf`` and ``tr``."""

import re

_SIMPLE = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "\\": "\\",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
    '"': '"',
}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|0?[0-7]{1,3}|.)", re.DOTALL)


def _one(match: re.Match[str]) -> str:
    body = match[1]
    if body[0] == "x" and len(body) > 1:
        return chr(int(body[1:], 16))
    if body[0] in "01234567":
        return chr(int(body, 8) & 0xFF)
    return _SIMPLE.get(body, match[0])


def unescape(text: str) -> str:
    """``\\n`` becomes a newline, and so on; unknown escapes stay."""
    return _ESCAPE.sub(_one, text)
