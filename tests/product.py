"""The whole product as processes: free ports, a folder of its own, and the calls tests and benchmarks make of it."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]


def need(*tools: str) -> None:
    """Fail with one sentence unless these programs are on PATH: tests with real clients never skip."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    assert not missing, (
        f"{' and '.join(missing)} not found on PATH: this test speaks to Clearplane with real clients; "
        "install kubectl (https://kubernetes.io/docs/tasks/tools/), curl, jq and bash."
    )


def wait_for(check: Callable[[], Any], what: str | Callable[[], str], seconds: float = 30.0) -> Any:
    """The first true answer of ``check``; fails naming ``what``, which may be worked out then."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            found = check()
            if found:
                return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what() if callable(what) else what}")


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

    def __init__(self, data: Path, door: str = "cluster.lab", **extra: str) -> None:
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
        for foreign in ("REDIS_URL", "DJANGO_SETTINGS_MODULE"):  # of other tests in this process
            self.environment.pop(foreign, None)
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
        try:
            wait_for(
                lambda: self.output().count("Clearplane is ready") > before or self._ended(),
                lambda: f"ready; said:\n{self.output()}",
                60,
            )
        except BaseException:
            self.stop()  # whoever asked for it never gets it to stop it
            raise
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
            if any(word in Path(part).name for part in " ".join(process.cmdline()).split()):  # not in a folder
                return process
        raise AssertionError(f"no child {word}")

    def tls(self, timeout: float = 30.0, certificate: tuple[str, str] | None = None) -> http.client.HTTPSConnection:
        """A keep-alive connection to the Kubernetes door, anonymous or with (certificate, key) files."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(*certificate)
        return http.client.HTTPSConnection("127.0.0.1", self.api_port, context=context, timeout=timeout)

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 30
    ) -> tuple[int, Any]:
        """One call of the web door: status and decoded JSON (or text)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, headers or {})
        answer = connection.getresponse()
        raw = answer.read()
        connection.close()
        if answer.headers.get("Content-Type", "").startswith("application/json"):
            return answer.status, json.loads(raw)
        return answer.status, raw.decode("utf-8", "replace")

    def api(self, method: str, path: str, body: Any = None, timeout: float = 30) -> Any:
        """A call under ``/api/clusters/demo`` that must succeed."""
        status, answer = self.call(method, f"/api/clusters/demo{path}", body, timeout=timeout)
        assert status < 300, answer
        return answer
