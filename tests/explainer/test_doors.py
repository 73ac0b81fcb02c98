"""What every door keeps, whatever goes wrong behind it: a client is answered or cut off, and never left waiting."""

from typing import Any

import pytest

from explainer.gateway.kubernetes import headers_out
from explainer.gateway.server import answered
from tests.loops import run


class Connection:
    aborted = False

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize(
    ("kind", "begun", "status"), [("http", False, 500), ("http", True, 200), ("websocket", False, 0)]
)
def test_a_bug_ends_the_request(kind: str, begun: bool, status: int) -> None:
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("a bug")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    connection = Connection()
    run(answered(app)({"type": kind, "path": "/", "clearplane.connection": connection}, None, send))
    assert (sent[0]["status"] if sent else 0) == status
    assert connection.aborted is (status != 500)


def test_headers_are_written_as_go_writes_them() -> None:
    warning = 'unknown field "파드"'
    assert headers_out([("warning", warning), ("connection", "close")], 3) == [
        (b"warning", warning.encode()),
        (b"content-length", b"3"),
    ]
    assert headers_out([("x", "a\r\nset-cookie: b")], None) == [(b"x", b"a  set-cookie: b")]
