"""A cluster of etcd that begins with a snapshot: all of it, half of it, and what Kubernetes makes of either."""

from functools import cache

import pytest

from cluster import lab as world
from cluster.lab import Entry, EtcdOpIn, HostOp, Lab, MemberOp, SnapshotFileIn, SnapshotIn, SnapshotRemoveIn
from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import EPOCH, Desk, keys

SAVED = "/var/lib/etcd-backup/s.db"


class Bench:
    """A bare cluster and the journal of what was done to it."""

    def __init__(self) -> None:
        self.spec = world.ClusterSpec(name="bare", epoch=EPOCH, pki=keys(), bare=True)
        self.lab = Lab.start(self.spec)
        self.journal: list[Entry] = []
        self.calls = 0
        self.run(4)

    def run(self, seconds: float) -> None:
        self.lab.run_until(self.lab.now + int(seconds * SECOND))

    def do(self, item) -> None:
        self.journal.append(Entry(self.lab.now, self.lab.world.state.events, item))
        self.lab.submit(item)

    def ask(self, kind, **fields) -> dict:
        """Submit an input that is answered; its answer."""
        self.calls += 1
        call = f"c{self.calls}"
        self.do(kind(call=call, **fields))
        for _ in range(200):
            for out in self.lab.drain().outputs:
                if getattr(out, "call", "") == call:
                    return out.doc
            self.run(0.02)
        raise AssertionError(f"{kind.__name__} was not answered")

    def op(self, f: str, key: str, value: str | None = None, member: str = "m1"):
        self.calls += 1
        call = f"o{self.calls}"
        self.do(EtcdOpIn(call, member, f, key, value))
        self.run(0.2)
        return self.lab.state.ops[call]

    def members(self) -> list[tuple]:
        return [(m["id"], m["role"] == "leader", m["revision"]) for m in self.lab.query("members")]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    for n in range(5):
        assert bench.op("put", f"k{n}", "before").res == "ok"
    assert bench.ask(SnapshotIn, member="m2", path=SAVED)["revision"] == 6
    assert bench.op("put", "k0", "after").res == "ok"
    return bench


def test_a_new_cluster_has_the_snapshots_keys_and_nothing_that_came_after(bench):
    before = {row["id"]: row["cluster"] for row in bench.lab.query("backups")["members"]}
    for member in ("m1", "m3"):
        bench.do(MemberOp(member, "stop"))
    told = bench.ask(world.RestoreIn, host="etcd-2", path=SAVED)
    bench.run(6)
    now = {row["id"]: row["cluster"] for row in bench.lab.query("backups")["members"]}
    assert set(now.values()) == {told["cluster"]} and not set(now) & set(before)
    assert bench.op("get", "k0").out["value"] == "before"
    assert bench.op("put", "k0", "again").out["revision"] == 7
    assert sum(leads for _, leads, _ in bench.members()) == 1 and {row[2] for row in bench.members()} == {7}
    digests = {m["kvDigest"] for m in bench.lab.query("members")}
    assert len(digests) == 1
    bench.ask(world.RestoreIn, host="etcd-2", path=SAVED, token="again")
    bench.run(6)  # the same terms begin again, with other leaders: in another cluster that is no broken promise
    assert len({(term, leader) for _, term, leader in bench.lab.recorder.memory.terms}) > 2
    assert all(row["holds"] for row in bench.lab.query("raft_invariants"))


def test_one_member_restored_alone_is_a_cluster_of_its_own_and_the_others_go_on(bench):
    bench.ask(world.RestoreIn, host="etcd-2", path=SAVED, members=("m2",))
    bench.run(5)
    assert bench.op("get", "k0", member="m2").out["value"] == "before"
    assert bench.op("get", "k0", member="m1").out["value"] == "after"
    assert bench.op("put", "k0", "here", member="m2").res == bench.op("put", "k0", "there", member="m3").res == "ok"
    assert len({row["cluster"] for row in bench.lab.query("backups")["members"]}) == 2
    assert sum(leads for _, leads, _ in bench.members()) == 2  # a leader each: split brain


