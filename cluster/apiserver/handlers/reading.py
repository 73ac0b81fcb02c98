"""GET and LIST.

GET without a resourceVersion reads etcd through the quorum. LIST without one is just as fresh, but served from the watch
cache: the server asks etcd only for the current revision and waits until the cache has reached it. With
``resourceVersion=0`` any state will do; with ``limit`` or ``continue`` pages come from etcd at one revision.

A continue token is base64 of ``{"v":"meta.k8s.io/v1","rv":…,"start":…}``: it holds everything, the server remembers nothing.

Upstream: apiserver/pkg/storage/cacher/cacher.go ``GetList``, .../storage/continue.go (v1.32).
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Any

import orjson

from cluster.api import gojson, scale, selectors, status
from cluster.api.field import forbidden, invalid
from cluster.api.scheme import Resource
from cluster.apiserver import corrupt, registry, respond, storage, table
from cluster.apiserver.job import Job, continuation, name_of
from cluster.apiserver.watch_cache import Cache, Item
from cluster.sim import SECOND, Outbox
from cluster.wire.etcd import EtcdError, RangeRequest, RangeResponse

_INTEGER = re.compile(r"[+-]?[0-9]+")
LIST_PATIENCE = 3 * SECOND
"""How long a list waits for a resourceVersion that the cache hasn't reached (``blockTimeout``)."""

_ALWAYS = ("metadata.name", "metadata.namespace")


# -- get ----------------------------------------------------------------------------------------------------------


def get(server: Any, job: Job, out: Outbox) -> None:
    """One object."""
    info, resource = job.info, job.resource
    assert resource is not None
    wanted = job.query.get("resourceVersion", "")
    if wanted:
        revision = parse_revision(wanted)
        cache = server.cache_of(resource)
        job.data.update(patience=LIST_PATIENCE, impatience=_too_large(revision, cache.revision))
        server.wait_for(out, job, cache, revision, get_cached)
        return
    storage.get(server, job, out, resource, info.namespace if resource.namespaced else "", info.name, got)


@continuation
def get_cached(server: Any, job: Job, out: Outbox) -> None:
    """The cache is fresh enough."""
    resource = job.resource
    assert resource is not None
    cache = server.cache_of(resource)
    namespace = job.info.namespace if resource.namespaced else ""
    corrupt.refuse(cache, namespace, job.info.name)
    item = cache.items.get(f"{namespace}/{job.info.name}" if namespace else job.info.name)
    if item is None:
        raise status.not_found(resource.group_resource, job.info.name)
    got(server, job, out, item)


@continuation
def got(server: Any, job: Job, out: Outbox, item: Item) -> None:
    """The object, in the version that was asked for."""
    resource = job.resource
    assert resource is not None
    doc = server.scheme.convert(item.doc, resource.group, resource.version)
    if job.info.subresource == "scale":
        doc = scale.scale_of(doc, resource)
    respond.item(server, job, out, 200, doc)


# -- list ---------------------------------------------------------------------------------------------------------


def list_objects(server: Any, job: Job, out: Outbox) -> None:
    """A collection, or a page of one."""
    resource, query = job.resource, job.query
    assert resource is not None
    check_selectors(job)
    limit = parse_int(query.get("limit", ""), "limit")
    parse_int(query.get("timeoutSeconds", ""), "timeoutSeconds")
    wanted, match, token = (
        query.get("resourceVersion", ""),
        query.get("resourceVersionMatch", ""),
        query.get("continue", ""),
    )
    _validate(wanted, match, token, "sendInitialEvents" in query)
    cache = server.cache_of(resource)
    revision = parse_revision(wanted, "resourceVersion")
    if token:
        if wanted and wanted != "0":
            raise status.bad_request("specifying resource version is not allowed when using continue")
        start, revision = decode_token(token, resource, job.info.namespace)
        _page(server, job, out, start, revision, limit)
    elif match == "Exact" or (limit and wanted != "0"):
        _page(server, job, out, "", revision if match == "Exact" else 0, limit)
    elif wanted:
        job.data.update(patience=LIST_PATIENCE, impatience=_too_large(revision, cache.revision))
        server.wait_for(out, job, cache, revision, listed)
    else:
        fresh(server, job, out, resource, listed)


