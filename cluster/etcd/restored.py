"""A member that begins with a snapshot: from the files of a restored data directory to what its disk holds and what it is called.

The database's bucket ``key`` has every version by revision; walking it in order rebuilds the key space, as a real member does when it opens its database
(``restore`` in mvcc). Leases come from their own bucket with their full time to live; alarms stay raised. Members, the cluster's id and the log are new: the log
begins with a snapshot at the index that the entries adding the members would have, in term 1.

In → the database, the ``Plan`` of ``cluster.backup.restore``, and where each member's process is. Out → (``MemberConfig``, disk records). Errors: ``Refused``
when the database is no database of etcd's.

Simplified here: who wrote a key (its cause) isn't in the file, so its traces end here. Upstream: server/storage/mvcc/kvstore.go (restore), etcdutl/snapshot.
"""

import struct
from struct import unpack
from typing import Any

from msgspec.structs import replace

from cluster.backup import snapshot
from cluster.backup.restore import Plan
from cluster.backup.snapshot import Refused
from cluster.etcd.lease import Lease, Lessor
from cluster.etcd.membership import MemberSeed, Membership
from cluster.etcd.mvcc import Store
from cluster.etcd.raft import Snapshot
from cluster.etcd.state import AppSnapshot, LogStart, MemberConfig
from cluster.wire.etcd import KeyValue, Member, WatchEvent
from cluster.wire.raft import HardState

MOST_REVISIONS = 1 << 20


def member(
    database: bytes, plan: Plan, config: MemberConfig, seeds: tuple[MemberSeed, ...], now: int = 0
) -> tuple[MemberConfig, list[Any]]:
    """The flags and the disk of the member ``plan.node``. ``config``: its old flags; ``seeds``: who runs where, by name. Refused."""
    places = {seed.name: seed for seed in seeds}
    found: list[MemberSeed] = []
    for row in plan.members:
        place = places.get(row.name)
        if place is None:
            raise Refused(f"no host of this cluster runs a member called {row.name}")
        found.append(MemberSeed(int(row.id, 16), row.name, place.process, place.host))
    mine = next(seed for seed in found if seed.id == int(plan.node, 16))
    new = replace(
        config, id=mine.id, name=mine.name, host=mine.host, cluster_id=int(plan.cluster, 16), members=tuple(found), joining=False,
        since=now,
    )  # fmt: skip
    membership = Membership(
        {int(row.id, 16): Member(int(row.id, 16), row.name, row.peer_urls) for row in plan.members},
        {seed.id: seed.process for seed in found},
    )
    buckets = snapshot.read(database)
    try:
        store, lessor = key_space(buckets, len(database), plan.bump)
        alarms = tuple(_alarm(key) for key, _ in buckets.get(b"alarm", []))
    except (struct.error, ValueError, IndexError, KeyError):
        raise Refused("snapshot file integrity check failed: this is no database of etcd 3") from None
    version = dict(buckets.get(b"cluster", [])).get(b"clusterVersion", b"").decode("utf-8", "replace")
    index = len(plan.members)
    ids = tuple(sorted(membership.members))
    data = AppSnapshot(store, lessor, membership, alarms, version)
    first = Snapshot(index, 1, ids, (), data)
    return new, [first, LogStart(index, 1), HardState(term=1, vote=ids[0], commit=index)]


def key_space(buckets: dict[bytes, list[tuple[bytes, bytes]]], size: int, bump: int) -> tuple[Store, Lessor]:
    """The keys and leases in a database of ``size`` bytes."""
    meta = dict(buckets.get(b"meta", []))
    compacted = max((unpack(">q", meta[name][:8])[0] for name in (b"finishedCompactRev", b"scheduledCompactRev") if name in meta), default=-1)  # fmt: skip
    by_revision: dict[int, list[WatchEvent]] = {}
    for place, value in buckets[b"key"]:
        main = unpack(">q", place[:8])[0]
        if not value:
            by_revision.setdefault(main, [])  # what --bump-revision leaves: a revision without a key
            continue
        kv = _key_value(value)
        gone = place[17:] == b"t"
        kv = KeyValue(kv.key, mod_revision=main) if gone else replace(kv, mod_revision=main)
        by_revision.setdefault(main, []).append(WatchEvent("DELETE" if gone else "PUT", kv))
    store = Store(compacted=compacted)
    for revision in sorted(by_revision):
        for event in by_revision[revision]:
            store.history.setdefault(event.kv.key, []).append(event.kv)
    store.revision = max([1, compacted, *by_revision])
    store.base = max(compacted - 1, 1)
    if store.revision - store.base > MOST_REVISIONS:
        raise Refused(
            f"the database's history has {store.revision - store.base} revisions: more than this laboratory holds"
        )
    store.changes = [tuple(by_revision.get(n, ())) for n in range(store.base + 1, store.revision + 1)]
    if bump:
        store.revision += bump
        store.compacted, store.base, store.changes = store.revision, store.revision - 1, [()]
    _settle(store, size)
    return store, _lessor(buckets, store)


def _settle(store: Store, size: int) -> None:
    """What follows from the histories."""
    if store.compacted > 0:
        for key in list(store.history):
            store._trim(key, store.compacted)  # pyright: ignore[reportPrivateUsage]
    store.keys = sorted(store.history)
    store.current = {key: rows[-1] for key, rows in sorted(store.history.items()) if rows[-1].version}
    store.live = list(store.current)
    store.in_use = 16_384 + sum(len(kv.key) + len(kv.value) + 64 for rows in store.history.values() for kv in rows)
    store.size = max(size, store.in_use)
    store.digest = store.hash_kv(0)


def _lessor(buckets: dict[bytes, list[tuple[bytes, bytes]]], store: Store) -> Lessor:
    lessor = Lessor()
    for key, value in buckets.get(b"lease", []):
        id_ = unpack(">q", key)[0]
        lessor.leases[id_] = Lease(id_, int(_fields(value).get(2, 0)))  # type: ignore[call-overload]
    for key, kv in store.current.items():
        if kv.lease in lessor.leases:
            lessor.attach(key, kv.lease)
    return lessor


def _alarm(data: bytes) -> tuple[int, str]:
    fields = _fields(data)
    return int(fields.get(1, 0)), {1: "NOSPACE", 2: "CORRUPT"}[int(fields[2])]  # type: ignore[call-overload]


def _key_value(data: bytes) -> KeyValue:
    """mvccpb.KeyValue."""
    f: dict[int, Any] = _fields(data)
    return KeyValue(f[1], f.get(5, b""), f.get(2, 0), f.get(3, 0), f.get(4, 0), f.get(6, 0))


def _fields(data: bytes) -> dict[int, int | bytes]:
    """The fields of a protobuf message: numbers and byte strings. ValueError, IndexError."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _varint(data, at)
        if tag & 7 == 2:
            if at + value > len(data):
                raise ValueError("a field beyond its message")
            found[tag >> 3] = data[at : at + value]
            at += value
        elif tag & 7 == 0:
            found[tag >> 3] = value
        else:
            raise ValueError("a kind of field that etcd's messages have not")
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number that is too long")
