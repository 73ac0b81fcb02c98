"""SPDY/3.1, as far as ``kubectl port-forward`` speaks it inside of a websocket: frames to events, answers to frames.

In: bytes of the client → out: events (a stream was opened, a piece of one, its end), and bytes for the client. Headers are compressed by zlib with
the protocol's own dictionary, one window a direction.

Errors: ``Broken`` says what is wrong with the bytes; the connection is of no use after it.

Simplified here: no flow control (the client has none either) and no streams of our own.

Specification: https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/.
"""

import struct
import zlib

from msgspec import Struct

SYN_STREAM, SYN_REPLY, RST_STREAM, SETTINGS, PING, GOAWAY, HEADERS, WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
FIN = 1
MAX_FRAME = 1 << 20
MAX_HEADERS = 1 << 14
WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization "
    "cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range "
    "content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified "
    "location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding "
    "upgrade user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"
)  # fmt: skip
TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found"
    "500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public"
    "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(struct.pack(">I", len(word)) + word.replace("_", " ").encode() for word in WORDS.split()) + TEXT.encode()
)
"""Its checksum stands in every first header block: e3c6a7c2 (tested)."""


class Broken(Exception):
    """The text says what is wrong."""


class Opened(Struct, frozen=True):
    """The client opened a stream."""

    stream: int
    headers: dict[str, str]


class Piece(Struct, frozen=True):
    """Bytes of a stream; ``end``: its last ones."""

    stream: int
    data: bytes
    end: bool


class Spdy:
    """One connection, the server's end."""

    def __init__(self) -> None:
        self._in = zlib.decompressobj(zdict=DICTIONARY)
        self._out = zlib.compressobj(zdict=DICTIONARY)
        self._bytes = b""
        self.answer = b""
        """Frames for the client that follow from what it sent (replies, pings): take them with ``taken``."""

    def feed(self, data: bytes) -> list[Opened | Piece]:
        """What these bytes say."""
        self._bytes += data
        events: list[Opened | Piece] = []
        while len(self._bytes) >= 8:
            first, second = struct.unpack(">II", self._bytes[:8])
            flags, size = second >> 24, second & 0xFFFFFF
            if size > MAX_FRAME:
                raise Broken(f"a frame of {size} bytes")
            if len(self._bytes) < 8 + size:
                break
            body, self._bytes = self._bytes[8 : 8 + size], self._bytes[8 + size :]
            if not first >> 31:
                events.append(Piece(first, body, bool(flags & FIN)))
            else:
                events += self._control(first & 0xFFFF, flags, body)
        return events

    def _control(self, kind: int, flags: int, body: bytes) -> list[Opened | Piece]:
        if kind in (SYN_STREAM, RST_STREAM, PING, HEADERS) and len(body) < 4:
            raise Broken("a frame that is too short")
        number = struct.unpack(">I", body[:4])[0] & 0x7FFFFFFF if len(body) >= 4 else 0
        match kind:
            case 1:
                headers = self._headers(body[10:])
                self.answer += self._frame(SYN_REPLY, 0, struct.pack(">I", number) + self._compressed({}))
                opened: list[Opened | Piece] = [Opened(number, headers)]
                return [*opened, Piece(number, b"", True)] if flags & FIN else opened
            case 3:
                return [Piece(number, b"", True)]
            case 6:
                if number % 2:
                    self.answer += self._frame(PING, 0, body[:4])
            case 8:  # they go through the common window, whoever wants them
                self._headers(body[4:])
        return []

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            text = self._in.decompress(block, MAX_HEADERS)
            (count,) = struct.unpack(">I", text[:4])
            at, words = 4, []
            for _ in range(2 * min(count, 100)):
                (size,) = struct.unpack(">I", text[at : at + 4])
                words.append(text[at + 4 : at + 4 + size].decode("latin-1"))
                at += 4 + size
        except (zlib.error, struct.error) as error:
            raise Broken(f"headers that cannot be read: {error}") from None
        return dict(zip(words[::2], words[1::2], strict=True))

    def _compressed(self, headers: dict[str, str]) -> bytes:
        text = struct.pack(">I", len(headers))
        for word in (word for pair in headers.items() for word in pair):
            text += struct.pack(">I", len(word)) + word.encode("latin-1")
        return self._out.compress(text) + self._out.flush(zlib.Z_SYNC_FLUSH)

    @staticmethod
    def _frame(kind: int, flags: int, body: bytes) -> bytes:
        return struct.pack(">HHI", 0x8003, kind, flags << 24 | len(body)) + body

    def taken(self) -> bytes:
        """The frames that are due to the client."""
        answer, self.answer = self.answer, b""
        return answer

    @staticmethod
    def data(stream: int, data: bytes, end: bool = False) -> bytes:
        """A piece of a stream as a frame."""
        return struct.pack(">II", stream, (FIN if end else 0) << 24 | len(data)) + data
