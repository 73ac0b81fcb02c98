"""A web process's line to all clusters: mail out, answers in, frames in. One per process, all in its event loop.

``bus.send`` puts mail into a cluster's inbox (all mail of one loop turn leaves in one write); answers come back over one
reader per cluster and are handed to whoever waits: ``ask``/``call``/``stream`` for calls, an ``Exchange`` for HTTP.

Redis gone: mail that wasn't confirmed is said again when it is back, in order and with the same numbers, so the cluster
does it once. Errors: ``Unavailable`` when nobody runs the cluster within the time given; ``Failed`` when the runner
answered that it can't be done.
"""

import asyncio
import collections
import contextlib
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from explainer import config
from explainer.runs import annals, clusters, embedded, keys, moment, resp
from explainer.runs.async_resp import AsyncLink
from explainer.runs.mail import Ask, Letter, Mail, Pace, Trouble, decode_any, decode_letter, decode_letters, encode, raw
from explainer.runs.record import Entry

log = logging.getLogger("clearplane.web")

FOUNDING = 300.0
"""Wall seconds until a fork or an import is given up."""
WARM_SECONDS = 10.0
PATIENCE = 10.0
"""Wall seconds a question may take."""
ALIVE_MS = 15_000
HEARTBEAT = 4.0
RETRY = 0.1


class Unavailable(ConnectionError):
    """Nobody answers for that cluster at the moment."""


class Failed(Exception):
    """The cluster's runner says why not: an HTTP status and a sentence."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class NoCluster(Failed):
    """There is no cluster of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(404, f"There is no cluster named {name!r}.")


Exchange = Callable[[dict[str, Any]], None]
"""Takes the outputs of one HTTP stream, each as its tagged map."""


class Outgoing:
    """Mail to one cluster that Redis hasn't confirmed yet, oldest first, and the reader of its answers."""

    def __init__(self) -> None:
        self.number = 0
        self.unconfirmed: collections.deque[tuple[int, bytes]] = collections.deque()
        self.reader: asyncio.Task[None] | None = None
        self.cursor = "0-0"


