"""The tracer: the waterfall list of requests, and one request stage by stage."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from explainer.fragments import trace_view
from explainer.pages import context
from explainer.pages.reads import Unreachable

from .common import ask, asked_for, attempt, drawn_errors, is_fragment

PAGE_SIZE = 100


@drawn_errors
async def requests_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """The waterfall list of requests, newest first."""
    frame = await context.frame(request, cluster, "requests")
    asked = {key: asked_for(request, key) for key in ("verb", "code", "user")}
    system = asked_for(request, "system") == "1"
    args: dict[str, Any] = {"limit": PAGE_SIZE, "system": system}
    args |= {key: asked[key] for key in ("verb", "user") if asked[key]}
    if asked["code"].isdigit():
        args["code"] = int(asked["code"])
    rows, problem = [], frame["problem"]
    try:
        rows = await ask(frame, "requests", **args)
    except Unreachable:
        problem = problem or _("The simulation does not answer.")
    rows = rows["requests"] if isinstance(rows, dict) else rows
    longest = (
        max(
            (
                (row.get("endMicros") or row["startMicros"]) - row["startMicros"]
                for row in rows
                if not row.get("stream")
            ),
            default=1,
        )
        or 1
    )
    for row in rows:
        took = None if row.get("endMicros") is None else row["endMicros"] - row["startMicros"]
        row |= {
            "took": took,
            "who": trace_view.who(row),
            "what": trace_view.what(row),
            "w": f"{max(100 * min((took or 0) / longest, 1), 1):.1f}%",
        }
    verbs = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
    data = {
        "frame": frame,
        "rows": rows,
        "asked": asked,
        "system": system,
        "verbs": verbs,
        "problem": problem,
        "filtered": any(asked.values()),
    }
    template = "requests/rows.html" if is_fragment(request) else "requests/page.html"
    return render(request, template, data)


@drawn_errors
async def request_page(request: HttpRequest, cluster: str, request_id: int) -> HttpResponse:
    """One request, stage by stage."""
    frame = await context.frame(request, cluster, "requests")
    trace = await attempt(frame, "request", None, id=request_id)
    if trace is None:
        data = {"frame": frame, "request_id": request_id}
        return render(request, "requests/forgotten.html", data, status=404 if not frame["problem"] else 503)
    steps = trace_view.steps(trace)
    causes, count = trace_view.tree(trace)
    if asked_for(request, "part") == "causes":
        return render(request, "requests/causes.html", {"frame": frame, "causes": causes, "causes_count": count})
    asked = asked_for(request, "step")
    at = min(max(int(asked), 1), max(len(steps), 1)) if asked.isdigit() else 0
    decided = trace_view.decided(trace)
    if not at:
        at = next((step["number"] for step in steps if decided is not None and step["name"] == decided["name"]), 1)
    raw = trace.get("raw") or trace
    data = {
        "frame": frame,
        "trace": trace,
        "steps": steps,
        "at": at,
        "step": steps[at - 1] if steps else None,
        "causes": causes,
        "causes_count": count,
        "decided": decided,
        "sentence": trace_view.sentence(trace),
        "raw": raw,
        "path": str(trace.get("path", "")).partition("?")[0],
        "query": str(trace.get("path", "")).partition("?")[2],
        "what": trace_view.what(trace),
        "took": None if trace.get("endMicros") is None else trace["endMicros"] - trace["startMicros"],
        "previous": at - 1 if at > 1 else None,
        "next": at + 1 if at < len(steps) else None,
        "last": len(steps),
    }
    return render(request, "requests/trace.html", data)
