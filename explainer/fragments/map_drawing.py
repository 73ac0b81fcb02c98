"""The map's geometry: a snapshot of a cluster in, boxes, slots and routed lines out.

Lanes from left to right: clients | API gate | etcd | controllers and scheduler | nodes. A control-plane host is one row across three of
them. Lines run in channels between the boxes, end on a port on a border, and never cross a name. Only apiservers have a line to etcd:
that is not a drawing rule but what the snapshot's processes say they talk to.

Units: user units of the picture's viewBox (1 unit = 1 CSS pixel at full size). Nothing here knows HTTP or Django.

Simplified here: pods take slots in the order of the snapshot; between two snapshots the browser keeps them where they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .names import cut


@dataclass(frozen=True)
class Sheet:
    """Sizes of one kind of sheet: an ordinary screen or a projector."""

    width: int
    font: int
    small: int
    char: float
    lanes: tuple[tuple[int, int], ...]
    """(x, width) of clients, balancer, apiservers, etcd, controllers, nodes."""
    row: int
    gap: int
    top: int
    big: bool = False


ORDINARY = Sheet(
    1120, 15, 13, 8.45, ((12, 112), (160, 64), (264, 140), (454, 110), (614, 136), (806, 302)), 150, 12, 78
)
PROJECTOR = Sheet(
    1024, 20, 20, 12.05, ((6, 104), (142, 52), (224, 132), (390, 100), (524, 136), (714, 304)), 146, 8, 66, True
)


@dataclass
class Box:
    """A drawn place. ``id`` is a process or host name; ``ports`` are where lines land."""

    id: str
    kind: str
    x: float
    y: float
    w: float
    h: float
    label: str
    sub: str = ""
    state: str = "up"
    """up, down or paused."""
    leader: bool = False
    role: str = ""
    term: int = 0
    host: str = ""
    name: str = ""
    select: str = ""

    @property
    def cx(self) -> float:
        return self.x + self.w / 2

    @property
    def cy(self) -> float:
        return self.y + self.h / 2

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def bottom(self) -> float:
        return self.y + self.h


@dataclass
class PodMark:
    """A pod's rounded square in its slot, with as much of its name as fits."""

    uid: str
    name: str
    namespace: str
    phase: str
    x: float
    y: float
    size: float
    label: str
    restarts: int = 0
    select: str = ""


@dataclass
class NodeBox(Box):
    """A worker (or any) Node with its slots."""

    pods: list[PodMark] = field(default_factory=list)
    ready: bool = True
    cordoned: bool = False
    grid: str = ""
    """``x,y,columns,rows,cell width,cell height,characters``: what the browser needs to place a new pod."""


@dataclass
class Link:
    """A routed line between two processes: ``points`` from a to b."""

    a: str
    b: str
    kind: str
    """request, raft or watch: decides the line's style."""
    points: tuple[tuple[float, float], ...]
    own: tuple[tuple[float, float], ...] = ()
    """The part drawn for this link alone, when the rest is a bus that is drawn once."""

    @property
    def d(self) -> str:
        return "M" + "L".join(f"{x:g} {y:g}" for x, y in self.own or self.points)

    @property
    def route(self) -> str:
        """All corners, for what travels along it."""
        return " ".join(f"{x:g},{y:g}" for x, y in self.points)


@dataclass
class Drawing:
    """All that the template needs."""

    sheet: Sheet
    width: int
    height: int
    lanes: list[dict[str, Any]]
    hosts: list[Box]
    boxes: list[Box]
    nodes: list[NodeBox]
    waiting: NodeBox
    links: list[Link]
    small_links: int


