"""etcd's v3 JSON gateway as pure translation: (path, JSON bytes) → a wire request, a wire answer → (HTTP status, JSON document).

Protobuf's JSON rules: int64 are strings (numbers are accepted), bytes are base64, enums are names (numbers are accepted), fields with
default values are left out, names may be snake_case or camelCase. A watch or a keep-alive is a stream of lines ``{"result": …}``.

In: what an HTTP server received. Out: what it sends. Errors: ``GatewayError`` with the status and document to send.

Simplified here: no auth service; the words about malformed JSON are Go's only where a test recorded them.
Upstream: api/etcdserverpb/gw, grpc-gateway runtime.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final

import orjson

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
    """The HTTP answer ``status`` with the JSON ``document``."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        super().__init__(document.get("error", ""))
        self.status = status
        self.document = document


def error(code: int, message: str) -> tuple[int, dict[str, Any]]:
    """The HTTP answer for a gRPC status."""
    return HTTP_STATUS.get(code, 500), {"error": message, "message": message, "code": code}


def _bad(message: str) -> GatewayError:
    return GatewayError(*error(3, message))


# -- requests ---------------------------------------------------------------------------------------------------------

Reader = Callable[[Any], Any]


def _int(value: Any) -> int:
    return _number(value, -(1 << 63), 1 << 63, "int64")


def _id(value: Any) -> int:
    """A member's id."""
    return _number(value, 0, 1 << 64, "uint64")


def _number(value: Any, low: int, high: int, kind: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _bad(f"json: cannot unmarshal {_kind(value)} into Go value of type {kind}")
    try:
        number = int(value)
    except ValueError:
        raise _bad(f"json: invalid number {value!r} for an {kind}") from None
    if not low <= number < high:
        raise _bad(f"json: cannot unmarshal number {number} into Go value of type {kind}")
    return number


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise _bad(f"json: cannot unmarshal {_kind(value)} into Go value of type []uint8")
    try:
        return b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except Base64Error:
        raise _bad("illegal base64 data at input byte 0") from None


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _bad(f"json: cannot unmarshal {_kind(value)} into Go value of type bool")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _bad(f"json: cannot unmarshal {_kind(value)} into Go value of type string")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _list(value))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _bad(f"json: cannot unmarshal {_kind(value)} into Go value of type []json.RawMessage")
    return value


def _kind(value: Any) -> str:
    return {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}.get(
        type(value), "null"
    )


def _enum(*names: str) -> Reader:
    def read(value: Any) -> str:
        if isinstance(value, str) and value in names:
            return value
        if isinstance(value, int) and 0 <= value < len(names):
            return names[value]
        raise _bad(f"unknown value {value!r} for enum, one of {', '.join(names)}")

    return read


_Fields = dict[str, tuple[str, Reader]]


def _fields(**readers: Reader) -> _Fields:
    """JSON name (both spellings) → (our name, reader). A name ``A__b`` is JSON ``A`` and ours ``b``."""
    found: _Fields = {}
    for spec, reader in readers.items():
        json_name, _, ours = spec.partition("__")
        ours = ours or json_name
        head, *rest = json_name.split("_")
        found[json_name] = found[head + "".join(word.capitalize() for word in rest)] = (ours, reader)
    return found


def _read(document: Any, fields: _Fields, message: str) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise _bad(f"json: cannot unmarshal {_kind(document)} into Go value of type map[string]json.RawMessage")
    found: dict[str, Any] = {}
    for name, value in document.items():
        if name not in fields:
            raise _bad(f'unknown field "{name}" in etcdserverpb.{message}')
        if value is not None:
            ours, reader = fields[name]
            found[ours] = reader(value)
    return found


_RANGE = _fields(
    key=_bytes, range_end=_bytes, limit=_int, revision=_int, sort_order=_enum("NONE", "ASCEND", "DESCEND"),
    sort_target=_enum("KEY", "VERSION", "CREATE", "MOD", "VALUE"), serializable=_bool, keys_only=_bool, count_only=_bool,
    min_mod_revision=_int, max_mod_revision=_int, min_create_revision=_int, max_create_revision=_int,
)  # fmt: skip
_PUT = _fields(key=_bytes, value=_bytes, lease=_int, prev_kv=_bool, ignore_value=_bool, ignore_lease=_bool)
_DELETE = _fields(key=_bytes, range_end=_bytes, prev_kv=_bool)
_COMPARE = _fields(
    key=_bytes, range_end=_bytes, result=_enum("EQUAL", "GREATER", "LESS", "NOT_EQUAL"),
    target=_enum("VERSION", "CREATE", "MOD", "VALUE", "LEASE"), version=_int, create_revision=_int, mod_revision=_int,
    value=_bytes, lease=_int,
)  # fmt: skip
_COMPARED = {
    "VERSION": "version", "CREATE": "create_revision", "MOD": "mod_revision", "VALUE": "value", "LEASE": "lease",
}  # fmt: skip


