"""Linearizable reads without writing: ReadIndex.

The leader notes its commit index, proves by a round of heartbeats that it still is the leader, and says: whoever has
applied that index may read. A leader that has not yet committed an entry of its own term does not know the commit
index for sure, and keeps the question until it does.

Differs from upstream on purpose: there a single voter answers even before that. After a power failure the commit index on its disk may be older than
what it had acknowledged, and such a read would be stale (the swarm found it).

In: MsgReadIndex (own or forwarded), heartbeat answers with its context. Out: ReadState or MsgReadIndexResp.
Upstream: etcd-io/raft read_only.go.
"""

from cluster.etcd.raft.state import PendingRead, Raft, ReadState
from cluster.wire.raft import RaftMessage


def handle_read(r: Raft, m: RaftMessage) -> None:
    """A read request reached the leader."""
    if r.log.term_of(r.log.committed) != r.term:
        r.early_reads.append(m)
    elif (len(r.voters) == 1 and r.voters[0] == r.id and not r.outgoing) or (r.lease_reads and r.check_quorum):
        answer(r, m, r.log.committed)
    else:
        if all(read.context != m.context for read in r.reads):  # a repeated question keeps its first index
            r.reads.append(PendingRead(m.context, r.log.committed, m, {r.id: True}))
        heartbeat(r, m.context)


def release_early(r: Raft) -> None:
    """The first entry of my term is committed: ask the quorum for all that waited."""
    if r.early_reads and r.log.term_of(r.log.committed) == r.term:
        waiting, r.early_reads = r.early_reads, []
        for m in waiting:
            handle_read(r, m)


def handle_ack(r: Raft, m: RaftMessage) -> None:
    """A heartbeat answer that carries a read's context. It confirms that read and every earlier one."""
    for position, pending in enumerate(r.reads):
        if pending.context == m.context:
            pending.acks[m.frm] = True
            if r.quorum_of(pending.acks) == "won":
                done = r.reads[: position + 1]
                del r.reads[: position + 1]
                for read in done:
                    answer(r, read.request, read.index)
            return


def answer(r: Raft, m: RaftMessage, index: int) -> None:
    """Tell whoever asked."""
    if m.frm in (0, r.id):
        r.read_states.append(ReadState(index, m.context))
    else:
        r.messages.append(
            RaftMessage(type="MsgReadIndexResp", to=m.frm, frm=r.id, term=r.term, index=index, context=m.context)
        )


def heartbeat(r: Raft, context: object) -> None:
    """One heartbeat to everyone. It never commits beyond what the follower is known to have."""
    committed = r.log.committed
    for member, p in r.progress.items():
        if member != r.id:
            r.messages.append(
                RaftMessage(
                    type="MsgHeartbeat",
                    to=member,
                    frm=r.id,
                    term=r.term,
                    commit=min(p.match, committed),
                    context=context,
                )
            )
