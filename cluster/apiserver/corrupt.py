"""Values in etcd that are no object of their resource: somebody wrote them past the apiserver (``etcdctl put /registry/…``).

As in the real server one such value spoils its whole resource, and nothing else: reading it, or a list that contains it, is a 500 with the decoder's
words; the watch cache ends all its watches, and while the value is there a new one is told to come back (429). Deleting the key, or writing
something sensible, heals it; watches from before must list again.

In: a pair of etcd. Out: "" or why it can't be decoded. What an apiserver has written itself is not looked at again (its pairs have a cause).

Simplified here: an object without a name is refused as undecodable, too (the real server would list it nameless).
Upstream: apiserver/pkg/storage/etcd3/{store,watcher}.go, storage/cacher/cacher.go.
"""

from typing import TYPE_CHECKING

from cluster.api import gojson, schema, status
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
    meta = doc.get("metadata")
    if not isinstance(meta, dict) or not isinstance(meta.get("name"), str) or not meta["name"]:
        return f"Object 'metadata.name' is missing in '{text}'"
    found = (
        scheme.schema(resource.storage_group, resource.storage_version, resource.kind) if resource.crd is None else None
    )
    if found is not None:
        try:
            found.decode(doc)
        except schema.DecodeError as error:
            return str(error)
    return ""


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
