"""Daphne with two more kinds of door: TLS for the Kubernetes API, and an etcd member's port (JSON gateway and gRPC).

``ClearplaneServer`` is Daphne's ``Server`` that also listens on the TLS port (any client certificate is let through the
handshake and judged afterwards, as an apiserver does) and puts into every scope which door it came by
(``scope["clearplane.door"]``: ``web``, ``kubernetes``, ``etcd/<n>``) and, behind TLS, the connection it belongs to
(``scope["clearplane.connection"]``, a ``Connection``).

Errors: plain HTTP on the TLS port, headers over 1 MiB (431), a missing or doubled Host and what is no request at all are answered
like Go's net/http does; other garbage ends the connection; a body over the limit is not buffered further.

Simplified here: at most 10,000 headers (Go counts only their bytes).

Upstream: Go net/http server.go (``tlsRecordHeaderLooksLikeHTTP``, ``readRequest``, ``DefaultMaxHeaderBytes``); apiserver ``--client-ca-file`` (tls.RequestClientCert).
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.server import Server
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_PEM, load_certificate, load_privatekey
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IOpenSSLContextFactory, IPushProducer
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.web.http import RESPONSES, HTTPChannel
from twisted.web.http_headers import Headers
from zope.interface import implementer

from explainer import pki
from explainer.gateway.etcd_grpc import Sniffer
from explainer.runs.bus import Bus

log = logging.getLogger("clearplane.web")

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
"""An ASGI application."""
BODY_LIMIT = 3 * 1024 * 1024
"""apiserver's limit for a request body (``MaxRequestBodyBytes``). One byte more is kept, so that the excess can be seen."""
HEADER_LIMIT = (1 << 20) + 4096
"""Bytes of a request line and its headers: Go's ``DefaultMaxHeaderBytes`` and the slop it allows for its buffer."""
HTTP_METHODS = (b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO")
NOT_TLS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


class Connection:
    """One TLS or TCP connection: its number, how many requests it carried, and who the certificate says it is."""

    numbers = itertools.count(1)

    def __init__(self, transport: Any) -> None:
        self.number = next(Connection.numbers)
        self.streams = 0
        self.peers: dict[str, dict[str, Any]] = {}
        """Cluster → TlsPeer fields, judged once per cluster."""
        self._cluster: str | None = None
        self._transport = transport

    def handshake(self) -> SSL.Connection | None:
        """The TLS connection, or None on a plain one."""
        get = getattr(self._transport, "getHandle", None)
        handle = get() if get is not None else None
        return handle if isinstance(handle, SSL.Connection) else None

    def cluster(self) -> str:
        """The cluster that the client's TLS server name (SNI) means; empty when it means none."""
        if self._cluster is None:
            tls = self.handshake()
            self._cluster = pki.cluster_of((tls.get_servername() or b"").decode("latin-1")) if tls is not None else ""
        return self._cluster

    def answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Answer a websocket handshake with plain HTTP and close (Daphne itself can only say 403)."""
        lines = [b"HTTP/1.1 %d %b" % (status, RESPONSES.get(status, b"Status"))]
        lines += [name + b": " + value for name, value in headers]
        lines += [b"content-length: %d" % len(body), b"connection: close", b"", body]
        self._transport.write(b"\r\n".join(lines))
        self._transport.loseConnection()

    def local(self) -> Any:
        """The address that the client dialled (``host``, ``port``)."""
        return self._transport.getHost()

    def abort(self) -> None:
        """Break it off without a word, as a dead server's host does."""
        transport = self._transport
        if getattr(transport, "connected", False):
            transport.abortConnection()


@implementer(IPushProducer)
class Throttle:
    """Stops a streaming answer while the client's buffers are full."""

    def __init__(self, request: Any) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._request = request
        request.registerProducer(self, True)

    def pauseProducing(self) -> None:  # noqa: N802
        self._open.clear()

    def resumeProducing(self) -> None:  # noqa: N802
        self._open.set()

    def stopProducing(self) -> None:  # noqa: N802
        self._open.set()

    async def wait(self) -> None:
        """Until there is room."""
        await self._open.wait()

    def release(self) -> None:
        """The answer is over."""
        request, self._request = self._request, None
        if request is not None and request.producer is self and request.channel is not None:
            request.unregisterProducer()


class SniffingTls(TLSMemoryBIOProtocol):
    """TLS, except that a client who speaks HTTP is told so."""

    sniffed = False

    def dataReceived(self, bytes: bytes) -> None:  # noqa: N802 (Twisted's names)
        if not self.sniffed:
            self.sniffed = True
            if bytes[:5] in HTTP_METHODS:
                assert self.transport is not None
                self.transport.write(NOT_TLS)
                self.transport.loseConnection()
                return
        super().dataReceived(bytes)


class LowerCaseHeaders(Headers):
    """Header names as HTTP/2 has them, which is what clients of a real apiserver see (case means nothing in HTTP/1.1)."""

    def getAllRawHeaders(self) -> Iterator[tuple[bytes, Sequence[bytes]]]:  # noqa: N802
        for name, values in super().getAllRawHeaders():
            yield name.lower(), values


class LimitedRequest(WebRequest):
    """A request of the API doors: no more of its body is kept than shows that it is too large."""

    received = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.responseHeaders = LowerCaseHeaders()

    def process(self) -> Any:
        # A websocket leaves this protocol behind, so the connection itself must know its door.
        transport = getattr(self.channel, "transport", None)
        if transport is not None:
            transport.clearplane_door = self.channel.factory.door
        return super().process()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        room = BODY_LIMIT + 1 - self.received
        self.received += len(data)
        if room > 0:
            super().handleContentChunk(data[:room])


class GoChannel(HTTPChannel):
    """One connection's HTTP/1.1, with the limits and the words of Go's server."""

    MAX_LENGTH = totalHeadersSize = HEADER_LIMIT  # noqa: N815 (Twisted's names)
    maxHeaders = 10_000  # noqa: N815

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        if self._receivedHeaderSize + len(line) > HEADER_LIMIT:
            self.refuse(b"431 Request Header Fields Too Large")
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802
        self.refuse(b"431 Request Header Fields Too Large")

    def allHeadersReceived(self) -> None:  # noqa: N802
        hosts = self.requests[-1].requestHeaders.getRawHeaders(b"host") or []
        if self._version == b"HTTP/1.1" and not hosts:
            self.refuse(b"400 Bad Request: missing required Host header")
        elif len(hosts) > 1:
            self.refuse(b"400 Bad Request: too many Host headers")
        else:
            super().allHeadersReceived()

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        self.refuse(b"400 Bad Request")

    def refuse(self, status: bytes) -> None:
        """``HTTP/1.1 <status>``, the same as the body, and the end of the connection."""
        head = b"\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
        self.transport.write(b"HTTP/1.1 " + status + head + status)
        self.persistent, self.length = False, None  # nothing of this request is worked on
        self.loseConnection()


class DoorFactory(HTTPFactory):
    """Daphne's protocol factory for one of our doors."""

    def __init__(self, server: "ClearplaneServer", door: str) -> None:
        super().__init__(server)
        self.door = door

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        protocol = super().buildProtocol(addr)
        protocol._channel.__class__ = GoChannel  # Twisted makes the channel itself, and no name can be given for it
        protocol.requestFactory = LimitedRequest
        return protocol


class EtcdDoorFactory(DoorFactory):
    """The door of one etcd member: the JSON gateway, and gRPC for who speaks HTTP/2."""

    def __init__(self, server: "ClearplaneServer", door: str, bus: Bus) -> None:
        super().__init__(server, door)
        self.bus = bus

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        return Sniffer(self.bus, f"m{self.door.removeprefix('etcd/')}", super().buildProtocol(addr))


@implementer(IOpenSSLContextFactory)
class Contexts:
    """The TLS contexts: one shown by default, others by server name (SNI)."""

    def __init__(self, certificate: bytes, key: bytes) -> None:
        self.named: dict[bytes, SSL.Context] = {}
        self.default = self.make(certificate, key)
        self.default.set_tlsext_servername_callback(self._choose)

    @staticmethod
    def make(certificate: bytes, key: bytes) -> SSL.Context:
        """A context that shows ``certificate`` and asks for one without insisting."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_options(SSL.OP_NO_SSLv2 | SSL.OP_NO_SSLv3 | SSL.OP_NO_TLSv1 | SSL.OP_NO_TLSv1_1)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        context.set_session_id(b"clearplane")
        context.use_certificate(load_certificate(FILETYPE_PEM, certificate))
        context.use_privatekey(load_privatekey(FILETYPE_PEM, key))
        context.set_alpn_select_callback(_choose_protocol)
        return context

    def getContext(self) -> SSL.Context:  # noqa: N802
        return self.default

    def _choose(self, connection: SSL.Connection) -> None:
        context = self.named.get(connection.get_servername() or b"")
        if context is not None:
            connection.set_context(context)


def _choose_protocol(_: SSL.Connection, offered: list[bytes]) -> Any:
    return b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS


def answered(app: App) -> App:
    """``app``, but a bug in it ends the request: with 500 if nothing was said yet, else by cutting the connection.

    Daphne looks for broken applications once a second, and looks no more after one that broke in the middle of its answer.
    """

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        begun = False

        async def sending(message: dict[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, receive, sending)
        except Exception:
            log.exception("the answer to %s broke", scope["path"])
            if begun or scope["type"] != "http":
                scope["clearplane.connection"].abort()
                return
            body = b"Internal Server Error\n"
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 500, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return guarded


class ClearplaneServer(Server):
    """See the module."""

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if isinstance(protocol, WebRequest):
            channel = protocol.channel
        else:  # a websocket: its transport is the one the HTTP channel had
            channel = protocol
        transport = channel.transport
        holder = transport if transport is not None else channel
        connection = getattr(holder, "clearplane_connection", None)
        if connection is None:
            connection = Connection(transport)
            holder.clearplane_connection = connection
        door = getattr(holder, "clearplane_door", None)
        if door is None:
            door = holder.clearplane_door = getattr(channel.factory, "door", "web")
        scope["clearplane.door"] = door
        scope["clearplane.connection"] = connection
        scope["clearplane.request"] = protocol
        return super().create_application(protocol, scope)

    def listen_tls(self, contexts: Contexts, host: str, port: int) -> Any:
        """Open the Kubernetes door. CannotListenError when the port is taken."""
        factory = TLSMemoryBIOFactory(contexts, False, DoorFactory(self, "kubernetes"))
        factory.protocol = SniffingTls
        return reactor.listenTCP(port, factory, backlog=1024, interface=host)  # type: ignore[attr-defined]

    def listen_etcd(self, number: int, bus: Bus, host: str, port: int) -> Any:
        """Open the door of the default cluster's member ``m<number>``. CannotListenError when the port is taken."""
        factory = EtcdDoorFactory(self, f"etcd/{number}", bus)
        return reactor.listenTCP(port, factory, backlog=256, interface=host)  # type: ignore[attr-defined]


__all__ = ["BODY_LIMIT", "CannotListenError", "ClearplaneServer", "Connection", "Contexts", "answered"]
