"""The map's read models in a whole cluster: counts agree with the objects, what is on its way is told with its instants, things open."""

from __future__ import annotations

import pytest

from cluster.lab import HostOp, Lab, LinkIn, PartitionIn
from tests.cluster.lab.desk import Desk


@pytest.fixture(scope="module")
def desk() -> Desk:
    desk = Desk.boot()
    desk.type("kubectl create deployment web --image=nginx --replicas=4")
    desk.lab.run_until(desk.lab.now + 8_000_000_000)
    return desk


def test_cells_count_what_runs_where(desk: Desk) -> None:
    model = desk.lab.query("map")
    for cell in model["cells"]:
        assert sum(cell["counts"]) == sum(1 for pod in model["pods"] if pod["node"] == cell["name"])
    assert model["counts"]["pods"] == len(model["pods"]) == sum(model["counts"]["phases"].values())


def test_a_row_is_made_again_only_when_its_document_changed(desk: Desk) -> None:
    before = {pod["uid"]: pod for pod in desk.lab.query("map")["pods"]}
    victim = next(pod for pod in before.values() if pod["name"].startswith("web-"))
    assert desk.ask("DELETE", f"/api/v1/namespaces/default/pods/{victim['name']}")[0] == 200
    after = {pod["uid"]: pod for pod in desk.lab.query("map")["pods"]}
    assert after[victim["uid"]]["phase"] == "Terminating"
    assert all(after[uid] is row for uid, row in before.items() if uid in after and uid != victim["uid"])


def test_what_is_on_its_way_left_before_now_and_arrives_after(desk: Desk) -> None:
    desk.send("GET", "/api/v1/nodes")
    desk.lab.run_until(desk.lab.now + 300_000)
    found = desk.lab.query("flights")
    now = found["nowMicros"]
    assert any(row["label"] == "GET /api/v1/nodes" and row["outside"] for row in found["flights"])
    for row in found["flights"]:
        assert row["sentMicros"] is not None and row["sentMicros"] <= now <= row["arriveMicros"]
        assert row["src"] != row["dst"]
    again = Lab.restore(desk.lab.checkpoint())
    assert again.query("flights") == found


def test_things_open(desk: Desk) -> None:
    model = desk.lab.query("map")
    pod = next(pod for pod in model["pods"] if pod["name"].startswith("web-") and pod["phase"] == "Ready")
    opened = desk.lab.query("place", select=f"pod:default/{pod['name']}")
    assert opened["containers"][0]["state"] == "running" and opened["object"]["metadata"]["uid"] == pod["uid"]
    assert {"Scheduled", "Started"} <= {event["reason"] for event in opened["events"]}
    assert any(request["verb"] == "create" for request in opened["requests"])
    server = desk.lab.query("place", select="process:kube-apiserver-cp-1")
    assert server["status"]["watchers"] > 0 and "lb" in server["peers"]
    assert desk.lab.query("place", select=f"node:{pod['node']}")["node"]["ready"]
    assert desk.lab.query("find", q=pod["name"])[0]["select"] == f"pod:default/{pod['name']}"
    with pytest.raises(KeyError):
        desk.lab.query("place", select="pod:default/nosuch")


def test_faults_are_told_where_they_are(desk: Desk) -> None:
    lab = Lab.restore(desk.lab.checkpoint())
    lab.submit(LinkIn(a="lb", b="kube-apiserver-cp-1", latency_ms=200))
    link = lab.query("place", select="link:lb~kube-apiserver-cp-1")
    assert [row["latencyMs"] for row in link["faults"]] == [200, 200] and not link["apart"]
    lab.submit(PartitionIn((("cp-2",), ("cp-1", "cp-3", "lb", "desk"))))
    assert lab.query("place", select="link:lb~kube-apiserver-cp-2")["apart"]
    assert not lab.query("place", select="link:lb~kube-apiserver-cp-3")["apart"]
    lab.submit(HostOp("node-1", "stop"))
    assert next(cell["state"] for cell in lab.query("map")["cells"] if cell["name"] == "node-1") == "down"
