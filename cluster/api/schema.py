"""Compiled schemas: from whatever a client sent to the document that the Go types of Kubernetes would have made of it.

``Schema.decode(doc)`` → ``Decoded(doc, problems)``: unknown fields gone (and named in ``problems``), wrong types refused
with the words of Go's JSON decoder, keys in the order of the Go struct, zero values dropped as ``omitempty`` does, value
structs always there, quantities and times in canonical form. ``Schema.default(doc)`` fills in the defaults. Schemas
are compiled from Kubernetes' own definitions, on first use of a kind.

The common case is quick: one pass over the document. Only when something does not fit is it walked again, slowly, in the
order the client wrote it, to find Go's words. Errors: ``DecodeError`` (its text goes into a 400).

Simplified here: a string that Go holds in a named type is called ``string`` in type errors unless ``gotypes.NAMED``
knows better; JSON numbers are checked by value, so ``1.0`` is refused for an integer as Go does, with that text.

Upstream: sigs.k8s.io/json, apimachinery/pkg/runtime/serializer/json.
"""

import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct

from cluster.api import definitions, gotypes, quantity

Doc = dict[str, Any]

KEEP, OMIT_NONE, OMIT_EMPTY = 0, 1, 2
"""When a field is left out: never; when it was not set (pointers); when it is zero or empty (``omitempty``)."""


class DecodeError(Exception):
    """The document does not fit its kind; the text is Go's."""


class Decoded(Struct, frozen=True):
    """``problems``: strict decoding texts, e.g. ``unknown field "spec.x"``, in the order of the document."""

    doc: Doc
    problems: tuple[str, ...] = ()


class _Slow(Exception):
    """Something does not fit; the slow walk finds the words."""


class Node:
    """One type. ``decode`` gives the normal form or raises ``_Slow``; ``zero`` is what Go shows for an unset value."""

    __slots__ = ("go_type", "keys", "list_type", "map_type")
    op = "any"
    zero: Any = None

    def __init__(self, go_type: str) -> None:
        self.go_type = go_type
        self.list_type = ""
        """"atomic", "map", "set" or "" (atomic too) for lists; see ``keys``."""
        self.map_type = ""
        """"atomic" for maps and structs that have one owner as a whole."""
        self.keys: tuple[str, ...] = ()

    def child(self, key: str) -> "Node | None":
        """The Node under a key: a struct's field, a map's element; None where nothing is known."""
        return None

    def decode(self, value: Any) -> Any:
        """Anything goes (RawExtension, JSON, FieldsV1)."""
        return value

    def decode_from(self, value: Any, known: Any) -> Any:
        """The same when ``known`` is in normal form already: what is the very same object in both needs no look."""
        return value if value is known else self.decode(value)

    def explain(self, value: Any, path: str, where: "_Where", problems: list[str]) -> Any:
        """The slow walk: raises DecodeError with Go's words, collects unknown fields, returns the value without them."""
        return value


class _Where(Struct, frozen=True):
    """For Go's words: the innermost struct's name and the dotted path without indexes."""

    struct: str = ""
    path: str = ""

    def mismatch(self, value: Any, go_type: str) -> DecodeError:
        described = json_kind(value)
        if described == "number" and (isinstance(value, float) or go_type.startswith(("int", "uint"))):
            described = f"number {value!r}"
        into = f"Go struct field {self.struct}.{self.path}" if self.struct else "Go value"
        return DecodeError(f"json: cannot unmarshal {described} into {into} of type {go_type}")


