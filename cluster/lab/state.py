"""What the door itself remembers beside the world, and carries in checkpoints: who waits for which answer."""

from typing import Any

from msgspec import Struct, field

from cluster.lab.inputs import MemberAddIn
from cluster.topology import ClusterSpec


class Op(Struct):
    """One recorded etcd operation (the control API's row). ``call`` and ``ret`` are the virtual micros of its begin and end."""

    id: str
    member: str
    f: str
    key: str
    value: str | None
    linearizable: bool
    call: int
    boot: int
    """Which start of the member it was asked of."""
    ret: int | None = None
    res: str | None = None
    """ok, fail, or info: nobody knows whether it happened; None: it is on its way."""
    out: dict[str, Any] | None = None
    error: str | None = None


class LabState(Struct):
    """Plain data: everything of a ``Lab`` that is not the world's or the recorder's."""

    spec: ClusterSpec
    streams: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Request id → the outside connection and stream it belongs to."""
    ids: dict[tuple[str, int], int] = field(default_factory=dict)
    """The same the other way round."""
    calls: dict[int, str] = field(default_factory=dict)
    """Request id (or watch id) → call, for console lines, gateway requests, membership and snapshots."""
    ops: dict[str, Op] = field(default_factory=dict)
    """Recorded operations: call → operation."""
    done: list[str] = field(default_factory=list)
    """Operations in the order they ended; the position, plus ``forgotten``, is ``done_since``'s cursor."""
    forgotten: int = 0
    """Ended operations that aren't kept any more."""
    joining: dict[int, MemberAddIn] = field(default_factory=dict)
    """Membership requests on their way: request id → whom to start when it is granted."""
    inputs: int = 0
    """Inputs applied so far."""
    saving: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Snapshots on their way: request id → the host and path they are for."""
