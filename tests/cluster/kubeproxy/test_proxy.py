"""The process: watching, gathering changes, writing, noting, walking."""

import pickle
from io import BytesIO
from typing import Any

import pytest

from cluster.kubeproxy import writes
from cluster.kubeproxy.options import NotSupported
from cluster.kubeproxy.proxy import KubeProxy, KubeProxyConfig
from cluster.netfilter.tables import Ruleset
from cluster.netfilter.walk import Walk
from cluster.node.kernel import Kernel
from cluster.node.state import KernelConfig
from cluster.sim import SECOND, World
from cluster.sim.plain import PlainUnpickler
from cluster.trace.notes import Effect
from cluster.wire.http import HttpRequest, TlsPeer
from cluster.wire.packet import Flushed, Packet
from tests.cluster.clientgo.fake_apiserver import EPOCH, FakeApiServer, FakeConfig

FACTORIES = {"kube-apiserver": FakeApiServer, "kube-proxy": KubeProxy, "kernel": Kernel}


class Notes:
    def __init__(self) -> None:
        self.effects: list[tuple[int, Effect]] = []

    def note(self, now: int, actor: str, cause: int, note: Any) -> None:
        self.effects.append((cause, note))

    def sent(self, *args: Any) -> None: ...
    def dropped(self, *args: Any) -> None: ...


def world(mode: str = "iptables") -> tuple[World, Notes]:
    w = World.new(1, 500_000, 1_500_000, FACTORIES)
    w.observer = notes = Notes()
    w.add_host("cp-1")
    w.add_host("node-1")
    w.add_process("api", "kube-apiserver", "cp-1", FakeConfig())
    config = KubeProxyConfig(
        epoch=EPOCH,
        server="api",
        peer=TlsPeer(common_name="system:kube-proxy"),
        node="node-1",
        node_ip="172.18.0.11",
        mode=mode,
        kernel="kernel-node-1",
    )
    kernel = KernelConfig(epoch=EPOCH, server="api", peer=TlsPeer(), node="node-1", address="172.18.0.11")
    w.add_process("kernel-node-1", "kernel", "node-1", kernel)
    w.add_process("kube-proxy-node-1", "kube-proxy", "node-1", config)
    w.start("api")
    w.start("kernel-node-1")
    w.start("kube-proxy-node-1")
    return w, notes


def rules(w: World) -> str:
    """What the node's kernel prints: what kube-proxy wrote there."""
    w.run_until(w.now)  # what was handed over at this very instant has arrived, too
    return w.actors["kernel-node-1"].rules_text()


def walk_of(w: World, src: str) -> Walk:
    packet = Packet(src, "10.96.0.50", "tcp", 40000, 80)
    return w.actors["kernel-node-1"].walker(packet).walk(packet)


def write(w: World, method: str, path: str, doc: Any = None) -> int:
    w.state.ids += 1
    w.post("outside:test", "api", HttpRequest(w.state.ids, method, path, doc=doc))
    return w.state.ids


def service(name: str = "web", ip: str = "10.96.0.50") -> dict[str, Any]:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"clusterIP": ip, "ports": [{"port": 80, "protocol": "TCP"}]},
    }


def endpoints(*ips: str, name: str = "web") -> dict[str, Any]:
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-abcde", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [ip], "conditions": {"ready": True}} for ip in ips],
    }


SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


def test_a_service_becomes_rules_with_its_cause() -> None:
    w, notes = world()
    w.run_until(2 * SECOND)
    proxy = w.actors["kube-proxy-node-1"]
    assert proxy.status()["syncs"] == 1 and "-A PREROUTING" in rules(w)
    cause = write(w, "POST", "/api/v1/namespaces/default/services", service())
    w.run_until(4 * SECOND)
    assert "default/web has no endpoints" in rules(w)
    ((seen, effect),) = notes.effects
    assert seen == cause
    assert effect.text == "kube-proxy on node-1 wrote 1 rule for default/web"
    write(w, "POST", SLICES, endpoints("10.244.1.2", "10.244.2.3"))
    w.run_until(6 * SECOND)
    walk = walk_of(w, "10.244.3.1")
    assert walk.verdict == "DNAT" and walk.endpoints == ("10.244.1.2:8080", "10.244.2.3:8080") and not walk.masquerade
    assert walk_of(w, "172.18.0.11").masquerade
    lines = rules(w).splitlines()
    for step in walk.steps:
        assert lines[step.line - 1] == step.rule
    assert notes.effects[-1][1].detail["removed"] and "has no endpoints" in notes.effects[-1][1].detail["removed"][0]


def test_changes_within_a_second_are_one_sync() -> None:
    w, _ = world()
    w.run_until(2 * SECOND)
    proxy = w.actors["kube-proxy-node-1"]
    for i in range(5):
        write(w, "POST", "/api/v1/namespaces/default/services", service(f"s{i}", f"10.96.0.{60 + i}"))
    w.run_until(5 * SECOND)
    assert proxy.status()["services"] == 5
    assert proxy.status()["syncs"] <= 3 and proxy.status()["fullSyncs"] == 1


def test_a_deleted_service_leaves_no_chain() -> None:
    w, _ = world()
    write(w, "POST", "/api/v1/namespaces/default/services", service())
    write(w, "POST", SLICES, endpoints("10.244.1.2"))
    w.run_until(3 * SECOND)
    proxy = w.actors["kube-proxy-node-1"]
    assert "KUBE-SEP-" in rules(w)
    write(w, "DELETE", "/api/v1/namespaces/default/services/web")
    w.run_until(6 * SECOND)
    assert "default/web" not in rules(w) and "KUBE-SEP-" not in rules(w)
    assert proxy.status()["endpoints"] == 0


