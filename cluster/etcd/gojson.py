"""JSON as Go reads it into protobuf's messages (jsonpb in grpc-gateway): what is accepted, and the words about what is not.

int64 may be texts or numbers, bytes are base64 with its padding, enums are names or numbers, names may be snake_case or camelCase. What a message does
not know is passed over, a null is as good as nothing, and what follows the first value of a body is not read.

In: bytes of a body, documents. Out: Python values, by the readers of a message's fields. Errors: ``BadJSON`` with Go's own sentence.
Upstream: Go's encoding/json, golang/protobuf jsonpb, grpc-gateway runtime.
"""

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import Any

import orjson

Reader = Callable[[Any], Any]
Fields = dict[str, tuple[str, Reader]]
"""JSON name (both spellings) → (our name, reader)."""


class BadJSON(Exception):
    """Go would not have it. The text says why."""


class Number(float):
    """A number that is no int64, as it was written."""

    text = ""


def _kept(text: str) -> Number:
    number = Number(text)
    number.text = text
    return number


# -- a body -----------------------------------------------------------------------------------------------------------


def first_value(body: bytes) -> Any:
    """The first value of a body; what an empty one means: an empty message. BadJSON."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        if not body.strip():
            return {}
        found = _slowly(body)
    if isinstance(found, dict) and _has_float(found):
        return _slowly(body)  # Go says a number as it was written
    return {} if found is None else found


def _has_float(document: dict[str, Any]) -> bool:
    return any(isinstance(value, float) for value in document.values())


def _slowly(body: bytes) -> Any:
    text = body.decode("utf-8", "replace").lstrip(" \t\r\n")
    try:
        decoder = json.JSONDecoder(parse_float=_kept, parse_int=_int_or_kept, parse_constant=_no_constant)
        return decoder.raw_decode(text)[0]
    except ValueError:
        raise BadJSON(problem(text)) from None
    except RecursionError:
        raise BadJSON("exceeded max depth") from None


def _int_or_kept(text: str) -> Any:
    return int(text) if len(text) < 25 else _kept(text)


def _no_constant(text: str) -> None:
    raise ValueError(text)


_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_SPACE = re.compile(r"[ \t\r\n]*")


def problem(text: str) -> str:
    """What Go says of a text that is no JSON: of the first byte that cannot stand where it stands."""
    try:
        _skip(text, 0)
    except BadJSON as found:
        return str(found)
    return "unexpected EOF"


def _at(text: str, place: int, where: str) -> str:
    if place >= len(text):
        raise BadJSON("unexpected EOF")
    return f"invalid character {quoted(text[place])} {where}"


def quoted(character: str) -> str:
    """A character as Go shows it: ``'x'``."""
    special = {"'": r"'\''", '"': "'\"'", "\n": r"'\n'", "\t": r"'\t'", "\r": r"'\r'", "\\": r"'\\'"}
    if character in special:
        return special[character]
    return f"'\\x{ord(character):02x}'" if character < " " else f"'{character}'"


def _space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _skip(text: str, place: int) -> int:
    """The place after the value at ``place``. BadJSON."""
    place = _space(text, place)
    head = text[place : place + 1]
    if head == "{":
        return _members(text, place + 1, "}", "object key:value pair")
    if head == "[":
        return _members(text, place + 1, "]", "array element")
    if head == '"':
        return _string(text, place)
    for literal in ("true", "false", "null"):
        if head == literal[0]:
            return _literal(text, place, literal)
    if head == "-" or head.isdigit():
        return _digits(text, place)
    raise BadJSON(_at(text, place, "looking for beginning of value"))


def _members(text: str, place: int, end: str, what: str) -> int:
    place = _space(text, place)
    if text[place : place + 1] == end:
        return place + 1
    while True:
        if end == "}":
            place = _space(text, place)
            if text[place : place + 1] != '"':
                raise BadJSON(_at(text, place, "looking for beginning of object key string"))
            place = _space(text, _string(text, place))
            if text[place : place + 1] != ":":
                raise BadJSON(_at(text, place, "after object key"))
            place += 1
        place = _space(text, _skip(text, place))
        head = text[place : place + 1]
        if head == end:
            return place + 1
        if head != ",":
            raise BadJSON(_at(text, place, f"after {what}"))
        place += 1


def _string(text: str, place: int) -> int:
    found = _STRING.match(text, place)
    if found is not None:
        return found.end()
    place += 1
    while place < len(text):
        if text[place] < " ":
            raise BadJSON(_at(text, place, "in string literal"))
        if text[place] == "\\":
            place += 1
            if text[place : place + 1] == "u":
                for digit in range(place + 1, place + 5):
                    if not re.fullmatch("[0-9a-fA-F]", text[digit : digit + 1]):
                        raise BadJSON(_at(text, digit, "in \\u hexadecimal character escape"))
                place += 4
            elif text[place : place + 1] not in tuple('"\\/bfnrt'):
                raise BadJSON(_at(text, place, "in string escape code"))
        place += 1
    raise BadJSON("unexpected EOF")


def _literal(text: str, place: int, literal: str) -> int:
    for number, letter in enumerate(literal[1:], 1):
        if text[place + number : place + number + 1] != letter:
            raise BadJSON(_at(text, place + number, f"in literal {literal} (expecting {quoted(letter)})"))
    return place + len(literal)


def _digits(text: str, place: int) -> int:
    found = _NUMBER.match(text, place)
    if found is None:
        raise BadJSON(_at(text, place + 1, "in numeric literal"))
    end = found.end()
    if text[end : end + 1] == ".":
        raise BadJSON(_at(text, end + 1, "after decimal point in numeric literal"))
    if text[end : end + 1] in ("e", "E"):
        raise BadJSON(_at(text, end + 1, "in exponent of numeric literal"))
    return end


# -- fields -----------------------------------------------------------------------------------------------------------


def read(document: Any, fields: Fields) -> dict[str, Any]:
    """The fields of a message that ``document`` gives, by our names. BadJSON."""
    if not isinstance(document, dict):
        raise BadJSON(f"json: cannot unmarshal {kind(document)} into Go value of type map[string]json.RawMessage")
    found: dict[str, Any] = {}
    for name, value in document.items():
        known = fields.get(name)
        if known is not None and value is not None:
            found[known[0]] = known[1](value)
    return found


def fields(**readers: Reader) -> Fields:
    """The table of a message. A name ``A__b`` is JSON ``A`` and ours ``b``."""
    found: Fields = {}
    for spec, reader in readers.items():
        json_name, _, ours = spec.partition("__")
        ours = ours or json_name
        head, *rest = json_name.split("_")
        found[json_name] = found[head + "".join(word.capitalize() for word in rest)] = (ours, reader)
    return found


def int64(value: Any) -> int:
    """A number, or a text with one."""
    return _integer(value, -(1 << 63), 1 << 63, "int64")


def uint64(value: Any) -> int:
    """A member's id."""
    return _integer(value, 0, 1 << 64, "uint64")