def fresh(server: Any, job: Job, out: Outbox, resource: Resource, then: Any) -> None:
    """Go on when the cache of ``resource`` holds everything that was acknowledged before now."""
    key = (resource.prefix + "/").encode()
    request = RangeRequest(out.next_id(), key, limit=1, keys_only=True)
    server.ask(out, job, request, revision_known, (resource, name_of(then)))


@continuation
def revision_known(
    server: Any, job: Job, out: Outbox, answer: RangeResponse | EtcdError, resource: Resource, then: str
) -> None:
    """etcd told its revision through the quorum."""
    if isinstance(answer, EtcdError):
        raise storage.etcd_error(answer)
    revision = answer.header.revision
    server.etcd_stage(job, out, "ok", f"The quorum is at revision {revision}; the watch cache serves the rest", answer)
    cache = server.cache_of(resource)
    if cache.synced and server.in_order:  # its events came before this answer on the same connection
        cache.revision = max(cache.revision, revision)
    server.wait_for(out, job, cache, revision, then)


@continuation
def listed(server: Any, job: Job, out: Outbox) -> None:
    """Everything selected, from the cache."""
    resource = job.resource
    assert resource is not None
    cache = server.cache_of(resource)
    corrupt.refuse(cache, job.info.namespace if cache.namespaced else "")
    items = select(server, job, _candidates(cache, job))
    answer_list(server, job, out, items, {"resourceVersion": str(cache.revision)})


def _candidates(cache: Cache, job: Job) -> list[Item]:
    """What can match at all: one Node's Pods are found by the index, one object by its name."""
    namespace = job.info.namespace if cache.namespaced else ""
    fields = job.query.get("fieldSelector", "")
    if fields:
        selector = selectors.parse_fields(fields)
        value = selector.value_of(".".join(cache.index_field)) if cache.index_field else None
        name = selector.value_of("metadata.name")
        if value and not namespace:
            return [cache.items[key] for key in sorted(cache.index.get(value, ()))]
        if name and (namespace or not cache.namespaced):
            item = cache.items.get(f"{namespace}/{name}" if namespace else name)
            return [item] if item is not None else []
    return cache.select(namespace)


def select(server: Any, job: Job, items: list[Item]) -> list[dict[str, Any]]:
    """The documents that the request's selectors choose, in its version."""
    resource = job.resource
    assert resource is not None
    labels, fields = job.query.get("labelSelector", ""), job.query.get("fieldSelector", "")
    convert = server.scheme.convert
    docs = [item.doc for item in items]
    if resource.api_version != resource.storage_api_version or resource.crd is not None:
        docs = [convert(doc, resource.group, resource.version) for doc in docs]
    if labels or fields:
        docs = [doc for doc in docs if chosen(resource, doc, labels, fields)]
    return docs


def chosen(resource: Resource, doc: dict[str, Any], labels: str, fields: str) -> bool:
    """Does ``doc`` match both selectors (texts; "" matches all)?"""
    if labels and not selectors.parse_labels(labels).matches(doc["metadata"].get("labels") or {}):
        return False
    if fields:
        return selectors.parse_fields(fields).matches(_selectable(resource, doc))
    return True


_last: list[tuple[Any, Any, dict[str, str]]] = [(None, None, {}), (None, None, {})]


def _selectable(resource: Resource, doc: dict[str, Any]) -> dict[str, str]:
    """The fields of ``doc`` that selectors may name. The last two are remembered: many watchers are asked about one change of
    one document (which nobody changes in place)."""
    for known, of, fields in _last:
        if known is doc and of is resource:
            return fields
    fields = registry.strategy_for(resource).selectable_fields(doc)
    _last[0], _last[1] = _last[1], (doc, resource, fields)
    return fields


