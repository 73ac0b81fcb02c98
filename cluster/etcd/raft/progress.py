"""What a leader believes about one follower's log, and how fast it may talk to it.

Three states: **probe** (we don't know where the logs agree: one message, then wait), **replicate** (we do: send
optimistically, ``next`` moves when a message leaves, at most ``max_inflight`` unanswered), **snapshot** (what it needs
is compacted: say nothing until the snapshot is through).

In: acknowledgements, rejections. Out: whether and from where to send. Upstream: etcd-io/raft tracker/progress.go.
"""

from collections import deque
from typing import Final, Literal

from msgspec import Struct, field

ProgressState = Literal["probe", "replicate", "snapshot"]

PROGRESS_TRANSITIONS: Final[tuple[tuple[ProgressState, str, ProgressState], ...]] = (
    ("probe", "first append accepted", "replicate"),
    ("probe", "needs compacted entries", "snapshot"),
    ("replicate", "append rejected or peer unreachable", "probe"),
    ("replicate", "needs compacted entries", "snapshot"),
    ("snapshot", "snapshot sent, lost, or overtaken by an acknowledgement", "probe"),
)


class Progress(Struct):
    """``match``: known to be the same up to here. ``next``: the index to send next."""

    match: int = 0
    next: int = 1
    state: ProgressState = "probe"
    learner: bool = False
    recent_active: bool = False
    paused: bool = False
    pending_snapshot: int = 0
    snapshot_tick: int = 0
    """The tick at which the pending snapshot was sent."""
    inflights: deque[int] = field(default_factory=deque)
    """Last index of each append that is on its way."""

    def become(self, state: ProgressState) -> None:
        """Enter ``state`` with nothing in flight."""
        if state == "probe":
            # After a snapshot the follower has at least what was in it, if it arrived.
            self.next = max(self.match, self.pending_snapshot if self.state == "snapshot" else 0) + 1
        elif state == "replicate":
            self.next = self.match + 1
        self.state = state
        self.paused = False
        self.pending_snapshot = 0
        self.inflights.clear()

    def is_paused(self) -> bool:
        """Must the leader keep quiet for now?"""
        return self.paused or self.state == "snapshot"

    def sent(self, count: int, last: int, max_inflight: int) -> None:
        """``count`` entries ending in ``last`` have just left."""
        if not count:
            return
        if self.state == "replicate":
            self.next = last + 1
            self.inflights.append(last)
            self.paused = len(self.inflights) >= max_inflight
        elif self.state == "probe":
            self.paused = True

    def acked(self, index: int) -> bool:
        """The follower has everything up to ``index``. False if that was known."""
        news = index > self.match
        if news:
            self.match = index
            self.paused = False
        self.next = max(self.next, index + 1)
        return news

    def free(self, index: int) -> None:
        """Appends up to ``index`` are no longer in flight."""
        inflights = self.inflights
        while inflights and inflights[0] <= index:
            inflights.popleft()
        if self.state == "replicate":
            self.paused = False

    def rejected(self, index: int, hint: int) -> bool:
        """The follower refused an append after ``index``. False if that answer is stale."""
        if self.state == "replicate":
            if index <= self.match:
                return False
            self.next = self.match + 1
            return True
        if self.next - 1 != index:
            return False
        self.next = max(min(index, hint + 1), self.match + 1)
        self.paused = False
        return True
