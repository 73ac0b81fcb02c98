"""``historian``: the process that answers for the past of all clusters, so that the live ones go on undisturbed.

In → questions from web processes (``past:questions``); out → answers to each (``past:out:<gateway>``). It reads a cluster's history
from Redis, never its inbox, and writes nothing that a live cluster reads, except a new cluster (a fork, an import).

The worlds themselves live in processes of their own (``frozen``): this one only knows which there are and where each stands, and
asks the nearest one before the moment in question to go on to it. Their number and memory are bounded; those that nobody needed for
a while end; this process alone takes 30 MB until somebody looks back.

Several historians may run: a cluster's frozen worlds are with one of them (a lease that expires), and the others hand its questions on.
One that was killed is started again and takes up what it had not answered.

Errors, as sentences: 404 for a moment that isn't there (not come so far yet, or forgotten), 503 when it takes too long or the
cluster can't be run by this version.
"""

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

import msgspec

from explainer.runs import annals, bring, comparing, keys, resp, version, whatif
from explainer.runs.annals import Chapter
from explainer.runs.async_resp import AsyncLink
from explainer.runs.channel import Channel, Closed
from explainer.runs.frozen import ANSWER_KEPT_MS, FREEZE, Goal, Place, begin
from explainer.runs.mail import Letter, Trouble, encode, raw
from explainer.runs.record import Mark

log = logging.getLogger("clearplane.historian")

GROUP = "historians"
ALIVE_MS = 5_000
HOUSEKEEPING = 0.5
KEEPER_MS = 10_000
WORLDS = 48
"""Frozen worlds of all clusters at most."""
MEMORY = 512 * 1024 * 1024
"""Bytes they may have for themselves, together."""
IDLE = 120.0
"""Wall seconds after which the frozen worlds of a cluster end when nobody looked at its past."""
FRESH = 1.0
"""Wall seconds in which a frozen world that was needed stays, whatever its place."""
STALE = 30.0
"""Questions older than this have no asker any more."""
EVENT_COST = 20e-6
"""Wall seconds an event takes, about; and a byte of a compressed world to be read."""
BYTE_COST = 70e-9
FORK_COST = 0.01
RECENT = 600_000_000_000
"""Virtual ns behind the live edge in which looking back is made quick beforehand."""
SPACING = 0.06
"""Wall seconds of running between two frozen worlds there."""
SWEEP = 10_000_000_000
"""Virtual ns after which what came since is made quick, too, while somebody looks."""
STEP_SECONDS = 8.0
"""Wall seconds that looking for an event may take."""
NEARBY = 1500
"""Events that are gone through one by one."""
AHEAD = 24
"""Events that are looked for at a time on the way forward."""
TRAILS = 64
"""Stretches remembered a cluster."""
AT_ONCE = 6
"""Worlds weighed at a time."""
READY = 3
"""Worlds made ready where somebody steps back."""


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


_question = msgspec.msgpack.Decoder(Question).decode


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


