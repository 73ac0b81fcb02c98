"""The key space with its history: what applying the log makes.

Every transaction that changes something gets the next *revision*. A key keeps every value it had since the last
compaction, so one can read as of a revision and watch from a revision. Deleting writes a *tombstone* (version 0).

In: put, delete, range, compare, compaction. Out: KeyValues (shared, never changed) and the WatchEvents of a revision.
Errors: ``Refused`` (compacted, future revision). Sizes in bytes.

Simplified here: the real backend is a B+tree file (bbolt) under a B-tree index; here sorted lists and dicts in memory,
durable through the member's log and snapshots. ``hash_kv`` is a CRC over the same facts, not the same bytes, so it is comparable
among members here but not with a real etcd's number. Upstream: server/storage/mvcc/kvstore.go.
"""

from bisect import bisect_left, insort
from zlib import crc32

from msgspec import Struct, field

from cluster.etcd import errors
from cluster.etcd.errors import Refused
from cluster.wire.etcd import Compare, KeyValue, RangeRequest, WatchEvent

EVERYTHING = b"\0"
"""As ``range_end``: no upper bound."""


def prefix_end(prefix: bytes) -> bytes:
    """The ``range_end`` that selects every key with ``prefix``."""
    cut = prefix.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else EVERYTHING


def in_range(key: bytes, start: bytes, end: bytes) -> bool:
    """Is ``key`` in the range of a request?"""
    if not end:
        return key == start
    return key >= start and (end == EVERYTHING or key < end)


def _weight(kv: KeyValue) -> int:
    return len(kv.key) + len(kv.value) + 64


class Found(Struct, frozen=True):
    """What a range found. ``count`` is the number of keys in the range, whatever the limit."""

    kvs: list[KeyValue]
    count: int
    more: bool


