"""What a cluster's life is written down in: the clock mark, the inputs, the snapshots. msgpack, arrays.

Instants (``now``) are virtual ns; ``delivered`` counts the events before; both together are a place in history, and ``inputs`` says how
many inputs came before it, because several may come between two events.
"""

import msgspec
from msgspec import Struct, field


class Mark(Struct, array_like=True):
    """The state of the run at a commit; with a snapshot and the journal, all that is needed to go on."""

    now: int
    delivered: int
    cursor: str
    """Inbox id: this and everything before it is done."""
    rate: float
    """Virtual seconds per second; 0: as fast as it goes."""
    paused: bool
    frame: int
    """Number of the last frame of the feed."""
    fed_now: int
    fed_delivered: int
    """Where the world was when that frame was taken."""
    ahead: list[str] = field(default_factory=list)
    """Inbox ids beyond the cursor that are done (acts on a paused cluster, while requests wait at the door)."""
    seen: dict[str, int] = field(default_factory=dict)
    """Gateway → number of its last mail up to the cursor."""
    ready: bool = False
    """The cluster has come up once."""
    world: str = ""
    """``version.world_version`` of the program that wrote it."""
    life: str = ""
    """Which of the clusters of this name that there ever were: a cluster made anew, imported or forked has another."""


class Entry(Struct, array_like=True):
    """One applied input."""

    now: int
    delivered: int
    inbox: str
    input: msgspec.Raw


class Snapshot(Struct, array_like=True):
    """A cluster at a commit. ``world`` is zlib of the lab's checkpoint; ``open`` the requests without an end."""

    commit: int
    delivered: int
    open: list[tuple[str, int]]
    world: bytes
    now: int = 0
    inputs: int = 0
    """How many inputs came before it, since the cluster began."""
