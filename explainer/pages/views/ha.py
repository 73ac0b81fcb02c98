"""The HA page: who carries the control plane, what it may still lose, what still works, and what other layouts would cost."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from explainer.fragments import availability, ha_caption, ha_drawing, works_view
from explainer.fragments.ring_drawing import MARKS
from explainer.pages import context, reads

from .common import asked_for, attempt, drawn_errors

REAL_ETCD = {
    1: {"disk": 0.93, "ram": 0.37, "bytes": 0},
    3: {"disk": 1.94, "ram": 0.77, "bytes": 797},
    5: {"disk": 3.01, "ram": 1.16, "bytes": 1590},
    7: {"disk": 3.01, "ram": 1.59, "bytes": 2396},
}
"""Not ours: a real etcd 3.4.23 (Debian, Go 1.19.8), all members on one virtual machine with 2 processors, puts of 256 B by one client through the JSON
gateway, recorded on 23 November 2026: median of a put in ms with files on a virtual disk and on tmpfs, bytes that the leader sends per put."""
EMPTY: dict[str, Any] = {"hosts": [], "apiservers": [], "backends": [], "members": [], "leases": [], "topology": "", "bare": False,
                         "quorum": {"voters": 0, "need": 0, "alive": 0, "have": 0, "mayLose": 0, "leader": ""}}  # fmt: skip


@drawn_errors
async def ha_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """The page, or one ``part`` of it: ``live``, ``works``, ``cost``, ``certificates``. ``with``: another cluster beside it."""
    frame = await context.frame(request, cluster, "ha")
    part = asked_for(request, "part")
    if part == "works":
        return render(request, "ha/works.html", {"frame": frame, "side": await _works(frame, asked_for(request, "of"))})
    if part == "cost":
        return render(request, "ha/cost.html", {"frame": frame, "rows": await _cost(frame)})
    if part == "certificates":
        rows = await attempt(frame, "certificates", [])
        return render(request, "ha/certificates.html", {"frame": frame, "rows": rows})
    other = asked_for(request, "with")
    sides = [_side(frame["cluster"], await attempt(frame, "ha", EMPTY), frame["at"], frame["screen"])]
    if other and other != cluster:
        sides.append(_side(other, await _other(other), "", frame["screen"]))
    data: dict[str, Any] = {
        "frame": frame,
        "sides": sides,
        "other": other if len(sides) > 1 else "",
        "now": sides[0]["now"],
    }
    if part == "live":
        return render(request, "ha/live.html", data)
    ha = sides[0]["ha"]
    data |= {
        "choices": [name for name in await reads.known() if name != cluster],
        "rate": 1.0,
        "sizes": [{**row, "said": _percent(row["down"])} for row in availability.rows(0.01)],
        "layouts": [{**row, "said": _percent(row["down"])} for row in availability.layouts(_layout(ha), 0.01)],
        "wish": "external" if ha["topology"] == "stacked" else "stacked",
        "servers": len(ha["apiservers"]),
        "members": len(ha["members"]),
        "proposed": f"{cluster[:30]}-{'external' if ha['topology'] == 'stacked' else 'stacked'}"[:40],
    }
    return render(request, "ha/page.html", data)


def _percent(share: Any) -> str:
    """Return a probability as a percentage; static/js/ha.js writes the same while the slider moves."""
    return f"{100 * max(float(share), 0.0):.3g} %"


async def _other(cluster: str) -> dict[str, Any]:
    try:
        return await reads.read(cluster, "ha")
    except (reads.Unreachable, reads.Missing):
        return EMPTY


def _side(cluster: str, ha: dict[str, Any], at: str, screen: bool) -> dict[str, Any]:
    """Return everything that is drawn of one cluster."""
    quorum, formed = ha["quorum"], ha.get("clusters") or []
    spare = ha_drawing.may_lose_hosts(ha)
    cells = [{"up": n < quorum["have"], "need": n < quorum["need"]} for n in range(quorum["voters"])]
    return {
        "cluster": cluster,
        "at": at,
        "ha": ha,
        "releases": _releases(ha),
        "picture": ha_drawing.drawing(ha, screen),
        "quorum": {**quorum, "cells": cells, "short": max(quorum["need"] - quorum["have"], 0)},
        "clusters": [{**one, "mark": MARKS[n % len(MARKS)]} for n, one in enumerate(formed)] if len(formed) > 1 else [],
        "hosts_may_fail": spare,
        "now": ha_caption.now(ha, spare),
        "topology": _("etcd alone")
        if not ha["apiservers"]
        else _("stacked etcd")
        if ha["topology"] == "stacked"
        else _("external etcd"),
    }


def _releases(ha: dict[str, Any]) -> dict[str, Any]:
    """Return the releases with a row of versions a host, in the order of the table's columns."""
    found = ha.get("releases") or {"hosts": []}
    parts = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
    rows = [
        {**row, "tags": [*(row["parts"].get(part, "") for part in parts), row["kubelet"]]} for row in found["hosts"]
    ]
    return {**found, "hosts": rows}


def _layout(ha: dict[str, Any]) -> tuple[int, int, int]:
    """Return (hosts with an apiserver and a member, with an apiserver alone, with a member alone)."""
    servers = {row["host"] for row in ha["apiservers"]}
    members = {row["host"] for row in ha["members"]}
    return len(servers & members), len(servers - members), len(members - servers)


async def _works(frame: dict[str, Any], of: str) -> dict[str, Any]:
    """Return the checklist of this cluster, or of the one beside it (``of``), which is always shown as it is now."""
    cluster = of or frame["cluster"]
    try:
        found = await reads.read(cluster, "works", at="" if of else frame["at"])
    except (reads.Unreachable, reads.Missing):
        return {"cluster": cluster, "lines": [], "problem": True}
    return {"cluster": cluster, "lines": works_view.lines(found["lines"]), "ran": found["ranMicros"], "problem": False}


async def _cost(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a write costs by size, simulated and as real etcd was measured."""
    rows = await attempt(frame, "write_cost", [])
    most = max((row["p50Micros"] for row in rows), default=1)
    return [{**row, "bar": round(100 * row["p50Micros"] / most), "real": REAL_ETCD.get(row["members"])} for row in rows]
