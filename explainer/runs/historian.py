"""``historian``: the process that answers for the past of all clusters, so that the live ones go on undisturbed.

In → questions from web processes (``past:questions``); out → answers to each (``past:out:<gateway>``). It reads a cluster's history
from Redis, never its inbox, and writes nothing that a live cluster reads, except a new cluster (a fork, an import).

The worlds themselves live in processes of their own (``frozen``): this one only knows which there are and where each stands, and
asks the nearest one before the moment in question to go on to it. Their number and memory are bounded; those that nobody needed for
a while end; this process alone takes 40 MB.

Several historians may run: a cluster's frozen worlds are with one of them (a lease that expires), and the others hand its questions on.
One that was killed is started again and takes up what it had not answered.

Errors, as sentences: 404 for a moment that isn't there (not come so far yet, or forgotten), 503 when it takes too long or the
cluster can't be run by this version.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

import msgspec

from explainer.runs import comparing, keys, resp
from explainer.runs.frozen import ANSWER_KEPT_MS, Goal, Place
from explainer.runs.mail import Letter, Trouble, encode, raw
from explainer.runs.making import Making
from explainer.runs.shelf import Holder, Now, Question, Refused, Shelf
from explainer.runs.steps import Steps

log = logging.getLogger("clearplane.historian")

GROUP = "historians"
ALIVE_MS = 5_000
HOUSEKEEPING = 0.5
KEEPER_MS = 10_000
IDLE = 120.0
"""Wall seconds after which the frozen worlds of a cluster end when nobody looked at its past."""
STALE = 30.0
"""Questions older than this have no asker any more."""
RECENT = 600_000_000_000
"""Virtual ns behind the live edge in which looking back is made quick beforehand."""
SPACING = 0.06
"""Wall seconds of running between two frozen worlds there."""
LEARNED = 5.0
"""Wall seconds after its start at which the historian reads the world's modules, when everybody else has started: the first who looks back waits less."""
SWEEP = 10_000_000_000
"""Virtual ns after which what came since is made quick, too, while somebody looks."""

_question = msgspec.msgpack.Decoder(Question).decode


class Historian(Steps, Making):
    """See the module."""

    def __init__(self, url: str, name: str, door: str) -> None:
        super().__init__(url, name, door)
        self.stopping = asyncio.Event()
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
        loop.call_later(LEARNED, import_module, self.door)
        await self.stopping.wait()
        for task in (*readers, keeping):
            task.cancel()
        for shelf in self.shelves.values():
            for holder in shelf.holders:
                holder.channel.close()

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

    # -- made quick beforehand -------------------------------------------------------------------------------------

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
