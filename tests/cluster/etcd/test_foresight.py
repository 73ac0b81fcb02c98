"""What is foretold happens: every legal next event, let happen in a copy of the world, changes Raft as ``does`` said."""

from typing import Any

import pytest

from cluster.etcd import EtcdMember, views
from cluster.lab import ClusterSpec, DelayIn, DeliverIn, DropIn, EtcdOpIn, Lab, MemberOp, Pki, UnknownName
from cluster.sim import MILLISECOND, SECOND, World
from cluster.wire import etcd as w
from cluster.wire.raft import RaftMessage

from .support import FACTORIES, Cluster


def facts(world: World, name: str) -> dict[str, Any]:
    actor = world.actors[name]
    assert isinstance(actor, EtcdMember)
    r, names = actor.state.raft, actor.state.app.membership.name_of
    return {
        "role": r.role, "term": r.term, "vote": names(r.vote), "lead": names(r.lead), "commit": r.log.committed,
        "last": r.log.last,
    }  # fmt: skip


def foretold(before: dict[str, Any], does: list[dict[str, Any]]) -> dict[str, Any]:
    after = dict(before)
    for row in does:
        match row["change"]:
            case "role" | "term" | "vote" | "lead" | "commit" as what:
                after[what] = row["to"]
                if what == "term":
                    after["vote"] = ""
            case "append":
                after["last"] = row["last"]
            case "truncate":
                after["last"] = row["first"] - 1
            case _:
                pass
    return after


def test_what_is_foretold_happens() -> None:
    """With ``bootstrap_log`` a new leader's etcd would propose things of its own (its name, the version) in the same step."""
    seen: dict[str, int] = {}
    for seed in range(6):
        c = Cluster(3 + seed % 2 * 2, seed, pre_vote=seed % 3 > 0, bootstrap_log=False)
        for round_ in range(14):
            c.world.run_until(c.world.now + 3 * SECOND, 5 + (seed * 17 + round_ * 29) % 31)
            for member in c.world.actors:
                c.post(member, w.PutRequest(c.next_id(), b"k", b"%d" % round_))
            if round_ in (5, 9):
                leader = c.leader()
                if leader is not None:
                    c.world.stop(leader.name)
            if round_ in (8, 13):
                for name in list(c.world.state.slots):
                    c.world.start(name)
            if round_ in (2, 11):
                for member in c.world.actors:
                    c.world.now_step(member, w.Campaign())
            c.world.run_until(c.world.now + SECOND, (seed + round_) % 6)
            saved = c.world.checkpoint()
            for row in views.next_events(c.world):
                world = World.restore(saved, FACTORIES)
                before = facts(world, row["member"])
                if row["kind"] == "timer":
                    world.now_step(row["member"], w.TickNow())
                else:
                    world.deliver(row["sequence"])
                assert facts(world, row["member"]) == foretold(before, row["does"]), row
                seen[row["what"]] = seen.get(row["what"], 0) + 1
    assert {"MsgApp", "MsgAppResp", "MsgVote", "heartbeat", "election timeout", "fsync", "PutRequest"} <= set(seen)


def bare(members: int = 3) -> Lab:
    lab = Lab.start(ClusterSpec(name="b", epoch=0, pki=Pki(*[b""] * 8), etcd_members=members, bare=True))
    lab.run_until(8 * SECOND)
    return lab


def test_the_class_chooses_what_happens_next() -> None:
    lab = bare()
    follower = next(row for row in lab.query("members") if row["role"] == "follower")["id"]
    timer = next(row for row in lab.query("raft_next") if row["member"] == follower and row["kind"] == "timer")
    lab.submit(DeliverIn(timer["sequence"]))
    assert next(row for row in lab.query("members") if row["id"] == follower)["role"] == "pre-candidate"
    asked = next(row for row in lab.query("raft_next") if row["what"] == "MsgPreVote")
    assert asked["does"] == [{"change": "nothing", "why": "lease"}]
    with pytest.raises(UnknownName):
        lab.submit(DropIn(timer["sequence"]))
    lab.submit(DropIn(asked["sequence"]))
    assert asked["sequence"] not in [row["sequence"] for row in lab.query("raft_next")]
    tick = next(row for row in lab.query("raft_next") if row["kind"] == "timer")
    with pytest.raises(UnknownName):
        lab.submit(DropIn(tick["sequence"]))
    lab.run_until(lab.now + 5 * SECOND)
    assert sum(row["role"] == "leader" for row in lab.query("members")) == 1


def test_a_delayed_message_holds_up_what_follows_it() -> None:
    lab = bare()
    leader = next(row for row in lab.query("members") if row["role"] == "leader")["id"]
    lab.submit(EtcdOpIn("a", leader, "put", "k", "1"))
    lab.run_until(lab.now + 20_000)
    while not (sent := [r for r in lab.query("raft_next") if r["what"] == "MsgApp"]):
        lab.run_until(lab.now + 50_000)
    for row in sent:
        lab.submit(DelayIn(row["sequence"], 300_000))
    lab.submit(EtcdOpIn("b", leader, "put", "k", "2"))
    lab.run_until(lab.now + 250 * MILLISECOND)
    assert lab.query("ops", pending=True)["ops"][0]["id"] == "a"
    lab.run_until(lab.now + 80 * MILLISECOND)
    assert [op["res"] for op in lab.query("ops")["ops"]] == ["ok", "ok"]


