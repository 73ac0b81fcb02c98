"""Followers: whoever has a page of a cluster open hears where its presenter is.

In → the stream ``{c}:presenter``, which holds one record, JSON ``{url, title, token, seq}`` or ``null``, and expires by itself. Out → each
record without its token, as ``{"presenter": …}``, to every listener. One reader a cluster and process, while somebody listens.
A presenter says where they are every few seconds; who hears nothing for longer has lost them.
"""

import asyncio
import contextlib
from typing import Any, Protocol

import msgspec

from explainer.runs import keys, resp
from explainer.runs.bus import Bus, Unavailable

LISTEN_MS = 20_000
"""How long one wait lasts before the reader looks whether anybody listens still."""


class Listener(Protocol):
    """A socket."""

    async def frame(self, text: str) -> None: ...


def told(record: dict[str, Any] | None) -> dict[str, Any]:
    """The record as others see it."""
    return {"presenter": record and {name: record[name] for name in ("url", "title", "seq")}}


async def current_record(bus: Bus, cluster: str) -> dict[str, Any] | None:
    """The record, or None when nobody presents."""
    rows = await bus.call_redis("XREVRANGE", keys.presenter(cluster), "+", "-", "COUNT", 1)
    return msgspec.json.decode(rows[0][1][1]) if rows else None


async def write(bus: Bus, cluster: str, record: dict[str, Any] | None, seconds: int) -> None:
    """Replace the record; it lasts so many seconds."""
    stream = keys.presenter(cluster)
    await bus.call_redis("XADD", stream, "MAXLEN", 1, "*", "r", msgspec.json.encode(record))
    await bus.call_redis("EXPIRE", stream, seconds)


class Followers:
    """All listeners of this process, by cluster."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.listeners: dict[str, dict[Listener, None]] = {}
        self.readers: dict[str, asyncio.Task[None]] = {}

    async def join(self, cluster: str, listener: Listener) -> None:
        """Tell ``listener`` where the presenter is, now (if there is one) and whenever they say so."""
        self.listeners.setdefault(cluster, {})[listener] = None
        reader = self.readers.get(cluster)
        if reader is None or reader.done():
            self.readers[cluster] = asyncio.ensure_future(self._read(cluster))
        with contextlib.suppress(Unavailable):
            record = await current_record(self.bus, cluster)
            if record:
                await listener.frame(_text(record))

    def leave(self, cluster: str, listener: Listener) -> None:
        """No more for it."""
        self.listeners.get(cluster, {}).pop(listener, None)

    async def _read(self, cluster: str) -> None:
        last = "$"
        while self.listeners.get(cluster):
            link = await self.bus.open()
            try:
                while self.listeners.get(cluster):
                    wait = ("XREAD", "BLOCK", LISTEN_MS, "STREAMS", keys.presenter(cluster), last)
                    for row in (await link.call(*wait) or [[b"", []]])[0][1]:
                        last, record = row[0].decode(), msgspec.json.decode(row[1][1])
                        for listener in list(self.listeners.get(cluster, ())):
                            try:
                                await listener.frame(_text(record))
                            except ConnectionError:  # it is gone, or reads too slowly
                                self.leave(cluster, listener)
            except resp.RedisError:
                await asyncio.sleep(0.2)
            finally:
                link.close()
        self.listeners.pop(cluster, None)


def _text(record: dict[str, Any] | None) -> str:
    return msgspec.json.encode(told(record)).decode()
