"""What every page's frame shows: cluster, revision, clock, theme, language, where one is.

In → out: a request and a cluster's name in, the ``frame`` dict for templates out. The sheet (theme) is light, dark, screen (projector) or
auto; ``?screen`` shows one page as on a projector, the View menu remembers a choice in a cookie.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from explainer.fragments import names
from explainer.lessons import lesson_of

from . import lesson_view
from .reads import Lost, Missing, Unreachable, known, read

THEMES = ("auto", "light", "dark", "screen")
MOMENT = re.compile(r"(?:e?[0-9]{1,18})?")
"""A moment in an address: ``at=<virtual micros>``, or ``at=e<deliveries>`` for an exact place between two events."""
KEPT = ("at", "screen", "lang", "theme")
"""Parameters that links inside a page carry on, so that one stays in the moment and on the sheet that one looks at."""
RATES = (0.001, 0.01, 0.1, 1, 10, 100, "max")


def theme(request: HttpRequest) -> str:
    """Return the sheet to draw on."""
    if "screen" in request.GET:
        return "screen"
    asked = request.GET.get("theme") or request.COOKIES.get("theme") or "auto"
    return asked if isinstance(asked, str) and asked in THEMES else "auto"


def moment(request: HttpRequest) -> str:
    """Return the moment that the address asks for; empty: now."""
    asked = request.GET.get("at", "")
    return asked if isinstance(asked, str) and MOMENT.fullmatch(asked) else ""


def kept(request: HttpRequest) -> dict[str, str]:
    """Return the parameters that links carry on."""
    return {name: str(request.GET[name]) for name in KEPT if name in request.GET}


def notch(revision: int) -> str:
    """Return where the notch sits on the plane line: one step a commit, round again after 200 (static/js/frame.js does the same)."""
    return f"{1 + revision % 200 * 0.42:.2f}%"


class EtcdAlone(Exception):
    """A page of what an apiserver serves was asked for in a cluster that has none; ``frame`` is drawn around the reason."""

    def __init__(self, frame: dict[str, Any]) -> None:
        super().__init__()
        self.frame = frame


SERVED = ("requests", "objects", "network")
"""Pages of what an apiserver and its nodes do."""


async def frame(request: HttpRequest, cluster: str, page: str, at: str | None = None) -> dict[str, Any]:
    """Return the frame of a cluster page, with its map read model under ``model`` (None when unreachable).

    ``at`` overrides the moment that the address asks for. Raises Missing (no such cluster), Lost (no such moment) or
    EtcdAlone (no apiserver to show this page of).
    """
    at = moment(request) if at is None else at
    # The map is kept for when nobody runs the cluster; the clock is not, so it tells whether this is now.
    live = await _or_none(cluster, "clock", "") if at else None
    try:
        model, clock = await asyncio.gather(_or_none(cluster, "map", at), _or_none(cluster, "clock", at))
    except Missing as error:
        if at and live:
            raise Lost(str(error)) from error
        raise
    reading = bool(at and live and not clock)
    problem = "" if clock else _problem(reading)
    out = base(request, page)
    data = {**(model or {}), **(clock or {})}
    shown = _clock(data)
    live = _clock(live or {"nowMicros": data.get("liveMicros")}) if at else shown
    if reading:
        shown["nowMicros"] = int(at) if at.isdigit() else live["nowMicros"]
    base_path, keep = f"/clusters/{cluster}", out["keep"]
    # A part of a page has no panel beside it.
    out["lesson"] = await lesson_view.panel(cluster) if lesson_of(cluster) and "part" not in request.GET else None
    parents = {name: (row.get("parent") or {}).get("cluster") for name, row in (await known()).items()}
    out |= {
        "cluster": cluster,
        "branched": bool(parents.get(cluster)) or cluster in parents.values(),  # the tape has a line more
        "at": at,
        "model": model,
        "bare": bool(model) and not _served(model),
        "problem": problem,
        "reading": reading,
        "version": data.get("kubernetesVersion", ""),
        "watching": data.get("watching"),
        "revision": data.get("revision", 0),
        "notch": notch(data.get("revision", 0)),
        "notch_far": bool(at) and data.get("revision", 0) % 200 > 110,
        "clock": shown,
        "live": live,
        "past": at and {"exact": str(data.get("at") or at), "behind": max(live["nowMicros"] - shown["nowMicros"], 0)},
        "cursor": "" if at or problem else data.get("cursor", ""),
        "rate": live["rate"] if isinstance(live["rate"], str) else f"{live['rate']:g}",
        "speeds": [{"value": str(r), "label": names.speed(r)} for r in RATES],
        "presenter": f"{base_path}/presenter/",
        "now_href": _without(request, "at"),
        "pages": [
            {"name": "map", "label": _("Map"), "href": f"{base_path}/{keep}"},
            {"name": "requests", "label": _("Requests"), "href": f"{base_path}/requests/{keep}"},
            {"name": "objects", "label": _("Objects"), "href": f"{base_path}/objects/{keep}"},
            {"name": "etcd", "label": "etcd", "href": f"{base_path}/etcd/{keep}"},
            {"name": "ha", "label": _("HA"), "href": f"{base_path}/ha/{keep}"},
            {"name": "network", "label": _("Network"), "href": f"{base_path}/network/{keep}"},
        ],
    }
    if out["bare"] and page in SERVED:
        raise EtcdAlone(out)
    return out


def _served(model: dict[str, Any]) -> bool:
    """Whether the cluster has an apiserver (its hosts may all be down); else it is etcd alone."""
    return any(process["kind"] == "kube-apiserver" for host in model["hosts"] for process in host["processes"])


def _problem(reading: bool) -> str:
    """Return what the frame says while there is no clock: the past takes its time, or nobody answers."""
    if reading:
        return _("The past is being read. This page shows the moment as soon as it is there.")
    return _("The simulation does not answer. This page shows what was known last and tries again.")


def _clock(data: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a read model that is a clock."""
    return {
        "nowMicros": data.get("nowMicros") or 0,
        "rate": data.get("rate", 1),
        "paused": bool(data.get("paused")),
        "waiting": data.get("waiting") or 0,
    }


def _without(request: HttpRequest, *names_: str) -> str:
    """Return the address of this page without these parameters."""
    rest = request.GET.copy()
    for name in names_:
        rest.pop(name, None)
    return f"{request.path}?{rest.urlencode()}" if rest else request.path


async def _or_none(cluster: str, view: str, at: str) -> Any:
    """Return a read model, or None when the simulation does not answer. Raises Missing or Lost."""
    try:
        return await read(cluster, view, at=at)
    except Unreachable:
        return None


def base(request: HttpRequest, page: str) -> dict[str, Any]:
    """Return the frame of a page outside any cluster."""
    labels = {"auto": _("As the system"), "light": _("Light"), "dark": _("Dark"), "screen": _("Projector")}
    return {
        "cluster": "",
        "at": moment(request),
        "kept": (given := kept(request)),
        "keep": f"?{urlencode(given)}" if given else "",
        "page": page,
        "here": request.get_full_path(),
        "path": request.path,
        "theme": theme(request),
        "screen": theme(request) == "screen",
        "themes": [{"value": value, "label": labels[value]} for value in THEMES],
    }
