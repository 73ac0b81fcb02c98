"""Two traces side by side: stages that belong together in one row, the first difference marked and put into a sentence.

In → two ``request`` read models; out → aligned rows ``{left, right, differs, first}``, the sentence about the first difference, and the facts
that differ. Stages are aligned by their names in order (longest common subsequence), so that a stage that only one of them has stands
alone in its row.

A difference is another verdict, or another reason for it; how long a stage took is none.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

from django.utils.translation import gettext as _

from . import sentences, trace_view, words
from .particles import settle

Step = dict[str, Any]
REFUSALS = ("deny", "error", "throttle")


def compare(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Return ``{rows, first, sentence}``; ``first`` is the row where they part, None when they never do."""
    rows = aligned(outer(left), outer(right))
    # Two users differ in who they are long before the cluster treats them differently: a refusal of one counts first, then another
    # verdict, then another reason.
    first = next((row for row in rows if row["refused"]), None)
    first = first or next((row for row in rows if row["differs"] in ("verdict", "only")), None)
    first = first or next((row for row in rows if row["differs"]), None)
    if first is not None:
        first["first"] = True
    return {"rows": rows, "first": first, "sentence": sentence(first)}


def outer(trace: dict[str, Any]) -> list[Step]:
    """Return the steps of a request itself: without the members' work inside etcd and the watches after it."""
    return [
        s
        for s in trace_view.steps(trace)
        if not s["inner"] and not s["name"].startswith("watch/") and not s.get("ahead")
    ]


def aligned(left: list[Step], right: list[Step]) -> list[dict[str, Any]]:
    """Return rows of two cells; a cell is None where the other trace has a stage of its own."""
    a, b = [step["name"] for step in left], [step["name"] for step in right]
    rows: list[dict[str, Any]] = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            rows += [_row(one, other) for one, other in zip(left[i1:i2], right[j1:j2], strict=True)]
        else:
            rows += [_row(one, None) for one in left[i1:i2]]
            rows += [_row(None, other) for other in right[j1:j2]]
    return rows


def _row(left: Step | None, right: Step | None) -> dict[str, Any]:
    differs = ""
    if left is None or right is None:
        differs = "only"
    elif left["outcome"] != right["outcome"]:
        differs = "verdict"
    elif left["reason"] != right["reason"]:
        differs = "reason"
    either = left or right or {}
    refused = left is not None and right is not None and (left["outcome"] in REFUSALS) != (right["outcome"] in REFUSALS)
    return {
        "left": left,
        "right": right,
        "differs": differs,
        "first": False,
        "refused": refused,
        "name": either.get("name", ""),
        "label": either.get("label", ""),
    }


def sentence(row: dict[str, Any] | None) -> str:
    """Return what the first difference is, in one sentence."""
    if row is None:
        return _("No stage decided differently.")
    left, right, stage = row["left"], row["right"], row["label"]
    if right is None:
        return settle(
            _("They part at %(stage)s: only the left request got there. %(reason)s")
            % {"stage": stage, "reason": _told(left)}
        )
    if left is None:
        return settle(
            _("They part at %(stage)s: only the right request got there. %(reason)s")
            % {"stage": stage, "reason": _told(right)}
        )
    values = {
        "stage": stage,
        "left": words.outcome(left["outcome"]),
        "right": words.outcome(right["outcome"]),
        "left_reason": _told(left),
        "right_reason": _told(right),
    }
    if row["differs"] == "verdict":
        said = _("They part at %(stage)s. Left, %(left)s: %(left_reason)s Right, %(right)s: %(right_reason)s")
    else:
        said = _("They first differ at %(stage)s, with the same verdict. Left: %(left_reason)s Right: %(right_reason)s")
    return settle(said % values)


def _told(step: Step) -> str:
    text = sentences.tell(step.get("reason") or "").text
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def facts(left: dict[str, Any], right: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is asked, by whom and with which answer; ``same`` tells whether both have it alike."""
    rows = [
        (_("request"), f"{left['method']} {left['path']}", f"{right['method']} {right['path']}"),
        (_("user"), left.get("user") or "–", right.get("user") or "–"),
        (_("groups"), ", ".join(left.get("groups") or []) or "–", ", ".join(right.get("groups") or []) or "–"),
        (_("client"), left.get("userAgent") or "–", right.get("userAgent") or "–"),
        (_("server"), left.get("server") or "–", right.get("server") or "–"),
        (_("answer"), str(left.get("code") or "…"), str(right.get("code") or "…")),
    ]
    return [{"name": name, "left": one, "right": other, "same": one == other} for name, one, other in rows]


def took(trace: dict[str, Any]) -> int | None:
    """Return how long a request took, None while it is under way."""
    return None if trace.get("endMicros") is None else trace["endMicros"] - trace["startMicros"]
