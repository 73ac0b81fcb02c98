"""What a client of a real cluster would notice: answers, errors, timeouts, what survives a crash."""

from typing import Any

import pytest

from cluster.etcd import EtcdMember
from cluster.etcd.state import Waiter
from cluster.sim import SECOND, World
from cluster.trace import notes
from cluster.wire import etcd as w
from cluster.wire.raft import RaftMessage

from .support import FACTORIES, Cluster


def code(answer: Any) -> tuple[int, str]:
    assert isinstance(answer, w.EtcdError), answer
    return answer.code, answer.message


def followers(c: Cluster) -> list[EtcdMember]:
    leader = c.wait_leader()
    return [c.member(name) for name in sorted(c.world.actors) if name != leader.name]


# -- a fresh cluster ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_fresh_cluster_looks_like_a_real_one(n: int) -> None:
    c = Cluster(n)
    c.wait_leader()
    c.run(2)
    status = c.ask("m1", w.StatusRequest)
    # n membership entries, the leader's empty one, n names, the cluster version.
    assert status.raft_index == status.raft_applied_index == 2 * n + 2
    assert status.raft_term == 2
    assert status.header.revision == 1
    assert status.db_size == 20_480
    members = c.ask("m1", w.MemberListRequest, linearizable=True).members
    assert [(m.name, m.client_urls) for m in members] == [
        (f"etcd-{i}", (f"https://h{i}:2379",)) for i in range(1, n + 1)
    ]


def test_a_single_member_leads_within_a_tick_or_two() -> None:
    c = Cluster(1)
    c.run(0.25)
    assert c.leader() is not None


def test_idle_members_cost_few_events() -> None:
    c = Cluster(3)
    c.wait_leader()
    c.run(5)
    before = c.world.state.events
    c.run(100)
    # 10 heartbeats a second to 2 followers and back, 10 ticks of the leader, a rare follower's timer.
    assert c.world.state.events - before < 100 * 53


# -- reading and writing ----------------------------------------------------------------------------------------------


def test_put_get_delete_through_any_member() -> None:
    c = Cluster(3)
    c.wait_leader()
    first = c.put("m1", b"k", b"1")
    assert first.header.revision == 2
    assert c.put("m2", b"k", b"2", prev_kv=True).prev_kv.value == b"1"
    got = c.get("m3", b"k")
    assert got.kvs == (w.KeyValue(b"k", b"2", 2, 3, 2),)
    assert (got.count, got.more, got.header.revision) == (1, False, 3)
    assert c.get("m1", b"k", revision=2).kvs[0].value == b"1"
    gone = c.ask("m2", w.DeleteRangeRequest, b"k", prev_kv=True)
    assert (gone.deleted, gone.header.revision, gone.prev_kvs[0].value) == (1, 4, b"2")
    assert c.ask("m2", w.DeleteRangeRequest, b"k").header.revision == 4


def test_transactions() -> None:
    c = Cluster(1)
    c.wait_leader()
    create = w.TxnRequest(
        0, (w.Compare(b"k", "MOD", "EQUAL", 0),), (w.PutRequest(0, b"k", b"1"),), (w.RangeRequest(0, b"k"),)
    )
    done = c.ask("m1", w.TxnRequest, create.compare, create.success, create.failure)
    assert done.succeeded
    assert done.header.revision == done.responses[0].header.revision == 2
    again = c.ask("m1", w.TxnRequest, create.compare, create.success, create.failure)
    assert not again.succeeded
    assert again.responses[0].kvs[0].value == b"1"
    assert again.header.revision == 2
    nested = c.ask("m1", w.TxnRequest, (), (w.PutRequest(0, b"a", b""), create, w.DeleteRangeRequest(0, b"z")))
    assert [type(r) for r in nested.responses] == [w.PutResponse, w.TxnResponse, w.DeleteRangeResponse]
    assert not nested.responses[1].succeeded
    assert nested.responses[2].deleted == 0


