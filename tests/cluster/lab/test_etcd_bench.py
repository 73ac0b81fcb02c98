"""The etcd page's bench: the model of what members hold, and inputs that cut ways, set timers, slow disks down, compact logs."""

import orjson
import pytest

from cluster.lab import (
    AlignIn,
    CallOut,
    ClusterSpec,
    CutsIn,
    DeliverIn,
    DiskIn,
    Entry,
    EtcdGatewayIn,
    EtcdOpIn,
    EtcdWatchIn,
    HealIn,
    HostOp,
    Lab,
    LinkIn,
    MemberAddIn,
    MemberOp,
    MemberPromoteIn,
    MemberRemoveIn,
    PartitionIn,
    Pki,
    UnknownName,
)
from cluster.sim.clock import MILLISECOND, SECOND
from tests.cluster.lab.desk import Desk

SPEC = ClusterSpec(name="bench", epoch=1_700_000_000, pki=Pki(*[b""] * 8), seed=3, bare=True, etcd_members=3)


@pytest.fixture(scope="module")
def calm() -> bytes:
    lab = Lab.start(SPEC)
    lab.run_until(5 * SECOND)
    return lab.checkpoint()


@pytest.fixture
def lab(calm: bytes) -> Lab:
    return Lab.restore(calm)


def model(lab: Lab) -> dict:
    return lab.query("bench")


def leader(lab: Lab) -> str:
    return max((m for m in model(lab)["members"] if m["role"] == "leader"), key=lambda m: m["term"])["id"]


def others(lab: Lab) -> list[str]:
    return [m["id"] for m in model(lab)["members"] if m["id"] != leader(lab)]


def roles(lab: Lab) -> dict[str, str]:
    return {m["id"]: m["role"] for m in model(lab)["members"]}


def after(lab: Lab, span: int) -> None:
    lab.run_until(lab.now + span)


def test_aligned_timers_over_equal_ways_split_the_vote(lab: Lab) -> None:
    two = others(lab)
    lab.submit(MemberOp(leader(lab), "stop"))
    lab.submit(CutsIn(slow=((two[0], two[1]), (two[1], two[0])), slow_ms=20))
    lab.submit(AlignIn(tuple(two), 1_100_000))
    after(lab, 1_100 * MILLISECOND)
    assert {roles(lab)[name] for name in two} == {"pre-candidate"}
    after(lab, 100 * MILLISECOND)
    members = {m["id"]: m for m in model(lab)["members"]}
    assert [members[name]["role"] for name in two] == ["candidate", "candidate"]
    assert [members[name]["votedFor"] for name in two] == two
    after(lab, 8 * SECOND)
    assert leader(lab) in two


def test_one_way_cuts_are_shown_and_mended(lab: Lab) -> None:
    a, b = others(lab)
    lab.submit(CutsIn(cut=((a, b),)))
    ways = {(x, y): state for x, y, state, _ in model(lab)["ways"]}
    assert (ways[a, b], ways[b, a]) == ("cut", "ok")
    lab.submit(LinkIn(a, b, latency_ms=200, one_way=True))
    assert [a, b, "slow", 200.0] in model(lab)["ways"]
    lab.submit(CutsIn(mend=((a, b),)))
    assert all(way[2] == "ok" for way in model(lab)["ways"])
    with pytest.raises(UnknownName):
        lab.submit(CutsIn(cut=((a, "m9"),)))


def test_members_in_no_group_are_apart_from_all(lab: Lab) -> None:
    """Two of which nobody said which side they are on hear each other no more than they do the others."""
    a, b = others(lab)
    lab.submit(PartitionIn(groups=((leader(lab),),)))
    ways = {(x, y): state for x, y, state, _ in model(lab)["ways"]}
    assert (ways[a, b], ways[b, a], ways[a, leader(lab)]) == ("apart", "apart", "apart")


def test_a_slow_disk_holds_an_entry_back_on_that_member_only(lab: Lab) -> None:
    where = leader(lab)
    lab.submit(DiskIn(where, (400, 400)))
    lab.submit(EtcdOpIn("slow", where, "put", "k", "v"))
    after(lab, 100 * MILLISECOND)
    rows = {m["id"]: m for m in model(lab)["members"]}
    assert rows[where]["slow"] and rows[where]["durable"] < rows[where]["lastIndex"] == rows[where]["commit"]
    lab.submit(DiskIn(where))
    assert not {m["id"]: m for m in model(lab)["members"]}[where]["slow"]


