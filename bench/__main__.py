"""``make bench``: starts the product on free ports with a folder of its own and measures it; a table, then JSON."""

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import yaml

from explainer import pki
from explainer.runs import mail
from tests.product import Product
from tests.websocket import Socket

MIB = 1024 * 1024


def processes(product: Product) -> list[psutil.Process]:
    """``up`` and everything under it."""
    assert product.process is not None
    root = psutil.Process(product.process.pid)
    return [root, *root.children(recursive=True)]


def credentials(product: Product, folder: Path) -> tuple[str, str]:
    """The admin's certificate and key as files."""
    user = yaml.safe_load((product.data / "kubeconfig").read_text())["users"][0]["user"]
    paths = []
    for what in ("certificate", "key"):
        path = folder / f"{what}.pem"
        path.write_bytes(base64.b64decode(user[f"client-{what}-data"]))
        paths.append(str(path))
    return paths[0], paths[1]


def load(
    product: Product, kind: str, path: str, pems: tuple[str, str], connections: int, seconds: float = 6
) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "bench.load",
        str(product.api_port),
        str(connections),
        str(seconds),
        kind,
        *pems,
        path,
    ]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def idle_share(product: Product, seconds: float = 15) -> float:
    """Percent of one core over ``seconds``."""

    def spent() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes(product))

    before = spent()
    time.sleep(seconds)
    return round((spent() - before) / seconds * 100, 2)


def visible(product: Product, pems: tuple[str, str], samples: int = 60) -> dict[str, float]:
    """Milliseconds from an answer to the websocket frame that tells of the request."""
    socket = Socket(product, "/ws/clusters/demo")
    seen: dict[str, float] = {}
    going = True

    def look() -> None:
        while going:
            frame = socket.frame()
            now = time.perf_counter()
            for event in frame.get("events", ()) if isinstance(frame, dict) else ():
                if event.get("t") == "request" and event.get("code"):
                    seen.setdefault(event["path"].partition("?")[0], now)

    threading.Thread(target=look, daemon=True).start()
    connection = product.tls(certificate=pems)
    took = []
    for number in range(samples):
        path = f"/api/v1/namespaces/default/configmaps/seen-{number}"
        connection.request("GET", path)
        connection.getresponse().read()
        answered = time.perf_counter()
        while path not in seen and time.perf_counter() < answered + 5:
            time.sleep(0.001)
        took.append((seen.get(path, answered + 5) - answered) * 1000)
        time.sleep(0.013)
    going = False
    took.sort()
    return {"p50Ms": round(took[len(took) // 2], 1), "p95Ms": round(took[int(len(took) * 0.95)], 1)}


def digests(folder: Path) -> bool:
    """The same spec, seed and inputs under two hash seeds."""
    file = folder / "pki"
    file.write_bytes(mail.encode(pki.make("demo", ["cp-1", "cp-2", "cp-3"], [])))
    found = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-m", "bench.digest", str(file)],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        )
        found.append(run.stdout.strip())
    return found[0] == found[1]


def measure(folder: Path) -> list[dict[str, Any]]:
    """All rows."""
    product = Product(folder / "data")
    rows: list[dict[str, Any]] = []

    def row(what: str, value: Any, bar: str, good: bool) -> None:
        rows.append({"what": what, "value": value, "bar": bar, "ok": good})
        print(f"  {what} … {value}", file=sys.stderr, flush=True)

    started = time.perf_counter()
    product.start()
    row("first start to ready, s (environment set up)", round(time.perf_counter() - started, 2), "-", True)
    product.stop()
    started = time.perf_counter()
    product.start()
    took = round(time.perf_counter() - started, 2)
    row("second start to ready, s", took, "4", took <= 4)
    try:
        pems = credentials(product, folder)
        time.sleep(3)
        share = idle_share(product)
        row("demo cluster idle at speed 1, % of a core", share, "5", share <= 5)
        memory = round(sum(process.memory_full_info().pss for process in processes(product)) / MIB, 1)
        row("resident memory (PSS), MiB", memory, "250", memory <= 250)
        seen = visible(product, pems)
        row("request answered → visible, ms p95", seen["p95Ms"], "100", seen["p95Ms"] <= 100)
        pods = kubectl_first_pod(product, pems)
        for connections in (1, 16):
            got = load(product, "get", pods, pems, connections)
            row(
                f"GET Pod, {connections} connections, /s",
                got,
                "700" if connections == 16 else "-",
                connections == 1 or got["perSecond"] >= 700,
            )
            made = load(product, "create", "/api/v1/namespaces/default/configmaps", pems, connections)
            row(
                f"create ConfigMap, {connections} connections, /s",
                made,
                "350" if connections == 16 else "-",
                connections == 1 or made["perSecond"] >= 350,
            )
        memory = round(sum(process.memory_full_info().pss for process in processes(product)) / MIB, 1)
        row("resident memory after the load, MiB", memory, "-", True)
    finally:
        product.stop()
    fresh = Product(folder / "fresh").start()
    try:
        fresh.api("PATCH", "/clock", {"paused": True})
        started = time.perf_counter()
        fresh.api("POST", "/clock/run", {"micros": 3_600_000_000}, timeout=600)
        took = round(time.perf_counter() - started, 2)
        row("one virtual hour of the idle cluster, s", took, "10", took <= 10)
    finally:
        fresh.stop()
    equal = digests(folder)
    row("digests under two hash seeds", "equal" if equal else "DIFFERENT", "equal", equal)
    return rows


def kubectl_first_pod(product: Product, pems: tuple[str, str]) -> str:
    """The path of a Pod to read; one is made if there is none."""
    connection = product.tls(certificate=pems)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "bench"},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]},
    }
    connection.request(
        "POST", "/api/v1/namespaces/default/pods", json.dumps(pod).encode(), {"Content-Type": "application/json"}
    )
    connection.getresponse().read()
    connection.close()
    return "/api/v1/namespaces/default/pods/bench"


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="clearplane-bench-") as folder:
        rows = measure(Path(folder))
    width = max(len(row["what"]) for row in rows)
    for row in rows:
        value = (
            row["value"]
            if not isinstance(row["value"], dict)
            else f"{row['value']['perSecond']} (p50 {row['value']['p50Ms']} ms)"
        )
        print(f"{row['what']:<{width}}  {value!s:>24}  bar {row['bar']:>6}  {'' if row['ok'] else 'MISSED'}")
    print(json.dumps(rows, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
