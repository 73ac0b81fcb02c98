"""DELETE: of one object, or of a collection.

An object goes at once unless something holds it: finalizers, or a grace period (pods). Then it only gets a
deletionTimestamp, and disappears with the update that removes the last hold. ``propagationPolicy`` decides about
dependents by the finalizers ``orphan`` and ``foregroundDeletion``, which the garbage collector acts on.

Upstream: apiserver/pkg/registry/generic/registry/store.go ``Delete``, registry/rest/delete.go (v1.32).
"""

from typing import Any

from cluster.api import codec, status
from cluster.api.schema import json_kind
from cluster.apiserver import admission, pipeline, protobuf, registry, respond, storage
from cluster.apiserver.handlers import reading, writing
from cluster.apiserver.job import Job, continuation, name_of
from cluster.apiserver.options import DeleteOptions, delete_options
from cluster.apiserver.storage import Change, transform
from cluster.apiserver.view import here
from cluster.apiserver.watch_cache import Item
from cluster.sim import SECOND, Outbox
from cluster.sim.clock import rfc3339

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_RETURN_WHEN_GONE = ("Pod", "Service", "ServiceAccount", "PersistentVolume", "PersistentVolumeClaim", "Namespace")
"""Kinds whose strategy answers with the object itself (``ReturnDeletedObject``)."""
Doc = dict[str, Any]


def delete(server: Any, job: Job, out: Outbox) -> None:
    """One object."""
    resource, info = job.resource, job.info
    assert resource is not None
    job.data["options"] = _options(server, job, out)
    namespace = info.namespace if resource.namespaced else ""
    storage.update(server, job, out, resource, namespace, info.name, removed, answered)


_GVK = ("", "v1", "DeleteOptions")


def _options(server: Any, job: Job, out: Outbox) -> DeleteOptions:
    request = job.request
    body = request.doc
    if body is None and request.body:
        try:
            if request.header("content-type").startswith(protobuf.MEDIA_TYPE):
                body = protobuf.decode(request.body)
            else:
                body = codec.load(request.body, codec.media_type(request.header("content-type")) or "application/json")
        except ValueError as error:
            raise status.plain_error(500, f"couldn't get version/kind; json parse error: {error}") from None
    if body:
        body = _typed(server, body)
    options = delete_options(job.query, body)
    job.stage(out, "decoding", "ok", "The options of the deletion", here(), {"options": body} if body else None)
    return options


def _typed(server: Any, body: Any) -> Doc:
    """``body`` checked to be DeleteOptions, which every group version has."""
    if not isinstance(body, dict):
        what = json_kind(body)
        raise status.plain_error(
            500,
            f"couldn't get version/kind; json parse error: json: cannot unmarshal {what} into Go value of type "
            'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }',
        )
    if body.get("kind") not in (None, "", "DeleteOptions"):
        raise status.bad_request(
            f"the object provided is unrecognized (must be of type DeleteOptions): got {body['kind']}"
        )
    plain = {key: value for key, value in body.items() if key not in ("kind", "apiVersion")}
    return codec.decode_doc(plain, server.scheme, _GVK, "Ignore").doc


@transform
def removed(server: Any, job: Job, out: Outbox, item: Item) -> Change:
    """What deleting the object means, given its newest state."""
    resource, options = job.resource, job.data["options"]
    assert resource is not None
    old = server.scheme.convert(item.doc, resource.group, resource.version)
    meta = old["metadata"]
    _preconditions(resource.kind, options, old, item)
    ctx = writing.context(server, job, out)
    attributes = admission.Attributes(
        "DELETE", resource, "", meta.get("namespace", ""), meta["name"], job.user, None, old, options.dry_run, options
    )
    for plugin in admission.plugins_for(resource.group_resource):
        if plugin.MUTATES and admission.asked(plugin, attributes, ctx):
            plugin.mutate(attributes, ctx)
    pipeline.validate(server, job, out, attributes, ctx)
    change = _decide(server, resource, options, old)
    job.data["gone"] = change.kind == "delete"
    if options.dry_run:
        job.data["dry"] = change.doc
        return Change("keep")
    return change


def _preconditions(kind: str, options: DeleteOptions, old: Doc, item: Item) -> None:
    name, uid = old["metadata"]["name"], old["metadata"]["uid"]
    if options.uid and options.uid != uid:
        raise status.conflict(
            kind, name, f"the UID in the precondition ({options.uid}) does not match the UID in record ({uid}). "
            "The object might have been deleted and then recreated",
        )  # fmt: skip
    if options.resource_version and options.resource_version != str(item.revision):
        raise status.conflict(
            kind, name, f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
            f"ResourceVersion in record ({item.revision}). The object might have been modified",
        )  # fmt: skip


