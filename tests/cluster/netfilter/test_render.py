"""Printing rules as iptables-save does."""

import pytest

from cluster.netfilter import parse_rule, parse_save, render_rule, save


@pytest.mark.parametrize(
    ("typed", "printed"),
    [
        ("-p tcp --dport 80 -s 1.2.3.4 -j DROP", "-s 1.2.3.4/32 -p tcp -m tcp --dport 80 -j DROP"),
        ("-p all -f -s 10.1.2.3/255.0.255.0 -j DROP", "-s 10.0.2.0/255.0.255.0 -p all -f -j DROP"),
        ("! -f -j ACCEPT", "! -f -j ACCEPT"),
        ('-m u32 --u32 "0x6&0xff=0x1" -j DROP', '-m u32 --u32 "0x6&0xff=0x1" -j DROP'),
        ("-p tcp -j DNAT --to-destination 10.0.0.1:80-90/70", "-p tcp -j DNAT --to-destination 10.0.0.1:80-90/70"),
        ("-j MARK --or-mark 0x4000", "-j MARK --set-xmark 0x4000/0x4000"),
        ("-j MARK --xor-mark 0x004000", "-j MARK --set-xmark 0x4000/0x0"),
        ("-j MARK --and-mark 0xff", "-j MARK --set-xmark 0x0/0xffffff00"),
        (
            "-m statistic --mode random --probability 0.3333333333 -j X",
            "-m statistic --mode random --probability 0.33333333349 -j X",
        ),
        (
            "-m statistic --mode random --probability 0.1428571429 -j X",
            "-m statistic --mode random --probability 0.14285714272 -j X",
        ),
        ('-m comment --comment "say \\"hi\\"" -j ACCEPT', '-m comment --comment "say \\"hi\\"" -j ACCEPT'),
        ("-m comment --comment plain_word -j ACCEPT", "-m comment --comment plain_word -j ACCEPT"),
        ("-p tcp -j REJECT", "-p tcp -j REJECT --reject-with icmp-port-unreachable"),
        ("-m recent --name A --set", "-m recent --set --name A --mask 255.255.255.255 --rsource"),
        ("-p tcp -m tcp --syn -j DROP", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP"),
        (
            "! -i lo -o eth+ -m set --match-set a src,dst -j LOG --log-prefix x",
            "! -i lo -o eth+ -m set --match-set a src,dst -j LOG --log-prefix x",
        ),
        (
            "-m connmark --mark 0x1 -j CONNMARK --restore-mark",
            "-m connmark --mark 0x1 -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
        ),
    ],
)
def test_a_rule_is_printed_as_the_kernel_holds_it(typed: str, printed: str) -> None:
    assert render_rule("C", parse_rule(typed)) == f"-A C {printed}"
    assert parse_rule(printed) == parse_rule(render_rule("C", parse_rule(printed)).removeprefix("-A C "))


def test_tables_and_chains_come_in_order() -> None:
    text = "*nat\n:Z - [0:0]\n:A - [0:0]\nCOMMIT\n*filter\n:FORWARD DROP [5:7]\nCOMMIT\n"
    lines = save(parse_save(text)).splitlines()
    assert lines[:4] == ["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]"]
    assert lines[-3:] == [":A - [0:0]", ":Z - [0:0]", "COMMIT"]
