"""The control plane as a picture: the balancer above, hosts with their processes beneath it, external members in a row of their own.

In → out: the ``ha`` read model in, coordinates in. A host is one box, because it fails as one. Lines: from the balancer to each apiserver, and
from each apiserver to the member that it talks to now, and thin ones to the others that it knows, along lanes beneath the boxes. Units: user units of the viewBox.
"""

from __future__ import annotations

from typing import Any

WIDE = {False: 840, True: 1120}
"""How wide the sheet is: on a desk it stands beside the checklist, on the projector (True) it is the picture."""
MORE = 64
"""What each host beyond seven in a row adds on a desk."""
LETTER = 9.4
ROW = 34
HEAD = 34
GAP = 16
TOP = 96
LANE = 12
KINDS = ("kube-apiserver", "etcd", "kube-controller-manager", "kube-scheduler")
"""What of a host is drawn: the control plane; kubelet and kube-proxy are on the map."""
SHORT = {"kube-controller-manager": "controller-manager", "kube-scheduler": "scheduler", "kube-apiserver": "apiserver"}


def drawing(ha: dict[str, Any], screen: bool = False) -> dict[str, Any]:
    """Return ``{width, height, hosts, lines, lb, bus}``."""
    control = [row for row in ha["hosts"] if row["role"] == "control-plane"]
    outer = [row for row in ha["hosts"] if row["role"] == "etcd"]
    marks = _marks(ha)
    width = WIDE[screen] + (0 if screen else MORE * max(len(control) - 7, len(outer) - 7, 0))
    boxes = _row(control, TOP if control else 24, marks, screen, width)
    depth = max((box["y"] + box["h"] for box in boxes), default=0)
    lanes = len([row for row in ha["apiservers"] if row["up"] and row["etcd"] and not row["local"]])
    room = (lanes + 2) * LANE if lanes else 0
    below = depth + max(room, GAP) if boxes else 24
    etcds = _row(outer, below, marks, screen, width)
    hosts = boxes + etcds
    bottom = max((box["y"] + box["h"] for box in hosts), default=0)
    lb = next((row for row in ha["hosts"] if row["role"] == "lb"), None)
    return {
        "width": width,
        "height": bottom + (12 if outer else room + 12),
        "hosts": hosts,
        "lb": lb and {**lb, "x": width / 2 - 100, "y": 10, "w": 200, "h": 40},
        "lines": _to_servers(ha, hosts, width) + _to_members(ha, hosts, depth),
    }


