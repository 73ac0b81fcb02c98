"""What the etcd page says beside its pictures: what may happen next, who hears whom, which promises hold on which evidence.

In → out: rows of the ``raft`` read model in, sentences and table cells in the reader's language out.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from . import particles
from .log_drawing import line
from .names import span
from .words import noop, role

SHORT = {
    "MsgApp": noop("append"),
    "MsgAppResp": noop("append answer"),
    "MsgHeartbeat": noop("heartbeat"),
    "MsgHeartbeatResp": noop("heartbeat answer"),
    "MsgVote": noop("vote request"),
    "MsgVoteResp": noop("vote"),
    "MsgPreVote": noop("pre-vote request"),
    "MsgPreVoteResp": noop("pre-vote"),
    "MsgSnap": noop("snapshot"),
    "MsgTimeoutNow": noop("order to stand now"),
    "MsgProp": noop("forwarded proposal"),
    "MsgReadIndex": noop("read-index question"),
    "MsgReadIndexResp": noop("read-index answer"),
    "MsgTransferLeader": noop("wish to hand over"),
}
"""Raft's message types in words."""


def due(model: dict[str, Any], most: int = 36) -> list[dict[str, Any]]:
    """Return the legal next events, each with a sentence, what it carries, what it would do, and when it would happen by itself."""
    now = model["nowMicros"]
    flights = {one["sequence"]: one for one in model["flights"]}
    rows = []
    for number, row in enumerate(model.get("due") or [], 1):
        left = row["atMicros"] - now
        message = flights.get(row["sequence"], {})
        rows.append(
            {
                **row,
                "number": number,
                "said": particles.settle(said(row, message)),
                "detail": detail(message) if message else "",
                "does": [particles.settle(one) for one in does(row)],
                "when": _("now") if left <= 0 else _("in %(span)s") % {"span": span(left)},
                "key": str(row["sequence"]),
                "carries": [
                    {"index": e[0], "term": e[1], "line": line(e[2]), "cause": e[3]}
                    for e in message.get("entries") or []
                ],
            }
        )
    return rows[:most]


def said(row: dict[str, Any], message: dict[str, Any]) -> str:
    """Return one sentence about an event that may be next."""
    names = {"member": row["member"], "src": row["from"]}
    what = row["what"]
    if row["kind"] == "disk":
        return _("The disk of %(member)s finishes its write.") % names
    if row["kind"] == "timer":
        if what == "heartbeat":
            return _("%(member)s beats: it tells everybody that it leads.") % names
        return _("The election timer of %(member)s runs out: it stands for election.") % names
    if what == "PeerHello":
        return _("%(member)s is greeted by %(src)s.") % names
    if not what.startswith("Msg"):
        return _("%(member)s takes a client's message: %(label)s") % {**names, "label": what}
    word = _(SHORT[what]) if what in SHORT else what
    if what == "MsgApp" and message.get("count"):
        return _("%(member)s receives entries from %(src)s: %(n)s.") % {**names, "n": message["count"]}
    if message.get("reject"):
        return _("%(member)s hears %(src)s say no (%(word)s).") % {**names, "word": word}
    if what in ("MsgVoteResp", "MsgPreVoteResp"):
        return _("%(member)s hears %(src)s say yes (%(word)s).") % {**names, "word": word}
    return _("%(member)s receives: %(word)s from %(src)s.") % {**names, "word": word}


def detail(message: dict[str, Any]) -> str:
    """Return what a message says in raftpb's own words."""
    kind = message["kind"]
    parts = [kind, f"term {message['term']}"]
    if kind in ("MsgApp", "MsgVote", "MsgPreVote"):
        parts.append(f"logTerm {message['logTerm']} index {message['index']}")
    elif kind in ("MsgAppResp", "MsgReadIndexResp"):
        parts.append(f"index {message['index']}")
    if kind in ("MsgApp", "MsgHeartbeat"):
        parts.append(f"commit {message['commit']}")
    if message.get("reject"):
        parts.append(f"reject hint {message.get('rejectHint', 0)}")
    if message.get("snapshot"):
        parts.append(f"snapshot {message['snapshot'][0]}")
    return " · ".join(parts)


IDLE = {
    "lease": noop("It hears a leader, so it does not listen."),
    "old term": noop("Nothing: the message is of an old term."),
    "removed": noop("Nothing: the sender was removed."),
    "stale": noop("Nothing changes."),
}


