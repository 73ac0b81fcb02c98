"""The Kubernetes API of every cluster as raw ASGI: a real request becomes an input, outputs become its answer.

In → an ASGI ``http`` or ``websocket`` scope from the TLS door; the path ``/clusters/<name>/…`` chooses a cluster, any
other the default one. Out → ``HttpIn`` (and ``HttpDataIn``, ``HttpCloseIn``) mail; ``HttpOut`` and ``HttpDataOut`` come back
and are written as they come, so watches stream. Who the client is, is read off the TLS handshake once per connection.

Errors: an unknown cluster is the apiserver's own "404 page not found"; a cut connection inside the world cuts this one; a
cluster that nobody runs at the moment makes clients wait, as an overloaded server would.

Simplified here: only HTTP/1.1 is offered in the handshake; SPDY upgrades (kubectl before 1.30) get 400.
"""

import asyncio
import collections
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from explainer import pki
from explainer.gateway import tunnel
from explainer.gateway.server import Connection, Throttle
from explainer.gateway.spdy import Broken
from explainer.runs import clusters
from explainer.runs.bus import Bus, Failed, NoCluster, Unavailable
from explainer.runs.mail import item

PREFIX = b"/clusters/"
NOT_FOUND = b"404 page not found\n"
SUBPROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io", tunnel.PROTOCOL)
DROPPED = frozenset({b"connection", b"keep-alive", b"transfer-encoding"})
"""Hop-by-hop headers: ours to say, not the world's."""

DISCONNECT_SECONDS = 0.05
"""A client that leaves sooner is noticed this late."""

UNREAD_LIMIT = 32 * 1024 * 1024
"""Bytes waiting for a client that doesn't read; more and its connection is cut, as an apiserver ends a slow watch."""

Send = Any
Receive = Any
Scope = dict[str, Any]


