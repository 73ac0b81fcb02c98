"""etcd's v3 JSON gateway of every member, as raw ASGI: on its own ports for the default cluster, by path for any.

In → ``POST /v3/…`` on the door of a member, or ``/clusters/<c>/etcd/<member>/v3/…`` on the web door; out → what the member
answers, streamed for watches. Like the real one it ignores content types. ``GET /version``, ``/metrics`` and the pages of ``etcd_health`` are
answered like etcd's own by asking the member. Unlike the real one it takes nothing from foreign pages (403, ``explainer.origin``): a page
that somebody has open beside could write keys otherwise.

Errors: a member that is down refuses the connection in the real world; here the connection is cut without an answer on a
member's port, and 503 says so on the web door (it is not the member that answers there).
"""

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from cluster.etcd.gateway import STREAMS, error
from explainer.gateway import etcd_concurrency, etcd_health, etcd_urls
from explainer.gateway.etcd_ask import Down, Member, Refused, without_password
from explainer.gateway.kubernetes import Receive, Scope, Send, read_body
from explainer.origin import foreign_site, names
from explainer.runs import clusters
from explainer.runs.bus import Bus, Failed, Unavailable
from explainer.runs.mail import item

BY_PATH = re.compile(r"/clusters/([^/]+)/etcd/([^/]+)(/(?:v3|health|livez|readyz|metrics|version)(?:/.*)?)$")
BODY_LIMIT = 1536 * 1024
"""etcd's ``--max-request-bytes`` default."""
TEXT = b"text/plain; charset=utf-8"
METRICS = b"text/plain; version=0.0.4; charset=utf-8"


