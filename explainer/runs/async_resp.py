"""``resp`` in an event loop: everything that is asked within one turn of the loop leaves in one write.

A module of its own because processes without a loop should not pay for asyncio (10 MB).
"""

import asyncio
import collections
from typing import Any

from explainer.runs.resp import Address, Argument, ConnectionLost, Parser, RedisError, pack


class AsyncLink(asyncio.Protocol):
    """A connection in an event loop. Commands of one loop turn leave in one write; replies resolve futures in order."""

    def __init__(self) -> None:
        self.parser = Parser()
        self.waiting: collections.deque[asyncio.Future[Any]] = collections.deque()
        self.pending: list[bytes] = []
        self.transport: asyncio.Transport | None = None
        self.lost: ConnectionLost | None = None

    @staticmethod
    async def open(address: Address) -> "AsyncLink":
        """Connect. OSError when there is nobody."""
        loop = asyncio.get_running_loop()
        if address.path:
            _, link = await loop.create_unix_connection(AsyncLink, address.path)
        else:
            _, link = await loop.create_connection(AsyncLink, address.host, address.port)
        for command in address.hello:
            await link.call(*command)
        return link

    def call(self, *arguments: Argument) -> "asyncio.Future[Any]":
        """Send one command at the end of this loop turn; the future is its reply or raises RedisError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self.lost is not None:
            future.set_exception(self.lost)
            return future
        if not self.pending:
            loop.call_soon(self._flush)
        self.pending.append(pack(*arguments))
        self.waiting.append(future)
        return future

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def _flush(self) -> None:
        data, self.pending = b"".join(self.pending), []
        if self.transport is not None and self.lost is None:
            self.transport.write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for reply in self.parser.feed(data):
            future = self.waiting.popleft()
            if future.done():  # its asker was cancelled
                continue
            if isinstance(reply, RedisError):
                future.set_exception(reply)
            else:
                future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = ConnectionLost("Redis closed the connection")
        while self.waiting:
            future = self.waiting.popleft()
            if not future.done():
                future.set_exception(self.lost)
