"""The patches a Kubernetes server takes: JSON patch, JSON merge patch, strategic merge patch.

In → a document and a patch (parsed JSON); out → a new document that shares what did not change. Errors: ``PatchError``,
which says whether the patch is malformed (400) or does not fit the document (422).

Simplified here: JSON patch numbers compare by value; the server answers every misfit of a JSON patch with the same
words, so the reasons kept in ``PatchError`` are for people.

Upstream: evanphx/json-patch, apimachinery/pkg/util/strategicpatch/patch.go.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from cluster.api import field, gojson, limits, status
from cluster.api.schema import Field, ListNode, MapNode, Node, StructNode, json_kind

Doc = dict[str, Any]

MAX_OPERATIONS = 10_000
MAX_COPIED = 3 * 1024 * 1024
"""Bytes that all copies of one JSON patch may add (``AccumulatedCopySizeLimit``)."""
DIRECTIVE = "$patch"
RETAIN = "$retainKeys"
DELETE_PRIMITIVES = "$deleteFromPrimitiveList"
ORDER = "$setElementOrder"


class PatchError(Exception):
    """The patch cannot be applied. ``malformed`` (400) or not fitting (422)."""

    def __init__(self, message: str, malformed: bool = False) -> None:
        super().__init__(message)
        self.malformed = malformed

    def answer(self) -> status.ApiError:
        """What the client is told."""
        return status.bad_request(str(self)) if self.malformed else status.invalid_patch()


def parse(data: bytes, kind: str) -> Any:
    """A patch body; ``kind`` is "json", "merge" or "strategic". ApiError 400 with the server's words."""
    try:
        patch = gojson.loads(data)
    except gojson.SyntaxProblem as error:
        raise status.bad_request(f"error decoding patch: {error}" if kind == "merge" else str(error)) from None
    return check(patch, kind)


def check(patch: Any, kind: str) -> Any:
    """``patch``, when it has the shape of its ``kind``. ApiError 400 (413: too many operations) else."""
    if kind == "json":
        if not isinstance(patch, list):
            raise status.bad_request(f"json: cannot unmarshal {json_kind(patch)} into Go value of type jsonpatch.Patch")
        if len(patch) > MAX_OPERATIONS:
            why = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(patch)}"
            raise status.failure(413, "RequestEntityTooLarge", why)
    elif not isinstance(patch, dict):
        why = f"json: cannot unmarshal {json_kind(patch)} into Go value of type map[string]interface {{}}"
        raise status.bad_request(f"error decoding patch: {why}" if kind == "merge" else why)
    return patch


def misfit(shown: str, why: str) -> status.ApiError:
    """422: the patched document is not one of the kind. ``shown`` is the document or patch as text."""
    return status.invalid("", "", "", [field.invalid("patch", shown, why)])


# --- JSON patch (RFC 6902) -------------------------------------------------------------------------------------------


def json_patch(doc: Any, operations: Sequence[Any]) -> Any:
    """``doc`` after all operations, or PatchError."""
    grown = 0
    for operation in operations:
        if not isinstance(operation, dict):
            raise PatchError(f"json: cannot unmarshal {json_kind(operation)} into Go value of type jsonpatch.Operation",
                             malformed=True)  # fmt: skip
        before, doc = doc, _operate(doc, operation)
        if operation["op"] == "copy":
            grown += len(orjson.dumps(_get(before, _pointer(operation["from"]), operation["from"])))
            if grown > MAX_COPIED:
                raise PatchError(
                    f"Unable to complete the copy, the accumulated size increase of copy is {grown}, exceeding the "
                    f"limit {MAX_COPIED}"
                )
    return doc


def _operate(doc: Any, operation: Doc) -> Any:
    op, path = operation.get("op"), operation.get("path")
    if not isinstance(path, str):
        raise PatchError(f"{op} operation missing path field")
    keys = _pointer(path)
    if len(keys) > limits.MAX_DEPTH:
        raise PatchError(limits.TOO_DEEP)
    if op == "add":
        return _add(doc, keys, _value(operation), path)
    if op == "remove":
        return _remove(doc, keys, path)
    if op == "replace":
        _get(doc, keys, path)
        return _replace(doc, keys, _value(operation), path)
    if op == "test":
        try:
            found = _get(doc, keys, path)
        except PatchError:
            if operation.get("value") is None and "value" in operation:
                return doc
            raise
        if not equal(found, operation.get("value")):
            raise PatchError(f"testing value {path} failed: test failed")
        return doc
    if op in ("move", "copy"):
        source = operation.get("from")
        if not isinstance(source, str):
            raise PatchError(f"{op} operation missing from field")
        value = _get(doc, _pointer(source), source)
        if op == "move":
            doc = _remove(doc, _pointer(source), source)
        return _add(doc, keys, value, path)
    raise PatchError(f"Unexpected kind: {op}")