def json_kind(value: Any) -> str:
    """Go's word for a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


class StringNode(Node):
    """A Go string."""

    __slots__ = ()
    op = "string"
    zero = ""

    def decode(self, value: Any) -> Any:
        if type(value) is str:
            return value
        raise _Slow

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is not None and not isinstance(value, str):
            raise where.mismatch(value, self.go_type)
        return value


class IntNode(Node):
    """int32 or int64."""

    __slots__ = ("high",)
    op = "int"
    zero = 0

    def __init__(self, go_type: str) -> None:
        super().__init__(go_type)
        self.high = (1 << 31) if go_type == "int32" else (1 << 63)

    def decode(self, value: Any) -> Any:
        if type(value) is int and -self.high <= value < self.high:
            return value
        raise _Slow

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is None:
            return value
        if type(value) is not int:
            raise where.mismatch(value, self.go_type)
        if not -self.high <= value < self.high:
            raise where.mismatch(value, self.go_type)
        return value


class BoolNode(Node):
    """A Go bool."""

    __slots__ = ()
    op = "bool"
    zero = False

    def decode(self, value: Any) -> Any:
        if value is True or value is False:
            return value
        raise _Slow

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is not None and not isinstance(value, bool):
            raise where.mismatch(value, "bool")
        return value


class NumberNode(Node):
    """A float64."""

    __slots__ = ()
    op = "number"
    zero = 0

    def decode(self, value: Any) -> Any:
        if type(value) is int or type(value) is float:
            return value
        raise _Slow

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise where.mismatch(value, "float64")
        return value


class QuantityNode(Node):
    """resource.Quantity: text or number in, canonical text out."""

    __slots__ = ()
    op = "quantity"
    zero = "0"

    def decode(self, value: Any) -> Any:
        try:
            if type(value) is str:
                return quantity.canonical(value) if value else "0"
            return quantity.parse_json(value).text()
        except quantity.QuantityError:
            raise _Slow from None

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is not None:
            try:
                quantity.parse_json(value)
            except quantity.QuantityError as error:
                raise DecodeError(str(error)) from None
        return value


class IntOrStringNode(Node):
    """intstr.IntOrString."""

    __slots__ = ()
    op = "intstr"
    zero = 0

    def decode(self, value: Any) -> Any:
        kind = type(value)
        if kind is str or (kind is int and -(1 << 31) <= value < (1 << 31)):
            return value
        raise _Slow

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is None or isinstance(value, str):
            return value
        if type(value) is not int or not -(1 << 31) <= value < (1 << 31):
            raise _Where().mismatch(value, "int32")
        return value


TIME = re.compile(r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
                   r"(Z|[+-]\d\d:\d\d)$")  # fmt: skip


class TimeNode(Node):
    """metav1.Time (whole seconds) or metav1.MicroTime (six decimals), written in UTC."""

    __slots__ = ("micro",)
    op = "time"

    def __init__(self, micro: bool) -> None:
        super().__init__("v1.MicroTime" if micro else "v1.Time")
        self.micro = micro

    def decode(self, value: Any) -> Any:
        if type(value) is not str or (normal := _normal_time(value, self.micro)) is None:
            raise _Slow
        return normal

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is None:
            return value
        if not isinstance(value, str):
            raise _Where().mismatch(value, "string")
        if not TIME.match(value):
            layout = "2006-01-02T15:04:05.000000Z07:00" if self.micro else "2006-01-02T15:04:05Z07:00"
            raise DecodeError(_time_error(value, layout))
        try:
            normal_time(value, self.micro)
        except ValueError:
            raise DecodeError(f'parsing time "{value}": day out of range') from None
        return value


@lru_cache(maxsize=1024)
def _normal_time(text: str, micro: bool) -> str | None:
    """The normal form of what ``TIME`` describes, None of anything else. Most objects of a second say the same second."""
    match = TIME.match(text)
    if match is None:
        return None
    if match[1] == "Z" and len(text) == (27 if micro else 20):
        return text
    try:
        return normal_time(text, micro)
    except ValueError:
        return None


def normal_time(text: str, micro: bool) -> str:
    """Any RFC 3339 text in UTC, with no decimals or (``micro``) six."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    short = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{short}.{moment.microsecond:06d}Z" if micro else f"{short}Z"


