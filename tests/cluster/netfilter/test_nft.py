"""nft's language: read, printed as the kernel's own tool prints it, and walked; garbage is refused at its line."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kubeproxy.offline import tracepacket
from cluster.netfilter.nft_parse import parse_nft
from cluster.netfilter.nft_render import list_ruleset
from cluster.netfilter.nft_syntax import Unknown
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.node_tables import NodeTables
from cluster.netfilter.parse import ParseError
from cluster.wire.packet import Packet

DATA = Path(__file__).parent / "data"
SCRIPT = (DATA / "script.nft").read_text()
LISTED = (DATA / "listed.nft").read_text()
"""What ``nft list ruleset`` of a real kernel printed after loading ``script.nft``."""


def test_a_script_is_printed_as_a_real_kernel_lists_it() -> None:
    assert list_ruleset(parse_nft(SCRIPT)) == LISTED


def test_a_listing_is_read_back_unchanged() -> None:
    assert list_ruleset(parse_nft(LISTED)) == LISTED


@pytest.mark.parametrize(
    ("src", "dst", "port"),
    [
        ("10.1.1.1", "172.30.0.44", 80),
        ("203.0.113.9", "5.6.7.8", 80),
        ("1.1.1.1", "5.6.7.8", 80),
        ("8.8.8.8", "192.168.0.2", 3001),
        ("8.8.8.8", "172.30.0.46", 80),
        ("10.0.0.1", "172.30.0.99", 1),
    ],
)
def test_a_packet_goes_the_same_way_through_script_and_listing(src: str, dst: str, port: int) -> None:
    ends = []
    for text in (SCRIPT, LISTED):
        walk = tracepacket(text, src=src, dst=dst, protocol="tcp", port=port, node_ips=("192.168.0.2",))
        assert "unknown" not in walk
        ends.append((walk["verdict"], walk["endpoints"], walk["masquerade"]))
    assert ends[0] == ends[1]


def walk(rules: str, dst: str = "10.0.0.2", src: str = "10.0.0.1", port: int = 80, **more: object) -> dict:
    text = (
        "table inet t {\n chain c {\n  type filter hook forward priority filter; policy accept;\n" + rules + "\n }\n}\n"
    )
    return tracepacket(text, src=src, dst=dst, protocol="tcp", port=port, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("ip daddr 10.0.0.0/24 drop", "DROP"),
        ("ip daddr != 10.0.0.0/24 drop", "NONE"),
        ("ip daddr { 10.0.0.2, 10.0.0.3 } reject with icmp type host-unreachable", "REJECT"),
        ("ip daddr 10.0.0.1-10.0.0.9 accept", "ACCEPT"),
        ("tcp dport { 22, 80-90 } drop", "DROP"),
        ("udp dport 80 drop", "NONE"),
        ("meta l4proto tcp th dport 80 drop", "DROP"),
        ("meta l4proto 6 drop", "DROP"),
        ("ip protocol vmap { udp : accept, tcp : drop }", "DROP"),
        ("ip daddr . tcp dport { 10.0.0.2 . 80 } drop", "DROP"),
        ("ct state established,related accept\n ct state { new } drop", "DROP"),
        ("ip6 daddr ::1 drop", "NONE"),
        ("meta nfproto ipv4 drop", "DROP"),
        ("tcp dport >= 80 drop", "DROP"),
        ("counter packets 1 bytes 2 drop", "DROP"),
        ('log prefix "x: " level info drop', "DROP"),
        ("meta mark set 0x1 meta mark 0x1 drop", "DROP"),
        ("mark set mark or 0x4000\n mark and 0x4000 == 0 accept\n drop", "DROP"),
        ("fib daddr type local drop", "NONE"),
    ],
)
def test_one_rule(rule: str, verdict: str) -> None:
    assert walk(rule)["verdict"] == verdict


def test_several_destinations_share_the_chance() -> None:
    text = """table ip t { chain c { type nat hook prerouting priority dstnat; policy accept;
      dnat to numgen random mod 2 map { 0 : 10.1.0.1, 1 : 10.1.0.2 }
    } }"""
    found = tracepacket(text, src="10.0.0.1", dst="10.0.0.2", protocol="tcp", port=80)
    assert (found["verdict"], found["endpoints"]) == ("DNAT", ["10.1.0.1:80", "10.1.0.2:80"])
    assert [one["probability"] for one in found["outcomes"]] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("rule", "ends"),
    [
        ("numgen random mod 10 vmap { 0-6 : drop, 7-9 : accept }", {"DROP": 0.7, "ACCEPT": 0.3}),
        ("numgen random mod 4 vmap { 0 : drop }", {"DROP": 0.25, "NONE": 0.75}),
        ("numgen random mod 4000000000 vmap { 0-999999999 : drop }", {"DROP": 0.25, "NONE": 0.75}),
        ("numgen random mod 10 offset 90 vmap { 0-94 : drop, 95-200 : accept }", {"DROP": 0.5, "ACCEPT": 0.5}),
    ],
)
def test_a_draw_has_the_weight_of_its_span(rule: str, ends: dict[str, float]) -> None:
    text = "table ip t {\n chain c {\n  type filter hook forward priority 0; policy accept;\n" + rule + "\n }\n}\n"
    found: dict[str, float] = {}
    flow = NftWalker(parse_nft(text), ()).walk(Packet("10.0.0.1", "10.0.0.2", "tcp", 1, 80), local=False)
    for leaf in flow.leaves:
        found[leaf.verdict] = found.get(leaf.verdict, 0.0) + leaf.probability
    assert found == pytest.approx(ends)


def test_destinations_have_the_weight_of_their_spans() -> None:
    rule = "dnat to numgen random mod 10 map { 0-6 : 10.0.0.3, 7-9 : 10.0.0.4 }"
    text = "table ip t {\n chain c {\n  type nat hook prerouting priority -100;\n" + rule + "\n }\n}\n"
    flow = NftWalker(parse_nft(text), ()).walk(Packet("10.0.0.1", "10.0.0.2", "tcp", 1, 80), local=False)
    shares: dict[str, float] = {}
    for leaf in flow.leaves:
        shares[leaf.packet.dst] = shares.get(leaf.packet.dst, 0.0) + leaf.probability
    assert shares == pytest.approx({"10.0.0.3": 0.7, "10.0.0.4": 0.3})


@pytest.mark.parametrize(
    "rule",
    [
        "dnat to 10.0.0.1-10.0.0.5",
        "dnat to tcp dport map { 80 : 10.0.0.1 }",
        "dnat to jhash ip saddr mod 2 map { 0 : 10.0.0.1, 1 : 10.0.0.2 }",
        "numgen random mod 0 vmap { 0 : drop }",
        "ct helper vmap { 1 : drop, 2 : accept }",
    ],
)
def test_what_would_decide_and_is_not_understood_is_named(rule: str) -> None:
    found = walk(rule)
    assert found["verdict"] is None and rule.split()[0] in found["unknown"][0]


def test_a_table_that_was_changed_is_walked_as_it_is_now() -> None:
    tables = NodeTables()
    ends = []
    for endpoint in ("10.244.0.7", "10.244.0.9"):
        text = (
            "table ip kube-proxy {\n chain c {\n  type nat hook prerouting priority -100;\n"
            f"  ip daddr 10.96.0.1 dnat to {endpoint}\n }}\n}}\n"
        )
        for key, table in parse_nft(text).tables.items():
            tables.nft.tables[key] = table
        walked = NftWalker(tables.nft, ()).walk(Packet("10.0.0.1", "10.96.0.1", "tcp", 1, 80), local=False)
        ends.append(walked.leaves[0].packet.dst)
    assert ends == ["10.244.0.7", "10.244.0.9"]


def test_what_is_not_known_is_said_at_its_line_and_never_guessed() -> None:
    found = walk("meta skuid 1000 drop")
    assert found["verdict"] is None and "line 4: unknown match 'meta skuid'" in found["unknown"][0]
    assert walk("meta skuid 1000 accept\n accept")["verdict"] == "ACCEPT"  # both ways end alike
    assert walk("tproxy to :50080")["verdict"] is None
    assert walk("iifname eth0 drop")["verdict"] is None
    assert walk("iifname eth0 drop", in_interface="eth0")["verdict"] == "DROP"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("table ip t {\n chain c {\n", "line 3"),
        ("add rule ip t c drop", "line 1: there is no table ip t"),
        ("table ip t { }\nadd rule ip t c drop", "line 2: there is no chain c"),
        ("table ip t { nonsense }", "line 1"),
        ("frobnicate", "line 1: 'frobnicate' is not understood"),
        ("table ip t { chain c { type filter hook input priority hot; } }", "line 1: 'hot' is no priority"),
    ],
)
def test_broken_text_says_where(text: str, said: str) -> None:
    with pytest.raises(ParseError, match=said):
        parse_nft(text)


WORDS = [
    "ip", "daddr", "saddr", "{", "}", ",", ":", ";", "\n", "drop", "accept", "jump", "c", "d", "vmap", "@s", "10.0.0.0/8", "numgen",
    "random", "mod", "2", "0", "dnat", "to", "1.2.3.4:80", "mark", "set", "or", "0x1", "meta", "tcp", "dport", "80", "!=", '"a b"', ".",
    "comment", "counter", "goto", "ct", "state", "new", "update", "masquerade", "return", "fib", "type", "local",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=24))
def test_whatever_stands_in_a_rule_the_walk_ends(words: list[str]) -> None:
    text = "table ip t { set s { type ipv4_addr ; }\n chain d { }\n chain c { type nat hook prerouting priority -100;\n"
    try:
        walk_ = tracepacket(text + " ".join(words) + "\n } }", src="10.0.0.1", dst="10.0.0.2", protocol="tcp", port=80)
    except ParseError:
        return
    assert walk_["outcomes"]


def test_rules_keep_what_is_not_known_as_it_was_written() -> None:
    nft = parse_nft('table ip t { chain c { socket transparent 1 ip daddr 1.2.3.4 drop comment "x" } }')
    (rule,) = nft.tables["ip", "t"].chains["c"].rules
    assert (
        isinstance(rule.statements[0], Unknown) and rule.statements[0].text == "socket transparent 1 ip daddr 1.2.3.4"
    )


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("unshare"),
    reason="needs root, nft and network namespaces",
)
@pytest.mark.parametrize("name", ["overall-rules", "repeated-0-initial", "repeated-1-add-svc3"])
def test_a_real_kernel_lists_our_rules_as_we_do(name: str) -> None:
    """In a network namespace of its own, gone with the command."""
    script = (Path(__file__).parents[1] / f"kubeproxy/data/expected/nft-{name}.nft").read_text()
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", "nft -f - && nft list ruleset"],
        input=script, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode and "Operation not" in done.stderr:
        pytest.skip("this kernel lets nobody make rules")
    assert done.returncode == 0, done.stderr
    assert done.stdout == list_ruleset(parse_nft(script))
