"""Where each request's bar lies on the one time axis that all rows of the list share.

In → rows with ``startMicros``, ``endMicros`` (None: still open) and ``parts``; out → an `Axis`: time → place in percent, its ticks, the gaps
it leaves out. Minutes in which nothing happened would squeeze every request to a hair, so a long pause is folded to a narrow strip
with its length written on it; between two strips time runs at one scale everywhere. static/js/waterfall.js does the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

GAP_SHARE = 0.12
"""A pause longer than this share of all the time in which something happened is folded …"""
GAP_LEAST = 2_000
"""… if it is longer than 2 ms."""
GAP_WIDTH, GAPS_WIDTH = 2.4, 36.0
"""Percent that one strip takes, and all of them at most."""
LEAST = 0.35
"""Percent below which a bar is not drawn narrower."""


class Piece(NamedTuple):
    """A stretch of the axis: micros from … to, percent from … to. ``folded``: nothing happened in it."""

    start: float
    end: float
    x0: float
    x1: float
    folded: bool


class Axis(NamedTuple):
    """The whole axis, left to right."""

    pieces: tuple[Piece, ...]

    def x(self, micros: float) -> float:
        """Return the place of an instant, 0 to 100."""
        for piece in self.pieces:
            if micros <= piece.end:
                if micros <= piece.start:
                    return piece.x0
                return piece.x0 + (piece.x1 - piece.x0) * (micros - piece.start) / max(piece.end - piece.start, 1e-9)
        return 100.0


def axis(rows: list[dict[str, Any]]) -> Axis:
    """Return the axis that holds all rows; streams count by their beginning."""
    spans = sorted((row["startMicros"], _end(row)) for row in rows)
    if not spans:
        return Axis(())
    busy: list[list[float]] = []
    for start, end in spans:
        if busy and start <= busy[-1][1]:
            busy[-1][1] = max(busy[-1][1], end)
        else:
            busy.append([start, end])
    least = max(GAP_SHARE * sum(end - start for start, end in busy), GAP_LEAST)
    joined: list[list[float]] = []
    for start, end in busy:
        if joined and start - joined[-1][1] <= least:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    gap = min(GAP_WIDTH, GAPS_WIDTH / max(len(joined) - 1, 1)) if len(joined) > 1 else 0.0
    room = 100.0 - gap * (len(joined) - 1)
    total = sum(max(end - start, 1) for start, end in joined)
    pieces: list[Piece] = []
    x = 0.0
    for index, (start, end) in enumerate(joined):
        if index:
            pieces.append(Piece(joined[index - 1][1], start, x, x + gap, True))
            x += gap
        width = room * max(end - start, 1) / total
        pieces.append(Piece(start, end, x, x + width, False))
        x += width
    return Axis(tuple(pieces))


def _end(row: dict[str, Any]) -> float:
    if row.get("stream") or row.get("endMicros") is None:
        parts = row.get("parts") or []
        return row["startMicros"] + (parts[-1][2] if parts else 0)
    return row["endMicros"]


def bar(axis: Axis, row: dict[str, Any]) -> list[dict[str, str]]:
    """Return a row's segments: ``{part, x, width}`` in percent; one ``open`` segment to the edge for what has not ended."""
    start = row["startMicros"]
    out = [_segment(axis, part, start + begins, start + ends) for part, begins, ends in row.get("parts") or []]
    if row.get("stream") or row.get("endMicros") is None:
        x = axis.x(_end(row))
        out.append({"part": "open", "x": f"{x:.2f}%", "width": f"{max(100 - x, LEAST):.2f}%"})
    elif not out:
        out.append(_segment(axis, "response", start, row["endMicros"]))
    return out


def _segment(axis: Axis, part: str, start: float, end: float) -> dict[str, str]:
    x0, x1 = axis.x(start), axis.x(end)
    return {"part": part, "x": f"{min(x0, 100 - LEAST):.2f}%", "width": f"{max(x1 - x0, LEAST):.2f}%"}


def folds(axis: Axis) -> list[dict[str, Any]]:
    """Return the folded strips: place, width and how long the pause is."""
    return [
        {"x": f"{p.x0:.2f}%", "width": f"{p.x1 - p.x0:.2f}%", "micros": p.end - p.start}
        for p in axis.pieces
        if p.folded
    ]
