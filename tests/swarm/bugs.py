"""Classic ways to get Raft wrong. Each is put in by a test and must be caught by some checker within its number of seeds.

In: pytest's MonkeyPatch. The product has no switch for any of this: functions and methods are replaced, and put back.
``BUGS``: name → ``Bug(make, seeds, members)``; ``seeds`` is how many runs (from seed 1) may be needed, ``members`` fixes the size (0: as the seed says).
"""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from cluster.etcd import client_side, durable, raft_side, watch_side
from cluster.etcd.lease import Lessor
from cluster.etcd.member import EtcdMember
from cluster.etcd.raft import InvalidChange, election, node, quorum, reads, replication
from cluster.etcd.raft.log import RaftLog, size_of
from cluster.etcd.raft.node import RawNode
from cluster.etcd.raft.progress import Progress
from cluster.etcd.raft.state import Raft
from cluster.sim.actor import Outbox
from cluster.wire import etcd as w
from cluster.wire.raft import HardState, RaftMessage
from tests.swarm.run import Run

Patch = pytest.MonkeyPatch


def votes_for_stale_logs(p: Patch) -> None:
    """A vote is given whatever the candidate's log lacks (§5.4.1 left out)."""
    p.setattr(RaftLog, "up_to_date", lambda *_: True)


def commits_without_quorum(p: Patch) -> None:
    """What any single member has is taken for committed."""
    p.setattr(quorum, "committed_index", max)


def counts_replicas_of_old_terms(p: Patch) -> None:
    """A leader commits entries of earlier terms by counting them (§5.4.2, figure 8)."""

    def commit(r: Raft) -> bool:
        index = quorum.committed_index([r.progress[voter].match for voter in r.voters])
        if index <= r.log.committed:
            return False
        r.uncommitted = max(r.uncommitted - sum(map(size_of, r.log.entries)), 0)
        r.log.committed = index
        return True

    p.setattr(replication, "maybe_commit", commit)
    p.setattr(reads, "release_early", _release_at_once)


def _release_at_once(r: Raft) -> None:
    waiting, r.early_reads = r.early_reads, []
    for m in waiting:
        reads.handle_read(r, m)


def forgets_its_vote(p: Patch) -> None:
    """The vote is not in what goes to the disk."""
    p.setattr(Raft, "hard_state", lambda r: HardState(r.term, 0, r.log.committed))


def votes_twice(p: Patch) -> None:
    """Whoever asks gets a vote, also after another has it."""
    real = election.handle_vote

    def handle(r: Raft, m: RaftMessage) -> None:
        if m.type == "MsgVote":
            r.vote = r.lead = 0
        real(r, m)

    p.setattr(election, "handle_vote", handle)


def answers_before_fsync(p: Patch) -> None:
    """Acknowledgements and votes leave at once, the disk follows."""
    real = EtcdMember._persist

    def persist(self: Any, now: int, out: Outbox) -> bool:
        promises, self.state.raft.after = self.state.raft.after, []
        self._keep(promises, out)
        return real(self, now, out) or bool(self.state.raft.after)

    p.setattr(EtcdMember, "_persist", persist)


def appends_without_looking(p: Patch) -> None:
    """A follower takes entries although it does not have the one before them."""
    real = RaftLog.maybe_append

    def append(log: RaftLog, index: int, term: int, commit: int, entries: tuple[Any, ...]) -> int | None:
        if log.committed <= index <= log.last and entries and log.term_of(index) != term:
            log.append(entries)
            log.commit_to(min(commit, log.last))
            return log.last
        return real(log, index, term, commit, entries)

    p.setattr(RaftLog, "maybe_append", append)


def keeps_what_conflicts(p: Patch) -> None:
    """A follower keeps its own entry where the leader has another of the same index."""

    def append(log: RaftLog, index: int, term: int, commit: int, entries: tuple[Any, ...]) -> int | None:
        if log.term_of(index) != term:
            return None
        new = [entry for entry in entries if entry.index > log.last]
        if new:
            log.append(new)
        log.commit_to(min(commit, index + len(entries)))
        return index + len(entries)

    p.setattr(RaftLog, "maybe_append", append)


def commits_what_the_leader_says(p: Patch) -> None:
    """A heartbeat's commit is not held to what the follower is known to have, and the follower cuts it to its log's end."""

    def beat(r: Raft, context: object) -> None:
        for member in r.progress:
            if member != r.id:
                r.messages.append(
                    RaftMessage("MsgHeartbeat", member, r.id, r.term, commit=r.log.committed, context=context)
                )

    real = RaftLog.commit_to
    p.setattr(reads, "heartbeat", beat)
    p.setattr(RaftLog, "commit_to", lambda log, index: real(log, min(index, log.last)))


