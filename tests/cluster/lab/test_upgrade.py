"""kubeadm upgrade, host after host: versions tell how far it is, clients behind the balancer meet no error, and what may not be is refused."""

from typing import Any

import pytest

from cluster.lab import ConsoleIn, HostOp, Lab
from cluster.shell.commands.kubeadm import refusal
from cluster.sim.clock import MILLISECOND, SECOND
from tests.cluster.lab.desk import Desk

PODS = "/api/v1/namespaces/kube-system/pods"


@pytest.fixture(scope="module")
def booted() -> bytes:
    desk = Desk.boot(workers=1)
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    return desk.lab.checkpoint()


@pytest.fixture
def desk(booted) -> Desk:
    return Desk(Lab.restore(booted))


def images(desk: Any, component: str) -> dict[str, str]:
    pods = desk.get(f"{PODS}?labelSelector=component%3D{component}")["items"]
    return {pod["spec"]["nodeName"]: pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in pods}


def versions(desk: Any) -> set[str]:
    return {str(desk.ask("GET", "/version")[1]["gitVersion"]) for _ in range(6)}


def test_host_after_host_with_an_etcd_of_ones_own_wish(desk: Any):
    config = desk.get("/api/v1/namespaces/kube-system/configmaps/kubeadm-config")
    text = config["data"]["ClusterConfiguration"].replace("  local:\n", "  local:\n    imageTag: 3.5.27-0\n")
    patch = {"data": {"ClusterConfiguration": text}}
    kind = (("content-type", "application/merge-patch+json"),)
    path = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
    assert desk.ask("PATCH", path, patch, headers=kind)[0] == 200
    refused: set[str] = set()
    console = desk.lab.world.actors["console"]
    written = 0
    for host, line in (("cp-1", "apply v1.33.5"), ("cp-2", "node"), ("cp-3", "node")):
        began = {name: slot.boot for name, slot in desk.lab.world.state.slots.items()}
        desk.lab.submit(ConsoleIn("up", f"ssh {host} kubeadm upgrade {line}", host))
        desk.lab.run_until(desk.lab.now + 10 * MILLISECOND)
        while console.state.sessions["up"].running is not None:
            for method, where, doc in (
                ("GET", "/api/v1/nodes", None),
                ("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"w-{written}"}}),
            ):
                code, answer = desk.ask(method, where, doc)
                if code not in (200, 201):
                    refused.add(answer["message"])
            written += 1
            desk.lab.run_until(desk.lab.now + 100 * MILLISECOND)
            assert desk.lab.now < 300 * SECOND
        assert console.state.sessions["up"].session.status == 0
        swapped = {name for name, slot in desk.lab.world.state.slots.items() if slot.boot != began[name]}
        member = f"m{host[-1]}"
        mine = {f"{name}-{host}" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")}
        assert {name for name in swapped if "proxy" not in name and "coredns" not in name} == mine | {member}
        if host == "cp-1":
            desk.lab.run_until(desk.lab.now + 8 * SECOND)
            assert images(desk, "etcd") == {"cp-1": "3.5.27-0", "cp-2": "3.5.26-0", "cp-3": "3.5.26-0"}
            assert versions(desk) == {"v1.32.13", "v1.33.5"}
        desk.lab.run_until(desk.lab.now + 8 * SECOND)
    # A stacked apiserver has no etcd while its own member is being swapped; what a leader had in hand when it handed over is lost.
    known = (
        "127.0.0.1:2379: connect: connection refused",
        "EOF",
        "request timed out, possibly due to previous leader failure",
    )
    assert written > 30 and all(any(text in why for text in known) for why in refused), refused
    assert versions(desk) == {"v1.33.5"}
    assert set(images(desk, "kube-scheduler").values()) == {"v1.33.5"}
    assert all(row["connected"] and row["ready"] for row in desk.lab.query("ha")["apiservers"])
    desk.lab.run_until(desk.lab.now + 30 * SECOND)
    proxies = desk.get(f"{PODS}?labelSelector=k8s-app%3Dkube-proxy")["items"]
    assert {pod["spec"]["containers"][0]["image"] for pod in proxies} == {"registry.k8s.io/kube-proxy:v1.33.5"}


def test_an_upgrade_that_leaves_etcd_alone_is_felt_by_no_client(desk: Any):
    desk.lab.submit(ConsoleIn("up", "ssh cp-2 kubeadm upgrade apply v1.33.5", "up"))
    desk.lab.run_until(desk.lab.now + 10 * MILLISECOND)
    console, written = desk.lab.world.actors["console"], 0
    while console.state.sessions["up"].running is not None:
        desk.get("/api/v1/nodes")
        written += 1
        doc = {"metadata": {"name": f"w-{written}"}}
        assert desk.ask("POST", "/api/v1/namespaces/default/configmaps", doc)[0] == 201
    assert written > 100 and images(desk, "etcd")["cp-2"] == "3.5.26-0"
    assert images(desk, "kube-apiserver") == {"cp-1": "v1.32.13", "cp-2": "v1.33.5", "cp-3": "v1.32.13"}


def test_a_kubelet_is_of_another_release_when_it_is_restarted_not_before(desk: Any):
    def shown() -> str:
        return desk.get("/api/v1/nodes/node-1")["status"]["nodeInfo"]["kubeletVersion"]

    out, err, code = desk.type("ssh node-1 apt-get install -y kubelet=1.33.5-1.1")
    assert (code, err) == (0, "") and "Setting up kubelet (1.33.5-1.1)" in out
    desk.lab.run_until(desk.lab.now + 12 * SECOND)
    assert shown() == "v1.32.13"
    assert desk.type("ssh node-1 systemctl restart kubelet")[2] == 0
    desk.lab.run_until(desk.lab.now + 12 * SECOND)
    assert shown() == "v1.33.5"
    out, err, code = desk.type("ssh node-1 apt-get install kubelet=1.34.0-1.1")
    assert code == 100 and "Version ‘1.34.0-1.1’ for ‘kubelet’ was not found" in err


def test_no_upgrade_while_a_control_plane_host_is_away_and_none_from_a_desk(desk: Any):
    assert desk.type("kubeadm upgrade plan")[2] == 127
    leads = next(row["host"] for row in desk.lab.query("ha")["leases"] if row["name"] == "kube-controller-manager")
    away = "cp-3" if leads != "cp-3" else "cp-2"
    desk.lab.submit(HostOp(away, "stop"))
    desk.lab.run_until(desk.lab.now + 70 * SECOND)
    _out, err, code = desk.type(f"ssh {leads} kubeadm upgrade apply v1.33.5")
    assert code == 1 and f"there are NotReady control-planes in the cluster: [{away}]" in err
    assert versions(desk) == {"v1.32.13"}


@pytest.mark.parametrize(
    ("current", "wished", "said"),
    [
        ("v1.32.13", "v1.33.5", ""),
        ("v1.33.5", "v1.33.5", ""),
        ("v1.32.13", "v1.34.0", "is too high; kubeadm can upgrade only 1 minor version at a time"),
        ("v1.32.13", "v1.34.0", "at least one minor release higher than the kubeadm minor release (34 > 33)"),
        ("v1.32.13", "v1.33.9", 'is higher than the kubeadm version "v1.33.5". Upgrade kubeadm first'),
        ("v1.33.5", "v1.31.0", "is too low; kubeadm can downgrade only 1 minor version at a time"),
        ("v1.32.13", "1.33", "couldn't parse Kubernetes version"),
        ("v1.32.13", "v1.33.4", "is not among the releases that are simulated here"),
    ],
)
def test_the_version_policy_is_kubeadms(current, wished, said):
    why = refusal(current, wished)
    assert said in why and bool(said) == bool(why)
