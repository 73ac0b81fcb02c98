"""One object as its page shows it: the document, its revisions, the requests that wrote it, the Events about it.

In → a ``Scene`` and a name; out → dicts. ``thing`` is the document as the apiserver would answer it (in the served version, with
managedFields); ``revisions`` every value that etcd or the recorder still has, newest first, with who wrote it; ``revision_doc`` one of them.

Errors: KeyError when there never was such an object, as far as anybody remembers.

Simplified here: a value that etcd has compacted is the recorder's copy; its time and user are as they were remembered.
"""

from typing import Any

import orjson

from cluster.api.scheme import Resource
from cluster.snapshot.kinds import described, documents, resolve, scheme_of
from cluster.snapshot.objects import Unparsed
from cluster.snapshot.scene import Scene
from cluster.trace.codec import diff, request_frame
from cluster.trace.revisions import Revision
from cluster.trace.revisions import described as told_by

Doc = dict[str, Any]
MOST = 100
"""Revisions, requests or Events of one answer."""
PATHS = 12
"""Changes named in a row of the history; the diff has them all."""
WRITES = ("create", "update", "patch", "delete", "deletecollection")
UNTOLD = ("resourceVersion", "managedFields")
"""Metadata that changes with every write, or says who wrote."""


def key_of(resource: Resource, namespace: str, name: str) -> str:
    """The name in the kind's table."""
    return f"{namespace}/{name}" if resource.namespaced else name


def thing(scene: Scene, resource: str, namespace: str, name: str) -> Doc:
    """The object; ``gone`` says at which revision it was deleted, and ``doc`` is then what it was last."""
    kind = resolve(scene, resource)
    doc = documents(scene, kind).get(key_of(kind, namespace, name))
    gone = 0
    if doc is None:
        rows = _all_revisions(scene, kind, namespace, name)
        values = [row for row in rows if row.kv.version]
        if not values:
            raise KeyError(f"{kind.group_resource}/{namespace + '/' if namespace else ''}{name}")
        doc = _value(values[-1])
        gone = rows[-1].kv.mod_revision if not rows[-1].kv.version else 0
    assert doc is not None
    meta = doc["metadata"]
    return {
        **described(kind),
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "uid": meta.get("uid", ""),
        "doc": scheme_of(scene).convert(doc, kind.group, kind.version),
        "key": kind.key(namespace if kind.namespaced else "", name),
        "gone": gone,
        "revision": scene.objects.revision,
        "epoch": scene.spec.epoch,
    }


def revisions(scene: Scene, resource: str, namespace: str, name: str, left: int = 0, right: int = 0) -> Doc:
    """The history, newest first, and two values to compare: ``right`` (0: the newest) and ``left`` (0: the one before it)."""
    kind = resolve(scene, resource)
    rows = _all_revisions(scene, kind, namespace, name)
    if not rows:
        raise KeyError(f"{kind.group_resource}/{namespace + '/' if namespace else ''}{name}")
    etcd = {kv.mod_revision for kv in scene.objects.versions_of(scene.world, _etcd_key(kind, namespace, name))}
    told, before = [], None
    for row in rows:
        told.append(_row(scene, row, before, row.kv.mod_revision in etcd))
        before = _value(row)
    numbers = [row.kv.mod_revision for row in rows]
    right = right if right in numbers else numbers[-1]
    left = left if left in numbers else numbers[max(numbers.index(right) - 1, 0)]
    by_number = dict(zip(numbers, rows, strict=True))
    member = scene.objects.freshest(scene.world)
    first = rows[0].kv
    return {
        **described(kind),
        "rows": told[::-1][:MOST],
        "left": {"revision": left, "doc": _value(by_number[left])},
        "right": {"revision": right, "doc": _value(by_number[right])},
        "complete": first.version == 1,
        "compacted": member.state.app.store.compacted if member is not None else 0,
        "since": scene.memory.revisions.since,
    }


def touched(scene: Scene, resource: str, namespace: str, name: str) -> list[Doc]:
    """The requests that wrote the object, or tried to, newest first."""
    kind = resolve(scene, resource)
    wrote = {row.kv.cause for row in _all_revisions(scene, kind, namespace, name)}
    found = []
    for number in sorted(scene.memory.traces, reverse=True):
        trace = scene.memory.traces[number]
        began = trace.began
        named = (
            began.verb in WRITES
            and began.resource == kind.plural
            and began.group == kind.group
            and began.name == name
            and (not kind.namespaced or began.namespace == namespace)
        )
        if named or number in wrote:
            found.append({**request_frame(trace), "wrote": number in wrote})
            if len(found) >= MOST:
                break
    return found


