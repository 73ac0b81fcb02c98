"""The ``Watch`` stream of etcd's gRPC: many watches on one stream, each a watch of its own for the member.

In: the client's requests on the stream. Out: the answers of all its watches, by the client's numbers. Errors: the stream ends with the member's status.
Upstream: server/etcdserver/api/v3rpc/watch.go.

Simplified here: answers are not cut into fragments (``fragment``): a client takes messages of any size.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from explainer.gateway.etcd_ask import Down, Refused, result
from explainer.runs.bus import Failed, Unavailable
from explainer.runs.mail import item

if TYPE_CHECKING:
    from explainer.gateway.etcd_grpc import Call, GrpcProtocol

UNAVAILABLE: Final = 14
NOBODY: Final = "-1"
"""The number of no watch: of a refused one, and of the whole stream."""


class Watches:
    """All the watches of one ``Watch`` stream: each is a watch of its own for the member, numbered as the client knows it."""

    def __init__(self, connection: GrpcProtocol, call: Call) -> None:
        self.connection, self.call = connection, call
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.calls: dict[int, str] = {}
        self.next = 0
        self.asked: set[int] = set()
        """The watches that have not yet said how far they are, after the client asked how far the stream is."""
        self.told: list[dict[str, Any]] = []
        """The headers of those that have."""
        self.header: dict[str, Any] = {}

    async def run(self) -> None:
        """Until the client has said all, or goes away; then every watch ends."""
        try:
            async for data in self.call.requests():
                said = self.call.read(data, "WatchRequest")
                if "create_request" in said:
                    self._create(said["create_request"])
                elif "cancel_request" in said:
                    self._tell(int(said["cancel_request"].get("watch_id", 0)), "cancel")
                else:
                    self.asked, self.told = set(self.tasks), []
                    for number in self.tasks:
                        self._tell(number, "progress")
        finally:
            for number, task in list(self.tasks.items()):
                self._tell(number, "cancel")
                task.cancel()

    def _create(self, wanted: dict[str, Any]) -> None:
        number = int(wanted.pop("watch_id", 0) or 0)
        if number and number in self.tasks:  # 0: let the server choose
            reason = "mvcc: duplicate watch ID provided on the WatchStream"
            refusal = {"header": self.header, "created": True, "canceled": True, "cancel_reason": reason}
            self.call.answer({**refusal, "watch_id": NOBODY}, "WatchResponse")
            return
        if number == 0:
            while self.next in self.tasks:
                self.next += 1
            number, self.next = self.next, self.next + 1
        self.calls[number] = self.connection.bus.new_call()
        self.tasks[number] = asyncio.ensure_future(self._follow(number, wanted))

    def _tell(self, number: int, op: str) -> None:
        if number in self.calls:
            said = item("EtcdWatchIn", call=self.calls[number], member=self.connection.member, op=op)
            self.connection.bus.send(self.connection.cluster, "input", said)

    async def _follow(self, number: int, wanted: dict[str, Any]) -> None:
        bus, filters = self.connection.bus, wanted.pop("filters", [])
        pieces = bus.stream(
            self.connection.cluster,
            "EtcdGatewayIn",
            call=self.calls[number],
            member=self.connection.member,
            path="/v3/watch",
            body=msgspec.json.encode({"create_request": wanted}),
        )
        try:
            async for piece in pieces:
                document = filtered(result(piece), filters)
                if document is not None:
                    self._say(number, document)
        except Down:
            self.connection.abort()
        except Refused as refusal:
            self.call.close(refusal.code, str(refusal))
        except (Unavailable, Failed) as error:
            self.call.close(UNAVAILABLE, str(error))
        finally:
            self.tasks.pop(number, None)
            self.calls.pop(number, None)
            self.asked.discard(number)

    def _say(self, number: int, document: dict[str, Any]) -> None:
        """Tell the client what the watch ``number`` was told."""
        name = str(number)
        self.header = document.get("header", self.header)
        if document.get("created") and document.get("canceled"):  # it never was: its number is free again
            name, self.next = NOBODY, number if self.next == number + 1 else self.next
        elif number in self.asked and not any(kind in document for kind in ("events", "created", "canceled")):
            # How far a stream is, is said once for all its watches: when the last of them is as far as the first.
            self.asked.discard(number)
            self.told.append(document.get("header", {}))
            if self.asked:
                return
            least = min(self.told, key=lambda header: int(header.get("revision", 0)))
            name, document = NOBODY, {**document, "header": least}
        self.call.answer({**document, "watch_id": name}, "WatchResponse")


def filtered(document: dict[str, Any], filters: list[str]) -> dict[str, Any] | None:
    """A watch's answer without the events that its filters keep out; None when nothing is left to say."""
    events = document.get("events")
    if not filters or not events:
        return document
    unwanted = {{"NOPUT": "PUT", "NODELETE": "DELETE"}[name] for name in filters}
    left = [event for event in events if event.get("type", "PUT") not in unwanted]
    return {**document, "events": left} if left else None
