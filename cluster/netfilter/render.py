"""Prints tables as ``iptables-save`` does: addresses and protocol first, then the matches in their order, then the target.

In: a ``Ruleset`` or one ``Rule`` → out: text. Values are printed as the kernel holds them, not as they were typed: a probability as
its 31-bit fraction with 11 digits, ``--or-mark 0x4000`` as ``--set-xmark 0x4000/0x4000``, a host with its ``/32``.

Simplified here: counters, where asked for, are ``[0:0]``; the two comment lines with the tool's version and the date are absent.

Upstream: iptables/iptables-save.c, ``xtables_save_string``, ``save_rule4``.
"""

from functools import lru_cache
from itertools import accumulate
from typing import assert_never

from cluster.netfilter.rules import (
    Address,
    AddrType,
    Comment,
    CopyMark,
    CtState,
    CtTuple,
    Fragment,
    Interface,
    IpRange,
    IpvsMatch,
    Jump,
    Limit,
    Mark,
    Match,
    Multiport,
    Nat,
    Nfacct,
    NoTrack,
    Nth,
    Passive,
    Physdev,
    Ports,
    Protocol,
    Recent,
    Reject,
    Rule,
    SetMark,
    SetMatch,
    Statistic,
    Target,
    UnknownMatch,
    UnknownTarget,
    Verdict,
)
from cluster.netfilter.tables import Ruleset, ordered_chains, ordered_tables

_SEVERAL = ("-m conntrack", "-m physdev", "-m iprange")
_PROTOCOL_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "sctp": 132}
_PLAIN = frozenset("_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def quote(text: str) -> str:
    """As ``xtables_save_string``: bare when it holds nothing but letters, digits, ``_`` and ``-``."""
    if text and _PLAIN.issuperset(text):
        return text
    for special in ("\\", '"', "'"):
        text = text.replace(special, "\\" + special)
    return f'"{text}"'


@lru_cache(maxsize=65536)
def render_rule(chain: str, rule: Rule, family: int = 4) -> str:
    """``-A CHAIN …`` in save form, as iptables (or ip6tables: ``family`` 6) prints it."""
    head: dict[str, str] = {}
    rest: list[str] = []
    for match in rule.matches:
        bang = "! " if getattr(match, "negate", False) else ""
        match match:
            case Address():
                head[match.side] = f"{bang}{match.side} {match.net.text}"
            case Interface():
                head[match.side] = f"{bang}{match.side} {match.name}"
            case Fragment():
                head["-f"] = f"{bang}-f"
            case Protocol():
                head["-p"] = f"{bang}-p {match.name}"
            case _:
                text = _match(match, bang, family)
                module = " ".join(text.split(" ", 2)[:2])
                if module in _SEVERAL and rest and rest[-1].startswith(module + " "):  # one module, several options
                    text = rest.pop() + text.removeprefix(module)
                rest.append(text)
    words = ["-A", chain, *(head[o] for o in ("-s", "-d", "-i", "-o", "-p", "-f") if o in head), *rest]
    if rule.target is not None:
        words.append(_target(rule.target, family))
    return " ".join(words)


def _range(ports: tuple[int, int]) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}:{ports[1]}"


_ALWAYS_QUOTED = ("--u32", "--label")


def _match(match: Match, bang: str, family: int) -> str:
    match match:
        case Ports():
            words = ["-m", match.module]
            for name, ports, negated in (
                ("--sport", match.sport, match.not_sport),
                ("--dport", match.dport, match.not_dport),
            ):
                if ports is not None:
                    words += ["!", name, _range(ports)] if negated else [name, _range(ports)]
            if match.flags is not None:
                words += [*(["!"] if match.not_flags else []), "--tcp-flags", *match.flags]
            return " ".join(words)
        case Multiport():
            return f"-m multiport {bang}{match.which} " + ",".join(_range(r) for r in match.ranges)
        case CtState():
            option = "--ctstate" if match.module == "conntrack" else "--state"
            return f"-m {match.module} {bang}{option} " + ",".join(match.states)
        case CtTuple():
            return f"-m conntrack {bang}{match.option} {match.value}"
        case Nth():
            return f"-m statistic --mode nth {bang}--every {match.every} --packet {match.packet}"
        case SetMatch():
            return " ".join((f"-m set {bang}--match-set {match.name} {','.join(match.sides)}", *match.rest))
        case Physdev():
            return f"-m physdev {bang}{match.op}" + (f" {match.name}" if match.name else "")
        case IpRange():
            return f"-m iprange {bang}{match.side} {match.text}"
        case Limit():
            return f"-m limit --limit {match.rate}" + (f" --limit-burst {match.burst}" if match.burst != 5 else "")
        case IpvsMatch():
            return _ipvs(match)
        case Mark():
            mask = "" if match.mask == 0xFFFFFFFF else f"/{match.mask:#x}"
            return f"-m {match.module} {bang}--mark {match.value:#x}{mask}"
        case AddrType():
            words = ["-m addrtype"]
            if match.src_type:
                words.append(("! " if match.not_src else "") + f"--src-type {match.src_type}")
            if match.dst_type:
                words.append(("! " if match.not_dst else "") + f"--dst-type {match.dst_type}")
            return " ".join(words)
        case Statistic():
            return f"-m statistic --mode random {bang}--probability {match.fraction / 0x80000000:.11f}"
        case Recent():
            return _recent(match, bang, family)
        case Comment():
            return f"-m comment --comment {quote(match.text)}"
        case Nfacct():
            return f"-m nfacct --nfacct-name  {match.name}"  # two blanks: libxt_nfacct.c prints the option and " %s"
        case UnknownMatch():
            before = ("", *match.words)
            return " ".join(
                f'"{w}"' if last in _ALWAYS_QUOTED else quote(w) if " " in w and not w.startswith("-") else w
                for last, w in zip(before, match.words, strict=False)
            )
        case Address() | Interface() | Protocol() | Fragment():
            raise AssertionError("printed before the others")
        case _:
            assert_never(match)


