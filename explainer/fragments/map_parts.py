"""The parts that a map is drawn of: the sheet, boxes, pods in their slots, cells, lines. Plain data with whole numbers, so that edges are sharp."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

SHORT = {
    "kube-apiserver": "apiserver",
    "kube-controller-manager": "controllers",
    "kube-scheduler": "scheduler",
    "balancer": "lb",
}


@dataclass(frozen=True)
class Sheet:
    """The paper: its size, its lanes as name → (x, width), and between which heights things stand."""

    width: int
    height: int
    lanes: dict[str, tuple[int, int]]
    top: int
    bottom: int
    big: bool = False
    """A projector's: 20 px is the smallest text."""
    crowd: bool = False
    """Many nodes: they have the larger part."""
    beside: bool = False
    """Rows are low: a host's name stands beside its boxes."""
    tall: bool = False
    """So many rows that the page must give the picture more height than a small screen has."""

    @property
    def char(self) -> float:
        """Width of a letter of the names, px."""
        return 12.05 if self.big else 8.45


@dataclass
class Box:
    """A drawn place. ``id`` is a process's or a host's name."""

    id: str
    kind: str
    x: int
    y: int
    w: int
    h: int
    label: str
    state: str = "up"
    """up, down or paused."""
    leader: bool = False
    role: str = ""
    term: int = 0
    host: str = ""
    name: str = ""
    select: str = ""

    @property
    def cx(self) -> int:
        return self.x + self.w // 2

    @property
    def cy(self) -> int:
        return self.y + self.h // 2

    @property
    def right(self) -> int:
        return self.x + self.w

    @property
    def bottom(self) -> int:
        return self.y + self.h

    @property
    def low(self) -> bool:
        """Too low for a glyph above its name: they stand side by side."""
        return self.h < 62

    @property
    def glyph(self) -> int:
        """The size of the glyph above the name."""
        return (28 if self.kind == "etcd" else 20) if self.low else min(44, self.h - 30) if self.h < 110 else 52


@dataclass
class PodMark:
    """A pod's rounded square in its slot, with as much of its name as fits."""

    uid: str
    name: str
    namespace: str
    phase: str
    x: int
    y: int
    size: int
    label: str
    restarts: int = 0
    select: str = ""


@dataclass
class NodeBox(Box):
    """A worker with its slots; or the tray of pods that no node has yet."""

    pods: list[PodMark] = field(default_factory=list)
    ready: bool = True
    hook: bool = False
    """A kubelet's sign stands before its name (on a projector)."""
    cordoned: bool = False
    grid: str = ""
    """``x,y,columns,rows,cell width,cell height,letters,mark``: what the browser needs to place a new pod."""

    @property
    def narrow(self) -> bool:
        """No room for the state's word beside the name: a sign must do."""
        return self.w < 150


@dataclass
class Cell:
    """A worker as counts: the phases that matter most first, and a bar for the CPU asked for."""

    name: str
    x: int
    y: int
    w: int
    h: int
    state: str
    worst: str
    counts: list[tuple[str, int, int]] = field(default_factory=list)
    """(phase, how many, x)."""
    bar: int = 0
    """Length of the load bar."""
    total: int = 0
    cpu: int = 0

    @property
    def select(self) -> str:
        return f"node:{self.name}"


@dataclass
class Rack:
    """Workers that stand together: a zone, or a hundred neighbours."""

    label: str
    x: int
    y: int
    w: int
    h: int
    count: int
    states: list[tuple[str, int, int, int]] = field(default_factory=list)
    """(worst state, how many, x, y)."""


@dataclass
class Field:
    """The nodes' side of the sheet. ``kind``: boxes, cells, grid, racks, or "" without nodes."""

    kind: str
    x: int
    y: int
    w: int
    h: int
    nodes: list[NodeBox] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    racks: list[Rack] = field(default_factory=list)
    glyphs: list[tuple[str, str]] = field(default_factory=list)
    """(worst state, one path of all such nodes)."""
    pitch: int = 0
    legend: list[tuple[str, int, int]] = field(default_factory=list)
    """(worst state, how many, x)."""
    worded: bool = False
    """The key has room for words."""

    @property
    def right(self) -> int:
        return self.x + self.w

    @property
    def bottom(self) -> int:
        return self.y + self.h


@dataclass
class Link:
    """A routed line between two processes: ``points`` from a to b."""

    a: str
    b: str
    kind: str
    """request, etcd, raft or watch: decides the line's style."""
    points: tuple[tuple[int, int], ...]
    own: tuple[tuple[int, int], ...] = ()
    """The part drawn for this link alone, when the rest is a bus that is drawn once."""
    fault: str = ""
    """cut, slow, lossy or apart."""
    said: str = ""
    """The fault in figures: ``200 ms``, ``30 %``."""

    @property
    def d(self) -> str:
        return path(self.own or self.points)

    @property
    def route(self) -> str:
        """All corners, for what travels along it."""
        return " ".join(f"{x},{y}" for x, y in self.points)

    @property
    def middle(self) -> tuple[int, int]:
        """The middle of the longest stretch of its own line: where a fault's sign stands."""
        points = self.own or self.points
        pairs = list(pairwise(points))
        (ax, ay), (bx, by) = max(pairs, key=lambda pair: abs(pair[0][0] - pair[1][0]) + abs(pair[0][1] - pair[1][1]))
        aside = 18 if ax == bx and self.kind == "raft" and self.said else 0  # beside the boxes, where its lane is
        return (ax + bx) // 2 + aside, (ay + by) // 2

    @property
    def select(self) -> str:
        return f"link:{self.a}~{self.b}"


@dataclass
class Drawing:
    """All that the template needs."""

    sheet: Sheet
    lanes: list[dict[str, Any]]
    hosts: list[Box]
    boxes: list[Box]
    field: Field
    waiting: NodeBox
    links: list[Link]

    @property
    def width(self) -> int:
        return self.sheet.width

    @property
    def height(self) -> int:
        return self.sheet.height

    @property
    def nodes(self) -> list[NodeBox]:
        return self.field.nodes


def path(points: tuple[tuple[int, int], ...]) -> str:
    """An SVG path through ``points``."""
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def state_of(thing: dict[str, Any]) -> str:
    """up, down or paused."""
    if not thing.get("up", True):
        return "down"
    return "paused" if thing.get("paused") else "up"


def process_box(process: dict[str, Any], host: dict[str, Any], x: int, y: int, w: int, h: int) -> Box:
    """A process's box with what its status says."""
    status = process.get("status") or {}
    kind, name = process["kind"], process["name"]
    role = status.get("role") or ""
    state = state_of(process) if host.get("up", True) else "down"
    return Box(
        name,
        kind,
        x,
        y,
        w,
        h,
        str(name if kind == "etcd" else SHORT.get(kind, kind)),
        state,
        bool(status.get("leader")) if kind != "etcd" else role == "leader",
        "down" if state == "down" and kind == "etcd" else role,
        int(status.get("term") or 0),
        host["name"],
        name,
        f"process:{name}",
    )


def by_kind(boxes: list[Box]) -> dict[str, list[Box]]:
    """Boxes by the kind of their process, in order."""
    out: dict[str, list[Box]] = {}
    for box in boxes:
        out.setdefault(box.kind, []).append(box)
    return out
