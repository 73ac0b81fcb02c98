"""etcd's v3 JSON gateway of every member, as raw ASGI: on its own ports for the default cluster, by path for any.

In → ``POST /v3/…`` on the door of a member, or ``/clusters/<c>/etcd/<member>/v3/…`` on the web door; out → what the member
answers, streamed for watches. Like the real one it ignores content types. ``GET /health`` and ``/version`` are answered
like etcd's own by asking the member.

Errors: a member that is down refuses the connection in the real world; here the connection is cut without an answer on a
member's port, and 503 says so on the web door (it is not the member that answers there).
"""

import asyncio
import re
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
            await self._relay(scope, receive, send, cluster, member, path, body)
        except Failed as error:
            await answer(send, error.status, msgspec.json.encode({"error": error.error}))
        except Unavailable as error:
            await answer(send, 503, msgspec.json.encode({"error": str(error)}))

    async def _relay(
        self, scope: Scope, receive: Receive, send: Send, cluster: str, member: str, path: str, body: bytes
    ) -> None:
        health = path == "/health"
        if health:
            path, body = "/v3/kv/range", b'{"key":"aGVhbHRo"}'
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
                    if path == "/v3/watch":  # nobody listens any more
                        self.bus.send(cluster, "input", item("EtcdWatchIn", call=call, member=member, op="cancel"))
                    return
                piece = following.result()
                if not piece.get("status"):
                    if scope["clearplane.door"] != "web" and not health:
                        scope["clearplane.connection"].abort()
                    elif begun:  # the member died in the middle of a watch
                        await send({"type": "http.response.body", "body": b"", "more_body": False})
                    else:
                        await answer(
                            send, 503, msgspec.json.encode({"error": f"{member}: {piece.get('error', 'down')}"})
                        )
                    return
                data = as_bytes(piece.get("body", b""))
                if path in STREAMS and piece["status"] == 200:
                    data += b"\n"
                if health:
                    ok = piece["status"] == 200
                    await answer(
                        send, 200 if ok else 503, b'{"health":"%s","reason":""}' % (b"true" if ok else b"false")
                    )
                    return
                if not begun:
                    begun = True
                    plain = isinstance(piece.get("body"), str)
                    headers = [(b"content-type", b"text/plain; charset=utf-8" if plain else b"application/json")]
                    if piece["done"]:
                        headers.append((b"content-length", b"%d" % len(data)))
                    await send({"type": "http.response.start", "status": piece["status"], "headers": headers})
                await send({"type": "http.response.body", "body": data, "more_body": not piece["done"]})
                if piece["done"]:
                    return
        finally:
            gone.cancel()
            await pieces.aclose()  # type: ignore[attr-defined]


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


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
