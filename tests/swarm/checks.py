"""Raft's promises, watched as members act. Nothing here asks Raft what it thinks of itself.

- **Election safety**: one leader a term. Every change of role is seen (the members' notes).
- **Leader completeness**: whoever becomes leader of a later term has all that was committed before.
- **Log matching**: an entry of some index and term is the same wherever it is written, and so is the term of the one before it (by induction
  everything before it).
- **State machine safety**: every member applies the same entries at the same indexes, and is in the same state after each.
- **Durable votes and fsync before answering**: when a vote or an acknowledgement leaves, the sender's disk holds it; no member votes for two in a term.
- **No acknowledged write is lost**, **revisions in real time**: a write's answer names the revision at which every member applied it, and of two
  writes of which one ended before the other began, it has the smaller revision.

``Member`` is the real member, with its hands watched.
"""

from typing import TYPE_CHECKING, Any

from cluster.etcd import EtcdMember
from cluster.etcd.raft import Snapshot
from cluster.etcd.state import LogStart
from cluster.sim import SECOND
from cluster.sim.actor import Outbox
from cluster.trace.notes import Raft as RaftNote
from cluster.wire.etcd import WatchEvent
from cluster.wire.raft import Entry, HardState, RaftMessage

if TYPE_CHECKING:
    from tests.swarm.run import Run


class Violation(AssertionError):
    """The cluster did what it must never do."""


