"""etcd's clients outside: requests of the v3 JSON gateway (gRPC's come this way too), and the watches that they began.

A question travels from ``outside:etcd/<number>`` and is answered there; ``cluster.etcd.gateway`` reads and writes the JSON.
"""

from typing import Any

from cluster.etcd import gateway
from cluster.lab.door import Door
from cluster.lab.inputs import EtcdGatewayIn, EtcdWatchIn
from cluster.sim import PeerDown
from cluster.wire import etcd


def ask(door: Door, item: EtcdGatewayIn) -> None:
    """A request for a member, refused at once if it can't be read or the member doesn't run."""
    member = door.member(item.member)
    number = door.number()
    try:
        parsed = gateway.request(item.path, item.body, number)
    except gateway.GatewayError as refusal:
        door.answer_at_once(item.call, {"status": refusal.status, "body": refusal.document})
        return
    if not door.world.state.slots[member].up:
        door.answer_at_once(item.call, {"status": 0, "error": "connection refused"})
        return
    door.state.calls[number] = item.call
    door.world.post(f"outside:etcd/{number}", member, parsed)


def watch_act(door: Door, item: EtcdWatchIn) -> None:
    """Cancel a watch, or ask how far it is synced."""
    number = next((number for number, call in door.state.calls.items() if call == item.call), None)
    if number is None or not door.world.state.slots[door.member(item.member)].up:
        return
    request = etcd.WatchCancelRequest if item.op == "cancel" else etcd.WatchProgressRequest
    door.world.post(f"outside:etcd/{number}", item.member, request(number))


ACTS = {EtcdGatewayIn: ask, EtcdWatchIn: watch_act}


def answered(door: Door, number: int, message: Any) -> None:
    """A member's answer to question ``number``."""
    match message:
        case PeerDown():
            door.answer(number, {"status": 0, "error": "connection reset", "done": True})
        case etcd.SnapshotResponse():
            *lines, last = gateway.snapshot_lines(message)
            for line in lines:
                door.answer(number, {"status": 200, "body": line, "done": False})
            door.answer(number, {"status": 200, "body": last, "done": True})
        case etcd.LeaseKeepAliveResponse():
            door.answer(number, {"status": 200, "body": gateway.stream_line(message), "done": True})
        case _:
            status, body = gateway.response(message)
            door.answer(number, {"status": status, "body": body, "done": True})


def watched(door: Door, message: etcd.WatchResponse) -> None:
    """The next line of a watch; the last if it was cancelled."""
    door.answer(message.watch, {"status": 200, "body": gateway.stream_line(message), "done": message.canceled})
