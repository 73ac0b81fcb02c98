"""The network page: a packet's way through a node's rules, the rules themselves, modes side by side, and any node's own dump."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as noop

from explainer.fragments import chain_tree, changes_drawing, hooks_drawing, packet_choices, rules_view, walk_words
from explainer.fragments.whole import whole
from explainer.pages import context, cost, pasting
from explainer.pages.reads import Missing, Unreachable, read

from .common import ask, asked_for, attempt, drawn_errors, number, sent

MODES = ("iptables", "nftables", "ipvs", "userspace")
TOOLS = {
    "iptables": "iptables-save",
    "nftables": "nft list ruleset",
    "ipvs": "ipset save, ipvsadm-save, iptables-save",
    "userspace": "iptables-save",
}
TABS = {
    "packet": noop("The packet"),
    "rules": noop("The rules"),
    "node": noop("The node"),
    "changes": noop("Who changed what"),
    "modes": noop("Modes compared"),
    "paste": noop("Your own dump"),
}
PROJECTOR = 1.55
"""How much larger the tree of chains is drawn there: its letters have 14 units."""
ASKED = ("way", "service", "from", "to", "node", "mode", "src", "dst", "port", "protocol")
EMPTY: dict[str, Any] = {"services": [], "pods": [], "morePods": 0, "nodes": []}


@drawn_errors
async def network_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """Read what the address bar means, then draw the tab."""
    frame = await context.frame(request, cluster, "network")
    data = await choices(request, frame)
    tab = asked_for(request, "tab")
    data["tab"] = tab if tab in TABS else "packet"
    data["tabs"] = [{"name": name, "label": _(label)} for name, label in TABS.items()]
    data |= await DRAWN[data["tab"]](request, data)
    return render(request, f"network/{data['tab']}.html", data)


async def choices(request: HttpRequest, frame: dict[str, Any]) -> dict[str, Any]:
    """Return what can be chosen on every tab, and what is."""
    model = await attempt(frame, "network", EMPTY)
    asked = {name: value for name in ASKED if (value := asked_for(request, name))}
    service = packet_choices.service_of(model["services"], asked.get("service", ""))
    to = packet_choices.targets(service, model["nodes"])
    if asked.get("to") and asked["to"] not in {one["value"] for one in to}:
        asked.pop("to")
    packet = packet_choices.packet(asked, service, model, to)
    if packet is not None and not packet["to"]:
        to = [packet_choices.typed(packet), *to]
    written = {n["name"]: n.get("mode") or (n["proxy"] or {}).get("mode", "") for n in model["nodes"]}
    nodes = [name for name, mode in written.items() if mode]
    node = asked["node"] if asked.get("node") in nodes else ""
    rulebook = node or next((n for n in nodes if not n.startswith("cp-")), nodes[0] if nodes else "")
    own = written.get(rulebook) or MODES[0]
    mode = asked["mode"] if asked.get("mode") in MODES else ""
    return {
        "frame": frame,
        "model": model,
        "asked": asked,
        "service": service,
        "services": model["services"],
        "sources": packet_choices.sources(model, packet["src"] if packet else ""),
        "targets": to,
        "packet": packet,
        "nodes": nodes,
        "node": node,
        "rulebook": rulebook,
        "mode": mode,
        "own": own,
        "modes": MODES,
        "ports": ", ".join(f"{p['port']}/{p['protocol'].upper()}" for p in (service or {}).get("ports", ())),
    }


async def packet_tab(request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
    """The packet-flow picture, one step lit."""
    told, why = await journey(data)
    if told is None:
        return {"why": why}
    services = frozenset(service["key"] for service in data["services"])
    base = f"/clusters/{data['frame']['cluster']}"
    return drawn(told, number(request, "step", 0), data["frame"]["screen"], base, services)


async def journey(data: dict[str, Any], **more: Any) -> tuple[dict[str, Any] | None, str]:
    """(the journey of the packet meant, why there is none)."""
    packet = data["packet"]
    if packet is None:
        return None, ""
    way = whole(data["asked"].get("way", ""), 6) or 0
    asked = {"node": data["node"], "mode": data["mode"], "way": way, **more}
    question = {key: packet[key] for key in ("src", "dst", "port", "protocol")}
    try:
        told = await ask(data["frame"], "journey", **question, **asked)
    except (Unreachable, Missing, ValueError) as error:
        return None, str(error)
    return (None, told["refused"]) if "refused" in told else (told, "")


def drawn(
    told: dict[str, Any], step: int, screen: bool, base: str = "", services: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return a journey as the packet tab's template takes it."""
    frames, picture = both_nodes(told, screen)
    order = [name for name in ("request", "there", "back", "reply") if name in picture["named"]]
    stops = [stop for name in order for stop in picture["named"][name]["stops"]]
    for frame, (x, y) in zip(frames, stops, strict=True):
        if frame.get("policy"):
            frame["policy_path"] = f"{base}/objects/networkpolicies.networking.k8s.io/{frame['policy']}/"
        known = frame["service"] if frame["service"] in services else ""
        frame["service"], frame["service_path"] = known, f"{base}/objects/services/{known}/"
        frame["x"], frame["y"] = round(x, 1), round(y, 1)
        frame["lines"] = [
            {**row, **walk_words.short(row["text"])} if "text" in row else row for row in frame.get("excerpt", ())
        ]
    stacks(frames)
    here = min(max(step or deciding(frames), 1), len(frames)) if frames else 0
    current = frames[here - 1] if frames else None
    chosen = told["ways"][told["way"]] if told["ways"] else None
    return {
        "told": told,
        "picture": picture,
        "frames": frames,
        "current": current,
        "requests": sum(frame["dir"] in ("request", "there") for frame in frames),
        "chosen": chosen,
        "ledger": ledger(frames),
        "trace": True,
        "sentence": current["sentence"] if current else "",
        "ways": [
            {**way, "number": at, "share": hooks_drawing.share(way["probability"])}
            for at, way in enumerate(told["ways"])
        ],
    }


