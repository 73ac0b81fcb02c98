"""Protobuf bodies: what typed clients (``kubectl create configmap``, ``kubectl drain``) send instead of JSON.

In → ``k8s\\0`` and a ``runtime.Unknown`` that wraps the object's message; out → the same object as a JSON document.
Field numbers are in ``protobuf_fields``. Go writes every field that isn't a pointer, set or not; empty strings, lists and
messages are left out here, zero numbers and false are kept for the schema, which knows which of them mean something.

Errors: ``ValueError`` with the real decoder's kind of words for bytes that aren't protobuf, or for a kind without a message.

Simplified here: the server reads protobuf but never answers with it (clients that send it also accept JSON); kinds of
apiextensions.k8s.io and apiregistration.k8s.io are read as JSON only.

Upstream: apimachinery/pkg/runtime/serializer/protobuf/protobuf.go (v1.32).
"""

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from cluster.apiserver.protobuf_fields import TABLE

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INLINE = frozenset((
    "localObjectReference", "volumeSource", "persistentVolumeSource", "handler", "ephemeralContainerCommon",
    "ingressRuleValue",
))  # fmt: skip
"""Fields that Go embeds: their members stand in the outer JSON object."""
_PACKAGES = {
    "rbac.authorization.k8s.io": "rbac", "networking.k8s.io": "networking", "coordination.k8s.io": "coordination",
    "authentication.k8s.io": "authentication", "authorization.k8s.io": "authorization", "events.k8s.io": "events",
    "discovery.k8s.io": "discovery", "scheduling.k8s.io": "scheduling", "storage.k8s.io": "storage",
    "certificates.k8s.io": "certificates", "flowcontrol.apiserver.k8s.io": "flowcontrol", "node.k8s.io": "node",
    "admissionregistration.k8s.io": "admissionregistration", "": "core",
}  # fmt: skip
_OPTIONS = ("DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "Status")
_ZERO_DROPPED = {"meta.ObjectMeta": ("generation",)}
Field = tuple[str, str, str]
"""(name, "" or "*" or "%", type)"""


@lru_cache(maxsize=1)
def _messages() -> dict[str, dict[int, Field]]:
    found: dict[str, dict[int, Field]] = {}
    for line in TABLE.splitlines():
        name, _, rest = line.partition(": ")
        fields: dict[int, Field] = {}
        for entry in rest.split(", ") if rest else ():
            number, field, kind = entry.split(" ")
            mark = kind[0] if kind[0] in "*%" else ""
            fields[int(number)] = (field, mark, kind[len(mark) :])
        found[name.rstrip(":")] = fields
    return found


def decode(data: bytes) -> dict[str, Any]:
    """The object in a body, with its apiVersion and kind."""
    if data[:4] != _MAGIC:
        raise ValueError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    api_version = kind = ""
    raw = b""
    for number, value in _fields(data[4:]):
        if number == 1 and isinstance(value, bytes):
            for inner, text in _fields(value):
                if inner == 1 and isinstance(text, bytes):
                    api_version = text.decode()
                elif inner == 2 and isinstance(text, bytes):
                    kind = text.decode()
        elif number == 2 and isinstance(value, bytes):
            raw = value
    group, _, version = api_version.rpartition("/")
    package = _PACKAGES.get(group, group)
    message = f"meta.{kind}" if kind in _OPTIONS else f"{package}.{version}.{kind}"
    if message not in _messages():
        raise ValueError(f'no kind "{kind}" is registered for version "{api_version}" in protobuf')
    return {"kind": kind, "apiVersion": api_version, **_object(raw, message)}


def _varint(data: bytes, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("unexpected EOF")
        byte = data[at]
        at += 1
        result |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return result, at
        if shift > 63:
            raise ValueError("proto: integer overflow")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"proto: illegal wireType {wire}")
        if at + size > len(data):
            raise ValueError("unexpected EOF")
        yield number, data[at : at + size]
        at += size


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _object(data: bytes, message: str) -> dict[str, Any]:
    fields = _messages()[message]
    doc: dict[str, Any] = {}
    for number, value in _fields(data):
        field = fields.get(number)
        if field is None:
            continue
        name, mark, kind = field
        if mark == "%":
            assert isinstance(value, bytes)
            key, held = _entry(value, kind)
            doc.setdefault(name, {})[key] = held
        elif mark == "*":
            doc.setdefault(name, []).append(_value(value, kind))
        else:
            read = _value(value, kind)
            if name in _INLINE and isinstance(read, dict):
                doc.update(read)
            elif read is not None and read != "" and not (read == 0 and name in _ZERO_DROPPED.get(message, ())):
                doc[name] = read
    return doc


def _entry(data: bytes, kind: str) -> tuple[str, Any]:
    key, held = "", _value(b"" if kind not in ("i", "B") else 0, kind)
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            key = value.decode()
        elif number == 2:
            held = _value(value, kind)
    return key, held


def _value(value: int | bytes, kind: str) -> Any:
    if isinstance(value, int):
        return bool(value) if kind == "B" else _signed(value)
    if kind == "s":
        return value.decode()
    if kind == "b":
        return b64encode(value).decode()
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(value)
    if kind.endswith(".ExtraValue") or kind == "meta.Verbs":
        return _object(value, kind).get("items", [])
    return _object(value, kind)


def _quantity(data: bytes) -> str:
    return next((v.decode() for n, v in _fields(data) if n == 1 and isinstance(v, bytes)), "0") or "0"


def _int_or_string(data: bytes) -> int | str:
    parts = dict(_fields(data))
    if parts.get(1):
        text = parts.get(3, b"")
        return text.decode() if isinstance(text, bytes) else ""
    number = parts.get(2, 0)
    return _signed(number) if isinstance(number, int) else 0


def _moment(data: bytes) -> datetime | None:
    if not data:
        return None
    parts = dict(_fields(data))
    seconds, nanos = parts.get(1, 0), parts.get(2, 0)
    if not isinstance(seconds, int) or not isinstance(nanos, int):
        raise ValueError("proto: wrong wireType for a time")
    return _EPOCH + timedelta(seconds=_signed(seconds), microseconds=nanos // 1000)


def _time(data: bytes) -> str | None:
    moment = _moment(data)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None


def _micro_time(data: bytes) -> str | None:
    moment = _moment(data)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment is not None else None


def _duration(data: bytes) -> str:
    nanos = dict(_fields(data)).get(1, 0)
    return f"{nanos / 1e9:g}s" if isinstance(nanos, int) else "0s"


def _raw_json(data: bytes) -> Any:
    raw = next((v for n, v in _fields(data) if n == 1 and isinstance(v, bytes)), b"")
    return orjson.loads(raw) if raw else None


_SPECIAL: dict[str, Any] = {
    "resource.Quantity": _quantity,
    "intstr.IntOrString": _int_or_string,
    "meta.Time": _time,
    "meta.MicroTime": _micro_time,
    "meta.Duration": _duration,
    "meta.FieldsV1": _raw_json,
    "runtime.RawExtension": _raw_json,
}
