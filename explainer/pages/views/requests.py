"""The tracer: the waterfall list of requests, one request stage by stage, and two of them side by side."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from explainer.fragments import causes_view, compare_view, curl, document_view, names, trace_view, waterfall
from explainer.fragments.whole import whole
from explainer.pages import context
from explainer.pages.reads import Unreachable

from .common import ask, asked_for, attempt, drawn_errors, is_fragment, number

PAGE_SIZE = 100
MOST_ROWS = 400
"""Rows that one page shows; older ones are on a page of their own."""
TEXTS = ("verb", "code", "user", "namespace", "resource", "component", "initiator", "text", "sort")
SWITCHES = ("errors", "system")
CODES = ("2xx", "3xx", "4xx", "5xx", "wait", "201", "401", "403", "404", "409", "422")


@drawn_errors
async def requests_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """The waterfall list of requests, newest first."""
    part = asked_for(request, "part")
    frame = await context.frame(request, cluster, "requests") if not part else _bare(request, cluster)
    asked: dict[str, Any] = {key: asked_for(request, key)[:200] for key in TEXTS} | {
        key: asked_for(request, key) == "1" for key in SWITCHES
    }
    filters: dict[str, Any] = {key: value for key, value in asked.items() if value}
    for key in ("before", "since", "offset"):
        if (value := whole(asked_for(request, key), 15)) is not None:
            filters[key] = value
    filters["limit"] = min(max(number(request, "limit", PAGE_SIZE), 1), MOST_ROWS)
    answer: dict[str, Any] = {"rows": [], "matched": 0, "kept": 0, "more": 0, "facets": {}}
    problem = frame.get("problem", "")
    try:
        answer = await ask(frame, "request_list", **filters)
    except Unreachable:
        problem = problem or _("The simulation does not answer.")
    data = {"frame": frame, "problem": problem, "asked": asked, **listed(frame, answer, filters)}
    data |= _filters(asked, answer["facets"]) | _links(frame, asked)
    data["older"] = data["address"](**data["rest"])
    template = {"rows": "requests/rows.html", "": "requests/page.html"}.get(part, "requests/page.html")
    if is_fragment(request) and not part:
        template = "requests/list.html"
    return render(request, template, data)


def _bare(request: HttpRequest, cluster: str) -> dict[str, Any]:
    """The frame of a fragment: without the cluster's map and clock, which only a whole page shows."""
    return context.base(request, "requests") | {"cluster": cluster, "problem": ""}


