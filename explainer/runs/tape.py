"""The tape of a cluster: one short row for everything that happened and that somebody may want to find again.

In → the frames that the lab told (``Recorder``), as they are drained; out → rows ``Row`` in the journal's commit, and, for a stretch
and a width, the marks to draw: at most so many, what stands closer is counted. Kept with the history, a chapter's rows together.

Kinds: ``request`` (from outside or refused), ``election`` (a new leader), ``fault`` (what somebody did to the laboratory),
``birth`` and ``death`` (pods), ``rules`` (a node's rules were written), ``mark`` (a bookmark, added where the tape is read).

Simplified here: more than ``MOST`` rows of one chapter are counted together, so a burst of ten thousand requests is some hundred
marks; each still opens the moment of its first.
"""

import zlib
from typing import Any

import msgspec
from msgspec import Struct

MOST = 600
"""Rows of one chapter."""
AT_ONCE = 60
"""Rows of one commit."""
COUNTED = frozenset({"request", "birth", "death", "rules"})
"""Kinds that may be counted together; elections and faults stand alone."""
FAULTS = frozenset({"lab", "process", "host", "network", "link"})


class Row(Struct, array_like=True):
    """``at`` in virtual ns, ``events`` delivered by then."""

    at: int
    events: int
    kind: str
    outcome: str = ""
    label: str = ""
    request: int = 0
    count: int = 1
    term: int = 0
    input: int = 0
    """For a fault: the number of the input that was it."""


_encode = msgspec.msgpack.Encoder().encode
_rows = msgspec.msgpack.Decoder(list[Row]).decode


def decode(data: bytes) -> list[Row]:
    """Rows of one commit."""
    return _rows(data)


def decode_chapter(data: bytes) -> list[Row]:
    return _rows(zlib.decompress(data))


class Writer:
    """Makes rows of frames between two commits."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.leader: tuple[int, str] = (0, "")

    def add(self, frames: list[dict[str, Any]], now: int, events: int) -> None:
        """Take what the lab told up to the instant ``now``, after ``events`` deliveries."""
        for frame in frames:
            made = self._row(frame)
            if made is not None:
                made.at = frame["atMicros"] * 1000 if "atMicros" in frame else made.at or now
                made.events = frame.get("e", events)
                self.rows.append(made)

    def take(self) -> bytes:
        """The rows since the last call, encoded; empty if there are none."""
        rows, self.rows = self.rows, []
        return _encode(coarser(rows, AT_ONCE)) if rows else b""

    def _row(self, frame: dict[str, Any]) -> Row | None:
        kind = frame.get("t")
        if kind == "request":
            refused = frame.get("outcome", "allow") not in ("allow", "wait")
            client = frame.get("client", "outside:")
            asked = ":" in client  # by a person or a program out there, not by a component
            if not asked and (not refused or frame.get("code") in (404, 409)):
                return None  # controllers ask for what is gone, and try again: no refusal
            ended = (frame.get("endMicros") or 0) * 1000
            label = f"{frame.get('verb', '')} {frame.get('resource') or frame.get('path', '')}".strip()
            return Row(ended, 0, "request", frame.get("outcome", ""), label[:80], frame.get("id", 0))
        if kind == "raft":
            now_leads = (frame.get("term", 0), frame.get("member", ""))
            if frame.get("role") != "leader" or now_leads == self.leader:
                return None
            self.leader = now_leads
            return Row(0, 0, "election", "ok", now_leads[1], term=now_leads[0])
        if kind == "object" and frame.get("resource") == "pods" and frame.get("type") in ("ADDED", "DELETED"):
            name = f"{frame.get('namespace', '')}/{frame.get('name', '')}"
            return Row(0, 0, "birth" if frame["type"] == "ADDED" else "death", "", name, frame.get("cause") or 0)
        if kind == "effect" and frame.get("kind") == "rules":
            return Row(0, 0, "rules", "", str(frame.get("object", "")), frame.get("cause") or 0)
        if kind in FAULTS:
            return Row(0, 0, "fault", "", _fault(frame), input=frame.get("input", 0))
        return None


def _fault(frame: dict[str, Any]) -> str:
    if frame["t"] == "network":
        groups = frame.get("groups")
        return "heal" if not groups else "partition " + " | ".join(" ".join(group) for group in groups)[:80]
    if frame["t"] == "link":
        return f"link {frame.get('a', '')} {frame.get('b', '')}"
    if frame["t"] == "lab":
        return str(frame.get("label", ""))[:120]
    how = "paused" if frame.get("paused") else "up" if frame.get("up", True) else "down"
    return f"{frame.get('name', '')} {how}"


def coarser(rows: list[Row], most: int = MOST) -> list[Row]:
    """``rows`` (in order) as at most about ``most``: rows of one kind and outcome are counted together where they stand close."""
    if len(rows) <= most:
        return rows
    return _binned(rows, rows[0].at, max(row.at for row in rows), most)


def _binned(rows: list[Row], since: int, until: int, bins: int, alone: bool = True) -> list[Row]:
    kinds = len({(row.kind, row.outcome) for row in rows if not alone or row.kind in COUNTED}) or 1
    width = max(1, (until - since) // max(1, bins // kinds) + 1)
    out: dict[Any, Row] = {}
    for number, row in enumerate(rows):
        key = number if alone and row.kind not in COUNTED else (row.kind, row.outcome, (row.at - since) // width)
        first = out.get(key)
        if first is None:
            out[key] = msgspec.structs.replace(row)
        else:
            first.count += row.count
    return sorted(out.values(), key=lambda row: (row.at, row.events))


def counts(rows: list[Row]) -> list[tuple[str, str, int, int]]:
    """A chapter's tape in short (see ``annals.Chapter``)."""
    out: dict[tuple[str, str], tuple[int, int]] = {}
    for row in rows:
        many, first = out.get((row.kind, row.outcome), (0, row.at))
        out[row.kind, row.outcome] = (many + row.count, min(first, row.at))
    return [(kind, outcome, many, first) for (kind, outcome), (many, first) in out.items()]


def shown(rows: list[Row], since: int, until: int, width: int) -> list[dict[str, Any]]:
    """The marks to draw between two instants (virtual ns), at most ``width`` of them."""
    inside = [row for row in rows if since <= row.at <= until]
    if len(inside) > width:
        inside = _binned(inside, since, until, width)
    if len(inside) > width:  # elections and faults without end
        inside = _binned(inside, since, until, width, alone=False)
    return [_shown(row) for row in inside]


def in_short(now: int, counted: list[tuple[str, str, int, int]]) -> list[Row]:
    """A chapter (ended at ``now``) as one row a kind and outcome; their exact places are not known, so ``events`` is -1."""
    return [Row(min(first, now), -1, kind, outcome, "", 0, many) for kind, outcome, many, first in counted]


def _shown(row: Row) -> dict[str, Any]:
    at = f"e{row.events}" if row.events >= 0 else str(row.at // 1000)
    out: dict[str, Any] = {"atMicros": row.at // 1000, "at": at, "kind": row.kind, "label": row.label}
    if row.outcome:
        out["outcome"] = row.outcome
    if row.request:
        out["request"] = row.request
    if row.input:
        out["input"] = row.input
    if row.count > 1:
        out["count"] = row.count
    return out