def _time_error(text: str, layout: str) -> str:
    """Go's ``time.Parse`` error: what is left of the text and the layout element that did not match."""
    elements = (
        (r"\d{4}", "2006"), ("-", "-"), (r"(?:0[1-9]|1[0-2])", "01"), ("-", "-"), (r"\d\d", "02"), ("T", "T"),
        (r"\d\d", "15"), (":", ":"), (r"\d\d", "04"), (":", ":"), (r"\d\d(?:\.\d+)?", "05"),
        (r"(?:Z|[+-]\d\d:\d\d)", "Z07:00"),
    )  # fmt: skip
    rest = text
    for pattern, element in elements:
        match = re.match(pattern, rest)
        if match is None:
            return f'parsing time "{text}" as "{layout}": cannot parse "{rest}" as "{element}"'
        rest = rest[match.end() :]
    if rest:
        return f'parsing time "{text}": extra text: "{rest}"'
    return f'parsing time "{text}": day out of range'


class BytesNode(Node):
    """[]byte: base64 text."""

    __slots__ = ()
    op = "bytes"

    def decode(self, value: Any) -> Any:
        if type(value) is not str:
            raise _Slow
        try:
            raw = binascii.a2b_base64(value.replace("\n", "").replace("\r", ""), strict_mode=True)
        except (binascii.Error, ValueError):
            raise _Slow from None
        return binascii.b2a_base64(raw, newline=False).decode() if len(value) % 4 or "\n" in value else value

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is None:
            return value
        if not isinstance(value, str):
            raise where.mismatch(value, "[]uint8")
        try:
            self.decode(value)
        except _Slow:
            raise DecodeError(f"illegal base64 data at input byte {_bad_base64(value)}") from None
        return value


def _bad_base64(text: str) -> int:
    """The offset Go's decoder names: of the first byte that is not in the alphabet, or of the broken quantum's end."""
    for i, c in enumerate(text):
        if not (c.isascii() and (c.isalnum() or c in "+/=\r\n")):
            return i
    stripped = text.rstrip("=")
    if "=" in stripped:
        return stripped.index("=")
    if len(text) != len(stripped) and len(text) % 4 == 0:
        return len(stripped) + 1
    return len(text) - len(text) % 4


class ListNode(Node):
    """A Go slice; null elements become zero values."""

    __slots__ = ("element",)
    op = "list"

    def __init__(self, element: Node) -> None:
        super().__init__(f"[]{element.go_type}")
        self.element = element

    def decode(self, value: Any) -> Any:
        if type(value) is not list:
            raise _Slow
        element = self.element
        decode = element.decode
        return [decode(item) if item is not None else element.zero for item in value]

    def decode_from(self, value: Any, known: Any) -> Any:
        if value is known or type(value) is not list or type(known) is not list:
            return value if value is known else self.decode(value)
        element = self.element
        decode = element.decode_from
        before = [*known, *[None] * (len(value) - len(known))]
        return [
            decode(item, was) if item is not None else element.zero for item, was in zip(value, before, strict=False)
        ]

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise where.mismatch(value, self.go_type)
        return [self.element.explain(v, f"{path}[{i}]", where, problems) for i, v in enumerate(value)]


class MapNode(Node):
    """A Go map from strings. Written with sorted keys, as Go does."""

    __slots__ = ("element",)
    op = "map"

    def __init__(self, element: Node, go_type: str = "") -> None:
        super().__init__(go_type or f"map[string]{element.go_type}")
        self.element = element

    def child(self, key: str) -> Node | None:
        return self.element

    def decode(self, value: Any) -> Any:
        if type(value) is not dict:
            raise _Slow
        element = self.element
        decode = element.decode
        out = {}
        for key in sorted(value):
            item = value[key]
            out[key] = decode(item) if item is not None else element.zero
        return out

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise where.mismatch(value, self.go_type)
        return {k: self.element.explain(v, f"{path}.{k}", where, problems) for k, v in value.items()}


