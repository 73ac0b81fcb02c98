"""etcd's v3 JSON gateway as pure translation: (path, JSON bytes) → a wire request, a wire answer → (HTTP status, JSON document).

How a request is read is ``gojson``'s business. In answers int64 are strings, bytes are base64, enums names, and fields with default values are left
out. A watch or a keep-alive is a stream of lines ``{"result": …}``.

In: what an HTTP server received. Out: what it sends. Errors: ``GatewayError`` with the status and document to send.

Simplified here: no auth service; a watch's ``watch_id`` is always 0 (the first of its stream) and ``fragment`` is not needed.
Upstream: api/etcdserverpb/gw, grpc-gateway runtime.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final

from cluster.etcd.gojson import (
    BadJSON,
    Reader,
    boolean,
    enum,
    fields,
    first_value,
    int64,
    items,
    octets,
    read,
    texts,
    uint64,
)
from cluster.etcd.state import VERSION
from cluster.wire import etcd as w

HTTP_STATUS: Final = {
    0: 200, 1: 408, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500,
    14: 503, 15: 500, 16: 401,
}  # fmt: skip
"""gRPC code → HTTP status, as grpc-gateway maps them."""
STREAMS: Final = ("/v3/watch", "/v3/lease/keepalive", "/v3/maintenance/snapshot")
"""Paths whose answer is a stream of JSON lines."""


SNAPSHOT_PIECE: Final = 32 * 1024
"""Bytes of a snapshot in one message."""


class GatewayError(Exception):
    """The HTTP answer ``status`` with the JSON ``document``, or with a plain text."""

    def __init__(self, status: int, document: dict[str, Any] | str) -> None:
        super().__init__(document if isinstance(document, str) else document.get("error", ""))
        self.status = status
        self.document = document


def error(code: int, message: str) -> tuple[int, dict[str, Any]]:
    """The HTTP answer for a gRPC status."""
    return HTTP_STATUS.get(code, 500), {"error": message, "message": message, "code": code}


# -- requests ---------------------------------------------------------------------------------------------------------

_RANGE = fields(
    key=octets, range_end=octets, limit=int64, revision=int64, sort_order=enum("RangeRequest_SortOrder", "NONE", "ASCEND", "DESCEND"),
    sort_target=enum("RangeRequest_SortTarget", "KEY", "VERSION", "CREATE", "MOD", "VALUE"), serializable=boolean, keys_only=boolean, count_only=boolean,
    min_mod_revision=int64, max_mod_revision=int64, min_create_revision=int64, max_create_revision=int64,
)  # fmt: skip
_PUT = fields(key=octets, value=octets, lease=int64, prev_kv=boolean, ignore_value=boolean, ignore_lease=boolean)
_DELETE = fields(key=octets, range_end=octets, prev_kv=boolean)
_COMPARE = fields(
    key=octets, range_end=octets, result=enum("Compare_CompareResult", "EQUAL", "GREATER", "LESS", "NOT_EQUAL"),
    target=enum("Compare_CompareTarget", "VERSION", "CREATE", "MOD", "VALUE", "LEASE"), version=int64, create_revision=int64, mod_revision=int64,
    value=octets, lease=int64,
)  # fmt: skip
_COMPARED = {
    "VERSION": "version", "CREATE": "create_revision", "MOD": "mod_revision", "VALUE": "value", "LEASE": "lease",
}  # fmt: skip


def _range(document: Any, id_: int = 0) -> w.RangeRequest:
    return w.RangeRequest(id_, **{"key": b"", **read(document, _RANGE)})


def _put(document: Any, id_: int = 0) -> w.PutRequest:
    return w.PutRequest(id_, **{"key": b"", "value": b"", **read(document, _PUT)})


def _delete(document: Any, id_: int = 0) -> w.DeleteRangeRequest:
    return w.DeleteRangeRequest(id_, **{"key": b"", **read(document, _DELETE)})


def _compare(document: Any) -> w.Compare:
    found = read(document, _COMPARE)
    target = found.get("target", "VERSION")
    # Of a group of fields the last one given counts.
    given = next((name for name in reversed(found) if name in _COMPARED.values()), None)
    wanted = _COMPARED.get(target, "")
    value = found[wanted] if given == wanted else b"" if target == "VALUE" else 0
    return w.Compare(found.get("key", b""), target, found.get("result", "EQUAL"), value, found.get("range_end", b""))


def _op(document: Any) -> Any:
    """The operation; None for none, which the member refuses. Of several the last counts."""
    return next(reversed(read(document, _OP).values()), None)


def _ops(value: Any) -> tuple[Any, ...]:
    return tuple(_op(item) for item in items(value))


def _compares(value: Any) -> tuple[w.Compare, ...]:
    return tuple(_compare(item) for item in items(value))


_TXN = fields(compare=_compares, success=_ops, failure=_ops)


def _txn(document: Any, id_: int = 0) -> w.TxnRequest:
    return w.TxnRequest(id_, **read(document, _TXN))


_OP = fields(request_range=_range, request_put=_put, request_delete_range=_delete, request_txn=_txn)
_filter = enum("WatchCreateRequest_FilterType", "NOPUT", "NODELETE")


def _filters(value: Any) -> tuple[str, ...]:
    return tuple(_filter(item) for item in items(value))


_WATCH_CREATE = fields(
    key=octets, range_end=octets, start_revision=int64, prev_kv=boolean, progress_notify=boolean, watch_id=int64,
    fragment=boolean, filters=_filters,
)  # fmt: skip
_WATCH_ID = fields(watch_id=int64)


def _watch(document: Any, watch: int) -> Any:
    """One line of a watch stream's request body. ``watch`` is the number it gets on our wire."""
    whole = fields(create_request=lambda v: v, cancel_request=lambda v: v, progress_request=lambda v: v)
    found = read(document, whole)
    if "create_request" in found:
        wanted = read(found["create_request"], _WATCH_CREATE)
        for unused in ("watch_id", "fragment"):
            wanted.pop(unused, None)
        return w.WatchCreateRequest(watch, **{"key": b"", **wanted})
    if "cancel_request" in found:
        return w.WatchCancelRequest(read(found["cancel_request"], _WATCH_ID).get("watch_id", 0))
    return w.WatchProgressRequest(watch)


