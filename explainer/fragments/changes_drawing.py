"""How a change reached every node's rules, as bars over time: the requests that led to it, then each kube-proxy's sync.

In → out: a change (``cluster/snapshot/syncs.py``) in, coordinates out; times in virtual micros since the first request. Until a node has synced it
still sends to an endpoint that is gone (a hatched bar), or not yet to one that came (a dashed one).

Units: user units of the viewBox.
"""

from __future__ import annotations

import difflib
from typing import Any

from . import names

WIDTH = 1080
LEFT, RIGHT = 350, 1010
ROW = 34
TOP = 34
MAX_NODES = 10
MAX_DIFF_LINES = 30_000
MAX_SHOWN = 400


def gantt(change: dict[str, Any], big: bool = False) -> dict[str, Any]:
    """Return rows, ticks and size of the picture."""
    begin = change["beganMicros"]
    nodes = change["nodes"][:MAX_NODES]
    end = max([node["at"] for node in change["nodes"]] + [change["endAt"]])
    span = max(end - begin, 1000)

    def x(at: int) -> float:
        return round(LEFT + (at - begin) / span * (RIGHT - LEFT), 1)

    rows: list[dict[str, Any]] = []
    for request in [*change["chain"][-5:], change]:
        label = f"{request['verb']} {request['resource']}"
        left, right = x(request["at"]), x(request["endAt"])
        rows.append(
            {
                "kind": "request",
                "id": request["id"],
                "label": label,
                "sub": names.cut(request["name"], max(8, (18 if big else 38) - len(label))),
                "full": f"{label} {request['namespace']}/{request['name']}",
                "x": left,
                "w": max(round(right - left, 1), 4),
                "after": request["at"] - begin,
            }
        )
    wait = "gone" if change["gone"] else "came" if change["came"] else "other"
    start = x(change["at"])
    for node in nodes:
        rows.append(
            {
                "kind": "node",
                "label": node["node"],
                "sub": f"+{node['added']} −{node['removed']}",
                "wait": wait,
                "x": start,
                "w": max(round(x(node["at"]) - start, 1), 2),
                "tick": x(node["at"]),
                "after": node["at"] - begin,
                "since": node["at"] - change["at"],
            }
        )
    for at, row in enumerate(rows):
        row["y"] = TOP + at * ROW
        row["mid"] = row["y"] + ROW // 2
    height = TOP + len(rows) * ROW + 12
    return {
        "rows": rows,
        "width": WIDTH,
        "height": height,
        "ticks": [{"x": x(begin + at), "label": names.span(at), "y2": height - 12} for at in ticks(span)],
        "more": max(len(change["nodes"]) - MAX_NODES, 0),
        "span": end - begin,
        "window": max((node["at"] for node in change["nodes"]), default=end) - change["at"],
    }


def ticks(span: int) -> list[int]:
    """Return four or five round instants within a span."""
    step = next(size * 10**power for power in range(12) for size in (1, 2, 5) if span / (size * 10**power) <= 5)
    return list(range(0, span + 1, step))


def difference(before: str, after: str) -> dict[str, Any] | None:
    """Return what differs between two dumps, in hunks with their places; None when they are too long to compare here."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > MAX_DIFF_LINES:
        return None
    rows: list[dict[str, str]] = []
    added = removed = 0
    for line in difflib.unified_diff(old, new, n=2, lineterm=""):
        if line.startswith(("---", "+++")):
            continue
        kind = {"+": "add", "-": "del", "@": "gap"}.get(line[:1], "same")
        added, removed = added + (kind == "add"), removed + (kind == "del")
        rows.append({"kind": kind, "text": line[1:] if kind != "gap" else ""})
    return {
        "rows": rows[:MAX_SHOWN],
        "more": max(len(rows) - MAX_SHOWN, 0),
        "added": added,
        "removed": removed,
        "lines": len(new),
    }
