"""List, then watch: how every component keeps a copy of what it cares about (client-go's Reflector and informers).

``watch_resource("pods", "/api/v1/pods")`` keeps ``self.store("pods")`` equal to the server's and calls
``on_pods(event_type, old, new, now, out)`` for each change: ``ADDED`` (old None), ``MODIFIED``, ``DELETED`` (new is
the last state). ``out.cause`` is then the request that made the change. After the first list ``on_synced(key, …)``.

A watch that ends is opened again where it stopped; 410 Gone (as a code or as an ERROR event) means list again;
failures wait 0.8 s · 2ⁿ ≤ 30 s with full jitter. The first list is ``resourceVersion=0``: any state the server has
in its cache will do; after a 410 it is "" (most recent).

Simplified here: a dead peer is silence, which HTTP/2 pings would notice in 45 s. Here watches are opened again when the
server said nothing at all for 100 s, when a request on the same connection went unanswered (those that said nothing
since), and when the server should have ended one 30 s ago and didn't.

Upstream: k8s.io/client-go/tools/cache/{reflector,shared_informer,delta_fifo}.go.
"""

from cluster.clientgo.state import ReflectorState
from cluster.clientgo.store import Doc, Store, key_of
from cluster.clientgo.transport import Transport
from cluster.sim import MILLISECOND, MINUTE, SECOND, Outbox
from cluster.wire.http import HttpCancel, HttpChunk, HttpResponse

WATCH_SILENCE = 100 * SECOND
LIVENESS_PERIOD = 50 * SECOND
OVERDUE = 30 * SECOND
BACKOFF_FIRST = 800 * MILLISECOND
BACKOFF_MAX = 30 * SECOND
WATCH_MIN = 5 * MINUTE
"""A watch asks to be ended by the server after 5 to 10 minutes."""


