"""What the network page asks of a cluster: whom one can send from and to, a packet's journey in every mode, and how a lost endpoint left every node's rules."""

import pytest

from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import Desk


@pytest.fixture(scope="module")
def desk() -> Desk:
    desk = Desk.boot(workers=2)
    for line in ("create deployment web --image=nginx --replicas=2", "expose deployment web --port=80 --type=NodePort"):
        desk.type(f"kubectl {line}")
    desk.lab.run_until(desk.lab.now + 8 * SECOND)
    return desk


def test_every_address_of_a_service_and_its_journey_in_every_mode(desk: Desk) -> None:
    choices = desk.lab.query("network")
    service = next(one for one in choices["services"] if one["key"] == "default/web")
    pods = [pod for pod in choices["pods"] if pod["key"].startswith("default/web-")]
    assert service["ports"][0]["nodePort"] >= 30000 and service["endpoints"] == len(pods) == 2
    ends = {f"{pod['ip']}:80" for pod in pods}
    for mode in ("iptables", "nftables", "ipvs"):
        told = desk.lab.query("journey", src=pods[0]["key"], dst=service["clusterIP"], port=80, mode=mode)
        assert {way["endpoint"] for way in told["ways"]} == ends, mode
        assert {way["pod"] for way in told["ways"]} == {pod["key"] for pod in pods}
        assert told["frames"][-1]["kind"] == "end" and told["reply"][-1]["after"]["src"] == service["clusterIP"]
    outside = desk.lab.query("journey", src="203.0.113.50", dst="node-1", port=service["ports"][0]["nodePort"])
    assert outside["node"] == "node-1" and {way["source"] for way in outside["ways"]} == {outside["nodeIP"]}
    assert desk.lab.query("journey", src="nobody", dst="node-1")["refused"]


def test_a_lost_endpoint_is_followed_to_every_node(desk: Desk) -> None:
    victim = next(pod for pod in desk.lab.query("network")["pods"] if pod["key"].startswith("default/web-"))
    desk.type(f"kubectl delete pod {victim['key'].partition('/')[2]} --wait=false")
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    found = [
        change for change in desk.lab.query("changes", service="default/web") if f"{victim['ip']}:80" in change["gone"]
    ]
    assert len(found) == 1
    change = found[0]
    assert change["resource"] == "endpointslices" and change["chain"][0]["verb"] == "delete"
    assert {node["node"] for node in change["nodes"]} >= {"node-1", "node-2"}
    assert all(change["at"] < node["at"] <= change["at"] + 1_100_000 and node["removed"] for node in change["nodes"])
