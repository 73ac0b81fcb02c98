"""Addresses as numbers, networks as numbers with a mask: what rules compare."""

from functools import lru_cache
from ipaddress import ip_address, ip_network

from cluster.netfilter.rules import Net


@lru_cache(maxsize=65536)
def parse_net(text: str) -> Net:
    """``10.0.0.0/8``, ``10.0.0.1``, ``10.0.0.0/255.0.0.0``, IPv6 alike. ValueError if it is none."""
    network = ip_network(text, strict=False)
    return Net(network.version, int(network.network_address), int(network.netmask), str(network))


@lru_cache(maxsize=65536)
def address_number(text: str) -> tuple[int, int]:
    """(4 or 6, the address as an integer). ValueError if it is none."""
    address = ip_address(text)
    return address.version, int(address)