class Store(Struct):
    """The key space of one member."""

    revision: int = 1
    compacted: int = -1
    """Reads below this revision are refused."""
    live: list[bytes] = field(default_factory=list)
    current: dict[bytes, KeyValue] = field(default_factory=dict)
    keys: list[bytes] = field(default_factory=list)
    """Sorted: every key that has any history left, deleted ones too."""
    history: dict[bytes, list[KeyValue]] = field(default_factory=dict)
    """By key, oldest first. A tombstone has version 0."""
    base: int = 1
    changes: list[tuple[WatchEvent, ...]] = field(default_factory=list)
    """``changes[i]`` happened at revision ``base + 1 + i``."""
    digest: int = 0
    """A running checksum of everything ever applied: equal digests, equal histories."""
    size: int = 20_480
    """Bytes of the database file; a compaction frees pages in it, only a defragmentation shrinks it."""
    in_use: int = 16_384
    tx: list[WatchEvent] = field(default_factory=list)
    """Changes of the transaction under way."""

    # -- reading --------------------------------------------------------------------------------------------------

    def range(self, q: RangeRequest) -> Found:
        """Answer a range as of ``q.revision`` (0: now). Inside a transaction it sees the transaction's own writes."""
        now = self.revision + 1 if self.tx else self.revision
        if q.revision > now:
            raise Refused(*errors.FUTURE_REVISION)
        if 0 < q.revision < self.compacted:
            raise Refused(*errors.COMPACTED)
        newest = q.revision <= 0 or q.revision == now
        if not q.range_end:
            kv = self.current.get(q.key) if newest else self.at(q.key, q.revision)
            kvs, total = ([], 0) if kv is None else ([kv], 1)
        else:
            plain = q.sort_order == "NONE" and q.sort_target == "KEY" and not self._filtered(q)
            cut = q.limit + 1 if q.limit > 0 and plain else 0
            kvs, total = self._scan(q, cut, newest)
        if q.count_only:
            return Found([], total, False)
        return self._finish(q, kvs, total)

    def at(self, key: bytes, revision: int) -> KeyValue | None:
        """``key`` as it was at ``revision``; None when it did not exist."""
        versions = self.history.get(key)
        if versions is None:
            return None
        for kv in reversed(versions):
            if kv.mod_revision <= revision:
                return kv if kv.version else None
        return None

    def before(self, key: bytes, revision: int) -> KeyValue | None:
        """``key`` just before ``revision``, for ``prev_kv``."""
        return self.at(key, revision - 1)

    def _scan(self, q: RangeRequest, cut: int, latest: bool) -> tuple[list[KeyValue], int]:
        keys = self.live if latest else self.keys
        low = bisect_left(keys, q.key)
        high = len(keys) if q.range_end == EVERYTHING else bisect_left(keys, q.range_end)
        if latest:
            total = max(high - low, 0)
            if q.count_only:
                return [], total
            current = self.current
            return [current[key] for key in keys[low : min(high, low + cut) if cut else high]], total
        kvs, total = [], 0
        for key in keys[low:high]:
            kv = self.at(key, q.revision)
            if kv is not None:
                total += 1
                if not cut or total <= cut:
                    kvs.append(kv)
        return kvs, total

    @staticmethod
    def _filtered(q: RangeRequest) -> bool:
        return bool(q.min_mod_revision or q.max_mod_revision or q.min_create_revision or q.max_create_revision)

    def _finish(self, q: RangeRequest, kvs: list[KeyValue], total: int) -> Found:
        if self._filtered(q):
            kvs = [
                kv
                for kv in kvs
                if (not q.max_mod_revision or kv.mod_revision <= q.max_mod_revision)
                and kv.mod_revision >= q.min_mod_revision
                and (not q.max_create_revision or kv.create_revision <= q.max_create_revision)
                and kv.create_revision >= q.min_create_revision
            ]
        if q.sort_order == "DESCEND" or q.sort_target != "KEY":
            # Keys come out ascending by themselves; a target without an order means ascending.
            name = {"KEY": "key", "VERSION": "version", "CREATE": "create_revision", "MOD": "mod_revision"}
            attribute = name.get(q.sort_target, "value")
            kvs = sorted(kvs, key=lambda kv: getattr(kv, attribute), reverse=q.sort_order == "DESCEND")
        more = 0 < q.limit < len(kvs)
        if more:
            kvs = kvs[: q.limit]
        if q.keys_only:
            kvs = [KeyValue(k.key, b"", k.create_revision, k.mod_revision, k.version, k.lease, k.cause) for k in kvs]
        return Found(kvs, total, more)

    def holds(self, compare: Compare) -> bool:
        """Does this comparison of a transaction hold now? Over a range it must hold for every key in it."""
        if not compare.range_end:
            kv = self.current.get(compare.key)
            if kv is None:
                # A key that isn't there compares as 0 everywhere, but has no value to compare.
                return compare.target != "VALUE" and _compare(0, compare)
            return _compare(_target(kv, compare), compare)
        kvs = self.range(RangeRequest(0, compare.key, compare.range_end)).kvs
        if not kvs:
            return compare.target != "VALUE" and _compare(0, compare)
        return all(_compare(_target(kv, compare), compare) for kv in kvs)

    # -- writing: put and delete between ``begin`` (implicit) and ``commit`` ------------------------------------------

    def put(self, key: bytes, value: bytes, lease: int, cause: int) -> KeyValue | None:
        """Write ``key`` in the transaction under way; what it was before."""
        revision = self.revision + 1
        old = self.current.get(key)
        if old is None:
            kv = KeyValue(key, value, revision, revision, 1, lease, cause)
            insort(self.live, key)
        else:
            kv = KeyValue(key, value, old.create_revision, revision, old.version + 1, lease, cause)
        self.current[key] = kv
        self._record(kv)
        self.tx.append(WatchEvent("PUT", kv))
        return old

    def delete(self, key: bytes, range_end: bytes, cause: int) -> list[KeyValue]:
        """Delete ``key`` or a range; what was deleted, in key order."""
        if not range_end:
            doomed = [self.current[key]] if key in self.current else []
        else:
            doomed = self.range(RangeRequest(0, key, range_end)).kvs
        if not doomed:
            return doomed
        revision = self.revision + 1
        live = self.live
        low = bisect_left(live, doomed[0].key)
        del live[low : low + len(doomed)]
        for old in doomed:
            del self.current[old.key]
            tombstone = KeyValue(old.key, mod_revision=revision, cause=cause)
            self._record(tombstone)
            self.tx.append(WatchEvent("DELETE", tombstone))
        return doomed

    def commit(self) -> tuple[WatchEvent, ...]:
        """End the transaction: its changes, or nothing (and no new revision) if it changed nothing."""
        if not self.tx:
            return ()
        events = tuple(self.tx)
        self.tx = []
        self.revision += 1
        self.changes.append(events)
        for event in events:
            kv = event.kv
            head = b"%d %d %d %d " % (kv.mod_revision, kv.version, kv.create_revision, kv.lease)
            self.digest = crc32(kv.value, crc32(kv.key, crc32(head, self.digest)))
        return events

    def _record(self, kv: KeyValue) -> None:
        versions = self.history.get(kv.key)
        if versions is None:
            self.history[kv.key] = [kv]
            insort(self.keys, kv.key)
        else:
            versions.append(kv)
        self.in_use += _weight(kv)
        self.size = max(self.size, self.in_use)

    # -- history --------------------------------------------------------------------------------------------------

    def since(self, revision: int) -> list[tuple[WatchEvent, ...]]:
        """The changes of every revision from ``revision`` on. Must not be below the compacted one."""
        return self.changes[max(revision - self.base - 1, 0) :]

    def compact(self, revision: int) -> None:
        """Forget every value that was replaced or deleted at or before ``revision``."""
        if revision <= self.compacted:
            raise Refused(*errors.COMPACTED)
        if revision > self.revision:
            raise Refused(*errors.FUTURE_REVISION)
        self.compacted = revision
        cut = revision - self.base - 1  # the change *at* the revision stays: a watch may start there
        if cut < 0:
            return
        gone = False
        for events in self.changes[: cut + 1]:
            for event in events:
                gone |= self._trim(event.kv.key, revision)
        del self.changes[:cut]
        self.base += cut
        if gone:
            self.keys = [key for key in self.keys if key in self.history]

    def _trim(self, key: bytes, revision: int) -> bool:
        """Drop the versions of ``key`` that nobody can ask for. True if nothing is left of it."""
        versions = self.history.get(key)
        if versions is None:
            return False
        keep = 0
        while keep + 1 < len(versions) and versions[keep + 1].mod_revision <= revision:
            keep += 1
        if versions[keep].mod_revision <= revision and not versions[keep].version:
            keep += 1
        if keep:
            self.in_use -= sum(_weight(kv) for kv in versions[:keep])
            del versions[:keep]
        if not versions:
            del self.history[key]
            return True
        return False

    def defragment(self) -> None:
        """Shrink the file to what is in use."""
        self.size = self.in_use

    def hash_kv(self, revision: int) -> int:
        """A checksum of every version that is left up to ``revision`` (0: now)."""
        if revision > self.revision:
            raise Refused(*errors.FUTURE_REVISION)
        if 0 < revision < self.compacted:
            raise Refused(*errors.COMPACTED)
        limit, total = revision or self.revision, 0
        for key in self.keys:
            for kv in self.history[key]:
                if kv.mod_revision <= limit:
                    total = crc32(kv.value, crc32(key, crc32(b"%d %d" % (kv.mod_revision, kv.version), total)))
        return total

    def copy(self) -> "Store":
        """A store of its own with the same (shared, immutable) values: a snapshot's content."""
        return Store(
            revision=self.revision, compacted=self.compacted, live=self.live[:], current=dict(self.current),
            keys=self.keys[:], history={key: versions[:] for key, versions in self.history.items()}, base=self.base,
            changes=self.changes[:], digest=self.digest, size=self.size, in_use=self.in_use,
        )  # fmt: skip


def _target(kv: KeyValue, compare: Compare) -> int | bytes:
    match compare.target:
        case "VERSION":
            return kv.version
        case "CREATE":
            return kv.create_revision
        case "MOD":
            return kv.mod_revision
        case "LEASE":
            return kv.lease
        case _:
            return kv.value


def _compare(actual: int | bytes, compare: Compare) -> bool:
    wanted = compare.value
    match compare.result:
        case "EQUAL":
            return actual == wanted
        case "NOT_EQUAL":
            return actual != wanted
        case "GREATER":
            return actual > wanted  # type: ignore[operator]
        case _:
            return actual < wanted  # type: ignore[operator]