def test_refusals_in_etcds_words() -> None:
    c = Cluster(1)
    c.wait_leader()
    for i in range(5):
        c.put("m1", b"k", b"%d" % i)
    c.ask("m1", w.CompactionRequest, 4)
    put = w.PutRequest(0, b"x", b"")
    cases = [
        ((w.RangeRequest, b""), (3, "etcdserver: key is not provided")),
        ((w.RangeRequest, b"k", b"", 0, 99), (11, "etcdserver: mvcc: required revision is a future revision")),
        ((w.RangeRequest, b"k", b"", 0, 3), (11, "etcdserver: mvcc: required revision has been compacted")),
        ((w.CompactionRequest, 4), (11, "etcdserver: mvcc: required revision has been compacted")),
        ((w.CompactionRequest, 99), (11, "etcdserver: mvcc: required revision is a future revision")),
        ((w.PutRequest, b"k", b"x" * 1_600_000), (3, "etcdserver: request is too large")),
        ((w.PutRequest, b"k", b"v", 77), (5, "etcdserver: requested lease not found")),
        ((w.PutRequest, b"no", b"", 0, False, True), (3, "etcdserver: key not found")),
        ((w.TxnRequest, (), (put, put)), (3, "etcdserver: duplicate key given in txn request")),
        (
            (w.TxnRequest, (), (put, w.DeleteRangeRequest(0, b"a", b"z"))),
            (3, "etcdserver: duplicate key given in txn request"),
        ),
        ((w.TxnRequest, (), (w.RangeRequest(0, b"k"),) * 129), (3, "etcdserver: too many operations in txn request")),
        ((w.LeaseRevokeRequest, 77), (5, "etcdserver: requested lease not found")),
        ((w.LeaseGrantRequest, 9_000_000_001), (11, "etcdserver: too large lease TTL")),
        ((w.MemberRemoveRequest, 4711), (5, "etcdserver: member not found")),
        ((w.MoveLeaderRequest, 4711), (9, "etcdserver: bad leader transferee")),
    ]
    revision = c.get("m1", b"k").header.revision
    for request, expected in cases:
        assert code(c.ask("m1", *request)) == expected
    assert c.get("m1", b"k").header.revision == revision


def test_quota_raises_the_alarm_until_it_is_disarmed() -> None:
    c = Cluster(3, quota_bytes=200_000)
    c.wait_leader()
    no_space = (8, "etcdserver: mvcc: database space exceeded")
    answers = [c.put("m1", b"k", b"x" * 50_000) for _ in range(6)]
    assert code(answers[-1]) == no_space
    assert c.ask("m2", w.AlarmRequest).alarms == ((0x1001, "NOSPACE"),)
    assert code(c.put("m2", b"k", b"")) == no_space
    assert c.ask("m2", w.DeleteRangeRequest, b"k").deleted == 1
    c.ask("m1", w.CompactionRequest, c.get("m1", b"k").header.revision)
    for name in ("m1", "m2", "m3"):
        c.ask(name, w.DefragmentRequest)
    assert code(c.put("m1", b"k", b"")) == no_space
    c.ask("m1", w.AlarmRequest, "DEACTIVATE", 0x1001, "NOSPACE")
    assert isinstance(c.put("m1", b"k", b""), w.PutResponse)


# -- without a quorum ---------------------------------------------------------------------------------------------------


def test_a_minority_answers_only_serializable_reads() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.put("m1", b"k", b"1")
    for other in followers(c):
        c.world.stop(other.name)
    start = c.world.now
    assert code(c.put(leader.name, b"k", b"2"))[1].startswith("etcdserver: request timed out")
    assert 7 * SECOND <= c.world.now - start < 7.1 * SECOND
    start = c.world.now
    assert code(c.get(leader.name, b"k")) == (14, "etcdserver: request timed out")
    assert 7 * SECOND <= c.world.now - start < 7.6 * SECOND
    assert c.get(leader.name, b"k", serializable=True).kvs[0].value == b"1"
    assert code(c.put(leader.name, b"k", b"3")) == (2, "context deadline exceeded")  # never entered Raft
    status = c.ask(leader.name, w.StatusRequest)
    assert (status.leader, status.errors) == (0, ("etcdserver: no leader",))


