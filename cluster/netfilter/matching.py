"""Whether a packet is one that a rule asks for: every match of iptables that is known here.

``matches`` gives the chance that all of a rule's matches hold (0 no, 1 yes, between for ``statistic``) and the name of one that nobody can tell.

Simplified here: ``limit`` finds its bucket full (the first packet of a burst); ``statistic --mode nth`` counts as a chance of one in N; ``recent``
without lists has seen nobody; a packet that nobody describes further is a first one, with a bare SYN.

Upstream: Linux net/netfilter/xt_*.c.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from cluster.netfilter.addresses import PROTOCOLS, address_number, parse_net
from cluster.netfilter.ipset import holds
from cluster.netfilter.rules import (
    Address,
    AddrType,
    Comment,
    CtState,
    CtTuple,
    Fragment,
    Interface,
    IpRange,
    IpvsMatch,
    Limit,
    Mark,
    Multiport,
    Nfacct,
    Nth,
    Physdev,
    Ports,
    Protocol,
    Recent,
    Rule,
    SetMatch,
    Statistic,
    UnknownMatch,
)

if TYPE_CHECKING:
    from cluster.netfilter.passage import Flow
    from cluster.netfilter.walk import Walker


def matches(walker: "Walker", rule: Rule, flow: "Flow", hook: str) -> tuple[float, str]:
    """(0 no, 1 yes, between: the probability; what of it is unknown, if all known matches hold)."""
    chance = 1.0
    unknown = ""
    setting = False
    for match in rule.matches:
        kind = type(match)
        if kind is Comment:
            continue
        if kind is Address:
            net = match.net  # type: ignore[union-attr]
            number = flow.src_number if match.side == "-s" else flow.dst_number  # type: ignore[union-attr]
            if (flow.family == net.family and number & net.mask == net.value) == match.negate:  # type: ignore[union-attr]
                return 0.0, ""
        elif kind is Statistic or kind is Nth:
            chance *= _chance(walker, match)  # type: ignore[arg-type]
            if chance == 0.0:
                return 0.0, ""
        elif kind is UnknownMatch:
            unknown = unknown or match.module  # type: ignore[union-attr]
        elif kind is Recent and match.op == "set":  # type: ignore[union-attr]
            setting = True  # changes the list: below, once all others hold
        else:
            held = ASKED[kind](walker, match, flow, hook)
            if held is None:
                unknown = unknown or _named(match)
            elif not held:
                return 0.0, ""
    if setting and walker.recent is not None:
        for match in rule.matches:
            if isinstance(match, Recent) and match.op == "set":
                walker.recent.match(match, _listed(match, flow), walker.now)
    return chance, unknown


def _named(match: Any) -> str:
    """How an unanswerable match is called."""
    match match:
        case Interface():
            return f"{match.side} {match.name}"
        case SetMatch():
            return "set"
        case Physdev():
            return f"physdev {match.op}"
        case _:
            return type(match).__name__.lower()


def _chance(walker: "Walker", match: Statistic | Nth) -> float:
    fraction = match.fraction if isinstance(match, Statistic) else 0x80000000 // match.every
    if walker.dice is not None:
        hit = walker.dice.below(0x80000000) < fraction
        return 1.0 if hit != match.negate else 0.0
    share = fraction / 0x80000000 if isinstance(match, Statistic) else 1.0 / match.every
    return 1.0 - share if match.negate else share


def _interface(walker: "Walker", match: Interface, flow: "Flow", hook: str) -> bool | None:
    name = walker.interface(match.side == "-i", hook, flow)
    if name is None:
        return None
    same = name.startswith(match.name[:-1]) if match.name.endswith("+") else name == match.name
    return same != match.negate


def _protocol(_walker: "Walker", match: Protocol, flow: "Flow", _hook: str) -> bool:
    return (match.name in ("all", flow.protocol)) != match.negate


def _ports(_walker: "Walker", match: Ports, flow: "Flow", _hook: str) -> bool:
    if match.module != flow.protocol:
        return False
    if match.sport is not None and (match.sport[0] <= flow.sport <= match.sport[1]) == match.not_sport:
        return False
    if match.dport is not None and (match.dport[0] <= flow.dport <= match.dport[1]) == match.not_dport:
        return False
    if match.flags is not None:
        mask, wanted = (set(part.split(",")) - {"NONE"} for part in match.flags)
        return ((set(flow.flags) & mask if "ALL" not in mask else set(flow.flags)) == wanted) != match.not_flags
    return True


def _multiport(_walker: "Walker", match: Multiport, flow: "Flow", _hook: str) -> bool:
    sides = {"--sports": (flow.sport,), "--dports": (flow.dport,)}.get(match.which, (flow.sport, flow.dport))
    return any(low <= p <= high for p in sides for low, high in match.ranges) != match.negate


def _ctstate(_walker: "Walker", match: CtState, flow: "Flow", _hook: str) -> bool:
    states = {flow.ctstate}
    if flow.dnat and flow.balanced is None:
        states.add("DNAT")
    if flow.snat:
        states.add("SNAT")
    return any(s in states for s in match.states) != match.negate


def _cttuple(_walker: "Walker", match: CtTuple, flow: "Flow", _hook: str) -> bool | None:
    """Of the first packet: its original tuple, and the reply's as it stands so far."""
    if flow.untracked:
        return False
    first = flow.original
    place = {
        "--ctorigsrc": first.src, "--ctorigdst": first.dst, "--ctreplsrc": flow.dst, "--ctrepldst": flow.src,
        "--ctorigsrcport": first.sport, "--ctorigdstport": first.dport, "--ctreplsrcport": flow.dport, "--ctrepldstport": flow.sport,
    }.get(match.option)  # fmt: skip
    if match.option == "--ctdir":
        return (match.value.upper() == "ORIGINAL") != match.negate
    if match.option == "--ctproto":
        return (PROTOCOLS.get(match.value, match.value.lower()) == flow.protocol) != match.negate
    try:
        if isinstance(place, int):
            low, _, high = match.value.partition(":")
            return (int(low) <= place <= int(high or low)) != match.negate
        return parse_net(match.value).contains(*address_number(str(place))) != match.negate
    except ValueError:
        return None


