"""One live cluster: time, inputs, what comes out, questions, checkpoints."""

import pickle
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import BytesIO
from typing import Any

from cluster import probing, snapshot, topology
from cluster.lab import clients, gateway, members, operations, physics, snapshots
from cluster.lab.door import Door, UnknownName
from cluster.lab.inputs import Entry, Input
from cluster.lab.outputs import Drained
from cluster.lab.state import LabState
from cluster.sim import World
from cluster.sim.plain import PlainUnpickler
from cluster.sim.world import CALLERS, Slot
from cluster.snapshot.stops import Stops
from cluster.topology import FACTORIES, ClusterSpec
from cluster.trace.recorder import Recorder
from cluster.wire.etcd import WatchResponse
from cluster.wire.http import HttpRequest

ACTS: dict[type, Callable[[Door, Any], None]] = {
    **clients.ACTS,
    **gateway.ACTS,
    **operations.ACTS,
    **members.ACTS,
    **snapshots.ACTS,
    **physics.ACTS,
}
"""Kind of input → what does it."""


class Lab(Door):
    """One live cluster. Not thread-safe; nothing here waits."""

    def __init__(self, state: LabState, world: World, recorder: Recorder) -> None:
        super().__init__(state, world, recorder)
        world.observer = recorder
        recorder.events = lambda: world.state.events
        world.outside = self._outside
        self.stops = Stops(world, recorder, self.objects)

    @staticmethod
    def start(spec: ClusterSpec) -> "Lab":
        """A cluster at instant 0: every process has been executed, nothing has happened."""
        return Lab(LabState(spec), topology.build(spec), Recorder())

    # -- time -----------------------------------------------------------------------------------------------------

    @property
    def spec(self) -> ClusterSpec:
        return self.state.spec

    def next_at(self) -> int | None:
        """When something will happen by itself next."""
        return self.world.next_at()

    def run_until(self, t: int, max_events: int = 1 << 62) -> int:
        """Let everything due up to ``t`` happen; how many events that were. See ``World.run_until``."""
        return self.world.run_until(t, max_events)

    def ready(self) -> bool:
        """A ``kubectl get nodes`` would succeed and show every Node Ready (bare: there is a leader)."""
        self.objects.follow(self.world)
        return snapshot.ready(self.world, self.objects, self.spec)

    def digest(self) -> str:
        """Equal digests, equal histories."""
        return self.world.digest()

    # -- what goes in ---------------------------------------------------------------------------------------------

    def submit(self, item: Input) -> None:
        """Apply ``item`` at this instant. UnknownName if it names something that isn't there (nothing happens then)."""
        self.state.inputs += 1
        self.applying = self.state.inputs
        try:
            ACTS[type(item)](self, item)
        finally:
            self.applying = 0

    def last_id(self) -> int:
        """The number that was given last: right after an HTTP request was submitted, its id."""
        return self.world.state.ids

    # -- what comes out -------------------------------------------------------------------------------------------

    def _outside(self, now: int, dst: str, src: str, message: Any, cause: int) -> None:
        """``message`` of the process ``src`` has left the world; who asked is said by ``dst``, or by the message's own id."""
        if clients.answered(self, now, message):
            return
        if isinstance(message, WatchResponse):
            gateway.watched(self, message)
            if message.canceled:
                self.world.hang_up(dst, src)
        elif dst.startswith(CALLERS):
            self.world.hang_up(dst, src)
            kind, call = dst.removeprefix("outside:").split("/", 1)
            match kind:
                case "op":
                    operations.answered(self, call, message)
                case "member":
                    members.answered(self, int(call), message)
                case "backup":
                    snapshots.answered(self, int(call), message)
                case "etcd":
                    gateway.answered(self, int(call), message)

    def watched(self, by_anyone: bool) -> None:
        """Whether anybody looks at messages in flight; telling of them costs, and changes nothing that happens."""
        self.recorder.watching = self.world.followed = by_anyone

    def drain(self) -> Drained:
        """Answers for clients and frames for onlookers since the last drain."""
        self.objects.follow(self.world)
        for frame in self.objects.drain(self.now):
            self.recorder.add_frame(frame)
        outputs, self.outputs = self.outputs, []
        hosts = {slot.name: slot.host for slot in self.world.state.slots.values()} if self.recorder.flights else {}
        return Drained(outputs, self.recorder.drain(hosts))

    def glimpse(self) -> list[dict[str, Any]]:
        """What could be seen since the last look, cheaply: frames without changes of objects (``drain`` tells those)."""
        recorder = self.recorder
        return recorder.drain(_HostOf(self.world.state.slots)) if recorder.frames or recorder.flights else []

    # -- questions ------------------------------------------------------------------------------------------------

    def query(self, view: str, **args: Any) -> Any:
        """A read model (``cluster.snapshot``), JSON-able. KeyError for an unknown view or thing."""
        if view == "ops":
            return operations.rows(self, **args)
        self.objects.follow(self.world)
        make = probing.PROBES.get(view) or snapshot.VIEWS[view]
        return make(snapshot.Scene(self.spec, self.world, self.objects, self.stops.memory()), **args)

    def stages(self, request: int = 0) -> int:
        """How many stages ``request`` has been through (its answer counts as one); 0: all requests together."""
        if not request:
            return self.recorder.staged
        trace = self.recorder.memory.traces.get(request)
        return 0 if trace is None else len(trace.stages) + (trace.ended is not None)

    def revision(self) -> int:
        """etcd's, as far as a running member has applied it."""
        return self.objects.follow(self.world).revision

    def documents(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Every object that etcd holds: resource → "namespace/name" or "name" → document."""
        return self.objects.follow(self.world).by_resource

    def on_its_way(self, src: str, dst: str, kind: str) -> list[int]:
        """The sequence numbers of messages from ``src`` to ``dst`` under way, of the kind that frames of flights call it; oldest first."""
        return sorted(
            event[1] for event in self.world.state.queue
            if event[2] == dst and event[3] == src and src != dst and kind in (type(event[4]).__name__, getattr(event[4], "type", ""))
        )  # fmt: skip

    def carrying(self, request: int) -> list[int]:
        """The sequence numbers of messages under way that carry that request to where it is answered; oldest first."""
        return sorted(
            event[1] for event in self.world.state.queue if type(event[4]) is HttpRequest and event[4].id == request
        )

    # -- history --------------------------------------------------------------------------------------------------

    def checkpoint(self) -> bytes:
        """The whole cluster as bytes; ``restore`` goes on from there."""
        return pickle.dumps((self.state, self.world.checkpoint(), self.recorder.memory), protocol=5)

    @staticmethod
    def restore(data: bytes) -> "Lab":
        """The cluster that ``checkpoint`` wrote."""
        state, world, memory = PlainUnpickler(BytesIO(data)).load()
        return Lab(state, World.restore(world, FACTORIES), Recorder(memory))

    @staticmethod
    def seek(origin: "bytes | ClusterSpec", journal: Iterable[Entry], now: int) -> "Lab":
        """The cluster as it was at instant ``now``, made again: from its spec or a checkpoint, and the journal since.

        The live cluster knows nothing of it. Going on from there in another way is a fork.
        """
        lab = Lab.restore(origin) if isinstance(origin, bytes) else Lab.start(origin)
        for entry in journal:
            if entry.now > now:
                break
            lab.run_until(entry.now, entry.events - lab.world.state.events)
            with suppress(UnknownName):  # it was refused then, too
                lab.submit(entry.input)
        lab.run_until(now)
        return lab


class _HostOf:
    """Process → host, looked up when somebody asks."""

    def __init__(self, slots: dict[str, Slot]) -> None:
        self.slots = slots

    def get(self, name: str, default: str) -> str:
        slot = self.slots.get(name)
        return default if slot is None else slot.host
