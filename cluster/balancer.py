"""The load balancer in front of the apiservers: layer 4, one decision per connection.

In → HTTP messages from clients (kubelets, kube-proxies, real kubectl) and from apiservers; out → the same messages,
passed on. A new request goes to the next healthy apiserver in turn (HAProxy's ``roundrobin``, as kubeadm's HA guide
sets it up); its answer, chunks and cancellation follow the same way. When an apiserver's connection breaks, each client
with a request on it gets a ``HttpReset``, as a TCP reset would tell it.

Each backend is probed every ``INTERVAL`` (GET /readyz). After ``FALL`` probes in a row that were not answered, or not with 200,
it is taken out and its connections are shut (``on-marked-down shutdown-sessions``); a refused connection takes it out at once, and the request goes to another. After
``RISE`` good probes it is back. So a stacked apiserver that runs beside a dead member of etcd gets no clients.
When no backend passes, those that accept connections are all used (as cloud balancers fail open; an HAProxy would close the connection):
without etcd's quorum every apiserver is unready, and its own error tells more than a closed port.

Simplified here: one request, one connection (keep-alive reuse changes nothing a client can see); a connection to a host that
died meanwhile waits until the probes have found out, it is not dispatched again.

Upstream: kubeadm "Options for Software Load Balancing", HAProxy ``balance roundrobin``, ``inter 2s fall 3 rise 2``.
"""

from typing import Any

from msgspec import Struct, field

from cluster.sim import SECOND, Actor, Outbox, PeerDown, Timer
from cluster.wire.http import HttpCancel, HttpChunk, HttpEnd, HttpRequest, HttpReset, HttpResponse

INTERVAL = 2 * SECOND
FALL = 3
RISE = 2
_PROBE = (("user-agent", "haproxy-check"),)


class BalancerConfig(Struct, frozen=True):
    """``backends``: apiserver process names, in the order of the configuration file."""

    backends: tuple[str, ...]


class Route(Struct):
    """One request in flight; ``request`` is kept until the first sign of an answer, in case the connection is refused."""

    client: str
    backend: str
    request: HttpRequest | None = None


class Health(Struct):
    """What the probes of one backend have found: how many failed or passed in a row, whether one is unanswered."""

    failed: int = 0
    passed: int = RISE
    asked: bool = False
    deaf: bool = False
    """It refuses connections, or the last probe got no answer at all."""


class BalancerState(Struct):
    """``down``: backend → when it was taken out. ``turn``: how many connections were given out."""

    routes: dict[int, Route] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    down: dict[str, int] = field(default_factory=dict)
    turn: int = 0


class Balancer(Actor):
    """The process ``lb``."""

    kind = "balancer"
    config: BalancerConfig
    state: BalancerState

    def fresh(self) -> BalancerState:
        return BalancerState(health={name: Health() for name in self.config.backends})

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        out.timer("check", INTERVAL, cause=0)

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        match message:
            case HttpRequest():
                self._request(src, message, out)
            case HttpResponse():
                self._response(src, message, now, out)
            case HttpReset() if src in self.state.health and self._dispatched_again(src, message, now, out):
                pass
            case HttpChunk() | HttpEnd() | HttpCancel() | HttpReset():
                self._pass_on(src, message, out)
            case PeerDown(peer):
                self._peer_down(peer, now, out)
            case Timer("check"):
                self._check(now, out)
            case _:
                raise TypeError(f"the balancer does not speak {type(message).__name__}")

    # -- clients --------------------------------------------------------------------------------------------------

    def _request(self, src: str, message: HttpRequest, out: Outbox) -> None:
        backend = self._pick()
        if backend is None:
            out.send(src, HttpReset(message.id, "connection refused"))
            return
        self.state.routes[message.id] = Route(src, backend, message)
        out.send(backend, message)

    def _pick(self) -> str | None:
        state, backends = self.state, self.config.backends
        for _ in backends:
            backend = backends[state.turn % len(backends)]
            state.turn += 1
            if backend not in state.down:
                return backend
        return None

    def _response(self, src: str, message: HttpResponse, now: int, out: Outbox) -> None:
        if message.id < 0:
            self._probed(src, message.code == 200, now, out)
            return
        route = self.state.routes.get(message.id)
        if route is None:
            return
        route.request = None
        if not message.stream:
            del self.state.routes[message.id]
        out.send(route.client, message)

    def _dispatched_again(self, backend: str, message: HttpReset, now: int, out: Outbox) -> bool:
        """A backend's port is closed (it is ending, or only starting): ``option redispatch`` gives the request to another."""
        if message.error != "connection refused":
            return False
        self._refused(backend, now, out)
        route = self.state.routes.get(message.id)
        other = self._pick()
        if route is None or route.request is None or other is None:
            return False
        route.backend = other
        out.send(other, route.request)
        return True

    def _refused(self, backend: str, now: int, out: Outbox) -> None:
        health = self.state.health[backend]
        health.failed, health.passed, health.asked, health.deaf = FALL, 0, False, True
        self._judge(now, out, shut=False)

    def _pass_on(self, src: str, message: HttpChunk | HttpEnd | HttpCancel | HttpReset, out: Outbox) -> None:
        route = self.state.routes.get(message.id)
        if route is None:
            return
        if not isinstance(message, HttpChunk):
            del self.state.routes[message.id]
        out.send(route.client if src == route.backend else route.backend, message)

    def _peer_down(self, peer: str, now: int, out: Outbox) -> None:
        if peer in self.state.health:
            self._refused(peer, now, out)
            self._shut(peer, out)
            return
        for number, route in list(self.state.routes.items()):
            if route.client == peer:
                del self.state.routes[number]
                out.send(route.backend, HttpCancel(number))

    # -- probes ---------------------------------------------------------------------------------------------------

    def _check(self, now: int, out: Outbox) -> None:
        for index, (name, health) in enumerate(self.state.health.items()):
            if health.asked:
                self._note(health, False)
                health.deaf = True
            health.asked = True
            out.send(name, HttpRequest(-1 - index, "GET", "/readyz", headers=_PROBE), cause=0)
        self._judge(now, out)
        out.timer("check", INTERVAL, cause=0)

    def _probed(self, name: str, good: bool, now: int, out: Outbox) -> None:
        health = self.state.health[name]
        health.asked = health.deaf = False
        self._note(health, good)
        if good and name in self.state.down:
            self._judge(now, out)

    @staticmethod
    def _note(health: Health, good: bool) -> None:
        if good:
            health.passed += 1
            health.failed = 0 if health.passed >= RISE else health.failed
        else:
            health.failed += 1
            health.passed = 0

    def _judge(self, now: int, out: Outbox, shut: bool = True) -> None:
        """Take out who failed, but not the last ones that listen; take back who passed."""
        state = self.state
        bad = [name for name, health in state.health.items() if health.failed >= FALL]
        if len(bad) == len(state.health):
            bad = [name for name in bad if state.health[name].deaf]
        for name in self.config.backends:
            if name not in bad:
                state.down.pop(name, None)
            elif name not in state.down:
                state.down[name] = now
                if shut:
                    self._shut(name, out)

    def _shut(self, backend: str, out: Outbox) -> None:
        for number, route in list(self.state.routes.items()):
            if route.backend == backend:
                del self.state.routes[number]
                out.send(route.client, HttpReset(number, "connection reset by peer"))

    def status(self) -> dict[str, Any]:
        down = self.state.down
        return {"backends": [{"name": name, "up": name not in down} for name in self.config.backends]}