def _range(document: Any, id_: int = 0) -> w.RangeRequest:
    return w.RangeRequest(id_, **{"key": b"", **_read(document, _RANGE, "RangeRequest")})


def _put(document: Any, id_: int = 0) -> w.PutRequest:
    return w.PutRequest(id_, **{"key": b"", "value": b"", **_read(document, _PUT, "PutRequest")})


def _delete(document: Any, id_: int = 0) -> w.DeleteRangeRequest:
    return w.DeleteRangeRequest(id_, **{"key": b"", **_read(document, _DELETE, "DeleteRangeRequest")})


def _compare(document: Any) -> w.Compare:
    found = _read(document, _COMPARE, "Compare")
    target = found.get("target", "VERSION")
    value = found.get(_COMPARED[target], b"" if target == "VALUE" else 0)
    return w.Compare(found.get("key", b""), target, found.get("result", "EQUAL"), value, found.get("range_end", b""))


def _op(document: Any) -> Any:
    found = _read(document, _OP, "RequestOp")
    if len(found) != 1:
        raise _bad("a RequestOp holds exactly one of request_range, request_put, request_delete_range, request_txn")
    return next(iter(found.values()))


def _ops(value: Any) -> tuple[Any, ...]:
    return tuple(_op(item) for item in _list(value))


def _compares(value: Any) -> tuple[w.Compare, ...]:
    return tuple(_compare(item) for item in _list(value))


_TXN = _fields(compare=_compares, success=_ops, failure=_ops)


def _txn(document: Any, id_: int = 0) -> w.TxnRequest:
    return w.TxnRequest(id_, **_read(document, _TXN, "TxnRequest"))


_OP = _fields(request_range=_range, request_put=_put, request_delete_range=_delete, request_txn=_txn)
_WATCH_CREATE = _fields(
    key=_bytes, range_end=_bytes, start_revision=_int, prev_kv=_bool, progress_notify=_bool, watch_id=_int,
    fragment=_bool, filters=_list,
)  # fmt: skip
_WATCH_ID = _fields(watch_id=_int)


def _watch(document: Any, watch: int) -> Any:
    """One line of a watch stream's request body. ``watch`` is the number it gets on our wire."""
    whole = _fields(create_request=lambda v: v, cancel_request=lambda v: v, progress_request=lambda v: v)
    found = _read(document, whole, "WatchRequest")
    if "create_request" in found:
        wanted = _read(found["create_request"], _WATCH_CREATE, "WatchCreateRequest")
        for unused in ("watch_id", "fragment", "filters"):
            wanted.pop(unused, None)
        return w.WatchCreateRequest(watch, **{"key": b"", **wanted})
    if "cancel_request" in found:
        return w.WatchCancelRequest(_read(found["cancel_request"], _WATCH_ID, "WatchCancelRequest").get("watch_id", 0))
    return w.WatchProgressRequest(watch)


def _simple(kind: Any, message: str, defaults: dict[str, Any], **readers: Reader) -> Callable[[Any, int], Any]:
    fields = _fields(**readers)

    def read(document: Any, id_: int) -> Any:
        return kind(id_, **{**defaults, **_read(document, fields, message)})

    return read


