"""Connections to Redis (RESP 2): hiredis, Redis' own parser, behind as little as two kinds of process need.

In → command arguments (bytes, str, int); out → ``bytes``, ``int``, ``list`` or ``None``; an error reply is a
``RedisError`` value. ``Link`` blocks (the simulation's one thread); ``async_resp.AsyncLink`` lives in an event loop. Both
speak to a unix socket or to TCP.

Why not redis-py around it: the simulation waits on the socket itself with a deadline in microseconds (a server-side
BLOCK timeout is only looked at ten times a second), all commands of one turn of a web process' loop leave in one
write, and its bookkeeping costs 25 µs a command here and 60 µs there, of a request's half millisecond.

Simplified here: no TLS to Redis, no cluster redirects, no RESP 3 pushes.

Upstream: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

import collections
import socket
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis

Argument = bytes | str | int | float


class RedisError(Exception):
    """An error reply, or a connection that broke (``ConnectionLost``)."""


class ConnectionLost(RedisError):
    """The server went away; whether the command was carried out is unknown."""


class Address:
    """Where a Redis is: ``unix:///path.sock`` or ``redis://[user:password@]host:port/db``."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("unix", "redis") or (parts.scheme == "unix" and not parts.path):
            raise ValueError("REDIS_URL must look like unix:///path.sock or redis://host:port/0")
        self.path = unquote(parts.path) if parts.scheme == "unix" else ""
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or 6379
        self.hello: list[tuple[str, ...]] = []
        if parts.password:
            login = (unquote(parts.username),) if parts.username else ()
            self.hello.append(("AUTH", *login, unquote(parts.password)))
        database = parts.path.strip("/") if parts.scheme == "redis" else ""
        if database not in ("", "0"):
            self.hello.append(("SELECT", database))

    def connect(self, timeout: float) -> socket.socket:
        """A connected, blocking socket. OSError when there is nobody."""
        if not self.path:
            connection = socket.create_connection((self.host, self.port), timeout)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(self.path)
        except OSError:
            connection.close()
            raise
        return connection


def pack(*arguments: Argument) -> bytes:
    """One command as the bytes that go on the wire."""
    return hiredis.pack_command(arguments)  # type: ignore[arg-type]


class Parser:
    """Bytes in, replies out, in order. Keeps what is incomplete for later. Raises RedisError for what is not Redis."""

    def __init__(self) -> None:
        self.reader = hiredis.Reader(protocolError=RedisError, replyError=RedisError)

    def feed(self, data: bytes) -> list[Any]:
        """The replies that ``data`` completed."""
        reader = self.reader
        reader.feed(data)
        replies: list[Any] = []
        while (reply := reader.gets()) is not False:  # False: nothing complete is left (RESP 2 has no booleans)
            replies.append(reply)
        return replies


class Link:
    """A blocking connection. ``OSError`` and ``ConnectionLost`` mean: make a new one."""

    def __init__(self, address: Address, timeout: float = 20.0) -> None:
        self.address = address
        self.socket = address.connect(timeout)
        self.parser = Parser()
        self.ready: collections.deque[Any] = collections.deque()
        for command in address.hello:
            self.call(*command)

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()

    def send(self, *arguments: Argument) -> None:
        """Send a command without waiting for its reply."""
        self.socket.sendall(pack(*arguments))

    def reply(self) -> Any:
        """The next reply, waited for. Error replies are raised."""
        while not self.ready:
            self._receive()
        reply = self.ready.popleft()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def poll(self) -> Any:
        """The next reply if its bytes are here already (the socket was readable), else None."""
        if not self.ready:
            self._receive()
        if not self.ready:
            return None
        reply = self.ready.popleft()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def call(self, *arguments: Argument) -> Any:
        """Send one command, wait for its reply."""
        self.send(*arguments)
        return self.reply()

    def pipeline(self, commands: list[tuple[Argument, ...]]) -> list[Any]:
        """Send all, then read all replies; the first error is raised after all were read."""
        self.socket.sendall(b"".join(pack(*command) for command in commands))
        replies: list[Any] = []
        failed: RedisError | None = None
        for _ in commands:
            try:
                replies.append(self.reply())
            except ConnectionLost:
                raise
            except RedisError as error:
                failed = failed or error
                replies.append(None)
        if failed is not None:
            raise failed
        return replies

    def _receive(self) -> None:
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionLost("Redis closed the connection")
        self.ready.extend(self.parser.feed(data))
