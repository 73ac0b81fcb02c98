"""Big clusters, in one process on one core, at speed "max", traces kept (see ``bench.world``).

The big cluster has the shape of KWOK's own gate: one control plane, one member of etcd, no request limits (its benchmark says
``--disable-qps-limits``), Pods made one by one by a client; but they are placed by the scheduler and run by kubelets. The same with the
default topology (three of each, limits on) stands beside it. CPU seconds are told too: other work on the machine changes them less.
"""

from typing import Any

from bench import room

BIG = "1,000 nodes Ready and 10,000 pods Running, wall s"
KWOK_SHAPE = '{"control_planes": 1, "etcd_members": 1, "qps_limits": false, "per_second": 1000}'
DEFAULT_SHAPE = "… with 3 control planes, 3 members of etcd and request limits, wall s"
BIG_MEMORY = "… resident, MiB"
CROWD = "1,000 pods on 10 nodes all Running, wall s"
LAST = "… last 100 creates, /s"
SHARE = "… last 100 creates against the first 100"
SERVICES = "1,000 Services × 50 pods: longest slice, ms"
BARS = {BIG: "<= 60", BIG_MEMORY: "<= 1024", CROWD: "<= 10", LAST: ">= 150", SHARE: ">= 0.5", SERVICES: "<= 100"}


def run() -> dict[str, float]:
    crowd: dict[str, Any] = room.result(room.program("world", 10, 1000))
    services: dict[str, Any] = room.result(room.program("world", 10, 50, '{"by": "services"}'))
    big: dict[str, Any] = room.result(room.program("world", 1000, 10_000, KWOK_SHAPE))
    usual: dict[str, Any] = room.result(room.program("world", 1000, 10_000))
    return {
        CROWD: crowd["running"]["wall"],
        LAST: crowd["last100PerSecond"],
        SHARE: round(crowd["last100PerSecond"] / crowd["first100PerSecond"], 2),
        SERVICES: services["longestSliceMs"],
        "1,000 nodes Ready, wall s": big["ready"]["wall"],
        BIG: big["running"]["wall"],
        "… CPU s": big["running"]["cpu"],
        BIG_MEMORY: big["running"]["peakMiB"],
        DEFAULT_SHAPE: usual["running"]["wall"],
        "… … CPU s": usual["running"]["cpu"],
    }