def _marks(ha: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Process → what is written behind its name."""
    out: dict[str, dict[str, Any]] = {}
    for row in ha["members"]:
        shape = "down" if not row["up"] else "learner" if row["learner"] else row["role"]
        out[row["id"]] = {"shape": shape, "term": row["term"]}
    for lease in ha["leases"]:
        for candidate in lease["candidates"]:
            out[candidate["process"]] = {"leads": candidate["leads"] and candidate["up"]}
    for row in ha["backends"]:
        out.setdefault(row["name"], {})["out"] = not row["up"]
    return out


def _row(
    hosts: list[dict[str, Any]], y: float, marks: dict[str, dict[str, Any]], screen: bool, width: float
) -> list[dict[str, Any]]:
    if not hosts:
        return []
    wide = min(340.0 if screen else 300.0, (width - GAP) / len(hosts) - GAP)
    left = (width - len(hosts) * (wide + GAP) + GAP) / 2
    out = []
    for index, host in enumerate(hosts):
        shown = [p for p in host["processes"] if p["kind"] in KINDS]
        x = left + index * (wide + GAP)
        rows = [
            {
                **process,
                **marks.get(process["name"], {}),
                "short": process["name"] if process["kind"] == "etcd" else SHORT.get(process["kind"], process["kind"]),
                "y": y + HEAD + n * ROW,
            }
            for n, process in enumerate(shown)
        ]
        out.append(
            {
                **host,
                "x": x,
                "y": y,
                "w": wide,
                "h": HEAD + len(rows) * ROW + 6,
                "rows": rows,
                "narrow": wide < (285 if screen else 230),
                "room": max(int((wide - 44) / (LETTER * 1.3 if screen else LETTER)), 4),
            }
        )
    return out


def _to_servers(ha: dict[str, Any], hosts: list[dict[str, Any]], width: float) -> list[dict[str, Any]]:
    up = {row["name"]: row["up"] for row in ha["backends"]}
    out = []
    for host in hosts:
        for row in host["rows"]:
            if row["kind"] == "kube-apiserver":
                x = host["x"] + host["w"] / 2
                good = up.get(row["name"], False)
                out.append(
                    {
                        "kind": "client",
                        "up": good,
                        "d": f"M{width / 2:.0f} 50V72H{x:.0f}V{host['y']:.0f}",
                        "bx": x,
                        "by": 84,
                    }
                )
    return out


def _to_members(ha: dict[str, Any], hosts: list[dict[str, Any]], depth: float) -> list[dict[str, Any]]:
    place = {row["name"]: (host, row) for host in hosts for row in host["rows"]}
    out = []
    lane = 0
    for server in ha["apiservers"]:
        if not server["up"] or server["etcd"] not in place or server["name"] not in place:
            continue
        (frm, row), (to, member) = place[server["name"]], place[server["etcd"]]
        y1, y2 = row["y"] + ROW / 2, member["y"] + ROW / 2
        up = server.get("connected", True)
        if frm is to:
            x = frm["x"] + frm["w"]
            d = f"M{x - 14:.0f} {y1:.0f}H{x - 6:.0f}V{y2:.0f}H{x - 14:.0f}"
            out.append({"kind": "local", "up": up, "d": d, "bx": x - 6, "by": round((y1 + y2) / 2)})
            continue
        lane += 1
        x1 = frm["x"] + frm["w"]
        turn = depth + 6 + lane * LANE
        x2 = to["x"] + to["w"] / 2 + (lane - 2) * 10
        end = to["y"] if to["y"] > depth else to["y"] + to["h"]
        d = f"M{x1:.0f} {y1:.0f}h{2 + lane}V{turn:.0f}H{x2:.0f}V{end:.0f}"
        out.append({"kind": "far", "up": up, "d": d, "bx": round(x2), "by": round(end) - 4})
        for other in server["order"]:
            if other != server["etcd"] and other in place:
                there, _ = place[other]
                x3 = there["x"] + there["w"] / 2 + (lane - 2) * 10
                end = there["y"] if there["y"] > depth else there["y"] + there["h"]
                out.append({"kind": "spare", "up": True, "d": f"M{x2:.0f} {turn:.0f}H{x3:.0f}V{end:.0f}"})
    return out


def may_lose_hosts(ha: dict[str, Any]) -> int | None:
    """Return how many more hosts may fail, whichever they are, before there is no quorum or no apiserver; None: there is none already."""
    ours = ha["quorum"].get("hears") or {row["id"]: 1 for row in ha["members"]}
    members = {
        row["id"]
        for row in ha["members"]
        if row["id"] in ours and row["up"] and not row["paused"] and not row["learner"]
    }
    servers = {row["name"] for row in ha["apiservers"] if row["up"] and row.get("connected", True)}
    need = ha["quorum"]["need"]
    carried = []
    for host in ha["hosts"]:
        if host["up"] and not host["paused"] and host["role"] != "lb":
            names = {row["name"] for row in host["processes"]}
            carried.append((len(names & members), len(names & servers)))
    have, serve = ha["quorum"]["have"], len(servers)
    if have < need or (not ha["bare"] and not serve):
        return None
    # The worst that n losses can do: take those that carry most members, or most apiservers.
    by_members = sorted((row[0] for row in carried), reverse=True)
    by_servers = sorted((row[1] for row in carried), reverse=True)
    lost = 0
    while lost < len(carried):
        left = have - sum(by_members[: lost + 1])
        serving = serve - sum(by_servers[: lost + 1])
        if left < need or (not ha["bare"] and serving < 1):
            return lost
        lost += 1
    return lost