class EtcdApp:
    """The ASGI application of etcd's doors."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = scope["clearplane.door"]
        if door.startswith("etcd/"):
            cluster, member, path = clusters.DEFAULT, f"m{door[5:]}", scope["path"]
        else:
            match = BY_PATH.match(scope["path"])
            assert match is not None
            cluster, member, path = match.groups()
        foreign = foreign_site(names(scope["headers"]))
        if foreign:
            await answer(send, 403, msgspec.json.encode({"error": foreign}))
            return
        body = await read_body(receive)
        healthy = etcd_health.known(path)
        page = healthy or path == "/version"
        if scope["method"] != ("GET" if page else "POST") and (page or path.startswith("/v3")):
            await answer(send, 405, b"Method Not Allowed\n", TEXT, [(b"allow", b"GET")] if page else [])
            return
        if len(body) > BODY_LIMIT:
            await answer(
                send,
                400,
                b'{"error":"etcdserver: request is too large","message":"etcdserver: request is too large","code":3}',
            )
            return
        try:
            if healthy:
                await self._healthy(scope, send, cluster, member, path)
            elif path in etcd_concurrency.CALLS:
                await self._concurrently(scope, receive, send, Member(self.bus, cluster, member), path, body)
            elif path in STREAMS:
                await self._relay(scope, receive, send, cluster, member, path, body)
            else:
                await self._answer(scope, send, cluster, member, path, body)
        except Failed as error:
            await answer(send, error.status, msgspec.json.encode({"error": error.error}))
        except Unavailable as error:
            await answer(send, 503, msgspec.json.encode({"error": str(error)}))

    async def _answer(self, scope: Scope, send: Send, cluster: str, member: str, path: str, body: bytes) -> None:
        """What is answered once. Nobody is told to stop when the client goes away: as at a member, the request takes effect all the same."""
        body = without_password(path, body or b"{}")
        async for piece in self.bus.stream(cluster, "EtcdGatewayIn", member=member, path=path, body=body):
            if not piece.get("status"):
                await _down(scope, send, member, piece)
            else:
                said = piece.get("body", b"")
                if scope["clearplane.door"] != "web" and path.startswith(etcd_urls.PREFIX) and piece["status"] == 200:
                    said = await self._outside(scope, cluster, member, said)
                kind = (METRICS if path == "/metrics" else TEXT) if isinstance(said, str) else b"application/json"
                await answer(send, piece["status"], as_bytes(said), kind)

    async def _concurrently(
        self, scope: Scope, receive: Receive, send: Send, member: Member, path: str, body: bytes
    ) -> None:
        """A lock or an election: whoever goes away while waiting is told to leave the queue."""
        serving = asyncio.ensure_future(self._serve(scope, send, member, path, body))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((serving, gone), return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            gone.cancel()
            serving.cancel()
            await asyncio.wait((serving,))

    async def _serve(self, scope: Scope, send: Send, member: Member, path: str, body: bytes) -> None:
        answers, begun = etcd_concurrency.serve(member, path, body), False
        try:
            async for document in answers:
                if path != etcd_concurrency.OBSERVE:
                    await answer(send, 200, msgspec.json.encode(document))
                    return
                if not begun:
                    begun = True
                    headers = [(b"content-type", b"application/json")]
                    await send({"type": "http.response.start", "status": 200, "headers": headers})
                data = msgspec.json.encode({"result": document}) + b"\n"
                await send({"type": "http.response.body", "body": data, "more_body": True})
        except Refused as refused:
            status, document = error(refused.code, str(refused))
            data = msgspec.json.encode(document)
            if path == etcd_concurrency.OBSERVE:
                data = in_stream({"status": status, "body": document}, data)
            if not begun:
                await answer(send, status, data)
                return
            await send({"type": "http.response.body", "body": data, "more_body": True})
        except Down as down:
            await _down(scope, send, member.name, {"error": str(down)}, begun)
            return
        finally:
            await answers.aclose()
        if begun:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _outside(self, scope: Scope, cluster: str, member: str, said: Any) -> Any:
        """An answer about members with the URLs that this client can reach."""
        document = said if isinstance(said, dict) else msgspec.json.decode(as_bytes(said))
        named = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        at = etcd_urls.place(named, scope["clearplane.connection"].local())
        return await etcd_urls.reachable(self.bus, cluster, document, member, at)

    async def _relay(
        self, scope: Scope, receive: Receive, send: Send, cluster: str, member: str, path: str, body: bytes
    ) -> None:
        call = self.bus.new_call()
        pieces = self.bus.stream(cluster, "EtcdGatewayIn", call=call, member=member, path=path, body=body or b"{}")
        gone = asyncio.ensure_future(_gone(receive))
        begun = False
        try:
            while True:
                following = asyncio.ensure_future(anext(pieces))
                await asyncio.wait((following, gone), return_when=asyncio.FIRST_COMPLETED)
                if not following.done():
                    following.cancel()
                    await asyncio.wait((following,))
                    if path == "/v3/watch":  # nobody listens any more
                        self.bus.send(cluster, "input", item("EtcdWatchIn", call=call, member=member, op="cancel"))
                    return
                piece = following.result()
                if not piece.get("status"):
                    await _down(scope, send, member, piece, begun)
                    return
                data = in_stream(piece, as_bytes(piece.get("body", b"")))
                if not begun:
                    begun = True
                    headers = [(b"content-type", b"application/json")]
                    if piece["done"]:
                        headers.append((b"content-length", b"%d" % len(data)))
                    await send({"type": "http.response.start", "status": piece["status"], "headers": headers})
                await send({"type": "http.response.body", "body": data, "more_body": not piece["done"]})
                if piece["done"]:
                    return
        finally:
            gone.cancel()
            await pieces.aclose()  # type: ignore[attr-defined]

    async def _healthy(self, scope: Scope, send: Send, cluster: str, member: str, path: str) -> None:
        async def ask(path: str, document: dict[str, Any]) -> dict[str, Any]:
            try:
                return await Member(self.bus, cluster, member).ask(path, document, etcd_health.PATIENCE)
            except Refused as refused:
                return {"error": str(refused)}

        try:
            status, text = await etcd_health.check(path, scope.get("query_string", b"").decode("latin-1"), ask)
        except Down as down:
            await _down(scope, send, member, {"error": str(down)})
        else:
            await answer(send, status, text.encode(), TEXT)


def in_stream(piece: dict[str, Any], data: bytes) -> bytes:
    """A piece of a stream: a line; what refuses the stream says so in an object of its own, as grpc-gateway does."""
    status, said = piece["status"], piece.get("body")
    if status == 200:
        return data + b"\n"
    if not isinstance(said, dict) or "code" not in said:
        return data
    problem = {"grpc_code": said["code"], "http_code": status, "message": said["message"]}
    return msgspec.json.encode({"error": problem | {"http_status": HTTPStatus(status).phrase}})


def as_bytes(body: Any) -> bytes:
    """The body of a piece: bytes as they are, a document as JSON."""
    if isinstance(body, bytes):
        return body
    return body.encode() if isinstance(body, str) else msgspec.json.encode(body)


async def answer(
    send: Send, status: int, body: bytes, kind: bytes = b"application/json", more: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """A whole answer, JSON if nothing else is said."""
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *more]
    if kind == TEXT and status >= 400:
        headers.append((b"x-content-type-options", b"nosniff"))  # as Go's http.Error
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _down(scope: Scope, send: Send, member: str, piece: dict[str, Any], begun: bool = False) -> None:
    """The member is down, or died with the request in hand."""
    if scope["clearplane.door"] != "web":
        scope["clearplane.connection"].abort()
    elif begun:  # in the middle of a watch
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    else:
        await answer(send, 503, msgspec.json.encode({"error": f"{member}: {piece.get('error', 'down')}"}))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
