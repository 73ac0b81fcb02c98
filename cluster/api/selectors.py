"""Label and field selectors: what a client writes after ``-l`` and ``--field-selector``, and ``LabelSelector`` structs.

In → text or a document; out → a selector with ``matches(mapping)`` and ``text()``. Errors: ``SelectorError`` with the
real parser's text.

Simplified here: nothing that a query string can say.

Upstream: apimachinery/pkg/labels/selector.go, apimachinery/pkg/fields/selector.go.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from cluster.api import field, meta

IN, NOT_IN, EQUALS, DOUBLE_EQUALS, NOT_EQUALS = "in", "notin", "=", "==", "!="
EXISTS, NOT_EXISTS, GREATER, LESS = "exists", "!", "gt", "lt"
_BINARY = "in, notin, =, ==, !=, gt, lt"
_SPECIAL = "=!(),><"
_SYMBOLS = {")", ",", "(", "!", "=", "==", "!=", ">", "<"}


class SelectorError(ValueError):
    """The text is not a selector; the message is the real parser's."""


class Requirement(Struct, frozen=True):
    """``key operator values``."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` fulfil it."""
        has = self.key in labels
        op = self.operator
        if op in (EQUALS, DOUBLE_EQUALS, IN):
            return has and labels[self.key] in self.values
        if op in (NOT_EQUALS, NOT_IN):
            return not has or labels[self.key] not in self.values
        if op == EXISTS:
            return has
        if op == NOT_EXISTS:
            return not has
        if not has:
            return False
        try:
            value, limit = int(labels[self.key]), int(self.values[0])
        except ValueError:
            return False
        return value > limit if op == GREATER else value < limit

    def text(self) -> str:
        """As a client would write it."""
        if self.operator == NOT_EXISTS:
            return f"!{self.key}"
        if self.operator == EXISTS:
            return self.key
        if self.operator in (IN, NOT_IN):
            return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
        sign = {GREATER: ">", LESS: "<"}.get(self.operator, self.operator)
        return f"{self.key}{sign}{self.values[0]}"


class LabelSelector(Struct, frozen=True):
    """All requirements together; ``nothing`` matches no object at all."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    @property
    def empty(self) -> bool:
        """Whether every object matches."""
        return not self.requirements and not self.nothing

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` fulfil every requirement."""
        if self.nothing:
            return False
        return all(requirement.matches(labels) for requirement in self.requirements)

    def text(self) -> str:
        """As a client would write it, sorted by key."""
        return ",".join(r.text() for r in self.requirements)


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(nothing=True)


def _requirement(key: str, operator: str, values: Sequence[str], path: str = "") -> Requirement:
    prefix = f"{path}." if path else ""
    wrong = meta.qualified_name(key)
    if wrong:
        raise SelectorError(field.invalid(f"{prefix}key", key, "; ".join(wrong)).text())
    if operator in (IN, NOT_IN) and not values:
        why = "for 'in', 'notin' operators, values set can't be empty"
        raise SelectorError(field.invalid(f"{prefix}values", field.GoText("[]string{}"), why).text())
    if operator in (GREATER, LESS):
        for i, value in enumerate(values):
            if not value.lstrip("+-").isdigit():
                why = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise SelectorError(field.invalid(f"{prefix}values[{i}]", value, why).text())
    for i, value in enumerate(values):
        wrong = meta.label_value(value)
        if wrong:
            raise SelectorError(field.invalid(f"{prefix}values[{i}][{key}]", value, "; ".join(wrong)).text())
    return Requirement(key, operator, tuple(sorted(set(values))) if operator in (IN, NOT_IN) else tuple(values))


