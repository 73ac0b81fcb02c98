"""Addresses of Services."""

import pytest

from cluster.api import scheme, status
from cluster.apiserver.registry import service_ip
from cluster.apiserver.registry.service_ip import Ranges, allocate, held_by
from cluster.sim import Dice

SCHEMA = scheme.builtin().schema("", "v1", "Service")
EMPTY = Ranges("10.96.0.0/12", frozenset(), frozenset())


def service(**spec):
    doc = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "d"},
        "spec": {"ports": [{"port": 80}], **spec},
    }
    return SCHEMA.default(SCHEMA.decode(doc).doc)


def test_a_service_gets_an_address_of_the_upper_part():
    made = allocate(service(), None, EMPTY, Dice.named(1, "s")).doc
    ip = made["spec"]["clusterIP"]
    assert made["spec"]["clusterIPs"] == [ip] and ip.startswith("10.") and held_by(made).ips == (ip,)
    assert (made["spec"]["ipFamilies"], made["spec"]["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


def test_nothing_is_given_twice():
    dice, used, ports = Dice.named(2, "s"), set(), set()
    small = "10.0.0.0/28"
    for _ in range(14):
        held = held_by(allocate(service(type="NodePort"), None, Ranges(small, used, ports), dice).doc)
        assert not used & set(held.ips) and not ports & set(held.ports)
        used |= set(held.ips)
        ports |= set(held.ports)
    with pytest.raises(status.ApiError, match="range is full"):
        allocate(service(), None, Ranges(small, used, ports), dice)


def test_asking_for_an_address():
    with pytest.raises(status.ApiError) as error:
        allocate(service(type="Strange", clusterIP="1.2.3.4"), None, EMPTY, Dice.named(1, "s"))
    assert error.value.message == (
        'Service "s" is invalid: spec.clusterIPs: Invalid value: []string{"1.2.3.4"}: failed to allocate IP 1.2.3.4: the '
        "provided IP (1.2.3.4) is not in the valid range. The range of valid IPs is 10.96.0.0/12"
    )
    taken = Ranges("10.96.0.0/12", {"10.96.0.9"}, {30080})
    with pytest.raises(status.ApiError, match="provided IP is already allocated"):
        allocate(service(clusterIP="10.96.0.9"), None, taken, Dice.named(1, "s"))
    with pytest.raises(status.ApiError, match="provided port is already allocated"):
        allocate(service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}]), None, taken, Dice.named(1, "s"))
    with pytest.raises(status.ApiError, match="The range of valid ports is 30000-32767"):
        allocate(service(type="NodePort", ports=[{"port": 80, "nodePort": 80}]), None, taken, Dice.named(1, "s"))


def test_headless_and_external_names_get_none():
    headless = allocate(service(clusterIP="None", selector={"a": "b"}), None, EMPTY, Dice.named(1, "s")).doc
    assert headless["spec"]["clusterIPs"] == ["None"] and held_by(headless).ips == ()
    named = allocate(service(type="ExternalName", externalName="x.example.com"), None, EMPTY, Dice.named(1, "s")).doc
    assert "clusterIP" not in named["spec"] and "ipFamilies" not in named["spec"]


def test_changing_the_type_keeps_gives_and_frees():
    dice = Dice.named(3, "s")
    old = allocate(service(), None, EMPTY, dice).doc
    node_port = allocate(service(type="NodePort"), old, EMPTY, dice)
    assert node_port.doc["spec"]["clusterIP"] == old["spec"]["clusterIP"]
    assert node_port.taken.ips == () and len(node_port.taken.ports) == 1
    again = allocate(service(type="NodePort"), node_port.doc, EMPTY, dice)
    assert again.taken == again.freed == service_ip.Held()
    back = {**node_port.doc, "spec": {**node_port.doc["spec"], "type": "ClusterIP"}}
    assert allocate(back, node_port.doc, EMPTY, dice).freed.ports == node_port.taken.ports


def test_twins_share_a_node_port():
    doc = service(
        type="NodePort",
        ports=[{"name": "u", "port": 53, "protocol": "UDP"}, {"name": "t", "port": 53, "protocol": "TCP"}],
    )
    first, second = (p["nodePort"] for p in allocate(doc, None, EMPTY, Dice.named(1, "s")).doc["spec"]["ports"])
    assert first == second


TAKEN = Ranges("10.96.0.0/12", frozenset(), frozenset({30080}))
TWO = [{"name": "a", "port": 80}, {"name": "b", "port": 80, "protocol": "UDP", "nodePort": 30500}]
LOCAL = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
APART = [{"name": "a", "port": 80, "nodePort": 30500}, {"name": "b", "port": 81, "protocol": "UDP", "nodePort": 30500}]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"type": "NodePort", "ports": TWO}, (30500, 30500)),
        ({"type": "NodePort", "ports": APART}, "spec.ports[1].nodePort: Invalid value: 30500: provided port is already allocated"),
        ({**LOCAL, "healthCheckNodePort": 30080}, "Internal error occurred: failed to allocate requested HealthCheck NodePort 30080: provided port is already allocated"),
        ({**LOCAL, "healthCheckNodePort": 80}, "failed to allocate requested HealthCheck NodePort 80: provided port is not in the valid range"),
        ({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}, (0,)),
        ({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False, "ports": [{"port": 80, "nodePort": 30080}]}, "already allocated"),
    ],
)  # fmt: skip
def test_node_ports_that_are_asked_for(spec, said):
    """As upstream's allocator: a twin's request counts for the ports before it, and the first refusal is the answer."""
    dice = Dice.named(1, "s")
    if isinstance(said, str):
        with pytest.raises(status.ApiError) as error:
            allocate(service(**spec), None, TAKEN, dice)
        assert said in error.value.message
        return
    made = allocate(service(**spec), None, TAKEN, dice).doc
    assert tuple(port.get("nodePort", 0) for port in made["spec"]["ports"]) == said
    again = allocate(
        made, made, Ranges("10.96.0.0/12", frozenset(held_by(made).ips), frozenset(held_by(made).ports)), dice
    )
    assert again.doc["spec"] == made["spec"] and again.taken == again.freed == service_ip.Held()
