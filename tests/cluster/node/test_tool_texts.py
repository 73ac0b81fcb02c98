"""What ``ipvsadm``, ``ipset`` and ``conntrack`` print, beside what the real ones print (ipvsadm 1.31, ipset 7.17, conntrack 1.4.7)."""

from types import SimpleNamespace

import pytest

from cluster.netfilter.conntrack import Conntrack
from cluster.netfilter.ipset import IpSet, apply_line, contains, list_sets, save_sets
from cluster.netfilter.ipvs import Ipvs
from cluster.netfilter.ipvs import apply_line as serve
from cluster.netfilter.tables import Ruleset
from cluster.node.tools import conntrack, ipvs
from cluster.sim import SECOND
from cluster.wire.packet import Packet

SERVERS = """-A -u 10.96.0.10:53 -s rr
-a -u 10.96.0.10:53 -r 10.244.0.20:53 -m -w 1
-a -u 10.96.0.10:53 -r 10.244.0.3:53 -m -w 1
-A -t 10.96.0.10:53 -s rr -p 10800
-A -t 10.96.0.1:443 -s wrr
-a -t 10.96.0.1:443 -r 172.18.0.2:6443 -m -w 1
-A -t [fd00::1]:443 -s rr"""


@pytest.fixture
def kernel() -> SimpleNamespace:
    found, table = Ipvs(), Conntrack()
    for number, line in enumerate(SERVERS.splitlines(), 1):
        serve(found, number, line)
    for protocol, dst, port, to in (("tcp", "10.96.0.1", 443, "172.18.0.2"), ("udp", "10.96.0.10", 53, "10.244.0.3")):
        first = Packet("10.244.1.5", dst, protocol, 40000, port)
        table.confirm(first, Packet("10.244.1.5", to, protocol, 40000, 6443 if port == 443 else 53), 0)
    tables = SimpleNamespace(current=lambda: SimpleNamespace(ruleset=Ruleset(ipvs=found)))
    served = {"tcp 10.96.0.1:443 172.18.0.2:6443": (3, 78202968, 184940123456, 4692178080, 11096407407360)}
    state = SimpleNamespace(tables=tables, modules={"ip_vs": True}, conntrack=table, served=served)
    return SimpleNamespace(state=state, config=SimpleNamespace(ipvs=True))


def test_virtual_servers_are_listed_by_family_protocol_address_and_port(kernel: SimpleNamespace) -> None:
    lines = ipvs.run(kernel, ["ipvsadm", "-Ln"], "", 0).out.splitlines()[3:]
    assert [line.rstrip() for line in lines] == [
        "TCP  10.96.0.1:443 wrr",
        "  -> 172.18.0.2:6443              Masq    1      0          1",
        "TCP  10.96.0.10:53 rr persistent 10800",
        "UDP  10.96.0.10:53 rr",
        "  -> 10.244.0.3:53                Masq    1      0          1",
        "  -> 10.244.0.20:53               Masq    1      0          0",
        "TCP  [fd00::1]:443 rr",
    ]


def test_statistics_stand_in_columns_of_nine_and_large_ones_in_thousands(kernel: SimpleNamespace) -> None:
    lines = ipvs.run(kernel, ["ipvsadm", "-Ln", "--stats"], "", 0).out.splitlines()
    assert lines[1:5] == [
        "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes",
        "  -> RemoteAddress:Port",
        "TCP  10.96.0.1:443                       3 78202968     184G    4692M   11096G",
        "  -> 172.18.0.2:6443                     3 78202968     184G    4692M   11096G",
    ]
    exact = ipvs.run(kernel, ["ipvsadm", "-Ln", "--stats", "--exact"], "", 0).out.splitlines()
    assert exact[3].split() == ["TCP", "10.96.0.1:443", "3", "78202968", "184940123456", "4692178080", "11096407407360"]
    rates = ipvs.run(kernel, ["ipvsadm", "-Ln", "--rate"], "", 0).out.splitlines()
    assert rates[1] == "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS"