def test_invariants_say_what_they_rest_on() -> None:
    lab = bare()
    leader = next(row for row in lab.query("members") if row["role"] == "leader")["id"]
    lab.submit(EtcdOpIn("a", leader, "put", "k", "1"))
    lab.run_until(lab.now + SECOND)
    lab.submit(MemberOp(leader, "stop"))
    lab.run_until(lab.now + 5 * SECOND)
    rows = {row["key"]: row for row in lab.query("raft_invariants")}
    assert len(rows) == 6 and all(row["holds"] for row in rows.values())
    assert [len(row["leaders"]) for row in rows["election-safety"]["evidence"]] == [1, 1]
    assert {row["differ"] for row in rows["log-matching"]["evidence"]} == {0}
    assert len(rows["committed-is-stored"]["evidence"][0]["stored"]) == 2
    assert all(row["states"] > 1 for row in rows["commit-monotone"]["evidence"])


@pytest.mark.parametrize(
    ("key", "damage"),
    [
        ("election-safety", lambda m: setattr(m[1].state.raft, "role", "leader")),
        ("log-matching", lambda m: m[1].state.raft.log.entries.__setitem__(2, m[1].state.raft.log.entries[1])),
        ("leader-completeness", lambda m: m[0].state.raft.log.entries.pop()),
        ("state-machine-safety", lambda m: setattr(m[1].state.app.store, "digest", 1)),
    ],
)
def test_invariants_see_damage(key: str, damage: Any) -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.put(leader.name, b"a", b"1")
    c.run(1)
    members = sorted((c.member(name) for name in c.world.actors), key=lambda m: m is not leader)
    damage(members)
    rows = {row["key"]: row["holds"] for row in views.invariants(c.world, [(0, leader.state.raft.term, leader.name)])}
    assert not rows[key]


def test_invariants_see_a_disk_that_forgot() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.put(leader.name, b"a", b"1")
    c.run(1)
    for name, disk in c.world.state.disks.items():
        if name != leader.name:
            disk.synced = disk.synced[:2] + disk.synced[3:4]
    rows = {row["key"]: row["holds"] for row in views.invariants(c.world)}
    assert not rows["committed-is-stored"]
    disk = c.world.state.disks[leader.name]
    disk.synced = [*disk.synced, disk.synced[3]]  # the HardState of the beginning
    assert not {row["key"]: row["holds"] for row in views.invariants(c.world)}["commit-monotone"]


def test_a_leader_that_sleeps_through_its_end_breaks_no_promise() -> None:
    c = Cluster(3)
    old = c.wait_leader()
    c.run(1)
    c.world.pause(old.name)
    c.run(5)
    new = c.leader()
    assert new is not None and new is not old
    c.put(new.name, b"a", b"1")
    c.world.stop(new.name)
    rows = {row["key"]: row for row in views.invariants(c.world)}
    assert rows["leader-completeness"]["holds"] and rows["committed-is-stored"]["holds"]
    assert rows["leader-completeness"]["evidence"] == []  # the leader of the newest term is gone


def does(c: Cluster, member: str, message: Any) -> list[dict[str, Any]]:
    """What is foretold of a client's ``message``; then it happens."""
    c.post(member, message)
    what = type(message).__name__
    rows = [row["does"] for row in views.next_events(c.world) if (row["member"], row["what"]) == (member, what)]
    c.run(1)
    return rows[-1]


def test_what_a_client_may_ask_for_is_foretold_as_it_will_be() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    follower = next(name for name in c.world.actors if name != leader.name)
    c.run(6)
    lease = c.ask(leader.name, w.LeaseGrantRequest, 600).lease
    send = {"change": "send", "reject": False, "entries": 0, "durable": False}
    keep = w.LeaseKeepAliveRequest
    assert does(c, follower, keep(c.next_id(), lease)) == [{**send, "type": keep.__name__, "to": leader.name}]
    asked = does(c, leader.name, keep(c.next_id(), lease))
    assert {row["type"] for row in asked} == {"MsgHeartbeat"}
    assert does(c, follower, w.MoveLeaderRequest(c.next_id(), 0x1001)) == [{"change": "answer"}]
    assert does(c, follower, w.PutRequest(c.next_id(), b"", b"")) == [{"change": "answer"}]
    before = leader.state.raft.log.last
    state = c.world.state.dice[leader.name].state
    added = does(c, leader.name, w.MemberAddRequest(c.next_id(), ("https://h4:2380",), True, "m4"))
    assert {"change": "append", "first": before + 1, "last": before + 1} in added
    assert state != c.world.state.dice[leader.name].state  # the real one took its id; the foretold one had not
    assert len(leader.state.app.membership.members) == 4
    refused = does(c, leader.name, w.MemberPromoteRequest(c.next_id(), 5))
    assert refused == [{"change": "answer"}]


def test_a_learner_is_foretold_to_refuse_and_who_was_removed_to_be_told() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    c.run(6)
    one, two = (name for name in c.world.actors if name != leader.name)
    member = c.member(one)
    member.state.raft.learners = [member.config.id]
    member.state.raft.progress[member.config.id].learner = True
    assert does(c, one, w.PutRequest(c.next_id(), b"k", b"v")) == [{"change": "answer"}]
    gone = c.member(two).config.id
    leader.state.app.membership.removed[gone] = None
    c.world.post(two, leader.name, RaftMessage(type="MsgPreVote", to=leader.config.id, frm=gone, term=9))
    row = next(row for row in views.next_events(c.world) if row["what"] == "MsgPreVote")
    assert row["does"][0] == {"change": "nothing", "why": "removed"}
    assert (row["does"][1]["type"], row["does"][1]["to"]) == ("PeerHello", two)
