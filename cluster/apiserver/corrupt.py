"""Values in etcd that are no object of their resource: somebody wrote them past the apiserver (``etcdctl put /registry/…``).

As in the real server one such value spoils its whole resource, and nothing else: reading it, or a list that contains it, is a 500 with the decoder's
words; the watch cache ends all its watches, and while the value is there a new one is told to come back (429). Deleting the key, or writing
something sensible, heals it; watches from before must list again.

In: a pair of etcd. Out: "" or why it can't be decoded. What an apiserver has written itself is not looked at again (its pairs have a cause).

Simplified here: what decodes, but is not as an apiserver stores it, is refused as undecodable, too: an object of another kind or of another name than its key says,
without its uid, without something that validation demands or that defaults would have filled in. (The real server would serve it, nameless or half empty,
and every client make of it what it can.)
Upstream: apiserver/pkg/storage/etcd3/{store,watcher}.go, storage/cacher/cacher.go.
"""

from typing import TYPE_CHECKING, Any

from cluster.api import gojson, meta, schema, status, stored
from cluster.apiserver import registry
from cluster.apiserver.watch_cache import Cache

if TYPE_CHECKING:
    from cluster.api.scheme import Resource, Scheme
    from cluster.wire.etcd import KeyValue

_SHAPE = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
INITIALIZING = "storage is (re)initializing"


def problem(kv: "KeyValue", scheme: "Scheme", resource: "Resource") -> str:
    """Why ``kv`` is no ``resource``; "" if it is one."""
    if kv.cause and kv.value[:2] == b'{"':
        return ""
    try:
        doc = gojson.loads(kv.value)
    except ValueError as error:
        if kv.value.lstrip()[:1] == b"{":
            return f"couldn't get version/kind; json parse error: {error}"
        doc = kv.value.decode("utf-8", "replace")  # read as YAML, it is a string
    if not isinstance(doc, dict):
        what = f"json: cannot unmarshal {schema.json_kind(doc)} into Go value of type {_SHAPE}"
        return f"couldn't get version/kind; json parse error: {what}"
    text = kv.value.decode("utf-8", "replace")
    for field, name in (("kind", "Kind"), ("apiVersion", "apiVersion")):
        if not isinstance(doc.get(field), str) or not doc[field]:
            return f"Object '{name}' is missing in '{text}'"
    missing = nameless(doc)
    if missing:
        return f"Object '{missing}' is missing in '{text}'"
    try:
        stored.document(kv.value, kv.mod_revision)
    except ValueError as error:
        return f"couldn't get version/kind; json parse error: {error}"
    return _foreign(kv, doc, resource) or _unusable(doc, scheme, resource, text)


def nameless(doc: Any) -> str:
    """Which of the things that every stored object has is missing; "" if none is."""
    known = doc.get("metadata") if isinstance(doc, dict) else None
    for name in ("name", "uid", "creationTimestamp"):
        if not isinstance(known, dict) or not isinstance(known.get(name), str) or not known[name]:
            return f"metadata.{name}"
    return ""


def _foreign(kv: "KeyValue", doc: dict[str, Any], resource: "Resource") -> str:
    """Is it an object of another kind, or of another name than its key says?"""
    group, _, _ = doc["apiVersion"].rpartition("/")
    same = doc["apiVersion"] == resource.storage_api_version if resource.crd is None else group == resource.group
    if not same or doc["kind"] != resource.kind:
        return f"unable to decode: {doc['apiVersion']}, Kind={doc['kind']} is no {resource.group_kind}"
    name, namespace = doc["metadata"]["name"], doc["metadata"].get("namespace", "")
    if not isinstance(namespace, str) or bool(namespace) != resource.namespaced:
        return f"Object 'metadata.namespace' does not fit a {resource.group_kind}"
    if resource.key(namespace, name).encode() != kv.key:
        return f"the key {kv.key.decode('utf-8', 'replace')} is not that of {namespace}/{name}"
    return ""


def _unusable(doc: dict[str, Any], scheme: "Scheme", resource: "Resource", text: str) -> str:
    """Is it something that an apiserver would not have stored like that: incomplete, without its defaults, not valid?"""
    found = scheme.schema(resource.storage_group, resource.storage_version, resource.kind)
    if found is None:
        return ""
    try:
        normal = found.decode(doc).doc
    except schema.DecodeError as error:
        return str(error)
    if resource.crd is not None:  # its content is its definition's business, whichever of them it was written under
        lacks = _lacks(doc["metadata"], normal["metadata"], "metadata")
    else:
        lacks = _lacks(doc, found.default(normal), "")
    if lacks:
        return f"Object '{lacks}' is missing in '{text}'"
    strategy = registry.strategy_for(resource)
    if resource.crd is not None:
        errors = meta.validate_object_meta(doc, strategy.namespaced, strategy.name_check)
    else:
        errors = strategy.validate(doc, registry.Context("", scheme=scheme))
    return str(errors[0]) if errors else ""


def _lacks(doc: Any, normal: Any, path: str) -> str:
    """Where ``doc`` lacks, or has otherwise, what its normal form has; "" if nowhere. What nobody knows may be there."""
    if doc is normal or doc == normal:
        return ""
    if isinstance(doc, dict) and isinstance(normal, dict):
        for name in {**doc, **normal}:
            where = f"{path}.{name}" if path else name
            if name in normal:
                found = where if name not in doc else _lacks(doc[name], normal[name], where)
            else:
                found = where if doc[name] is None else ""
            if found:
                return found
        return ""
    if isinstance(doc, list) and isinstance(normal, list) and len(doc) == len(normal):
        rows = zip(doc, normal, strict=True)
        return next((found for n, row in enumerate(rows) if (found := _lacks(*row, f"{path}[{n}]"))), "")
    return path


def in_scope(cache: Cache, namespace: str, name: str = "") -> str:
    """The first problem among the objects of ``namespace`` ("" all) or of that one ``name``."""
    if not cache.broken:
        return ""
    if name:
        return cache.broken.get(f"{namespace}/{name}" if namespace else name, "")
    return next((why for key, why in cache.broken.items() if not namespace or key.startswith(namespace + "/")), "")


def refuse(cache: Cache, namespace: str, name: str = "") -> None:
    """Raise the decoder's words as a plain 500 if what is asked for cannot be decoded."""
    why = in_scope(cache, namespace, name)
    if why:
        raise status.plain_error(500, why)


def refuse_watch(cache: Cache) -> None:
    """A watch cannot begin while the cache can't be made."""
    if cache.broken:
        raise status.too_many_requests(INITIALIZING, 1)


def spoil(cache: Cache, kv: "KeyValue", key: str, why: str, now: int) -> None:
    """``key`` holds something that can't be decoded: the cache is no use any more, and the caller ends every watch."""
    if key in cache.items:
        cache.delete(key, kv.mod_revision, kv.cause, now)
    cache.broken[key] = why
    cache.changes += 1
    cache.revision = max(cache.revision, kv.mod_revision)


def heal(cache: Cache, key: str, revision: int) -> None:
    """The value at ``key`` was deleted or replaced. With the last one gone the cache begins anew: older watches must list again."""
    if cache.broken.pop(key, None) is not None and not cache.broken:
        cache.history.clear()
        cache.oldest = cache.revision = max(cache.revision, revision)
