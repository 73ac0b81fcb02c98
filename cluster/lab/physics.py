"""Acts on the physics: processes and hosts, links and disks, single messages and timers.

None of them asks anybody in the world; each tells onlookers with a frame what it did.
"""

from typing import Any

from cluster import snapshot
from cluster.lab.door import Door, UnknownName
from cluster.lab.inputs import (
    AlignIn,
    CutsIn,
    DelayIn,
    DeliverIn,
    DiskIn,
    DropIn,
    HealIn,
    HostOp,
    LinkIn,
    NothingIn,
    PacketIn,
    PartitionIn,
    ProcessOp,
)
from cluster.sim import Link, Timer
from cluster.sim.clock import MILLISECOND
from cluster.sim.world import Event, Slot
from cluster.wire import etcd

LABEL = 120
"""Characters of a frame's label at most: a partition of nine members has 40 ways."""


# -- processes, hosts, disks ------------------------------------------------------------------------------------------


def process(door: Door, item: ProcessOp) -> None:
    getattr(door.world, item.op)(door.process(item.process))
    door.tell_process(item.process)


def host(door: Door, item: HostOp) -> None:
    getattr(door.world, f"{item.op}_host")(door.host(item.host))
    door.tell_host(item.host)


def disk(door: Door, item: DiskIn) -> None:
    disk = door.world.state.disks[door.member(item.member)]
    low, high = door.state.spec.fsync_ms if item.fsync_ms is None else sorted(item.fsync_ms)
    disk.fsync_min, disk.fsync_max = round(low * MILLISECOND), round(high * MILLISECOND)
    door.tell_act(f"{item.member} disk {low:g} to {high:g} ms")


# -- the network ------------------------------------------------------------------------------------------------------


def partition(door: Door, item: PartitionIn) -> None:
    groups = [[door.place(name) for name in group] for group in item.groups]
    door.world.state.network.partition(groups)
    door.tell("network", groups=groups)


def heal(door: Door, item: HealIn) -> None:
    door.world.state.network.heal()
    door.tell("network", groups=None)


def link(door: Door, item: LinkIn) -> None:
    way = None
    if item.latency_ms is not None or item.loss is not None:
        latency = None if item.latency_ms is None else round(item.latency_ms * MILLISECOND)
        way = Link(low=latency, high=latency, loss=min(item.loss or 0.0, 0.99), cut=(item.loss or 0.0) >= 1.0)
    door.world.state.network.set_link(door.place(item.a), door.place(item.b), way, item.one_way)
    door.tell("link", a=item.a, b=item.b, latencyMs=item.latency_ms, loss=item.loss, oneWay=item.one_way)


def cuts(door: Door, item: CutsIn) -> None:
    for name in dict.fromkeys(name for pair in (*item.cut, *item.mend, *item.slow) for name in pair):
        door.place(name)
    latency = round(item.slow_ms * MILLISECOND)
    for pairs, way in (
        (item.mend, None),
        (item.cut, Link(cut=True)),
        (item.slow, Link(low=latency, high=latency)),
    ):
        for a, b in pairs:
            door.world.state.network.set_link(a, b, way, one_way=True)
    told = (("cut", item.cut), ("mend", item.mend), (f"{item.slow_ms:g} ms", item.slow))
    door.tell_act(
        "; ".join(f"{word} {' '.join(f'{a}→{b}' for a, b in pairs)}" for word, pairs in told if pairs)[:LABEL]
    )


def packet(door: Door, item: PacketIn) -> None:
    """Its walk is worked out at once: a packet takes no virtual time."""
    door.answer_at_once(item.call, snapshot.packet(door.world, door.objects.follow(door.world), item))


# -- single messages and timers ---------------------------------------------------------------------------------------


def schedule(door: Door, item: DropIn | DeliverIn | DelayIn) -> None:
    """One envelope under way is lost, comes now, or comes later."""
    world = door.world
    event = next((event for event in world.state.queue if event[1] == item.sequence), None)
    own = _own(event, world.state.slots)
    if own is not None and isinstance(item, DropIn):
        raise UnknownName("only messages can be lost on the way, not timers or a disk's answer")
    if event is None or (own is not None and not _current(own, event)):
        raise UnknownName("that message is not on its way")
    match item:
        case DropIn(sequence):
            world.drop(sequence)
        case DelayIn(sequence, micros):
            world.delay(sequence, micros * 1000)
        case DeliverIn() if own is not None and own.kind == "etcd" and _is_tick(event[4]):
            world.now_step(own.name, etcd.TickNow())
        case DeliverIn(sequence):
            world.deliver(sequence)


def _own(event: Event | None, slots: dict[str, Slot]) -> Slot | None:
    """The process that ``event``, a timer or a disk's answer, belongs to; None: it is a message between two."""
    return slots.get(event[2]) if event is not None and event[2] == event[3] else None


def _current(slot: Slot, event: Event) -> bool:
    """Is ``event`` still of the process that runs in ``slot``, and, if it is a timer, not set anew?"""
    message = event[4]
    alive = slot.up and slot.boot == event[6]
    return alive and (type(message) is not Timer or slot.timers.get(message.name) == event[1])


def _is_tick(message: Any) -> bool:
    return type(message) is Timer and message.name == "tick"


def align(door: Door, item: AlignIn) -> None:
    for name in [door.member(name) for name in item.members]:
        door.at_the_bench(name, etcd.ElectionAt(door.now + item.micros * 1000))
    door.tell_act(f"timers aligned: {' '.join(item.members)}")


def nothing(door: Door, item: NothingIn) -> None:
    door.world.state.ids += item.ids


ACTS = {
    ProcessOp: process,
    HostOp: host,
    DiskIn: disk,
    PartitionIn: partition,
    HealIn: heal,
    LinkIn: link,
    CutsIn: cuts,
    PacketIn: packet,
    DropIn: schedule,
    DeliverIn: schedule,
    DelayIn: schedule,
    AlignIn: align,
    NothingIn: nothing,
}
