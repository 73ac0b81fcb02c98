"""How quick the past is: ``python -m bench.past [--pods N] [--replays N]``. A product of its own, the whole cluster behind it.

| figure | is |
|---|---|
| look-back | any instant within the last ten virtual minutes, the clock and the map of it, p50 and p95 of the call over HTTP, ms |
| step back | one event back with so many pods, p50 and p95, ms |
| export | bytes of those ten minutes; how long it takes to come back |
| replays | how many of so many replays of the file agree to the byte |
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from explainer.runs import again, moment
from tests.product import Product, wait_for

MINUTES = 10
SAMPLES = 60


def quantiles(values: list[float]) -> dict[str, float]:
    """p50 and p95 of seconds, in ms."""
    ordered = sorted(values)
    return {"p50": statistics.median(ordered) * 1000, "p95": ordered[int(len(ordered) * 0.95)] * 1000}


def timed(product: Product, method: str, path: str, body: Any = None) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = wait_for(lambda: _answered(product, method, path, body), path, 120)
    return time.perf_counter() - began, answer


def _answered(product: Product, method: str, path: str, body: Any) -> Any:
    """The answer; None while the historian says that it takes longer than a question may (the time counts on)."""
    status, answer = product.call(method, f"/api/clusters/demo{path}", body, timeout=60)
    assert status in (200, 503), answer
    return answer if status == 200 else None


def use(product: Product) -> None:
    """Ten virtual minutes in which somebody works: a change every twenty seconds."""
    product.api("PATCH", "/clock", {"rate": 100})
    for number in range(MINUTES * 3):
        line = (
            f"kubectl create deployment d{number} --image=nginx --replicas=2" if number % 2 == 0 else "kubectl get pods"
        )
        product.api("POST", "/console", {"session": "bench", "line": line})
        goal = (number + 1) * 20_000_000
        wait_for(lambda goal=goal: product.api("GET", "/clock")["nowMicros"] > goal, "time to pass", 120)
    product.api("PATCH", "/clock", {"rate": 1})


def look_back(product: Product, seed: int = 1) -> dict[str, Any]:
    """Random instants; the first calls make the historian warm, and are counted, too."""
    dice, times = random.Random(seed), []
    product.api("GET", "/history/tape?width=800")  # what a page asks first
    for _ in range(SAMPLES):
        live = product.api("GET", "/clock")["nowMicros"]
        at = live - dice.randrange(0, min(live - 3_000_000, MINUTES * 60_000_000))
        view = dice.choice(("/clock", "/views/map"))
        times.append(timed(product, "GET", f"{view}?at={at}")[0])
    return quantiles(times)


def step_back(product: Product, pods: int) -> dict[str, Any]:
    """With ``pods`` pods there: steps, one after another, each from where the last one led."""
    line = f"kubectl create deployment many --image=nginx --replicas={pods}"
    product.api("POST", "/console", {"session": "bench", "line": line})
    product.api("PATCH", "/clock", {"rate": "max"})
    wait_for(lambda: len(product.api("GET", "/objects/pods?namespace=default")) >= pods, "the pods", 300)
    product.api("POST", "/clock/run", {"micros": 30_000_000}, timeout=300)
    at, times = product.api("GET", f"/clock?at={product.api('GET', '/clock')['nowMicros']}")["at"], []
    for _ in range(SAMPLES):
        seconds, answer = timed(product, "POST", "/history/step", {"at": at, "direction": "back"})
        at = answer["at"]
        times.append(seconds)
        product.api("GET", f"/clock?at={at}")
    return {"pods": pods, "first": times[0] * 1000, **quantiles(times[1:])}


def export(product: Product, replays: int) -> dict[str, Any]:
    """The file's size, the time it takes to bring it back, and the replays that agree."""
    import http.client

    web = http.client.HTTPConnection("127.0.0.1", product.port, timeout=120)
    web.request("GET", "/api/clusters/demo/export")
    data = web.getresponse().read()
    began = time.perf_counter()
    status, answer = product.call("POST", "/api/import?name=back", data, timeout=300)
    assert status == 201, answer
    seconds = time.perf_counter() - began
    given = moment.read(data)
    rows = moment.entries(given)
    agreed = 0
    for _ in range(replays):
        reached = again.replay(given.spec, given.start or None, rows, given.now, given.delivered)
        agreed += reached == (given.now, given.delivered, given.digest)
    return {"bytes": len(data), "importSeconds": seconds, "replays": replays, "agreed": agreed}


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--replays", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cp-past-") as folder:
        product = Product(Path(folder) / "data").start()
        try:
            use(product)
            found: dict[str, Any] = {"lookBackMs": look_back(product), "export": export(product, given.replays)}
            if given.pods:
                found["stepBackMs"] = step_back(product, given.pods)
            print(json.dumps(found, indent=1))
        finally:
            product.stop()


if __name__ == "__main__":
    main()
