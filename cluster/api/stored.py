"""Stored values: the bytes under a key of etcd, and the object they are.

In → a value and the revision it was written at; out → the object clients see, with ``metadata.resourceVersion``, shared by
everybody who asks: objects are never changed in place. Three apiservers hear of the same bytes within a millisecond, so the
newest are remembered and parsed once for all. The memory is no state: forgetting it changes nothing but time.

Errors: ``ValueError`` when the bytes aren't a JSON object with metadata.
"""

from typing import Any

import orjson

Document = dict[str, Any]

REMEMBERED = 512
"""Values remembered at least; twice as many at most."""
UNWRITTEN = 0
"""The revision of a value that is on its way into etcd: its writer has the object already, which shares its parts with the one before."""

_BEFORE_REVISION = frozenset(("name", "generateName", "namespace", "selfLink", "uid"))
_young: dict[bytes, tuple[int, Document]] = {}
_old: dict[bytes, tuple[int, Document]] = {}


def document(value: bytes, revision: int) -> Document:
    """The object stored as ``value`` at ``revision``."""
    known = _young.get(value) or _old.get(value)
    if known is not None and known[0] == revision:
        return known[1]
    if known is not None and known[0] == UNWRITTEN:
        parsed = known[1]
    else:
        parsed = orjson.loads(value)
        if type(parsed) is not dict or type(parsed.get("metadata")) is not dict:
            raise ValueError("the value is no object with metadata")
    doc = with_revision(parsed, revision)
    know(value, revision, doc)
    return doc


def know(value: bytes, revision: int, doc: Document) -> None:
    """``doc`` is what ``value`` at ``revision`` says: nobody needs to parse it."""
    global _young, _old
    if len(_young) >= REMEMBERED:
        _young, _old = {}, _young
    _young[value] = (revision, doc)


def with_revision(doc: Document, revision: int) -> Document:
    """``doc`` with its resourceVersion, placed where Go's ObjectMeta has it."""
    meta: Document = {}
    placed = False
    text = str(revision)
    for key, value in doc["metadata"].items():
        if key == "resourceVersion":
            continue
        if not placed and key not in _BEFORE_REVISION:
            meta["resourceVersion"] = text
            placed = True
        meta[key] = value
    if not placed:
        meta["resourceVersion"] = text
    return {**doc, "metadata": meta}


def without_revision(doc: Document) -> Document:
    """``doc`` as it is stored: etcd's own revision says the version."""
    meta = doc["metadata"]
    if "resourceVersion" not in meta:
        return doc
    return {**doc, "metadata": {key: value for key, value in meta.items() if key != "resourceVersion"}}
