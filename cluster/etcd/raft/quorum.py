"""Majorities: what a set of voters has decided.

In: the voters' ids and what each of them said. Out: the highest index a majority has, or won/lost/pending.
A cluster without voters decides everything at once (it cannot disagree with itself). In a joint configuration both halves must agree.

Upstream: etcd-io/raft quorum/majority.go and joint.go.
"""

from typing import Literal

VoteResult = Literal["pending", "lost", "won"]


def needed(voters: int) -> int:
    """How many of ``voters`` make a majority: floor(n/2)+1."""
    return voters // 2 + 1


def committed_index(matches: list[int]) -> int:
    """The largest index that a majority has reached. ``matches`` has one index per voter; 0 without voters."""
    count = len(matches)
    if count == 0:
        return 0
    if count == 1:
        return matches[0]
    return sorted(matches)[count - needed(count)]


def vote_result(voters: list[int], votes: dict[int, bool]) -> VoteResult:
    """What ``votes`` (id → granted) mean. Lost as soon as a majority can no longer say yes."""
    yes = no = 0
    for voter in voters:
        granted = votes.get(voter)
        if granted is not None:
            if granted:
                yes += 1
            else:
                no += 1
    need = needed(len(voters))
    if yes >= need or not voters:
        return "won"
    return "lost" if len(voters) - no < need else "pending"


def joint_result(voters: list[int], outgoing: list[int], votes: dict[int, bool]) -> VoteResult:
    """What ``votes`` mean to both halves: won if both won, lost as soon as one lost."""
    result = vote_result(voters, votes)
    if not outgoing or result == "lost":
        return result
    other = vote_result(outgoing, votes)
    return other if other == "lost" or result == "won" else "pending"
