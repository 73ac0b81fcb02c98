"""The list of clusters: each with a small picture of how it is now, branches under what they branched off, and a form for a new one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from explainer.fragments import names
from explainer.pages import context, reads

SHOWN_HOSTS = 6
BOX, GAP = 30, 6
DEEPEST = 4
"""Branches of branches are set in this far, and no farther."""


async def clusters_page(request: HttpRequest) -> HttpResponse:
    """Every cluster, and a new one."""
    problem, rows = "", []
    try:
        rows = await reads.clusters()
    except reads.Unreachable:
        problem = _("The clusters can't be listed at the moment: their store does not answer. Reload to try again.")
    frame = context.base(request, "clusters")
    data = {
        "frame": frame,
        "problem": problem,
        "rows": [described(row, depth) for row, depth in family(rows)],
        "modes": ("iptables", "ipvs", "nftables", "userspace"),
    }
    return render(request, "clusters/page.html", data, status=503 if problem else 200)


def family(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], int]]:
    """Return the clusters, branches after what they branched off, each with its depth."""
    by_name = {row["name"]: row for row in rows}
    children: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["name"] != "demo", row["name"])):
        parent = (row.get("parent") or {}).get("cluster", "")
        children.setdefault(parent if parent in by_name and parent != row["name"] else "", []).append(row)
    out: list[tuple[dict[str, Any], int]] = []

    def walk(name: str, depth: int) -> None:
        for row in children.pop(name, []):
            out.append((row, depth))
            walk(row["name"], min(depth + 1, DEEPEST))

    walk("", 0)
    for name in sorted(children):  # a circle can't be made, but an imported file may claim one
        walk(name, 0)
    return out


def described(row: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return what a card says of a cluster."""
    clock, model, parent = row.get("clock"), row.get("map"), row.get("parent")
    pods = (model or {}).get("pods", [])
    return {
        **row,
        "depth": depth,
        "state": state(clock, row.get("trouble", "")),
        "clock": clock,
        "speed": names.speed(clock["rate"]) if clock else "",
        "picture": picture(model) if model else None,
        "revision": (model or {}).get("revision"),
        "pods": len(pods),
        "pods_ready": sum(1 for pod in pods if pod["phase"] in ("Ready", "Succeeded")),
        "without": without(parent),
    }


def state(clock: dict[str, Any] | None, trouble: str) -> dict[str, str]:
    """Return the word and the outcome for how a cluster is."""
    if trouble:
        return {"word": _("broken"), "outcome": "error", "said": trouble}
    if clock is None:
        return {"word": _("does not answer"), "outcome": "wait"}
    if not clock.get("ready", True):
        return {"word": _("starting"), "outcome": "wait"}
    if clock.get("paused"):
        return {"word": _("paused"), "outcome": "skip"}
    return {"word": _("running"), "outcome": "ok"}


def without(parent: dict[str, Any] | None) -> str:
    """Return, in words, what a fork was made without."""
    left_out = (parent or {}).get("without") or {}
    if "request" in left_out:
        return _("without request %(id)s") % {"id": left_out["request"]}
    if "input" in left_out:
        return _("without one act")
    return _("without one message") if left_out else ""


def picture(model: dict[str, Any]) -> dict[str, Any]:
    """Return boxes of a small drawing: control-plane hosts above, workers below, in each the number of its pods."""
    pods: dict[str, int] = {}
    for pod in model.get("pods", ()):
        pods[pod.get("node", "")] = pods.get(pod.get("node", ""), 0) + 1
    ready = {node["name"]: node["ready"] for node in model.get("nodes", ())}
    boxes, widest, more = [], 0, 0
    for y, roles in enumerate((("control-plane", "etcd"), ("worker",))):
        hosts = [host for host in model.get("hosts", ()) if host["role"] in roles]
        more += max(len(hosts) - SHOWN_HOSTS, 0)
        for x, host in enumerate(hosts[:SHOWN_HOSTS]):
            widest = max(widest, x + 1)
            leads = any(
                process["kind"] == "etcd" and process.get("status", {}).get("role") == "leader"
                for process in host["processes"]
            )
            boxes.append(
                {
                    "name": host["name"],
                    "x": x * (BOX + GAP) + 1,
                    "y": y * (BOX + GAP) + 1,
                    "state": "down" if not host["up"] else "paused" if host["paused"] else "",
                    "ready": ready.get(host["name"], True),
                    "leads": leads,
                    "control": y == 0,
                    "pods": pods.get(host["name"], 0),
                }
            )
    return {
        "boxes": boxes,
        "width": widest * (BOX + GAP),
        "height": 2 * (BOX + GAP) - GAP + 2,
        "box": BOX,
        "more": more,
    }
