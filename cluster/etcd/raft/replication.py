"""Replication: appending, acknowledging, probing back to where two logs agree, committing.

In: proposals, MsgApp, MsgAppResp, MsgHeartbeat(Resp), MsgSnap. Out: log changes and messages.

The leader's own copy is one of the quorum, and counts when *its* disk has it: its acknowledgement is a message to itself
in ``after``. So its write runs in parallel with the followers'.

Upstream: etcd-io/raft raft.go, maybeSendAppend, handleAppendEntries, stepLeader.
"""

from typing import Any

from cluster.etcd.raft import quorum
from cluster.etcd.raft.log import Snapshot, size_of
from cluster.etcd.raft.progress import Progress
from cluster.etcd.raft.state import Raft
from cluster.wire.raft import Entry, RaftMessage

NewEntry = tuple[Any, int, str]
"""(data, cause, entry type) of a proposal."""


def append_own(r: Raft, proposals: list[NewEntry]) -> bool:
    """As leader put ``proposals`` at the end of the log. False if too much is uncommitted already."""
    last = r.log.last
    entries = [
        Entry(term=r.term, index=last + i, type=type_, data=data, cause=cause)  # type: ignore[arg-type]
        for i, (data, cause, type_) in enumerate(proposals, 1)
    ]
    size = sum(size_of(entry) for entry in entries)
    # An empty payload is always accepted (a new leader's entry), and so is anything when nothing is outstanding.
    if r.uncommitted and size and r.uncommitted + size > r.max_uncommitted:
        return False
    r.uncommitted += size
    r.log.append(entries)
    r.after.append(RaftMessage(type="MsgAppResp", to=r.id, frm=r.id, term=r.term, index=r.log.last))
    return True


def broadcast_append(r: Raft) -> None:
    """Send everyone what they are missing, or at least the commit index."""
    for member in r.progress:
        if member != r.id:
            send_append(r, member)


def send_append(r: Raft, to: int, even_empty: bool = True) -> bool:
    """Send ``to`` the next entries (or a snapshot, if they are compacted). False if nothing was sent."""
    p = r.progress[to]
    if p.is_paused():
        return False
    log = r.log
    before = p.next - 1
    log_term = log.term_of(before)
    if log_term is None:
        return _send_snapshot(r, to, p)
    entries: tuple[Entry, ...] = ()
    if before < log.last and (p.state != "replicate" or len(p.inflights) < r.max_inflight):
        entries = log.slice(p.next, r.max_message_bytes)
    if not entries and not even_empty:
        return False
    r.messages.append(
        RaftMessage(
            type="MsgApp",
            to=to,
            frm=r.id,
            term=r.term,
            index=before,
            log_term=log_term,
            entries=entries,
            commit=log.committed,
        )
    )
    if entries:
        p.sent(len(entries), entries[-1].index, r.max_inflight)
    return True


def _send_snapshot(r: Raft, to: int, p: Progress) -> bool:
    if not p.recent_active or r.log.snapshot is None:
        return False
    snapshot = r.log.snapshot
    p.become("snapshot")
    p.pending_snapshot, p.snapshot_tick = snapshot.index, r.tick
    r.messages.append(RaftMessage(type="MsgSnap", to=to, frm=r.id, term=r.term, snapshot=snapshot))
    return True


def maybe_commit(r: Raft) -> bool:
    """Commit what a quorum has, if it is of my own term (older entries ride along)."""
    progress = r.progress
    index = quorum.committed_index([progress[voter].match for voter in r.voters])
    if r.outgoing:
        index = min(index, quorum.committed_index([progress[voter].match for voter in r.outgoing]))
    log = r.log
    if index > log.committed and log.term_of(index) == r.term:
        for at in range(log.committed - log.offset, index - log.offset):
            r.uncommitted -= size_of(log.entries[at])
        r.uncommitted = max(r.uncommitted, 0)
        log.committed = index
        return True
    return False


def handle_append(r: Raft, m: RaftMessage) -> None:
    """A leader's append, on a follower."""
    log = r.log
    if m.index < log.committed:
        reply = RaftMessage(type="MsgAppResp", to=m.frm, frm=r.id, term=r.term, index=log.committed)
    else:
        last = log.maybe_append(m.index, m.log_term, m.commit, m.entries)
        if last is not None:
            reply = RaftMessage(type="MsgAppResp", to=m.frm, frm=r.id, term=r.term, index=last)
        else:
            hint, hint_term = log.conflict_by_term(min(m.index, log.last), m.log_term)
            reply = RaftMessage(
                type="MsgAppResp",
                to=m.frm,
                frm=r.id,
                term=r.term,
                index=m.index,
                reject=True,
                reject_hint=hint,
                log_term=hint_term,
            )
    r.after.append(reply)


def handle_append_response(r: Raft, m: RaftMessage, p: Progress) -> bool:
    """A follower's (or my own disk's) answer, on the leader; was it news? Releasing reads and handing over is the caller's part."""
    p.recent_active = True
    if m.reject:
        hint = m.reject_hint
        if m.log_term > 0:
            # Skip all my entries of terms the follower cannot have at that place: one probe per term.
            hint, _ = r.log.conflict_by_term(m.reject_hint, m.log_term)
        if p.rejected(m.index, hint):
            if p.state == "replicate":
                p.become("probe")
            send_append(r, m.frm)
        return False
    was_paused = p.is_paused()
    if not (p.acked(m.index) or (p.match == m.index and p.state == "probe")):
        return False
    if p.state == "probe":
        p.become("replicate")
    elif p.state == "snapshot":
        if p.match + 1 >= r.log.first:
            # The follower is within the log again, whatever became of the snapshot.
            p.become("probe")
            p.become("replicate")
    else:
        p.free(m.index)
    if maybe_commit(r):
        broadcast_append(r)
    elif was_paused and m.frm != r.id:
        send_append(r, m.frm)
    if m.frm != r.id:
        while send_append(r, m.frm, even_empty=False):
            pass
    return True


def handle_snapshot(r: Raft, m: RaftMessage) -> None:
    """A leader's snapshot, on a follower: take it if it is news."""
    snapshot: Snapshot = m.snapshot
    log = r.log
    if snapshot.index > log.committed:
        if log.term_of(snapshot.index) == snapshot.term:
            log.commit_to(snapshot.index)  # I have all of it in my log: no need to throw that away
        else:
            log.restore(snapshot)
            r.restored = True
            r.auto_leave = snapshot.auto_leave
            set_members(r, *map(list, (snapshot.voters, snapshot.learners, snapshot.outgoing, snapshot.learners_next)))
            r.after.append(RaftMessage(type="MsgAppResp", to=m.frm, frm=r.id, term=r.term, index=log.last))
            return
    r.after.append(RaftMessage(type="MsgAppResp", to=m.frm, frm=r.id, term=r.term, index=log.committed))


def set_members(
    r: Raft,
    voters: list[int],
    learners: list[int],
    outgoing: list[int] | None = None,
    learners_next: list[int] | None = None,
) -> None:
    """These are the members now. Known ones keep their progress; new ones start as just seen, to get a first append."""
    r.outgoing, r.learners_next = outgoing or [], learners_next or []
    old = r.progress
    progress: dict[int, Progress] = {}
    for member in (*voters, *r.outgoing, *learners):
        known = old.get(member)
        learner = member in learners
        if known is None:
            # recent_active so that check-quorum does not depose the leader before the newcomer could answer.
            known = Progress(match=r.log.last if member == r.id else 0, next=r.log.last + 1, recent_active=True)
        known.learner = learner
        progress[member] = known
    r.voters, r.learners, r.progress = voters, learners, progress