def test_an_unknown_outcome_may_come_true() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    others = followers(c)
    for other in others:
        c.world.stop(other.name)
    assert code(c.put(leader.name, b"k", b"timed out"))[0] == 14
    c.world.start(others[0].name)  # only the old leader's log is good enough for the next election
    c.wait_leader()
    assert c.get(leader.name, b"k").kvs[0].value == b"timed out"


def test_requests_in_flight_when_the_leader_dies() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.run(6)
    at = followers(c)[0].name
    c.world.stop(leader.name)
    c.post(at, w.RangeRequest(901, b"k"))
    c.run(0.01)
    c.post(at, w.RangeRequest(902, b"k"))
    c.post(at, w.PutRequest(903, b"k", b"lost"))
    c.run(12)
    answers = {m.id: m for _, _, m, _ in c.got if getattr(m, "id", 0) > 900}
    assert code(answers[901]) == (14, "etcdserver: leader changed")
    assert isinstance(answers[902], w.RangeResponse)
    assert code(answers[903]) == (14, "etcdserver: request timed out, possibly due to previous leader failure")


def test_a_put_without_a_leader_waits_for_the_next_one() -> None:
    c = Cluster(3)
    at = followers(c)[0]
    c.world.stop(c.wait_leader().name)
    while at.state.raft.lead:
        c.run(0.001)
    assert isinstance(c.put(at.name, b"k", b"v"), w.PutResponse)


def test_a_deposed_leader_steps_down_by_check_quorum() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.world.state.network.partition([[leader.name], [f.name for f in followers(c)]])
    c.run(2.2)
    assert leader.state.raft.role != "leader"
    new = c.leader()
    assert new is not None
    assert new.state.raft.term > 2
    term = new.state.raft.term
    c.run(20)
    c.world.state.network.heal()
    c.run(3)
    # With pre-vote the lonely one has not raised its term, so its return disturbs nobody.
    assert leader.state.raft.lead == new.config.id
    assert new.state.raft.term == term


def test_a_paused_leader_follows_the_next_one_at_once() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.world.pause(leader.name)
    c.run(4)
    c.post(leader.name, w.PutRequest(900, b"k", b"late"))
    c.run(0.01)
    c.world.resume(leader.name)
    c.run(0.05)
    assert leader.state.raft.role == "follower"
    assert leader.state.raft.lead


# -- leadership ---------------------------------------------------------------------------------------------------------


def test_leadership_is_handed_over_in_milliseconds() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    target = followers(c)[1]
    assert code(c.ask(target.name, w.MoveLeaderRequest, leader.config.id)) == (9, "etcdserver: not leader")
    start, term = c.world.now, leader.state.raft.term
    assert isinstance(c.ask(leader.name, w.MoveLeaderRequest, target.config.id), w.MoveLeaderResponse)
    assert c.world.now - start < SECOND // 10
    assert target.state.raft.role == "leader"
    assert target.state.raft.term == term + 1
    c.post(target.name, w.TransferLeadership(leader.name))
    c.run(0.1)
    assert leader.state.raft.role == "leader"


def test_the_lease_of_the_leader_ignores_a_campaign() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.run(2)
    c.post(followers(c)[0].name, w.Campaign())
    c.run(2)
    assert c.wait_leader() is leader


# -- crashes --------------------------------------------------------------------------------------------------------------


def test_everything_acknowledged_survives_a_crash_of_all() -> None:
    c = Cluster(3, snapshot_count=50, catch_up_entries=10)
    c.wait_leader()
    for i in range(120):
        c.put(f"m{i % 3 + 1}", b"k%d" % (i % 7), b"%d" % i)
    before = {name: c.member(name).status()["kvDigest"] for name in ("m1", "m2", "m3")}
    assert len(set(before.values())) == 1
    for name in before:
        c.world.stop(name)
    for name in before:
        c.world.start(name)
    c.wait_leader()
    assert c.get("m2", b"k1").kvs[0].value == b"113"
    c.run(1)
    assert {name: c.member(name).status()["kvDigest"] for name in before} == before
    assert all(c.member(name).status()["snapIndex"] > 0 for name in before)


