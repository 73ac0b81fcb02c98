"""``ipvsadm`` (``-L -n --stats --rate -c -S -C``) and ``ipset`` (``list``, ``save``, ``flush``, ``destroy``).

Counters are of what really went through (a packet is 60 bytes here), connections those of the node's conntrack; rates are not kept.

Upstream: ipvsadm 1.31, ipset 7.17 (texts).
"""

from typing import Any

from cluster.netfilter.ipset import list_sets, save_sets
from cluster.netfilter.ipvs import Ipvs, list_servers, save_servers
from cluster.netfilter.rules import SetMatch
from cluster.netfilter.tables import Ruleset
from cluster.node.tools import Printed

NAMES = ("ipvsadm", "ipvsadm-save", "ipset")
HEAD = "IP Virtual Server version 1.2.1 (size=4096)\n"


def run(kernel: Any, words: list[str], stdin: str, now: int) -> Printed:
    ruleset: Ruleset = kernel.state.tables.current().ruleset
    if words[0] == "ipset":
        return _ipset(ruleset, words[1:])
    if not kernel.state.modules.get("ip_vs", kernel.config.ipvs):
        return Printed(err="Can't initialize ipvs: Protocol not available\nAre you sure that IP Virtual Server is built in the kernel or as module?\n", code=1)  # fmt: skip
    ipvs = ruleset.ipvs or Ipvs()
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
        if word.startswith("--") and word not in ("--stats", "--rate", "--numeric", "--list", "--connection", "--exact")
    ]
    if unknown or set(short) - set("Llnc"):
        return Printed(err=f"ipvsadm: option {unknown[0] if unknown else '-' + (set(short) - set('Llnc')).pop()!r} is not simulated: -L -n --stats --rate -c -S -C\n", code=1)  # fmt: skip
    if "c" in short or "--connection" in flags:
        return Printed(_connections(kernel, now))
    if "--stats" in flags or "--rate" in flags:
        return Printed(_stats(kernel, ipvs, "--rate" in flags))
    return Printed(list_servers(ipvs, kernel.state.conntrack.by_server(now)))


def _stats(kernel: Any, ipvs: Ipvs, rate: bool) -> str:
    heads = (
        ("CPS", "InPPS", "OutPPS", "InBPS", "OutBPS") if rate else ("Conns", "InPkts", "OutPkts", "InBytes", "OutBytes")
    )
    text = (
        HEAD
        + f"{'Prot LocalAddress:Port':<33} "
        + " ".join(f"{head:>{7 if n < 3 else 8}}" for n, head in enumerate(heads))
        + "\n  -> RemoteAddress:Port\n"
    )
    none = (0, 0, 0, 0, 0)
    for server in ipvs.servers.values():
        name = f"{server.protocol} {server.ip}:{server.port}"
        rows = [
            (real.target, kernel.state.served.get(f"{name} {real.target}", none)) for real in server.servers.values()
        ]
        whole = tuple(sum(row[1][n] for row in rows) for n in range(5))
        text += _stat(f"{server.protocol.upper():<4} {server.ip}:{server.port}", none if rate else whole)
        for target, counts in rows:
            text += _stat(f"  -> {target}", none if rate else counts)
    return text


def _stat(name: str, counts: tuple[int, ...]) -> str:
    return f"{name:<33} " + " ".join(f"{_amount(value):>{7 if n < 3 else 8}}" for n, value in enumerate(counts)) + "\n"


def _amount(number: int) -> str:
    """As ipvsadm shortens: at most eight digits, then K, M, G (``print_largenum``)."""
    if number < 100_000_000:
        return str(number)
    for unit, size in (("K", 1_000), ("M", 1_000_000), ("G", 1_000_000_000)):
        if number < 100_000 * size * 1_000:
            return f"{number // size}{unit}"
    return f"{number // 1_000_000_000_000}T"


def _connections(kernel: Any, now: int) -> str:
    lines = ["IPVS connection entries", "pro expire state       source             virtual            destination"]
    for flow in kernel.state.conntrack.translated(now):
        left = max(0, flow.expires - now) // 1_000_000_000
        o, r = flow.original, flow.reply
        lines.append(
            f"{o.protocol.upper():<3} {left // 60:02}:{left % 60:02}  {flow.state:<11} {o.src + ':' + str(o.sport):<18} "
            f"{o.dst + ':' + str(o.dport):<18} {r.src + ':' + str(r.sport):<18}".rstrip()
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
    command, names = (words[0] if words else "help"), [word for word in words[1:] if not word.startswith("-")]
    only_names = any(word in ("-n", "-name", "--name") for word in words)
    if names and names[0] not in ruleset.sets and command in ("list", "-L", "save", "flush", "destroy", "-F", "-X"):
        return Printed(err="ipset v7.17: The set with the given name does not exist\n", code=1)
    sets = {name: found for name, found in ruleset.sets.items() if not names or name == names[0]}
    uses = _references(ruleset)
    match command:
        case "list" | "-L":
            return Printed("".join(f"{name}\n" for name in sets) if only_names else list_sets(sets, uses))
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
    return Printed(err=f"ipset v7.17: {command!r} is not simulated: list, save, flush, destroy\n", code=1)
