"""Changing the members: one at a time, or many at once through a joint configuration.

**One at a time**: with one member of difference, any two majorities still overlap, so the change may simply take effect. **Joint** (for more): first
the cluster is in both configurations at once, and every decision needs a majority of the old *and* of the new one; then it leaves the old.

A change is a log entry; it takes effect on each member when *applied*. Only one may be under way: a second one proposed meanwhile becomes an
empty entry, and so does a change of a joint configuration (only leaving it is allowed) or leaving one that isn't there.
A voter that becomes a learner stays a voter of the old half until that is left (``learners_next``).

In: a committed ConfChange or ConfChangeV2. Out: new voters and learners. Errors: ``InvalidChange`` (nothing is changed).
Upstream: etcd-io/raft confchange/confchange.go. etcd itself only uses the first kind.
"""

from typing import Any, Literal

from msgspec import Struct

from cluster.etcd.raft import reads
from cluster.etcd.raft.replication import append_own, broadcast_append, maybe_commit, send_append, set_members
from cluster.etcd.raft.state import Raft


class InvalidChange(Exception):
    """The change makes no sense in the configuration in which it is applied."""


class ConfChange(Struct, frozen=True):
    """raftpb.ConfChange. ``context`` is the application's (etcd: the member's name and addresses)."""

    type: Literal["ConfChangeAddNode", "ConfChangeRemoveNode", "ConfChangeUpdateNode", "ConfChangeAddLearnerNode"]
    node: int
    context: Any = None


class ConfChangeV2(Struct, frozen=True):
    """raftpb.ConfChangeV2: several changes at once; none: leave the joint configuration.

    ``transition``: ``auto`` goes through a joint configuration only if more than one thing changes, the others always; ``explicit`` stays in it
    until somebody proposes to leave.
    """

    changes: tuple[ConfChange, ...] = ()
    transition: Literal["auto", "implicit", "explicit"] = "auto"
    context: Any = None

    @property
    def leaves(self) -> bool:
        """Does it end a joint configuration?"""
        return self.transition == "auto" and not self.changes

    @property
    def joint(self) -> bool:
        """Does it begin one?"""
        return self.transition != "auto" or len(self.changes) > 1


class Members(Struct):
    """A configuration that is being made: ``voters`` (the new half), ``outgoing`` (the old one, while joint), learners."""

    voters: list[int]
    outgoing: list[int]
    learners: list[int]
    learners_next: list[int]

    def do(self, change: ConfChange) -> None:
        """One step of a change."""
        node = change.node
        if change.type == "ConfChangeUpdateNode" or not node:
            return
        if change.type == "ConfChangeAddLearnerNode" and node in (*self.learners, *self.learners_next):
            return
        if change.type == "ConfChangeAddNode" and node in self.voters:
            return
        for group in (self.voters, self.learners, self.learners_next):
            if node in group:
                group.remove(node)
        if change.type == "ConfChangeAddNode":
            self.voters.append(node)
        elif change.type == "ConfChangeAddLearnerNode":
            (self.learners_next if node in self.outgoing else self.learners).append(node)


def next_members(r: Raft, change: ConfChange | ConfChangeV2) -> Members:
    """The configuration after ``change``. InvalidChange."""
    now = Members(r.voters[:], r.outgoing[:], r.learners[:], r.learners_next[:])
    if isinstance(change, ConfChange):
        change = ConfChangeV2((change,))
    if change.leaves:
        if not now.outgoing:
            raise InvalidChange("can't leave a non-joint config")
        return Members(now.voters, [], [*now.learners, *now.learners_next], [])
    if now.outgoing:
        raise InvalidChange(
            "config is already joint" if change.joint else "can't apply simple config change in joint config"
        )
    if change.joint:
        if not now.voters:
            raise InvalidChange("can't make a zero-voter config joint")
        now.outgoing = now.voters[:]
    before = now.voters[:]
    for each in change.changes:
        now.do(each)
    if not now.voters:
        raise InvalidChange("removed all voters")
    if (
        not change.joint
        and sum(voter not in before for voter in now.voters) + sum(v not in now.voters for v in before) > 1
    ):
        raise InvalidChange("more than one voter changed without entering joint config")
    return now


def apply(r: Raft, change: ConfChange | ConfChangeV2) -> None:
    """Make a committed change effective. As leader: commit what the new quorum allows and greet the newcomer. InvalidChange."""
    new = next_members(r, change)
    r.auto_leave = bool(new.outgoing) and isinstance(change, ConfChangeV2) and change.transition != "explicit"
    set_members(r, new.voters, new.learners, new.outgoing, new.learners_next)
    if r.role != "leader" or r.id not in r.progress or r.progress[r.id].learner:
        return
    if maybe_commit(r):
        broadcast_append(r)
        reads.release_early(r)
    else:
        for member in r.progress:
            if member != r.id:
                send_append(r, member, even_empty=False)
    if r.transferee and r.transferee not in r.electorate():
        r.transferee = 0


def leave_when_applied(r: Raft) -> None:
    """As leader of a joint configuration that is to end by itself: propose its end, once its beginning is applied."""
    if r.auto_leave and r.role == "leader" and r.pending_conf <= r.log.applied:
        r.pending_conf = r.log.last + 1
        append_own(r, [(ConfChangeV2(), 0, "EntryConfChangeV2")])
        broadcast_append(r)


def admissible(r: Raft, change: Any) -> bool:
    """May this membership change be proposed now? ``change`` is what the entry carries."""
    leaves = isinstance(change, ConfChangeV2) and not change.changes
    return r.pending_conf <= r.log.applied and bool(r.outgoing) == leaves
