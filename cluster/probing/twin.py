"""A copy of a world in which something may be tried.

In → a running ``World``; out → the answers that come back to ``outside:probe/…`` addresses, with their instants. Simplified here: the
copy starts with the messages that were under way, but nobody observes it.
"""

from collections.abc import Callable
from typing import Any

from cluster.sim import World
from cluster.sim.clock import MILLISECOND
from cluster.wire.http import HttpRequest, TlsPeer

ADMIN = TlsPeer(common_name="kubernetes-admin", organizations=("kubeadm:cluster-admins", "system:masters"))
STEP = 50 * MILLISECOND


class Twin:
    """The copy. Time passes in it by ``run``."""

    def __init__(self, world: World) -> None:
        self.world = World.restore(world.checkpoint(), world.factories)
        self.world.outside = self._heard
        self.began = world.now
        self.asked: dict[str, int] = {}
        """Name of a question → when it was sent."""
        self.heard: dict[str, list[tuple[int, Any]]] = {}
        """Name → what came back and when, oldest first."""

    @property
    def passed(self) -> int:
        """Virtual ns since the copy was made."""
        return self.world.now - self.began

    def number(self) -> int:
        self.world.state.ids += 1
        return self.world.state.ids

    def send(self, name: str, to: str, message: Any) -> None:
        """A message from a client outside; what comes back is in ``heard[name]``."""
        self.asked[name] = self.world.now
        self.world.post(f"outside:probe/{name}", to, message)

    def http(
        self, name: str, method: str, path: str, query: str = "", body: bytes = b"", kind: str = "", to: str = "lb"
    ) -> None:
        """A request of the admin through the balancer, or straight to an apiserver."""
        headers = (("accept", "application/json"), ("user-agent", "clearplane-probe"))
        if kind:
            headers = (*headers, ("content-type", kind))
        request = HttpRequest(self.number(), method, path, query, headers, body, None, ADMIN, "192.0.2.1:1")
        self.send(name, to, request)

    def first(self, name: str) -> Any:
        """The first thing that came back, or None."""
        return self.heard[name][0][1] if self.heard.get(name) else None

    def took(self, name: str) -> int | None:
        """Virtual microseconds from the question to the first thing that came back."""
        return (self.heard[name][0][0] - self.asked[name]) // 1000 if self.heard.get(name) else None

    def run(self, length: int, done: Callable[[], bool] = lambda: False) -> None:
        """Let ``length`` virtual ns pass, less if ``done`` says so."""
        end = self.world.now + length
        while self.world.now < end and not done():
            self.world.run_until(min(self.world.now + STEP, end))

    def _heard(self, now: int, dst: str, src: str, message: Any, cause: int) -> None:
        name = dst.removeprefix("outside:probe/")
        if name != dst:
            self.heard.setdefault(name, []).append((now, message))
