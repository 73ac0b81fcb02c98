"""Two moments side by side: of one cluster, or of two branches. What was added, removed, changed, as a list and as YAML."""

from __future__ import annotations

from typing import Any

import yaml
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from explainer.pages import context, reads

from .common import asked_for, drawn_errors

SHOWN = 200
"""Objects written out; the rest is counted."""
LONG_LINE = 4_000


@drawn_errors
async def compare_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """``?at=`` of this cluster against ``?with=<cluster>&withAt=``."""
    frame = await context.frame(request, cluster, "compare")
    other = asked_for(request, "with") or cluster
    other_at = asked_for(request, "withAt")
    if not context.MOMENT.fullmatch(other_at):
        other_at = ""
    data: dict[str, Any] = {
        "frame": frame,
        "other": other,
        "other_at": other_at,
        "said": "",
        "problem": frame["problem"],
    }
    try:
        data["choices"] = sorted(row["name"] for row in await reads.clusters())
    except reads.Unreachable:
        data["choices"] = sorted({cluster, other})
    if not (other == cluster and other_at == frame["at"]):
        await _compared(frame, other, other_at, data)
    return render(request, "compare/page.html", data)


async def _compared(frame: dict[str, Any], other: str, other_at: str, data: dict[str, Any]) -> None:
    """Put both sides and the rows into ``data``, or what is the matter."""
    try:
        found = await reads.difference(frame["cluster"], frame["at"], other, other_at)
    except reads.Unreachable:
        data["problem"] = _("The simulation does not answer.")
        return
    except reads.Missing as error:
        data["said"] = str(error)
        return
    rows = [row_of(row) for row in found["objects"][:SHOWN]]
    data |= {"left": found["left"], "right": found["right"], "rows": rows, "total": found["total"]}
    data["counts"] = {kind: sum(1 for row in found["objects"] if row["change"] == kind) for kind in CHANGES}
    data["more"] = max(found["total"] - len(rows), 0)


CHANGES = ("added", "removed", "changed")


def row_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return an object of the difference with its fields as lines: what it was, what it is."""
    name = f"{row['namespace']}/{row['name']}" if row.get("namespace") else row["name"]
    lines = [
        {
            "path": patch.get("path") or "/",
            "was": short(patch["was"]) if "was" in patch else "",
            "now": short(patch["value"]) if "value" in patch else "",
        }
        for patch in row.get("patch", ())
    ]
    return {**row, "full": name, "lines": lines, "yaml": as_yaml(row), "outcome": OUTCOME[row["change"]]}


OUTCOME = {"added": "allow", "removed": "deny", "changed": "change"}


def short(value: Any) -> str:
    """Return a value on few lines."""
    text = value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False, width=100, allow_unicode=True)
    text = text.removesuffix("\n...\n").rstrip("\n")
    return text if len(text) <= LONG_LINE else text[:LONG_LINE] + " …"


def as_yaml(row: dict[str, Any]) -> str:
    """Return the difference of one object in the manner of a diff: ``-`` for what was, ``+`` for what is."""
    out = []
    for patch in row.get("patch", ()):
        out.append(f"@@ {patch.get('path') or '/'} @@")
        out += [f"- {line}" for line in short(patch["was"]).splitlines()] if "was" in patch else []
        out += [f"+ {line}" for line in short(patch["value"]).splitlines()] if "value" in patch else []
    return "\n".join(out)