def answer_list(server: Any, job: Job, out: Outbox, docs: list[dict[str, Any]], meta: dict[str, Any]) -> None:
    """A list in the form that was asked for: typed, as a Table, or metadata only."""
    resource = job.resource
    assert resource is not None
    reason = f"{len(docs)} objects"
    if job.accept.form == "Table":
        doc = table.render(
            resource, docs, server.view.seconds, include_object=job.accept.include, list_meta=meta,
            version=job.accept.form_version,
        )  # fmt: skip
    elif job.accept.form:
        doc = table.partial_metadata_list(docs, meta, job.accept.form_version)
    else:
        # the items of a typed list carry no kind of their own
        rows = docs if resource.crd is not None else [_untyped(doc) for doc in docs]
        doc = {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": meta, "items": rows}
    respond.document(server, job, out, 200, doc, reason)


def _untyped(doc: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in doc.items() if key not in ("kind", "apiVersion")}


# -- pages --------------------------------------------------------------------------------------------------------


def _page(server: Any, job: Job, out: Outbox, start: str, revision: int, limit: int) -> None:
    resource = job.resource
    assert resource is not None
    namespace = job.info.namespace if resource.namespaced else ""
    prefix = f"{resource.prefix}/{namespace}/" if namespace else f"{resource.prefix}/"
    end = prefix[:-1] + "0"
    filtered = bool(job.query.get("labelSelector") or job.query.get("fieldSelector"))
    request = RangeRequest(
        out.next_id(), (prefix + start).encode(), end.encode(), limit=0 if filtered else limit, revision=revision
    )
    server.ask(out, job, request, paged, (prefix, revision, limit))


@continuation
def paged(
    server: Any, job: Job, out: Outbox, answer: RangeResponse | EtcdError, prefix: str, revision: int, limit: int
) -> None:
    """A page came from etcd. With selectors it was read whole, and cut here."""
    resource = job.resource
    assert resource is not None
    if isinstance(answer, EtcdError):
        if "compacted" in answer.message:
            raise _too_old(job.query.get("continue", ""), job)
        if "future revision" in answer.message:
            raise status.ApiError(_too_large(revision, 0))
        raise storage.etcd_error(answer)
    at = revision or answer.header.revision
    server.etcd_stage(job, out, "ok", f"Read {len(answer.kvs)} keys at revision {at}", answer)
    docs: list[dict[str, Any]] = []
    last, more, remaining = "", answer.more, answer.count - len(answer.kvs)
    for place, kv in enumerate(answer.kvs):
        docs += select(server, job, [storage.decode(server, resource, kv)])
        last = kv.key.decode()
        if limit and len(docs) >= limit and place + 1 < len(answer.kvs):
            more, remaining = True, -1
            break
    meta: dict[str, Any] = {"resourceVersion": str(at)}
    if more and limit:
        meta["continue"] = encode_token(at, last[len(prefix) :])
        if remaining > 0 and not (job.query.get("labelSelector") or job.query.get("fieldSelector")):
            meta["remainingItemCount"] = remaining
    answer_list(server, job, out, docs, meta)


def encode_token(revision: int, last: str) -> str:
    """The token that goes on after the key ``last`` (relative to the list's prefix)."""
    text = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": last + "\0"})
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def decode_token(token: str, resource: Resource, namespace: str) -> tuple[str, int]:
    """``(start, revision)``. ApiError 400 with the decoder's words when it isn't one."""
    try:
        data = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        if not token.replace("-", "").replace("_", "").isalnum():
            raise ValueError("continue key is not valid: illegal base64 data at input byte 0")
        doc = gojson.loads(_as_runes(data))
        if not isinstance(doc, dict) or doc.get("v") != "meta.k8s.io/v1":
            raise ValueError("continue key is not valid: server does not recognize this encoded version")
        if not doc.get("rv"):
            raise ValueError(
                "continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)"
            )
    except Base64Error:
        raise status.bad_request("invalid continue token: continue key is not valid: illegal base64 data") from None
    except ValueError as error:
        text = str(error)
        why = text if text.startswith("continue key") else f"continue key is not valid: {text}"
        raise status.bad_request(f"invalid continue token: {why}") from None
    return doc.get("start", ""), max(int(doc["rv"]), 0)


def _too_old(token: str, job: Job) -> status.ApiError:
    """410: the revision is compacted. Who was paging gets a token to go on with, at the newest revision (-1)."""
    if not token:
        return status.expired("The resourceVersion for the provided list is too old.")
    error = status.expired(
        "The provided continue parameter is too old to display a consistent list result. You can start a new "
        "list without the continue parameter, or use the continue token in this response to retrieve the "
        "remainder of the results. Continuing with the provided token results in an inconsistent list - "
        "objects that were created, modified, or deleted between the time the first chunk was returned and "
        "now may show up in the list."
    )
    assert job.resource is not None
    start, _ = decode_token(token, job.resource, job.info.namespace)
    return status.ApiError({**error.status, "metadata": {"continue": encode_token(-1, start.removesuffix("\0"))}})


def _as_runes(data: bytes) -> bytes:
    """Go's JSON scanner names a bad byte as if it were a character of its own."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1").encode()
    return data


# -- options ------------------------------------------------------------------------------------------------------


def parse_revision(text: str, field_name: str = "") -> int:
    """A resourceVersion of a query. The real server answers a malformed one with a bare 500."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        message = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        shown = f'resourceVersion: Invalid value: "{text}": {message}' if field_name else message
        raise status.plain_error(500, shown)
    if len(text) > 20 or int(text) >= 1 << 64:
        message = f'strconv.ParseUint: parsing "{text}": value out of range'
        raise status.plain_error(500, f'resourceVersion: Invalid value: "{text}": {message}' if field_name else message)
    return int(text)


def parse_int(text: str, name: str) -> int:
    """An int64 query option; ApiError 400 in Go's words."""
    if not text:
        return 0
    if not _INTEGER.fullmatch(text):
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text) > 20 or not -(1 << 63) <= int(text) < 1 << 63:
        raise status.bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return max(int(text), 0)


