"""A request's trace, laid out for stepping: one numbered step a stage, its bar in the waterfall, its difference, what it caused.

In → out: the ``request`` read model in (contract: stages with start and end in micros, a tree of effects), plain dicts for templates
out. Pure: no request, no settings.

Simplified here: a difference is told as the JSON Patch the trace carries (path, old value, new value), not as a text diff.
"""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _

from . import words
from .particles import settle

INNER = ("propose", "append", "commit", "apply")
"""Stages that happen inside the ``etcd`` stage."""


def steps(trace: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the stages as steps, in order, with the bar's place in percent of the whole request."""
    stages = trace.get("stages") or []
    first = min([trace.get("startMicros") or 0, *(s["startMicros"] for s in stages)], default=0)
    # Watches come after the answer: the scale covers them too, so that nothing is drawn outside its row.
    last = max([trace.get("endMicros") or first, *(s["endMicros"] for s in stages)], default=first)
    width = max(last - first, 1)
    out = []
    for number, stage in enumerate(order(stages), 1):
        head = stage["name"].partition("/")[0]
        left = 100 * (stage["startMicros"] - first) / width
        inner = head in INNER
        label = words.stage(stage["name"])
        if inner and "/" not in stage["name"]:
            label = f"{label} · {stage['component']}"
        out.append(
            {
                **stage,
                "number": number,
                "label": label,
                "question": words.question(stage["name"]),
                "inner": inner,
                "took": stage["endMicros"] - stage["startMicros"],
                "x": f"{min(left, 99.4):.2f}%",
                "w": f"{max(100 * (stage['endMicros'] - stage['startMicros']) / width, 0.6):.2f}%",
                "rows": rows(stage.get("detail")),
                "patch": [patch_row(op) for op in stage.get("patch") or []],
            }
        )
    return out


def order(stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the stages in the order one reads them: the etcd stage before what happens inside it."""
    outer = [s for s in stages if s["name"].partition("/")[0] not in INNER]
    inner = [s for s in stages if s["name"].partition("/")[0] in INNER]
    out: list[dict[str, Any]] = []
    placed = False
    for stage in outer:
        out.append(stage)
        if stage["name"] == "etcd" and not placed:
            # A commit begins with its proposal and is over when a quorum holds the entry: by their ends they read as they happened.
            out.extend(sorted(inner, key=lambda s: s["endMicros"]))
            placed = True
    return out if placed else sorted(stages, key=lambda s: (s["startMicros"], s["endMicros"]))


def rows(detail: Any) -> list[dict[str, Any]]:
    """Return a stage's detail as rows: a name and a value, or a name and a list of values."""
    if detail is None or detail == "" or detail == {} or detail == []:
        return []
    if isinstance(detail, dict):
        return [cell(str(key), value) for key, value in detail.items() if value not in (None, "", [], {})]
    if isinstance(detail, list):
        return [cell(_("Tried"), detail)]
    return [cell("", detail)]


def cell(name: str, value: Any) -> dict[str, Any]:
    """Return one row of a detail table."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        keys = list(dict.fromkeys(key for item in value for key in item))
        if len(keys) <= 6:
            return {
                "name": name,
                "keys": keys,
                "table": [[short(item.get(key, "")) for key in keys] for item in value[:60]],
            }
    if isinstance(value, list):
        return {"name": name, "many": [short(item) for item in value[:60]]}
    return {"name": name, "text": short(value)}


def short(value: Any) -> str:
    """Return a value as text: words as they are, everything else as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def patch_row(op: dict[str, Any]) -> dict[str, Any]:
    """Return one changed field with its old and new value as text."""
    word = {"add": _("added"), "remove": _("removed"), "replace": _("changed")}.get(op.get("op", ""), op.get("op", ""))
    return {
        "op": op.get("op", ""),
        "word": word,
        "path": op.get("path", "") or "/",
        "old": pretty(op["was"]) if "was" in op else "",
        "new": pretty(op["value"]) if "value" in op else "",
    }


def pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def tree(trace: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """Return the causal tree with each node's delay after the request began and its bar, and how many nodes it has."""
    nodes = trace.get("tree")
    if nodes is None:
        nodes = [n for n in trace.get("effects") or [] if isinstance(n, dict)]
    start = trace.get("startMicros") or 0
    last = max(_times(nodes), default=start)
    width = max(last - start, 1)
    count = 0

    def walk(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        nonlocal count
        out = []
        for node in rows:
            count += 1
            after = (node.get("startMicros") or start) - start
            end = node.get("endMicros") or node.get("startMicros") or start
            out.append(
                {
                    **node,
                    "after": after,
                    "x": f"{min(max(100 * after / width, 0), 99):.2f}%",
                    "w": f"{max(100 * (end - start - after) / width, 0.8):.2f}%",
                    "children": walk(node.get("children") or []),
                }
            )
        return out

    return walk(nodes), count


def _times(nodes: list[dict[str, Any]]) -> list[int]:
    out: list[int] = []
    for node in nodes:
        out.append(node.get("endMicros") or node.get("startMicros") or 0)
        out.extend(_times(node.get("children") or []))
    return out


def decided(trace: dict[str, Any]) -> dict[str, Any] | None:
    """Return the stage that refused or failed the request, if one did."""
    return next((s for s in trace.get("stages") or [] if s["outcome"] in ("deny", "error", "throttle")), None)


def sentence(row: dict[str, Any]) -> str:
    """Return one plain sentence about a request, for captions and lists."""
    names = {"who": who(row), "verb": row.get("verb", ""), "what": what(row), "code": row.get("code") or ""}
    outcome = row.get("outcome")
    if outcome == "deny":
        said = _("%(who)s may not %(verb)s %(what)s: %(code)s.")
    elif outcome in ("error", "throttle"):
        said = _("%(who)s asked to %(verb)s %(what)s and failed: %(code)s.")
    elif outcome == "wait":
        said = _("%(who)s asks to %(verb)s %(what)s. The answer is not there yet.")
    else:
        said = _("%(who)s asked to %(verb)s %(what)s: %(code)s.")
    return settle(said % names)


def who(row: dict[str, Any]) -> str:
    """Return who asked, short: controllers by their own name, other service accounts as ``namespace/name``."""
    user = str(row.get("user") or row.get("client") or "?")
    if user.startswith("system:serviceaccount:"):
        namespace, _colon, name = user.removeprefix("system:serviceaccount:").partition(":")
        return name if namespace == "kube-system" else _("service account %s") % f"{namespace}/{name}"
    return user.removeprefix("outside:") if user.startswith("outside:") else user


def what(row: dict[str, Any]) -> str:
    """Return the thing a request is about: ``pods/web-1 in default``, or its path."""
    if not row.get("resource"):
        return str(row.get("path", ""))
    name = f"{row['resource']}/{row['name']}" if row.get("name") else row["resource"]
    return f"{name} ({row['namespace']})" if row.get("namespace") else name
