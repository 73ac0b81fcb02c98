"""Reading a KubeProxyConfiguration, and refusing what isn't there."""

import pytest

from cluster.kubeproxy.change_tracker import service_ports, sloppy_cidr, sloppy_ip
from cluster.kubeproxy.life import CannotStart, configuration
from cluster.kubeproxy.modes import mode_named
from cluster.kubeproxy.modes.iptables import restore_input
from cluster.kubeproxy.offline import options_for, proxyrules, read_objects
from cluster.kubeproxy.options import NotSupported, ProxyOptions, from_configuration


@pytest.mark.parametrize("mode", ["kernelspace", "nonsense"])
def test_other_modes_are_refused_by_name(mode: str) -> None:
    with pytest.raises(NotSupported, match=mode):
        mode_named(mode)


def test_a_real_configuration() -> None:
    config = {
        "mode": "",
        "clusterCIDR": "10.1.0.0/16,fd00::/64",
        "iptables": {"masqueradeAll": True, "masqueradeBit": 15},
    }
    options = from_configuration(config, None, node="n")
    assert (options.mode, options.cluster_cidr, options.masquerade_all, options.mark) == (
        "iptables",
        "10.1.0.0/16",
        True,
        0x8000,
    )
    assert "--or-mark 0x008000" in restore_input(options, [], [])
    assert from_configuration(config, None, family=6).cluster_cidr == "fd00::/64"


def test_detectors() -> None:
    node = {"metadata": {"name": "n"}, "spec": {"podCIDR": "10.9.0.0/24"}}
    assert from_configuration({"detectLocalMode": "NodeCIDR"}, node).if_local() == ("-s", "10.9.0.0/24")
    bridge = {"detectLocalMode": "BridgeInterface", "detectLocal": {"bridgeInterface": "cbr0"}}
    assert from_configuration(bridge, None).if_not_local() == ("!", "-i", "cbr0")
    prefix = {"detectLocalMode": "InterfaceNamePrefix", "detectLocal": {"interfaceNamePrefix": "veth"}}
    assert from_configuration(prefix, None).if_local() == ("-i", "veth+")
    with pytest.raises(NotSupported, match="Magic"):
        from_configuration({"detectLocalMode": "Magic"}, None)


def test_node_port_addresses() -> None:
    options = ProxyOptions(
        node_ip="192.168.0.2", node_ips=("192.168.0.2", "192.168.1.2"), nodeport_addresses=("192.168.1.0/24",)
    )
    assert options.nodeport_match() == ("192.168.1.2",)
    assert not options.loopback_nodeports()
    assert ProxyOptions(nodeport_addresses=("127.0.0.0/8",)).nodeport_match() == ("127.0.0.1",)
    assert ProxyOptions().nodeport_match() is None


def test_sloppy_addresses() -> None:
    assert sloppy_ip("172.30.0.041") == "172.30.0.41"
    assert sloppy_cidr(" 203.0.113.000/025") == "203.0.113.0/25"


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {}, {"type": "ExternalName", "externalName": "x"}])
def test_services_without_an_address_are_ignored(spec: dict) -> None:
    assert (
        service_ports({"metadata": {"name": "s", "namespace": "d"}, "spec": {**spec, "ports": [{"port": 80}]}}, 4) == []
    )


def test_a_port_without_a_name_has_no_colon() -> None:
    (port,) = service_ports(
        {"metadata": {"name": "s", "namespace": "d"}, "spec": {"clusterIP": "10.96.0.5", "ports": [{"port": 80}]}}, 4
    )
    assert str(port.name) == "d/s"


def test_lists_and_streams_are_read() -> None:
    text = '{"kind":"ServiceList","items":[{"metadata":{"name":"a"}}]}\n---\nkind: ConfigMap\nmetadata: {name: x}\n---\nkind: List\nitems:\n- {kind: Node, metadata: {name: n}}\n'
    assert [d["kind"] for d in read_objects(text)] == ["Service", "Node"]
    with pytest.raises(ValueError, match="without metadata"):
        read_objects("kind: Service\n")


def test_the_node_among_the_objects_gives_its_addresses() -> None:
    node = {"kind": "Node", "metadata": {"name": "n", "labels": {"topology.kubernetes.io/zone": "z"}},
            "status": {"addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "172.18.0.11"}]}}  # fmt: skip
    options = options_for([node], node="n", config={"clusterCIDR": "10.244.0.0/16"})
    assert (options.node_ip, options.zone, options.random_fully) == ("172.18.0.11", "z", True)


def test_large_clusters_lose_comments() -> None:
    addresses = [{"addresses": [f"10.{i // 250}.1.{i % 250}"]} for i in range(1001)]
    objects = [
        {"kind": "Service", "metadata": {"name": "s", "namespace": "d"}, "spec": {"clusterIP": "10.96.0.5", "ports": [{"port": 80}]}},
        {"kind": "EndpointSlice", "metadata": {"name": "s-1", "namespace": "d", "labels": {"kubernetes.io/service-name": "s"}},
         "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": addresses},
    ]  # fmt: skip
    import json

    text = proxyrules("\n---\n".join(json.dumps(o) for o in objects), ProxyOptions(cluster_cidr="10.0.0.0/8"))
    assert '"d/s cluster IP"' in text and '"d/s -> ' not in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("detectLocalMode: Foo", "Foo"),
        ("iptables: {masqueradeBit: abc}", "iptables.masqueradeBit"),
        ("iptables: {masqueradeBit: -1}", "[0, 31]"),
        ("iptables: {masqueradeBit: 40}", "[0, 31]"),
        ("iptables: x", "iptables"),
        ("clusterCIDR: 10", "clusterCIDR"),
        ("clusterCIDR: ten", "ten"),
        ("nodePortAddresses: [bad]", "bad"),
        ("nodePortAddresses: [1]", "nodePortAddresses"),
        ("mode: {a: 1}", "mode"),
        ("mode: 2024-13-45", "failed complete"),
    ],
)
def test_a_configuration_that_no_proxy_could_work_with_ends_its_process(more: str, said: str) -> None:
    text = f"apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n{more}\n"
    with pytest.raises(CannotStart) as error:
        configuration({"config.conf": text})
    ((severity, source, words),) = error.value.args[0]
    assert (severity, source) == ("E", "run.go:74") and said in words
