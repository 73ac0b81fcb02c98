"""Changing the members, one at a time: with one member of difference, any two majorities still overlap.

A change is a log entry; it takes effect on each member when *applied*. Only one may be under way: a second one proposed
meanwhile becomes an empty entry.

In: a committed ConfChange. Out: new voters and learners. Upstream: etcd-io/raft confchange/confchange.go.
"""

from typing import Any, Literal

from msgspec import Struct

from cluster.etcd.raft import reads
from cluster.etcd.raft.replication import broadcast_append, maybe_commit, send_append, set_members
from cluster.etcd.raft.state import Raft


class ConfChange(Struct, frozen=True):
    """raftpb.ConfChange. ``context`` is the application's (etcd: the member's name and addresses)."""

    type: Literal["ConfChangeAddNode", "ConfChangeRemoveNode", "ConfChangeUpdateNode", "ConfChangeAddLearnerNode"]
    node: int
    context: Any = None


def apply(r: Raft, change: ConfChange) -> None:
    """Make a committed change effective. As leader: commit what the new quorum allows and greet the newcomer."""
    node = change.node
    voters = [member for member in r.voters if member != node]
    learners = [member for member in r.learners if member != node]
    if change.type == "ConfChangeAddNode":
        voters = r.voters if node in r.voters else [*voters, node]
    elif change.type == "ConfChangeAddLearnerNode":
        learners = r.learners if node in r.learners else [*learners, node]
    elif change.type == "ConfChangeUpdateNode":
        return
    set_members(r, voters, learners)
    if r.role != "leader" or r.id not in r.progress or not voters:
        return
    if maybe_commit(r):
        broadcast_append(r)
        reads.release_early(r)
    else:
        for member in r.progress:
            if member != r.id:
                send_append(r, member, even_empty=False)
    if r.transferee and r.transferee not in r.voters:
        r.transferee = 0
