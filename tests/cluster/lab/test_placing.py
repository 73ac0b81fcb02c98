"""What the scheduler and the kubelet make of scarce things, in a whole cluster: extended resources, host ports, priorities."""

from typing import Any

import orjson
import pytest

from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import Desk

PODS = "/api/v1/namespaces/default/pods"
DONGLE = "example.com/dongle"


@pytest.fixture
def desk() -> Desk:
    desk = Desk.boot(control_planes=1, etcd_members=1, workers=2)
    desk.until(lambda: desk.ask("GET", "/api/v1/namespaces/default/serviceaccounts/default")[0] == 200)
    return desk


def pod(name: str, **container: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "nginx", **container}]}}


def asks(name: str, **amounts: str) -> dict[str, Any]:
    wanted = {DONGLE if key == "dongle" else key: value for key, value in amounts.items()}
    return pod(name, resources={"requests": wanted, "limits": wanted})


def phase(desk: Desk, name: str) -> str:
    code, doc = desk.ask("GET", f"{PODS}/{name}")
    return doc["status"]["phase"] if code == 200 else str(code)


def why(desk: Desk, name: str) -> str:
    conditions = desk.get(f"{PODS}/{name}")["status"].get("conditions") or []
    return next(
        (c.get("message", "") for c in conditions if c["type"] == "PodScheduled" and c["status"] == "False"), ""
    )


def test_an_extended_resource_is_counted_where_a_node_has_it(desk: Desk) -> None:
    """https://kubernetes.io/docs/tasks/administer-cluster/extended-resource-node/ , step by step."""
    assert desk.ask("POST", PODS, asks("early", dongle="1"))[0] == 201
    desk.until(lambda: f"2 Insufficient {DONGLE}" in why(desk, "early"))
    patch = [{"op": "add", "path": "/status/capacity/example.com~1dongle", "value": "4"}]
    media = (("content-type", "application/json-patch+json"),)
    code, node = desk.ask("PATCH", "/api/v1/nodes/node-2/status", body=orjson.dumps(patch), headers=media)
    assert code == 200 and node["status"]["capacity"][DONGLE] == "4"
    desk.until(lambda: phase(desk, "early") == "Running", 90 * SECOND)
    assert desk.get("/api/v1/nodes/node-2")["status"]["allocatable"][DONGLE] == "4"
    desk.ask("POST", PODS, asks("three", dongle="3"))
    desk.until(lambda: phase(desk, "three") == "Running")
    assert desk.get(f"{PODS}/three")["spec"]["nodeName"] == "node-2"
    desk.ask("POST", PODS, asks("late", dongle="1"))
    desk.until(lambda: f"Insufficient {DONGLE}" in why(desk, "late"))
    desk.ask("DELETE", f"{PODS}/three")
    desk.until(lambda: phase(desk, "late") == "Running", 90 * SECOND)


def test_a_host_port_is_given_once_a_node(desk: Desk) -> None:
    for number in range(3):
        desk.ask("POST", PODS, pod(f"p{number}", ports=[{"containerPort": 80, "hostPort": 8080}]))
    desk.until(lambda: [phase(desk, f"p{n}") for n in range(2)] == ["Running"] * 2)
    desk.until(lambda: why(desk, "p2") != "")
    assert why(desk, "p2") == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 node(s) "
        "didn't have free ports for the requested pod ports. preemption: 0/3 nodes are available: 1 Preemption is not "
        "helpful for scheduling, 2 No preemption victims found for incoming pod."
    )
    assert desk.get(f"{PODS}/p0")["spec"]["nodeName"] != desk.get(f"{PODS}/p1")["spec"]["nodeName"]
    desk.ask("POST", PODS, pod("other", ports=[{"containerPort": 80, "hostPort": 8081}]))
    desk.until(lambda: phase(desk, "other") == "Running")
    desk.ask("DELETE", f"{PODS}/p0")
    desk.until(lambda: phase(desk, "p2") == "Running", 90 * SECOND)


def test_a_higher_priority_makes_room(desk: Desk) -> None:
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    desk.ask("POST", classes, {"metadata": {"name": "high"}, "value": 1000})
    for number in range(2):
        desk.ask("POST", PODS, asks(f"low{number}", cpu="3"))
    desk.until(lambda: [phase(desk, f"low{n}") for n in range(2)] == ["Running"] * 2)
    high = asks("high", cpu="3")
    desk.ask("POST", PODS, {**high, "spec": {**high["spec"], "priorityClassName": "high"}})
    desk.until(lambda: phase(desk, "high") == "Running", 120 * SECOND)
    left = [name for name in ("low0", "low1") if phase(desk, name) == "Running"]
    assert len(left) == 1
    events = desk.get("/api/v1/namespaces/default/events")["items"]
    (preempted,) = [event for event in events if event["reason"] == "Preempted"]
    uid = desk.get(f"{PODS}/high")["metadata"]["uid"]
    assert preempted["message"] == f"Preempted by pod {uid} on node {desk.get(f'{PODS}/high')['spec']['nodeName']}"
