"""The door to Raft: what its caller may do to a participant.

``RawNode`` holds nothing but the ``Raft`` state. The caller tells it the tick number, hands it messages and proposals,
then takes from ``raft`` what must be done (see ``cluster.etcd.raft``) and reports ``persisted``.

Errors: a refused proposal is False (upstream: ErrProposalDropped). Messages of members that are gone are ignored.
Upstream: etcd-io/raft rawnode.go and raft.go (Step, tickElection, tickHeartbeat).
"""

from typing import Any

from cluster.etcd.raft import confchange, election, reads, replication
from cluster.etcd.raft.replication import NewEntry
from cluster.etcd.raft.state import Raft
from cluster.wire.raft import RaftMessage

_FROM_LEADER = ("MsgApp", "MsgHeartbeat", "MsgSnap")


class RawNode:
    """Functions over one ``Raft``. Holds no state of its own."""

    __slots__ = ("raft",)

    def __init__(self, raft: Raft) -> None:
        self.raft = raft

    # -- time -----------------------------------------------------------------------------------------------------

    def due(self) -> int | None:
        """The tick at which ``ticked`` next has something to do; None while nothing ever has (no vote, no timer)."""
        r = self.raft
        if r.role == "leader":
            return r.heartbeat_since + 1
        return r.election_since + r.timeout if r.promotable() else None

    def ticked(self, tick: int) -> None:
        """It is now tick ``tick``: do what is due."""
        r = self.raft
        r.tick = tick
        if r.role == "leader":
            if tick - r.election_since >= r.election_tick:
                r.election_since = tick
                if r.check_quorum:
                    self._check_quorum()
                r.transferee = 0
            if r.role == "leader" and tick > r.heartbeat_since:
                r.heartbeat_since = tick
                reads.heartbeat(r, r.reads[-1].context if r.reads else None)
        elif tick - r.election_since >= r.timeout and r.promotable():
            r.election_since = tick
            self.campaign()

    def _check_quorum(self) -> None:
        r = self.raft
        active = {member: p.recent_active or member == r.id for member, p in r.progress.items()}
        if r.quorum_of(active) != "won":
            r.become_follower(r.term, 0, "no quorum")
        for member, p in r.progress.items():
            p.recent_active = member == r.id

    # -- what the application wants -------------------------------------------------------------------------------

    def campaign(self) -> None:
        """My election timer ran out (or somebody says so)."""
        election.hup(self.raft, "pre" if self.raft.pre_vote else "real")

    def propose(self, proposals: list[NewEntry]) -> bool:
        """Put data into the log, by forwarding to the leader if that is another. False: dropped."""
        r = self.raft
        if r.role == "leader":
            return self._lead_proposal(proposals)
        if r.role != "follower" or r.lead == 0:
            return False
        entries = tuple(
            replication.Entry(term=0, index=0, type=type_, data=data, cause=cause)  # type: ignore[arg-type]
            for data, cause, type_ in proposals
        )
        r.messages.append(RaftMessage(type="MsgProp", to=r.lead, frm=r.id, entries=entries))
        return True

    def read_index(self, context: Any) -> None:
        """Ask for a ReadState with ``context``. Without a leader the question is lost: ask again later."""
        r = self.raft
        message = RaftMessage(type="MsgReadIndex", to=r.lead, frm=r.id, context=context)
        if r.role == "leader":
            reads.handle_read(r, message)
        elif r.lead:
            r.messages.append(message)

    def transfer(self, to: int) -> None:
        """Hand leadership to member ``to``."""
        r = self.raft
        message = RaftMessage(type="MsgTransferLeader", to=r.lead, frm=to)
        if r.role == "leader":
            self._transfer(message)
        elif r.role == "follower" and r.lead:
            r.messages.append(message)

    def apply_conf_change(self, change: confchange.ConfChange | confchange.ConfChangeV2) -> None:
        """A committed membership change is being applied. InvalidChange."""
        confchange.apply(self.raft, change)

    def applied(self) -> None:
        """``log.applied`` moved: a joint configuration may end by itself now."""
        confchange.leave_when_applied(self.raft)

    def unreachable(self, member: int) -> None:
        """A message to ``member`` certainly did not arrive."""
        r = self.raft
        p = r.progress.get(member)
        if r.role != "leader" or p is None:
            return
        if p.state == "replicate":
            p.become("probe")
        elif p.state == "snapshot":
            p.pending_snapshot = 0
            p.become("probe")
            p.paused = True

    # -- messages -------------------------------------------------------------------------------------------------

    def step(self, m: RaftMessage) -> None:
        """Handle one message."""
        r = self.raft
        kind = m.type
        if m.term > r.term:
            asked = kind in ("MsgVote", "MsgPreVote") and m.context != election.TRANSFER
            if asked and election.in_lease(r):
                return
            # A pre-vote, and the grant of one, speak of a term that nobody is in yet.
            if kind != "MsgPreVote" and not (kind == "MsgPreVoteResp" and not m.reject):
                leads = kind in _FROM_LEADER
                r.become_follower(m.term, m.frm if leads else 0, "leader" if leads else "higher term")
        elif m.term < r.term and m.term:
            if kind in ("MsgHeartbeat", "MsgApp"):
                # A leader of the past that we would otherwise never tell: it may be unable to win and unable to know.
                if r.check_quorum or r.pre_vote:
                    r.after.append(RaftMessage(type="MsgAppResp", to=m.frm, frm=r.id, term=r.term))
            elif kind == "MsgPreVote":
                r.after.append(RaftMessage(type="MsgPreVoteResp", to=m.frm, frm=r.id, term=r.term, reject=True))
            return
        if kind in ("MsgVote", "MsgPreVote"):
            election.handle_vote(r, m)
        elif r.role == "leader":
            self._step_leader(m)
        elif kind in _FROM_LEADER:
            self._hear_leader(m)
        elif kind in ("MsgVoteResp", "MsgPreVoteResp"):
            if r.role != "follower":
                election.handle_vote_response(r, m)
        elif r.role == "follower":
            self._step_follower(m)

    def _hear_leader(self, m: RaftMessage) -> None:
        r = self.raft
        if r.role == "follower":
            r.election_since, r.lead = r.tick, m.frm
        else:
            r.become_follower(m.term, m.frm, "leader")
        if m.type == "MsgApp":
            replication.handle_append(r, m)
        elif m.type == "MsgSnap":
            replication.handle_snapshot(r, m)
        else:
            r.log.commit_to(m.commit)
            r.messages.append(RaftMessage(type="MsgHeartbeatResp", to=m.frm, frm=r.id, term=r.term, context=m.context))

    def _step_follower(self, m: RaftMessage) -> None:
        r = self.raft
        if m.type == "MsgTimeoutNow":
            election.hup(r, "transfer")
        elif m.type == "MsgReadIndexResp":
            r.read_states.append(reads.ReadState(m.index, m.context))
        elif r.lead and m.type in ("MsgProp", "MsgReadIndex", "MsgTransferLeader"):
            r.messages.append(RaftMessage(type=m.type, to=r.lead, frm=m.frm, entries=m.entries, context=m.context))

    def _step_leader(self, m: RaftMessage) -> None:
        r = self.raft
        kind = m.type
        if kind == "MsgProp":
            self._lead_proposal([(entry.data, entry.cause, entry.type) for entry in m.entries])
            return
        if kind == "MsgReadIndex":
            reads.handle_read(r, m)
            return
        p = r.progress.get(m.frm)
        if p is None:
            return
        if kind == "MsgAppResp":
            news = replication.handle_append_response(r, m, p)
            reads.release_early(r)
            if news and m.frm == r.transferee and p.match == r.log.last:
                r.messages.append(RaftMessage(type="MsgTimeoutNow", to=m.frm, frm=r.id, term=r.term))
        elif kind == "MsgHeartbeatResp":
            self._heartbeat_answered(m, p)
        elif kind == "MsgTransferLeader":
            self._transfer(m)

    def _heartbeat_answered(self, m: RaftMessage, p: replication.Progress) -> None:
        r = self.raft
        p.recent_active = True
        if p.state == "snapshot" and r.tick - p.snapshot_tick >= r.election_tick:
            p.become("probe")  # sent long ago: the next append will show whether it arrived
        if p.state != "snapshot":
            p.paused = False
            if p.match < r.log.last:
                replication.send_append(r, m.frm)
        if m.context is not None:
            reads.handle_ack(r, m)

    def _lead_proposal(self, proposals: list[NewEntry]) -> bool:
        r = self.raft
        if r.id not in r.progress or r.transferee:
            return False
        accepted: list[NewEntry] = []
        for offset, (data, cause, type_) in enumerate(proposals, 1):
            if type_ != "EntryNormal":
                if not confchange.admissible(r, getattr(data, "request", data)):
                    data, type_ = None, "EntryNormal"
                else:
                    r.pending_conf = r.log.last + offset
            accepted.append((data, cause, type_))
        if not replication.append_own(r, accepted):
            return False
        replication.broadcast_append(r)
        return True

    def _transfer(self, m: RaftMessage) -> None:
        r = self.raft
        to = m.frm
        p = r.progress.get(to)
        if p is None or p.learner or to == r.id or r.transferee == to:
            return
        # A transfer should be over within one election timeout, so the clock of check-quorum starts anew.
        r.election_since = r.tick
        r.transferee = to
        if p.match == r.log.last:
            r.messages.append(RaftMessage(type="MsgTimeoutNow", to=to, frm=r.id, term=r.term))
        else:
            replication.send_append(r, to)
