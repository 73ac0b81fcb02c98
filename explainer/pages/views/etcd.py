"""The etcd page: the ring, the logs, and one of several panels beside them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote
from zlib import crc32

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from explainer.fragments import log_drawing, names, raft_view, ring_caption, ring_drawing, roles_drawing, sides
from explainer.fragments.words import noop
from explainer.pages import context, reads

from .common import asked_for, attempt, drawn_errors, number

PANELS = {
    "next": noop("Next events"),
    "members": noop("Members"),
    "entries": noop("Entries"),
    "ways": noop("Who hears whom"),
    "keys": noop("Keys"),
    "backups": noop("Backups"),
    "promises": noop("Promises"),
    "roles": noop("Roles"),
    "branches": noop("Branches"),
}
PAUSED = "next"
RUNNING = "members"
"""The panel that is open when none was chosen."""


@drawn_errors
async def etcd_page(request: HttpRequest, cluster: str) -> HttpResponse:
    """``?tab=`` a panel, ``until=`` the last log column, ``prefix= key= rev=`` a place in the key space; ``part=live``: the picture alone."""
    frame = await context.frame(request, cluster, "etcd")
    shown = 12 if frame["screen"] else log_drawing.SHOWN
    model = await attempt(
        frame,
        "bench",
        None,
        shown=shown,
        until=number(request, "until", 0, 11),
        promises=True,
    )
    data: dict[str, Any] = {"frame": frame, "members": []}
    if model is not None and model["members"]:
        drawings = drawn(frame, model)
        data |= drawings | await panel(request, frame, model, drawings)
        data["prevote"] = model["settings"]["preVote"]
    part = bool(asked_for(request, "part"))
    return render(request, "etcd/live.html" if part else "etcd/page.html", data)


def drawn(frame: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """Return the pictures."""
    members = ring_drawing.ring(model, frame["screen"])
    formed = model.get("clusters") or []
    parted = ring_drawing.wall(members, model["ways"]) if len(formed) < 2 else None
    leads = formed[0]["leader"] if formed else ""
    links = ring_drawing.links(members, model["ways"])
    facts = {
        "members": [
            {key: m.get(key) for key in ("id", "shape", "up", "paused", "term", "learner", "removed", "x", "y", "scale", "party", "host", "timerStartMicros", "timerEndMicros", "lastIndex")}
            for m in members
        ],
        "flights": model["flights"],
        "ways": model["ways"],
        "settings": model["settings"],
        "nowMicros": model["nowMicros"],
    }  # fmt: skip
    return {
        "members": members,
        "shared": ring_drawing.shared(links),
        "links": links,
        "wall": parted,
        "titles": ring_drawing.titles(model, members, frame["screen"]),
        "quorum": ring_drawing.quorum(model),
        "grid": log_drawing.logs(model),
        "leader": next((m for m in members if m["id"] == leads), None),
        "wide": ring_drawing.WIDE,
        "tall": ring_drawing.TALL,
        "term": max((m.get("term") or 0 for m in members), default=0),
        "facts": json.dumps(facts, separators=(",", ":")),
        "caption": ring_caption.caption(model, members),
        "cuts": sum(1 for way in model["ways"] if way[2] != "ok"),
        "bare": model["settings"]["bare"],
    }


async def panel(
    request: HttpRequest, frame: dict[str, Any], model: dict[str, Any], drawings: dict[str, Any]
) -> dict[str, Any]:
    """Return the panel that is open, and the row of all. ``drawings``: the pictures, as of `drawn`."""
    asked = asked_for(request, "tab")
    standing = frame["clock"]["paused"] or bool(frame["at"])
    name = asked if asked in PANELS else PAUSED if standing else RUNNING
    due = raft_view.due(model)
    data: dict[str, Any] = {
        "panel": name,
        "panels": [{"name": one, "label": _(label)} for one, label in PANELS.items()],
        "due": due,
        "kept": all(row["holds"] for row in model.get("promises") or []),
        "standing": standing,
    }
    for row in due:
        for one in row["carries"]:
            one["trace_href"] = trace_href(frame, one["cause"])
    match name:
        case "entries":
            data["entries"] = log_drawing.entries(drawings["grid"], model)
            for entry in data["entries"]:
                entry["trace_href"] = trace_href(frame, entry["cause"])
                entry["object_href"] = object_href(frame, entry)
                entry["folder"] = entry["key"][: entry["key"].rfind("/") + 1]
        case "ways":
            data["matrix"] = raft_view.matrix(model)
        case "promises":
            data["promises"] = raft_view.promises(model)
        case "roles":
            data["diagram"] = roles_drawing.diagram(model, drawings["members"])
            data["progress"] = roles_drawing.progress(model, drawings["members"])
            data["settings"] = model["settings"]
        case "backups":
            data["backups"] = await backups(frame)
            asked = (asked_for(request, "of"), asked_for(request, "file"))
            rows = data["backups"]["snapshots"] if data["backups"] else []
            data["chosen"] = next(
                (row for row in rows if (row["host"], row["path"]) == asked and not row["error"]), None
            )
            if data["chosen"] is not None:
                data["chosen"]["chosen"] = True
        case "keys":
            data["keys"] = await keys(request, frame)
        case "branches":
            data |= await branches(request, frame, model)
    return data


def trace_href(frame: dict[str, Any], cause: int) -> str:
    """Return where a request's trace is."""
    return f"/clusters/{frame['cluster']}/requests/{cause}/{frame['keep']}"


