"""The scheduler against a small apiserver: who goes where, who doesn't and why, and what wakes the waiting."""

from typing import Any

from cluster.scheduler.scheduler import Scheduler, SchedulerConfig
from cluster.sim import SECOND, World
from cluster.trace.notes import Effect
from cluster.wire.http import HttpRequest, TlsPeer
from tests.cluster.clientgo.fake_apiserver import EPOCH, FakeApiServer, FakeConfig

PODS = "/api/v1/namespaces/default/pods"


class Eyes:
    def __init__(self) -> None:
        self.effects: list[Effect] = []

    def note(self, now: int, actor: str, cause: int, note: Any) -> None:
        if isinstance(note, Effect):
            self.effects.append(note)

    def sent(self, *args: Any) -> None: ...

    def dropped(self, *args: Any) -> None: ...


class Bench:
    def __init__(self) -> None:
        self.world = World.new(3, 500_000, 1_500_000, {"kube-apiserver": FakeApiServer, "kube-scheduler": Scheduler})
        self.eyes = self.world.observer = Eyes()
        self.world.add_host("cp-1")
        self.world.add_process("api", "kube-apiserver", "cp-1", FakeConfig())
        self.world.start("api")
        config = SchedulerConfig(
            epoch=EPOCH, server="api", peer=TlsPeer(common_name="system:kube-scheduler"), name="s", host="cp-1"
        )
        self.world.add_process("s", "kube-scheduler", "cp-1", config)
        self.world.start("s")
        self.run(1)

    def run(self, seconds: float) -> None:
        self.world.run_until(self.world.now + int(seconds * SECOND))

    def do(self, method: str, path: str, doc: Any = None, wait: float = 0.2) -> int:
        self.world.state.ids += 1
        request = HttpRequest(self.world.state.ids, method, path, doc=doc)
        self.world.post("outside:test", "api", request)
        if wait:
            self.run(wait)
        return request.id

    def node(
        self, name: str, cpu: str = "4", memory: str = "8Gi", taints: Any = (), labels: Any = None, **spec: Any
    ) -> None:
        status = {"allocatable": {"cpu": cpu, "memory": memory, "pods": "110"}}
        spec = {"taints": list(taints), **spec} if taints else spec
        meta = {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}}
        self.do("POST", "/api/v1/nodes", {"kind": "Node", "metadata": meta, "spec": spec, "status": status})

    def pod(self, name: str, cpu: str = "", wait: float = 0.2, labels: Any = None, **spec: Any) -> int:
        container: dict[str, Any] = {"name": "c", "image": "nginx"}
        if cpu:
            container["resources"] = {"requests": {"cpu": cpu}}
        container.update(spec.pop("container", {}))
        doc = {
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {"containers": [container], **spec},
        }
        return self.do("POST", PODS, doc, wait)

    def get(self, path: str) -> Any:
        return self.world.actors["api"].state.objects.get(path)

    def where(self, name: str) -> str:
        return self.get(f"{PODS}/{name}")["spec"].get("nodeName", "")

    def message(self, name: str) -> str:
        conditions = self.get(f"{PODS}/{name}").get("status", {}).get("conditions", [])
        return next((c["message"] for c in conditions if c["type"] == "PodScheduled" and c["status"] == "False"), "")

    def count(self, nodes: int) -> list[int]:
        placed = [d["spec"].get("nodeName") for p, d in self.world.actors["api"].state.objects.items() if "/pods/" in p]
        return [placed.count(f"node-{n}") for n in range(1, nodes + 1)]


def test_binds_with_event_and_cause_and_a_note_of_every_verdict() -> None:
    b = Bench()
    b.node("node-1")
    b.node("node-2", unschedulable=True)
    cause = b.pod("web")
    assert b.where("web") == "node-1"
    log = b.world.actors["api"].state.log
    (binding,) = [entry for entry in log if entry[2].endswith("/binding")]
    assert binding[0] == cause and binding[4] == "system:kube-scheduler"
    events = [
        d for p, d in b.world.actors["api"].state.objects.items() if "/events/" in p and d["reason"] == "Scheduled"
    ]
    assert [e["note"] for e in events] == ["Successfully assigned default/web to node-1"]
    assert events[0]["reportingController"] == "default-scheduler"
    (note,) = [e for e in b.eyes.effects if e.kind == "schedule"]
    assert note.object == "pods/default/web" and note.detail["winner"] == "node-1"
    detail = note.detail
    assert detail["nodes"] == ["node-1", "node-2"] and detail["more"] == 0
    assert detail["refused"] == {"node-2": ["NodeUnschedulable", "node(s) were unschedulable"]}
    assert detail["filters"].index("NodeUnschedulable") < detail["filters"].index("NodeResourcesFit")
    assert detail["scores"] == {}, "with one Node left nothing is scored"


def test_the_matrix_tells_raw_normalised_and_weighted_scores() -> None:
    b = Bench()
    for name in ("node-1", "node-2", "node-3"):
        b.node(name)
    b.pod("early")
    b.pod("web")
    detail = next(e for e in b.eyes.effects if e.kind == "schedule" and e.object == "pods/default/web").detail
    assert set(detail["scores"]) == {"node-1", "node-2", "node-3"}
    totals = {}
    for node, rows in detail["scores"].items():
        for plugin, (_raw, normalised, weighted) in rows.items():
            assert weighted == normalised * detail["weights"][plugin]
        totals[node] = sum(row[2] for row in rows.values())
    assert totals[detail["winner"]] == max(totals.values())


