"""A simulated day of a cluster in which something happens: memory stays bounded, an hour costs the same at the end as at the beginning.

Every virtual minute a client makes and deletes a ConfigMap, every ten minutes a Pod; every hour its etcd history, traces and operations
have turned over several times.
"""

from typing import Any

from bench import room

GROWTH = "a day: memory, last quarter against the second, MiB"
FLAT = "a day: time of an hour, last quarter against the second"
BARS = {GROWTH: "<= 15", FLAT: "<= 1.25"}


def run() -> dict[str, float]:
    day: dict[str, Any] = room.result(room.program("world", 3, 0, '{"by": "day"}'))
    hours, sizes = day["hourSeconds"], day["hourMiB"]
    return {
        "a day of virtual time, wall s": day["running"]["wall"],
        "a day: peak memory, MiB": day["running"]["peakMiB"],
        GROWTH: round(max(sizes[18:]) - max(sizes[6:12]), 1),
        FLAT: round(sum(hours[18:]) / sum(hours[6:12]), 2),
    }