def draw(model: dict[str, Any], screen: bool = False, members: list[dict[str, Any]] | None = None) -> Drawing:
    """Return the drawing of the map read model. ``members`` adds roles and terms when the model's processes lack them."""
    sheet = PROJECTOR if screen else ORDINARY
    hosts = model["hosts"]
    roles = {m["id"]: m for m in members or ()} | {m["name"]: m for m in members or ()}
    rows = [h for h in hosts if h["role"] in ("control-plane", "etcd")]
    stacked = [h for h in rows if h["role"] == "control-plane"]
    outside = [h for h in rows if h["role"] == "etcd"]
    lanes = sheet.lanes
    count = max(len(stacked), len(outside), 1)
    workers = [h for h in hosts if h["role"] == "worker"]
    bottom = sheet.top + count * sheet.row + (count - 1) * sheet.gap
    height = bottom + (52 if not sheet.big else 50)

    boxes: list[Box] = []
    host_boxes: list[Box] = []
    links: list[Link] = []
    by_kind: dict[str, list[Box]] = {}

    def place(process: dict[str, Any], host: dict[str, Any], lane: int, y: float, h: float) -> Box:
        x, w = lanes[lane]
        box = _process_box(process, host, x, y, w, h, sheet, roles)
        boxes.append(box)
        by_kind.setdefault(process["kind"], []).append(box)
        return box

    for index, host in enumerate(stacked):
        y = sheet.top + index * (sheet.row + sheet.gap)
        x = lanes[2][0] - 10
        host_boxes.append(
            Box(
                host["name"],
                "host",
                x,
                y,
                lanes[4][0] + lanes[4][1] + 10 - x,
                sheet.row,
                host["name"],
                state=_state(host),
                host=host["name"],
                select=f"host:{host['name']}",
            )
        )
        inner, tall = y + 28, sheet.row - 28 - (24 if sheet.big else 42)
        for process in host["processes"]:
            kind = process["kind"]
            if kind == "kube-apiserver":
                place(process, host, 2, inner, tall)
            elif kind == "etcd":
                place(process, host, 3, inner, tall)
            elif kind == "kube-controller-manager":
                place(process, host, 4, inner, tall / 2 - 3)
            elif kind == "kube-scheduler":
                place(process, host, 4, inner + tall / 2 + 3, tall / 2 - 3)
            elif kind in ("kubelet", "kube-proxy") and not sheet.big:
                w = 84 if kind == "kubelet" else 106
                kx = lanes[4][0] + lanes[4][1] - (196 if kind == "kubelet" else 106)
                box = _process_box(process, host, kx, y + sheet.row - 27, w, 22, sheet, roles)
                boxes.append(box)
                by_kind.setdefault(kind, []).append(box)
    for index, host in enumerate(outside):
        y = sheet.top + index * (sheet.row + sheet.gap)
        x, w = lanes[3]
        host_boxes.append(
            Box(
                host["name"],
                "host",
                x - 8,
                y,
                w + 16,
                sheet.row,
                host["name"],
                state=_state(host),
                host=host["name"],
                select=f"host:{host['name']}",
            )
        )
        for process in host["processes"]:
            if process["kind"] == "etcd":
                place(process, host, 3, y + 28, sheet.row - 70)

    for host in hosts:
        for process in host["processes"]:
            if process["kind"] == "balancer":
                place(process, host, 1, sheet.top, bottom - sheet.top)
    middle = sheet.top + (bottom - sheet.top) / 2
    for name, label, y in (
        ("outside", "kubectl, curl" if not sheet.big else "kubectl", middle - 74),
        ("console", "console", middle + 14),
    ):
        x, w = lanes[0]
        box = Box(name, "client", x, y, w, 60, label, name=name, select=f"client:{name}")
        boxes.append(box)
        by_kind.setdefault("client", []).append(box)

    nodes = _nodes(model, workers, sheet, bottom, boxes, by_kind, roles)
    waiting = _waiting(model, sheet, bottom)
    _route(by_kind, links, sheet)
    words = ("clients", "gate", "etcd", "controllers", "nodes")
    spans = (
        (lanes[0][0], lanes[0][1]),
        (lanes[1][0], lanes[2][0] + lanes[2][1] - lanes[1][0]),
        lanes[3],
        lanes[4],
        lanes[5],
    )
    headings = [{"word": word, "x": x, "w": w, "cx": x + w / 2} for word, (x, w) in zip(words, spans, strict=True)]
    return Drawing(sheet, sheet.width, int(height), headings, host_boxes, boxes, nodes, waiting, links, 0)


def _state(thing: dict[str, Any]) -> str:
    if not thing.get("up", True):
        return "down"
    return "paused" if thing.get("paused") else "up"


