"""Storage: objects as keys of etcd. Every write is a transaction that says which state it expects.

``get`` reads one key through the quorum. ``create`` puts a key that must not exist. ``update`` is GuaranteedUpdate: it
computes the new object from the newest copy at hand, writes it if the key is still at that revision, and else tries
again with what is there now. A transform is a named function ``(server, job, out, item) -> Change``, so that a waiting
update is plain data.

All functions give their result to a continuation ``then(server, job, out, item, …)``; errors are raised as ``ApiError``
in the step that finds them, where the server turns them into the job's answer.

Simplified here: values are JSON, not protobuf; the resourceVersion inside an object is etcd's revision, as in reality.

Upstream: apiserver/pkg/storage/etcd3/store.go (v1.32).
"""

from collections.abc import Callable
from typing import Any, Literal

import orjson
from msgspec import Struct

from cluster.api import status, stored
from cluster.api.scheme import Resource
from cluster.api.stored import with_revision, without_revision
from cluster.apiserver import corrupt
from cluster.apiserver.job import Job, continuation, name_of
from cluster.apiserver.view import raised_at
from cluster.apiserver.watch_cache import Item
from cluster.sim import Outbox
from cluster.wire.etcd import (
    Compare,
    DeleteRangeRequest,
    EtcdError,
    KeyValue,
    LeaseGrantRequest,
    LeaseGrantResponse,
    PutRequest,
    RangeRequest,
    RangeResponse,
    TxnRequest,
    TxnResponse,
)

EVENT_TTL = 3600
"""``--event-ttl``, seconds."""
_LEASE_REUSE_SECONDS = 60
_MAX_ATTEMPTS = 16


class Change(Struct, frozen=True):
    """What a transform decided: "put" ``doc``, "delete" the key, or "keep" everything as it is."""

    kind: Literal["put", "delete", "keep"]
    doc: Any = None


Transform = Callable[[Any, Job, Outbox, Item], Change]
TRANSFORMS: dict[str, Transform] = {}


def transform(function: Transform) -> Transform:
    """Make a transform nameable."""
    TRANSFORMS[name_of(function)] = function
    return function


class Update(Struct):
    """An update under way: of which key, how, and where its result goes."""

    resource: Resource
    namespace: str
    name: str
    transform: str
    then: str
    args: tuple[Any, ...] = ()
    attempts: int = 0


def etcd_error(error: EtcdError) -> status.ApiError:
    """An etcd failure as the client of the apiserver hears it (a plain 500 with etcd's own words)."""
    if error.code == 4:
        return status.timeout("request did not complete within the requested timeout - context deadline exceeded")
    return status.plain_error(500, error.message)


def decode(server: Any, resource: Resource, kv: KeyValue) -> Item:
    """A stored pair as an object. The watch cache's copy is taken when it is the same revision: no parsing."""
    cache = server.cache_of(resource)
    if cache is not None:
        held = cache.items.get(cache.key_of(kv.key))
        if held is not None and held.revision == kv.mod_revision:
            return held
    why = corrupt.problem(kv, server.scheme, resource)
    if why:
        raise status.plain_error(500, why)
    return Item(None, kv.mod_revision, kv.value)


def encode(resource: Resource, server: Any, doc: dict[str, Any]) -> bytes:
    """An object as it is stored: in the storage version, without its revision."""
    plain = without_revision(server.scheme.convert(doc, resource.storage_group, resource.storage_version))
    value = bytes(memoryview(orjson.dumps(plain)))  # orjson's own bytes keep two to four times as much memory
    stored.know(value, stored.UNWRITTEN, plain)
    return value


# -- get ----------------------------------------------------------------------------------------------------------


def get(
    server: Any, job: Job, out: Outbox, resource: Resource, namespace: str, name: str, then: Any, *args: Any
) -> None:
    """Read one object through the quorum; ``then`` gets its Item. 404 when it isn't there."""
    request = RangeRequest(out.next_id(), resource.key(namespace, name).encode())
    server.ask(out, job, request, got, (resource, namespace, name, name_of(then), args))


@continuation
def got(
    server: Any, job: Job, out: Outbox, answer: RangeResponse | EtcdError, resource: Resource, namespace: str,
    name: str, then: str, args: tuple[Any, ...],
) -> None:  # fmt: skip
    """The pair came back."""
    if isinstance(answer, EtcdError):
        raise etcd_error(answer)
    if not answer.kvs:
        server.etcd_stage(job, out, "error", f"etcd has no key {resource.key(namespace, name)}", answer)
        raise status.not_found(resource.group_resource, name)
    item = decode(server, resource, answer.kvs[0])
    server.etcd_stage(job, out, "ok", f"Read through the quorum at revision {answer.header.revision}", answer)
    server.go_on(then, job, out, item, *args)