def _simple(kind: Any, defaults: dict[str, Any], **readers: Reader) -> Callable[[Any, int], Any]:
    table = fields(**readers)

    def request_of(document: Any, id_: int) -> Any:
        return kind(id_, **{**defaults, **read(document, table)})

    return request_of


_PATHS: Final[dict[str, Callable[[Any, int], Any]]] = {
    "/v3/kv/range": _range,
    "/v3/kv/put": _put,
    "/v3/kv/deleterange": _delete,
    "/v3/kv/txn": _txn,
    "/v3/kv/compaction": _simple(
        w.CompactionRequest, {"revision": 0}, revision=int64, physical=boolean
    ),
    "/v3/watch": _watch,
    "/v3/lease/grant": _simple(w.LeaseGrantRequest, {"ttl": 0}, TTL__ttl=int64, ID__lease=int64),
    "/v3/lease/revoke": _simple(w.LeaseRevokeRequest, {"lease": 0}, ID__lease=int64),
    "/v3/lease/keepalive": _simple(w.LeaseKeepAliveRequest, {"lease": 0}, ID__lease=int64),
    "/v3/lease/timetolive": _simple(
        w.LeaseTimeToLiveRequest, {"lease": 0}, ID__lease=int64, keys=boolean
    ),
    "/v3/lease/leases": _simple(w.LeaseLeasesRequest, {}),
    "/v3/cluster/member/list": _simple(
        w.MemberListRequest, {}, linearizable=boolean
    ),
    "/v3/cluster/member/add": _simple(
        w.MemberAddRequest, {"peer_urls": ()}, peerURLs__peer_urls=texts, isLearner__is_learner=boolean
    ),
    "/v3/cluster/member/remove": _simple(w.MemberRemoveRequest, {"member": 0}, ID__member=uint64),
    "/v3/cluster/member/promote": _simple(
        w.MemberPromoteRequest, {"member": 0}, ID__member=uint64
    ),
    "/v3/cluster/member/update": _simple(
        w.MemberUpdateRequest, {"member": 0, "peer_urls": ()}, ID__member=uint64, peerURLs__peer_urls=texts
    ),
    "/v3/maintenance/snapshot": _simple(w.SnapshotRequest, {}),
    "/v3/maintenance/status": _simple(w.StatusRequest, {}),
    "/metrics": _simple(w.MetricsRequest, {}),
    "/version": _simple(w.VersionRequest, {}),
    "/v3/maintenance/defragment": _simple(w.DefragmentRequest, {}),
    "/v3/maintenance/hash": _simple(w.HashKVRequest, {}, revision=int64),
    "/v3/maintenance/transfer-leadership": _simple(
        w.MoveLeaderRequest, {"target": 0}, targetID__target=uint64
    ),
    "/v3/maintenance/alarm": _simple(
        w.AlarmRequest, {}, action=enum("AlarmRequest_AlarmAction", "GET", "ACTIVATE", "DEACTIVATE"), memberID__member=uint64,
        alarm=enum("AlarmType", "NONE", "NOSPACE", "CORRUPT"),
    ),
}  # fmt: skip
for _old in ("revoke", "timetolive", "leases"):
    _PATHS[f"/v3/kv/lease/{_old}"] = _PATHS[f"/v3/lease/{_old}"]


