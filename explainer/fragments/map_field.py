"""The nodes' side of the map, at four depths: counts before dots.

* ``boxes``: a box a node, with its pods in slots, named while the names fit;
* ``cells``: a cell a node, with its pods counted by phase (shape and number) and a bar for its load;
* ``grid``: a glyph a node by its worst state, in racks (zones, or a hundred neighbours). All glyphs of one state are one path, so
  a thousand nodes are eight elements;
* ``racks``: a projector's: a box a rack with its nodes counted by worst state.

In → the map read model (``cells`` has every worker), the sheet; out → a ``Field``. No heat, no shades: shape says the state, number how many.
"""

from __future__ import annotations

from typing import Any

from .map_parts import Box, Cell, Field, NodeBox, PodMark, Rack, Sheet, process_box, state_of
from .names import cut

PHASES = ("Ready", "Running", "Creating", "Pending", "Terminating", "Succeeded", "Failed", "CrashLoop", "Unknown")
"""The order of a cell's counts (``cluster.snapshot.map.PHASES``)."""
URGENCY = ("Failed", "CrashLoop", "Unknown", "Pending", "Creating", "Running", "Terminating", "Ready", "Succeeded")
"""Which counts a cell has room for first."""
STATES = ("down", "notready", "paused", "failing", "cordoned", "working", "fine")
"""A node's worst state, worst first."""
WORDS = {"down": 60, "notready": 68, "paused": 54, "failing": 50, "cordoned": 70, "working": 58, "fine": 32}
"""Room for a state's word in the key, px."""
LISTED_WORKERS, LISTED_PODS = 24, 240
RACK = 100
RACK_LABEL = 20


def completed(model: dict[str, Any]) -> dict[str, Any]:
    """A model that was written down by a version without counts, with them: what is shown while nobody runs the cluster may be old."""
    if "cells" in model:
        return model
    nodes = {node["name"]: node for node in model.get("nodes", ())}
    cells: list[dict[str, Any]] = []
    for host in model["hosts"]:
        if host["role"] == "worker":
            node = nodes.get(host["name"], {})
            phases = [pod["phase"] for pod in model.get("pods", ()) if pod.get("node") == host["name"]]
            state = state_of(host)
            state = "notready" if state == "up" and not node.get("ready") else state
            state = "cordoned" if state == "up" and node.get("unschedulable") else state
            counts = [phases.count(phase) for phase in PHASES]
            cells.append({"name": host["name"], "zone": "", "state": state, "counts": counts, "cpu": 0})
    phases = [pod["phase"] for pod in model.get("pods", ())]
    counts = {
        "nodes": len(nodes),
        "nodesReady": sum(1 for node in nodes.values() if node.get("ready")),
        "pods": len(phases),
        "phases": {phase: phases.count(phase) for phase in PHASES if phase in phases},
    }
    return {**model, "cells": cells, "counts": counts}


def worst(cell: dict[str, Any]) -> str:
    """The one state that a node's glyph shows."""
    if cell["state"] in ("down", "notready", "paused"):
        return str(cell["state"])
    counts = dict(zip(PHASES, cell["counts"], strict=True))
    if counts["Failed"] or counts["CrashLoop"] or counts["Unknown"]:
        return "failing"
    if cell["state"] == "cordoned":
        return "cordoned"
    return (
        "working" if counts["Pending"] or counts["Creating"] or counts["Running"] or counts["Terminating"] else "fine"
    )


