"""Any rule text: whatever stands in it, reading it ends in rules or in a line and a reason, and every packet's walk ends."""

from pathlib import Path
from random import Random

import pytest

from cluster.kubeproxy.offline import tracepacket
from cluster.netfilter.errors import ParseError
from cluster.netfilter.rule_reader import parse_rule

DATA = Path(__file__).parent.parent / "kubeproxy" / "data"
WORDS = (
    "-A INPUT FORWARD PREROUTING OUTPUT POSTROUTING K L M -j -g -m -p ! -s -d -i -o --dport --sport tcp udp sctp icmp all 80 1:99 90:1 70000 "
    "10.0.0.0/8 10.0.0.1 10.0.0.1/33 ::1 fd00::/8 1.2.3.4-1.2.3.9 9.9.9.9-1.1.1.1 eth0 e+ ACCEPT DROP REJECT RETURN LOG MARK CONNMARK DNAT SNAT "
    "MASQUERADE REDIRECT NOTRACK CT --notrack NFQUEUE --set-mark --set-xmark --or-mark --and-mark --save-mark --restore-mark --nfmask 0x4000 "
    "0x4000/0x4000 zz conntrack --ctstate NEW,ESTABLISHED,DNAT --ctorigdst --ctorigdstport --ctdir ORIGINAL mark --mark statistic --mode random nth "
    "--probability 0.5 1.5 -1 --every 0 2 --packet recent --name x --set --rcheck --seconds 10 --reap --update --remove multiport --dports --ports "
    "1,2,3:4 set --match-set a src,dst dst,dst,src src physdev --physdev-is-in --physdev-in iprange --src-range --dst-range limit --limit 5/min 0/min "
    "5/fortnight --limit-burst comment --comment \"a b\" \" ' \\ addrtype --src-type --dst-type LOCAL NOWHERE ipvs --vaddr --vproto --vport --ipvs "
    "--to-destination --to-source --to-ports 10.0.0.1:80 10.0.0.1:80-90 10.0.0.1-10.0.0.9:80 [fd00::1]:80 :80 --random --reject-with tcp-reset "
    "--tcp-flags FIN,SYN SYN --syn owner --uid-owner 0 -c 1 2"
).split(" ")  # fmt: skip
LINES = (
    "*filter *nat *mangle *raw *other COMMIT :INPUT ACCEPT|[0:0] :INPUT DROP|[0:0] :K -|[0:0] :L -|[0:0] :M :  # -N K -X K -F K -P INPUT DROP "
    "create|a|hash:ip,port|family|inet create|a|bitmap:port|range|0-65535 create|a|hash:ip,port,net add|a|10.0.0.1,tcp:80 add|a|80 add|a "
    "add|a|10.0.0.0/8,tcp:1-9 del|a|80 flush|a destroy|a create|a|hash:nothing add|b|1 -A|-t|10.0.0.1:80|-s|rr -A|-t|10.0.0.1:80|-s|zz "
    "-a|-t|10.0.0.1:80|-r|10.1.0.1:80|-m|-w|1 -a|-t|10.0.0.1:80|-r|x -A|-f|7 -A|-u|[fd00::1]:53|-s|mh|-b|mh-port|-p table ip|k {"
).split(" ")  # fmt: skip
PHRASES = [
    tuple(text.split())
    for text in """-p tcp|-p udp|! -p tcp|-s 10.0.0.0/8|! -d 10.0.0.1|-d fd00::/8|-i eth0|! -o e+|-p tcp -m tcp --dport 80|-p udp --sport 1:99
-m conntrack --ctstate NEW|-m conntrack ! --ctstate DNAT,ESTABLISHED|-m conntrack --ctorigdst 10.0.0.1|-m conntrack --ctdir ORIGINAL
-m mark --mark 0x4000/0x4000|-m connmark ! --mark 1|-m statistic --mode random --probability 0.5|-m statistic --mode nth --every 3
-m recent --name x --rcheck --seconds 9|-m recent --name x --set|-p tcp -m multiport --dports 80,90:99|-m set --match-set a dst,dst
-m set ! --match-set gone src|-m physdev --physdev-is-in|-m iprange --src-range 10.0.0.1-10.0.0.99|-m limit --limit 5/min|-m comment --comment x
-m addrtype --dst-type LOCAL|-m ipvs --vaddr 10.0.0.1|-m owner --uid-owner 0|-m string --string x --algo bm|-m time --timestart 1""".replace(
        "\n", "|"
    ).split("|")
]
ENDS = [
    tuple(text.split())
    for text in """-j ACCEPT|-j DROP|-j REJECT|-j REJECT --reject-with tcp-reset|-j RETURN|-j K|-j L|-g M|-j M|-g K|-j LOG|-j MARK --or-mark 0x4000
-j CONNMARK --save-mark|-j CONNMARK --restore-mark --mask 0xff|-j DNAT --to-destination 10.1.0.1:80|-j DNAT --to-destination 10.1.0.1-10.1.0.4
-j DNAT --to-destination 10.0.0.0-10.9.0.0|-j SNAT --to-source 9.9.9.9:1-9|-j MASQUERADE|-j REDIRECT --to-ports 80-90|-j NOTRACK|-j NFQUEUE|-j TPROXY --on-port 1|""".replace(
        "\n", "|"
    ).split("|")
]
LEAST_INVENTED, LEAST_MUTILATED = 0.4, 0.15
"""Share of the texts that must be walked: where nearly all are refused, walking is hardly tried."""
PACKETS = (
    ("10.0.0.9", "10.0.0.1", "tcp", 80),
    ("172.18.0.11", "172.18.0.11", "udp", 53),
    ("fd00::9", "fd00::1", "sctp", 1),
)


