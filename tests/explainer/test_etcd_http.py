"""etcd's JSON gateway as ASGI: what a client sees when a member dies in the middle of its answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from explainer.gateway.etcd import EtcdApp
from explainer.gateway.etcd_ask import without_password
from tests.loops import run

CREATED = {"status": 200, "body": {"result": {"created": True}}, "done": False}
RESET = {"status": 0, "error": "connection reset", "done": True}


class Connection:
    aborted = False

    def abort(self) -> None:
        self.aborted = True


class Bus:
    """Says the same to everybody."""

    def __init__(self, pieces: list[dict[str, Any]]) -> None:
        self.pieces = pieces

    def new_call(self) -> str:
        return "call"

    async def stream(self, cluster: str, kind: str, **fields: Any) -> AsyncIterator[dict[str, Any]]:
        for piece in self.pieces:
            yield piece


def watched(door: str, pieces: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], Connection]:
    """What was sent to a client that watches, and its connection."""
    sent: list[dict[str, Any]] = []
    asked = [{"type": "http.request", "body": b"{}", "more_body": False}]
    connection = Connection()
    path = "/v3/watch" if door != "web" else "/clusters/demo/etcd/m1/v3/watch"

    async def receive() -> dict[str, Any]:
        return asked.pop() if asked else await asyncio.Event().wait()  # type: ignore[func-returns-value]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "clearplane.door": door,
        "clearplane.connection": connection,
        "method": "POST",
        "path": path,
        "headers": [],
    }
    run(EtcdApp(Bus(pieces))(scope, receive, send))  # type: ignore[arg-type]
    return sent, connection


@pytest.mark.parametrize("begun", [False, True])
def test_a_member_that_dies_cuts_its_clients_off(begun: bool) -> None:
    sent, connection = watched("etcd/1", [CREATED, RESET] if begun else [RESET])
    assert connection.aborted
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"][: 2 * begun]


def test_at_the_pages_door_a_watch_ends_with_its_member() -> None:
    sent, connection = watched("web", [CREATED, RESET])
    assert [message["type"] for message in sent] == ["http.response.start", *["http.response.body"] * 2]
    assert (sent[0]["status"], sent[-1]["more_body"], connection.aborted) == (200, False, False)
    assert [message.get("status") for message in watched("web", [RESET])[0]] == [503, None]


@pytest.mark.parametrize(
    "body", [b'{"name":"a","password":"s3cret"}', b'{"name":"a","password": "s3cret"', b'{"password":"s3c']
)
def test_no_password_reaches_the_journal(body: bytes) -> None:
    kept = without_password("/v3/auth/user/add", body)
    assert b"s3c" not in kept and kept[:9] == body[:9]
