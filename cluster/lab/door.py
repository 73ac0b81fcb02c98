"""What every act on a world has in its hands: numbers for questions, the way back for answers, names that must exist, frames.

The acts themselves are functions of a ``Door`` and an input, one module a subject: ``clients`` (HTTP and the console), ``gateway``
and ``operations`` (etcd from outside), ``members``, ``snapshots``, ``physics``. ``ACTS`` of each says which inputs it takes.
"""

from typing import Any

from cluster.lab.outputs import CallOut, Output
from cluster.lab.state import LabState
from cluster.sim import World
from cluster.snapshot.objects import Objects
from cluster.trace.recorder import Recorder


class UnknownName(Exception):
    """An input names a process, host or member that isn't there."""


class Door:
    """A world, what is remembered of its callers, and what is on its way out."""

    def __init__(self, state: LabState, world: World, recorder: Recorder) -> None:
        self.state = state
        self.world = world
        self.recorder = recorder
        self.objects = Objects(recorder.memory)
        self.outputs: list[Output] = []
        self.applying = 0
        """The number of the input that is being applied: frames of what it does to the laboratory say it (``input``)."""

    @property
    def now(self) -> int:
        """Virtual nanoseconds since instant 0."""
        return self.world.now

    # -- questions from outside and their answers -------------------------------------------------------------------

    def number(self) -> int:
        """A new id, of the same row as the ids of HTTP requests."""
        self.world.state.ids += 1
        return self.world.state.ids

    def expect(self, call: str) -> int:
        """A new id; what answers it belongs to ``call``."""
        number = self.number()
        self.state.calls[number] = call
        return number

    def answer(self, number: int, doc: dict[str, Any]) -> None:
        """A piece of the answer to the call that ``number`` was expected for; the last piece has ``done`` True."""
        call = self.state.calls.get(number)
        if call is not None:
            self.outputs.append(CallOut(call, doc))
            if doc["done"]:
                del self.state.calls[number]

    def answer_at_once(self, call: str, doc: dict[str, Any]) -> None:
        """The whole answer to ``call``: nobody in the world has to be asked."""
        self.outputs.append(CallOut(call, {**doc, "done": True}))

    # -- names ------------------------------------------------------------------------------------------------------

    def process(self, name: str) -> str:
        """``name``, if there is such a process; else UnknownName."""
        if name not in self.world.state.slots:
            raise UnknownName(f"there is no process {name!r} in this cluster")
        return name

    def member(self, name: str) -> str:
        """``name``, if there is such a member of etcd; else UnknownName."""
        slot = self.world.state.slots.get(name)
        if slot is None or slot.kind != "etcd":
            raise UnknownName(f"there is no member {name!r} in this cluster")
        return name

    def host(self, name: str) -> str:
        """``name``, if there is such a host; else UnknownName."""
        if name not in self.world.state.hosts:
            raise UnknownName(f"there is no host {name!r} in this cluster")
        return name

    def place(self, name: str) -> str:
        """``name``, if there is such a host or process; else UnknownName."""
        if name not in self.world.state.hosts and name not in self.world.state.slots:
            raise UnknownName(f"there is no host or member {name!r} in this cluster")
        return name

    # -- acts of the laboratory -------------------------------------------------------------------------------------

    def at_the_bench(self, process: str, message: Any) -> None:
        """A laboratory message to a member of etcd; it means nothing unless that runs and is awake."""
        slot = self.world.state.slots[process]
        if slot.up and not slot.paused:
            self.world.now_step(process, message)

    def tell(self, kind: str, /, **fields: Any) -> None:
        """A frame for onlookers."""
        number = {"input": self.applying} if self.applying else {}
        self.recorder.add_frame({"t": kind, "atMicros": self.now // 1000, **fields, **number})

    def tell_act(self, label: str) -> None:
        """A frame of an act that shows nowhere else."""
        self.tell("lab", label=label)

    def tell_process(self, name: str) -> None:
        """A frame of how a process is now."""
        slot = self.world.state.slots[name]
        self.tell(
            "process",
            name=slot.name,
            kind=slot.kind,
            host=slot.host,
            up=slot.up,
            paused=slot.paused,
            boot=slot.boot,
        )

    def tell_host(self, name: str) -> None:
        """Frames of how a host and all of its processes are now."""
        host = self.world.state.hosts[name]
        self.tell("host", name=name, up=host.up, paused=host.paused)
        for slot in self.world.state.slots.values():
            if slot.host == name:
                self.tell_process(slot.name)
