"""``kubectl port-forward``: the streams of a SPDY connection inside of a websocket ↔ the numbered streams of the world's kubelet.

kubectl opens two streams for each connection of its own client, with the headers ``streamtype`` (error, data), ``port`` and ``requestid``. The n-th pair
is stream ``2n`` (data) and ``2n + 1`` (error) in the world, see ``cluster/kubelet/forward.py``.

Errors: ``Broken``.
"""

from collections.abc import Callable

from explainer.gateway.spdy import Broken, Opened, Spdy

PROTOCOL = "SPDY/3.1+portforward.k8s.io"
MOST_STREAMS = 2000


class Tunnel:
    """``send(channel, data)`` puts a piece into the world."""

    def __init__(self, send: Callable[[int, bytes], None]) -> None:
        self._send = send
        self._spdy = Spdy()
        self._pairs: dict[str, int] = {}
        self._channels: dict[int, int] = {}
        self._streams: dict[int, int] = {}
        self._ended: set[int] = set()

    def client(self, data: bytes) -> bytes:
        """Bytes of the client; what it is due at once."""
        for event in self._spdy.feed(data):
            if isinstance(event, Opened):
                self._opened(event)
                continue
            channel = self._channels.get(event.stream)
            if channel is None or channel % 2 or channel in self._ended:
                continue
            if event.data:
                self._send(channel, event.data)
            if event.end:
                self._ended.add(channel)
                self._send(channel, b"")
        return self._spdy.taken()

    def _opened(self, event: Opened) -> None:
        kind, port = event.headers.get("streamtype", ""), event.headers.get("port", "")
        if kind not in ("data", "error") or not port.isdigit() or not 0 < int(port) < 65536:
            raise Broken(f"a stream of type {kind!r} to port {port!r}")
        if len(self._channels) >= MOST_STREAMS:
            raise Broken(f"more than {MOST_STREAMS} streams")
        number = self._pairs.setdefault(event.headers.get("requestid", ""), len(self._pairs))
        channel = 2 * number + (kind == "error")
        self._channels[event.stream], self._streams[channel] = channel, event.stream
        if kind == "data":
            self._send(channel, int(port).to_bytes(2, "little"))

    def world(self, channel: int, data: bytes) -> bytes:
        """A piece from the world; frames for the client. Empty: the end of that stream."""
        stream = self._streams.get(channel)
        if stream is None:
            return b""
        if not data:
            del self._streams[channel]
            if channel not in self._ended and not channel % 2:
                self._ended.add(channel)
        return self._spdy.data(stream, data, end=not data)
