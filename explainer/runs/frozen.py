"""A frozen world: a process that holds a cluster at one moment of its past, answers questions about it, and can be gone on from.

Going on is a ``fork`` of the process: the frozen world stays what it is, and its child runs forward from there, sharing all memory
that it doesn't change. On a long way the child leaves frozen copies of itself behind, so that every moment near one that was ever
looked at is a few milliseconds of running away; that is how one steps *back* in a world that only runs forward.

In → messages from the historian (``Channel``); out → messages to it, and answers straight into Redis.

| message in | does |
|---|---|
| ``go`` | fork; the child runs to a place (``trail``: event by event, telling what could be seen) and is a frozen world itself |
| ``answer`` | a read model, to whoever asked (``Letter`` in ``past:out:<gateway>``) |
| ``tell`` | a result back to the historian |

| message out | says |
|---|---|
| ``born`` | a child began, with its line |
| ``frozen`` | a copy stays behind, with its line and its place |
| ``here`` | arrived: the place, and the trail |
| ``said`` | that question is answered |
| ``lost`` | it can't be gone there: why |

A frozen world whose line is closed ends. It touches nothing of the live cluster: it reads the history, no more.
"""

import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from hashlib import blake2b
from importlib import import_module
from typing import Any, NoReturn

import msgspec
import orjson
from msgspec import Struct

from explainer.runs import found, journal, keys, resp
from explainer.runs.annals import Annals, Gone
from explainer.runs.channel import Channel, Closed
from explainer.runs.control import visible
from explainer.runs.feed import encode_json
from explainer.runs.mail import Letter, Trouble, encode, raw
from explainer.runs.record import Entry

CHUNK = 256
FREEZE = 0.04
"""Seconds of running after which a copy stays behind, near the goal; on a long way a third of what is left."""
ANSWER_KEPT_MS = 30_000
TRAIL = 200
"""Visible events told of one stretch at most: the last ones, or, on the way forward, the first ones."""
TRAIL_SECONDS = 2.0
"""Wall seconds after which a trail forward ends where it is."""


class Goal(Struct, array_like=True, frozen=True):
    """Where to go. Not ``exact``: everything up to the instant ``now`` (and no further than the ``delivered``-th event). ``exact``: just
    after the ``delivered``-th event and the inputs before the next one; ``now`` is then an instant that is not before it.
    """

    now: int
    delivered: int
    exact: bool = False


class Place(Struct, array_like=True, frozen=True):
    """Where a world stands. ``exact``: right after its last event, with all inputs before the next one, and its clock not put forward."""

    now: int
    delivered: int
    inputs: int
    exact: bool

    def before(self, goal: Goal) -> bool:
        """Whether one can get from here to ``goal`` by running forward (or is there)."""
        if goal.exact:
            return self.delivered < goal.delivered or (self.exact and self.delivered == goal.delivered)
        return self.now <= goal.now and self.delivered <= goal.delivered


