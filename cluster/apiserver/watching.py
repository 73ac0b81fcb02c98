"""WATCH: a stream of everything that happens to a selection of objects, from the watch cache.

In → a watch request, later events of the cache; out → chunks ``{"type", "object"}``. Without a resourceVersion the stream
begins with an ADDED per existing object; with one it goes on right after it, or says 410 Expired in an ERROR event when
the cache has forgotten. ``sendInitialEvents`` asks for the objects and then a BOOKMARK that says "that was all".

Each event goes to each watcher in an envelope of its own, whose cause is the request that made the change: so a change can be
followed from the write to everybody who reacts to it.

Simplified here: bookmarks come once a minute for all watchers together; a slow watcher is never cut off.

Upstream: apiserver/pkg/storage/cacher/{cacher,cache_watcher}.go, endpoints/handlers/watch.go (v1.32).
"""

from base64 import b64encode
from typing import Any

import orjson

from cluster.api import codec, selectors, status
from cluster.api.field import forbidden
from cluster.api.scheme import Resource
from cluster.apiserver import corrupt, respond, table
from cluster.apiserver.handlers import reading
from cluster.apiserver.job import Job, continuation
from cluster.apiserver.request_info import is_true
from cluster.apiserver.view import here
from cluster.apiserver.watch_cache import Cache, Event, Watcher
from cluster.sim import MINUTE, SECOND, Outbox
from cluster.trace.notes import Stage
from cluster.wire.http import HttpChunk, HttpEnd

MIN_REQUEST_TIMEOUT = 1800
"""``--min-request-timeout``: a watch without ``timeoutSeconds`` lasts once to twice that long."""
BOOKMARK_PERIOD = MINUTE


def start(server: Any, job: Job, out: Outbox) -> None:
    """A client wants to watch."""
    query, resource = job.query, job.resource
    assert resource is not None
    reading.check_selectors(job)
    initial = query.get("sendInitialEvents")
    match = query.get("resourceVersionMatch", "")
    errors = []
    if initial is None and match:
        errors.append(
            forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )
        )
    if initial is not None and match != "NotOlderThan":
        errors.append(
            forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        )
    if errors:
        raise status.invalid("meta.k8s.io", "ListOptions", "", errors)
    revision = reading.parse_revision(query.get("resourceVersion", ""), "resourceVersion")
    reading.parse_int(query.get("timeoutSeconds", ""), "timeoutSeconds")
    job.data["initial"] = is_true(initial)
    job.data["revision"] = revision
    if job.data["initial"] and not revision:
        reading.fresh(server, job, out, resource, begin)
    else:
        begin(server, job, out)


@continuation
def begin(server: Any, job: Job, out: Outbox) -> None:
    """The cache is ready for it: open the stream."""
    query, resource = job.query, job.resource
    assert resource is not None
    cache: Cache = server.cache_of(resource)
    corrupt.refuse_watch(cache)
    watcher = _watcher(job, resource, cache)
    respond.stream(server, job, out, "application/json;stream=watch" if query.get("stream") else "application/json")
    cache.add_watcher(watcher)
    revision = job.data["revision"]
    if not revision or job.data["initial"]:
        for item in cache.select(watcher.namespace):
            if _selected(resource, watcher, item.doc):
                _send(server, resource, watcher, "ADDED", item.doc, out, job.id)
        if job.data["initial"] and watcher.bookmarks:
            _bookmark(resource, watcher, cache, out, True)
        watcher.sent = cache.revision
    else:
        events = cache.since(revision)
        if events is None:
            text = f"too old resource version: {revision} ({cache.oldest})"
            _send(server, resource, watcher, "ERROR", status.expired(text).status, out, job.id)
            end(server, watcher.id, out)
            return
        for event in events:
            _tell(server, resource, cache, watcher, event, out)
        watcher.sent = max(revision, cache.revision if events else 0)
    watcher.began = watcher.sent
    asked = reading.parse_int(query.get("timeoutSeconds", ""), "timeoutSeconds")
    seconds = asked or MIN_REQUEST_TIMEOUT + out.dice.below(MIN_REQUEST_TIMEOUT)
    out.timer(f"watch/{job.id}", seconds * SECOND, cause=0)


def _watcher(job: Job, resource: Resource, cache: Cache) -> Watcher:
    query, info = job.query, job.info
    fields = query.get("fieldSelector", "")
    namespace = info.namespace if resource.namespaced else ""
    name, value = "", None
    if fields:
        selector = selectors.parse_fields(fields)
        name = selector.value_of("metadata.name") or ""
        namespace = namespace or (selector.value_of("metadata.namespace") or "" if resource.namespaced else "")
        if cache.index_field:
            value = selector.value_of(".".join(cache.index_field))
    if info.name and info.verb == "watch" and "/watch/" in info.path and not name:  # the old path form
        name = info.name
        fields = f"{fields},metadata.name={name}".lstrip(",")
    source = job.src if job.src != "lb" else job.user.name.removeprefix("system:")
    return Watcher(
        job.id, job.src, source, namespace, name, query.get("labelSelector", ""), fields, resource.group,
        resource.version, resource.plural, is_true(query.get("allowWatchBookmarks")), job.outside, job.accept.form,
        job.accept.include, cache.bucket_for(namespace, name, value),
    )  # fmt: skip


