"""port-forward's two translations: SPDY frames as kubectl sends them, and the pairs of streams that the world's kubelet knows."""

import struct
import zlib

import pytest

from explainer.gateway.spdy import DICTIONARY, Broken, Opened, Piece, Spdy
from explainer.gateway.tunnel import Tunnel


class Client:
    """kubectl's end: frames made by the specification."""

    def __init__(self) -> None:
        self.zlib = zlib.compressobj(zdict=DICTIONARY)
        self.back = zlib.decompressobj(zdict=DICTIONARY)

    def open(self, stream: int, headers: dict[str, str], flags: int = 0) -> bytes:
        text = struct.pack(">I", len(headers))
        for word in (word for pair in headers.items() for word in pair):
            text += struct.pack(">I", len(word)) + word.encode()
        block = self.zlib.compress(text) + self.zlib.flush(zlib.Z_SYNC_FLUSH)
        body = struct.pack(">IIH", stream, 0, 0) + block
        return struct.pack(">HHI", 0x8003, 1, flags << 24 | len(body)) + body


def test_the_dictionary_is_the_protocols() -> None:
    """Every SPDY/3 header block begins 78 bb e3 c6 a7 c2: zlib's mark and the dictionary's checksum."""
    assert len(DICTIONARY) == 1423 and zlib.adler32(DICTIONARY) == 0xE3C6A7C2


def test_streams_open_speak_and_end() -> None:
    client, server = Client(), Spdy()
    first = client.open(1, {"streamtype": "error", "port": "80"}) + Spdy.data(1, b"", end=True)
    second = client.open(3, {"streamtype": "data", "port": "80"})
    wire = first + second + Spdy.data(3, b"GET")
    events = [event for at in range(0, len(wire), 7) for event in server.feed(wire[at : at + 7])]
    assert events == [
        Opened(1, {"streamtype": "error", "port": "80"}),
        Piece(1, b"", True),
        Opened(3, {"streamtype": "data", "port": "80"}),
        Piece(3, b"GET", False),
    ], "however the bytes are cut, and with one window for all headers"
    replies = server.taken()
    head, kind, size = struct.unpack(">HHI", replies[:8])
    assert (head, kind, struct.unpack(">I", replies[8:12])[0]) == (0x8003, 2, 1)
    assert client.back.decompress(replies[12 : 8 + size]) == struct.pack(">I", 0)
    ping = struct.pack(">HHII", 0x8003, 6, 4, 7)
    assert server.feed(ping) == [] and server.taken() == ping
    assert server.feed(struct.pack(">HHIII", 0x8003, 3, 8, 3, 5)) == [Piece(3, b"", True)], "RST_STREAM"


@pytest.mark.parametrize(
    "wire",
    [
        struct.pack(">HHI", 0x8003, 1, 20) + bytes(20),
        struct.pack(">HHI", 0x8003, 1, 2) + bytes(2),
        struct.pack(">II", 1, 0xFFFFFF),
        Client().open(1, {"streamtype": "data", "port": "0"}),
        Client().open(1, {"streamtype": "video", "port": "80"}),
    ],
)
def test_broken_bytes_end_it(wire: bytes) -> None:
    with pytest.raises(Broken):
        Tunnel(lambda channel, data: None).client(wire)


def test_pairs_become_numbered_streams() -> None:
    sent: list[tuple[int, bytes]] = []
    client, tunnel = Client(), Tunnel(lambda channel, data: sent.append((channel, data)))
    for stream, request in ((1, "0"), (5, "1")):
        tunnel.client(client.open(stream, {"streamtype": "error", "port": "8080", "requestid": request}))
        tunnel.client(client.open(stream + 2, {"streamtype": "data", "port": "8080", "requestid": request}))
    tunnel.client(Spdy.data(7, b"hello") + Spdy.data(7, b"", end=True) + Spdy.data(7, b"late"))
    assert sent == [(0, b"\x90\x1f"), (2, b"\x90\x1f"), (2, b"hello"), (2, b"")]
    assert tunnel.world(1, b"refused") == Spdy.data(1, b"refused")
    assert tunnel.world(1, b"") == Spdy.data(1, b"", end=True)
    assert tunnel.world(1, b"more") == tunnel.world(99, b"?") == b"", "that stream has ended, this one never was"
