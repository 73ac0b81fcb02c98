"""Starting, standing idle, and what it weighs."""

import time

from bench import room
from tests.product import Product

SECOND_START = "second start to ready, s"
IDLE = "demo cluster idle at speed 1, % of a core"
MEMORY = "resident memory (PSS), MiB"
BARS = {SECOND_START: "<= 4", IDLE: "<= 5", MEMORY: "<= 250"}
WATCHED_SECONDS = 15


def run() -> dict[str, float]:
    with room.folder() as place:
        running = Product(place / "data")
        started = time.perf_counter()
        running.start()
        first = time.perf_counter() - started
        running.stop()
        started = time.perf_counter()
        running.start()
        second = time.perf_counter() - started
        try:
            time.sleep(3)
            before = room.cpu_seconds(running)
            time.sleep(WATCHED_SECONDS)
            idle = (room.cpu_seconds(running) - before) / WATCHED_SECONDS * 100
            memory = room.memory(running)
        finally:
            running.stop()
    return {
        "first start to ready, s (environment set up)": round(first, 2),
        SECOND_START: round(second, 2),
        IDLE: round(idle, 2),
        MEMORY: memory,
    }
