"""The presenter's window: what the projector shows, what comes next, notes, the wall clock, and where to send the projector.

The server draws its frame only; what the projector shows is told by the projector's own window (static/js/stagehand.js).
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from explainer.pages import context

from .common import attempt, drawn_errors

RECENT = 12


@drawn_errors
async def presenter_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """The window on the presenter's own screen."""
    frame = await context.frame(request, cluster, "presenter")
    if frame["screen"]:  # this is the window on the other screen
        frame |= {"screen": False, "theme": "auto"}
    rows = await attempt(frame, "requests", [], limit=RECENT)
    rows = rows["requests"] if isinstance(rows, dict) else rows
    return render(request, "presenter/page.html", {"frame": frame, "rows": rows[:RECENT]})
