"""How long a packet is: the IP packet's bytes, which are what netfilter and IPVS count.

In: a ``Segment`` → out: bytes. A SYN and its answer carry TCP's usual options (MSS, SACK, timestamps, window scale), later segments timestamps.

Simplified here: IPv4 without options; a request or an answer is one packet however long it is; pure acknowledgements, and the second FIN, are not
sent. A DNS answer repeats the question by its first record's name.
"""

from typing import Any

from cluster.network.servers import Answer, Request
from cluster.wire.dns import DnsReply
from cluster.wire.packet import Segment

IP, UDP, ICMP_ECHO = 20, 8, 64
HEADS = {"syn": 40, "syn-ack": 40, "rst": 20, "data": 32, "fin": 32}
"""Kind of segment → its TCP header's bytes."""

RDATA = {"A": 4, "AAAA": 16}


def size_of(segment: Segment) -> int:
    """The packet's length."""
    match segment.kind:
        case "echo" | "echo-reply":
            return IP + ICMP_ECHO
        case "udp":
            return IP + UDP + _payload(segment.payload)
        case "unreachable":
            return IP + 8 + IP + UDP
    return IP + HEADS.get(segment.kind, 32) + (_payload(segment.payload) if segment.kind == "data" else 0)


def _payload(payload: Any) -> int:
    match payload:
        case None:
            return 0
        case Request():
            lines = [f"{payload.method} {payload.path} HTTP/1.1", f"Host: {payload.host}"]
            return _text(lines, payload.headers) + len(payload.body.encode())
        case Answer():
            lines = [
                f"HTTP/1.1 {payload.code} OK",
                f"Content-Type: {payload.kind}",
                f"Content-Length: {len(payload.body)}",
            ]
            return _text(lines, payload.headers) + len(payload.body.encode())
        case ("dns", str(name), *_):
            return 12 + len(name) + 2 + 4
        case DnsReply():
            records = (*payload.answers, *payload.authority, *payload.extra)
            asked = len(records[0].name) + 6 if records else 0
            return 12 + asked + sum(12 + RDATA.get(one.kind, len(one.data) + 2) for one in records)
    return len(str(payload).encode())


def _text(lines: list[str], headers: tuple[tuple[str, str], ...]) -> int:
    return sum(len(line) + 2 for line in lines) + sum(len(name) + len(value) + 4 for name, value in headers) + 2
