"""What a member's disk says: from records back to a log.

In: the records that survived, in the order they were written. Out: log, HardState, snapshot. Two functions write the same records.
A record of an entry cuts off everything from its index on, as a follower's log does when a new leader overrules it.

Upstream: server/storage/wal/wal.go, ReadAll.
"""

from typing import Any

from cluster.etcd.raft import RaftLog, Snapshot
from cluster.etcd.state import LogStart
from cluster.wire.raft import Entry, HardState


def read(records: list[Any]) -> tuple[RaftLog, HardState]:
    """The log and HardState that ``records`` amount to. Nothing is applied yet beyond the snapshot."""
    log, hard = RaftLog(), HardState()
    for record in records:
        if type(record) is Entry:
            keep = record.index - log.offset - 1
            if keep < len(log.entries):
                del log.entries[keep:]
            log.entries.append(record)
        elif type(record) is HardState:
            hard = record
        elif type(record) is Snapshot:
            log = RaftLog(offset=record.index, offset_term=record.term, snapshot=record)
        elif type(record) is LogStart:
            log.offset, log.offset_term = record.index, record.term
    log.stable = log.last
    log.applied = log.snapshot.index if log.snapshot is not None else 0
    log.committed = max(min(hard.commit, log.last), log.applied)
    return log, hard


def whole(log: RaftLog, hard: HardState) -> list[Any]:
    """Records for a disk that holds exactly this (after a snapshot)."""
    assert log.snapshot is not None
    return [log.snapshot, LogStart(log.offset, log.offset_term), *log.entries, hard]
