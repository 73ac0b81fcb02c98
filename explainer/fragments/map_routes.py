"""Every line in its channel: from a port on a border to a port on a border, in lanes that no name stands in.

In → the boxes by kind, the sheet, the nodes' field; out → links with their corners, and what is wrong with them (cut, slow, lossy, apart).

Channels: the balancer's lines run straight between controllers and scheduler; an apiserver's line to a member is the straight one between
them; members that are not neighbours talk over a lane to the right of etcd (beyond three members: one bus, drawn once); kubelets and
kube-proxies share a bus left of the nodes, over the top, down into the balancer.
"""

from __future__ import annotations

from typing import Any

from .map_parts import Box, Field, Link, Sheet

Points = tuple[tuple[int, int], ...]


def routes(model: dict[str, Any], boxes: dict[str, list[Box]], paper: Sheet, field: Field) -> list[Link]:
    """See the module."""
    links = [*_gate(boxes), *_stores(boxes), *_raft(boxes), *_control(boxes), *_agents(boxes, paper, field)]
    homes = {box.id: box.host for group in boxes.values() for box in group}
    network = model.get("network") or {}
    for link in links:
        if link.a and link.b:
            link.fault, link.said = fault(network, link.a, link.b, homes)
    return links


def fault(network: dict[str, Any], a: str, b: str, homes: dict[str, str]) -> tuple[str, str]:
    """(cut, apart, lossy, slow or "", its figures) of the way between two processes, whichever direction is worse."""
    groups = network.get("groups")
    here, there = homes.get(a, ""), homes.get(b, "")
    if groups is not None and here and there:
        sides = groups.get(a, groups.get(here)), groups.get(b, groups.get(there))
        if sides[0] != sides[1] or (sides[0] is None and here != there):
            return "apart", ""
    found = [one for one in network.get("links") or () if {one["a"], one["b"]} <= {a, b, here, there}
             and bool({one["a"], one["b"]} & {a, here}) and bool({one["a"], one["b"]} & {b, there})]  # fmt: skip
    if any(one["cut"] for one in found):
        return "cut", ""
    loss, slow = max((one["loss"] for one in found), default=0), max((one["lowMicros"] for one in found), default=0)
    if loss:
        return "lossy", f"{loss * 100:.0f} %"
    return ("slow", f"{slow / 1000:g} ms") if slow else ("", "")


def _gate(boxes: dict[str, list[Box]]) -> list[Link]:
    """Clients to the balancer, the balancer to every apiserver."""
    out: list[Link] = []
    for gate in boxes.get("balancer", [])[:1]:
        for client in boxes.get("client", []):
            out.append(Link(client.id, gate.id, "request", ((client.right, client.cy), (gate.x, client.cy))))
        for server in boxes.get("kube-apiserver", []):
            out.append(Link(gate.id, server.id, "request", ((gate.right, server.cy), (server.x, server.cy))))
    return out


def _stores(boxes: dict[str, list[Box]]) -> list[Link]:
    """An apiserver to the member it calls first: its own host's, else one in turn."""
    members = boxes.get("etcd", [])
    own = {member.host: member for member in members}
    out: list[Link] = []
    for index, server in enumerate(boxes.get("kube-apiserver", [])):
        member = own.get(server.host) or (members[index % len(members)] if members else None)
        if member is not None:
            out.append(Link(server.id, member.id, "etcd", to_member(server, member)))
    return out


def to_member(server: Box, member: Box) -> Points:
    """From an apiserver to a member: straight, or over the lane between gate and etcd."""
    if server.y <= member.cy <= server.bottom:
        y = server.cy if member.y <= server.cy <= member.bottom else member.cy
        return ((server.right, y), (member.x, y))
    lane = server.right + 26
    return ((server.right, server.cy), (lane, server.cy), (lane, member.cy), (member.x, member.cy))


def _raft(boxes: dict[str, list[Box]]) -> list[Link]:
    """Every member with every other."""
    members = boxes.get("etcd", [])
    out: list[Link] = []
    many = len(members) > 3
    for i, a in enumerate(members):
        for j in range(i + 1, len(members)):
            b = members[j]
            if j == i + 1 and not many:
                out.append(Link(a.id, b.id, "raft", ((a.cx, a.bottom), (b.cx, b.y))))
                continue
            side, slip = a.right + 14, 0 if many else 10
            points = ((a.right, a.cy + slip), (side, a.cy + slip), (side, b.cy - slip), (b.right, b.cy - slip))
            out.append(Link(a.id, b.id, "raft", points, ((side, a.cy), (side, b.cy)) if many and j > i + 1 else ()))
    return out


def _control(boxes: dict[str, list[Box]]) -> list[Link]:
    """Controllers and scheduler to their own host's apiserver."""
    of_host = {server.host: server for server in boxes.get("kube-apiserver", [])}
    out: list[Link] = []
    for kind in ("kube-controller-manager", "kube-scheduler"):
        for box in boxes.get(kind, []):
            server = of_host.get(box.host)
            if server is not None:
                out.append(Link(box.id, server.id, "watch", ((box.right, box.cy), (server.x, box.cy))))
    return out


def _agents(boxes: dict[str, list[Box]], paper: Sheet, field: Field) -> list[Link]:
    """Kubelets and kube-proxies to the balancer, over a bus each; the nodes of a crowd share one port."""
    gates = boxes.get("balancer", [])
    if not gates:
        return []
    gate = gates[0]
    out: list[Link] = []
    for offset, kind in enumerate(("kubelet", "kube-proxy")):
        y, side, land = paper.top - 34 + 8 * offset, field.x - 12 - 9 * offset, gate.cx + 8 - 16 * offset
        trunk: Points = ((side, y), (land, y), (land, gate.y))
        lowest = y
        for box in boxes.get(kind, []):
            if box.x < field.x or not field.kind:  # a control-plane host's: straight to the balancer beside it
                lane = box.y - 13 + 4 * offset
                out.append(Link(box.id, gate.id, "watch", ((box.cx, box.y), (box.cx, lane), (gate.right, lane))))
                continue
            lane = box.bottom + 4
            straight: Points = ((box.x, box.cy), (side, box.cy))
            stub = straight if kind == "kubelet" else ((box.cx, box.bottom), (box.cx, lane), (side, lane))
            lowest = max(lowest, stub[-1][1])
            out.append(Link(box.id, gate.id, "watch", (*stub, *trunk), stub))
        if kind == "kubelet" and field.kind and lowest == y:
            port = (field.x, field.y + (14 if field.kind == "boxes" else 40))
            stub = (port, (side, port[1]))
            lowest = port[1]
            out.append(Link("nodes", gate.id, "watch", (*stub, *trunk), stub))
        if lowest > y:
            out.append(Link("", "", "watch", ((side, lowest), *trunk)))
    return out
