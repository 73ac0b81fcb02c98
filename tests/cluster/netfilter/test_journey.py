"""A journey tells one end of a walk: the routing decision, what each rule compared, what nearly caught the packet, and the answer's way back."""

from pathlib import Path

import pytest

from cluster.kubeproxy.offline import walker_for
from cluster.netfilter.journey import journey
from cluster.wire.packet import Packet

RULES = (Path(__file__).parents[2] / "browser" / "data" / "rules.txt").read_text()
NFT = """table ip t {
	chain pre {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 10.9.0.1 tcp dport 81 drop
		ip daddr . meta l4proto . th dport vmap { 10.9.0.1 . tcp . 80 : goto svc }
	}
	chain svc {
		numgen random mod 2 vmap { 0 : goto a, 1 : goto b }
	}
	chain a {
		meta l4proto tcp dnat to 10.1.0.1:8080
	}
	chain b {
		meta l4proto tcp dnat to 10.1.0.2:8080
	}
}
"""


def told(src: str, dst: str, port: int, way: int = 0, rules: str = RULES) -> dict:
    return journey(walker_for(rules, node_ips=("172.18.0.11",)), Packet(src, dst, "tcp", 45678, port), way=way)


def kinds(frames: list[dict]) -> list[str]:
    return [f"{f['kind']} {f.get('chain') or f.get('to') or f['hook']}" for f in frames]


def test_the_second_end_of_a_service() -> None:
    found = told("10.244.1.9", "10.96.118.42", 80, way=1)
    assert [(w["endpoint"], w["probability"]) for w in found["ways"]] == [
        ("10.244.1.2:8080", 0.5),
        ("10.244.1.3:8080", 0.5),
    ]
    assert kinds(found["frames"])[:7] == [
        "sent PREROUTING", "rule PREROUTING", "rule KUBE-SERVICES", "rule KUBE-SVC-CDGGSHYLG3RE2FKL",
        "rule KUBE-SEP-2AZ33KU3V5PGPQZH", "route FORWARD", "rule FORWARD",
    ]  # fmt: skip
    lost = found["frames"][3]
    assert lost["draws"] == [0.5] and lost["passed"] == 2, "the other endpoint's draw was lost on the way"
    assert [(near["line"], near["ask"]["kind"], near["ask"]["negate"]) for near in lost["near"]] == [(59, "src", True)]
    translated = found["frames"][4]
    assert (translated["before"]["dst"], translated["after"]["dst"], translated["after"]["dport"]) == (
        "10.96.118.42", "10.244.1.3", 8080,
    )  # fmt: skip
    assert [row["line"] for row in translated["excerpt"] if row.get("here")] == [translated["line"]]


def test_the_answer_undoes_the_source_first_and_the_destination_last() -> None:
    """A node's own connection hairpins through its Service: both translations come back off."""
    found = told("10.244.1.2", "10.96.118.42", 80, way=0)
    assert found["ways"][0]["masquerade"] and found["ways"][0]["source"] == "172.18.0.11"
    assert found["conntrack"]["reply"] == {
        "src": "10.244.1.2", "dst": "172.18.0.11", "protocol": "tcp", "sport": 8080, "dport": 45678,
    }  # fmt: skip
    undone = [
        (f["hook"], f["of"], f["after"]["src"], f["after"]["dst"]) for f in found["reply"] if f["kind"] == "untranslate"
    ]
    assert undone == [
        ("PREROUTING", "snat", "10.244.1.2", "10.244.1.2"),
        ("POSTROUTING", "dnat", "10.96.118.42", "10.244.1.2"),
    ]


def test_nft_look_ups_draws_and_near_misses() -> None:
    found = told("10.244.1.9", "10.9.0.1", 80, way=1, rules=NFT)
    steps = [f for f in found["frames"] if f["kind"] == "rule"]
    assert [s["chain"] for s in steps] == ["pre", "svc", "b"] and {s["station"] for s in steps} == {"ip t/pre"}
    assert [(a["kind"], a["have"], a["held"]) for a in steps[0]["asks"]] == [("map", "10.9.0.1 . tcp . 80", 1.0)]
    assert [(n["line"], n["ask"]["key"], n["ask"]["have"]) for n in steps[0]["near"]] == [(4, "tcp dport", "80")]
    assert steps[2]["after"]["dst"] == "10.1.0.2"


@pytest.mark.parametrize(("dst", "last"), [("172.18.0.11", "INPUT"), ("10.244.9.9", "POSTROUTING")])
def test_the_routing_decision(dst: str, last: str) -> None:
    frames = told("10.244.1.9", dst, 81)["frames"]
    assert next(f["to"] for f in frames if f["kind"] == "route") == ("INPUT" if last == "INPUT" else "FORWARD")
    assert frames[-1]["hook"] == last


def test_a_dropped_packet_ends_where_it_was_dropped() -> None:
    found = told("10.244.1.9", "10.9.0.1", 81, rules=NFT)
    assert kinds(found["frames"]) == ["sent PREROUTING", "rule pre", "end PREROUTING"]
    assert found["frames"][-1]["verdict"] == "DROP" and found["reply"] == [] and "conntrack" not in found