def invented(dice: Random) -> str:
    """Rules of every kind in no sensible order; most of them can be read."""
    lines = ["create a hash:ip,port family inet", "*" + dice.choice(("filter", "nat", "mangle", "raw"))]
    lines += [":K - [0:0]", ":L - [0:0]", ":M - [0:0]"]
    wanted = len(lines) + dice.randint(3, 14)
    while len(lines) < wanted:
        if dice.random() < 0.03:
            lines.append(dice.choice(LINES).replace("|", " "))
            continue
        chain = dice.choice(("OUTPUT", "PREROUTING", "K", "L", "M"))
        rule = " ".join(sum((dice.choice(PHRASES) for _ in range(dice.randint(0, 3))), ()))
        rule += " " + " ".join((*dice.choices(WORDS, k=dice.choice((0, 0, 0, 1, 3))), *dice.choice(ENDS)))
        if readable(rule) or dice.random() < 0.02:
            lines.append(f"-A {chain} {rule}")
    return "\n".join(lines)


def readable(rule: str) -> bool:
    """Whether it is a rule at all."""
    try:
        parse_rule(rule.strip())
    except ValueError:
        return False
    return True


def mutilated(dice: Random, text: str) -> str:
    """A real text with words struck, doubled, exchanged."""
    lines = text.splitlines()
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(lines))
        words = lines[at].split(" ")
        spot = dice.randrange(len(words))
        match dice.randrange(4):
            case 0:
                del words[spot]
            case 1:
                words[spot] = dice.choice(WORDS)
            case 2:
                words.insert(spot, dice.choice(WORDS))
            case _:
                lines.insert(at, lines[dice.randrange(len(lines))])
        lines[at] = " ".join(words)
    return "\n".join(lines)


def try_text(text: str) -> bool:
    """Read and walk it. Whether it could be read."""
    for src, dst, protocol, port in PACKETS:
        try:
            walk = tracepacket(text, src=src, dst=dst, protocol=protocol, port=port, node_ips=("172.18.0.11",))
        except ParseError as error:
            assert 0 < error.line <= text.count("\n") + 1 and error.reason, (error, text)
            return False
        assert walk["verdict"] is not None or walk["unknown"], text
        total = sum(outcome["probability"] for outcome in walk["outcomes"])
        assert "unknown" in walk or total == pytest.approx(1, abs=1e-6), text
    return True


@pytest.mark.parametrize("seed", range(8))
def test_invented_texts(seed: int) -> None:
    dice = Random(seed)
    walked = sum(try_text(invented(dice)) for _ in range(60))
    assert walked > 60 * LEAST_INVENTED


