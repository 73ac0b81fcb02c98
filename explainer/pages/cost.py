"""Measures what Services cost, mode by mode, in a process of its own: ``python -m explainer.pages.cost`` prints a JSON line a point.

A point: ``{mode, services, asked, rules, lines, bytes, partialLines, syncMillis, walkMicros}``; times are processor time of this machine, now. Small
clusters first, so that the picture begins at once. ``points`` runs it once for all who look, and keeps what it said; one that fails ends with
``{"error": sentence}``, and who asks next begins anew.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from explainer import config

log = logging.getLogger("clearplane.web")

SIZES = (10, 100, 1_000, 10_000)
LEAST_SECONDS = 0.02
"""A walk is repeated for at least this long: one alone is too short to measure."""
LIMIT_SECONDS = 180.0
COMMAND = (sys.executable, "-m", "explainer.pages.cost")


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


class Failed(Exception):
    """Why there is no measurement."""


class Measuring:
    """A measurement: those who come while it runs see it run. ``problem`` says why it failed."""

    def __init__(self) -> None:
        self.known: list[dict[str, Any]] = []
        self.problem = ""
        self.done = False
        self.running: asyncio.Task[None] | None = None
        self.news = asyncio.Condition()

    async def _run(self) -> None:
        try:
            await self._measure()
        except Failed as error:
            self.problem = str(error)
        except Exception as error:
            log.exception("the measurement of Services")
            self.problem = f"{type(error).__name__}: {error}"
        self.done = True
        await self._tell()

    async def _measure(self) -> None:
        child = await asyncio.create_subprocess_exec(
            *COMMAND, cwd=config.ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None and child.stderr is not None
        said = asyncio.ensure_future(child.stderr.read())
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                async for line in child.stdout:
                    self.known.append(json.loads(line))
                    await self._tell()
                code = await child.wait()
        except TimeoutError:
            raise Failed(f"it took longer than {LIMIT_SECONDS:.0f} s") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
            trouble = (await said).decode("utf-8", "replace").strip()
        if code:
            log.error("the measurement of Services ended with %s: %s", code, trouble)
            raise Failed(trouble.rpartition("\n")[2][:300] or f"its process ended with {code}")

    async def _tell(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def points(self) -> AsyncIterator[dict[str, Any]]:
        """Every point, those to come among them; at last ``{"error": sentence}`` if it failed."""
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
                break
        if self.problem:
            yield {"error": self.problem}


_current: dict[int, Measuring] = {}


def measuring() -> Measuring:
    """This event loop's; a new one after one that failed."""
    here = id(asyncio.get_running_loop())
    if here not in _current or _current[here].problem:
        _current[here] = Measuring()
    return _current[here]


if __name__ == "__main__":
    main()
