"""Asking one member, in the words of the JSON gateway: what gRPC, health pages, locks and elections are made of.

In: a path and a document. Out: the member's answer as a document; a watch's answers as they come. Errors: ``Refused`` (the member's gRPC status),
``Down`` (it does not run, or died with the request in hand), the bus's own ``Unavailable`` and ``Failed``.
"""

import re
from collections.abc import AsyncGenerator
from typing import Any, Final

import msgspec

from explainer.runs.bus import Bus, Unavailable
from explainer.runs.mail import item

UNKNOWN: Final = 2
_PASSWORDS: Final = ("/v3/auth/user/add", "/v3/auth/user/changepw", "/v3/auth/authenticate")


class Refused(Exception):
    """A gRPC status instead of an answer."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Down(Exception):
    """The member doesn't run: the connection breaks."""


class Member:
    """One member of a cluster."""

    def __init__(self, bus: Bus, cluster: str, name: str) -> None:
        self.bus, self.cluster, self.name = bus, cluster, name

    async def ask(self, path: str, document: dict[str, Any], patience: float | None = None) -> dict[str, Any]:
        """The one answer to a request."""
        body = without_password(path, msgspec.json.encode(document))
        async for piece in self.bus.stream(
            self.cluster, "EtcdGatewayIn", patience, member=self.name, path=path, body=body
        ):
            return result(piece)
        raise Unavailable("no answer")

    async def watch(self, create: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The answers of a watch; whoever has seen enough closes the generator, and the watch ends at the member."""
        call, ended = self.bus.new_call(), False
        body = msgspec.json.encode({"create_request": create})
        pieces = self.bus.stream(
            self.cluster, "EtcdGatewayIn", call=call, member=self.name, path="/v3/watch", body=body
        )
        try:
            async for piece in pieces:
                ended = bool(piece.get("done"))
                yield result(piece)
        finally:
            if not ended:
                self.bus.send(self.cluster, "input", item("EtcdWatchIn", call=call, member=self.name, op="cancel"))


_SECRET = re.compile(rb'("(?:password|hashedPassword)"\s*:\s*"?)[^",}]*')


def without_password(path: str, body: bytes) -> bytes:
    """A request as the world's journal may keep it: nobody is ever asked for a password here, so none is kept."""
    if path not in _PASSWORDS:
        return body
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        # It is no request: the sentence that says so tells where it went wrong, not what stood there.
        return _SECRET.sub(rb"\1", body)
    if not isinstance(document, dict):
        return body
    secret = ("password", "hashedPassword")
    return msgspec.json.encode(
        {name: "" if name in secret and isinstance(value, str) else value for name, value in document.items()}
    )


def result(piece: dict[str, Any]) -> dict[str, Any]:
    """The document in a piece of the member's answer. Down, or Refused with the member's status."""
    if not piece.get("status"):
        raise Down(piece.get("error", "down"))
    body = piece.get("body") or {}
    try:
        found = msgspec.json.decode(body) if isinstance(body, bytes | str) else body
    except msgspec.DecodeError:
        found = None  # a text
    document: dict[str, Any] = found if isinstance(found, dict) else {}
    if piece["status"] != 200 or "error" in document:
        problem = document.get("error", "")
        if isinstance(problem, dict):
            raise Refused(int(problem.get("grpc_code", UNKNOWN)), str(problem.get("message", "")))
        raise Refused(int(document.get("code", UNKNOWN)), str(document.get("message", problem)))
    return document.get("result", document)
