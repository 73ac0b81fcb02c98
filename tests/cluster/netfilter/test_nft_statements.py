"""nft's statements as ``nft list ruleset`` writes them, in every notation of it: what was measured on a real kernel, and what is said when it can't be told."""

import pytest

from cluster.kubeproxy.offline import tracepacket
from cluster.netfilter.nft_literals import find, plain
from cluster.netfilter.nft_parse import parse_nft
from cluster.netfilter.nft_render import list_ruleset
from cluster.netfilter.nft_syntax import Chance, Elements, Key, Passive, keep_seen
from cluster.netfilter.nft_walk import NftWalker
from cluster.sim import SECOND, Dice
from cluster.wire.packet import Packet


def end(
    rule: str, *, src: str = "10.0.0.1", dst: str = "10.0.0.2", head: str = "", protocol: str = "tcp"
) -> str | None:
    text = f"table inet t {{\n{head}\n chain d {{ drop; }}\n chain c {{\n  type filter hook forward priority 0;\n{rule}\n }}\n}}\n"
    return tracepacket(text, src=src, dst=dst, protocol=protocol, port=80)["verdict"]


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        ("0x80000000", "meta mark 0x00000000/1"),
        ("0x4000", "meta mark & 0x00004000 == 0x00000000"),
        ("0xc0000000", "meta mark 0x00000000/2"),
    ],
)
def test_uppermost_bits_of_a_mark_are_a_prefix(mask: str, said: str) -> None:
    rule = f"table ip t {{\n chain c {{\n  type filter hook forward priority 0;\n  mark and {mask} == 0 drop\n }}\n}}\n"
    listed = list_ruleset(parse_nft(rule))
    assert f"\t\t{said} drop\n" in listed
    for text in (rule, listed):
        assert tracepacket(text, src="10.0.0.1", dst="10.0.0.2", protocol="tcp", port=80)["verdict"] == "DROP"
    assert end("meta mark 0x80000000/1 drop") is not None and end("meta mark != 0x80000000/1 drop") == "DROP"


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("tcp flags syn", True),
        ("tcp flags syn,ack", True),
        ("tcp flags ack,rst", False),
        ("tcp flags ! fin,rst", True),
        ("tcp flags ! fin,syn", False),
        ("tcp flags == syn", True),
        ("tcp flags == 0x12", False),
        ("tcp flags != syn", False),
        ("tcp flags != ack", True),
        ("tcp flags { syn | ack, syn }", True),
        ("tcp flags { syn | ack, fin }", False),
        ("tcp flags & (syn | ack) == { ack, syn }", True),
        ("tcp flags & (syn | ack) == 0x0", False),
        ("tcp flags & (fin | rst) == 0x0", True),
        ("tcp flags & (fin | rst) != 0x0", False),
        ("tcp flags 0x2 / 0x1,0x2,0x4,0x10", True),
        ("limit rate over 10/second", False),
        ("limit rate 10/second burst 5 packets", True),
        ("quota over 10 mbytes used 3 bytes", False),
        ("quota 1 kbytes used 1 kbytes", False),
        ("ct count over 10", False),
        ("ct count 10", True),
        ("ct count over 0", True),
        ("update @s { ip saddr limit rate over 10/second }", False),
        ("add @s { ip saddr timeout 1m ct count over 3 }", False),
        ("update @s { ip saddr limit rate 10/second }", True),
        ("meter m size 65535 { ip saddr limit rate over 10/second }", False),
        ("ip dscp set cs1", True),
        ("meta priority set 1:2", True),
        ("tcp option maxseg size set rt mtu", True),
        ('ct helper set "ftp"', True),
        ('log prefix "x " flags tcp sequence,options', True),
        ("log group 2 snaplen 100", True),
        ('counter name tcp dport map { 80 : "web" }', True),
        ("icmp type echo-request", False),
        ("icmpv6 type { nd-neighbor-solicit, nd-router-advert }", False),
        ("udp length 8-100", False),
        ("ip protocol tcp", True),
        ("ip6 nexthdr tcp", False),
        ("ip6 hoplimit 1", False),
        ("ip version 4", True),
        ("tcp dport ge 80", True),
        ("ip daddr ne 10.0.0.2", False),
        ("flow add @ft", True),
        ("meta protocol 0x0800", True),
        ("meta protocol ip6", False),
        ("ct state 0x8", True),
        ("ct state 0x2,0x4", False),
        ("ct state ! established,related", True),
        ('tcp dport "http"', True),
        ("tcp dport { ssh, http }", True),
        ("th dport 53", False),
        ("ip daddr . tcp dport { 10.0.0.0/24 . 80-90 }", True),
    ],
)
def test_a_rule_holds_or_not(rule: str, holds: bool) -> None:
    sets = " set s { type ipv4_addr; flags dynamic; }"
    assert end(f"{rule} drop", head=sets) == ("DROP" if holds else "NONE")