def check_selectors(job: Job) -> None:
    """ApiError 400 for selectors that don't parse or name a field that can't be selected by."""
    resource = job.resource
    assert resource is not None
    labels, fields = job.query.get("labelSelector", ""), job.query.get("fieldSelector", "")
    try:
        if labels:
            selectors.parse_labels(labels)
        if fields:
            known = registry.strategy_for(resource).field_labels
            for requirement in selectors.parse_fields(fields).requirements:
                if requirement.field not in known:
                    raise selectors.SelectorError(_unknown_field(requirement.field, known))
    except selectors.SelectorError as error:
        raise status.bad_request(str(error)) from None


def _unknown_field(label: str, known: Any) -> str:
    if any(name not in _ALWAYS for name in known):
        return f"field label not supported: {label}"
    return f'"{label}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _validate(wanted: str, match: str, token: str, initial: bool) -> None:
    errors = []
    if match:
        if not wanted:
            errors.append(
                forbidden(
                    "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
                )
            )
        if token:
            errors.append(
                forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
            )
        if match not in ("Exact", "NotOlderThan"):
            errors.append(invalid("resourceVersionMatch", match, 'supported values: "Exact", "NotOlderThan", ""'))
        if match == "Exact" and wanted == "0":
            errors.append(
                forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
            )
    if initial:
        errors.append(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if errors:
        raise status.invalid("meta.k8s.io", "ListOptions", "", errors)


def _too_large(asked: int, current: int) -> dict[str, Any]:
    return status.resource_version_too_large(asked, current).status
