"""``ipvsadm`` (``-L -n --stats --rate -c --timeout -S -C``, ``-A -E -D -a -e -d``, ``--set``) and ``ipset`` (``list``, ``save``, ``flush``, ``destroy``).

Counters are of what really went through (a packet is 60 bytes here), connections those of the node's conntrack; rates are not kept.

Upstream: ipvsadm 1.31, ipset 7.17 (texts).
"""

from typing import Any

from cluster.netfilter.conntrack import TIMEOUTS
from cluster.netfilter.errors import ParseError
from cluster.netfilter.ipset import contains, list_sets, save_sets
from cluster.netfilter.ipvs import Ipvs, apply_line, list_servers, place, save_servers, sorted_reals, sorted_servers
from cluster.netfilter.rules import SetMatch
from cluster.netfilter.tables import Ruleset
from cluster.node.tools import Printed

NAMES = ("ipvsadm", "ipvsadm-save", "ipset")
SYN_RECV = 60
"""Seconds that IPVS remembers a connection in that state without a packet."""
EDITS = {"--add-service": "-A", "--edit-service": "-E", "--delete-service": "-D", "--add-server": "-a", "--edit-server": "-e", "--delete-server": "-d"}  # fmt: skip
HEAD = "IP Virtual Server version 1.2.1 (size=4096)\n"


def run(kernel: Any, words: list[str], stdin: str, now: int) -> Printed:
    ruleset: Ruleset = kernel.state.tables.current().ruleset
    if words[0] == "ipset":
        return _ipset(ruleset, words[1:])
    if not kernel.state.modules.get("ip_vs", kernel.config.ipvs):
        return Printed(err="Can't initialize ipvs: Protocol not available\nAre you sure that IP Virtual Server is built in the kernel or as module?\n", code=1)  # fmt: skip
    ipvs = ruleset.ipvs or Ipvs()
    if len(words) > 1 and (EDITS.get(words[1], words[1]) in EDITS.values() or words[1] == "--set"):
        ruleset.ipvs = ipvs
        return _edit(ipvs, [EDITS.get(words[1], words[1]), *words[2:]])
    flags = [word for word in words[1:] if word.startswith("-")]
    short = "".join(word[1:] for word in flags if not word.startswith("--"))
    if words[0] == "ipvsadm-save" or "S" in short or "--save" in flags:
        return Printed(save_servers(ipvs))
    if "C" in short or "--clear" in flags:
        had = bool(ipvs.servers)
        ipvs.servers.clear()
        ipvs.turns.clear()
        ipvs.clients.clear()
        ipvs.dying.clear()
        return Printed(flushed=["ipvs"] if had else [])
    unknown = [
        word
        for word in flags
        if word.startswith("--")
        and word not in ("--stats", "--rate", "--numeric", "--list", "--connection", "--exact", "--sort", "--timeout")
    ]
    if unknown or set(short) - set("Llnc"):
        return Printed(err=f"ipvsadm: option {unknown[0] if unknown else '-' + (set(short) - set('Llnc')).pop()!r} is not simulated: -L -n --stats --rate -c --timeout -S -C -A -E -D -a -e -d --set\n", code=1)  # fmt: skip
    if "--timeout" in flags:
        return Printed(f"Timeout (tcp tcpfin udp): {' '.join(map(str, ipvs.timeouts))}\n")
    if "c" in short or "--connection" in flags:
        return Printed(_connections(kernel, ipvs, now))
    if "--stats" in flags or "--rate" in flags:
        return Printed(_stats(kernel, ipvs, "--rate" in flags, "--exact" in flags))
    return Printed(list_servers(ipvs, kernel.state.conntrack.by_server(now)))


def _edit(ipvs: Ipvs, words: list[str]) -> Printed:
    """One change, as ``ipvsadm-restore`` would read it."""
    verb, rest = words[0], words[1:]
    if verb == "--set":
        if len(rest) != 3 or not all(word.isdigit() for word in rest):
            return Printed(err="ipvsadm: --set takes three numbers of seconds: tcp tcpfin udp\n", code=2)
        ipvs.timeouts = tuple(int(new) or old for new, old in zip(rest, ipvs.timeouts, strict=True))
        return Printed()
    scratch = Ipvs()
    try:
        if verb in ("-A", "-E", "-D"):
            apply_line(scratch, 1, " ".join(["-A", *rest]))
        else:
            apply_line(scratch, 1, " ".join(["-A", *rest[:2]]))
            apply_line(scratch, 1, " ".join(["-a", *rest]))
    except ParseError as error:
        return Printed(err=f"ipvsadm: {error.reason}\n", code=2)
    (wanted,) = scratch.servers.values()
    there = ipvs.servers.get(wanted.key)
    if verb == "-A" and there is not None:
        return Printed(err="Service already exists\n", code=255)
    if verb != "-A" and there is None:
        return Printed(err=f"{'No such service' if verb in ('-E', '-D') else 'Service not defined'}\n", code=255)
    if there is None or verb == "-A":
        ipvs.servers[wanted.key] = wanted
    elif verb == "-E":
        there.scheduler, there.persistent, there.flags = wanted.scheduler, wanted.persistent, wanted.flags
    elif verb == "-D":
        del ipvs.servers[wanted.key]
        ipvs.dying = {one: None for one in ipvs.dying if one[0] != wanted.key}
    else:
        (real,) = wanted.servers.values()
        if (verb == "-a") == (real.target in there.servers):
            return Printed(err=f"{'Destination already exists' if verb == '-a' else 'No such destination'}\n", code=255)
        if verb == "-d":
            del there.servers[real.target]
            ipvs.dying.pop((wanted.key, real.target), None)
        else:
            there.servers[real.target] = real
    return Printed()


