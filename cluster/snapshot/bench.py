"""The etcd page's model: what every member believes and holds, what is between them, and what may happen next.

In → the scene, ``shown`` log columns that end at index ``until`` (0: the newest); ``promises`` asks for Raft's promises, too. Out → ``{nowMicros, members,
clusters, firstShown, lastShown, last, flights, due, ways, tables, settings}``. A member's row is that of ``/etcd/members`` and more: log rows ``[index, term, text,
cause]``, the last index that its disk has for sure, what the disk is doing, its last change of role, whether it was removed. Instants in virtual micros.

``due`` are the legal next events (``cluster.etcd.foresight``), ``ways`` who hears whom.
"""

from typing import Any

from msgspec import Struct

from cluster.etcd import durable, views
from cluster.etcd.raft import RaftLog
from cluster.sim.actor import Fsynced
from cluster.snapshot import etcd
from cluster.snapshot.quorum import clusters, ears
from cluster.snapshot.scene import Scene
from cluster.wire.raft import Entry, RaftMessage

SHOWN = 40
RECENT = 10_000_000
"""Virtual micros for which a change of role is what just happened."""
ENTRIES_TOLD = 12
"""Entries of a message that are told one by one."""


def bench(scene: Scene, shown: int = SHOWN, until: int = 0, promises: bool = False) -> dict[str, Any]:
    """See the module."""
    world = scene.world
    rows = etcd.members(scene)
    held = [_held(scene, row) for row in rows]
    last = max((one.log.last for one in held), default=0)
    end = min(until, last) if until else last
    first = max(end - max(min(shown, 200), 1) + 1, 1)
    for row, one in zip(rows, held, strict=True):
        row |= _more(scene, row, one, first, end)
    names = [row["id"] for row in rows]
    formed = _clusters(scene, rows)
    for row, change in zip(rows, _changes(scene, names), strict=True):
        row["last"] = change
    config = next((slot.config for slot in world.state.slots.values() if slot.kind == "etcd"), None)
    return {
        "nowMicros": world.now // 1000,
        "members": rows,
        "clusters": formed,
        "firstShown": first,
        "lastShown": end,
        "last": last,
        "flights": _flights(scene, names),
        "due": views.next_events(world),
        "ways": _ways(scene, names),
        "tables": views.role_table(),
        "settings": {
            "preVote": getattr(config, "pre_vote", True),
            "checkQuorum": getattr(config, "check_quorum", True),
            "heartbeatMs": getattr(config, "heartbeat_ns", 0) // 1_000_000,
            "electionMs": getattr(config, "election_ns", 0) // 1_000_000,
            "snapshotCount": getattr(config, "snapshot_count", 0),
            "bare": scene.spec.bare,
        },
        "promises": views.invariants(world, scene.memory.terms) if promises else None,
    }


