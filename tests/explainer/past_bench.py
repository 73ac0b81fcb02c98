"""A live cluster run by hand, and a historian in a process of its own that is asked about its past."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from explainer.runs import clusters, keys, lease, resp
from explainer.runs.mail import Mail, Pace, Trouble, decode_any, decode_letter, encode, item, raw
from explainer.runs.runner import Runner
from tests.product import ROOT


class Failed(Exception):
    """What the historian says instead of an answer."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(f"{status}: {error}")
        self.status, self.error = status, error


class Live:
    """A cluster whose clock is the test's."""

    def __init__(self, link: resp.Link, door: str, name: str = "demo", make: bool = True, **options: Any) -> None:
        self.link, self.name, self.door = link, name, door
        self.number = 0
        self.wall = time.monotonic()
        if make:
            made = clusters.Options(name=name, **options)
            keys_made = {"ca_cert": b""} if "fakelab" in door else clusters.make_pki(made)
            link.pipeline(clusters.store_commands(made, clusters.spec_bytes(made, "https://127.0.0.1:6443", keys_made)))
        self.boot()

    def boot(self) -> None:
        token = lease.take(self.link, self.name, "local")
        assert token is not None
        self.runner = Runner(self.name, self.link, token, self.door)
        self.runner.reconnect = lambda: self.link

    def mail(self, kind: str, body: Any, call: str = "") -> tuple[str, bytes]:
        self.number += 1
        data = encode(Mail(kind, "w1", self.number, call, raw(body)))  # type: ignore[arg-type]
        return self.link.call("XADD", keys.inbox(self.name), "*", "m", data).decode(), data

    def post(self, path: str, body: bytes = b"x", **more: Any) -> tuple[str, bytes]:
        fields = {"conn": "w1/1", "stream": self.number, "method": "POST", "path": path, "body": body, **more}
        return self.mail("input", item("HttpIn", **fields))

    def turn(self, *mail: tuple[str, bytes], seconds: float = 0.2, turns: int = 10) -> None:
        """Turns over ``seconds`` of invented wall time."""
        self.runner.turn(list(mail), self.wall)
        for _ in range(turns):
            self.wall += seconds / turns
            self.runner.turn([], self.wall)
        self.runner._commit(self.wall)

    def until(self, micros: int) -> None:
        """Paused, and run exactly so far."""
        self.turn(self.mail("pace", Pace("set", paused=True)), seconds=0.0, turns=1)
        left = micros - self.runner.lab.now // 1000
        self.runner.turn([self.mail("pace", Pace("run", micros=left))], self.wall)
        while self.runner.control.goal is not None:
            self.runner.turn([], self.wall)
        self.runner._commit(self.wall)

    @property
    def place(self) -> tuple[int, int]:
        return self.runner.lab.now, self.runner.delivered


class Past:
    """Asks a historian."""

    def __init__(self, url: str, door: str, name: str = "h1") -> None:
        self.url, self.door, self.name = url, door, name
        self.link = resp.Link(resp.Address(url))
        self.calls = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Past":
        command = [
            sys.executable,
            "manage.py",
            "historian",
            "--redis",
            self.url,
            "--door",
            self.door,
            "--name",
            self.name,
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        return self

    def send(self, op: str, cluster: str, at: str = "", **args: Any) -> str:
        self.calls += 1
        call = f"t/{self.name}/{self.calls}"
        question = encode((op, f"t-{self.name}", call, cluster, at, args, time.time()))
        self.link.call("XADD", keys.PAST, "*", "q", question)
        return call

    def answer(self, call: str, seconds: int = 60) -> Any:
        while True:
            reply = self.link.call("BLPOP", keys.past_out(f"t-{self.name}"), min(seconds, 15))
            assert reply is not None, "no answer"
            letter = decode_letter(reply[1])
            if letter.call != call:
                continue
            if letter.kind == "error":
                trouble = msgspec.msgpack.decode(letter.body, type=Trouble)
                raise Failed(trouble.status, trouble.error)
            return msgspec.json.decode(decode_any(letter.body))

    def ask(self, op: str, cluster: str = "demo", at: str = "", **args: Any) -> Any:
        return self.answer(self.send(op, cluster, at, **args))

    def view(self, at: str, view: str, cluster: str = "demo", **args: Any) -> Any:
        return self.ask("view", cluster, at, view=view, args=args)

    def kill(self) -> None:
        """kill -9, of the historian alone."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        self.link.close()


@contextlib.contextmanager
def past(url: str, door: str) -> Iterator[Past]:
    """A historian, ended afterwards."""
    made = Past(url, door).start()
    try:
        yield made
    finally:
        made.stop()