def _stats(kernel: Any, ipvs: Ipvs, rate: bool, exact: bool) -> str:
    heads = (
        ("CPS", "InPPS", "OutPPS", "InBPS", "OutBPS") if rate else ("Conns", "InPkts", "OutPkts", "InBytes", "OutBytes")
    )
    text = HEAD + f"{'Prot LocalAddress:Port':<33}" + "".join(f" {head:>8}" for head in heads)
    text += "\n  -> RemoteAddress:Port\n"
    none = (0, 0, 0, 0, 0)
    for server in sorted_servers(ipvs):
        name = f"{server.protocol} {server.ip}:{server.port}"
        rows = [(real.target, kernel.state.served.get(f"{name} {real.target}", none)) for real in sorted_reals(server)]
        whole = tuple(sum(row[1][n] for row in rows) for n in range(5))
        text += _stat(f"{server.protocol.upper():<4} {place(server.ip, server.port)}", none if rate else whole, exact)
        for target, counts in rows:
            text += _stat(f"  -> {target:<28}", none if rate else counts, exact)
    return text


def _stat(name: str, counts: tuple[int, ...], exact: bool) -> str:
    return f"{name:<33}" + "".join(_large(value, exact) for value in counts) + "\n"


LARGE = ((10**14, "T", 10**12), (10**11, "G", 10**9), (10**9, "M", 10**6), (10**8, "K", 1000))
"""From what number on it is printed in which unit."""


def _large(value: int, exact: bool) -> str:
    """A number in nine places."""
    for least, unit, size in () if exact else LARGE:
        if value >= least:
            return f"{value // size:>8}{unit}"
    return f" {value:>8}"


def _connections(kernel: Any, ipvs: Ipvs, now: int) -> str:
    lines = ["IPVS connection entries", "pro expire state       source             virtual            destination"]
    tcp, fin, udp = ipvs.timeouts
    kept = {"ESTABLISHED": tcp, "SYN_RECV": SYN_RECV, "UDP": udp}
    for flow in kernel.state.conntrack.translated(now):
        o, r = flow.original, flow.reply
        state = "UDP" if o.protocol == "udp" else "SYN_RECV" if flow.state == "SYN_SENT" else flow.state
        last = flow.expires - TIMEOUTS.get((o.protocol, flow.state), 0)
        left = (last - now) // 1_000_000_000 + kept.get(state, fin)
        if left < 0:  # conntrack remembers it longer
            continue
        lines.append(
            f"{o.protocol.upper():<3} {f'{left // 60:02}:{left % 60:02}':<6} {state:<11} {place(o.src, o.sport):<18} "
            f"{place(o.dst, o.dport):<18} {place(r.src, r.sport)}"
        )
    return "\n".join(lines) + "\n"


def _references(ruleset: Ruleset) -> dict[str, int]:
    found: dict[str, int] = {}
    for chains in ruleset.tables.values():
        for chain in chains.values():
            for rule in chain.rules:
                for match in rule.matches:
                    if isinstance(match, SetMatch):
                        found[match.name] = found.get(match.name, 0) + 1
    return found


def _ipset(ruleset: Ruleset, words: list[str]) -> Printed:
    as_saved = False
    for option in ("-o", "-output", "--output"):
        if option in words[:-1]:
            at = words.index(option)
            as_saved = words[at + 1] == "save"
            words = words[:at] + words[at + 2 :]
    command, names = (words[0] if words else "help"), [word for word in words[1:] if not word.startswith("-")]
    terse = any(word in ("-t", "-terse", "--terse") for word in words)
    only_names = any(word in ("-n", "-name", "--name") for word in words)
    if names and names[0] not in ruleset.sets and command in ("list", "-L", "save", "flush", "destroy", "-F", "-X"):
        return Printed(err="ipset v7.17: The set with the given name does not exist\n", code=1)
    sets = {name: found for name, found in ruleset.sets.items() if not names or name == names[0]}
    uses = _references(ruleset)
    match command:
        case "list" | "-L":
            if only_names:
                return Printed("".join(f"{name}\n" for name in sets))
            return Printed(save_sets(sets) if as_saved else list_sets(sets, uses, terse=terse))
        case "save" | "-S":
            return Printed(save_sets(sets))
        case "flush" | "-F":
            for found in sets.values():
                found.entries.clear()
            return Printed(flushed=["ipvs"] if sets else [])
        case "destroy" | "-X":
            if any(uses.get(name) for name in sets):
                return Printed(err="ipset v7.17: Set cannot be destroyed: it is in use by a kernel component\n", code=1)
            for name in sets:
                del ruleset.sets[name]
            return Printed(flushed=["ipvs"] if sets else [])
        case "version" | "-v" | "--version":
            return Printed("ipset v7.17, protocol version: 7\n")
        case "test" if names:
            return _test(ruleset, names)
    return Printed(err=f"ipset v7.17: {command!r} is not simulated: list, save, test, flush, destroy\n", code=1)


def _test(ruleset: Ruleset, names: list[str]) -> Printed:
    found = ruleset.sets.get(names[0])
    if found is None or len(names) < 2:
        return Printed(err="ipset v7.17: The set with the given name does not exist\n", code=1)
    try:
        held = contains(found, names[1])
    except ParseError as error:
        return Printed(err=f"ipset v7.17: Syntax error: {error.reason}\n", code=1)
    if held:
        return Printed(err=f"Warning: {names[1]} is in set {names[0]}.\n")
    return Printed(err=f"{names[1]} is NOT in set {names[0]}.\n", code=1)
