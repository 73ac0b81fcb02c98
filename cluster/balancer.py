"""The load balancer in front of the apiservers: layer 4, one decision per connection.

In → HTTP messages from clients (kubelets, kube-proxies, real kubectl) and from apiservers; out → the same messages,
passed on. A new request goes to the next healthy apiserver in turn (HAProxy's ``roundrobin``, as kubeadm's HA guide
sets it up); its answer, chunks and cancellation follow the same way. When an apiserver's connection breaks, each client
with a request on it gets a ``HttpReset``, as a TCP reset would tell it.

A backend is unhealthy after a reset, or after it answered nothing for ``CHECK_FALL`` while it had something to answer;
one probe request every ``CHECK_INTERVAL`` finds it well again.

Simplified here: one request, one connection (keep-alive reuse changes nothing a client can see); the health check is a
GET /readyz each 2 s only to backends that are marked down, and silent hosts are noticed by requests, not by probes.

Upstream: kubeadm "Options for Software Load Balancing", HAProxy ``balance roundrobin``, ``inter 2s fall 3``.
"""

from typing import Any

from msgspec import Struct, field

from cluster.sim import SECOND, Actor, Outbox, PeerDown, Timer
from cluster.wire.http import HttpCancel, HttpChunk, HttpEnd, HttpRequest, HttpReset, HttpResponse

CHECK_INTERVAL = 2 * SECOND
CHECK_FALL = 3 * SECOND


class BalancerConfig(Struct, frozen=True):
    """``backends``: apiserver process names, in the order of the configuration file."""

    backends: tuple[str, ...]


class Route(Struct):
    """One request in flight. ``since``: when it was sent and not yet answered (0: answered, streaming)."""

    client: str
    backend: str
    since: int


class BalancerState(Struct):
    """``down``: backend → when it was found dead. ``turn``: how many connections were given out."""

    routes: dict[int, Route] = field(default_factory=dict)
    down: dict[str, int] = field(default_factory=dict)
    probes: dict[int, str] = field(default_factory=dict)
    oldest: dict[str, int] = field(default_factory=dict)
    """Backend → since when it owes an answer to a request that no later answer of it has followed."""
    turn: int = 0


class Balancer(Actor):
    """The process ``lb``."""

    kind = "balancer"
    config: BalancerConfig
    state: BalancerState

    def fresh(self) -> BalancerState:
        return BalancerState()

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        match message:
            case HttpRequest():
                self._request(src, message, now, out)
            case HttpResponse():
                self._response(src, message, out)
            case HttpChunk() | HttpEnd() | HttpCancel() | HttpReset():
                self._pass_on(src, message, out)
            case PeerDown(peer):
                self._peer_down(peer, now, out)
            case Timer("check"):
                self._check(now, out)
            case _:
                raise TypeError(f"the balancer does not speak {type(message).__name__}")

    def _request(self, src: str, message: HttpRequest, now: int, out: Outbox) -> None:
        state = self.state
        backend = self._pick(now, out)
        if backend is None:
            out.send(src, HttpReset(message.id, "connection refused"))
            return
        state.routes[message.id] = Route(src, backend, now)
        state.oldest.setdefault(backend, now)
        out.send(backend, message)

    def _pick(self, now: int, out: Outbox) -> str | None:
        state, backends = self.state, self.config.backends
        for backend in backends:
            since = state.oldest.get(backend)
            if since is not None and now - since > CHECK_FALL:
                self._mark_down(backend, now, out)
        for _ in backends:
            backend = backends[state.turn % len(backends)]
            state.turn += 1
            if backend not in state.down:
                return backend
        return None

    def _response(self, src: str, message: HttpResponse, out: Outbox) -> None:
        state = self.state
        state.oldest.pop(src, None)
        if message.id in state.probes:
            del state.probes[message.id]
            if message.code == 200:
                state.down.pop(src, None)
            return
        route = state.routes.get(message.id)
        if route is None:
            return
        if not message.stream:
            del state.routes[message.id]
        out.send(route.client, message)

    def _pass_on(self, src: str, message: HttpChunk | HttpEnd | HttpCancel | HttpReset, out: Outbox) -> None:
        route = self.state.routes.get(message.id)
        if route is None:
            return
        if not isinstance(message, HttpChunk):
            del self.state.routes[message.id]
        out.send(route.client if src == route.backend else route.backend, message)

    def _peer_down(self, peer: str, now: int, out: Outbox) -> None:
        if peer in self.config.backends:
            self._mark_down(peer, now, out)
            return
        for number, route in list(self.state.routes.items()):
            if route.client == peer:
                del self.state.routes[number]
                out.send(route.backend, HttpCancel(number))

    def _mark_down(self, backend: str, now: int, out: Outbox) -> None:
        state = self.state
        state.oldest.pop(backend, None)
        if backend not in state.down:
            state.down[backend] = now
            out.timer("check", CHECK_INTERVAL, cause=0)
        for number, route in list(state.routes.items()):
            if route.backend == backend:
                del state.routes[number]
                out.send(route.client, HttpReset(number, "connection reset by peer"))

    def _check(self, now: int, out: Outbox) -> None:
        state = self.state
        for backend in state.down:
            number = out.next_id()
            state.probes[number] = backend
            out.send(backend, HttpRequest(number, "GET", "/readyz", headers=(("user-agent", "haproxy-check"),)))
        if state.down:
            state.probes = dict(list(state.probes.items())[-8:])
            out.timer("check", CHECK_INTERVAL)

    def status(self) -> dict[str, Any]:
        down = self.state.down
        return {"backends": [{"name": name, "up": name not in down} for name in self.config.backends]}
