"""The room of a measurement: the product in a folder of its own, a Chromium without a GPU, clients that make something happen.

In → nothing. Out → pages, a stream of requests of a chosen pace, and readings of the browser: main-thread time, heap, painted moments.
The browser and the product share the machine, as they do on a teacher's laptop; a busy machine gives worse figures, never better ones.
"""

from __future__ import annotations

import base64
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from playwright.sync_api import Browser, CDPSession, Page

from tests.product import Product, wait_for

DESKTOP = {"width": 1440, "height": 900}
NUMBERS = itertools.count(1)


class Row(NamedTuple):
    """One figure. ``bar`` is the most (or, with ``least``, the least) that is good; None: only told."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    least: bool = False
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether the bar is met."""
        if self.bar is None:
            return True
        return self.value >= self.bar if self.least else self.value <= self.bar


class Room:
    """See the module."""

    def __init__(self, product: Product, browser: Browser, folder: Path, quick: bool) -> None:
        self.product, self.browser, self.folder, self.quick = product, browser, folder, quick
        self.url = f"http://127.0.0.1:{product.port}"
        self.pems = self._credentials()

    def _credentials(self) -> tuple[str, str]:
        user = yaml.safe_load((self.product.data / "kubeconfig").read_text())["users"][0]["user"]
        paths = []
        for what in ("certificate", "key"):
            path = self.folder / f"{what}.pem"
            path.write_bytes(base64.b64decode(user[f"client-{what}-data"]))
            paths.append(str(path))
        return paths[0], paths[1]

    @contextmanager
    def page(self, path: str, ready: bool = True, script: str = "", **options: Any) -> Iterator[Page]:
        """A page in a context of its own, so that nothing is cached; ``script`` runs before the page's own."""
        context = self.browser.new_context(viewport=DESKTOP, locale="en", **options)  # type: ignore[arg-type]
        context.set_default_timeout(60_000)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        try:
            page.goto(path if path.startswith("http") else self.url + path)
            if ready:
                page.locator("html[data-ready][data-live]").wait_for(state="attached")
            yield page
        finally:
            context.close()

    def console(self, line: str) -> str:
        """Type a line into the cluster's console; what it printed."""
        answer = self.product.api("POST", "/console", {"session": "bench", "line": line}, timeout=90)
        assert answer["exitCode"] == 0, answer
        return answer["stdout"]

    def pods(self, count: int) -> None:
        """At least that many Pods, Running."""
        have = len(self.product.api("GET", "/views/map")["pods"])
        if have < count:
            self.console(f"kubectl create deployment crowd-{next(NUMBERS)} --image=nginx --replicas={count - have}")
        wait_for(
            lambda: sum(pod["phase"] == "Ready" for pod in self.product.api("GET", "/views/map")["pods"]) >= count,
            f"{count} ready pods",
            120,
        )

    @contextmanager
    def traffic(self, per_second: float) -> Iterator[None]:
        """Somebody outside writes a ConfigMap so many times a second."""
        going = threading.Event()

        def write() -> None:
            connection = self.product.tls(certificate=self.pems)
            due = time.monotonic()
            while not going.is_set():
                body = {"metadata": {"name": f"bench-{next(NUMBERS)}"}, "data": {"a": "b"}}
                with suppress(OSError):
                    path = "/api/v1/namespaces/default/configmaps"
                    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
                    connection.getresponse().read()
                due += 1 / per_second
                going.wait(max(0.0, due - time.monotonic()))
            connection.close()

        hand = threading.Thread(target=write, daemon=True)
        hand.start()
        try:
            yield
        finally:
            going.set()
            hand.join(10)


def line(page: Page) -> CDPSession:
    """The browser's own instruments for a page."""
    session = page.context.new_cdp_session(page)
    # The thread's own time, not the wall's: what another process took is not the page's.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    return session


def counters(session: CDPSession) -> dict[str, float]:
    """``TaskDuration`` (s of main thread), ``JSHeapUsedSize``, ``Nodes`` … since the page began."""
    return {row["name"]: row["value"] for row in session.send("Performance.getMetrics")["metrics"]}


def heap(session: CDPSession) -> float:
    """Bytes of JavaScript objects that are alive."""
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"]


FRAMES = """async (seconds) => {
  const times = [], movers = [];
  const until = performance.now() + seconds * 1000;
  await new Promise((done) => {
    const tick = (now) => {
      times.push(now);
      if (times.length % 15 === 0) movers.push(document.querySelectorAll(".flight").length);
      if (now < until) requestAnimationFrame(tick); else done();
    };
    requestAnimationFrame(tick);
  });
  const gaps = times.slice(1).map((at, i) => at - times[i]).sort((a, b) => a - b);
  const at = (share) => gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * share))];
  movers.sort((a, b) => a - b);
  return { frames: gaps.length, median: at(0.5), p95: at(0.95), worst: gaps.at(-1), movers: movers[Math.floor(movers.length / 2)] ?? 0 };
}"""


def frames(page: Page, seconds: float) -> dict[str, float]:
    """Frames over ``seconds``: gaps in ms (median, p95, worst), things in flight (median), main-thread ms a frame."""
    session = line(page)
    before = counters(session)
    found = page.evaluate(FRAMES, seconds)
    after = counters(session)
    found["mainMs"] = (after["TaskDuration"] - before["TaskDuration"]) * 1000 / max(found["frames"], 1)
    found["nodes"] = after["Nodes"]
    return found


def median(values: list[float]) -> float:
    """The one in the middle."""
    return sorted(values)[len(values) // 2]


def share(values: list[float], part: float) -> float:
    """The value that so large a part stays under."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]
