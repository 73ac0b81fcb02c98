"""Coroutines in tests: run in a thread of their own, because a browser's test in the same process has a loop running in this one."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Answer = TypeVar("Answer")


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """What ``work`` answers, or raises."""
    with ThreadPoolExecutor(1) as hand:
        return hand.submit(asyncio.run, work).result()
