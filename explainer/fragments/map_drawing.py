"""The map's geometry: a snapshot of a cluster in, boxes, slots and routed lines out.

Lanes from left to right: clients | load balancer | controllers and scheduler | API gate | etcd | nodes. A control-plane host is one row across
three of them: whoever asks stands before the gate, what only the gate may ask stands behind it. A line from the balancer to an apiserver runs
between controllers and scheduler, so no line passes under a box or over a name. Only apiservers have a line to etcd: that is not a drawing
rule but what the snapshot's processes say they talk to.

Units: user units of the picture's viewBox, 1 unit = 1 CSS pixel when the sheet has the size of its place on the page (``sheet``). Nothing here
knows HTTP or Django. The nodes' side of the sheet is ``map_field``, the lines are ``map_routes``, the parts ``map_parts``.

Simplified here: pods take slots in the order of the snapshot; between two snapshots the browser keeps them where they are.
"""

from __future__ import annotations

from typing import Any

from . import map_field, map_routes
from .map_parts import Box, Drawing, Sheet, by_kind, process_box, state_of

WIDTHS = (900, 2600)
HEIGHTS = (460, 1800)
LANES = ("clients", "gate", "control", "api", "etcd")
CALM = 8
"""Workers up to which the control plane has the larger part of the sheet."""
GAPS = ((16, 0.16), (28, 0.16), (24, 0.15), (44, 0.33), (58, 0.20))
"""Between the lanes: the least, and the share of what room is left."""
TALL = 440
"""A least height of the sheet beyond which the page makes its place taller (static/css/map.css)."""
SIDE = 46
"""Room for a host's name beside its boxes, when its row is too low for a line of its own."""
BOXES = {
    # (clients, balancer, controllers, apiserver, etcd), least width of the nodes, their share of the sheet, margin
    (False, False): ((104, 52, 130, 112, 92), 240, 0.28, 14),
    (False, True): ((84, 44, 124, 108, 82), 300, 0.44, 14),
    (True, False): ((104, 52, 152, 126, 92), 280, 0.28, 8),
    (True, True): ((104, 52, 152, 126, 92), 310, 0.34, 8),
}
ROW = {False: 104, True: 112}
"""The least height of a host's row with its name on top; a lower one has it at the side."""
LOW_ROW = {False: 56, True: 74}
STORE_ROW = {False: 42, True: 56}
"""The least height of the row of a host that has an etcd member alone, with the gap to the next."""
PAD = 10
"""Between a host's border and what stands on it."""


def size(text: str) -> tuple[int, int] | None:
    """``1100x704`` → the place that a page has for the picture, in CSS pixels; None for what is none."""
    width, _, height = text.partition("x")
    if not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit() and len(text) < 12):
        return None
    return min(max(int(width), 300), WIDTHS[1]), min(max(int(height), 200), HEIGHTS[1])