class World:
    """The cluster in this process."""

    def __init__(self, address: resp.Address, cluster: str, door: str) -> None:
        self.address, self.cluster = address, cluster
        self.module: Any = import_module(door)
        self.decode_input = msgspec.msgpack.Decoder(self.module.Input).decode
        self.lab: Any = None
        self.delivered = self.inputs = 0
        self.exact = False
        self.open: dict[tuple[str, int], None] = {}
        """Requests without an end."""
        self._link: tuple[int, resp.Link] | None = None

    @property
    def link(self) -> resp.Link:
        """This process's own connection."""
        if self._link is None or self._link[0] != os.getpid():
            if self._link is not None:
                self._link[1].close()  # the parent's: its own copy stays open
            self._link = (os.getpid(), resp.Link(self.address))
        return self._link[1]

    def place(self) -> Place:
        return Place(self.lab.now, self.delivered, self.inputs, self.exact)

    # -- where from -----------------------------------------------------------------------------------------------

    def begin(self, chapter: int) -> None:
        """From the world at the end of that chapter, or from nothing (0). Gone."""
        if not chapter:
            spec = self.link.call("GET", keys.spec(self.cluster))
            if spec is None:
                raise Gone
            self.lab = self.module.Lab.start(msgspec.msgpack.decode(spec, type=self.module.ClusterSpec))
            return
        blob = self.link.call("HGET", keys.worlds(self.cluster), chapter)
        if blob is None:
            raise Gone
        found = msgspec.msgpack.decode(blob, type=journal.Snapshot)
        self.lab = self.module.Lab.restore(journal.decompress(found.world))
        self.delivered, self.inputs = found.delivered, found.inputs
        self.open = dict.fromkeys(found.open)

    # -- running forward ------------------------------------------------------------------------------------------

    def run(self, goal: Goal, pause: Callable[[], None]) -> None:
        """To ``goal``. ``pause`` is called between chunks of work."""
        self.lab.watched(False)
        self.exact = False
        for entry in Annals(self.link, self.cluster).entries(self.inputs, goal.now, goal.delivered):
            self._to(entry.now, entry.delivered, pause)
            self.apply(entry)
        if not goal.exact:
            self._to(goal.now, goal.delivered, pause)
        elif self.delivered < goal.delivered:
            self._to(goal.now, goal.delivered - 1, pause)
            self._one()
        self.exact = goal.exact
        self.drain()

    def _to(self, now: int, delivered: int, pause: Callable[[], None]) -> None:
        while True:
            wanted = min(CHUNK, delivered - self.delivered)
            done = self.lab.run_until(now, wanted)
            self.delivered += done
            if done < wanted or self.delivered >= delivered:
                return
            pause()

    def _one(self) -> None:
        """The next event, exactly."""
        due = self.lab.next_at()
        if due is not None:
            self.delivered += self.lab.run_until(due, 1)

    def apply(self, entry: Entry) -> None:
        """Apply an input, as it was."""
        item = self.decode_input(entry.input)
        kind = type(item).__name__
        if kind == "HttpIn":
            self.open[item.conn, item.stream] = None
        elif kind == "HttpCloseIn":
            self.open.pop((item.conn, item.stream), None)
        with contextlib.suppress(self.module.UnknownName, KeyError):  # as it did then
            self.lab.submit(item)
        self.inputs += 1

    def drain(self) -> Any:
        """Take out what the world said; nobody is told."""
        drained = self.lab.drain()
        for output in drained.outputs:
            if type(output).__name__ == "HttpResetOut" or getattr(output, "end", False):
                self.open.pop((output.conn, output.stream), None)
        return drained

    def trail(self, goal: Goal, by: str, request: int, first: int, pause: Callable[[], None]) -> list[list[Any]]:
        """To ``goal``, event by event: ``[delivered, now, frame]`` of each event that could be seen. ``first``: only so many, and no
        further (0: the last ones before ``goal``). ``by``: ``event`` or ``stage`` (of ``request``, or of any).
        """
        until = time.monotonic() + TRAIL_SECONDS
        self.drain()
        self.lab.watched(True)
        self.exact = False
        found: list[list[Any]] = []
        stages = self.lab.stages(request)
        entries = iter(Annals(self.link, self.cluster).entries(self.inputs, goal.now, goal.delivered))
        entry = next(entries, None)
        while not first or (len(found) < first and time.monotonic() < until):
            if entry is not None and entry.delivered <= self.delivered:
                self.lab.run_until(entry.now, 0)
                self.apply(entry)
                entry = next(entries, None)
                pause()
            elif self.delivered >= goal.delivered:
                break
            else:
                due = self.lab.next_at()
                if due is None or due > goal.now:
                    break
                self._one()
                if self.delivered % 16 == 0:
                    pause()
            frames = self.lab.glimpse()
            if by == "stage":
                after = self.lab.stages(request)
                seen, stages = after != stages, after
            else:
                seen = any(visible(frame) for frame in frames)
            if seen:
                row = [self.delivered, self.lab.now, _shown(frames)]
                if found and found[-1][0] == self.delivered:
                    found[-1] = row
                else:
                    found.append(row)
        self.exact = goal.exact and not first
        self.lab.watched(False)
        self.drain()
        return found if first else found[-TRAIL:]


def _shown(frames: list[dict[str, Any]]) -> dict[str, Any]:
    """The frame that says most about an event: anything rather than a message on its way."""
    seen = [frame for frame in frames if visible(frame)]
    if not seen:
        return {}
    return min(seen, key=lambda frame: frame["t"] == "flight")


