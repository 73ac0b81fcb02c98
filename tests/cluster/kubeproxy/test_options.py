"""Reading a KubeProxyConfiguration, and refusing what isn't there."""

import pytest

from cluster.kubeproxy.change_tracker import service_ports, slice_endpoints, sloppy_cidr, sloppy_ip
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


@pytest.mark.parametrize(
    ("given", "four", "six", "loopback"),
    [
        (("192.168.0.0/24",), ("192.168.0.2",), None, False),  # no network of the other family: all its addresses
        (("::/0", "192.168.0.0/24"), ("192.168.0.2",), None, False),
        (("2001:db8::/64",), None, ("2001:db8::1",), True),
        (("192.168.0.0/24", "0.0.0.0/0", "::1/128"), None, (), True),
        (("64.0.0.0/2",), ("127.0.0.1",), None, True),
        (("primary",), ("192.168.0.2",), ("2001:db8::1",), False),
    ],
)
def test_node_port_addresses_are_those_of_the_proxys_family(
    given: tuple[str, ...], four: tuple[str, ...] | None, six: tuple[str, ...] | None, loopback: bool
) -> None:
    v4 = ProxyOptions(node_ip="192.168.0.2", node_ips=("192.168.0.2", "192.168.1.2"), nodeport_addresses=given)
    v6 = ProxyOptions(node_ip="2001:db8::1", node_ips=("2001:db8::1",), nodeport_addresses=given, family=6)
    assert (v4.nodeport_match(), v6.nodeport_match(), v4.loopback_nodeports()) == (four, six, loopback)
    assert not v6.loopback_nodeports()


def test_nftables_asks_the_kernel_for_node_addresses_when_all_take_node_ports() -> None:
    text = proxyrules("", ProxyOptions(mode="nftables", node_ip="192.168.0.2", nodeport_addresses=("0.0.0.0/0",)))
    assert (
        "services fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @service-nodeports" in text
    )
    assert (
        "nodeport-endpoints-check ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @no-endpoint-nodeports" in text
    )
    assert "nodeport-ips" not in text
    six = proxyrules("", ProxyOptions(mode="nftables", family=6))  # the node's address isn't known
    assert "services fib daddr type local ip6 daddr != ::1 meta l4proto" in six


def test_a_liberal_conntrack_drops_nothing_invalid() -> None:
    assert "INVALID" not in restore_input(from_configuration({"conntrack": {"tcpBeLiberal": True}}, None), [], [])


def test_sloppy_addresses() -> None:
    assert sloppy_ip("172.30.0.041") == "172.30.0.41"
    assert sloppy_cidr(" 203.0.113.000/025") == "203.0.113.0/25"
    assert (sloppy_ip("2001:db8:0:0::7"), sloppy_ip("::ffff:10.1.2.3")) == ("2001:db8::7", "10.1.2.3")
    assert (sloppy_cidr("203.0.113.77/25"), sloppy_cidr("10.0.0.0"), sloppy_ip("ten")) == ("203.0.113.0/25", "", "")


def test_addresses_that_are_none_are_passed_over() -> None:
    spec = {"clusterIP": "10.96.0.5", "externalIPs": ["", "x", "192.0.2.7"], "loadBalancerSourceRanges": ["y", " 10.1.2.3/28"], "ports": [{"port": 80}]}  # fmt: skip
    status = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"ip": "1.2.3.5", "ipMode": "Proxy"}, {"hostname": "h"}]}}
    (port,) = service_ports({"metadata": {"name": "s", "namespace": "d"}, "spec": spec, "status": status}, 4)
    assert (port.external_ips, port.source_ranges, port.lb_vips) == (("192.0.2.7",), ("10.1.2.0/28",), ("1.2.3.4",))


def test_who_terminates_yields_its_address() -> None:
    def one(**conditions: bool) -> dict:
        return {"addresses": ["10.1.0.1"], "conditions": conditions}

    def ready(*found: dict) -> list[tuple[bool, bool, bool]]:
        made = {"addressType": "IPv4", "ports": [{"port": 80}, {"name": "none", "port": 0}], "endpoints": list(found)}
        return [(e.ready, e.serving, e.terminating) for e in slice_endpoints(made, 4)[("", "tcp")]]

    old = one(ready=False, terminating=True)  # whether it serves isn't said: it does
    assert ready(old) == [(False, True, True)]
    assert ready(old, one(ready=False)) == ready(one(ready=False), old) == [(False, True, False)]
    assert ready(one(ready=False), one(ready=True)) == [(True, True, False)]


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
