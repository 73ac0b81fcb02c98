"""Elections: standing, voting, counting; pre-votes; the leader's lease; TimeoutNow.

In: MsgHup (my timer ran out), MsgVote/MsgPreVote and their answers, MsgTimeoutNow. Out: messages and a new role.

A vote goes to a candidate whose log is at least as good as mine, once per term. A *pre*-vote binds nobody: it only asks.
With check-quorum on, a member that heard from a leader within the last election timeout does not even listen to
candidates (it is "in the lease"), unless the leader itself asked for the election (a transfer).

Upstream: etcd-io/raft raft.go, campaign, Step, stepCandidate.
"""

from typing import Literal

from cluster.etcd.raft.replication import append_own, broadcast_append
from cluster.etcd.raft.state import Raft
from cluster.wire.raft import RaftMessage

TRANSFER = "CampaignTransfer"
"""Context of a vote request that overrides the lease."""


def hup(r: Raft, kind: Literal["pre", "real", "transfer"]) -> None:
    """Stand for election if I may: not a leader, a voter, and no membership change committed but unapplied."""
    if r.role == "leader" or not r.promotable():
        return
    if any(entry.type != "EntryNormal" for entry in r.log.to_apply()):
        return
    campaign(r, kind)


def campaign(r: Raft, kind: Literal["pre", "real", "transfer"]) -> None:
    """Ask every voter, myself included.

    A real vote is asked for only once my new term and my vote for myself are durable (etcd: only a leader sends before it has saved). Else I could win
    with the others' votes, crash, come back in the old term, win the same term again and write other entries into it.
    """
    if kind == "pre":
        r.become_pre_candidate()
        term = r.term + 1
    else:
        r.become_candidate("told" if kind == "transfer" else "won" if r.role == "pre-candidate" else "timeout")
        term = r.term
    ask, answer = ("MsgPreVote", "MsgPreVoteResp") if kind == "pre" else ("MsgVote", "MsgVoteResp")
    context = TRANSFER if kind == "transfer" else None
    out = r.messages if kind == "pre" else r.after
    index, log_term = r.log.last, r.log.last_term
    for voter in r.electorate():
        if voter == r.id:
            r.after.append(RaftMessage(type=answer, to=r.id, frm=r.id, term=term))
        else:
            out.append(
                RaftMessage(type=ask, to=voter, frm=r.id, term=term, index=index, log_term=log_term, context=context)
            )


def in_lease(r: Raft) -> bool:
    """Have I heard from a living leader so recently that candidates must be ignored?"""
    return r.check_quorum and r.lead != 0 and r.tick - r.election_since < r.election_tick


def handle_vote(r: Raft, m: RaftMessage) -> None:
    """Answer a candidate or pre-candidate."""
    pre = m.type == "MsgPreVote"
    free = r.vote == m.frm or (r.vote == 0 and r.lead == 0) or (pre and m.term > r.term)
    answer = "MsgPreVoteResp" if pre else "MsgVoteResp"
    if free and r.log.up_to_date(m.index, m.log_term):
        # The answer carries the term asked about: for a pre-vote that is not my term.
        r.after.append(RaftMessage(type=answer, to=m.frm, frm=r.id, term=m.term))
        if not pre:
            r.election_since = r.tick
            r.vote = m.frm
    else:
        r.after.append(RaftMessage(type=answer, to=m.frm, frm=r.id, term=r.term, reject=True))


def handle_vote_response(r: Raft, m: RaftMessage) -> None:
    """Count one answer. Answers to the other kind of question are stale."""
    if m.type != ("MsgPreVoteResp" if r.role == "pre-candidate" else "MsgVoteResp"):
        return
    r.votes.setdefault(m.frm, not m.reject)
    result = r.quorum_of(r.votes)
    if result == "won":
        if r.role == "pre-candidate":
            campaign(r, "real")
        else:
            r.become_leader()
            append_own(r, [(None, 0, "EntryNormal")])
            broadcast_append(r)
    elif result == "lost":
        # The term may be ahead of the rejecters' (a pre-vote was answered with theirs): stay in ours.
        r.become_follower(r.term, 0, "lost")
