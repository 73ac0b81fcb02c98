"""Connection tracking: the kernel's table of flows, and why a reply finds its way back through NAT.

A flow is two tuples. ``original`` is what the first packet looked like before anything was translated; ``reply`` is what an
answer will look like when it comes back, after translation. Only the first packet of a flow walks the ``nat`` table; every
later one, in either direction, is rewritten by its flow's entry.

In: a packet → out: its flow and direction, and the packet as rewritten. Times in virtual ns.

Simplified here: a TCP flow's states are advanced by direction of packets, not by flags and sequence numbers; timeouts are the
kernel's defaults; no expectations (RELATED comes only from ICMP errors, which are not sent here), no zones, no helpers.

Upstream: Linux net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_tcp.c (``tcp_timeouts``), nf_nat_core.c.
"""

from collections.abc import Mapping

from msgspec import Struct, field

from cluster.netfilter.ipvs import Key, place
from cluster.sim import SECOND
from cluster.wire.packet import Packet

TRANSITIONS: dict[tuple[str, str, str], str] = {
    ("tcp", "NONE", "original"): "SYN_SENT",
    ("tcp", "SYN_SENT", "original"): "SYN_SENT",
    ("tcp", "SYN_SENT", "reply"): "SYN_RECV",
    ("tcp", "SYN_RECV", "reply"): "SYN_RECV",
    ("tcp", "SYN_RECV", "original"): "ESTABLISHED",
    ("tcp", "ESTABLISHED", "original"): "ESTABLISHED",
    ("tcp", "ESTABLISHED", "reply"): "ESTABLISHED",
    ("udp", "NONE", "original"): "UNREPLIED",
    ("udp", "UNREPLIED", "original"): "UNREPLIED",
    ("udp", "UNREPLIED", "reply"): "REPLIED",
    ("udp", "REPLIED", "original"): "ASSURED",
    ("udp", "REPLIED", "reply"): "ASSURED",
    ("udp", "ASSURED", "original"): "ASSURED",
    ("udp", "ASSURED", "reply"): "ASSURED",
    ("sctp", "NONE", "original"): "COOKIE_WAIT",
    ("sctp", "COOKIE_WAIT", "original"): "COOKIE_ECHOED",
    ("sctp", "COOKIE_WAIT", "reply"): "COOKIE_WAIT",
    ("sctp", "COOKIE_ECHOED", "original"): "COOKIE_ECHOED",
    ("sctp", "COOKIE_ECHOED", "reply"): "ESTABLISHED",
    ("sctp", "ESTABLISHED", "original"): "ESTABLISHED",
    ("sctp", "ESTABLISHED", "reply"): "ESTABLISHED",
}
"""(protocol, state, direction of the packet) → next state. Run and drawn from this table."""

STREAM_AFTER = 2 * SECOND
"""A UDP flow is no stream (ASSURED) before that age: a question and its answer are soon forgotten."""
TIMEOUTS: dict[tuple[str, str], int] = {
    ("tcp", "SYN_SENT"): 120 * SECOND,
    ("tcp", "SYN_RECV"): 60 * SECOND,
    ("tcp", "ESTABLISHED"): 432_000 * SECOND,
    ("udp", "UNREPLIED"): 30 * SECOND,
    ("udp", "REPLIED"): 30 * SECOND,
    ("udp", "ASSURED"): 120 * SECOND,
    ("sctp", "COOKIE_WAIT"): 3 * SECOND,
    ("sctp", "COOKIE_ECHOED"): 3 * SECOND,
    ("sctp", "ESTABLISHED"): 210 * SECOND,
}
"""How long a flow in that state is remembered without a packet."""


class Tuple5(Struct, frozen=True):
    """The five things that name a flow in one direction."""

    src: str
    dst: str
    protocol: str
    sport: int
    dport: int

    def turned(self) -> "Tuple5":
        """The same flow seen from the other end."""
        return Tuple5(self.dst, self.src, self.protocol, self.dport, self.sport)


class Flow(Struct):
    """One connection. ``seen_reply`` decides between NEW and ESTABLISHED for the original direction."""

    original: Tuple5
    reply: Tuple5
    state: str
    expires: int
    seen_reply: bool = False
    since: int = 0

    @property
    def dnat(self) -> bool:
        """Whether its destination was translated (``--ctstate DNAT``)."""
        return self.original.dst != self.reply.src or self.original.dport != self.reply.sport

    @property
    def snat(self) -> bool:
        """Whether its source was translated."""
        return self.original.src != self.reply.dst or self.original.sport != self.reply.dport


