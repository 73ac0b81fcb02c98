"""The balancer by itself: whom it gives requests to while backends fail, refuse, or say that they are not ready."""

from typing import Any

from cluster.balancer import FALL, INTERVAL, RISE, Balancer, BalancerConfig
from cluster.sim import SECOND, Actor, World
from cluster.wire.http import HttpRequest, HttpReset, HttpResponse

NAMES = ("a-1", "a-2", "a-3")


class Backend(Actor):
    """Answers every request with 200 and its name, probes with what it was told to be."""

    kind = "backend"
    config: Any
    state: Any

    def fresh(self) -> dict[str, Any]:
        return {"ready": 200, "hold": False}

    def step(self, src: str, message: Any, now: int, out: Any) -> None:
        if isinstance(message, HttpRequest) and message.id < 0:
            out.send(src, HttpResponse(message.id, self.state["ready"]))
        elif isinstance(message, HttpRequest) and not self.state["hold"]:
            out.send(src, HttpResponse(message.id, 200, body=self.name.encode()))


class Front:
    """The balancer, three backends, a client."""

    def __init__(self) -> None:
        self.world = World.new(3, 500_000, 1_500_000, {"balancer": Balancer, "backend": Backend})
        self.heard: list[Any] = []
        self.world.outside = lambda now, dst, src, message, cause: self.heard.append(message)
        for name in ("lb", *NAMES):
            self.world.add_host(name)
            config = BalancerConfig(NAMES) if name == "lb" else None
            self.world.add_process(name, "balancer" if name == "lb" else "backend", name, config)
            self.world.start(name)
        self.number = 0

    def be(self, name: str, **how: Any) -> None:
        self.world.actors[name].state.update(how)

    def run(self, length: int) -> None:
        self.world.run_until(self.world.now + length)

    def ask(self, times: int = 6) -> set[str]:
        """Who answers; "reset" for a connection that was broken, "" for silence."""
        found = set()
        for _ in range(times):
            self.heard.clear()
            self.number += 1
            self.world.post("outside:test", "lb", HttpRequest(self.number, "GET", "/"))
            self.run(SECOND // 50)
            found |= {m.body.decode() if isinstance(m, HttpResponse) else "reset" for m in self.heard} or {""}
        return found


def test_who_is_not_ready_is_left_out_and_taken_back() -> None:
    front = Front()
    assert front.ask() == set(NAMES)
    front.be("a-2", ready=500)
    front.run((FALL - 1) * INTERVAL)
    assert front.ask() == set(NAMES), "one bad probe is not enough"
    front.run(2 * INTERVAL)
    assert front.ask() == {"a-1", "a-3"}
    front.be("a-2", ready=200)
    front.run(INTERVAL)
    assert front.ask() == {"a-1", "a-3"}, "nor is one good one"
    front.run(RISE * INTERVAL)
    assert front.ask() == set(NAMES)


def test_its_connections_are_shut_when_it_is_taken_out() -> None:
    front = Front()
    for name in NAMES:
        front.be(name, hold=True)
    front.ask(3)
    front.heard.clear()
    front.be("a-2", ready=500)
    front.run((FALL + 1) * INTERVAL)
    assert [type(message) for message in front.heard] == [HttpReset]


def test_a_refused_connection_takes_out_at_once_and_silence_after_the_probes() -> None:
    front = Front()
    front.ask(3)
    front.world.stop("a-1")
    front.run(SECOND // 100)
    assert front.ask() == {"a-2", "a-3"}
    front.world.stop_host("a-2")
    assert front.ask() == {"", "a-3"}
    front.run((FALL + 1) * INTERVAL)
    assert front.ask() == {"a-3"}


def test_when_nobody_is_ready_those_who_listen_are_all_used() -> None:
    front = Front()
    front.run(SECOND)
    front.world.stop_host("a-1")
    for name in NAMES[1:]:
        front.be(name, ready=500)
    front.run((FALL + 2) * INTERVAL)
    assert front.ask() == {"a-2", "a-3"}
    front.world.stop_host("a-2")
    front.world.stop("a-3")
    front.run((FALL + 1) * INTERVAL)
    assert front.ask() == {"reset"}
