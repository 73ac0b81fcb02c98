"""The key space as etcd holds it: what is under a prefix, and every value a key has had since the last compaction.

In → the scene, a ``prefix`` or a ``key``, a ``revision`` (0: now). Out → ``keys``: levels like folders and keys like files; ``key``: its versions, newest
first, each with who wrote it. Read from the member that has applied most, as a linearizable read would find it.

Errors: KeyError for a key that never was. Simplified here: bytes that are no UTF-8 are shown escaped.
"""

from bisect import bisect_left
from typing import Any

from cluster.etcd.mvcc import EVERYTHING, prefix_end
from cluster.snapshot.scene import Scene

MOST = 200
VALUE = 20_000


def keyspace(scene: Scene, prefix: str = "/", key: str = "", revision: int = 0, limit: int = MOST) -> dict[str, Any]:
    """See the module."""
    member: Any = scene.objects.freshest(scene.world)
    if member is None:
        return {
            "member": "",
            "revision": 0,
            "compacted": 0,
            "prefix": prefix,
            "rows": [],
            "count": 0,
            "more": 0,
            "key": None,
        }
    store = member.state.app.store
    asked = revision if 0 < revision < store.revision else 0
    below = 0 < asked < store.compacted
    facts = {
        "member": member.name,
        "revision": store.revision,
        "asked": asked,
        "compacted": max(store.compacted, 0),
        "gone": below,
        "size": store.size,
        "inUse": store.in_use,
        "prefix": prefix,
    }
    rows, count = ([], 0) if below else _level(store, prefix, asked)
    more = max(len(rows) - limit, 0)
    return {
        **facts,
        "rows": rows[:limit],
        "count": count,
        "more": more,
        "key": _key(store, key, scene) if key else None,
    }


def _level(store: Any, prefix: str, revision: int) -> tuple[list[dict[str, Any]], int]:
    """One level below ``prefix``: (folders with their counts, keys as they are), and how many keys in all."""
    start = prefix.encode()
    end = prefix_end(start) if start else EVERYTHING
    keys = store.keys if revision else store.live
    low = bisect_left(keys, start)
    high = len(keys) if end == EVERYTHING else bisect_left(keys, end)
    folders: dict[str, int] = {}
    rows: list[dict[str, Any]] = []
    count = 0
    for raw in keys[low:high]:
        kv = store.at(raw, revision) if revision else store.current[raw]
        if kv is None:
            continue
        count += 1
        rest = raw[len(start) :]
        cut = rest.find(b"/")
        if cut >= 0:
            name = _text(start + rest[: cut + 1])
            folders[name] = folders.get(name, 0) + 1
        else:
            rows.append(
                {"key": _text(raw), "mod": kv.mod_revision, "create": kv.create_revision, "version": kv.version,
                 "bytes": len(kv.value), "lease": f"{kv.lease:x}" if kv.lease else "", "cause": kv.cause}
            )  # fmt: skip
    return [{"folder": name, "count": n} for name, n in folders.items()] + rows, count


def _key(store: Any, key: str, scene: Scene) -> dict[str, Any]:
    """A key's history, newest first."""
    raw = key.encode("utf-8", "surrogateescape")
    versions = store.history.get(raw) or []
    traces = scene.memory.traces
    rows = [
        {
            "mod": kv.mod_revision,
            "create": kv.create_revision,
            "version": kv.version,
            "deleted": kv.version == 0,
            "lease": f"{kv.lease:x}" if kv.lease else "",
            "cause": kv.cause,
            "kept": kv.cause in traces,
            "value": _text(kv.value[:VALUE]),
            "bytes": len(kv.value),
        }
        for kv in reversed(versions[-50:])
    ]
    return {"key": key, "versions": rows, "more": max(len(versions) - 50, 0)}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