def _mark(_walker: "Walker", match: Mark, flow: "Flow", _hook: str) -> bool:
    mark = flow.mark if match.module == "mark" else flow.connmark
    return (mark & match.mask == match.value) != match.negate


def _addrtype(walker: "Walker", match: AddrType, flow: "Flow", _hook: str) -> bool:
    if match.src_type and (walker.type_of(flow, True) == match.src_type) == match.not_src:
        return False
    return not (match.dst_type and (walker.type_of(flow, False) == match.dst_type) == match.not_dst)


def _recent(walker: "Walker", match: Recent, flow: "Flow", _hook: str) -> bool:
    return match.negate if walker.recent is None else walker.recent.match(match, _listed(match, flow), walker.now)


def _listed(match: Recent, flow: "Flow") -> str:
    """The address that the list remembers: of the side that is meant, cut by the mask."""
    address = flow.dst if match.side == "--rdest" else flow.src
    if not match.mask:
        return address
    number = (flow.dst_number if match.side == "--rdest" else flow.src_number) & address_number(match.mask)[1]
    return str(IPv4Address(number) if flow.family == 4 else IPv6Address(number))


def _set(walker: "Walker", match: SetMatch, flow: "Flow", hook: str) -> bool | None:
    if match.rest:
        return None
    interfaces = walker.interface(True, hook, flow), walker.interface(False, hook, flow)
    held = holds(walker.ruleset.sets, match.name, match.sides, flow, interfaces)
    return None if held is None else held != match.negate


def _physdev(walker: "Walker", match: Physdev, flow: "Flow", hook: str) -> bool | None:
    if match.op in ("--physdev-is-out", "--physdev-out", "--physdev-is-bridged"):
        return match.negate  # routed packets have no port of a bridge to leave by, and are not bridged
    port = "" if hook == "OUTPUT" or flow.looped else walker.bridge_in
    if port is None:
        return None
    same = bool(port) if match.op == "--physdev-is-in" else _like(port, match.name)
    return same != match.negate


def _like(name: str, wanted: str) -> bool:
    return name.startswith(wanted[:-1]) if wanted.endswith("+") else name == wanted


def _iprange(_walker: "Walker", match: IpRange, flow: "Flow", _hook: str) -> bool:
    number = flow.src_number if match.side == "--src-range" else flow.dst_number
    return (flow.family == match.family and match.low <= number <= match.high) != match.negate


def _ipvs(_walker: "Walker", match: IpvsMatch, flow: "Flow", _hook: str) -> bool:
    server = flow.balanced
    if server is None:
        return match.any == "! --ipvs"
    if match.any == "! --ipvs":
        return False
    ip, port, protocol = server
    if match.vaddr is not None and match.vaddr.contains(*address_number(ip)) == ("--vaddr" in match.negated):
        return False
    if match.vproto and (PROTOCOLS.get(match.vproto, match.vproto) == protocol) == ("--vproto" in match.negated):
        return False
    return not match.vport or (match.vport == port) != ("--vport" in match.negated)


def _yes(_walker: "Walker", _match: Any, _flow: "Flow", _hook: str) -> bool:
    return True


ASKED: dict[type, Callable[["Walker", Any, "Flow", str], bool | None]] = {
    Interface: _interface,
    Protocol: _protocol,
    Ports: _ports,
    Multiport: _multiport,
    CtState: _ctstate,
    CtTuple: _cttuple,
    Mark: _mark,
    AddrType: _addrtype,
    Recent: _recent,
    SetMatch: _set,
    Physdev: _physdev,
    Fragment: lambda _walker, match, _flow, _hook: match.negate,
    IpRange: _iprange,
    IpvsMatch: _ipvs,
    Limit: _yes,
    Nfacct: _yes,
}
"""Match → whether it holds; None: nobody can tell."""
