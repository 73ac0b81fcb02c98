"""The map page and its inspector.

``?select=`` opens a thing in the inspector (``?tab=`` its YAML, Events, conditions or requests), ``?view=x,y,zoom`` shows a part of the sheet,
``?find=`` lists what has such a name. ``?part=`` answers a piece of the page to its script: ``drawing``, ``inspector``, ``summary`` as HTML,
``flights``, ``cells``, ``pods``, ``find``, ``hosts`` as JSON. The cookie ``sheet`` says how large the picture's place was last time.
"""

from __future__ import annotations

import math
from typing import Any

import yaml
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from explainer.fragments import map_drawing, map_field, trace_view
from explainer.pages import context

from .common import asked_for, attempt, drawn_errors

TABS = ("overview", "yaml", "events", "conditions", "requests")
MAX_ZOOM = 40.0
PODS_OF = 12
"""Nodes whose pods are told at once."""


@drawn_errors
async def map_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """The cluster on one screen."""
    frame = await context.frame(request, cluster, "map")
    frame["model"] = frame["model"] and map_field.completed(frame["model"])
    model, part = frame["model"], asked_for(request, "part")
    if part in DATA:
        return JsonResponse(await DATA[part](request, frame), safe=False)
    data: dict[str, Any] = {"frame": frame, "model": model}
    if model:
        place = map_drawing.size(asked_for(request, "sheet") or request.COOKIES.get("sheet", ""))
        data["drawing"] = map_drawing.draw(model, frame["screen"], place)
        data["view"] = view_box(asked_for(request, "view"), data["drawing"])
        data["counts"] = model["counts"]
    if part == "drawing":
        return render(request, "map/drawing.html", data)
    if part == "summary":
        return render(request, "map/summary.html", data)
    if model:
        await _inspect(request, frame, data)
    data["caption"] = _caption(frame, data)
    return render(request, "map/inspector.html" if part == "inspector" else "map/page.html", data)


async def _inspect(request: HttpRequest, frame: dict[str, Any], data: dict[str, Any]) -> None:
    """What stands beside the picture."""
    select, tab = asked_for(request, "select"), asked_for(request, "tab")
    data["select"] = select
    data["tab"] = tab if tab in TABS else "overview"
    data["selected"] = await attempt(frame, "place", None, select=select[:400]) if select else None
    if data["selected"]:
        data["selected"]["yaml"] = _yaml(data["selected"].get("object"))
        data["tabs"] = _tabs(data["selected"])
    data["find"] = asked_for(request, "find")[:80]
    data["found"] = await attempt(frame, "find", [], q=data["find"]) if data["find"] else []
    data["events"] = _sentences(await attempt(frame, "requests", [], limit=8))
    if frame["at"] or frame["clock"]["paused"]:
        data["under_way"] = await attempt(frame, "flights", None)


def _yaml(doc: Any) -> str:
    return yaml.safe_dump(doc, sort_keys=False, allow_unicode=True, width=100) if doc else ""


def _tabs(thing: dict[str, Any]) -> list[dict[str, Any]]:
    """The inspector's tabs for this thing, with how much each has."""
    words = {
        "overview": _("Overview"),
        "yaml": "YAML",
        "events": _("Events"),
        "conditions": _("Conditions"),
        "requests": _("Requests"),
    }
    names = TABS if thing.get("object") else TABS[:1]
    return [{"name": n, "label": words[n], "count": len(thing[n]) if n in TABS[2:] else None} for n in names]


def _caption(frame: dict[str, Any], data: dict[str, Any]) -> str:
    if frame["problem"]:
        return _("This is the last known state.")
    if data.get("events"):
        return data["events"][0]["sentence"]
    if frame["bare"]:
        return _("The members are up. Type etcdctl put a b into the console.")
    return _("The cluster is up. Type a command below, or use your own kubectl.")


def _sentences(rows: Any) -> list[dict[str, Any]]:
    rows = rows["requests"] if isinstance(rows, dict) else rows
    return [{**row, "sentence": trace_view.sentence(row)} for row in rows]


def view_box(asked: str, drawing: Any) -> str:
    """``x,y,zoom`` (the left upper corner in parts of the sheet) as a viewBox; the whole sheet for what is none."""
    try:
        x, y, zoom = (float(part) for part in asked.split(","))
    except ValueError:
        x, y, zoom = 0.0, 0.0, 1.0
    if not all(math.isfinite(value) for value in (x, y, zoom)):
        x, y, zoom = 0.0, 0.0, 1.0
    zoom = min(max(zoom, 1.0), MAX_ZOOM)
    w, h = drawing.width / zoom, drawing.height / zoom
    x, y = min(max(x, 0.0), 1.0 - 1.0 / zoom) * drawing.width, min(max(y, 0.0), 1.0 - 1.0 / zoom) * drawing.height
    return f"{x:.2f} {y:.2f} {w:.2f} {h:.2f}"


# -- pieces as JSON -------------------------------------------------------------------------------------------------------


async def _flights(request: HttpRequest, frame: dict[str, Any]) -> Any:
    """What is on its way at the moment shown."""
    return await attempt(frame, "flights", {"nowMicros": 0, "flights": [], "more": 0})


async def _cells(request: HttpRequest, frame: dict[str, Any]) -> Any:
    """``[[name, x, y, w, h, worst, counts, cpu‰], …]`` of the field as it is drawn, for zooming in and for keys."""
    model = frame["model"]
    if not model:
        return []
    place = map_drawing.size(asked_for(request, "sheet") or request.COOKIES.get("sheet", ""))
    drawn = map_drawing.draw(model, frame["screen"], place).field
    workers = {worker["name"]: worker for worker in model.get("cells", ())}
    return [[c.name, c.x, c.y, c.w, c.h, c.worst, workers[c.name]["counts"], c.cpu] for c in drawn.cells]


async def _pods(request: HttpRequest, frame: dict[str, Any]) -> Any:
    """``{node: [[namespace, name, phase, restarts], …]}`` of a few nodes that somebody looks at closely."""
    out: dict[str, Any] = {}
    for name in asked_for(request, "nodes").split(",")[:PODS_OF]:
        thing = await attempt(frame, "place", None, select=f"node:{name}")
        pods = thing["pods"] if thing else []
        out[name] = [[pod["namespace"], pod["name"], pod["phase"], pod["restarts"]] for pod in pods]
    return out


async def _find(request: HttpRequest, frame: dict[str, Any]) -> Any:
    return await attempt(frame, "find", [], q=asked_for(request, "find")[:80])


async def _hosts(request: HttpRequest, frame: dict[str, Any]) -> Any:
    """Names of all machines, and the desk that the console stands on."""
    model = frame["model"] or {"hosts": [], "cells": []}
    names = dict.fromkeys([host["name"] for host in model["hosts"]] + [cell["name"] for cell in model.get("cells", ())])
    return [*names, *(["desk"] if "lb" in names else [])]


DATA = {"flights": _flights, "cells": _cells, "pods": _pods, "find": _find, "hosts": _hosts}
