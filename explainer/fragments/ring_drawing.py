"""etcd's members as a flat ring beside their logs on one index grid, and the quorum's arithmetic.

In → out: the ``members`` read model (contract: ``/etcd/members?log=full``) in, coordinates and cells out. All members have the same size; the
role is a shape and a letter, the term a number inside, the timer an arc outside. Terms have no hue: a number and a hatch that cycles
none, 45°, 135°, dots.

Units: user units of the ring's viewBox (400 by 400).
"""

from __future__ import annotations

import math
import re
from typing import Any

from django.utils.translation import gettext as _

from .words import noop

SIZE = 400
RADIUS = 130
MEMBER = 40
CELL = 34
SHOWN = 22
"""Log columns drawn: the newest ones."""


def ring(rows: list[dict[str, Any]], now_micros: int) -> list[dict[str, Any]]:
    """Return the members with their place, shape and timer arc."""
    out = []
    count = max(len(rows), 1)
    for index, row in enumerate(rows):
        angle = -math.pi / 2 + 2 * math.pi * index / count
        x = SIZE / 2 + (RADIUS if count > 1 else 0) * math.cos(angle)
        y = SIZE / 2 + (RADIUS if count > 1 else 0) * math.sin(angle)
        shape = (
            "down" if not row.get("up", True) else "learner" if row.get("learner") else row.get("role") or "follower"
        )
        out.append(
            {
                **row,
                "x": round(x, 1),
                "y": round(y, 1),
                "shape": shape,
                "letter": {"leader": "L", "candidate": "C", "pre-candidate": "P", "learner": "l"}.get(shape, ""),
                "arc": arc(row, now_micros),
                "label_y": round(y + MEMBER + 22, 1),
            }
        )
    return out


def arc(row: dict[str, Any], now_micros: int) -> str:
    """Return the remaining election timer as a dash pattern of a circle with circumference 100, or empty."""
    start, end = row.get("timerStartMicros"), row.get("timerEndMicros")
    if start is None or end is None or end <= start or not row.get("up", True):
        return ""
    left = min(max((end - now_micros) / (end - start), 0.0), 1.0)
    return f"{100 * left:.1f} 100"


def links(members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines between every two members, shortened to their borders."""
    out = []
    for i, a in enumerate(members):
        for b in members[i + 1 :]:
            dx, dy = b["x"] - a["x"], b["y"] - a["y"]
            length = math.hypot(dx, dy) or 1
            cut = (MEMBER + 12) / length
            out.append(
                {
                    "a": a["id"],
                    "b": b["id"],
                    "x1": round(a["x"] + dx * cut, 1),
                    "y1": round(a["y"] + dy * cut, 1),
                    "x2": round(b["x"] - dx * cut, 1),
                    "y2": round(b["y"] - dy * cut, 1),
                    "up": a.get("up", True) and b.get("up", True),
                }
            )
    return out


def quorum(members: list[dict[str, Any]]) -> dict[str, int]:
    """Return have, need and how many more may be lost."""
    voters = [m for m in members if not m.get("learner")]
    have = sum(1 for m in voters if m.get("up", True) and not m.get("paused"))
    need = len(voters) // 2 + 1
    return {
        "voters": len(voters),
        "have": have,
        "need": need,
        "may_lose": max(have - need, 0),
        "short": max(need - have, 0),
    }


def logs(members: list[dict[str, Any]], shown: int = SHOWN) -> dict[str, Any]:
    """Return all logs on one grid of indexes: a row a member, a cell an index."""
    last = max((m.get("lastIndex") or 0 for m in members), default=0)
    first = max(1, last - shown + 1)
    leader = next((m for m in members if m.get("role") == "leader" and m.get("up", True)), None)
    progress = {str(p["id"]): p for p in (leader or {}).get("progress") or []}
    rows = []
    for member in members:
        entries = {entry[0]: entry for entry in member.get("log") or []}
        snap = member.get("snapIndex") or 0
        cells = []
        for index in range(first, last + 1):
            entry = entries.get(index)
            if entry is not None:
                state = "committed" if index <= (member.get("commit") or 0) else "stored"
            elif index <= snap:
                state = "compacted"
            else:
                state = "missing"
            cells.append(
                {
                    "index": index,
                    "term": entry[1] if entry else "",
                    "text": entry[2] if entry else "",
                    "line": line(entry[2]) if entry else "",
                    "state": state,
                    "hatch": hatch(entry[1]) if entry else "none",
                    "x": (index - first) * CELL,
                }
            )
        mark = progress.get(str(member["id"])) or {}
        rows.append(
            {
                "member": member,
                "cells": cells,
                "next": column(mark.get("next"), first),
                "match": column(mark.get("match"), first),
            }
        )
    width = (last - first + 2) * CELL if last else CELL
    return {
        "first": first,
        "last": last,
        "rows": rows,
        "width": width,
        "indexes": [{"index": i, "x": (i - first) * CELL + CELL / 2} for i in range(first, last + 1)],
    }


WRITE = re.compile(r"(?:txn if (?P<guard>.*?) then )?(?P<deed>put|delete) (?P<key>/registry/[^=;\s]+)")
VERBS = {"create": noop("create"), "update": noop("update"), "put": noop("write"), "delete": noop("delete")}


def line(text: str) -> str:
    """Return an entry in one short line: the verb and the object it carries; entries of etcd's own as they are."""
    found = WRITE.match(text)
    if found is None:
        return text
    guard, deed = found["guard"], found["deed"]
    verb = deed if deed == "delete" or guard is None else "create" if f"mod({found['key']})=0" in guard else "update"
    return f"{_(VERBS[verb])} {thing(found['key'])}"


def thing(key: str) -> str:
    """Return what a key of Kubernetes names: ``/registry/pods/default/web`` is ``pods default/web``."""
    parts = key.split("/")[2:]
    if len(parts) > 2 and ("." in parts[0] or parts[0] == "services"):
        parts = parts[1:] if "." in parts[0] else [{"specs": "services"}.get(parts[1], parts[1]), *parts[2:]]
    return f"{'nodes' if parts[0] == 'minions' else parts[0]} {'/'.join(parts[1:])}".strip()


def column(index: int | None, first: int) -> float | None:
    """Return the middle of an index's column, or None when it is not drawn."""
    return None if index is None or index < first else (index - first) * CELL + CELL / 2


def hatch(term: int) -> str:
    """Return a term's hatch."""
    return ("none", "45", "135", "dots")[int(term) % 4]