class Conntrack(Struct):
    """All flows of one node, found by either tuple. Entries past their time are dropped when they are next met."""

    flows: dict[Tuple5, Flow] = field(default_factory=dict)

    def find(self, packet: Packet, now: int) -> tuple[Flow, str] | None:
        """The packet's flow and its direction, "original" or "reply"."""
        key = tuple_of(packet)
        flow = self.flows.get(key)
        if flow is None:
            return None
        if flow.expires <= now:
            self.forget(flow)
            return None
        return flow, "original" if key == flow.original else "reply"

    def state_of(self, packet: Packet, now: int) -> str:
        """What ``--ctstate`` compares: NEW or ESTABLISHED."""
        found = self.find(packet, now)
        if found is None:
            return "NEW"
        flow, direction = found
        return "ESTABLISHED" if direction == "reply" or flow.seen_reply else "NEW"

    def confirm(self, packet: Packet, translated: Packet, now: int) -> Flow:
        """Remember the flow whose first packet came as ``packet`` and left as ``translated`` (POSTROUTING's end)."""
        original = tuple_of(packet)
        state = TRANSITIONS[packet.protocol, "NONE", "original"]
        flow = Flow(original, tuple_of(translated).turned(), state, now + TIMEOUTS[packet.protocol, state], since=now)
        self.flows[flow.original] = flow
        self.flows[flow.reply] = flow
        return flow

    def pass_on(self, packet: Packet, now: int) -> Packet | None:
        """Rewrite a later packet by its flow and advance the flow's state; None: no flow knows it."""
        found = self.find(packet, now)
        if found is None:
            return None
        flow, direction = found
        state = TRANSITIONS[packet.protocol, flow.state, direction]
        if (packet.protocol, state) != ("udp", "ASSURED") or now - flow.since > STREAM_AFTER:
            flow.state = state
        flow.expires = now + TIMEOUTS[packet.protocol, flow.state]
        flow.seen_reply = flow.seen_reply or direction == "reply"
        to = flow.reply.turned() if direction == "original" else flow.original.turned()
        return Packet(to.src, to.dst, to.protocol, to.sport, to.dport, packet.mark)

    def forget(self, flow: Flow) -> None:
        """Delete it (``conntrack -D``)."""
        self.flows.pop(flow.original, None)
        self.flows.pop(flow.reply, None)

    def stale(self, places: Mapping[tuple[str, int], tuple[str, ...]]) -> list[Flow]:
        """UDP flows to one of ``places`` (address "": any, by its port) whose reply comes from none of its ``ip:port``."""
        found: list[Flow] = []
        for flow in self.unique():
            if flow.original.protocol != "udp":
                continue
            answers = place(flow.reply.src, flow.reply.sport)
            for where in ((flow.original.dst, flow.original.dport), ("", flow.original.dport)):
                if where in places and answers not in places[where]:
                    found.append(flow)
                    break
        return found

    def translated(self, now: int) -> list[Flow]:
        """Living flows whose destination was translated."""
        return [flow for flow in self.unique() if flow.dnat and flow.expires > now]

    def by_server(self, now: int) -> dict[tuple[Key, str], tuple[int, int]]:
        """(virtual server, ``ip:port`` of a real server) → connections that are established, and others, as IPVS counts them."""
        found: dict[tuple[Key, str], tuple[int, int]] = {}
        for flow in self.translated(now):
            o, r = flow.original, flow.reply
            key = ((o.dst, o.dport, o.protocol), place(r.src, r.sport))
            active, inactive = found.get(key, (0, 0))
            found[key] = (active + 1, inactive) if flow.state == "ESTABLISHED" else (active, inactive + 1)
        return found

    def unique(self) -> list[Flow]:
        """Every flow once, oldest first."""
        return [flow for key, flow in self.flows.items() if key == flow.original]


def tuple_of(packet: Packet) -> Tuple5:
    """The packet's own tuple."""
    return Tuple5(packet.src, packet.dst, packet.protocol, packet.sport, packet.dport)
