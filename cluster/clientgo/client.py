"""``ApiClient``: the actor that every client of the apiserver is.

Its ``step`` sorts what arrives: answers to their continuations, watch events to the stores, timers to their layer, and
everything else to ``on_message`` and ``on_timer`` of the component. Then it runs the work queues.

Layers, each a class of its own file: transport → reflector → workqueue → leader_election → recorder → this.
"""

from typing import Any

from cluster.clientgo.recorder import Recording
from cluster.clientgo.transport import no_answer
from cluster.sim import Outbox, PeerDown, Timer
from cluster.wire.http import HttpChunk, HttpEnd, HttpReset, HttpResponse


class ApiClient(Recording):
    """Subclasses say ``kind``, watch and campaign in ``boot`` (calling ``super().boot`` first), and reconcile."""

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        """Remember the instant. Subclasses begin their watches after this."""
        self.now = now

    def on_message(self, src: str, message: Any, now: int, out: Outbox) -> None:
        """Something that isn't the apiserver's answer: requests to a kubelet, packets to a kube-proxy."""

    def on_timer(self, name: str, data: Any, now: int, out: Outbox) -> None:
        """A timer of the component itself (any name that doesn't begin with ``client/``)."""

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        """Handle one message, then work."""
        self.now = now
        self.task = 0
        if src == self.config.server:
            self.state.heard = now
        kind = type(message)
        if kind is HttpChunk:
            self._chunk(src, message, now, out)
        elif kind is HttpResponse:
            if not (message.stream and self._watch_opened(message)):
                self._answer(message, out)
        elif kind is Timer:
            self._timer(message, now, out)
        elif kind is HttpEnd:
            key = self.state.watches.pop(message.id, None)
            if key is None:
                self.on_message(src, message, now, out)
            elif key in self.state.reflectors and self.state.reflectors[key].request == message.id:
                self._watch_ended(key, message.error, out)
        elif kind is HttpReset:
            self._reset(message, out)
        elif kind is PeerDown:
            if message.peer == self.config.server:
                self.fail_all(f"dial {message.peer}: connect: connection refused", out)
            else:
                self.on_message(src, message, now, out)
        else:
            self.on_message(src, message, now, out)
        if self.state.work:
            self.drain(now, out)

    def _chunk(self, src: str, chunk: HttpChunk, now: int, out: Outbox) -> None:
        key = self.state.watches.get(chunk.id)
        if key is None:
            self.on_message(src, chunk, now, out)
        elif key in self.state.reflectors and self.state.reflectors[key].request == chunk.id:
            self._watched(key, chunk, now, out)

    def _reset(self, message: HttpReset, out: Outbox) -> None:
        key = self.state.watches.pop(message.id, None)
        if key is not None:
            if key in self.state.reflectors and self.state.reflectors[key].request == message.id:
                self._watch_ended(key, message.error, out)
        else:
            self._answer(no_answer(message.id, message.error), out)

    def _timer(self, timer: Timer, now: int, out: Outbox) -> None:
        name = timer.name
        if not name.startswith("client/"):
            self.on_timer(name, timer.data, now, out)
        elif name == "client/lease":
            self._lease_tick(now, out)
        elif name == "client/later":
            self._due(out)
        elif name == "client/sweep":
            self._sweep(out)
        elif name == "client/alive":
            self._check_alive(now, out)
        elif name == "client/restart":
            self.boot([], now, out)
        elif name.startswith("client/relist/"):
            self._try_again(timer.data, out)
        elif name.startswith("client/token/"):
            self._token(timer.data, out)
        elif name.startswith("client/retry/"):
            self._retry(timer.data, out)
