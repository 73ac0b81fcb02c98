"""Upstream's own test inputs and recordings of a real kube-proxy 1.32.13: same objects, same rules, same packets' ends."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.kubeproxy.change_tracker import PortName
from cluster.kubeproxy.endpoints import select
from cluster.kubeproxy.modes import iptables
from cluster.kubeproxy.offline import proxyrules, read_objects, tracepacket, tracker_of
from cluster.kubeproxy.options import ProxyOptions
from cluster.netfilter import Ruleset, fresh_ruleset, parse_save, restore, save
from cluster.netfilter.rules import Comment

DATA = Path(__file__).parent / "data"
CASES = sorted(p.stem for p in (DATA / "cases").glob("*.yaml"))


def case(name: str) -> tuple[dict[str, Any], str]:
    header, _, body = (DATA / "cases" / f"{name}.yaml").read_text().removeprefix("---\n").partition("\n---\n")
    return yaml.safe_load(header), body


def options(header: dict[str, Any]) -> ProxyOptions:
    proxy = header["proxy"]
    interfaces = {k: v for k, v in (proxy.get("nodeInterfaces") or {}).items() if k != "lo"}
    return ProxyOptions(
        node=proxy["nodeName"],
        node_ip=proxy.get("nodeIP", ""),
        node_ips=tuple(a.split("/")[0] for found in interfaces.values() for a in found if ":" not in a),
        zone=(proxy.get("nodeLabels") or {}).get("topology.kubernetes.io/zone", ""),
        cluster_cidr=proxy["clusterCIDR"],
        masquerade_all=proxy["masqueradeAll"],
        masquerade_bit=proxy["masqueradeBit"],
        localhost_nodeports=(proxy.get("iptables") or {}).get("localhostNodePorts", True),
        mode=proxy["mode"],
        nodeport_addresses=tuple(proxy["nodePortAddresses"]),
        service_cidrs=tuple(proxy.get("serviceCIDRs") or ()),
        random_fully=(proxy.get("iptables") or {}).get("randomFully", False),
        nfacct=bool(proxy.get("nfacctCounters")),
        tcp_liberal=proxy.get("conntrackTCPLiberal", False),
    )


def meaning(ruleset: Ruleset) -> dict[tuple[str, str], list[Any]]:
    """Chain → its rules, matches in no order (comments count); the chains services share sorted by comment."""
    found = {}
    for table, chains in ruleset.tables.items():
        for name, chain in chains.items():
            rules = [(sorted(map(repr, rule.matches)), repr(rule.target)) for rule in chain.rules]
            if rules:
                found[table, name] = rules
    return found


@pytest.mark.parametrize("name", [n for n in CASES if "expected" in case(n)[0] and not n.startswith("ipvs-")])
def test_the_rules_are_upstreams(name: str) -> None:
    header, body = case(name)
    before = case(header["previous"])[1] if header.get("previous") else None
    text = proxyrules(body, options(header), previous=before)
    expected = (DATA / header["expected"]).read_text()
    if header["proxy"]["mode"] == "nftables":
        assert nft_meaning(text) == nft_meaning(expected)
        return
    deleted = [[line for line in t.splitlines() if line.startswith("-X")] for t in (text, expected)]
    assert deleted[0] == deleted[1]
    # a partial sync jumps to chains that are already there: declare them all, to be able to read it alone
    assert meaning(lenient(text)) == meaning(lenient(expected))


def nft_meaning(text: str) -> dict[str, list[str]]:
    """Chain → its rules in order; everything else (sets, elements, chains) in no order. Comments count."""
    found: dict[str, list[str]] = {"": []}
    for line in text.splitlines():
        words = line.split()
        chain = words[4] if words[1] == "rule" else ""
        found.setdefault(chain, []).append(" ".join(words))
    found[""].sort()
    return found


def lenient(text: str) -> Ruleset:
    ruleset = Ruleset()
    for table in ("filter", "nat"):
        for word in text.split():
            if word.startswith("KUBE-"):
                restore(ruleset, f"*{table}\n:{word} - [0:0]\nCOMMIT\n")
    restore(ruleset, text)
    return ruleset


@pytest.mark.parametrize("name", [n for n in CASES if "expectedChains" in case(n)[0]])
def test_single_chains_are_upstreams(name: str) -> None:
    header, body = case(name)
    expected_text = (DATA / header["expectedChains"]).read_text()
    expected, got = lenient(expected_text), lenient(proxyrules(body, options(header)))
    for table in ("filter", "nat"):
        for line in expected_text.splitlines():
            if line.startswith(":") and f"*{table}" in expected_text:
                chain = line[1:].split()[0]
                assert meaning(got).get((table, chain), []) == meaning(expected).get((table, chain), [])


@pytest.mark.parametrize("name", [n for n in CASES if "packets" in case(n)[0]])
def test_packets_end_where_upstream_says(name: str) -> None:
    header, body = case(name)
    rules = proxyrules(body, options(header))
    rows = yaml.safe_load((DATA / header["packets"]).read_text())["rows"]
    assert rows
    for row in rows:
        walk = tracepacket(
            rules, src=row["src"], dst=row["dst"], protocol=row["protocol"], port=row["port"],
            node_ips=tuple(header["proxy"]["localIPsForPacketWalk"]),
        )  # fmt: skip
        seen = (walk["verdict"], walk["endpoints"], walk["masquerade"])
        assert seen == (row["verdict"], row.get("endpoints") or [], bool(row.get("masq"))), row["name"]
        assert sum(o["probability"] for o in walk["outcomes"]) == pytest.approx(1)


@pytest.mark.parametrize("name", [n for n in CASES if "expectedEndpoints" in case(n)[0]])
def test_topology_chooses_the_endpoints_upstream_chooses(name: str) -> None:
    header, body = case(name)
    tracker = tracker_of(read_objects(body), 4)
    (ports,) = tracker.services.values()
    (service,) = ports.values()
    chosen = select(tracker.endpoints(service.name), service, "test-node", options(header).zone)
    expected = header["expectedEndpoints"]
    assert list(chosen.cluster) == (expected["clusterEndpoints"] or [])
    assert list(chosen.local) == (expected["localEndpoints"] or [])
    assert list(chosen.reachable) == (expected["allReachable"] or [])


@pytest.mark.parametrize("name", sorted(p.name for p in (DATA / "recorded").iterdir()))
def test_the_saved_tables_are_those_of_a_real_node(name: str) -> None:
    folder = DATA / "recorded" / name
    proxy = ProxyOptions(
        node="kp-node", node_ip="192.168.49.2", node_ips=("192.168.49.2",), cluster_cidr="10.244.0.0/16"
    )
    kernel = fresh_ruleset()
    restore(kernel, iptables.canaries())
    restore(kernel, iptables.base_jumps())
    restore(kernel, proxyrules((folder / "objects.yaml").read_text(), proxy))
    for table in ("filter", "nat", "mangle"):
        mine = save(kernel, counters=False, only=table).splitlines()
        real = (folder / f"{table}.txt").read_text().splitlines()
        shared = "-A KUBE-SERVICES -d"  # the real proxy walks a Go map here
        assert [line for line in mine if not line.startswith(shared)] == [
            line for line in real if not line.startswith(shared)
        ]
        assert sorted(mine) == sorted(real)


def test_hashes_are_upstreams() -> None:
    name = PortName("ns1", "svc1", "p80", "tcp")
    assert iptables.service_chain("KUBE-SVC-", name) == "KUBE-SVC-XPGD46QRK7WJZT7O"
    assert iptables.endpoint_chain(name, "10.180.0.1:80") == "KUBE-SEP-SXIVWICOYRO3J4NJ"


def test_comments_come_back_from_text() -> None:
    rules = (
        parse_save((DATA / "recorded" / "00-empty" / "nat.txt").read_text())
        .tables["nat"]["KUBE-SVC-NPX46M4PTMTKRN6Y"]
        .rules
    )
    assert [m.text for m in rules[0].matches if isinstance(m, Comment)] == ["default/kubernetes:https cluster IP"]
