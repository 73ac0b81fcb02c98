"""Watches: who is told about which key.

An event must find its watchers without asking all of them. Watches of one key are found by the key; watches of a prefix
that ends in ``/`` (all of Kubernetes') by cutting the key at each ``/``; the rest, arbitrary ranges, are asked one by one.

In: watches, the events of a revision. Out: (watch, its events). A new watch that starts in the past is first given
what it missed. Upstream: server/storage/mvcc/watchable_store.go.

Simplified here: history is caught up at once, in responses of up to 1,000 revisions as upstream's batches; no slow-watcher queue ("victims"), because
a send never blocks in this world.
"""

from typing import Final

from msgspec import Struct, field

from cluster.etcd.mvcc import Store, in_range, prefix_end
from cluster.wire.etcd import WatchCreateRequest, WatchEvent

BATCH: Final = 1000
"""Revisions told in one response (watchBatchMaxRevs)."""


class Watcher(Struct):
    """One watch of one client. ``minimum`` is the first revision it has not been told about."""

    client: str
    request: WatchCreateRequest
    minimum: int
    cause: int
    progress_at: int = 0
    """When it was last sent anything (virtual ns), for progress notifications."""


class WatchHub(Struct):
    """All watches of a member."""

    watchers: dict[int, Watcher] = field(default_factory=dict)
    exact: dict[bytes, dict[int, None]] = field(default_factory=dict)
    prefixes: dict[bytes, dict[int, None]] = field(default_factory=dict)
    ranges: dict[int, None] = field(default_factory=dict)

    def add(self, watcher: Watcher) -> None:
        """From now on tell ``watcher``."""
        request = watcher.request
        self.watchers[request.watch] = watcher
        shelf = self._shelf(request)
        if shelf is None:
            self.ranges[request.watch] = None
        else:
            shelf.setdefault(request.key, {})[request.watch] = None

    def remove(self, watch: int) -> Watcher | None:
        """Forget a watch; None if there was none."""
        watcher = self.watchers.pop(watch, None)
        if watcher is None:
            return None
        shelf = self._shelf(watcher.request)
        if shelf is None:
            self.ranges.pop(watch, None)
            return watcher
        there = shelf[watcher.request.key]
        del there[watch]
        if not there:
            del shelf[watcher.request.key]
        return watcher

    def drop_client(self, client: str) -> None:
        """The connection to ``client`` is gone, and its watches with it."""
        for watch in [watch for watch, watcher in self.watchers.items() if watcher.client == client]:
            self.remove(watch)

    def _shelf(self, request: WatchCreateRequest) -> dict[bytes, dict[int, None]] | None:
        if not request.range_end:
            return self.exact
        if request.key.endswith(b"/") and request.range_end == prefix_end(request.key):
            return self.prefixes
        return None

    def interested(self, key: bytes) -> list[int]:
        """The watches that ``key`` concerns."""
        found: list[int] = []
        exact = self.exact.get(key)
        if exact:
            found.extend(exact)
        prefixes = self.prefixes
        if prefixes:
            at = key.find(b"/")
            while at >= 0:
                there = prefixes.get(key[: at + 1])
                if there:
                    found.extend(there)
                at = key.find(b"/", at + 1)
        for watch in self.ranges:
            request = self.watchers[watch].request
            if in_range(key, request.key, request.range_end):
                found.append(watch)
        return found

    def dispatch(
        self, store: Store, events: tuple[WatchEvent, ...], revision: int
    ) -> list[tuple[Watcher, list[WatchEvent]]]:
        """Who is to be told what about the changes of ``revision``."""
        if not self.watchers:
            return []
        told: dict[int, list[WatchEvent]] = {}
        for event in events:
            for watch in self.interested(event.kv.key):
                told.setdefault(watch, []).append(event)
        result = []
        for watch, mine in told.items():
            watcher = self.watchers[watch]
            if watcher.minimum <= revision:
                watcher.minimum = revision + 1
                mine = wanted(watcher.request, mine)
                if not mine:
                    continue
                result.append((watcher, with_previous(store, watcher, mine)))
        return result


def missed(store: Store, watcher: Watcher, start: int) -> list[list[WatchEvent]]:
    """What a watch has missed since revision ``start``: the events of up to ``BATCH`` revisions in each list."""
    request = watcher.request
    result: list[list[WatchEvent]] = []
    revisions = 0
    for events in store.since(start):
        mine = wanted(request, [event for event in events if in_range(event.kv.key, request.key, request.range_end)])
        if not mine:
            continue
        if revisions % BATCH == 0:
            result.append([])
        revisions += 1
        result[-1] += with_previous(store, watcher, mine)
    return result


def wanted(request: WatchCreateRequest, events: list[WatchEvent]) -> list[WatchEvent]:
    """The events that the watch's filters let through."""
    if not request.filters:
        return events
    unwanted = {"NOPUT": "PUT", "NODELETE": "DELETE"}
    kept_out = [unwanted.get(name) for name in request.filters]
    return [event for event in events if event.type not in kept_out]


def with_previous(store: Store, watcher: Watcher, events: list[WatchEvent]) -> list[WatchEvent]:
    """Add what each key was before, if the watch asked for that (and it isn't compacted)."""
    if not watcher.request.prev_kv:
        return events
    return [WatchEvent(event.type, event.kv, store.before(event.kv.key, event.kv.mod_revision)) for event in events]