def _links(frame: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Return the list's columns with the addresses that sort by them, and the one that takes all filters away."""
    query = {key: "1" if value is True else value for key, value in asked.items() if value}
    path = f"/clusters/{frame['cluster']}/requests/"

    def address(**more: Any) -> str:
        given = frame["kept"] | {key: value for key, value in (query | more).items() if value}
        return f"{path}?{urlencode(given)}" if given else path

    sort = asked["sort"] or "newest"
    named = {
        "code": _("answer"),
        "path": _("request"),
        "user": _("who"),
        "why": _("because of"),
        "size": _("size"),
        "took": _("took"),
    }
    columns = [
        {
            "class": {"user": "who", "size": "num size", "took": "num", "code": "answer"}.get(key, key),
            "label": label,
            "href": "" if key == "why" else address(sort=key),
            "sorted": ("ascending" if key in ("path", "user") else "descending") if sort == key else "",
        }
        for key, label in named.items()
    ]
    when = {"newest": "descending", "oldest": "ascending"}.get(sort, "")
    columns.append(
        {
            "class": "fall",
            "label": _("when"),
            "href": address(sort="oldest" if sort == "newest" else ""),
            "sorted": when,
        }
    )
    plain = f"{path}?{urlencode(frame['kept'])}" if frame["kept"] else path
    return {"columns": columns, "all": plain, "address": address}


def listed(frame: dict[str, Any], answer: dict[str, Any], filters: dict[str, Any]) -> dict[str, Any]:
    """Return what the list shows of an answer: rows with their bars on the shared axis, counts, where older ones are."""
    rows = answer["rows"]
    axis = waterfall.axis(rows)
    keep = f"?{urlencode(frame['kept'])}" if frame["kept"] else ""
    for row in rows:
        row |= {
            "href": f"/clusters/{frame['cluster']}/requests/{row['id']}/{keep}",
            "why_href": f"/clusters/{frame['cluster']}/requests/{row['initiator']}/{keep}",
            "parts_text": json.dumps(row["parts"], separators=(",", ":")),
            "size_text": names.size(row["size"]),
            "took": None if row.get("endMicros") is None else row["endMicros"] - row["startMicros"],
            "who": names.parted_user(trace_view.who(row)),
            "full_who": trace_view.who(row),
            "bar": waterfall.bar(axis, row),
            "address": names.parted(str(row["path"]).partition("?")[0], 24),
            "because_of": names.parted(row["because"], 12),
            "query": str(row["path"]).partition("?")[2],
        }
    newest = filters.get("sort", "newest") == "newest"
    last = rows[-1]["id"] if rows else 0
    older = {"before": last} if newest else {"offset": filters.get("offset", 0) + len(rows)}
    return {
        "rows": rows,
        "folds": waterfall.folds(axis),
        "first": min((row["startMicros"] for row in rows), default=0),
        "matched": answer["matched"],
        "kept": answer["kept"],
        "more": answer["more"] if rows else 0,
        "rest": older,
    }


def _filters(asked: dict[str, Any], facets: dict[str, Any]) -> dict[str, Any]:
    """Return the filter form's choices: what the kept requests have, and what is asked for even if none has it."""
    choices: dict[str, list[Any]] = {}
    for name in ("verb", "user", "namespace", "resource", "component"):
        rows = [list(pair) for pair in facets.get(name) or []]
        if asked[name] and all(value != asked[name] for value, _count in rows):
            rows.append([asked[name], 0])
        choices[name] = rows
    code = asked["code"]
    initiators = [["outside", _("asked from outside")], ["caused", _("caused by another request")]]
    if whole(asked["initiator"], 15) is not None:
        initiators.append([asked["initiator"], f"#{asked['initiator']}"])
    return {
        "choices": choices,
        "codes": [*CODES, *([code] if code and code not in CODES else [])],
        "initiators": initiators,
        "filtered": any(asked[key] for key in (*TEXTS, "errors") if key != "sort"),
        "hidden": sum(1 for key in ("user", "namespace", "resource", "component", "initiator") if asked[key]),
    }


# -- one request --------------------------------------------------------------------------------------------------


@drawn_errors
async def request_page(request: HttpRequest, cluster: str, request_id: int) -> HttpResponse:
    """One request, stage by stage."""
    part = asked_for(request, "part")
    frame = await context.frame(request, cluster, "requests") if not part else _bare(request, cluster)
    trace = await attempt(frame, "request", None, id=request_id)
    if trace is None:
        data = {"frame": frame, "request_id": request_id}
        return render(request, "requests/forgotten.html", data, status=404 if not frame["problem"] else 503)
    causes, count = causes_view.tree(trace, f"/clusters/{cluster}/requests")
    path = causes_view.critical(trace, causes)
    if trace.get("packet"):
        trace["packet"] = causes_view.packet(trace["packet"]) | {"href": f"/clusters/{cluster}/network/"}
    caused = {"frame": frame, "trace": trace, "causes": causes, "causes_count": count, "chain": path}
    caused["shares"] = causes_view.shares(path) if path is not None else []
    if part == "causes":
        return render(request, "requests/causes.html", caused)
    steps = trace_view.steps(trace)
    decided = trace_view.decided(trace)
    asked = whole(asked_for(request, "step"), 9)
    at = 0 if asked is None else min(max(asked, 1), max(len(steps), 1))
    if not at:
        at = _opened(steps, decided, trace)
    if part == "object":
        return render(request, "requests/object.html", {"frame": frame, "shown": _object(steps, at)})
    raw = trace.get("raw") or {}
    base = f"/clusters/{cluster}/requests"
    for row in trace.get("ancestors") or []:
        row["href"] = f"{base}/{row['id']}/"
    trace["why_href"] = f"{base}/{trace.get('initiator')}/"
    export = {"format": "otlp"} | ({"at": frame["at"]} if frame["at"] else {})
    address, _mark, query = str(trace.get("path", "")).partition("?")
    data = {
        **caused,
        "steps": steps,
        "at": at,
        "step": steps[at - 1] if steps else None,
        "shown": _object(steps, at),
        "decided": decided,
        "sentence": trace_view.sentence(trace),
        "raw": raw,
        "curl": curl.line(trace),
        "path": address,
        "query": query,
        "here": f"{base}/{request_id}/",
        "compare_path": f"{base}/compare/",
        "otlp": f"/api/clusters/{cluster}/requests/{request_id}?{urlencode(export)}",
        "what": trace_view.what(trace),
        "took": None if trace.get("endMicros") is None else trace["endMicros"] - trace["startMicros"],
        "previous": at - 1 if at > 1 else None,
        "next": at + 1 if at < len(steps) else None,
        "last": len(steps),
    }
    return render(request, "requests/trace.html", data)


def _opened(steps: list[dict[str, Any]], decided: dict[str, Any] | None, trace: dict[str, Any]) -> int:
    """Return the step that a trace opens at: the one that refused, else the one a request under way has reached, else the first."""
    if decided is not None:
        return next((step["number"] for step in steps if step["name"] == decided["name"]), 1)
    if trace.get("endMicros") is None and not trace.get("stream"):
        return max((step["number"] for step in steps if not step.get("ahead")), default=1)
    return 1


def _object(steps: list[dict[str, Any]], at: int) -> dict[str, Any]:
    """Return the object as it was after step ``at``, and since when it is so."""
    document, since, patch = trace_view.object_at(steps, at)
    changed = since == at
    return {
        "number": at,
        "sections": document_view.sections(document, patch if changed else None),
        "since": None if changed else since,
        "since_label": steps[since - 1]["label"] if since else "",
        "changed": len(patch) if changed else 0,
    }


# -- two requests -------------------------------------------------------------------------------------------------


@drawn_errors
async def compare(request: HttpRequest, cluster: str) -> HttpResponse:
    """Two requests side by side; without a second one, a choice of those that fit."""
    picked = (
        [asked_for(request, name) for name in ("a", "b")]
        if "pick" not in request.GET
        else request.GET.getlist("pick") or []
    )
    return await compare_page(request, cluster, [id for value in picked if (id := whole(value, 15)) is not None][:2])


async def compare_page(request: HttpRequest, cluster: str, ids: list[int]) -> HttpResponse:
    """See `compare`."""
    frame = await context.frame(request, cluster, "requests")
    found = await asyncio.gather(*(attempt(frame, "request", None, id=number) for number in ids))
    traces = [trace for trace in found if trace is not None]
    near = await attempt(frame, "nearest", None, id=traces[0]["id"]) if traces else None
    rows: list[dict[str, Any]] = (near or {}).get("rows") or []
    for row in rows:
        row["who"] = trace_view.who(row)
    data: dict[str, Any] = {
        "frame": frame,
        "a": traces[0] if traces else None,
        "b": traces[1] if len(traces) == 2 else None,
        "near": rows,
        "suggested": (near or {}).get("suggested", 0),
        "missing": [number for number, trace in zip(ids, found, strict=True) if trace is None],
    }
    base = f"/clusters/{cluster}/requests/"
    data |= {"list": base, "here": f"{base}compare/"}
    for name in ("a", "b"):
        if data[name] is not None:
            data[name]["href"] = f"{base}{data[name]['id']}/"
            data[f"sentence_{name}"] = trace_view.sentence(data[name])
    if data["b"] is not None:
        data |= compare_view.compare(data["a"], data["b"])
        for row in data["rows"]:
            row["cells"] = [row["left"], row["right"]]
            for side, step in zip(("a", "b"), row["cells"], strict=True):
                if step is not None:
                    step["href"] = data[side]["href"]
        data["facts"] = compare_view.facts(data["a"], data["b"])
        data["took"] = [names.span(compare_view.took(data[name])) for name in ("a", "b")]
    return render(request, "requests/compare.html", data, status=404 if ids and not traces else 200)
