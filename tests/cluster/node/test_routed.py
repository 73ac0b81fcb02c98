"""A routed pod network: no tunnel, routes to the other nodes themselves."""

from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import Desk


def test_pods_packets_travel_as_they_are() -> None:
    desk = Desk.boot(control_planes=1, etcd_members=1, workers=2, pod_network="routed")
    desk.lab.run_until(desk.lab.now + 10 * SECOND)
    routes = desk.type("ssh node-1 ip route")[0].splitlines()
    assert "10.244.2.0/24 via 172.18.0.12 dev eth0 " in routes
    assert "flannel" not in desk.type("ssh node-1 ip link")[0]
    assert "mtu 1500" in desk.type("ssh node-1 ip link show cni0")[0]
    pods = desk.get("/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns")["items"]
    far = next(pod["status"]["podIP"] for pod in pods if pod["spec"]["nodeName"] != "node-1")
    assert desk.type(f"ssh node-1 ping -c 1 {far}")[2] == 0
    passed = desk.lab.query("node_network", node="node-1")["passed"]
    assert [one["out"] for one in passed if one["kind"] == "echo"] == ["eth0"] and not any(
        one["tunnel"] for one in passed
    )
