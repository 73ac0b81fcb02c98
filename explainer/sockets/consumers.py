"""``/ws/clusters/<c>``: the feed of one cluster. The server sends frames; the client may say ``{"after": "<cursor>"}``.

Only our own pages are let in (``explainer.origin``). Close codes: 4403 foreign
origin, 4404 no such cluster, 4408 the client reads too slowly: what is kept for it here is bounded, and it goes on from its cursor
when it comes back.
"""

import asyncio
import time
from typing import Any

import msgspec
from channels.generic.websocket import AsyncWebsocketConsumer

from explainer.fragments.whole import whole
from explainer.origin import foreign_page, names
from explainer.runs.bus import NoCluster, Unavailable, current
from explainer.sockets.followers import Followers
from explainer.sockets.hub import Hub

WAITING = 1 << 20
"""Bytes kept for a client that doesn't read, beside what the kernel keeps."""
PATIENCE = 30.0
"""Seconds that one who catches up may take for a piece of it."""

_hub: Hub | None = None
_followers: Followers | None = None


def hub() -> Hub:
    """This process's hub."""
    global _hub
    if _hub is None:
        _hub = Hub(current())
    return _hub


def followers() -> Followers:
    """This process's followers of presenters."""
    global _followers
    if _followers is None:
        _followers = Followers(current())
    return _followers


class After(msgspec.Struct, frozen=True):
    """What a client says: continue after this frame."""

    after: str | int | None = None


class TooSlow(ConnectionError):
    """The client doesn't read what it is sent."""


def waiting(scope: dict[str, Any]) -> int:
    """Bytes written to the scope's connection that its client has not made room for."""
    transport = getattr(scope.get("clearplane.request"), "transport", None)
    if transport is None or not getattr(transport, "connected", False):
        return 0
    sent = getattr(transport, "offset", 0)  # (Twisted's abstract.FileDescriptor)
    return len(getattr(transport, "dataBuffer", b"")) - sent + getattr(transport, "_tempDataLen", 0)


async def room(scope: dict[str, Any]) -> None:
    """Until the scope's client has read nearly all that it was sent. TooSlow after ``PATIENCE``."""
    until = time.monotonic() + PATIENCE
    while waiting(scope) > WAITING // 8:
        if time.monotonic() > until:
            raise TooSlow("the client does not read")
        await asyncio.sleep(0.02)


class EventsConsumer(AsyncWebsocketConsumer):
    """One onlooker."""

    joined = False

    async def connect(self) -> None:
        self.cluster = self.scope["url_route"]["kwargs"]["cluster"]
        if foreign_page(names(self.scope["headers"])):
            await self.close(4403)
            return
        try:
            await current().require(self.cluster)
        except (NoCluster, Unavailable):
            await self.accept()
            await self.close(4404)
            return
        await self.accept()
        query = self.scope["query_string"].decode("latin-1")
        after = dict(part.partition("=")[::2] for part in query.split("&")).get("after", "")
        if after != "wait":
            await self._join(whole(after, 18))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            said = msgspec.json.decode(text_data or b"{}", type=After)
        except msgspec.MsgspecError:
            return
        number = str(said.after) if said.after is not None else ""
        await self._join(whole(number, 18))

    async def disconnect(self, code: int) -> None:
        hub().leave(self.cluster, self)
        followers().leave(self.cluster, self)

    async def frame(self, text: str) -> None:
        """One frame, encoded already. TooSlow when the client doesn't read those before: it is closed with 4408."""
        if waiting(self.scope) > WAITING:
            await self.close(4408)
            raise TooSlow(self.cluster)
        await self.send(text_data=text)

    async def room(self) -> None:
        """Until the client has read nearly all that it was sent. TooSlow when it doesn't: it is closed with 4408."""
        try:
            await room(self.scope)
        except TooSlow:
            await self.close(4408)
            raise

    async def _join(self, after: int | None) -> None:
        try:
            hub().leave(self.cluster, self)
            await hub().join(self.cluster, self, after)
            await followers().join(self.cluster, self)
        except TooSlow:
            hub().leave(self.cluster, self)
        except Unavailable:
            await self.close(1013)