# -- the process ---------------------------------------------------------------------------------------------------------


def die_with(parent: int) -> None:
    """Linux: end when the process that began this one ends, so that nothing outlives the historian's first children."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
    if prctl is not None:
        prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)


class Frozen:
    """The loop of a frozen world's process."""

    def __init__(self, world: World, channel: Channel) -> None:
        self.world = world
        self.channel = channel
        self.since = time.perf_counter()
        self.spacing = FREEZE
        self.freezing = self.thinning = False
        self.goal, self.begun, self.begun_at = Goal(0, 0), Place(0, 0, 0, False), self.since

    def serve(self) -> NoReturn:
        """Until nobody wants this world any more."""
        while True:
            message = self.channel.take()
            if message is None:
                os._exit(0)
            try:
                match message["op"]:
                    case "go":
                        self._go(message)
                    case "answer":
                        self._answer(message)
                    case "found":
                        self._found(message)
                    case "marks":
                        self._tell(message, self._marks())
                    case "documents":
                        self._tell(message, self._documents(message["wanted"]))
            except Closed:
                os._exit(0)
            except MemoryError:
                os._exit(1)

    # -- going on -------------------------------------------------------------------------------------------------

    def _fork(self) -> tuple[int, socket.socket | None]:
        """(0, None) in the child, which has a line of its own then; in the parent (pid, the other end of that line)."""
        near, far = socket.socketpair()
        child = os.fork()
        if child == 0:
            self.channel.close()
            near.close()
            self.channel = Channel(far)
            return 0, None
        far.close()
        return child, near

    def _go(self, message: dict[str, Any]) -> None:
        child, end = self._fork()
        if child:
            assert end is not None
            self.channel.say({"op": "born", "id": message["id"], "pid": child}, end)
            end.close()
            return
        self.travel(message)

    def travel(self, message: dict[str, Any]) -> None:
        """Run to where ``message`` says, and report."""
        goal = msgspec.convert(message["goal"], Goal)
        self.since, self.spacing = time.perf_counter(), message.get("spacing") or FREEZE
        self.freezing, self.thinning = bool(message.get("freeze")), not message.get("even")
        self.goal, self.begun, self.begun_at = goal, self.world.place(), self.since
        trail: list[list[Any]] = []
        since = self.begun.delivered
        try:
            if message.get("nice"):
                os.nice(message["nice"])
            if message.get("trail"):
                trail = self.world.trail(
                    goal, message["trail"], message.get("request", 0), message.get("first", 0), self._pause
                )
            else:
                self.world.run(goal, self._pause)
        except Gone:
            self.channel.say({"op": "lost", "why": "gone"})
            os._exit(0)
        except Closed:
            os._exit(0)
        except Exception as error:
            self.channel.say({"op": "lost", "why": f"{type(error).__name__}: {error}"})
            os._exit(1)
        if len(trail) == TRAIL:
            since = trail[0][0] - 1  # what came before was dropped
        self.channel.say({"op": "here", "place": self.world.place(), "trail": trail, "since": since})

    def _pause(self) -> None:
        """Between two chunks of work: end if nobody waits any more; leave a copy behind now and then."""
        with contextlib.suppress(BlockingIOError):
            if not self.channel.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                raise Closed
        if not self.freezing:
            return
        now = time.perf_counter()
        if now - self.since > max(self.spacing, self._left(now) / 3 if self.thinning else 0.0):
            self._leave_copy()
            self.since = time.perf_counter()

    def _left(self, now: float) -> float:
        """Seconds of running still to go, about."""
        place, goal, begun, at = self.world.place(), self.goal, self.begun, self.begun_at
        spent, done = now - at, place.delivered - begun.delivered
        if goal.exact:
            return spent * (goal.delivered - place.delivered) / max(1, done)
        return spent * (goal.now - place.now) / max(1, place.now - begun.now)

    def _leave_copy(self) -> None:
        child, end = self._fork()
        if child == 0:
            self.world.exact = False
            self.serve()
        assert end is not None
        self.channel.say({"op": "frozen", "pid": child, "place": self.world.place()}, end)
        end.close()

    # -- answering ------------------------------------------------------------------------------------------------

    def _answer(self, message: dict[str, Any]) -> None:
        kind, body = "reply", b""
        try:
            body = raw(encode_json(self._view(message)))
        except KeyError as error:
            name = error.args[0] if error.args else "such thing"
            kind, body = "error", raw(Trouble(404, f"there was no {name!r} in this cluster then"))
        except self.world.module.UnknownName as error:
            kind, body = "error", raw(Trouble(404, str(error)))
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            kind, body = "error", raw(Trouble(422, str(error)))
        except Exception as error:
            kind, body = "error", raw(Trouble(503, f"the past could not answer: {type(error).__name__}: {error}"))
        letter = encode(Letter(kind, message["call"], body))  # type: ignore[arg-type]
        out = keys.past_out(message["gateway"])
        with contextlib.suppress(OSError, resp.RedisError):
            self.world.link.pipeline([("RPUSH", out, letter), ("PEXPIRE", out, ANSWER_KEPT_MS)])
        self.channel.say({"op": "said", "call": message["call"]})

    def _found(self, message: dict[str, Any]) -> None:
        """Make a cluster that begins here, with this one's past."""
        told: dict[str, Any] = {"op": "told", "call": message["call"]}
        try:
            here = self.world.place()
            without = {"without": message["without"]} if message.get("without") else {}
            parent = {
                "cluster": self.world.cluster,
                "at": f"e{here.delivered}",
                "nowMicros": here.now // 1000,
                **without,
            }
            message["described"]["parent"] = message.get("parent") or parent
            told["clock"] = found.fork(self.world, message)
        except found.Taken:
            told["error"] = [409, f"There is a cluster named {message['name']!r} already."]
        except (Gone, OSError, resp.RedisError) as error:
            told["error"] = [503, f"The cluster could not be made: {error or 'its past has just been dropped'}."]
        self.channel.say(told)

    def _tell(self, message: dict[str, Any], answer: Any) -> None:
        self.channel.say({"op": "told", "call": message["call"], "answer": answer})

    def _marks(self) -> dict[str, Any]:
        """Each object's fingerprint, by resource and name, and where this is."""
        place = self.world.place()
        docs = self.world.lab.documents()
        marks = {
            resource: {
                name: blake2b(orjson.dumps(doc, option=orjson.OPT_SORT_KEYS), digest_size=12).digest()
                for name, doc in table.items()
            }
            for resource, table in docs.items()
        }
        revision = getattr(getattr(self.world.lab, "objects", None), "revision", 0)
        return {"at": f"e{place.delivered}", "nowMicros": place.now // 1000, "revision": revision, "marks": marks}

    def _documents(self, wanted: list[list[str]]) -> list[Any]:
        """Those objects as JSON bytes; None where there is none."""
        docs = self.world.lab.documents()
        found = [docs.get(resource, {}).get(name) for resource, name in wanted]
        return [None if doc is None else orjson.dumps(doc) for doc in found]

    def _view(self, message: dict[str, Any]) -> Any:
        world, view, args = self.world, message["view"], message["args"]
        place = world.place()
        if view == "clock":
            return {
                "nowMicros": place.now // 1000,
                "rate": message["rate"],
                "paused": True,
                "waiting": 0,
                "ready": bool(world.lab.ready()),
                "at": f"e{place.delivered}",
                "liveMicros": message["live"] // 1000,
            }
        if view == "digest":
            return {"digest": world.lab.digest(), "now": place.now, "delivered": place.delivered}
        return world.lab.query(view, **args)


def begin(
    end: socket.socket,
    parent: int,
    address: resp.Address,
    cluster: str,
    door: str,
    chapter: int,
    message: dict[str, Any],
) -> NoReturn:
    """The first process of a line of frozen worlds: from that chapter's world, then as ``message`` says."""
    die_with(parent)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.disable()  # plain data without cycles; a collection would copy every page
    channel = Channel(end)
    try:
        world = World(address, cluster, door)
        world.begin(chapter)
        gc.freeze()
    except Gone:
        channel.say({"op": "lost", "why": "gone"})
        os._exit(0)
    except Exception as error:
        channel.say({"op": "lost", "why": f"{type(error).__name__}: {error}"})
        os._exit(1)
    frozen = Frozen(world, channel)
    try:
        frozen.travel(message)
        frozen.serve()
    except Closed:
        os._exit(0)
