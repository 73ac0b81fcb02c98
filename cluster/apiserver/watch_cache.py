"""The watch cache: a copy of everything under one etcd prefix, kept fresh by one etcd watch, serving all clients' watches.

In → a list and then events of etcd; out → objects for lists and lookups, and per event the watchers that must hear of
it. A hundred kubelets watching pods cost etcd one watch. The newest events are kept, so that a client that knows
resourceVersion N continues from there; from older than that it gets 410 Expired and must list again.

Watchers sit in buckets by what they can possibly match (one object, one namespace, one value of the index field, all),
so that an event visits only those; a selector then decides, and turns a change into ADDED or DELETED when the object
enters or leaves the selection.

Simplified here: the cache is as fresh as the newest revision its etcd member has told it of, because a member's mail to
this server is one ordered connection (the real one asks for progress notifications); the window of kept events is
bounded by age and count only.

Upstream: apiserver/pkg/storage/cacher/{cacher,watch_cache}.go (v1.32).
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from cluster.api.stored import Document, document, with_revision
from cluster.sim.clock import SECOND
from cluster.wire.etcd import KeyValue

FRESH = 75 * SECOND
"""Events younger than this are kept however many there are (``eventFreshDuration``)."""
CAPACITY = 100
"""Events kept however old they are (``defaultLowerBoundCapacity``)."""
LIMIT = 100 * 1024
"""Events kept at most (``defaultUpperBoundCapacity``)."""


class Item(Struct):
    """A stored object in the storage version. It is parsed when somebody looks at it: most Events and Leases never are."""

    known: Document | None
    revision: int
    value: bytes = b""
    """As etcd has it; shared with etcd. Empty: only ``known`` says it."""

    @property
    def doc(self) -> Document:
        """The object, its resourceVersion set."""
        known = self.known
        if known is None:
            known = self.known = document(self.value, self.revision)
        return known

    def forget(self) -> None:
        """Keep the bytes only."""
        if self.value:
            self.known = None

    def __reduce__(self) -> Any:
        return Item, (None if self.value else self.known, self.revision, self.value)


class Event(Struct):
    """What became of ``key``. ``before``: the object until then, None for ADDED. DELETED: ``item`` is None."""

    type: str
    key: str
    item: Item | None
    before: Item | None
    revision: int
    cause: int
    at: int
    last: Document | None = None
    """Of a DELETED one that somebody is being told of: its last state, at the deletion's revision."""

    @property
    def doc(self) -> Document:
        """The object now, or its last state."""
        if self.item is not None:
            return self.item.doc
        if self.last is None:
            assert self.before is not None
            self.last = with_revision(self.before.doc, self.revision)
        return self.last

    def forget(self) -> None:
        """Everybody has been told: what was before is kept as bytes only."""
        self.last = None
        if self.before is not None:
            self.before.forget()

    @property
    def previous(self) -> Document | None:
        """The object before."""
        return self.before.doc if self.before is not None else None


class Watcher(Struct):
    """One client's watch. ``id`` is its HTTP request's; ``buckets`` are where it is filed."""

    id: int
    client: str
    """The process that gets the chunks."""
    label: str
    """Who it is, for stage names."""
    namespace: str
    name: str
    labels: str
    fields: str
    group: str
    version: str
    plural: str
    bookmarks: bool
    outside: bool
    """Wants bytes."""
    form: str
    """"": the objects; "Table"; "PartialObjectMetadata"."""
    include: str
    bucket: str
    pretty: bool = False
    columns_told: bool = False
    """Of a Table watch only the first event carries the column definitions."""
    sent: int = 0
    """Revision of the last thing sent."""
    began: int = 0
    """Up to this revision it knew everything when it began."""


