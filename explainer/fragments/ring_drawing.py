"""etcd's members as a flat ring: places, roles, timers, votes, the lines between them and where those are cut.

In → out: the ``bench`` read model in, coordinates out. All members have the same size; the role is a shape and a letter, name and term stand
inside, the timer is an arc outside, votes are marks over the candidate. A line that carries a leader's word is drawn in the role's colour; a way that
is cut ends at a bar before the member that does not hear. Two clusters (after a restore that went half way) are two rings.

Units: user units of the ring's viewBox (``WIDE`` by ``TALL``); angles from the top, clockwise.
"""

from __future__ import annotations

import math
from typing import Any

WIDE = 560
TALL = 480
BODY = 36
TIMER = 47
PIPS = 60
APART = 0.3
"""Radians from one vote's mark to the next."""
SMALLER = 0.82
"""Members of a ring of seven and more."""
BIGGER = 1.25
"""Members on a projector."""
LETTERS = {"leader": "L", "candidate": "C", "pre-candidate": "P"}
MANY = 7
"""Members from which on they are drawn smaller."""
MARKS = "ABCDEFGHI"
"""What clusters are called where there are several."""
BEHIND = 3
"""Entries that a member may lack before it counts as a laggard: what is on its way is no lag."""


def ring(model: dict[str, Any], big: bool = False) -> list[dict[str, Any]]:
    """Return the members with their place, shape, timer, votes and lag, those of one cluster together. ``big``: for a projector."""
    formed = parties(model)
    out = []
    for number, (x, y, radius, scale, rows) in enumerate(places(formed, big)):
        top_term = max((row.get("term") or 0 for row in rows), default=0)
        commit = max((row.get("commit") or 0 for row in rows), default=0)
        for index, row in enumerate(rows):
            angle = -math.pi / 2 + 2 * math.pi * index / len(rows)
            shape, way = shape_of(row), 1 if math.sin(angle) > 0.01 else -1
            lag = max(commit - (row.get("lastIndex") or 0), 0)
            dx, dy = (math.cos(angle), math.sin(angle)) if radius else (0.0, 1.0)
            out.append(
                {
                    **row,
                    "x": round(x + radius * math.cos(angle), 1),
                    "y": round(y + radius * math.sin(angle), 1),
                    "angle": angle,
                    "shape": shape,
                    "letter": LETTERS.get(shape, ""),
                    "arc": arc(row, model["nowMicros"]),
                    "pips": pips(row, rows, way),
                    "badge_y": 36 if way < 0 and shape in ("candidate", "pre-candidate") else -36,
                    "old_term": (row.get("term") or 0) < top_term and not row.get("removed"),
                    "lag": lag if lag >= BEHIND and not row.get("removed") else 0,
                    "scale": round(scale, 3),
                    "note_x": round(dx * (TIMER + 12), 1),
                    "note_y": round(dy * (TIMER + (16 if abs(dx) < 0.3 else 8)) + 5, 1),
                    "side": "start" if dx > 0.3 else "end" if dx < -0.3 else "middle",
                    "asks": shape in ("candidate", "pre-candidate"),
                    "party": number,
                    "mark": MARKS[number % len(MARKS)] if len(formed) > 1 else "",
                    "first": number > 0 and not index,
                }
            )
    return out


def shape_of(row: dict[str, Any]) -> str:
    """Return which shape a member has."""
    return "down" if not row.get("up", True) else "learner" if row.get("learner") else row.get("role") or "follower"