class Bus:
    """See the module. ``await start()`` first; ``name`` is this process's id in Redis."""

    def __init__(self, url: str | None = None) -> None:
        self.url = url or embedded.url(Path(config.read().data))
        self.address = resp.Address(self.url)
        self.name = "w" + secrets.token_hex(5)
        self.link: AsyncLink | None = None
        self.outgoing: dict[str, Outgoing] = {}
        self.calls: dict[str, asyncio.Queue[Letter]] = {}
        self.exchanges: dict[tuple[str, str, int], Exchange] = {}
        self.known: dict[str, dict[str, Any]] = {}
        self.troubles: dict[str, str] = {}
        self.next_call = 0
        self.connected = asyncio.Event()
        self.warmed: dict[str, float] = {}
        self.past_reader: asyncio.Task[None] | None = None
        self.tasks: list[asyncio.Task[Any]] = []
        self.watching: Callable[[], dict[str, int]] = dict
        """Set by the sockets: cluster → how many look at it."""
        self.changed: list[Callable[[], None]] = []
        """Called when the set of clusters may have changed."""
        self.counters: collections.Counter[str] = collections.Counter()

    # -- connection -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect in the background; everything else waits as long as it must."""
        self.tasks.append(asyncio.ensure_future(self._keep_connected()))
        self.tasks.append(asyncio.ensure_future(self._heartbeat()))
        self.tasks.append(asyncio.ensure_future(self._news()))

    async def open(self) -> AsyncLink:
        """A connection of one's own, for a blocking read. Waits for Redis."""
        while True:
            try:
                return await AsyncLink.open(self.address)
            except (OSError, resp.RedisError):
                await asyncio.sleep(RETRY)

    async def call_redis(self, *arguments: resp.Argument) -> Any:
        """One command; waits for Redis, but not for ever: Unavailable."""
        for _ in range(2):
            try:
                await asyncio.wait_for(self.connected.wait(), 2.0)
                assert self.link is not None
                return await self.link.call(*arguments)
            except (TimeoutError, resp.ConnectionLost):
                continue
        raise Unavailable("Redis is not reachable")

    async def _keep_connected(self) -> None:
        while True:
            link = await self.open()
            self.link = link
            for cluster, outgoing in self.outgoing.items():
                for number, data in list(outgoing.unconfirmed):
                    self._post(cluster, outgoing, number, data)
            self.connected.set()
            while link.lost is None:
                try:
                    await asyncio.wait_for(asyncio.shield(link.call("PING")), 30)
                    await asyncio.sleep(0.05 if link.lost else 0.25)
                except (TimeoutError, resp.RedisError):
                    break
            self.connected.clear()
            link.close()

    async def _heartbeat(self) -> None:
        while True:
            with contextlib.suppress(Unavailable, resp.RedisError):
                await self.call_redis("SET", keys.gateway(self.name), str(os.getpid()), "PX", ALIVE_MS)
                for cluster, count in self.watching().items():
                    self.send(cluster, "watching", count)
            await asyncio.sleep(HEARTBEAT)

    async def _news(self) -> None:
        since = "$"
        while True:
            link = await self.open()
            try:
                while True:
                    await self._load_known()
                    reply = await link.call("XREAD", "BLOCK", 0, "STREAMS", keys.CLUSTERS_LOG, since)
                    since = reply[0][1][-1][0].decode()
            except (resp.RedisError, Unavailable):
                link.close()
                await asyncio.sleep(RETRY)

    async def _load_known(self) -> None:
        rows = await self.call_redis("HGETALL", keys.CLUSTERS)
        troubles = [await self.call_redis("HGET", keys.model(name.decode()), "trouble") for name in rows[::2]]
        self.troubles = {
            name.decode(): text.decode() for name, text in zip(rows[::2], troubles, strict=True) if text is not None
        }
        self.known = {rows[n].decode(): clusters.described(rows[n + 1]) for n in range(0, len(rows), 2)}
        for act in self.changed:
            act()

    async def require(self, cluster: str) -> dict[str, Any]:
        """The cluster's options. NoCluster if there is none, Unavailable if its simulation broke."""
        if cluster not in self.known:
            with contextlib.suppress(Unavailable):
                await self._load_known()
        if cluster not in self.known:
            raise NoCluster(cluster)
        if cluster in self.troubles:
            raise Unavailable(self.troubles[cluster])
        return self.known[cluster]

    # -- mail out -------------------------------------------------------------------------------------------------

    def send(self, cluster: str, kind: str, body: Any, call: str = "") -> None:
        """Put mail into the inbox of ``cluster``. Returns at once."""
        outgoing = self.outgoing.get(cluster)
        if outgoing is None:
            outgoing = self.outgoing[cluster] = Outgoing()
        if outgoing.reader is None:
            outgoing.reader = asyncio.ensure_future(self._read(cluster, outgoing))
        outgoing.number += 1
        number = outgoing.number
        data = encode(Mail(kind, self.name, number, call, raw(body)))  # type: ignore[arg-type]
        outgoing.unconfirmed.append((number, data))
        if self.link is not None and self.connected.is_set():
            self._post(cluster, outgoing, number, data)

    def _post(self, cluster: str, outgoing: Outgoing, number: int, data: bytes) -> None:
        assert self.link is not None
        future = self.link.call("XADD", keys.inbox(cluster), "*", "m", data)
        future.add_done_callback(lambda done: self._posted(outgoing, number, done))

    def _posted(self, outgoing: Outgoing, number: int, done: "asyncio.Future[Any]") -> None:
        if done.cancelled():
            return
        error = done.exception()
        if isinstance(error, resp.ConnectionLost):
            return  # said again by _keep_connected
        if error is not None:
            log.error("Redis refused mail: %s", error)
        while outgoing.unconfirmed and outgoing.unconfirmed[0][0] <= number:
            outgoing.unconfirmed.popleft()

    def new_call(self) -> str:
        """A name for an answer, unique to this process's life."""
        self.next_call += 1
        return f"{self.name}/c{self.next_call}"

    # -- answers in -----------------------------------------------------------------------------------------------

    async def _read(self, cluster: str, outgoing: Outgoing) -> None:
        stream = keys.out(cluster, self.name)
        trimmed = time.monotonic()
        while True:
            link = await self.open()
            try:
                while True:
                    reply = await link.call("XREAD", "BLOCK", 0, "STREAMS", stream, outgoing.cursor)
                    for entry in reply[0][1]:
                        for letter in decode_letters(entry[1][1]):
                            self._deliver(cluster, letter)
                        outgoing.cursor = entry[0].decode()
                    if time.monotonic() - trimmed > 1.0 and self.link is not None:
                        trimmed = time.monotonic()
                        link.call("XTRIM", stream, "MINID", outgoing.cursor).add_done_callback(_ignore)
            except resp.RedisError as error:
                link.close()
                if not isinstance(error, resp.ConnectionLost):
                    log.warning("reading answers of %s: %s", cluster, error)
                await asyncio.sleep(RETRY)

    def _deliver(self, cluster: str, letter: Letter) -> None:
        if letter.kind != "output":
            waiting = self.calls.get(letter.call)
            if waiting is not None:
                waiting.put_nowait(letter)
            return
        output = decode_any(letter.body)
        if output["type"] == "CallOut":
            waiting = self.calls.get(output["call"])
            if waiting is not None:
                waiting.put_nowait(Letter("output", output["call"], raw(output["doc"])))
            return
        exchange = self.exchanges.get((cluster, output["conn"], output["stream"]))
        if exchange is not None:
            exchange(output)

    # -- questions ------------------------------------------------------------------------------------------------

    async def answer(self, cluster: str, kind: str, body: Any, call: str = "", patience: float = PATIENCE) -> Any:
        """Send and wait for one reply: its body decoded. Failed, Unavailable, NoCluster."""
        await self.require(cluster)
        call = call or self.new_call()
        queue = self.calls[call] = asyncio.Queue()
        try:
            self.send(cluster, kind, body, call)
            try:
                letter = await asyncio.wait_for(queue.get(), patience)
            except TimeoutError:
                raise Unavailable(f"The simulation of {cluster} does not answer.") from None
            return _body(letter)
        finally:
            self.calls.pop(call, None)

    async def query_json(self, cluster: str, view: str, patience: float = PATIENCE, **args: Any) -> bytes:
        """A read model as JSON bytes, straight from the live cluster."""
        return await self.answer(cluster, "ask", Ask(view, args), patience=patience)

    async def query(self, cluster: str, view: str, **args: Any) -> Any:
        """A read model, decoded. When nobody runs the cluster just now: the last kept one of that name, if there is."""
        try:
            return msgspec.json.decode(await self.query_json(cluster, view, 2.0, **args))
        except Unavailable:
            kept = await self.call_redis("HGET", keys.model(cluster), view)
            if kept is None:
                raise
            return msgspec.json.decode(kept)

    async def query_at(self, cluster: str, at: str, view: str, **args: Any) -> Any:
        """A read model of an earlier moment, decoded."""
        return msgspec.json.decode(await self.query_at_json(cluster, at, view, **args))

    async def query_at_json(self, cluster: str, at: str, view: str, **args: Any) -> bytes:
        """The same as JSON bytes. Failed 404 for a moment that isn't there."""
        await self.require(cluster)
        return await self.past("view", cluster, at, view=view, args=args)

    async def past(self, op: str, cluster: str, at: str = "", patience: float = PATIENCE, **args: Any) -> Any:
        """Ask the historian: the answer as JSON bytes. Failed, Unavailable."""
        if self.past_reader is None:
            self.past_reader = asyncio.ensure_future(self._read_past())
        call = self.new_call()
        queue = self.calls[call] = asyncio.Queue()
        try:
            question = encode((op, self.name, call, cluster, at, args, time.time()))
            await self.call_redis("XADD", keys.PAST, "MAXLEN", "~", 10_000, "*", "q", question)
            try:
                letter = await asyncio.wait_for(queue.get(), patience)
            except TimeoutError:
                raise Unavailable("Going back there takes longer than usual; ask again in a moment.") from None
            return _body(letter)
        finally:
            self.calls.pop(call, None)

    def warm(self, cluster: str) -> None:
        """Somebody looks at the cluster's past, or is about to: the historian may make it quick. Nobody waits for that."""
        now = time.monotonic()
        if self.connected.is_set() and self.link is not None and now - self.warmed.get(cluster, 0.0) > WARM_SECONDS:
            self.warmed[cluster] = now
            question = encode(("warm", self.name, "", cluster, "", {}, time.time()))
            self.link.call("XADD", keys.PAST, "MAXLEN", "~", 10_000, "*", "q", question).add_done_callback(_ignore)

    async def _read_past(self) -> None:
        """Answers about the past, for all clusters."""
        while True:
            link = await self.open()
            try:
                while True:
                    _, data = await link.call("BLPOP", keys.past_out(self.name), 0)
                    letter = decode_letter(data)
                    waiting = self.calls.get(letter.call)
                    if waiting is not None:
                        waiting.put_nowait(letter)
            except resp.RedisError:
                link.close()
                await asyncio.sleep(RETRY)

    async def act(self, cluster: str, item: dict[str, Any], patience: float = PATIENCE) -> None:
        """Apply an input and wait until it is in the journal."""
        await self.answer(cluster, "input", item, patience=patience)

    async def pace(self, cluster: str, pace: Pace, patience: float = PATIENCE) -> Any:
        """Set, run or step the clock; the clock afterwards."""
        return msgspec.json.decode(await self.answer(cluster, "pace", pace, patience=patience))

    async def stream(
        self, cluster: str, kind: str, patience: float | None = None, call: str = "", **fields: Any
    ) -> AsyncIterator[Any]:
        """Send an input that the world answers in pieces (``CallOut``): each piece, the last has ``done`` true.

        ``patience`` bounds the wait for the first piece; ``call`` names the answers (default: a new name).
        """
        await self.require(cluster)
        call = call or self.new_call()
        queue = self.calls[call] = asyncio.Queue()
        try:
            self.send(cluster, "input", {"type": kind, "call": call, **fields}, call)
            while True:
                try:
                    letter = await asyncio.wait_for(queue.get(), patience)
                except TimeoutError:
                    raise Unavailable(f"The simulation of {cluster} does not answer.") from None
                patience = None
                piece = _body(letter)
                yield piece
                if not isinstance(piece, dict) or piece.get("done", True):
                    return
        finally:
            self.calls.pop(call, None)

    # -- clusters -------------------------------------------------------------------------------------------------

    async def spec(self, cluster: str) -> clusters.Keys:
        """The cluster's keys. NoCluster."""
        blob = await self.call_redis("GET", keys.spec(cluster))
        if blob is None:
            raise NoCluster(cluster)
        return clusters.keys_of(blob)

    async def port_pki(self) -> dict[str, bytes] | None:
        """Keys of the certificate that the TLS port shows; None until the default cluster was made."""
        blob = await self.call_redis("GET", keys.PKI)
        return decode_any(blob) if blob else None

    async def port_pki_when_made(self) -> dict[str, bytes]:
        """The same, waited for."""
        while True:
            try:
                found = await self.port_pki()
            except (Unavailable, resp.RedisError):  # not there yet, or reading its file: LOADING
                found = None
            if found is not None:
                return found
            await asyncio.sleep(RETRY)

    async def create(self, options: clusters.Options, url: str) -> None:
        """Make a cluster. Failed 409 when the name is taken, 429 when there are too many."""
        await self._load_known()
        if options.name in self.known:
            raise Failed(409, f"There is a cluster named {options.name!r} already.")
        if len(self.known) >= clusters.MAX_CLUSTERS:
            raise Failed(429, f"There are {clusters.MAX_CLUSTERS} clusters already; delete one first.")
        made = await self.port_pki() if options.name == clusters.DEFAULT else None
        if made is None:
            made = await asyncio.get_running_loop().run_in_executor(None, clusters.make_pki, options)
        await asyncio.wait_for(self.connected.wait(), 2.0)
        assert self.link is not None
        # One loop turn, so nothing of anybody else's gets between MULTI and EXEC.
        commands = clusters.store_commands(options, clusters.spec_bytes(options, url, made))
        replies = [self.link.call(*command) for command in commands]
        if not (await asyncio.gather(*replies))[-1][0]:
            raise Failed(409, f"There is a cluster named {options.name!r} already.")
        await self._load_known()

    async def fork(self, cluster: str, name: str, at: str = "", **how: Any) -> dict[str, Any]:
        """A second cluster that begins at a moment of this one, paused: its row, with its clock. Failed 409 when the name is taken."""
        await self._room_for(name)
        described = {key: value for key, value in self.known[cluster].items() if key != "parent"}
        op = "what-if" if how else "fork"
        clock = await self.past(op, cluster, at, FOUNDING, name=name, described=described, **how)
        await self._load_known()
        await self._copy_bookmarks(cluster, name)
        return {**self.known.get(name, {"name": name}), "clock": msgspec.json.decode(clock)}

    async def _copy_bookmarks(self, cluster: str, fork: str) -> None:
        """A fork has the past up to where it branched off, and the bookmarks in it."""
        branched = self.known.get(fork, {}).get("parent", {}).get("nowMicros", 0)
        rows = [msgspec.json.decode(row) for row in await self.call_redis("HVALS", keys.bookmarks(cluster))]
        shared = [row for row in rows if row["nowMicros"] <= branched]
        if not shared:
            return
        flat = [part for row in shared for part in (row["id"], msgspec.json.encode(row))]
        await self.call_redis("HSET", keys.bookmarks(fork), *flat)
        await self.call_redis("HSET", keys.mark(fork), "bookmark", str(max(int(row["id"]) for row in shared)))

    async def import_file(self, name: str, data: bytes) -> dict[str, Any]:
        """A cluster from an exported file: its row, with its clock. Failed 409, 422."""
        await self._room_for(name)
        file = self.new_call()
        await self.call_redis("SET", keys.past_file(file), data, "PX", int(FOUNDING * 1000))
        clock = await self.past("import", name, "", FOUNDING, name=name, file=file)
        await self._load_known()
        return {**self.known.get(name, {"name": name}), "clock": msgspec.json.decode(clock)}

    async def _room_for(self, name: str) -> None:
        await self._load_known()
        if name in self.known:
            raise Failed(409, f"There is a cluster named {name!r} already.")
        if len(self.known) >= clusters.MAX_CLUSTERS:
            raise Failed(429, f"There are {clusters.MAX_CLUSTERS} clusters already; delete one first.")

    async def history(self, cluster: str, *more: tuple[resp.Argument, ...]) -> tuple[annals.Kept, list[Any]]:
        """What is known of the cluster's history, and what the commands ``more`` said at the same instant."""
        link = await self.open()
        try:
            asked = [link.call(*command) for command in [("MULTI",), *annals.Kept.commands(cluster), *more]]
            replies = await link.call("EXEC")
            await asyncio.gather(*asked)
        except resp.ConnectionLost:
            raise Unavailable("Redis is not reachable") from None
        finally:
            link.close()
        mine = len(annals.Kept.commands(cluster))
        return annals.Kept(replies[:mine]), replies[mine:]

    async def exported(self, cluster: str, proof: dict[str, Any]) -> moment.Moment:
        """The cluster from its beginning up to the point ``proof`` (now, delivered, digest)."""
        kept, (spec, rows) = await self.history(
            cluster, ("GET", keys.spec(cluster)), ("XRANGE", keys.journal(cluster), "-", "+")
        )
        if kept.mark is None or spec is None:
            raise Failed(409, "the cluster has not begun yet")
        began = kept.began
        start = b""
        if began.number:
            start = await self.call_redis("HGET", keys.worlds(cluster), began.number) or b""
        entries: list[Entry] = []
        numbers = [c.number for c in kept.chapters if c.number != began.number and c.held]
        for first in range(0, len(numbers), annals.AT_ONCE):
            some = numbers[first : first + annals.AT_ONCE]
            for blob in await self.call_redis("HMGET", keys.inputs(cluster), *some):
                entries += annals.unpack_entries(blob) if blob else []
        entries += kept.since(rows)
        now, delivered = proof["now"], proof["delivered"]
        inside = [entry for entry in entries if entry.now <= now and entry.delivered <= delivered]
        options = {key: value for key, value in self.known[cluster].items() if key != "parent"}
        return moment.Moment(options, spec, kept.mark.world, start, moment.pack(inside), rate=kept.mark.rate, **proof)

    async def delete(self, name: str) -> None:
        """Forget a cluster and everything about it."""
        if name not in self.known:
            raise NoCluster(name)
        await self.call_redis("HDEL", keys.CLUSTERS, name)
        self.send(name, "delete", None)
        await self.call_redis("XADD", keys.CLUSTERS_LOG, "MAXLEN", "~", 1000, "*", "deleted", name)
        if not await self.call_redis("EXISTS", keys.lease(name)):
            await self.call_redis("DEL", *keys.every(name))
        outgoing = self.outgoing.pop(name, None)
        if outgoing is not None and outgoing.reader is not None:
            asyncio.get_running_loop().call_later(2.0, outgoing.reader.cancel)
        await self._load_known()


def _body(letter: Letter) -> Any:
    if letter.kind == "error":
        trouble = msgspec.msgpack.decode(letter.body, type=Trouble)
        raise Failed(trouble.status, trouble.error)
    return decode_any(letter.body)


def _ignore(done: "asyncio.Future[Any]") -> None:
    if not done.cancelled():
        done.exception()


_bus: Bus | None = None


def current() -> Bus:
    """This process's bus (made at first use; ``start`` it in the running loop)."""
    global _bus
    if _bus is None:
        _bus = Bus()
    return _bus