def _integer(value: Any, low: int, high: int, type_: str) -> int:
    if isinstance(value, str):
        if re.fullmatch(r"-?(0|[1-9]\d*)", value) and len(value) < 25:
            value = int(value)
        else:
            value = _inner(value)
            if value is None:
                return 0
    if isinstance(value, Number):
        raise BadJSON(f"json: cannot unmarshal number {value.text} into Go value of type {type_}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadJSON(f"json: cannot unmarshal {kind(value)} into Go value of type {type_}")
    if isinstance(value, float) or not low <= value < high:
        raise BadJSON(f"json: cannot unmarshal number {value} into Go value of type {type_}")
    return value


def _inner(text: str) -> Any:
    """A number that stands in a text is JSON of its own."""
    try:
        return json.loads(text, parse_float=_kept, parse_int=_int_or_kept, parse_constant=_no_constant)
    except ValueError:
        pass
    try:
        end = _space(text, _skip(text, 0))
    except BadJSON as found:
        raise BadJSON(str(found).replace("unexpected EOF", "unexpected end of JSON input")) from None
    raise BadJSON(f"invalid character {quoted(text[end])} after top-level value")


def octets(value: Any) -> bytes:
    """Bytes in base64: the standard alphabet, padded."""
    if not isinstance(value, str):
        raise BadJSON(f"json: cannot unmarshal {kind(value)} into Go value of type []uint8")
    try:
        if not len(value) % 4:
            return b64decode(value, validate=True)
    except (Base64Error, ValueError):
        pass
    clean = value.replace("\r", "").replace("\n", "")
    wrong = _base64_problem(clean)
    if wrong is None:
        return b64decode(clean)
    raise BadJSON(f"illegal base64 data at input byte {wrong}")


def _base64_problem(text: str) -> int | None:
    """Where Go stops: the byte that does not belong, or the beginning of a group that is not complete."""
    for start in range(0, len(text), 4):
        group = text[start : start + 4]
        for number, character in enumerate(group):
            if character == "=":
                if number < 2:
                    return start + number
                if number == 2 and group[3:] != "=":
                    return start + 2 if len(group) > 3 else len(text)
                rest = start + 4
                return rest if len(text) > rest else None
            if not (character.isascii() and (character.isalnum() or character in "+/")):
                return start + number
        if len(group) < 4:
            return start
    return None


def boolean(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise BadJSON(f"json: cannot unmarshal {kind(value)} into Go value of type bool")
    return value


def text(value: Any) -> str:
    """A string."""
    if not isinstance(value, str):
        raise BadJSON(f"json: cannot unmarshal {kind(value)} into Go value of type string")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Strings."""
    return tuple(text(item) for item in items(value))


def items(value: Any) -> list[Any]:
    """A list of whatever."""
    if not isinstance(value, list):
        raise BadJSON(f"json: cannot unmarshal {kind(value)} into Go value of type []json.RawMessage")
    return value


def enum(type_: str, *names: str) -> Reader:
    """A name, or its number. A number without a name stays a number, as text."""

    def read_enum(value: Any) -> str:
        if isinstance(value, str):
            if value not in names:
                package = "" if "." in type_ else "etcdserverpb."
                raise BadJSON(f'unknown value "{value}" for enum {package}{type_}')
            return value
        number = _integer(value, -(1 << 31), 1 << 31, "int32")
        return names[number] if 0 <= number < len(names) else str(number)

    return read_enum


def kind(value: Any) -> str:
    """What Go calls such a value."""
    if isinstance(value, Number):
        return f"number {value.text}"
    return {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}.get(
        type(value), "null"
    )