class Field(Struct, frozen=True):
    """One field of a struct. ``merge_key`` and ``strategy`` are strategic merge patch's."""

    name: str
    rank: int
    node: Any
    omit: int
    zero: Any
    merge_key: str = ""
    strategy: tuple[str, ...] = ()


_NOTHING: Doc = {}
ORDERS = 256
"""Sets of keys of one type whose order is remembered."""


class StructNode(Node):
    """A Go struct, compiled at first use (types may contain themselves)."""

    __slots__ = ("_always", "_fields", "_orders", "_zero", "definition", "name")
    op = "struct"

    def __init__(self, definition: str) -> None:
        package, _, name = definition.rpartition(".")
        super().__init__(f"{package.rpartition('.')[2]}.{name}")
        self.definition = definition
        self.name = name
        self._fields: dict[str, Field] | None = None
        self._orders: dict[tuple[str, ...], list[tuple[str, Node, int, Field]]] = {}
        self._always: tuple[str, ...] = ()
        self._zero: Any = None
        self.map_type = definitions.definition(definition).get("x-kubernetes-map-type", "")

    @property
    def fields(self) -> dict[str, Field]:
        """Name → Field, in the order of the Go struct."""
        if self._fields is None:
            self._compile()
        return self._fields  # type: ignore[return-value]

    @property
    def zero(self) -> Any:  # type: ignore[override]
        """The empty value with its always-shown fields."""
        if self._zero is None:
            self._zero = self.decode({})
        return self._zero

    def child(self, key: str) -> Node | None:
        found = self.fields.get(key)
        return found.node if found else None

    def _compile(self) -> None:
        fields = _compile_fields(self.definition)
        self._always = tuple(name for name, field in fields.items() if field.omit == KEEP)
        self._fields = fields

    def decode(self, value: Any) -> Any:
        return self.decode_from(value, _NOTHING)

    def decode_from(self, value: Any, known: Any) -> Any:
        if value is known:
            return value
        if type(value) is not dict:
            raise _Slow
        if type(known) is not dict:
            known = _NOTHING
        said = tuple(value)
        order = self._orders.get(said)
        if order is None:
            order = self._order(said)
        out = {}
        for key, node, omit, field in order:
            item = value.get(key)
            if item is None:
                if omit == KEEP:
                    out[key] = field.zero if field.zero is not _STRUCT_ZERO else node.zero
                continue
            if type(node) is not StringNode or type(item) is not str:  # (most are texts: they are what they are)
                was = known.get(key)
                if item is not was:
                    item = node.decode_from(item, was)
            if item or omit != OMIT_EMPTY:
                out[key] = item
        return out

    def _order(self, said: tuple[str, ...]) -> "list[tuple[str, Node, int, Field]]":
        """The fields of an object with these keys, and those that are always there, in the order of the Go struct. Most objects of a
        kind have the same keys, so it is remembered. _Slow when there is no such field."""
        fields = self.fields
        keys = [*said, *(name for name in self._always if name not in said)]
        try:
            found = sorted((fields[key] for key in keys), key=lambda field: field.rank)
        except KeyError:
            raise _Slow from None
        if len(self._orders) >= ORDERS:
            self._orders.clear()
        order = self._orders[said] = [(field.name, field.node, field.omit, field) for field in found]
        return order

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise where.mismatch(value, self.go_type)
        out = {}
        for key, item in value.items():
            field = self.fields.get(key)
            inner = f"{path}.{key}" if path else key
            if field is None:
                problems.append(f'unknown field "{inner}"')
                continue
            dotted = f"{where.path}.{key}" if where.path else key
            out[key] = field.node.explain(item, inner, _Where(self.name, dotted), problems)
        return out


