"""The living style page: every shape, line, colour and component with its meaning, in whatever sheet and language one looks at it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from explainer.fragments import legend, palette
from explainer.pages import context

SCALE = (
    ("h1", "34/42"),
    ("h2", "28/36"),
    ("h3", "23/30"),
    ("h4", "19/28"),
    ("text", "16/26"),
    ("control", "14/20"),
    ("data", "13/20"),
    ("meta", "12/16"),
)
SPACES = (4, 8, 12, 16, 24, 32, 48)


async def style(request: HttpRequest) -> HttpResponse:
    """The drawing sheet: shapes, lines, colours with their figures, type, components, the frame, keys."""
    if request.GET.get("part") == "legend":
        data = {"shapes": legend.shapes(), "lines": legend.lines(), "messages": legend.messages()}
        return render(request, "frame/legend.html", data)
    data = {
        "frame": context.base(request, "style"),
        "parts": [
            ("shapes", _("Shapes")),
            ("lines", _("Lines")),
            ("colours", _("Colours")),
            ("type", _("Type")),
            ("components", _("Components")),
            ("frame", _("On every picture")),
            ("keys", _("Keys")),
        ],
        "shapes": legend.shapes(),
        "lines": legend.lines(),
        "terms": [("", 4), ("45", 5), ("135", 6), ("dots", 7)],
        "sheets": [{"name": name, "label": label} for name, label in _sheets().items()],
        "colours": _colours(),
        "eyes": _eyes(),
        "scale": SCALE,
        "spaces": SPACES,
        "chips": [
            ("allow", _("allowed")),
            ("deny", _("denied")),
            ("change", _("changed")),
            ("wait", _("waiting")),
            ("raft", _("leader")),
            ("live", _("now")),
        ],
        "keyboard": _keys(),
    }
    return render(request, "style/page.html", data)


def _sheets() -> dict[str, str]:
    return {"light": _("Light"), "dark": _("Dark"), "screen": _("Projector")}


def _colours() -> list[dict[str, Any]]:
    uses = [
        ("live", _("now, links, the plane line")),
        ("allow", _("allowed, committed, ready")),
        ("deny", _("denied, failed, dropped")),
        ("change", _("mutated, translated, warning")),
        ("wait", _("pending, queued")),
        ("raft", _("consensus: votes, quorum, leader")),
        ("ink", _("text")),
        ("ink2", _("second text")),
        ("ink3", _("smallest text")),
        ("edge", _("borders of things, lines")),
        ("focus", _("the focus ring, nothing else")),
        ("rule", _("table lines, decoration only")),
        ("paper", _("page")),
        ("panel", _("cards, picture")),
        ("sunk", _("code, console, tape")),
        ("past", _("ground of everything that is not now")),
    ]
    return [
        {"name": name, "use": use, "values": [_value(sheet, name) for sheet in palette.SHEETS]} for name, use in uses
    ]


def _value(sheet: str, role: str) -> dict[str, str]:
    ground = role in palette.GROUNDS
    return {"hex": palette.sheets()[sheet][role], "worst": "" if ground else f"{palette.worst(sheet, role):.1f}"}


def _eyes() -> list[dict[str, Any]]:
    named = {
        "": _("all three cones"),
        "protanopia": _("no red cones (protanopia)"),
        "deuteranopia": _("no green cones (deuteranopia)"),
        "tritanopia": _("no blue cones (tritanopia)"),
    }
    rows = []
    for eye, word in named.items():
        values = [palette.nearest(sheet, eye) for sheet in palette.SHEETS]
        rows.append({"word": word, "values": [{"distance": f"{d:.0f}", "pair": f"{a} · {b}"} for d, a, b in values]})
    return rows


def _keys() -> list[tuple[tuple[str, ...], str]]:
    return [
        (("Space", "."), _("pause, resume")),
        (("→", "PageDown"), _("next stage of a request, next step of the clock")),
        (("←", "PageUp"), _("stage before")),
        (("Home", "End"), _("first and last stage")),
        (("b",), _("projector: blank the screen, and back")),
        (("f",), _("projector: full screen, and back")),
        (("Esc",), _("close what is open")),
    ]
