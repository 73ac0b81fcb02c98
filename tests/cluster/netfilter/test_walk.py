"""Walking packets: what real nodes' tables hold beside kube-proxy's, unknown words, verdicts, marks, affinity, dice."""

import pytest

from cluster.kubeproxy.offline import tracepacket
from cluster.netfilter import Walker, parse_save
from cluster.netfilter.parse import ParseError, restore
from cluster.netfilter.recent import RecentLists
from cluster.netfilter.render import save
from cluster.netfilter.tables import fresh_ruleset
from cluster.sim import SECOND, Dice
from cluster.wire.packet import Packet

HEAD = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n"


def trace(rules: str, **given: object) -> dict:
    return tracepacket(
        rules,
        **{"src": "10.0.0.2", "dst": "10.9.0.1", "protocol": "tcp", "port": 80, "node_ips": ("172.18.0.11",), **given},
    )  # type: ignore[arg-type]


def test_policy_drop() -> None:
    walk = trace(HEAD + "COMMIT\n")
    assert walk["verdict"] == "DROP"
    assert walk["steps"][-1]["outcome"] == "policy DROP"


def test_unknown_match_is_reported_at_its_line_and_only_when_reached() -> None:
    rules = (
        HEAD
        + "-A FORWARD -p udp -m set --match-set x src -j ACCEPT\n-A FORWARD -m set --match-set cali dst -j ACCEPT\nCOMMIT\n"
    )
    walk = trace(rules)
    assert walk["verdict"] is None and walk["unknown"] == ["line 6: unknown match 'set'"]
    assert walk["unknownInText"] == ["line 5: unknown match 'set'", "line 6: unknown match 'set'"]
    assert trace(rules, protocol="sctp")["unknown"] == ["line 6: unknown match 'set'"]
    assert trace(rules, protocol="udp")["unknown"] == ["line 5: unknown match 'set'", "line 6: unknown match 'set'"]


def test_an_unknown_match_that_changes_nothing_leaves_the_verdict() -> None:
    rules = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -i docker0 -m limit --limit 5/min -j LOG --log-prefix x
-A FORWARD -p tcp -m tcp --dport 81 -j DROP
-A DOCKER-USER -i docker0 -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A PREROUTING -d 10.9.0.1/32 -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.1.0.1:8080
-A PREROUTING -d 10.9.0.1/32 -p tcp -j DNAT --to-destination 10.1.0.2:8080
-A DOCKER -i docker0 -j RETURN
COMMIT
"""
    walk = trace(rules)
    assert (walk["verdict"], walk["endpoints"]) == ("DNAT", ["10.1.0.1:8080", "10.1.0.2:8080"])
    assert [o["probability"] for o in walk["outcomes"]] == [0.5, 0.5]
    assert walk["unknown"] == ["line 9: unknown match '-i docker0'", "line 7: unknown match '-i docker0'"]


def test_unknown_target_is_reported_at_its_line() -> None:
    walk = trace(HEAD + "-A FORWARD -j NFQUEUE --queue-num 0\nCOMMIT\n")
    assert walk["unknown"] == ["line 5: unknown target 'NFQUEUE'"]


def test_an_interface_nobody_named_is_not_guessed() -> None:
    rules = HEAD + "-A FORWARD -i docker0 -j ACCEPT\nCOMMIT\n"
    assert trace(rules)["unknown"] == ["line 5: unknown match '-i docker0'"]
    assert trace(rules, in_interface="docker0")["verdict"] == "ACCEPT"
    assert trace(rules, in_interface="eth0")["verdict"] == "DROP"


def test_goto_return_multiport_flags_and_marks() -> None:
    rules = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:A - [0:0]
:B - [0:0]
-A FORWARD -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j MARK --set-xmark 0x8000/0x8000
-A FORWARD -j A
-A FORWARD -m mark --mark 0x8000/0x8000 -j REJECT --reject-with tcp-reset
-A A -p tcp -m multiport --dports 22,80:90 -g B
-A A -j DROP
-A B -j RETURN
COMMIT
"""
    walk = trace(rules)
    assert walk["verdict"] == "REJECT"
    assert [s["line"] for s in walk["steps"]] == [7, 8, 10, 12, 9]
    assert trace(rules, port=100)["verdict"] == "DROP"