def field(model: dict[str, Any], paper: Sheet, boxes: list[Box]) -> Field:
    """The field at the depth that its size allows. Adds the nodes' processes to ``boxes`` where they are drawn."""
    x, w = paper.lanes["nodes"]
    out = Field("", x, paper.top, w, paper.bottom - paper.top)
    workers = model["cells"]
    if not workers or not w:
        return out
    pods = model["counts"]["pods"]
    columns = 1 if len(workers) <= 8 else 2 if len(workers) <= 14 else 3
    rows = -(-len(workers) // columns)
    if len(workers) <= LISTED_WORKERS and pods <= LISTED_PODS and out.h / rows >= (60 if not paper.big else 64):
        drawn: list[Box] = []
        if _boxes(model, paper, out, drawn, columns):
            out.kind = "boxes"
            boxes += drawn
            return out
        out.nodes = []
    head = 26 if not paper.big else 32
    if _cells(workers, paper, out, head):
        out.kind = "cells"
    elif paper.big:
        out.kind = "racks"
        _racks(workers, out, head)
    else:
        out.kind = "grid"
        _grid(workers, out, head)
    _legend(workers, paper, out)
    return out


# -- boxes --------------------------------------------------------------------------------------------------------------


def _boxes(model: dict[str, Any], paper: Sheet, out: Field, boxes: list[Box], columns: int) -> bool:
    """A box a node; False when some pod has no slot."""
    facts = {node["name"]: node for node in model.get("nodes", ())}
    pods: dict[str, list[dict[str, Any]]] = {}
    for pod in model.get("pods", ()):
        pods.setdefault(pod.get("node") or "", []).append(pod)
    workers = [host for host in model["hosts"] if host["role"] == "worker"]
    rows, gap = -(-len(workers) // columns), 10
    w = (out.w - gap * (columns - 1)) // columns
    h = min((out.h - gap * (rows - 1)) // rows, 300)
    for index, host in enumerate(workers):
        x, y = out.x + index % columns * (w + gap), out.y + index // columns * (h + gap)
        fact, name = facts.get(host["name"], {}), host["name"]
        box = NodeBox(name, "node", x, y, w, h, name, state_of(host), host=name, name=name, select=f"node:{name}")
        box.ready, box.cordoned = bool(fact.get("ready", False)), bool(fact.get("unschedulable"))
        head = _agents(host, box, paper, boxes, columns)
        if not _fill(box, pods.get(name, []), paper, head):
            return False
        out.nodes.append(box)
    return True


def _agents(host: dict[str, Any], box: NodeBox, paper: Sheet, boxes: list[Box], columns: int) -> int:
    """kubelet and kube-proxy on their node, where there is room; the height taken."""
    for process in host["processes"]:
        kind = process["kind"]
        if kind not in ("kubelet", "kube-proxy"):
            continue
        if paper.big and kind == "kubelet" and columns == 1:
            small = process_box(process, host, box.x + 8, box.y + 6, 28, 24)
            small.label, box.hook = "", True
            boxes.append(small)
        elif not paper.big and columns == 1 and box.h >= 110:
            x, w = (box.x + 8, 82) if kind == "kubelet" else (box.x + 96, 110)
            boxes.append(process_box(process, host, x, box.y + 30, w, 22))
    return 38 if paper.big else 62 if columns == 1 and box.h >= 110 else 30


def _slots(pods: list[dict[str, Any]], room_w: int, room_h: int, paper: Sheet) -> tuple[int, int, int, int, int, int]:
    """(columns, rows, slot width, slot height, letters of a name, mark) for these pods in this room. Names are written while they fit;
    beyond that the squares stand alone and the name is one key away."""
    line, mark = (30, 20) if paper.big else (24, 16)
    wide = max((len(pod["name"]) for pod in pods), default=0) * paper.char + mark + 14
    tries = [(1, line, mark)] if wide <= room_w or paper.big or room_w < 240 else []
    tries += [(2, line, mark)] if room_w >= 240 else []
    for columns, h, size in (*tries, (1, line, mark), (0, line, mark)):
        w = room_w // columns if columns else h
        letters = int((w - size - 14) / paper.char) if columns else 0
        across, rows = columns or max(room_w // w, 1), max(1, room_h // h)
        if len(pods) <= across * rows and (not letters or letters >= 9):
            return across, rows, w, h, letters, size
    return max(room_w // 13, 1), max(1, room_h // 13), 13, 13, 0, 11


def _fill(box: NodeBox, pods: list[dict[str, Any]], paper: Sheet, head: int) -> bool:
    """Give every pod a slot; whether all have one."""
    left, top = box.x + 10, box.y + head
    columns, rows, cell_w, cell_h, letters, size = _slots(pods, box.w - 20, box.h - head - 6, paper)
    box.grid = f"{left},{top},{columns},{rows},{cell_w},{cell_h},{letters},{size}"
    for index, pod in enumerate(pods[: columns * rows]):
        restarts = int(pod.get("restarts") or 0)
        box.pods.append(
            PodMark(
                pod["uid"],
                pod["name"],
                pod["namespace"],
                pod.get("phase", "Unknown"),
                left + index % columns * cell_w,
                top + index // columns * cell_h,
                size,
                cut(pod["name"], letters - 3 * bool(restarts)) if letters else "",
                restarts,
                f"pod:{pod['namespace']}/{pod['name']}",
            )
        )
    return len(pods) <= columns * rows


def waiting(model: dict[str, Any], paper: Sheet, y: int, places: list[Box]) -> NodeBox:
    """The tray of pods that no node has yet: as many as have room."""
    planes = [box for box in places if box.label.startswith("cp-")]
    if not planes:
        return NodeBox("", "tray", 0, 0, 0, 0, "")
    x, w = planes[0].x, planes[0].w
    box = NodeBox("", "tray", x, y, w, 40, "")
    shift = 250 if paper.big else 160
    inner = NodeBox("", "tray", x + shift, y, w - shift, 40, "")
    pods = [pod for pod in model.get("pods", ()) if not pod.get("node")]
    _fill(inner, pods, paper, 5 if paper.big else 9)
    box.pods, box.grid = inner.pods, inner.grid
    return box


# -- cells --------------------------------------------------------------------------------------------------------------


def _cells(workers: list[dict[str, Any]], paper: Sheet, out: Field, head: int) -> bool:
    """A cell a node, if all have room; the widest that fit."""
    least_w, least_h, gap = (146, 66, 8) if paper.big else (104, 43, 6)
    columns = next(
        (c for c in range(1, out.w // least_w + 1) if -(-len(workers) // c) * (least_h + gap) <= out.h - head + gap), 0
    )
    if not columns:
        return False
    rows = -(-len(workers) // columns)
    w = (out.w - gap * (columns - 1)) // columns
    h = min((out.h - head - gap * (rows - 1)) // rows, least_h + 44)
    for index, worker in enumerate(workers):
        x, y = out.x + index % columns * (w + gap), out.y + head + index // columns * (h + gap)
        cell = Cell(
            worker["name"], x, y, w, h, worker["state"], worst(worker), total=sum(worker["counts"]), cpu=worker["cpu"]
        )
        cell.bar = round((w - 16) * min(worker["cpu"], 1000) / 1000)
        cell.counts = counted(dict(zip(PHASES, worker["counts"], strict=True)), x + 8, x + w - 8, paper)
        out.cells.append(cell)
    return True


def counted(counts: dict[str, int], left: int, right: int, paper: Sheet) -> list[tuple[str, int, int]]:
    """(phase, how many, x) as many as fit between ``left`` and ``right``: those that need a look first."""
    out: list[tuple[str, int, int]] = []
    x, mark = left, 20 if paper.big else 14
    for phase in URGENCY:
        if not counts[phase]:
            continue
        wide = mark + 4 + round(len(str(counts[phase])) * paper.char) + 10
        if x + wide - 10 > right:
            break
        out.append((phase, counts[phase], x))
        x += wide
    return out


# -- racks and the grid ---------------------------------------------------------------------------------------------------


def racks(workers: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """(label, its workers): by zone where nodes say one, else a hundred neighbours."""
    zones: dict[str, list[dict[str, Any]]] = {}
    for worker in workers:
        zones.setdefault(worker.get("zone") or "", []).append(worker)
    if len(zones) > 1:
        return sorted(zones.items())
    many = [workers[i : i + RACK] for i in range(0, len(workers), RACK)]
    return [(f"{rack[0]['name']} … {rack[-1]['name'].rpartition('-')[2]}", rack) for rack in many]


def _grid(workers: list[dict[str, Any]], out: Field, head: int) -> None:
    """A glyph a node: the largest pitch at which all racks have room."""
    groups = racks(workers)
    for out.pitch in range(30, 4, -1):
        if any(_lay(groups, out, head, across) for across in (10, 20, 40)):
            break
    strokes: dict[str, list[str]] = {state: [] for state in STATES}
    size = max(out.pitch - (4 if out.pitch >= 12 else 2), 3)
    for rack, (_, members) in zip(out.racks, groups, strict=True):
        columns = max(rack.w // out.pitch, 1)
        for index, worker in enumerate(members):
            x, y = rack.x + index % columns * out.pitch, rack.y + RACK_LABEL + index // columns * out.pitch
            state = worst(worker)
            strokes[state].append(glyph(state, x, y, size))
            out.cells.append(
                Cell(
                    worker["name"],
                    x,
                    y,
                    size,
                    size,
                    worker["state"],
                    state,
                    total=sum(worker["counts"]),
                    cpu=worker["cpu"],
                )
            )
    out.glyphs = [(state, "".join(parts)) for state, parts in strokes.items() if parts]


def _lay(groups: list[tuple[str, list[dict[str, Any]]]], out: Field, head: int, across: int) -> bool:
    """Put the racks on shelves, ``across`` glyphs wide; whether they have room."""
    out.racks = []
    x, y, shelf, pitch = out.x, out.y + head, 0, out.pitch
    for name, members in groups:
        columns = min(across, len(members))
        w = max(columns * pitch, round(len(name) * 7.8))
        h = RACK_LABEL + -(-len(members) // columns) * pitch
        if x > out.x and x + w > out.right:
            x, y, shelf = out.x, y + shelf + 8, 0
        if x + w > out.right or y + h > out.bottom:
            return False
        out.racks.append(Rack(name, x, y, columns * pitch, h, len(members)))
        x, shelf = x + w + 16, max(shelf, h)
    return True


def _racks(workers: list[dict[str, Any]], out: Field, head: int) -> None:
    """A box a rack with its nodes counted by worst state."""
    groups = racks(workers)
    columns, gap = 2, 8
    rows = -(-len(groups) // columns)
    w = (out.w - gap) // columns
    h = min((out.h - head - gap * (rows - 1)) // rows, 120)
    for index, (name, members) in enumerate(groups):
        x, y = out.x + index % columns * (w + gap), out.y + head + index // columns * (h + gap)
        states = [worst(member) for member in members]
        short = name.replace("node-", "", 1) if len(name) * 12 > w - 16 else name
        rack = Rack(cut(short, int((w - 16) / 12.05)), x, y, w, h, len(members))
        lines = max((h - 32) // 24, 1)
        there = [state for state in STATES if state in states]
        rack.states = [
            (state, states.count(state), x + 10 + (w // 2) * (i // lines), y + 31 + 24 * (i % lines))
            for i, state in enumerate(
                there[: 2 * lines] if len(there) <= 2 * lines else [*there[: 2 * lines - 1], there[-1]]
            )
        ]
        out.racks.append(rack)


def glyph(state: str, x: int, y: int, s: int) -> str:
    """A node's worst state as a piece of a path. Fine and working are filled, the others are lines."""
    frame = f"M{x} {y}h{s}v{s}h-{s}z"
    half = s // 2
    match state:
        case "fine":
            return frame
        case "working":
            return frame + f"M{x + 1.5:g} {y + 1.5:g}v{half - 1.5:g}h{s - 3}v-{half - 1.5:g}z"
        case "failing":
            return frame + f"M{x} {y}l{s} {s}M{x + s} {y}l-{s} {s}"
        case "down":
            return frame + f"M{x} {y + s}l{s} -{s}"
        case "cordoned":
            return frame + f"M{x} {y + half}h{s}"
        case "paused":
            third = s / 3
            return f"M{x + third:g} {y}v{s}M{x + 2 * third:g} {y}v{s}"
        case _:
            return frame


def _legend(workers: list[dict[str, Any]], paper: Sheet, out: Field) -> None:
    """Which states there are and how many of each, over the field: its key and its sum."""
    states = [worst(worker) for worker in workers]
    for out.worded in (not paper.big, False):
        x, out.legend = out.x, []
        for state in STATES:
            if state in states:
                count = states.count(state)
                out.legend.append((state, count, x))
                x += (42 if paper.big else 36) + round(len(str(count)) * paper.char) + out.worded * WORDS[state]
        if x - 16 <= out.right:
            break
