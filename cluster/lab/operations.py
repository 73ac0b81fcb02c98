"""Recorded etcd operations (the control API's ``etcd/ops``): each has a beginning, an end and an outcome, for a checker of histories.

ok: it happened. fail: it did not. info: nobody knows, because the answer was lost or came too late.
"""

from typing import Any

import msgspec

from cluster.lab.door import Door
from cluster.lab.inputs import EtcdOpIn
from cluster.lab.state import Op
from cluster.wire import etcd

OPS_KEPT = 20_000
"""Ended operations kept; a tenth more before the oldest go."""
UNKNOWN_OUTCOME = ("timed out", "leader changed", "deadline", "connection")
"""Words of the errors after which a write may have happened nevertheless."""


def begin(door: Door, item: EtcdOpIn) -> None:
    """The operation is on its way, or has failed at once. (Whoever asked was told only how it is called.)"""
    slot = door.world.state.slots.get(item.member)
    boot = slot.boot if slot is not None else 0
    door.state.ops[item.call] = Op(
        item.call, item.member, item.f, item.key, item.value, item.linearizable, door.now // 1000, boot
    )
    if slot is None or slot.kind != "etcd":
        _end(door, item.call, "fail", None, f"there is no member {item.member!r} in this cluster")
        return
    request = _request(door.number(), item)
    if slot.up:
        door.world.post(f"outside:op/{item.call}", item.member, request)
    else:
        _end(door, item.call, "fail", None, "connection refused")


ACTS = {EtcdOpIn: begin}


def _request(number: int, item: EtcdOpIn) -> Any:
    key, value = item.key.encode(), (item.value or "").encode()
    match item.f:
        case "put":
            return etcd.PutRequest(number, key, value)
        case "get":
            return etcd.RangeRequest(number, key, serializable=not item.linearizable)
        case "delete":
            return etcd.DeleteRangeRequest(number, key)
        case "cas":
            compare = (
                etcd.Compare(key, "VERSION", "EQUAL", 0)
                if item.expect is None
                else etcd.Compare(key, "VALUE", "EQUAL", item.expect.encode())
            )
            return etcd.TxnRequest(number, (compare,), (etcd.PutRequest(0, key, value),), (etcd.RangeRequest(0, key),))


def answered(door: Door, call: str, message: Any) -> None:
    """A member's answer to the operation ``call``; PeerDown: it died with the request in hand."""
    if call not in door.state.ops:
        return  # it ended long ago
    reads = door.state.ops[call].f == "get"
    match message:
        case etcd.EtcdError(_, _, text):
            unknown = not reads and any(word in text for word in UNKNOWN_OUTCOME)
            _end(door, call, "info" if unknown else "fail", None, text)
        case etcd.PutResponse():
            _end(door, call, "ok", {"revision": message.header.revision}, None)
        case etcd.DeleteRangeResponse():
            _end(door, call, "ok", {"revision": message.header.revision, "deleted": message.deleted}, None)
        case etcd.RangeResponse():
            _end(door, call, "ok", _value_of(message) | {"revision": message.header.revision}, None)
        case etcd.TxnResponse():
            out: dict[str, Any] = {"revision": message.header.revision, "succeeded": message.succeeded}
            if not message.succeeded and message.responses:
                out |= _value_of(message.responses[0])
            _end(door, call, "ok" if message.succeeded else "fail", out, None)
        case _:
            _end(door, call, "fail" if reads else "info", None, "connection reset")


def rows(door: Door, done_since: int = 0, pending: bool = False) -> dict[str, Any]:
    """Operations under way, or those that ended since the cursor ``done_since``; ``next`` is the cursor after them."""
    state = door.state
    if pending:
        found = [op for op in state.ops.values() if op.res is None]
    else:
        found = [state.ops[call] for call in state.done[max(done_since - state.forgotten, 0) :]]
    return {"ops": [msgspec.to_builtins(op) for op in found], "next": state.forgotten + len(state.done)}


def _end(door: Door, call: str, res: str, out: dict[str, Any] | None, error: str | None) -> None:
    op = door.state.ops[call]
    if op.res is None:
        op.ret, op.res, op.out, op.error = door.now // 1000, res, out, error
        door.state.done.append(call)
        _forget_oldest(door)


def _forget_oldest(door: Door) -> None:
    done = door.state.done
    if len(done) > OPS_KEPT + OPS_KEPT // 10:
        for call in done[:-OPS_KEPT]:
            del door.state.ops[call]
        door.state.forgotten += len(done) - OPS_KEPT
        del done[:-OPS_KEPT]


def _value_of(response: Any) -> dict[str, Any]:
    if not isinstance(response, etcd.RangeResponse) or not response.kvs:
        return {"value": None}
    kv = response.kvs[0]
    return {
        "value": kv.value.decode("utf-8", "replace"),
        "modRevision": kv.mod_revision,
        "createRevision": kv.create_revision,
        "version": kv.version,
    }
