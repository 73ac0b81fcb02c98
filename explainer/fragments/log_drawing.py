"""The members' logs on one grid of indexes: a row a member, a cell an entry; and an entry in words.

In → out: the ``bench`` read model in, cells out. A cell is committed (filled), stored (outlined), being written (outlined, open), missing (dashed),
compacted (dotted) or to be overwritten (struck through): line style says it, never colour. Terms have no hue: a number and a hatch that
cycles none, 45°, 135°, dots. ``match`` and ``next`` are what the leader believes of each follower.

Units: pixels; a column is ``PITCH`` wide, a row ``ROW`` tall.
"""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _

from .ring_drawing import MARKS, parties, shape_of
from .words import noop

PITCH = 30
ROW = 32
TIGHT = 31
"""A row where there are seven and more."""
HEAD = 22
SHOWN = 18
"""Log columns drawn: the newest ones."""


def logs(model: dict[str, Any]) -> dict[str, Any]:
    """Return all logs on one grid of indexes; of several clusters one after the other, each beside its own leader's."""
    first, last = model.get("firstShown") or 1, model.get("lastShown") or 0
    formed = parties(model)
    members = [(rows, member) for rows in formed for member in rows]
    row_height = TIGHT if len(members) >= 7 else ROW
    rows = []
    for number, (party, member) in enumerate(members):
        leader = max(
            (m for m in party if m.get("role") == "leader" and m.get("up", True)),
            key=lambda m: m.get("term") or 0,
            default=None,
        )
        progress = {str(p["id"]): p for p in (leader or {}).get("progress") or []}
        true_terms = {entry[0]: entry[1] for entry in (leader or {}).get("log") or []}
        commit = max((m.get("commit") or 0 for m in party), default=0)
        entries = {entry[0]: entry for entry in member.get("log") or []}
        cells = []
        for index in range(first, last + 1):
            entry = entries.get(index)
            cells.append(
                {
                    "index": index,
                    "term": entry[1] if entry else "",
                    "text": entry[2] if entry else "",
                    "line": line(entry[2]) if entry else "",
                    "state": state(member, index, entry, true_terms, leader is not None and member is not leader),
                    "hatch": hatch(entry[1]) if entry else "none",
                    "x": (index - first) * PITCH,
                }
            )
        mark = progress.get(str(member["id"])) or {}
        rows.append(
            {
                "member": member,
                "shape": shape_of(member),
                "mark": MARKS[formed.index(party) % len(MARKS)] if len(formed) > 1 else "",
                "cells": cells,
                "y": HEAD + number * row_height,
                "progress": mark,
                "next": column(mark.get("next"), first, last + 1),
                "match": column(mark.get("match"), first, last),
                "lag": max(commit - (member.get("lastIndex") or 0), 0),
            }
        )
    columns = max(last - first + 1, 0)
    return {
        "first": first,
        "last": last,
        "rows": rows,
        "width": (columns + 1) * PITCH,
        "height": HEAD + len(members) * row_height,
        "indexes": [
            {"index": i, "x": (i - first) * PITCH + PITCH / 2, "long": long(i, last)} for i in range(first, last + 1)
        ],
        "earlier": max(first - 1, 0) if first > 1 else 0,
        "later": last + columns if last < (model.get("last") or 0) else 0,
        "newest": last >= (model.get("last") or 0),
    }


def long(index: int, last: int) -> bool:
    """Whether a column's number is written: every one, or, where they are long, every second."""
    return last < 1000 or (last - index) % 2 == 0


def state(
    member: dict[str, Any], index: int, entry: list[Any] | None, true_terms: dict[int, int], follows: bool
) -> str:
    """Return how a cell stands: see the module."""
    if entry is None:
        return "compacted" if index < (member.get("firstIndex") or 0) else "missing"
    if index <= (member.get("commit") or 0):
        return "committed"
    if follows and true_terms and true_terms.get(index) != entry[1]:
        return "doomed"
    return "stored" if index <= member.get("durable", index) else "writing"