def test_partial_syncs_end_in_the_tables_of_a_full_one() -> None:
    w, _ = world()
    for i in range(4):
        write(w, "POST", "/api/v1/namespaces/default/services", service(f"s{i}", f"10.96.0.{60 + i}"))
    w.run_until(3 * SECOND)
    for i in (2, 0, 3):
        write(w, "POST", SLICES, endpoints(f"10.244.1.{i}", f"10.244.2.{i}", name=f"s{i}"))
        w.run_until(w.now + 2 * SECOND)
    write(w, "DELETE", f"{SLICES}/s0-abcde")
    w.run_until(w.now + 2 * SECOND)
    partial = rules(w)
    w.stop("kube-proxy-node-1")
    w.start("kube-proxy-node-1")
    w.run_until(w.now + 3 * SECOND)
    assert rules(w) == partial


def test_flushed_tables_are_written_again() -> None:
    w, _ = world()
    write(w, "POST", "/api/v1/namespaces/default/services", service())
    w.run_until(3 * SECOND)
    before = rules(w)
    w.actors["kernel-node-1"].state.tables.ruleset = Ruleset()
    w.post("kernel-node-1", "kube-proxy-node-1", Flushed("iptables"))
    assert rules(w) == ""
    w.run_until(40 * SECOND)
    assert rules(w) == before


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_tables_are_written_when_somebody_looks(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    for module, name in ((writes, "restore"), (writes.nftables, "table_text")):
        function = getattr(module, name)
        spy = lambda *args, f=function, n=name: (written.append(n), f(*args))[1]  # noqa: E731
        monkeypatch.setattr(module, name, spy)
    w, notes = world(mode)
    for i in range(3):
        write(w, "POST", "/api/v1/namespaces/default/services", service(f"s{i}", f"10.96.0.{60 + i}"))
        write(w, "POST", SLICES, endpoints("10.244.1.1", "10.244.2.2", name=f"s{i}"))
        w.run_until(w.now + 2 * SECOND)
    proxy = w.actors["kube-proxy-node-1"]
    assert proxy.status()["syncs"] >= 3 and len(notes.effects) >= 3
    assert not written
    looked = rules(w)
    assert written
    del written[:]
    assert rules(w) == looked
    assert not written
    nft = w.actors["kernel-node-1"].state.tables.nft.tables.values()
    in_nft = sum(len(chain.rules) for table in nft for chain in table.chains.values())
    assert proxy.status()["rules"] == (in_nft if mode == "nftables" else looked.count("\n-A "))


def test_userspace_mode_counts_its_rules() -> None:
    w, _ = world("userspace")
    w.run_until(2 * SECOND)
    write(w, "POST", "/api/v1/namespaces/default/services", service())
    w.run_until(4 * SECOND)
    proxy = w.actors["kube-proxy-node-1"]
    assert proxy.status()["rules"] == rules(w).count("\n-A ") == 7


def test_looking_or_not_makes_no_difference_to_what_is_seen_later() -> None:
    seen: list[str] = []
    for looks in (True, False):
        w, _ = world()
        for i in range(4):
            write(w, "POST", "/api/v1/namespaces/default/services", service(f"s{i}", f"10.96.0.{60 + i}"))
            write(w, "POST", SLICES, endpoints(f"10.244.1.{i}", name=f"s{i}"))
            w.run_until(w.now + 2 * SECOND)
            assert not looks or rules(w)
        write(w, "DELETE", f"{SLICES}/s1-abcde")
        write(w, "DELETE", "/api/v1/namespaces/default/services/s2")
        w.run_until(w.now + 2 * SECOND)
        seen.append(rules(w))
    assert seen[0] == seen[1] and "s3" in seen[0] and "default/s2" not in seen[0]


def test_it_survives_a_checkpoint_and_goes_on() -> None:
    w, _ = world()
    write(w, "POST", "/api/v1/namespaces/default/services", service())
    write(w, "POST", SLICES, endpoints("10.244.1.2"))
    w.run_until(3 * SECOND)
    proxy = w.actors["kube-proxy-node-1"]
    state = PlainUnpickler(BytesIO(pickle.dumps(proxy.state, protocol=5))).load()
    again = KubeProxy(proxy.name, proxy.config, state)
    assert again.rules_text() == proxy.rules_text()
    w.actors[proxy.name] = again
    write(w, "PUT", f"{SLICES}/web-abcde", endpoints("10.244.1.2", "10.244.2.3"))
    w.run_until(6 * SECOND)
    for walk in (
        walk_of(w, "10.244.9.9"),
        again.walker("nftables").walk(Packet("10.244.9.9", "10.96.0.50", "tcp", 1, 80)),
    ):
        assert (walk.verdict, walk.endpoints) == ("DNAT", ("10.244.1.2:8080", "10.244.2.3:8080"))


def test_a_mode_that_is_not_there_is_refused_aloud() -> None:
    w, _ = world()
    config = KubeProxyConfig(
        epoch=EPOCH, server="api", peer=TlsPeer(), node="node-2", node_ip="172.18.0.12", mode="kernelspace"
    )  # fmt: skip
    w.add_process("kube-proxy-node-2", "kube-proxy", "node-1", config)
    w.start("kube-proxy-node-2")
    w.run_until(3 * SECOND)
    proxy = w.actors["kube-proxy-node-2"]
    assert "kernelspace" in proxy.status()["error"] and proxy.status()["syncs"] == 0
    with pytest.raises(NotSupported):
        proxy.rules_text()
    with pytest.raises(NotSupported):
        proxy.walker()
