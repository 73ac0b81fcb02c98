"""What benchmarks share: the product on free ports in a folder of its own, its processes, its admin's credentials, a load."""

import base64
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.product import Product

MIB = 1024 * 1024
Pems = tuple[str, str]
"""The files of a client certificate and its key."""


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="clearplane-bench-") as path:
        yield Path(path)


@contextlib.contextmanager
def product(place: Path) -> Iterator[Product]:
    """The product, running."""
    running = Product(place / "data").start()
    try:
        yield running
    finally:
        running.stop()


def processes(running: Product) -> list[psutil.Process]:
    """``up`` and everything under it."""
    assert running.process is not None
    root = psutil.Process(running.process.pid)
    return [root, *root.children(recursive=True)]


def cpu_seconds(running: Product) -> float:
    """Used by all processes since their starts."""
    return sum(sum(process.cpu_times()[:2]) for process in processes(running))


def memory(running: Product) -> float:
    """MiB of all processes together, shared pages counted once (PSS)."""
    return round(sum(process.memory_full_info().pss for process in processes(running)) / MIB, 1)


def credentials(running: Product, place: Path) -> Pems:
    """The admin's certificate and key as files."""
    user = yaml.safe_load((running.data / "kubeconfig").read_text())["users"][0]["user"]
    paths = []
    for what in ("certificate", "key"):
        path = place / f"{what}.pem"
        path.write_bytes(base64.b64decode(user[f"client-{what}-data"]))
        paths.append(str(path))
    return paths[0], paths[1]


def program(name: str, *arguments: object) -> subprocess.Popen[str]:
    """``python -m bench.<name>`` as a process of its own; it prints JSON."""
    command = [sys.executable, "-m", f"bench.{name}", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def result(running: subprocess.Popen[str]) -> Any:
    """What a ``program`` printed. RuntimeError when it failed."""
    said, _ = running.communicate()
    if running.returncode:
        raise RuntimeError(f"{running.args} ended with {running.returncode}")
    return json.loads(said.splitlines()[-1])


def load(
    running: Product, kind: str, path: str, pems: Pems, connections: int, seconds: float = 6
) -> subprocess.Popen[str]:
    """Start the load client; ``result`` has its figures."""
    return program("load", running.api_port, connections, seconds, kind, *pems, path)