class Outputs:
    """What comes back for one request, in order; None is the client's going away. Nobody waits in two places at once."""

    def __init__(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        self._items: collections.deque[dict[str, Any] | None] = collections.deque()
        self._waiter: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._bytes = 0

    def put(self, output: dict[str, Any] | None) -> None:
        """Take an output. One too many for a client that doesn't read: the client is as good as gone."""
        if output is not None and output["type"] == "HttpDataOut":
            self._bytes += len(output["data"])
            if self._bytes > UNREAD_LIMIT:
                output = None
                self._cut()
        self._items.append(output)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> dict[str, Any] | None:
        """The next output, or None when the client has gone."""
        while not self._items:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        output = self._items.popleft()
        if output is not None and output["type"] == "HttpDataOut":
            self._bytes -= len(output["data"])
        return output

    def watch(self, receive: Receive) -> None:
        """From now on notice the client's going away (not worth a task for what is answered at once)."""
        self.attach(_disconnected(receive))

    def attach(self, reading: Coroutine[Any, Any, None]) -> None:
        """Run ``reading`` beside; its end is the client's end."""
        self._task = asyncio.ensure_future(reading)
        self._task.add_done_callback(lambda task: task.cancelled() or self.put(None))

    def close(self) -> None:
        """Stop noticing."""
        if self._task is not None:
            self._task.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Authorities:
    """Each cluster's CA, read once."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.known: dict[str, pki.Authority] = {}

    async def of(self, cluster: str) -> pki.Authority:
        """NoCluster, Unavailable."""
        found = self.known.get(cluster)
        if found is None:
            await self.bus.require(cluster)
            keys = (await self.bus.spec(cluster)).pki
            found = self.known[cluster] = pki.Authority(keys["ca_cert"], keys["ca_key"])
        return found


class KubernetesApp:
    """The ASGI application behind the TLS door."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.authorities = Authorities(bus)
        bus.changed.append(self._forget_deleted)

    def _forget_deleted(self) -> None:
        for name in [name for name in self.authorities.known if name not in self.bus.known]:
            del self.authorities.known[name]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        connection: Connection = scope["clearplane.connection"]
        cluster, path = split(scope["raw_path"], connection)
        try:
            peer = await self._peer(cluster, connection)
        except NoCluster:
            await _plain(scope, send, 404, NOT_FOUND)
            return
        except (Unavailable, Failed) as error:
            await _plain(scope, send, 503, unavailable(str(error)), b"application/json")
            return
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send, cluster, path, peer)
        else:
            await self._http(scope, receive, send, cluster, path, peer)
        self.bus.counters["gateway_requests"] += 1
        self.bus.counters["gateway_microseconds"] += int((time.perf_counter() - started) * 1e6)

    async def _peer(self, cluster: str, connection: Connection) -> dict[str, Any]:
        if cluster in self.bus.troubles:
            raise Unavailable(self.bus.troubles[cluster])
        peer = connection.peers.get(cluster)
        if peer is None:
            authority = await self.authorities.of(cluster)
            peer = connection.peers[cluster] = peer_of(connection, authority)
        elif cluster not in self.authorities.known:
            await self.authorities.of(cluster)
        return peer

    async def _http(
        self, scope: Scope, receive: Receive, send: Send, cluster: str, path: str, peer: dict[str, Any]
    ) -> None:
        body = await read_body(receive)
        outputs = Outputs(scope["clearplane.connection"].abort)
        where: tuple[str, int] | None = self._open(scope, cluster, path, peer, body, outputs)
        watcher = asyncio.get_running_loop().call_later(DISCONNECT_SECONDS, outputs.watch, receive)
        try:
            output = await outputs.get()
            if output is None or output["type"] == "HttpResetOut":
                if output is not None:
                    await _cut(scope)
                return
            answer = {
                "type": "http.response.start",
                "status": output["code"],
                "headers": headers_out(output["headers"], len(output["body"]) if output["end"] else None),
            }
            await send(answer)
            await send({"type": "http.response.body", "body": output["body"], "more_body": not output["end"]})
            if not output["end"] and not await self._stream(scope, send, outputs):
                return
            where = None
        finally:
            watcher.cancel()
            outputs.close()
            self._close(cluster, scope, where)

    async def _stream(self, scope: Scope, send: Send, outputs: Outputs) -> bool:
        """Pass on what follows an answer's beginning; True when it came to its own end."""
        throttle = Throttle(scope["clearplane.request"])
        try:
            while True:
                output = await outputs.get()
                if output is None:
                    return False
                if output["type"] == "HttpResetOut":
                    await _cut(scope)
                    return False
                if output["type"] == "HttpDataOut":
                    await throttle.wait()
                    if output["end"]:
                        throttle.release()
                    await send({"type": "http.response.body", "body": output["data"], "more_body": not output["end"]})
                    if output["end"]:
                        return True
        finally:
            throttle.release()

    def _open(
        self, scope: Scope, cluster: str, path: str, peer: dict[str, Any], body: bytes, outputs: "Outputs"
    ) -> tuple[str, int]:
        connection: Connection = scope["clearplane.connection"]
        connection.streams += 1
        conn, stream = f"{self.bus.name}/{connection.number}", connection.streams
        scope["clearplane.stream"] = stream
        self.bus.exchanges[(cluster, conn, stream)] = outputs.put
        client = scope.get("client") or ["", 0]
        headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name not in DROPPED
        )
        if scope["type"] == "websocket":
            headers = tuple(pair for pair in headers if pair[0] != "upgrade")
            headers += (("connection", "Upgrade"), ("upgrade", "websocket"))
        request = item(
            "HttpIn",
            conn=conn,
            stream=stream,
            method=scope.get("method", "GET"),
            path=path,
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
            peer=peer,
            remote=f"{client[0]}:{client[1]}",
        )
        self.bus.send(cluster, "input", request)
        return conn, stream

    def _close(self, cluster: str, scope: Scope, where: tuple[str, int] | None) -> None:
        connection: Connection = scope["clearplane.connection"]
        conn, stream = f"{self.bus.name}/{connection.number}", scope["clearplane.stream"]
        self.bus.exchanges.pop((cluster, conn, stream), None)
        if where is not None:
            self.bus.send(cluster, "input", item("HttpCloseIn", conn=conn, stream=stream))

    async def _websocket(
        self, scope: Scope, receive: Receive, send: Send, cluster: str, path: str, peer: dict[str, Any]
    ) -> None:
        outputs = Outputs(scope["clearplane.connection"].abort)
        await receive()  # websocket.connect
        where: tuple[str, int] | None = self._open(scope, cluster, path, peer, b"", outputs)
        try:
            first = await outputs.get()
            if first is None or first["type"] != "HttpOut":
                scope["clearplane.connection"].abort()
                return
            if first["code"] != 101:
                headers = headers_out(first["headers"], None)
                scope["clearplane.connection"].answer(first["code"], headers, first["body"])
                where = None if first["end"] else where
                return
            chosen = next((name for name in SUBPROTOCOLS if name in scope["subprotocols"]), None)
            await send({"type": "websocket.accept", "subprotocol": chosen})
            if chosen == tunnel.PROTOCOL:
                await self._tunnel(receive, send, outputs, cluster, *where)
                return
            outputs.attach(self._client_frames(receive, cluster, *where))
            ended = bool(first["end"])
            while not ended:
                output = await outputs.get()
                if output is None:
                    return
                if output["type"] == "HttpDataOut":
                    if output["data"] or output["channel"] >= 0:
                        frame = bytes([max(output["channel"], 0)]) + output["data"]
                        await send({"type": "websocket.send", "bytes": frame})
                    ended = output["end"]
                else:
                    ended = True
            where = None
            await send({"type": "websocket.close", "code": 1000})
        finally:
            outputs.close()
            self._close(cluster, scope, where)

    async def _tunnel(
        self, receive: Receive, send: Send, outputs: Outputs, cluster: str, conn: str, stream: int
    ) -> None:
        """Carry port-forward's streams until one side has had enough."""

        def put(channel: int, data: bytes) -> None:
            self.bus.send(cluster, "input", item("HttpDataIn", conn=conn, stream=stream, data=data, channel=channel))

        carried = tunnel.Tunnel(put)

        async def client() -> None:
            while (message := await receive())["type"] != "websocket.disconnect":
                try:
                    answer = carried.client(message.get("bytes") or b"")
                except Broken:
                    return
                if answer:
                    await send({"type": "websocket.send", "bytes": answer})

        outputs.attach(client())
        while (output := await outputs.get()) is not None and output["type"] == "HttpDataOut" and not output["end"]:
            frames = carried.world(output["channel"], output["data"])
            if frames:
                await send({"type": "websocket.send", "bytes": frames})
        await send({"type": "websocket.close", "code": 1000})

    async def _client_frames(self, receive: Receive, cluster: str, conn: str, stream: int) -> None:
        """Frames of the client: the first byte is the channel (v5.channel.k8s.io)."""
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes") or (message.get("text") or "").encode()
            if data:
                self.bus.send(
                    cluster,
                    "input",
                    item("HttpDataIn", conn=conn, stream=stream, data=data[1:], channel=data[0]),
                )