def _value(operation: Doc) -> Any:
    if "value" not in operation:
        raise PatchError(f"{operation['op']} operation missing value field")
    return operation["value"]


def _pointer(path: str) -> list[str]:
    if path == "":
        return []
    if not path.startswith("/"):
        raise PatchError(f"path {path} does not start with /")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def _index(key: str, length: int, path: str) -> int:
    negative = key.startswith("-")
    if not key.removeprefix("-").isdigit():
        raise PatchError(f"value was not a proper array index: '{key}' at {path}")
    index = int(key)
    if negative:
        index += length
    if not 0 <= index < length:
        raise PatchError(f"Unable to access invalid index: {key} at {path}")
    return index


def _get(doc: Any, keys: list[str], path: str) -> Any:
    for key in keys:
        if isinstance(doc, dict):
            if key not in doc:
                raise PatchError(f"path does not exist: {path}")
            doc = doc[key]
        elif isinstance(doc, list):
            doc = doc[_index(key, len(doc), path)]
        else:
            raise PatchError(f"path does not exist: {path}")
    return doc


def _change(doc: Any, keys: list[str], path: str, change: Any) -> Any:
    """Copies the way to the parent of the last key and lets ``change(parent copy, last key)`` alter it."""
    if isinstance(doc, dict):
        copy: Any = dict(doc)
        if len(keys) == 1:
            change(copy, keys[0])
        else:
            if keys[0] not in copy:
                raise PatchError(f"path does not exist: {path}")
            copy[keys[0]] = _change(copy[keys[0]], keys[1:], path, change)
        return copy
    if isinstance(doc, list):
        copy = list(doc)
        if len(keys) == 1:
            change(copy, keys[0])
        else:
            index = _index(keys[0], len(copy), path)
            copy[index] = _change(copy[index], keys[1:], path, change)
        return copy
    raise PatchError(f"path does not exist: {path}")


def _add(doc: Any, keys: list[str], value: Any, path: str) -> Any:
    if not keys:
        return value

    def change(parent: Any, key: str) -> None:
        if isinstance(parent, dict):
            parent[key] = value
        elif key == "-":
            parent.append(value)
        else:
            parent.insert(_index(key, len(parent) + 1, path), value)

    return _change(doc, keys, path, change)


def _replace(doc: Any, keys: list[str], value: Any, path: str) -> Any:
    if not keys:
        return value

    def change(parent: Any, key: str) -> None:
        parent[key if isinstance(parent, dict) else _index(key, len(parent), path)] = value

    return _change(doc, keys, path, change)


def _remove(doc: Any, keys: list[str], path: str) -> Any:
    if not keys:
        raise PatchError("unable to remove the whole document")

    def change(parent: Any, key: str) -> None:
        if isinstance(parent, dict):
            if key not in parent:
                raise PatchError(f"Unable to remove nonexistent key: {key}")
            del parent[key]
        else:
            del parent[_index(key, len(parent), path)]

    return _change(doc, keys, path, change)


