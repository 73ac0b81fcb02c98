"""The network page: one Service in a node's rules, and a packet through them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from explainer.fragments import rules_view
from explainer.pages import context

from .common import asked_for, attempt, drawn_errors

MODES = ("iptables", "nftables")


@drawn_errors
async def network_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """One Service in a node's rules, and a packet through them."""
    frame = await context.frame(request, cluster, "network")
    model = frame["model"] or {}
    services, nodes = model.get("services", []), model.get("nodes", [])
    node = asked_for(request, "node") or next(
        (n["name"] for n in nodes if not n["name"].startswith("cp-")), nodes[0]["name"] if nodes else ""
    )
    picked = asked_for(request, "service")
    service = next(
        (s for s in services if f"{s['namespace']}/{s['name']}" == picked), services[0] if services else None
    )
    proxies = await attempt(frame, "nodes", [])
    own = next((row.get("mode", "") for row in proxies if row["node"] == node), "") or MODES[0]
    mode = asked_for(request, "mode") if asked_for(request, "mode") in MODES else own
    text = await attempt(frame, "rules", "", node=node, **({} if mode == own else {"mode": mode})) if node else ""
    text = text.get("text", "") if isinstance(text, dict) else text
    rows = rules_view.lines(text)
    concerned = rules_view.about(rows, service)
    for row in rows:
        row["concerned"] = row["number"] in concerned
    pods = [p for p in model.get("pods", []) if p.get("ip") and p["namespace"] != "kube-system"] or [
        p for p in model.get("pods", []) if p.get("ip")
    ]
    port = ""
    if service and service.get("ports"):
        first = service["ports"][0]
        port = str(first["port"]) if isinstance(first, dict) else str(first).partition("/")[0]
    data = {
        "frame": frame,
        "services": services,
        "service": service,
        "nodes": nodes,
        "node": node,
        "rows": rows,
        "mode": mode,
        "own": own,
        "modes": MODES,
        "tool": {"iptables": "iptables-save", "nftables": "nft list ruleset"}[mode],
        "pods": pods,
        "port": port,
        "concerned": len(concerned),
        "ports": _ports(service),
    }
    return render(request, "network/page.html", data)


def _ports(service: dict[str, Any] | None) -> str:
    ports = (service or {}).get("ports") or []
    return ", ".join(f"{p['port']}/{p.get('protocol', 'TCP')}" if isinstance(p, dict) else str(p) for p in ports)
