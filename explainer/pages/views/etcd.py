"""The etcd page: members, roles, logs, quorum."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from explainer.fragments import particles, ring_drawing, words
from explainer.pages import context

from .common import asked_for, attempt, drawn_errors


@drawn_errors
async def etcd_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """Members, roles, logs, quorum."""
    frame = await context.frame(request, cluster, "etcd")
    rows = await attempt(frame, "members", [], log="full", since=0)
    rows = rows["members"] if isinstance(rows, dict) else rows
    rows = [dict(row) for row in rows]
    now = frame["clock"]["nowMicros"]
    members = ring_drawing.ring(rows, now)
    leader = next((m for m in members if m["shape"] == "leader"), None)
    data = {
        "frame": frame,
        "members": members,
        "links": ring_drawing.links(members),
        "quorum": ring_drawing.quorum(members),
        "logs": ring_drawing.logs(members, 14 if frame["screen"] else ring_drawing.SHOWN),
        "leader": leader,
        "size": ring_drawing.SIZE,
        "cell": ring_drawing.CELL,
        "term": max((m.get("term") or 0 for m in members), default=0),
        "roles": [(name, words.role(name)) for name in words.ROLES],
    }
    if leader:
        told = _("%(member)s leads in term %(term)s.") % {"member": leader["id"], "term": leader["term"]}
        data["caption"] = particles.settle(told)
    elif members:
        data["caption"] = _("Nobody leads. Writes wait.")
    if asked_for(request, "part") == "logs":
        return render(request, "etcd/live.html", data)
    return render(request, "etcd/page.html", data)