def _decide(server: Any, resource: Any, options: DeleteOptions, old: Doc) -> Change:
    """``rest.BeforeDelete`` and what the store makes of it. A pod asked to go within 0 s is removed in one step."""
    meta = old["metadata"]
    asked, dying = options.grace_period_seconds, meta.get("deletionTimestamp")
    seconds = registry.strategy_for(resource).graceful_delete(old, asked)
    if dying:
        held = meta.get("deletionGracePeriodSeconds") or 0
        if asked is None or seconds is None or seconds >= held:
            return Change("keep", old)
    finalizers = _finalizers(meta, options)
    gone = not seconds and not finalizers and not _held_by_spec(old)
    if gone and seconds is None:
        return Change("delete", old)
    changed: Doc = {
        key: meta[key] for key in ("name", "generateName", "namespace", "uid", "resourceVersion") if key in meta
    }
    if meta.get("generation"):
        changed["generation"] = meta["generation"] if dying else meta["generation"] + 1
    changed["creationTimestamp"] = meta.get("creationTimestamp")
    changed["deletionTimestamp"] = rfc3339(server.config.epoch, server.now + (seconds or 0) * SECOND)
    if not _held_by_spec(old):
        changed["deletionGracePeriodSeconds"] = seconds or 0
    for key in ("labels", "annotations", "ownerReferences"):
        if key in meta:
            changed[key] = meta[key]
    if finalizers:
        changed["finalizers"] = finalizers
    changed.update((key, value) for key, value in meta.items() if key not in changed and key != "finalizers")
    new = {**old, "metadata": changed}
    if old.get("kind") == "Namespace":
        new["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    return Change("delete" if gone else "put", new)


def _held_by_spec(old: Doc) -> bool:
    """A Namespace stays while its contents are removed: its finalizers are in its spec."""
    return old.get("kind") == "Namespace" and bool((old.get("spec") or {}).get("finalizers"))


def _finalizers(meta: Doc, options: DeleteOptions) -> list[str]:
    kept = [name for name in meta.get("finalizers") or () if name not in (ORPHAN, FOREGROUND)]
    policy = options.propagation_policy
    if options.orphan_dependents is not None:
        policy = "Orphan" if options.orphan_dependents else "Background"
    if policy is None:
        return list(meta.get("finalizers") or ())
    if policy == "Orphan":
        kept.append(ORPHAN)
    elif policy == "Foreground":
        kept.append(FOREGROUND)
    return kept


@continuation
def answered(server: Any, job: Job, out: Outbox, item: Item) -> None:
    """Say what happened: a Status when it is gone, the dying object when something holds it."""
    resource = job.resource
    assert resource is not None
    doc = server.scheme.convert(job.data.get("dry") or item.doc, resource.group, resource.version)
    if job.data.get("gone") and resource.kind not in _RETURN_WHEN_GONE:
        meta = doc["metadata"]
        respond.document(
            server,
            job,
            out,
            200,
            status.deleted(resource.group_resource, meta["name"], meta["uid"]),
            "The object is gone",
        )
        return
    respond.item(
        server, job, out, 200, doc, "The object is being deleted" if not job.data.get("gone") else "The object is gone"
    )


# -- collections --------------------------------------------------------------------------------------------------


def delete_collection(server: Any, job: Job, out: Outbox) -> None:
    """All objects that the selectors choose, one after the other."""
    resource = job.resource
    assert resource is not None
    reading.check_selectors(job)
    job.data["options"] = _options(server, job, out)
    reading.fresh(server, job, out, resource, collected)


@continuation
def collected(server: Any, job: Job, out: Outbox) -> None:
    """The list of what is to go is known."""
    resource = job.resource
    assert resource is not None
    cache = server.cache_of(resource)
    docs = reading.select(server, job, cache.select(job.info.namespace if resource.namespaced else ""))
    job.data.update(docs=docs, place=0, revision=cache.revision)
    next_one(server, job, out, None)


@continuation
def next_one(server: Any, job: Job, out: Outbox, item: Item | None) -> None:
    """Delete the next object of the collection, or answer when all are done."""
    resource = job.resource
    assert resource is not None
    place = job.data["place"]
    docs = job.data["docs"]
    if place < len(docs):
        job.data["place"] = place + 1
        meta = docs[place]["metadata"]
        job.data["missing"] = name_of(vanished)
        storage.update(server, job, out, resource, meta.get("namespace", ""), meta["name"], removed, next_one)
        return
    rows = [{k: v for k, v in doc.items() if k not in ("kind", "apiVersion")} for doc in docs]
    doc = {
        "kind": resource.list_kind,
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": str(job.data["revision"])},
        "items": rows,
    }
    respond.document(server, job, out, 200, doc, f"{len(rows)} objects were deleted")


@continuation
def vanished(server: Any, job: Job, out: Outbox) -> None:
    """Somebody else deleted it first: that is fine."""
    next_one(server, job, out, None)
