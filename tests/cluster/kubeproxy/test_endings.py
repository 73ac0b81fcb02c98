"""What happens to connections when an endpoint goes: IPVS lets them run out, UDP flows are forgotten."""

from typing import Any

from cluster.kubeproxy.change_tracker import ChangeTracker
from cluster.kubeproxy.graceful import bring, sweep
from cluster.kubeproxy.stale_flows import cleanup_needed, places
from cluster.netfilter.conntrack import Conntrack
from cluster.netfilter.ipvs import Ipvs, RealServer, VirtualServer, candidates
from cluster.wire.packet import Packet


def ipvs(*targets: str, protocol: str = "tcp", **more: Any) -> Ipvs:
    server = VirtualServer("10.96.0.1", 80, protocol, **more)
    for target in targets:
        ip, _, port = target.rpartition(":")
        server.servers[target] = RealServer(ip, int(port))
    return Ipvs({server.key: server}, {"10.96.0.1": None})


def test_an_endpoint_goes_when_its_last_connection_has() -> None:
    open_connections = {"10.1.0.2:80": 3}
    kernel = Ipvs()

    def connections(_key: object, target: str) -> int:
        return open_connections.get(target, 0)

    assert bring(kernel, ipvs("10.1.0.1:80", "10.1.0.2:80"), connections) == [
        "-A -t 10.96.0.1:80 -s rr",
        "-a -t 10.96.0.1:80 -r 10.1.0.1:80 -m -w 1",
        "-a -t 10.96.0.1:80 -r 10.1.0.2:80 -m -w 1",
    ]
    assert bring(kernel, ipvs(), connections) == [
        "-d -t 10.96.0.1:80 -r 10.1.0.1:80",
        "-e -t 10.96.0.1:80 -r 10.1.0.2:80 -m -w 0",
    ]
    (server,) = kernel.servers.values()
    assert list(server.servers) == ["10.1.0.2:80"] and candidates(server) == []
    assert bring(kernel, ipvs(), connections) == [] and sweep(kernel, connections) == []
    open_connections.clear()
    assert sweep(kernel, connections) == ["-d -t 10.96.0.1:80 -r 10.1.0.2:80"]
    assert server.servers == {} and kernel.dying == {}


def test_an_endpoint_that_comes_back_gets_connections_again() -> None:
    kernel = Ipvs()
    bring(kernel, ipvs("10.1.0.1:80"), lambda *_: 1)
    bring(kernel, ipvs(), lambda *_: 1)
    assert bring(kernel, ipvs("10.1.0.1:80"), lambda *_: 1) == ["-a -t 10.96.0.1:80 -r 10.1.0.1:80 -m -w 1"]
    assert kernel.dying == {}


def test_udp_goes_at_once_and_a_server_with_all_it_has() -> None:
    kernel = Ipvs()
    bring(kernel, ipvs("10.1.0.1:80", protocol="udp"), lambda *_: 9)
    assert bring(kernel, ipvs(protocol="udp"), lambda *_: 9) == ["-d -u 10.96.0.1:80 -r 10.1.0.1:80"]
    bring(kernel, ipvs("10.1.0.1:80"), lambda *_: 9)
    bring(kernel, ipvs(), lambda *_: 9)
    assert kernel.dying
    assert bring(kernel, Ipvs(), lambda *_: 9) == ["-D -t 10.96.0.1:80"]
    assert kernel.dying == {} and kernel.addresses == {}


def test_other_settings_are_edited_in_place() -> None:
    kernel = Ipvs()
    bring(kernel, ipvs("10.1.0.1:80"), lambda *_: 0)
    assert bring(kernel, ipvs("10.1.0.1:80", scheduler="lc", persistent=60), lambda *_: 0) == [
        "-E -t 10.96.0.1:80 -s lc -p 60"
    ]


def test_udp_flows_to_dead_endpoints_are_forgotten() -> None:
    tracker = ChangeTracker(4)
    tracker.service(
        None,
        {
            "metadata": {"namespace": "d", "name": "dns"},
            "spec": {
                "type": "NodePort", "clusterIP": "10.96.0.10", "externalIPs": ["192.0.2.1"],
                "ports": [{"name": "u", "protocol": "UDP", "port": 53, "nodePort": 30053}, {"name": "t", "protocol": "TCP", "port": 53}],
            },
        },
    )  # fmt: skip
    tracker.endpoint_slice(
        None,
        {
            "metadata": {"namespace": "d", "name": "dns-1", "labels": {"kubernetes.io/service-name": "dns"}},
            "addressType": "IPv4",
            "ports": [{"name": "u", "protocol": "UDP", "port": 53}],
            "endpoints": [
                {"addresses": ["10.1.0.1"]},
                {"addresses": ["10.1.0.2"], "conditions": {"ready": False, "serving": True, "terminating": True}},
                {"addresses": ["10.1.0.3"], "conditions": {"ready": False, "serving": False, "terminating": True}},
            ],
        },
    )
    table = Conntrack()

    def flow(dst: str, dport: int, to: str, protocol: str = "udp", sport: int = 1000) -> int:
        table.confirm(Packet("10.2.0.1", dst, protocol, sport, dport), Packet("10.2.0.1", to, protocol, sport, 53), 0)
        return sport

    kept = [
        flow("10.96.0.10", 53, "10.1.0.1", sport=1),
        flow("10.96.0.10", 53, "10.1.0.2", sport=2),  # it terminates, but serves
        flow("10.96.0.10", 53, "10.1.0.3", "tcp", sport=3),
        flow("10.96.0.10", 54, "10.1.0.9", sport=4),  # another port
        flow("10.96.0.99", 53, "10.96.0.99", sport=5),
    ]
    gone = [
        flow("10.96.0.10", 53, "10.1.0.3", sport=11),
        flow("10.96.0.10", 53, "10.96.0.10", sport=12),  # never translated: there was no endpoint then
        flow("192.0.2.1", 53, "10.1.0.9", sport=13),
        flow("172.18.0.11", 30053, "10.1.0.9", sport=14),
    ]
    found = [one.original.sport for one in table.stale(dict(places(tracker)))]
    assert found == gone and not set(found) & set(kept)
    dead = ChangeTracker()
    dead.services = tracker.services
    assert places(dead) == ()  # while nobody serves, nothing is forgotten
    assert cleanup_needed(["d/dns"], tracker) and not cleanup_needed(["d/other"], tracker)


def test_virtual_servers_of_others_go_unless_their_network_is_excluded() -> None:
    def by_hand() -> Ipvs:
        kernel = Ipvs()
        for address in ("192.0.2.9", "198.51.100.9"):
            kernel.servers[address, 80, "tcp"] = VirtualServer(address, 80, "tcp")
        return kernel

    wanted = ipvs("10.1.0.1:80")
    assert bring(by_hand(), wanted, lambda *_: 0)[2:] == ["-D -t 192.0.2.9:80", "-D -t 198.51.100.9:80"]
    assert bring(by_hand(), wanted, lambda *_: 0, ("192.0.2.0/24",))[2:] == ["-D -t 198.51.100.9:80"]
    kept = by_hand()
    bring(kept, wanted, lambda *_: 0, ("0.0.0.0/0",))
    assert bring(kept, Ipvs(), lambda *_: 0, ("0.0.0.0/0",)) == [], "and those of a Service that has gone stay, too"
