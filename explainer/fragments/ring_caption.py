"""The one sentence under the ring: who leads, who only believes so, who is left behind. It is made from the model that the ring is drawn from.

In → out: the ``bench`` read model and the drawn members in, a sentence in the reader's language out.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from . import particles
from .ring_drawing import MARKS

Row = dict[str, Any]


def caption(model: dict[str, Any], members: list[Row]) -> str:
    """Return the sentence; several clusters have one each."""
    formed = model.get("clusters") or []
    if not members or not formed:
        return ""
    told = [_of(one, [row for row in members if row["id"] in one["members"]]) for one in formed]
    if len(told) == 1:
        return particles.settle(told[0])
    first = _("These are %(n)s clusters: each counts by itself and refuses the other's messages.") % {"n": len(formed)}
    return particles.settle(" ".join([first, *(f"{MARKS[n]}: {one}" for n, one in enumerate(told))]))


def _of(one: dict[str, Any], rows: list[Row]) -> str:
    leaders = [row for row in rows if row["shape"] == "leader" and not row.get("paused") and not row.get("removed")]
    if not leaders:
        return _leaderless(one, rows)
    hears = one["hears"]
    leaders.sort(key=lambda row: (hears.get(row["id"], 0) < one["need"], -row["term"]))
    first, *rest = leaders
    names = {"member": first["id"], "term": first["term"], "n": hears.get(first["id"], 0), "voters": one["voters"]}
    if names["n"] >= one["need"]:
        told = [_("%(member)s leads in term %(term)s.") % names]
    else:
        pattern = _(
            "%(member)s believes that it leads, in term %(term)s, but hears %(n)s of %(voters)s. Its writes wait."
        )
        told = [pattern % names]
    pattern = _("%(member)s still believes that it leads, in term %(term)s. Its writes wait.")
    told += [pattern % {"member": row["id"], "term": row["term"]} for row in rest]
    told += _behind(first, rows)
    return " ".join(told)


def _leaderless(one: dict[str, Any], rows: list[Row]) -> str:
    values = {"n": one["have"], "voters": one["voters"], "need": one["need"]}
    if one["have"] < one["need"]:
        return _("Nobody can lead: %(n)s of %(voters)s hear each other, and %(need)s are needed. Writes wait.") % values
    asking = [row["id"] for row in rows if row["shape"] == "candidate"]
    if asking:
        pattern = ngettext("Nobody leads. %(members)s asks for votes.", "Nobody leads. %(members)s ask for votes.", len(asking))  # fmt: skip
        return pattern % {"members": ", ".join(asking)}
    asking = [row["id"] for row in rows if row["shape"] == "pre-candidate"]
    if asking:
        pattern = ngettext(
            "Nobody leads. %(members)s asks whether it could win (pre-vote).",
            "Nobody leads. %(members)s ask whether they could win (pre-vote).",
            len(asking),
        )
        return pattern % {"members": ", ".join(asking)}
    return _("Nobody leads. Writes wait until a timer runs out and somebody is elected.")


def _behind(leader: Row, rows: list[Row]) -> list[str]:
    """Who is left behind and runs: one sentence about the one that lacks most."""
    sent = [p["id"] for p in leader.get("progress") or [] if p.get("state") == "snapshot"]
    if sent:
        pattern = _("%(member)s is sent a snapshot: the entries that it lacks are compacted.")
        return [pattern % {"member": ", ".join(sent)}]
    late = max((row for row in rows if row.get("up", True)), key=lambda row: row["lag"], default=None)
    if late is None or not late["lag"]:
        return []
    pattern = ngettext("%(member)s lacks %(n)s committed entry.", "%(member)s lacks %(n)s committed entries.", late["lag"])  # fmt: skip
    return [pattern % {"member": late["id"], "n": late["lag"]}]
