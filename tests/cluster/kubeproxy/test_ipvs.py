"""IPVS mode: upstream's own cases, and what its source says of the rest; the texts read back equal; packets through it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.kubeproxy.modes import ipvs
from cluster.kubeproxy.offline import proxyrules, read_objects, tracepacket, tracker_of
from cluster.kubeproxy.options import ProxyOptions
from cluster.netfilter import parse_save
from cluster.netfilter.dump import parse_dump, save_dump
from cluster.netfilter.ipset import save_sets
from cluster.netfilter.ipvs import Ipvs, RealServer, VirtualServer, candidates, save_servers
from cluster.netfilter.rules import Address, Jump, SetMatch, Verdict
from cluster.sim import SECOND
from tests.cluster.kubeproxy.test_upstream_cases import CASES, DATA, case, options


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("ipvs-")])
def test_the_case_is_upstreams(name: str) -> None:
    header, body = case(name)
    expected = yaml.safe_load((DATA / header["expected"]).read_text())
    found = ipvs.plan(ipvs.everything(tracker_of(read_objects(body), 4), options(header)), options(header))
    for wanted in expected.get("virtualServers") or []:
        server = found.ipvs.servers[wanted["address"], wanted["port"], wanted["protocol"].lower()]
        assert server.scheduler == wanted["scheduler"]
        assert [{"address": r.ip, "port": r.port, "weight": r.weight} for r in server.servers.values()] == wanted[
            "realServers"
        ]
    count = expected.get("virtualServerCount", len(expected.get("virtualServers") or []))
    assert len(found.ipvs.servers) == count
    for set_name, wanted in (expected.get("ipsets") or {}).items():
        assert found.sets[set_name].type == wanted["type"]
        assert list(found.sets[set_name].entries) == wanted["entries"]
    ruleset = parse_save(found.rules)
    for chain, rules in (expected.get("iptablesChains") or {}).items():
        assert [_plain(rule) for rule in ruleset.tables["nat"][chain].rules] == rules


def _plain(rule: Any) -> dict[str, str]:
    target = rule.target
    plain = {"jump": target.chain if isinstance(target, Jump) else target.name if isinstance(target, Verdict) else ""}
    for match in rule.matches:
        if isinstance(match, Address) and match.side == "-s" and not match.negate:
            plain["source"] = match.net.text
        elif isinstance(match, SetMatch):
            plain["matchSet"] = match.name
    return plain


OBJECTS = """
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: web}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.10
  externalIPs: [192.0.2.7]
  externalTrafficPolicy: %(policy)s
  sessionAffinity: %(affinity)s
  loadBalancerSourceRanges: [203.0.113.0/24]
  healthCheckNodePort: 30999
  ports: [{name: http, protocol: %(protocol)s, port: 80, nodePort: 30080}]
