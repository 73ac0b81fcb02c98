"""POST, PUT and PATCH: from a body to a stored object.

create: decode → default → managed fields → mutating admission → strategy → validation → validating admission → etcd.
update and patch run the same inside storage's GuaranteedUpdate: the new object is computed from the newest old one, and
again from a newer one if somebody else was faster. A patch that names no resourceVersion therefore never conflicts.

Upstream: apiserver/pkg/endpoints/handlers/{create,update,patch}.go, registry/generic/registry/store.go (v1.32).
"""

from functools import partial
from typing import Any

import orjson

from cluster.api import codec, fieldmanager, limits, scale, status
from cluster.api import patch as patches
from cluster.api.field import invalid, too_long
from cluster.api.scheme import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Resource
from cluster.api.stored import without_revision
from cluster.apiserver import admission, pipeline, protobuf, registry, respond, storage
from cluster.apiserver.admission import resource_quota
from cluster.apiserver.authorization import Attributes, authorize, escalation, forbidden_message
from cluster.apiserver.handlers import services
from cluster.apiserver.job import Job, continuation, name_of
from cluster.apiserver.options import WriteOptions, write_options
from cluster.apiserver.request_info import RequestInfo
from cluster.apiserver.storage import Change, transform
from cluster.apiserver.view import here, raised_at
from cluster.apiserver.watch_cache import Item
from cluster.sim import MILLISECOND, Outbox

MAX_BODY = 3 * 1024 * 1024
"""``--max-request-bytes`` of the resource handlers."""
MAX_OBJECT = 1_048_576
Doc = dict[str, Any]


def context(server: Any, job: Job, out: Outbox) -> admission.Context:
    """What admission and strategies may look at."""
    rest = registry.Context(server.view.timestamp, job.user.name, job.user.groups, out.dice, server.scheme)
    ctx = admission.Context(server.view, out.dice, rest, server.scheme)
    ctx.warnings = job.warnings
    if job.resource is not None and services.allocates(job.resource) and not job.info.subresource:
        ctx.allocate = partial(services.allocate, server, dice=out.dice)
    return ctx


# -- decoding -----------------------------------------------------------------------------------------------------


def decode(server: Any, job: Job, out: Outbox, gvk: tuple[str, str, str], validation: str) -> Doc:
    """The body as a typed document with defaults. Warnings go to the job."""
    try:
        body = _typed(server, job, gvk, validation)
    except status.ApiError as error:
        job.stage(out, "decoding", "deny", error.message[:400], raised_at(error))
        raise
    job.warnings.extend(body.warnings)
    size = len(job.request.body)
    job.stage(out, "decoding", "ok", f"The body is a {gvk[2]} of {gvk[0] + '/' if gvk[0] else ''}{gvk[1]}", here(),
              {"bytes": size, "warnings": list(body.warnings)} if size or body.warnings else None, None, body.doc)  # fmt: skip
    return default(server, job, out, gvk, body.doc)


def _typed(server: Any, job: Job, gvk: tuple[str, str, str], validation: str) -> Any:
    request, resource = job.request, job.resource
    if len(request.body) > MAX_BODY:
        raise status.request_entity_too_large(MAX_BODY)
    custom = resource is not None and resource.crd is not None
    doc = request.doc
    if doc is None and request.header("content-type").startswith(protobuf.MEDIA_TYPE):
        try:
            doc = protobuf.decode(request.body)
        except ValueError as error:
            raise status.bad_request(str(error)) from None
    if doc is not None:
        _check_depth(job, doc)
        return codec.decode_doc(doc, server.scheme, gvk, validation)
    return codec.decode_body(request.body, request.header("content-type"), server.scheme, gvk, validation, custom)


def _check_depth(job: Job, doc: Any) -> None:
    """A document that came as such (from the console, say) is as deep as its author likes; what others cause is not."""
    if job.parent == 0 and limits.too_deep(doc):
        raise status.bad_request(limits.TOO_DEEP)


def default(server: Any, job: Job, out: Outbox, gvk: tuple[str, str, str], doc: Doc) -> Doc:
    """``doc`` with the version's default values."""
    filled = server.scheme.schema(*gvk).default(doc)
    if filled is doc or filled == doc:
        job.stage(out, "defaulting", "ok", "Every field that has a default was set", here())
        return doc
    job.stage(
        out, "defaulting", "change", f"Unset fields of the {gvk[2]} got their defaults", here(), None, doc, filled
    )
    return filled


