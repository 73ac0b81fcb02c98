"""``ipset``: named sets of addresses and ports that rules ask with one look-up (``-m set --match-set NAME dst,dst``).

A set's type says what its elements are made of: ``hash:ip,port`` holds ``10.96.0.1,tcp:443``. A rule names for each part whether the
packet's source or destination is meant; a set whose type has more parts than the rule names never matches, as in the kernel.
Whole networks (``hash:net``, ``hash:ip,port,net``) are found by trying the lengths of prefix that the set holds, longest first.

In: what ``ipset save`` prints → out: ``IpSet``, and back. Errors: ``ParseError`` with the line. A packet is asked for by a ``Flow``; the
answer None means that nobody can tell (an interface nobody named, a MAC address).

Simplified here: entries don't time out, counters are read over; ``ipset save`` lists in the order of adding (the kernel in that of
its hash); the tool's ``bucketsize`` and ``initval`` are kept as given and not made up; what a set is made with is printed as given; a
network of no bits (``0.0.0.0/0``), an element beyond a bitmap's range or of a full set is held, where the kernel refuses it.

Upstream: Linux net/netfilter/ipset; ipset(8); kubernetes pkg/proxy/ipvs/ipset.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network, summarize_address_range
from itertools import product
from typing import TYPE_CHECKING

from msgspec import Struct, field

from cluster.netfilter.errors import ParseError

if TYPE_CHECKING:
    from cluster.netfilter.passage import Flow

METHODS: dict[str, tuple[str, ...]] = {
    "bitmap": ("ip", "ip,mac", "port"),
    "hash": (
        "ip", "ip,mark", "ip,port", "ip,port,ip", "ip,port,net", "ip,mac", "mac", "net", "net,net", "net,port", "net,port,net",
        "net,iface",
    ),
    "list": ("set",),
}  # fmt: skip
EXPAND_MAX = 65536
"""Addresses that one ``add`` of a range may make."""
ELEMENTS_MAX = 500_000
"""Elements of all sets of one text."""
ICMP = {"8/0": "echo-request", "0/0": "echo-reply", "128/0": "echo-request", "129/0": "echo-reply"}
PORTED = ("tcp", "udp", "sctp", "udplite")


class IpSet(Struct):
    """``entries`` maps an element as it is printed to what else was said of it (``nomatch``, ``timeout 30`` …)."""

    name: str
    type: str = "hash:ip,port"
    family: int = 4
    options: tuple[str, ...] = ("family", "inet", "hashsize", "1024", "maxelem", "65536")
    entries: dict[str, str] = field(default_factory=dict)
    line: int = 0
    prefixes: tuple[tuple[int, ...], ...] | None = None
    """For every part that is a network: the lengths there are, longest first. Made when first asked."""

    @property
    def parts(self) -> tuple[str, ...]:
        """``hash:ip,port,net`` → ip, port, net."""
        return tuple(self.type.partition(":")[2].split(","))

    def add(self, element: str, extra: str = "") -> None:
        """Put an element in, as it is printed."""
        self.entries[element] = extra
        self.prefixes = None


PROTOCOLS = {
    "1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "47": "gre", "50": "esp", "51": "ah", "58": "ipv6-icmp", "89": "ospf", "132": "sctp",
    "136": "udplite", "icmpv6": "ipv6-icmp",
}  # fmt: skip
"""A protocol as it may be typed → as it is printed."""
MADE = {
    "hash:ip": (6, 216, 40), "hash:ip,port": (7, 216, 48), "hash:ip,port,ip": (6, 208, 56), "hash:ip,port,net": (8, 464, 56),
    "hash:net": (7, 456, 48), "hash:net,port": (8, 456, 48), "hash:net,iface": (8, 528, 48), "bitmap:port": (3, 8264, 0),
    "bitmap:ip": (3, 104, 0), "list:set": (3, 80, 48),
}  # fmt: skip
"""Type → its revision, the bytes of an IPv4 set without elements, and those of an element."""


def save_sets(sets: dict[str, IpSet]) -> str:
    """``ipset save``."""
    return "".join(f"{line}\n" for found in sets.values() for line in _saved(found))


def _saved(found: IpSet) -> Iterator[str]:
    yield " ".join(("create", found.name, found.type, *found.options))
    for element, extra in _in_order(found):
        yield f"add {found.name} {element}{' ' + extra if extra else ''}"


def list_sets(sets: dict[str, IpSet], references: dict[str, int] | None = None, terse: bool = False) -> str:
    """``ipset list``: a block a set. ``references``: how many rules ask it. ``terse``: without its elements."""
    blocks = []
    for found in sets.values():
        revision, empty, each = MADE.get(found.type, (5, 208, 56))
        holders = sum(found.name in other.entries for other in sets.values() if other.type == "list:set")
        lines = [
            f"Name: {found.name}",
            f"Type: {found.type}",
            f"Revision: {revision}",
            f"Header: {' '.join(found.options)}",
            f"Size in memory: {empty + each * len(found.entries)}",
            f"References: {(references or {}).get(found.name, 0) + holders}",
            f"Number of entries: {len(found.entries)}",
            *([] if terse else ["Members:", *(f"{e} {x}".rstrip() for e, x in _in_order(found))]),
        ]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _in_order(found: IpSet) -> list[tuple[str, str]]:
    """The elements with what was said of them: of a bitmap from the lowest on, else as they were added."""
    rows = list(found.entries.items())
    if found.type == "bitmap:port":
        rows.sort(key=lambda row: int(row[0]))
    elif found.type.startswith("bitmap"):
        rows.sort(key=lambda row: int(ip_address(row[0].partition(",")[0])))
    return rows


# -- reading --------------------------------------------------------------------------------------------------------------


def apply_line(sets: dict[str, IpSet], number: int, line: str, room: int = ELEMENTS_MAX) -> int:
    """One line of ``ipset restore``: create, add, del, flush, destroy. How many elements of ``room`` it takes. ParseError with the line."""
    words = line.split()
    command, arguments = words[0], [w for w in words[1:] if w not in ("-exist", "-!")]
    if command == "create":
        return _create(sets, number, arguments)
    name = arguments[0] if arguments else ""
    if command in ("flush", "destroy") and not name:
        taken = sum(map(_emptied, sets.values()))
        if command == "destroy":
            sets.clear()
        return taken
    if name not in sets:
        raise ParseError(number, f"there is no set {name!r}" if name else f"{command!r} needs the name of a set")
    if command == "add" or command == "del":
        if len(arguments) < 2:
            raise ParseError(number, f"{command!r} needs an element")
        found, elements = sets[name], elements_of(sets[name], arguments[1], number)
        before = len(found.entries)
        if command == "add":
            _room_for(found, sum(one not in found.entries for one in elements), room, number)
            if found.type == "list:set":
                _may_join(sets, elements[0], number)
        for element in elements:
            if command == "add":
                found.add(element, " ".join(arguments[2:]))
            else:
                found.entries.pop(element, None)
                found.prefixes = None
        return len(found.entries) - before
    if command == "flush":
        return _emptied(sets[name])
    if command == "destroy":
        return _emptied(sets.pop(name))
    raise ParseError(number, f"unknown ipset command {command!r}")


def _emptied(found: IpSet) -> int:
    """Take everything out; how many elements more there are: less than none."""
    gone = len(found.entries)
    found.entries.clear()
    found.prefixes = None
    return -gone


def _room_for(found: IpSet, more: int, room: int, number: int) -> None:
    """ParseError when the set is full, or all together hold more than is read here."""
    options = dict(zip(found.options[::2], found.options[1::2], strict=False))
    limit = int(options["maxelem"]) if options.get("maxelem", "").isdigit() else 65536
    if found.type.startswith("hash") and len(found.entries) + more > limit:
        raise ParseError(number, f"set {found.name} is full: it holds {limit} elements at most (maxelem)")
    if more > room:
        raise ParseError(
            number, f"all sets together hold more than {ELEMENTS_MAX:,} elements: that much is not read here"
        )


def _may_join(sets: dict[str, IpSet], member: str, number: int) -> None:
    """ParseError unless ``member`` is a set that a list of sets may hold: one that is there and no list itself."""
    if member not in sets:
        raise ParseError(number, f"there is no set {member!r}")
    if sets[member].type == "list:set":
        raise ParseError(number, f"{member!r} is a list of sets itself: a list cannot hold another")


COMMANDS = ("create", "add", "del", "flush", "destroy")


def _create(sets: dict[str, IpSet], number: int, words: list[str]) -> int:
    if len(words) < 2:
        raise ParseError(number, "create needs a name and a type")
    name, kind = words[:2]
    method, _, parts = kind.partition(":")
    if parts not in METHODS.get(method, ()):
        raise ParseError(number, f"unknown set type {kind!r}")
    if len(name) > 31:
        raise ParseError(number, f"the name {name!r} is longer than 31 characters")
    options = tuple(words[2:])
    family = 6 if "inet6" in options else 4
    taken = _emptied(sets[name]) if name in sets else 0
    sets[name] = IpSet(name, kind, family, options, {}, number)
    return taken


def elements_of(found: IpSet, text: str, number: int = 0) -> list[str]:
    """An element as typed → as the set holds it: ranges opened, the protocol named, networks cut to their prefix."""
    words, parts = text.split(","), found.parts
    if len(words) != len(parts):
        raise ParseError(number, f"an element of {found.type} has {len(parts)} part(s), not {len(words)}: {text!r}")
    try:
        choices = [list(_part(found, part, word)) for part, word in zip(parts, words, strict=True)]
    except ValueError as error:
        raise ParseError(number, f"{text!r} is no element of {found.type}: {error}") from None
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > EXPAND_MAX:
        raise ParseError(number, f"{text!r} stands for {count} elements; {EXPAND_MAX} at most are held here")
    return [",".join(chosen) for chosen in product(*choices)]


def contains(found: IpSet, text: str) -> bool:
    """``ipset test``: whether the element is there, or lies in a network that is. ParseError when it is none."""
    for element in elements_of(found, text):
        wanted = element.split(",")
        for entry, extra in found.entries.items():
            if "nomatch" not in extra and all(
                one == other or (part == "net" and ip_network(other).subnet_of(ip_network(one)))  # type: ignore[arg-type]
                for part, one, other in zip(found.parts, entry.split(","), wanted, strict=True)
            ):
                break
        else:
            return False
    return True


def _part(found: IpSet, part: str, word: str) -> Iterator[str]:
    if part == "ip":
        yield from _addresses(found, word)
    elif part == "net":
        first, dash, last = word.partition("-")
        nets = (
            summarize_address_range(ip_address(first), ip_address(last)) if dash else [ip_network(word, strict=False)]
        )  # type: ignore[arg-type]
        for net in nets:
            _same_family(found, net.version)
            yield str(net.network_address) if net.prefixlen == net.max_prefixlen else str(net)
    elif part == "port":
        yield from _ports(found, word)
    elif part == "mark":
        yield f"{int(word, 0):#010x}"
    else:
        yield word


def _same_family(found: IpSet, version: int) -> None:
    if found.type.startswith("hash") and version != found.family:
        raise ValueError(f"an address of family {version} in a set of family {found.family}")


def _addresses(found: IpSet, word: str) -> Iterator[str]:
    first, dash, last = word.partition("-")
    if dash:
        low, high = ip_address(first), ip_address(last)
    elif "/" in word:
        net = ip_network(word, strict=False)
        low, high = net.network_address, net.broadcast_address
    else:
        low = high = ip_address(word)
    _same_family(found, low.version)
    if low.version != high.version or int(high) - int(low) >= EXPAND_MAX:
        raise ValueError("the range is too wide")
    kind = IPv4Address if low.version == 4 else IPv6Address
    for value in range(int(low), int(high) + 1):
        yield str(kind(value))


def _ports(found: IpSet, word: str) -> Iterator[str]:
    protocol, colon, ports = word.rpartition(":")
    protocol = PROTOCOLS.get(protocol.lower(), protocol.lower())
    if colon and protocol not in PROTOCOLS.values():
        raise ValueError(f"{protocol!r} is no protocol")
    if colon and protocol in ("icmp", "ipv6-icmp"):
        yield f"{protocol}:{ICMP.get(ports, ports)}"
        return
    low, _, high = ports.partition("-")
    first, last = int(low), int(high or low)
    if not 0 <= first <= last <= 65535:
        raise ValueError(f"{ports!r} is no port")
    head = "" if found.type == "bitmap:port" else f"{protocol or 'tcp'}:"
    for value in range(first, last + 1):
        yield f"{head}{value}"


# -- asking ---------------------------------------------------------------------------------------------------------------


def holds(
    sets: dict[str, IpSet],
    name: str,
    sides: tuple[str, ...],
    flow: "Flow",
    interfaces: tuple[str | None, str | None] = (None, None),
) -> bool | None:
    """Whether the packet is in the set; None: nobody can tell. ``interfaces``: (in, out), None where nobody said."""
    found = sets.get(name)
    if found is None:
        return None
    if found.type == "list:set":
        answers = [holds(sets, one, sides, flow, interfaces) for one in found.entries]
        return True if True in answers else None if None in answers else False
    parts = found.parts
    if len(sides) < len(parts) or (found.type.startswith("hash") and found.family != flow.family):
        return False
    keys: list[tuple[str, ...]] = []
    widths = _prefixes(found) if "net" in parts else ()
    nets = iter(widths)
    for part, side in zip(parts, sides, strict=False):
        words = _asked(found, part, side, flow, interfaces, next(nets) if part == "net" else ())
        if not words:
            return None if words is None else False
        keys.append(words)
    for chosen in product(*keys):
        extra = found.entries.get(",".join(chosen))
        if extra is not None:
            return "nomatch" not in extra.split()
    return False


def looked_up(
    sets: dict[str, IpSet],
    name: str,
    sides: tuple[str, ...],
    flow: "Flow",
    interfaces: tuple[str | None, str | None] = (None, None),
) -> str:
    """The element that ``holds`` looks for, as one would add it; "" when there is none: no such set, too few sides, a packet without ports."""
    found = sets.get(name)
    if found is None:
        return ""
    if found.type == "list:set":
        return next((key for one in found.entries if (key := looked_up(sets, one, sides, flow, interfaces))), "")
    if len(sides) < len(found.parts):
        return ""
    words: list[str] = []
    for part, side in zip(found.parts, sides, strict=False):
        full = (32 if flow.family == 4 else 128,)
        written = _asked(found, part, side, flow, interfaces, full if part == "net" else ())
        if written == ():
            return ""
        words.append("?" if written is None else written[0])
    return ",".join(words)


def _asked(
    found: IpSet,
    part: str,
    side: str,
    flow: "Flow",
    interfaces: tuple[str | None, str | None],
    widths: tuple[int, ...],
) -> tuple[str, ...] | None:
    """The ways the packet's part may be written in the set; () when it has none; None: nobody knows."""
    source = side == "src"
    if part == "ip":
        return (flow.src if source else flow.dst,)
    if part == "net":
        number = flow.src_number if source else flow.dst_number
        bits = 32 if flow.family == 4 else 128
        return tuple(_written(number, width, bits) for width in widths)
    if part == "port":
        if flow.protocol not in PORTED:
            return ()
        port = flow.sport if source else flow.dport
        return (str(port) if found.type == "bitmap:port" else f"{flow.protocol}:{port}",)
    if part == "mark":
        return (f"{flow.mark:#010x}",)
    if part == "iface":
        name = interfaces[0 if source else 1]
        return None if name is None else (name,)
    return None


def _written(number: int, width: int, bits: int) -> str:
    cut = number >> (bits - width) << (bits - width) if width else 0
    address = str(IPv4Address(cut) if bits == 32 else IPv6Address(cut))
    return address if width == bits else f"{address}/{width}"


def _prefixes(found: IpSet) -> tuple[tuple[int, ...], ...]:
    if found.prefixes is None:
        full = 32 if found.family == 4 else 128
        places = [at for at, part in enumerate(found.parts) if part == "net"]
        widths: list[set[int]] = [set() for _ in places]
        for element in found.entries:
            words = element.split(",")
            for place, seen in zip(places, widths, strict=True):
                _, slash, width = words[place].partition("/")
                seen.add(int(width) if slash else full)
        found.prefixes = tuple(tuple(sorted(seen, reverse=True)) for seen in widths)
    return found.prefixes