status: {loadBalancer: {ingress: [{ip: 198.51.100.9}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, protocol: %(protocol)s, port: 8080}]
endpoints:
- {addresses: [10.244.1.2], nodeName: node-1}
- {addresses: [10.244.2.2], nodeName: node-2}
---
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: empty}
spec: {clusterIP: 10.96.0.11, ports: [{protocol: TCP, port: 80}]}
"""
NODE = ProxyOptions(
    node="node-1", node_ip="172.18.0.11", node_ips=("172.18.0.11",), mode="ipvs", cluster_cidr="10.244.0.0/16"
)


def text(policy: str = "Cluster", affinity: str = "None", protocol: str = "TCP", **more: Any) -> str:
    from msgspec import structs

    given = {"policy": policy, "affinity": affinity, "protocol": protocol}
    return proxyrules(OBJECTS % given, structs.replace(NODE, **more), jumps=True)


def test_sets_and_servers_of_every_kind_of_address() -> None:
    lines = text().splitlines()
    assert "add KUBE-LOOP-BACK 10.244.1.2,tcp:8080,10.244.1.2" in lines  # only endpoints of this node
    assert not any("10.244.2.2,tcp:8080,10.244.2.2" in line for line in lines)
    assert "add KUBE-LOAD-BALANCER-SOURCE-CIDR 198.51.100.9,tcp:80,203.0.113.0/24" in lines
    assert "add KUBE-NODE-PORT-TCP 30080" in lines and "add KUBE-EXTERNAL-IP 192.0.2.7,tcp:80" in lines
    assert [line for line in lines if line.startswith("-A -t")] == [
        "-A -t 10.96.0.11:80 -s rr",
        "-A -t 10.96.0.10:80 -s rr",
        "-A -t 192.0.2.7:80 -s rr",
        "-A -t 198.51.100.9:80 -s rr",
        "-A -t 172.18.0.11:30080 -s rr",
    ]
    assert (
        "-A KUBE-IPVS-OUT-FILTER -s 198.51.100.9 -m ipvs --vaddr 198.51.100.9 --vproto tcp --vport 80 -j DROP" in lines
    )


def test_local_policy_schedulers_affinity_and_sctp() -> None:
    lines = text("Local", "ClientIP", scheduler="mh").splitlines()
    assert "-A -t 172.18.0.11:30080 -s mh -p 10800 -b mh-port" in lines
    assert [line for line in lines if line.startswith("-a -t 172.18.0.11:30080")] == [
        "-a -t 172.18.0.11:30080 -r 10.244.1.2:8080 -m -w 1"
    ]
    assert "add KUBE-NODE-PORT-LOCAL-TCP 30080" in lines and "add KUBE-HEALTH-CHECK-NODE-PORT 30999" in lines
    far = [line for line in text("Local", node="node-9").splitlines() if line.startswith("-a -t 172.18.0.11:30080")]
    assert len(far) == 2  # no local endpoint: those of the cluster, for pods of this node
    sctp = text(protocol="SCTP").splitlines()
    assert "add KUBE-NODE-PORT-SCTP-HASH 172.18.0.11,sctp:30080" in sctp
    assert "-A --sctp-service 172.18.0.11:30080 -s rr" in sctp


def test_names_of_sets_in_ipv6() -> None:
    assert ipvs.set_name("KUBE-NODE-PORT-LOCAL-SCTP-HASH", 6) == "KUBE-6-NODE-PORT-LOCAL-SCTP-HAS"
    assert ipvs.set_name("KUBE-CLUSTER-IP", 6) == "KUBE-6-CLUSTER-IP"


def test_the_texts_read_back_equal() -> None:
    for policy in ("Cluster", "Local"):
        whole = text(policy, "ClientIP")
        kernel, _ = parse_dump(whole)
        assert kernel.ipvs is not None
        saved = save_dump(kernel)
        again, _ = parse_dump(saved)
        assert save_dump(again) == saved
        assert save_sets(kernel.sets) in whole and save_servers(kernel.ipvs) in whole


ROWS: list[tuple[str, str, int, str, list[str], bool]] = [
    # from a pod, from the node, from outside; to each kind of address
    ("10.244.1.9", "10.96.0.10", 80, "DNAT", ["10.244.1.2:8080", "10.244.2.2:8080"], False),
    ("172.18.0.11", "10.96.0.10", 80, "DNAT", ["10.244.1.2:8080", "10.244.2.2:8080"], True),
    ("203.0.113.5", "10.96.0.10", 80, "DNAT", ["10.244.1.2:8080", "10.244.2.2:8080"], True),
    ("203.0.113.5", "192.0.2.7", 80, "DNAT", ["10.244.1.2:8080", "10.244.2.2:8080"], True),
    ("203.0.113.5", "198.51.100.9", 80, "DNAT", ["10.244.1.2:8080", "10.244.2.2:8080"], True),
    ("203.0.114.5", "198.51.100.9", 80, "DROP", [], False),  # not in the source ranges
    ("198.51.100.9", "198.51.100.9", 80, "DROP", [], False),  # the node itself: its source is the virtual address
    ("203.0.113.5", "172.18.0.11", 30080, "DNAT", ["10.244.1.2:8080", "10.244.2.2:8080"], True),
    ("127.0.0.1", "127.0.0.1", 30080, "NONE", [], False),  # IPVS has no localhost node ports
    ("203.0.113.5", "172.18.0.11", 30999, "ACCEPT", [], False),
    ("10.244.1.9", "10.96.0.11", 80, "REJECT", [], False),  # no endpoints: IPVS itself refuses
    ("10.244.1.9", "10.96.0.10", 81, "REJECT", [], False),  # another port of a service address
    ("10.244.1.9", "10.96.0.10", 30999, "ACCEPT", [], False),  # the filter lets the health check's port through on every address
]  # fmt: skip


@pytest.mark.parametrize(("src", "dst", "port", "verdict", "endpoints", "masquerade"), ROWS)
def test_packets(src: str, dst: str, port: int, verdict: str, endpoints: list[str], masquerade: bool) -> None:
    walk = tracepacket(text("Cluster" if port != 30999 else "Local"), src=src, dst=dst, protocol="tcp", port=port,
                       node_ips=("172.18.0.11",))  # fmt: skip
    assert (walk["verdict"], walk["endpoints"], walk["masquerade"]) == (verdict, endpoints, masquerade)


def test_the_way_of_a_packet_that_ipvs_takes_out() -> None:
    walk = tracepacket(
        text(), src="203.0.113.5", dst="172.18.0.11", protocol="tcp", port=30080, node_ips=("172.18.0.11",)
    )
    hooks = [step["hook"] for step in walk["steps"]]
    assert list(dict.fromkeys(hooks)) == ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"]
    (taken, *_) = [step for step in walk["steps"] if step["table"] == "ipvs"]
    assert taken["hook"] == "INPUT" and taken["outcome"] == "to 10.244.1.2:8080"


def test_a_pod_that_calls_itself_is_masqueraded_by_the_loopback_set() -> None:
    walk = tracepacket(text(), src="10.244.1.2", dst="10.96.0.10", protocol="tcp", port=80, node_ips=("172.18.0.11",))
    assert {o["endpoint"]: o["masquerade"] for o in walk["outcomes"]} == {
        "10.244.1.2:8080": True,
        "10.244.2.2:8080": False,
    }


def test_round_robin_weights_and_persistence() -> None:
    server = VirtualServer("10.0.0.1", 80, "tcp", persistent=60)
    server.servers = {f"10.1.0.{n}:80": RealServer(f"10.1.0.{n}", 80) for n in (1, 2, 3)}
    kernel = Ipvs({server.key: server})

    def pick(client: str, now: int) -> str:
        real = kernel.pick(server, client, now)
        assert real is not None
        return real.ip

    assert [pick(f"c{n}", 0) for n in range(4)] == ["10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.1"]
    assert pick("c1", 59 * SECOND) == "10.1.0.2"  # it stays, and its time begins anew
    assert pick("c1", 118 * SECOND) == "10.1.0.2"
    pick("c9", 178 * SECOND)
    assert pick("c1", 179 * SECOND) == "10.1.0.3"  # forgotten: it is just the next one's turn
    server.servers["10.1.0.1:80"] = RealServer("10.1.0.1", 80, weight=0)
    assert [share for _, share in candidates(server)] == [0.5, 0.5]
    server.scheduler = "wrr"
    server.servers["10.1.0.2:80"] = RealServer("10.1.0.2", 80, weight=3)
    assert [share for _, share in candidates(server)] == [0.75, 0.25]


def test_ipv6() -> None:
    objects = (Path(__file__).parents[2] / "kernel" / "services-6.yaml").read_text()
    node_ips = ("2001:db8::1", "2001:db8:1::2")
    given = ProxyOptions(
        node="node-1", node_ip=node_ips[0], node_ips=node_ips, mode="ipvs", family=6, cluster_cidr="fd00:10::/32"
    )
    rules = proxyrules(objects, given, jumps=True)
    assert "-A -t [fd00:1722::1]:80 -s rr" in rules and "-A KUBE-SERVICES -s ::1/128 -j RETURN" in rules
    for src, dst, port, verdict, endpoints in (
        ("fd00:10::9", "fd00:1722::1", 80, "DNAT", ["[fd00:10:1::1]:8080", "[fd00:10:2::1]:8080"]),
        ("2600:5200::1", "2001:db8::1", 30081, "DNAT", ["[fd00:10:1::1]:8080"]),
        ("2600:5201::1", "2001:db8:64::10", 80, "DROP", []),
        ("2001:db8::1", "fd00:1722::7", 80, "REJECT", []),
    ):
        walk = tracepacket(rules, src=src, dst=dst, protocol="tcp", port=port, node_ips=node_ips)
        assert (walk["verdict"], walk["endpoints"]) == (verdict, endpoints)
