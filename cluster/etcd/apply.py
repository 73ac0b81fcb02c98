"""Applying: one committed request at a time changes the application, the same way on every member.

In: a request of the client API, its cause. Out: the answer (for the member it was given to) and the changes it made.
Errors: ``Refused``: nothing was changed. Must be deterministic: nothing here may look at the clock except lease expiry, which
only the leader uses. Upstream: server/etcdserver/apply.go and txn.
"""

from typing import Any, Final

from cluster.etcd import auth, errors
from cluster.etcd.errors import Refused
from cluster.etcd.lease import MAX_TTL
from cluster.etcd.state import Application, ClusterVersion, Publish
from cluster.wire import etcd as w
from cluster.wire.etcd import ResponseHeader

Events = tuple[w.WatchEvent, ...]


def apply(
    app: Application, request: Any, cause: int, header: ResponseHeader, now: int, min_ttl: int
) -> tuple[Any, Events]:
    """Apply ``request``. ``header`` has the revision before; the answer's has the one after."""
    kind = type(request)
    if app.alarms and grows(request) and any(alarm == "NOSPACE" for _, alarm in app.alarms):
        raise Refused(*errors.NO_SPACE)
    if kind is w.TxnRequest:
        return _txn(app, request, cause, header)
    if kind is w.PutRequest:
        _check_put(app, request)
        old = _put(app, request, cause)
        events = app.store.commit()
        return w.PutResponse(request.id, _after(app, header), old if request.prev_kv else None), events
    if kind is w.DeleteRangeRequest:
        gone = _delete(app, request, cause)
        events = app.store.commit()
        previous = tuple(gone) if request.prev_kv else ()
        return w.DeleteRangeResponse(request.id, _after(app, header), len(gone), previous), events
    if kind is w.LeaseRevokeRequest:
        for key in app.lessor.revoke(request.lease):
            app.store.delete(key, b"", cause)
        events = app.store.commit()
        return w.LeaseRevokeResponse(request.id, _after(app, header)), events
    if kind is w.LeaseGrantRequest:
        if request.ttl > MAX_TTL:
            raise Refused(*errors.LEASE_TTL_TOO_LARGE)
        lease = app.lessor.grant(request.lease, request.ttl, min_ttl, now)
        return w.LeaseGrantResponse(request.id, header, lease.id, lease.ttl), ()
    if kind is w.CompactionRequest:
        app.store.compact(request.revision)
        return w.CompactionResponse(request.id, header), ()
    if kind is w.AlarmRequest:
        return _alarm(app, request, header), ()
    if kind is w.AuthRequest:
        return auth.apply(app.auth, request, header), ()
    if kind is Publish:
        app.membership.publish(request.member, request.name, request.client_urls)
        return None, ()
    assert kind is ClusterVersion, kind
    app.version = request.version
    return None, ()


def _after(app: Application, header: ResponseHeader) -> ResponseHeader:
    return ResponseHeader(header.cluster_id, header.member_id, app.store.revision, header.raft_term)


def _check_put(app: Application, request: w.PutRequest) -> None:
    if request.lease and request.lease not in app.lessor.leases:
        raise Refused(*errors.LEASE_NOT_FOUND)
    if (request.ignore_value or request.ignore_lease) and request.key not in app.store.current:
        raise Refused(*errors.KEY_NOT_FOUND)


def _put(app: Application, request: w.PutRequest, cause: int) -> w.KeyValue | None:
    value, lease = request.value, request.lease
    if request.ignore_value or request.ignore_lease:
        now = app.store.current[request.key]
        value = now.value if request.ignore_value else value
        lease = now.lease if request.ignore_lease else lease
    old = app.store.put(request.key, value, lease, cause)
    if lease or (old is not None and old.lease):
        app.lessor.attach(request.key, lease)
    return old


def _delete(app: Application, request: w.DeleteRangeRequest, cause: int) -> list[w.KeyValue]:
    gone = app.store.delete(request.key, request.range_end, cause)
    for kv in gone:
        if kv.lease:
            app.lessor.detach(kv.key)
    return gone


def _alarm(app: Application, request: w.AlarmRequest, header: ResponseHeader) -> w.AlarmResponse:
    alarm = (request.member, request.alarm)
    if request.action == "GET":
        wanted = [a for a in app.alarms if request.alarm in ("NONE", a[1])]
        return w.AlarmResponse(request.id, header, tuple(wanted))
    if request.action == "ACTIVATE":
        if alarm not in app.alarms:
            app.alarms.append(alarm)
        return w.AlarmResponse(request.id, header, (alarm,))
    # etcdctl's disarm names each alarm it has seen; a request that names none of them disarms nothing.
    if alarm in app.alarms:
        app.alarms.remove(alarm)
        return w.AlarmResponse(request.id, header, (alarm,))
    return w.AlarmResponse(request.id, header)


