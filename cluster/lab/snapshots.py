"""Snapshots of etcd as files on the simulated hosts: saved, taken in from outside, removed, restored (``cluster.rescue``).

What can't be done is answered ``{"error": "<sentence>"}``.
"""

from typing import Any

from cluster import rescue
from cluster.backup.snapshot import Refused
from cluster.lab.door import Door
from cluster.lab.inputs import RestoreIn, SnapshotFileIn, SnapshotIn, SnapshotRemoveIn
from cluster.wire import etcd


def save(door: Door, item: SnapshotIn) -> None:
    """A member is asked for its database; the answer becomes a file of its host."""
    slot = door.world.state.slots[door.member(item.member)]
    try:
        path = rescue.check_path(item.path or f"{rescue.FOLDER}/{item.member}-{door.now // 1_000_000}.db")
        rescue.machine(door.world, slot.host)
        if not slot.up:
            raise Refused(
                f"{item.member} is down: who doesn't run sends no snapshot (its data directory has a database without a checksum)"
            )
    except Refused as why:
        door.answer_at_once(item.call, {"error": str(why)})
        return
    number = door.expect(item.call)
    door.state.saving[number] = (slot.host, path)
    door.world.post(f"outside:backup/{number}", item.member, etcd.SnapshotRequest(number))


def act(door: Door, item: SnapshotFileIn | SnapshotRemoveIn | RestoreIn) -> None:
    """An act on a file that is there (or comes in), done at once."""
    try:
        match item:
            case SnapshotFileIn(_, host, path, data):
                doc = rescue.keep(door.world, host, path, data)
            case SnapshotRemoveIn(_, host, path):
                doc = rescue.remove(door.world, host, path)
            case RestoreIn():
                act = rescue.Restoring(
                    item.host, item.path, item.members, item.token, item.bump, item.skip_hash_check, item.control_plane
                )
                doc = rescue.apply(door.world, act)
                door.tell_act(f"restore {item.path} of {item.host}")
    except Refused as why:
        doc = {"error": str(why)}
    door.answer_at_once(item.call, doc)


ACTS = {SnapshotIn: save, SnapshotFileIn: act, SnapshotRemoveIn: act, RestoreIn: act}


def answered(door: Door, number: int, message: Any) -> None:
    """The database that was asked for as ``number``."""
    host, path = door.state.saving.pop(number)
    try:
        if not isinstance(message, etcd.SnapshotResponse):
            raise Refused(message.message if isinstance(message, etcd.EtcdError) else "connection reset")
        door.answer(number, {**rescue.keep(door.world, host, path, message.blob), "done": True})
    except Refused as why:
        door.answer(number, {"error": str(why), "done": True})