def _ipvs(match: IpvsMatch) -> str:
    words = ["-m ipvs"]
    if match.any:
        words.append(match.any)
    for option, value in (
        ("--vproto", str(_PROTOCOL_NUMBERS.get(match.vproto, match.vproto))),
        ("--vaddr", match.vaddr.text.removesuffix("/32").removesuffix("/128") if match.vaddr else ""),
        ("--vport", str(match.vport or "")),
    ):
        if value:
            words.append(("! " if option in match.negated else "") + f"{option} {value}")
    return " ".join(words)


def _recent(match: Recent, bang: str, family: int) -> str:
    words = ["-m recent", f"{bang}--{match.op}"]
    if match.seconds:
        words.append(f"--seconds {match.seconds}")
    if match.reap:
        words.append("--reap")
    if match.hitcount:
        words.append(f"--hitcount {match.hitcount}")
    mask = match.mask or ("255.255.255.255" if family == 4 else "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
    return " ".join([*words, f"--name {match.name} --mask {mask} {match.side}"])


def _target(target: Target, family: int) -> str:
    match target:
        case Verdict():
            return f"-j {target.name}"
        case Jump():
            return f"-g {target.chain}" if target.goto else f"-j {target.chain}"
        case Reject():
            default = "icmp-port-unreachable" if family == 4 else "icmp6-port-unreachable"
            return f"-j REJECT --reject-with {target.reject_with or default}"
        case SetMark():
            return f"-j {target.target} --set-xmark {target.value:#x}/{target.mask:#x}"
        case CopyMark():
            return f"-j CONNMARK {target.op} --nfmask {target.nfmask:#x} --ctmask {target.ctmask:#x}"
        case Nat():
            words = [f"-j {target.kind}"]
            if target.kind in ("DNAT", "SNAT"):
                host = target.address + (f"-{target.last_address}" if target.last_address else "")
                host = f"[{host}]" if ":" in target.address and target.port else host
                option = "--to-destination" if target.kind == "DNAT" else "--to-source"
                words.append(f"{option} {host}" + (f":{_ports(target)}" if target.port else ""))
            elif target.port:
                words.append(f"--to-ports {_ports(target)}")
            return " ".join([*words, *target.options])
        case NoTrack():
            return "-j " + " ".join(target.words)
        case Passive() | UnknownTarget():
            return " ".join((f"-j {target.name}", *(quote(w) if " " in w else w for w in target.words)))
        case _:
            assert_never(target)


def _ports(target: Nat) -> str:
    return f"{target.port}-{target.last_port}" if target.last_port else str(target.port)


def save(ruleset: Ruleset, *, counters: bool = True, only: str = "") -> str:
    """``iptables-save`` (``-t only``). ``counters`` off prints ``:INPUT ACCEPT`` without ``[0:0]``."""
    lines: list[str] = []
    for table in ordered_tables(ruleset):
        if only and table != only:
            continue
        chains = ruleset.tables[table]
        names = ordered_chains(table, chains)
        lines.append(f"*{table}")
        tail = " [0:0]" if counters else ""
        lines.extend(f":{name} {chains[name].policy}{tail}" for name in names)
        for name in names:
            lines.extend(render_rule(name, rule, ruleset.family) for rule in chains[name].rules)
        lines.append("COMMIT")
    return "\n".join(lines) + "\n" if lines else ""


def layout(ruleset: Ruleset, table: str) -> dict[str, int]:
    """Chain of ``table`` → the line of its first rule in ``save``'s text."""
    at = 0
    for each in ordered_tables(ruleset):
        chains = ruleset.tables[each]
        if each == table:
            names = ordered_chains(table, chains)
            first = at + 1 + len(names) + 1
            return dict(
                zip(names, accumulate([len(chains[name].rules) for name in names], initial=first), strict=False)
            )
        at += 1 + len(chains) + sum([len(chain.rules) for chain in chains.values()]) + 1
    return {}