def about(scene: Scene, resource: str, namespace: str, name: str) -> list[Doc]:
    """The Events about the object, newest first."""
    kind = resolve(scene, resource)
    rows, events = [], scene.objects.get("events")
    assert isinstance(events, Unparsed)
    for doc in events.saying(name):
        thing_ = doc.get("involvedObject") or doc.get("regarding") or {}
        if thing_.get("kind") != kind.kind or thing_.get("name") != name or thing_.get("namespace", "") != namespace:
            continue
        meta = doc["metadata"]
        rows.append(
            {
                "type": doc.get("type", ""),
                "reason": doc.get("reason", ""),
                "message": doc.get("message") or doc.get("note") or "",
                "count": doc.get("count") or (doc.get("series") or {}).get("count") or 1,
                "component": (doc.get("source") or {}).get("component") or doc.get("reportingComponent") or "",
                "first": doc.get("firstTimestamp") or doc.get("eventTime") or meta.get("creationTimestamp", ""),
                "last": doc.get("lastTimestamp") or doc.get("eventTime") or meta.get("creationTimestamp", ""),
                "namespace": meta.get("namespace", ""),
                "name": meta["name"],
                "rv": int(meta.get("resourceVersion") or 0),
            }
        )
    return sorted(rows, key=lambda row: -row["rv"])[:MOST]


# -- the parts --------------------------------------------------------------------------------------------------------


def _etcd_key(kind: Resource, namespace: str, name: str) -> bytes:
    return kind.key(namespace if kind.namespaced else "", name).encode()


def _all_revisions(scene: Scene, kind: Resource, namespace: str, name: str) -> list[Revision]:
    """What etcd still has and what the recorder kept, oldest first."""
    key = _etcd_key(kind, namespace, name)
    memory = scene.memory
    found = {row.kv.mod_revision: row for row in memory.revisions.by_key.get(key, ())}
    for kv in scene.objects.versions_of(scene.world, key):
        if kv.mod_revision not in found:
            found[kv.mod_revision] = told_by(kv, memory.traces.get(kv.cause))
    return [found[number] for number in sorted(found)]


def _value(row: Revision) -> Doc | None:
    """The document of a revision; None: it was deleted."""
    if not row.kv.version:
        return None
    doc = orjson.loads(row.kv.value)
    if isinstance(doc, dict) and isinstance(doc.get("metadata"), dict):
        doc["metadata"]["resourceVersion"] = str(row.kv.mod_revision)
    return doc


def _row(scene: Scene, row: Revision, before: Doc | None, in_etcd: bool) -> Doc:
    kv = row.kv
    doc = _value(row)
    changes = diff(_comparable(before), _comparable(doc)) if before is not None and doc is not None else []
    trace = scene.memory.traces.get(kv.cause)
    return {
        "revision": kv.mod_revision,
        "version": kv.version,
        "change": "deleted" if doc is None else "created" if kv.version == 1 else "changed",
        "atMicros": row.at // 1000 if row.at else None,
        "user": row.user or (trace.ended.user if trace is not None and trace.ended is not None else ""),
        "agent": row.agent,
        "verb": row.verb,
        "manager": newest_manager(doc, before),
        "cause": kv.cause,
        "request": kv.cause if trace is not None else None,
        "etcd": in_etcd,
        "changes": len(changes),
        "paths": [{"op": change["op"], "path": change["path"]} for change in changes[:PATHS]],
    }


def _comparable(doc: Doc | None) -> Doc | None:
    if doc is None:
        return None
    return {**doc, "metadata": {key: value for key, value in doc["metadata"].items() if key not in UNTOLD}}


def newest_manager(doc: Doc | None, before: Doc | None) -> str:
    """The field manager whose entry this write made or changed; "" when no entry did."""
    if doc is None:
        return ""
    entries = doc["metadata"].get("managedFields") or []
    old = (before["metadata"].get("managedFields") or []) if before is not None else []
    for entry in entries:
        if entry not in old:
            return entry.get("manager", "")
    return ""
