"""The map page and its inspector."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from explainer.fragments import map_drawing, trace_view
from explainer.pages import context

from .common import asked_for, attempt, drawn_errors


@drawn_errors
async def map_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """The cluster on one screen."""
    frame = await context.frame(request, cluster, "map")
    model = frame["model"]
    data: dict[str, Any] = {"frame": frame, "model": model}
    if model:
        data["drawing"] = map_drawing.draw(model, frame["screen"])
        data["selected"] = find(model, asked_for(request, "select"))
        data["counts"] = summary(model)
    if asked_for(request, "part") == "summary":
        return render(request, "map/summary.html", data)
    data["events"] = _sentences(await attempt(frame, "requests", [], limit=8)) if model else []
    if frame["problem"]:
        data["caption"] = _("This is the last known state.")
    elif data["events"]:
        data["caption"] = data["events"][0]["sentence"]
    else:
        data["caption"] = _("The cluster is up. Type a command below, or use your own kubectl.")
    inspector = request.META.get("HTTP_HX_REQUEST") and request.META.get("HTTP_HX_TARGET") == "inspector"
    return render(request, "map/inspector.html" if inspector else "map/page.html", data)


def _sentences(rows: Any) -> list[dict[str, Any]]:
    rows = rows["requests"] if isinstance(rows, dict) else rows
    return [{**row, "sentence": trace_view.sentence(row)} for row in rows]


def summary(model: dict[str, Any]) -> dict[str, Any]:
    """Count what the cluster has, for the inspector."""
    pods = model.get("pods", [])
    return {
        "nodes": len(model.get("nodes", [])),
        "nodes_ready": sum(1 for node in model.get("nodes", []) if node["ready"]),
        "pods": len(pods),
        "pods_ready": sum(1 for pod in pods if pod["phase"] in ("Ready", "Succeeded")),
    }


def find(model: dict[str, Any], select: str) -> dict[str, Any] | None:
    """Return the drawn thing that ``kind:name`` names, with what is known of it."""
    kind, colon, name = select.partition(":")
    if not colon:
        return None
    if kind == "pod":
        for pod in model.get("pods", ()):
            if f"{pod['namespace']}/{pod['name']}" == name:
                return {"kind": "pod", **pod}
    if kind == "node" or kind == "host":
        for host in model["hosts"]:
            if host["name"] == name:
                node = next((n for n in model.get("nodes", ()) if n["name"] == name), {})
                pods = [pod for pod in model.get("pods", ()) if pod.get("node") == name]
                return {"kind": "host", "node": node, "pods": pods, **{k: v for k, v in host.items() if k != "kind"}}
    if kind == "process":
        for host in model["hosts"]:
            for process in host["processes"]:
                if process["name"] == name:
                    return {**process, "kind": "process", "process_kind": process["kind"], "host": host["name"]}
    if kind == "client":
        return {"kind": "client", "name": name}
    return None
