"""How quick the past is. A product of its own, the whole cluster behind it.

| figure | is |
|---|---|
| look-back | any instant within the last ten virtual minutes, the clock and the map of it, the call over HTTP, ms; the first one at once after a page |
| | was opened, the others when it has been open for three seconds, in which the historian makes looking back quick |
| step back | one event back with so many pods, ms |
| export | bytes of those ten minutes; how long it takes to come back |
| replays | how many of so many replays of the file agree to the byte, each hundred in a process of its own with another hash seed |

``python -m bench.past [--pods N] [--replays N] [--minutes M]`` measures as one asks (0: leave it out). ``make replays``: a thousand replays of one
used minute, on all cores; of ten minutes they would take an hour.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from explainer.runs import again, moment
from tests.product import Product, wait_for

MINUTES = 10
SAMPLES = 60
SETTLED = 3.0
"""Wall seconds that a page has been open when somebody looks back."""
PODS = 1000
REPLAYS = 20
PORTION = 100
"""Replays of one process."""
LOOK = "a look back within ten virtual minutes, p95, ms"
STEP = f"a step back, {PODS:,} pods, p95, ms"
SIZE = "an export of ten used minutes, bytes"
AGREED = f"replays of it that agree to the byte, of {REPLAYS}"
BARS = {LOOK: "<= 300", STEP: "<= 50", SIZE: "<= 1000000", AGREED: f">= {REPLAYS}"}


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


def use(product: Product, minutes: int = MINUTES) -> None:
    """Virtual minutes in which somebody works: a change every twenty seconds."""
    product.api("PATCH", "/clock", {"rate": 100})
    for number in range(minutes * 3):
        line = (
            f"kubectl create deployment d{number} --image=nginx --replicas=2" if number % 2 == 0 else "kubectl get pods"
        )
        product.api("POST", "/console", {"session": "bench", "line": line})
        goal = (number + 1) * 20_000_000
        wait_for(lambda goal=goal: product.api("GET", "/clock")["nowMicros"] > goal, "time to pass", 120)
    product.api("PATCH", "/clock", {"rate": 1})


def look_back(product: Product, seed: int = 1) -> dict[str, Any]:
    """Random instants: the first at once, the others when the page has been open for a while."""
    dice, times = random.Random(seed), []
    product.api("GET", "/history/tape?width=800")  # what a page asks first
    for sample in range(SAMPLES + 1):
        if sample == 1:
            time.sleep(SETTLED)
        live = product.api("GET", "/clock")["nowMicros"]
        at = live - dice.randrange(0, min(live - 3_000_000, MINUTES * 60_000_000))
        view = dice.choice(("/clock", "/views/map"))
        times.append(timed(product, "GET", f"{view}?at={at}")[0])
    return {"first": times[0] * 1000, **quantiles(times[1:])}


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
    return {"bytes": len(data), "importSeconds": seconds, "replays": replays, "agreed": agreeing(data, replays)}


def agreeing(data: bytes, replays: int) -> int:
    """How many replays of an exported file reach what it says, to the byte."""
    portions = [min(PORTION, replays - first) for first in range(0, replays, PORTION)]
    if len(portions) == 1:  # (a test's, or a quick look's)
        return replay(data, replays)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
        return sum(pool.map(replay, [data] * len(portions), portions))


def replay(data: bytes, times: int) -> int:
    """So many in this process."""
    given = moment.read(data)
    rows = moment.entries(given)
    wanted = (given.now, given.delivered, given.digest)
    return sum(
        again.replay(given.spec, given.start or None, rows, given.now, given.delivered) == wanted for _ in range(times)
    )


def measure(pods: int, replays: int, minutes: int) -> dict[str, Any]:
    """``pods`` or ``replays`` 0: without that part; look-backs are measured after ten minutes only."""
    with tempfile.TemporaryDirectory(prefix="cp-past-") as folder:
        product = Product(Path(folder) / "data").start()
        try:
            use(product, minutes)
            found: dict[str, Any] = {"minutes": minutes}
            if minutes >= MINUTES:
                found["lookBackMs"] = look_back(product)
            if replays:
                found["export"] = export(product, replays)
            if pods:
                found["stepBackMs"] = step_back(product, pods)
            return found
        finally:
            product.stop()


def run() -> dict[str, float]:
    found = measure(PODS, REPLAYS, MINUTES)
    return {
        "the first look back of a page just opened, ms": round(found["lookBackMs"]["first"], 1),
        "… p50, ms": round(found["lookBackMs"]["p50"], 1),
        LOOK: round(found["lookBackMs"]["p95"], 1),
        "… the first step, ms": round(found["stepBackMs"]["first"], 1),
        STEP: round(found["stepBackMs"]["p95"], 1),
        SIZE: found["export"]["bytes"],
        "… brought back in, s": round(found["export"]["importSeconds"], 2),
        AGREED: found["export"]["agreed"],
    }


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=PODS)
    parser.add_argument("--replays", type=int, default=REPLAYS)
    parser.add_argument("--minutes", type=int, default=MINUTES)
    given = parser.parse_args()
    print(json.dumps(measure(given.pods, given.replays, given.minutes), indent=1))


if __name__ == "__main__":
    main()
