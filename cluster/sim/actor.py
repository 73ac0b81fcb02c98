"""What an actor is, and the only three ways it touches the world: send, set a timer, write to its disk.

``step(src, message, now, out)`` reads one message (or a ``Timer``, ``Fsynced``, ``PeerDown``) and writes to ``out``.
Everything it remembers is ``self.state``: plain data (msgspec Structs, dicts, lists, tuples, str, int, bytes). No
closures, generators or locks: a world must be storable at any instant.

Causes: every envelope carries the id of the request it descends from. What ``step`` sends inherits the cause of the
message being handled; an actor that batches says which cause it means (``cause=``). Timers inherit it too.
"""

from typing import Any, ClassVar, Protocol

from msgspec import Struct

from cluster.sim.dice import Dice


class Timer(Struct, frozen=True, tag=True):
    """A timer of one's own ran out. ``data`` is what was handed to ``out.timer``."""

    name: str
    data: Any = None


class Fsynced(Struct, frozen=True, tag=True):
    """Everything written with this ``token`` is now on the disk and survives a crash."""

    token: int


class PeerDown(Struct, frozen=True, tag=True):
    """The process ``peer`` is gone and its host said so (TCP reset or refused). A dead host or a cut link says nothing."""

    peer: str


class Outbox(Protocol):
    """Where an actor's step puts what it wants done. One object per step; never kept."""

    cause: int
    """The request this step works for; 0 is the world itself. May be set: later sends of this step inherit it."""
    dice: Dice
    """The actor's own die."""

    def send(self, dst: str, message: Any, *, delay: int = 0, cause: int | None = None) -> None:
        """Mail ``message`` to the process ``dst``; it leaves ``delay`` ns from now and then crosses the network."""
        ...

    def timer(self, name: str, after: int, data: Any = None, *, cause: int | None = None) -> None:
        """(Re)set the timer ``name``: ``Timer(name, data)`` arrives ``after`` ns from now. One per name."""
        ...

    def cancel(self, name: str) -> None:
        """Forget the timer ``name`` if it is set."""
        ...

    def write(self, records: list[Any], token: int) -> None:
        """Append ``records`` to the disk; ``Fsynced(token)`` arrives once they would survive a crash. In order."""
        ...

    def rewrite(self, records: list[Any], token: int) -> None:
        """Replace the whole disk by ``records``, atomically at the fsync (a new WAL after a snapshot)."""
        ...

    def buffer(self, records: list[Any]) -> None:
        """Append ``records`` without asking for an fsync: no event, no wait. They survive this process; a later fsync makes sure."""
        ...

    def note(self, note: Any) -> None:
        """Tell the recorder something (``cluster.trace.notes``). Never changes what happens."""
        ...

    def next_id(self) -> int:
        """A number never given before in this world: request ids, watch ids, lease ids."""
        ...

    def exit(self, code: int) -> None:
        """The process ends by itself after this step (its supervisor may start it again)."""
        ...

    def execute(self, process: str) -> bool:
        """Run ``process`` of this host after this step, if it isn't running. False: there is no such program here."""
        ...

    def kill(self, process: str) -> bool:
        """SIGKILL to ``process`` of this host after this step. False: there is no such program here."""
        ...

    def reinstall(self, process: str, config: Any, records: list[Any]) -> tuple[Any, list[Any]] | None:
        """Give ``process`` of this host another command line and another disk; what both were. None: it runs, or isn't here."""
        ...

    def reconfigure(self, process: str, changes: dict[str, Any]) -> bool:
        """Change fields of the command line of ``process`` of this host, for its next start. False: there is no such program here."""
        ...


class Actor:
    """One process. Subclasses say their ``kind``, make ``self.state``, and implement ``boot`` and ``step``.

    ``config`` is a frozen Struct given by the topology and never changed; ``state`` is made fresh at every start.
    Anything else on the instance must be derivable from those two (a cache), because a restored world has only them.
    """

    kind: ClassVar[str]

    def __init__(self, name: str, config: Any, state: Any = None) -> None:
        self.name = name
        self.config = config
        self.state = state if state is not None else self.fresh()

    def fresh(self) -> Any:
        """The state of a process that has just been executed."""
        raise NotImplementedError(type(self).__name__)

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        """The process starts; ``disk`` is what survived (empty for a process without one)."""

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        """Handle one message from ``src`` (the actor's own name for timers and disk)."""
        raise NotImplementedError(type(self).__name__)

    def status(self) -> dict[str, Any]:
        """What an onlooker may see of this process now, as plain JSON-able data. Called often: keep it cheap."""
        return {}