def test_a_follower_far_behind_gets_a_snapshot() -> None:
    c = Cluster(3, snapshot_count=50, catch_up_entries=10)
    c.wait_leader()
    behind = followers(c)[0]
    c.world.stop(behind.name)
    leader = c.wait_leader()
    for i in range(150):
        c.put(leader.name, b"k%d" % (i % 7), b"%d" % i)
    lease = c.ask(leader.name, w.LeaseGrantRequest, 100).lease
    c.world.start(behind.name)
    c.run(3)
    again = c.member(behind.name)
    assert again.state.raft.log.snapshot is not None
    assert again.status()["kvDigest"] == leader.status()["kvDigest"]
    assert again.state.app.store.history == leader.state.app.store.history
    assert lease in again.state.app.lessor.leases
    assert leader.state.raft.progress[again.config.id].state == "replicate"
    assert again.state.raft.log.last == leader.state.raft.log.last


def test_a_stored_world_goes_on_the_same() -> None:
    c = Cluster(3)
    c.wait_leader()
    c.ask("m1", w.LeaseGrantRequest, 5)
    c.post("m2", w.WatchCreateRequest(1, b"/", b"0"))
    c.put("m1", b"/k", b"v")
    c.post("m3", w.PutRequest(77, b"/k", b"half way"))
    copy = World.restore(c.world.checkpoint(), FACTORIES)
    for world in (copy, c.world):
        world.outside = None
        world.run_until(c.world.now + 10 * SECOND)
        world.stop(next(n for n, a in world.actors.items() if a.status()["role"] == "leader"))
        world.run_until(world.now + 5 * SECOND)
    assert copy.digest() == c.world.digest()


# -- leases -------------------------------------------------------------------------------------------------------------


def test_keys_die_with_their_lease() -> None:
    c = Cluster(3)
    c.wait_leader()
    granted = c.ask("m1", w.LeaseGrantRequest, 1)
    assert granted.ttl == 2  # at least one and a half election timeouts
    c.put("m2", b"a", b"", lease=granted.lease)
    c.put("m2", b"b", b"", lease=granted.lease)
    for _ in range(3):
        c.run(1.5)
        assert c.ask("m3", w.LeaseKeepAliveRequest, granted.lease).ttl == 2
    left = c.ask("m2", w.LeaseTimeToLiveRequest, granted.lease, keys=True)
    assert (left.granted_ttl, left.keys, left.ttl in (1, 2)) == (2, (b"a", b"b"), True)
    revision = c.get("m1", b"a").header.revision
    c.run(2.7)
    gone = c.get("m1", b"a", range_end=b"c")
    assert (gone.count, gone.header.revision) == (0, revision + 1)
    assert c.ask("m1", w.LeaseTimeToLiveRequest, granted.lease).ttl == -1
    assert c.ask("m1", w.LeaseKeepAliveRequest, granted.lease).ttl == 0


def test_a_new_leader_gives_every_lease_its_full_time_again() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    lease = c.ask("m1", w.LeaseGrantRequest, 3).lease
    c.run(2)
    c.world.stop(leader.name)
    c.wait_leader()
    at = next(iter(c.world.actors))
    assert c.ask(at, w.LeaseTimeToLiveRequest, lease).ttl >= 3
    c.run(6)
    assert c.ask(at, w.LeaseTimeToLiveRequest, lease).ttl == -1


def test_a_leader_that_cannot_prove_it_leads_renews_nothing() -> None:
    c = Cluster(3, check_quorum=False)
    leader = c.wait_leader()
    lease = c.ask(leader.name, w.LeaseGrantRequest, 60).lease
    for one in followers(c):
        c.world.pause(one.name)
    assert code(c.ask(leader.name, w.LeaseKeepAliveRequest, lease)) == (2, "not a primary lessor")
    assert code(c.get(leader.name, b"k")) == (14, "etcdserver: request timed out")


