"""The pages under test as one ASGI application: Django, static files, and a feed that plays what a test puts in.

``python -m tests.browser.site PORT`` serves it. Control calls are recorded, not obeyed; a test reads them, and sends frames, under ``/-/``.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from tests.browser import fixture_world

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


class Policy:
    """Sends the strict Content-Security-Policy with every page."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[..., Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if iscoroutinefunction(self):
            return self._later(request)
        response = self.get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    async def _later(self, request: Any) -> Any:
        response = await self.get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response


policy = Policy


class Site:
    """Django behind a feed and a control API that a test holds in its hands."""

    def __init__(self) -> None:
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.browser.settings"
        import django

        django.setup()
        from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
        from django.core.asgi import get_asgi_application

        self.pages = ASGIStaticFilesHandler(get_asgi_application())
        self.calls: list[tuple[str, str, Any]] = []
        self.sockets: list[asyncio.Queue[str | None]] = []
        self.clock = {"nowMicros": fixture_world.NOW, "rate": 1, "paused": False}
        self.cursor = 0
        self.hellos: list[Any] = []
        self.refuse_sockets = False
        self.bookmarks: list[dict[str, Any]] = []
        self.limits: dict[str, int] = {}

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] == "websocket":
            await self._feed(receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(("/api/", "/-/")):
            await self._api(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/static/"):
            await self.pages(scope, receive, _kept(send))
        elif scope["type"] == "http":
            await self.pages(scope, receive, send)

    async def _feed(self, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        await receive()
        if self.refuse_sockets:
            await send({"type": "websocket.close", "code": 1013})
            return
        await send({"type": "websocket.accept"})
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.sockets.append(queue)

        async def hear() -> None:
            while (message := await receive())["type"] != "websocket.disconnect":
                self.hellos.append(json.loads(message.get("text") or "null"))
            queue.put_nowait(None)

        listener = asyncio.ensure_future(hear())
        while (text := await queue.get()) not in (None, "close"):
            await send({"type": "websocket.send", "text": text})
        self.sockets.remove(queue)
        if text == "close":
            await send({"type": "websocket.close", "code": 1012})
        listener.cancel()

    async def _api(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        said = json.loads(body) if body else None
        answer: Any = {}
        if scope["path"].startswith("/-/"):
            answer = await self._hands(scope["path"], said)
        elif scope["method"] != "GET" or not scope["path"].endswith(("/history/tape", "/history", "/bookmarks")):
            self.calls.append((scope["method"], scope["path"], said))
        if "/clock" in scope["path"]:
            self.clock |= {k: v for k, v in (said or {}).items() if k in ("rate", "paused")}
            answer = self.clock
        elif scope["path"].endswith("/console"):
            answer = {
                "stdout": "NAME   STATUS   ROLES\nnode-1 Ready    <none>\n",
                "stderr": "",
                "exitCode": 0,
                "requests": [4102],
            }
            if "nonsense" in said["line"]:
                answer = {"stdout": "", "stderr": "nonsense: command not found\n", "exitCode": 127, "requests": []}
        elif scope["path"].startswith("/api/") and scope["path"].endswith("/lesson"):
            answer = self._lesson(said)
        elif scope["path"].endswith("/requests"):
            answer = fixture_world.requests()
        elif scope["path"].endswith("/packets"):
            answer = json.loads((fixture_world.DATA / "walk.json").read_text())
        if (scope["method"], scope["path"]) == ("POST", "/api/clusters"):
            answer = {"name": said["name"]}
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        status = 200
        found = self._time(scope["method"], scope["path"].removeprefix("/api/clusters/demo"), query, said)
        if found is not None:
            status, answer = found
        payload = json.dumps(answer).encode()
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": payload})

    def _lesson(self, said: Any) -> dict[str, Any]:
        """A lesson whose second step ends when its act is done."""
        state = fixture_world.LESSON
        if said and said["op"] == "go":
            state["step"] = said["step"]
        elif said and said["op"] == "answer":
            state["answers"] = {"0": said["choice"]}
            state["done"] = sorted({*state["done"], state["step"]})
        elif said and said["op"] == "act":
            state["done"] = sorted({*state["done"], state["step"]})
        page = "requests/" if state["step"] == 2 else "ha/"
        holds = state["step"] in state["done"]
        href = f"/clusters/lesson-two-of-three-test/{page}"
        return {
            **state,
            "steps": 5,
            "holds": holds,
            "said": "",
            "trouble": fixture_world.TROUBLE[0],
            "wrong": [],
            "complete": False,
            "href": href,
        }

    def _time(self, method: str, path: str, query: dict[str, str], said: Any) -> tuple[int, Any] | None:
        """The time machine's calls, with the fixture's little history behind them."""
        world = fixture_world
        match method, path:
            case "GET", "/history/tape":
                return 200, world.tape(int(query["from"]), int(query["to"]), int(query["width"]))
            case _, "/history":
                self.limits |= said or {}
                return 200, world.history() | self.limits
            case "POST", "/history/step":
                here = int(said["at"][1:]) if said["at"].startswith("e") else world.LAST
                there = here + (1 if said["direction"] == "forward" else -1)
                name = f"e{there}" if there < world.LAST else ""
                return 200, {"at": name, "nowMicros": world.NOW - (world.LAST - there) * world.DELIVERY, "event": None}
            case "POST", "/bookmarks":
                row = {"id": f"b{len(self.bookmarks) + 1}", **said, "nowMicros": world.instant(said["at"])}
                self.bookmarks.append(row)
                return 201, row
            case "GET", "/bookmarks":
                return 200, self.bookmarks
            case "DELETE", _ if path.startswith("/bookmarks/"):
                self.bookmarks = [row for row in self.bookmarks if row["id"] != path.rpartition("/")[2]]
                return 200, {}
            case "POST", "/fork":
                if said["name"] == "demo":
                    return 409, {"error": "There is a cluster 'demo' already."}
                return 201, {"name": said["name"]}
            case "GET", "/clock" if query.get("at"):
                return 200, world.clock_at(query["at"])
        return None

    def _broadcast(self, text: str) -> None:
        for queue in list(self.sockets):
            queue.put_nowait(text)

    async def _hands(self, path: str, said: Any) -> Any:
        """What a test may do from outside: send a frame, cut the feeds, refuse new ones, read what pages asked for."""
        if path == "/-/frame":
            self.cursor += 1
            facts = {
                "cursor": str(self.cursor),
                "nowMicros": fixture_world.NOW,
                "rate": 1,
                "paused": False,
                "revision": 798,
            }
            self._broadcast(json.dumps({**facts, **said}))
        elif path == "/-/cut":
            self._broadcast("close")
        elif path == "/-/lesson":
            fixture_world.LESSON.clear()
            fixture_world.LESSON.update(said or {})
            fixture_world.TROUBLE[0] = fixture_world.LESSON.pop("trouble", "")
        elif path == "/-/refuse":
            self.refuse_sockets = bool(said)
        return {"calls": self.calls, "hellos": self.hellos, "sockets": len(self.sockets)}


def _kept(send: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """Files don't change while they are tested: a browser asks for each once."""

    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            message = {**message, "headers": [*message["headers"], (b"cache-control", b"max-age=3600")]}
        await send(message)

    return sent


if __name__ == "__main__":
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server

    Server(
        Site(), endpoints=build_endpoint_description_strings(host="127.0.0.1", port=int(sys.argv[1])), verbosity=0
    ).run()