def leads_on_in_an_old_term(p: Patch) -> None:
    """A leader that hears of a higher term takes the number and goes on leading."""
    real = RawNode.step

    def step(self: RawNode, m: RaftMessage) -> None:
        r = self.raft
        if (
            r.role == "leader"
            and m.term > r.term
            and m.type not in ("MsgPreVote", "MsgPreVoteResp", "MsgApp", "MsgSnap", "MsgHeartbeat")
        ):
            r.term, r.vote = m.term, r.id
        real(self, m)

    p.setattr(RawNode, "step", step)


def wins_with_half(p: Patch) -> None:
    """Half of the voters is taken for a majority."""
    p.setattr(quorum, "needed", lambda voters: max((voters + 1) // 2, 1))


def counts_refusals(p: Patch) -> None:
    """An answer to a candidate is taken for a yes."""
    real = election.handle_vote_response

    def handle(r: Raft, m: RaftMessage) -> None:
        real(r, RaftMessage(m.type, m.to, m.frm, m.term))

    p.setattr(election, "handle_vote_response", handle)


def reads_without_asking(p: Patch) -> None:
    """A leader answers reads without making sure that it still leads."""
    p.setattr(reads, "handle_read", lambda r, m: reads.answer(r, m, r.log.committed))


def reads_before_its_first_commit(p: Patch) -> None:
    """A new leader takes the commit index it has for the cluster's, before it committed anything of its own term."""

    def handle(r: Raft, m: RaftMessage) -> None:
        if all(read.context != m.context for read in r.reads):
            r.reads.append(reads.PendingRead(m.context, r.log.committed, m, {r.id: True}))
        reads.heartbeat(r, m.context)

    p.setattr(reads, "handle_read", handle)


def reads_without_waiting_for_apply(p: Patch) -> None:
    """A follower answers a confirmed read from what it has applied, however little that is."""

    def serve(self: Any, now: int, out: Outbox) -> None:
        current = self.state.round
        if current is not None and current.index is not None:
            self._end_round(None, now, out)

    p.setattr(client_side.ClientSide, "_serve_round", serve)


def leaders_keep_silent_about_old_terms(p: Patch) -> None:
    """A new leader does not append an empty entry."""
    p.setattr(election, "append_own", lambda r, proposals: True)


def everybody_has_the_same_timeout(p: Patch) -> None:
    """Election timeouts are not random."""
    p.setattr(Raft, "throw_timeout", lambda r: setattr(r, "timeout", r.election_tick))
    p.setattr(raft_side.RaftSide, "clock", _same_phase(raft_side.RaftSide.clock))


def _same_phase(real: Callable[..., None]) -> Callable[..., None]:
    def clock(self: Any, now: int) -> None:
        self.state.phase -= self.state.phase % self.config.heartbeat_ns
        real(self, now)

    return clock


def loses_a_snapshots_keys(p: Patch) -> None:
    """A follower takes a snapshot's place in the log, and not its content."""

    def load(self: Any, now: int, out: Outbox) -> None:
        s = self.state
        s.raft.restored = False
        s.raft.log.applied = s.raft.log.snapshot.index
        s.rewrite, s.traced = True, s.raft.log.last

    p.setattr(raft_side.RaftSide, "_load_snapshot", load)


def full_only_by_its_own_alarm(p: Patch) -> None:
    """A member refuses to grow while its own database is full, and goes on applying writes that others refuse."""
    sound = raft_side.apply

    def apply(app: Any, request: Any, cause: int, header: Any, now: int, ttl: int) -> Any:
        known, app.alarms = app.alarms, [alarm for alarm in app.alarms if alarm[0] == header.member_id]
        if type(request) is w.AlarmRequest:
            app.alarms = known
        try:
            return sound(app, request, cause, header, now, ttl)
        finally:
            app.alarms = known

    p.setattr(raft_side, "apply", apply)


def replays_twice(p: Patch) -> None:
    """After a restart what the snapshot holds is applied once more."""
    real = durable.read

    def read(records: list[Any]) -> Any:
        log, hard = real(records)
        log.applied = log.offset
        return log, hard

    p.setattr(durable, "read", read)


def forgets_the_end_of_its_log(p: Patch) -> None:
    """The last write before a crash is acknowledged, and gone after it."""
    real = durable.read
    p.setattr(durable, "read", lambda records: real(records[:-2] if len(records) > 4 else records))


def changes_members_two_at_a_time(p: Patch) -> None:
    """A membership change may be proposed while another is under way, and is effective where it is appended first."""
    p.setattr(node.confchange, "admissible", lambda r, change: True)
    real = RawNode._lead_proposal

    def lead(self: RawNode, proposals: list[Any]) -> bool:
        accepted = real(self, proposals)
        for data, _, type_ in proposals:
            if accepted and type_ == "EntryConfChange":
                with contextlib.suppress(InvalidChange):  # of two at once one may make no sense after the other
                    node.confchange.apply(self.raft, data.request)
        return accepted

    p.setattr(RawNode, "_lead_proposal", lead)


def learners_count(p: Patch) -> None:
    """Learners' acknowledgements and votes count."""

    def commit(r: Raft) -> bool:
        best = sorted(p_.match for p_ in r.progress.values())
        index = best[len(best) - quorum.needed(len(r.voters))]
        if index > r.log.committed and r.log.term_of(index) == r.term:
            r.log.committed = index
            return True
        return False

    p.setattr(replication, "maybe_commit", commit)


def probes_for_ever(p: Patch) -> None:
    """A follower whose log differs is asked about the same place again and again."""
    p.setattr(Progress, "rejected", lambda self, index, hint: setattr(self, "paused", False) or True)


def watches_skip_what_a_snapshot_brought(p: Patch) -> None:
    """A member that was caught up by a snapshot does not tell its watchers what they missed."""
    p.setattr(client_side.ClientSide, "reloaded", lambda self, now, out: self._serve_round(now, out))


def watches_begin_one_late(p: Patch) -> None:
    """A watch that begins in the past misses its first revision."""
    real = watch_side.missed
    p.setattr(watch_side, "missed", lambda store, watcher, start: real(store, watcher, start + 1))


def new_leaders_do_not_extend_leases(p: Patch) -> None:
    """A new leader takes leases for as old as they were when they were granted."""
    p.setattr(Lessor, "promote", lambda self, now, extend: _expire(self, now))


def _expire(lessor: Lessor, now: int) -> None:
    lessor.primary = True
    for lease in lessor.leases.values():
        lease.expiry = now


class Bug(NamedTuple):
    """``make`` breaks it; within ``seeds`` runs (of so many ``members``, ``hunted``) it must be caught."""

    make: Callable[[Patch], None]
    seeds: int
    members: int = 0
    hunted: bool = False

    def run(self, seed: int) -> None:
        """One run with the bug in it. Raises what caught it."""
        with pytest.MonkeyPatch.context() as patch:
            self.make(patch)
            Run(seed, self.members, self.hunted).go()


BUGS: dict[str, Bug] = {
    "votes-for-stale-logs": Bug(votes_for_stale_logs, 10),
    "commits-without-quorum": Bug(commits_without_quorum, 10),
    "counts-replicas-of-old-terms": Bug(counts_replicas_of_old_terms, 60, 5, hunted=True),
    "forgets-its-vote": Bug(forgets_its_vote, 3),
    "votes-twice": Bug(votes_twice, 10),
    "answers-before-fsync": Bug(answers_before_fsync, 3),
    "appends-without-looking": Bug(appends_without_looking, 20),
    "keeps-what-conflicts": Bug(keeps_what_conflicts, 20),
    "commits-what-the-leader-says": Bug(commits_what_the_leader_says, 20),
    "leads-on-in-an-old-term": Bug(leads_on_in_an_old_term, 20),
    "wins-with-half": Bug(wins_with_half, 20),
    "counts-refusals": Bug(counts_refusals, 10),
    "reads-without-asking": Bug(reads_without_asking, 150, 3),
    "reads-before-its-first-commit": Bug(reads_before_its_first_commit, 200),
    "reads-without-waiting-for-apply": Bug(reads_without_waiting_for_apply, 40),
    "leaders-keep-silent": Bug(leaders_keep_silent_about_old_terms, 20),
    "same-timeout-for-everybody": Bug(everybody_has_the_same_timeout, 40),
    "loses-a-snapshots-keys": Bug(loses_a_snapshots_keys, 20),
    "full-only-by-its-own-alarm": Bug(full_only_by_its_own_alarm, 40),
    "replays-twice": Bug(replays_twice, 20),
    "forgets-the-end-of-its-log": Bug(forgets_the_end_of_its_log, 10),
    "changes-members-two-at-a-time": Bug(changes_members_two_at_a_time, 200),
    "learners-count": Bug(learners_count, 200),
    "probes-for-ever": Bug(probes_for_ever, 40),
    "watches-skip-a-snapshot": Bug(watches_skip_what_a_snapshot_brought, 40),
    "watches-begin-one-late": Bug(watches_begin_one_late, 10),
    "leases-not-extended": Bug(new_leaders_do_not_extend_leases, 40),
}
"""Name → the bug, and how many seeds may be needed."""

__all__ = ["BUGS", "Bug"]
