"""etcd's gRPC on its members' own ports, so that a real ``etcdctl`` works: HTTP/2 by h2, messages by transcoding.

In → a TCP connection that begins with HTTP/2's preface (anything else on the port is the JSON gateway's); out → what the
member answers. A call is a stream; ``Watch`` and ``LeaseKeepAlive`` go both ways for as long as the client likes.

Errors: the member's own gRPC status and text; a member that is down breaks the connection, as its kernel would; a call that isn't
there answers UNIMPLEMENTED with a sentence; a message over etcd's limit RESOURCE_EXHAUSTED, as grpc-go says it.

Upstream: etcd server/etcdserver/api/v3rpc, the gRPC over HTTP/2 protocol document.

Simplified here: no compression of messages is offered or understood; ``grpc-timeout`` is the client's to keep.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import msgspec
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from explainer.gateway import etcd_concurrency as concurrency
from explainer.gateway import etcd_messages as messages
from explainer.gateway import etcd_urls
from explainer.gateway.etcd_ask import Down, Member, Refused, result
from explainer.gateway.etcd_watches import Watches
from explainer.runs import clusters
from explainer.runs.bus import Bus, Failed, Unavailable

PREFACE = b"PRI * HTTP/2.0\r\n"
MESSAGE_LIMIT = 2 * 1024 * 1024
"""etcd's server takes 1.5 MiB of request and 512 KiB of overhead."""
STREAMS = 250
"""Calls at once on one connection (HTTP/2's SETTINGS_MAX_CONCURRENT_STREAMS)."""
UNKNOWN, NOT_FOUND, EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 2, 5, 8, 12, 13, 14


