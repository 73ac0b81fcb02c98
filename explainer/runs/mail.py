"""What crosses Redis between web processes and the process that runs a cluster: msgpack, typed on both sides.

A ``Mail`` goes to a cluster's inbox; ``Letter`` values come back in the out stream of the web process that asked.
The body of an ``input`` mail is one of the world's own inputs (``cluster.lab.Input``) as a tagged map; web processes
write it as ``item("HttpIn", conn=…, …)`` and the runner, which alone knows the world, checks it on arrival.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

Kind = Literal["input", "ask", "pace", "watching", "delete"]


class Mail(Struct, frozen=True, array_like=True):
    """One message to a cluster.

    ``input``: for the world, journalled. ``ask``: a read model, not journalled. ``pace``: the clock. ``watching``: how
    many onlookers this web process has. ``delete``: forget the cluster. ``number`` counts a gateway's mails to this
    cluster, so that one said twice (Redis died between) is done once. ``call`` names the answer; empty: none is wanted.
    """

    kind: Kind
    gateway: str
    number: int
    call: str
    body: msgspec.Raw


class Letter(Struct, frozen=True, array_like=True):
    """One message to a web process. ``output``: one of ``cluster.lab.Output``; ``reply``: to a call; ``error``: to a call."""

    kind: Literal["output", "reply", "error"]
    call: str
    body: msgspec.Raw


class Pace(Struct, frozen=True):
    """``set`` the clock, ``run`` so many micros and pause, ``step`` to the next stage or event; ``until`` something holds (``what``: cel or
    pick) for at most ``micros``; ``break`` at a stage (``what``), ``unbreak`` number ``request``."""

    op: Literal["set", "run", "step", "until", "break", "unbreak"]
    rate: float | Literal["max"] | None = None
    paused: bool | None = None
    micros: int = 0
    request: int = 0
    what: dict[str, Any] = {}


class Ask(Struct, frozen=True):
    """A question to a read model. The answer is JSON bytes."""

    view: str
    args: dict[str, Any] = {}


class Trouble(Struct, frozen=True):
    """An answer that couldn't be given: an HTTP status and a sentence."""

    status: int
    error: str


encode = msgspec.msgpack.Encoder().encode
decode_mail = msgspec.msgpack.Decoder(Mail).decode
decode_letters = msgspec.msgpack.Decoder(list[Letter]).decode
decode_letter = msgspec.msgpack.Decoder(Letter).decode
decode_any = msgspec.msgpack.Decoder().decode


def item(kind: str, **fields: Any) -> dict[str, Any]:
    """An input for the world, as the tagged map that its Struct ``kind`` is on the wire."""
    return {"type": kind, **fields}


def raw(value: Any) -> msgspec.Raw:
    """``value`` encoded, to be carried without being looked at."""
    return msgspec.Raw(encode(value))
