"""Requests of etcd's v3 JSON gateway: (path, JSON bytes) → a wire request. How JSON is read is ``gojson``'s business.

In: what an HTTP server received. Out: a request for a member. Errors: ``GatewayError`` with the status and document to send.
Upstream: api/etcdserverpb/gw, grpc-gateway runtime.
"""

from collections.abc import Callable
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
    text,
    texts,
    uint64,
)
from cluster.wire import etcd as w

HTTP_STATUS: Final = {
    0: 200, 1: 408, 2: 500, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 13: 500,
    14: 503, 15: 500, 16: 401,
}  # fmt: skip
"""gRPC code → HTTP status, as grpc-gateway maps them."""


class GatewayError(Exception):
    """The HTTP answer ``status`` with the JSON ``document``, or with a plain text."""

    def __init__(self, status: int, document: dict[str, Any] | str) -> None:
        super().__init__(document if isinstance(document, str) else document.get("error", ""))
        self.status = status
        self.document = document


def error(code: int, message: str) -> tuple[int, dict[str, Any]]:
    """The HTTP answer for a gRPC status."""
    return HTTP_STATUS.get(code, 500), {"error": message, "message": message, "code": code}


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


_PERMISSION = fields(
    permType__may=enum("authpb.Permission_Type", "READ", "WRITE", "READWRITE"), key=octets, range_end=octets
)
_NO_PASSWORD = fields(no_password=boolean)


def _permission(document: Any) -> w.Permission:
    return w.Permission(**read(document, _PERMISSION))


def _auth(op: str, **readers: Reader) -> Callable[[Any, int], Any]:
    """A call of the Auth service. What must not go further (a password) is read as ``_``."""
    table = fields(**readers)

    def request_of(document: Any, id_: int) -> Any:
        found = read(document, table)
        found.pop("_", None)
        if op == "role revoke-permission":
            found["permission"] = w.Permission("READ", found.pop("key", b""), found.pop("range_end", b""))
        return w.AuthRequest(id_, op, **found)

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
    "/v3/auth/enable": _auth("enable"),
    "/v3/auth/disable": _auth("disable"),
    "/v3/auth/status": _auth("status"),
    "/v3/auth/authenticate": _auth("authenticate", name=text, password___=text),
    "/v3/auth/user/add": _auth(
        "user add", name=text, password___=text, hashedPassword___=text, options___=lambda value: read(value, _NO_PASSWORD)
    ),
    "/v3/auth/user/get": _auth("user get", name=text),
    "/v3/auth/user/list": _auth("user list"),
    "/v3/auth/user/delete": _auth("user delete", name=text),
    "/v3/auth/user/changepw": _auth("user passwd", name=text, password___=text, hashedPassword___=text),
    "/v3/auth/user/grant": _auth("user grant-role", user__name=text, role=text),
    "/v3/auth/user/revoke": _auth("user revoke-role", name=text, role=text),
    "/v3/auth/role/add": _auth("role add", name__role=text),
    "/v3/auth/role/get": _auth("role get", role=text),
    "/v3/auth/role/list": _auth("role list"),
    "/v3/auth/role/delete": _auth("role delete", role=text),
    "/v3/auth/role/grant": _auth("role grant-permission", name__role=text, perm__permission=_permission),
    "/v3/auth/role/revoke": _auth("role revoke-permission", role=text, key=octets, range_end=octets),
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
