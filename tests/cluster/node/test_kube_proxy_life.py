"""kube-proxy as a Pod: the ConfigMap is its mode, its death is not the kernel's, its lines are its log."""

import pytest

from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import Desk

SYSTEM = "/api/v1/namespaces/kube-system"


@pytest.fixture(scope="module")
def desk() -> Desk:
    desk = Desk.boot(control_planes=1, etcd_members=1, workers=1)
    desk.until(lambda: modes(desk) == {"cp-1": "iptables", "node-1": "iptables"})
    return desk


def modes(desk: Desk) -> dict[str, str]:
    views = {node: desk.lab.query("node_network", node=node) for node in ("cp-1", "node-1")}
    return {
        node: view["mode"] if view["tables"]["iptables"] + view["tables"]["nftables"] else ""
        for node, view in views.items()
    }


def proxy_pod(desk: Desk, node: str = "node-1") -> dict:
    pods = desk.get(f"{SYSTEM}/pods?labelSelector=k8s-app%3Dkube-proxy")["items"]
    return next(pod for pod in pods if pod["spec"]["nodeName"] == node and "deletionTimestamp" not in pod["metadata"])


def logs(desk: Desk, pod: dict) -> str:
    return desk.type(f"kubectl -n kube-system logs {pod['metadata']['name']}")[0]


def set_mode(desk: Desk, mode: str, *more: str) -> None:
    doc = desk.get(f"{SYSTEM}/configmaps/kube-proxy")
    lines = doc["data"]["config.conf"].splitlines()
    text = "\n".join([f"mode: {mode}" if line.startswith("mode:") else line for line in lines] + list(more))
    code, _ = desk.ask("PUT", f"{SYSTEM}/configmaps/kube-proxy", {**doc, "data": {**doc["data"], "config.conf": text}})
    assert code == 200


def test_a_mode_is_what_the_configmap_said_when_the_pod_began(desk: Desk) -> None:
    said = logs(desk, proxy_pod(desk))
    assert '"Using iptables proxy"' in said and '"Using iptables Proxier"' in said
    assert said.startswith("I") and "server_linux.go" in said.splitlines()[0]
    set_mode(desk, "nftables", "detectLocalMode: NodeCIDR")
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    assert modes(desk)["node-1"] == "iptables", "a process that runs doesn't read its configuration again"
    old = proxy_pod(desk)["metadata"]["name"]
    assert desk.ask("DELETE", f"{SYSTEM}/pods/{old}")[0] == 200
    desk.until(lambda: modes(desk) == {"cp-1": "iptables", "node-1": "nftables"})
    view = desk.lab.query("node_network", node="node-1")
    assert view["proxy"]["up"] and view["proxy"]["pod"] != f"kube-system/{old}"
    assert view["tables"]["nftables"] > 5
    (cidr,) = desk.get("/api/v1/nodes/node-1")["spec"]["podCIDRs"]
    assert f"ip saddr != {cidr} jump mark-for-masquerade" in desk.lab.query("kernel_rules", node="node-1")["nftables"]
    assert not view["leftovers"], "a kube-proxy that starts in nftables mode removes iptables' service chains"
    assert '"Using nftables Proxier"' in logs(desk, proxy_pod(desk))


def test_the_kernel_keeps_the_rules_of_a_dead_proxy(desk: Desk) -> None:
    before = desk.lab.query("kernel_rules", node="cp-1")["iptables"]
    assert "KUBE-SVC-" in before
    desk.lab.world.stop("kube-proxy-cp-1")
    assert desk.lab.query("kernel_rules", node="cp-1")["iptables"] == before
    desk.lab.run_until(desk.lab.now + SECOND // 2)
    assert not desk.lab.query("node_network", node="cp-1")["proxy"]["up"]
    desk.until(lambda: desk.lab.query("node_network", node="cp-1")["proxy"]["up"])
    status = proxy_pod(desk, "cp-1")["status"]["containerStatuses"][0]
    desk.until(lambda: proxy_pod(desk, "cp-1")["status"]["containerStatuses"][0]["restartCount"] == 1)
    assert status["name"] == "kube-proxy"


def test_a_mode_that_isnt_ends_the_process_with_the_real_words(desk: Desk) -> None:
    set_mode(desk, "ebpf")
    old = proxy_pod(desk, "cp-1")["metadata"]["name"]
    assert desk.ask("DELETE", f"{SYSTEM}/pods/{old}")[0] == 200
    desk.until(lambda: waiting(desk) == "CrashLoopBackOff")
    assert 'Invalid value: \\"ebpf\\"' in logs(desk, proxy_pod(desk, "cp-1"))
    assert "KUBE-SVC-" in desk.lab.query("kernel_rules", node="cp-1")["iptables"], "rules stay, and serve"


def waiting(desk: Desk) -> str:
    pods = desk.get(f"{SYSTEM}/pods?labelSelector=k8s-app%3Dkube-proxy")["items"]
    states = [s["state"] for p in pods for s in p["status"].get("containerStatuses") or () if p["spec"]["nodeName"] == "cp-1"]  # fmt: skip
    return next((state["waiting"].get("reason", "") for state in states if "waiting" in state), "")
