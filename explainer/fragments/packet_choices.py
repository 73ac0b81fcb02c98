"""What one can send on the network page: from where, to which address of a Service, and the packet that the address bar means.

In → out: the ``network`` read model and the request's parameters in, select options and one packet out. ``to`` is ``address:port/protocol``; ``from`` a
pod's key, a node's name or an address from outside.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from . import names
from .whole import whole

OUTSIDE = "203.0.113.50"
"""A client out on the internet (TEST-NET-3, RFC 5737)."""


def service_of(services: list[dict[str, Any]], picked: str) -> dict[str, Any] | None:
    """Return the Service asked for; else one that a user made, else the first."""
    for service in services:
        if service["key"] == picked:
            return service
    own = [s for s in services if s["namespace"] != "kube-system" and s["key"] != "default/kubernetes"]
    return next((s for s in own if s["endpoints"]), (own or services or [None])[0])


def targets(service: dict[str, Any] | None, nodes: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return every address and port of a Service that one can send to."""
    out: list[dict[str, str]] = []
    if service is None:
        return out
    for port in service["ports"]:
        end = f"/{port['protocol']}"
        name = f" {port['name']}" if port["name"] else ""
        if "." in service["clusterIP"] or ":" in service["clusterIP"]:
            address = f"{service['clusterIP']}:{port['port']}"
            out.append({"value": address + end, "label": f"{address}{end.upper()}{name}", "kind": _("cluster IP")})
        for ip in service["loadBalancerIPs"]:
            out.append(
                {
                    "value": f"{ip}:{port['port']}{end}",
                    "label": f"{ip}:{port['port']}{end.upper()}{name}",
                    "kind": _("load balancer"),
                }
            )
        for ip in service["externalIPs"]:
            out.append(
                {
                    "value": f"{ip}:{port['port']}{end}",
                    "label": f"{ip}:{port['port']}{end.upper()}{name}",
                    "kind": _("external IP"),
                }
            )
        if port["nodePort"]:
            for node in nodes:
                address = f"{node['ip']}:{port['nodePort']}"
                out.append({"value": address + end, "label": f"{address} ({node['name']})", "kind": _("node port")})
    if service.get("healthCheckNodePort"):
        for node in nodes:
            address = f"{node['ip']}:{service['healthCheckNodePort']}"
            out.append({"value": f"{address}/tcp", "label": f"{address} ({node['name']})", "kind": _("health check")})
    return out


def typed(packet: dict[str, Any]) -> dict[str, str]:
    """Return what was typed instead of chosen, as an option that stands for it."""
    host = f"[{packet['dst']}]" if ":" in packet["dst"] else packet["dst"]
    return {"value": "", "label": f"{host}:{packet['port']}/{packet['protocol'].upper()}", "kind": _("typed")}


def sources(model: dict[str, Any], src: str = "") -> list[dict[str, Any]]:
    """Return who can send: pods, nodes, and a client from outside; in groups. ``src``: who was typed, if none of them."""
    pods = [p for p in model["pods"] if not p["terminating"]]
    pods.sort(key=lambda p: (p["key"].startswith("kube-system/"), p["node"], p["key"]))
    groups = [
        (
            _("Pods"),
            [{"value": p["key"], "label": f"{names.cut(p['key'].rpartition('/')[2], 26)} · {p['node']}"} for p in pods],
        ),
        (_("Nodes"), [{"value": n["name"], "label": f"{n['name']} ({n['ip']})"} for n in model["nodes"]]),
        (_("Outside"), [{"value": OUTSIDE, "label": _("a client outside (%(ip)s)") % {"ip": OUTSIDE}}]),
    ]
    if src and src not in {option["value"] for _label, options in groups for option in options}:
        groups.insert(0, (_("typed"), [{"value": src, "label": src}]))
    return [{"label": label, "options": options} for label, options in groups if options]


def packet(
    asked: dict[str, str], service: dict[str, Any] | None, model: dict[str, Any], to: list[dict[str, str]]
) -> dict[str, Any] | None:
    """Return ``{src, dst, port, protocol, custom}`` as the address bar means it, or None when there is nothing to send."""
    src = asked.get("src") or asked.get("from") or ""
    if not src:
        first = next(
            (p for p in model["pods"] if not p["terminating"] and not p["key"].startswith("kube-system/")), None
        )
        workers = [n["name"] for n in model["nodes"] if not n["name"].startswith("cp-")] or [
            n["name"] for n in model["nodes"]
        ]
        src = first["key"] if first else workers[0] if workers else ""
    if asked.get("dst"):
        port = whole(asked.get("port", ""), 5)
        protocol = asked.get("protocol", "tcp").lower()
        sane = protocol if protocol in ("tcp", "udp", "sctp") else "tcp"
        return {
            "src": src,
            "dst": asked["dst"],
            "port": port if port is not None and port < 65536 else 80,
            "protocol": sane,
            "custom": True,
            "to": "",
        }
    wanted = asked.get("to") or (to[0]["value"] if to else "")
    address, _slash, protocol = wanted.partition("/")
    host, _colon, port = address.rpartition(":")
    number = whole(port, 5)
    if not src or not host or number is None or number > 65535 or protocol not in ("tcp", "udp", "sctp"):
        return None
    return {
        "src": src,
        "dst": host.strip("[]"),
        "port": number,
        "protocol": protocol,
        "custom": bool(asked.get("src")),
        "to": wanted,
    }
