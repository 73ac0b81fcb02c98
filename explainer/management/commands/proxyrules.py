"""``manage.py proxyrules --node NAME < objects.yaml``: the rules kube-proxy on that node would write. No server needed."""

import sys
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandError, CommandParser

from cluster.kubeproxy.offline import options_for, proxyrules, read_objects


def boolean(text: str) -> bool:
    """true/false in the usual spellings."""
    if text.lower() in ("true", "1", "yes", "on", ""):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise ValueError(text)


class Command(BaseCommand):
    help = "Prints the rules that kube-proxy on a node would write, from Nodes, Services and EndpointSlices on stdin."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--node", default="", help="the node's name: decides which endpoints are local")
        parser.add_argument("--config", metavar="FILE", help="a KubeProxyConfiguration document")
        parser.add_argument(
            "--mode", default="", help="iptables, ipvs, nftables, or userspace for history; others are refused by name"
        )
        parser.add_argument(
            "--node-ip", action="append", nargs="+", default=[], metavar="IP",
            help="an address of the node's interfaces, the primary one first (default: those of the Node object)",
        )  # fmt: skip
        parser.add_argument("--family", type=int, choices=(4, 6), default=4)
        parser.add_argument("--random-fully", type=boolean, nargs="?", const=True, default=True, metavar="BOOL")
        parser.add_argument("--nfacct", type=boolean, nargs="?", const=True, default=True, metavar="BOOL")
        parser.add_argument("--base-jumps", action="store_true", help="add the jumps from the built-in chains")
        parser.add_argument("--previous", metavar="FILE", help="the objects of the last sync: print a partial sync")

    def handle(self, *args: Any, **given: Any) -> None:
        try:
            text = sys.stdin.read()
            config = configuration(Path(given["config"]).read_text()) if given["config"] else {}
            options = options_for(
                read_objects(text),
                node=given["node"],
                config=config,
                mode=given["mode"],
                family=given["family"],
                node_ips=tuple(ip for group in given["node_ip"] for ip in group),
                random_fully=given["random_fully"],
                nfacct=given["nfacct"],
            )
            previous = Path(given["previous"]).read_text() if given["previous"] else None
            self.stdout.write(proxyrules(text, options, previous=previous, jumps=given["base_jumps"]), ending="")
        except (ValueError, OSError, yaml.YAMLError) as error:
            raise CommandError(str(error)) from None


def configuration(text: str) -> dict[str, Any]:
    """The KubeProxyConfiguration in a file: the document itself, or the ``kube-proxy`` ConfigMap that carries it."""
    for doc in yaml.safe_load_all(text):
        if isinstance(doc, dict) and doc.get("kind") == "ConfigMap":
            inner = yaml.safe_load((doc.get("data") or {}).get("config.conf") or "null")
            if isinstance(inner, dict):
                return inner
        elif isinstance(doc, dict) and doc.get("kind", "KubeProxyConfiguration") == "KubeProxyConfiguration":
            return doc
    raise ValueError("no KubeProxyConfiguration in the file given to --config")
