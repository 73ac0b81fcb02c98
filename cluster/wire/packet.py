"""A packet, and what a probe of one learns."""

from typing import Any

from msgspec import Struct


class Packet(Struct, frozen=True, tag=True):
    """What netfilter sees of it. Ports are 0 for protocols without."""

    src: str
    dst: str
    protocol: str
    sport: int
    dport: int
    mark: int = 0


class ProbePacket(Struct, frozen=True, tag=True):
    """Ask the node's kernel (its kube-proxy process) to walk ``packet`` as sent by a local pod or arriving from outside."""

    id: int
    packet: Packet
    local: bool = False
    """True: sent by a process of the node itself (OUTPUT); False: arrives at an interface (PREROUTING)."""


class ProbeResult(Struct, frozen=True, tag=True):
    """The answer to probe ``id``: the walk as plain data, in the form of ``tracepacket --json``."""

    id: int
    walk: Any