class Checks:
    """What has been seen so far in one run."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.leaders: dict[int, str] = {}
        self.entries: dict[tuple[int, int], tuple[Entry, int]] = {}
        """(index, term) → the entry, and the term of the one before."""
        self.applied: dict[int, tuple[Entry, str, int]] = {}
        """Index → the entry, who applied it first, that member's term then (committed at the latest in that term)."""
        self.digests: dict[int, tuple[int, int]] = {}
        self.votes: dict[tuple[str, int], int] = {}
        self.history: dict[int, tuple[WatchEvent, ...]] = {}
        """Revision → its changes."""
        self.fresh: list[str] = []
        """Who has become leader since somebody last looked."""
        self.stood: dict[tuple[str, int], bool] = {}
        """(member, term) → was it in vain from the first."""
        self.vain_since = 0
        """When a candidate stood in vain and nobody has stood since; 0: the last candidate could win."""
        self.vain = 0
        """Nanoseconds spent like that before."""

    def fail(self, why: str) -> None:
        """Violation."""
        raise Violation(f"at {self.run.world.now / 1e9:.3f} s: {why}")

    # -- as the world's observer ------------------------------------------------------------------------------------

    def note(self, now: int, actor: str, cause: int, note: Any) -> None:
        """A change of role: election safety, leader completeness; and who stands in vain."""
        if type(note) is not RaftNote:
            return
        if note.role == "candidate" and (note.member, note.term) not in self.stood:
            self._stands(now, note.member, note.term)
        if note.role != "leader":
            return
        if self.leaders.setdefault(note.term, note.member) != note.member:
            self.fail(f"two leaders in term {note.term}: {self.leaders[note.term]} and {note.member}")
        self.fresh.append(note.member)
        member: Any = self.run.world.actors[note.member]
        self._voted(note.member, note.term, member.config.id)
        log = member.state.raft.log
        for index in range(max(log.first, log.committed - 40), max(self.applied, default=0) + 1):
            known = self.applied.get(index)
            if known is not None and known[2] < note.term and log.term_of(index) != known[0].term:
                self.fail(
                    f"{note.member}, leader of term {note.term}, has {log.term_of(index)} at {index}, where {known[1]} applied an entry"
                    f" of term {known[0].term} in term {known[2]}"
                )

    def _stands(self, now: int, candidate: str, term: int) -> None:
        """A majority with better logs than the candidate's makes its term one in which nobody can lead, and everybody waits for another timeout."""
        r = self.run.member(candidate).state.raft
        logs = {each.raft.id: each.raft.log for each in (self.run.member(name).state for name in self.run.running())}
        log = r.log
        said = {id_: logs[id_].up_to_date(log.last, log.last_term) for id_ in r.electorate() if id_ in logs}
        vain = self.stood[candidate, term] = r.quorum_of(said) == "lost"
        self.vain = self.in_vain(now)
        self.vain_since = now if vain else 0

    def in_vain(self, now: int) -> int:
        """Nanoseconds until ``now`` that passed between a candidacy in vain and the next one (or the longest timeout there is)."""
        return self.vain + (min(now - self.vain_since, 2 * SECOND) if self.vain_since else 0)

    def sent(self, now: int, arrival: int, src: str, dst: str, message: Any, cause: int) -> None:
        """A promise leaves its member: is it on the disk?"""
        if type(message) is not RaftMessage or message.reject:
            return
        if message.type not in ("MsgVoteResp", "MsgAppResp"):
            return
        hard = next((r for r in reversed(self._disk(src)) if type(r) is HardState), HardState())
        if message.type == "MsgVoteResp":
            self._voted(src, message.term, message.to)
            if (hard.term, hard.vote) != (message.term, message.to) and hard.term <= message.term:
                self.fail(f"{src} votes for {dst} in term {message.term}, and its disk says {hard}")
        elif message.index and hard.term <= message.term:
            # (What it acknowledged in an earlier term may have been overruled since: no quorum can be made of that any more.)
            last = self._last(self._disk(src))
            if last < message.index:
                self.fail(f"{src} acknowledges {message.index} to {dst}, and its disk ends at {last}")

    def dropped(self, now: int, src: str, dst: str, message: Any, cause: int, why: str) -> None:
        """A promise that is lost on the way was made all the same."""
        if why != "down":
            self.sent(now, now, src, dst, message, cause)

    def _disk(self, member: str) -> list[Any]:
        return self.run.world.state.disks[member].synced

    @staticmethod
    def _last(records: list[Any]) -> int:
        for record in reversed(records):
            if type(record) is Entry or type(record) is LogStart or type(record) is Snapshot:
                return record.index
        return 0

    def _voted(self, member: str, term: int, whom: int) -> None:
        if self.votes.setdefault((member, term), whom) != whom:
            self.fail(
                f"{member} votes for {whom:x} in term {term}, in which it has voted for {self.votes[member, term]:x}"
            )

    # -- from the members' hands ------------------------------------------------------------------------------------

    def stored(self, member: str, records: list[Any], log: Any) -> None:
        """``member`` writes ``records``."""
        for record in records:
            if type(record) is Entry:
                previous = log.term_of(record.index - 1)
                known = self.entries.get((record.index, record.term))
                if known is None:
                    self.entries[record.index, record.term] = (record, previous)
                elif known[0] is not record and known[0] != record:
                    self.fail(f"{member} has another entry {record.index} of term {record.term} than others")
                elif previous is not None and known[1] is not None and previous != known[1]:
                    self.fail(
                        f"{member}: before entry {record.index} of term {record.term} stands {previous}, elsewhere {known[1]}"
                    )

    def took(self, member: str, entry: Entry, term: int, store: Any) -> None:
        """``member``, in ``term``, has applied ``entry``."""
        known = self.applied.setdefault(entry.index, (entry, member, term))
        if known[0] is not entry and known[0] != entry:
            self.fail(f"{member} applied at {entry.index} something else than {known[1]}: {entry} and {known[0]}")
        after = (store.digest, store.revision)
        if self.digests.setdefault(entry.index, after) != after:
            self.fail(f"{member} is in another state than {known[1]} after applying {entry.index}")

    def changed(self, events: tuple[WatchEvent, ...], revision: int, now: int) -> None:
        """``events`` are the changes of ``revision``."""
        if revision not in self.history:
            self.history[revision] = events
            self.run.tenant.changed(events, now)
        elif self.history[revision] != events:
            self.fail(f"two different revisions {revision}")

    # -- at the end ---------------------------------------------------------------------------------------------------

    def acknowledged(self, ops: list[Any]) -> None:
        """Every answered write is in the history where its answer says, in the order of real time."""
        writes = [op for op in ops if op.end is not None and op.f != "get" and op.out is not False]
        for op in writes:
            events = self.history.get(op.revision, ())
            wanted = "DELETE" if op.f == "delete" else "PUT"
            if not any(
                e.type == wanted and e.kv.key == op.key and e.kv.value == (op.value if wanted == "PUT" else b"")
                for e in events
            ):
                self.fail(f"an acknowledged write is lost: {op}; revision {op.revision} is {events}")
        ended = sorted(writes, key=lambda op: op.end)
        done, highest = 0, 0
        for op in sorted(writes, key=lambda op: op.start):
            while ended[done].end < op.start:
                highest = max(highest, ended[done].revision)
                done += 1
            if op.revision <= highest:
                self.fail(f"{op} came after a write of revision {highest} had been acknowledged")


class Member(EtcdMember):
    """An etcd member whose writes and applies are watched."""

    checks: Checks
    """Set by the run on a subclass of its own."""

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        super().boot(disk, now, out)
        self.state.raft.max_message_bytes, self.state.raft.max_inflight = self.checks.run.limits

    def _token_write(self, records: list[Any], out: Outbox, replace: bool = False) -> int:
        self.checks.stored(self.name, records, self.state.raft.log)
        return super()._token_write(records, out, replace)

    def _apply(self, entry: Entry, now: int, out: Outbox) -> None:
        super()._apply(entry, now, out)
        self.checks.took(self.name, entry, self.state.raft.term, self.state.app.store)

    def _apply_quietly(self, entry: Entry) -> None:
        super()._apply_quietly(entry)
        self.checks.took(self.name, entry, self.state.raft.term, self.state.app.store)

    def changed(self, events: tuple[WatchEvent, ...], now: int, out: Outbox) -> None:
        self.checks.changed(events, self.state.app.store.revision, now)
        super().changed(events, now, out)