# -- create -------------------------------------------------------------------------------------------------------


def create(
    server: Any, job: Job, out: Outbox, resource: Resource, namespace: str, name: str, doc: dict[str, Any], then: Any
) -> None:
    """Put an object that must not exist yet. Events live under a lease of ``EVENT_TTL``."""
    if resource.prefix == "/registry/events":
        lease, until = server.state.event_lease
        if not lease or server.now > until:
            request = LeaseGrantRequest(out.next_id(), EVENT_TTL + _LEASE_REUSE_SECONDS)
            server.ask(out, job, request, leased, (resource, namespace, name, doc, name_of(then)))
            return
        _put_new(server, job, out, resource, namespace, name, doc, name_of(then), lease)
        return
    _put_new(server, job, out, resource, namespace, name, doc, name_of(then), 0)


@continuation
def leased(
    server: Any, job: Job, out: Outbox, answer: LeaseGrantResponse | EtcdError, resource: Resource, namespace: str,
    name: str, doc: dict[str, Any], then: str,
) -> None:  # fmt: skip
    """A lease for the next minute's events was granted."""
    if isinstance(answer, EtcdError):
        raise etcd_error(answer)
    server.state.event_lease = (answer.lease, server.now + _LEASE_REUSE_SECONDS * 1_000_000_000)
    _put_new(server, job, out, resource, namespace, name, doc, then, answer.lease)


def _put_new(
    server: Any, job: Job, out: Outbox, resource: Resource, namespace: str, name: str, doc: dict[str, Any],
    then: str, lease: int,
) -> None:  # fmt: skip
    key = resource.key(namespace, name).encode()
    put = PutRequest(0, key, encode(resource, server, doc), lease)
    extra = job.data.get("ranges")
    compare: tuple[Compare, ...] = (Compare(key, "MOD", "EQUAL", 0),)
    success: tuple[Any, ...] = (put,)
    if extra is not None:  # the Service's addresses are claimed in the same transaction
        compare += (Compare(extra[0], "MOD", "EQUAL", extra[1]),)
        success += (PutRequest(0, extra[0], extra[2]),)
    request = TxnRequest(out.next_id(), compare, success, (RangeRequest(0, key),))
    server.ask(out, job, request, created, (resource, namespace, name, doc, then, put.value))


@continuation
def created(
    server: Any, job: Job, out: Outbox, answer: TxnResponse | EtcdError, resource: Resource, namespace: str,
    name: str, doc: dict[str, Any], then: str, value: bytes,
) -> None:  # fmt: skip
    """The transaction was decided."""
    if isinstance(answer, EtcdError):
        raise etcd_error(answer)
    if not answer.succeeded:
        found = answer.responses[0]
        assert isinstance(found, RangeResponse)
        if not found.kvs and "ranges" in job.data:  # only the claim on addresses failed: somebody else was faster
            server.etcd_stage(job, out, "wait", "Another Service took addresses meanwhile: allocating again", answer)
            server.go_on(job.data["reallocate"], job, out)
            return
        server.etcd_stage(job, out, "error", f"etcd already has {resource.key(namespace, name)}", answer)
        raise status.already_exists(resource.group_resource, name)
    revision = answer.header.revision
    server.etcd_stage(job, out, "ok", f"Stored as revision {revision}", answer, resource.key(namespace, name))
    item = Item(with_revision(doc, revision), revision, value)
    server.remember(resource, namespace, name, item)
    server.go_on(then, job, out, item)


# -- update -------------------------------------------------------------------------------------------------------


def update(
    server: Any, job: Job, out: Outbox, resource: Resource, namespace: str, name: str, transform: Transform,
    then: Any, *args: Any,
) -> None:  # fmt: skip
    """GuaranteedUpdate: start from the watch cache's copy, which is nearly always the newest."""
    doing = Update(resource, namespace, name, name_of(transform), name_of(then), args)
    cache = server.cache_of(resource)
    item = cache.items.get(f"{namespace}/{name}" if namespace else name) if cache is not None else None
    if item is None:
        _refresh(server, job, out, doing, 0, None)
    else:
        _attempt(server, job, out, doing, item, False)


