"""Everything a client of the apiserver remembers, as plain data. Components extend ``ClientState`` with their own."""

from typing import Any

from msgspec import Struct, field

from cluster.clientgo.store import Store
from cluster.wire.http import HttpRequest


class Call(Struct):
    """A request that has no answer yet, and how to go on when it has: the method ``then`` of ``component``."""

    request: HttpRequest
    component: str
    then: str
    args: tuple[Any, ...]
    cause: int
    task: int
    timeout: int
    """Virtual ns from being sent."""
    deadline: int = 0
    """Virtual ns; 0 while it waits for the rate limiter."""
    sent: int = 0
    retries: int = 0


class Task(Struct):
    """One run of ``reconcile`` for a key: over when none of the requests it made is outstanding."""

    queue: str
    key: str
    cause: int
    pending: int = 0
    failed: bool = False


class Bucket(Struct):
    """A token bucket (flowcontrol.NewTokenBucketRateLimiter): ``tokens`` at instant ``at``; ``waiting`` request ids."""

    tokens: float
    at: int = 0
    waiting: list[int] = field(default_factory=list)


class ReflectorState(Struct):
    """One watched resource. ``phase``: listing, watching, waiting (for its backoff)."""

    path: str
    query: str
    resource_version: str = "0"
    """What to list or watch from; "" means the most recent."""
    phase: str = "listing"
    request: int = 0
    failures: int = 0
    heard: int = 0
    """When the watch last said anything, virtual ns."""
    until: int = 0
    """When the server should have ended the watch."""
    synced: bool = False
    lists: int = 0
    watches: int = 0


class Queue(Struct):
    """A work queue: each key is once in it, never worked on twice at the same time, and remembers its cause."""

    ready: dict[str, int] = field(default_factory=dict)
    """Key → cause, in the order they came."""
    active: dict[str, int] = field(default_factory=dict)
    """Key → task."""
    dirty: dict[str, int] = field(default_factory=dict)
    """Keys that came back while they were being worked on."""
    failures: dict[str, int] = field(default_factory=dict)
    later: dict[str, int] = field(default_factory=dict)
    """Key → the instant at which it is put in ``ready``."""


class Expectation(Struct):
    """Creations and deletions a controller has asked for and not yet seen in its informer."""

    adds: int = 0
    deletes: dict[str, None] = field(default_factory=dict)
    since: int = 0


class Election(Struct):
    """The leader-election record as last seen, and by our own clock when it last changed."""

    namespace: str = ""
    name: str = ""
    identity: str = ""
    lease: dict[str, Any] | None = None
    observed: int = 0
    renewed: int = 0
    """When our own renewal last succeeded, virtual ns."""
    leader: bool = False
    busy: bool = False


class Recorded(Struct):
    """An Event already written, so that a repetition becomes a higher count."""

    name: str
    namespace: str
    count: int
    first: str


class ClientState(Struct):
    """The state of an ``ApiClient``. Subclasses add fields with defaults."""

    calls: dict[int, Call] = field(default_factory=dict)
    tasks: dict[int, Task] = field(default_factory=dict)
    next_task: int = 0
    buckets: dict[str, Bucket] = field(default_factory=dict)
    sweep_at: int = 0
    """When the timer that looks for overdue requests runs out; 0: not set."""
    reflectors: dict[str, ReflectorState] = field(default_factory=dict)
    watches: dict[int, str] = field(default_factory=dict)
    """Request id of an open watch → its reflector."""
    stores: dict[str, Store] = field(default_factory=dict)
    alive_set: bool = False
    heard: int = 0
    """When the server last said anything at all, virtual ns."""
    queues: dict[str, Queue] = field(default_factory=dict)
    work: dict[str, None] = field(default_factory=dict)
    """Queues that may have something to do."""
    later: list[tuple[int, int, str, str, int]] = field(default_factory=list)
    """Heap of (instant, sequence, queue, key, cause)."""
    later_sequence: int = 0
    expectations: dict[str, Expectation] = field(default_factory=dict)
    election: Election = field(default_factory=Election)
    events: dict[str, Recorded] = field(default_factory=dict)
    last_event: int = 0
    """Nanosecond in the name of the latest Event: names must differ even within one instant."""
    event_instant: int = 0
    """The instant that named the latest Event, virtual ns."""