def split(raw_path: bytes, connection: Connection) -> tuple[str, str]:
    """(cluster, path inside it) of a raw request path.

    Without a prefix it is the cluster whose name the client gave in the TLS handshake: ``kubectl get --raw`` drops the
    path of the kubeconfig's server, but not its ``tls-server-name``.
    """
    if raw_path.startswith(PREFIX):
        name, slash, rest = raw_path[len(PREFIX) :].partition(b"/")
        return name.decode("latin-1"), (slash + rest).decode("latin-1") or "/"
    return connection.cluster() or clusters.DEFAULT, raw_path.decode("latin-1")


def peer_of(connection: Connection, authority: pki.Authority) -> dict[str, Any]:
    """``TlsPeer`` fields of this connection as that cluster's apiserver sees it."""
    tls = connection.handshake()
    if tls is None:
        return {}
    peer: dict[str, Any] = {
        "version": tls.get_protocol_version_name(),
        "cipher": tls.get_cipher_name() or "",
        "server_name": (tls.get_servername() or b"").decode("latin-1"),
    }
    certificate = tls.get_peer_certificate(as_cryptography=True)
    if certificate is not None:
        peer |= pki.peer_fields(certificate)
        peer["error"] = authority.objection(certificate)
    return peer


def headers_out(headers: Any, length: int | None) -> list[tuple[bytes, bytes]]:
    """The world's headers as ASGI wants them; a length for an answer that is whole.

    As Go writes them: UTF-8 (a warning may quote a Korean name), and a line break is a space.
    """
    out = []
    for name, value in headers:
        if name.lower() not in ("content-length", "connection", "transfer-encoding"):
            out.append((name.encode(), value.replace("\n", " ").replace("\r", " ").encode()))
    if length is not None:
        out.append((b"content-length", b"%d" % length))
    return out


def unavailable(why: str) -> bytes:
    """The Status of a cluster that can't answer at the moment."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": why}
    return msgspec.json.encode(status | {"reason": "ServiceUnavailable", "code": 503}) + b"\n"


async def read_body(receive: Receive) -> bytes:
    """The whole body; Daphne has buffered it already (the door limits how much)."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(pieces)
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _cut(scope: Scope) -> None:
    """Break the connection, as it broke inside the world."""
    scope["clearplane.connection"].abort()


async def _plain(
    scope: Scope, send: Send, status: int, body: bytes, kind: bytes = b"text/plain; charset=utf-8"
) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1002})
        return
    headers = [(b"content-type", kind), (b"x-content-type-options", b"nosniff"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
