"""The loop: one queue of envelopes ordered by (instant, sequence number), delivered one at a time.

Equal instants are ordered by who was sent first, so there is no tie that a machine could break differently. A step's
effects are applied after it returns, in the order they were written.

What can be done to a world from outside is also here, because it is physics: stop (crash), start, pause and resume a
process or a whole host. A crash drops the process's state; what its disk had synced survives. Peers of a crashed
process on a living host get ``PeerDown``; a dead host is silence.

Simplified here: a step takes no time (actors that model cost pass ``delay``), and a process has one connection per peer.
"""

# pyright: reportUnknownVariableType=false, reportPrivateUsage=false
# (what field(default_factory=list) makes is of unknown type to pyright; the Outbox is the World's other half)

import heapq
import pickle
from collections.abc import Callable, Mapping
from hashlib import blake2b
from io import BytesIO
from typing import Any, Protocol

from msgspec import Struct, field, structs

from cluster.sim.actor import Actor, Fsynced, PeerDown, Timer
from cluster.sim.dice import Dice
from cluster.sim.disk import Disk, Write
from cluster.sim.network import Network
from cluster.sim.plain import PlainUnpickler

_FOLD = 1 << 16
"""Bytes of event log folded into the digest at a time."""

CALLERS = ("outside:op/", "outside:etcd/", "outside:member/", "outside:backup/")
"""Clients outside with a connection for each question: they hear that the process died with theirs in hand. ``hang_up`` ends it. (The balancer tells the
others.)"""

Event = tuple[int, int, str, str, Any, int, int]
"""(arrival ns, sequence, destination, source, message, cause, the destination's boot when it was sent)."""


_lossy: dict[type, bool] = {}
"""Kind of message → whether it may be lost for good, as far as asked."""


class Host(Struct):
    """A machine. ``up`` false: everything on it is dead and silent."""

    name: str
    up: bool = True
    paused: bool = False


class Slot(Struct):
    """A process's place: which program runs there and how it is doing. ``boot`` counts starts."""

    name: str
    kind: str
    host: str
    config: Any
    up: bool = False
    paused: bool = False
    boot: int = 0
    inbox: list[Event] = field(default_factory=list)
    """Envelopes that arrived while paused."""
    peers: dict[str, None] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    """Timer name → sequence number of its one valid envelope."""


class Observer(Protocol):
    """Someone who watches the world and cannot change it."""

    def note(self, now: int, actor: str, cause: int, note: Any) -> None: ...
    def sent(self, now: int, arrival: int, src: str, dst: str, message: Any, cause: int) -> None: ...
    def dropped(self, now: int, src: str, dst: str, message: Any, cause: int, why: str) -> None: ...


class State(Struct):
    """Everything a world is, besides the actors' own states."""

    seed: int
    network: Network
    now: int = 0
    sequence: int = 0
    ids: int = 0
    events: int = 0
    queue: list[Event] = field(default_factory=list)
    hosts: dict[str, Host] = field(default_factory=dict)
    slots: dict[str, Slot] = field(default_factory=dict)
    disks: dict[str, Disk] = field(default_factory=dict)
    dice: dict[str, Dice] = field(default_factory=dict)
    digest: bytes = b""
    log: bytearray = field(default_factory=bytearray)


