"""A request's trace, laid out for stepping: one numbered step a stage, its bar in the waterfall, its difference, what it caused.

In → out: the ``request`` read model in (the control API's: stages with start and end in micros, a tree of effects), plain dicts for templates
out. Pure: no request, no settings.

Simplified here: a difference is told as the JSON Patch the trace carries (path, old value, new value), not as a text diff.
"""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _

from . import sources, words
from .particles import settle

INNER = ("propose", "append", "commit", "apply")
"""Stages that happen inside the ``etcd`` stage."""
WAY = ("tls", "authentication", "audit", "impersonation", "priority-and-fairness", "authorization")
WRITING = ("decoding", "defaulting", "mutating-admission", "strategy", "validation", "validating-admission")
WRITES = ("create", "update", "patch")
TABLES = ("authentication", "authorization", "impersonation", "validation")
"""Stages whose detail is a list of what was tried: shown as a table with the reasons in words."""


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
        tried = stage.get("detail") if head in TABLES and isinstance(stage.get("detail"), list) else None
        out.append(
            {
                **stage,
                "number": number,
                "label": label,
                "question": words.question(stage["name"]),
                "inner": inner,
                "took": stage["endMicros"] - stage["startMicros"],
                "after_begin": stage["startMicros"] - (trace.get("startMicros") or first),
                "x": f"{min(left, 99.4):.2f}%",
                "w": f"{max(100 * (stage['endMicros'] - stage['startMicros']) / width, 0.6):.2f}%",
                "tried": near_misses(head, tried) if tried else None,
                "tried_head": heads(head) if tried else None,
                "rows": [] if tried else rows(stage.get("detail")),
                "ops": stage.get("patch") or [],
                "patch": [patch_row(op) for op in stage.get("patch") or []],
                "code": sources.around(stage.get("source") or ""),
            }
        )
    return out + [ahead(name, number) for number, name in enumerate(expected(trace, stages), len(out) + 1)]


def expected(trace: dict[str, Any], stages: list[dict[str, Any]]) -> list[str]:
    """Return the stages that a request under way still has before it, by what its verb has to pass."""
    if trace.get("endMicros") is not None or trace.get("stream"):
        return []
    names = {stage["name"].partition("/")[0] for stage in stages}
    way = [
        *WAY,
        *(WRITING if trace.get("verb") in WRITES else ()),
        *(("etcd",) if trace.get("resource") else ()),
        "response",
    ]
    reached = max((way.index(name) for name in names if name in way), default=-1)
    return way[reached + 1 :]


def ahead(name: str, number: int) -> dict[str, Any]:
    """Return a step that has not been reached."""
    return {
        "name": name, "number": number, "label": words.stage(name), "question": words.question(name), "outcome": "wait", "ahead": True,
        "inner": False, "component": "", "startMicros": None, "endMicros": None, "took": None, "reason": "", "x": "100%", "w": "0%",
        "rows": [], "tried": None, "ops": [], "patch": [], "code": None, "source": "", "before": None, "after": None,
    }  # fmt: skip


def heads(stage: str) -> tuple[str, str, str]:
    """Return the column heads of what a stage tried; an empty one has no column."""
    if stage == "authentication":
        return _("authenticator"), "", _("its answer")
    if stage == "validation":
        return _("field"), _("kind of error"), _("what is wrong")
    return _("binding"), _("role"), _("why")


def near_misses(stage: str, tried: list[Any]) -> list[dict[str, Any]]:
    """Return what a stage tried, one row each: ``{what, of, why, hit, mark, rule, raw}``.

    ``hit``: the one that decided; ``mark``: its verdict; ``raw``: ``why`` is the Kubernetes API's own text.
    """
    out: list[dict[str, Any]] = []
    for item in tried:
        row: dict[str, Any] = {
            "what": short(item),
            "of": "",
            "why": "",
            "hit": False,
            "mark": "skip",
            "rule": "",
            "raw": False,
        }
        if isinstance(item, dict) and stage == "authentication":
            answer = str(item.get("answer", ""))
            silent = answer in ("no credential of this kind", "not asked")
            knew = not silent and item is next((i for i in reversed(tried) if i.get("answer") != "not asked"), None)
            row |= {
                "what": item.get("authenticator", ""),
                "why": answer,
                "hit": knew,
                "mark": "skip" if silent else "ok",
            }
        elif isinstance(item, dict) and stage == "validation":
            row |= {
                "what": item.get("field", ""),
                "of": item.get("reason", ""),
                "why": item.get("message", ""),
                "mark": "deny",
                "raw": True,
            }
        elif isinstance(item, dict):
            rule = item.get("rule")
            row |= {
                "what": plain(item.get("binding") or item.get("authorizer") or ""),
                "of": plain(item.get("role", "")),
            }
            row |= {"why": item.get("why", ""), "mark": "skip", "rule": rule_text(rule)}
            if rule is not None:
                row |= {"why": f"rule {item.get('number', 1)} grants it", "hit": True, "mark": "allow"}
        out.append(row)
    return out


def plain(text: Any) -> str:
    """Return ``ClusterRole "x"`` without its quotes."""
    return str(text).replace('"', "")


def rule_text(rule: Any) -> str:
    """Return a rule of a role as YAML's flow style would: ``verbs: [get, list], apiGroups: [""], resources: [pods]``."""
    if not isinstance(rule, dict):
        return ""
    return ", ".join(
        f"{key}: [{', '.join(str(v) or chr(34) * 2 for v in values)}]" for key, values in rule.items() if values
    )


def object_at(steps: list[dict[str, Any]], at: int) -> tuple[Any, int, list[dict[str, Any]]]:
    """Return the object after step ``at``, the step that made it so (0: none yet), and what that step changed."""
    found: tuple[Any, int, list[dict[str, Any]]] = (None, 0, [])
    for step in steps[:at]:
        if not step["inner"] and step.get("after") is not None:
            found = (step["after"], step["number"], step["ops"])
    return found


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
