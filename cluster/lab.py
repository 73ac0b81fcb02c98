"""The one door into the world: start a cluster, hand it inputs, let time pass, take out what happened.

In → ``Input`` values (the whole journal of a cluster is a list of them with their instants); out → ``Drained``: answers
for clients outside and JSON-able frames for onlookers. The same spec, seed and inputs at the same instants give the
same answers, the same frames and the same ``digest``, always.

Everything a client sends becomes one envelope from an ``outside:…`` address to the balancer; what comes back to that
address leaves through ``drain``. Faults and laboratory acts go straight to the physics.
"""

import pickle
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from typing import Any, Literal

import msgspec
import orjson
from msgspec import Struct, field

from cluster import probing, rescue, snapshot, topology
from cluster.backup.snapshot import Refused
from cluster.etcd import gateway
from cluster.sim import Link, PeerDown, Timer, World
from cluster.sim.clock import MILLISECOND
from cluster.sim.world import CALLERS, Event, PlainUnpickler, Slot
from cluster.snapshot.objects import Objects
from cluster.snapshot.stops import Stops, breakpoint_of
from cluster.topology import FACTORIES, ClusterSpec, Pki
from cluster.trace.recorder import Recorder
from cluster.wire import etcd
from cluster.wire.console import ConsoleDone, ConsoleInterrupt, ConsoleLine, ConsoleOutput
from cluster.wire.http import (
    Headers,
    HttpCancel,
    HttpChunk,
    HttpEnd,
    HttpRequest,
    HttpReset,
    HttpResponse,
    TlsPeer,
)

__all__ = ["ClusterSpec", "Drained", "Entry", "Input", "Lab", "Output", "Pki", "breakpoint_of"]

# -- what goes in -----------------------------------------------------------------------------------------------------


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

# -- what comes out ---------------------------------------------------------------------------------------------------


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


class UnknownName(Exception):
    """An input names a process, host or member that isn't there."""


class Entry(Struct, frozen=True):
    """A line of the journal: ``input`` was applied at instant ``now``, after ``events`` deliveries."""

    now: int
    events: int
    input: Input


# -- the lab ----------------------------------------------------------------------------------------------------------


class Op(Struct):
    """One recorded etcd operation (the control API's row)."""

    id: str
    member: str
    f: str
    key: str
    value: str | None
    linearizable: bool
    call: int
    boot: int
    ret: int | None = None
    res: str | None = None
    out: dict[str, Any] | None = None
    error: str | None = None


