"""Flows: the reply of a translated packet finds back, states advance, old flows are forgotten."""

from cluster.netfilter.conntrack import TIMEOUTS, TRANSITIONS, Conntrack
from cluster.sim import SECOND
from cluster.wire.packet import Packet

CLIENT = Packet("10.244.1.5", "10.96.0.10", "tcp", 40000, 80)
SENT = Packet("10.244.1.5", "10.244.2.7", "tcp", 40000, 8080)


def test_a_reply_comes_from_the_service_again() -> None:
    table = Conntrack()
    flow = table.confirm(CLIENT, SENT, 0)
    assert flow.dnat and not flow.snat
    assert table.state_of(CLIENT, SECOND) == "NEW"
    reply = table.pass_on(Packet("10.244.2.7", "10.244.1.5", "tcp", 8080, 40000), SECOND)
    assert reply == Packet("10.96.0.10", "10.244.1.5", "tcp", 80, 40000)
    assert table.state_of(CLIENT, SECOND) == "ESTABLISHED"
    assert table.pass_on(CLIENT, SECOND) == SENT
    assert flow.state == "ESTABLISHED"


def test_masqueraded_flows_turn_both_ways() -> None:
    table = Conntrack()
    table.confirm(CLIENT, Packet("172.18.0.11", "10.244.2.7", "tcp", 40000, 8080), 0)
    reply = table.pass_on(Packet("10.244.2.7", "172.18.0.11", "tcp", 8080, 40000), 1)
    assert reply == Packet("10.96.0.10", "10.244.1.5", "tcp", 80, 40000)


def test_unanswered_udp_is_forgotten_after_thirty_seconds() -> None:
    table = Conntrack()
    packet = Packet("10.244.1.5", "10.96.0.10", "udp", 5000, 53)
    table.confirm(packet, Packet("10.244.1.5", "10.244.0.2", "udp", 5000, 53), 0)
    assert table.find(packet, 29 * SECOND) is not None
    assert table.find(packet, 31 * SECOND) is None
    assert table.unique() == []


def test_every_state_reached_has_a_timeout_and_a_way_on() -> None:
    for (protocol, _, _), state in TRANSITIONS.items():
        assert (protocol, state) in TIMEOUTS
        assert (protocol, state, "original") in TRANSITIONS