class Reflecting(Transport):
    """The second layer of ``ApiClient``: stores that follow the server."""

    def watch_resource(self, out: Outbox, key: str, path: str, query: str = "", indexes: tuple[str, ...] = ()) -> None:
        """Begin to follow the collection ``path`` (``/apis/apps/v1/deployments``), ``query`` being selectors."""
        store = self.state.stores.setdefault(key, Store())
        for index in indexes:
            store.add_index(index)
        if key in self.state.reflectors:
            return
        self.state.reflectors[key] = ReflectorState(path, query)
        if not self.state.alive_set:
            self.state.alive_set = True
            out.timer("client/alive", LIVENESS_PERIOD, cause=0)
        self._list(key, out)

    def unwatch_resource(self, out: Outbox, key: str) -> None:
        """Stop following ``key`` and forget what was known."""
        reflector = self.state.reflectors.pop(key, None)
        self.state.stores.pop(key, None)
        if reflector is not None and self.state.watches.pop(reflector.request, None) is not None:
            self.state.calls.pop(reflector.request, None)
            out.send(self.config.server, HttpCancel(reflector.request))

    def store(self, key: str) -> Store:
        """What is known of ``key``. KeyError if it isn't watched."""
        return self.state.stores[key]

    def synced(self, *keys: str) -> bool:
        """Whether all these have been listed once."""
        reflectors = self.state.reflectors
        return all(key in reflectors and reflectors[key].synced for key in keys)

    def on_synced(self, key: str, now: int, out: Outbox) -> None:
        """``key`` has been listed for the first time."""

    def deliver(self, key: str, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """Tell whoever is interested. Here: the method ``on_<key>`` if there is one."""
        handler = getattr(self, f"on_{key}", None)
        if handler is not None:
            handler(event_type, old, new, now, out)

    # -- list -----------------------------------------------------------------------------------------------------

    def _list(self, key: str, out: Outbox) -> None:
        reflector = self.state.reflectors[key]
        reflector.phase = "listing"
        version = f"&resourceVersion={reflector.resource_version}" if reflector.resource_version else ""
        query = (reflector.query + "&" if reflector.query else "") + "limit=500" + version
        task, self.task = self.task, 0
        cause, out.cause = out.cause, 0
        reflector.request = self.request(
            out, "GET", reflector.path, query=query, then="listed", args=(key, []), throttle=False
        )
        self.task, out.cause = task, cause

    def listed(self, response: HttpResponse, key: str, items: list[Doc], now: int, out: Outbox) -> None:
        """A page of the list: go on with the next, or make the store equal to what was found and watch."""
        reflector = self.state.reflectors.get(key)
        if reflector is None or response.id != reflector.request:
            return
        if response.code != 200:
            if response.code in (410, 504) and reflector.resource_version:
                reflector.resource_version = ""
                self._list(key, out)
                return
            self._back_off(key, out)
            return
        meta = response.doc.get("metadata") or {}
        items = items + (response.doc.get("items") or [])
        if meta.get("continue"):
            query = (reflector.query + "&" if reflector.query else "") + f"limit=500&continue={meta['continue']}"
            reflector.request = self.request(
                out, "GET", reflector.path, query=query, then="listed", args=(key, items), throttle=False, detach=True
            )
            return
        reflector.lists += 1
        reflector.resource_version = meta.get("resourceVersion", "")
        reflector.failures = 0
        self._replace(key, items, now, out)
        if not reflector.synced:
            reflector.synced = True
            self.on_synced(key, now, out)
        if self.state.reflectors.get(key) is reflector:
            self._watch(key, out)

    def _replace(self, key: str, items: list[Doc], now: int, out: Outbox) -> None:
        store = self.state.stores[key]
        found: dict[str, None] = {}
        out.cause = 0
        for doc in items:
            found[key_of(doc)] = None
            old = store.get(key_of(doc))
            if old is not None and old["metadata"].get("resourceVersion") == doc["metadata"].get("resourceVersion"):
                continue
            store.put(doc)
            self._told(key, "ADDED" if old is None else "MODIFIED", old, doc, now, out)
        for name in [name for name in store.items if name not in found]:
            gone = store.remove(name)
            if gone is not None:
                self._told(key, "DELETED", gone, gone, now, out)

    def _told(self, key: str, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        cause = out.cause
        self.deliver(key, event_type, old, new, now, out)
        out.cause = cause

    # -- watch ----------------------------------------------------------------------------------------------------

    def _watch(self, key: str, out: Outbox) -> None:
        reflector = self.state.reflectors[key]
        reflector.phase = "watching"
        reflector.heard = self.now
        seconds = (WATCH_MIN + out.dice.below(WATCH_MIN)) // SECOND
        reflector.until = self.now + seconds * SECOND
        query = (
            reflector.query + "&" if reflector.query else ""
        ) + f"allowWatchBookmarks=true&resourceVersion={reflector.resource_version}&timeoutSeconds={seconds}&watch=true"
        cause, out.cause = out.cause, 0
        reflector.request = self.request(
            out, "GET", reflector.path, query=query, then="watch_refused", args=(key,), throttle=False, detach=True
        )
        out.cause = cause
        reflector.watches += 1

    def watch_refused(self, response: HttpResponse, key: str, now: int, out: Outbox) -> None:
        """The watch was answered by something that isn't a stream, or by nothing."""
        reflector = self.state.reflectors.get(key)
        if reflector is None or response.id != reflector.request:
            return
        if response.code == 410:
            reflector.resource_version = ""
        self._back_off(key, out)

    def _watch_opened(self, response: HttpResponse) -> bool:
        """A streamed 200 answers a watch: from now on its chunks are events. False: not one of ours."""
        call = self.state.calls.get(response.id)
        if call is None or call.then != "watch_refused":
            return False
        del self.state.calls[response.id]
        key = call.args[0]
        reflector = self.state.reflectors.get(key)
        if reflector is not None and reflector.request == response.id:
            reflector.heard = self.now
            self.state.watches[response.id] = key
        return True

    def _watched(self, key: str, chunk: HttpChunk, now: int, out: Outbox) -> None:
        """One event of an open watch."""
        reflector = self.state.reflectors[key]
        reflector.heard = now
        event_type, doc = chunk.doc["type"], chunk.doc["object"]
        if event_type == "ERROR":
            self.state.watches.pop(chunk.id, None)
            if doc.get("code") == 410:
                reflector.resource_version = ""
                self._list(key, out)
            else:
                self._back_off(key, out)
            return
        reflector.resource_version = doc["metadata"]["resourceVersion"]
        reflector.failures = 0
        if event_type == "BOOKMARK":
            return
        store = self.state.stores[key]
        if event_type == "DELETED":
            old = store.remove(key_of(doc))
            if old is not None:
                self.deliver(key, "DELETED", old, doc, now, out)
            return
        old = store.put(doc)
        self.deliver(key, "ADDED" if old is None else "MODIFIED", old, doc, now, out)

    def _watch_ended(self, key: str, error: str, out: Outbox) -> None:
        """The server ended the stream (its time was up), or it broke: go on from the last version seen."""
        if error:
            self._back_off(key, out)
        else:
            self._watch(key, out)

    # -- trouble --------------------------------------------------------------------------------------------------

    def _back_off(self, key: str, out: Outbox) -> None:
        reflector = self.state.reflectors[key]
        reflector.phase = "waiting"
        delay = min(BACKOFF_FIRST << min(reflector.failures, 8), BACKOFF_MAX)
        reflector.failures += 1
        out.timer(f"client/relist/{key}", delay + out.dice.below(delay), key, cause=0)

    def _try_again(self, key: str, out: Outbox) -> None:
        reflector = self.state.reflectors.get(key)
        if reflector is None or reflector.phase != "waiting":
            return
        if reflector.synced and reflector.resource_version:
            self._watch(key, out)
        else:
            self._list(key, out)

    def fail_all(self, why: str, out: Outbox) -> None:
        """The connection broke: its watches with it."""
        watches, self.state.watches = self.state.watches, {}
        super().fail_all(why, out)
        for request_id, key in watches.items():
            reflector = self.state.reflectors.get(key)
            if reflector is not None and reflector.request == request_id:
                self._back_off(key, out)

    def silent_since(self, instant: int, out: Outbox) -> None:
        """Watches that said nothing since ``instant`` are given up and opened again."""
        for request_id, key in list(self.state.watches.items()):
            reflector = self.state.reflectors.get(key)
            if reflector is not None and reflector.request == request_id and reflector.heard <= instant:
                self._give_up(request_id, key, out)

    def _give_up(self, request_id: int, key: str, out: Outbox) -> None:
        del self.state.watches[request_id]
        out.send(self.config.server, HttpCancel(request_id), cause=0)
        self._back_off(key, out)

    def _check_alive(self, now: int, out: Outbox) -> None:
        out.timer("client/alive", LIVENESS_PERIOD, cause=0)
        if now - self.state.heard >= WATCH_SILENCE:
            self.silent_since(now - WATCH_SILENCE, out)
        for request_id, key in list(self.state.watches.items()):
            reflector = self.state.reflectors.get(key)
            if reflector is not None and reflector.request == request_id and now > reflector.until + OVERDUE:
                self._give_up(request_id, key, out)

    def renumbered(self, old: int, new: int) -> None:
        """A list or watch that is tried again has a new id."""
        for reflector in self.state.reflectors.values():
            if reflector.request == old:
                reflector.request = new
