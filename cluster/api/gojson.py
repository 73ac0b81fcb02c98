"""The words of Go's JSON decoder about text that is not JSON.

In → bytes; out → the parsed value, or ``SyntaxProblem`` with the text that encoding/json gives for the first offence.

Simplified here: the text of an offence inside a literal (``tru!``) or a number is Go's for the usual cases only.

Upstream: go/src/encoding/json/scanner.go.
"""

import json
import re
from typing import Any

import orjson

from cluster.api import limits


class SyntaxProblem(ValueError):
    """The bytes are not JSON; the text is Go's."""


END = "unexpected end of JSON input"
_SPACE = " \t\r\n"
_HALVES = re.compile("[\ud800-\udfff]")
_LITERALS = {"t": "true", "f": "false", "n": "null"}


def loads(data: bytes) -> Any:
    """The value. SyntaxProblem when it is not JSON."""
    if limits.json_too_deep(data):
        raise SyntaxProblem(limits.TOO_DEEP)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        text = data.decode("utf-8", "replace")
        problem = syntax_error(text)
        if problem is None:
            # orjson is stricter than Go, who reads half a surrogate pair and bytes that are not UTF-8 as U+FFFD
            return orjson.loads(_HALVES.sub("\ufffd", json.dumps(json.loads(text), ensure_ascii=False)))
        raise SyntaxProblem(problem) from None


def _char(c: str) -> str:
    if c == "'":
        return r"'\''"
    if c == '"':
        return "'\"'"
    return f"'{c}'" if c.isprintable() else f"'\\x{ord(c):02x}'"


def _offence(c: str, context: str) -> str:
    return f"invalid character {_char(c)} {context}"


def syntax_error(text: str) -> str | None:
    """Go's words for the first syntax error, None when the text is JSON."""
    end, problem = _value(text, 0)
    if problem:
        return problem
    end = _skip(text, end)
    if end < len(text):
        return _offence(text[end], "after top-level value")
    return None


def _skip(text: str, i: int) -> int:
    while i < len(text) and text[i] in _SPACE:
        i += 1
    return i


def _value(text: str, i: int) -> tuple[int, str]:
    i = _skip(text, i)
    if i >= len(text):
        return i, END
    c = text[i]
    if c == "{":
        return _members(text, i + 1)
    if c == "[":
        return _elements(text, i + 1)
    if c == '"':
        return _string(text, i + 1)
    if c == "-" or c.isdigit():
        return _number(text, i)
    if c in _LITERALS:
        word = _LITERALS[c]
        for n, expected in enumerate(word[1:], 1):
            if i + n >= len(text):
                return i, END
            if text[i + n] != expected:
                return i, _offence(text[i + n], f"in literal {word} (expecting {_char(expected)})")
        return i + len(word), ""
    return i, _offence(c, "looking for beginning of value")


def _members(text: str, i: int) -> tuple[int, str]:
    first = True
    while True:
        i = _skip(text, i)
        if i >= len(text):
            return i, END
        if text[i] == "}" and first:
            return i + 1, ""
        if text[i] != '"':
            return i, _offence(text[i], "looking for beginning of object key string")
        i, problem = _string(text, i + 1)
        if problem:
            return i, problem
        i = _skip(text, i)
        if i >= len(text):
            return i, END
        if text[i] != ":":
            return i, _offence(text[i], "after object key")
        i, problem = _value(text, i + 1)
        if problem:
            return i, problem
        i = _skip(text, i)
        if i >= len(text):
            return i, END
        if text[i] == "}":
            return i + 1, ""
        if text[i] != ",":
            return i, _offence(text[i], "after object key:value pair")
        i += 1
        first = False


def _elements(text: str, i: int) -> tuple[int, str]:
    j = _skip(text, i)
    if j < len(text) and text[j] == "]":
        return j + 1, ""
    while True:
        i, problem = _value(text, i)
        if problem:
            return i, problem
        i = _skip(text, i)
        if i >= len(text):
            return i, END
        if text[i] == "]":
            return i + 1, ""
        if text[i] != ",":
            return i, _offence(text[i], "after array element")
        i += 1


def _string(text: str, i: int) -> tuple[int, str]:
    while i < len(text):
        c = text[i]
        if c == '"':
            return i + 1, ""
        if c == "\\":
            i += 1
            if i >= len(text):
                return i, END
            if text[i] == "u":
                for _ in range(4):
                    i += 1
                    if i >= len(text):
                        return i, END
                    if text[i] not in "0123456789abcdefABCDEF":
                        return i, _offence(text[i], "in \\u hexadecimal character escape")
            elif text[i] not in 'bfnrt\\/"':
                return i, _offence(text[i], "in string escape code")
        elif ord(c) < 0x20:
            return i, _offence(c, "in string literal")
        i += 1
    return i, END


def _number(text: str, i: int) -> tuple[int, str]:
    if text[i] == "-":
        i += 1
        if i >= len(text):
            return i, END
        if not text[i].isdigit():
            return i, _offence(text[i], "in numeric literal")
    if text[i] == "0":
        i += 1
    else:
        while i < len(text) and text[i].isdigit():
            i += 1
    if i < len(text) and text[i] == ".":
        i += 1
        if i >= len(text):
            return i, END
        if not text[i].isdigit():
            return i, _offence(text[i], "after decimal point in numeric literal")
        while i < len(text) and text[i].isdigit():
            i += 1
    if i < len(text) and text[i] in "eE":
        i += 1
        if i < len(text) and text[i] in "+-":
            i += 1
        if i >= len(text):
            return i, END
        if not text[i].isdigit():
            return i, _offence(text[i], "in exponent of numeric literal")
        while i < len(text) and text[i].isdigit():
            i += 1
    return i, ""


def duplicates(data: bytes) -> list[str]:
    """``duplicate field "spec.x"`` for every key said twice in one object, in order."""
    try:
        if len(_KEYS.findall(data)) == _count(orjson.loads(data)):
            return []  # as many keys are written as were kept
    except orjson.JSONDecodeError:
        pass  # the lenient parser took it
    found = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        made = dict(pairs)
        if len(made) != len(pairs):
            found = True
        return made

    json.loads(data, object_pairs_hook=look)
    if not found:
        return []
    problems: list[str] = []
    _walk(json.loads(data, object_pairs_hook=_Pairs), "", problems)
    return list(dict.fromkeys(problems))


_KEYS = re.compile(rb'"[ \t\r\n]*:')
"""The end of every key, and perhaps of some text inside of strings (then the slow way decides)."""


def _count(value: Any) -> int:
    """How many keys ``value`` has, those of inner objects included."""
    if isinstance(value, dict):
        return len(value) + sum([_count(inner) for inner in value.values() if isinstance(inner, (dict, list))])
    return sum([_count(inner) for inner in value if isinstance(inner, (dict, list))]) if isinstance(value, list) else 0


class _Pairs(list):  # type: ignore[type-arg]
    """An object as its pairs, in order, twice said keys included."""


def _walk(value: Any, path: str, problems: list[str]) -> None:
    if isinstance(value, _Pairs):
        seen = set()
        for key, inner in value:
            where = f"{path}.{key}" if path else key
            if key in seen:
                problems.append(f'duplicate field "{where}"')
            seen.add(key)
            _walk(inner, where, problems)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _walk(inner, f"{path}[{i}]", problems)
