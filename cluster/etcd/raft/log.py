"""A member's copy of the log: what may be lost, what is durable, what is committed, what is applied.

``entries[0]`` has index ``offset + 1``; everything up to ``offset`` was compacted away into a snapshot, of which
only the term is remembered. ``stable`` is the last index handed to the disk. Always: applied <= committed <= last.

In: entries from a leader or a proposal. Out: indexes and terms. Errors: ``term_of`` is None for an index that is
compacted or not there yet; a committed entry that would be overwritten is an AssertionError, because then Raft is broken.

Upstream: etcd-io/raft log.go and log_unstable.go.
"""

from typing import Any

from msgspec import Struct, field

from cluster.wire.raft import Entry


class Snapshot(Struct, frozen=True):
    """Everything up to ``index``, as one value: the members at that moment and the application's ``data``."""

    index: int
    term: int
    voters: tuple[int, ...]
    learners: tuple[int, ...]
    data: Any = None
    outgoing: tuple[int, ...] = ()
    learners_next: tuple[int, ...] = ()
    auto_leave: bool = False


def size_of(entry: Entry) -> int:
    """Payload bytes for the size limits; data that does not say its ``size`` counts as 64."""
    return 0 if entry.data is None else getattr(entry.data, "size", 64)


class RaftLog(Struct):
    """The log. See the module's page."""

    offset: int = 0
    offset_term: int = 0
    entries: list[Entry] = field(default_factory=list)
    stable: int = 0
    committed: int = 0
    applied: int = 0
    snapshot: Snapshot | None = None
    """The newest snapshot this member has; sent to whoever needs entries before ``offset``."""

    @property
    def first(self) -> int:
        """Index of the oldest entry still here."""
        return self.offset + 1

    @property
    def last(self) -> int:
        """Index of the newest entry."""
        return self.offset + len(self.entries)

    @property
    def last_term(self) -> int:
        """Term of the newest entry."""
        return self.entries[-1].term if self.entries else self.offset_term

    def term_of(self, index: int) -> int | None:
        """The term of entry ``index``; None when compacted or beyond the end."""
        at = index - self.offset
        if 0 < at <= len(self.entries):
            return self.entries[at - 1].term
        return self.offset_term if at == 0 else None

    def up_to_date(self, index: int, term: int) -> bool:
        """Is a log ending in (``index``, ``term``) at least as good as this one? By last term, then length."""
        mine = self.last_term
        return term > mine or (term == mine and index >= self.last)

    def slice(self, start: int, max_bytes: int) -> tuple[Entry, ...]:
        """Entries from ``start`` on, up to ``max_bytes`` of payload, but at least one if there is one."""
        at = start - self.offset - 1
        rest = self.entries[at:]
        if len(rest) <= 1:
            return tuple(rest)
        total, n = 0, 0
        for entry in rest:
            total += size_of(entry)
            if total > max_bytes and n:
                break
            n += 1
        return tuple(rest[:n])

    def append(self, entries: tuple[Entry, ...] | list[Entry]) -> None:
        """Put ``entries`` at the end, cutting off whatever conflicts with them."""
        start = entries[0].index
        assert start > self.committed, f"entry {start} would overwrite a committed one ({self.committed})"
        keep = start - self.offset - 1
        if keep < len(self.entries):
            del self.entries[keep:]
            self.stable = min(self.stable, start - 1)
        self.entries.extend(entries)

    def maybe_append(self, index: int, term: int, commit: int, entries: tuple[Entry, ...]) -> int | None:
        """A leader's append after (``index``, ``term``): the last index now known to match, None if it doesn't fit."""
        if self.term_of(index) != term:
            return None
        for position, entry in enumerate(entries):
            if self.term_of(entry.index) != entry.term:
                self.append(entries[position:])
                break
        last_new = index + len(entries)
        self.commit_to(min(commit, last_new))
        return last_new

    def conflict_by_term(self, index: int, term: int) -> tuple[int, int]:
        """The largest index <= ``index`` whose term is <= ``term``, and its term: where both logs may still agree.

        An index of unknown term (compacted) ends the search with term 0.
        """
        while index > 0:
            mine = self.term_of(index)
            if mine is None:
                return index, 0
            if mine <= term:
                return index, mine
            index -= 1
        return 0, 0

    def commit_to(self, index: int) -> None:
        """Everything up to ``index`` is committed. Never goes back."""
        if index > self.committed:
            assert index <= self.last, f"commit {index} is beyond the log's end {self.last}"
            self.committed = index

    def unstable(self) -> list[Entry]:
        """Entries not yet handed to the disk."""
        return self.entries[max(self.stable - self.offset, 0) :]

    def to_apply(self) -> list[Entry]:
        """Committed entries not yet applied."""
        return self.entries[self.applied - self.offset : self.committed - self.offset]

    def compact(self, index: int) -> None:
        """Forget the entries up to ``index``. They must be applied and covered by ``snapshot``."""
        if index <= self.offset:
            return
        assert index <= self.applied
        term = self.term_of(index)
        assert term is not None
        del self.entries[: index - self.offset]
        self.offset, self.offset_term = index, term

    def restore(self, snapshot: Snapshot) -> None:
        """Throw the whole log away and begin after ``snapshot``."""
        self.offset, self.offset_term, self.entries = snapshot.index, snapshot.term, []
        self.stable = self.committed = snapshot.index
        self.snapshot = snapshot
