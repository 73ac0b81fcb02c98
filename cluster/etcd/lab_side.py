"""The half of a member that faces the laboratory: what a person at the bench may do to it, which no client can.

In: ``ElectionAt``, ``SnapshotNow``. Out: what the member would do anyway, at a moment that somebody chose.
No rule of Raft is broken: it assumes nothing about time, and compacts whatever is applied.

Simplified here: a real member's timers and ``--snapshot-count`` can only be waited for.
"""

from typing import Any, ClassVar

from cluster.etcd.client_side import ClientSide
from cluster.sim.actor import Outbox
from cluster.wire import etcd as w


class LabSide(ClientSide):
    """See the module's page."""

    acts: ClassVar[dict[type, str]] = {w.ElectionAt: "election_at", w.SnapshotNow: "snapshot_now"}

    def election_at(self, message: w.ElectionAt, now: int, out: Outbox) -> None:
        """Set the timer, and move the ticks so that one falls on that instant. A leader has no such timer."""
        s = self.state
        r = s.raft
        if r.role == "leader" or message.at <= now:
            return
        period = self.config.heartbeat_ns
        due = r.tick + -(-(message.at - now) // period)
        s.phase = message.at - due * period
        r.timeout = due - r.election_since
        s.armed_at = now
        self.ready(now, out)

    def snapshot_now(self, message: Any, now: int, out: Outbox) -> None:
        """A snapshot of all that is applied; no entry before it is kept for those that lag."""
        s = self.state
        log = s.raft.log
        if log.applied > (log.snapshot.index if log.snapshot is not None else 0):
            self._take_snapshot()
        log.compact(log.applied)
        self.ready(now, out)