def test_connections_have_ipvs_own_states_and_times(kernel: SimpleNamespace) -> None:
    lines = ipvs.run(kernel, ["ipvsadm", "-Lnc"], "", 20 * SECOND).out.splitlines()
    assert lines == [
        "IPVS connection entries",
        "pro expire state       source             virtual            destination",
        "TCP 00:40  SYN_RECV    10.244.1.5:40000   10.96.0.1:443      172.18.0.2:6443",
        "UDP 04:40  UDP         10.244.1.5:40000   10.96.0.10:53      10.244.0.3:53",
    ]
    assert ipvs.run(kernel, ["ipvsadm", "-L", "--timeout"], "", 0).out == "Timeout (tcp tcpfin udp): 900 120 300\n"


def test_a_question_and_its_answer_are_no_stream(kernel: SimpleNamespace) -> None:
    """A UDP flow is assured by what comes when it is older than two seconds."""
    table = kernel.state.conntrack
    answer = Packet("10.244.0.3", "10.244.1.5", "udp", 53, 40000)

    def listed(at: int, *more: str) -> str:
        return conntrack.run(kernel, ["conntrack", "-L", "-p", "udp", *more], "", at).out

    assert "udp      17 30 src=10.244.1.5 dst=10.96.0.10 sport=40000 dport=53 [UNREPLIED] src=10.244.0.3" in listed(0)
    table.pass_on(answer, SECOND)
    table.pass_on(answer, 2 * SECOND)
    assert listed(2 * SECOND).startswith("udp      17 30 src=") and "[" not in listed(2 * SECOND)
    table.pass_on(answer, 3 * SECOND)
    assert listed(3 * SECOND).startswith("udp      17 120 src=") and "dport=40000 [ASSURED] mark=0" in listed(
        3 * SECOND
    )
    assert listed(0, "-o", "extended").startswith("ipv4     2 udp      17 ")
    assert listed(0, "-s", "10.244.0.0/16") == listed(0) and listed(0, "-d", "10.97.0.0/16") == ""
    assert listed(0, "-f", "ipv6") == "" and listed(0, "--reply-port-src", "53") == listed(0)


def test_sets_are_listed_as_the_kernel_counts_them() -> None:
    sets: dict[str, IpSet] = {}
    for number, line in enumerate(
        (
            "create A hash:ip,port family inet hashsize 1024 maxelem 65536",
            "add A 10.96.0.1,tcp:443",
            "add A 10.96.0.1,17:53",
            "add A 10.96.0.1,icmp:8/0",
            "create P bitmap:port range 0-65535",
            "add P 30443",
            "add P 30080",
            "create L list:set size 8",
            "add L A",
        ),
        1,
    ):
        apply_line(sets, number, line)
    listed = list_sets(sets, {"A": 2})
    assert "Name: A\nType: hash:ip,port\nRevision: 7\n" in listed
    assert "Size in memory: 360\nReferences: 3\nNumber of entries: 3\nMembers:\n" in listed
    assert "10.96.0.1,tcp:443\n10.96.0.1,udp:53\n10.96.0.1,icmp:echo-request\n" in listed
    assert "Type: bitmap:port\nRevision: 3\nHeader: range 0-65535\nSize in memory: 8264\n" in listed
    assert "add P 30080\nadd P 30443\n" in save_sets(sets)
    assert "Members" not in list_sets(sets, terse=True)


def test_a_network_of_a_set_holds_its_addresses() -> None:
    sets: dict[str, IpSet] = {}
    for line in (
        "create N hash:ip,port,net",
        "add N 1.2.3.4,tcp:80,11.0.0.0-11.0.1.255",
        "add N 1.2.3.4,tcp:80,10.0.0.1 nomatch",
    ):
        apply_line(sets, 1, line)
    assert next(iter(sets["N"].entries)) == "1.2.3.4,tcp:80,11.0.0.0/23"
    asked = ("1.2.3.4,80,11.0.1.9", "1.2.3.4,udp:80,11.0.1.9", "1.2.3.4,tcp:80,10.0.0.1")
    assert [contains(sets["N"], one) for one in asked] == [True, False, False]