class LabState(Struct):
    """What the door itself remembers, beside the world."""

    spec: ClusterSpec
    streams: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Request id → the outside connection and stream it belongs to."""
    ids: dict[tuple[str, int], int] = field(default_factory=dict)
    calls: dict[int, str] = field(default_factory=dict)
    """Request id (or watch id) → call, for console lines, gateway requests and operations."""
    ops: dict[str, Op] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    """Operations in the order they ended; the position, plus ``forgotten``, is ``done_since``'s cursor."""
    forgotten: int = 0
    """Ended operations that aren't kept any more."""
    joining: dict[int, MemberAddIn] = field(default_factory=dict)
    """Membership requests on their way: request id → whom to start when it is granted."""
    inputs: int = 0
    saving: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Snapshots on their way: request id → the host and path they are for."""


OPS_KEPT = 20_000
"""Ended operations kept; a tenth more before the oldest go."""
OP_TIMEOUT_ERRORS = ("timed out", "leader changed", "deadline", "connection")


class Lab:
    """One live cluster. Not thread-safe; nothing here waits."""

    def __init__(self, state: LabState, world: World, recorder: Recorder) -> None:
        self.state = state
        self.world = world
        self.recorder = recorder
        self.outputs: list[Output] = []
        self.applying = 0
        """The number of the input that is being applied: frames of what it does to the laboratory say it (``input``)."""
        self.objects = Objects(recorder.memory)
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

    @property
    def now(self) -> int:
        """Virtual nanoseconds since instant 0."""
        return self.world.now

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

    def watched(self, by_anyone: bool) -> None:
        """Whether anybody looks at messages in flight; telling of them costs, and changes nothing that happens."""
        self.recorder.watching = self.world.followed = by_anyone

    def digest(self) -> str:
        """Equal digests, equal histories."""
        return self.world.digest()

    # -- inputs ---------------------------------------------------------------------------------------------------

    def submit(self, item: Input) -> None:
        """Apply ``item`` at this instant. UnknownName if it names something that isn't there (nothing happens then)."""
        self.state.inputs += 1
        self.applying = self.state.inputs
        try:
            self._apply(item)
        finally:
            self.applying = 0

    def _apply(self, item: Input) -> None:
        world = self.world
        match item:
            case HttpIn():
                self._http(item)
            case HttpDataIn(conn, stream, data, channel):
                number = self.state.ids.get((conn, stream))
                if number is not None:
                    world.post(f"outside:{conn}", "lb", HttpChunk(number, data, channel=channel), number)
            case HttpCloseIn(conn, stream):
                self._close(conn, stream)
            case ConsoleIn(session, line, call):
                number = self._id(call)
                world.post("outside:console", self._slot("console"), ConsoleLine(number, session, line))
            case ConsoleInterruptIn(session):
                world.post("outside:console", self._slot("console"), ConsoleInterrupt(session))
            case EtcdGatewayIn():
                self._gateway(item)
            case EtcdWatchIn():
                self._etcd_watch_op(item)
            case EtcdOpIn():
                self._etcd_op(item)
            case MemberOp():
                self._member_op(item)
            case MemberAddIn() | MemberRemoveIn() | MemberPromoteIn():
                self._membership(item)
            case SnapshotIn() | SnapshotFileIn() | SnapshotRemoveIn() | RestoreIn():
                self._rescue(item)
            case ProcessOp(process, op):
                getattr(world, op)(self._slot(process))
                self._process_frame(process)
            case HostOp(host, op):
                if host not in world.state.hosts:
                    raise UnknownName(f"there is no host {host!r} in this cluster")
                getattr(world, f"{op}_host")(host)
                self._host_frame(host)
            case PartitionIn(groups):
                for place in (name for group in groups for name in group):
                    self._place(place)
                world.state.network.partition([list(group) for group in groups])
                self.recorder.add_frame(self._frame("network", groups=[list(group) for group in groups]))
            case HealIn():
                world.state.network.heal()
                self.recorder.add_frame(self._frame("network", groups=None))
            case LinkIn():
                self._link(item)
            case PacketIn():
                doc = snapshot.packet(world, self.objects.follow(world), item)
                self.outputs.append(CallOut(item.call, {**doc, "done": True}))
            case DropIn() | DeliverIn() | DelayIn():
                try:
                    self._schedule(item)
                except KeyError:
                    raise UnknownName("that message is not on its way") from None
            case CutsIn():
                self._cuts(item)
            case DiskIn(member, fsync_ms):
                disk = world.state.disks[self._member(member)]
                low, high = self.spec.fsync_ms if fsync_ms is None else sorted(fsync_ms)
                disk.fsync_min, disk.fsync_max = round(low * MILLISECOND), round(high * MILLISECOND)
                self._lab_frame(f"{member} disk {low:g} to {high:g} ms")
            case AlignIn(members, micros):
                for name in [self._member(name) for name in members]:
                    self._at_the_bench(name, etcd.ElectionAt(self.now + micros * 1000))
                self._lab_frame(f"timers aligned: {' '.join(members)}")
            case NothingIn(ids):
                world.state.ids += ids

    def _schedule(self, item: DropIn | DeliverIn | DelayIn) -> None:
        world = self.world
        event = next((event for event in world.state.queue if event[1] == item.sequence), None)
        own = world.state.slots.get(event[2]) if event is not None and event[2] == event[3] else None
        tick = own is not None and event is not None and type(event[4]) is Timer
        if own is not None and isinstance(item, DropIn):
            raise UnknownName("only messages can be lost on the way, not timers or a disk's answer")
        if own is not None and event is not None and not _current(own, event):
            raise KeyError(item.sequence)
        if isinstance(item, DropIn):
            world.drop(item.sequence)
        elif isinstance(item, DelayIn):
            world.delay(item.sequence, item.micros * 1000)
        elif tick and event is not None and own is not None and own.kind == "etcd" and event[4].name == "tick":
            world.now_step(event[2], etcd.TickNow())
        else:
            world.deliver(item.sequence)

    def _cuts(self, item: CutsIn) -> None:
        for place in dict.fromkeys(name for pair in (*item.cut, *item.mend, *item.slow) for name in pair):
            self._place(place)
        latency = round(item.slow_ms * MILLISECOND)
        for pairs, link in (
            (item.mend, None),
            (item.cut, Link(cut=True)),
            (item.slow, Link(low=latency, high=latency)),
        ):
            for a, b in pairs:
                self.world.state.network.set_link(a, b, link, one_way=True)
        told = (("cut", item.cut), ("mend", item.mend), (f"{item.slow_ms:g} ms", item.slow))
        self._lab_frame(
            "; ".join(f"{word} {' '.join(f'{a}→{b}' for a, b in pairs)}" for word, pairs in told if pairs)[:120]
        )

    def _at_the_bench(self, process: str, message: Any) -> None:
        """A laboratory message to a member of etcd; it means nothing unless that runs and is awake."""
        slot = self.world.state.slots[process]
        if slot.up and not slot.paused:
            self.world.now_step(process, message)

    def _lab_frame(self, label: str) -> None:
        self.recorder.add_frame(self._frame("lab", label=label))

    def _http(self, item: HttpIn) -> None:
        self.world.state.ids += 1
        number = self.world.state.ids
        self.state.streams[number] = (item.conn, item.stream)
        self.state.ids[(item.conn, item.stream)] = number
        request = HttpRequest(
            number, item.method, item.path, item.query, item.headers, item.body, None, item.peer, item.remote
        )
        self.world.post(f"outside:{item.conn}", self._slot("lb"), request)

    def _close(self, conn: str, stream: int) -> None:
        number = self.state.ids.pop((conn, stream), None)
        if number is not None:
            self.state.streams.pop(number, None)
            self.world.post(f"outside:{conn}", "lb", HttpCancel(number), number)

    def _id(self, call: str) -> int:
        self.world.state.ids += 1
        self.state.calls[self.world.state.ids] = call
        return self.world.state.ids

    def _slot(self, process: str) -> str:
        if process not in self.world.state.slots:
            raise UnknownName(f"there is no process {process!r} in this cluster")
        return process

    def _member(self, name: str) -> str:
        slot = self.world.state.slots.get(name)
        if slot is None or slot.kind != "etcd":
            raise UnknownName(f"there is no member {name!r} in this cluster")
        return name

    def _place(self, place: str) -> None:
        if place not in self.world.state.hosts and place not in self.world.state.slots:
            raise UnknownName(f"there is no host or member {place!r} in this cluster")

    def _gateway(self, item: EtcdGatewayIn) -> None:
        member = self._member(item.member)
        number = self._id(item.call)
        try:
            parsed = gateway.request(item.path, item.body, number)
        except gateway.GatewayError as refusal:
            del self.state.calls[number]
            answer = {"status": refusal.status, "body": refusal.document, "done": True}
            self.outputs.append(CallOut(item.call, answer))
            return
        if not self.world.state.slots[member].up:
            del self.state.calls[number]
            self.outputs.append(CallOut(item.call, {"status": 0, "error": "connection refused", "done": True}))
            return
        self.world.post(f"outside:etcd/{number}", member, parsed)

    def _etcd_watch_op(self, item: EtcdWatchIn) -> None:
        number = next((number for number, call in self.state.calls.items() if call == item.call), None)
        if number is None or not self.world.state.slots[self._member(item.member)].up:
            return
        request = etcd.WatchCancelRequest if item.op == "cancel" else etcd.WatchProgressRequest
        self.world.post(f"outside:etcd/{number}", item.member, request(number))

    def _member_op(self, item: MemberOp) -> None:
        process = self._member(item.member)
        if item.op == "campaign":
            self.world.post("outside:lab", process, etcd.Campaign())
        elif item.op == "transfer":
            self.world.post("outside:lab", process, etcd.TransferLeadership(self._member(item.to)))
        elif item.op == "snapshot":
            self._at_the_bench(process, etcd.SnapshotNow())
            self._lab_frame(f"{process} snapshot")
        else:
            getattr(self.world, item.op)(process)
            self._process_frame(process)

    def _membership(self, item: MemberAddIn | MemberRemoveIn | MemberPromoteIn) -> None:
        slots = self.world.state.slots
        running = [name for name in self.world.actors if slots[name].kind == "etcd"]
        leader = next((name for name in running if self.world.actors[name].status()["role"] == "leader"), "")
        if not running:
            self.outputs.append(CallOut(item.call, {"error": "no member of etcd runs", "done": True}))
            return
        if isinstance(item, MemberAddIn):
            if item.name in slots:
                raise UnknownName(f"there is a process {item.name!r} already")
            number = self._id(item.call)
            self.state.joining[number] = item
            url = (f"https://{topology.address_of_member(item.host or item.name)}:2380",)
            request: Any = etcd.MemberAddRequest(number, url, item.learner, item.name)
        else:
            id_ = slots[self._member(item.member)].config.id
            number = self._id(item.call)
            kind = etcd.MemberRemoveRequest if isinstance(item, MemberRemoveIn) else etcd.MemberPromoteRequest
            request = kind(number, id_)
        self.world.post(f"outside:member/{number}", leader or running[0], request)

    def _membership_answer(self, number: int, message: Any) -> None:
        joining = self.state.joining.pop(number, None)
        if not isinstance(message, etcd.MemberResponse):
            why = message.message if isinstance(message, etcd.EtcdError) else "connection reset"
            self._call(number, {"error": why, "done": True})
            return
        if joining is not None:
            assert message.member is not None
            topology.add_member(self.world, self.state.spec, joining.name, joining.host, message.member.id)
            self.world.start(joining.name)
            self._process_frame(joining.name)
        self._call(number, {"members": [f"{member.id:x}" for member in message.members], "done": True})

    def _rescue(self, item: SnapshotIn | SnapshotFileIn | SnapshotRemoveIn | RestoreIn) -> None:
        try:
            match item:
                case SnapshotIn():
                    self._save_snapshot(item)
                    return
                case SnapshotFileIn(_, host, path, data):
                    doc = rescue.keep(self.world, host, path, data)
                case SnapshotRemoveIn(_, host, path):
                    doc = rescue.remove(self.world, host, path)
                case RestoreIn():
                    act = rescue.Restoring(
                        item.host, item.path, item.members, item.token, item.bump, item.skip_hash_check, item.control_plane
                    )  # fmt: skip
                    doc = rescue.apply(self.world, act)
                    self._lab_frame(f"restore {item.path} of {item.host}")
        except Refused as why:
            doc = {"error": str(why)}
        self.outputs.append(CallOut(item.call, {**doc, "done": True}))

    def _save_snapshot(self, item: SnapshotIn) -> None:
        slot = self.world.state.slots[self._member(item.member)]
        path = rescue.check_path(item.path or f"{rescue.FOLDER}/{item.member}-{self.now // 1_000_000}.db")
        rescue.machine(self.world, slot.host)
        if not slot.up:
            raise Refused(
                f"{item.member} is down: who doesn't run sends no snapshot (its data directory has a database without a checksum)"
            )
        number = self._id(item.call)
        self.state.saving[number] = (slot.host, path)
        self.world.post(f"outside:backup/{number}", item.member, etcd.SnapshotRequest(number))

    def _snapshot_answer(self, number: int, message: Any) -> None:
        host, path = self.state.saving.pop(number)
        try:
            if not isinstance(message, etcd.SnapshotResponse):
                raise Refused(message.message if isinstance(message, etcd.EtcdError) else "connection reset")
            self._call(number, {**rescue.keep(self.world, host, path, message.blob), "done": True})
        except Refused as why:
            self._call(number, {"error": str(why), "done": True})

    def _link(self, item: LinkIn) -> None:
        self._place(item.a)
        self._place(item.b)
        link = None
        if item.latency_ms is not None or item.loss is not None:
            latency = None if item.latency_ms is None else round(item.latency_ms * MILLISECOND)
            link = Link(low=latency, high=latency, loss=min(item.loss or 0.0, 0.99), cut=(item.loss or 0.0) >= 1.0)
        self.world.state.network.set_link(item.a, item.b, link, item.one_way)
        self.recorder.add_frame(
            self._frame("link", a=item.a, b=item.b, latencyMs=item.latency_ms, loss=item.loss, oneWay=item.one_way)
        )

    def _etcd_op(self, item: EtcdOpIn) -> None:
        member = item.member
        slot = self.world.state.slots.get(member)
        boot = slot.boot if slot is not None else 0
        self.state.ops[item.call] = Op(
            item.call, member, item.f, item.key, item.value, item.linearizable, self.now // 1000, boot
        )
        if slot is None or slot.kind != "etcd":  # whoever asked was told only how it is called
            self._op_done(item.call, "fail", None, f"there is no member {member!r} in this cluster")
            return
        self.world.state.ids += 1
        number = self.world.state.ids
        if not slot.up:
            self._op_done(item.call, "fail", None, "connection refused")
            return
        key, value = item.key.encode(), (item.value or "").encode()
        match item.f:
            case "put":
                request: Any = etcd.PutRequest(number, key, value)
            case "get":
                request = etcd.RangeRequest(number, key, serializable=not item.linearizable)
            case "delete":
                request = etcd.DeleteRangeRequest(number, key)
            case "cas":
                compare = (
                    etcd.Compare(key, "VERSION", "EQUAL", 0)
                    if item.expect is None
                    else etcd.Compare(key, "VALUE", "EQUAL", item.expect.encode())
                )
                request = etcd.TxnRequest(
                    number, (compare,), (etcd.PutRequest(0, key, value),), (etcd.RangeRequest(0, key),)
                )
        self.world.post(f"outside:op/{item.call}", member, request)

    # -- outputs --------------------------------------------------------------------------------------------------

    def _outside(self, now: int, dst: str, src: str, message: Any, cause: int) -> None:
        match message:
            case HttpResponse():
                self._response(message)
            case HttpChunk():
                self._chunk(message)
            case HttpEnd(number, error) | HttpReset(number, error):
                self._ended(number, error if isinstance(message, HttpReset) or error else "")
            case ConsoleOutput(number, _, stdout, stderr, requests):
                self._call(number, {"stdout": stdout, "stderr": stderr, "requests": list(requests), "done": False})
            case ConsoleDone(number, _, code, requests):
                began = message.started if message.started >= 0 else now
                tail = {
                    "more": message.more,
                    "clear": message.clear,
                    "startMicros": began // 1000,
                    "endMicros": now // 1000,
                }
                self._call(number, {"exitCode": code, "requests": list(requests), **tail, "done": True})
            case etcd.WatchResponse():
                self._etcd_watch(message)
                if message.canceled:
                    self.world.hang_up(dst, src)
            case _ if dst.startswith(CALLERS):
                self.world.hang_up(dst, src)
                kind, call = dst.removeprefix("outside:").split("/", 1)
                if kind == "op":
                    self._op_answer(call, message)
                elif kind == "member":
                    self._membership_answer(int(call), message)
                elif kind == "backup":
                    self._snapshot_answer(int(call), message)
                else:
                    self._gateway_answer(int(call), message)

    def _response(self, message: HttpResponse) -> None:
        where = self.state.streams.get(message.id)
        if where is None:
            return
        body = message.body or (orjson.dumps(message.doc) if message.doc is not None else b"")
        self.world.absorb(b"%d " % message.code + body)
        self.outputs.append(HttpOut(*where, message.code, message.headers, body, not message.stream, message.id))
        if not message.stream:
            self._forget(message.id)

    def _chunk(self, message: HttpChunk) -> None:
        where = self.state.streams.get(message.id)
        if where is not None:
            data = message.data or (orjson.dumps(message.doc) + b"\n" if message.doc is not None else b"")
            self.world.absorb(data)
            self.outputs.append(HttpDataOut(*where, data, message.channel, False))

    def _ended(self, number: int, error: str) -> None:
        where = self.state.streams.get(number)
        if where is not None:
            self._forget(number)
            self.outputs.append(HttpResetOut(*where, error) if error else HttpDataOut(*where, b"", -1, True))

    def _forget(self, number: int) -> None:
        where = self.state.streams.pop(number, None)
        if where is not None:
            self.state.ids.pop(where, None)

    def _call(self, number: int, doc: dict[str, Any]) -> None:
        call = self.state.calls.get(number)
        if call is not None:
            self.outputs.append(CallOut(call, doc))
            if doc["done"]:
                del self.state.calls[number]

    def _gateway_answer(self, number: int, message: Any) -> None:
        if isinstance(message, PeerDown):
            self._call(number, {"status": 0, "error": "connection reset", "done": True})
            return
        if isinstance(message, etcd.SnapshotResponse):
            *lines, last = gateway.snapshot_lines(message)
            for line in lines:
                self._call(number, {"status": 200, "body": line, "done": False})
            self._call(number, {"status": 200, "body": last, "done": True})
            return
        status, body = gateway.response(message)
        if isinstance(message, etcd.LeaseKeepAliveResponse):
            body = gateway.stream_line(message)
        self._call(number, {"status": status, "body": body, "done": True})

    def _etcd_watch(self, message: etcd.WatchResponse) -> None:
        body = gateway.stream_line(message)
        self._call(message.watch, {"status": 200, "body": body, "done": message.canceled})

    def _op_answer(self, call: str, message: Any) -> None:
        if call not in self.state.ops:
            return  # it ended long ago
        match message:
            case etcd.EtcdError(_, _, text):
                unknown = self.state.ops[call].f != "get" and any(word in text for word in OP_TIMEOUT_ERRORS)
                self._op_done(call, "info" if unknown else "fail", None, text)
            case etcd.PutResponse():
                self._op_done(call, "ok", {"revision": message.header.revision}, None)
            case etcd.DeleteRangeResponse():
                self._op_done(call, "ok", {"revision": message.header.revision, "deleted": message.deleted}, None)
            case etcd.RangeResponse():
                self._op_done(call, "ok", _value_of(message) | {"revision": message.header.revision}, None)
            case etcd.TxnResponse():
                out: dict[str, Any] = {"revision": message.header.revision, "succeeded": message.succeeded}
                if not message.succeeded and message.responses:
                    out |= _value_of(message.responses[0])
                self._op_done(call, "ok" if message.succeeded else "fail", out, None)
            case _:  # PeerDown: the member died with the request in hand
                self._op_done(call, "fail" if self.state.ops[call].f == "get" else "info", None, "connection reset")

    def _op_done(self, call: str, res: str, out: dict[str, Any] | None, error: str | None) -> None:
        op = self.state.ops[call]
        if op.res is None:
            op.ret, op.res, op.out, op.error = self.now // 1000, res, out, error
            self.state.done.append(call)
            self._forget_ops()

    def _forget_ops(self) -> None:
        done = self.state.done
        if len(done) > OPS_KEPT + OPS_KEPT // 10:
            for call in done[:-OPS_KEPT]:
                del self.state.ops[call]
            self.state.forgotten += len(done) - OPS_KEPT
            del done[:-OPS_KEPT]

    def drain(self) -> Drained:
        """Answers for clients and frames for onlookers since the last drain."""
        self.objects.follow(self.world)
        for frame in self.objects.drain(self.world.now):
            self.recorder.add_frame(frame)
        outputs, self.outputs = self.outputs, []
        hosts = {slot.name: slot.host for slot in self.world.state.slots.values()} if self.recorder.flights else {}
        return Drained(outputs, self.recorder.drain(hosts))

    # -- questions ------------------------------------------------------------------------------------------------

    def query(self, view: str, **args: Any) -> Any:
        """A read model (``cluster.snapshot``), JSON-able. KeyError for an unknown view or thing."""
        if view == "ops":
            return self._ops(**args)
        self.objects.follow(self.world)
        make = probing.PROBES.get(view) or snapshot.VIEWS[view]
        return make(snapshot.Scene(self.spec, self.world, self.objects, self.stops.memory()), **args)

    def _ops(self, done_since: int = 0, pending: bool = False) -> dict[str, Any]:
        if pending:
            rows = [msgspec.to_builtins(op) for op in self.state.ops.values() if op.res is None]
        else:
            known = max(done_since - self.state.forgotten, 0)
            rows = [msgspec.to_builtins(self.state.ops[call]) for call in self.state.done[known:]]
        return {"ops": rows, "next": self.state.forgotten + len(self.state.done)}

    # -- history --------------------------------------------------------------------------------------------------

    def checkpoint(self) -> bytes:
        """The whole cluster as bytes; ``restore`` goes on from there."""
        return pickle.dumps((self.state, self.world.checkpoint(), self.recorder.memory), protocol=5)

    @staticmethod
    def restore(data: bytes) -> "Lab":
        """The cluster that ``checkpoint`` wrote."""
        state, world, memory = PlainUnpickler(BytesIO(data)).load()
        return Lab(state, World.restore(world, FACTORIES), Recorder(memory))

    def glimpse(self) -> list[dict[str, Any]]:
        """What could be seen since the last look, cheaply: frames without changes of objects (``drain`` tells those)."""
        recorder = self.recorder
        return recorder.drain(_HostOf(self.world.state.slots)) if recorder.frames or recorder.flights else []

    def stages(self, request: int = 0) -> int:
        """How many stages ``request`` has been through (its answer counts as one); 0: all requests together."""
        if not request:
            return self.recorder.staged
        trace = self.recorder.memory.traces.get(request)
        return 0 if trace is None else len(trace.stages) + (trace.ended is not None)

    def revision(self) -> int:
        """etcd's, as far as a running member has applied it."""
        return self.objects.follow(self.world).revision

    def last_id(self) -> int:
        """The number that was given last: right after an HTTP request was submitted, its id."""
        return self.world.state.ids

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

    def documents(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Every object that etcd holds: resource → "namespace/name" or "name" → document."""
        return self.objects.follow(self.world).by_resource

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

    def _frame(self, kind: str, /, **fields: Any) -> dict[str, Any]:
        number = {"input": self.applying} if self.applying else {}
        return {"t": kind, "atMicros": self.now // 1000, **fields, **number}

    def _process_frame(self, process: str) -> None:
        slot = self.world.state.slots[process]
        self.recorder.add_frame(
            self._frame(
                "process",
                name=slot.name,
                kind=slot.kind,
                host=slot.host,
                up=slot.up,
                paused=slot.paused,
                boot=slot.boot,
            )
        )

    def _host_frame(self, name: str) -> None:
        host = self.world.state.hosts[name]
        self.recorder.add_frame(self._frame("host", name=name, up=host.up, paused=host.paused))
        for slot in self.world.state.slots.values():
            if slot.host == name:
                self._process_frame(slot.name)


class _HostOf:
    """Process → host, looked up when somebody asks."""

    def __init__(self, slots: dict[str, Any]) -> None:
        self.slots = slots

    def get(self, name: str, default: str) -> str:
        slot = self.slots.get(name)
        return default if slot is None else slot.host


def _current(slot: Slot, event: Event) -> bool:
    """Is ``event``, a timer or a disk's answer, still of the process that runs in ``slot``, and the timer not set anew?"""
    message = event[4]
    alive = slot.up and slot.boot == event[6]
    return alive and (type(message) is not Timer or slot.timers.get(message.name) == event[1])


def _value_of(response: Any) -> dict[str, Any]:
    if not isinstance(response, etcd.RangeResponse) or not response.kvs:
        return {"value": None}
    kv = response.kvs[0]
    return {
        "value": kv.value.decode("utf-8", "replace"),
        "modRevision": kv.mod_revision,
        "createRevision": kv.create_revision,
        "version": kv.version,
    }
