"""Functions that Kubernetes adds to CEL: strings, lists, regular expressions, quantities, and questions to the authorizer.

Each takes CEL values, the receiver first, and answers one; a wrong type is a TypeError (``no such overload``).

Simplified here: regular expressions are Python's, which differ from RE2 in what they can say beyond it; ``format`` knows ``%s %d %f %e %x %o
%b %%``.

Upstream: cel-go ext/strings.go, apiserver/pkg/cel/library.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from celpy.celtypes import BoolType, DoubleType, IntType, ListType, MapType, StringType
from msgspec import Struct

from cluster.api import quantity


class Amount(Struct, frozen=True):
    """A ``quantity()``."""

    value: quantity.Quantity


class Question(MapType):  # type: ignore[misc]
    """``authorizer`` and what is built from it: a question that grows until somebody calls ``check``.

    ``ask(parts, verb)`` → (allowed, reason); parts: ``group``, ``resource``, ``subresource``, ``namespace``, ``name``, ``path``, ``account``.
    """

    def __init__(
        self, ask: Callable[[dict[str, str], str], tuple[bool, str]], parts: dict[str, str], own: dict[str, str]
    ) -> None:
        super().__init__()
        self.ask, self.parts, self.own = ask, parts, own

    def __contains__(self, key: object) -> bool:
        return str(key) == "requestResource"

    def __getitem__(self, key: Any) -> Any:
        if str(key) != "requestResource":
            raise KeyError(f"no such key: {key}")
        return Question(self.ask, {**self.parts, **self.own}, self.own)

    def get(self, key: Any, default: Any = None) -> Any:
        found: Any = default
        if key in self:
            found = self[key]
        return found

    def with_part(self, name: str, value: str) -> "Question":
        """The same question about something narrower."""
        return Question(self.ask, {**self.parts, name: value}, self.own)


class Verdict(Struct, frozen=True):
    """What ``check`` answers."""

    is_allowed: bool
    why: str


def _text(value: Any) -> str:
    if not isinstance(value, StringType | str):
        raise TypeError("no such overload")
    return str(value)


def _char_at(text: Any, index: Any) -> StringType:
    words = _text(text)
    if not 0 <= index <= len(words):
        raise ValueError(f"index out of range: {index}")
    return StringType(words[index : index + 1])


def _index_of(where: Any, what: Any, start: Any = 0) -> IntType:
    if isinstance(where, list):
        return IntType(where.index(what) if what in where else -1)
    return IntType(_text(where).find(_text(what), int(start)))


def _last_index_of(where: Any, what: Any, start: Any = None) -> IntType:
    if isinstance(where, list):
        return IntType(max((n for n, item in enumerate(where) if item == what), default=-1))
    words = _text(where)
    return IntType(words.rfind(_text(what), 0, len(words) if start is None else int(start) + len(_text(what))))


def _join(items: Any, between: Any = "") -> StringType:
    if not isinstance(items, list):
        raise TypeError("no such overload")
    return StringType(_text(between).join(_text(item) for item in items))


def _split(text: Any, by: Any, limit: Any = -1) -> ListType:
    words, mark, most = _text(text), _text(by), int(limit)
    if most == 0:
        return ListType([])
    parts = list(words) if not mark else words.split(mark, most - 1 if most > 0 else -1)
    return ListType([StringType(part) for part in parts])


def _replace(text: Any, old: Any, new: Any, limit: Any = -1) -> StringType:
    return StringType(_text(text).replace(_text(old), _text(new), int(limit)))


def _substring(text: Any, start: Any, end: Any = None) -> StringType:
    words = _text(text)
    stop = len(words) if end is None else int(end)
    if not 0 <= start <= stop <= len(words):
        raise ValueError("index out of range")
    return StringType(words[int(start) : stop])


def _lower(text: Any) -> StringType:
    return StringType(re.sub("[A-Z]", lambda found: found[0].lower(), _text(text)))


def _upper(text: Any) -> StringType:
    return StringType(re.sub("[a-z]", lambda found: found[0].upper(), _text(text)))


def _find(text: Any, pattern: Any) -> StringType:
    found = re.search(_text(pattern), _text(text))
    return StringType(found[0] if found else "")


def _find_all(text: Any, pattern: Any, limit: Any = -1) -> ListType:
    found = [StringType(match[0]) for match in re.finditer(_text(pattern), _text(text))]
    return ListType(found if limit < 0 else found[: int(limit)])


def _format(text: Any, values: Any) -> StringType:
    left = list(values)

    def put(found: "re.Match[str]") -> str:
        if found[0] == "%%":
            return "%"
        if not left:
            raise ValueError("index 0 out of range")
        value, kind = left.pop(0), found[0][-1]
        if kind == "s":
            return str(value).lower() if isinstance(value, BoolType) else str(value)
        return found[0].replace("b", "s") % (f"{int(value):b}" if kind == "b" else value)

    return StringType(re.sub(r"%(?:%|(?:\.\d+)?[sdfexob])", put, _text(text)))


def _is_sorted(items: Any) -> BoolType:
    return BoolType(all(a <= b for a, b in pairwise(items)))


def _sum(items: Any) -> Any:
    return type(items[0])(sum(items)) if items else IntType(0)


def _quantity(text: Any) -> Amount:
    try:
        return Amount(quantity.parse(_text(text)))
    except quantity.QuantityError as error:
        raise ValueError(str(error)) from error


def _is_quantity(text: Any) -> BoolType:
    try:
        quantity.parse(_text(text))
    except quantity.QuantityError:
        return BoolType(False)
    return BoolType(True)


def _amount(value: Any) -> quantity.Quantity:
    if not isinstance(value, Amount):
        raise TypeError("no such overload")
    return value.value


def _other(value: Any) -> quantity.Quantity:
    return value.value if isinstance(value, Amount) else quantity.from_value(int(value))


def _compare(a: Any, b: Any) -> IntType:
    first, second = _amount(a), _amount(b)
    return IntType((first > second) - (first < second))


def _part(name: str) -> Callable[..., Any]:
    def narrowed(question: Any, *values: Any) -> Any:
        if not isinstance(question, Question):
            raise TypeError("no such overload")
        return question.with_part(name, "/".join(_text(value) for value in values))

    return narrowed


def _check(question: Any, verb: Any) -> Verdict:
    if not isinstance(question, Question):
        raise TypeError("no such overload")
    return Verdict(*question.ask(question.parts, _text(verb)))


def _verdict(value: Any) -> Verdict:
    if not isinstance(value, Verdict):
        raise TypeError("no such overload")
    return value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "charAt": _char_at, "indexOf": _index_of, "lastIndexOf": _last_index_of, "join": _join, "split": _split, "replace": _replace,
    "substring": _substring, "lowerAscii": _lower, "upperAscii": _upper, "format": _format, "find": _find, "findAll": _find_all,
    "trim": lambda text: StringType(_text(text).strip()),
    "isSorted": _is_sorted, "sum": _sum, "max": lambda items: max(items),
    "quantity": _quantity, "isQuantity": _is_quantity, "compareTo": _compare,
    "isGreaterThan": lambda a, b: BoolType(_amount(a) > _amount(b)), "isLessThan": lambda a, b: BoolType(_amount(a) < _amount(b)),
    "asInteger": lambda a: IntType(_amount(a).value()), "isInteger": lambda a: BoolType(_amount(a).milli() % 1000 == 0),
    "asApproximateFloat": lambda a: DoubleType(_amount(a).milli() / 1000),
    "sign": lambda a: IntType((_amount(a).milli() > 0) - (_amount(a).milli() < 0)),
    "add": lambda a, b: Amount(_amount(a) + _other(b)), "sub": lambda a, b: Amount(_amount(a) - _other(b)),
    "path": _part("path"), "group": _part("group"), "resource": _part("resource"), "subresource": _part("subresource"),
    "namespace": _part("namespace"), "name": _part("name"), "serviceAccount": _part("account"), "check": _check,
    "allowed": lambda verdict: BoolType(_verdict(verdict).is_allowed), "reason": lambda verdict: StringType(_verdict(verdict).why),
}  # fmt: skip
