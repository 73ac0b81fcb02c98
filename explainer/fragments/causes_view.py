"""What a request caused, as a tree for the page, with its critical path and the scheduler's matrix.

In → the ``request`` read model (its ``tree``: requests and effects, children in order of time, instants in micros); out → the same nodes with
their delay, their bar, ``critical`` marks, ``matrix`` or ``lines`` to unfold, and a `Path` that sums up what took how long.

The critical path is the longest chain that determined when the last thing happened. Going back from the last thing that anybody waits
for: a component's own step before it, if it took one in the same cause (a kubelet pulls before it starts), else the request that caused
it. What lies between two steps of the chain is counted for the later one, so that the parts add up to the whole.

Simplified here: Events that components write about what they did are never the last thing, for nobody waits for them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from . import names
from .particles import settle
from .words import noop

Node = dict[str, Any]

SORTS = {
    "image": noop("image"),
    "sandbox": noop("sandbox"),
    "container": noop("container"),
    "schedule": noop("scheduling"),
    "rules": noop("rules"),
    "reconcile": noop("controllers"),
    "kubelet": noop("kubelet's reports"),
    "kube-scheduler": noop("scheduler's requests"),
    "kube-controller-manager": noop("controllers"),
    "kube-proxy": noop("rules"),
    "self": noop("the request itself"),
    "other": noop("other"),
}
TOLD = 4


class Part(NamedTuple):
    """A share of the critical path."""

    sort: str
    label: str
    micros: int


class Path(NamedTuple):
    """The critical path in words: ``micros`` from the request's begin until ``what`` happened, and the parts, the longest first."""

    sentence: str
    micros: int
    parts: list[Part]
    steps: int


def tree(trace: dict[str, Any], base: str = "") -> tuple[list[Node], int]:
    """Return the causal tree with each node's delay after the request began and its bar, and how many nodes it has."""
    nodes = trace.get("tree")
    if nodes is None:
        nodes = [n for n in trace.get("effects") or [] if isinstance(n, dict)]
    start = trace.get("startMicros") or 0
    width = max(max(_times(nodes), default=start) - start, 1)
    count = 0

    def walk(rows: list[Node], level: int) -> list[Node]:
        nonlocal count
        out = []
        for node in rows:
            count += 1
            after = (node.get("startMicros") or start) - start
            end = _end(node) or start
            out.append(
                {
                    **node,
                    "number": count,
                    "level": level,
                    "href": f"{base}/{node.get('id')}/",
                    "after": after,
                    "x": f"{min(max(100 * after / width, 0), 99):.2f}%",
                    "w": f"{max(100 * (end - start - after) / width, 0.8):.2f}%",
                    "critical": False,
                    "matrix": matrix(node.get("detail")) if node.get("what") == "schedule" else None,
                    "lines": rules(node.get("detail")) if node.get("what") == "rules" else None,
                    "children": walk(node.get("children") or [], level + 1),
                }
            )
        return out

    return walk(nodes, 1), count


def _end(node: Node) -> int:
    return node.get("endMicros") or node.get("startMicros") or 0


def _times(nodes: list[Node]) -> list[int]:
    out: list[int] = []
    for node in nodes:
        out.append(_end(node))
        out.extend(_times(node.get("children") or []))
    return out


# -- critical path ------------------------------------------------------------------------------------------------


def critical(trace: dict[str, Any], nodes: list[Node]) -> Path | None:
    """Mark the critical path in ``nodes`` (made by `tree`) and return its sum; None when nothing followed."""
    flat: list[tuple[Node, Node | None, list[Node]]] = []

    def collect(rows: list[Node], parent: Node | None) -> None:
        for node in rows:
            flat.append((node, parent, rows))
            collect(node["children"], node)

    collect(nodes, None)
    waited = [entry for entry in flat if not _aside(entry[0])]
    if not waited:
        return None
    # Running is what people wait for; what is reported afterwards is not on the way to it.
    ran = [entry for entry in waited if entry[0].get("what") == "container"]
    last = max(ran or waited, key=lambda entry: _end(entry[0]))
    chain = _chain(last, {id(node): (node, parent, rows) for node, parent, rows in flat})
    begin = trace.get("startMicros") or 0
    at = trace.get("endMicros") or begin
    sums: dict[str, int] = {"self": max(at - begin, 0)}
    for node in chain:
        node["critical"] = True
        sums[_sort(node)] = sums.get(_sort(node), 0) + max(_end(node) - at, 0)
        at = max(at, _end(node))
    parts = [Part(sort, _(SORTS[sort]), micros) for sort, micros in sums.items() if micros > 0]
    parts.sort(key=lambda part: -part.micros)
    whole = max(at - begin, 0)
    return Path(_summed(parts, whole, bool(ran)), whole, parts, len(chain))


def _aside(node: Node) -> bool:
    return node.get("resource") == "events"


def _chain(last: tuple[Node, Node | None, list[Node]], known: dict[int, Any]) -> list[Node]:
    chain: list[Node] = []
    entry: tuple[Node, Node | None, list[Node]] | None = last
    while entry is not None and len(chain) < 100:
        node, parent, rows = entry
        chain.append(node)
        before = _own_step_before(node, rows)
        back = before if before is not None else parent
        entry = known[id(back)] if back is not None else None
    return chain[::-1]


