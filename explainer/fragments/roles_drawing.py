"""The table of role transitions as a diagram: states with the members that are in them, arrows with their reasons, those that were just taken lit.

In → out: ``tables`` (from, why, to) of the ``bench`` read model and its members in; nodes, arrows and labels out. The picture is made from the
very table that the simulated Raft executes: an arrow that is not in it cannot be drawn, one that is new appears.

Units: user units of the diagram's viewBox (``WIDE`` by ``TALL``).
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from .words import noop

WIDE = 900
TALL = 384
PLACES = {"follower": (120, 172), "pre-candidate": (375, 172), "candidate": (622, 172), "leader": (826, 172)}
REASONS = {
    "timeout": noop("timer ran out"),
    "told": noop("told to stand now"),
    "won": noop("a quorum said yes"),
    "lost": noop("a quorum said no"),
    "higher term": noop("saw a higher term"),
    "leader": noop("heard the leader"),
    "no quorum": noop("no quorum answers"),
}
"""Why, as the table says it → as the arrow says it."""
WAYS = {
    ("follower", "pre-candidate"): ("M163 160Q247 138 330 159", 247, 136, True),
    ("pre-candidate", "follower"): ("M331 185Q247 206 164 186", 247, 218, False),
    ("pre-candidate", "candidate"): ("M418 160Q498 138 577 159", 498, 136, True),
    ("candidate", "pre-candidate"): ("M578 185Q498 206 420 186", 498, 218, False),
    ("candidate", "leader"): ("M667 172H778", 724, 112, False),
    ("follower", "candidate"): ("M140 131Q370 -44 602 131", 371, 32, True),
    ("candidate", "follower"): ("M604 213Q380 388 142 213", 385, 320, True),
    ("leader", "follower"): ("M812 215Q470 484 122 219", 470, 372, True),
    ("follower", "follower"): ("M92 137Q72 84 110 127", 66, 62, False),
    ("pre-candidate", "pre-candidate"): ("M360 130Q375 74 388 129", 375, 92, True),
    ("candidate", "candidate"): ("M607 130Q622 74 635 129", 640, 92, True),
}
"""(from, to) → the arrow's path, where its words stand, and whether all reasons stand on one line."""


def diagram(model: dict[str, Any], members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return ``{states, arrows}``."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in (model.get("tables") or {}).get("roles") or []:
        reasons.setdefault((row["from"], row["to"]), []).append(row["why"])
    taken = {(m["last"][0], m["last"][1]): m["id"] for m in members if m.get("last")}
    arrows = []
    for (start, end), whys in reasons.items():
        if (start, end) not in WAYS:
            continue
        path, x, y, one = WAYS[start, end]
        words = list(dict.fromkeys(_(REASONS[why]) if why in REASONS else why for why in whys))
        by = [m["id"] for m in members if m.get("last") and tuple(m["last"][:2]) == (start, end)]
        arrows.append(
            {
                "from": start,
                "to": end,
                "path": path,
                "x": x,
                "y": y,
                "words": wrapped(words, one),
                "lit": (start, end) in taken,
                "by": by,
            }
        )
    states = []
    for name, (x, y) in PLACES.items():
        here = [m["id"] for m in members if m["shape"] == name or (name == "follower" and m["shape"] == "learner")]
        states.append(
            {
                "name": name,
                "x": x,
                "y": y,
                "members": here,
                "told": " ".join(here[:5]) + (" …" if len(here) > 5 else ""),
            }
        )
    return {"states": states, "arrows": arrows, "wide": WIDE, "tall": TALL}


def wrapped(words: list[str], one: bool) -> list[dict[str, Any]]:
    """Return reasons as lines with their offset: all on ``one``, or each on its own."""
    lines = [", ".join(words)] if one else words
    return [{"text": text, "dy": n * 17} for n, text in enumerate(lines)]


def progress(model: dict[str, Any], members: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the states of replication with the followers in them, as the leader believes."""
    leader = next((m for m in members if m["shape"] == "leader"), None)
    rows = (leader or {}).get("progress") or []
    meaning = {
        "probe": _("Where the logs agree is not known: one message, then wait."),
        "replicate": _("The logs agree: entries are sent without waiting for answers."),
        "snapshot": _("What it needs is compacted: a snapshot is on its way."),
    }
    return [
        {"name": name, "means": words, "rows": [row for row in rows if row["state"] == name]}
        for name, words in meaning.items()
    ]
