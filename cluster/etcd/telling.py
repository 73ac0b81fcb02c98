"""What a member says of itself to the recorder: changes of role, and the way of a traced entry.

A ``Raft`` note whenever role, term, vote or leader changes. For entries that a request caused, ``Stage`` notes: ``propose`` and
``commit`` by the leader, ``append/<member>`` and ``apply`` by each member.

In: Raft's state and a write's batch. Out: notes; nothing that happens depends on them.
"""

from types import FunctionType
from typing import Final

from cluster.etcd.apply import apply
from cluster.etcd.peers import PeerSide
from cluster.etcd.raft.log import RaftLog
from cluster.etcd.raft.replication import append_own, maybe_commit
from cluster.etcd.state import Batch, Proposal
from cluster.sim.actor import Outbox
from cluster.sim.clock import MILLISECOND
from cluster.trace import notes
from cluster.wire.raft import Entry


def _place(function: FunctionType) -> str:
    return f"{function.__module__}:{function.__code__.co_firstlineno}"


PROPOSED: Final = _place(append_own)
STORED: Final = _place(RaftLog.append)
COMMITTED: Final = _place(maybe_commit)
APPLIED: Final = _place(apply)
"""Where in this program that is decided, for the reader of a trace."""


class Telling(PeerSide):
    """See the module's page."""

    def _show(self, shown: tuple[str, int, int, int], now: int, out: Outbox) -> None:
        s = self.state
        r, before = s.raft, s.shown
        s.shown = shown
        names = s.app.membership.name_of
        out.note(
            notes.Raft(
                self.name, r.role, r.term, names(r.vote), names(r.lead), r.log.committed, r.log.applied, r.log.last
            )
        )
        if r.lead != before[3] or (r.role == "leader") != (before[0] == "leader"):
            if r.lead and r.lead != before[3]:
                s.lead_since = now
                s.counts.leader_changes += 1
            self.leader_changed(before[0] == "leader", r.lead != 0 and r.lead != before[3], now, out)

    def _trace_new(self, now: int, out: Outbox) -> None:
        """Entries that were appended in this step: remember when, and as leader say that they were proposed."""
        s = self.state
        r = s.raft
        log = r.log
        start = max(min(s.traced, log.stable), log.offset)
        for entry in log.entries[start - log.offset :]:
            if not entry.cause or (entry.index <= s.traced and entry.index in s.appended):
                continue
            s.appended[entry.index] = now
            if r.role == "leader":
                proposal: Proposal = entry.data
                origin = s.app.membership.name_of(proposal.origin)
                how = "" if origin == self.name else f", forwarded by {origin},"
                out.note(
                    notes.Stage(
                        entry.cause, "propose", self.name, proposal.at, now, "ok",
                        f"leader {self.name} appended the request{how} as entry {entry.index} of term {entry.term}",
                        {"index": entry.index, "term": entry.term, "origin": origin}, source=PROPOSED,
                    )
                )  # fmt: skip
        s.traced = log.last

    def _trace_stored(self, batch: Batch, now: int, out: Outbox) -> None:
        """A write is on this member's disk."""
        for index, term, cause, appended in batch.traces:
            took = (now - batch.started) / MILLISECOND
            out.note(
                notes.Stage(
                    cause, f"append/{self.name}", self.name, appended, now, "ok",
                    f"{self.name} stored entry {index} of term {term} after {took:.1f} ms fsync",
                    {"index": index, "term": term}, source=STORED,
                )
            )  # fmt: skip

    def _trace_apply(self, entry: Entry, now: int, out: Outbox) -> None:
        s = self.state
        r = s.raft
        appended = s.appended.pop(entry.index, now)
        where = {"index": entry.index, "term": entry.term}
        if r.role == "leader":
            names = s.app.membership.name_of
            have = [names(member) for member in r.voters if r.progress[member].match >= entry.index]
            need = len(r.voters) // 2 + 1
            out.note(
                notes.Stage(
                    entry.cause, "commit", self.name, appended, now, "ok",
                    f"{len(have)} of {len(r.voters)} members have entry {entry.index}: a quorum ({need})",
                    {**where, "have": have, "need": need, "voters": len(r.voters)}, source=COMMITTED,
                )
            )  # fmt: skip
        out.note(
            notes.Stage(
                entry.cause, "apply", self.name, now, now, "ok",
                f"{self.name} applied entry {entry.index}", {**where, "revision": s.app.store.revision},
                source=APPLIED,
            )
        )  # fmt: skip

    def leader_changed(self, was_leader: bool, new_leader: bool, now: int, out: Outbox) -> None:
        """Another leader, or none, or me, or no longer me."""
        raise NotImplementedError