def parties(model: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the members' rows, a list a cluster: one list, unless a restore made two clusters of them."""
    rows = model["members"]
    formed = model.get("clusters") or []
    if len(formed) < 2:
        return [rows]
    return [[row for row in rows if row["id"] in one["members"]] for one in formed]


def places(
    formed: list[list[dict[str, Any]]], big: bool
) -> list[tuple[float, float, float, float, list[dict[str, Any]]]]:
    """Return a ring for each cluster: its middle, its radius, the size of its members, and who they are."""
    count = max(len(formed[0]), 1)
    if len(formed) == 1:
        many = count >= MANY
        radius = 0.0 if count == 1 else 194.0 if many and big else 180.0 if many else 158.0
        scale = (SMALLER if many else 1.0) * ((1.1 if many else BIGGER) if big else 1.0)
        return [(WIDE / 2, TALL / 2, radius, scale, formed[0])]
    wide = WIDE / len(formed)
    out = []
    for number, rows in enumerate(formed):
        scale = min(0.66 * (1.2 if big else 1.0), wide / 2 / TIMER - 0.1)
        radius = 0.0 if len(rows) == 1 else wide / 2 - TIMER * scale - 10
        if len(rows) > 1:  # neighbours do not touch
            scale = min(scale, radius * math.sin(math.pi / len(rows)) / (TIMER + 3))
        out.append((wide * (number + 0.5), TALL / 2 - 24, radius, scale, rows))
    return out


def arc(row: dict[str, Any], now_micros: int) -> str:
    """Return the remaining timer as a dash pattern of a circle with circumference 100, or empty."""
    start, end = row.get("timerStartMicros"), row.get("timerEndMicros")
    if start is None or end is None or end <= start or not row.get("up", True):
        return ""
    left = min(max((end - now_micros) / (end - start), 0.0), 1.0)
    return f"{100 * left:.1f} 100"


def pips(row: dict[str, Any], rows: list[dict[str, Any]], way: int) -> list[dict[str, Any]]:
    """Return a candidate's votes: a mark for each voter, that says yes, no or nothing yet. ``way``: -1 above the candidate, 1 beneath it."""
    if row.get("role") not in ("candidate", "pre-candidate") or not row.get("up", True):
        return []
    votes = row.get("votes") or {}
    out = []
    voters = [other for other in rows if not other.get("learner") and not other.get("removed")]
    for number, other in enumerate(voters):
        # Side by side over the candidate, in the members' order: beside each other they can be counted.
        at = (number - (len(voters) - 1) / 2) * APART
        said = votes.get(other["id"])
        out.append(
            {
                "id": other["id"],
                "x": round(PIPS * math.sin(at), 1),
                "y": round(way * PIPS * math.cos(at), 1),
                "said": "yes" if said else "no" if said is False else "open",
            }
        )
    return out


def links(members: list[dict[str, Any]], ways: list[list[Any]]) -> list[dict[str, Any]]:
    """Return the lines between every two members, shortened to their borders, with a bar for each way that is cut."""
    state = {(a, b): (how, much) for a, b, how, much in ways}
    out = []
    for i, a in enumerate(members):
        for b in members[i + 1 :]:
            if a["party"] != b["party"] or a.get("removed") or b.get("removed"):
                continue  # they have nothing to say to each other
            dx, dy = b["x"] - a["x"], b["y"] - a["y"]
            length = math.hypot(dx, dy) or 1
            ux, uy = dx / length, dy / length
            there, back = (
                state.get((a["id"], b["id"]), ("ok", 0)),
                state.get((b["id"], a["id"]), ("ok", 0)),
            )
            both = {there[0], back[0]}
            closed = [way in ("cut", "apart") for way in (there[0], back[0])]
            gap = (TIMER + 8) * a["scale"]
            leads = any(one["shape"] == "leader" for one in (a, b)) and a.get("up", True) and b.get("up", True)
            bars = [
                bar(b["x"] - ux * (gap + 14), b["y"] - uy * (gap + 14), ux, uy) if closed[0] else None,
                bar(a["x"] + ux * (gap + 14), a["y"] + uy * (gap + 14), ux, uy) if closed[1] else None,
            ]
            slow = next((f"{much:g} ms" for how, much in (there, back) if how == "slow"), "")
            lossy = next((f"{much:g} %" for how, much in (there, back) if how == "lossy"), "")
            out.append(
                {
                    "a": a["id"],
                    "b": b["id"],
                    "x1": round(a["x"] + ux * gap, 1),
                    "y1": round(a["y"] + uy * gap, 1),
                    "x2": round(b["x"] - ux * gap, 1),
                    "y2": round(b["y"] - uy * gap, 1),
                    "state": "cut"
                    if all(closed)
                    else "half"
                    if any(closed)
                    else "slow"
                    if slow
                    else "lossy"
                    if lossy
                    else "leads"
                    if leads
                    else "idle",
                    "bars": [one for one in bars if one],
                    "note": slow or lossy,
                    # Not at the middle, where the lines of a large ring meet.
                    "note_x": round(a["x"] + dx * 0.38, 1),
                    "note_y": round(a["y"] + dy * 0.38 + 5, 1),
                    "ok": both == {"ok"},
                }
            )
    return out


def shared(ways: list[dict[str, Any]], most: int = 3) -> list[dict[str, Any]]:
    """Take a note that more than ``most`` ways have off them all, and return it once: ``{note, state}``, for the corner."""
    notes = dict.fromkeys((way["note"], way["state"]) for way in ways if way["note"])
    out = []
    for note, state in notes:
        alike = [way for way in ways if (way["note"], way["state"]) == (note, state)]
        if len(alike) > most:
            for way in alike:
                way["note"] = ""
            out.append({"note": f"{note} ×{len(alike)}", "state": state})
    return out


def bar(x: float, y: float, ux: float, uy: float) -> dict[str, float]:
    """Return a short line across a way at (x, y) that goes in direction (ux, uy)."""
    half = 9
    return {
        "x1": round(x - uy * half, 1),
        "y1": round(y + ux * half, 1),
        "x2": round(x + uy * half, 1),
        "y2": round(y - ux * half, 1),
    }


def wall(members: list[dict[str, Any]], ways: list[list[Any]]) -> dict[str, Any] | None:
    """Return the line that parts the ring in two, if the cuts do that: both ways between two arcs of neighbours, and no other.

    ``sides``: the members of the one and of the other.
    """
    ids = [member["id"] for member in members]
    closed = {(a, b) for a, b, how, _ in ways if how in ("cut", "apart")}
    if len(ids) < 2 or not closed:
        return None
    side = [id for id in ids if id == ids[0] or (ids[0], id) not in closed]
    rest = [id for id in ids if id not in side]
    wanted = {(a, b) for a in side for b in rest} | {(b, a) for a in side for b in rest}
    if not rest or closed != wanted:
        return None
    place = {member["id"]: (member["x"], member["y"]) for member in members}
    a, b = (tuple(sum(place[id][axis] for id in group) / len(group) for axis in (0, 1)) for group in (side, rest))
    length = math.hypot(b[0] - a[0], b[1] - a[1])
    if not length:
        return {"sides": [side, rest], "line": None}
    ux, uy = (b[0] - a[0]) / length, (b[1] - a[1]) / length
    near = max(place[id][0] * ux + place[id][1] * uy for id in side)
    far = min(place[id][0] * ux + place[id][1] * uy for id in rest)
    if far - near < BODY:  # no straight line parts them: the bars on their ways say it
        return {"sides": [side, rest], "line": None}
    middle = (near + far) / 2
    x, y = middle * ux + shift(ux, uy)[0], middle * uy + shift(ux, uy)[1]
    ends = [edge(x, y, -uy, ux), edge(x, y, uy, -ux)]
    return {"sides": [side, rest], "line": {"x1": ends[0][0], "y1": ends[0][1], "x2": ends[1][0], "y2": ends[1][1]}}


def shift(ux: float, uy: float) -> tuple[float, float]:
    """Return the way along a line across (ux, uy) from the drawing's origin to where its middle is seen."""
    along = WIDE / 2 * -uy + TALL / 2 * ux
    return -uy * along, ux * along


def edge(x: float, y: float, dx: float, dy: float) -> tuple[float, float]:
    """Return where a ray from (x, y) leaves the sheet, a little inside."""
    inside = 12
    steps = [
        ((WIDE - inside if d > 0 else inside) - at) / d
        if axis == 0
        else ((TALL - inside if d > 0 else inside) - at) / d
        for axis, at, d in ((0, x, dx), (1, y, dy))
        if abs(d) > 1e-6
    ]
    step = max(min(steps), 0.0)
    return round(x + dx * step, 1), round(y + dy * step, 1)


def quorum(model: dict[str, Any]) -> dict[str, Any]:
    """Return have, need and how many more may be lost, of the cluster in which most members run."""
    empty = {"voters": 0, "have": 0, "need": 1, "mayLose": 0, "alive": 0}
    one = (model.get("clusters") or [empty])[0]
    return {
        "voters": one["voters"],
        "have": one["have"],
        "need": one["need"],
        "may_lose": one["mayLose"],
        "short": max(one["need"] - one["have"], 0),
        "apart": one["alive"] > one["have"],
    }


def titles(model: dict[str, Any], members: list[dict[str, Any]], big: bool) -> list[dict[str, Any]]:
    """Return what stands under each ring when there are several: whose it is, who leads it in which term, what it has of what it needs."""
    formed = model.get("clusters") or []
    if len(formed) < 2:
        return []
    wide = WIDE / len(formed)
    out = []
    for number, (one, (x, y, radius, scale, rows)) in enumerate(zip(formed, places(parties(model), big), strict=True)):
        leader = next((row for row in rows if row["id"] == one["leader"]), None)
        out.append(
            {
                **one,
                "mark": MARKS[number % len(MARKS)],
                "x": round(x, 1),
                "y": round(y + radius + TIMER * scale + (56 if any(m["pips"] for m in members) else 40), 1),
                "line": (24 if big else 19),
                "term": max((row.get("term") or 0 for row in rows), default=0),
                "lead": leader["id"] if leader else "",
                "short": max(one["need"] - one["have"], 0),
                "edge": round(wide * (number + 1), 1) if number + 1 < len(formed) else 0,
            }
        )
    return out