class World:
    """A running world. ``factories`` maps an actor's kind to its class."""

    def __init__(self, state: State, factories: Mapping[str, Callable[..., Actor]]) -> None:
        self.state = state
        self.factories = factories
        self.actors: dict[str, Actor] = {}
        self.observer: Observer | None = None
        self.followed = True
        """Whether the observer is told what was sent."""
        self.halt: Callable[[], bool] | None = None
        """Asked after every delivery while it is set: True ends ``run_until`` there. It must change nothing."""
        self.outside: Callable[[int, str, str, Any, int], None] | None = None
        """Called as (now, address, src, message, cause) for messages to an ``outside:…`` address."""
        self._out = _Outbox(self)

    @staticmethod
    def new(seed: int, low: int, high: int, factories: Mapping[str, Callable[..., Actor]]) -> "World":
        """An empty world whose links take ``low`` to ``high`` ns."""
        return World(State(seed=seed, network=Network(Dice.named(seed, "network"), low, high)), factories)

    # -- building -------------------------------------------------------------------------------------------------

    def add_host(self, name: str) -> None:
        """A machine named ``name``, running."""
        assert name not in self.state.hosts
        self.state.hosts[name] = Host(name)

    def add_process(self, name: str, kind: str, host: str, config: Any) -> None:
        """A place for a program on ``host``; ``start`` runs it."""
        assert name not in self.state.slots and host in self.state.hosts, (name, host)
        self.state.slots[name] = Slot(name, kind, host, config)
        self.state.dice[name] = Dice.named(self.state.seed, name)

    def add_disk(self, name: str, fsync_min: int, fsync_max: int) -> None:
        """Give the process ``name`` a disk."""
        self.state.disks[name] = Disk(Dice.named(self.state.seed, name + "/disk"), fsync_min, fsync_max)

    # -- running --------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The virtual instant, ns."""
        return self.state.now

    def next_at(self) -> int | None:
        """When the next envelope arrives; None when nothing will ever happen."""
        return self.state.queue[0][0] if self.state.queue else None

    def run_until(self, instant: int, max_events: int = 1 << 62) -> int:
        """Deliver everything due up to and including ``instant``; how many were delivered.

        Stops early, with the clock at the last delivered event, when ``max_events`` were delivered, or ``halt`` says so.
        """
        if self.halt is not None:
            return self._run_watched(instant, max_events, self.halt)
        state, queue, done = self.state, self.state.queue, 0
        pop = heapq.heappop
        while queue and queue[0][0] <= instant:
            if done >= max_events:
                return done
            event = pop(queue)
            state.now = event[0]
            self._deliver(event)
            done += 1
        if done < max_events or not queue or queue[0][0] > instant:
            state.now = max(state.now, instant)
        return done

    def _run_watched(self, instant: int, max_events: int, halt: Callable[[], bool]) -> int:
        """``run_until``, one delivery at a time: the same deliveries in the same order."""
        state, done = self.state, 0
        while state.queue and state.queue[0][0] <= instant:
            if done >= max_events:
                return done
            event = heapq.heappop(state.queue)
            state.now = event[0]
            self._deliver(event)
            done += 1
            if halt():
                return done
        state.now = max(state.now, instant)
        return done

    def post(self, src: str, dst: str, message: Any, cause: int = 0, delay: int = 0) -> None:
        """Mail from ``src`` (a process or an ``outside:…`` address) now; crosses the network like all mail."""
        self._send(src, dst, message, cause, delay)

    def hang_up(self, client: str, process: str) -> None:
        """``client``, one of ``CALLERS``, has its last answer from ``process``."""
        slot = self.state.slots.get(process)
        if slot is not None:
            slot.peers.pop(client, None)

    def digest(self) -> str:
        """One number for everything delivered so far: equal digests, equal histories."""
        return blake2b(self.state.digest + bytes(self.state.log), digest_size=16).hexdigest()

    def absorb(self, data: bytes) -> None:
        """Add ``data`` (what went out to a client, say) to the digest."""
        self.state.log += data

    def _deliver(self, event: Event) -> None:
        at, sequence, dst, src, message, cause, boot = event
        state = self.state
        state.events += 1
        log = state.log
        log += f"{at}>{dst}:{type(message).__name__}\n".encode()
        if len(log) > _FOLD:
            state.digest = blake2b(state.digest + bytes(log), digest_size=16).digest()
            log.clear()
        slot = state.slots.get(dst)
        if slot is None:
            if dst.startswith("outside:") and self.outside is not None:
                self.outside(at, dst, src, message, cause)
            return
        if not slot.up or slot.boot != boot:
            self._undeliverable(slot, event)
            return
        kind = type(message)
        if kind is Timer and slot.timers.get(message.name) != sequence:
            return
        if slot.paused:
            slot.inbox.append(event)
            return
        if kind is Timer:
            del slot.timers[message.name]
        elif kind is Fsynced:
            state.disks[dst].complete(message.token)
        self._step(slot, src, message, cause)

    def _step(self, slot: Slot, src: str, message: Any, cause: int) -> None:
        out = self._out
        out.open(slot, cause)
        self.actors[slot.name].step(src, message, self.state.now, out)
        signals, out.signals = out.signals, ()
        if out.exit_code is not None:
            self.stop(slot.name)
        for name, run in signals:
            (self.start if run else self.stop)(name)

    def _undeliverable(self, slot: Slot, event: Event) -> None:
        at, _, dst, src, message, cause, _ = event
        if src == dst:
            return
        if self.observer is not None:
            self.observer.dropped(at, src, dst, message, cause, "down")
        refuses = self.state.hosts[slot.host].up and not isinstance(message, PeerDown)
        if refuses:
            self._send(dst, src, PeerDown(dst), cause, 0)

    def _send(self, src: str, dst: str, message: Any, cause: int, delay: int) -> None:
        state = self.state
        slots = state.slots
        to, frm = slots.get(dst), slots.get(src)
        to_host = to.host if to is not None else "outside"
        from_host = frm.host if frm is not None else "outside"
        leave = state.now + delay
        kind: type = type(message)
        lossy = _lossy.get(kind)
        if lossy is None:
            lossy = _lossy[kind] = getattr(message, "lossy", False)
        arrival, why = state.network.route(src, from_host, dst, to_host, lossy, leave)
        if why:
            if self.observer is not None:
                self.observer.dropped(state.now, src, dst, message, cause, why)
            return
        if to is not None:
            if frm is None:
                if src.startswith(CALLERS):
                    to.peers[src] = None
            elif dst not in frm.peers:
                frm.peers[dst] = None
                to.peers[src] = None
        if self.followed and self.observer is not None:
            self.observer.sent(leave, arrival, src, dst, message, cause)
        state.sequence += 1
        heapq.heappush(
            state.queue, (arrival, state.sequence, dst, src, message, cause, to.boot if to is not None else 0)
        )

    def _own(self, slot: Slot, at: int, message: Any, cause: int) -> int:
        state = self.state
        state.sequence += 1
        heapq.heappush(state.queue, (at, state.sequence, slot.name, slot.name, message, cause, slot.boot))
        return state.sequence

    # -- faults ---------------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Execute the process ``name`` if it isn't running (and its host is)."""
        slot = self.state.slots[name]
        if slot.up or not self.state.hosts[slot.host].up:
            return
        slot.up, slot.paused, slot.boot = True, self.state.hosts[slot.host].paused, slot.boot + 1
        slot.inbox, slot.timers = [], {}
        if slot.boot > 1 or slot.peers:  # (nobody has a connection with what never ran and was never written to)
            self.state.network.forget(name)
        actor = self.factories[slot.kind](name, slot.config)
        self.actors[name] = actor
        disk = self.state.disks.get(name)
        peers, slot.peers = slot.peers, {}
        for peer in peers:  # whoever still believes in a connection of the last boot learns better
            self._send(name, peer, PeerDown(name), 0, 0)
        out = self._out
        out.open(slot, 0)
        actor.boot(list(disk.synced) if disk is not None else [], self.state.now, out)

    def stop(self, name: str, silent: bool = False) -> None:
        """Crash the process: its state is gone. ``silent``: the host is dying with it, so nobody is told."""
        slot = self.state.slots[name]
        if not slot.up:
            return
        slot.up, slot.paused = False, False
        slot.inbox, slot.timers = [], {}
        self.actors.pop(name)
        if name in self.state.disks:
            self.state.disks[name].crash()
        if not silent:
            peers, slot.peers = slot.peers, {}
            for peer in peers:
                self._send(name, peer, PeerDown(name), 0, 0)

    def reinstall(self, name: str, config: Any, records: list[Any]) -> tuple[Any, list[Any]]:
        """Give the process ``name``, which isn't running, another command line and another disk; what both were."""
        slot, disk = self.state.slots[name], self.state.disks[name]
        assert not slot.up
        before = slot.config, disk.synced
        slot.config, disk.synced = config, list(records)
        return before

    def reconfigure(self, name: str, changes: dict[str, Any]) -> None:
        """Change fields of the command line of ``name``: it reads them when it is executed the next time."""
        slot = self.state.slots[name]
        slot.config = structs.replace(slot.config, **changes)

    def pause(self, name: str) -> None:
        """SIGSTOP: envelopes queue, timers wait."""
        self.state.slots[name].paused = self.state.slots[name].up

    def resume(self, name: str) -> None:
        """SIGCONT: everything that queued is handled now, in order."""
        slot = self.state.slots[name]
        if not slot.paused:
            return
        slot.paused = False
        inbox, slot.inbox = slot.inbox, []
        for _, _, dst, src, message, cause, boot in inbox:
            if type(message) is Timer and src == dst:
                if message.name in slot.timers:
                    slot.timers[message.name] = self._own(slot, self.state.now, message, cause)
                continue
            self.state.sequence += 1
            heapq.heappush(self.state.queue, (self.state.now, self.state.sequence, dst, src, message, cause, boot))

    def stop_host(self, host: str) -> None:
        """Power off: every process on it dies silently."""
        self.state.hosts[host].up = False
        for slot in self.state.slots.values():
            if slot.host == host:
                self.stop(slot.name, silent=True)

    def drop(self, sequence: int) -> None:
        """Lose the envelope that was sent as the ``sequence``-th, as a network would that nobody repeats on. KeyError: it isn't on its way."""
        event = self._take(sequence)
        if self.observer is not None:
            self.observer.dropped(self.state.now, event[3], event[2], event[4], event[5], "lab")

    def deliver(self, sequence: int) -> None:
        """Let the envelope that was sent as the ``sequence``-th arrive now, before all others. KeyError: it isn't on its way."""
        event = self._take(sequence)
        self._deliver((self.state.now, *event[1:]))

    def now_step(self, name: str, message: Any) -> None:
        """Hand ``message`` to the running process ``name`` at this instant, from itself: no network is crossed."""
        slot = self.state.slots[name]
        self._deliver((self.state.now, 0, name, name, message, 0, slot.boot))

    def delay(self, sequence: int, by: int) -> None:
        """Let that envelope arrive ``by`` ns later; what was sent after it on the same connection stays behind it. KeyError: it isn't on its way."""
        state = self.state
        late = self._take(sequence)
        at = late[0] + by
        heapq.heappush(state.queue, (at, *late[1:]))
        behind = [e for e in state.queue if e[1] > sequence and e[2:4] == late[2:4] and e[2] != e[3] and e[0] <= at]
        for step, event in enumerate(sorted(behind, key=lambda e: e[1]), 1):
            state.queue.remove(event)
            state.queue.append((at + step, *event[1:]))
        pair = (late[3], late[2])
        state.network.last[pair] = max(state.network.last.get(pair, 0), at + len(behind))
        heapq.heapify(state.queue)

    def _take(self, sequence: int) -> Event:
        queue = self.state.queue
        for index, event in enumerate(queue):
            if event[1] == sequence:
                del queue[index]
                heapq.heapify(queue)
                return event
        raise KeyError(sequence)

    def start_host(self, host: str) -> None:
        """Power on: every process on it is executed."""
        self.state.hosts[host].up, self.state.hosts[host].paused = True, False
        for slot in list(self.state.slots.values()):
            if slot.host == host:
                self.start(slot.name)

    def pause_host(self, host: str) -> None:
        """Freeze every process of the host."""
        self.state.hosts[host].paused = True
        for slot in self.state.slots.values():
            if slot.host == host:
                self.pause(slot.name)

    def resume_host(self, host: str) -> None:
        """Let them go on."""
        self.state.hosts[host].paused = False
        for slot in list(self.state.slots.values()):
            if slot.host == host:
                self.resume(slot.name)

    # -- history --------------------------------------------------------------------------------------------------

    def checkpoint(self) -> bytes:
        """The whole world as bytes, to go on from by ``restore``. Shared documents stay shared."""
        states = {name: actor.state for name, actor in self.actors.items()}
        return pickle.dumps((self.state, states), protocol=5)

    @staticmethod
    def restore(data: bytes, factories: Mapping[str, Callable[..., Actor]]) -> "World":
        """The world that ``checkpoint`` wrote. Only plain data is read: a foreign class is refused (UnpicklingError)."""
        state, states = PlainUnpickler(BytesIO(data)).load()
        world = World(state, factories)
        for name, actor_state in states.items():
            slot = state.slots[name]
            world.actors[name] = factories[slot.kind](name, slot.config, actor_state)
        return world