def sheet(model: dict[str, Any], screen: bool, place: tuple[int, int] | None = None) -> Sheet:
    """The sheet for this cluster in this place: its size, and where its lanes are. A place too small is a sheet drawn smaller."""
    hosts = model["hosts"]
    outside = sum(1 for h in hosts if h["role"] == "etcd")
    stacked = sum(1 for h in hosts if h["role"] == "control-plane")
    workers = len(model["cells"])
    crowd = workers > CALM
    width, height = place or ((1024, 652) if screen else (1100, 604))
    top, external = (84 if screen else 68), model.get("topology") == "external"
    (boxes, least_nodes, share, margin) = BOXES[screen, crowd]
    planes_h = top + 66 + stacked * (LOW_ROW[screen] + 12) - 12
    stores_h = outside * STORE_ROW[screen]
    least_h = max(planes_h, top + 14 + stores_h) if external else planes_h + stores_h
    least_w = sum(boxes) + 2 * margin + sum(least for least, _ in GAPS) + least_nodes
    by = max(1.0, least_w / width, least_h / height)
    width, height = round(width * by), round(height * by)
    stores_h = 0 if external else _stores_room(height - top - 66, stacked, outside, screen)
    rows_h = (height - top - 66 - stores_h - 12 * (stacked - 1)) / max(stacked, 1)
    beside = rows_h < ROW[screen]
    taken = sum(boxes) + 2 * margin + sum(least for least, _ in GAPS) + (SIDE if beside else 0)
    nodes = round(min(max(width * share, least_nodes), width - taken, 600 if not crowd else width)) if workers else 0
    room = max(width - taken - nodes, 0)
    gaps = [least + round(room * part) for least, part in GAPS]
    gaps[1] += SIDE if beside else 0
    lanes: dict[str, tuple[int, int]] = {}
    x = margin
    for name, w, gap in zip(LANES, boxes, gaps, strict=True):
        lanes[name] = (x, w)
        x += w + gap
    lanes["nodes"] = (width - margin - nodes, nodes)
    if not stacked and not workers:  # etcd alone
        lanes["etcd"] = (width // 2 - 90, 180)
    return Sheet(width, height, lanes, top, height - 14, screen, crowd, beside, least_h > TALL)


def draw(model: dict[str, Any], screen: bool = False, place: tuple[int, int] | None = None) -> Drawing:
    """The drawing of the map read model on a sheet for ``place``."""
    model = map_field.completed(model)
    paper = sheet(model, screen, place)
    hosts = [h for h in model["hosts"] if h["role"] in ("control-plane", "etcd")]
    external = model.get("topology") == "external"
    planes = [h for h in hosts if h["role"] == "control-plane"]
    stores = [h for h in hosts if h["role"] == "etcd"]
    tray = 44 if planes else 0
    floor = paper.bottom - (tray + 8 if tray else 0)
    boxes: list[Box] = []
    places: list[Box] = []
    if external or not planes:
        low = _planes(planes, paper, paper.top, floor, places, boxes, False)
        _stores(stores, paper, paper.top, paper.bottom if planes else floor, places, boxes)
    else:
        room = floor - paper.top - _stores_room(floor - paper.top, len(planes), len(stores), paper.big)
        low = _planes(planes, paper, paper.top, paper.top + room, places, boxes, True)
        if stores:
            _stores(stores, paper, low + 8, floor, places, boxes)
            low = floor
    _callers(model, paper, low, boxes)
    field = map_field.field(model, paper, boxes)
    waiting = map_field.waiting(model, paper, low + 8, places)
    links = map_routes.routes(model, by_kind(boxes), paper, field)
    return Drawing(paper, _headings(paper, bool(planes), field.kind != ""), places, boxes, field, waiting, links)


def _stores_room(room: int, planes: int, stores: int, big: bool) -> int:
    """The height that etcd's own hosts have below those of the control plane."""
    return stores * min(max(room // (3 * planes + stores), STORE_ROW[big]), 72) if stores else 0


def _headings(paper: Sheet, planes: bool, nodes: bool) -> list[dict[str, Any]]:
    """Words over the lanes."""
    words = (["clients", "control", "api"] if planes else []) + ["etcd"] + (["nodes"] if nodes else [])
    return [{"word": word, "cx": paper.lanes[word][0] + paper.lanes[word][1] // 2} for word in words]


def _rows(count: int, top: int, bottom: int, gap: int, most: int) -> list[tuple[int, int]]:
    """(y, height) of ``count`` equal rows, centred when they need not fill the height."""
    if not count:
        return []
    h = min((bottom - top - gap * (count - 1)) // count, most)
    y = top + (bottom - top - count * h - gap * (count - 1)) // 2
    return [(y + index * (h + gap), h) for index in range(count)]


def _planes(
    hosts: list[dict[str, Any]],
    paper: Sheet,
    top: int,
    bottom: int,
    places: list[Box],
    boxes: list[Box],
    with_etcd: bool,
) -> int:
    """Control-plane hosts with what runs on them; where the last one ends."""
    left = paper.lanes["control"][0] - PAD - (SIDE if paper.beside else 0)
    last = paper.lanes["etcd" if with_etcd else "api"]
    right = last[0] + last[1] + PAD + (18 if with_etcd else 0)
    end = top
    for host, (y, h) in zip(hosts, _rows(len(hosts), top, bottom, 12, 230), strict=True):
        places.append(host_box(host, left, y, right - left, h))
        head, foot = (4, 4) if paper.beside else (30, 8) if paper.big else (30, 10)
        inner, tall = y + head, h - head - foot
        lane = 30 if tall >= 96 else 12 if tall >= 62 else 4
        half = (tall - lane) // 2
        for process in host["processes"]:
            kind = process["kind"]
            place = {
                "kube-apiserver": ("api", inner, tall),
                "etcd": ("etcd", inner, tall),
                "kube-controller-manager": ("control", inner, half),
                "kube-scheduler": ("control", inner + tall - half, half),
            }.get(kind)
            if place is not None:
                x, w = paper.lanes[place[0]]
                boxes.append(process_box(process, host, x, place[1], w, place[2]))
            elif kind in ("kubelet", "kube-proxy") and not paper.big and not paper.beside:
                # Left of the lines that come down from the member above.
                edge = min(paper.lanes["etcd"][0] + 8 if with_etcd else right - 6, right - 6)
                w, shift = (82, 198) if kind == "kubelet" else (110, 110)
                boxes.append(process_box(process, host, edge - shift, y + 4, w, 22))
        end = y + h
    return end


def _stores(
    hosts: list[dict[str, Any]], paper: Sheet, top: int, bottom: int, places: list[Box], boxes: list[Box]
) -> None:
    """Hosts that have an etcd member and nothing else."""
    x, w = paper.lanes["etcd"]
    for host, (y, h) in zip(hosts, _rows(len(hosts), top, bottom, 6, 230), strict=True):
        places.append(host_box(host, x - PAD, y, w + 2 * PAD, h))
        head = 26 if h >= 84 else 0
        for process in host["processes"]:
            if process["kind"] == "etcd":
                inner = (y + head, h - head - 8) if head else (y + 4, h - 8)
                boxes.append(process_box(process, host, x, inner[0], w, inner[1]))
        if not head:
            places[-1].label = ""


def host_box(host: dict[str, Any], x: int, y: int, w: int, h: int) -> Box:
    """A machine's outline with its name."""
    name = host["name"]
    return Box(name, "host", x, y, w, h, name, state=state_of(host), host=name, name=name, select=f"host:{name}")


def _callers(model: dict[str, Any], paper: Sheet, low: int, boxes: list[Box]) -> None:
    """The load balancer, as tall as the hosts, and whoever comes from outside."""
    for host in model["hosts"]:
        for process in host["processes"]:
            if process["kind"] == "balancer":
                x, w = paper.lanes["gate"]
                boxes.append(process_box(process, host, x, paper.top - 14, w, low - paper.top + 14))
    if not any(box.kind == "balancer" for box in boxes):
        return
    middle = paper.top + (low - paper.top) // 2
    label = "kubectl, curl" if not paper.big and not paper.crowd else "kubectl"
    for name, word, y in (("outside", label, middle - 84), ("console", "console", middle + 20)):
        x, w = paper.lanes["clients"]
        boxes.append(Box(name, "client", x, y, w, 64, word, name=name, select=f"client:{name}"))
