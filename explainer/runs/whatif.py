"""What if: a fork of a cluster in which one thing did not happen, run on to where the old branch was.

The new branch shares the past up to just before that event. From there it is its own: the later inputs of the old branch come at the same
virtual instants, whatever they find. It ends, paused, at the instant that was asked for.

| without | is |
|---|---|
| ``input`` n | the n-th input (a fault's mark on the tape says its number) is taken out: ``NothingIn`` stands in its place |
| ``request`` id | the same, for the input that this request came in by: from a client outside, or a line typed into the console. A request that a component of the cluster made by itself is lost on its first hop instead |
| ``message`` | the message is sent and then lost (``DropIn``): nobody repeats it but a component that times out |

Ids stay equal in both branches as long as they do the same, because an input taken out leaves its numbers unused.

A component does not know that its request was taken out: it waits for an answer until it times out, and asks again if it is one that does, as
a new request. That is what a component's world without this one request looks like: it would not have decided otherwise.

Errors, as sentences: 404 for an input, a request or a message that isn't there.

Simplified here: the network of this simulation retransmits what it loses itself; what is taken out here it doesn't.
"""

import gc
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from explainer.runs import found, keys, resp, tape
from explainer.runs.annals import Annals, Chapter, Gone
from explainer.runs.channel import Channel
from explainer.runs.frozen import CHUNK, World, die_with
from explainer.runs.record import Entry

CPU_SECONDS = 280
CHAPTER = 1.5
BEFORE = 2_000_000_000
"""Virtual ns before a request or message in which its cause is looked for."""
AFTER = 60_000_000_000
"""And after: a console's line names its requests when it ends."""
ENDLESS = 1 << 62


class No(Exception):
    """Why not: an HTTP status and a sentence."""


def begin(end: socket.socket, parent: int, address: resp.Address, door: str, message: dict[str, Any]) -> NoReturn:
    """The process: says ``told`` and ends."""
    die_with(parent)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    os.nice(5)
    gc.disable()
    channel = Channel(end)
    told: dict[str, Any] = {"op": "told", "call": message["call"]}
    try:
        told["clock"] = Branch(address, door, message).make()
    except No as error:
        told["error"] = list(error.args)
    except found.Taken:
        told["error"] = [409, f"There is a cluster named {message['name']!r} already."]
    except Gone:
        told["error"] = [404, "That lies before the beginning of what is kept of this cluster."]
    except Exception as error:
        told["error"] = [503, f"The branch could not be made: {type(error).__name__}: {error}."]
    channel.say(told)
    os._exit(0)