class Cache(Struct):
    """Everything under one prefix. Keys are ``namespace/name`` or ``name``."""

    resource: str
    prefix: str
    namespaced: bool
    index_field: tuple[str, ...] = ()
    revision: int = 0
    """The etcd revision up to which this copy is complete."""
    ready: bool = False
    changes: int = 0
    """Grows with every change: for those who derive things from this cache."""
    watch: int = 0
    """The etcd watch that feeds it; 0: none."""
    synced: bool = False
    """The watch was created: whatever its member answers from now on comes after all events up to then."""
    oldest: int = 0
    """Watches from revisions below this can't be served any more."""
    items: dict[str, Item] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    index: dict[str, dict[str, None]] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """Keys whose values can't be decoded, and why; see ``corrupt``."""
    history: deque[Event] = field(default_factory=deque)
    watchers: dict[int, Watcher] = field(default_factory=dict)
    buckets: dict[str, dict[int, None]] = field(default_factory=dict)

    # -- reading --------------------------------------------------------------------------------------------------

    def select(self, namespace: str = "") -> list[Item]:
        """All items, or those of ``namespace``, in key order."""
        items = self.items
        if not namespace or not self.namespaced:
            return [items[key] for key in self.keys]
        low = bisect_left(self.keys, namespace + "/")
        high = bisect_left(self.keys, namespace + "0")  # "0" follows "/"
        return [items[key] for key in self.keys[low:high]]

    def since(self, revision: int) -> list[Event] | None:
        """Events after ``revision`` in order; None when some of them are forgotten."""
        if revision < self.oldest:
            return None
        found: list[Event] = []
        for event in reversed(self.history):
            if event.revision <= revision:
                break
            found.append(event)
        found.reverse()
        return found

    # -- writing --------------------------------------------------------------------------------------------------

    def key_of(self, etcd_key: bytes) -> str:
        """``/registry/pods/default/web`` → ``default/web``."""
        return etcd_key[len(self.prefix) + 1 :].decode("utf-8", "backslashreplace")

    def replace(
        self, kvs: tuple[KeyValue, ...], revision: int, now: int, problem: Callable[[KeyValue], str] = lambda _: ""
    ) -> list[Event]:
        """A fresh list: the events that lead from what was known to it (none the first time). ``problem`` says why a value can't be decoded."""
        events: list[Event] = []
        seen: set[str] = set()
        self.broken.clear()
        for kv in kvs:
            key = self.key_of(kv.key)
            if why := problem(kv):
                self.broken[key] = why
                continue
            seen.add(key)
            held = self.items.get(key)
            if held is None or held.revision != kv.mod_revision:
                events.append(self.put(key, None, kv.mod_revision, kv.cause, now, kv.value))
        for key in [key for key in self.keys if key not in seen]:
            events.append(self.delete(key, revision, 0, now))
        first = not self.ready
        if first:
            self.history.clear()
            self.oldest = revision
        self.revision, self.ready = max(self.revision, revision), True
        return [] if first else sorted(events, key=lambda event: event.revision)

    def put(self, key: str, doc: Document | None, revision: int, cause: int, now: int, value: bytes = b"") -> Event:
        """The object at ``key`` is now ``doc``, or what ``value`` says."""
        held = self.items.get(key)
        if held is None:
            insort(self.keys, key)
        item = self.items[key] = Item(doc, revision, value)
        if self.index_field:
            self._reindex(key, held.doc if held is not None else None, item.doc)
        return self._record(Event("MODIFIED" if held is not None else "ADDED", key, item, held, revision, cause, now))

    def delete(self, key: str, revision: int, cause: int, now: int) -> Event:
        """The object at ``key`` is gone."""
        held = self.items.pop(key)
        del self.keys[bisect_left(self.keys, key)]
        if self.index_field:
            self._reindex(key, held.doc, None)
        return self._record(Event("DELETED", key, None, held, revision, cause, now))

    def _record(self, event: Event) -> Event:
        self.revision = max(self.revision, event.revision)
        self.changes += 1
        history = self.history
        if history:
            history[-1].forget()
        history.append(event)
        horizon = event.at - FRESH
        while len(history) > CAPACITY and (history[0].at < horizon or len(history) > LIMIT):
            self.oldest = history.popleft().revision
        return event

    def _reindex(self, key: str, old: Document | None, new: Document | None) -> None:
        before = self.index_value(old) if old is not None else None
        after = self.index_value(new) if new is not None else None
        if before == after:
            return
        if before is not None:
            bucket = self.index[before]
            del bucket[key]
            if not bucket:
                del self.index[before]
        if after is not None:
            self.index.setdefault(after, {})[key] = None

    def index_value(self, doc: Document) -> str:
        """The value of the index field of ``doc``, "" when unset."""
        value: Any = doc
        for name in self.index_field:
            value = value.get(name)
            if value is None:
                return ""
        return str(value)

    # -- watchers -------------------------------------------------------------------------------------------------

    def bucket_for(self, namespace: str, name: str, index_value: str | None) -> str:
        """Where a watcher with such a scope is filed."""
        if name and (namespace or not self.namespaced):
            return f"k:{namespace}/{name}" if namespace else f"k:{name}"
        if index_value is not None:
            return f"t:{index_value}"
        return f"n:{namespace}" if namespace else ""

    def add_watcher(self, watcher: Watcher) -> None:
        """File ``watcher``."""
        self.watchers[watcher.id] = watcher
        self.buckets.setdefault(watcher.bucket, {})[watcher.id] = None

    def remove_watcher(self, number: int) -> None:
        """Forget a watcher, if it is there."""
        watcher = self.watchers.pop(number, None)
        if watcher is not None:
            bucket = self.buckets[watcher.bucket]
            del bucket[number]
            if not bucket:
                del self.buckets[watcher.bucket]

    def candidates(self, event: Event) -> list[Watcher]:
        """The watchers that might have to hear of ``event``."""
        buckets, watchers = self.buckets, self.watchers
        if not buckets:
            return []
        names = ["", f"k:{event.key}"]
        if self.namespaced:
            names.append(f"n:{event.key.partition('/')[0]}")
        if self.index_field:
            value = self.index_value(event.doc)
            names.append(f"t:{value}")
            if event.previous is not None and (old := self.index_value(event.previous)) != value:
                names.append(f"t:{old}")
        return [watchers[number] for name in names if name in buckets for number in buckets[name]]