def test_a_revoke_of_an_earlier_term_ends_no_lease_that_has_its_full_time_again() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    lease = c.ask(leader.name, w.LeaseGrantRequest, 60).lease
    leader.state.queued.append(Waiter("", w.LeaseRevokeRequest(0, lease), 0, c.world.now))
    assert isinstance(c.get(leader.name, b"k"), w.RangeResponse)
    c.run(1)
    assert lease in leader.state.app.lessor.leases


def test_rewriting_a_key_without_the_lease_detaches_it() -> None:
    c = Cluster(1)
    c.wait_leader()
    lease = c.ask("m1", w.LeaseGrantRequest, 60).lease
    c.put("m1", b"a", b"1", lease=lease)
    c.put("m1", b"a", b"2")
    c.ask("m1", w.LeaseRevokeRequest, lease)
    assert c.get("m1", b"a").kvs[0].value == b"2"


# -- watches ------------------------------------------------------------------------------------------------------------


def test_watches_by_key_prefix_and_range() -> None:
    c = Cluster(3)
    c.wait_leader()
    c.post("m1", w.WatchCreateRequest(1, b"/a/b"))
    c.post("m2", w.WatchCreateRequest(2, b"/a/", b"/a0", prev_kv=True))
    c.post("m3", w.WatchCreateRequest(3, b"/a/b", b"\0"))
    c.run(0.1)
    c.put("m1", b"/a/b", b"1", cause=41)
    c.put("m2", b"/a/b", b"2", cause=42)
    c.ask("m3", w.DeleteRangeRequest, b"/a/b", cause=43)
    c.put("m1", b"/z", b"", cause=44)
    c.run(0.1)
    assert [c.watched(n)[0].created for n in (1, 2, 3)] == [True] * 3
    told = {n: [(e.type, e.kv.key, e.kv.cause) for r in c.watched(n) for e in r.events] for n in (1, 2, 3)}
    changes = [("PUT", b"/a/b", 41), ("PUT", b"/a/b", 42), ("DELETE", b"/a/b", 43)]
    assert told == {1: changes, 2: changes, 3: [*changes, ("PUT", b"/z", 44)]}
    previous = [e.prev_kv and e.prev_kv.value for r in c.watched(2) for e in r.events]
    assert previous == [None, b"1", b"2"]
    causes = [cause for _, _, m, cause in c.got if isinstance(m, w.WatchResponse) and m.watch == 1]
    assert causes == [0, 41, 42, 43]


def test_a_watch_from_the_past_catches_up_and_goes_on() -> None:
    c = Cluster(1)
    c.wait_leader()
    for i in range(4):
        c.put("m1", b"k", b"%d" % i)
    c.post("m1", w.WatchCreateRequest(1, b"k", start_revision=3))
    c.run(0.1)
    c.put("m1", b"k", b"new")
    c.run(0.1)
    assert [e.kv.value for r in c.watched(1) for e in r.events] == [b"1", b"2", b"3", b"new"]
    c.post("m1", w.WatchProgressRequest(1))
    c.post("m1", w.WatchCancelRequest(1))
    c.run(0.1)
    progress, canceled = c.watched(1)[-2:]
    assert (progress.events, progress.header.revision, canceled.canceled) == ((), 6, True)
    c.put("m1", b"k", b"unseen")
    assert c.watched(1)[-1] is canceled


def test_a_watch_below_the_compacted_revision_is_cancelled() -> None:
    c = Cluster(1)
    c.wait_leader()
    for i in range(4):
        c.put("m1", b"k", b"%d" % i)
    c.ask("m1", w.CompactionRequest, 4)
    c.post("m1", w.WatchCreateRequest(1, b"k", start_revision=2))
    c.post("m1", w.WatchCreateRequest(2, b"k", start_revision=4))
    c.run(0.1)
    last = c.watched(1)[-1]
    assert (last.canceled, last.compact_revision) == (True, 4)
    assert last.cancel_reason == "etcdserver: mvcc: required revision has been compacted"
    assert [e.kv.mod_revision for r in c.watched(2) for e in r.events] == [4, 5]


