"""What is on its way at this instant: every envelope between two processes that has left and not arrived.

In → the scene; out → ``{nowMicros, flights: [row], more}``: rows as in the feed's ``flight`` frames (``cluster.trace.codec``), soonest
arrival first, and ``outside`` true for what descends from somebody's own request. So a paused or past picture shows what the live one did.

Simplified here: the loop's queue knows when an envelope arrives, not when it left; that is remembered by who watches
(``Memory.sent``). What left while nobody watched has ``sentMicros`` None.
"""

from typing import Any

from cluster.sim.actor import Fsynced, Timer
from cluster.snapshot.scene import Scene
from cluster.trace.codec import flight_frame


def flights(scene: Scene, limit: int = 120) -> dict[str, Any]:
    """See the module. ``more``: how many beyond ``limit``."""
    world, memory = scene.world, scene.memory
    slots = world.state.slots
    under_way: list[tuple[int, int, str, str, Any, int]] = []
    for arrival, sequence, dst, src, message, cause, _ in world.state.queue:
        if src != dst and type(message) is not Timer and type(message) is not Fsynced:
            if memory.sent.get((arrival, src, dst), 0) > world.now:  # its sender is still at work on it
                continue
            under_way.append((arrival, sequence, src, dst, message, cause))
    under_way.sort(key=lambda row: row[:2])
    hosts = {name: slots[name].host for row in under_way[:limit] for name in row[2:4] if name in slots}
    rows: list[dict[str, Any]] = []
    for arrival, sequence, src, dst, message, cause in under_way[:limit]:
        left = memory.sent.get((arrival, src, dst))
        row = flight_frame((left or 0, arrival, src, dst, message, cause, ""), hosts)
        trace = memory.traces.get(cause)
        rows.append({**row, "sequence": sequence, "sentMicros": left // 1000 if left is not None else None,
                     "outside": src.startswith("outside") or (trace is not None and trace.outside)})  # fmt: skip
    return {"nowMicros": world.now // 1000, "flights": rows, "more": max(len(under_way) - limit, 0)}