def test_redirect_snat_and_notrack() -> None:
    nat = "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
    assert trace(nat + "-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080\nCOMMIT\n")["endpoints"] == [
        "172.18.0.11:8080"
    ]
    walk = trace(nat + "-A POSTROUTING -j SNAT --to-source 1.2.3.4\nCOMMIT\n")
    assert (walk["verdict"], walk["masquerade"]) == ("NONE", True)
    raw = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -j CT --notrack\nCOMMIT\n"
    assert trace(raw + nat + "-A PREROUTING -j DNAT --to-destination 9.9.9.9\nCOMMIT\n")["verdict"] == "NONE"


def test_ipv6() -> None:
    rules = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d fd00::1/128 -p tcp -m tcp --dport 80 -j DNAT --to-destination [fd00::2]:8080\nCOMMIT\n"
    assert trace(rules, src="fd00::9", dst="fd00::1")["endpoints"] == ["[fd00::2]:8080"]


@pytest.mark.parametrize(
    ("text", "line"),
    [("-A INPUT -j ACCEPT\n", 1), ("*filter\n-A NOPE -j ACCEPT\n", 2), ("*filter\n-A INPUT -j NOPE\n", 2),
     ("*filter\n\n-A INPUT --bogus\n", 3), ("*nonsense\n", 1), ("*filter\n-Z INPUT\n", 2)],
)  # fmt: skip
def test_what_is_no_rule_text_is_refused_at_its_line(text: str, line: int) -> None:
    with pytest.raises(ParseError) as error:
        parse_save(text)
    assert error.value.line == line


AFFINITY = """*nat
:PREROUTING ACCEPT [0:0]
:SVC - [0:0]
:A - [0:0]
:B - [0:0]
-A PREROUTING -j SVC
-A SVC -m recent --rcheck --seconds 600 --reap --name A --mask 255.255.255.255 --rsource -j A
-A SVC -m recent --rcheck --seconds 600 --reap --name B --mask 255.255.255.255 --rsource -j B
-A SVC -m statistic --mode random --probability 0.50000000000 -j A
-A SVC -j B
-A A -p tcp -m recent --set --name A --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.1.0.1:80
-A B -p tcp -m recent --set --name B --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.1.0.2:80
COMMIT
"""


def test_affinity_keeps_the_endpoint_that_the_die_chose() -> None:
    packet = Packet("10.0.0.2", "10.9.0.1", "tcp", 1, 80)
    seen = set()
    for seed in range(20):
        lists, dice = RecentLists(), Dice(seed)
        walker = Walker(parse_save(AFFINITY), (), recent=lists, dice=dice)
        first = walker.walk(packet).endpoints
        assert len(first) == 1
        seen.add(first)
        for second in (1, 300, 599):
            walker.now = second * SECOND
            assert walker.walk(packet).endpoints == first
    assert len(seen) == 2


def test_without_a_die_both_endpoints_are_reported_with_their_chances() -> None:
    walk = Walker(parse_save(AFFINITY), ()).walk(Packet("10.0.0.2", "10.9.0.1", "tcp", 1, 80))
    assert walk.endpoints == ("10.1.0.1:80", "10.1.0.2:80")
    assert [leaf.probability for leaf in walk.leaves] == [0.5, 0.5]


def test_a_thousand_endpoints_are_walked_evenly() -> None:
    n = 1000
    rules = ["*nat", ":PREROUTING ACCEPT [0:0]", *(f":E{i} - [0:0]" for i in range(n))]
    for i in range(n):
        chance = f"-m statistic --mode random --probability {1 / (n - i):.10f} " if i < n - 1 else ""
        rules.append(f"-A PREROUTING {chance}-j E{i}")
    rules += [f"-A E{i} -p tcp -j DNAT --to-destination 10.1.{i // 250}.{i % 250}:80" for i in range(n)]
    walk = Walker(parse_save("\n".join([*rules, "COMMIT"])), ()).walk(Packet("10.0.0.2", "10.9.0.1", "tcp", 1, 80))
    assert len(walk.endpoints) == n
    assert all(abs(leaf.probability - 1 / n) < 1e-6 for leaf in walk.leaves)


