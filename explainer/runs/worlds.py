"""The frozen worlds: which there are, how to get one to a moment, and how many may be.

In → a cluster, a moment; out → a ``Holder`` that stands there (``reach``), and what it says when it is asked (``ask``). A world is sent off from the
nearest one before the moment, or from a chapter's, whichever is quicker; those that were left on the way stay until their number or memory
is too much, and then the one goes whose place is missed least.

Errors: ``Refused``, 404 for a moment that isn't there, 503 when it can't be made again.
"""

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import time
from collections.abc import Coroutine
from importlib import import_module
from typing import Any

import msgspec

from explainer.runs import annals, keys, resp, version
from explainer.runs.annals import Chapter
from explainer.runs.async_resp import AsyncLink
from explainer.runs.channel import Channel, Closed
from explainer.runs.frozen import FREEZE, Goal, Place, begin
from explainer.runs.record import Mark
from explainer.runs.shelf import Holder, Now, Refused, Shelf, forgotten

log = logging.getLogger("clearplane.historian")

WORLDS = 48
"""Frozen worlds of all clusters at most."""
MEMORY = 512 * 1024 * 1024
"""Bytes they may have for themselves, together."""
FRESH = 1.0
"""Wall seconds in which a frozen world that was needed stays, whatever its place."""
EVENT_COST = 20e-6
"""Wall seconds an event takes, about; and a byte of a compressed world to be read."""
BYTE_COST = 70e-9
FORK_COST = 0.01
AT_ONCE = 6
"""Worlds weighed at a time."""


