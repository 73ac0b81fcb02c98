"""etcd's v3 JSON gateway as pure translation: (path, JSON bytes) → a wire request, a wire answer → (HTTP status, JSON document).

How a request is read is ``gojson``'s business. In answers int64 are strings, bytes are base64, enums names, and fields with default values are left
out. A watch or a keep-alive is a stream of lines ``{"result": …}``.

In: what an HTTP server received. Out: what it sends. Errors: ``GatewayError`` with the status and document to send.

Simplified here: no auth service; a watch's ``watch_id`` is always 0 (the first of its stream) and ``fragment`` is not needed.
Upstream: api/etcdserverpb/gw, grpc-gateway runtime.
"""

from base64 import b64encode
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from cluster.etcd.gateway_requests import GatewayError, error, request
from cluster.etcd.state import VERSION
from cluster.wire import etcd as w

__all__ = [
    "SNAPSHOT_PIECE",
    "STREAMS",
    "GatewayError",
    "document",
    "error",
    "request",
    "response",
    "snapshot_lines",
    "stream_line",
]

STREAMS: Final = ("/v3/watch", "/v3/lease/keepalive", "/v3/maintenance/snapshot")
"""Paths whose answer is a stream of JSON lines."""


SNAPSHOT_PIECE: Final = 32 * 1024
"""Bytes of a snapshot in one message."""


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
        case w.AuthResponse():
            return {
                "roles": list(answer.roles),
                "users": list(answer.users),
                "perm": [_permission_of(one) for one in answer.permissions],
                "authRevision": str(answer.revision) if answer.op == "status" else "",
            }
        case w.AlarmResponse():
            # The real server leaves this answer's header away.
            alarms = [
                _clean({"memberID": str(member), "alarm": "" if alarm == "NONE" else alarm})
                for member, alarm in answer.alarms
            ]
            return {"header": None, "alarms": alarms}
        case _:
            return {}


def _permission_of(one: w.Permission) -> dict[str, Any]:
    kind: Any = "" if one.may == "READ" else int(one.may) if one.may.lstrip("-").isdigit() else one.may
    return _clean({"permType": kind, "key": _b64(one.key), "range_end": _b64(one.range_end)})


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
        # As upstream: a cancellation by compaction is of no revision; compact_revision says why.
        header.pop("revision", None)
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
