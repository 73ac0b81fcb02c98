"""A line between the historian and one of its processes: short msgpack messages, and now and then the end of another line.

The other side gone is ``None`` from ``take`` (the reader of a process that waits ends it: nobody wants its world any more).
"""

import os
import socket
import struct
from typing import Any

import msgspec

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_HEAD = struct.Struct("<I")
READ = 1 << 16


class Closed(Exception):
    """The other side is gone."""


class Channel:
    """One end. Not for two processes at once: after a fork one of them closes it."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self.data = b""
        self.handed: list[int] = []
        """Ends of other lines that came with messages and that nobody took yet."""

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()
        for number in self.handed:
            os.close(number)
        self.handed = []

    def say(self, message: dict[str, Any], end: socket.socket | None = None) -> None:
        """Send; ``end`` goes along (this process still has to close its own copy). Closed."""
        body = _encode(message)
        data = _HEAD.pack(len(body)) + body
        try:
            if end is not None:
                sent = socket.send_fds(self.socket, [data], [end.fileno()])
                data = data[sent:]
            while data:
                data = data[self.socket.send(data) :]
        except BlockingIOError:
            # the other side doesn't read: it is busy, and this message is one too many for the line
            raise Closed from None
        except OSError as error:
            raise Closed from error

    def receive(self) -> bool:
        """Read what has arrived; False: the other side is gone. BlockingIOError when nothing has (and this end doesn't block)."""
        try:
            data, handed, _, _ = socket.recv_fds(self.socket, READ, 8)
        except BlockingIOError:
            raise
        except OSError:
            return False
        self.handed += handed
        self.data += data
        return bool(data)

    def messages(self) -> list[dict[str, Any]]:
        """The complete messages received so far."""
        found: list[dict[str, Any]] = []
        while len(self.data) >= _HEAD.size:
            (length,) = _HEAD.unpack_from(self.data)
            if len(self.data) < _HEAD.size + length:
                break
            found.append(_decode(self.data[_HEAD.size : _HEAD.size + length]))
            self.data = self.data[_HEAD.size + length :]
        return found

    def take(self) -> dict[str, Any] | None:
        """The next message, waited for; None: the other side is gone."""
        while True:
            found = self._one()
            if found is not None:
                return found
            if not self.receive():
                return None

    def _one(self) -> dict[str, Any] | None:
        if len(self.data) < _HEAD.size:
            return None
        (length,) = _HEAD.unpack_from(self.data)
        if len(self.data) < _HEAD.size + length:
            return None
        message = _decode(self.data[_HEAD.size : _HEAD.size + length])
        self.data = self.data[_HEAD.size + length :]
        return message

    def end(self) -> socket.socket:
        """The end of another line that came with the oldest message that brought one."""
        return socket.socket(fileno=self.handed.pop(0))
