"""What comes out of a world: answers for clients outside (``Output``) and frames for onlookers, together a ``Drained``."""

from typing import Any

from msgspec import Struct

from cluster.wire.http import Headers


class HttpOut(Struct, frozen=True, tag=True):
    """The head of an answer, with its body; ``end`` False: more follows as ``HttpDataOut``."""

    conn: str
    stream: int
    code: int
    headers: Headers
    body: bytes
    end: bool
    request: int


class HttpDataOut(Struct, frozen=True, tag=True):
    conn: str
    stream: int
    data: bytes
    channel: int
    end: bool


class HttpResetOut(Struct, frozen=True, tag=True):
    """The connection broke before the answer was complete."""

    conn: str
    stream: int
    error: str


class CallOut(Struct, frozen=True, tag=True):
    """A piece of the answer to ``call``; the last has ``done`` True."""

    call: str
    doc: dict[str, Any]


Output = HttpOut | HttpDataOut | HttpResetOut | CallOut


class Drained(Struct):
    outputs: list[Output]
    frames: list[dict[str, Any]]