@pytest.mark.parametrize("name", ["ipt-overall-rules.iptables", "nft-overall-rules.nft"])
def test_mutilated_texts(name: str) -> None:
    dice = Random(name)
    text = (DATA / "expected" / name).read_text()
    walked = sum(try_text(mutilated(dice, text)) for _ in range(25))
    assert walked > 25 * LEAST_MUTILATED


BROKEN = [
    ("*filter\n-A INPUT --bogus\nCOMMIT\n", 2, "--bogus"),
    ("*filter\n-A NOWHERE -j ACCEPT\nCOMMIT\n", 2, "no chain"),
    ("*filter\n:X - [0:0]\n-A X -j Y\nCOMMIT\n", 3, "no chain"),
    ("*nonsense\nCOMMIT\n", 1, "unknown table"),
    ("-A INPUT -j ACCEPT\n", 1, "outside of a table"),
    ("*filter\n-A\nCOMMIT\n", 2, "without a chain"),
    ("*filter\n-A INPUT -s 10.0.0.0/40 -j ACCEPT\nCOMMIT\n", 2, "10.0.0.0/40"),
    ("*filter\n-A INPUT -p tcp --dport http -j ACCEPT\nCOMMIT\n", 2, "http"),
    ("*filter\n-A INPUT -j\nCOMMIT\n", 2, "ends where a word"),
    ("*filter\n-Q INPUT\nCOMMIT\n", 2, "unknown command"),
    ("create a hash:nothing\n", 1, "unknown set type"),
    ("create a hash:ip,port\nadd a 10.0.0.1\n", 2, "2 part"),
    ("create a hash:ip\nadd a 10.0.0.300\n", 2, "10.0.0.300"),
    ("add a 10.0.0.1\n", 1, "no set 'a'"),
    ("create a hash:ip maxelem 2\nadd a 10.0.0.0/30\n", 2, "full"),
    ("-A -t 10.0.0.1:80 -s best\n", 1, "unknown scheduler"),
    ("-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m\n", 1, "no virtual server"),
    ("-A -t service:80 -s rr\n", 1, "no address"),
    ("table ip x {\n  chain y {\n    accept\n", 4, "never closed"),
]


@pytest.mark.parametrize(("text", "line", "reason"), BROKEN)
def test_a_broken_text_says_where_and_why(text: str, line: int, reason: str) -> None:
    with pytest.raises(ParseError, match=reason) as caught:
        tracepacket(text, src="10.0.0.9", dst="10.0.0.1", protocol="tcp", port=80)
    assert caught.value.line == line


def test_a_list_of_sets_holds_no_list() -> None:
    """Or one that holds itself would be walked for ever."""
    for text, reason in (
        ("create L list:set\nadd L L\n", "list of sets itself"),
        ("create L list:set\nadd L gone\n", "no set 'gone'"),
    ):
        with pytest.raises(ParseError, match=reason):
            tracepacket(text, src="10.0.0.9", dst="10.0.0.1", protocol="tcp", port=80)


def test_many_small_ranges_are_too_much_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.netfilter.ipset.ELEMENTS_MAX", 1000)
    lines = ["create a hash:ip", *(f"add a 10.0.{n}.0/24" for n in range(3))]
    again = [*lines, "add a 10.0.1.0/24", "flush a", *lines[1:], "create a hash:ip", *lines[1:]]
    assert tracepacket("\n".join(again), src="10.0.0.9", dst="10.0.0.1", protocol="tcp", port=80)["verdict"] == "NONE"
    with pytest.raises(ParseError, match="all sets together") as caught:
        tracepacket("\n".join([*lines, "add a 10.0.9.0/24"]), src="10.0.0.9", dst="10.0.0.1", protocol="tcp", port=80)
    assert caught.value.line == 5


def test_a_mask_that_is_none_is_an_unknown_match() -> None:
    text = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m recent --rcheck --mask zz -j DROP\nCOMMIT\n"
    walk = tracepacket(text, src="10.0.0.9", dst="10.0.0.1", protocol="tcp", port=80)
    assert walk["verdict"] is None and "line 3: unknown match 'recent'" in walk["unknown"]