def test_a_member_behind_a_compacted_log_gets_a_snapshot(lab: Lab) -> None:
    where, away = leader(lab), others(lab)[-1]
    lab.submit(MemberOp(away, "stop"))
    lab.submit(EtcdOpIn("one", where, "put", "k", "v"))
    after(lab, SECOND)
    for row in model(lab)["members"]:
        if row["up"]:
            lab.submit(MemberOp(row["id"], "snapshot"))
    after(lab, SECOND)
    lab.submit(MemberOp(away, "start"))
    seen = set()
    for _ in range(400):
        after(lab, MILLISECOND)
        seen |= {p["state"] for m in model(lab)["members"] for p in m["progress"] if p["id"] == away}
    assert seen == {"probe", "snapshot", "replicate"}
    assert len({m["kvDigest"] for m in model(lab)["members"]}) == 1


def test_an_old_leader_returns_and_its_entry_is_overwritten_and_every_promise_holds(lab: Lab) -> None:
    old = leader(lab)
    ways = tuple(pair for other in others(lab) for pair in ((old, other), (other, old)))
    lab.submit(CutsIn(cut=ways))
    lab.submit(EtcdOpIn("lost", old, "put", "lost", "v"))
    after(lab, 4 * SECOND)
    assert leader(lab) != old
    lab.submit(EtcdOpIn("kept", leader(lab), "put", "kept", "v"))
    after(lab, SECOND)
    logs = {m["id"]: [entry[2] for entry in m["log"]] for m in model(lab)["members"]}
    assert "put lost=v" in logs[old] and "put kept=v" not in logs[old]
    lab.submit(CutsIn(mend=ways))
    after(lab, 2 * SECOND)
    logs = {m["id"]: [entry[2] for entry in m["log"]] for m in model(lab)["members"]}
    assert "put lost=v" not in logs[old] and "put kept=v" in logs[old]
    promises = lab.query("bench", promises=True)["promises"]
    assert len(promises) == 6 and all(row["holds"] for row in promises)


def test_the_history_of_a_key_and_the_level_it_is_on(lab: Lab) -> None:
    where = leader(lab)
    for n, f in enumerate(("put", "put", "delete")):
        lab.submit(EtcdOpIn(f"h{n}", where, f, "/a/b/c", str(n)))  # type: ignore[arg-type]
        after(lab, SECOND)
    lab.submit(EtcdOpIn("other", where, "put", "/a/x", "1"))
    after(lab, SECOND)
    found = lab.query("keyspace", prefix="/a/", key="/a/b/c")
    assert [row.get("key") for row in found["rows"]] == ["/a/x"]
    assert [(v["version"], v["deleted"], v["value"]) for v in found["key"]["versions"]] == [
        (0, True, ""),
        (2, False, "1"),
        (1, False, "0"),
    ]
    old = found["key"]["versions"][1]["mod"]
    assert lab.query("keyspace", prefix="/a/", revision=old)["rows"] == [{"folder": "/a/b/", "count": 1}]


def test_every_act_of_the_bench_replays(lab: Lab) -> None:
    """The same journal, the same history: cuts, timers, disks and snapshots are inputs like others."""
    journal: list[Entry] = []

    def do(item) -> None:
        journal.append(Entry(lab.now, lab.world.state.events, item))
        lab.submit(item)

    origin = lab.checkpoint()
    first, second = others(lab)
    do(CutsIn(cut=((first, second),)))
    do(DiskIn(second, (5, 9)))
    do(AlignIn((first, second), 1_500_000))
    do(MemberOp(leader(lab), "snapshot"))
    after(lab, 3 * SECOND)
    do(HealIn())
    after(lab, 3 * SECOND)
    again = Lab.seek(origin, journal, lab.now)
    assert again.digest() == lab.digest()
    assert again.query("bench") == model(lab)