class _Parser:
    """Tokens are (kind, literal); kinds: "id", "end", "error" and the symbols themselves."""

    def __init__(self, text: str) -> None:
        self.tokens = self._scan(text)
        self.position = 0

    @staticmethod
    def _scan(text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        i = 0
        while i < len(text):
            c = text[i]
            if c in " \t\r\n":
                i += 1
            elif c in _SPECIAL:
                end = i + 1
                while end < len(text) and text[end] in _SPECIAL and text[i : end + 1] in _SYMBOLS:
                    end += 1
                tokens.append((text[i:end], text[i:end]))
                i = end
            else:
                end = i
                while end < len(text) and text[end] not in _SPECIAL and text[end] not in " \t\r\n":
                    end += 1
                word = text[i:end]
                tokens.append((word if word in (IN, NOT_IN) else "id", word))
                i = end
        tokens.append(("end", ""))
        return tokens

    def look(self, operators: bool = False) -> tuple[str, str]:
        kind, literal = self.tokens[self.position]
        if kind in (IN, NOT_IN) and not operators:
            return "id", literal
        return kind, literal

    def take(self, operators: bool = False) -> tuple[str, str]:
        token = self.look(operators)
        if self.position < len(self.tokens) - 1:
            self.position += 1
        return token

    def parse(self) -> list[Requirement]:
        requirements: list[Requirement] = []
        while True:
            kind, literal = self.look()
            if kind == "end":
                return requirements
            if kind not in ("id", "!"):
                raise SelectorError(f"found '{literal}', expected: !, identifier, or 'end of string'")
            try:
                requirements.append(self.requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            kind, literal = self.take()
            if kind == "end":
                return requirements
            if kind != ",":
                raise SelectorError(f"found '{literal}', expected: ',' or 'end of string'")
            kind, literal = self.look()
            if kind not in ("id", "!"):
                raise SelectorError(f"found '{literal}', expected: identifier after ','")

    def requirement(self) -> Requirement:
        kind, key = self.take()
        operator = ""
        if kind == "!":
            operator = NOT_EXISTS
            kind, key = self.take()
        if kind != "id":
            raise SelectorError(f"found '{key}', expected: identifier")
        wrong = meta.qualified_name(key)
        if wrong:
            raise SelectorError(field.invalid("<nil>", key, "; ".join(wrong)).text())
        if self.look()[0] in ("end", ",") and not operator:
            operator = EXISTS
        if operator:
            return _requirement(key, operator, ())
        kind, literal = self.take(operators=True)
        operator = {
            IN: IN, NOT_IN: NOT_IN, "=": EQUALS, "==": DOUBLE_EQUALS, "!=": NOT_EQUALS, ">": GREATER, "<": LESS,
        }.get(kind, "")  # fmt: skip
        if not operator:
            raise SelectorError(f"found '{literal}', expected: {_BINARY}")
        if operator in (IN, NOT_IN):
            return _requirement(key, operator, self.values())
        return _requirement(key, operator, (self.exact(),))

    def exact(self) -> str:
        if self.look()[0] in ("end", ","):
            return ""
        kind, literal = self.take()
        if kind != "id":
            raise SelectorError(f"found '{literal}', expected: identifier")
        return literal

    def values(self) -> list[str]:
        kind, literal = self.take()
        if kind != "(":
            raise SelectorError(f"found '{literal}' expected: '('")
        kind, literal = self.look()
        if kind == ")":
            self.take()
            return []
        if kind not in ("id", ","):
            raise SelectorError(f"found '{literal}', expected: ',', ')' or identifier")
        found: list[str] = []
        while True:
            kind, literal = self.take()
            if kind == "id":
                found.append(literal)
                kind, literal = self.look()
                if kind == ")":
                    break
                if kind != ",":
                    raise SelectorError(f"found '{literal}', expected: ',' or ')'")
            elif kind == ",":
                if not found:
                    found.append("")
                kind, literal = self.look()
                if kind == ")":
                    found.append("")
                    break
                if kind == ",":
                    self.take()
                    found.append("")
            else:
                raise SelectorError(f"found '{literal}', expected: ',', or identifier")
        self.take()
        return found


@lru_cache(maxsize=4096)
def parse_labels(text: str) -> LabelSelector:
    """The selector of ``?labelSelector=``; "" matches everything."""
    requirements = _Parser(text).parse()
    return LabelSelector(tuple(sorted(requirements, key=lambda r: r.key)))


_STRUCT_OPERATORS = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": NOT_EXISTS}


def from_struct(selector: Mapping[str, Any] | None) -> LabelSelector:
    """A ``metav1.LabelSelector``: None matches nothing, {} everything."""
    if selector is None:
        return NOTHING
    requirements = [Requirement(k, EQUALS, (v,)) for k, v in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = _STRUCT_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(f'"{expression.get("operator", "")}" is not a valid label selector operator')
        requirements.append(_requirement(expression.get("key", ""), operator, expression.get("values") or ()))
    return LabelSelector(tuple(sorted(requirements, key=lambda r: r.key)))


def from_map(labels: Mapping[str, str] | None) -> LabelSelector:
    """A plain map, as Services and ReplicationControllers have; None or {} match nothing there."""
    if not labels:
        return NOTHING
    return LabelSelector(tuple(Requirement(k, EQUALS, (labels[k],)) for k in sorted(labels)))


def node_selector_matches(term: Mapping[str, Any], labels: Mapping[str, str], fields: Mapping[str, str]) -> bool:
    """A ``NodeSelectorTerm``; an empty one matches nothing."""
    expressions, on_fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not on_fields:
        return False
    pairs = [(e, labels) for e in expressions] + [(e, fields) for e in on_fields]
    for expression, mapping in pairs:
        operator = {**_STRUCT_OPERATORS, "Gt": GREATER, "Lt": LESS}.get(expression.get("operator", ""))
        if operator is None:
            return False
        if not Requirement(expression["key"], operator, tuple(expression.get("values") or ())).matches(mapping):
            return False
    return True


class FieldRequirement(Struct, frozen=True):
    """``field operator value`` with operator ``=`` or ``!=``."""

    field: str
    operator: str
    value: str


class FieldSelector(Struct, frozen=True):
    """All requirements together."""

    requirements: tuple[FieldRequirement, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether every object matches."""
        return not self.requirements

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether the selectable fields of an object (missing ones are "") fulfil every requirement."""
        return all((fields.get(r.field, "") == r.value) is not (r.operator == NOT_EQUALS) for r in self.requirements)

    def value_of(self, name: str) -> str | None:
        """The value that ``name`` must equal, None when it is not pinned: lets a list become a get."""
        for r in self.requirements:
            if r.field == name and r.operator == EQUALS:
                return r.value
        return None

    def text(self) -> str:
        """As a client would write it."""
        return ",".join(f"{r.field}{r.operator}{_escape(r.value)}" for r in self.requirements)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def _unescape(value: str) -> str:
    if "\\" not in value:
        return value
    out, i = [], 0
    while i < len(value):
        c = value[i]
        if c == "\\":
            if i + 1 >= len(value) or value[i + 1] not in "\\,=":
                following = value[i + 1 : i + 2]
                raise SelectorError(f'invalid field selector: invalid escape sequence: "\\{following}"')
            i += 1
            out.append(value[i])
        elif c in ",=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {c}")
        else:
            out.append(c)
        i += 1
    return "".join(out)


def _terms(text: str) -> list[str]:
    terms, start, i = [], 0, 0
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] == ",":
            terms.append(text[start:i])
            start = i + 1
        i += 1
    terms.append(text[start:])
    return terms


@lru_cache(maxsize=4096)
def parse_fields(text: str) -> FieldSelector:
    """The selector of ``?fieldSelector=``; "" matches everything."""
    requirements = []
    for term in _terms(text):
        if not term:
            continue
        for i, c in enumerate(term):
            sign = next((s for s in (NOT_EQUALS, DOUBLE_EQUALS, EQUALS) if term.startswith(s, i)), "")
            if sign and c in "!=":
                operator = NOT_EQUALS if sign == NOT_EQUALS else EQUALS
                requirements.append(FieldRequirement(term[:i], operator, _unescape(term[i + len(sign) :])))
                break
        else:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
    return FieldSelector(tuple(sorted(requirements, key=lambda r: r.field)))