SHORT = {
    "kube-apiserver": "apiserver",
    "kube-controller-manager": "controllers",
    "kube-scheduler": "scheduler",
    "balancer": "lb",
}


def _process_box(
    process: dict[str, Any],
    host: dict[str, Any],
    x: float,
    y: float,
    w: float,
    h: float,
    sheet: Sheet,
    roles: dict[str, Any],
) -> Box:
    status = process.get("status") or {}
    kind, name = process["kind"], process["name"]
    member = roles.get(name, {})
    role = status.get("role") or member.get("role", "")
    term = status.get("term") or member.get("term", 0)
    label = str(name if kind == "etcd" else SHORT.get(kind, kind))
    state = _state(process) if host.get("up", True) else "down"
    leader = bool(status.get("leader")) if kind != "etcd" else role == "leader"
    return Box(
        name,
        kind,
        x,
        y,
        w,
        h,
        label,
        "",
        state,
        leader,
        "down" if state == "down" else role,
        int(term or 0),
        host["name"],
        name,
        f"process:{name}",
    )


def _nodes(
    model: dict[str, Any],
    workers: list[dict[str, Any]],
    sheet: Sheet,
    bottom: float,
    boxes: list[Box],
    by_kind: dict[str, list[Box]],
    roles: dict[str, Any],
) -> list[NodeBox]:
    x, w = sheet.lanes[5]
    facts = {node["name"]: node for node in model.get("nodes", ())}
    pods: dict[str, list[dict[str, Any]]] = {}
    for pod in model.get("pods", ()):
        pods.setdefault(pod.get("node") or "", []).append(pod)
    out: list[NodeBox] = []
    if not workers:
        return out
    gap = sheet.gap
    h = (bottom - sheet.top - gap * (len(workers) - 1)) / len(workers)
    for index, host in enumerate(workers):
        y = sheet.top + index * (h + gap)
        fact = facts.get(host["name"], {})
        ready = bool(fact.get("ready", False))
        state = _state(host)
        box = NodeBox(
            host["name"],
            "node",
            x,
            y,
            w,
            h,
            host["name"],
            host=host["name"],
            state=state,
            ready=ready,
            cordoned=bool(fact.get("unschedulable")),
            select=f"node:{host['name']}",
            name=host["name"],
        )
        head = 30 if sheet.big else 28
        if not sheet.big and h >= 96:
            for process in host["processes"]:
                if process["kind"] in ("kubelet", "kube-proxy"):
                    px = x + 8 if process["kind"] == "kubelet" else x + 100
                    small = _process_box(
                        process, host, px, y + head, 84 if process["kind"] == "kubelet" else 106, 22, sheet, roles
                    )
                    boxes.append(small)
                    by_kind.setdefault(process["kind"], []).append(small)
            head += 30
        elif sheet.big:
            for process in host["processes"]:
                if process["kind"] == "kubelet":
                    small = _process_box(process, host, x + w - 40, y + 6, 26, 24, sheet, roles)
                    small.label = ""
                    boxes.append(small)
                    by_kind.setdefault("kubelet", []).append(small)
            head += 6
        _fill(box, pods.get(host["name"], []), sheet, head)
        out.append(box)
    return out