def does(row: dict[str, Any]) -> list[str]:
    """Return what an event would do, each change in a few words; equal messages to several members in one."""
    out = []
    sent: dict[tuple[str, bool], list[str]] = {}
    for one in row.get("does") or []:
        names = {**one, "member": row["member"]}
        match one["change"]:
            case "role":
                out.append(_("becomes %(role)s") % {"role": role(one["to"])})
            case "term":
                out.append(_("term %(from)s → %(to)s") % names)
            case "vote":
                out.append(_("votes for %(to)s") % names)
            case "lead":
                out.append(_("follows %(to)s") % names if one["to"] else _("knows no leader"))
            case "append":
                out.append(_("appends up to %(last)s") % names)
            case "truncate":
                out.append(_("cuts off %(first)s to %(last)s") % names)
            case "snapshot":
                out.append(_("takes the snapshot at %(index)s") % names)
            case "commit":
                out.append(_("commits up to %(to)s") % names)
            case "progress":
                out.append(f"{one['of']}: {one['to']}, match {one['match']}")
            case "send":
                sent.setdefault((one["type"] + (" ✗" if one["reject"] else ""), one["durable"]), []).append(one["to"])
            case "answer":
                out.append(_("answers the client"))
            case "exit":
                out.append(_("ends: it was removed"))
            case "wait":
                out.append(_("keeps the client waiting"))
            case "nothing":
                out.append(_(IDLE[one["why"]]) if one["why"] in IDLE else one["why"])
    for (kind, durable), to in sent.items():
        words = _("sends %(kind)s to %(to)s, once its disk has it") if durable else _("sends %(kind)s to %(to)s")
        out.append(words % {"kind": kind, "to": ", ".join(to)})
    return out


WAYS = {
    "ok": noop("hears"),
    "cut": noop("cut"),
    "apart": noop("parted"),
    "slow": noop("slow"),
    "lossy": noop("lossy"),
}


def matrix(model: dict[str, Any]) -> list[dict[str, Any]]:
    """Return who hears whom: a row a sender, a cell a receiver."""
    state = {(a, b): (how, much) for a, b, how, much in model.get("ways") or []}
    ids = [member["id"] for member in model["members"]]
    rows = []
    for a in ids:
        cells = []
        for b in ids:
            how, much = state.get((a, b), ("self" if a == b else "ok", 0))
            note = f"{much:g} ms" if how == "slow" else f"{much:g} %" if how == "lossy" else ""
            cells.append({"to": b, "state": how, "word": _(WAYS[how]) if how in WAYS else "", "note": note})
        rows.append({"id": a, "cells": cells, "whole": all(cell["state"] in ("ok", "self") for cell in cells)})
    return rows


PROMISES = {
    "election-safety": (noop("Election safety"), noop("At most one leader is elected in a term.")),
    "log-matching": (
        noop("Log matching"),
        noop("Two logs that have an entry of the same index and term are the same up to it."),
    ),
    "leader-completeness": (
        noop("Leader completeness"),
        noop("A leader has every entry that was committed before its term."),
    ),
    "state-machine-safety": (
        noop("State machine safety"),
        noop("Members that applied the same entries hold the same keys and values."),
    ),
    "committed-is-stored": (
        noop("No acknowledged write is lost"),
        noop("What is committed lies on the disks of a quorum."),
    ),
    "commit-monotone": (
        noop("Disks do not go back"),
        noop("On a disk, terms and commit indexes never go back, and a term has one vote."),
    ),
}


def promises(model: dict[str, Any]) -> list[dict[str, Any]]:
    """Return Raft's promises: name, rule, whether it holds, and the evidence in sentences."""
    out = []
    for row in model.get("promises") or []:
        name, rule = PROMISES.get(row["key"], (row["name"], ""))
        told = [EVIDENCE[row["key"]](one) for one in row["evidence"]] if row["key"] in EVIDENCE else []
        out.append(
            {
                "name": _(name),
                "rule": _(rule) if rule else "",
                "holds": row["holds"],
                "evidence": [particles.settle(one) for one in told]
                or [
                    _("There is one log: nothing to compare it with.")
                    if row["key"] == "log-matching"
                    else _("Nobody leads: there is nothing to compare with.")
                ],
            }
        )
    return out


def _elections(row: dict[str, Any]) -> str:
    return _("term %(term)s: %(leaders)s") % {"term": row["term"], "leaders": ", ".join(row["leaders"])}


def _matching(row: dict[str, Any]) -> str:
    told = (
        _("%(a)s and %(b)s are the same from %(from)s to %(same)s") % row
        if row["same"]
        else f"{row['a']} {row['b']}: –"
    )
    return told + (", " + _("differ from %(differ)s on, uncommitted") % row if row["differ"] else "")


def _complete(row: dict[str, Any]) -> str:
    return (
        _("%(leader)s, leader of term %(term)s, has up to %(lastIndex)s; %(by)s knows %(commit)s to be committed") % row
    )


def _machines(row: dict[str, Any]) -> str:
    same = ", ".join(f"{one['id']} {one['digest']}" for one in row["members"])
    return _("applied %(applied)s: checksums %(same)s") % {"applied": row["applied"], "same": same}


def _durable(row: dict[str, Any]) -> str:
    return _("entry %(commit)s is on the disks of %(stored)s: %(n)s of %(voters)s, %(need)s needed") % {
        **row,
        "stored": ", ".join(row["stored"]) or "–",
        "n": len(row["stored"]),
    }


def _monotone(row: dict[str, Any]) -> str:
    return _("%(id)s: term %(term)s, vote %(vote)s, commit %(commit)s, gone back %(back)s times") % {
        **row,
        "vote": row["vote"] or "–",
    }


EVIDENCE = {
    "election-safety": _elections,
    "log-matching": _matching,
    "leader-completeness": _complete,
    "state-machine-safety": _machines,
    "committed-is-stored": _durable,
    "commit-monotone": _monotone,
}
"""Promise → the sentence of a row of its evidence."""