def equal(a: Any, b: Any) -> bool:
    """JSON equality: ``True`` is not 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


# --- JSON merge patch (RFC 7386) -------------------------------------------------------------------------------------


def merge_patch(doc: Any, patch: Any) -> Any:
    """``doc`` with ``patch`` laid over it: null deletes, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    out = dict(doc) if isinstance(doc, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge_patch(out.get(key), value)
    return out


# --- strategic merge patch -------------------------------------------------------------------------------------------


def strategic_merge_patch(doc: Doc, patch: Doc, node: Node) -> Doc:
    """``doc`` with ``patch``, lists merged as the kind's definition says. ``node`` is ``Schema.root``."""
    return _merge_map(doc, patch, node)


def _field_of(node: Node | None, key: str) -> tuple[Node | None, Field | None]:
    if isinstance(node, StructNode):
        found = node.fields.get(key)
        return (found.node, found) if found else (None, None)
    if isinstance(node, MapNode):
        return node.element, None
    return None, None


def _merge_map(original: Doc, patch: Mapping[str, Any], node: Node | None) -> Doc:
    directive = patch.get(DIRECTIVE)
    if directive is not None:
        if directive == "replace":
            return {k: v for k, v in patch.items() if k != DIRECTIVE}
        if directive == "delete":
            return {}
        if directive != "merge":
            raise PatchError(f"unknown patch type found: {directive}")
    out = dict(original)
    retain = patch.get(RETAIN)
    if retain is not None:
        if not isinstance(retain, list):
            raise PatchError("invalid patch format of retainKeys")
        for key in [k for k in out if k not in retain]:
            del out[key]
        for key, value in patch.items():
            if key[:1] != "$" and value is not None and key not in retain:
                raise PatchError(f"retainKeys list doesn't contain {key}")
    for key, value in patch.items():
        if key[:1] == "$":
            if key.startswith(f"{DELETE_PRIMITIVES}/"):
                name = key.partition("/")[2]
                if isinstance(out.get(name), list) and isinstance(value, list):
                    out[name] = [item for item in out[name] if item not in value]
            elif key.startswith(f"{ORDER}/"):
                name = key.partition("/")[2]
                if name not in patch and isinstance(out.get(name), list):
                    out[name] = _merge_list_field(out[name], [], node, name, value)
            continue
        if value is None:
            out.pop(key, None)
            continue
        if type(value) is str or type(value) is int or type(value) is bool:
            out[key] = value
            continue
        inner, found = _field_of(node, key)
        current = out.get(key)
        if isinstance(value, dict) and isinstance(current, dict) and "replace" not in (found.strategy if found else ()):
            out[key] = _merge_map(current, value, inner)
        elif isinstance(value, list) and isinstance(current, list):
            out[key] = _merge_list_field(current, value, node, key, patch.get(f"{ORDER}/{key}"))
        elif isinstance(value, dict) and value.get(DIRECTIVE) == "delete":
            out.pop(key, None)
        else:
            out[key] = _clean(value)
    return out


def _clean(value: Any) -> Any:
    """What a patch says about something that is not there yet: without directives and nulls."""
    if isinstance(value, dict):
        return {k: _clean(v) for k, v in value.items() if k[:1] != "$" and v is not None}
    if isinstance(value, list):
        return [
            _clean(item)
            for item in value
            if not (isinstance(item, dict) and item.get(DIRECTIVE) in ("delete", "replace"))
        ]
    return value


def _merge_list_field(current: list[Any], value: list[Any], node: Node | None, key: str, order: Any) -> list[Any]:
    inner, found = _field_of(node, key)
    if found is None or "merge" not in found.strategy:
        return [_clean(item) for item in value]
    element = inner.element if isinstance(inner, ListNode) else None
    if found.merge_key:
        return _merge_objects(current, value, found.merge_key, element, order)
    merged = list(dict.fromkeys([*current, *value]))
    return _ordered(merged, order, current) if isinstance(order, list) else merged


def _merge_objects(current: list[Any], value: list[Any], merge_key: str, element: Node | None, order: Any) -> list[Any]:
    out = list(current)
    plain: list[Any] = []
    for item in value:
        if not isinstance(item, dict):
            raise PatchError("list element types are not identical")
        directive = item.get(DIRECTIVE)
        if directive == "replace":
            return [_clean(i) for i in value if not (isinstance(i, dict) and i.get(DIRECTIVE) == "replace")]
        if directive == "delete":
            if merge_key not in item:
                raise PatchError(f"map: {item} does not contain declared merge key: {merge_key}")
            out = [o for o in out if o.get(merge_key) != item[merge_key]]
        elif directive in (None, "merge"):
            plain.append(item)
        else:
            raise PatchError(f"unknown patch type found: {directive}")
    for item in plain:
        if merge_key not in item:
            raise PatchError(f"map: {item} does not contain declared merge key: {merge_key}")
        for i, existing in enumerate(out):
            if existing.get(merge_key) == item[merge_key]:
                if not _says_nothing_new(existing, item):
                    out[i] = _merge_map(existing, item, element)
                break
        else:
            out.append(_clean(item))
    if isinstance(order, list):
        keyed = {o[merge_key]: o for o in out}
        wanted = [o.get(merge_key) for o in order if isinstance(o, dict)]
        arranged = _ordered(list(keyed), wanted, [c.get(merge_key) for c in current])
        out = [keyed[k] for k in arranged]
    return out


_PLAIN = frozenset((str, int, bool, type(None)))


def _says_nothing_new(existing: Doc, item: Doc) -> bool:
    """Whether an item of a list, as it is stored, has all that the patch says of it already: most conditions of a status."""
    for key, value in item.items():
        if type(value) not in _PLAIN or key[:1] == "$":
            return False
        was = existing.get(key)
        if was != value or type(was) is not type(value):
            return False
    return True


def _ordered(items: list[Any], order: list[Any], server: list[Any]) -> list[Any]:
    """What the client ordered stands in its order; what only the server has keeps its place among it."""
    left = [i for i in order if i in items]
    right = [i for i in items if i not in order]
    out: list[Any] = []
    while left and right:
        server_side = right[0] in server and left[0] in server and server.index(right[0]) < server.index(left[0])
        out.append(right.pop(0) if server_side else left.pop(0))
    return [*out, *left, *right]