class EitherNode(Node):
    """JSONSchemaPropsOrBool and its like: a struct, or a value of another JSON type taken as it is."""

    __slots__ = ("definition", "many")
    op = "any"

    def __init__(self, go_type: str, definition: str, many: bool) -> None:
        super().__init__(go_type)
        self.definition = definition
        self.many = many

    def decode(self, value: Any) -> Any:
        if type(value) is dict:
            return struct_node(self.definition).decode(value)
        if type(value) is list and self.many:
            return [self.decode(item) for item in value]
        return value

    def explain(self, value: Any, path: str, where: _Where, problems: list[str]) -> Any:
        if isinstance(value, dict):
            return struct_node(self.definition).explain(value, path, where, problems)
        if isinstance(value, list) and self.many:
            return [self.explain(v, f"{path}[{i}]", where, problems) for i, v in enumerate(value)]
        return value


_STRUCT_ZERO = object()
"""Marks a field whose zero is its struct's, which may not be compiled yet."""

_PROPS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"

_SPECIAL: dict[str, Callable[[], Node]] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": lambda: QuantityNode("resource.Quantity"),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": lambda: IntOrStringNode("intstr.IntOrString"),
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": lambda: TimeNode(False),
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": lambda: TimeNode(True),
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": lambda: Node("v1.FieldsV1"),
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch": lambda: Node("v1.Patch"),
    "io.k8s.apimachinery.pkg.runtime.RawExtension": lambda: Node("runtime.RawExtension"),
    f"{_PROPS}OrBool": lambda: EitherNode("v1.JSONSchemaPropsOrBool", _PROPS, False),
    f"{_PROPS}OrArray": lambda: EitherNode("v1.JSONSchemaPropsOrArray", _PROPS, True),
    f"{_PROPS}OrStringArray": lambda: EitherNode("v1.JSONSchemaPropsOrStringArray", _PROPS, False),
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": lambda: Node("v1.JSON"),
}


@cache
def struct_node(definition: str) -> Node:
    """The one Node of a definition."""
    special = _SPECIAL.get(definition)
    return special() if special else StructNode(definition)


def _schema_type(prop: Doc) -> str:
    kind = prop.get("type", "")
    return kind[0] if isinstance(kind, list) else kind


def node_of(prop: Doc, go_type: str = "") -> Node:
    """The Node of a property's JSON schema; ``go_type`` when Go has a name for it."""
    if "$ref" in prop:
        return struct_node(definitions.ref_name(prop["$ref"]))
    kind = _schema_type(prop)
    if kind == "array":
        node: Node = ListNode(node_of(prop["items"]))
        node.list_type = prop.get("x-kubernetes-list-type", "")
        node.keys = tuple(prop.get("x-kubernetes-list-map-keys", ()))
        return node
    if kind == "object":
        if "additionalProperties" not in prop:
            return Node("runtime.RawExtension")
        node = MapNode(node_of(prop["additionalProperties"]), go_type)
        node.map_type = prop.get("x-kubernetes-map-type", "")
        return node
    if kind == "string":
        return BytesNode("[]uint8") if prop.get("format") == "byte" else StringNode(go_type or "string")
    if kind == "integer":
        return IntNode(prop.get("format", "int64"))
    if kind == "boolean":
        return BoolNode("bool")
    if kind == "number":
        return NumberNode("float64")
    return Node("interface {}")


def _names(definition: str) -> tuple[str, ...]:
    """The keys under which ``gotypes`` may know a struct, most specific first: ``discovery.EndpointPort``."""
    parts = definition.split(".")
    name, version, group = parts[-1], parts[-2], parts[-3] if len(parts) > 2 else ""
    return (f"{group}.{name}", f"{version}.{name}", name)


