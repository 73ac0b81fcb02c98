"""The match modules (``-m NAME``) of iptables: what each module's options mean.

In: a module's options as words → out: its typed match, or None when an option isn't known (the caller keeps the words). A malformed
value raises ValueError, IndexError or KeyError.

Upstream: iptables extensions/libxt_*.c, libipt_*.c.
"""

from collections.abc import Callable
from ipaddress import ip_address

from cluster.netfilter.addresses import address_number, parse_net
from cluster.netfilter.rules import (
    AddrType,
    Comment,
    CtState,
    CtTuple,
    IpRange,
    IpvsMatch,
    Limit,
    Mark,
    Match,
    Multiport,
    Nfacct,
    Nth,
    Physdev,
    Recent,
    SetMatch,
    Statistic,
)

Options = list[tuple[bool, str, list[str]]]
"""(negated, option, values)."""
ADDRESS_TYPES = ("LOCAL", "UNICAST", "MULTICAST", "BROADCAST")
CT_TUPLE = (
    "--ctproto", "--ctorigsrc", "--ctorigdst", "--ctreplsrc", "--ctrepldst", "--ctorigsrcport", "--ctorigdstport", "--ctreplsrcport",
    "--ctrepldstport", "--ctdir",
)  # fmt: skip
PHYSDEV = ("--physdev-is-in", "--physdev-is-out", "--physdev-is-bridged", "--physdev-in", "--physdev-out")
UNITS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
LIMIT_SCALE = 10_000
"""Parts of a second in which the kernel counts (XT_LIMIT_SCALE)."""


def ports(text: str) -> tuple[int, int]:
    """``80``, ``80:90``, ``:90``, ``80:`` → first and last. Names of services are not looked up: ValueError."""
    low, colon, high = text.partition(":")
    first = int(low) if low else 0
    last = (int(high) if high else 65535) if colon else first
    if not 0 <= first <= last <= 65535:
        raise ValueError(f"{text!r} is no port")
    return first, last


def value_mask(text: str) -> tuple[int, int]:
    """``0x4000/0x4000`` → value and mask; without a mask all bits."""
    value, slash, mask = text.partition("/")
    return int(value, 0), int(mask, 0) if slash else 0xFFFFFFFF


def _comment(options: Options) -> Match | None:
    ((_, option, values),) = options
    return Comment(" ".join(values)) if option == "--comment" else None


def _nfacct(options: Options) -> Match | None:
    ((_, _, values),) = options
    return Nfacct(values[0])


def _conntrack(options: Options) -> list[Match] | None:
    found: list[Match] = []
    for negate, option, values in options:
        if option == "--ctstate":
            found.append(CtState(tuple(values[0].split(",")), negate))
        elif option in CT_TUPLE:
            value = values[0].removesuffix("/32") if ":" not in values[0] else values[0].removesuffix("/128")
            found.append(CtTuple(option, value, negate))
        else:
            return None
    return found


def _state(options: Options) -> Match | None:
    ((negate, option, values),) = options
    return CtState(tuple(values[0].split(",")), negate, "state") if option == "--state" else None


def _mark(options: Options) -> Match | None:
    ((negate, option, values),) = options
    return Mark(*value_mask(values[0]), negate) if option == "--mark" else None


def _connmark(options: Options) -> Match | None:
    ((negate, option, values),) = options
    return Mark(*value_mask(values[0]), negate, "connmark") if option == "--mark" else None


def _addrtype(options: Options) -> Match | None:
    src = dst = ""
    not_src = not_dst = False
    for negate, option, values in options:
        if option == "--src-type" and values[0] in ADDRESS_TYPES:
            src, not_src = values[0], negate
        elif option == "--dst-type" and values[0] in ADDRESS_TYPES:
            dst, not_dst = values[0], negate
        else:
            return None
    return AddrType(src, dst, not_src, not_dst)


def _statistic(options: Options) -> Match | None:
    given = {option: (negate, values) for negate, option, values in options}
    if given["--mode"][1] == ["nth"]:
        negate, values = given["--every"]
        every = int(values[0])
        return Nth(every, int(given["--packet"][1][0]) if "--packet" in given else 0, negate) if every > 0 else None
    if given["--mode"][1] != ["random"]:
        return None
    negate, values = given["--probability"]
    if not 0 <= float(values[0]) <= 1:
        return None
    # libxt_statistic.c: lround(0x80000000 * probability)
    return Statistic(int(float(values[0]) * 0x80000000 + 0.5), negate)


