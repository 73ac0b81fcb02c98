"""What ``nft list ruleset`` shows of tables that iptables-nft wrote: its own spellings of iptables' matches."""

import pytest

from cluster.kubeproxy.offline import tracepacket

TABLE = """table ip nat {{
	chain PREROUTING {{
		type nat hook prerouting priority dstnat; policy accept;
		tcp dport 80 {match} counter packets 3 bytes 180 dnat to 10.0.1.1:8080
		tcp dport 80 counter packets 0 bytes 0 dnat to 10.0.2.1:8080
	}}
}}
"""


def shares(match: str, src: str = "203.0.113.2") -> dict[str, float]:
    walk = tracepacket(TABLE.format(match=match), src=src, dst="192.168.0.2", protocol="tcp", port=80)
    assert "unknown" not in walk
    return {outcome["endpoint"]: outcome["probability"] for outcome in walk["outcomes"]}


HELD, NOT = {"10.0.1.1:8080": 1.0}, {"10.0.2.1:8080": 1.0}


@pytest.mark.parametrize(
    ("match", "ends"),
    [
        ("meta random & 2147483647 < 1073741824", {"10.0.1.1:8080": 0.5, "10.0.2.1:8080": 0.5}),
        ("numgen inc mod 2 0", {"10.0.1.1:8080": 0.5, "10.0.2.1:8080": 0.5}),
        ("numgen random mod 4 < 1", {"10.0.1.1:8080": 0.25, "10.0.2.1:8080": 0.75}),
        ("limit rate 5/minute burst 100 packets", HELD),
        ("limit rate over 10 mbytes/second", NOT),
        ("tcp flags syn / fin,syn,rst,ack", HELD),
        ("tcp flags & (fin | syn) == syn", HELD),
        ("tcp flags & (fin|syn|rst) == fin", NOT),
        ("tcp flags ack", NOT),
        ("ct original daddr 192.168.0.2", HELD),
        ("ct original proto-dst 81", NOT),
        ("ct reply ip saddr 192.168.0.2", HELD),
        ("ct state ! new", NOT),
        ("ct state new ct direction original", HELD),
        ("ip saddr 203.0.113.1-203.0.113.9", HELD),
        ("tcp dport != { 1-79, 81-65535 }", HELD),
        ('xt match "nfacct"', HELD),
    ],
)
def test_a_listed_match(match: str, ends: dict[str, float]) -> None:
    assert shares(match) == pytest.approx(ends)


def test_an_extension_without_its_options_is_not_guessed() -> None:
    walk = tracepacket(
        TABLE.format(match='xt match "recent"'), src="203.0.113.2", dst="192.168.0.2", protocol="tcp", port=80
    )
    assert walk["verdict"] is None and walk["unknown"] == ["line 4: unknown match 'xt match recent'"]