def test_one_transaction_is_one_watch_response() -> None:
    c = Cluster(1)
    c.wait_leader()
    c.post("m1", w.WatchCreateRequest(1, b"k/", b"k0"))
    c.ask("m1", w.TxnRequest, (), (w.PutRequest(0, b"k/1", b""), w.PutRequest(0, b"k/2", b"")))
    c.run(0.1)
    assert [len(r.events) for r in c.watched(1)] == [0, 2]


# -- membership -----------------------------------------------------------------------------------------------------------


def join(c: Cluster, number: int, learner: bool) -> Any:
    """Add a member by its first request and start its process."""
    from cluster.etcd import MemberConfig, MemberSeed

    name = f"m{number}"
    added = c.ask("m1", w.MemberAddRequest, (f"https://h{number}:2380",), learner, name)
    if isinstance(added, w.EtcdError):
        return added
    old = c.member("m1").config
    seed = MemberSeed(added.member.id, f"etcd-{number}", name, f"h{number}")
    c.place(seed, MemberConfig(seed.id, seed.name, seed.host, 77, (*old.members, seed), joining=True, **c.config))
    c.world.start(name)
    return added


@pytest.mark.parametrize("options", [{}, {"bootstrap_log": False}, {"snapshot_count": 20, "catch_up_entries": 2}])
def test_a_member_joins_as_learner_is_promoted_and_removed(options: dict[str, Any]) -> None:
    c = Cluster(3, **options)
    c.wait_leader()
    assert code(join(c, 4, True)) == (14, "etcdserver: unhealthy cluster")  # must have been connected for 5 s
    c.run(6)
    for i in range(40):
        c.put("m1", b"k", b"%d" % i)
    added = join(c, 4, True)
    id_ = added.member.id
    assert [m.is_learner for m in added.members if m.id == id_] == [True]
    early = code(c.ask("m1", w.MemberPromoteRequest, id_))
    assert early == (9, "etcdserver: can only promote a learner member which is in sync with leader")
    assert code(join(c, 5, True)) == (9, "etcdserver: too many learner members in cluster")
    c.run(2)
    assert code(c.put("m4", b"k", b"")) == (9, "etcdserver: rpc not supported for learner")
    assert c.get("m4", b"k", serializable=True).kvs[0].value == b"39"
    assert isinstance(c.ask("m4", w.SnapshotRequest), w.SnapshotResponse)
    assert code(c.ask("m4", w.WatchCreateRequest, b"k")) == (9, "etcdserver: rpc not supported for learner")
    assert code(c.ask("m4", w.HashKVRequest)) == (9, "etcdserver: rpc not supported for learner")
    promoted = c.ask("m2", w.MemberPromoteRequest, id_)
    assert [m.is_learner for m in promoted.members if m.id == id_] == [False]
    c.run(1)
    assert c.get("m4", b"k").kvs[0].value == b"39"
    assert all(len(c.member(name).state.raft.voters) == 4 for name in ("m1", "m2", "m3", "m4"))
    c.run(6)
    assert isinstance(c.ask("m1", w.MemberRemoveRequest, id_), w.MemberResponse)
    c.run(1.5)
    assert not c.world.state.slots["m4"].up  # a removed member ends by itself
    assert len(c.member("m1").state.raft.voters) == 3


def test_the_leader_may_be_removed() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.run(6)
    c.post(leader.name, w.MemberRemoveRequest(900, leader.config.id))
    c.run(4)
    assert not c.world.state.slots[leader.name].up
    new = c.wait_leader()
    assert len(new.state.raft.voters) == 2
    assert isinstance(c.put(new.name, b"k", b"v"), w.PutResponse)


