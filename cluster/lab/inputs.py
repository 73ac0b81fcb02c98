"""What goes into a world: the acts of clients, of the laboratory and of time travel, as plain data.

The journal of a cluster is a list of ``Entry``. An input with a ``call`` is answered by ``CallOut`` with the same call. Durations
say their unit in their name; names of members, processes and hosts are ARCHITECTURE.md's.
"""

from typing import Literal

from msgspec import Struct

from cluster.wire.http import Headers, TlsPeer


class HttpIn(Struct, frozen=True, tag=True):
    """A request arrived on the gateway's connection ``conn`` as its ``stream``-th."""

    conn: str
    stream: int
    method: str
    path: str
    query: str = ""
    headers: Headers = ()
    body: bytes = b""
    peer: TlsPeer = TlsPeer()
    remote: str = ""


class HttpDataIn(Struct, frozen=True, tag=True):
    """More bytes on an upgraded connection (exec's stdin)."""

    conn: str
    stream: int
    data: bytes
    channel: int = 0


class HttpCloseIn(Struct, frozen=True, tag=True):
    """The client went away from that request."""

    conn: str
    stream: int


class ConsoleIn(Struct, frozen=True, tag=True):
    """A line typed into the browser console of ``session``; answers carry ``call``."""

    session: str
    line: str
    call: str


class ConsoleInterruptIn(Struct, frozen=True, tag=True):
    """Ctrl-C."""

    session: str


class EtcdGatewayIn(Struct, frozen=True, tag=True):
    """A request of etcd's v3 JSON gateway to ``member``."""

    call: str
    member: str
    path: str
    body: bytes = b"{}"


class EtcdWatchIn(Struct, frozen=True, tag=True):
    """Cancel the gateway's watch that ``call`` began at ``member``, or ask how far it is synced. Nothing if it has ended."""

    call: str
    member: str
    op: Literal["cancel", "progress"]


class EtcdOpIn(Struct, frozen=True, tag=True):
    """One operation on a key, whose life is recorded (the control API's ``etcd/ops``)."""

    call: str
    member: str
    f: Literal["put", "get", "delete", "cas"]
    key: str
    value: str | None = None
    expect: str | None = None
    linearizable: bool = True


class MemberOp(Struct, frozen=True, tag=True):
    """A laboratory act on an etcd member."""

    member: str
    op: Literal["stop", "start", "pause", "resume", "campaign", "transfer", "snapshot"]
    to: str = ""


class MemberAddIn(Struct, frozen=True, tag=True):
    """Add a member ``name`` (a new process) on ``host`` (made if it isn't there; "": one of its own), and start it."""

    call: str
    name: str
    host: str = ""
    learner: bool = False


class MemberRemoveIn(Struct, frozen=True, tag=True):
    """Take ``member`` out of the cluster; its process ends by itself when it hears of it."""

    call: str
    member: str


class MemberPromoteIn(Struct, frozen=True, tag=True):
    """Make the learner ``member`` a voter."""

    call: str
    member: str


class SnapshotIn(Struct, frozen=True, tag=True):
    """Save a snapshot of ``member`` as the file ``path`` of its host ("": a name by the instant)."""

    call: str
    member: str
    path: str = ""


class SnapshotFileIn(Struct, frozen=True, tag=True):
    """A snapshot file from outside, to be kept as ``path`` of ``host``."""

    call: str
    host: str
    path: str
    data: bytes


class SnapshotRemoveIn(Struct, frozen=True, tag=True):
    """Remove the file ``path`` of ``host``."""

    call: str
    host: str
    path: str


class RestoreIn(Struct, frozen=True, tag=True):
    """Restore a snapshot (``cluster.rescue.Restoring``)."""

    call: str
    host: str
    path: str
    members: tuple[str, ...] = ()
    token: str = "etcd-cluster"
    bump: int = 0
    skip_hash_check: bool = False
    control_plane: bool = True


class ProcessOp(Struct, frozen=True, tag=True):
    process: str
    op: Literal["stop", "start", "pause", "resume"]


class HostOp(Struct, frozen=True, tag=True):
    host: str
    op: Literal["stop", "start", "pause", "resume"]


class PartitionIn(Struct, frozen=True, tag=True):
    groups: tuple[tuple[str, ...], ...]


class HealIn(Struct, frozen=True, tag=True):
    pass


class LinkIn(Struct, frozen=True, tag=True):
    """Change the way a → b (and back). All None: as the default again."""

    a: str
    b: str
    latency_ms: float | None = None
    loss: float | None = None
    one_way: bool = False


class PacketIn(Struct, frozen=True, tag=True):
    """Send one packet and learn its walk. ``src``: a pod "ns/name", a node or an address; ``dst`` likewise."""

    call: str
    src: str
    dst: str
    protocol: str
    port: int
    node: str = ""


class DropIn(Struct, frozen=True, tag=True):
    """Lose one message that is on its way: the ``sequence``-th that was sent in this world. Nobody sends it again by itself."""

    sequence: int


class DeliverIn(Struct, frozen=True, tag=True):
    """Let the ``sequence``-th envelope of this world happen now: a message arrives, a disk has written, a member's tick of work is due."""

    sequence: int


class DelayIn(Struct, frozen=True, tag=True):
    """Let the ``sequence``-th envelope take ``micros`` longer; what follows it on the same connection waits behind it."""

    sequence: int
    micros: int


class CutsIn(Struct, frozen=True, tag=True):
    """Ways that are cut, mended or made ``slow_ms`` slow, each (from, to): one act, however many ways a partition has."""

    cut: tuple[tuple[str, str], ...] = ()
    mend: tuple[tuple[str, str], ...] = ()
    slow: tuple[tuple[str, str], ...] = ()
    slow_ms: float = 0.0


class DiskIn(Struct, frozen=True, tag=True):
    """How long an fsync of ``member`` takes from now on: anything between these; None: as the cluster was made."""

    member: str
    fsync_ms: tuple[float, float] | None = None


class AlignIn(Struct, frozen=True, tag=True):
    """The election timers of ``members`` all run out ``micros`` from now, at the same instant."""

    members: tuple[str, ...]
    micros: int


class NothingIn(Struct, frozen=True, tag=True):
    """An input that was taken out of this history. Its numbers stay unused, so that the same things have the same ids in both branches."""

    ids: int = 0


Input = (
    HttpIn | HttpDataIn | HttpCloseIn | ConsoleIn | ConsoleInterruptIn | EtcdGatewayIn | EtcdWatchIn | EtcdOpIn
    | MemberOp | MemberAddIn | MemberRemoveIn | MemberPromoteIn | SnapshotIn | SnapshotFileIn | SnapshotRemoveIn | RestoreIn | ProcessOp | HostOp | PartitionIn | HealIn | LinkIn | PacketIn
    | DropIn | DeliverIn | DelayIn | CutsIn | DiskIn | AlignIn | NothingIn
)  # fmt: skip


class Entry(Struct, frozen=True):
    """A line of the journal: ``input`` was applied at instant ``now``, after ``events`` deliveries."""

    now: int
    events: int
    input: Input
