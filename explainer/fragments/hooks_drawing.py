"""The packet-flow picture: netfilter's five hooks with their tables as stations on a rail, the routing decision, and where a packet ends.

In → out: a journey (``cluster/netfilter/journey.py``) in, coordinates out. A station stands on the rail of its hook; the packet rides on the
rail, so it never covers a name. Upper lane: PREROUTING, routing, FORWARD, POSTROUTING; below, right to left, INPUT; lowest OUTPUT, from
the processes of the node up to POSTROUTING. INPUT and OUTPUT are slim when the packet doesn't pass them: the rules under the picture need the room. At the
right the ends that the packet can have, as thick as they are likely.

Units: user units of the viewBox. ``big``: a projector's letters; stations without a rule are left out then.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _

from . import names

WIDTH = 1120
UPPER = ("PREROUTING", "FORWARD", "POSTROUTING")
SHOWN_ENDS = 5


class Sizes:
    """Measures of the two sheets. ``slim``: which of INPUT and OUTPUT the packet doesn't pass; ``marks``: lines of text under the upper rail."""

    def __init__(self, big: bool, offset: int = 0, slim: frozenset[str] = frozenset(), marks: int = 1) -> None:
        self.big, self.slim = big, slim
        self.cell, self.tall = (96, 68) if big else (67, 44)
        self.top = offset + (40 if big else 26)
        self.pad = 22 if big else 16
        self.rail = self.top + self.tall + self.pad
        self.gap = 22 if big else 24
        self.box = 152 if big else 128
        self.row = 62 if big else 42
        self.half = 52 if big else 42
        self.letters = 11 if big else 14
        self.name_y, self.steps_y = (30, 58) if big else (18, 36)
        self.inset = 0 if big else 72
        """Where the stations of a slim hook begin: its name stands before them; a projector shows the name only."""
        self.lanes: dict[str, tuple[int, int, int]] = {}
        """INPUT and OUTPUT → (upper edge, height of a station, rail)."""
        rail, last = self.rail, ""
        for name in ("INPUT", "OUTPUT"):
            if name in slim:
                tall, pad = (30, 8) if big else (24, 8)
                room = (
                    (10 if last else 44 + 24 * max(0, marks - 1))
                    if big
                    else (12 if last else 36 + 16 * max(0, marks - 1))
                )
            else:
                tall, pad = self.tall, self.pad
                apart = last not in slim if last else marks > 0  # text stands under the rail above
                room = (76 if big else 52) if apart else (50 if big else 36)
            edge = rail + room
            rail = edge + tall + pad
            self.lanes[name] = edge, tall, rail
            last = name

    @property
    def height(self) -> int:
        """Of the whole picture."""
        return self.lanes["OUTPUT"][2] + (28 if self.big else 24)


