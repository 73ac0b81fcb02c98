"""Breakpoints of one running cluster, who is held at one, and running until a condition holds.

``cluster.snapshot.stops`` says *when* the world is to stand still; here is what becomes of it: the clock is paused, whoever asked for an exact run
hears of it, the feed and the clock say ``stopped``, and what the same delivery computed beyond the stage is kept back (the trace is cut there,
the request's row waits) until somebody lets it go on. Several stages of one delivery are stopped at one after the other without
anything happening in between.

Breakpoints outlive this process: they are kept in Redis (``{c}:stops``) together with the stop itself, which is believed after a restart
only if the cluster stands exactly where it was made.

In → ``Pace`` mail (until, break, unbreak), hits; out → the control API's breakpoints, ``held`` rows and ``stopped``. Errors: ValueError and
KeyError with one sentence; ``Full`` at the 65th breakpoint.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec

from explainer.runs import keys, resp

if TYPE_CHECKING:
    from explainer.runs.runner import Runner

LIMIT = 64
"""Breakpoints of one cluster."""
FIELDS = ("stage", "verb", "resource", "namespace", "user", "name", "system")


class Full(Exception):
    """There are as many breakpoints as there may be."""


class Stopped(msgspec.Struct):
    """Where the cluster stands: ``request`` at its ``count``-th stage. ``breakpoint`` 0: a step or a condition led here."""

    breakpoint: int
    request: int
    stage: str
    component: str
    count: int
    delivered: int
    since_ms: int
    """Wall clock, Unix ms."""
    sentence: str
    since_micros: int = 0
    until: str = ""


class Kept(msgspec.Struct):
    """What is in Redis. ``points``: number → conditions as given, with ``hits``."""

    next: int = 1
    points: dict[int, dict[str, Any]] = {}
    stopped: Stopped | None = None
    pending: list[Stopped] = []


class Stops:
    """The stops of one ``Runner``."""

    def __init__(self, run: Runner) -> None:
        self.run = run
        blob = run.journal.link.call("GET", keys.stops(run.name))
        self.kept = msgspec.json.decode(blob, type=Kept) if blob else Kept()
        self.back: list[dict[str, Any]] = []
        """Frames of the held request, kept back."""
        self.stepping = 0
        """The request that is being stepped on."""
        self.goal = ""
        """The condition of a run under way, as it was asked."""

    # -- arming ----------------------------------------------------------------------------------------------------

    def arm(self) -> None:
        """Hand the breakpoints to the world, and take up again a stop that was made before a restart."""
        door = self.run.lab.stops
        points = []
        for number, point in self.kept.points.items():
            try:
                points.append(self._checked(number, point))
            except ValueError:
                continue  # of another version of the world: listed, never reached
        door.arm(tuple(points))
        stopped = self.kept.stopped
        if stopped is not None and (not self.run.mark.paused or stopped.delivered != self.run.delivered):
            self.kept.stopped, self.kept.pending = None, []
            self.tell()
        elif stopped is not None:
            door.shown = (stopped.request, stopped.count) if stopped.request else None

    def _checked(self, number: int, asked: dict[str, Any]) -> Any:
        given = {name: asked[name] for name in FIELDS if name in asked}
        return self.run.lab_module.breakpoint_of(number, given, self.run.lab.world)

    def add(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A new breakpoint. ValueError, Full."""
        if len(self.kept.points) >= LIMIT:
            raise Full(f"there are {LIMIT} breakpoints, which is as many as a cluster may have: remove one first")
        number = self.kept.next
        self._checked(number, asked)
        self.kept.points[number] = {**asked, "hits": 0}
        self.kept.next += 1
        self._changed()
        return self.row(number)

    def remove(self, number: int) -> None:
        """Forget a breakpoint; whoever is held at it stays until the clock runs. KeyError."""
        if number not in self.kept.points:
            raise KeyError(f"breakpoint {number}")
        del self.kept.points[number]
        self.kept.pending = [one for one in self.kept.pending if one.breakpoint != number]
        self._changed()

    def _changed(self) -> None:
        self.save()
        if self.run.mark.ready:
            self.arm()

    def row(self, number: int) -> dict[str, Any]:
        """One breakpoint as the control API tells it."""
        return {"id": str(number), **self.kept.points[number]}

    def table(self) -> dict[str, Any]:
        """All breakpoints, and who is held."""
        return {"breakpoints": [self.row(number) for number in self.kept.points], "held": self.held(), "limit": LIMIT}

    def held(self) -> list[dict[str, Any]]:
        """Requests that stand at a breakpoint now, or were stepped on from one (``breakpoint`` null)."""
        rows: dict[int, dict[str, Any]] = {}
        for stop in [self.kept.stopped, *self.kept.pending]:
            if stop is None or not stop.request or stop.request in rows:
                continue
            rows[stop.request] = {
                "request": stop.request,
                "breakpoint": str(stop.breakpoint) if stop.breakpoint else None,
                "stage": stop.stage,
                "component": stop.component,
                **self.run.lab.stops.row(stop.request),
                "sinceMicros": stop.since_micros,
                "sinceWallMs": stop.since_ms,
            }
        return list(rows.values())

    def facts(self) -> dict[str, Any]:
        """What the clock and every frame say."""
        stop = self.kept.stopped
        if stop is None:
            return {"stopped": None, "held": 0}
        told = {
            "breakpoint": str(stop.breakpoint) if stop.breakpoint else None,
            "request": stop.request or None,
            "stage": stop.stage,
            "sentence": stop.sentence,
            "sinceMicros": stop.since_micros,
            "sinceWallMs": stop.since_ms,
        }
        if stop.until:
            told["until"] = stop.until
        return {"stopped": told, "held": len(self.held())}

    def save(self) -> None:
        """Into Redis."""
        data = msgspec.json.encode(self.kept)
        while True:
            try:
                self.run.journal.link.call("SET", keys.stops(self.run.name), data)
                return
            except (OSError, resp.ConnectionLost):
                self.run.journal.use(self.run.reconnect())

    # -- standing still --------------------------------------------------------------------------------------------

    def stop(self) -> bool:
        """The world has stopped by itself, if it has: keep what it says, pause the clock. Before the commit."""
        door = self.run.lab.stops
        if not door.fired:
            return False
        stops = [self._stop_at(hit.breakpoint, hit.request, hit.stage, hit.component, hit.count) for hit in door.take()]
        if not stops and door.reached is not None:
            stops = [self._reached(door.reached)]
        self.kept.pending = stops
        self.run.mark.paused = True
        self._next()
        return True

    def _stop_at(self, breakpoint: int, request: int, stage: str, component: str, count: int) -> Stopped:
        row = self.run.lab.stops.row(request)
        who = f" by {row['user']}" if row["user"] else ""
        sentence = f"{row['method']} {row['path']}{who} stands at {stage} in {component}"
        return Stopped(
            breakpoint, request, stage, component, count, self.run.delivered, int(time.time() * 1000), sentence,
            self.run.lab.now // 1000,
        )  # fmt: skip

    def _reached(self, why: dict[str, Any]) -> Stopped:
        what = f" when {why['resource']} {why['name']} changed" if why.get("name") else ""
        return Stopped(
            0, 0, "", "", 0, self.run.delivered, int(time.time() * 1000), f"{self.goal} has become true{what}",
            self.run.lab.now // 1000, self.goal,
        )  # fmt: skip

    def _next(self) -> None:
        """The first of those pending is where we stand now."""
        stop = self.kept.pending.pop(0)
        self.kept.stopped = stop
        if stop.breakpoint in self.kept.points:
            self.kept.points[stop.breakpoint]["hits"] += 1
        self.run.lab.stops.shown = (stop.request, stop.count) if stop.request else None
        self.run.announce()
        self.save()

    def release(self) -> bool:
        """Somebody lets time run: True if the same delivery has reached another breakpoint, where we stand now."""
        if self.kept.stopped is None:
            return False
        if self.kept.pending:
            self._next()
            return True
        self.free()
        return False

    def free(self, following: int = 0) -> None:
        """Nobody is held any more; what was kept back is told, but of the request ``following``, which is stepped on."""
        self.kept.stopped, self.kept.pending = None, []
        self.run.lab.stops.shown = None
        self.stepping = following
        if not following:
            self.tell()
        self.run.announce()
        self.save()

    def tell(self) -> None:
        """What was kept back, unless somebody is held."""
        self.stepping = 0
        if self.kept.stopped is None and self.back:
            back, self.back = self.back, []
            self.run.feed.add(back)

    def hold_back(self, frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """``frames`` without what is told of the requests held."""
        stopped = self.kept.stopped
        if stopped is None and not self.stepping and not self.run.lab.stops.hits:
            return frames
        held = {hit.request for hit in self.run.lab.stops.hits}
        held |= {self.stepping, *(stop.request for stop in (stopped, *self.kept.pending) if stop is not None)}
        told = [frame for frame in frames if frame.get("t") != "request" or frame.get("id") not in held]
        if len(told) < len(frames):
            self.back += [frame for frame in frames if frame.get("t") == "request" and frame.get("id") in held]
        return told

    # -- stage by stage --------------------------------------------------------------------------------------------

    def step_within(self, request: int) -> bool:
        """To the next stage of ``request`` that is computed already; False if the world must run for it."""
        stop = self.kept.stopped
        if stop is None or stop.request != request:
            return False
        return self.show(request, stop.count + 1)

    def show(self, request: int, count: int) -> bool:
        """Stand at the ``count``-th stage of ``request``; False if there is none yet."""
        stage = self.run.lab.stops.stage_at(request, count)
        if stage is None:
            return False
        pending = self.kept.pending
        point = next((one for one in pending if (one.request, one.count) == (request, count)), None)
        ahead = [one for one in pending if one.request != request or one.count > count]
        self.kept.pending = [point or self._stop_at(0, request, stage.name, stage.component, count), *ahead]
        self._next()
        return True

    # -- until -----------------------------------------------------------------------------------------------------

    def seek(self, asked: dict[str, Any]) -> None:
        """From now on stop when ``asked`` holds. ValueError, KeyError."""
        door = self.run.lab.stops
        door.seek(asked)
        self.goal = door.goal.text if door.goal is not None else ""

    def seeking(self) -> bool:
        """Whether a run until something holds is under way."""
        return self.run.lab.stops.goal is not None

    def sought(self) -> dict[str, Any]:
        """What became of it, for whoever asked; the world seeks no more."""
        door = self.run.lab.stops
        because, goal = door.reached, door.goal
        answer: dict[str, Any] = {"reached": because is not None, "because": because}
        if because is None:
            trouble = goal.trouble if goal is not None else ""
            answer["sentence"] = f"{self.goal} did not become true" + (f": {trouble}" if trouble else "")
        else:
            answer["sentence"] = f"{self.goal} is true"
        door.seek(None)
        return answer
