"""What web processes ask of a running cluster besides its inputs: read models, the clock, exact runs, steps.

In → mail of kind ``ask`` and ``pace``; out → a letter to whoever asked: JSON, or ``Trouble`` 404 for a name that isn't there,
409 for one that is, 422 for what makes no sense.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from explainer.runs.feed import encode_json
from explainer.runs.mail import Ask, Letter, Mail, Pace, raw
from explainer.runs.stops import Full, Stops

if TYPE_CHECKING:
    from explainer.runs.runner import Runner

STEP_LIMIT = 200_000
"""Events looked at for one step."""
VISIBLE = frozenset({"request", "stage", "raft", "object", "effect", "process", "host", "flight"})
QUIET = frozenset({"MsgHeartbeat", "MsgHeartbeatResp"})
"""Messages that say "I am still here" many times a second."""


def visible(event: dict[str, Any]) -> bool:
    """Whether a step stops at the event: at whatever is drawn, except heartbeats that arrive."""
    return event.get("t") in VISIBLE and (event.get("kind") not in QUIET or bool(event.get("dropped")))


class Control:
    """The hands on one cluster's clock."""

    def __init__(self, run: Runner) -> None:
        self.run = run
        self.goal: int | None = None
        """Virtual instant (ns) of an exact ``run`` under way."""
        self.goal_asker: tuple[str, str] | None = None
        """Who asked for it: web process and call."""
        self.stops = Stops(run)

    def ask(self, mail: Mail) -> None:
        try:
            ask = msgspec.msgpack.decode(mail.body, type=Ask)
            if ask.view == "clock":
                answer: Any = self.clock()
            elif ask.view == "breakpoints":
                answer = self.stops.table()
            elif ask.view == "digest":
                answer = {"digest": self.run.lab.digest(), "now": self.run.lab.now, "delivered": self.run.delivered}
            else:
                answer = self.view(ask.view, **ask.args)
        except KeyError as error:
            self.run.trouble(mail, 404, f"there is no {error.args[0]!r} in this cluster" if error.args else "not found")
        except self.run.lab_module.UnknownName as error:
            self.run.trouble(mail, 404, str(error))
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            self.run.trouble(mail, 422, str(error))
        else:
            self.run.send(mail.gateway, Letter("reply", mail.call, raw(encode_json(answer))))

    def view(self, name: str, /, **args: Any) -> Any:
        """A read model. The map says where in the feed it stands, and how many look at the cluster."""
        found = self.run.lab.query(name, **args)
        if name == "map":
            return {**found, "cursor": str(self.run.feed.number), "watching": self.run.onlookers()}
        return found

    def clock(self) -> dict[str, Any]:
        """The control API's clock, and how many wait at the door."""
        mark = self.run.mark
        return {
            "nowMicros": self.run.lab.now // 1000,
            "rate": mark.rate or "max",
            "paused": mark.paused and self.goal is None,
            "waiting": len(self.run.waiting),
            "ready": self.run.mark.ready,
            **self.stops.facts(),
        }

    def pace(self, mail: Mail, wall: float) -> None:
        try:
            pace = msgspec.msgpack.decode(mail.body, type=Pace)
        except msgspec.MsgspecError as error:
            self.run.trouble(mail, 422, str(error))
            return
        self.run.pacer.anchor(self.run.lab.now, wall)
        self.run.announce()
        try:
            self._pace(mail, pace)
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            self.run.trouble(mail, 422, str(error))
        except KeyError as error:
            self.run.trouble(mail, 404, f"there is no {error.args[0]} in this cluster")
        except Full as error:
            self.run.trouble(mail, 409, str(error))

    def _pace(self, mail: Mail, pace: Pace) -> None:
        match pace.op:
            case "set":
                self._set(pace)
                self._answer_clock(mail)
            case "run":
                self._run(mail, pace.micros)
            case "until":
                self.finish_goal()
                self.stops.seek(pace.what)
                self._run(mail, pace.micros)
            case "break":
                self._answer(mail, self.stops.add(pace.what))
            case "unbreak":
                self.stops.remove(pace.request)
                self._answer(mail, self.stops.table())
            case "step":
                happened = self._step(pace.request)
                self.run.send(
                    mail.gateway,
                    Letter("reply", mail.call, raw(encode_json({**self.clock(), "events": happened}))),
                )

    def _run(self, mail: Mail, micros: int) -> None:
        """Exactly so far, unless something stops it before."""
        if not self.stops.seeking():
            self.finish_goal()
        self.run.mark.paused = True
        self.goal = self.run.lab.now + micros * 1000
        self.goal_asker = (mail.gateway, mail.call)
        if self.stand_still():  # it holds already
            return
        if self.stops.release():
            self.finish_goal()
        else:
            self.run.open_door()

    def _answer(self, mail: Mail, answer: Any) -> None:
        self.run.send(mail.gateway, Letter("reply", mail.call, raw(encode_json(answer))))

    def _set(self, pace: Pace) -> None:
        if pace.rate is not None:
            self.run.mark.rate = 0.0 if pace.rate == "max" else float(pace.rate)
        if pace.paused is not None:
            self.finish_goal()
            self.run.mark.paused = pace.paused or self.stops.release()
            if not self.run.mark.paused:
                self.run.open_door()

    def _answer_clock(self, mail: Mail) -> None:
        self._answer(mail, self.clock())

    def finish_goal(self) -> None:
        if self.goal is None:
            return
        self.goal = None
        asker, self.goal_asker = self.goal_asker, None
        sought = self.stops.sought() if self.stops.seeking() else {}
        self.run.pacer.anchor(self.run.lab.now)
        self.run.announce()
        if asker is not None and asker[1]:
            self.run.send(asker[0], Letter("reply", asker[1], raw(encode_json({**self.clock(), **sought}))))

    def stand_still(self) -> bool:
        """The world has stopped by itself, if it has: the clock is paused, an exact run over."""
        if not self.stops.stop():
            return False
        self.finish_goal()
        self.run.pacer.anchor(self.run.lab.now)
        return True

    def _step(self, request: int) -> list[dict[str, Any]]:
        """To the next stage of ``request``, or to the next visible event; then paused. What happened on the way."""
        self.finish_goal()
        self.run.mark.paused = True
        happened: list[dict[str, Any]] = []
        if (request and self.stops.step_within(request)) or (not request and self.stops.release()):
            return happened
        if request:
            self.stops.free(request)
        self.run.open_door()
        self.run.lab.watched(True)
        stages = self._stages(request) if request else 0
        for _ in range(STEP_LIMIT):
            following = self.run.lab.next_at()
            if following is None:
                break
            self.run.delivered += self.run.lab.run_until(following, 1)
            new = self.run.drain(True)
            happened += new
            if self.stand_still():
                break
            if request and self._stages(request) > stages:
                self.stops.show(request, stages + 1)
                break
            if request and self._ended(request):
                break
            if not request and any(visible(event) for event in new):
                break
        self.stops.tell()
        self.run.pacer.anchor(self.run.lab.now)
        return happened[-200:]

    def _stages(self, request: int) -> int:
        """How many of its stages are noted; the read model tells only of those that have begun."""
        return self.run.lab.stops.noted(request)

    def _ended(self, request: int) -> bool:
        try:
            return bool(self.run.lab.query("request", id=request).get("code"))
        except KeyError:
            return False
