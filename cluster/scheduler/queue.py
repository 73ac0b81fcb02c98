"""The scheduling queue: which Pod is next, which rest, and which wait for the world to change.

Three places. **active**: by priority, then by age. **backoff**: tried and failed not long ago; 1 s · 2ⁿ ≤ 10 s. **unschedulable**:
no Node would do; such a Pod waits for an event that could change the mind of a plug-in that refused it, or for five minutes.

Plain data and functions on it: the scheduler's state holds one ``SchedulingQueue``.

Upstream: kubernetes pkg/scheduler/backend/queue/scheduling_queue.go.
"""

import heapq

from msgspec import Struct, field

from cluster.sim import MINUTE, SECOND

INITIAL_BACKOFF = 1 * SECOND
MAX_BACKOFF = 10 * SECOND
MAX_IN_UNSCHEDULABLE = 5 * MINUTE


class Entry(Struct):
    """A Pod in the queue. ``refused_by``: the plug-ins that said no last time."""

    key: str
    priority: int
    added: int
    cause: int
    where: str = "active"
    attempts: int = 0
    failed_at: int = 0
    refused_by: tuple[str, ...] = ()
    nominated: str = ""


class SchedulingQueue(Struct):
    """Heaps hold keys; an entry counts only where its ``where`` says it is (stale heap items are skipped)."""

    entries: dict[str, Entry] = field(default_factory=dict)
    active: list[tuple[int, int, int, str]] = field(default_factory=list)
    backoff: list[tuple[int, str]] = field(default_factory=list)
    unschedulable: dict[str, int] = field(default_factory=dict)
    """Key → since when, the longest waiting first."""
    refusals: dict[str, dict[str, None]] = field(default_factory=dict)
    """Plug-in → keys of unschedulable Pods that it refused: an event touches only those it may help."""
    sequence: int = 0

    def add(self, key: str, priority: int, now: int, cause: int) -> None:
        """A new Pod without a Node."""
        if key not in self.entries:
            self.entries[key] = Entry(key, priority, now, cause)
            self._activate(self.entries[key])

    def remove(self, key: str) -> None:
        """It has a Node, or is gone."""
        entry = self.entries.pop(key, None)
        if entry is not None and entry.where == "unschedulable":
            self._leave(entry)

    def pop(self) -> Entry | None:
        """The next Pod to try; its entry stays, as ``scheduling``, until it is bound, deleted or failed."""
        while self.active:
            key = heapq.heappop(self.active)[3]
            entry = self.entries.get(key)
            if entry is not None and entry.where == "active":
                entry.where = "scheduling"
                entry.attempts += 1
                return entry
        return None

    def failed(self, entry: Entry, refused_by: tuple[str, ...], now: int) -> None:
        """No Node would do. Without a plug-in to blame (an error) it is tried again after its back-off."""
        entry.refused_by = refused_by
        entry.failed_at = now
        if refused_by:
            entry.where = "unschedulable"
            self.unschedulable[entry.key] = now
            for name in refused_by:
                self.refusals.setdefault(name, {})[entry.key] = None
        else:
            self._rest(entry)

    def wake(self, reacting: tuple[str, ...], now: int, cause: int) -> bool:
        """Something happened that could change the mind of these plug-ins. Whether anybody moved."""
        moved = False
        for name in reacting:
            for key in list(self.refusals.get(name, ())):
                entry = self.entries[key]
                entry.cause = cause or entry.cause
                self._move(entry, now)
                moved = True
        return moved

    def wake_one(self, key: str, now: int, cause: int) -> None:
        """The Pod itself was changed."""
        entry = self.entries.get(key)
        if entry is not None and entry.where == "unschedulable":
            entry.cause = cause or entry.cause
            self._move(entry, now)

    def due(self, now: int) -> None:
        """Move what has rested enough, and what has been unschedulable for too long."""
        while self.backoff and self.backoff[0][0] <= now:
            _, key = heapq.heappop(self.backoff)
            entry = self.entries.get(key)
            if entry is not None and entry.where == "backoff":
                self._activate(entry)
        while self.unschedulable:
            key = next(iter(self.unschedulable))
            if now - self.unschedulable[key] < MAX_IN_UNSCHEDULABLE:
                break
            self._leave(self.entries[key])
            self._activate(self.entries[key])

    def next_due(self) -> int | None:
        """When ``due`` should be called next; None: no need."""
        first = self.backoff[0][0] if self.backoff else None
        if self.unschedulable:
            oldest = self.unschedulable[next(iter(self.unschedulable))] + MAX_IN_UNSCHEDULABLE
            first = oldest if first is None else min(first, oldest)
        return first

    def counts(self) -> dict[str, int]:
        """How many are where (scheduler_pending_pods)."""
        result = {"active": 0, "backoff": 0, "unschedulable": 0, "scheduling": 0}
        for entry in self.entries.values():
            result[entry.where] += 1
        return result

    def _leave(self, entry: Entry) -> None:
        del self.unschedulable[entry.key]
        for name in entry.refused_by:
            del self.refusals[name][entry.key]

    def _move(self, entry: Entry, now: int) -> None:
        self._leave(entry)
        if self._rested_at(entry) <= now:
            self._activate(entry)
        else:
            self._rest(entry)

    @staticmethod
    def _rested_at(entry: Entry) -> int:
        return entry.failed_at + min(INITIAL_BACKOFF << min(max(entry.attempts - 1, 0), 8), MAX_BACKOFF)

    def _rest(self, entry: Entry) -> None:
        entry.where = "backoff"
        heapq.heappush(self.backoff, (self._rested_at(entry), entry.key))

    def _activate(self, entry: Entry) -> None:
        entry.where = "active"
        self.sequence += 1
        heapq.heappush(self.active, (-entry.priority, entry.added, self.sequence, entry.key))