def _own_step_before(node: Node, rows: list[Node]) -> Node | None:
    """The latest thing that the same process had finished before, in the same cause: its own last step."""
    before = [
        other
        for other in rows
        if other is not node
        and other.get("kind") == "effect"
        and other.get("actor", other.get("component")) == node.get("actor", node.get("component"))
        and _end(other) <= (node.get("startMicros") or 0)
        and other["number"] < node["number"]
    ]
    return max(before, key=lambda other: (_end(other), other["number"]), default=None)


def _sort(node: Node) -> str:
    if node.get("kind") == "effect":
        what = str(node.get("what", ""))
    else:
        what = str(node.get("component", ""))
    return what if what in SORTS else "other"


def _summed(parts: list[Part], whole: int, ran: bool) -> str:
    shown = [f"{names.span(part.micros)} {part.label}" for part in parts[:TOLD]]
    rest = sum(part.micros for part in parts[TOLD:])
    if rest:
        shown.append(f"{names.span(rest)} {_(SORTS['other'])}")
    said = _("Running after %(time)s: %(parts)s.") if ran else _("All done after %(time)s: %(parts)s.")
    return said % {"time": names.span(whole), "parts": ", ".join(shown)}


def shares(path: Path) -> list[dict[str, Any]]:
    """Return the parts as one bar: place and width in percent."""
    out, x, whole = [], 0.0, max(sum(part.micros for part in path.parts), 1)
    for part in path.parts[: TOLD + 4]:
        width = 100 * part.micros / whole
        out.append({"label": part.label, "micros": part.micros, "x": f"{x:.2f}%", "width": f"{width:.2f}%"})
        x += width
    return out


# -- what a node unfolds to ---------------------------------------------------------------------------------------


def matrix(detail: Any) -> dict[str, Any] | None:
    """Return the scheduler's plug-in × node matrix as rows for a table.

    ``{nodes: [{name, winner, refused}], filters: [{plugin, cells: [(verdict, why)]}], scores: [{plugin, weight, cells}], totals, more}``.
    A filter's verdict is ``pass``, ``fail``, or empty (not asked: an earlier one had refused).
    """
    if not isinstance(detail, dict) or "nodes" not in detail:
        return None
    columns, refused, scores = detail["nodes"], detail.get("refused") or {}, detail.get("scores") or {}
    plugins = list(detail.get("filters") or [])
    for plugin, _why in refused.values():
        if plugin not in plugins:
            plugins.insert(0, plugin)  # it let only some nodes through before any filter ran
    filters = []
    for row, plugin in enumerate(plugins):
        cells = []
        for node in columns:
            no = refused.get(node)
            at = plugins.index(no[0]) if no else len(plugins)
            cells.append(("fail", no[1]) if no and at == row else ("pass", "") if row < at else ("", ""))
        filters.append({"plugin": plugin, "cells": cells})
    weights = detail.get("weights") or {}
    asked = dict.fromkeys(plugin for rows in scores.values() for plugin in rows)
    scored = [
        {
            "plugin": plugin,
            "weight": weights.get(plugin, 1),
            "cells": [(scores.get(node) or {}).get(plugin) for node in columns],
        }
        for plugin in asked
    ]
    totals = [sum(cell[2] for cell in scores[node].values()) if node in scores else None for node in columns]
    return {
        "nodes": [
            {"name": node, "winner": node == detail.get("winner"), "refused": node in refused} for node in columns
        ],
        "filters": filters,
        "scores": scored,
        "totals": totals if scored else [],
        "more": detail.get("more") or 0,
        "everywhere": detail.get("everywhere"),
        "winner": detail.get("winner") or "",
    }


def packet(walk: dict[str, Any]) -> dict[str, Any]:
    """Return the first packet with its sentence; shown are the rules that matched, for hundreds are only passed by."""
    values = {"to": f"{walk['to']}:{walk['port']}", "node": walk["node"], "service": walk["service"]}
    ends = walk.get("endpoints") or []
    if walk.get("verdict") == "DNAT" and ends:
        values |= {"endpoints": ", ".join(ends), "fresh": ", ".join(walk.get("fresh") or []), "n": len(ends)}
        said = _("A packet from %(node)s to Service %(service)s (%(to)s) is sent on to %(endpoints)s.")
        if walk.get("fresh"):
            said += " " + _("New because of this request: %(fresh)s.")
    else:
        values["verdict"] = str(walk.get("verdict") or "?")
        said = _("A packet from %(node)s to Service %(service)s (%(to)s) ends in %(verdict)s.")
    # The nat table decides where it goes; what the other tables let pass is on the network page.
    decided = [
        step for step in walk.get("steps") or [] if step.get("table") == "nat" and step.get("hook") != "POSTROUTING"
    ]
    return {**walk, "sentence": settle(said % values), "shown": decided[:24]}


def rules(detail: Any) -> dict[str, Any] | None:
    """Return the lines that kube-proxy wrote and removed: ``{service, added, removed}``."""
    if not isinstance(detail, dict):
        return None
    return {
        "service": detail.get("service", ""),
        "added": detail.get("added") or [],
        "removed": detail.get("removed") or [],
    }