def test_only_a_member_can_be_told_what_a_member_is_told() -> None:
    desk = Desk.boot()
    lab, first = desk.lab, desk.lab.query("members")[0]["id"]
    for name in ("lb", "kubelet-node-1", "m9"):
        for item in (
            EtcdGatewayIn("g", name, "/v3/kv/put", b'{"key":"YQ=="}'),
            MemberOp(name, "stop"),
            MemberOp(name, "campaign"),
            MemberOp(first, "transfer", name),
            MemberRemoveIn("r", name),
            MemberPromoteIn("p", name),
            DiskIn(name, (1, 2)),
            AlignIn((name,), 1000),
        ):
            with pytest.raises(UnknownName):
                lab.submit(item)
        lab.submit(EtcdOpIn(f"op-{name}", name, "put", "k", "v"))
        lab.submit(EtcdWatchIn("nobody's", name, "cancel"))
    after(lab, 15 * SECOND)
    ended = {op["id"]: (op["res"], op["error"]) for op in lab.query("ops")["ops"]}
    assert ended["op-lb"] == ("fail", "there is no member 'lb' in this cluster")
    assert set(ended) == {"op-lb", "op-kubelet-node-1", "op-m9"} and lab.ready()
    assert lab.query("ops", pending=True)["ops"] == []


def test_a_member_that_dies_with_a_request_in_hand_tells_whoever_asked(lab: Lab) -> None:
    where, away = leader(lab), others(lab)
    watch = orjson.dumps({"create_request": {"key": "YQ=="}})
    lab.submit(EtcdGatewayIn("watch", where, "/v3/watch", watch))
    lab.submit(EtcdOpIn("before", where, "put", "k", "v"))
    lab.submit(EtcdGatewayIn("list", where, "/v3/cluster/member/list"))
    after(lab, SECOND)
    assert [p for p in lab.world.state.slots[where].peers if p.startswith("outside:")] == ["outside:etcd/1"]
    lab.drain()
    lab.submit(CutsIn(cut=tuple((a, b) for name in away for a, b in ((where, name), (name, where)))))
    lab.submit(EtcdOpIn("put", where, "put", "k", "v"))
    lab.submit(EtcdOpIn("get", where, "get", "k"))
    lab.submit(EtcdGatewayIn("range", where, "/v3/kv/range", b'{"key":"YQ=="}'))
    lab.submit(MemberAddIn("add", "m9"))
    after(lab, 100 * MILLISECOND)
    again = Lab.restore(lab.checkpoint())
    for each in (lab, again):
        each.submit(MemberOp(where, "stop"))
        after(each, 100 * MILLISECOND)
        ops = {op["id"]: (op["res"], op["error"]) for op in each.query("ops")["ops"]}
        assert ops["before"][0] == "ok"
        assert (ops["put"], ops["get"]) == (("info", "connection reset"), ("fail", "connection reset"))
        ended = {o.call: o.doc for o in each.drain().outputs if isinstance(o, CallOut)}
        assert ended["watch"] == ended["range"] == {"status": 0, "error": "connection reset", "done": True}
        assert ended["add"]["done"] and not each.state.calls and not each.state.joining
    assert again.digest() == lab.digest()


def test_a_member_whose_host_lost_power_tells_nobody_until_it_is_back(lab: Lab) -> None:
    where = leader(lab)
    lab.submit(MemberOp(where, "pause"))
    lab.submit(EtcdOpIn("put", where, "put", "k", "v"))
    after(lab, 100 * MILLISECOND)
    host = lab.world.state.slots[where].host
    lab.submit(HostOp(host, "stop"))
    after(lab, 20 * SECOND)
    assert [op["id"] for op in lab.query("ops", pending=True)["ops"]] == ["put"]
    lab.submit(HostOp(host, "start"))
    after(lab, SECOND)
    assert [op["res"] for op in lab.query("ops")["ops"]] == ["info"]


def test_a_timer_of_a_process_that_is_gone_cannot_run_out(lab: Lab) -> None:
    where = others(lab)[0]

    def ticks() -> list[int]:
        return [
            event[1] for event in lab.world.state.queue
            if event[2] == event[3] == where and getattr(event[4], "name", "") == "tick"
        ]  # fmt: skip

    before = ticks()
    lab.submit(MemberOp(where, "stop"))
    lab.submit(MemberOp(where, "start"))
    for sequence in before:
        with pytest.raises(UnknownName):
            lab.submit(DeliverIn(sequence))
    assert roles(lab)[where] == "follower"
    current = lab.world.state.slots[where].timers["tick"]
    assert current not in before
    lab.submit(DeliverIn(current))
    assert roles(lab)[where] == "pre-candidate"