def request(path: str, body: bytes, id_: int) -> Any:
    """The wire request that a POST of ``body`` to ``path`` means; ``id_`` is its number (for a watch: the watch's)."""
    reader = _PATHS.get(path)
    if reader is None:
        raise GatewayError(404, "Not Found\n" if path.startswith(("/v3/", "/v3beta/")) else "404 page not found\n")
    try:
        return reader(first_value(body), id_)
    except BadJSON as bad:
        raise GatewayError(*error(3, str(bad))) from None


# -- answers ----------------------------------------------------------------------------------------------------------


def _clean(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out what has its default value."""
    return {name: value for name, value in document.items() if value not in (0, "0", "", b"", False, None, [], ())}


def _b64(data: bytes) -> str:
    return b64encode(data).decode()


def _header(header: w.ResponseHeader) -> dict[str, Any]:
    return _clean(
        {
            "cluster_id": str(header.cluster_id),
            "member_id": str(header.member_id),
            "revision": str(header.revision),
            "raft_term": str(header.raft_term),
        }
    )


def _kv(kv: w.KeyValue) -> dict[str, Any]:
    return _clean(
        {
            "key": _b64(kv.key),
            "create_revision": str(kv.create_revision),
            "mod_revision": str(kv.mod_revision),
            "version": str(kv.version),
            "value": _b64(kv.value),
            "lease": str(kv.lease),
        }
    )


def _member(member: w.Member) -> dict[str, Any]:
    return _clean(
        {
            "ID": str(member.id),
            "name": member.name,
            "peerURLs": list(member.peer_urls),
            "clientURLs": list(member.client_urls),
            "isLearner": member.is_learner,
        }
    )


def document(answer: Any) -> dict[str, Any]:
    """The JSON document of a successful answer."""
    return _clean({"header": _header(answer.header), **_body(answer)})


def _body(answer: Any) -> dict[str, Any]:
    match answer:
        case w.RangeResponse():
            return {"kvs": [_kv(kv) for kv in answer.kvs], "more": answer.more, "count": str(answer.count)}
        case w.PutResponse():
            return {"prev_kv": None if answer.prev_kv is None else _kv(answer.prev_kv)}
        case w.DeleteRangeResponse():
            return {"deleted": str(answer.deleted), "prev_kvs": [_kv(kv) for kv in answer.prev_kvs]}
        case w.TxnResponse():
            return {"succeeded": answer.succeeded, "responses": [_response_op(op) for op in answer.responses]}
        case w.LeaseGrantResponse() | w.LeaseKeepAliveResponse():
            return {"ID": str(answer.lease), "TTL": str(answer.ttl)}
        case w.LeaseTimeToLiveResponse():
            return {
                "ID": str(answer.lease),
                "TTL": str(answer.ttl),
                "grantedTTL": str(answer.granted_ttl),
                "keys": [_b64(key) for key in answer.keys],
            }
        case w.LeaseLeasesResponse():
            return {"leases": [{"ID": str(lease)} for lease in answer.leases]}
        case w.StatusResponse():
            return {
                "version": answer.version,
                "dbSize": str(answer.db_size),
                "leader": str(answer.leader),
                "raftIndex": str(answer.raft_index),
                "raftTerm": str(answer.raft_term),
                "raftAppliedIndex": str(answer.raft_applied_index),
                "errors": list(answer.errors),
                "dbSizeInUse": str(answer.db_size_in_use),
                "isLearner": answer.is_learner,
            }
        case w.HashKVResponse():
            return {"hash": answer.hash, "compact_revision": str(answer.compact_revision)}
        case w.MemberResponse():
            member = None if answer.member is None else _member(answer.member)
            return {"member": member, "members": [_member(m) for m in answer.members]}
        case w.DefragmentResponse():
            return {"header": None}
        case w.AlarmResponse():
            # The real server leaves this answer's header away.
            alarms = [
                _clean({"memberID": str(member), "alarm": "" if alarm == "NONE" else alarm})
                for member, alarm in answer.alarms
            ]
            return {"header": None, "alarms": alarms}
        case _:
            return {}


def _response_op(answer: Any) -> dict[str, Any]:
    names = {
        w.RangeResponse: "response_range",
        w.PutResponse: "response_put",
        w.DeleteRangeResponse: "response_delete_range",
        w.TxnResponse: "response_txn",
    }
    return {names[type(answer)]: document(answer)}


def response(answer: Any) -> tuple[int, dict[str, Any] | str]:
    """The HTTP answer: status and document, or text."""
    if isinstance(answer, w.MetricsResponse):
        return 200, answer.text
    if isinstance(answer, w.VersionResponse):
        return 200, {"etcdserver": VERSION, "etcdcluster": answer.cluster or "not_decided"}
    if isinstance(answer, w.EtcdError):
        return error(answer.code, answer.message)
    return 200, document(answer)


def snapshot_lines(answer: w.SnapshotResponse) -> Iterator[dict[str, Any]]:
    """The lines of a snapshot's stream: pieces of the file, then its checksum as a piece of its own.

    As etcd 3.5 has it: no header, and what remains is counted without the checksum.
    """
    blob, size = answer.blob, len(answer.blob) - 32
    for start, end in pairwise([*range(0, size, SNAPSHOT_PIECE), size, len(blob)]):
        yield {"result": _clean({"remaining_bytes": str(max(size - end, 0)), "blob": _b64(blob[start:end])})}


def stream_line(answer: Any, watch_id: int = 0) -> dict[str, Any]:
    """One line of a stream. ``watch_id`` is the client's number of the watch (the first of a stream is 0)."""
    if isinstance(answer, w.EtcdError):
        status, _ = error(answer.code, answer.message)
        problem = {"grpc_code": answer.code, "http_code": status, "message": answer.message}
        return {"error": problem}
    if not isinstance(answer, w.WatchResponse):
        return {"result": document(answer)}
    compacted = max(answer.compact_revision, 0)
    header = _header(answer.header)
    if compacted:
        header.pop(
            "revision", None
        )  # upstream: a cancellation by compaction is of no revision, and its number says why
    elif answer.created and answer.canceled:
        watch_id = -1
    return {
        "result": _clean(
            {
                "header": header,
                "watch_id": str(watch_id),
                "created": answer.created,
                "canceled": answer.canceled,
                "compact_revision": str(compacted),
                "cancel_reason": "" if compacted else answer.cancel_reason,
                "events": [_event(event) for event in answer.events],
            }
        )
    }


def _event(event: w.WatchEvent) -> dict[str, Any]:
    return _clean(
        {
            "type": "DELETE" if event.type == "DELETE" else "",
            "kv": _kv(event.kv),
            "prev_kv": None if event.prev_kv is None else _kv(event.prev_kv),
        }
    )
