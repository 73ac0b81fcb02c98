"""``conntrack``: ``-L``, ``-D``, ``-F``, ``-C`` with ``-p -s -d --orig-src --orig-dst --reply-src --reply-dst --sport --dport --state --src-nat --dst-nat``.

Upstream: conntrack-tools 1.4.7 (texts).
"""

from typing import Any

from cluster.netfilter.addresses import address_number, parse_net
from cluster.netfilter.conntrack import Flow
from cluster.node.tools import Printed

NAMES = ("conntrack",)
NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}
VERSION = "conntrack v1.4.7 (conntrack-tools)"
FILTERS = {"-p": "proto", "--proto": "proto", "-s": "src", "--src": "src", "--orig-src": "src", "-d": "dst", "--dst": "dst",
           "--orig-dst": "dst", "-r": "rsrc", "--reply-src": "rsrc", "-q": "rdst", "--reply-dst": "rdst", "--sport": "sport",
           "--orig-port-src": "sport", "--dport": "dport", "--orig-port-dst": "dport", "--reply-port-src": "rsport",
           "--reply-port-dst": "rdport", "--state": "state"}  # fmt: skip


def run(kernel: Any, words: list[str], stdin: str, now: int) -> Printed:
    command, wanted, rest = "", {}, list(words[1:])
    extended = False
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word in ("-L", "--dump", "-D", "--delete", "-F", "--flush", "-C", "--count", "-V"):
            command = {"--dump": "-L", "--delete": "-D", "--flush": "-F", "--count": "-C"}.get(word, word)
        elif name in FILTERS:
            wanted[FILTERS[name]] = value if equals else rest.pop(0) if rest else ""
        elif word in ("-n", "--src-nat", "-g", "--dst-nat", "-j", "--any-nat"):
            wanted[{"-n": "snat", "--src-nat": "snat", "-g": "dnat", "--dst-nat": "dnat"}.get(word, "nat")] = (
                rest.pop(0) if rest and not rest[0].startswith("-") else ""
            )
        elif word in ("-o", "--output") and rest and rest[0] in ("extended", "ktimestamp", "timestamp"):
            extended = rest.pop(0) == "extended" or extended
        elif word in ("-f", "--family") and rest and rest[0] in ("ipv4", "ipv6"):
            wanted["family"] = rest.pop(0)
        elif word != "conntrack":
            return Printed(err=f"{VERSION}: option {word!r} is not simulated: -L -D -F -C with -p -s -d -r -q --sport --dport --state -n -g\n", code=2)  # fmt: skip
    for word in words:
        if FILTERS.get(word, "") in ("sport", "dport", "rsport", "rdport", "state") and "proto" not in wanted:
            return Printed(err=f"{VERSION}: unknown option `{word}'\nTry `conntrack -h' or 'conntrack --help' for more information.\n", code=2)  # fmt: skip
    table = kernel.state.conntrack
    flows = [flow for flow in table.unique() if flow.expires > now and _fits(flow, wanted)]
    text = "".join(
        ("ipv6     10 " if ":" in f.original.src else "ipv4     2 ") * extended + _line(f, now) for f in flows
    )
    match command:
        case "-V":
            return Printed(VERSION + "\n")
        case "-L":
            return Printed(text, f"{VERSION}: {len(flows)} flow entries have been shown.\n")
        case "-D":
            for flow in flows:
                table.forget(flow)
            return Printed(text, f"{VERSION}: {len(flows)} flow entries have been deleted.\n", 0 if flows else 1)
        case "-F":
            for flow in table.unique():
                table.forget(flow)
            return Printed(err=f"{VERSION}: connection tracking table has been emptied.\n")
        case "-C":
            return Printed(f"{len(flows)}\n")
    return Printed(
        "Command line interface for the connection tracking system. Version 1.4.7\nUsage: conntrack [commands] [options]\n"
    )


def _fits(flow: Flow, wanted: dict[str, str]) -> bool:
    o, r = flow.original, flow.reply
    known = {"proto": o.protocol, "sport": str(o.sport), "dport": str(o.dport), "rsport": str(r.sport), "rdport": str(r.dport), "state": flow.state,
             "family": "ipv6" if ":" in o.src else "ipv4"}  # fmt: skip
    places = {"src": o.src, "dst": o.dst, "rsrc": r.src, "rdst": r.dst}
    for name, value in wanted.items():
        if name in places:
            try:
                net, (family, number) = parse_net(value), address_number(places[name])
            except ValueError:
                return False
            if family != net.family or number & net.mask != net.value:
                return False
        if name in known and known[name].lower() != value.lower():
            return False
        if name == "snat" and not (flow.snat and value in ("", r.dst)):
            return False
        if name == "dnat" and not (flow.dnat and value.partition(":")[0] in ("", r.src)):
            return False
        if name == "nat" and not (flow.dnat or flow.snat):
            return False
    return True


def _line(flow: Flow, now: int) -> str:
    o, r = flow.original, flow.reply
    left = max(0, flow.expires - now) // 1_000_000_000
    state = f"{flow.state} " if o.protocol != "udp" else ""
    replied = "" if flow.seen_reply else "[UNREPLIED] "
    assured = "[ASSURED] " if flow.seen_reply and flow.state not in ("REPLIED", "SYN_RECV", "COOKIE_ECHOED") else ""
    return (
        f"{o.protocol:<8} {NUMBERS.get(o.protocol, 0)} {left} {state}src={o.src} dst={o.dst} sport={o.sport} dport={o.dport} {replied}"
        f"src={r.src} dst={r.dst} sport={r.sport} dport={r.dport} {assured}mark=0 use=1\n"
    )
