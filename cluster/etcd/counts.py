"""What a member counts about itself since its process began, for ``/metrics``.

In: writes to its disk, messages to and from peers. Out: numbers; nothing that happens depends on them. Times in ns, sizes in bytes.
Upstream: Prometheus' counters and histograms in server/etcdserver, server/storage/wal, api/rafthttp.
"""

from bisect import bisect_left
from typing import Final

from msgspec import Struct, field

from cluster.etcd.raft.log import size_of
from cluster.sim.clock import MILLISECOND
from cluster.wire.raft import RaftMessage

FSYNC_BUCKETS: Final = tuple(MILLISECOND << power for power in range(14))
"""Upper bounds, ns: 1 ms, doubled 13 times."""


class Counts(Struct):
    """What a process has counted since it began. Times in ns, sizes in bytes."""

    leader_changes: int = 0
    proposals_failed: int = 0
    reads_failed: int = 0
    fsyncs: list[int] = field(default_factory=lambda: [0] * (len(FSYNC_BUCKETS) + 1))
    """Writes of the log by how long they took, one more for what is slower than the last bound."""
    fsync_time: int = 0
    sent: dict[int, int] = field(default_factory=dict)
    received: dict[int, int] = field(default_factory=dict)
    """Bytes to and from peers, by member."""

    def fsync(self, took: int) -> None:
        """The log was written."""
        self.fsyncs[bisect_left(FSYNC_BUCKETS, took)] += 1
        self.fsync_time += took


IDLE: Final = 53
"""A message without entries, all fields written and ids as varints. A real heartbeat is one: 526 B a second to each follower, ten times a second."""
ENTRY: Final = 20
"""What an entry takes beside what it carries."""


def weight(m: RaftMessage) -> int:
    """Bytes of a message on the wire between two peers."""
    return IDLE + sum(ENTRY + size_of(entry) for entry in m.entries)