def test_of_many_nodes_the_matrix_tells_the_best() -> None:
    b = Bench()
    for number in range(60):
        b.node(f"node-{number}", unschedulable=number % 2 == 0)
    b.pod("web")
    (note,) = [e for e in b.eyes.effects if e.kind == "schedule"]
    detail = note.detail
    assert detail["winner"] in detail["nodes"] and 24 <= len(detail["nodes"]) <= 40
    assert detail["more"] == 60 - len(detail["nodes"])
    assert "of them share the highest score, and the dice chose." in note.text


def test_failure_texts_are_the_real_ones() -> None:
    b = Bench()
    b.pod("early")
    assert b.message("early") == "no nodes available to schedule pods"
    b.node("node-1")
    b.node("node-2")
    b.pod("big", nodeSelector={"disk": "ssd"})
    assert b.message("big") == (
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    b.pod("filler-1", cpu="3")
    b.pod("filler-2", cpu="3")
    b.pod("two", cpu="2")
    assert b.message("two") == (
        "0/2 nodes are available: 2 Insufficient cpu. "
        "preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
    )
    b.pod("huge", cpu="64")
    assert b.message("huge") == (
        "0/2 nodes are available: 2 Insufficient cpu. "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    b.node("node-3", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}])
    b.pod("three", cpu="2")
    assert b.message("three") == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
        "2 Insufficient cpu. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, "
        "2 No preemption victims found for incoming pod."
    )
    b.pod("claims", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])
    assert b.message("claims") == (
        '0/3 nodes are available: persistentvolumeclaim "data" not found. '
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_waiting_pods_wake_when_something_that_matters_changes() -> None:
    b = Bench()
    b.node("node-1")
    b.pod("a", cpu="3")
    b.pod("b", cpu="3")
    b.run(20)
    assert b.where("b") == ""
    tried = b.world.actors["s"].state.queue.entries["default/b"].attempts
    b.run(200)
    assert b.world.actors["s"].state.queue.entries["default/b"].attempts == tried  # nothing happened, nothing tried
    cause = b.do("DELETE", f"{PODS}/a")
    b.run(2)
    assert b.where("b") == "node-1"
    (binding,) = [e for e in b.world.actors["api"].state.log if e[2] == f"{PODS}/b/binding"]
    assert binding[0] == cause


def test_uncordoned_node_takes_the_waiting_pod() -> None:
    b = Bench()
    b.node("node-1", unschedulable=True)
    b.pod("web")
    b.run(30)
    assert b.where("web") == ""
    b.do("PATCH", "/api/v1/nodes/node-1", {"spec": {"unschedulable": None}})
    b.run(2)
    assert b.where("web") == "node-1"


def test_least_allocated_spreads_and_assumed_pods_count_at_once() -> None:
    b = Bench()
    for n in range(1, 5):
        b.node(f"node-{n}")
    for n in range(40):
        b.pod(f"p{n}", cpu="250m", wait=0)
    b.run(5)
    assert b.count(4) == [10, 10, 10, 10]


def test_spread_constraint_bounds_the_skew() -> None:
    b = Bench()
    for n in range(1, 4):
        b.node(f"node-{n}", cpu=str(4 * n))
    spread = [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
               "labelSelector": {"matchLabels": {"app": "web"}}}]  # fmt: skip
    for n in range(10):
        b.pod(f"p{n}", labels={"app": "web"}, topologySpreadConstraints=spread)
        counts = b.count(3)
        assert max(counts) - min(counts) <= 1
    assert sum(b.count(3)) == 10


def test_anti_affinity_keeps_apart_and_affinity_together() -> None:
    b = Bench()
    b.node("node-1")
    b.node("node-2")
    term = [{"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "kubernetes.io/hostname"}]
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}
    for n in range(3):
        b.pod(f"db-{n}", labels={"app": "db"}, affinity=apart)
    assert b.count(2) == [1, 1]
    assert "2 node(s) didn't match pod anti-affinity rules" in b.message("db-2")
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "one"}}, "topologyKey": "kubernetes.io/hostname"}]}}  # fmt: skip
    b.pod("friend", affinity=near)
    assert "2 node(s) didn't match pod affinity rules" in b.message("friend")
    b.pod("first", labels={"app": "one"}, affinity=near)  # the first of its kind may
    b.run(12)
    assert b.where("first") == b.where("friend") != ""


def test_host_ports_conflict() -> None:
    b = Bench()
    b.node("node-1")
    port = {"ports": [{"containerPort": 80, "hostPort": 8080}]}
    b.pod("a", container=port)
    b.pod("b", container=port)
    assert b.where("a") == "node-1"
    assert b.message("b").startswith(
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
    )


def test_named_node_is_the_only_one_tried() -> None:
    b = Bench()
    for n in range(1, 4):
        b.node(f"node-{n}")
    only = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-2"]}]}]}}}  # fmt: skip
    b.pod("agent", affinity=only)
    assert b.where("agent") == "node-2"


def test_preemption_takes_the_least_important() -> None:
    b = Bench()
    b.node("node-1")
    b.node("node-2")
    b.pod("low", cpu="3", priority=1)
    b.pod("mid", cpu="3", priority=5)
    b.pod("vip", cpu="3", priority=10)
    b.run(12)
    assert b.get(f"{PODS}/low") is None and b.where("mid") != "" and b.where("vip") != ""


def test_thousand_pods_on_ten_nodes() -> None:
    b = Bench()
    for n in range(1, 11):
        b.node(f"node-{n}", cpu="64", memory="256Gi")
    for n in range(1000):
        b.pod(f"p{n}", cpu="100m", wait=0, labels={"app": "web"})
    b.run(60)
    counts = b.count(10)  # scores are whole numbers, so that near equals are left to the dice
    assert sum(counts) == 1000 and min(counts) >= 95 and max(counts) <= 105