def _lookup(table: dict[str, tuple[str, ...]], names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name in table:
            return table[name]
    return ()


def _compile_fields(definition: str) -> dict[str, Field]:
    schema = definitions.definition(definition)
    properties = schema.get("properties", {})
    required = frozenset(schema.get("required", ()))
    names = _names(definition)
    name = names[-1]
    order = _lookup(gotypes.ORDER, names)
    top_level = "x-kubernetes-group-version-kind" in schema
    first = ("kind", "apiVersion", "metadata", "spec", "status") if top_level else ()
    rank = {field: i for i, field in enumerate(dict.fromkeys((*(order or first), *first)))}
    ordered = sorted(properties, key=lambda field: (rank.get(field, len(rank)), field))
    value_structs = _lookup(gotypes.VALUE_STRUCTS, names) + (gotypes.VALUE_STRUCTS["*"] if top_level else ())
    value_times = _lookup(gotypes.VALUE_TIMES, names)
    scalars = _lookup(gotypes.VALUE_SCALARS, names)
    pointers = _lookup(gotypes.POINTER_STRINGS, names)
    always = _lookup(gotypes.ALWAYS, names)
    fields: dict[str, Field] = {}
    for position, field in enumerate(ordered):
        prop = properties[field]
        node = node_of(prop, gotypes.NAMED.get((name, field), ""))
        zero: Any = node.zero if not isinstance(node, StructNode) else _STRUCT_ZERO
        if field in required or field in always:
            omit = KEEP
            if (name, field) in gotypes.NULL_WHEN_MISSING:
                zero = None
        elif isinstance(node, StructNode):
            omit = KEEP if field in value_structs else OMIT_NONE
        elif isinstance(node, TimeNode):
            omit = KEEP if field in value_times else OMIT_NONE
        elif isinstance(node, ListNode | MapNode | BytesNode):
            omit = OMIT_EMPTY
        elif isinstance(node, StringNode):
            omit = OMIT_NONE if field in pointers else OMIT_EMPTY
        elif isinstance(node, IntNode | BoolNode):
            omit = OMIT_EMPTY if field in scalars else OMIT_NONE
        else:
            omit = OMIT_NONE
        fields[field] = Field(
            name=field,
            rank=position,
            node=node,
            omit=omit,
            zero=zero,
            merge_key=prop.get("x-kubernetes-patch-merge-key", ""),
            strategy=tuple(s for s in prop.get("x-kubernetes-patch-strategy", "").split(",") if s),
        )
    return fields


class Schema:
    """A kind's compiled type with its defaults. ``root`` is the Node tree that patches and field managers walk."""

    def __init__(self, group: str, version: str, kind: str, root: Node) -> None:
        self.group, self.version, self.kind = group, version, kind
        self.root = root

    def decode(self, doc: Any, known: Any = None) -> Decoded:
        """The document as the server understands it; ``known``: one that it understood before. DecodeError when a type is wrong."""
        try:
            return Decoded(self.root.decode_from(doc, known))
        except _Slow:
            problems: list[str] = []
            cleaned = self.root.explain(doc, "", _Where(), problems)
            return Decoded(self.root.decode(cleaned), tuple(dict.fromkeys(problems)))

    def default(self, doc: Doc) -> Doc:
        """``doc`` with the defaults of its kind; the same object when nothing is missing or the kind has none."""
        from cluster.api import defaults

        return defaults.apply(self.group, self.version, self.kind, doc)

    def validate(self, doc: Doc) -> list[Any]:
        """FieldErrors of the schema itself: none for built-in kinds, whose strategies validate."""
        return []


@cache
def builtin_schema(group: str, version: str, kind: str) -> Schema | None:
    """The schema of a built-in kind, None when Kubernetes has no such kind."""
    known = definitions.by_kind()
    name = known.get((group, version, kind))
    if name is None and version == "v1":
        # DeleteOptions and friends are the same type in every group.
        name = known.get(("meta.k8s.io", "v1", kind)) if kind in _META_KINDS else None
    if name is None:
        return None
    return Schema(group, version, kind, struct_node(name))


_META_KINDS = frozenset({"DeleteOptions", "Status", "WatchEvent"})
