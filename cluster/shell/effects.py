"""What a command may wait for, and what it gets back. Everything here is plain data: answers are recorded.

A command is a generator that yields one of these ``Effect``s and receives an ``Answer``. ``now`` of every answer is the
virtual time (ns) at which it came: a command's only clock.
"""

from typing import Any

from msgspec import Struct

from cluster.wire.http import Headers, TlsPeer


class Http(Struct, frozen=True, tag=True):
    """Send a request to the cluster's address and wait for its head. With ``stream`` further pieces come by ``Next``."""

    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    doc: Any = None
    body: bytes = b""
    peer: TlsPeer = TlsPeer()


class Next(Struct, frozen=True, tag=True):
    """Wait for the next piece of the streamed answer ``id``, at most ``timeout`` ns (0: for ever)."""

    id: int
    timeout: int = 0


class Write(Struct, frozen=True, tag=True):
    """Send a piece towards the server on the upgraded connection ``id``. Answered at once."""

    id: int
    data: bytes
    channel: int


class Cancel(Struct, frozen=True, tag=True):
    """Close the connection of the streamed answer ``id``. Answered at once."""

    id: int


class Sleep(Struct, frozen=True, tag=True):
    """Wait ``duration`` ns."""

    duration: int


class Etcd(Struct, frozen=True, tag=True):
    """Ask the etcd member whose process is ``member``, at most ``timeout`` ns; ``request`` is a wire message (its id is filled in).

    The answer to a watch is a stream: further pieces come by ``Next``, each a ``WatchResponse`` as ``value``, until ``Cancel``."""

    member: str
    request: Any
    timeout: int = 0
    later: bool = False
    """Don't wait: the answer to this effect is its ``id`` only, and the member's answer is had by ``Next``."""


class Image(Struct, frozen=True, tag=True):
    """Write the manifest of the static pod ``pod`` on ``host`` anew with another image; ``value`` of the answer is a ``FilesDone``."""

    host: str
    pod: str
    image: str


class OnNode(Struct, frozen=True, tag=True):
    """Run a network tool on the node ``host``; ``value`` of the answer is its ``ToolResult``."""

    host: str
    words: tuple[str, ...]
    stdin: str = ""


class Net(Struct, frozen=True, tag=True):
    """One exchange of packets through the kernel of ``host`` (``call``: a ``cluster.network.effects.Call``); ``value`` is its ``NetDone``."""

    host: str
    uid: str
    call: Any


class HostFiles(Struct, frozen=True, tag=True):
    """The files on the disk of ``host``; ``value`` of the answer is a ``FilesResponse``."""

    host: str


class HostWrite(Struct, frozen=True, tag=True):
    """Write (or, None, remove) files on the disk of ``host``; ``value`` is a ``FilesDone``."""

    host: str
    changes: tuple[tuple[str, str | bytes | None], ...]


Effect = Image | HostFiles | HostWrite | OnNode | Net | Http | Next | Write | Cancel | Sleep | Etcd


class Answer(Struct, frozen=True, tag=True):
    """What came. ``code`` 0: nothing did, and ``error`` says why ("refused", "reset", "timeout").

    ``id`` is the request's (it names its trace). ``stream``: more will come. For ``Next``: ``body`` or ``doc`` is the piece,
    ``end`` that there are no more (``error`` if it was cut).
    """

    now: int
    id: int = 0
    code: int = 0
    headers: Headers = ()
    body: bytes = b""
    doc: Any = None
    stream: bool = False
    end: bool = False
    error: str = ""
    value: Any = None
    channel: int = -1