def test_who_forwards_for_a_removed_member_is_not_told_to_go() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.run(6)
    one, two = (name for name in c.world.actors if name != leader.name)
    ghost = c.member(two).config.id
    c.world.stop(two)
    c.ask(leader.name, w.MemberRemoveRequest, ghost)
    asked = RaftMessage(type="MsgReadIndex", to=leader.config.id, frm=ghost, context=(ghost, 1))
    c.world.post(one, leader.name, asked)
    c.run(1)
    assert c.world.state.slots[one].up
    c.world.start(two)  # and the ghost itself is told
    c.run(3)
    assert not c.world.state.slots[two].up


def test_a_member_that_is_down_may_be_removed() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.run(6)
    one, two = followers(c)
    c.world.stop(one.name)
    c.run(0.5)
    removed = c.ask(leader.name, w.MemberRemoveRequest, one.config.id)
    assert [m.id for m in removed.members] == sorted([leader.config.id, two.config.id])
    c.world.start(one.name)
    c.run(5)
    assert not c.world.state.slots[one.name].up  # its peers tell it, and it ends by itself
    assert c.wait_leader() is leader


def test_the_last_voter_stays() -> None:
    c = Cluster(1, strict_reconfig_check=False)
    only = c.wait_leader()
    assert code(c.ask(only.name, w.MemberRemoveRequest, only.config.id)) == (2, "removed all voters")
    assert [m.id for m in c.ask(only.name, w.MemberListRequest).members] == [only.config.id]
    assert isinstance(c.put(only.name, b"k", b"v"), w.PutResponse)


def test_maintenance_of_one_member() -> None:
    c = Cluster(3)
    c.wait_leader()
    for i in range(5):
        c.put("m1", b"k", b"%d" % i)
    c.run(0.1)
    hashes = {c.ask(name, w.HashKVRequest).hash for name in ("m1", "m2", "m3")}
    assert len(hashes) == 1
    older = c.ask("m1", w.HashKVRequest, 3)
    assert older.hash not in hashes
    assert older.compact_revision == -1
    assert code(c.ask("m1", w.HashKVRequest, 99))[0] == 11


def test_a_stopped_member_shows_what_its_disk_holds() -> None:
    from cluster.etcd import views

    c = Cluster(3)
    c.wait_leader()
    c.put("m1", b"k", b"v" * 100)
    c.run(0.5)
    running = c.member("m2").status()
    log = c.member("m2").log()
    c.world.stop("m2")
    slot = c.world.state.slots["m2"]
    row = views.stopped("m2", slot.config, c.world.state.disks["m2"].synced)
    assert row["role"] == "down"
    for field in ("term", "votedFor", "commit", "lastIndex", "revision", "kvDigest", "snapIndex"):
        assert row[field] == running[field]
    assert row["log"] == log
    assert "put k=" + "v" * 60 + "…" in [text for _, _, text in log]


# -- what is told about it --------------------------------------------------------------------------------------------


