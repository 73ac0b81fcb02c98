"""What happens to silent nodes and the Pods on them."""

import pytest

from cluster.controllers.node_lifecycle import NodeLifecycleController
from cluster.sim import Outbox
from cluster.sim.clock import parse_rfc3339, rfc3339, rfc3339_micro
from tests.cluster.clientgo.fake_apiserver import EPOCH
from tests.cluster.controllers.harness import DEPLOYMENTS, Bench, deployment

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
NODES = "/api/v1/nodes"


class Cluster(Bench):
    """Two nodes; ``live`` sends the heartbeats of those that are alive."""

    def begin(self) -> "Cluster":
        self.namespace()
        self.start()
        for name in ("node-1", "node-2"):
            self.do("POST", NODES, {"kind": "Node", "metadata": {"name": name}, "spec": {}})
            self.do("PATCH", f"{NODES}/{name}/status", {"status": self.conditions("True")})
            self.do("POST", LEASES, {"kind": "Lease", "metadata": {"name": name}, "spec": {}})
        return self

    def conditions(self, ready: str) -> dict[str, object]:
        stamp = rfc3339(EPOCH, self.world.now)
        kinds = {"MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False", "Ready": ready}
        return {
            "conditions": [
                {"type": k, "status": v, "lastHeartbeatTime": stamp, "lastTransitionTime": stamp}
                for k, v in kinds.items()
            ]
        }

    def live(self, seconds: int, *names: str) -> None:
        for _ in range(seconds // 10):
            for name in names:
                self.do(
                    "PATCH", f"{LEASES}/{name}", {"spec": {"renewTime": rfc3339_micro(EPOCH, self.world.now)}}, wait=0
                )
            self.run(10)

    def taints(self, name: str) -> list[tuple[str, str]]:
        return [(t["key"].split("/")[-1], t["effect"]) for t in self.get(f"{NODES}/{name}")["spec"].get("taints", ())]

    def ready(self, name: str) -> str:
        return next(c["status"] for c in self.get(f"{NODES}/{name}")["status"]["conditions"] if c["type"] == "Ready")


def test_pod_ranges_are_given_in_order_and_given_back() -> None:
    c = Cluster().begin()
    assert [c.get(f"{NODES}/{n}")["spec"]["podCIDR"] for n in ("node-1", "node-2")] == [
        "10.244.0.0/24",
        "10.244.1.0/24",
    ]
    c.do("POST", NODES, {"kind": "Node", "metadata": {"name": "node-3"}, "spec": {"podCIDR": "10.244.7.0/24"}})
    c.do("DELETE", f"{NODES}/node-1")
    c.do("POST", NODES, {"kind": "Node", "metadata": {"name": "node-4"}, "spec": {}})
    assert c.get(f"{NODES}/node-4")["spec"]["podCIDR"] == "10.244.2.0/24"


def test_a_node_without_a_kubelet_has_a_longer_grace() -> None:
    c = Cluster().begin()
    c.do("POST", NODES, {"kind": "Node", "metadata": {"name": "node-3"}, "spec": {}})
    c.live(50, "node-1", "node-2")
    assert "conditions" not in c.get(f"{NODES}/node-3").get("status", {})
    c.live(20, "node-1", "node-2")
    told = c.get(f"{NODES}/node-3")["status"]["conditions"]
    assert {(each["status"], each["reason"]) for each in told} == {("Unknown", "NodeStatusNeverUpdated")}


def test_silent_node_is_marked_after_its_grace_and_recovers() -> None:
    c = Cluster().begin()
    c.live(60, "node-1", "node-2")
    assert c.ready("node-1") == c.ready("node-2") == "True"
    c.live(40, "node-1")
    assert c.ready("node-2") == "True"
    c.live(20, "node-1")
    assert c.ready("node-2") == "Unknown" and c.ready("node-1") == "True"
    assert c.taints("node-2") == [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]
    assert c.events("NodeNotReady") == ["Node node-2 status is now: NodeNotReady"]
    c.do("PATCH", f"{NODES}/node-2/status", {"status": c.conditions("True")})
    assert c.taints("node-2") == []
    c.live(40, "node-1", "node-2")
    assert c.ready("node-2") == "True"


def test_cordon_is_a_taint() -> None:
    c = Cluster().begin()
    c.do("PATCH", f"{NODES}/node-1", {"spec": {"unschedulable": True}})
    assert c.taints("node-1") == [("unschedulable", "NoSchedule")]
    c.do("PATCH", f"{NODES}/node-1", {"spec": {"unschedulable": None}})
    assert c.taints("node-1") == []


def test_pods_of_a_dead_node_leave_after_their_toleration() -> None:
    c = Cluster().begin()
    doc = deployment(replicas=2)
    doc["spec"]["template"]["spec"]["tolerations"] = [
        {"key": f"node.kubernetes.io/{k}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for k in ("not-ready", "unreachable")
    ]
    c.do("POST", DEPLOYMENTS, doc)
    c.settle(2, "node-2")
    before = {p["metadata"]["name"] for p in c.all("pods")}
    c.live(70, "node-1")
    dead_at = parse_rfc3339(c.get(f"{NODES}/node-2")["spec"]["taints"][1]["timeAdded"], EPOCH)
    assert {p["metadata"]["name"] for p in c.all("pods")} == before
    assert all(e["status"]["conditions"][0]["status"] == "False" for e in c.all("pods"))
    c.live(270, "node-1")
    assert {p["metadata"]["name"] for p in c.all("pods")} == before
    c.live(40, "node-1")
    assert c.world.now - dead_at > 300_000_000_000
    assert not before & {p["metadata"]["name"] for p in c.all("pods")}
    assert len(c.all("pods")) == 2


def test_when_all_are_silent_nobody_is_evicted() -> None:
    c = Cluster().begin()
    c.run(120)
    assert c.ready("node-1") == c.ready("node-2") == "Unknown"
    effects = {effect for name in ("node-1", "node-2") for _, effect in c.taints(name)}
    assert effects == {"NoSchedule"}


def test_a_node_that_turns_is_not_everybodys_business(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs of a cluster that comes up grow with its Nodes, not with their square."""
    runs: list[str] = []
    honest = NodeLifecycleController.reconcile

    def counting(self: NodeLifecycleController, key: str, now: int, out: Outbox) -> None:
        runs.append(key)
        honest(self, key, now, out)

    monkeypatch.setattr(NodeLifecycleController, "reconcile", counting)
    c = Cluster()
    c.namespace()
    c.start()
    for number in range(40):
        c.do("POST", NODES, {"kind": "Node", "metadata": {"name": f"n{number}"}, "spec": {}}, wait=0)
    for ready in ("False", "True"):
        for number in range(40):
            c.do("PATCH", f"{NODES}/n{number}/status", {"status": c.conditions(ready)}, wait=0)
        c.run(5)
    assert set(runs) == {f"n{number}" for number in range(40)}
    assert len(runs) < 40 * 10
