"""The Swagger document as protobuf: what kubectl reads to check a ``List`` or a kind it has never heard of.

In → the document of ``/openapi/v2``; out → its bytes as gnostic's ``openapi.v2.Document``. A message is a chain of fields, each
a tag (number and wire type) and a value; maps are repeated pairs of name and value, and everything named ``x-…`` goes as YAML
text. Clients ask for it by a media type, ``ASKED_AS``.

Simplified here: members that our documents never have (examples, discriminators, XML names, body parameters) are left out.

Upstream: gnostic-models/openapiv2/OpenAPIv2.proto; kube-openapi/pkg/handler/handler.go.
"""

from collections.abc import Callable, Iterable
from struct import pack
from typing import Any

import orjson

Doc = dict[str, Any]

MEDIA_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
ASKED_AS = (MEDIA_TYPE, "application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
"""Clients send the old name; it is never answered with, since an ``@`` is illegal there."""

_TEXTS = {"format": 2, "title": 3, "description": 4, "pattern": 13}
_NUMBERS = {"multipleOf": 6, "maximum": 7, "minimum": 9}
_COUNTS = {
    "maxLength": 11, "minLength": 12, "maxItems": 14, "minItems": 15, "maxProperties": 17, "minProperties": 18,
}  # fmt: skip
_FLAGS = {"exclusiveMaximum": 8, "exclusiveMinimum": 10, "uniqueItems": 16, "readOnly": 27}
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}


def encode(document: Doc) -> bytes:
    """The whole document."""
    return b"".join(
        (
            _text(1, document["swagger"]),
            _bytes(2, _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])),
            _bytes(8, _map(2, document["paths"], _path_item)),
            _bytes(9, _map(1, document["definitions"], _schema)),
            *(_bytes(12, _map(1, each, _strings)) for each in document.get("security") or ()),
            _bytes(13, _map(1, document.get("securityDefinitions") or {}, _api_key)),
        )
    )


def _path_item(item: Doc) -> bytes:
    return b"".join(_bytes(_METHODS[method], _operation(what)) for method, what in item.items())


def _operation(operation: Doc) -> bytes:
    return b"".join(
        (
            _text(3, operation.get("description", "")),
            _text(5, operation.get("operationId", "")),
            *(_bytes(8, _query_parameter(each)) for each in operation.get("parameters") or ()),
            _bytes(9, _map(1, operation["responses"], _response)),
            _extensions(13, operation),
        )
    )


def _query_parameter(parameter: Doc) -> bytes:
    fields = (
        _text(2, parameter["in"])
        + _text(3, parameter.get("description", ""))
        + _text(4, parameter["name"])
        + _text(6, parameter["type"])
        + (_flag(20) if parameter.get("uniqueItems") else b"")
    )
    # An item that is a parameter that has no body but stands in the query:
    return _bytes(1, _bytes(2, _bytes(3, fields)))


def _response(response: Doc) -> bytes:
    return _bytes(1, _text(1, response["description"]))


def _strings(texts: Iterable[str]) -> bytes:
    return b"".join(_text(1, each) for each in texts)


def _api_key(key: Doc) -> bytes:
    texts = (key["type"], key["name"], key["in"], key.get("description", ""))
    return _bytes(2, b"".join(_text(number, each) for number, each in enumerate(texts, 1)))


def _schema(node: Doc) -> bytes:
    parts: list[bytes] = []
    if "$ref" in node:
        parts.append(_text(1, node["$ref"]))
    for key, number in _TEXTS.items():
        if node.get(key):
            parts.append(_text(number, node[key]))
    if "default" in node:
        parts.append(_bytes(5, _any(node["default"])))
    for key, number in _NUMBERS.items():
        if key in node:
            parts.append(_varint(number << 3 | 1) + pack("<d", node[key]))
    for key, number in _COUNTS.items():
        if key in node:
            parts.append(_varint(number << 3) + _varint(node[key]))
    for key, number in _FLAGS.items():
        if node.get(key):
            parts.append(_flag(number))
    parts += [_text(19, each) for each in node.get("required") or ()]
    parts += [_bytes(20, _any(each)) for each in node.get("enum") or ()]
    more = node.get("additionalProperties")
    if isinstance(more, dict):
        parts.append(_bytes(21, _bytes(1, _schema(more))))
    elif more:
        parts.append(_bytes(21, _flag(2)))
    if "type" in node:
        parts.append(_bytes(22, _text(1, node["type"])))
    if isinstance(node.get("items"), dict):
        parts.append(_bytes(23, _bytes(1, _schema(node["items"]))))
    parts += [_bytes(24, _schema(each)) for each in node.get("allOf") or ()]
    if node.get("properties"):
        parts.append(_bytes(25, _map(1, node["properties"], _schema)))
    parts.append(_extensions(31, node))
    return b"".join(parts)


# -- wire ---------------------------------------------------------------------------------------------------------


def _extensions(number: int, node: Doc) -> bytes:
    named = [(key, value) for key, value in node.items() if key.startswith("x-")]
    return b"".join(_bytes(number, _text(1, key) + _bytes(2, _any(value))) for key, value in named)


def _any(value: Any) -> bytes:
    """JSON is YAML."""
    return _text(2, orjson.dumps(value).decode())


def _map(number: int, items: Doc, encoded: Callable[[Any], bytes]) -> bytes:
    return b"".join(_bytes(number, _text(1, name) + _bytes(2, encoded(value))) for name, value in items.items())


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode()) if value else b""


def _flag(number: int) -> bytes:
    return _varint(number << 3) + b"\x01"


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    if value < 0:
        value += 1 << 64
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