def _fill(box: NodeBox, pods: list[dict[str, Any]], sheet: Sheet, head: float) -> None:
    """Give every pod a slot. Names are written while they fit; beyond that the squares stand alone and the name is one key away."""
    left, top = box.x + 10, box.y + head + 4
    room_w, room_h = box.w - 20, box.h - head - 8
    line = 30 if sheet.big else 24
    for columns, cell_h, mark in (
        (1 if sheet.big else 2, line, 16 if not sheet.big else 20),
        (2, line, 16),
        (0, 24, 16),
        (0, 13, 11),
    ):
        if columns:
            cell_w = room_w / columns
            letters = int((cell_w - mark - 14) / sheet.char)
        else:
            cell_w, letters = float(cell_h), 0
            columns = int(room_w // cell_w)
        rows = max(1, int(room_h // cell_h))
        if len(pods) <= columns * rows:
            break
    box.grid = f"{left:g},{top:g},{columns},{rows},{cell_w:g},{cell_h},{letters},{mark}"
    for index, pod in enumerate(pods):
        column, row = index % columns, index // columns
        box.pods.append(
            PodMark(
                pod["uid"],
                pod["name"],
                pod["namespace"],
                pod.get("phase", "Unknown"),
                left + column * cell_w,
                top + row * cell_h,
                mark,
                cut(pod["name"], letters - 3 * bool(pod.get("restarts"))) if letters else "",
                int(pod.get("restarts") or 0),
                f"pod:{pod['namespace']}/{pod['name']}",
            )
        )


def _waiting(model: dict[str, Any], sheet: Sheet, bottom: float) -> NodeBox:
    """The tray of pods that no node has yet."""
    x = sheet.lanes[2][0] - 10
    w = sheet.lanes[4][0] + sheet.lanes[4][1] + 10 - x
    box = NodeBox("", "tray", x, bottom + 8, w, 40, "", select="")
    pods = [pod for pod in model.get("pods", ()) if not pod.get("node")]
    shift = 190 if not sheet.big else 250
    inner = NodeBox("", "tray", x + shift, bottom + 8, w - shift, 40, "")
    _fill(inner, pods, sheet, 3 if not sheet.big else 1)
    box.pods, box.grid = inner.pods, inner.grid
    return box


def _route(by_kind: dict[str, list[Box]], links: list[Link], sheet: Sheet) -> None:
    """Lay every line in its channel."""
    servers, members = by_kind.get("kube-apiserver", []), by_kind.get("etcd", [])
    gates = by_kind.get("balancer", [])
    gate = gates[0] if gates else None
    for client in by_kind.get("client", []):
        if gate:
            links.append(Link(client.id, gate.id, "request", ((client.right, client.cy), (gate.x, client.cy))))
    for server in servers:
        if gate:
            links.append(Link(gate.id, server.id, "request", ((gate.right, server.cy), (server.x, server.cy))))
    own = {member.host: member for member in members}
    for index, server in enumerate(servers):
        member = own.get(server.host) or (members[index % len(members)] if members else None)
        if member:
            links.append(Link(server.id, member.id, "etcd", ((server.right, server.cy), (member.x, server.cy))))
    for i, a in enumerate(members):
        for j in range(i + 1, len(members)):
            b = members[j]
            if j == i + 1:
                points: tuple[tuple[float, float], ...] = ((a.cx, a.bottom), (b.cx, b.y))
            else:
                side, slip = a.x - 8 - 5 * (j - i), 6 * (j - i)
                points = ((a.x, a.cy + slip), (side, a.cy + slip), (side, b.cy - slip), (b.x, b.cy - slip))
            links.append(Link(a.id, b.id, "raft", points))
    of_host = {server.host: server for server in servers}
    for offset, kind in enumerate(("kube-controller-manager", "kube-scheduler")):
        for box in by_kind.get(kind, []):
            server = of_host.get(box.host)
            if server is None:
                continue
            down = server.bottom + 5 + 5 * offset
            side = box.x - 10 - 6 * (1 - offset)
            port = server.right - 14 - 12 * offset
            links.append(
                Link(
                    box.id,
                    server.id,
                    "watch",
                    ((box.x, box.cy), (side, box.cy), (side, down), (port, down), (port, server.bottom)),
                )
            )
    if gate is None:
        return
    bus = sheet.lanes[5][0]
    for offset, kind in enumerate(("kubelet", "kube-proxy")):
        y, side, land = 40 + 9 * offset, bus - 14 - 9 * offset, gate.cx + 8 - 16 * offset
        trunk = ((side, y), (land, y), (land, gate.y))
        lowest = y
        for box in by_kind.get(kind, []):
            if box.x > bus and (kind == "kubelet" or sheet.big):
                stub: tuple[tuple[float, float], ...] = ((box.x, box.cy), (side, box.cy))
            else:
                stub = ((box.cx, box.bottom), (box.cx, box.bottom + 4), (side, box.bottom + 4))
            lowest = max(lowest, stub[-1][1])
            links.append(Link(box.id, gate.id, "watch", (*stub, *trunk), stub))
        if by_kind.get(kind):
            links.append(Link("", "", "watch", ((side, lowest), *trunk)))