class Historian:
    """See the module."""

    def __init__(self, url: str, name: str, door: str) -> None:
        self.address = resp.Address(url)
        self.name, self.door = name, door
        self.version = version.world_version(door)
        self.shelves: dict[str, Shelf] = {}
        self.link: AsyncLink | None = None
        self.next_id = 0
        self.stopping = asyncio.Event()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.read_so_far: dict[str, str] = {}
        self.chapters: dict[str, tuple[bytes, list[Chapter]]] = {}
        self.look_at = 0
        self.ops: dict[str, Callable[[Question], Coroutine[Any, Any, Any]]] = {
            "view": self._view,
            "warm": self._warm,
            "fork": self._fork,
            "import": self._import,
            "what-if": self._what_if,
            "step": self._step,
            "compare": self._compare,
        }

    # -- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        readers = [asyncio.ensure_future(self._read_questions()), asyncio.ensure_future(self._read_handed_on())]
        keeping = asyncio.ensure_future(self._housekeep())
        await self.stopping.wait()
        for task in (*readers, keeping):
            task.cancel()
        for shelf in self.shelves.values():
            for holder in shelf.holders:
                holder.channel.close()

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

    async def _read_questions(self) -> None:
        since = "0"  # first those that a former life of this process took and didn't answer
        while True:
            link = await self._open()
            try:
                with contextlib.suppress(resp.RedisError):
                    await link.call("XGROUP", "CREATE", keys.PAST, GROUP, "0", "MKSTREAM")
                while True:
                    block = ("BLOCK", 0) if since == ">" else ()
                    reply = await link.call(
                        "XREADGROUP", "GROUP", GROUP, self.name, "COUNT", 64, *block, "STREAMS", keys.PAST, since
                    )
                    rows = reply[0][1] if reply else []
                    if not rows and since != ">":
                        since = ">"
                    for entry_id, fields in rows:
                        if fields:
                            self._take(fields[1], entry_id)
                        if since != ">":
                            since = entry_id.decode()
            except resp.RedisError as error:
                link.close()
                if not isinstance(error, resp.ConnectionLost):
                    log.warning("reading questions: %s", error)  # Redis forgot the group: it is made again
                await asyncio.sleep(0.05)

    async def _read_handed_on(self) -> None:
        since = "$"
        while True:
            link = await self._open()
            try:
                while True:
                    reply = await link.call("XREAD", "BLOCK", 0, "STREAMS", keys.past_to(self.name), since)
                    for entry_id, fields in reply[0][1]:
                        since = entry_id.decode()
                        self._take(fields[1], None)
            except resp.RedisError:
                link.close()
                await asyncio.sleep(0.05)

    def _take(self, data: bytes, entry_id: bytes | None) -> None:
        task = asyncio.ensure_future(self._handle(data, entry_id))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _handle(self, data: bytes, entry_id: bytes | None) -> None:
        try:
            question = _question(data)
        except msgspec.MsgspecError as error:
            log.warning("unreadable question dropped: %s", error)
            await self._done(entry_id)
            return
        if time.time() - question.asked < STALE:
            other = await self._keeper(question.cluster) if entry_id is not None else ""
            if other:
                await self.redis("XADD", keys.past_to(other), "MAXLEN", "~", 1000, "*", "q", data)
            else:
                await self._answer(question)
        await self._done(entry_id)

    async def _done(self, entry_id: bytes | None) -> None:
        if entry_id is not None:
            await self.redis("XACK", keys.PAST, GROUP, entry_id)
            await self.redis("XDEL", keys.PAST, entry_id)

    async def _keeper(self, cluster: str) -> str:
        """The other historian that holds this cluster's frozen worlds; empty: this one does, from now on at the latest."""
        if await self.redis("SET", keys.keeper(cluster), self.name, "NX", "PX", KEEPER_MS):
            return ""
        held = (await self.redis("GET", keys.keeper(cluster)) or b"").decode()
        if held in ("", self.name):
            await self.redis("SET", keys.keeper(cluster), self.name, "PX", KEEPER_MS)
            return ""
        if await self.redis("EXISTS", keys.past_alive(held)):
            return held
        await self.redis("SET", keys.keeper(cluster), self.name, "PX", KEEPER_MS)
        return ""

    async def _answer(self, question: Question) -> None:
        try:
            act = self.ops.get(question.op)
            if act is None:
                raise Refused(422, f"nobody knows how to {question.op} in the past")
            answer = await act(question)
            if answer is None:
                return  # it was answered already, by the frozen world itself
            if not question.call:
                return
            letter = Letter("reply", question.call, raw(msgspec.json.encode(answer)))
        except Refused as error:
            if not question.call:
                return
            letter = Letter("error", question.call, raw(Trouble(error.status, error.error)))
        except Exception as error:
            log.exception("a question about the past of %s", question.cluster)
            letter = Letter(
                "error", question.call, raw(Trouble(503, f"The past could not answer: {type(error).__name__}."))
            )
        out = keys.past_out(question.gateway)
        await self.redis("RPUSH", out, encode(letter))
        await self.redis("PEXPIRE", out, ANSWER_KEPT_MS)

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
                raise Refused(404, _forgotten(began))
            return Goal(mark.now, number, True), number < mark.delivered
        until = number * 1000 + 999
        if number * 1000 > mark.now:
            raise Refused(404, f"The cluster has not come so far yet: it is at {here}.")
        if began is not None and until < began.now:
            raise Refused(404, _forgotten(began))
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
            raise Refused(404, _forgotten(now.began))
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
                _shed(far)
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

    async def _housekeep(self) -> None:
        while True:
            await self.redis("SET", keys.past_alive(self.name), "1", "PX", ALIVE_MS)
            now = time.monotonic()
            for cluster, shelf in list(self.shelves.items()):
                if now - shelf.used > IDLE:
                    for holder in list(shelf.holders):
                        if holder.place is not None and not holder.saying:
                            self._lost(shelf, holder)
                if shelf.holders:
                    await self.redis("SET", keys.keeper(cluster), self.name, "PX", KEEPER_MS)
                elif not shelf.underway:
                    self.shelves.pop(cluster, None)
            self._weigh()
            await self._take_over()
            await asyncio.sleep(HOUSEKEEPING)

    def _weigh(self) -> None:
        """Look how much memory some of them have for themselves: a few at a time, as each takes the kernel a millisecond."""
        every = [h for shelf in self.shelves.values() for h in shelf.holders if h.place is not None]
        for _ in range(min(AT_ONCE, len(every))):
            self.look_at += 1
            holder = every[self.look_at % len(every)]
            with contextlib.suppress(OSError), open(f"/proc/{holder.pid}/smaps_rollup") as rows:
                holder.memory = sum(int(row.split()[1]) * 1024 for row in rows if row.startswith("Private"))
        self._bound()

    async def _take_over(self) -> None:
        """Questions that a historian took which is no longer there."""
        rows = await self.redis("XPENDING", keys.PAST, GROUP)
        for consumer, _ in (rows[3] or []) if rows else []:
            name = consumer.decode()
            if name == self.name or await self.redis("EXISTS", keys.past_alive(name)):
                continue
            ids = await self.redis("XPENDING", keys.PAST, GROUP, "-", "+", 64, name)
            if ids:
                claimed = await self.redis("XCLAIM", keys.PAST, GROUP, self.name, 0, *(row[0] for row in ids))
                for entry_id, fields in claimed:
                    self._take(fields[1], entry_id)
            await self.redis("XGROUP", "DELCONSUMER", keys.PAST, GROUP, name)

    # -- questions ------------------------------------------------------------------------------------------------

    async def _view(self, question: Question) -> Any:
        """A read model as of a moment; answered by the frozen world."""
        for again in (True, False):
            now = await self.now(question.cluster)
            goal, settled = self.goal(question.at, now)
            holder = await self.reach(question.cluster, now, goal, settled)
            message = {
                "op": "answer",
                "call": question.call,
                "gateway": question.gateway,
                "view": question.args["view"],
                "args": question.args["args"],
                "rate": now.mark.rate or "max",
                "live": now.mark.now,
            }
            shelf = self.shelves[question.cluster]
            said = await self.ask(shelf, holder, message)
            if said["op"] == "said":
                self._sweep_soon(shelf, now)
                return None
            if not again:
                raise Refused(503, "The past could not answer; ask again.")
        return None

    async def _fork(self, question: Question) -> Any:
        """A cluster that begins at a moment of this one, paused: its clock. ``args``: ``name``, and ``described``, the new row of
        the list of clusters."""
        now = await self.now(question.cluster)
        goal, settled = self.goal(question.at, now)
        holder = await self.reach(question.cluster, now, goal, settled)
        return await self._found(question, now, holder)

    async def _found(self, question: Question, now: Now, holder: Holder) -> Any:
        shelf = self.shelves[question.cluster]
        message = {
            "op": "found",
            "call": question.call,
            "version": self.version,
            "rate": now.mark.rate,
            **question.args,
        }
        told = await self.ask(shelf, holder, message)
        if told["op"] == "lost":
            raise Refused(503, "The cluster could not be made; ask again.")
        if "error" in told:
            raise Refused(*told["error"])
        return told["clock"]

    # -- steps ----------------------------------------------------------------------------------------------------

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

    async def _trail(self, shelf: Shelf, now: Now, by: str, request: int, until: int) -> "Stretch":
        """Learn what could be seen on the way to the ``until``-th event from somewhere before it."""
        settled = until < now.mark.delivered
        how = {"trail": by, "request": request, "after": until}
        _, report = await self._send(shelf, now, Goal(0, until, True), settled, **how)
        stretch = Stretch(by, request, report["since"], until, report["trail"])
        if settled:  # else more may come to be seen at its very end: an act on the paused cluster
            self._learn(shelf, stretch)
        return stretch

    def _learn(self, shelf: Shelf, stretch: "Stretch") -> None:
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

    def _later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it when there is time; nobody waits for it."""

        async def quietly() -> None:
            with contextlib.suppress(Refused):
                await work

        task = asyncio.ensure_future(quietly())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # -- comparing ------------------------------------------------------------------------------------------------

    async def _compare(self, question: Question) -> Any:
        """Which objects differ between two moments. ``args``: ``other`` (cluster), ``other_at``, ``quiet``."""
        args = question.args
        sides = []
        for cluster, at in ((question.cluster, question.at), (args["other"], args["other_at"])):
            now = await self.now(cluster)
            goal, settled = self.goal(at, now)
            sides.append((cluster, await self.reach(cluster, now, goal, settled)))
        told = [await self._told(cluster, holder, question.call, "marks") for cluster, holder in sides]
        rows, hidden = comparing.differing(told[0]["marks"], told[1]["marks"], bool(args.get("quiet")))
        wanted = [[row["resource"], row["key"]] for row in rows[: comparing.MOST]]
        documents = [
            await self._told(cluster, holder, question.call, "documents", wanted=wanted) for cluster, holder in sides
        ]
        left, right = (
            {
                "cluster": cluster,
                **{key: told["nowMicros" if key == "nowMicros" else key] for key in ("at", "nowMicros", "revision")},
            }
            for (cluster, _), told in zip(sides, told, strict=True)
        )
        objects = comparing.patches(rows[: comparing.MOST], *documents)
        return {"left": left, "right": right, "objects": objects, "total": len(rows), "hidden": hidden}

    async def _told(self, cluster: str, holder: Holder, call: str, op: str, **fields: Any) -> Any:
        shelf = self.shelves.get(cluster)
        if shelf is None:
            raise Refused(503, "The past could not answer; ask again.")
        self.next_id += 1
        told = await self.ask(shelf, holder, {"op": op, "call": f"{call}/{self.next_id}", **fields})
        if told["op"] == "lost":
            raise Refused(503, "The past could not answer; ask again.")
        return told["answer"]

    # -- new clusters ---------------------------------------------------------------------------------------------

    async def _import(self, question: Question) -> Any:
        """A cluster from a file (see ``bring``): its clock. ``args``: ``name``, ``file``."""
        return await self._made_apart(bring.begin, question, {})

    async def _what_if(self, question: Question) -> Any:
        """A fork in which something did not happen (see ``whatif``): its clock. ``args``: ``name``, ``described``, ``without``."""
        now = await self.now(question.cluster)
        goal, _ = self.goal(question.at, now)
        if goal.exact:
            place = (await self.reach(question.cluster, now, goal, True)).place
            assert place is not None
            goal = Goal(place.now, place.delivered)
        more = {"cluster": question.cluster, "until": goal.now, "rate": now.mark.rate}
        return await self._made_apart(whatif.begin, question, more)

    async def _made_apart(self, work: Callable[..., Any], question: Question, more: dict[str, Any]) -> Any:
        """Have a process of its own make a cluster: its clock. Refused with what it says."""
        import_module(self.door)
        near, far = socket.socketpair()
        parent = os.getpid()
        message = {"call": question.call, "version": self.version, **question.args, **more}
        if os.fork() == 0:
            try:
                _shed(far)
                work(far, parent, self.address, self.door, message)
            finally:
                os._exit(1)
        far.close()
        near.setblocking(False)
        channel, loop = Channel(near), asyncio.get_running_loop()
        future: asyncio.Future[dict[str, Any]] = loop.create_future()

        def hear() -> None:
            alive = channel.receive()
            for told in channel.messages():
                future.set_result(told)
            if not alive and not future.done():
                future.set_result({"error": [422, "That takes longer to run again, or more memory, than it may."]})

        loop.add_reader(near.fileno(), hear)
        try:
            told = await future
        finally:
            loop.remove_reader(near.fileno())
            channel.close()
        if "error" in told:
            raise Refused(*told["error"])
        return told["clock"]

    async def _warm(self, question: Question) -> Any:
        """Somebody has a page of that cluster open: make looking back quick."""
        import_module(self.door)
        now = await self.now(question.cluster)
        self._sweep_soon(self.shelves[question.cluster], now)
        return {}

    def _sweep_soon(self, shelf: Shelf, now: Now) -> None:
        if not shelf.sweeping and now.mark.now - shelf.swept > SWEEP:
            shelf.sweeping = True
            self._later(self._sweep(shelf, now))

    async def _sweep(self, shelf: Shelf, now: Now) -> None:
        """Leave frozen worlds all along the last minutes."""
        try:
            began = now.began.now if now.began is not None else 0
            since = max(began, shelf.swept, now.mark.now - RECENT)
            base = await self.reach(shelf.cluster, now, Goal(since, now.mark.delivered), since < now.mark.now)
            how = {"freeze": True, "spacing": SPACING, "even": True, "nice": 5}
            holder = self._from_holder(shelf, base, {"op": "go", "goal": now.edge(), **how})
            assert holder.arrival is not None
            report = await holder.arrival
            if report["op"] == "here":
                holder.place = msgspec.convert(report["place"], Place)
                shelf.swept = now.mark.now
                self._bound()
        finally:
            shelf.sweeping = False


def _normal(goal: Goal) -> Goal:
    """Exact goals are equal whatever the live clock said when they were made."""
    return Goal(0, goal.delivered, True) if goal.exact else goal


def _forgotten(began: Chapter) -> str:
    return f"The history of this cluster begins at {began.now / 1e9:.6f} s; what was before has been dropped to keep within its limit."


def _shed(own: socket.socket) -> None:
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


def main(arguments: list[str]) -> int:
    """``historian [--redis URL] [--name NAME] [--door MODULE]``."""
    import argparse
    from pathlib import Path

    from explainer import config
    from explainer.runs import embedded

    parser = argparse.ArgumentParser(prog="manage.py historian", description="Answer for the past of the clusters.")
    parser.add_argument("--redis", default="", help="Redis URL (default: REDIS_URL or the private server)")
    parser.add_argument("--name", default="", help="this historian's name (default: host and process id)")
    parser.add_argument("--door", default=os.environ.get("CLEARPLANE_DOOR", "cluster.lab"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    name = given.name or f"{socket.gethostname()}-{os.getpid()}"
    url = given.redis or embedded.url(Path(config.read().data))
    asyncio.run(_main(url, name, given.door))
    return 0


async def _main(url: str, name: str, door: str) -> None:
    await Historian(url, name, door).run()
