"""Sentences of the Raft paper and of etcd-io/raft's documentation, one test each, on the bare state machine."""

import pytest

from cluster.etcd.raft import ConfChange, Raft, RaftLog, RawNode, Snapshot
from cluster.etcd.raft import quorum as q
from cluster.etcd.raft.replication import append_own, maybe_commit, set_members
from cluster.etcd.raft.roles import TRANSITIONS, check
from cluster.sim import Dice
from cluster.wire.raft import Entry, RaftMessage


class Net:
    """Participants whose disks are instant, joined by an obedient network. ``cut`` pairs hear nothing of each other."""

    def __init__(self, logs: dict[int, list[int]], **options: object) -> None:
        self.nodes: dict[int, RawNode] = {}
        self.cut: dict[tuple[int, int], None] = {}
        self.sent: list[RaftMessage] = []
        for id_, terms in logs.items():
            entries = [Entry(term, index) for index, term in enumerate(terms, 1)]
            log = RaftLog(entries=entries, stable=len(entries))
            settings = {"pre_vote": False, "check_quorum": False, **options}
            r = Raft(id=id_, dice=Dice(id_), log=log, term=max(terms, default=0), **settings)  # type: ignore[arg-type]
            set_members(r, list(logs), [])
            r.throw_timeout()
            self.nodes[id_] = RawNode(r)

    def __getitem__(self, id_: int) -> Raft:
        return self.nodes[id_].raft

    def isolate(self, id_: int) -> None:
        for other in self.nodes:
            self.cut[id_, other] = self.cut[other, id_] = None

    def heal(self) -> None:
        self.cut.clear()

    def settle(self) -> None:
        """Store, deliver and apply until nothing is left."""
        busy = True
        while busy:
            busy = False
            for id_, node in self.nodes.items():
                r = node.raft
                r.log.stable = r.log.last
                r.restored = False
                for entry in r.log.to_apply():
                    r.log.applied = entry.index
                    if entry.type != "EntryNormal":
                        node.apply_conf_change(entry.data)
                node.applied()
                out = r.messages + r.after
                r.messages, r.after = [], []
                for m in out:
                    busy = True
                    if m.to != id_:
                        self.sent.append(m)
                    if (id_, m.to) not in self.cut or m.to == id_:
                        self.nodes[m.to].step(m)

    def campaign(self, id_: int) -> None:
        self.nodes[id_].campaign()
        self.settle()

    def propose(self, id_: int, data: object = "x", type_: str = "EntryNormal") -> bool:
        accepted = self.nodes[id_].propose([(data, 0, type_)])
        self.settle()
        return accepted

    def tick(self, count: int = 1, only: int = 0) -> None:
        for id_, node in self.nodes.items():
            if not only or id_ == only:
                for _ in range(count):
                    node.ticked(node.raft.tick + 1)
        self.settle()

    def terms(self, id_: int) -> list[int]:
        return [entry.term for entry in self[id_].log.entries]


def test_a_leader_appends_an_empty_entry_at_once() -> None:
    net = Net({1: [], 2: [], 3: []})
    net.campaign(1)
    assert (net[1].role, net[1].term, net[1].log.committed) == ("leader", 1, 1)
    assert [net.terms(i) for i in (1, 2, 3)] == [[1]] * 3
    assert net[2].log.committed == 1


def test_a_vote_needs_a_log_at_least_as_good() -> None:
    net = Net({1: [1], 2: [1, 2], 3: [1, 1, 1]})
    net.campaign(1)
    assert net[1].role == "follower"
    net.campaign(3)  # longer, but its last term is older than 2's
    assert net[3].role == "leader"  # 1 votes for it
    assert net[2].vote != 3


def test_one_vote_a_term() -> None:
    net = Net({1: [], 2: [], 3: [], 4: []})
    net.isolate(4)
    for id_ in (1, 2):
        net.nodes[id_].campaign()
    net.settle()
    # 3 hears 1 first and then refuses 2: with 4 away nobody has three of four.
    assert [net[i].vote for i in (1, 2, 3)] == [1, 2, 1]
    assert [net[i].role for i in (1, 2)] == ["candidate", "follower"]
    net.campaign(1)
    assert (net[1].role, net[1].term) == ("leader", 2)


def test_a_vote_is_asked_for_only_when_the_own_one_is_stored() -> None:
    """Else who wins with the others' votes, crashes and comes back in the old term wins the same term twice (the swarm's seed 361)."""
    net = Net({1: [], 2: [], 3: []})
    net.nodes[1].campaign()
    assert not net[1].messages and [m.type for m in net[1].after].count("MsgVote") == 2