def object_href(frame: dict[str, Any], which: dict[str, str]) -> str:
    """Return where an object's page is."""
    names = "/".join(quote(which[part], safe=":") for part in ("resource", "namespace", "name"))
    return f"/clusters/{frame['cluster']}/objects/{names}/{frame['keep']}"


async def backups(frame: dict[str, Any]) -> dict[str, Any] | None:
    """Return the snapshots on the hosts' disks, and which cluster of etcd each member is in."""
    found = await attempt(frame, "backups", None)
    if found is None:
        return None
    for row in found["snapshots"]:
        row["file"] = row["path"].rpartition("/")[2]
        row["words"] = names.size(row["size"])
    members = found["members"]
    clusters = list(dict.fromkeys(row["cluster"] for row in members))
    parts = [
        {"id": one, "names": ", ".join(row["member"] for row in members if row["cluster"] == one)} for one in clusters
    ]
    taken = f"{frame['cluster']} {','.join(clusters)}"
    return {
        **found,
        "parts": parts,
        "parted": len(clusters) > 1,
        "up": [row for row in members if row["up"]],
        "token": f"etcd-{crc32(taken.encode()) % 10_000:04d}",
    }


async def branches(request: HttpRequest, frame: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """Return the clusters that this one was forked from or that were forked from it, and one of them beside this one."""
    known, here = await reads.known(), frame["cluster"]
    parents = {name: (row.get("parent") or {}).get("cluster") for name, row in known.items()}
    family, size = {here}, 0
    while size < len(family):
        size = len(family)
        family |= {name for name, parent in parents.items() if parent in family}
        family |= {parents.get(name) for name in family} - {None}
    rows = [
        {"name": name, "parent": known[name].get("parent"), "here": name == here}
        for name in sorted(family)
        if name in known
    ]
    asked = asked_for(request, "beside")
    other = next((row["name"] for row in rows if not row["here"] and asked in ("", row["name"])), "")
    if not other:
        return {"branches": rows}
    try:
        there = await reads.read(other, "bench", shown=log_drawing.SHOWN)
    except (reads.Missing, reads.Unreachable, ValueError):
        return {"branches": rows, "beside": other, "there": None}
    return {"branches": rows, "beside": other, "there": sides.drawn(there), "sides": sides.compared(model, there)}


async def keys(request: HttpRequest, frame: dict[str, Any]) -> dict[str, Any] | None:
    """Return a level of the key space, and the history of a key."""
    prefix = asked_for(request, "prefix")[:1000]
    key = asked_for(request, "key")[:2000]
    asked = number(request, "rev", 0, 11)
    found = await attempt(frame, "keyspace", None, prefix=prefix, key=key, revision=asked)
    while found and "prefix" not in request.GET and len(found["rows"]) == 1 and found["rows"][0].get("folder"):
        prefix = found["rows"][0]["folder"]  # nothing to choose: go on to where there is
        found = await attempt(frame, "keyspace", None, prefix=prefix, key=key, revision=asked)
    if found is None:
        return None
    crumbs = [{"name": _("all keys"), "prefix": ""}]
    at = 0
    while (end := prefix.find("/", at)) >= 0:
        crumbs.append({"name": prefix[at : end + 1], "prefix": prefix[: end + 1]})
        at = end + 1
    if at < len(prefix):
        crumbs.append({"name": prefix[at:], "prefix": prefix})
    for row in found["rows"]:
        row["short"] = (row.get("folder") or row.get("key") or "")[len(prefix) :]
    if found["key"]:
        found["key"] |= log_drawing.place(found["key"]["key"])
        found["object_href"] = object_href(frame, found["key"])
        for n, version in enumerate(found["key"]["versions"]):
            older = found["key"]["versions"][n + 1 : n + 2]
            version["trace_href"] = trace_href(frame, version["cause"])
            version["pretty"] = pretty(version["value"])
            version["changes"] = changes(older[0]["value"], version["value"]) if older else []
            version["verb"] = (
                _("deleted") if version["deleted"] else _("created") if version["version"] == 1 else _("changed")
            )
    return {**found, "crumbs": crumbs}


def pretty(value: str) -> str:
    """Return JSON with two spaces; other text as it is."""
    try:
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except ValueError:
        return value


def changes(old: str, new: str) -> list[dict[str, str]]:
    """Return the fields that differ between two JSON values: ``{path, was, now}``, at most twelve."""
    try:
        before, after = flat(json.loads(old)), flat(json.loads(new))
    except ValueError:
        return []
    paths = [path for path in dict.fromkeys([*before, *after]) if before.get(path) != after.get(path)]
    kept = [path for path in paths if "/managedFields/" not in path]
    return [{"path": path, "was": before.get(path, ""), "now": after.get(path, "")} for path in kept[:12]]


def flat(value: Any, path: str = "") -> dict[str, str]:
    """Return a document as path → scalar."""
    if isinstance(value, dict) and value:
        return {k: v for key, child in value.items() for k, v in flat(child, f"{path}/{key}").items()}
    if isinstance(value, list) and value:
        return {k: v for n, child in enumerate(value) for k, v in flat(child, f"{path}/{n}").items()}
    return {path: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}
