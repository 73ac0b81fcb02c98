"""Measures what Services cost, mode by mode, in a process of its own: ``python -m explainer.pages.cost`` prints a JSON line a point.

A point: ``{mode, services, asked, rules, lines, bytes, partialLines, syncMillis, walkMicros}``; times are processor time of this machine, now. Small
clusters first, so that the picture begins at once. ``points`` runs it once for all who look, and keeps what it said.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

SIZES = (10, 100, 1_000, 10_000)
LEAST_SECONDS = 0.02
"""A walk is repeated for at least this long: one alone is too short to measure."""
LIMIT_SECONDS = 180.0


def measure(mode: str, services: int) -> dict[str, Any]:
    """Write, read and walk once, with the clock running."""
    from cluster.kubeproxy import cost

    gc.collect()
    begin = time.process_time()
    made = cost.sized(mode, services)
    synced = time.process_time() - begin
    walker = cost.reader(made.text)
    found = cost.walk(walker, made.last)
    times, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < LEAST_SECONDS:
        cost.walk(walker, made.last)
        times += 1
    leaf = found.leaves[-1]
    assert leaf.verdict == "DNAT", leaf
    return {
        "mode": mode,
        "services": services,
        "asked": leaf.asked,
        "lines": made.text.count("\n"),
        "bytes": len(made.text),
        "partialLines": made.partial.count("\n") if made.partial else 0,
        "syncMillis": round(synced * 1000, 2),
        "walkMicros": round(spent / times * 1e6, 1),
    }


def main() -> None:
    from cluster.kubeproxy import cost

    for services in SIZES:
        for mode in cost.MODES:
            print(json.dumps(measure(mode, services)), flush=True)


class Measuring:
    """The one measurement of this process: kept once it is whole; those who come while it runs see it run."""

    def __init__(self) -> None:
        self.known: list[dict[str, Any]] = []
        self.done = False
        self.running: asyncio.Task[None] | None = None
        self.news = asyncio.Condition()

    async def _run(self) -> None:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "explainer.pages.cost",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            assert child.stdout is not None
            async with asyncio.timeout(LIMIT_SECONDS):
                async for line in child.stdout:
                    await self._tell(json.loads(line))
        except TimeoutError:
            pass
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
            self.done = True
            await self._tell(None)

    async def _tell(self, point: dict[str, Any] | None) -> None:
        async with self.news:
            if point is not None:
                self.known.append(point)
            self.news.notify_all()

    async def points(self) -> AsyncIterator[dict[str, Any]]:
        """Every point, those to come among them."""
        if self.running is None:
            self.running = asyncio.ensure_future(self._run())
        at = 0
        while True:
            async with self.news:
                while at >= len(self.known) and not self.done:
                    await self.news.wait()
            while at < len(self.known):
                yield self.known[at]
                at += 1
            if self.done:
                return


_current: dict[int, Measuring] = {}


def measuring() -> Measuring:
    """This event loop's."""
    return _current.setdefault(id(asyncio.get_running_loop()), Measuring())


if __name__ == "__main__":
    main()
