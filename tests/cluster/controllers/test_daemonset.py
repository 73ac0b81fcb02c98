"""DaemonSets follow the Nodes."""

from typing import Any

from tests.cluster.controllers.harness import Bench

DAEMONSETS = "/apis/apps/v1/namespaces/default/daemonsets"
NODES = "/api/v1/nodes"


def bench(nodes: int = 3) -> Bench:
    b = Bench()
    b.namespace()
    b.start()
    for n in range(1, nodes + 1):
        b.do("POST", NODES, {"kind": "Node", "metadata": {"name": f"node-{n}"}, "spec": {}}, wait=0)
    b.run(1)
    return b


def daemonset(image: str = "agent:1", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": {"name": "agent"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {"metadata": {"labels": {"app": "agent"}}, "spec": {"containers": [{"name": "c", "image": image}], **spec}},
        },
    }  # fmt: skip


def where(b: Bench) -> list[str]:
    terms = [
        p["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] for p in b.all("pods")
    ]
    return sorted(t["nodeSelectorTerms"][0]["matchFields"][0]["values"][0] for t in terms)


def settle(b: Bench, rounds: int = 8) -> None:
    """Play scheduler and kubelet for Pods that are pinned."""
    for _ in range(rounds):
        for pod in b.all("pods"):
            if not pod["spec"].get("nodeName"):
                term = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
                node = term["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]
                b.do(
                    "PATCH",
                    f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}",
                    {"spec": {"nodeName": node}},
                    wait=0,
                )
        b.run(0.2)
        b.run_pods()


def test_one_pod_per_node_with_the_real_tolerations() -> None:
    b = bench()
    b.do("POST", DAEMONSETS, daemonset())
    settle(b, 2)
    assert where(b) == ["node-1", "node-2", "node-3"]
    keys = [t["key"].split("/")[1] for t in b.all("pods")[0]["spec"]["tolerations"]]
    assert keys == ["not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"]
    assert b.get(DAEMONSETS + "/agent")["status"] == {
        "currentNumberScheduled": 3, "numberMisscheduled": 0, "desiredNumberScheduled": 3, "numberReady": 3,
        "observedGeneration": 1, "updatedNumberScheduled": 3, "numberAvailable": 3,
    }  # fmt: skip
    assert len(b.all("controllerrevisions")) == 1


def test_new_node_gets_one_and_selector_and_taints_are_respected() -> None:
    b = bench(1)
    b.do("POST", DAEMONSETS, daemonset(nodeSelector={"disk": "ssd"}))
    b.run(1)
    assert where(b) == []
    b.do("PATCH", NODES + "/node-1", {"metadata": {"labels": {"disk": "ssd"}}})
    assert where(b) == ["node-1"]
    taint = {"key": "only", "value": "db", "effect": "NoSchedule"}
    b.do(
        "POST",
        NODES,
        {"kind": "Node", "metadata": {"name": "node-2", "labels": {"disk": "ssd"}}, "spec": {"taints": [taint]}},
    )
    assert where(b) == ["node-1"]
    b.do("PATCH", NODES + "/node-2", {"spec": {"taints": []}})
    assert where(b) == ["node-1", "node-2"]
    b.do("PATCH", NODES + "/node-1", {"metadata": {"labels": {"disk": None}}})
    assert where(b) == ["node-2"]


def test_rolling_update_takes_one_node_after_another() -> None:
    b = bench()
    b.do("POST", DAEMONSETS, daemonset())
    settle(b, 2)
    b.do(
        "PATCH",
        DAEMONSETS + "/agent",
        {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "agent:2"}]}}}},
        wait=0,
    )
    for _ in range(8):
        b.run(0.5)
        ready = [p for p in b.all("pods") if p.get("status", {}).get("phase") == "Running"]
        assert len(ready) >= 2
        settle(b, 1)
    assert {p["spec"]["containers"][0]["image"] for p in b.all("pods")} == {"agent:2"}
    assert sorted(r["revision"] for r in b.all("controllerrevisions")) == [1, 2]