def gvk_of(resource: Resource, job: Job) -> tuple[str, str, str]:
    """The kind a request's body must have: the resource's, or its subresource's own (Scale)."""
    sub = job.subresource
    if sub is not None and sub.kind != resource.kind:
        return (sub.group or resource.group, sub.version or resource.version, sub.kind)
    return resource.group, resource.version, resource.kind


# -- create -------------------------------------------------------------------------------------------------------


def create(server: Any, job: Job, out: Outbox) -> None:
    """POST to a collection."""
    resource = job.resource
    assert resource is not None
    options = write_options(job.query, "CreateOptions")
    doc = decode(server, job, out, gvk_of(resource, job), options.field_validation)
    doc = in_namespace(doc, resource, job.info)
    if resource.stored and not options.dry_run and revision_of(doc):
        job.data["revision_said"] = True
    create_object(server, job, out, doc, options, 201)


def create_object(server: Any, job: Job, out: Outbox, doc: Doc, options: WriteOptions, code: int) -> None:
    """Go on with a decoded object: managed fields, admission, storage."""
    resource = job.resource
    assert resource is not None
    meta = {k: v for k, v in doc.get("metadata", {}).items() if k not in _SERVER_OWNED}
    doc = {**doc, "metadata": meta}
    if "applied" not in job.data:
        doc = fieldmanager.updated(
            server.scheme.schema(resource.group, resource.version, resource.kind), None, doc,
            manager=_manager(job, options), subresource="", api_version=resource.api_version,
            now=server.view.timestamp, reset=registry.strategy_for(resource).reset_fields,
        )  # fmt: skip
    job.doc = doc
    job.data.update(options=options, code=code)
    if services.allocates(resource) and not options.dry_run:
        services.claim(server, job, out, admit_new)
        return
    admit_new(server, job, out)


_SERVER_OWNED = frozenset(("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp",
                           "deletionGracePeriodSeconds", "selfLink"))  # fmt: skip


@continuation
def admit_new(server: Any, job: Job, out: Outbox) -> None:
    """The new object through admission, strategy and validation, then on to etcd."""
    resource, doc, options = job.resource, job.doc, job.data["options"]
    assert resource is not None
    ctx = context(server, job, out)
    namespace = doc["metadata"].get("namespace", "") if resource.namespaced else ""
    attributes = admission.Attributes(
        "CREATE", resource, "", namespace or (doc["metadata"].get("name", "") if resource.plural == "namespaces" else ""),
        doc["metadata"].get("name", ""), job.user, doc, None, options.dry_run,
    )  # fmt: skip
    if resource.plural == "namespaces" and not resource.group:
        attributes.namespace = ""
    try:
        doc = pipeline.admit(server, job, out, attributes, ctx)
    except status.ApiError as error:
        if namespace and _may_be_late(server, job, out, error):
            return
        raise
    if error_text := escalation.check(job.user, resource, None, doc, server.view):
        raise status.forbidden(resource.group_resource, doc["metadata"].get("name", ""), error_text)
    job.doc = doc
    charges = [] if options.dry_run else resource_quota.charges(attributes, ctx)
    job.data["charges"] = charges
    charge(server, job, out, None)


_ACCOUNT_ATTEMPTS = 10


def _may_be_late(server: Any, job: Job, out: Outbox, error: status.ApiError) -> bool:
    """Is the refusal perhaps only due to something that was made a moment ago? Then look again before refusing.

    A namespace written through another apiserver: one look through the quorum. A namespace's default service account,
    which a controller makes: up to ten looks 100 to 200 ms apart (``serviceaccount.getServiceAccount``).
    """
    if error.code == 404 and not job.data.get("looked"):
        job.data["looked"] = True
        server.look(out, job, "namespaces", admit_new)
        return True
    tries = job.data.get("account_tries", 0)
    if "error looking up service account" in error.message and tries < _ACCOUNT_ATTEMPTS:
        job.data["account_tries"] = tries + 1
        out.timer(f"retry/{job.id}", out.dice.between(100, 200) * MILLISECOND, name_of(admit_new))
        return True
    return False


