"""What the historian knows of a cluster's past: its frozen worlds, the events that were seen on the way, and where the live cluster is.

In → nothing; these are the records that ``worlds``, ``steps`` and ``making`` share. A ``Holder`` is one frozen world, a ``Shelf`` all of one
cluster, a ``Stretch`` what could be seen between two places. ``Refused`` is the answer "no", with its reason.
"""

import asyncio
import time
from typing import Any

import msgspec

from explainer.runs import annals
from explainer.runs.annals import Chapter
from explainer.runs.frozen import Goal, Place
from explainer.runs.record import Mark


class Refused(Exception):
    """Why not: an HTTP status and a sentence."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class Question(msgspec.Struct, array_like=True):
    """What a web process asks. ``op`` names it; ``asked`` is the wall time (s since 1970)."""

    op: str
    gateway: str
    call: str
    cluster: str
    at: str
    args: dict[str, Any]
    asked: float


class Holder:
    """A frozen world as this process knows it."""

    def __init__(self, channel: Any = None, pid: int = 0) -> None:
        self.channel, self.pid = channel, pid
        """Its line (``Channel``) and process; not known yet while the world that it was forked from hasn't said."""
        self.place: Place | None = None
        """None while it is on its way."""
        self.goal: Goal | None = None
        """What it was sent for; None: a copy left behind on the way."""
        self.settled = False
        """Nothing can come to be before its place any more: the live cluster was further on when it was sent."""
        self.arrival: asyncio.Future[dict[str, Any]] | None = None
        self.saying: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.children: dict[int, Holder] = {}
        """Sent off from here, not known to be born yet."""
        self.used = time.monotonic()
        self.memory = 8 * 1024 * 1024

    def is_at(self, goal: Goal) -> bool:
        if self.place is None or not self.settled:
            return False
        if goal.exact:
            return self.place.exact and self.place.delivered == goal.delivered
        return self.goal == goal


class Shelf:
    """The frozen worlds of one cluster, of one life of it."""

    def __init__(self, cluster: str, life: str) -> None:
        self.cluster, self.life = cluster, life
        self.holders: list[Holder] = []
        self.underway: dict[Goal, asyncio.Future[tuple[Holder, dict[str, Any]]]] = {}
        self.trails: list[Stretch] = []
        self.used = time.monotonic()
        """Wall instant of the last question (or page that began to look)."""
        self.swept = 0
        """How far (virtual ns) looking back was made quick."""
        self.sweeping = False


class Stretch:
    """All events that could be seen after ``since`` deliveries, up to ``until``."""

    def __init__(self, by: str, request: int, since: int, until: int, rows: list[list[Any]]) -> None:
        self.by, self.request, self.since, self.until, self.rows = by, request, since, until, rows

    def is_of(self, by: str, request: int) -> bool:
        return (self.by, self.request) == (by, request)


class Now:
    """Where the live cluster is, and its chapters."""

    def __init__(self, mark: Mark, chapters: list[Chapter]) -> None:
        self.mark = mark
        self.chapters = annals.beginning(chapters)
        self.began = self.chapters[0] if self.chapters and self.chapters[0].broken else None

    def edge(self) -> Goal:
        return Goal(self.mark.now, self.mark.delivered)


def forgotten(began: Chapter) -> str:
    return f"The history of this cluster begins at {began.now / 1e9:.6f} s; what was before has been dropped to keep within its limit."
