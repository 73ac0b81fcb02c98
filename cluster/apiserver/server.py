"""kube-apiserver: the only door to the cluster's state, and the only one who talks to etcd.

In → HTTP requests of clients, answers and watch events of etcd, timers; out → HTTP responses, watch chunks, questions to
etcd. One actor; this file is its wiring: it takes messages apart, hands requests to ``pipeline``, answers to the
function that waits for them (``job.continuation``), etcd's events to the watch caches and from there to the watchers.

At boot it lists and watches every resource in etcd, then runs its post-start hooks (``post_start``). Requests that come
before the caches are filled wait. Whom it asks, and what it says when nobody answers, is in ``etcd_client``.

Simplified here: no aggregation layer and no webhooks; a client's connection is one request; requests arriving during
start wait instead of being refused (unless etcd cannot be reached); a read that etcd answers with "request timed out" is not
retried by the client library for the rest of its minute but answered once every endpoint has said so.

Upstream: cmd/kube-apiserver, pkg/controlplane, apiserver/pkg/server (v1.32).
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from cluster.api import scheme as schemes
from cluster.api import status, stored
from cluster.api.scheme import Resource, Scheme
from cluster.apiserver import corrupt, etcd_client, health, kubelet_proxy, pipeline, post_start, respond, watching
from cluster.apiserver.config import ApiServerConfig
from cluster.apiserver.handlers import reading
from cluster.apiserver.job import CONTINUATIONS, Call, Job, name_of
from cluster.apiserver.request_info import parse_query, request_info
from cluster.apiserver.view import View, here
from cluster.apiserver.watch_cache import Cache, Item
from cluster.sim import MILLISECOND, SECOND, Actor, Outbox, PeerDown, Timer
from cluster.trace.notes import RequestBegan, Stage
from cluster.wire import etcd as wire
from cluster.wire.http import HttpCancel, HttpChunk, HttpEnd, HttpRequest, HttpReset, HttpResponse, TlsPeer
from cluster.wire.process import Terminate

__all__ = ["ApiServer", "ApiServerConfig", "ServerState"]

REQUEST_TIMEOUT = 60 * SECOND
"""``--request-timeout``."""
SWEEP = 2 * SECOND
RETRY = 500 * MILLISECOND
CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_INDEX_FIELDS = {"pods": ("spec", "nodeName")}
_EXEMPT_WHILE_STARTING = ("/livez", "/readyz", "/healthz", "/version")


class ServerState(Struct):
    """Everything the process remembers."""

    member: int = 0
    """Which of ``config.etcd`` it talks to."""
    lost: dict[str, int] = field(default_factory=dict)
    """Endpoints without a connection: how often they were dialled since."""
    parked: dict[int, Call] = field(default_factory=dict)
    """Questions that wait for a connection."""
    etcd_heard: int = 0
    """When the quorum last answered a question of this server."""
    etcd_check: int = 0
    """Since when the health check of etcd has had no answer; 0: it has."""
    etcd_asked: bool = False
    """Whether a health check is under way."""
    caches: dict[str, Cache] = field(default_factory=dict)
    watches: dict[int, str] = field(default_factory=dict)
    """etcd watch number → the cache it feeds."""
    ready: bool = False
    """All caches were filled once."""
    hooks: dict[str, bool] = field(default_factory=dict)
    """Post-start hook → done."""
    jobs: dict[int, Job] = field(default_factory=dict)
    calls: dict[int, Call] = field(default_factory=dict)
    held: list[tuple[str, HttpRequest, int]] = field(default_factory=list)
    """Requests that came before the caches were filled: (source, request, cause)."""
    loopback: dict[int, tuple[str, tuple[Any, ...]]] = field(default_factory=dict)
    """Requests this server sent to itself: what to do with the answer."""
    waiters: dict[str, list[tuple[int, int, str, tuple[Any, ...]]]] = field(default_factory=dict)
    """Cache → jobs waiting until it reaches a revision: (revision, job, then, args)."""
    proxied: dict[int, int] = field(default_factory=dict)
    """Requests to kubelets: their id → the job they are for."""
    masters: dict[str, str] = field(default_factory=dict)
    """Keys under /registry/masterleases → the address of a living apiserver."""
    masters_watch: int = 0
    bootstrap: list[tuple[str, Any]] = field(default_factory=list)
    """Objects a fresh cluster still lacks: (collection path, document)."""
    recent: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Own writes whose watch event is still on its way: key → (revision, document)."""
    event_lease: tuple[int, int] = (0, 0)
    """The etcd lease new Events are put under, and until when it is reused (virtual ns)."""
    seats: dict[str, int] = field(default_factory=dict)
    """Priority level → requests being executed."""
    lease_number: int = 0
    """The etcd lease this server's endpoint record lives under."""
    counters: dict[str, int] = field(default_factory=dict)
    """Requests by "verb code", for /metrics."""
    sweeping: bool = False
    ending: bool = False
    """SIGTERM came: the port is closed, and it goes when the last short request is answered."""