def _recent(options: Options) -> Match | None:
    given = {option: (negate, values) for negate, option, values in options}
    op = next(o for o in ("set", "rcheck", "update", "remove") if f"--{o}" in given)
    if "--rttl" in given:
        return None
    if "--mask" in given:
        address_number(given["--mask"][1][0])
    number = {o: int(given[o][1][0]) if o in given else 0 for o in ("--seconds", "--hitcount")}
    return Recent(
        op,  # type: ignore[arg-type]
        given["--name"][1][0] if "--name" in given else "DEFAULT",
        number["--seconds"],
        number["--hitcount"],
        "--reap" in given,
        given[f"--{op}"][0],
        given["--mask"][1][0] if "--mask" in given else "",
        "--rdest" if "--rdest" in given else "--rsource",
    )


def _multiport(options: Options) -> Match | None:
    ((negate, option, values),) = options
    which = {
        "--source-ports": "--sports", "--destination-ports": "--dports", "--dport": "--dports", "--sport": "--sports",
    }.get(option, option)  # fmt: skip
    if which not in ("--sports", "--dports", "--ports"):
        return None
    return Multiport(which, tuple(ports(p) for p in values[0].split(",")), negate)


def _set(options: Options) -> Match | None:
    name: str = ""
    sides: tuple[str, ...] = ()
    negated = False
    rest: list[str] = []
    for negate, option, values in options:
        if option in ("--match-set", "--set") and len(values) == 2:
            name, sides, negated = values[0], tuple(values[1].split(",")), negate
        elif option in ("--update-counters", "--update-subcounters"):
            rest += ["!", option] if negate else [option]
        else:
            return None
    return SetMatch(name, sides, negated, tuple(rest)) if name and all(s in ("src", "dst") for s in sides) else None


def _physdev(options: Options) -> list[Match] | None:
    found: list[Match] = []
    for negate, option, values in options:
        if option not in PHYSDEV:
            return None
        found.append(Physdev(option, values[0] if option in ("--physdev-in", "--physdev-out") else "", negate))
    return found


def _iprange(options: Options) -> list[Match] | None:
    found: list[Match] = []
    for negate, option, values in options:
        if option not in ("--src-range", "--dst-range"):
            return None
        first, _, last = values[0].partition("-")
        low, high = ip_address(first), ip_address(last or first)
        found.append(IpRange(option, f"{low}-{high}", low.version, int(low), int(high), negate))  # type: ignore[arg-type]
    return found


def _limit(options: Options) -> Match | None:
    given = {option: values for negate, option, values in options if not negate}
    if len(given) != len(options) or set(given) - {"--limit", "--limit-burst"}:
        return None
    text = given["--limit"][0] if "--limit" in given else "3/hour"
    amount, _, unit = text.partition("/")
    seconds = next(s for name, s in UNITS.items() if name.startswith(unit or "second"))
    period = LIMIT_SCALE * seconds // int(amount)
    burst = int(given["--limit-burst"][0]) if "--limit-burst" in given else 5
    return Limit(_rate(period), burst, period * 1_000_000_000 // LIMIT_SCALE) if period else None


def _rate(period: int) -> str:
    """As libxt_limit.c prints it: in the largest unit that holds it well."""
    units = [(name, LIMIT_SCALE * seconds) for name, seconds in UNITS.items()]
    at = 1
    while at < len(units) and not (period > units[at][1] or units[at][1] // period < units[at][1] % period):
        at += 1
    name, size = units[at - 1]
    return f"{size // period}/{({'minute': 'min', 'second': 'sec'}).get(name, name)}"


def _ipvs(options: Options) -> Match | None:
    vaddr, vproto, vport, any_, negated = None, "", 0, "", []
    for negate, option, values in options:
        if option == "--vaddr":
            vaddr = parse_net(values[0])
        elif option == "--vproto":
            vproto = values[0].lower()
        elif option == "--vport":
            vport = int(values[0])
        elif option == "--ipvs":
            any_ = "! --ipvs" if negate else "--ipvs"
        else:
            return None
        if negate:
            negated.append(option)
    return IpvsMatch(vaddr, vproto, vport, tuple(negated), any_)


MODULES: dict[str, Callable[[Options], Match | list[Match] | None]] = {
    "comment": _comment,
    "nfacct": _nfacct,
    "conntrack": _conntrack,
    "state": _state,
    "mark": _mark,
    "connmark": _connmark,
    "addrtype": _addrtype,
    "statistic": _statistic,
    "recent": _recent,
    "multiport": _multiport,
    "set": _set,
    "physdev": _physdev,
    "iprange": _iprange,
    "limit": _limit,
    "ipvs": _ipvs,
}
"""Module → reader of its options; several matches where a module has several options."""