def _refresh(server: Any, job: Job, out: Outbox, doing: Update, stale: int, failure: dict[str, Any] | None) -> None:
    key = doing.resource.key(doing.namespace, doing.name).encode()
    server.ask(out, job, RangeRequest(out.next_id(), key), refreshed, (doing, stale, failure))


@continuation
def refreshed(
    server: Any, job: Job, out: Outbox, answer: RangeResponse | EtcdError, doing: Update, stale: int,
    failure: dict[str, Any] | None,
) -> None:  # fmt: skip
    """etcd's own copy came. If it is the one that was tried already, the verdict on that one stands."""
    if isinstance(answer, EtcdError):
        raise etcd_error(answer)
    if not answer.kvs:
        server.etcd_stage(
            job, out, "error", f"etcd has no key {doing.resource.key(doing.namespace, doing.name)}", answer
        )
        if "missing" in job.data:
            server.go_on(job.data.pop("missing"), job, out)
            return
        raise status.not_found(doing.resource.group_resource, doing.name)
    item = decode(server, doing.resource, answer.kvs[0])
    server.etcd_stage(job, out, "ok", f"Read through the quorum at revision {answer.header.revision}", answer)
    if item.revision == stale:
        if failure is not None:
            raise status.ApiError(failure)
        server.go_on(doing.then, job, out, item, *doing.args)
        return
    _attempt(server, job, out, doing, item, True)


def _attempt(server: Any, job: Job, out: Outbox, doing: Update, item: Item, newest: bool) -> None:
    doing.attempts += 1
    if doing.attempts > _MAX_ATTEMPTS:
        raise status.conflict(doing.resource.group_resource, doing.name)
    try:
        change = TRANSFORMS[doing.transform](server, job, out, item)
    except status.ApiError as error:
        if newest or job.data.get("final"):
            raise
        job.data["raised"] = raised_at(error)
        _refresh(server, job, out, doing, item.revision, error.status)
        return
    job.data.pop("raised", None)
    if change.kind == "keep":
        if newest:
            server.go_on(doing.then, job, out, item, *doing.args)
        else:
            _refresh(server, job, out, doing, item.revision, None)
        return
    key = doing.resource.key(doing.namespace, doing.name).encode()
    value = b""
    if change.kind == "delete":
        success: tuple[Any, ...] = (DeleteRangeRequest(0, key),)
    else:
        value = encode(doing.resource, server, change.doc)
        success = (PutRequest(0, key, value, ignore_lease=_leased(doing.resource)),)
    request = TxnRequest(
        out.next_id(), (Compare(key, "MOD", "EQUAL", item.revision),), success, (RangeRequest(0, key),)
    )
    server.ask(out, job, request, updated, (doing, change.kind, change.doc, value))


def _leased(resource: Resource) -> bool:
    return resource.prefix == "/registry/events"


@continuation
def updated(
    server: Any, job: Job, out: Outbox, answer: TxnResponse | EtcdError, doing: Update, kind: str, doc: dict[str, Any],
    value: bytes,
) -> None:  # fmt: skip
    """The transaction was decided; if somebody else was faster, once more from their state."""
    if isinstance(answer, EtcdError):
        raise etcd_error(answer)
    resource = doing.resource
    if not answer.succeeded:
        found = answer.responses[0]
        assert isinstance(found, RangeResponse)
        kvs = found.kvs
        if not kvs:
            server.etcd_stage(job, out, "error", "The key was deleted meanwhile", answer)
            if "missing" in job.data:
                server.go_on(job.data.pop("missing"), job, out)
                return
            raise status.not_found(resource.group_resource, doing.name)
        server.etcd_stage(
            job, out, "wait", f"The key is at revision {kvs[0].mod_revision} by now: trying again", answer
        )
        job.wrote = False
        _attempt(server, job, out, doing, decode(server, resource, kvs[0]), True)
        return
    revision = answer.header.revision
    what = "Deleted" if kind == "delete" else "Stored"
    server.etcd_stage(
        job, out, "ok", f"{what} as revision {revision}", answer, resource.key(doing.namespace, doing.name)
    )
    item = Item(with_revision(doc, revision), revision, value)
    if kind == "put":
        server.remember(resource, doing.namespace, doing.name, item)
    job.data["outcome"] = kind
    server.go_on(doing.then, job, out, item, *doing.args)