_PATHS: Final[dict[str, Callable[[Any, int], Any]]] = {
    "/v3/kv/range": _range,
    "/v3/kv/put": _put,
    "/v3/kv/deleterange": _delete,
    "/v3/kv/txn": _txn,
    "/v3/kv/compaction": _simple(
        w.CompactionRequest, "CompactionRequest", {"revision": 0}, revision=_int, physical=_bool
    ),
    "/v3/watch": _watch,
    "/v3/lease/grant": _simple(w.LeaseGrantRequest, "LeaseGrantRequest", {"ttl": 0}, TTL__ttl=_int, ID__lease=_int),
    "/v3/lease/revoke": _simple(w.LeaseRevokeRequest, "LeaseRevokeRequest", {"lease": 0}, ID__lease=_int),
    "/v3/lease/keepalive": _simple(w.LeaseKeepAliveRequest, "LeaseKeepAliveRequest", {"lease": 0}, ID__lease=_int),
    "/v3/lease/timetolive": _simple(
        w.LeaseTimeToLiveRequest, "LeaseTimeToLiveRequest", {"lease": 0}, ID__lease=_int, keys=_bool
    ),
    "/v3/lease/leases": _simple(w.LeaseLeasesRequest, "LeaseLeasesRequest", {}),
    "/v3/cluster/member/list": _simple(
        w.MemberListRequest, "MemberListRequest", {}, linearizable=_bool
    ),
    "/v3/cluster/member/add": _simple(
        w.MemberAddRequest, "MemberAddRequest", {"peer_urls": ()}, peerURLs__peer_urls=_texts, isLearner__is_learner=_bool
    ),
    "/v3/cluster/member/remove": _simple(w.MemberRemoveRequest, "MemberRemoveRequest", {"member": 0}, ID__member=_id),
    "/v3/cluster/member/promote": _simple(
        w.MemberPromoteRequest, "MemberPromoteRequest", {"member": 0}, ID__member=_id
    ),
    "/v3/cluster/member/update": _simple(
        w.MemberUpdateRequest, "MemberUpdateRequest", {"member": 0, "peer_urls": ()}, ID__member=_id, peerURLs__peer_urls=_texts
    ),
    "/v3/maintenance/snapshot": _simple(w.SnapshotRequest, "SnapshotRequest", {}),
    "/v3/maintenance/status": _simple(w.StatusRequest, "StatusRequest", {}),
    "/v3/maintenance/defragment": _simple(w.DefragmentRequest, "DefragmentRequest", {}),
    "/v3/maintenance/hash": _simple(w.HashKVRequest, "HashKVRequest", {}, revision=_int),
    "/v3/maintenance/transfer-leadership": _simple(
        w.MoveLeaderRequest, "MoveLeaderRequest", {"target": 0}, targetID__target=_id
    ),
    "/v3/maintenance/alarm": _simple(
        w.AlarmRequest, "AlarmRequest", {}, action=_enum("GET", "ACTIVATE", "DEACTIVATE"), memberID__member=_id,
        alarm=_enum("NONE", "NOSPACE", "CORRUPT"),
    ),
}  # fmt: skip
for _old in ("revoke", "timetolive", "leases"):
    _PATHS[f"/v3/kv/lease/{_old}"] = _PATHS[f"/v3/lease/{_old}"]


def request(path: str, body: bytes, id_: int) -> Any:
    """The wire request that a POST of ``body`` to ``path`` means; ``id_`` is its number (for a watch: the watch's)."""
    reader = _PATHS.get(path)
    if reader is None:
        raise GatewayError(404, {"error": "Not Found", "message": "Not Found", "code": 5})
    try:
        document = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as problem:
        raise _bad(_json_problem(body, problem)) from None
    return reader(document, id_)


def _json_problem(body: bytes, problem: orjson.JSONDecodeError) -> str:
    if problem.pos >= len(problem.doc):
        return "unexpected EOF"
    return f"invalid character {problem.doc[problem.pos]!r} looking for beginning of value"


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
        case w.AlarmResponse():
            # The real server leaves this answer's header empty.
            alarms = [_clean({"memberID": str(member), "alarm": alarm}) for member, alarm in answer.alarms]
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


def response(answer: Any) -> tuple[int, dict[str, Any]]:
    """The HTTP answer: status and document."""
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
    return {
        "result": _clean(
            {
                "header": _header(answer.header),
                "watch_id": str(watch_id),
                "created": answer.created,
                "canceled": answer.canceled,
                "compact_revision": str(compacted),
                "cancel_reason": answer.cancel_reason,
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


def version(cluster_version: str) -> dict[str, Any]:
    """``GET /version``."""
    return {"etcdserver": VERSION, "etcdcluster": cluster_version or "not_decided"}


def health(
    has_leader: bool, alarms: tuple[tuple[int, str], ...] = (), read_ok: bool = True
) -> tuple[int, dict[str, Any]]:
    """``GET /health``: 200 and true, or 503, false and why."""
    reason = ""
    if alarms:
        reason = f"ALARM {alarms[0][1]}"
    elif not has_leader:
        reason = "RAFT NO LEADER"
    elif not read_ok:
        reason = "QGET ERROR:etcdserver: request timed out"
    return (200, {"health": "true", "reason": ""}) if not reason else (503, {"health": "false", "reason": reason})