class Branch:
    """Makes one."""

    def __init__(self, address: resp.Address, door: str, message: dict[str, Any]) -> None:
        self.address, self.door, self.message = address, door, message
        self.past = Annals(resp.Link(address), message["cluster"])
        if self.past.mark is None:
            raise Gone
        self.until: int = message["until"]
        self.entries = self.past.entries(self.past.began.inputs, self.until, ENDLESS)
        """All inputs up to the goal, from the beginning of what is kept."""

    def make(self) -> dict[str, Any]:
        """The new cluster's clock."""
        without = self.message["without"]
        number = without.get("input") or ("request" in without and self._input_of(without["request"]))
        if "message" in without:
            world, number, instead = self._before_message(without["message"])
        elif number or "input" in without:
            world, instead = self._before_input(number)
        else:
            world, number, instead = self._before_request(without["request"])
        return self._run_on(world, number, instead)

    # -- finding it -----------------------------------------------------------------------------------------------

    def _entry(self, number: int) -> Entry:
        index = number - 1 - self.past.began.inputs
        if not 0 <= index < len(self.entries):
            raise No(404, f"There is no input {number} in this part of the history.")
        return self.entries[index]

    def _world(self, chapters: list[Chapter]) -> World:
        """A world at the end of the last of those chapters that has one, or at the beginning."""
        world = World(self.address, self.message["cluster"], self.door)
        usable = [c for c in chapters if c.world]
        if not usable and self.past.began.number:
            raise Gone
        world.begin(usable[-1].number if usable else 0)
        world.lab.watched(False)
        return world

    def _forward(self, world: World, number: int) -> None:
        """Apply the inputs before the ``number``-th."""
        for entry in self.entries[world.inputs - self.past.began.inputs : number - 1 - self.past.began.inputs]:
            _to(world, entry.now, entry.delivered)
            world.apply(entry)
            world.drain()

    def _before_input(self, number: int) -> tuple[World, bytes]:
        """A world right before the ``number``-th input, and what stands in its place."""
        entry = self._entry(number)
        world = self._world([c for c in self.past.chapters if c.inputs < number])
        self._forward(world, number)
        _to(world, entry.now, entry.delivered)
        before = world.lab.last_id()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # before: an ignored child that ends at once leaves no exit code
        probe = os.fork()  # how many numbers it would take, only it can tell: apply it, somewhere else
        if probe == 0:
            world.apply(entry)
            os._exit(min(world.lab.last_id() - before, 255))
        ids = os.waitstatus_to_exitcode(os.waitpid(probe, 0)[1])
        return world, msgspec.msgpack.encode({"type": "NothingIn", "ids": ids})

    def _input_of(self, request: int) -> int:
        """The number of the input that ``request`` came in by; 0: it came in by none."""
        start = self._start_of(request)
        world = self._world([c for c in self.past.chapters if c.now <= start - BEFORE])
        calls: dict[str, int] = {}
        for entry in self.entries[world.inputs - self.past.began.inputs :]:
            if entry.now > start + AFTER:
                break
            _to(world, entry.now, entry.delivered)
            found_in = self._console_line(world, calls, request)
            if found_in:
                return found_in
            world.apply(entry)
            kind = msgspec.msgpack.decode(entry.input)
            if kind["type"] == "HttpIn" and world.lab.last_id() == request:
                return world.inputs
            if kind["type"] == "ConsoleIn":
                calls[kind["call"]] = world.inputs
        _to(world, min(start + AFTER, self.until), ENDLESS)
        found_in = self._console_line(world, calls, request)
        if found_in:
            return found_in
        return 0

    def _start_of(self, request: int) -> int:
        start = self.message["without"].get("startMicros")
        if start is None:
            raise No(404, f"There is no request {request} in what this cluster remembers.")
        return int(start) * 1000

    @staticmethod
    def _console_line(world: World, calls: dict[str, int], request: int) -> int:
        for output in world.drain().outputs:
            if type(output).__name__ == "CallOut" and request in output.doc.get("requests", ()):
                return calls.get(output.call, 0)
        return 0

    def _before_message(self, wanted: dict[str, Any]) -> tuple[World, int, bytes]:
        """A world right after the message was sent, the number that the input which drops it gets, and that input."""

        def look(world: World) -> int:
            if not any(_is(frame, wanted) for frame in world.lab.glimpse()):
                return 0
            sequences = world.lab.on_its_way(wanted["src"], wanted["dst"], wanted["kind"])
            if not sequences:
                raise No(404, "That message was lost anyway.")
            return sequences[-1]

        none = "There is no such message; it says src, dst, kind and sentMicros as the page of flights does."
        return self._dropping(int(wanted["sentMicros"]), look, none)

    def _before_request(self, request: int) -> tuple[World, int, bytes]:
        """The same for a request that a component of the cluster made: its first message is lost, before anybody has read it."""
        start = int(self.message["without"]["startMicros"])
        none = f"The message that carried request {request} is not found; drop one of its messages by its name instead."
        return self._dropping(start, lambda world: next(iter(world.lab.carrying(request)), 0), none)

    def _dropping(self, sent: int, look: Callable[[World], int], none: str) -> tuple[World, int, bytes]:
        """From shortly before ``sent`` (virtual micros) event by event, until ``look`` says which message it is (0: not yet)."""
        world = self._world([c for c in self.past.chapters if c.now <= sent * 1000 - BEFORE])
        rest = iter(self.entries[world.inputs - self.past.began.inputs :])
        entry = next(rest, None)
        near = False
        while True:
            due = world.lab.next_at()
            if entry is not None and (entry.delivered <= world.delivered or due is None):
                _to(world, entry.now, entry.delivered)
                world.apply(entry)
                entry = next(rest, None)
            elif due is None or due // 1000 > sent:
                raise No(404, none)
            elif not near and due < sent * 1000 - BEFORE // 4:
                target = sent * 1000 - BEFORE // 4
                stop = entry.delivered if entry is not None else ENDLESS
                _to(world, min(target, entry.now if entry is not None else target), stop)
                world.drain()
                continue
            else:
                if not near:
                    world.lab.watched(True)
                    near = True
                world.delivered += world.lab.run_until(due, 1)
            if not near:
                world.drain()
                continue
            found = look(world)
            if found:
                world.lab.watched(False)
                drop = msgspec.msgpack.encode({"type": "DropIn", "sequence": found})
                return world, world.inputs + 1, drop

    # -- running on -----------------------------------------------------------------------------------------------

    def _run_on(self, world: World, number: int, instead: bytes) -> dict[str, Any]:
        """From where ``world`` stands, with ``instead`` as the ``number``-th input, to the goal; written down as a cluster."""
        past, here = self.past, world.place()
        began = past.began.inputs
        kept = [
            c for c in past.chapters if c.now <= here.now and c.delivered <= here.delivered and c.inputs <= here.inputs
        ]
        last = kept[-1] if kept else past.began
        mine = self.entries[last.inputs - began : here.inputs - began]
        writer = tape.Writer()
        writer.rows = [
            row for row in past.tape(last.now, here.now) if row.events <= here.delivered and row.input <= here.inputs
        ]
        volumes = found.copied(past, kept)
        since = time.process_time()

        def pause(end: bool = False) -> None:
            nonlocal mine, since
            writer.add(world.drain().frames, world.lab.now, world.delivered)
            if end or time.process_time() - since > CHAPTER:
                after = volumes[-1].chapter.number if volumes else 0
                volumes.append(found.ended(world, after, mine, writer.rows))
                mine, writer.rows, since = [], [], time.process_time()

        def put(blob: bytes, inbox: str) -> None:
            entry = Entry(world.lab.now, world.delivered, inbox, msgspec.Raw(blob))
            mine.append(entry)
            world.apply(entry)
            pause()

        put(instead, "")
        dropped = 0 if msgspec.msgpack.decode(instead)["type"] == "DropIn" else 1
        for entry in self.entries[here.inputs - began + dropped :]:
            _to(world, max(entry.now, world.lab.now), ENDLESS, pause)
            put(bytes(entry.input), entry.inbox)
        _to(world, max(self.until, world.lab.now), ENDLESS, pause)
        pause(True)
        spec = past.link.call("GET", keys.spec(past.cluster))
        if spec is None:
            raise Gone
        without = {key: value for key, value in self.message["without"].items() if key != "startMicros"}
        parent = {
            "cluster": past.cluster,
            "at": f"e{here.delivered}",
            "nowMicros": here.now // 1000,
            "without": without,
        }
        told = {**self.message, "described": {**self.message["described"], "parent": parent}}
        return found.store(world, spec, volumes, past.limit, told)


def _is(frame: dict[str, Any], wanted: dict[str, Any]) -> bool:
    if frame.get("t") != "flight":
        return False
    return all(frame.get(key) == wanted[key] for key in ("src", "dst", "kind", "sentMicros"))


def _to(world: World, now: int, delivered: int, pause: Any = None) -> None:
    while True:
        wanted = min(CHUNK * 4, delivered - world.delivered)
        done = world.lab.run_until(now, wanted)
        world.delivered += done
        if done < wanted or world.delivered >= delivered:
            return
        if pause is not None:
            pause()
