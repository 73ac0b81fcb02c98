"""What a member checks before it lets a request near Raft, and how large a request is.

In: a request of the client API. Out: nothing, or ``Refused`` with etcd's words. Sizes in bytes of payload.
Upstream: server/etcdserver/api/v3rpc/{key,member}.go.
"""

import re
from typing import Any, Final

from cluster.etcd import errors
from cluster.etcd.errors import Refused
from cluster.etcd.mvcc import in_range
from cluster.wire import etcd as w

SORT_ORDERS: Final = ("NONE", "ASCEND", "DESCEND")
SORT_TARGETS: Final = ("KEY", "VERSION", "CREATE", "MOD", "VALUE")
TARGETS: Final = ("VERSION", "CREATE", "MOD", "VALUE", "LEASE")
RESULTS: Final = ("EQUAL", "GREATER", "LESS", "NOT_EQUAL")
ACTIONS: Final = ("GET", "ACTIVATE", "DEACTIVATE")
ALARMS: Final = ("NONE", "NOSPACE", "CORRUPT")
_URL: Final = re.compile(r"https?://(\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+):\d+|unixs?://\S+")


def check(request: Any, max_ops: int) -> None:
    """Refuse what could never be right, whatever the store holds."""
    if isinstance(request, w.RangeRequest):
        _key(request.key)
        if request.sort_order not in SORT_ORDERS or request.sort_target not in SORT_TARGETS:
            raise Refused(*errors.INVALID_SORT)
    elif isinstance(request, w.PutRequest):
        _key(request.key)
        if request.ignore_value and request.value:
            raise Refused(*errors.VALUE_PROVIDED)
        if request.ignore_lease and request.lease:
            raise Refused(*errors.LEASE_PROVIDED)
    elif isinstance(request, w.DeleteRangeRequest):
        _key(request.key)
    elif isinstance(request, w.AlarmRequest):
        if request.action not in ACTIONS or request.alarm not in ALARMS:
            raise Refused(*errors.NO_SUCH_ALARM)
    elif isinstance(request, w.MemberAddRequest):
        _urls(request.peer_urls)
    elif isinstance(request, w.TxnRequest):
        _txn(request, max_ops)
        for branch in (request.success, request.failure):
            if len(branch) > 1:
                _intervals(branch)


def _key(key: bytes) -> None:
    if not key:
        raise Refused(*errors.EMPTY_KEY)


def _urls(urls: tuple[str, ...]) -> None:
    """Go's ``types.NewURLs``: at least one, each ``https://host:port`` without a path."""
    if not urls or not all(_URL.fullmatch(url.strip()) for url in urls):
        raise Refused(*errors.BAD_URLS)


def _txn(request: w.TxnRequest, max_ops: int) -> None:
    if max(len(request.compare), len(request.success), len(request.failure)) > max_ops:
        raise Refused(*errors.TOO_MANY_OPS)
    for compare in request.compare:
        _key(compare.key)
        if compare.target not in TARGETS or compare.result not in RESULTS:
            raise Refused(*errors.NO_SUCH_COMPARISON)
    for op in (*request.success, *request.failure):
        if op is None:
            raise Refused(*errors.KEY_NOT_FOUND)
        if isinstance(op, w.TxnRequest):
            _txn(op, max_ops - len(op.success))
        else:
            check(op, max_ops)


def _intervals(branch: "tuple[w.RequestOp, ...]") -> tuple[dict[bytes, None], list[tuple[bytes, bytes]]]:
    """Keys put and ranges deleted by a branch. No key may be put twice, or put and deleted, in one transaction."""
    puts: dict[bytes, None] = {}
    deletes = [(op.key, op.range_end) for op in branch if isinstance(op, w.DeleteRangeRequest)]
    for op in branch:
        if isinstance(op, w.TxnRequest):
            # Both ways of a nested transaction may use the same keys: only one of them happens.
            good, good_deletes = _intervals(op.success)
            bad, bad_deletes = _intervals(op.failure)
            inner = {**good, **bad}
            if any(key in puts for key in inner):
                raise Refused(*errors.DUPLICATE_KEY)
            puts.update(inner)
            deletes += good_deletes + bad_deletes
    for op in branch:
        if isinstance(op, w.PutRequest):
            if op.key in puts:
                raise Refused(*errors.DUPLICATE_KEY)
            puts[op.key] = None
    for start, end in deletes:
        if any(in_range(key, start, end) for key in puts):
            raise Refused(*errors.DUPLICATE_KEY)
    return puts, deletes


def size(request: Any) -> int:
    """About how many bytes the request is on the wire."""
    if isinstance(request, w.TxnRequest):
        compares = sum(len(c.key) + 16 + (len(c.value) if isinstance(c.value, bytes) else 8) for c in request.compare)
        return 16 + compares + sum(size(op) for op in (*request.success, *request.failure))
    if isinstance(request, w.AuthRequest):
        permission = request.permission
        return (
            32
            + len(request.name)
            + len(request.role)
            + (len(permission.key) + len(permission.range_end) if permission else 0)
        )
    return 32 + len(getattr(request, "key", b"")) + len(getattr(request, "value", b""))
