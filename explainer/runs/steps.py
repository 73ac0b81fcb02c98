"""Stepping through the past: the last or the next event that could be seen, from anywhere.

In → a moment, a direction, and by what (``by``: every event, or those of one ``request``); out → the moment of that event. The frozen worlds tell what
could be seen on their way (``Stretch``); what was learned once is remembered, and worlds are made ready where somebody will step next.
"""

import time
from typing import Any

import msgspec

from explainer.runs.frozen import Goal, Place
from explainer.runs.shelf import Now, Question, Refused, Shelf, Stretch
from explainer.runs.worlds import Worlds

STEP_SECONDS = 8.0
"""Wall seconds that looking for an event may take."""
NEARBY = 1500
"""Events that are gone through one by one."""
AHEAD = 24
"""Events that are looked for at a time on the way forward."""
TRAILS = 64
"""Stretches remembered a cluster."""
READY = 3
"""Worlds made ready where somebody steps back."""


class Steps(Worlds):
    """The steps."""

    async def _step(self, question: Question) -> Any:
        """The moment of the next or the last event that could be seen: ``{at, nowMicros, event}``; ``at`` empty: now."""
        cluster, by = question.cluster, question.args["by"]
        request, back = question.args.get("request") or 0, question.args["direction"] == "back"
        now = await self.now(cluster)
        goal, settled = self.goal(question.at, now)
        here: Place | None = None
        if not goal.exact:
            here = (await self.reach(cluster, now, goal, settled)).place
            assert here is not None
        delivered = here.delivered if here is not None else goal.delivered
        shelf = self.shelves[cluster]
        if back:
            row = await self._seen_before(shelf, now, by, request, delivered + (here is not None))
            if row is not None and here is not None and row[0] == delivered and row[1] // 1000 == here.now // 1000:
                row = await self._seen_before(shelf, now, by, request, delivered)
            if row is None:
                first = now.began.delivered if now.began is not None else 0
                return {"at": f"e{first}", "nowMicros": now.began.now // 1000 if now.began else 0, "event": None}
        else:
            row = await self._seen_after(shelf, now, by, request, delivered)
            if row is None:
                return {"at": "", "nowMicros": now.mark.now // 1000, "event": None}
        self._later(self._prepare(shelf, now, by, request, row, back))
        return {"at": f"e{row[0]}", "nowMicros": row[1] // 1000, "event": row[2]}

    async def _seen_before(self, shelf: Shelf, now: Now, by: str, request: int, limit: int) -> list[Any] | None:
        """The last event before the ``limit``-th that could be seen; None if there is none."""
        until = time.monotonic() + STEP_SECONDS
        began = now.began.delivered if now.began is not None else 0
        while limit > began + 1:
            stretch = next((s for s in shelf.trails if s.is_of(by, request) and s.since < limit - 1 <= s.until), None)
            if stretch is None:
                goal = Goal(0, limit - 1, True)
                if self._far(shelf, goal):
                    await self.reach(shelf.cluster, now, goal, limit - 1 < now.mark.delivered)
                stretch = await self._trail(shelf, now, by, request, limit - 1)
            row = next((row for row in reversed(stretch.rows) if row[0] < limit), None)
            if row is not None:
                return row
            limit = stretch.since + 1
            if time.monotonic() > until:
                raise Refused(503, "There is nothing like that for a long time back; name a moment near it.")
        return None

    def _far(self, shelf: Shelf, goal: Goal) -> bool:
        """Whether going there event by event would take long, for want of a frozen world nearby."""
        near = (h.place.delivered for h in shelf.holders if h.place is not None and h.place.delivered < goal.delivered)
        return goal.delivered - max(near, default=0) > NEARBY

    async def _trail(self, shelf: Shelf, now: Now, by: str, request: int, until: int) -> Stretch:
        """Learn what could be seen on the way to the ``until``-th event from somewhere before it."""
        settled = until < now.mark.delivered
        how = {"trail": by, "request": request, "after": until}
        _, report = await self._send(shelf, now, Goal(0, until, True), settled, **how)
        stretch = Stretch(by, request, report["since"], until, report["trail"])
        if settled:  # else more may come to be seen at its very end: an act on the paused cluster
            self._learn(shelf, stretch)
        return stretch

    def _learn(self, shelf: Shelf, stretch: Stretch) -> None:
        shelf.trails.append(stretch)
        del shelf.trails[:-TRAILS]

    async def _seen_after(self, shelf: Shelf, now: Now, by: str, request: int, after: int) -> list[Any] | None:
        """The first event after the ``after``-th that could be seen; None if nothing was up to now."""
        until = time.monotonic() + STEP_SECONDS
        while after < now.mark.delivered:
            for stretch in shelf.trails:
                if stretch.is_of(by, request) and stretch.since <= after < stretch.until:
                    row = next((row for row in stretch.rows if row[0] > after), None)
                    if row is not None:
                        return row
                    after = stretch.until
                    break
            else:
                base = await self.reach(shelf.cluster, now, Goal(0, after, True), after < now.mark.delivered)
                message = {"op": "go", "goal": now.edge(), "trail": by, "request": request, "first": AHEAD}
                holder = self._from_holder(shelf, base, message)
                assert holder.arrival is not None
                report = await holder.arrival
                if report["op"] != "here":
                    raise Refused(503, "The past could not be made again; ask again.")
                place = holder.place = msgspec.convert(report["place"], Place)
                if place.delivered <= after:
                    return None
                reached = place.delivered if place.delivered < now.mark.delivered else place.delivered - 1
                self._learn(shelf, Stretch(by, request, after, max(reached, after), report["trail"]))
                if report["trail"]:
                    return report["trail"][0]
                after = place.delivered
            if time.monotonic() > until:
                raise Refused(503, "There is nothing like that for a long time; name a moment near it.")
        return None

    async def _prepare(self, shelf: Shelf, now: Now, by: str, request: int, row: list[Any], back: bool) -> None:
        """Have the world ready where somebody stepped to, and where they will step next."""
        delivered = row[0]
        for _ in range(READY):
            await self.reach(shelf.cluster, now, Goal(0, delivered, True), delivered < now.mark.delivered)
            if not back:
                return
            found = await self._seen_before(shelf, now, by, request, delivered)
            if found is None:
                return
            delivered = found[0]
