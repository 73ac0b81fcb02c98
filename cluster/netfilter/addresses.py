"""Addresses as numbers, networks as numbers with a mask: what rules compare."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from cluster.netfilter.rules import Net

PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "132": "sctp"}
"""Number, as rules write it → name."""


@lru_cache(maxsize=65536)
def parse_net(text: str) -> Net:
    """``10.0.0.0/8``, ``10.0.0.1``, ``10.0.0.0/255.0.0.0`` (also with gaps), IPv6 alike. ValueError if it is none."""
    address, slash, bits = text.partition("/")
    number = _dotted(address)
    if number is not None and (not slash or (bits.isdigit() and int(bits) <= 32)):  # the common form, read quickly
        width = int(bits) if slash else 32
        mask = 0xFFFFFFFF << (32 - width) & 0xFFFFFFFF
        if number & mask == number:
            return Net(4, number, mask, f"{address}/{width}")
    if slash and not bits.isdigit():
        (family, number), (other, mask) = address_number(address), address_number(bits)
        width = 32 if family == 4 else 128
        whole = (1 << width) - 1
        if family == other and mask | (mask - 1) != whole and mask:  # bits with gaps
            return Net(family, number & mask, mask, f"{_text(number & mask, width)}/{_text(mask, width)}")
    network = ip_network(text, strict=False)
    return Net(network.version, int(network.network_address), int(network.netmask), str(network))


@lru_cache(maxsize=65536)
def address_number(text: str) -> tuple[int, int]:
    """(4 or 6, the address as an integer). ValueError if it is none."""
    number = _dotted(text)
    if number is not None:
        return 4, number
    address = ip_address(text)
    return address.version, int(address)


def _text(number: int, width: int) -> str:
    return str(IPv4Address(number) if width == 32 else IPv6Address(number))


def _dotted(text: str) -> int | None:
    """``10.0.0.1`` as a number; None when it is not written just so."""
    parts = text.split(".")
    if len(parts) != 4:
        return None
    number = 0
    for part in parts:
        if not part.isdecimal() or not part.isascii() or len(part) > 3 or (part[0] == "0" and part != "0"):
            return None
        octet = int(part)
        if octet > 255:
            return None
        number = number << 8 | octet
    return number