@continuation
def charge(server: Any, job: Job, out: Outbox, item: Item | None) -> None:
    """Book what the object uses in each ResourceQuota, one after the other; then store it."""
    resource = job.resource
    assert resource is not None
    if job.data["charges"]:
        namespace, name, delta = job.data["charges"].pop(0)
        job.data["delta"] = delta
        quotas = server.scheme.resource("", "v1", "resourcequotas")
        storage.update(server, job, out, quotas, namespace, name, resource_quota.book, charge)
        return
    store_new(server, job, out)


@continuation
def store_new(server: Any, job: Job, out: Outbox) -> None:
    """Put it into etcd, unless this is a dry run."""
    resource, doc = job.resource, job.doc
    assert resource is not None
    meta = doc["metadata"]
    namespace, name = meta.get("namespace", "") if resource.namespaced else "", meta["name"]
    if job.data["options"].dry_run:
        cache = server.cache_of(resource)
        if cache is not None and (f"{namespace}/{name}" if namespace else name) in cache.items:
            raise status.already_exists(resource.group_resource, name)
        respond.item(server, job, out, job.data["code"], doc, "A dry run: nothing was stored")
        return
    if len(job.request.body) > MAX_OBJECT and len(orjson.dumps(doc)) > MAX_OBJECT:
        raise too_large(resource, name)
    if job.data.get("revision_said"):
        raise status.plain_error(500, "resourceVersion should not be set on objects to be created")
    job.doc = doc
    storage.create(server, job, out, resource, namespace, name, doc, stored)


def too_large(resource: Resource, name: str) -> status.ApiError:
    """An object bigger than etcd takes."""
    return status.invalid(resource.group, resource.kind, name, [too_long("[]", MAX_OBJECT)])


@continuation
def stored(server: Any, job: Job, out: Outbox, item: Item) -> None:
    """Answer with the object as it is now."""
    resource = job.resource
    assert resource is not None
    doc = server.scheme.convert(item.doc, resource.group, resource.version)
    respond.item(server, job, out, job.data["code"], doc)


def in_namespace(doc: Doc, resource: Resource, info: RequestInfo) -> Doc:
    """``doc`` in the namespace of the URL; ApiError 400 when it says another."""
    meta = doc.get("metadata") or {}
    said = meta.get("namespace", "")
    wanted = info.namespace if resource.namespaced else ""
    if said and said != wanted:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if resource.namespaced and not wanted:
        raise status.bad_request("namespace is required")
    if said == wanted:
        return {**doc, "metadata": meta} if "metadata" not in doc else doc
    placed: Doc = {key: meta[key] for key in ("name", "generateName") if key in meta}
    placed["namespace"] = wanted
    placed.update((key, value) for key, value in meta.items() if key not in placed)
    return {**doc, "metadata": placed}


# -- update -------------------------------------------------------------------------------------------------------


def update(server: Any, job: Job, out: Outbox) -> None:
    """PUT to an object or one of its subresources."""
    resource, info = job.resource, job.info
    assert resource is not None
    options = write_options(job.query, "UpdateOptions")
    doc = decode(server, job, out, gvk_of(resource, job), options.field_validation)
    doc = in_namespace(doc, resource, info)
    name = doc["metadata"].get("name", "")
    if name and name != info.name:
        raise status.bad_request(f"the name of the object ({name}) does not match the name on the URL ({info.name})")
    if not name:
        raise status.bad_request(
            f"the name of the object ({info.name} based on URL) was undeterminable: name must be provided"
        )
    job.doc = doc
    job.data["options"] = options
    revision_of(doc)
    _change(server, job, out, replaced)


def _change(server: Any, job: Job, out: Outbox, how: Any) -> None:
    resource, info = job.resource, job.info
    assert resource is not None
    job.data["code"] = 200
    job.data["input"] = job.doc
    strategy = registry.strategy_for(resource, info.subresource)
    if strategy.allow_create_on_update and not info.subresource:
        job.data["missing"] = name_of(absent)
    namespace = info.namespace if resource.namespaced else ""
    storage.update(server, job, out, resource, namespace, info.name, how, changed)


@continuation
def absent(server: Any, job: Job, out: Outbox) -> None:
    """PUT to an object that doesn't exist, of a kind that may be created so (Leases, Endpoints, Events)."""
    resource = job.resource
    assert resource is not None
    doc = job.data["input"]
    if doc["metadata"].get("uid") or doc["metadata"].get("resourceVersion") not in (None, "", "0"):
        raise status.not_found(resource.group_resource, job.info.name)
    ask = Attributes(
        job.user, "create", job.info.namespace, resource.group, resource.version, resource.plural, "", job.info.name
    )
    decision = authorize(ask, server.view)
    if not decision.allowed:
        raise status.forbidden(resource.group_resource, job.info.name, forbidden_message(ask, decision.reason))
    create_object(server, job, out, doc, job.data["options"], 201)