class Recorder:
    """Keeps notes."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def note(self, now: int, actor: str, cause: int, note: Any) -> None:
        self.notes.append(note)

    def sent(self, *_: Any) -> None: ...

    def dropped(self, *_: Any) -> None: ...


def test_stages_of_a_traced_write() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.run(1)
    c.world.observer = recorder = Recorder()
    c.put(followers(c)[0].name, b"k", b"v", cause=9)
    c.put(leader.name, b"k", b"untraced")
    c.run(1)
    stages = [n for n in recorder.notes if isinstance(n, notes.Stage)]
    assert {s.request for s in stages} == {9}
    names = [s.name for s in stages]
    assert sorted(names) == ["append/m1", "append/m2", "append/m3", "apply", "apply", "apply", "commit", "propose"]
    by = {(s.name, s.component): s for s in stages}
    propose, commit = by["propose", leader.name], by["commit", leader.name]
    assert propose.start < propose.end <= commit.start < commit.end
    assert f"forwarded by {followers(c)[0].name}" in propose.reason
    assert "fsync" in by["append/m1", "m1"].reason
    assert len(commit.detail["have"]) >= 2
    assert all(s.detail["index"] == propose.detail["index"] for s in stages)


def test_raft_notes_tell_every_change_of_role() -> None:
    c = Cluster(3)
    c.world.observer = recorder = Recorder()
    leader = c.wait_leader()
    mine = [n.role for n in recorder.notes if isinstance(n, notes.Raft) and n.member == leader.name]
    assert mine[-3:] == ["pre-candidate", "candidate", "leader"]


def test_status_and_log_rows() -> None:
    c = Cluster(3, bootstrap_log=False)
    leader = c.wait_leader()
    c.put("m1", b"greeting", b"hello")
    c.run(0.3)
    row = leader.status()
    assert row["lead"] == row["votedFor"] == row["id"] == leader.name
    assert {p["match"] for p in row["progress"].values()} == {row["lastIndex"]}
    assert row["timerStart"] < row["timerEnd"]
    assert leader.log()[-1] == [2, 1, "put greeting=hello"]
    follower = followers(c)[0].status()
    assert follower["kvDigest"] == row["kvDigest"]
    assert SECOND <= follower["timerEnd"] - follower["timerStart"] < 2 * SECOND


def test_history_comes_in_one_response_without_what_is_filtered() -> None:
    c = Cluster(1)
    c.wait_leader()
    c.put("m1", b"k", b"1")
    c.put("m1", b"k", b"2")
    c.ask("m1", w.DeleteRangeRequest, b"k")
    for watch, filters in ((901, ()), (902, ("NOPUT",)), (903, ("NODELETE",))):
        c.post("m1", w.WatchCreateRequest(watch, b"k", start_revision=1, filters=filters))
    c.run(0.1)
    told = {watch: [[e.type for e in m.events] for m in c.watched(watch)[1:]] for watch in (901, 902, 903)}
    assert told == {901: [["PUT", "PUT", "DELETE"]], 902: [["DELETE"]], 903: [["PUT", "PUT"]]}
    c.ask("m1", w.DeleteRangeRequest, b"k")
    c.put("m1", b"k", b"3")
    c.run(0.1)
    assert [len(c.watched(watch)) for watch in (901, 902, 903)] == [3, 2, 3]


def test_a_watch_of_nothing_is_refused_and_one_from_before_the_beginning_is_compacted() -> None:
    c = Cluster(1)
    c.wait_leader()
    c.put("m1", b"k", b"1")
    c.post("m1", w.WatchCreateRequest(901, b"b", b"a"))
    c.ask("m1", w.CompactionRequest, 2)
    c.post("m1", w.WatchCreateRequest(902, b"k", start_revision=-5))
    c.run(0.1)
    assert [(m.created, m.canceled, m.cancel_reason) for m in c.watched(901)] == [
        (True, True, "mvcc: watcher range is empty")
    ]
    assert [m.compact_revision for m in c.watched(902)] == [0, 2]


def test_what_only_a_leader_knows_waits_for_one() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    granted = c.ask(leader.name, w.LeaseGrantRequest, 60, 5)
    other = followers(c)[0]
    for name in ("m1", "m2", "m3"):
        if name != other.name:
            c.world.stop(name)
    c.run(3)
    start = c.world.now
    assert code(c.ask(other.name, w.LeaseTimeToLiveRequest, granted.lease)) == (14, "etcdserver: no leader")
    assert 7 * SECOND <= c.world.now - start < 7.1 * SECOND
    asked = c.next_id()
    c.post(other.name, w.LeaseKeepAliveRequest(asked, granted.lease))
    for name in ("m1", "m2", "m3"):
        c.world.start(name)
    c.run(5)
    assert [m.ttl for _, _, m, _ in c.got if getattr(m, "id", 0) == asked] == [60]


def test_a_pause_costs_its_ticks_once_however_much_mail_has_waited() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.run(1)
    r, other = leader.state.raft, followers(c)[0]
    before = r.tick
    c.world.pause(leader.name)
    for _ in range(3):
        answer = RaftMessage(type="MsgHeartbeatResp", to=r.id, frm=other.config.id, term=r.term)
        c.world.post(other.name, leader.name, answer)
    c.run(10)
    c.world.resume(leader.name)
    c.run(1)
    assert before <= leader.state.raft.tick <= before + 12  # ten seconds' ticks are missing, and no more