# -- events -------------------------------------------------------------------------------------------------------


def dispatch(server: Any, cache: Cache, event: Event, out: Outbox) -> None:
    """Tell everyone concerned of ``event``."""
    for watcher in cache.candidates(event):
        resource = server.scheme.resource(watcher.group, watcher.version, watcher.plural)
        if resource is not None and event.revision > watcher.began:
            _tell(server, resource, cache, watcher, event, out)


def _selected(resource: Resource, watcher: Watcher, doc: dict[str, Any]) -> bool:
    return not (watcher.labels or watcher.fields) or reading.chosen(resource, doc, watcher.labels, watcher.fields)


def _tell(server: Any, resource: Resource, cache: Cache, watcher: Watcher, event: Event, out: Outbox) -> None:
    kind, doc = event.type, event.doc
    if watcher.namespace and not event.key.startswith(watcher.namespace + "/"):
        return
    if watcher.labels or watcher.fields:
        now = kind != "DELETED" and reading.chosen(resource, doc, watcher.labels, watcher.fields)
        before = event.previous is not None and reading.chosen(resource, event.previous, watcher.labels, watcher.fields)
        if now:
            kind = "MODIFIED" if before else "ADDED"
        elif before:
            if (
                kind != "DELETED" and event.previous is not None
            ):  # it left the selection: its last state, at this revision
                meta = {**event.previous["metadata"], "resourceVersion": doc["metadata"]["resourceVersion"]}
                doc = {**event.previous, "metadata": meta}
            kind = "DELETED"
        else:
            return
    watcher.sent = event.revision
    _send(server, resource, watcher, kind, doc, out, event.cause)
    if event.cause:
        reason = f"{watcher.label} hears that {event.key} was {kind.lower()}"
        out.note(
            Stage(event.cause, f"watch/{watcher.label}", server.name, server.now, server.now, "ok", reason,
                  {"type": kind, "resource": cache.resource, "watch": watcher.id}, None, None, here())
        )  # fmt: skip


def _send(
    server: Any, resource: Resource, watcher: Watcher, kind: str, doc: dict[str, Any], out: Outbox, cause: int
) -> None:
    if kind != "ERROR":
        if resource.api_version != resource.storage_api_version:
            doc = server.scheme.convert(doc, resource.group, resource.version)
        if watcher.form == "Table":
            doc = table.render(
                resource, [doc], server.view.seconds, include_object=watcher.include, headers=not watcher.columns_told
            )
            watcher.columns_told = True
        elif watcher.form:
            doc = table.partial_metadata(doc)
    event = {"type": kind, "object": doc}
    if watcher.outside:
        out.send(watcher.client, HttpChunk(watcher.id, codec.encode(event)), cause=cause)
    else:
        out.send(watcher.client, HttpChunk(watcher.id, doc=event), cause=cause)


# -- bookmarks ----------------------------------------------------------------------------------------------------


def bookmarks(server: Any, out: Outbox) -> None:
    """Once a minute: tell those who asked how far the cache is, so that they can go on from there."""
    for cache in server.state.caches.values():
        for watcher in cache.watchers.values():
            if watcher.bookmarks and cache.revision > watcher.sent:
                resource = server.scheme.resource(watcher.group, watcher.version, watcher.plural)
                if resource is not None:
                    _bookmark(resource, watcher, cache, out, False)
                    watcher.sent = cache.revision
    out.timer("bookmarks", BOOKMARK_PERIOD, cause=0)


def _bookmark(resource: Resource, watcher: Watcher, cache: Cache, out: Outbox, initial: bool) -> None:
    meta: dict[str, Any] = {"resourceVersion": str(cache.revision), "creationTimestamp": None}
    if initial:
        blueprint = {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": {}, "items": None}
        meta["annotations"] = {
            "k8s.io/initial-events-end": "true",
            "kubernetes.io/initial-events-list-blueprint": b64encode(orjson.dumps(blueprint) + b"\n").decode(),
        }
    doc = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
    event = {"type": "BOOKMARK", "object": doc}
    chunk = HttpChunk(watcher.id, codec.encode(event)) if watcher.outside else HttpChunk(watcher.id, doc=event)
    out.send(watcher.client, chunk, cause=0)


# -- the end ------------------------------------------------------------------------------------------------------


def end(server: Any, number: int, out: Outbox) -> None:
    """The stream's time is up."""
    job = server.state.jobs.get(number)
    if job is None:
        return
    out.cancel(f"watch/{number}")
    stop(server, job)
    out.send(job.src, HttpEnd(number), cause=0)
    server.finish(job)


def stop(server: Any, job: Job) -> None:
    """Forget the watcher of ``job``, if it is one."""
    if job.resource is not None and job.info.verb == "watch":
        cache = server.cache_of(job.resource)
        if cache is not None:
            cache.remove_watcher(job.id)