@transform
def replaced(server: Any, job: Job, out: Outbox, item: Item) -> Change:
    """PUT: the body instead of what was there."""
    resource = job.resource
    assert resource is not None
    old = server.scheme.convert(item.doc, resource.group, resource.version)
    return rewrite(server, job, out, item, job.data["input"], old)


def rewrite(server: Any, job: Job, out: Outbox, item: Item, new: Doc, old: Doc) -> Change:
    """From ``old`` to ``new`` through preconditions, managed fields, admission, strategy and validation."""
    resource, info = job.resource, job.info
    assert resource is not None
    options: WriteOptions = job.data["options"]
    strategy = registry.strategy_for(resource, info.subresource)
    if job.subresource is not None and job.subresource.kind == "Scale" and new.get("kind") == "Scale":
        _check_scale_revision(resource, new, item)
        new = scale.with_scale(old, new, resource)
    _preconditions(job, out, new, old, item, strategy)
    new = _keep_system_fields(new, old)
    if "applied" not in job.data:
        new = fieldmanager.updated(
            server.scheme.schema(resource.group, resource.version, resource.kind), old, new,
            manager=_manager(job, options), subresource=info.subresource, api_version=resource.api_version,
            now=server.view.timestamp, reset=strategy.reset_fields,
        )  # fmt: skip
    _say_change(job, out, item, new, old)
    ctx = context(server, job, out)
    attributes = admission.Attributes(
        "UPDATE", resource, info.subresource, info.namespace, info.name, job.user, new, old, options.dry_run
    )
    new = pipeline.admit(server, job, out, attributes, ctx)
    if error_text := escalation.check(job.user, resource, old, new, server.view):
        raise status.forbidden(resource.group_resource, info.name, error_text)
    if options.dry_run:
        job.data["dry"] = new
        return Change("keep")
    return settle(new, old)


def _say_change(job: Job, out: Outbox, item: Item, new: Doc, old: Doc) -> None:
    """Put on record what the body or patch makes of the object as it is now."""
    what = "The body replaces" if job.request.method == "PUT" else "The patch was put onto"
    if new is old or new == old:
        job.stage(out, "decoding", "ok", f"{what} revision {item.revision}: nothing is different", here(2), cost=0)
    else:
        reason = f"{what} revision {item.revision} of the object"
        job.stage(out, "decoding", "change", reason, here(2), None, old, new, cost=0)


def settle(new: Doc, old: Doc) -> Change:
    """What must be done to make ``new`` true: nothing, a write, or a removal (nothing holds a dying object any more)."""
    meta = new["metadata"]
    dying = meta.get("deletionTimestamp") and not meta.get("deletionGracePeriodSeconds")
    contents = new.get("kind") == "Namespace" and new.get("spec", {}).get("finalizers")
    if dying and not meta.get("finalizers") and not contents:
        return Change("delete", new)
    if without_revision(new) == without_revision(old):
        return Change("keep")
    return Change("put", new)


def _preconditions(job: Job, out: Outbox, new: Doc, old: Doc, item: Item, strategy: Any) -> None:
    resource, name = job.resource, job.info.name
    assert resource is not None
    revision = revision_of(new)
    uid = new["metadata"].get("uid")
    if uid and uid != old["metadata"]["uid"]:
        key = resource.key(old["metadata"].get("namespace", ""), name)
        raise status.conflict(
            resource.group_resource, name,
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}",
        )  # fmt: skip
    if revision and revision != item.revision:
        reason = f"The body was made from revision {revision}, the object is at revision {item.revision} by now"
        job.stage(out, "strategy", "deny", reason, here(), {"asked": revision, "stored": item.revision})
        raise status.conflict(resource.group_resource, name)
    if not revision and not strategy.allow_unconditional_update:
        error = invalid("metadata.resourceVersion", _Zero(), "must be specified for an update")
        raise status.invalid(resource.group, resource.kind, name, [error])


class _Zero(int):
    """Go prints the missing number as ``0x0``."""

    def __str__(self) -> str:
        return "0x0"


