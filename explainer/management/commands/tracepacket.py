"""``manage.py tracepacket --rules FILE --src IP --dst IP --protocol tcp --port N``: a packet's walk through any node's rules.

The text is ``iptables-save``, ``nft list ruleset``, or in IPVS mode ``iptables-save``, ``ipset save`` and ``ipvsadm-save -n`` one after the other in any order.
"""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from cluster.kubeproxy.offline import tracepacket


class Command(BaseCommand):
    help = "Walks the first packet of a connection through rule text: every rule that catches it, every endpoint it can reach."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rules",
            required=True,
            metavar="FILE",
            help="text of iptables-save or nft list ruleset, or of iptables-save, ipset save and ipvsadm-save -n together; - is stdin",
        )
        parser.add_argument("--src", required=True, metavar="IP")
        parser.add_argument("--dst", required=True, metavar="IP")
        parser.add_argument("--protocol", default="tcp", type=str.lower, choices=("tcp", "udp", "sctp"))
        parser.add_argument("--port", required=True, type=int)
        parser.add_argument(
            "--node-ip", action="append", nargs="+", default=[], metavar="IP", help="an address of the node itself"
        )
        parser.add_argument("--in-interface", metavar="NAME", help="where it arrives, for rules that ask")
        parser.add_argument("--out-interface", metavar="NAME", help="where it leaves, for rules that ask")
        parser.add_argument("--all-rules", action="store_true", help="also list the rules that did not match")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            text = sys.stdin.read() if given["rules"] == "-" else Path(given["rules"]).read_text()
            walk = tracepacket(
                text,
                src=given["src"],
                dst=given["dst"],
                protocol=given["protocol"],
                port=given["port"],
                node_ips=tuple(ip for group in given["node_ip"] for ip in group),
                in_interface=given["in_interface"],
                out_interface=given["out_interface"],
                tried=given["all_rules"],
            )
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from None
        if given["json"]:
            self.stdout.write(json.dumps(walk, indent=2))
        else:
            self.stdout.write(readable(walk))
        for unknown in walk.get("unknown", ()):
            self.stderr.write(unknown)
        if walk["verdict"] is None:
            raise SystemExit(1)


def readable(walk: dict[str, Any]) -> str:
    """The walk for a person: one line a step, then where it ends."""
    lines = [walk["assumed"]] if "assumed" in walk else []
    for step in walk["steps"]:
        chance = "" if step["probability"] == 1 else f" (p={step['probability']:.4g})"
        lines.append(f"{step['hook']:<11} {step['table']:<6} line {step['line']:>4}  {step['rule']}")
        lines.append(f"{'':<18} {'':>9}  → {step['outcome']}{chance}")
    lines.append(f"verdict: {walk['verdict'] or 'cannot be told'}" + (", masqueraded" if walk["masquerade"] else ""))
    for outcome in walk["outcomes"]:
        if outcome["endpoint"]:
            lines.append(f"  {outcome['endpoint']}  p={outcome['probability']:.4g}")
    return "\n".join(lines)