# -- transactions -----------------------------------------------------------------------------------------------------


def grows(request: Any) -> bool:
    """Could the request make the database larger? Those are refused while the NOSPACE alarm is on."""
    if isinstance(request, w.TxnRequest):
        return any(grows(op) for op in (*request.success, *request.failure))
    return isinstance(request, w.PutRequest | w.LeaseGrantRequest)


def read_only(request: w.TxnRequest) -> bool:
    """Does the transaction write nothing, whichever way it goes?"""
    return not any(
        isinstance(op, w.PutRequest | w.DeleteRangeRequest) or (isinstance(op, w.TxnRequest) and not read_only(op))
        for op in (*request.success, *request.failure)
    )


def serializable(request: w.TxnRequest) -> bool:
    """May it be answered from this member's own data, without asking the quorum?"""
    return all(
        (isinstance(op, w.RangeRequest) and op.serializable) or (isinstance(op, w.TxnRequest) and serializable(op))
        for op in (*request.success, *request.failure)
    )


Path = dict[int, bool]
"""Which way each (nested) transaction goes, numbered in the order they are met."""


def _txn(app: Application, request: w.TxnRequest, cause: int, header: ResponseHeader) -> tuple[w.TxnResponse, Events]:
    # All comparisons, nested ones too, are decided before anything is written, and all operations are checked
    # before the first is done: a transaction happens whole or not at all.
    path: Path = {}
    _decide(app, request, path)
    _check(app, request, path, 0)
    # Answers inside a transaction carry only the revision it ends with: known once we know whether it writes.
    results, _ = _run(app, request, path, 0, cause)
    events = app.store.commit()
    after = _after(app, header)
    inner = ResponseHeader(0, 0, after.revision, 0)
    return _response(request.id, after, inner, results), events


def _decide(app: Application, request: w.TxnRequest, path: Path) -> None:
    mine = len(path)
    path[mine] = all(app.store.holds(compare) for compare in request.compare)
    for op in request.success if path[mine] else request.failure:
        if isinstance(op, w.TxnRequest):
            _decide(app, op, path)


def _check(app: Application, request: w.TxnRequest, path: Path, mine: int) -> int:
    after = mine + 1
    for op in request.success if path[mine] else request.failure:
        if isinstance(op, w.PutRequest):
            _check_put(app, op)
        elif isinstance(op, w.RangeRequest):
            if op.revision > app.store.revision:
                raise Refused(*errors.FUTURE_REVISION)
            if 0 < op.revision < app.store.compacted:
                raise Refused(*errors.COMPACTED)
        elif isinstance(op, w.TxnRequest):
            after = _check(app, op, path, after)
    return after


NO_HEADER: Final = ResponseHeader(0, 0, 0, 0)
"""What the answer of a nested transaction carries."""

Result = tuple[bool, list[Any]]


def _run(app: Application, request: w.TxnRequest, path: Path, mine: int, cause: int) -> tuple[Result, int]:
    after = mine + 1
    done: list[Any] = []
    for op in request.success if path[mine] else request.failure:
        if isinstance(op, w.RangeRequest):
            done.append(app.store.range(op))
        elif isinstance(op, w.PutRequest):
            old = _put(app, op, cause)
            done.append((w.PutResponse, old if op.prev_kv else None))
        elif isinstance(op, w.DeleteRangeRequest):
            gone = _delete(app, op, cause)
            done.append((w.DeleteRangeResponse, len(gone), tuple(gone) if op.prev_kv else ()))
        else:
            result, after = _run(app, op, path, after, cause)
            done.append(result)
    return (path[mine], done), after


def _response(id_: int, header: ResponseHeader, inner: ResponseHeader, result: Result) -> w.TxnResponse:
    succeeded, done = result
    responses: list[Any] = []
    for item in done:
        if not isinstance(item, tuple):
            responses.append(w.RangeResponse(0, inner, tuple(item.kvs), item.more, item.count))
        elif isinstance(item[0], bool):
            responses.append(_response(0, NO_HEADER, inner, item))
        else:
            responses.append(item[0](0, inner, *item[1:]))
    return w.TxnResponse(id_, header, succeeded, tuple(responses))


def evaluate(app: Application, request: w.TxnRequest, header: ResponseHeader) -> w.TxnResponse:
    """A transaction that writes nothing."""
    response, events = _txn(app, request, 0, header)
    assert not events
    return response
