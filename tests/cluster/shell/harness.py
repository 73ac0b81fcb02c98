"""A terminal for tests: runs lines in a ``Console`` against a scripted server, without a world."""

from collections.abc import Callable
from typing import Any

from cluster.shell.console import Console, ConsoleConfig
from cluster.sim import Dice, Timer
from cluster.wire.console import ConsoleDone, ConsoleInterrupt, ConsoleLine, ConsoleOutput
from cluster.wire.http import HttpChunk, HttpEnd, HttpRequest, HttpReset, HttpResponse, TlsPeer

Server = Callable[[HttpRequest], Any]
"""Answers a request: (code, doc), an HttpResponse, a list of messages to send one after another, or None for silence."""

EPOCH = 1_795_406_400
SECOND = 1_000_000_000


ADMIN = TlsPeer(common_name="kubernetes-admin", organizations=("kubeadm:cluster-admins",))
KUBECONFIG = """apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://127.0.0.1:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
preferences: {}
users:
- name: kubernetes-admin
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
"""


class Out:
    """An Outbox that keeps what was put into it."""

    def __init__(self, ids: list[int]) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.timers: dict[str, tuple[int, Any]] = {}
        self.cause = 0
        self.dice = Dice.named(1, "test")
        self._ids = ids

    def send(self, dst: str, message: Any, *, delay: int = 0, cause: int | None = None) -> None:
        self.sent.append((dst, message))

    def timer(self, name: str, after: int, data: Any = None, *, cause: int | None = None) -> None:
        self.timers[name] = (after, data)

    def cancel(self, name: str) -> None:
        self.timers.pop(name, None)

    def note(self, note: Any) -> None:
        raise AssertionError("the console makes no notes")

    def next_id(self) -> int:
        self._ids[0] += 1
        return self._ids[0]


class Result:
    """What one line printed."""

    def __init__(self) -> None:
        self.stdout = ""
        self.stderr = ""
        self.code: int | None = None
        self.done: ConsoleDone | None = None


class Shell:
    """``Shell(server).run("echo hi").stdout``. Between any two messages the console may be rebuilt (``amnesia``)."""

    def __init__(
        self, server: Server | None = None, *, config: ConsoleConfig | None = None, amnesia: bool = False
    ) -> None:
        self.config = config or ConsoleConfig(EPOCH, admin=ADMIN, kubeconfig=KUBECONFIG)
        self.console = Console("console", self.config)
        self.server = server
        self.amnesia = amnesia
        self.now = 0
        self.requests: list[HttpRequest] = []
        self.cancelled: list[Any] = []
        self._ids = [100]
        self._out = Out(self._ids)
        self._line = 0

    def run(self, line: str, session: str = "s") -> Result:
        """Type ``line`` and wait for its end (or until nothing more can happen)."""
        self._line += 1
        self._result = Result()
        self._deliver("outside:1", ConsoleLine(self._line, session, line))
        self._settle()
        return self._result

    def interrupt(self, session: str = "s") -> Result:
        """Ctrl-C."""
        self._deliver("outside:1", ConsoleInterrupt(session))
        self._settle()
        return self._result

    def message(self, message: Any) -> Result:
        """Something arrives from the server."""
        self._deliver("lb", message)
        self._settle()
        return self._result

    def _deliver(self, src: str, message: Any) -> None:
        if self.amnesia:
            self.console = Console("console", self.config, self.console.state)
        self.now += 1_000_000
        self.console.step(src, message, self.now, self._out)

    def _settle(self) -> None:
        while True:
            while self._out.sent:
                dst, message = self._out.sent.pop(0)
                match message:
                    case ConsoleOutput():
                        self._result.stdout += message.stdout
                        self._result.stderr += message.stderr
                    case ConsoleDone():
                        self._result.code, self._result.done = message.exit_code, message
                    case HttpRequest():
                        self.requests.append(message)
                        self._answer(dst, message)
                    case _:
                        self.cancelled.append(message)
            if self._result.code is not None:
                return
            waiting = [name for name in self._out.timers if name.startswith("sleep/")]
            if not waiting:
                return
            after, data = self._out.timers.pop(waiting[0])
            self.now += after
            self._deliver("console", Timer(waiting[0], data))

    def _answer(self, dst: str, request: HttpRequest) -> None:
        answer = self.server(request) if self.server is not None else HttpReset(request.id, "refused")
        if answer is None:
            return
        if isinstance(answer, tuple):
            answer = HttpResponse(request.id, answer[0], (("content-type", "application/json"),), doc=answer[1])
        for message in answer if isinstance(answer, list) else [answer]:
            self._deliver(dst, message)


__all__ = ["HttpChunk", "HttpEnd", "Shell"]
