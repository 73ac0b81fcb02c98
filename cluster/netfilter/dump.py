"""Reads what a node prints of its kernel, all in one text: ``iptables-save``, ``ipset save`` and ``ipvsadm-save -n``, in any order.

Outside of a table (``*nat`` … ``COMMIT``) a line that begins with ``create`` or ``add`` is ipset's and ``-A -t 10.96.0.1:443 …`` is ipvsadm's. Every rule, set and server
knows its line in the whole text.

IPVS only sees packets for the node's own addresses. The dump doesn't say which those are, so the addresses of ``KUBE-IPVS-IPS`` (the set
that kube-proxy keeps of ``kube-ipvs0``'s), or without that set those of the virtual servers, are taken for the node's (``assumed`` says so).

In: text → out: a ``Ruleset`` with ``sets`` and ``ipvs``. Errors: ``ParseError`` with the line.
"""

from cluster.netfilter import ipset, ipvs
from cluster.netfilter.errors import ParseError
from cluster.netfilter.parse import restore
from cluster.netfilter.render import save
from cluster.netfilter.tables import Ruleset

ADDRESS_SETS = ("KUBE-IPVS-IPS", "KUBE-6-IPVS-IPS")


def parse_dump(text: str, family: int = 4) -> tuple[Ruleset, str]:
    """(the kernel, what was assumed)."""
    ruleset = Ruleset(family)
    servers = ipvs.Ipvs()
    rules: list[str] = []
    table, room = False, ipset.ELEMENTS_MAX
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        kept = raw
        if line.startswith("*"):
            table = True
        elif line == "COMMIT":
            table = False
        elif not table and line and line[0] != "#":
            kept = ""
            if line.split(None, 1)[0] in ipset.COMMANDS:
                room -= ipset.apply_line(ruleset.sets, number, line, room)
            elif ipvs.is_server_line(line):
                ipvs.apply_line(servers, number, line)
            else:
                kept = raw  # restore names what is wrong with it
        rules.append(kept)
    restore(ruleset, "\n".join(rules), noflush=True, lines=True)
    if not servers.servers:
        return ruleset, ""
    ruleset.ipvs = servers
    known = [s for name, s in ruleset.sets.items() if name in ADDRESS_SETS]
    if known:
        servers.addresses = dict.fromkeys(address for found in known for address in found.entries)
        return ruleset, "the addresses of the set KUBE-IPVS-IPS are taken for those of kube-ipvs0: the node's own"
    servers.addresses = dict.fromkeys(ip for ip, _, _ in servers.servers)
    return ruleset, "the addresses of the virtual servers are taken for the node's own"


def save_dump(ruleset: Ruleset) -> str:
    """The same as text: ``ipset save``, ``ipvsadm-save -n``, ``iptables-save``, each under a comment that names it."""
    parts = [f"# ipset save\n{ipset.save_sets(ruleset.sets)}"] if ruleset.sets else []
    if ruleset.ipvs is not None:
        parts.append(f"# ipvsadm-save -n\n{ipvs.save_servers(ruleset.ipvs)}")
    return "".join([*parts, f"# iptables-save\n{save(ruleset)}" if parts else save(ruleset)])


__all__ = ["ParseError", "parse_dump", "save_dump"]