def dump(*nat: str, sets: str = "", mangle: str = "", filter_: str = "") -> str:
    return (
        f"{sets}*mangle\n:PREROUTING ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n{mangle}COMMIT\n"
        "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
        + "".join(f"{line}\n" for line in nat)
        + f"COMMIT\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{filter_}COMMIT\n"
    )


SERVER = "-A -t 10.96.0.1:80 -s rr\n-a -t 10.96.0.1:80 -r 10.244.1.2:8080 -m -w 1\n"


@pytest.mark.parametrize(
    ("rules", "src", "dst", "chain"),
    [
        (
            dump(
                "-A PREROUTING -d 10.96.0.1/32 -j DNAT --to-destination 10.244.1.2:8080",
                "-A POSTROUTING -m conntrack --ctorigdst 10.96.0.1 -j MASQUERADE",
            ),
            "10.244.1.9", "10.96.0.1", "POSTROUTING",
        ),
        (
            dump(mangle="-A PREROUTING -j CONNMARK --set-mark 5\n-A FORWARD -m connmark --mark 5 -j MARK --set-mark 1\n"),
            "10.244.1.9", "10.244.1.2", "FORWARD",
        ),
        (
            dump(sets=SERVER, filter_="-A OUTPUT -m ipvs --vaddr 10.96.0.1 -j ACCEPT\n"),
            "10.244.1.9", "10.96.0.1", "OUTPUT",
        ),
        (dump(filter_="-A INPUT -i lo -j ACCEPT\n"), "172.18.0.11", "172.18.0.11", "INPUT"),
        (
            dump(
                "-A PREROUTING -d 10.244.1.2/32 -j DNAT --to-destination 10.244.1.2:80",
                filter_="-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT\n",
            ),
            "10.244.1.9", "10.244.1.2", "FORWARD",
        ),
    ],
    ids=["its first destination", "a mark on the connection", "balanced by IPVS", "in by lo", "translated to what it was"],
)  # fmt: skip
def test_what_is_noted_beside_the_packet_is_told_too(rules: str, src: str, dst: str, chain: str) -> None:
    steps = [f for f in told(src, dst, 80, rules=rules)["frames"] if f["kind"] == "rule" and f["chain"] == chain]
    assert steps and all(ask["held"] == 1.0 for ask in steps[-1]["asks"]), steps[-1]["asks"]


@pytest.mark.parametrize(
    ("create", "added", "sides", "have"),
    [
        ("bitmap:port range 0-65535", "80", "dst", "80"),
        ("hash:ip,port,ip family inet", "10.96.0.1,tcp:80,10.244.1.9", "dst,dst,src", "10.96.0.1,tcp:80,10.244.1.9"),
        ("hash:ip,mark family inet", "10.244.1.9,0", "src,src", "10.244.1.9,0x00000000"),
        ("hash:net family inet", "10.96.0.0/12", "dst", "10.96.0.1"),
        ("hash:ip,port family inet", "10.96.0.1,tcp:80", "dst,dst", "10.96.0.1,tcp:80"),
    ],
)
def test_an_ipset_is_asked_for_the_key_that_its_type_has(create: str, added: str, sides: str, have: str) -> None:
    rules = dump(
        sets=f"create s {create}\nadd s {added}\n", filter_=f"-A FORWARD -m set --match-set s {sides} -j DROP\n"
    )
    (ask,) = next(f for f in told("10.244.1.9", "10.96.0.1", 80, rules=rules)["frames"] if f["kind"] == "rule")["asks"]
    assert (ask["kind"], ask["have"], ask["held"]) == ("set", have, 1.0)


def test_nft_flags_and_shares_are_asks_too() -> None:
    text = """table ip t {
	chain f {
		type filter hook forward priority 0; policy accept;
		tcp flags & (fin | syn | rst | ack) == syn numgen random mod 4 < 1 drop
		ip daddr 10.9.0.1 tcp flags & (fin | syn) == fin drop
		ip daddr 10.9.0.1 accept
	}
}
"""
    first, last = (
        next(f for f in told("10.244.1.9", "10.9.0.1", 80, way, text)["frames"] if f["kind"] == "rule")
        for way in (0, 1)
    )
    assert [(a["kind"], a["held"]) for a in first["asks"]] == [("flags", 1.0), ("chance", 0.25)]
    assert last["draws"] == [0.25], "lost on the way"
    assert [(n["line"], n["ask"]["kind"]) for n in last["near"]] == [(5, "flags")]


def test_an_ipv6_rule_is_told_as_ip6tables_prints_it() -> None:
    rules = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -s fd00::9/128 -p icmp -j DROP\n-A FORWARD -p tcp -d fd00::1/128 -j REJECT\nCOMMIT\n"
    walker = walker_for(rules, node_ips=("fd00::11",), family=6)
    (frame,) = [
        f for f in journey(walker, Packet("fd00::9", "fd00::1", "tcp", 45678, 80))["frames"] if f["kind"] == "rule"
    ]
    assert next(row for row in frame["excerpt"] if row["here"])["text"] == frame["rule"]
    assert "icmp6-port-unreachable" in frame["rule"]