def test_every_way_knows_its_own_steps_and_what_they_made_of_the_packet() -> None:
    """A split walk's steps are one list; ``after`` and ``last`` lead back along each way, and count only its own rules."""
    rules = """*nat
:PREROUTING ACCEPT [0:0]
:A - [0:0]
:B - [0:0]
-A PREROUTING -d 10.9.0.9/32 -j DNAT --to-destination 10.1.0.9
-A PREROUTING -m statistic --mode random --probability 0.5 -j A
-A PREROUTING -j B
-A A -j MARK --set-xmark 0x1/0x1
-A A -p tcp -j DNAT --to-destination 10.1.0.1:8080
-A B -p tcp -j DNAT --to-destination 10.1.0.2:8080
COMMIT
"""
    walk = Walker(parse_save(rules), ()).walk(Packet("10.0.0.2", "10.9.0.1", "tcp", 40000, 80))
    ways = []
    for leaf in walk.leaves:
        way, at = [], leaf.last
        while at >= 0:
            way.insert(0, walk.steps[at])
            at = walk.steps[at].after
        ways.append([(step.chain, step.packet.dst, step.packet.mark, step.asked) for step in way if step.packet])
    assert ways == [
        [("PREROUTING", "10.9.0.1", 0, 2), ("A", "10.9.0.1", 1, 3), ("A", "10.1.0.1", 1, 4)],
        [("PREROUTING", "10.9.0.1", 0, 3), ("B", "10.1.0.2", 0, 4)],
    ]
    assert [leaf.asked for leaf in walk.leaves] == [4, 4]


def test_a_walker_that_is_kept_names_the_lines_of_now() -> None:
    """Also after something was written into a chain that is no table's own."""
    kernel = fresh_ruleset()
    restore(kernel, "*filter\n:A - [0:0]\n:B - [0:0]\n-A FORWARD -j B\n-A B -j DROP\nCOMMIT\n")
    walker, packet = Walker(kernel, ()), Packet("10.0.0.2", "10.9.0.1", "tcp", 1, 80)
    for words in ("-p udp -j ACCEPT", "-p sctp -j ACCEPT"):
        step = walker.walk(packet, local=False).steps[-1]
        assert save(kernel).splitlines()[step.line - 1] == step.rule == "-A B -j DROP"
        restore(kernel, f"*filter\n-A A {words}\nCOMMIT\n")
    step = walker.walk(packet, local=False).steps[-1]
    assert save(kernel).splitlines()[step.line - 1] == step.rule


def test_a_list_of_recent_remembers_the_side_and_the_network_that_is_meant() -> None:
    """``--rdest`` the destination, ``--mask`` the network of the address."""
    rules = "*filter\n:FORWARD ACCEPT [0:0]\n%s -j DROP\n%s -j ACCEPT\nCOMMIT\n"
    base = "-A FORWARD -m recent {} --name x --mask {} {}"
    for mask, side, other, verdict in (
        ("255.255.255.0", "--rsource", ("10.0.0.77", "10.9.0.9"), "DROP"),
        ("255.255.255.0", "--rsource", ("10.0.1.2", "10.9.0.1"), "ACCEPT"),
        ("255.255.255.255", "--rdest", ("10.0.7.7", "10.9.0.1"), "DROP"),
        ("255.255.255.255", "--rdest", ("10.0.0.2", "10.9.0.2"), "ACCEPT"),
    ):
        text = rules % (base.format("--rcheck", mask, side), base.format("--set", mask, side))
        walker = Walker(parse_save(text), (), recent=RecentLists(), dice=Dice.named(1, "x"))
        assert walker.walk(Packet("10.0.0.2", "10.9.0.1", "tcp", 1, 80), local=False).verdict == "ACCEPT"
        assert walker.walk(Packet(*other, "tcp", 1, 80), local=False).verdict == verdict, (mask, side, other)


def test_a_look_up_in_a_set_with_options_beside_it_is_not_guessed() -> None:
    rules = "create s hash:net family inet\nadd s 10.0.0.0/8 nomatch\n" + HEAD
    rules += "-A FORWARD -m set --match-set s src --return-nomatch -j ACCEPT\nCOMMIT\n"
    walk = trace(rules)
    assert walk["verdict"] is None and "unknown match 'set'" in walk["unknown"][0] and walk["unknownInText"]