class Call:
    """One stream: messages in, messages out, a status at the end."""

    def __init__(self, connection: GrpcProtocol, stream: int, path: str, authority: str = "") -> None:
        self.connection = connection
        self.stream = stream
        self.path = path
        self.authority = authority
        self.arrived: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.rest = bytearray()
        self.begun = False
        self.outgoing = bytearray()
        self.trailers: list[tuple[str, str]] | None = None
        self.task = asyncio.ensure_future(self._run())

    # -- in -------------------------------------------------------------------------------------------------------

    def data(self, data: bytes) -> None:
        """Bytes of the request: whole messages go to the call. Refused when one is compressed or too large."""
        self.rest += data
        while len(self.rest) >= 5:
            compressed, size = self.rest[0], int.from_bytes(self.rest[1:5], "big")
            if compressed:
                raise Refused(UNIMPLEMENTED, "grpc: Decompressor is not installed for grpc-encoding")
            if size > MESSAGE_LIMIT:
                raise Refused(EXHAUSTED, f"grpc: received message larger than max ({size} vs. {MESSAGE_LIMIT})")
            if len(self.rest) < 5 + size:
                return
            self.arrived.put_nowait(bytes(self.rest[5 : 5 + size]))
            del self.rest[: 5 + size]

    def ended(self) -> None:
        """The client has said all."""
        self.arrived.put_nowait(None)

    async def requests(self) -> AsyncIterator[bytes]:
        """The messages of the client, until it has said all."""
        while (data := await self.arrived.get()) is not None:
            yield data

    @staticmethod
    def read(data: bytes, name: str) -> dict[str, Any]:
        """A message of the client as a document. Refused."""
        return _document(data, name)

    # -- out ------------------------------------------------------------------------------------------------------

    def answer(self, document: dict[str, Any], name: str) -> None:
        """Send a message."""
        data = messages.from_document(document, name)
        if not self.begun:
            self.begun = True
            self.connection.headers(self.stream, [(":status", "200"), ("content-type", "application/grpc")], False)
        self.outgoing += b"\0" + len(data).to_bytes(4, "big") + data
        self.connection.flush(self)

    def close(self, code: int = 0, text: str = "") -> None:
        """End the call with a status; what is still to be sent goes first."""
        status = [("grpc-status", str(code))]
        if text:
            status.append(("grpc-message", quote(text, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")))
        if not self.begun:
            self.connection.headers(
                self.stream, [(":status", "200"), ("content-type", "application/grpc"), *status], True
            )
            self.connection.forget(self)
            return
        self.trailers = status
        self.connection.flush(self)

    async def _run(self) -> None:
        try:
            await self.connection.serve(self)
        except Refused as refusal:
            self.close(refusal.code, str(refusal))
        except Down:
            self.connection.abort()
        except Unavailable as error:
            self.close(UNAVAILABLE, str(error))
        except Failed as error:
            self.close(UNKNOWN, error.error)
        else:
            self.close()


@implementer(IProtocol)
class GrpcProtocol(Protocol):
    """One connection to one member."""

    def __init__(self, bus: Bus, member: str, cluster: str = clusters.DEFAULT) -> None:
        self.bus, self.member, self.cluster = bus, member, cluster
        self.asked = Member(bus, cluster, member)
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.calls: dict[int, Call] = {}
        self.early: bytearray | None = bytearray()
        """What the client said before the member was found running; None once it was."""
        self.knocking: asyncio.Task[None] | None = None

    # -- the wire -------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:  # noqa: N802 (Twisted's names)
        self.knocking = asyncio.ensure_future(self._knock())

    async def _knock(self) -> None:
        """Nobody shakes hands for a member that is down: then the client's dialling fails, as it would at a dead host."""
        try:
            await self.asked.ask("/v3/maintenance/status", {})
        except (Down, Unavailable, Failed):
            self.abort()
            return
        except Refused:
            pass  # it runs, whatever it says
        self.http.initiate_connection()
        self.http.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS})
        self._send()
        early, self.early = self.early, None
        if early:
            self.dataReceived(bytes(early))

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self.early is not None:
            self.early += data
            if len(self.early) > MESSAGE_LIMIT:
                self.abort()
            return
        try:
            events = self.http.receive_data(data)
        except ProtocolError:
            self._send()
            self._lose()
            return
        for event in events:
            self._happened(event)
        self._send()

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        if self.knocking is not None:
            self.knocking.cancel()
        for call in list(self.calls.values()):
            call.task.cancel()
        self.calls.clear()

    def _happened(self, event: Any) -> None:
        match event:
            case RequestReceived():
                said = {str(name): str(value) for name, value in event.headers or ()}
                call = Call(self, event.stream_id, said.get(":path", ""), said.get(":authority", ""))
                self.calls[event.stream_id] = call
            case DataReceived():
                self.http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                call = self.calls.get(event.stream_id)
                if call is not None and event.data:
                    self._give(call, event.data)
            case StreamEnded():
                call = self.calls.get(event.stream_id)
                if call is not None:
                    call.ended()
            case StreamReset():
                call = self.calls.pop(event.stream_id, None)
                if call is not None:
                    call.task.cancel()
            case WindowUpdated():
                for call in list(self.calls.values()):
                    self.flush(call)
            case ConnectionTerminated():
                self._lose()
            case _:
                pass

    def _give(self, call: Call, data: bytes) -> None:
        try:
            call.data(data)
        except Refused as refusal:
            call.task.cancel()
            call.close(refusal.code, str(refusal))

    def headers(self, stream: int, headers: list[tuple[str, str]], end: bool) -> None:
        """Send headers (or trailers) of a stream, if it is still there."""
        with contextlib.suppress(ProtocolError):
            self.http.send_headers(stream, headers, end_stream=end)
        self._send()

    def flush(self, call: Call) -> None:
        """Send as much of the call's answer as the client's windows take; then its trailers."""
        with contextlib.suppress(ProtocolError):
            while call.outgoing:
                room = min(self.http.local_flow_control_window(call.stream), self.http.max_outbound_frame_size)
                if room <= 0:
                    break
                self.http.send_data(call.stream, bytes(call.outgoing[:room]))
                del call.outgoing[:room]
            if not call.outgoing and call.trailers is not None:
                self.http.send_headers(call.stream, call.trailers, end_stream=True)
                self.forget(call)
        self._send()

    def forget(self, call: Call) -> None:
        """The call is over. A client that still speaks is told to stop."""
        if self.calls.pop(call.stream, None) is not None and not call.arrived.empty():
            with contextlib.suppress(ProtocolError):
                self.http.reset_stream(call.stream, ErrorCodes.NO_ERROR)

    def abort(self) -> None:
        """Break the connection off without a word."""
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def _lose(self) -> None:
        transport: Any = self.transport
        if transport is not None:
            transport.loseConnection()

    def _send(self) -> None:
        data = self.http.data_to_send()
        transport: Any = self.transport
        if data and transport is not None:
            transport.write(data)

    # -- calls ----------------------------------------------------------------------------------------------------

    async def serve(self, call: Call) -> None:
        """Answer one call. Refused, Down, Unavailable, Failed."""
        if call.path == messages.WATCH:
            await Watches(self, call).run()
            return
        if call.path == messages.KEEP_ALIVE:
            async for data in call.requests():
                document = await self.asked.ask(messages.KEEP_ALIVE_PATH, _document(data, "LeaseKeepAliveRequest"))
                call.answer(document, "LeaseKeepAliveResponse")
            return
        if call.path == messages.SNAPSHOT:
            await self._snapshot(call)
            return
        if call.path == messages.HEALTH:  # the server's own, whatever the cluster is doing
            if _document(await call.arrived.get() or b"", "HealthCheckRequest").get("service"):
                raise Refused(NOT_FOUND, "unknown service")
            call.answer({"status": "SERVING"}, "HealthCheckResponse")
            return
        if call.path in concurrency.BY_GRPC:
            await self._concurrently(call, concurrency.BY_GRPC[call.path])
            return
        known = messages.CALLS.get(call.path)
        if known is None:
            service, _, method = call.path.strip("/").partition("/")
            raise Refused(UNIMPLEMENTED, f"unknown method {method} for service {service}: Clearplane does not have it")
        data = await call.arrived.get()
        answer = await self.asked.ask(known.path, _document(data or b"", known.request))
        if known.path.startswith(etcd_urls.PREFIX):
            local = self.transport.getHost() if self.transport is not None else None
            at = etcd_urls.place(call.authority, local)
            answer = await etcd_urls.reachable(self.bus, self.cluster, answer, self.member, at)
        call.answer(answer, known.response)

    async def _concurrently(self, call: Call, path: str) -> None:
        known = concurrency.CALLS[path]
        data = await call.arrived.get()
        said = msgspec.json.encode(_document(data or b"", known.request))
        answers = concurrency.serve(self.asked, path, said)
        try:
            async for answer in answers:
                call.answer(answer, known.response)
        finally:
            await answers.aclose()

    async def _snapshot(self, call: Call) -> None:
        await call.arrived.get()
        pieces = self.bus.stream(
            self.cluster, "EtcdGatewayIn", member=self.member, path=messages.SNAPSHOT_PATH, body=b"{}"
        )
        async for piece in pieces:
            call.answer(result(piece), "SnapshotResponse")


def _document(data: bytes, name: str) -> dict[str, Any]:
    try:
        return messages.to_document(data, name)
    except ValueError as error:
        raise Refused(INTERNAL, f"grpc: failed to unmarshal the received message: {error}") from error


class Sniffer(Protocol):
    """An etcd port: who begins with HTTP/2's preface gets gRPC, everybody else the JSON gateway."""

    def __init__(self, bus: Bus, member: str, other: Any) -> None:
        self.bus, self.member, self.other = bus, member, other
        self.chosen: Any = None
        self.first = b""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self.chosen is None:
            self.first += data
            if len(self.first) < len(PREFACE) and PREFACE.startswith(self.first):
                return
            grpc = self.first.startswith(PREFACE)
            self.chosen = GrpcProtocol(self.bus, self.member) if grpc else self.other
            data, self.first = self.first, b""
            transport: Any = self.transport
            transport.protocol = self.chosen  # from here on it is the chosen one's connection
            self.chosen.makeConnection(transport)
        self.chosen.dataReceived(data)