def test_figure_7_every_follower_ends_with_the_leaders_log() -> None:
    leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
    others = {
        2: leader[:9],
        3: leader[:4],
        4: [*leader, 6],
        5: [*leader, 7, 7],
        6: [1, 1, 1, 4, 4, 4, 4],
        7: [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    }
    net = Net({1: leader, **others})
    for node in net.nodes.values():
        node.raft.term = max(node.raft.term, 7)
    net.campaign(1)
    assert net[1].role == "leader"
    assert all(net.terms(id_) == [*leader, 8] for id_ in net.nodes)


def test_probing_skips_whole_terms() -> None:
    """At most one rejection per term that the logs disagree about."""
    net = Net({1: [1] * 3 + [5] * 40, 2: [1] * 3 + [2] * 30, 3: [1] * 3 + [5] * 40})
    net.campaign(1)
    rejections = [m for m in net.sent if m.type == "MsgAppResp" and m.frm == 2 and m.reject]
    assert len(rejections) <= 2
    assert net.terms(2) == net.terms(1)


def test_figure_8_an_old_entry_is_not_committed_by_counting() -> None:
    net = Net({1: [1, 2], 2: [1, 2], 3: [1]})
    r = net[1]
    r.term = 3
    r.become_candidate("timeout")
    r.become_leader()
    r.progress[2].match = 2
    assert not maybe_commit(r)  # a majority has entry 2, but it is of term 2 and this is term 4
    assert r.log.committed == 0
    append_own(r, [("x", 0, "EntryNormal")])
    r.progress[1].match = r.progress[2].match = 3
    assert maybe_commit(r)  # with an entry of term 4 the older ones ride along
    assert r.log.committed == 3


def test_pre_vote_leaves_term_and_vote_alone() -> None:
    net = Net({1: [], 2: [], 3: []}, pre_vote=True)
    net.isolate(1)
    for _ in range(5):
        net.campaign(1)
    assert (net[1].role, net[1].term, net[1].vote) == ("pre-candidate", 0, 0)
    net.heal()
    net.campaign(1)
    assert (net[1].role, net[1].term) == ("leader", 1)


def test_check_quorum_deposes_a_lonely_leader_and_protects_a_living_one() -> None:
    net = Net({1: [], 2: [], 3: []}, check_quorum=True)
    net.campaign(1)
    net.tick(3)
    net.campaign(3)  # 1 and 2 are in the lease: they do not even listen
    assert net[1].role == "leader"
    assert net[2].term == 1
    lonely = Net({1: [], 2: [], 3: []}, check_quorum=True)
    lonely.campaign(1)
    lonely.isolate(1)
    lonely.tick(20, only=1)
    assert (lonely[1].role, lonely[1].term, lonely[1].lead) == ("follower", 1, 0)


def test_a_stranded_candidate_gets_the_leader_to_step_down() -> None:
    """With check-quorum a member whose term ran ahead answers an append with it, so that it is not lost for ever."""
    net = Net({1: [], 2: [], 3: []}, check_quorum=True)
    net.campaign(1)
    net.isolate(3)
    for _ in range(3):
        net.campaign(3)
    net.heal()
    net.tick(1, only=1)
    assert net[1].term == net[3].term


def test_transfer_overrides_the_lease_and_waits_for_the_log() -> None:
    net = Net({1: [], 2: [], 3: []}, check_quorum=True)
    net.campaign(1)
    net.isolate(2)
    net.propose(1)
    net.heal()
    net.nodes[1].transfer(2)
    assert not net.nodes[1].propose([("refused", 0, "EntryNormal")])
    net.settle()
    net.tick(1, only=1)
    assert (net[2].role, net[2].term) == ("leader", 2)
    assert net[2].log.last == 3


def test_a_transfer_to_a_dead_member_is_given_up() -> None:
    net = Net({1: [], 2: [], 3: []})
    net.campaign(1)
    net.isolate(2)
    net.nodes[1].transfer(2)
    net.settle()
    assert not net.propose(1)
    net.tick(10, only=1)
    assert net.propose(1)


def test_reads_wait_for_a_quorum_and_for_an_entry_of_the_term() -> None:
    net = Net({1: [], 2: [], 3: []})
    net.campaign(1)
    net.nodes[2].read_index("from 2")
    net.settle()
    assert [(s.index, s.context) for s in net[2].read_states] == [(1, "from 2")]
    net.isolate(1)
    net.nodes[1].read_index("alone")
    net.settle()
    assert net[1].read_states == []
    net.heal()
    net.tick(1, only=1)
    assert [s.context for s in net[1].read_states] == ["alone"]


def test_at_most_so_many_appends_are_in_flight() -> None:
    net = Net({1: [], 2: [], 3: []}, max_inflight=4)
    net.campaign(1)
    net.isolate(2)
    net.sent.clear()
    for _ in range(20):
        net.propose(1)
    assert sum(m.type == "MsgApp" and m.to == 2 and bool(m.entries) for m in net.sent) == 4
    net.heal()
    net.tick(2, only=1)
    assert net[2].log.last == net[1].log.last


def test_an_append_carries_limited_bytes() -> None:
    net = Net({1: [], 2: [], 3: []}, max_message_bytes=64 * 3)
    net.campaign(1)
    net.isolate(2)
    for _ in range(10):
        net.propose(1)
    net.heal()
    net.sent.clear()
    net.tick(2, only=1)
    assert max(len(m.entries) for m in net.sent if m.to == 2) == 3
    assert net[2].log.last == net[1].log.last


def test_too_much_uncommitted_is_refused() -> None:
    net = Net({1: [], 2: [], 3: []}, max_uncommitted=200)
    net.campaign(1)
    net.isolate(1)
    assert [net.propose(1) for _ in range(5)] == [True, True, True, False, False]
    net.heal()
    net.tick(2, only=1)
    assert net.propose(1)


def test_a_snapshot_brings_up_who_needs_compacted_entries() -> None:
    net = Net({1: [], 2: [], 3: []})
    net.campaign(1)
    net.isolate(3)
    for _ in range(5):
        net.propose(1)
    log = net[1].log
    log.snapshot = Snapshot(5, 1, (1, 2, 3), (), "all of it")
    log.compact(5)
    net.heal()
    net.tick(1, only=1)
    net.tick(1, only=1)
    assert net[3].log.offset == 5
    assert net[3].log.snapshot is log.snapshot
    assert net[3].log.last == log.last
    assert net[1].progress[3].state == "replicate"


def test_one_membership_change_at_a_time() -> None:
    net = Net({1: [], 2: [], 3: []})
    net.campaign(1)
    net.cut.update({(2, 1): None, (3, 1): None})
    add = ConfChange("ConfChangeAddNode", 9)
    assert net.propose(1, add, "EntryConfChange")
    assert net.propose(1, add, "EntryConfChange")
    assert [entry.type for entry in net[1].log.entries[-2:]] == ["EntryConfChange", "EntryNormal"]


def test_learners_do_not_count() -> None:
    net = Net({1: [], 2: [], 3: []})
    net.campaign(1)
    net.propose(1, ConfChange("ConfChangeAddLearnerNode", 3), "EntryConfChange")
    assert (net[2].voters, net[2].learners) == ([1, 2], [3])
    net.isolate(2)
    committed = net[1].log.committed
    net.propose(1)
    assert net[3].log.last == net[1].log.last
    assert net[1].log.committed == committed
    net.tick(60, only=3)
    assert net[3].role == "follower"


def test_election_timeouts_are_uniform_in_one_to_two() -> None:
    r = Net({1: []})[1]
    seen: dict[int, int] = {}
    for _ in range(5000):
        r.throw_timeout()
        seen[r.timeout] = seen.get(r.timeout, 0) + 1
    assert sorted(seen) == list(range(10, 20))
    assert max(seen.values()) < 2 * min(seen.values())


@pytest.mark.parametrize(("n", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (6, 4), (7, 4), (8, 5), (9, 5)])
def test_quorums(n: int, needed: int) -> None:
    assert q.needed(n) == needed
    voters = list(range(n))
    assert q.vote_result(voters, dict.fromkeys(range(needed), True)) == "won"
    assert q.vote_result(voters, dict.fromkeys(range(needed - 1), True)) == ("pending" if n > 0 else "won")
    assert q.vote_result(voters, dict.fromkeys(range(n - needed + 1), False)) == "lost"
    assert q.committed_index([7] * needed + [0] * (n - needed)) == 7
    assert q.committed_index([7] * (needed - 1) + [0] * (n - needed + 1)) == 0


def test_the_table_of_roles_is_the_law() -> None:
    for before, why, after in TRANSITIONS:
        check(before, why, after)
    for before, why, after in (("follower", "won", "leader"), ("leader", "timeout", "candidate")):
        with pytest.raises(AssertionError):
            check(before, why, after)  # type: ignore[arg-type]


def test_a_committed_entry_is_never_overwritten() -> None:
    log = RaftLog(entries=[Entry(1, 1), Entry(1, 2)], committed=2)
    with pytest.raises(AssertionError):
        log.append([Entry(2, 2)])
