"""``up``: what ``make run`` starts. Redis, the simulation, the historian and the web as children; all of them die with this process.

In → the environment (see ``config``); out → one line starting ``Clearplane is ready`` once a ``kubectl get nodes`` would
succeed. A child that dies is started again, with one line; one that keeps dying stops everything. SIGTERM and Ctrl-C stop the
web first, then the simulation (it takes a snapshot), then Redis.

Errors: a taken port, a data folder in use, no Redis: one clear line and exit 1.
"""

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from explainer import config
from explainer.runs import embedded, resp

STOP_SECONDS = 12.0
TOO_OFTEN = (5, 20.0)
"""So many deaths within so many seconds and the child is given up."""
FIRST_LOOK, LAST_LOOK = 0.03, 2.0
"""Wall seconds between two questions whether all is ready: soon at first, rarely when something is broken."""
PR_SET_PDEATHSIG = 1


class Child:
    """A supervised process."""

    def __init__(self, name: str, command: list[str], log: Path | None = None) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths: list[float] = []

    def start(self) -> None:
        """Run it, in a session of its own so that Ctrl-C reaches only this supervisor."""
        self.process = subprocess.Popen(
            self.command,
            cwd=config.ROOT,
            start_new_session=True,
            preexec_fn=functools.partial(_die_with_parent, os.getpid()),
            stdin=subprocess.DEVNULL,
        )

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def died_too_often(self) -> bool:
        """Count a death."""
        count, seconds = TOO_OFTEN
        self.deaths = [at for at in self.deaths if at > time.monotonic() - seconds] + [time.monotonic()]
        return len(self.deaths) >= count

    def stop(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL if that takes too long; what it started itself goes with it."""
        process = self.process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # its session is its own: the group's number is the child's
        process.wait()


_PRCTL: Any = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
"""Looked up before there is a child: between fork and exec nothing should be loaded."""


def _die_with_parent(parent: int) -> None:
    """Linux: the kernel kills the child when this process dies, however that happens, also if it has just happened."""
    if _PRCTL is not None:
        _PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


class Trouble(Exception):
    """Why nothing was started, in one line."""


def check_port(host: str, port: int, variable: str) -> None:
    """Trouble if somebody listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Trouble(f"Port {port} is taken; stop what uses it or set {variable}.") from None
            raise Trouble(f"Port {port} on {host} can't be used: {error.strerror}.") from None


def lock(data: Path) -> IO[str]:
    """The data folder is ours while the file is open. Trouble if another one has it."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        file = (data / "lock").open("w")
    except OSError as error:
        raise Trouble(f"The data folder {data} can't be used: {error.strerror}.") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise Trouble(f"Clearplane is running already in {data}; stop it or set CLEARPLANE_DATA.") from None
    return file


class Supervisor:
    """Starts, watches and stops the children."""

    def __init__(self, settings: config.Config) -> None:
        self.settings = settings
        self.stopping = False
        self.ready = False
        self.children: list[Child] = []

    def run(self) -> int:
        """Until told to stop: 0; until a child is beyond help: 1."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        self._start_redis()
        python = [sys.executable, "-X", "frozen_modules=on", str(config.ROOT / "manage.py")]
        for name, arguments in (
            ("simulation", ["runsim", "--name", "local"]),
            ("historian", ["historian", "--name", "local"]),
            ("web", ["web"]),
        ):
            child = Child(name, [*python, *arguments])
            self.children.append(child)
            child.start()
        code, pause, next_look = 0, FIRST_LOOK, 0.0
        while not self.stopping and not code:
            code = self._look_after()
            if not self.ready and not code and time.monotonic() >= next_look:
                self._say_when_ready()
                next_look = time.monotonic() + pause
                pause = min(pause * 1.1, LAST_LOOK)
            time.sleep(FIRST_LOOK if not self.ready else 0.2)
        for child in reversed(self.children):
            child.stop(STOP_SECONDS)
        return code

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _start_redis(self) -> None:
        if os.environ.get("REDIS_URL"):
            try:
                resp.Link(resp.Address(os.environ["REDIS_URL"]), 5.0).call("PING")
            except (OSError, ValueError, resp.RedisError) as error:
                raise Trouble(f"Redis is not reachable at REDIS_URL: {error}.") from None
            return
        try:
            embedded.end_leftover(self.settings.data)
            child = Child("Redis", embedded.command(self.settings.data))
        except embedded.NoRedis as error:
            raise Trouble(str(error)) from None
        self.children.append(child)
        child.start()

    def _look_after(self) -> int:
        for child in self.children:
            if child.running() or self.stopping:
                continue
            code = child.process.returncode if child.process is not None else 0
            if child.died_too_often():
                say(f"{child.name} keeps ending (last with {code}); giving up.")
                return 1
            say(f"{child.name} ended ({_how(code)}); starting it again.")
            child.start()
        return 0

    def _say_when_ready(self) -> None:
        if self._asks_ready():
            self.ready = True
            shown = "127.0.0.1" if self.settings.host in ("0.0.0.0", "::") else self.settings.host
            say(
                f"Clearplane is ready: http://{shown}:{self.settings.port}/  Kubernetes API https://{shown}:{self.settings.api_port}"
                f"  KUBECONFIG={_relative(self.settings.data / 'kubeconfig')}"
            )

    def _asks_ready(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.settings.host, self.settings.host)
        if not (self.settings.data / "kubeconfig").exists():
            return False
        try:
            with socket.create_connection((host, self.settings.port), 2.0) as probe:
                probe.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                head = probe.recv(64)
            with socket.create_connection((host, self.settings.api_port), 2.0):
                return b" 200 " in head[:16]
        except OSError:
            return False


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def say(line: str) -> None:
    """One line for whoever started us."""
    print(line, flush=True)


def main(arguments: list[str]) -> int:
    """``up``. Exit code 1 with one line when it can't start."""
    del arguments
    try:
        settings = config.read()
        held = lock(settings.data)
        check_port(settings.host, settings.port, "CLEARPLANE_PORT")
        check_port(settings.host, settings.api_port, "CLEARPLANE_API_PORT")
        for port in config.etcd_ports(settings):
            check_port(settings.host, port, "CLEARPLANE_ETCD_PORT")
        with held:
            return Supervisor(settings).run()
    except (Trouble, config.BadConfig) as trouble:
        say(f"clearplane: {trouble}")
        return 1