def _check_scale_revision(resource: Resource, new: Doc, item: Item) -> None:
    revision = revision_of(new)
    if revision and revision != item.revision:
        raise status.conflict(resource.group_resource, new["metadata"].get("name", ""))


def revision_of(doc: Doc) -> int:
    """The resourceVersion that a body names; 0 for none. A malformed one is a bare 500, as in reality."""
    text = doc["metadata"].get("resourceVersion") or ""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise status.plain_error(500, f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if len(text) > 20:
        raise status.plain_error(500, f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


def _keep_system_fields(new: Doc, old: Doc) -> Doc:
    """``new`` with the metadata that only the server writes, in ObjectMeta's order (``rest.BeforeUpdate``)."""
    said, had = new["metadata"], old["metadata"]
    if all(said.get(key) == had.get(key) for key in _KEPT):
        return new
    meta: Doc = {}
    for key in ("name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp",
                "deletionTimestamp", "deletionGracePeriodSeconds"):  # fmt: skip
        value = had.get(key) if key in _KEPT else said.get(key)
        if value is not None:
            meta[key] = value
    meta.update((key, value) for key, value in said.items() if key not in meta and key not in _KEPT)
    return {**new, "metadata": meta}


@continuation
def changed(server: Any, job: Job, out: Outbox, item: Item) -> None:
    """The update is done (or was a dry run, or changed nothing)."""
    resource = job.resource
    assert resource is not None
    doc = job.data.get("dry") or server.scheme.convert(item.doc, resource.group, resource.version)
    if job.subresource is not None and job.subresource.kind == "Scale":
        doc = scale.scale_of(doc, resource)
    respond.item(server, job, out, job.data["code"], doc, "A dry run: nothing was stored" if "dry" in job.data else "")


def _manager(job: Job, options: WriteOptions) -> str:
    return fieldmanager.manager_name(options.field_manager, job.request.header("user-agent"))


# -- patch --------------------------------------------------------------------------------------------------------


_PATCHES = {JSON_PATCH: "json", MERGE_PATCH: "merge", STRATEGIC_PATCH: "strategic", APPLY_PATCH: "apply"}


def patch(server: Any, job: Job, out: Outbox) -> None:
    """PATCH in one of four formats."""
    resource, request = job.resource, job.request
    assert resource is not None
    media = codec.media_type(request.header("content-type"))
    if media not in resource.patch_types:
        raise status.unsupported_media_type(resource.patch_types, body=resource.crd is not None)
    if len(request.body) > MAX_BODY:
        raise status.request_entity_too_large(MAX_BODY)
    options = write_options(job.query, "PatchOptions", media == APPLY_PATCH)
    if request.doc is not None:
        _check_depth(job, request.doc)
        job.doc = request.doc
    else:
        try:
            job.doc = codec.load(request.body, media)
        except ValueError as error:
            prefix = "error decoding YAML: " if media == APPLY_PATCH else "error decoding patch: "
            raise status.bad_request(f"{prefix}{error}") from None
    patches.check(job.doc, _PATCHES[media])
    job.stage(out, "decoding", "ok", f"The body is a patch of type {media}", here(), {"patch": job.doc})
    job.data.update(options=options, media=media)
    if media == APPLY_PATCH:
        metadata = job.doc.get("metadata")
        said = metadata.get("name") if isinstance(metadata, dict) else None
        if said and said != job.info.name:
            raise status.bad_request(
                f"the name of the object ({said}) does not match the name on the URL ({job.info.name})"
            )
        job.data["missing"] = name_of(apply_new)
    job.data["code"] = 200
    job.data["input"] = job.doc
    namespace = job.info.namespace if resource.namespaced else ""
    storage.update(server, job, out, resource, namespace, job.info.name, patched, changed)


@transform
def patched(server: Any, job: Job, out: Outbox, item: Item) -> Change:
    """The newest object with the patch put onto it, then as for a PUT."""
    resource, options, media = job.resource, job.data["options"], job.data["media"]
    assert resource is not None
    old = server.scheme.convert(item.doc, resource.group, resource.version)
    gvk = gvk_of(resource, job)
    schema = server.scheme.schema(*gvk)
    whole = scale.scale_of(old, resource) if gvk[2] == "Scale" and resource.kind != "Scale" else old
    body = job.data["input"]
    if media == APPLY_PATCH:
        return _applied(server, job, out, item, old)
    try:
        if media == JSON_PATCH:
            new = patches.json_patch(whole, body)
        elif media == MERGE_PATCH:
            new = patches.merge_patch(whole, body)
        else:
            assert media == STRATEGIC_PATCH
            new = patches.strategic_merge_patch(whole, body, schema.root)
    except patches.PatchError as error:
        raise error.answer() if hasattr(error, "answer") else status.bad_request(str(error)) from None
    if new == whole:
        new = whole
    else:
        parts = _changed_parts(new, whole) if resource.crd is None else new
        if media == JSON_PATCH and limits.too_deep(parts):  # only copies and moves make it deeper than both were
            raise status.bad_request(limits.TOO_DEEP)
        decoded = codec.decode_doc(parts, server.scheme, gvk, options.field_validation, known=whole)
        job.warnings.extend(text for text in decoded.warnings if text not in job.warnings)
        if parts is new:
            new = schema.default(decoded.doc)
        else:
            new = {
                key: decoded.doc[key] if key in parts else value
                for key, value in new.items() if key not in parts or key in decoded.doc
            }  # fmt: skip
            if "spec" in parts or gvk[2] != "Pod":  # nothing of a Pod's status or metadata has a default
                new = schema.default(new)
    if new["metadata"].get("name") != whole["metadata"].get("name"):
        raise status.bad_request(
            f"the name of the object ({new['metadata'].get('name', '')}) does not match the name on the URL ({job.info.name})"
        )
    return rewrite(server, job, out, item, new, old)


def _changed_parts(new: Doc, old: Doc) -> Doc:
    """What a patch touched, with the kind: the rest is the very part of ``old``, which is typed already. ``new`` when fields came or
    went at the top, whose order then has to be found."""
    if new.keys() != old.keys() or new.get("kind") != old.get("kind") or new.get("apiVersion") != old.get("apiVersion"):
        return new
    return {key: value for key, value in new.items() if key in ("kind", "apiVersion") or old[key] is not value}


def _applied(server: Any, job: Job, out: Outbox, item: Item, old: Doc) -> Change:
    """Server-side apply onto an existing object."""
    resource, _options = job.resource, job.data["options"]
    assert resource is not None
    new = _apply(server, job, old)
    job.data["applied"] = True
    new = server.scheme.schema(resource.group, resource.version, resource.kind).default(new)
    return rewrite(server, job, out, item, new, old)


def _apply(server: Any, job: Job, live: Doc | None) -> Doc:
    resource, options = job.resource, job.data["options"]
    assert resource is not None
    gvk = (resource.group, resource.version, resource.kind)
    codec.check_kind(job.data["input"], server.scheme, gvk)
    who = (job.info.namespace if resource.namespaced else "", job.info.name)
    error = fieldmanager.misfit(server.scheme.schema(*gvk), job.data["input"], who)
    if error is not None:
        raise error
    doc = codec.decode_doc(job.data["input"], server.scheme, gvk, "Warn").doc
    if not doc.get("metadata", {}).get("name"):
        doc = {**doc, "metadata": {"name": job.info.name, **doc.get("metadata", {})}}
    doc = in_namespace(doc, resource, job.info)
    return fieldmanager.applied(
        server.scheme.schema(*gvk), live, doc, manager=options.field_manager, force=options.force,
        subresource=job.info.subresource, api_version=resource.api_version, now=server.view.timestamp,
        reset=registry.strategy_for(resource, job.info.subresource).reset_fields,
    )  # fmt: skip


@continuation
def apply_new(server: Any, job: Job, out: Outbox) -> None:
    """Server-side apply of an object that doesn't exist: create it."""
    resource = job.resource
    assert resource is not None
    ask = Attributes(
        job.user, "create", job.info.namespace, resource.group, resource.version, resource.plural, "", job.info.name
    )
    decision = authorize(ask, server.view)
    if not decision.allowed:
        raise status.forbidden(resource.group_resource, job.info.name, forbidden_message(ask, decision.reason))
    uid = (job.data["input"].get("metadata") or {}).get("uid")
    if uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise status.conflict(resource.group_resource, job.info.name, why)
    doc = _apply(server, job, None)
    job.data["applied"] = True
    gvk = (resource.group, resource.version, resource.kind)
    create_object(server, job, out, default(server, job, out, gvk, doc), job.data["options"], 201)