def picture(
    journey: dict[str, Any], big: bool = False, offset: int = 0, first: tuple[int, int] = (1, 0), upper: bool = False
) -> dict[str, Any]:
    """Return everything the template draws; ``directions``: request and reply, each with its way and its ends.

    ``upper``: only the upper lane is wanted. ``offset``: down to where it begins; ``first``: the numbers of the first step of the request and of the reply (0: after the request).
    """
    frames = [*journey["frames"], *journey["reply"]]
    passed = {frame["hook"] for frame in frames}
    sizes = Sizes(big, offset, frozenset() if upper else frozenset({"INPUT", "OUTPUT"} - passed), _mark_lines(journey))
    used = {frame.get("station") for frame in frames if frame.get("station")}
    if not big:  # few stations have room: the ends stay at the right
        stations = sum(len(journey["hooks"][name]) for name in UPPER)
        sizes.cell = max(67, min(92, 67 * 8 // max(stations, 1)))
    hooks = {name: _hook(name, rows, sizes, used) for name, rows in journey["hooks"].items()}
    # The way down to INPUT passes beside its last station.
    before = hooks["PREROUTING"]
    before["w"] = max(before["w"], hooks["INPUT"]["w"] - hooks["INPUT"]["inset"] - sizes.half + sizes.gap // 2)
    _place(hooks, sizes)
    middle = hooks["PREROUTING"]["right"] + sizes.gap + sizes.half
    ends = hooks["POSTROUTING"]["right"] + sizes.gap + 8
    geometry = {
        "sizes": sizes,
        "width": WIDTH,
        "height": sizes.height,
        "hooks": list(hooks.values()),
        "route": _route(middle, sizes),
        "source": _box(sizes.rail - sizes.tall + 4, sizes.tall + 10, sizes),
        "process": _box(sizes.lanes["INPUT"][2] - 18, sizes.lanes["OUTPUT"][2] - sizes.lanes["INPUT"][2] + 36, sizes),
        "ends_x": ends,
    }
    geometry["rails"] = _rails(hooks, geometry, sizes)
    if not any(cell["id"] == "ipvs" for cell in hooks["INPUT"]["cells"]):
        del geometry["rails"]["ipvs"]
    geometry["directions"] = [
        _direction("request", journey["frames"], journey, hooks, geometry, sizes, first[0]),
        *(
            [
                _direction(
                    "reply", journey["reply"], journey, hooks, geometry, sizes, first[1] or len(journey["frames"]) + 1
                )
            ]
            if journey["reply"]
            else []
        ),
    ]
    lowest = max((mark["text_y"] for one in geometry["directions"] for mark in one["marks"]), default=0)
    geometry["height"] = max(sizes.height, lowest + (10 if big else 8))
    if not big and "conntrack" in journey:
        left = hooks["POSTROUTING"]["x"]
        ends_low = max((_low(end) for one in geometry["directions"] for end in one["ends"]), default=0)
        card_y = max(sizes.height - 88, ends_low + 6)
        geometry["height"] = max(geometry["height"], card_y + 88)
        geometry["card"] = {
            "x": left, "y": card_y, "w": WIDTH - left - 4, "h": 80, "text_x": left + 14,
            "from": next(f["number"] for f in [{**f, "number": n} for n, f in enumerate(journey["frames"], 1)] if f["kind"] == "confirm"),
            **journey["conntrack"],
        }  # fmt: skip
    return geometry | _pill(sizes) | {"ends_box": ends + 12, "ends_text": ends + 20, "ends_w": WIDTH - ends - 16}


def _low(end: dict[str, Any]) -> int:
    """The lower edge of an end."""
    return round(end["text_y"] if "more" in end else end["box_y"] + end["box_h"])


def _mark_lines(journey: dict[str, Any]) -> int:
    """How many lines stand under the upper rail at PREROUTING, at most."""
    counts = [0]
    for frames in (journey["frames"], journey["reply"]):
        changes = [(f["before"], f["after"]) for f in frames if f["hook"] == "PREROUTING"]
        counts.append(sum((b[ip], b[port]) != (a[ip], a[port]) for b, a in changes for ip, port in (("dst", "dport"), ("src", "sport"))))  # fmt: skip
    return max(counts)


LANE = ("PREROUTING", "route", "FORWARD", "forwarded", "POSTROUTING", "leave")


def with_second_node(
    drawing: dict[str, Any], journey: dict[str, Any], big: bool, first: tuple[int, int]
) -> list[dict[str, Any]]:
    """Draw the node of the receiver's pod under the first one, as far as forwarded packets pass it; its directions: ``there`` and ``back``."""
    beyond = journey["beyond"]
    end = {**journey["ways"][journey["way"]], "probability": 1.0, "verdict": "DNAT", "accepted": beyond["accepted"]}
    if not beyond["accepted"]:
        end["verdict"] = "DROP" if beyond["verdict"] == "drop" else "REJECT"
    sender = {"name": journey["node"], "pod": ""}
    there = {**beyond, "ways": [end], "way": 0, "from": sender}
    offset = drawing["height"] + (36 if big else 24)
    far = picture(there, big, offset, first, upper=True)
    sizes = Sizes(big, offset)
    drawing["hooks"] += [hook for hook in far["hooks"] if hook["name"] in UPPER]
    drawing["rails"] |= {f"far-{name}": far["rails"][name] for name in LANE}
    shown = dict(zip(("request", "reply"), ("there", "back"), strict=True))
    directions = [{**one, "name": shown[one["name"]], "box": far["source"]} for one in far["directions"]]
    drawing["far"] = {"route": far["route"], "node": beyond["node"], "y": drawing["height"] + (14 if big else 8)}
    low = [mark["text_y"] for one in directions for mark in one["marks"]]
    low += [one["wall"]["text_y"] for one in directions if one["wall"]] + [
        _low(end) for one in directions for end in one["ends"]
    ]
    drawing["height"] = max(sizes.rail + (34 if big else 28), *(y + 8 for y in low))
    return directions


def _pill(sizes: Sizes) -> dict[str, Any]:
    """The packet: a pill with a pointed end, about the point where it is."""
    w, h = (42, 17) if sizes.big else (24, 11)
    tip = h * 0.7
    return {
        "pill": f"M{-w} {-h}H{w - tip:g}L{w} 0L{w - tip:g} {h}H{-w}Z",
        "pill_text_y": 8 if sizes.big else 5,
        "hop": 1200 if sizes.big else 700,
    }


def _route(middle: float, sizes: Sizes) -> dict[str, Any]:
    tall = 30 if sizes.big else 24
    return {
        "x": middle,
        "y": sizes.rail,
        "left": middle - sizes.half,
        "right": middle + sizes.half,
        "over": sizes.rail - tall,
        "under": sizes.rail + tall,
        "name_y": sizes.rail - tall - 8,
    }


def _box(y: int, h: int, sizes: Sizes) -> dict[str, Any]:
    """A box at the left edge with two lines of text."""
    lead = 28 if sizes.big else 20
    return {
        "x": 8,
        "y": y,
        "w": sizes.box,
        "h": h,
        "mid": 8 + sizes.box / 2,
        "text_y": y + h // 2 - 2,
        "sub_y": y + h // 2 - 2 + lead,
    }


def _hook(name: str, rows: list[dict[str, Any]], sizes: Sizes, used: set[str]) -> dict[str, Any]:
    shown = [row for row in rows if not sizes.big or row["id"] in used or row["id"] == "conntrack" or row["rules"] > 0]
    # A projector keeps at least one table a hook.
    shown = shown or rows[-1:]
    if name in sizes.slim and sizes.big:
        shown = []
    if name == "INPUT":
        shown = shown[::-1]
    cells = [
        {**row, "short": {"conntrack": "ct"}.get(row["name"], row.get("type") or row["name"]), "hook": name}
        for row in shown
    ]
    names_need = {"FORWARD": (130, 80), "POSTROUTING": (180, 112), "PREROUTING": (176, 100)}
    least = names_need.get(name, (0, 0))[0 if sizes.big else 1]
    inset = sizes.inset if name in sizes.slim else 0
    return {"name": name, "cells": cells, "inset": inset, "w": max(inset + len(cells) * sizes.cell, least)}


def _place(hooks: dict[str, dict[str, Any]], sizes: Sizes) -> None:
    x = 8 + sizes.box + sizes.gap
    for name in (*UPPER, "INPUT", "OUTPUT"):
        hook = hooks[name]
        edge, tall, rail = sizes.lanes.get(name, (sizes.top, sizes.tall, sizes.rail))
        slim = name in sizes.slim
        if name in ("INPUT", "OUTPUT"):
            x = 8 + sizes.box + sizes.gap
        hook |= {
            "x": x,
            "right": x + hook["w"],
            "y": edge,
            "rail": rail,
            "name_y": edge + (sizes.name_y - 6 if sizes.big else sizes.name_y - 1) if slim else edge - 8,
        }
        for at, cell in enumerate(hook["cells"]):
            left = x + hook["inset"] + at * sizes.cell
            cell |= {
                "x": left,
                "cx": left + sizes.cell / 2,
                "y": edge,
                "under": edge + tall,
                "tall": tall,
                "rail": rail,
            }
            cell["name_y"] = edge + sizes.name_y - slim
        x += hook["w"] + sizes.gap + (2 * sizes.half + sizes.gap if name == "PREROUTING" else 0)


def _rails(
    hooks: dict[str, dict[str, Any]], geometry: dict[str, Any], sizes: Sizes
) -> dict[str, list[tuple[float, float]]]:
    """Every stretch of rail by name, as points in the direction of travel."""
    y1, y2, y3 = sizes.rail, sizes.lanes["INPUT"][2], sizes.lanes["OUTPUT"][2]
    route, box = geometry["route"], 8 + sizes.box
    post = hooks["POSTROUTING"]
    join = post["x"] - sizes.gap / 2
    pre, forward, inward, out = (hooks[name] for name in ("PREROUTING", "FORWARD", "INPUT", "OUTPUT"))
    return {
        "PREROUTING": [(box, y1), (pre["right"], y1)],
        "route": [(pre["right"], y1), (route["x"], y1)],
        "FORWARD": [(route["x"], y1), (forward["right"], y1)],
        "forwarded": [(forward["right"], y1), (join, y1)],
        "INPUT": [(route["x"], y1), (route["x"], y2), (inward["x"], y2)],
        "process": [(inward["x"], y2), (box, y2)],
        "OUTPUT": [(box, y3), (out["right"], y3)],
        "ipvs": [
            (inward["x"], y2),
            (inward["x"] - sizes.gap / 2, y2),
            (inward["x"] - sizes.gap / 2, y3),
            (inward["x"], y3),
        ],
        "up": [(out["right"], y3), (join, y3), (join, y1)],
        "POSTROUTING": [(join, y1), (post["right"], y1)],
        "leave": [(post["right"], y1), (geometry["ends_x"] - 12, y1)],
    }


WAYS = {
    "FORWARD": ("PREROUTING", "route", "FORWARD", "forwarded", "POSTROUTING", "leave"),
    "INPUT": ("PREROUTING", "route", "INPUT", "process"),
    "OUTPUT": ("OUTPUT", "up", "POSTROUTING", "leave"),
    "IPVS": ("PREROUTING", "route", "INPUT", "ipvs", "OUTPUT", "up", "POSTROUTING", "leave"),
}


def _direction(
    name: str,
    frames: list[dict[str, Any]],
    journey: dict[str, Any],
    hooks: dict[str, dict[str, Any]],
    geometry: dict[str, Any],
    sizes: Sizes,
    first: int,
) -> dict[str, Any]:
    visited = list(dict.fromkeys(frame["hook"] for frame in frames))
    arrived = frames[-1].get("verdict") not in ("DROP", "REJECT", None) if frames else False
    kind = (
        "IPVS"
        if {"INPUT", "OUTPUT"} <= set(visited) and "ipvs" in geometry["rails"]  # else: from a host to itself
        else "OUTPUT"
        if "OUTPUT" in visited
        else "INPUT"
        if "INPUT" in visited
        else "FORWARD"
    )
    if kind == "FORWARD" and visited == ["PREROUTING"] and not arrived:
        way: tuple[str, ...] = ("PREROUTING",)
    else:
        way = tuple(part for part in WAYS[kind])
    last = visited[-1] if visited else ""
    if not arrived and last in way:
        way = way[: way.index(last) + 1]
    rails = geometry["rails"]
    points = _joined([rails[part] if part != "OUTPUT" or kind != "IPVS" else rails[part][1:] for part in way])
    marks = _marks(frames, hooks, sizes)
    stops = [_stop(frame, hooks, geometry, sizes) for frame in frames]
    if stops and not arrived:
        stops[-1] = stops[-2] if len(stops) > 1 else stops[-1]
        wall = stops[-1]
        points = _cut(points, wall)
    return {
        "name": name,
        "line": _path(points),
        "stops": stops,
        "marks": marks,
        "wall": None if arrived or not stops else _wall(stops[-1], sizes, frames),
        "labels": _labels(frames, hooks, first),
        "source": _source(name, journey, frames, sizes),
        "from_process": kind == "OUTPUT",
        "ends": []
        if kind == "INPUT" and arrived and len(journey["ways"]) == 1
        else _ends(journey, geometry, sizes)
        if name == "request"
        else _home(journey, frames, geometry, sizes),
        "to_process": kind == "INPUT" and arrived,
        "stopped": not arrived,
        "verdict": frames[-1].get("verdict") if frames else "",
    }


def _wall(stop: tuple[float, float], sizes: Sizes, frames: list[dict[str, Any]]) -> dict[str, Any]:
    """A bar across the rail where the packet is lost, with the rule's name."""
    x, tall = stop[0] + (52 if sizes.big else 33), 24 if sizes.big else 16
    last = next((frame for frame in reversed(frames) if frame["kind"] == "rule"), None)
    line = f" · {_('line %(n)s') % {'n': last['line']}}" if last and last["line"] else ""
    if frames[-1].get("policy"):
        line = f" · {frames[-1]['policy']}"
    told = f"{frames[-1].get('verdict') or '?'}{line}"
    # At the right end the label goes to the left: the boxes of the ends stand there.
    late = frames[-1]["hook"] == "POSTROUTING"
    y = stop[1] + tall + (24 if sizes.big else 16)
    return {
        "x": x,
        "over": stop[1] - tall,
        "under": stop[1] + tall,
        "text": told,
        "text_y": y,
        "late": late,
        "text_x": x - 12 if late else x,
    }


def _labels(frames: list[dict[str, Any]], hooks: dict[str, dict[str, Any]], first: int) -> list[dict[str, Any]]:
    """Under the name of each station on the way: the numbers of its steps, or that nothing caught the packet."""
    steps: dict[tuple[str, str], list[int]] = {}
    visited: dict[str, None] = {}
    for number, frame in enumerate(frames, first):
        visited[frame["hook"]] = None
        if frame["kind"] == "rule":
            steps.setdefault((frame["hook"], frame["station"]), []).append(number)
        elif frame["kind"] in ("confirm", "untranslate"):
            steps.setdefault((frame["hook"], "conntrack"), []).append(number)
    out = []
    denied = frames[-1]["hook"] if frames and frames[-1].get("policy") else ""
    for hook in visited:
        for cell in hooks[hook]["cells"] if hook != denied or hook == "POSTROUTING" else ():
            here = steps.get((hook, cell["id"]), [])
            text = "" if not here else str(here[0]) if len(here) == 1 else f"{here[0]}–{here[-1]}"
            state = (
                "caught"
                if here
                else "tracked"
                if cell["id"] == "conntrack"
                else "empty"
                if cell["rules"] < 1
                else "missed"
            )
            out.append({**cell, "text": text, "state": state})
    return out


def _stop(
    frame: dict[str, Any], hooks: dict[str, dict[str, Any]], geometry: dict[str, Any], sizes: Sizes
) -> tuple[float, float]:
    """Where the packet is at a frame."""
    hook = hooks[frame["hook"]]
    match frame["kind"]:
        case "sent" | "name" | "arrive":
            return 8 + sizes.box + (44 if sizes.big else 26), hook["rail"]
        case "route":
            return geometry["route"]["x"], sizes.rail
        case "rule":
            found = next((cell for cell in hook["cells"] if cell["id"] == frame["station"]), hook["cells"][0])
            return found["cx"], hook["rail"]
        case "end" if frame["hook"] == "INPUT":
            return hook["x"] - sizes.gap / 2, hook["rail"]
        case "end":
            return geometry["ends_x"] - (56 if sizes.big else 26), sizes.rail
        case "untranslate" | "confirm" if frame["hook"] == "PREROUTING":
            found = next((cell for cell in hook["cells"] if cell["id"] == "conntrack"), hook["cells"][0])
            return found["cx"], hook["rail"]
        case "policy" if frame["hook"] == "FORWARD":
            return hook["x"] - sizes.gap / 2 + 4, hook["rail"]
        case "policy":
            return geometry["ends_x"] - 40, hook["rail"]
        case "pass":
            return (hook["x"] + hook["right"]) / 2, hook["rail"]
        case _:
            return (hook["x"] if frame["hook"] == "INPUT" else hook["right"]), hook["rail"]


def _marks(frames: list[dict[str, Any]], hooks: dict[str, dict[str, Any]], sizes: Sizes) -> list[dict[str, Any]]:
    """What was translated, written under the rail where it happened."""
    out: list[dict[str, Any]] = []
    taken: dict[str, int] = {}
    for number, frame in enumerate(frames, 1):
        before, after = frame["before"], frame["after"]
        for side, port in (("dst", "dport"), ("src", "sport")):
            if (before[side], before[port]) == (after[side], after[port]):
                continue
            hook = hooks[frame["hook"]]
            row = taken[frame["hook"]] = taken.get(frame["hook"], 0) + 1
            text = f"{side} → {after[side]}:{after[port]}" if before[port] != after[port] else f"{side} → {after[side]}"
            y = hook["rail"] + (38 if sizes.big else 26) + (row - 1) * (24 if sizes.big else 16)
            last = frame["hook"] == "POSTROUTING"
            mark = {
                "x": hook["x"],
                "diamond_y": y - (14 if sizes.big else 11),
                "text_x": hook["right"] if last else hook["x"] + 18,
                "text_y": y,
            }
            mark |= {"text": text, "step": number, "last": last} | ({"x": hook["right"] + 6} if last else {})
            out.append(mark)
    return out


def _source(name: str, journey: dict[str, Any], frames: list[dict[str, Any]], sizes: Sizes) -> dict[str, str]:
    if name == "request":
        who = journey.get("from", {}).get("pod") or journey.get("from", {}).get("name") or journey["packet"]["src"]
        return _named(who, journey["packet"]["src"], sizes)
    end = journey["ways"][journey["way"]]
    return _named(end.get("pod") or end.get("node") or "", frames[0]["before"]["src"], sizes)


def _named(who: str, address: str, sizes: Sizes) -> dict[str, str]:
    plain = who.rpartition("/")[2]
    return {"name": names.cut(plain, sizes.letters) if plain and plain != address else "", "full": who, "ip": address}


def _ends(journey: dict[str, Any], geometry: dict[str, Any], sizes: Sizes) -> list[dict[str, Any]]:
    """The ends at the right: the chosen one among the first few."""
    ways = list(enumerate(journey["ways"]))
    if len(ways) == 1 and not ways[0][1]["accepted"]:
        return []
    chosen = journey["way"]
    fit = 4 if sizes.big else SHOWN_ENDS
    shown = ways if len(ways) <= fit + 1 else ways[:fit] if chosen < fit else [*ways[: fit - 1], ways[chosen]]
    rows: list[dict[str, Any]] = []
    count = len(shown) + (1 if len(shown) < len(ways) else 0)
    first = max(sizes.top - 6, sizes.rail - (count - 1) * sizes.row / 2)
    room = max(8, int((WIDTH - geometry["ends_x"] - 30) / (13.4 if sizes.big else 8.5)))
    for at, (way, end) in enumerate(shown):
        y = first + at * sizes.row
        pod = (end.get("pod") or "").rpartition("/")[2]
        gone = end["verdict"] in ("DROP", "REJECT")
        title = end["endpoint"] or (
            _("dropped")
            if end["verdict"] == "DROP"
            else _("rejected")
            if gone
            else f"{journey['packet']['dst']}:{journey['packet']['dport']}"
        )
        if sizes.big and not pod and len(title) > room:
            title = names.cut(end.get("node") or title, room)
        rows.append(
            {
                "way": way,
                "y": y,
                "chosen": way == chosen,
                "title": (pod and names.cut(pod, room)) or title,
                "sub": "" if sizes.big and end["probability"] < 1 else title if pod else end.get("node") or "",
                "share": share(end["probability"]),
                "verdict": end["verdict"] or "?",
                "gone": gone or not end["accepted"],
                "width": round(1.5 + 5 * end["probability"], 2),
                "line": _fan(geometry["ends_x"] - 12, sizes.rail, geometry["ends_x"] + 10, y),
            }
        )
    more = len(ways) - len(shown) + journey.get("moreWays", 0)
    if more > 0:
        y = first + len(shown) * sizes.row
        rows.append({"more": more, "text_y": y + 5})
    return [_lines(row, sizes) for row in rows]


def _lines(row: dict[str, Any], sizes: Sizes) -> dict[str, Any]:
    """Where the two lines of an end stand."""
    if "more" in row:
        return row
    y, half = row["y"], sizes.row / 2 - 2
    lead = 12 if sizes.big else 8
    one = not (row["sub"] or row["share"])
    return {
        **row,
        "box_y": y - half,
        "box_h": 2 * half,
        "title_y": y + (6 if one else -lead / 2),
        "sub_y": y + lead / 2 + (14 if sizes.big else 10),
    }


def _home(
    journey: dict[str, Any], frames: list[dict[str, Any]], geometry: dict[str, Any], sizes: Sizes
) -> list[dict[str, Any]]:
    after = frames[-1]["after"]
    who = (journey.get("from", {}).get("pod") or journey.get("from", {}).get("name") or "").rpartition("/")[2]
    row = {
        "way": -1,
        "y": sizes.rail,
        "chosen": True,
        "title": names.cut(who, max(8, int((WIDTH - geometry["ends_x"] - 30) / (13.4 if sizes.big else 8.5))))
        or after["dst"],
        "sub": "" if sizes.big else f"{after['dst']}:{after['dport']}",
        "share": "",
        "verdict": "",
        "gone": False,
        "width": 3,
        "line": _fan(geometry["ends_x"] - 12, sizes.rail, geometry["ends_x"] + 10, sizes.rail),
    }
    return [_lines(row, sizes)]


def share(probability: float) -> str:
    """Return a probability as people say it: ``1 of 3`` where it is one, else in percent."""
    if probability >= 0.999999:
        return ""
    whole = round(1 / probability) if probability > 0 else 0
    if whole and abs(probability * whole - 1) < 1e-4:
        return _("1 of %(n)s") % {"n": whole}
    return f"{100 * probability:.3g} %"


def _joined(parts: list[list[tuple[float, float]]]) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for part in parts:
        points += [point for point in part if not points or point != points[-1]]
    return points


def _cut(points: list[tuple[float, float]], wall: tuple[float, float]) -> list[tuple[float, float]]:
    """The line up to a stop on it."""
    out: list[tuple[float, float]] = []
    for a, b in pairwise(points):
        out.append(a)
        level = a[1] == b[1] == wall[1] and min(a[0], b[0]) <= wall[0] <= max(a[0], b[0])
        if level:
            step = 30 if b[0] >= a[0] else -30
            return [*out, (wall[0] + step, wall[1])]
    return points


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points) if points else ""


def _fan(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line that leaves and arrives level."""
    return f"M{x1:g} {y1:g}C{x1 + 12:g} {y1:g} {x2 - 14:g} {y2:g} {x2:g} {y2:g}"