def entries(grid: dict[str, Any], model: dict[str, Any], most: int = 40) -> list[dict[str, Any]]:
    """Return the entries of the grid, newest first, as many rows as there are different ones: who has it, what it does, who caused it."""
    causes = {(m["id"], e[0]): e[3] for m in model["members"] for e in m.get("log") or [] if len(e) > 3}
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for row in grid["rows"]:
        for cell in row["cells"]:
            if cell["term"] == "":
                continue
            one = found.setdefault(
                (cell["index"], cell["term"]),
                {
                    "index": cell["index"],
                    "term": cell["term"],
                    "text": cell["text"],
                    "line": cell["line"],
                    "cause": causes.get((row["member"]["id"], cell["index"])) or 0,
                    "committed": False,
                    "doomed": False,
                    "have": [],
                    **what(cell["text"]),
                },
            )
            one["have"].append(row["member"]["id"])
            one["committed"] = one["committed"] or cell["state"] == "committed"
            one["doomed"] = one["doomed"] or cell["state"] == "doomed"
    return [found[key] for key in sorted(found, reverse=True)][:most]


WRITE = re.compile(r"(?:txn if (?P<guard>.*?)(?: else .*?;)? then )?(?P<deed>put|delete) (?P<key>[^=;\s]+)")
RENAMED = {"minions": "nodes", "controllers": "replicationcontrollers", "ingress": "ingresses"}
"""Kinds whose keys have an older name."""
VERBS = {"create": noop("create"), "update": noop("update"), "put": noop("write"), "delete": noop("delete")}


def line(text: str) -> str:
    """Return an entry in one short line: the verb and the object it carries; entries of etcd's own as they are."""
    found = WRITE.match(text)
    if found is None or not found["key"].startswith("/registry/"):
        return text
    guard, deed = found["guard"], found["deed"]
    verb = deed if deed == "delete" or guard is None else "create" if f"mod({found['key']})=0" in guard else "update"
    return f"{_(VERBS[verb])} {thing(found['key'])}"


def what(text: str) -> dict[str, str]:
    """Return the key that an entry writes, and the object under it: ``{key, resource, namespace, name}``, empty where there is none."""
    found = WRITE.match(text)
    key = found["key"] if found else ""
    return {"key": key, **place(key)}


def place(key: str) -> dict[str, str]:
    """Return the Kubernetes object that a key holds: ``/registry/pods/default/web`` → pods, default, web."""
    group, parts = _parts(key) if key.startswith("/registry/") else ("", [])
    if not 2 <= len(parts) <= 3:
        return {"resource": "", "namespace": "", "name": ""}
    resource = parts[0] if not group or group.endswith("k8s.io") else f"{parts[0]}.{group}"
    return {"resource": resource, "namespace": parts[1] if len(parts) == 3 else "-", "name": parts[-1]}


def thing(key: str) -> str:
    """Return what a key of Kubernetes names: ``/registry/pods/default/web`` is ``pods default/web``."""
    _group, parts = _parts(key)
    return f"{parts[0]} {'/'.join(parts[1:])}".strip()


def _parts(key: str) -> tuple[str, list[str]]:
    """(the group, if the key says one, the kind as the API calls it and the names under it) of a key of Kubernetes."""
    parts, group = key.split("/")[2:], ""
    if len(parts) > 2 and "." in parts[0]:
        group, parts = parts[0], parts[1:]
    elif len(parts) > 2 and parts[0] == "services":
        parts = [{"specs": "services"}.get(parts[1], parts[1]), *parts[2:]]
    return group, [RENAMED.get(parts[0], parts[0]), *parts[1:]]


def column(index: int | None, first: int, last: int) -> float | None:
    """Return the middle of an index's column, or None when it is not drawn."""
    return None if index is None or not first <= index <= last else (index - first) * PITCH + PITCH / 2 - 2


def hatch(term: int) -> str:
    """Return a term's hatch."""
    return ("none", "45", "135", "dots")[int(term) % 4]
