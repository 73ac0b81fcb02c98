"""Two branches of one cluster's etcd beside each other: their rings, and where their members and logs differ.

In → out: two ``bench`` read models in, rows out. Logs are compared over the columns that are shown.
"""

from __future__ import annotations

from typing import Any

from . import ring_drawing
from .log_drawing import line
from .words import role


def drawn(model: dict[str, Any]) -> dict[str, Any]:
    """Return what a small ring is drawn from."""
    members = ring_drawing.ring(model)
    return {
        "members": members,
        "links": ring_drawing.links(members, model["ways"]),
        "wide": ring_drawing.WIDE,
        "tall": ring_drawing.TALL,
        "nowMicros": model["nowMicros"],
    }


def compared(here: dict[str, Any], there: dict[str, Any]) -> dict[str, Any]:
    """Return ``{rows, entries}``: a row a member with what it is here and there; entries that only one of the two sides has."""
    a = {member["id"]: member for member in here["members"]}
    b = {member["id"]: member for member in there["members"]}
    rows = [
        {"id": id, "here": facts(a.get(id)), "there": facts(b.get(id)), "same": facts(a.get(id)) == facts(b.get(id))}
        for id in dict.fromkeys([*a, *b])
    ]
    mine, theirs = entries(here), entries(there)
    first = max(here["firstShown"], there["firstShown"])
    differ = sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key) and key >= first)
    return {
        "rows": rows,
        "entries": [{"index": key, "here": told(mine.get(key)), "there": told(theirs.get(key))} for key in differ[:12]],
        "more": max(len(differ) - 12, 0),
        "first": first,
    }


def facts(member: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what is compared of a member."""
    if member is None:
        return None
    name = "down" if not member.get("up", True) else "learner" if member.get("learner") else member.get("role") or ""
    return {
        "role": role(name),
        "shape": name,
        "term": member.get("term"),
        "commit": member.get("commit"),
        "last": member.get("lastIndex"),
        "digest": member.get("kvDigest"),
    }


def entries(model: dict[str, Any]) -> dict[int, tuple[int, str]]:
    """Return index → (term, text) of what the member that has committed most holds."""
    best = max(
        model["members"], key=lambda member: (member.get("commit") or 0, member.get("lastIndex") or 0), default=None
    )
    return {entry[0]: (entry[1], entry[2]) for entry in (best or {}).get("log") or []}


def told(entry: tuple[int, str] | None) -> str:
    """Return an entry in a few words."""
    return "–" if entry is None else f"{entry[0]} · {line(entry[1])}"
