"""A disk: records appended in order, and which of them a crash leaves behind.

A write is durable when its fsync completes. On a crash, everything synced survives; of what was still in flight a
prefix may have reached the platter, chosen by the disk's own die, which is what makes "unknown outcome" real.

Simplified here: a write is whole records (no torn record: etcd's WAL discards those by checksum), one fsync queue per
process, no read errors, no capacity.
"""

# pyright: reportUnknownVariableType=false
# (what field(default_factory=list) makes is of unknown type to pyright)

from typing import Any

from msgspec import Struct, field

from cluster.sim.dice import Dice


class Write(Struct):
    """One write call waiting for its fsync. ``replace`` means the disk becomes exactly ``records``."""

    token: int
    records: list[Any]
    replace: bool


class Disk(Struct):
    """``synced`` survives a crash. ``busy_until`` is when the fsync queue is empty (virtual ns)."""

    dice: Dice
    fsync_min: int
    fsync_max: int
    synced: list[Any] = field(default_factory=list)
    pending: list[Write] = field(default_factory=list)
    busy_until: int = 0
    fsyncs: int = 0

    def submit(self, write: Write, now: int) -> int:
        """Queue ``write``; the instant its fsync ends. Writes that wait behind a running fsync share the next one."""
        start = max(now, self.busy_until)
        if self.pending and self.busy_until > now + self.fsync_max:
            done = self.busy_until
        else:
            done = start + self.dice.between(self.fsync_min, self.fsync_max)
            self.busy_until = done
            self.fsyncs += 1
        self.pending.append(write)
        return done

    def buffer(self, records: list[Any]) -> None:
        """Append without an fsync: shares the fate of the write before it.

        Simplified here: with nothing in flight it is as good as durable (the page cache outlives the process).
        """
        if self.pending:
            last = self.pending[-1]
            last.records = [*last.records, *records]
        else:
            self.synced.extend(records)

    def complete(self, token: int) -> None:
        """The fsync of ``token`` ended: it and everything before it is durable."""
        while self.pending:
            write = self.pending.pop(0)
            self._apply(write)
            if write.token == token:
                return

    def crash(self) -> list[Any]:
        """Power off: a prefix of what was in flight made it. Returns what survives."""
        for write in self.pending[: self.dice.below(len(self.pending) + 1)]:
            self._apply(write)
        self.pending = []
        self.busy_until = 0
        return self.synced

    def _apply(self, write: Write) -> None:
        self.synced = list(write.records) if write.replace else self.synced
        if not write.replace:
            self.synced.extend(write.records)