class Worlds:
    """All clusters' frozen worlds of this process. ``door`` names the module that is the world."""

    def __init__(self, url: str, name: str, door: str) -> None:
        self.address = resp.Address(url)
        self.name, self.door = name, door
        self.version = version.world_version(door)
        self.shelves: dict[str, Shelf] = {}
        self.link: AsyncLink | None = None
        self.next_id = 0
        self.tasks: set[asyncio.Task[Any]] = set()
        self.chapters: dict[str, tuple[bytes, list[Chapter]]] = {}
        self.look_at = 0

    async def redis(self, *arguments: resp.Argument) -> Any:
        """One command; waits for Redis."""
        while True:
            if self.link is None or self.link.lost is not None:
                self.link = await self._open()
            try:
                return await self.link.call(*arguments)
            except resp.ConnectionLost:
                continue

    async def _open(self) -> AsyncLink:
        said = False
        while True:
            try:
                return await AsyncLink.open(self.address)
            except (OSError, resp.RedisError) as error:
                if not said:
                    log.warning("waiting for Redis (%s)", error)
                said = True
                await asyncio.sleep(0.05)

    def _later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it when there is time; nobody waits for it."""

        async def quietly() -> None:
            with contextlib.suppress(Refused):
                await work

        task = asyncio.ensure_future(quietly())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # -- what is known of a cluster -------------------------------------------------------------------------------

    async def now(self, cluster: str) -> Now:
        """Where the live cluster is. Refused 404, 503."""
        mark, newest = await self.redis("HMGET", keys.mark(cluster), "mark", "chapter")
        if mark is None:
            if not await self.redis("EXISTS", keys.spec(cluster)):
                self._drop_shelf(cluster)
                raise Refused(404, f"There is no cluster named {cluster!r}.")
            raise Refused(503, "The cluster has not begun yet.")
        found = msgspec.msgpack.decode(mark, type=Mark)
        if found.world != self.version:
            raise Refused(503, "This cluster was made by another version of the program; it begins anew.")
        known = self.chapters.get(cluster)
        stamp = (newest or b"") + found.life.encode()
        if known is None or known[0] != stamp:
            rows = annals.chapters_of(await self.redis("HVALS", keys.chapters(cluster)))
            known = self.chapters[cluster] = (stamp, rows)
        shelf = self.shelves.get(cluster)
        if shelf is None or shelf.life != found.life:
            self._drop_shelf(cluster)
            self.shelves[cluster] = Shelf(cluster, found.life)
        return Now(found, known[1])

    def goal(self, at: str, now: Now) -> tuple[Goal, bool]:
        """The place that ``at`` means, and whether it is settled. Refused."""
        mark = now.mark
        if not at:
            return now.edge(), False
        exact, text = at.startswith("e"), at.removeprefix("e")
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise Refused(422, "A moment is a number of virtual microseconds, or e and a number of events.")
        number = int(text)
        began = now.began
        here = f"{mark.now / 1e9:.6f} s ({mark.delivered} events)"
        if exact:
            if number > mark.delivered:
                raise Refused(404, f"The cluster has not come so far yet: it is at {here}.")
            if began is not None and number == began.delivered:
                return Goal(began.now, began.delivered), True
            if began is not None and number < began.delivered:
                raise Refused(404, forgotten(began))
            return Goal(mark.now, number, True), number < mark.delivered
        until = number * 1000 + 999
        if number * 1000 > mark.now:
            raise Refused(404, f"The cluster has not come so far yet: it is at {here}.")
        if began is not None and until < began.now:
            raise Refused(404, forgotten(began))
        if until >= mark.now:
            return now.edge(), False
        return Goal(until, mark.delivered), True

    # -- getting there --------------------------------------------------------------------------------------------

    async def reach(self, cluster: str, now: Now, goal: Goal, settled: bool) -> Holder:
        """A frozen world at ``goal``. Refused."""
        shelf = self.shelves[cluster]
        shelf.used = time.monotonic()
        goal = _normal(goal)
        for holder in shelf.holders:
            if holder.is_at(goal):
                holder.used = time.monotonic()
                return holder
        waiting = shelf.underway.get(goal)
        if waiting is None:
            waiting = asyncio.ensure_future(self._send(shelf, now, goal, settled, freeze=FREEZE))
            shelf.underway[goal] = waiting
            waiting.add_done_callback(
                lambda done: (shelf.underway.pop(goal, None), done.cancelled() or done.exception())
            )
        return (await asyncio.shield(waiting))[0]

    async def _send(
        self, shelf: Shelf, now: Now, goal: Goal, settled: bool, freeze: float = 0.0, **how: Any
    ) -> tuple[Holder, dict[str, Any]]:
        """Send a world to ``goal`` (or on a trail): from the nearest before it, or from a chapter's. It, and its report. Refused."""
        for again in (True, False):
            sent = goal
            if goal.exact:
                sent = Goal(now.mark.now, goal.delivered, True)
            holder = self._set_off(shelf, now, sent, {"freeze": bool(freeze), "spacing": freeze, **how})
            holder.settled = settled
            assert holder.arrival is not None
            report = await holder.arrival
            if report["op"] == "here":
                holder.place = msgspec.convert(report["place"], Place)
                holder.goal = goal
                holder.used = time.monotonic()
                self._bound()
                return holder, report
            if report.get("why") == "gone":
                self.chapters.pop(shelf.cluster, None)
                if again:
                    now = await self.now(shelf.cluster)
                    continue
                raise Refused(404, "That part of the history has just been dropped, or the cluster deleted.")
            if not again:
                log.error("cluster %s: the way to %s failed: %s", shelf.cluster, goal, report.get("why"))
        raise Refused(503, "The past could not be made again; see the log.")

    def _set_off(self, shelf: Shelf, now: Now, goal: Goal, how: dict[str, Any]) -> Holder:
        mark = now.mark

        def events_to(instant: int, delivered: int) -> float:
            """Events from a place to the goal, about."""
            if goal.exact or goal.now >= mark.now:
                return goal.delivered - delivered
            rate = (mark.delivered - delivered) / max(1, mark.now - instant)
            return (goal.now - instant) * rate

        strict = "trail" in how
        bases = [
            (events_to(h.place.now, h.place.delivered) * EVENT_COST + FORK_COST, h)
            for h in shelf.holders
            if h.place is not None and h.place.before(goal) and not (strict and h.place.delivered >= how["after"])
        ]
        base = min(bases, key=lambda pair: pair[0], default=None)
        chapters = [
            c for c in now.chapters
            if c.world and Place(c.now, c.delivered, c.inputs, False).before(goal) and not (strict and c.delivered >= how["after"])
        ]  # fmt: skip
        chapter = chapters[-1] if chapters else None
        if chapter is None and now.began is not None and base is None:
            raise Refused(404, forgotten(now.began))
        where = (chapter.now, chapter.delivered, chapter.world) if chapter else (0, 0, 0)
        cost = events_to(*where[:2]) * EVENT_COST + where[2] * BYTE_COST + FORK_COST
        message = {"op": "go", "goal": goal, **how}
        if base is not None and base[0] <= cost:
            return self._from_holder(shelf, base[1], message)
        return self._from_chapter(shelf, chapter.number if chapter else 0, message)

    def _from_holder(self, shelf: Shelf, base: Holder, message: dict[str, Any]) -> Holder:
        """Sent off from a frozen world. Its line comes with ``born``."""
        self.next_id += 1
        child = Holder()
        child.arrival = asyncio.get_running_loop().create_future()
        base.children[self.next_id] = child
        base.used = time.monotonic()
        try:
            base.channel.say({**message, "id": self.next_id})
        except Closed:
            self._lost(shelf, base)
        return child

    def _from_chapter(self, shelf: Shelf, chapter: int, message: dict[str, Any]) -> Holder:
        import_module(self.door)  # once, before the first fork: its children share it
        near, far = socket.socketpair()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                shed(far)
                begin(far, parent, self.address, shelf.cluster, self.door, chapter, message)
            finally:
                os._exit(1)
        far.close()
        holder = Holder(Channel(near), pid)
        holder.arrival = asyncio.get_running_loop().create_future()
        self._listen(shelf, holder)
        return holder

    def _listen(self, shelf: Shelf, holder: Holder) -> None:
        holder.channel.socket.setblocking(False)
        shelf.holders.append(holder)
        loop = asyncio.get_running_loop()
        loop.add_reader(holder.channel.fileno(), self._hear, shelf, holder)

    def _hear(self, shelf: Shelf, holder: Holder) -> None:
        try:
            alive = holder.channel.receive()
        except BlockingIOError:
            return
        for message in holder.channel.messages():
            self._heard(shelf, holder, message)
        if not alive:
            self._lost(shelf, holder)

    def _heard(self, shelf: Shelf, holder: Holder, message: dict[str, Any]) -> None:
        match message["op"]:
            case "born":
                child = holder.children.pop(message["id"])
                child.channel, child.pid = Channel(holder.channel.end()), message["pid"]
                self._listen(shelf, child)
            case "frozen":
                copy = Holder(Channel(holder.channel.end()), message["pid"])
                copy.place = msgspec.convert(message["place"], Place)
                copy.place = msgspec.structs.replace(copy.place, exact=False)
                self._listen(shelf, copy)
                self._bound()
            case "here" | "lost":
                if holder.arrival is not None and not holder.arrival.done():
                    holder.arrival.set_result(message)
            case "said" | "told":
                waiting = holder.saying.pop(message["call"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)

    def _lost(self, shelf: Shelf, holder: Holder) -> None:
        """Its process has ended."""
        if holder in shelf.holders:
            shelf.holders.remove(holder)
            asyncio.get_running_loop().remove_reader(holder.channel.fileno())
            holder.channel.close()
        gone = {"op": "lost", "why": "ended"}
        for future in (holder.arrival, *holder.saying.values(), *(c.arrival for c in holder.children.values())):
            if future is not None and not future.done():
                future.set_result(gone)
        holder.saying, holder.children = {}, {}

    async def ask(self, shelf: Shelf, holder: Holder, message: dict[str, Any]) -> dict[str, Any]:
        """Have a frozen world answer; what it says of it (``lost`` if it ended instead)."""
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        holder.saying[message["call"]] = future
        holder.used = time.monotonic()
        try:
            holder.channel.say(message)
        except Closed:
            self._lost(shelf, holder)
        return await future

    # -- bounds ---------------------------------------------------------------------------------------------------

    def _drop_shelf(self, cluster: str) -> None:
        shelf = self.shelves.pop(cluster, None)
        self.chapters.pop(cluster, None)
        if shelf is not None:
            for holder in list(shelf.holders):
                self._lost(shelf, holder)

    def _bound(self) -> None:
        """End frozen worlds until number and memory are within bounds: those whose place is missed least, none that was just needed.

        So the last minutes stay evenly covered, however much somebody looks around at one place.
        """
        every = [h for shelf in self.shelves.values() for h in shelf.holders]
        memory, many = sum(h.memory for h in every), len(every)
        while many > WORLDS or memory > MEMORY:
            found = self._least_missed()
            if found is None:
                return
            holder, shelf = found
            self._lost(shelf, holder)
            many, memory = many - 1, memory - holder.memory

    def _least_missed(self) -> tuple[Holder, Shelf] | None:
        """The frozen world whose end leaves the fewest events between its neighbours; of those that nobody needs just now."""
        now = time.monotonic()
        found: list[tuple[bool, float, Holder, Shelf]] = []
        for shelf in self.shelves.values():
            placed = sorted(
                ((h.place, h) for h in shelf.holders if h.place is not None), key=lambda pair: pair[0].delivered
            )
            for index, (_, holder) in enumerate(placed):
                if holder.saying or holder.children:
                    continue
                before = placed[index - 1][0].delivered if index else 0
                after = placed[index + 1][0].delivered if index + 1 < len(placed) else math.inf
                found.append((now - holder.used < FRESH, after - before, holder, shelf))
        best = min(found, key=lambda row: row[:2], default=None)
        return None if best is None else best[2:]

    def _weigh(self) -> None:
        """Look how much memory some of them have for themselves: a few at a time, as each takes the kernel a millisecond."""
        every = [h for shelf in self.shelves.values() for h in shelf.holders if h.place is not None]
        for _ in range(min(AT_ONCE, len(every))):
            self.look_at += 1
            holder = every[self.look_at % len(every)]
            with contextlib.suppress(OSError), open(f"/proc/{holder.pid}/smaps_rollup") as rows:
                holder.memory = sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Private"))
        self._bound()


def _normal(goal: Goal) -> Goal:
    """Exact goals are equal whatever the live clock said when they were made."""
    return Goal(0, goal.delivered, True) if goal.exact else goal


def shed(own: socket.socket) -> None:
    """In a child: close every descriptor that is this process's, so that a line is closed when the historian closes it."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    keep = own.fileno()
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        numbers = list(range(3, 1024))
    for number in numbers:
        if number > 2 and number != keep:
            with contextlib.suppress(OSError):
                os.close(number)