@pytest.mark.parametrize(
    "rule",
    [
        "tcp dport nowhere drop",
        "ip saddr example.com drop",
        "ip saddr & 255.0.255.0 == 10.0.0.0 drop",
        "iif 3 drop",
        "fib daddr . oif type local drop",
        "fib saddr . iif oif missing drop",
        "ct status != { snat, dnat } drop",
        "ct state != established | related drop",
        "meta mark >> 8 == 1 drop",
        "meta hour \"10:00\"-\"12:00\" drop",
        "ip ttl 64 drop",
        "meta mark set numgen random mod 4 offset 10",
        "ip daddr set 10.0.0.9",
        "jump { tcp dport 5 accept; drop; }",
        "tcp flags vmap { syn : drop, ack : accept }",
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_not_guessed(rule: str) -> None:
    assert end(rule) is None


@pytest.mark.parametrize(
    ("kind", "elements", "key", "verdict"),
    [
        ("mark : verdict", "0x00000000 : drop", "meta mark", "DROP"),
        ("inet_proto : verdict", "17 : accept, 6 : drop", "meta l4proto", "DROP"),
        ("ipv4_addr : verdict", "* : drop, 10.0.0.9 : accept", "ip daddr", "DROP"),
        ("ipv4_addr : verdict", "* : drop, 10.0.0.0/24 : accept", "ip daddr", "ACCEPT"),
        ("ipv4_addr . inet_service : verdict", "10.0.0.9 . 80 : accept, * : jump d", "ip daddr . tcp dport", "DROP"),
        ("ipv4_addr : verdict", "10.0.0.2 limit rate 10/second burst 5 packets : drop", "ip daddr", "DROP"),
        ("ipv4_addr : verdict", "10.0.0.2 timeout 1h expires 59m3s comment \"a : b\" : drop", "ip daddr", "DROP"),
    ],
)  # fmt: skip
def test_elements_in_every_notation(kind: str, elements: str, key: str, verdict: str) -> None:
    head = f" map m {{ type {kind}; elements = {{ {elements} }} }}"
    assert end(f"{key} vmap @m", head=head) == verdict
    assert end(f"{key} vmap {{ {elements} }}") == verdict


def test_ipv6_elements_are_compared_as_addresses() -> None:
    elements = Elements({("FD00:0::1",): "", ("fd01::/16",): ""})
    assert plain("FD00:0::1") == "fd00::1"
    assert [find(elements, [(one,)]) is not None for one in ("fd00::1", "fd01::9", "fd02::1")] == [True, True, False]


def test_a_dormant_table_is_asked_nothing() -> None:
    text = "table ip t {\n flags dormant\n chain c {\n  type filter hook forward priority 0; policy drop;\n }\n}\n"
    assert tracepacket(text, src="10.0.0.1", dst="10.0.0.2", protocol="tcp", port=80)["verdict"] == "NONE"


def test_a_nat_chain_is_asked_where_nat_is_whatever_its_priority_says() -> None:
    text = """table ip t {
 chain n { type nat hook prerouting priority mangle - 10; meta mark 0x7 dnat to 10.1.0.1:8080; }
 chain m { type filter hook prerouting priority mangle; meta mark set 0x7; }
}"""
    found = tracepacket(text, src="10.0.0.1", dst="10.0.0.2", protocol="tcp", port=80)
    assert (found["verdict"], found["endpoints"]) == ("DNAT", ["10.1.0.1:8080"])


def test_a_set_that_is_flushed_keeps_its_type() -> None:
    nft = parse_nft(
        "table ip t { set s { type ipv4_addr; elements = { 10.0.0.1 comment \"x\" } } }\nflush set ip t s\nadd element ip t s { 10.0.0.2 }\n"
        "delete element ip t s { 10.0.0.2 }\nadd element ip t s { 10.0.0.3 }\n"
    )  # fmt: skip
    found = nft.tables["ip", "t"].sets["s"]
    assert (found.head, list(found.values), found.comments) == (["type ipv4_addr"], [("10.0.0.3",)], {})


def test_a_limit_in_a_set_ends_the_rule_and_its_absence_changes_nothing() -> None:
    rule = "add @s { ip saddr limit rate over 1/second } update @s { ip saddr } drop"
    nft = parse_nft(f"table ip t {{ chain c {{ {rule} ; }} }}")
    statements = nft.tables["ip", "t"].chains["c"].rules[0].statements
    assert statements[:2] == (Chance(0.0), Passive("update @s", "s", (Key(("ip", "saddr")),)))


AFFINITY = """
table ip t {
	set affinity-a { type ipv4_addr; flags dynamic,timeout; timeout 20s; }
	set affinity-b { type ipv4_addr; flags dynamic,timeout; timeout 20s; }
	chain pre {
		type nat hook prerouting priority dstnat;
		ip saddr @affinity-a goto a
		ip saddr @affinity-b goto b
		numgen random mod 2 vmap { 0 : goto a, 1 : goto b }
	}
	chain a { update @affinity-a { ip saddr } ; meta l4proto tcp dnat to 10.1.0.1:80 ; }
	chain b { update @affinity-b { ip saddr } ; meta l4proto tcp dnat to 10.1.0.2:80 ; }
}
"""


def test_packets_that_really_pass_put_themselves_into_a_dynamic_set() -> None:
    nft = parse_nft(AFFINITY)

    def sent(src: str, at: int, seed: int) -> str:
        walker = NftWalker(nft, (), dice=Dice(seed), now=at * SECOND)
        (end,) = walker.walk(Packet(src, "10.96.0.1", "tcp", 40000, 80)).leaves
        return end.endpoint

    first = sent("10.1.9.9", 0, 1)
    assert {sent("10.1.9.9", 15 * n, n) for n in range(10)} == {first}, "each connection begins its time anew"
    assert {sent("10.1.9.8", 1000 * n, n) for n in range(1, 20)} == {"10.1.0.1:80", "10.1.0.2:80"}, (
        "after 20 s they are forgotten"
    )
    looked = NftWalker(nft, ()).walk(Packet("10.1.9.9", "10.96.0.1", "tcp", 40000, 80))
    assert len(looked.leaves) == 2, "who only asks what would be puts nobody in and sees nobody"
    again = parse_nft(AFFINITY)
    keep_seen(nft.tables["ip", "t"], again.tables["ip", "t"])
    listed = list_ruleset(again, 136 * SECOND)
    assert "elements = { 10.1.9.9 expires 19s }" in listed and "elements" not in list_ruleset(again)
    assert "elements" not in list_ruleset(again, 10**6 * SECOND)
