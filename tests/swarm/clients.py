"""The swarm's clients: some read and write single keys, some watch everything, one holds a lease.

A client has one operation under way, talks to a member of its choice and gives up after 8 s, never to know. A watcher notes what it is told and
begins again where it was when its member dies (or when it feels like it). What watchers are promised is checked here:

- events come in the order of revisions, each once, none is left out, also over a change of member;
- ``prev_kv`` is what the key was; a progress notice of a revision comes after everything up to it;
- a watch is cancelled only if what it asked for is compacted.
"""

from typing import TYPE_CHECKING, Any

from cluster.sim import SECOND
from cluster.wire import etcd as w
from tests.swarm.linear import Op

if TYPE_CHECKING:
    from tests.swarm.run import Run

KEYS = (b"x", b"y", b"z")
PATIENCE = 8 * SECOND


class Clients:
    """The readers and writers of a run."""

    def __init__(self, run: "Run", count: int) -> None:
        self.run, self.count = run, count
        self.ops: dict[int, Op] = {}
        self.busy: dict[int, Op] = {}
        self.seen: dict[bytes, bytes | None] = dict.fromkeys(KEYS)
        """What somebody last read or wrote: compare-and-swaps expect it, so that some succeed."""

    def act(self, client: int) -> None:
        """Let ``client`` begin something, if it is free."""
        run, d = self.run, self.run.dice
        if client in self.busy:
            if run.world.now - self.busy[client].start < PATIENCE:
                return
            del self.busy[client]
        f = ("put", "put", "get", "get", "get", "cas", "cas", "delete")[d.below(8)]
        self.begin(client, f, KEYS[d.below(len(KEYS))], run.some_member())

    def begin(self, client: int, f: str, key: bytes, member: str) -> Op:
        """Send one operation to ``member``."""
        run = self.run
        id_ = run.next_id()
        expect = self.seen[key] if f == "cas" else None
        op = Op(id_, f, key, b"v%d" % id_ + run.padding, expect, run.world.now, member)
        if f == "put":
            message: Any = w.PutRequest(id_, key, op.value)
        elif f == "get":
            message = w.RangeRequest(id_, key)
        elif f == "delete":
            message = w.DeleteRangeRequest(id_, key)
        else:
            compare = (
                w.Compare(key, "VERSION", "EQUAL", 0) if expect is None else w.Compare(key, "VALUE", "EQUAL", expect)
            )
            message = w.TxnRequest(id_, (compare,), (w.PutRequest(0, key, op.value),))
        if not run.world.state.slots[member].up:
            return op  # connection refused
        self.ops[id_] = self.busy[client] = op
        run.world.post(f"outside:c{client}/{id_}", member, message)
        return op

    def answered(self, now: int, address: str, message: Any) -> None:
        """Something came back."""
        client, _, number = address.removeprefix("outside:c").partition("/")
        op = self.ops.get(int(number))
        if op is None or op.end is not None or op.error:
            return
        if self.busy.get(int(client)) is op:
            del self.busy[int(client)]
        if isinstance(message, w.EtcdError) or not hasattr(message, "header"):
            op.error = getattr(message, "message", "connection reset")
            if op.f == "get" or not hasattr(message, "id"):
                del self.ops[op.id]  # it had no effect: it read, or never reached a process
            return
        op.end, op.revision = now, message.header.revision
        if op.f == "get":
            op.out = (message.kvs[0].value, message.kvs[0].mod_revision) if message.kvs else None
            self.seen[op.key] = op.out[0] if op.out else None
        elif op.f == "cas":
            op.out = message.succeeded
        elif op.f == "delete":
            op.out = bool(message.deleted)
        else:
            self.seen[op.key] = op.value


