"""Big clusters, in one process on one core, at speed "max", traces kept (see ``bench.world``).

The topology is the default one: three apiservers, three members of etcd. Pods are made one by one by a client, as KWOK's own gate
does, but placed by the scheduler. CPU seconds are told beside wall seconds: they say what the machine's other work does not change.
"""

from typing import Any

from bench import room

BIG = "1,000 nodes Ready and 10,000 pods Running, wall s"
BIG_MEMORY = "… resident, MiB"
CROWD = "1,000 pods on 10 nodes all Running, wall s"
LAST = "… last 100 creates, /s"
SHARE = "… last 100 creates against the first 100"
SERVICES = "1,000 Services × 50 pods: longest slice, ms"
BARS = {BIG: "<= 60", BIG_MEMORY: "<= 1024", CROWD: "<= 10", LAST: ">= 150", SHARE: ">= 0.5", SERVICES: "<= 100"}


def run() -> dict[str, float]:
    crowd: dict[str, Any] = room.result(room.program("world", 10, 1000))
    services: dict[str, Any] = room.result(room.program("world", 10, 50, '{"by": "services"}'))
    big: dict[str, Any] = room.result(room.program("world", 1000, 10_000))
    return {
        CROWD: crowd["running"]["wall"],
        LAST: crowd["last100PerSecond"],
        SHARE: round(crowd["last100PerSecond"] / crowd["first100PerSecond"], 2),
        SERVICES: services["longestSliceMs"],
        "1,000 nodes Ready, wall s": big["ready"]["wall"],
        BIG: big["running"]["wall"],
        "… CPU s": big["running"]["cpu"],
        BIG_MEMORY: big["running"]["peakMiB"],
    }