class ApiServer(Actor):
    """The process ``kube-apiserver-<host>``."""

    kind = "kube-apiserver"
    config: ApiServerConfig
    state: ServerState

    def __init__(self, name: str, config: ApiServerConfig, state: ServerState | None = None) -> None:
        super().__init__(name, config, state)
        self.view = View(config, self.state.caches)
        self.now = 0
        self.in_order = True
        """Whether the answer being handled came over the connection that the watches run over: all older events came before it."""
        self.config_peer = TlsPeer(
            common_name="kube-apiserver-kubelet-client", organizations=("kubeadm:cluster-admins",)
        )
        self._scheme: Scheme | None = None
        self._scheme_generation = -1

    def fresh(self) -> ServerState:
        return ServerState()

    # -- what the rooms of this package use -----------------------------------------------------------------------

    @property
    def scheme(self) -> Scheme:
        """All kinds served now: the built-in ones and those of established CustomResourceDefinitions."""
        cache = self.state.caches.get(CRDS)
        generation = cache.changes if cache is not None else -1
        if self._scheme is None or generation != self._scheme_generation:
            crds = [crd for crd in self.view.list(CRDS) if _established(crd)]
            self._scheme = schemes.builtin().with_crds(crds) if crds else schemes.builtin()
            self._scheme_generation = generation
        return self._scheme

    def cache_of(self, resource: Resource) -> Cache | None:
        """The watch cache that holds ``resource``'s objects."""
        return self.state.caches.get(cache_name(resource))

    def ask(self, out: Outbox, job: Job | None, message: Any, then: Any, args: tuple[Any, ...] = ()) -> None:
        """Send ``message`` to etcd; its answer goes to the continuation ``then(server, job, out, answer, *args)``."""
        delay = 0
        if job is not None:
            delay = max(job.at - self.now, 0)
            job.asked_at = max(job.at, self.now)
            if type(message) is wire.TxnRequest:
                job.wrote = True
        call = Call(job.id if job else 0, name_of(then), args, self.now, message, "")
        etcd_client.send(self, call, out, delay)
        self.arm(out)

    def go_on(self, then: str, job: Job | None, out: Outbox, *args: Any) -> None:
        """Call the continuation named ``then`` now."""
        CONTINUATIONS[then](self, job, out, *args)

    def etcd_stage(self, job: Job, out: Outbox, outcome: Any, reason: str, answer: Any, key: str = "") -> None:
        """Note the time a question spent with etcd."""
        header = answer.header
        detail = {
            "revision": header.revision,
            "raftTerm": header.raft_term,
            "member": self.config.etcd[self.state.member],
        }
        if key:
            detail["key"] = key
        out.note(Stage(job.id, "etcd", self.name, job.asked_at, self.now, outcome, reason, detail, None, None, here(2)))
        job.at = max(job.at, self.now)

    def remember(self, resource: Resource, namespace: str, name: str, item: Item) -> None:
        """An own write succeeded: its watch event need not be parsed again."""
        cache = self.cache_of(resource)
        if cache is None or resource.api_version != resource.storage_api_version:
            return
        key = f"{namespace}/{name}" if namespace else name
        held = cache.items.get(key)
        if held is None or held.revision < item.revision:
            self.state.recent[f"{cache.prefix}/{key}"] = (item.revision, item.doc)
            if item.value:
                stored.know(item.value, item.revision, item.doc)

    def call_self(self, out: Outbox, method: str, path: str, doc: Any, then: Any, args: tuple[Any, ...] = ()) -> None:
        """A request over the loopback connection; the answer goes to ``then(server, None, out, response, *args)``."""
        number = out.next_id()
        self.state.loopback[number] = (name_of(then), args)
        out.send(self.name, post_start.loopback_request(number, method, path, doc))

    def wait_for(
        self, out: Outbox, job: Job, cache: Cache, revision: int, then: Any, args: tuple[Any, ...] = ()
    ) -> None:
        """Go on with ``then(server, job, out, *args)`` once ``cache`` has reached ``revision``."""
        name = then if isinstance(then, str) else name_of(then)
        if cache.ready and cache.revision >= revision:
            CONTINUATIONS[name](self, job, out, *args)
            return
        self.state.waiters.setdefault(cache.resource, []).append((revision, job.id, name, args))
        watch = cache.watch
        if watch:
            out.send(self.config.etcd[self.state.member], wire.WatchProgressRequest(watch), cause=0)
        self.arm(out)

    def look(self, out: Outbox, job: Job, resource: str, then: Any) -> None:
        """Go on once the cache of ``resource`` (its name) is as fresh as the quorum."""
        reading.fresh(self, job, out, next(r for r in self.scheme.resources() if r.group_resource == resource), then)

    def finish(self, job: Job) -> None:
        """Forget a job that was answered."""
        self.state.jobs.pop(job.id, None)
        if job.seat and job.flow is not None:
            job.seat = False
            self.state.seats[job.flow.level] -= 1

    # -- Actor ----------------------------------------------------------------------------------------------------

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        self.now = self.view.now = now
        for resource in schemes.builtin().resources():
            if resource.stored:
                self._add_cache(resource, out)
        post_start.announce(self, out)

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        self.now = self.view.now = now
        match message:
            case HttpRequest():
                self._request(src, message, out)
            case wire.WatchResponse():
                self._watch_response(src, message, out)
            case HttpResponse():
                self._http_response(src, message, out)
            case HttpChunk() | HttpEnd() | HttpReset():
                kubelet_proxy.piece(self, src, message, out)
            case HttpCancel(number):
                self._cancel(number, out)
            case PeerDown(peer):
                self._peer_down(peer, out)
            case Timer():
                self._timer(message, out)
            case Terminate():
                self._terminate(out)
            case wire.StatusResponse():
                etcd_client.found(self, src, out)
            case _:
                self._answer(src, message, out)

    def status(self) -> dict[str, Any]:
        state = self.state
        return {
            "ready": state.ready and all(state.hooks.values()),
            "etcd": self.config.etcd[state.member],
            "etcdConnected": etcd_client.connected(self),
            "inflight": sum(1 for job in state.jobs.values() if not job.streaming),
            "watchers": sum(len(cache.watchers) for cache in state.caches.values()),
            "objects": sum(len(cache.items) for cache in state.caches.values()),
        }

    def _terminate(self, out: Outbox) -> None:
        self.state.ending = True
        if any(not job.streaming for job in self.state.jobs.values()) and not self.state.lost:
            out.timer("end", 100 * MILLISECOND, cause=0)
        else:
            out.exit(0)

    # -- requests -------------------------------------------------------------------------------------------------

    def _request(self, src: str, request: HttpRequest, out: Outbox) -> None:
        if request.id < 0:
            health.probed(self, src, request, out)
            return
        if self.state.ending and src != self.name:
            out.send(src, HttpReset(request.id, "connection refused"))
            return
        if not self.state.ready and not request.path.startswith(_EXEMPT_WHILE_STARTING) and src != self.name:
            if not etcd_client.connected(self):
                out.send(src, HttpReset(request.id, "connection refused"))
                return
            self.state.held.append((src, request, out.cause))
            return
        query = parse_query(request.query)
        info = request_info(request.method, request.path, query)
        parent = out.cause
        outside = src.startswith("outside:") or request.remote != ""
        job = Job(request.id, src, parent, request, info, query, self.name, self.now, self.now, outside)
        self.state.jobs[job.id] = job
        out.cause = job.id
        out.note(
            RequestBegan(
                job.id, parent, self.name, request.method, request.path, request.query, info.verb, info.group,
                info.version, info.resource, info.subresource, info.namespace, info.name,
                request.header("user-agent"), request.remote or src, _shown_headers(request), request.doc or request.body or None,
            )
        )  # fmt: skip
        self._guard(job, out, pipeline.start, (self, job, out))
        self.arm(out)

    def _guard(self, job: Job | None, out: Outbox, function: Any, args: tuple[Any, ...]) -> None:
        try:
            function(*args)
        except status.ApiError as error:
            if job is None:
                raise
            respond.error(self, job, out, error)
        except Exception as error:
            if job is None:
                raise
            self._panicked(job, out, error)

    def _panicked(self, job: Job, out: Outbox, error: Exception) -> None:
        """A mistake of this program met a request: it ends with a 500, everything else goes on (``WithPanicRecovery``)."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_globals['__name__']}:{trace.tb_lineno}" if trace is not None else ""
        job.stage(out, "panic", "error", f"{type(error).__name__}: {error}"[:300], where)
        if job.streaming:
            watching.stop(self, job)
            out.send(job.src, HttpEnd(job.id, "stream error: stream ID 1; INTERNAL_ERROR; received from peer"))
            self.finish(job)
        elif job.id in self.state.jobs:
            text = "This request caused apiserver to panic. Look in the logs for details."
            respond.error(self, job, out, status.plain_text(500, text))

    def _cancel(self, number: int, out: Outbox) -> None:
        job = self.state.jobs.get(number)
        if job is None:
            return
        watching.stop(self, job)
        kubelet_proxy.cancel(self, job, out)
        self.finish(job)

    # -- etcd -----------------------------------------------------------------------------------------------------

    def _answer(self, src: str, message: Any, out: Outbox) -> None:
        call = self.state.calls.pop(getattr(message, "id", 0), None)
        if call is None:
            return
        if type(message) is wire.RangeResponse or type(message) is wire.TxnResponse:
            self.state.etcd_heard, self.state.etcd_check = self.now, 0
        if type(message) is wire.RangeResponse:
            self._seen(src, message.header.revision, out)
        self.in_order = src == etcd_client.current(self)
        if call.job and call.job not in self.state.jobs:
            return  # answered already (timeout), or the client went away
        if type(message) is wire.EtcdError and etcd_client.retried(self, message, call, out):
            return
        self.resolve(call, message, out)

    def resolve(self, call: Call, message: Any, out: Outbox) -> None:
        """Go on with what waits for the answer of ``call``."""
        job = self.state.jobs.get(call.job) if call.job else None
        if call.job:
            if job is None:
                return
            out.cause = job.id
            job.at = max(job.at, self.now)
        self._guard(job, out, CONTINUATIONS[call.then], (self, job, out, message, *call.args))

    def _seen(self, member: str, revision: int, out: Outbox) -> None:
        """A read was answered at ``revision``: on the same ordered connection all events up to it came before."""
        if member != self.config.etcd[self.state.member] or not self.state.waiters:
            return
        for name in list(self.state.waiters):
            cache = self.state.caches[name]
            if cache.synced and revision > cache.revision:
                cache.revision = revision
                self._wake(cache, out)

    def _peer_down(self, peer: str, out: Outbox) -> None:
        state = self.state
        out.cause = 0
        kubelet_proxy.peer_down(self, peer, out)
        for job in [job for job in state.jobs.values() if job.src == peer]:
            self._cancel(job.id, out)
        if peer in self.config.etcd:
            etcd_client.lose(self, peer, out)

    def unwatched(self) -> None:
        """The watches at etcd are gone with their connection; those of the clients stay open and are told nothing meanwhile."""
        self.state.watches.clear()
        for cache in self.state.caches.values():
            cache.watch, cache.synced = 0, False

    def alone(self, out: Outbox) -> None:
        """No endpoint of etcd is left. A server that only starts does not listen yet: who waits for it is refused."""
        if not self.state.ready:
            held, self.state.held = self.state.held, []
            for src, request, cause in held:
                out.send(src, HttpReset(request.id, "connection refused"), cause=cause)

    # -- caches ---------------------------------------------------------------------------------------------------

    def _add_cache(self, resource: Resource, out: Outbox) -> None:
        name = cache_name(resource)
        if name in self.state.caches:
            return
        cache = Cache(name, resource.prefix, resource.namespaced, _INDEX_FIELDS.get(name, ()))
        self.state.caches[name] = cache
        self._list(cache, out)

    def _list(self, cache: Cache, out: Outbox) -> None:
        prefix = cache.prefix.encode()
        request = wire.RangeRequest(out.next_id(), prefix + b"/", prefix + b"0")
        self.ask(out, None, request, listed, (cache.resource,))

    def _watch(self, cache: Cache, out: Outbox) -> None:
        prefix = cache.prefix.encode()
        cache.watch, cache.synced = out.next_id(), False
        self.state.watches[cache.watch] = cache.resource
        member = self.config.etcd[self.state.member]
        out.send(
            member,
            wire.WatchCreateRequest(cache.watch, prefix + b"/", prefix + b"0", cache.revision + 1),
            cause=0,
        )

    def cache_filled(self, name: str, answer: wire.RangeResponse | wire.EtcdError, out: Outbox) -> None:
        """The first list of a cache, or the one after a gap, came from etcd."""
        cache = self.state.caches.get(name)
        if cache is None:
            return
        if isinstance(answer, wire.EtcdError):
            out.timer(f"relist/{name}", RETRY, name, cause=0)
            return
        for event in cache.replace(answer.kvs, answer.header.revision, self.now, self._problem_in(cache)):
            watching.dispatch(self, cache, event, out)
        if cache.broken:
            self._end_watches(cache, out)
        self._watch(cache, out)
        self._wake(cache, out)
        if not self.state.ready and all(c.ready for c in self.state.caches.values()):
            self.state.ready = True
            post_start.begin(self, out)
            held, self.state.held = self.state.held, []
            for src, request, cause in held:
                out.cause = cause
                self._request(src, request, out)

    def _problem_in(self, cache: Cache) -> Callable[[wire.KeyValue], str]:
        """What decides whether a pair under the cache's prefix can be decoded."""
        resource = next((r for r in self.scheme.resources() if r.stored and cache_name(r) == cache.resource), None)
        return lambda kv: "" if resource is None else corrupt.problem(kv, self.scheme, resource)

    def _end_watches(self, cache: Cache, out: Outbox) -> None:
        for number in list(cache.watchers):
            watching.end(self, number, out)

    def _watch_response(self, src: str, message: wire.WatchResponse, out: Outbox) -> None:
        name = self.state.watches.get(message.watch)
        if name is None:
            if message.watch == self.state.masters_watch:
                post_start.masters_changed(self, message, out)
            return
        cache = self.state.caches[name]
        if cache.watch != message.watch:
            return
        if message.created:
            cache.synced = True
            if cache.resource in self.state.waiters:
                out.send(src, wire.WatchProgressRequest(message.watch), cause=0)
        if message.canceled:
            del self.state.watches[message.watch]
            cache.watch, cache.synced = 0, False
            out.cause = 0
            self._list(cache, out)
            return
        recent = self.state.recent
        seen = cache.revision  # one transaction changes several keys at one revision
        for change in message.events:
            kv = change.kv
            if kv.mod_revision <= seen:
                continue
            key = cache.key_of(kv.key)
            if change.type == "PUT" and not kv.cause and (why := self._problem_in(cache)(kv)):
                corrupt.spoil(cache, kv, key, why, self.now)
                self._end_watches(cache, out)
                continue
            if cache.broken:
                corrupt.heal(cache, key, kv.mod_revision)
            if change.type == "PUT":
                own = recent.pop(f"{cache.prefix}/{key}", None) if recent else None
                doc = own[1] if own is not None and own[0] == kv.mod_revision else None
                event = cache.put(key, doc, kv.mod_revision, kv.cause, self.now, kv.value)
            elif key in cache.items:
                event = cache.delete(key, kv.mod_revision, kv.cause, self.now)
            else:
                continue
            out.cause = kv.cause
            if cache.watchers:
                watching.dispatch(self, cache, event, out)
            elif event.item is not None:
                event.item.forget()  # nobody looks at these: Events, mostly
            if name == CRDS:
                self._crd_changed(event.doc, event.type, out)
        if not message.events and not message.created and message.header.revision > cache.revision:
            cache.revision = message.header.revision
        if self.state.waiters:
            self._wake(cache, out)

    def _wake(self, cache: Cache, out: Outbox) -> None:
        waiting = self.state.waiters.pop(cache.resource, None)
        if not waiting:
            return
        later = [entry for entry in waiting if entry[0] > cache.revision]
        if later:
            self.state.waiters[cache.resource] = later
        for revision, number, then, args in waiting:
            job = self.state.jobs.get(number)
            if revision <= cache.revision and job is not None:
                out.cause = job.id
                job.at = max(job.at, self.now)
                self._guard(job, out, CONTINUATIONS[then], (self, job, out, *args))

    def _crd_changed(self, crd: dict[str, Any], kind: str, out: Outbox) -> None:
        """A CustomResourceDefinition changed: serve its kinds, or stop serving them."""
        out.cause = 0
        served = {r.group_resource: r for r in self.scheme.resources() if r.crd is not None}
        for resource in served.values():
            self._add_cache(resource, out)
        if kind == "DELETED":
            name = crd["metadata"]["name"]
            gone = self.state.caches.get(name)
            if gone is not None and name not in served:
                for watcher in list(gone.watchers.values()):
                    watching.end(self, watcher.id, out)
                if gone.watch:
                    out.send(self.config.etcd[self.state.member], wire.WatchCancelRequest(gone.watch))
                    self.state.watches.pop(gone.watch, None)
                del self.state.caches[name]
        else:
            post_start.crd_changed(self, crd, out)

    # -- answers of other servers and of oneself ------------------------------------------------------------------

    def _http_response(self, src: str, message: HttpResponse, out: Outbox) -> None:
        waiting = self.state.loopback.pop(message.id, None)
        if waiting is not None:
            out.cause = 0
            CONTINUATIONS[waiting[0]](self, None, out, message, *waiting[1])
            return
        kubelet_proxy.response(self, src, message, out)

    # -- time -----------------------------------------------------------------------------------------------------

    def arm(self, out: Outbox) -> None:
        if not self.state.sweeping:
            self.state.sweeping = True
            out.timer("sweep", SWEEP, cause=0)

    def _timer(self, timer: Timer, out: Outbox) -> None:
        name, _, rest = timer.name.partition("/")
        if name == "sweep":
            self._sweep(out)
        elif name == "relist":
            cache = self.state.caches.get(rest)
            if cache is not None:
                self._list(cache, out)
        elif name == "rewatch":
            if not etcd_client.connected(self):
                return
            for cache in self.state.caches.values():
                if cache.ready and not cache.watch:
                    self._watch(cache, out)
            self.state.recent.clear()
            post_start.rewatch(self, out)
        elif name == "watch":
            watching.end(self, int(rest), out)
        elif name == "end":
            self._terminate(out)
        elif name == "dial":
            etcd_client.dial(self, rest, out)
        elif name == "give-up":
            etcd_client.give_up(self, int(rest), out)
        elif name == "retry":
            self._resume(int(rest), timer.data, out)
        elif name == "bookmarks":
            watching.bookmarks(self, out)
        else:
            post_start.timer(self, timer.name, timer.data, out)

    def _resume(self, number: int, then: str, out: Outbox) -> None:
        job = self.state.jobs.get(number)
        if job is not None:
            out.cause = job.id
            job.at = max(job.at, self.now)
            self._guard(job, out, CONTINUATIONS[then], (self, job, out))

    def _sweep(self, out: Outbox) -> None:
        """Every couple of seconds while something is under way: give up what has waited too long."""
        state = self.state
        state.sweeping = False
        out.cause = 0
        silent = [call for call in state.calls.values() if self.now - call.sent > etcd_client.SILENCE]
        for member in dict.fromkeys(call.member for call in silent):
            etcd_client.lose(self, member, out)
        for job in [job for job in state.jobs.values() if not job.streaming]:
            patience = job.data.get("patience", REQUEST_TIMEOUT)
            if self.now - job.began > patience:
                out.cause = job.id
                error = job.data.get("impatience")
                respond.error(self, job, out, status.ApiError(error) if error else _too_slow())
        state.waiters = {
            name: kept
            for name, waiting in state.waiters.items()
            if (kept := [entry for entry in waiting if entry[1] in state.jobs])
        }
        if state.calls or state.waiters or any(not job.streaming for job in state.jobs.values()):
            self.arm(out)


def _too_slow() -> status.ApiError:
    return status.timeout("request did not complete within the requested timeout - context deadline exceeded")


def listed(server: ApiServer, job: None, out: Outbox, answer: Any, name: str) -> None:
    """etcd answered the list of one prefix."""
    out.cause = 0
    server.cache_filled(name, answer, out)


CONTINUATIONS[name_of(listed)] = listed


def cache_name(resource: Resource) -> str:
    """Caches are per stored kind: both versions of a kind share one."""
    group = resource.storage_group
    return f"{resource.plural}.{group}" if group else resource.plural


def _established(crd: dict[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


SHOWN_HEADER = 4096
"""Characters of a header's value that a trace keeps."""


def _shown_headers(request: HttpRequest) -> tuple[tuple[str, str], ...]:
    if all(name != "authorization" and len(value) <= SHOWN_HEADER for name, value in request.headers):
        return request.headers
    return tuple(
        (name, _shown(value, 16 if name == "authorization" else SHOWN_HEADER)) for name, value in request.headers
    )


def _shown(value: str, most: int) -> str:
    return value[:most] + "…" if len(value) > most else value
