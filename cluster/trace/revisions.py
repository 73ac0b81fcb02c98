"""What objects were: the last revisions of each, with who wrote them, beyond what etcd itself keeps.

etcd forgets replaced values at every compaction (five to ten minutes); a person who asks "what was this an hour ago?" should
still be told. In → the changes of a member's store, once each and in order, and the traces of the requests that made them;
out → ``Revision`` records by key. The values are etcd's own bytes, shared with its store while that has them.

Bounded: ``PER_OBJECT`` revisions of an object, ``OBJECTS`` objects and ``BYTES`` of values; the object that changed longest ago
goes first. Leases and Events come and go by the hundred and are left to etcd's own memory.
"""

from collections import deque
from typing import Any

from msgspec import Struct, field

from cluster.wire.etcd import KeyValue

PER_OBJECT = 20
OBJECTS = 2000
BYTES = 8 * 1024 * 1024
LEFT_OUT = (b"/registry/leases/", b"/registry/events/", b"/registry/masterleases/", b"/registry/ranges/")


class Revision(Struct):
    """One value of a key. ``kv.version`` 0: it was deleted at that revision. Facts are empty when nobody remembers the request."""

    kv: KeyValue
    at: int = 0
    """Virtual ns at which a member applied it; 0: not known."""
    user: str = ""
    agent: str = ""
    verb: str = ""
    """create, update, patch, delete …, with the subresource: ``patch status``."""


class Revisions(Struct):
    """All that is kept. ``seen``: changes up to this revision were taken in."""

    seen: int = 0
    since: int = 0
    """Changes at or below this revision were gone before they could be taken in."""
    size: int = 0
    by_key: dict[bytes, list[Revision]] = field(default_factory=dict)
    order: deque[tuple[bytes, int]] = field(default_factory=deque)
    """(key, revision) of every value taken in, oldest first: whose last revision stands here changed longest ago."""
    unanswered: list[Revision] = field(default_factory=list)
    """Written by requests whose answer (and so whose user) is not known yet."""

    def follow(self, store: Any, traces: dict[int, Any]) -> None:
        """Take in what ``store`` (an etcd member's) has that wasn't seen, as its requests are remembered now."""
        if store.revision < self.seen:  # the members lost their disks: what came after never happened
            self._roll_back(store.revision)
        if self.seen < store.compacted:
            self.since = store.compacted
        for events in store.since(self.seen + 1):
            for event in events:
                if event.kv.mod_revision > self.seen and not event.kv.key.startswith(LEFT_OUT):
                    self._keep(event.kv, traces.get(event.kv.cause))
        self.seen = store.revision
        if self.unanswered:
            self.unanswered = [one for one in self.unanswered if not _answered(one, traces.get(one.kv.cause))]

    def restored(self, revision: int) -> None:
        """A snapshot of this revision took the place of all that was: what came after it never happened."""
        if revision < self.seen:
            self._roll_back(revision)

    def _keep(self, kv: KeyValue, trace: Any) -> None:
        one = described(kv, trace)
        if trace is not None and trace.ended is None:
            self.unanswered.append(one)
        kept = self.by_key.setdefault(kv.key, [])
        kept.append(one)
        self.order.append((kv.key, kv.mod_revision))
        self.size += len(kv.value)
        if len(kept) > PER_OBJECT:
            self.size -= len(kept.pop(0).kv.value)
        while len(self.by_key) > OBJECTS or (self.size > BYTES and len(self.by_key) > 1):
            self._forget_one()
        if len(self.order) > 4 * len(self.by_key) + PER_OBJECT:
            self.order = deque(pair for pair in self.order if self._newest(*pair))

    def _newest(self, key: bytes, revision: int) -> bool:
        kept = self.by_key.get(key)
        return kept is not None and kept[-1].kv.mod_revision == revision

    def _forget_one(self) -> None:
        """Forget the object that changed longest ago."""
        key, revision = self.order.popleft()
        if self._newest(key, revision):
            self.size -= sum(len(gone.kv.value) for gone in self.by_key.pop(key))

    def _roll_back(self, revision: int) -> None:
        kept = {k: [one for one in rows if one.kv.mod_revision <= revision] for k, rows in self.by_key.items()}
        self.by_key = {key: rows for key, rows in kept.items() if rows}
        self.size = sum(len(one.kv.value) for rows in self.by_key.values() for one in rows)
        self.order = deque(pair for pair in self.order if self._newest(*pair))
        self.seen, self.unanswered = revision, []


def described(kv: KeyValue, trace: Any) -> Revision:
    """A value with what the trace of its request says of it."""
    if trace is None:
        return Revision(kv)
    began = trace.began
    at = max((stage.end for stage in trace.stages if stage.name == "apply"), default=trace.end or trace.start)
    verb = f"{began.verb} {began.subresource}" if began.subresource else began.verb
    return Revision(kv, at, trace.ended.user if trace.ended is not None else "", began.user_agent, verb)


def _answered(one: Revision, trace: Any) -> bool:
    """Fill in the user; True when there is nothing more to wait for."""
    if trace is not None and trace.ended is None:
        return False
    if trace is not None:
        one.user = trace.ended.user
    return True
