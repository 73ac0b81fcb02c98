"""Joint consensus on the bare state machine: many members change at once, and no instant lets two majorities decide apart."""

import pytest

from cluster.etcd.raft import ConfChange, ConfChangeV2, InvalidChange, Raft, RaftLog, RawNode
from cluster.etcd.raft import quorum as q
from cluster.etcd.raft.confchange import next_members
from cluster.etcd.raft.replication import set_members
from cluster.sim import Dice

from .test_raft import Net


def voter(node: int) -> ConfChange:
    return ConfChange("ConfChangeAddNode", node)


def learner(node: int) -> ConfChange:
    return ConfChange("ConfChangeAddLearnerNode", node)


def gone(node: int) -> ConfChange:
    return ConfChange("ConfChangeRemoveNode", node)


def cluster(known: int, voters: list[int]) -> Net:
    """Participants 1 to ``known``, of whom ``voters`` are the members; the first leads."""
    net = Net({id_: [] for id_ in range(1, known + 1)})
    for id_ in net.nodes:
        set_members(net[id_], voters[:], [])
    net.campaign(voters[0])
    assert net[voters[0]].role == "leader"
    return net


def config(r: Raft) -> tuple[list[int], list[int], list[int], list[int]]:
    return r.voters, r.outgoing, r.learners, r.learners_next


@pytest.mark.parametrize(
    ("change", "after"),
    [
        (ConfChangeV2((voter(2),)), ([1, 2], [], [], [])),
        (ConfChangeV2((voter(2), voter(3))), ([1, 2, 3], [], [], [])),
        (ConfChangeV2((voter(2), learner(3)), "implicit"), ([1, 2], [], [3], [])),
        (ConfChangeV2((voter(2),), "explicit"), ([1, 2], [1], [], [])),
        (ConfChangeV2((voter(2), voter(3)), "explicit"), ([1, 2, 3], [1], [], [])),
        (ConfChangeV2((voter(2), learner(1)), "explicit"), ([2], [1], [], [1])),
    ],
)
def test_a_change_goes_through_a_joint_configuration_when_it_must(change: ConfChangeV2, after: object) -> None:
    net = cluster(3, [1])
    assert net.propose(1, change, "EntryConfChangeV2")
    net.tick(2, only=1)  # the newcomers hear how far it is committed
    assert config(net[1]) == config(net[2]) == after


def test_a_joint_configuration_is_left_when_asked_for() -> None:
    net = cluster(4, [1, 2, 3])
    net.propose(1, ConfChangeV2((gone(1), voter(4)), "explicit"), "EntryConfChangeV2")
    assert config(net[2]) == ([2, 3, 4], [1, 2, 3], [], [])
    before = net[1].log.last
    net.propose(1, ConfChangeV2((voter(5),)), "EntryConfChangeV2")  # one after the other: this becomes an empty entry
    assert net[1].log.entries[before].type == "EntryNormal"
    net.propose(1, ConfChangeV2(), "EntryConfChangeV2")
    assert config(net[2]) == config(net[4]) == ([2, 3, 4], [], [], [])
    assert net[1].id not in net[1].progress
    net.propose(1, ConfChangeV2(), "EntryConfChangeV2")  # there is nothing left to leave
    assert not net.propose(1, "more")  # and who is no member proposes nothing
    net.campaign(2)
    assert net[2].role == "leader"


def test_commits_need_a_majority_of_both_halves() -> None:
    net = cluster(6, [1, 2, 3])
    net.propose(1, ConfChangeV2((voter(4), voter(5), voter(6), gone(2), gone(3)), "explicit"), "EntryConfChangeV2")
    assert config(net[1])[:2] == ([1, 4, 5, 6], [1, 2, 3])
    for id_ in (2, 3):
        net.isolate(id_)
    commit = net[1].log.committed
    net.propose(1, "all of the new half, one of the old")
    assert net[1].log.committed == commit
    net.heal()
    net.tick(2, only=1)
    assert net[1].log.committed == commit + 1
    net.isolate(4)
    net.isolate(5)
    net.propose(1, "all of the old half, two of four of the new")
    assert net[1].log.committed == commit + 1
    net.heal()
    net.tick(2, only=1)
    assert net[1].log.committed == commit + 2


def test_an_election_needs_a_majority_of_both_halves() -> None:
    net = cluster(5, [1, 2, 3])
    net.propose(1, ConfChangeV2((gone(2), gone(3), voter(4), voter(5)), "explicit"), "EntryConfChangeV2")
    net.tick(2, only=1)
    for cut, wins in (((1, 2), False), ((1, 5), False), ((1,), True)):
        net.heal()
        for id_ in cut:
            net.isolate(id_)
        net.campaign(4)
        assert (net[4].role == "leader") is wins, cut


def test_a_voter_of_the_old_half_becomes_a_learner_when_it_is_left() -> None:
    net = cluster(3, [1, 2, 3])
    net.propose(1, ConfChangeV2((learner(3),), "explicit"), "EntryConfChangeV2")
    assert config(net[1]) == ([1, 2], [1, 2, 3], [], [3]) and not net[1].progress[3].learner
    net.propose(1, ConfChangeV2(), "EntryConfChangeV2")
    assert config(net[3]) == ([1, 2], [], [3], []) and net[1].progress[3].learner
    assert not net[3].promotable()


@pytest.mark.parametrize(
    ("voters", "outgoing", "change", "why"),
    [
        ([1, 2], [], ConfChangeV2(), "non-joint"),
        ([1, 2], [1], ConfChangeV2((voter(3), voter(4))), "already joint"),
        ([1, 2], [1], ConfChangeV2((voter(3),)), "simple"),
        ([1], [], ConfChangeV2((gone(1),)), "removed all"),
        ([1], [], ConfChange("ConfChangeRemoveNode", 1), "removed all"),
    ],
)
def test_what_cannot_be_is_refused(voters: list[int], outgoing: list[int], change: ConfChangeV2, why: str) -> None:
    r = Raft(id=1, dice=Dice(1), log=RaftLog())
    set_members(r, voters, [], outgoing)
    with pytest.raises(InvalidChange, match=why):
        next_members(r, change)


@pytest.mark.parametrize(
    ("votes", "result"),
    [
        ({}, "pending"),
        ({1: True, 2: True}, "pending"),  # the new half has not spoken
        ({1: True, 2: True, 4: True}, "pending"),
        ({1: True, 2: True, 4: True, 5: True}, "won"),
        ({1: False, 2: False}, "lost"),
        ({1: True, 2: True, 4: False, 5: False}, "lost"),
    ],
)
def test_both_halves_count(votes: dict[int, bool], result: str) -> None:
    assert q.joint_result([3, 4, 5], [1, 2, 3], votes) == result


def test_a_leader_in_its_lease_answers_reads_alone_if_told_to() -> None:
    net = Net({1: [], 2: [], 3: []}, check_quorum=True, lease_reads=True)
    net.campaign(1)
    for id_ in (2, 3):
        net.isolate(id_)
    RawNode(net[1]).read_index("ask")
    assert [state.context for state in net[1].read_states] == ["ask"] and not net[1].messages


def test_too_much_uncommitted_is_refused_until_it_is_committed() -> None:
    net = Net({1: [], 2: [], 3: []}, max_uncommitted=150)
    net.campaign(1)
    for id_ in (2, 3):
        net.isolate(id_)
    assert [net.propose(1) for _ in range(4)] == [True, True, False, False]  # 64 bytes each
    net.heal()
    net.tick(2, only=1)
    assert net[1].uncommitted == 0 and net.propose(1)