class Watcher:
    """One client that watches all keys, for ever."""

    def __init__(self, run: "Run", number: int) -> None:
        self.run, self.number = run, number
        self.next = 2
        """The revision it has not been told of yet."""
        self.watch = 0
        self.member, self.boot = "", 0
        self.told: list[int] = []
        self.restarts = 0
        self.skipped = 0
        """Revisions that were compacted away before it saw them."""

    def look(self) -> None:
        """Begin again if the member is gone."""
        slot = self.run.world.state.slots.get(self.member)
        if slot is not None and slot.up and slot.boot == self.boot and self.watch:
            return
        self.begin()

    def begin(self) -> None:
        """Watch from where it was, at some member that runs."""
        run = self.run
        running = run.running()
        if self.watch and self.member in running:
            run.world.post(f"outside:w{self.number}", self.member, w.WatchCancelRequest(self.watch))
        self.watch = 0
        if not running:
            return
        self.member = running[run.dice.below(len(running))]
        self.boot = run.world.state.slots[self.member].boot
        self.watch = run.next_id()
        self.restarts += 1
        create = w.WatchCreateRequest(self.watch, b"\0", b"\0", self.next, prev_kv=self.number % 2 == 0)
        run.world.post(f"outside:w{self.number}", self.member, create)

    def ask_progress(self) -> None:
        """How far is it?"""
        if self.watch and self.run.world.state.slots[self.member].up:
            self.run.world.post(f"outside:w{self.number}", self.member, w.WatchProgressRequest(self.watch))

    def heard(self, message: Any) -> None:
        """Check and note what it is told."""
        checks = self.run.checks
        if isinstance(message, w.EtcdError) and message.id == self.watch:
            self.watch = 0  # a learner: it looks for another member
            return
        if not isinstance(message, w.WatchResponse) or message.watch != self.watch:
            return
        if message.canceled:
            self.watch = 0
            if not message.compact_revision or self.next >= message.compact_revision:
                checks.fail(f"watcher {self.number} at {self.next} was cancelled: {message}")
            self.skipped += message.compact_revision - self.next
            self.next = message.compact_revision
            return
        for event in message.events:
            revision = event.kv.mod_revision
            if revision < self.next:
                checks.fail(f"watcher {self.number} is told of {revision} again, it expects {self.next}")
        by_revision: dict[int, list[Any]] = {}
        for event in message.events:
            by_revision.setdefault(event.kv.mod_revision, []).append(event)
        if list(by_revision) != sorted(by_revision):
            checks.fail(f"watcher {self.number} is told of revisions in the order {list(by_revision)}")
        for revision, events in by_revision.items():
            self._took(revision, events)
        if not message.events and not message.created and message.header.revision >= self.next:
            checks.fail(
                f"watcher {self.number} is told it has seen {message.header.revision}, and has not seen {self.next}"
            )

    def _took(self, revision: int, events: list[Any]) -> None:
        checks = self.run.checks
        if revision != self.next:
            checks.fail(f"watcher {self.number} is told of {revision}, and not of {self.next}")
        real = checks.history.get(revision, ())
        if [(e.type, e.kv) for e in events] != [(e.type, e.kv) for e in real]:
            checks.fail(f"watcher {self.number} is told {events} of revision {revision}, which was {real}")
        for event in events if self.number % 2 == 0 else ():
            if event.prev_kv is not None and event.prev_kv.mod_revision >= revision:
                checks.fail(f"watcher {self.number}: before {event.kv} stood {event.prev_kv}")
            if (
                event.prev_kv is None
                and event.type == "PUT"
                and event.kv.version > 1
                and revision - 1 > self.run.compacted
            ):
                checks.fail(f"watcher {self.number} is not told what {event.kv} was before")
        self.told.append(revision)
        self.next = revision + 1


class Tenant:
    """A client with a lease of 2 s: its key must stay for as long as it keeps renewing, and go when it stops."""

    def __init__(self, run: "Run") -> None:
        self.run = run
        self.lease = 0
        self.held_until = 0
        """Until then the key must not be deleted: the last renewal that was answered was asked for two seconds before."""
        self.asked: dict[int, int] = {}
        self.put = False

    def act(self) -> None:
        """Grant, put, or keep alive."""
        run = self.run
        running = run.running()
        if not running:
            return
        member, id_ = running[run.dice.below(len(running))], run.next_id()
        self.asked[id_] = run.world.now
        if not self.lease:
            message: Any = w.LeaseGrantRequest(id_, 2, 1000 + id_)
        elif not self.put:
            self.put = True
            message = w.PutRequest(id_, b"lease/%d" % self.lease, b"here", self.lease)
        elif run.dice.chance(0.9):
            message = w.LeaseKeepAliveRequest(id_, self.lease)
        else:
            self.lease, self.put = 0, False  # it goes away without a word
            return
        run.world.post(f"outside:t/{id_}", member, message)

    def answered(self, address: str, message: Any) -> None:
        """The lease's time runs from the moment at which the answered request was sent."""
        asked = self.asked.pop(int(address.rpartition("/")[2]), None)
        if asked is None:
            return
        if isinstance(message, w.LeaseGrantResponse):
            self.lease, self.put = message.lease, False
            self.held_until = asked + message.ttl * SECOND
        elif isinstance(message, w.LeaseKeepAliveResponse) and message.lease == self.lease:
            if message.ttl:
                self.held_until = max(self.held_until, asked + message.ttl * SECOND)
            else:
                self.lease = 0

    def changed(self, events: tuple[Any, ...], now: int) -> None:
        """A key of the lease was deleted somewhere for the first time: was it time?"""
        for event in events:
            if (
                self.lease
                and event.type == "DELETE"
                and event.kv.key == b"lease/%d" % self.lease
                and now < self.held_until
            ):
                self.run.checks.fail(
                    f"the lease {self.lease} ended at {now}, and was to be held until {self.held_until}"
                )