class _Outbox:
    """The Outbox of the step that is running. Reused: an actor must not keep it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.slot: Slot
        self.cause = 0
        self.dice: Dice
        self.exit_code: int | None = None
        self.signals: tuple[tuple[str, bool], ...] = ()

    def open(self, slot: Slot, cause: int) -> None:
        self.slot = slot
        self.cause = cause
        self.dice = self.world.state.dice[slot.name]
        self.exit_code = None
        self.signals = ()

    def send(self, dst: str, message: Any, *, delay: int = 0, cause: int | None = None) -> None:
        self.world._send(self.slot.name, dst, message, self.cause if cause is None else cause, delay)

    def timer(self, name: str, after: int, data: Any = None, *, cause: int | None = None) -> None:
        at = self.world.state.now + max(after, 0)
        cause = self.cause if cause is None else cause
        self.slot.timers[name] = self.world._own(self.slot, at, Timer(name, data), cause)

    def cancel(self, name: str) -> None:
        self.slot.timers.pop(name, None)

    def write(self, records: list[Any], token: int) -> None:
        self._submit(Write(token, records, False))

    def rewrite(self, records: list[Any], token: int) -> None:
        self._submit(Write(token, records, True))

    def buffer(self, records: list[Any]) -> None:
        self.world.state.disks[self.slot.name].buffer(records)

    def _submit(self, write: Write) -> None:
        disk = self.world.state.disks[self.slot.name]
        done = disk.submit(write, self.world.state.now)
        self.world._own(self.slot, done, Fsynced(write.token), self.cause)

    def note(self, note: Any) -> None:
        observer = self.world.observer
        if observer is not None:
            observer.note(self.world.state.now, self.slot.name, self.cause, note)

    def next_id(self) -> int:
        self.world.state.ids += 1
        return self.world.state.ids

    def exit(self, code: int) -> None:
        self.exit_code = code

    def execute(self, process: str) -> bool:
        return self._signal(process, True)

    def kill(self, process: str) -> bool:
        return self._signal(process, False)

    def reinstall(self, process: str, config: Any, records: list[Any]) -> tuple[Any, list[Any]] | None:
        slot = self.world.state.slots.get(process)
        if slot is None or slot.host != self.slot.host or slot.up:
            return None
        return self.world.reinstall(process, config, records)

    def reconfigure(self, process: str, changes: dict[str, Any]) -> bool:
        slot = self.world.state.slots.get(process)
        if slot is None or slot.host != self.slot.host:
            return False
        self.world.reconfigure(process, changes)
        return True

    def _signal(self, process: str, run: bool) -> bool:
        slot = self.world.state.slots.get(process)
        if slot is None or slot.host != self.slot.host:
            return False
        self.signals = (*self.signals, (process, run))
        return True
