"""Literals of nft's language: which can be compared with what a packet has, and whether a value is one, lies in one or stands in a set.

In: a key's words and a literal as written, a packet's values → out: the literal in its plain form, and yes or no. Errors: ``ValueError`` for a literal that
can't be compared (a host's name, a service that isn't in the table, bits joined by ``|``).

Simplified here: of services' names only the best known are told.

Upstream: nftables src/datatype.c; Linux net/netfilter/nft_set_*.c.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import ip_address, ip_network
from itertools import product

from cluster.netfilter.nft_syntax import Elements, Key, Value

ANY = "*"
"""The element that is found when no other is."""
SERVICES = {
    "ftp-data": "20", "ftp": "21", "ssh": "22", "telnet": "23", "smtp": "25", "domain": "53", "bootps": "67", "bootpc": "68", "tftp": "69",
    "http": "80", "kerberos": "88", "pop3": "110", "sunrpc": "111", "ntp": "123", "imap2": "143", "snmp": "161", "bgp": "179", "ldap": "389",
    "https": "443", "microsoft-ds": "445", "syslog": "514", "submission": "587", "ldaps": "636", "imaps": "993", "pop3s": "995", "nfs": "2049",
    "mysql": "3306", "postgresql": "5432", "mdns": "5353", "http-alt": "8080",
}  # fmt: skip
ADDRESSES, PORTS = ("saddr", "daddr"), ("sport", "dport", "proto-src", "proto-dst")


def readable(key: Key, text: str) -> str:
    """The literal as it is compared with the key's values. ValueError: it can't be."""
    what = key.words[-1]
    if "|" in text or text in ("<", ">", "=", "&", "^"):
        raise ValueError(f"{text!r} is no plain value")
    if text == ANY:
        return text
    if what in PORTS:
        text = "-".join(SERVICES.get(end, end) for end in (text.split("-") if text not in SERVICES else [text]))
        if bounds(text) is None or "." in text or ":" in text:
            raise ValueError(f"{text!r} is no port")
    elif what in ADDRESSES and key.words[0] in ("ip", "ip6", "ct"):
        if bounds(text) is None or not ("." in text or ":" in text):
            raise ValueError(f"{text!r} is no address")
    elif what == "mark":
        if bounds(text) is None:
            raise ValueError(f"{text!r} is no mark")
    elif what in ("iif", "oif") and text.isdigit():
        raise ValueError("an interface's number")
    return text


def find(elements: Elements, seen: Sequence[Value]) -> str | None:
    """What ``seen`` is mapped to ("" in a set); None when it isn't there. Each part of it may be written in several ways.

    Literals are found in one step, ranges one by one."""
    if elements.index is None:
        elements.index, elements.ranges = {}, []
        for value, to in elements.values.items():
            if value == (ANY,) or any(is_range(part) for part in value):
                elements.ranges.append((value, to))
            else:
                elements.index[tuple(plain(part) for part in value)] = to
        elements.ranges.sort(key=lambda pair: pair[0] == (ANY,))
    for written in product(*seen):
        found = elements.index.get(written)
        if found is not None:
            return found
    for wanted, to in elements.ranges:
        if holds(seen, wanted):
            return to
    return None


def holds(seen: Sequence[Value], wanted: Value) -> bool:
    """Whether an element's every part fits; ``*`` alone fits all."""
    if wanted == (ANY,):
        return True
    return len(seen) == len(wanted) and all(fits(one, part) for one, part in zip(seen, wanted, strict=True))


def plain(text: str) -> str:
    """A literal as packets' values are written: numbers in tens, IPv6 addresses in their shortest form, protocols and services by the usual word."""
    if text in SERVICES:
        return SERVICES[text]
    if text.startswith("0x") or ":" in text:
        try:
            return str(ip_address(text)) if ":" in text else str(int(text, 0))
        except ValueError:
            return text
    return text


def is_range(text: str) -> bool:
    """A literal that spans several values."""
    return "/" in text or "-" in text or text.endswith("*")


@lru_cache(maxsize=65536)
def bounds(text: str) -> tuple[int, int] | None:
    """The numbers a literal spans: an address, a prefix, a number, or a range of them; None for a word."""
    low, dash, high = text.partition("-")
    try:
        if dash:
            first, last = bounds(low), bounds(high)
            return (first[0], last[1]) if first and last else None
        if "/" in text and text.startswith("0x"):  # a mark's uppermost bits
            value, _, length = text.partition("/")
            rest = (1 << (32 - int(length))) - 1
            return int(value, 0) & ~rest, int(value, 0) | rest
        if "/" in text:
            net = ip_network(text, strict=False)
            return int(net.network_address), int(net.broadcast_address)
        number = int(ip_address(text)) if "." in text or ":" in text else int(text, 0)
    except ValueError:
        return None
    return number, number


def fits(seen: Value | None, wanted: str) -> bool:
    """Whether one of the ways the packet's value is written is ``wanted``, or lies in the range it names."""
    for value in seen or ():
        if value == wanted or (wanted.endswith(ANY) and value.startswith(wanted[:-1])):
            return True
        span = bounds(wanted)
        number = bounds(value) if span is not None else None
        same = (":" in value) == (":" in wanted) and ("." in value) == ("." in wanted)
        if span is not None and number is not None and same and span[0] <= number[0] <= span[1]:
            return True
    return False


def compare(seen: Value | None, op: str, wanted: str) -> bool:
    """``<`` and its like."""
    value, limit = bounds((seen or ("",))[0]), bounds(wanted)
    if value is None or limit is None:
        return False
    return {
        "<": value[0] < limit[0], ">": value[0] > limit[0], "<=": value[0] <= limit[0], ">=": value[0] >= limit[0],
    }[op]  # fmt: skip