def test_a_replayed_journal_restores_to_the_same_digest_and_a_host_keeps_its_disk(bench):
    bench.ask(world.RestoreIn, host="etcd-2", path=SAVED, bump=1000)
    bench.run(4)
    bench.do(HostOp("etcd-2", "stop"))
    bench.run(1)
    bench.do(HostOp("etcd-2", "start"))
    bench.run(3)
    assert bench.op("put", "k9", "x").out["revision"] == 1007
    assert [row["host"] for row in bench.lab.query("backups")["snapshots"]] == ["etcd-1", "etcd-2", "etcd-3"]
    again = Lab.seek(bench.spec, bench.journal, bench.lab.now)
    assert again.digest() == bench.lab.digest() and again.query("members") == bench.lab.query("members")
    back = Lab.restore(bench.lab.checkpoint())
    assert back.query("backups") == bench.lab.query("backups")


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        (world.RestoreIn, {"host": "etcd-9", "path": SAVED}, "there is no host etcd-9"),
        (world.RestoreIn, {"host": "etcd-1", "path": SAVED}, "open /var/lib/etcd-backup/s.db: no such file or directory"),
        (world.RestoreIn, {"host": "etcd-2", "path": SAVED, "members": ("m7",)}, "there is no member 'm7'"),
        (SnapshotIn, {"member": "m1", "path": "/etc/../x.db"}, "is no absolute path"),
        (SnapshotIn, {"member": "m1", "path": "/tmp/x"}, "ends in .db"),
        (SnapshotFileIn, {"host": "etcd-1", "path": SAVED, "data": b"hello"}, "invalid database"),
        (SnapshotFileIn, {"host": "etcd-1", "path": SAVED, "data": bytes(17 << 20)}, "more than this laboratory keeps"),
        (SnapshotRemoveIn, {"host": "etcd-1", "path": SAVED}, "no such file or directory"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(bench, kind, fields, said):
    assert said in bench.ask(kind, **fields)["error"]


def test_a_down_host_cannot_be_restored_and_a_down_member_saves_nothing(bench):
    bench.do(HostOp("etcd-3", "stop"))
    bench.do(MemberOp("m1", "stop"))
    assert "host etcd-3 is down" in bench.ask(world.RestoreIn, host="etcd-2", path=SAVED, members=("m3",))["error"]
    assert "m1 is down" in bench.ask(SnapshotIn, member="m1")["error"]
    assert len(bench.ask(world.RestoreIn, host="etcd-2", path=SAVED)["members"]) == 2  # those whose hosts are up


@cache
def saved() -> bytes:
    """Three apiservers; a snapshot, then 40 writes that will be lost."""
    desk = Desk.boot(workers=1)
    desk.lab.submit(SnapshotIn("s", "m1", SAVED))
    desk.lab.run_until(desk.lab.now + SECOND)
    for n in range(40):
        desk.ask("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"lost-{n}"}})
    desk.lab.run_until(desk.lab.now + SECOND)
    desk.lab.drain()
    return desk.lab.checkpoint()


def restored(**act) -> Desk:
    """The same after a restore."""
    desk = Desk(Lab.restore(saved()))
    desk.lab.submit(world.RestoreIn("r", "cp-1", SAVED, **act))
    desk.lab.run_until(desk.lab.now + 25 * SECOND)
    return desk


def seen(desk: Desk) -> int:
    return len(desk.get("/api/v1/namespaces/default/configmaps")["items"])


def pod_runs(desk: Desk) -> bool:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    assert desk.ask("POST", "/api/v1/namespaces/default/pods", pod)[0] == 201
    desk.lab.run_until(desk.lab.now + 15 * SECOND)
    pod = desk.get("/api/v1/namespaces/default/pods/p")
    assert pod["spec"].get("nodeName")  # it was scheduled in any case
    return pod["status"]["phase"] == "Running"


def test_a_kubelet_ahead_of_the_restored_revision_is_blind_until_it_is_bumped():
    plain, bumped = restored(), restored(bump=1_000_000_000)
    assert seen(plain) == seen(bumped) == 1  # kube-root-ca.crt
    assert (pod_runs(plain), pod_runs(bumped)) == (False, True)


def test_apiservers_of_half_a_restore_answer_differently():
    desk = restored(members=("m1",))
    assert {seen(desk) for _ in range(6)} == {1, 41}
