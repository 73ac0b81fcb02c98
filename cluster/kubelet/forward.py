"""``kubectl port-forward``: bytes of a client's own connections, taken into a pod's network namespace.

In: pieces of stream ``2n`` of the n-th connection: first its port (two bytes, little end first), then what the client sends, an empty piece at its
end → out: what the program in the pod answers on stream ``2n``, why nothing came on ``2n + 1``; an empty piece ends each of the two.
The program is reached by the pod's own loopback, as the real one is: no Service, no rule of the node and no NetworkPolicy sees these packets.

Simplified here: a program answers HTTP; a connection carries one request and its answer, and is closed then (``Connection: close``).

Upstream: pkg/kubelet/server/server.go, containerd pkg/cri/server/sandbox_portforward_linux.go (texts).
"""

from typing import Any

from msgspec import Struct, field

from cluster.kubelet.agent import Agent
from cluster.kubelet.state import PodRun
from cluster.network.programs.curl import REASONS
from cluster.network.servers import Answer, Request
from cluster.sim import Outbox
from cluster.wire.http import HttpChunk, HttpRequest, HttpResponse
from cluster.wire.packet import NetCall, NetDone

MAX_CONNECTIONS = 100
"""Open at a time in one port-forward."""
MAX_REQUEST = 1 << 20
"""Bytes of a request."""
METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT")
NOT_HTTP = "programs in simulated pods answer plain HTTP through a forwarded port, and this was none"


class Connection(Struct):
    """One connection of the client. ``asked``: its request is with the program."""

    port: int
    data: bytes = b""
    asked: bool = False


class Forward(Struct):
    """One ``kubectl port-forward``."""

    client: str
    uid: str
    connections: dict[int, Connection] = field(default_factory=dict)


class Forwarding(Agent):
    """A layer of the kubelet."""

    def forward(self, src: str, request: HttpRequest, run: PodRun, out: Outbox) -> None:
        """The stream is open; connections come on it."""
        out.send(src, HttpResponse(request.id, 101, (("upgrade", "websocket"), ("connection", "Upgrade")), stream=True))
        self.state.forwards[request.id] = Forward(src, run.uid)

    def forwarded(self, chunk: HttpChunk, out: Outbox) -> None:
        """A piece of a client's connection."""
        forward = self.state.forwards[chunk.id]
        number, odd = divmod(chunk.channel, 2)
        if odd or chunk.channel < 0:
            return
        connection = forward.connections.get(number)
        if connection is None:
            if len(chunk.data) == 2:
                forward.connections[number] = Connection(int.from_bytes(chunk.data, "little"))
                if len(forward.connections) > MAX_CONNECTIONS:
                    self._close(chunk.id, number, f"more than {MAX_CONNECTIONS} connections at a time", out)
            return
        if not chunk.data:
            if not connection.asked:
                self._close(chunk.id, number, "", out)
            return
        connection.data += chunk.data
        if connection.asked:
            return
        try:
            request = read_request(connection.data)
        except ValueError as error:
            self._close(chunk.id, number, str(error), out)
            return
        run = self.state.pods.get(forward.uid)
        if request is not None and run is not None:
            connection.asked = True
            call = out.next_id()
            self.state.forward_calls[call] = (chunk.id, number)
            uid = "" if run.doc["spec"].get("hostNetwork") else run.uid
            out.send(self.config.kernel, NetCall(call, uid, "tcp", "127.0.0.1", connection.port, request))

    def forward_answered(self, done: NetDone, out: Outbox) -> None:
        """The program answered, or nothing listens there."""
        request, number = self.state.forward_calls.pop(done.id)
        forward = self.state.forwards.get(request)
        connection = forward.connections.get(number) if forward is not None else None
        if forward is None or connection is None:
            return
        run = self.state.pods.get(forward.uid)
        if done.error:
            self._close(request, number, _refused(connection.port, run), out)
            return
        asked = read_request(connection.data)
        data = response_bytes(done.payload, asked.method if asked is not None else "GET")
        if data:
            out.send(forward.client, HttpChunk(request, data, channel=2 * number))
        self._close(request, number, "", out)

    def _close(self, request: int, number: int, why: str, out: Outbox) -> None:
        forward = self.state.forwards[request]
        forward.connections.pop(number, None)
        if why:
            out.send(forward.client, HttpChunk(request, why.encode(), channel=2 * number + 1))
        out.send(forward.client, HttpChunk(request, b"", channel=2 * number + 1))
        out.send(forward.client, HttpChunk(request, b"", channel=2 * number))


def _refused(port: int, run: PodRun | None) -> str:
    name = f"cni-{run.uid}" if run is not None else "cni"
    space = f'"/var/run/netns/{name}"'
    return (
        f"error forwarding port {port} to pod {run.uid if run is not None else ''}, uid : failed to execute portforward in network namespace "
        f"{space}: failed to connect to localhost:{port} inside namespace {space}, IPv4: dial tcp4 127.0.0.1:{port}: connect: connection "
        f"refused IPv6 dial tcp6: address localhost: no suitable address found "
    )


def read_request(data: bytes) -> Request | None:
    """The HTTP request that these bytes begin with; None: it isn't whole yet. ValueError: it is none."""
    first = data.split(b" ", 1)[0]
    if not any(method.startswith(first) if b" " not in data else method == first for method in METHODS):
        raise ValueError(NOT_HTTP)
    if len(data) > MAX_REQUEST:
        raise ValueError(f"a request of more than {MAX_REQUEST} bytes is not taken through a forwarded port")
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return None
    start, *lines = head.decode("latin-1").split("\r\n")
    words = start.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise ValueError(NOT_HTTP)
    headers = tuple((name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    known = {name.lower(): value for name, value in headers}
    if "chunked" in known.get("transfer-encoding", ""):
        raise ValueError("a request in chunks is not taken through a forwarded port")
    length = known.get("content-length", "0")
    if not length.isdigit():
        raise ValueError(NOT_HTTP)
    if len(body) < int(length):
        return None
    kept = tuple(
        (name, value) for name, value in headers if name.lower() not in ("host", "connection", "content-length")
    )
    return Request(
        words[0], words[1], known.get("host", "localhost"), kept, body[: int(length)].decode("utf-8", "replace")
    )


def response_bytes(answer: Any, method: str) -> bytes:
    """An answer as bytes; b"": the program closed without one."""
    if not isinstance(answer, Answer) or answer.broken:
        return b"-ERR\r\n" if isinstance(answer, Answer) and answer.broken == "http0.9" else b""
    body = answer.body.encode()
    lines = [f"HTTP/1.1 {answer.code} {REASONS.get(answer.code, '')}".rstrip()]
    lines += [f"Server: {answer.server}"] if answer.server else []
    lines += [f"Content-Type: {answer.kind}", f"Content-Length: {len(body)}", *(f"{n}: {v}" for n, v in answer.headers)]
    head = "\r\n".join([*lines, "Connection: close", "", ""]).encode()
    return head + (b"" if method == "HEAD" else body)