def _clusters(scene: Scene, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The clusters that the members form (``cluster.snapshot.quorum``); each row is told its cluster, and whether it was removed."""
    slots, hosts = scene.world.state.slots, scene.world.state.hosts
    told = [
        {
            **row,
            "cluster": f"{slots[row['id']].config.cluster_id:x}",
            "names": row.get("members") or [],
            "paused": row["paused"] or hosts[row["host"]].paused,
        }
        for row in rows
    ]
    found = clusters(told, ears(scene))
    for row, one in zip(rows, told, strict=True):
        row["cluster"] = one["cluster"]
        row["removed"] = any(row["id"] in of["removed"] for of in found)
    return found


def _changes(scene: Scene, names: list[str]) -> list[list[Any] | None]:
    """Each member's last change of role as ``[from, to, micros]``, if it is among what just happened."""
    roles: dict[str, str] = {}
    changes: dict[str, list[Any]] = {}
    for frame in scene.memory.recent:
        if frame["t"] == "process" and frame["name"] in names:
            roles[frame["name"]] = "follower"  # every start begins as one
            changes.pop(frame["name"], None)
        elif frame["t"] == "raft":
            was = roles.get(frame["member"])
            roles[frame["member"]] = frame["role"]
            if was is not None and (was != frame["role"] or was == "pre-candidate"):
                changes[frame["member"]] = [was, frame["role"], frame["atMicros"]]
    since = scene.world.now // 1000 - RECENT
    return [change if change is not None and change[2] >= since else None for change in map(changes.get, names)]


class _Held(Struct):
    """What a member holds: its log, in memory or (stopped) on its disk. ``durable``: the last index that its disk has for sure."""

    log: RaftLog
    durable: int


def _held(scene: Scene, row: dict[str, Any]) -> _Held:
    name = row["id"]
    disk = scene.world.state.disks[name]
    actor: Any = scene.world.actors.get(name)
    if actor is None:
        log = durable.read(disk.synced)[0]
        return _Held(log, log.last)
    waiting = [record.index for write in disk.pending for record in write.records if type(record) is Entry]
    log = actor.state.raft.log
    return _Held(log, min(log.stable, min(waiting, default=log.stable + 1) - 1))


def _more(scene: Scene, row: dict[str, Any], one: _Held, first: int, end: int) -> dict[str, Any]:
    name, world = row["id"], scene.world
    actor: Any = world.actors.get(name)
    disk = world.state.disks[name]
    log = one.log
    entries = log.entries[max(first - log.first, 0) : max(end - log.offset, 0)]
    more: dict[str, Any] = {
        "log": [[e.index, e.term, views.entry_text(e), e.cause] for e in entries],
        "firstIndex": log.first,
        "durable": one.durable,
        "fsyncMs": [disk.fsync_min / 1e6, disk.fsync_max / 1e6],
        "slow": (disk.fsync_min, disk.fsync_max) != tuple(round(ms * 1e6) for ms in scene.spec.fsync_ms),
        "writing": None,
        "pendingRequests": 0,
    }
    if actor is None:
        return more
    s = actor.state
    if s.writing is not None:
        done = [
            at
            for at, _, dst, src, message, _, _ in world.state.queue
            if dst == src == name and type(message) is Fsynced
        ]
        more["writing"] = {
            "sinceMicros": s.writing.started // 1000,
            "untilMicros": min(done, default=world.now) // 1000,
        }
    more["pendingRequests"] = len(s.pending)
    more["alarms"] = [kind for _, kind in s.app.alarms]
    return more


def _flights(scene: Scene, names: list[str]) -> list[dict[str, Any]]:
    """Raft messages under way between members, soonest arrival first."""
    known = set(names)
    found = [
        event for event in scene.world.state.queue
        if type(event[4]) is RaftMessage and event[2] in known and event[3] in known and event[2] != event[3]
    ]  # fmt: skip
    found.sort(key=lambda event: event[:2])
    return [_flight(scene, event) for event in found[:200]]


def _flight(scene: Scene, event: Any) -> dict[str, Any]:
    at, sequence, dst, src, m, cause, _ = event
    left = scene.memory.sent.get((at, src, dst))
    return {
        "sequence": sequence,
        "src": src,
        "dst": dst,
        "kind": m.type,
        "sentMicros": left // 1000 if left is not None else None,
        "arriveMicros": at // 1000,
        "cause": cause,
        **content(m),
    }


def content(m: RaftMessage) -> dict[str, Any]:
    """What a Raft message says, in raftpb's words."""
    told: dict[str, Any] = {"term": m.term, "index": m.index, "logTerm": m.log_term, "commit": m.commit}
    if m.type.endswith("Resp"):
        told["reject"] = m.reject
        if m.reject:
            told["rejectHint"] = m.reject_hint
    if m.entries:
        told["entries"] = [[e.index, e.term, views.entry_text(e), e.cause] for e in m.entries[:ENTRIES_TOLD]]
        told["count"] = len(m.entries)
    if m.snapshot is not None:
        told["snapshot"] = [m.snapshot.index, m.snapshot.term]
    return told


def _ways(scene: Scene, names: list[str]) -> list[list[Any]]:
    """``[from, to, state, ms]`` of every way between two members: ok, cut, apart (a partition), slow, lossy; ``ms`` the delay or the loss in %."""
    net, slots = scene.world.state.network, scene.world.state.slots
    out: list[list[Any]] = []
    for a in names:
        for b in names:
            if a == b:
                continue
            ends = a, slots[a].host, b, slots[b].host
            link = net.link(*ends)
            state, much = "ok", 0.0
            if not net.together(*ends):
                state = "apart"
            elif link is not None and link.cut:
                state = "cut"
            elif link is not None and link.loss:
                state, much = "lossy", round(100 * link.loss)
            elif link is not None and (link.low or 0) > net.high:
                state, much = "slow", (link.low or 0) / 1e6
            out.append([a, b, state, much])
    return out
