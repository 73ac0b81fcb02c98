"""A dump of somebody's own node, pasted into the page, and a packet through it: read, walked and forgotten.

In → out: a form's fields in, a journey (``cluster/netfilter/journey.py``) or what is wrong out. Nothing is kept, and nothing typed reaches a file, a shell or a network.
One dump at a time is read, in a thread beside the loop.

Limits: ``MAX_BYTES`` of text, ``MAX_LINES`` lines, an address list of ``MAX_IPS``; the walker's own (ways, depth, rules asked).
"""

from __future__ import annotations

import asyncio
import re
from ipaddress import ip_address
from typing import Any

from django.utils.translation import gettext as _

from cluster.kubeproxy import offline
from cluster.netfilter.journey import journey
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.parse import ParseError
from cluster.netfilter.walk import Walker
from cluster.wire.packet import Packet
from explainer.fragments.whole import whole

MAX_BYTES = 4_000_000
MAX_LINES = 50_000
MAX_IPS = 16
AROUND = 3
SHOWN_UNKNOWN = 12
FIELDS = ("src", "dst", "port", "protocol", "ips", "in", "out", "way")
_gates: dict[int, asyncio.Semaphore] = {}


class Wrong(Exception):
    """What is wrong with the form. ``field`` names it; ``line`` of the dump, 0: none."""

    def __init__(self, field: str, said: str, line: int = 0) -> None:
        super().__init__(said)
        self.field, self.said, self.line = field, said, line


async def walk(text: str, fields: dict[str, str]) -> dict[str, Any]:
    """Return the journey with ``assumed``, ``unknown`` and ``lines``. Raises Wrong."""
    packet, ips = _packet(fields)
    if not text.strip():
        raise Wrong(
            "dump",
            _(
                "Paste the output of iptables-save, nft list ruleset, or ipset save and ipvsadm-save together with iptables-save."
            ),
        )
    if len(text) > MAX_BYTES or text.count("\n") > MAX_LINES:
        raise Wrong(
            "dump",
            _("This is too long: at most %(mb)s MB and %(lines)s lines are read here. tracepacket reads more.")
            % {"mb": MAX_BYTES // 1_000_000, "lines": f"{MAX_LINES:,}"},
        )
    gate = _gates.setdefault(id(asyncio.get_running_loop()), asyncio.Semaphore(1))
    async with gate:
        return await asyncio.to_thread(_walk, text, packet, ips, fields)


def _packet(fields: dict[str, str]) -> tuple[Packet, tuple[str, ...]]:
    places: list[str] = []
    for name in ("src", "dst"):
        try:
            places.append(str(ip_address(fields[name])))
        except ValueError:
            raise Wrong(name, _("%(text)r is no IP address.") % {"text": fields[name][:60]}) from None
    if (":" in places[0]) != (":" in places[1]):
        raise Wrong("dst", _("Source and destination are of different families."))
    port = whole(fields["port"], 5)
    if port is None or not 0 < port < 65536:
        raise Wrong("port", _("%(text)r is no port: a number from 1 to 65535.") % {"text": fields["port"][:20]})
    if fields["protocol"] not in ("tcp", "udp", "sctp"):
        raise Wrong("protocol", _("The protocol is tcp, udp or sctp."))
    ips: list[str] = []
    for word in fields["ips"].replace(",", " ").split()[: MAX_IPS + 1]:
        try:
            ips.append(str(ip_address(word)))
        except ValueError:
            raise Wrong("ips", _("%(text)r is no IP address.") % {"text": word[:60]}) from None
    if len(ips) > MAX_IPS:
        raise Wrong("ips", _("At most %(n)s addresses.") % {"n": MAX_IPS})
    return Packet(places[0], places[1], fields["protocol"], 45678, port), tuple(ips)


def _walk(text: str, packet: Packet, ips: tuple[str, ...], fields: dict[str, str]) -> dict[str, Any]:
    arrives, leaves = fields["in"][:16] or None, fields["out"][:16] or None
    try:
        if offline.is_nft(text):
            walker = offline.walker_for(text, node_ips=ips, in_interface=arrives, out_interface=leaves)
            assert isinstance(walker, NftWalker)
            assumed, unknown = "", offline.unknown_statements(walker.nft)
        else:
            ruleset, assumed = offline.read_rules(text, 6 if ":" in packet.dst else 4)
            walker, unknown = (
                Walker(ruleset, ips, in_interface=arrives, out_interface=leaves),
                offline.unknown_words(ruleset),
            )
    except ParseError as error:
        number = re.match(r"invalid literal for int\(\) with base \d+: (.*)", error.reason)
        reason = _("%(text)s is no number") % {"text": number[1]} if number else error.reason
        raise Wrong("dump", reason, error.line) from None
    except ValueError as error:
        raise Wrong("dump", str(error)) from None
    told = journey(walker, packet, way=whole(fields["way"], 3) or 0)
    for end in told["ways"]:
        end |= {"pod": "", "node": ""}
    return {
        **told,
        "node": _("your node"),
        "from": {"name": packet.src},
        "assumed": assumed,
        "unknown": unknown[:SHOWN_UNKNOWN],
        "moreUnknown": max(len(unknown) - SHOWN_UNKNOWN, 0),
    }


def around(text: str, line: int) -> list[dict[str, Any]]:
    """Return the lines about a wrong one."""
    rows = text.splitlines()
    first, last = max(1, line - AROUND), min(len(rows), line + AROUND)
    return [{"line": n, "text": rows[n - 1][:400], "here": n == line} for n in range(first, last + 1)] if line else []
