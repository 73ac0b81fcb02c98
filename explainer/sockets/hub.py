"""Fan-out: one reader of a cluster's event stream per process, however many sockets look at it.

In → the stream ``{c}:events``; out → each frame, as the text it was encoded to, to every listener. The reader runs while
somebody listens. A listener that names a cursor first gets what it missed, from the last frames in memory or from
the stream; if its frames are trimmed away it gets ``{"gone": true}`` (our 410: ask for the whole picture again).
"""

import asyncio
import collections
import contextlib
import logging
from typing import Any, Protocol

from explainer.runs import keys, resp
from explainer.runs.bus import Bus, Unavailable

log = logging.getLogger("clearplane.web")

GONE = '{"gone":true}'
REMEMBERED = 256
"""Frames kept in memory, about 13 s of a busy cluster."""


class Listener(Protocol):
    """A socket. ``frame`` raises when it won't take any more; ``room`` waits until it would take much."""

    async def frame(self, text: str) -> None: ...
    async def room(self) -> None: ...


class Channel:
    """One cluster's reader and its listeners."""

    def __init__(self) -> None:
        self.listeners: dict[Any, None] = {}
        self.recent: collections.deque[tuple[int, str]] = collections.deque(maxlen=REMEMBERED)
        self.task: asyncio.Task[None] | None = None
        self.last = 0
        self.begun = asyncio.Event()
        """Set when ``last`` is where the stream was when the reader began."""
        self.joining = 0
        """Listeners that are catching up."""


class Hub:
    """All channels of this process."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.channels: dict[str, Channel] = {}
        self.closing: set[asyncio.Task[None]] = set()
        bus.watching = self.counts
        bus.changed.append(self._drop_deleted)

    def counts(self) -> dict[str, int]:
        """Cluster → onlookers here."""
        return {name: len(channel.listeners) for name, channel in self.channels.items()}

    async def join(self, cluster: str, listener: Any, after: int | None) -> None:
        """Send ``listener`` every frame from now on, and before that those after ``after``."""
        channel = self.channels.setdefault(cluster, Channel())
        if channel.task is None or channel.task.done():
            # Made before anything is waited for: whoever comes meanwhile must find it, or there would be two readers.
            channel.task = asyncio.ensure_future(self._read(cluster, channel))
        channel.joining += 1
        try:
            await channel.begun.wait()
            if after is not None:
                await self._catch_up(cluster, channel, listener, after)
            channel.listeners[listener] = None
        finally:
            channel.joining -= 1
            self._close_unless_needed(cluster, channel)
        self._say(cluster, channel)

    def leave(self, cluster: str, listener: Any) -> None:
        """No more frames for it."""
        channel = self.channels.get(cluster)
        if channel is not None and listener in channel.listeners:
            del channel.listeners[listener]
            self._say(cluster, channel)
            self._close_unless_needed(cluster, channel)

    def _close_unless_needed(self, cluster: str, channel: Channel) -> None:
        if not channel.listeners and not channel.joining and self.channels.get(cluster) is channel:
            if channel.task is not None:
                channel.task.cancel()
            del self.channels[cluster]

    def _say(self, cluster: str, channel: Channel) -> None:
        if cluster in self.bus.known:
            self.bus.send(cluster, "watching", len(channel.listeners))

    async def _catch_up(self, cluster: str, channel: Channel, listener: Any, after: int) -> None:
        while True:
            frames = await self._since(cluster, channel, after)
            if frames is None:
                await listener.frame(GONE)
                return
            for number, text in frames:
                await listener.room()
                await listener.frame(text)
                after = number
            if after >= channel.last or not frames:
                return

    async def _since(self, cluster: str, channel: Channel, after: int) -> list[tuple[int, str]] | None:
        if channel.recent and channel.recent[0][0] <= after + 1 and after <= channel.last:
            return [frame for frame in channel.recent if frame[0] > after]
        return await frames_after(self.bus, cluster, after)

    @staticmethod
    async def _last(link: Any, cluster: str) -> int:
        rows = await link.call("XREVRANGE", keys.events(cluster), "+", "-", "COUNT", 1)
        return _number(rows[0][0]) if rows else 0

    async def _read(self, cluster: str, channel: Channel) -> None:
        stream = keys.events(cluster)
        while True:
            link = await self.bus.open()
            try:
                if not channel.begun.is_set():
                    channel.last = await self._last(link, cluster)
                    channel.begun.set()
                while True:
                    reply = await link.call("XREAD", "BLOCK", 0, "STREAMS", stream, f"{channel.last}-1")
                    for row in reply[0][1]:
                        number, text = _number(row[0]), row[1][1].decode()
                        channel.recent.append((number, text))
                        channel.last = number
                        for listener in list(channel.listeners):
                            try:
                                await listener.frame(text)
                            except Exception as error:  # one who is gone must not take the others' frames away
                                log.info("a listener of %s is gone: %r", cluster, error)
                                self.leave(cluster, listener)
            except resp.RedisError as error:
                link.close()
                if not isinstance(error, resp.ConnectionLost):
                    log.warning("reading events of %s: %s", cluster, error)
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                link.close()
                raise

    def _drop_deleted(self) -> None:
        for name in [name for name in self.channels if name not in self.bus.known]:
            channel = self.channels.pop(name)
            if channel.task is not None:
                channel.task.cancel()
            for listener in list(channel.listeners):
                closing = asyncio.ensure_future(listener.close(4404))
                self.closing.add(closing)
                closing.add_done_callback(self.closing.discard)


async def frames_after(bus: Bus, cluster: str, after: int) -> list[tuple[int, str]] | None:
    """Frames with a number above ``after``; None when some of them are gone (or the cursor is of another time)."""
    with contextlib.suppress(Unavailable):
        ends = await bus.call_redis("XRANGE", keys.events(cluster), "-", "+", "COUNT", 1)
        tail = await bus.call_redis("XREVRANGE", keys.events(cluster), "+", "-", "COUNT", 1)
        if not ends:
            return []
        if after + 1 < _number(ends[0][0]) or after > _number(tail[0][0]):
            return None
        rows = await bus.call_redis("XRANGE", keys.events(cluster), f"({after}-1", "+")
        return [(_number(row[0]), row[1][1].decode()) for row in rows]
    return []


def _number(entry_id: bytes) -> int:
    return int(entry_id.partition(b"-")[0])