def both_nodes(told: dict[str, Any], screen: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """(all steps in their order, there and back; the picture, with the second node where there is one)."""
    beyond = told.get("beyond") or {"frames": [], "reply": []}
    parts = {
        "request": told["frames"],
        "there": beyond["frames"],
        "back": beyond["reply"] if told["reply"] else [],
        "reply": told["reply"],
    }
    if parts["back"] and parts["reply"]:
        came = {key: beyond[key] for key in ("device", "tunnel")}
        again = {**parts["reply"][0], **came, "kind": "arrive", "node": told["node"], "outer": beyond["outer"][::-1]}
        parts["reply"] = told["reply"] = [again, *parts["reply"][1:]]
    frames: list[dict[str, Any]] = []
    first: dict[str, int] = {}
    for name, rows in parts.items():
        first[name] = len(frames) + 1
        frames += [{**frame, "dir": name} for frame in walk_words.tell(rows, len(frames) + 1)]
    picture = hooks_drawing.picture(told, screen, first=(1, first["reply"]))
    if beyond["frames"]:
        beyond["reply"] = parts["back"]
        picture["directions"] += hooks_drawing.with_second_node(picture, told, screen, (first["there"], first["back"]))
    picture["named"] = {direction["name"]: direction for direction in picture["directions"]}
    return frames, picture


def deciding(frames: list[dict[str, Any]]) -> int:
    """Return the step that one looks at first: the rule that translates the packet, or loses it; else the one that lets it in."""
    words = ("DNAT", "REDIRECT", "DROP", "REJECT", "drop", "reject", "policy")
    rules = [frame for frame in frames if frame["kind"] == "rule"]
    found = [f["number"] for f in rules if f["station"] == "ipvs" or f["outcome"].startswith(words)]
    found += [f["number"] for f in rules if f["hook"] == "INPUT" and f["outcome"] in ("ACCEPT", "accept")]
    return found[0] if found else 1


def stacks(frames: list[dict[str, Any]]) -> None:
    """Give every rule's frame the jumps that lead to its chain, outermost first, as ``stack``."""
    calls: list[dict[str, Any]] = []
    place = None
    for frame in frames:
        if frame["kind"] != "rule":
            continue
        here = frame["dir"], frame["hook"], frame["station"]
        if here != place:
            calls, place = [], here
        while calls and calls[-1]["to"] != frame["chain"]:
            calls.pop()
        frame["stack"] = list(calls)
        words = frame["outcome"].split()
        if len(words) > 1 and words[-2] in ("jump", "goto"):
            calls.append(
                {"line": frame["line"], "chain": frame["chain"], "to": words[-1], **walk_words.short(frame["rule"])}
            )


def ledger(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the header as it was sent and after every step that changed it."""
    rows: list[dict[str, Any]] = []
    for frame in frames:
        if frame["kind"] == "sent" or frame["changed"]:
            rows.append(
                {
                    "number": frame["number"],
                    "dir": frame["dir"],
                    "title": frame["title"],
                    "cells": [
                        {
                            "key": key,
                            "value": f"{frame['after'][key]:#x}"
                            if key == "mark" and frame["after"][key]
                            else frame["after"][key] or "–",
                            "changed": key in frame["changed"],
                        }
                        for key in ("src", "sport", "dst", "dport", "mark")
                    ],
                }
            )
    return rows


async def rules_tab(request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
    """The node's rules as text."""
    mode = data["mode"] or data["own"]
    given = {} if mode == data["own"] else {"mode": mode}
    text = await attempt(data["frame"], "rules", "", node=data["rulebook"], **given) if data["rulebook"] else ""
    rows = rules_view.lines(text)
    counted = await attempt(data["frame"], "counters", {}, node=data["rulebook"]) if text and not given else {}
    rules_view.count(rows, counted)
    concerned = rules_view.about(rows, data["service"])
    query = asked_for(request, "q")[:80]
    tree = chain_tree.tree(rows, concerned)
    if tree:
        scale = PROJECTOR if data["frame"]["screen"] else 1
        tree |= {"shown_width": round(tree["width"] * scale), "shown_height": round(tree["height"] * scale)}
    folded = chain_tree.folded(rows, concerned, query)
    for table in folded["tables"]:
        for chain in table["chains"]:
            for line in chain["lines"]:
                for part in line["parts"]:
                    if "to" in part:
                        part["anchor"] = chain_tree.anchor(table["name"], part["to"])
    return {
        "shown_mode": mode,
        "tool": TOOLS[mode],
        "lines": len(rows),
        "concerned": len(concerned),
        "tree": tree,
        "folded": folded,
        "query": query,
        "counted": bool(counted),
        "raw": f"/api/clusters/{data['frame']['cluster']}/nodes/{data['rulebook']}/rules",
    }


async def modes_tab(request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
    """The same packet in every mode, hook by hook."""
    old: dict[str, Any] | None = None
    if data["rulebook"] and data["service"]:
        old = await attempt(data["frame"], "versions", None, node=data["rulebook"], service=data["service"]["key"])
    if old:
        kinds = {"+": "add", "-": "del", "@": "gap"}
        told = [(kinds.get(line[:1], "same"), line[1:]) for line in old["lines"]]
        old["lines"] = [{"kind": kind, "text": "" if kind == "gap" else text} for kind, text in told]
    found = await asyncio.gather(*(journey({**data, "mode": "" if mode == data["own"] else mode}) for mode in MODES))
    columns = []
    for mode, (told, why) in zip(MODES, found, strict=True):
        column: dict[str, Any] = {"mode": mode, "why": why, "told": told, "own": mode == data["own"], "hooks": {}}
        if told is not None and told["ways"]:
            frames = walk_words.tell(told["frames"])
            for frame in frames:
                if frame["kind"] in ("rule", "route", "pass"):
                    column["hooks"].setdefault(frame["hook"], []).append(frame)
            end = told["ways"][0]
            column |= {
                "asked": max(way["asked"] for way in told["ways"]),
                "rules": told["rules"],
                "entries": told["entries"],
                "ends": [way["endpoint"] or way["verdict"] for way in told["ways"]],
                "verdict": end["verdict"],
                "source": end["source"],
                "steps": sum(frame["kind"] == "rule" for frame in frames),
            }
        columns.append(column)
    hooks = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
    most = max((column.get("asked", 0) for column in columns), default=0) or 1
    for column in columns:
        column["share"] = round(100 * column.get("asked", 0) / most)
    used = [hook for hook in hooks if any(hook in column["hooks"] for column in columns)]
    rows = [{"hook": hook, "cells": [column["hooks"].get(hook, []) for column in columns]} for hook in used]
    # userspace's rules end at kube-proxy's own process: which endpoint it chooses is no rule's business.
    sets = {tuple(sorted(column["ends"])) for column in columns if "ends" in column and column["mode"] != "userspace"}
    return {
        "versions": old,
        "columns": columns,
        "rows": rows,
        "agree": len(sets) == 1,
        "known": cost.measuring().known if cost.measuring().done else [],
    }


async def node_tab(request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
    """One node's kernel: interfaces, routes, connections, what an old mode left, policies, and the packets that passed."""
    if not data["rulebook"]:
        return {"kernel": None}
    kernel = await attempt(data["frame"], "node_network", None, node=data["rulebook"])
    if kernel is None:
        return {"kernel": None}
    names = {pod["ip"]: pod["key"] for pod in data["model"]["pods"]}
    names |= {service["clusterIP"]: service["key"] for service in data["services"]}
    names |= {node["ip"]: node["name"] for node in data["model"]["nodes"]}
    for flow in kernel["conntrack"]:
        flow["translated"] = flow["dnat"] or flow["snat"]
        flow["seconds"] = flow["left"]
    kernel["conntrack"].reverse()
    passed = kernel["passed"][::-1][:40]
    return {"kernel": kernel, "names": names, "passed": passed}


async def changes_tab(request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
    """Why this Service's rules changed, how long each node took, and a node's whole rules at two moments."""
    frame, service = data["frame"], data["service"]
    rows = await attempt(frame, "changes", [], service=service["key"]) if service else []
    picked = number(request, "change", 0)
    change = next((row for row in rows if row["id"] == picked), rows[0] if rows else None)
    out: dict[str, Any] = {"changes": rows, "change": change}
    if change:
        out["gantt"] = changes_drawing.gantt(change, frame["screen"])
        for row in (change, *out["gantt"]["rows"]):
            row["path"] = f"/clusters/{frame['cluster']}/requests/{row['id']}/" if "id" in row else ""
        node = next((n for n in change["nodes"] if n["node"] == data["rulebook"]), change["nodes"][0])
        out["written"] = node
        out["before"] = str(max(change["beganMicros"] - 1, 0))
    since = asked_for(request, "since")
    if since and context.MOMENT.fullmatch(since) and data["rulebook"]:
        out |= await two_moments(frame, data["rulebook"], since)
    return out


async def two_moments(frame: dict[str, Any], node: str, since: str) -> dict[str, Any]:
    """A node's rules then and now, compared; ``lost`` says why they cannot be."""
    try:
        before = await read(frame["cluster"], "rules", at=since, node=node)
        after = await ask(frame, "rules", node=node)
    except (Unreachable, Missing) as error:
        return {"since": since, "lost": str(error)}
    return {"since": since, "diff": changes_drawing.difference(before, after), "diffed": True}


async def paste_tab(request: HttpRequest, data: dict[str, Any]) -> dict[str, Any]:
    """Anybody's dump, a packet, and its way; or what is wrong with them."""
    text = ""
    fields = {name: sent(request, name)[:400] for name in pasting.FIELDS}
    fields["protocol"] = fields["protocol"] or "tcp"
    out: dict[str, Any] = {"fields": fields, "limit": pasting.MAX_BYTES}
    if request.method == "POST":
        text = str(request.POST.get("dump") or "").replace("\r\n", "\n")
        try:
            told = await pasting.walk(text, fields)
            out |= drawn(told, number(request, "step", 0), data["frame"]["screen"])
        except pasting.Wrong as wrong:
            out |= {"wrong": wrong, "around": pasting.around(text, wrong.line)}
    elif asked_for(request, "example") and data["rulebook"] and data["packet"]:
        mode = data["mode"] or data["own"]
        given = {} if mode == data["own"] else {"mode": mode}
        text = await attempt(data["frame"], "rules", "", node=data["rulebook"], **given)
        node = next(n for n in data["model"]["nodes"] if n["name"] == data["rulebook"])
        pod = next((p["ip"] for p in data["model"]["pods"] if p["key"] == data["packet"]["src"]), "10.244.1.9")
        fields |= {
            "src": pod,
            "dst": data["packet"]["dst"],
            "port": str(data["packet"]["port"]),
            "protocol": data["packet"]["protocol"],
            "ips": node["ip"],
        }
    return {**out, "dump": text}


async def cost_curve(request: HttpRequest, cluster: str) -> StreamingHttpResponse:
    """The measurement of what Services cost, a JSON line a point, as it is made."""

    async def lines() -> AsyncIterator[bytes]:
        async for point in cost.measuring().points():
            yield json.dumps(point).encode() + b"\n"

    return StreamingHttpResponse(lines(), content_type="application/x-ndjson")


DRAWN = {
    "packet": packet_tab,
    "rules": rules_tab,
    "node": node_tab,
    "changes": changes_tab,
    "modes": modes_tab,
    "paste": paste_tab,
}
