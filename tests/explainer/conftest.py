"""A private Redis, and the whole product as processes on free ports with a folder of its own."""

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from explainer.runs import embedded, resp

ROOT = Path(__file__).resolve().parents[2]


def wait_for(check: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """The first true answer of ``check``; fails naming ``what``."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            found = check()
            if found:
                return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def free_etcd_port() -> int:
    """A port p such that p, p+2 and p+4 are free."""
    while True:
        (port,) = free_ports(1)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for number in (port, port + 2, port + 4):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port


class Product:
    """``manage.py up`` in a folder of its own. ``door`` names the world."""

    def __init__(self, data: Path, door: str = "tests.explainer.fakelab", **extra: str) -> None:
        self.data = data
        self.port, self.api_port = free_ports(2)
        self.etcd_port = free_etcd_port()
        self.environment = {
            **os.environ,
            "CLEARPLANE_DATA": str(data),
            "CLEARPLANE_PORT": str(self.port),
            "CLEARPLANE_API_PORT": str(self.api_port),
            "CLEARPLANE_ETCD_PORT": str(self.etcd_port),
            "CLEARPLANE_DOOR": door,
            "PYTHONUNBUFFERED": "1",
            **extra,
        }
        self.environment.pop("REDIS_URL", None)
        self.environment.update(extra)
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data / "up.log"

    def spawn(self) -> subprocess.Popen[bytes]:
        self.data.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        return self.process

    def start(self) -> "Product":
        before = self.output().count("Clearplane is ready")
        self.spawn()
        wait_for(lambda: self.output().count("Clearplane is ready") > before or self._ended(), f"ready; said:\n{self.output()}", 60)
        return self

    def _ended(self) -> None:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"up ended with {self.process.returncode}:\n{self.output()}")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)

    def output(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def child(self, word: str) -> psutil.Process:
        """The child whose command line has ``word``."""
        assert self.process is not None
        for process in psutil.Process(self.process.pid).children():
            if any(word in part for part in process.cmdline()):
                return process
        raise AssertionError(f"no child {word}")

    def tls(self, timeout: float = 30.0) -> http.client.HTTPSConnection:
        """A keep-alive connection to the Kubernetes door."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.api_port, context=context, timeout=timeout)

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """One call of the web door: status and decoded JSON (or text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, headers or {})
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        if answer.headers.get("Content-Type", "").startswith("application/json"):
            return answer.status, json.loads(raw)
        return answer.status, raw.decode("utf-8", "replace")

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """A call under ``/api/clusters/demo`` that must succeed."""
        status, answer = self.call(method, f"/api/clusters/demo{path}", body)
        assert status < 300, answer
        return answer


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with the little world, shared by a module."""
    running = Product(tmp_path_factory.mktemp("product")).start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def own_product(tmp_path: Path) -> Iterator[Product]:
    """A product not started yet, for one test alone."""
    product = Product(tmp_path / "data")
    try:
        yield product
    finally:
        product.stop()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A private Redis for the session."""
    with tempfile.TemporaryDirectory(prefix="cp-redis-") as folder:
        data = Path(folder)
        server = subprocess.Popen(embedded.command(data))
        url = f"unix://{embedded.socket_path(data)}"
        wait_for(lambda: resp.Link(resp.Address(url)).call("PING"), "Redis", 10)
        try:
            yield url
        finally:
            server.terminate()
            server.wait(10)


@pytest.fixture
def link(redis_url: str) -> Iterator[resp.Link]:
    """A connection to an empty Redis."""
    link = resp.Link(resp.Address(redis_url))
    link.call("FLUSHALL")
    yield link
    link.close()
