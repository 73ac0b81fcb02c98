"""Errors about fields of an object, with the words and the order of the real server.

In → a path, what is wrong; out → ``FieldError``; ``aggregate`` joins them as a Status message does. Values are shown as
Go's ``%#v`` (``ErrorBody``): strings quoted, lists and maps with their Go type.

Simplified here: values that are Go structs are shown only where the caller gives the text (``GoText``).

Upstream: apimachinery/pkg/util/validation/field/errors.go, path.go; apimachinery/pkg/util/errors/errors.go.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

_NO_VALUE = object()

REASONS = {
    "Required value": "FieldValueRequired",
    "Invalid value": "FieldValueInvalid",
    "Unsupported value": "FieldValueNotSupported",
    "Duplicate value": "FieldValueDuplicate",
    "Forbidden": "FieldValueForbidden",
    "Too long": "FieldValueTooLong",
    "Too many": "FieldValueTooMany",
    "Not found": "FieldValueNotFound",
    "Internal error": "InternalError",
    "Type invalid": "FieldValueTypeInvalid",
}
"""Field error type's text → ``reason`` of a Status cause."""


class FieldError(Struct, frozen=True):
    """One thing that is wrong. ``message`` is without the field: ``Invalid value: 70000: must be …``."""

    field: str
    message: str
    reason: str

    def text(self) -> str:
        """``field: message``, as it stands in a Status message."""
        return f"{self.field}: {self.message}"


class GoText(str):
    """A value already written as Go would print it."""

    __slots__ = ()


def quote(text: str) -> str:
    """Go's ``%q``."""
    out = ['"']
    for c in text:
        if c == '"' or c == "\\":
            out.append("\\" + c)
        elif c == "\n":
            out.append("\\n")
        elif c == "\t":
            out.append("\\t")
        elif c == "\r":
            out.append("\\r")
        elif ord(c) < 0x20 or ord(c) == 0x7F:
            out.append(f"\\x{ord(c):02x}")
        else:
            out.append(c)
    out.append('"')
    return "".join(out)


def go_value(value: Any) -> str:
    """Go's ``%#v`` of plain values: ``"a"``, ``70000``, ``[]string{"a"}``, ``map[string]string{"a":"b"}`` (sorted)."""
    if isinstance(value, GoText):
        return str(value)
    if isinstance(value, str):
        return quote(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return '"null"'
    if isinstance(value, dict):
        inner = ", ".join(f"{quote(k)}:{go_value(value[k])}" for k in sorted(value))
        kind = "string" if all(isinstance(v, str) for v in value.values()) else "interface {}"
        return f"map[string]{kind}{{{inner}}}"
    if isinstance(value, list | tuple):
        kind = "string" if all(isinstance(v, str) for v in value) else "interface {}"
        return f"[]{kind}{{{', '.join(go_value(v) for v in value)}}}"
    return str(value)


def _error(kind: str, path: str, value: Any, detail: str) -> FieldError:
    text = kind if value is _NO_VALUE else f"{kind}: {go_value(value)}"
    if detail:
        text = f"{text}: {detail}"
    return FieldError(path, text, REASONS[kind])


def required(path: str, detail: str = "") -> FieldError:
    """A value must be given (``Required value``)."""
    return _error("Required value", path, _NO_VALUE, detail)


def invalid(path: str, value: Any, detail: str) -> FieldError:
    """The value is malformed or contradicts another (``Invalid value``)."""
    return _error("Invalid value", path, value, detail)


def not_supported(path: str, value: Any, supported: Iterable[str]) -> FieldError:
    """The value is not one of the enumeration; the supported ones are listed as given."""
    values = ", ".join(quote(v) for v in supported)
    return _error("Unsupported value", path, value, f"supported values: {values}" if values else "")


def duplicate(path: str, value: Any) -> FieldError:
    """Another entry already has this value."""
    return _error("Duplicate value", path, value, "")


def forbidden(path: str, detail: str) -> FieldError:
    """The field may not be set, or not be changed."""
    return _error("Forbidden", path, _NO_VALUE, detail)


def too_long(path: str, limit: int) -> FieldError:
    """More bytes than allowed."""
    return _error("Too long", path, _NO_VALUE, f"may not be more than {limit} bytes")


def too_many(path: str, actual: int, limit: int) -> FieldError:
    """More items than allowed."""
    return _error("Too many", path, actual, f"must have at most {limit} items")


def not_found(path: str, value: Any) -> FieldError:
    """The value names something that does not exist."""
    return _error("Not found", path, value, "")


def internal(path: str, detail: str) -> FieldError:
    """The server itself failed."""
    return _error("Internal error", path, _NO_VALUE, detail)


def type_invalid(path: str, value: Any, detail: str) -> FieldError:
    """A value of the wrong JSON type (custom resources)."""
    return FieldError(path, f"Invalid value: {go_value(value)}: {detail}", "FieldValueTypeInvalid")


def aggregate(errors: Sequence[FieldError]) -> str:
    """One error is its text, more are ``[a, b]``; the same text is said once."""
    texts = list(dict.fromkeys(error.text() for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
