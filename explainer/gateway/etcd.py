"""etcd's v3 JSON gateway of every member, as raw ASGI: on its own ports for the default cluster, by path for any.

In → ``POST /v3/…`` on the door of a member, or ``/clusters/<c>/etcd/<member>/v3/…`` on the web door; out → what the member
answers, streamed for watches. Like the real one it ignores content types. ``GET /health`` and ``/version`` are answered
like etcd's own by asking the member.

Errors: a member that is down refuses the connection in the real world; here the connection is cut without an answer on a
member's port, and 503 says so on the web door (it is not the member that answers there).
"""

import asyncio
import re
from http import HTTPStatus
from typing import Any

import msgspec

from cluster.etcd.gateway import STREAMS
from explainer.gateway.kubernetes import Receive, Scope, Send, read_body
from explainer.runs import clusters
from explainer.runs.bus import Bus, Failed, Unavailable
from explainer.runs.mail import item

BY_PATH = re.compile(r"/clusters/([^/]+)/etcd/([^/]+)(/(?:v3|health|version)(?:/.*)?)$")
BODY_LIMIT = 1536 * 1024
"""etcd's ``--max-request-bytes`` default."""
HEALTH_PATIENCE = 1.0
"""Seconds that a health check waits for its read, as measured at etcd 3.4 (3.5 waits 7)."""
VERSION = b'{"etcdserver":"3.5.26","etcdcluster":"3.5.0"}'


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
        body = await read_body(receive)
        allowed = ("GET", "HEAD") if path in ("/version", "/health") else ("POST",)
        if scope["method"] not in allowed and (allowed != ("POST",) or path.startswith("/v3")):
            await answer(send, 405, b"Method Not Allowed\n", b"text/plain; charset=utf-8")
            return
        if path == "/version":
            await answer(send, 200, VERSION)
            return
        if len(body) > BODY_LIMIT:
            await answer(
                send,
                400,
                b'{"error":"etcdserver: request is too large","message":"etcdserver: request is too large","code":3}',
            )
            return
        try:
            if path == "/health":
                await self._health(scope, send, cluster, member)
                return
            if path in STREAMS:
                await self._relay(scope, receive, send, cluster, member, path, body)
            else:
                await self._answer(scope, send, cluster, member, path, body)
        except Failed as error:
            await answer(send, error.status, msgspec.json.encode({"error": error.error}))
        except Unavailable as error:
            await answer(send, 503, msgspec.json.encode({"error": str(error)}))

    async def _answer(self, scope: Scope, send: Send, cluster: str, member: str, path: str, body: bytes) -> None:
        """What is answered once. Nobody is told to stop when the client goes away: as at a member, the request takes effect all the same."""
        async for piece in self.bus.stream(cluster, "EtcdGatewayIn", member=member, path=path, body=body or b"{}"):
            if not piece.get("status"):
                await _down(scope, send, member, piece)
            else:
                said = piece.get("body", b"")
                kind = b"text/plain; charset=utf-8" if isinstance(said, str) else b"application/json"
                await answer(send, piece["status"], as_bytes(said), kind)

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

    async def _health(self, scope: Scope, send: Send, cluster: str, member: str) -> None:
        """As etcd 3.5 finds out: alarms, a leader, and a linearizable read (or, on request, one of the member's own)."""
        local = b"serializable=true" in scope.get("query_string", b"")
        try:
            found = await self._once(cluster, member, "/v3/maintenance/status", b"{}")
            reason = ill(found.get("errors", []), local)
            if not reason:
                request = {"key": "AA==", "range_end": "AA==", "limit": 1, "keys_only": True, "serializable": local}
                found = await self._once(cluster, member, "/v3/kv/range", msgspec.json.encode(request), HEALTH_PATIENCE)
                reason = f"RANGE ERROR:{found['error']}" if "error" in found else ""
        except Down as down:
            await _down(scope, send, member, {"error": str(down)})
            return
        except Unavailable:
            reason = "RANGE ERROR:context deadline exceeded"
        said = msgspec.json.encode({"health": "false" if reason else "true", "reason": reason})
        await answer(send, 503 if reason else 200, said + b"\n" * bool(reason), b"text/plain; charset=utf-8")

    async def _once(
        self, cluster: str, member: str, path: str, body: bytes, patience: float | None = None
    ) -> dict[str, Any]:
        """The one answer to a request, as a document. Down, Unavailable, Failed."""
        async for piece in self.bus.stream(cluster, "EtcdGatewayIn", patience, member=member, path=path, body=body):
            if not piece.get("status"):
                raise Down(piece.get("error", "down"))
            try:
                found = msgspec.json.decode(as_bytes(piece.get("body", b"{}")))
            except msgspec.DecodeError:
                found = None
            return found if isinstance(found, dict) else {}
        raise Unavailable("no answer")


class Down(Exception):
    """The member does not run."""


def ill(errors: list[str], local: bool) -> str:
    """Why a member with these ``errors`` in its status is not healthy; "" if it is."""
    for error in errors:
        if "alarm:" in error:
            return f"ALARM {error.split('alarm:')[1].strip()}"
    return "RAFT NO LEADER" if not local and "etcdserver: no leader" in errors else ""


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


async def answer(send: Send, status: int, body: bytes, kind: bytes = b"application/json") -> None:
    """A whole answer, JSON if nothing else is said."""
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
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
