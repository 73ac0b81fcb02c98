"""What a write costs, by the number of members: bare clusters of 1 to 9 are built with this cluster's links and disks, and written to.

In → a ``Scene`` (only its spec counts); out → per size: how long one client waits for a put (virtual microseconds, 50th and 95th percentile),
how many messages with the entry the leader sends, and how many disk writes all members make, per put. Equal for equal specs, so remembered.

Simplified here: a step of a process takes no time, so nothing here knows how the members compete for processors, as they did where the
real figures were measured; what is left is the way over the network and the disks, which is what the quorum waits for.
"""

from functools import lru_cache
from typing import Any

from msgspec import structs

from cluster import topology
from cluster.sim import World
from cluster.sim.clock import MILLISECOND, SECOND
from cluster.snapshot.scene import Scene
from cluster.wire import etcd
from cluster.wire.raft import RaftMessage

PUTS = 40
SIZES = tuple(range(1, 10))
VALUE = b"x" * 256


def write_cost(scene: Scene) -> list[dict[str, Any]]:
    """``[{members, p50Micros, p95Micros, copies, fsyncs, puts}]``."""
    spec = scene.spec
    plain = structs.replace(spec, bare=True, name="cost", seed=1, topology="external", etcd_members=1)
    return [_measure(plain, size) for size in SIZES]


class _Counter:
    """Counts the leader's messages that carry entries."""

    def __init__(self) -> None:
        self.leader = ""
        self.copies = 0

    def note(self, now: int, actor: str, cause: int, note: Any) -> None: ...

    def sent(self, now: int, arrival: int, src: str, dst: str, message: Any, cause: int) -> None:
        if src == self.leader and isinstance(message, RaftMessage) and message.entries:
            self.copies += 1

    def dropped(self, now: int, src: str, dst: str, message: Any, cause: int, why: str) -> None: ...


@lru_cache(maxsize=64)
def _measure(spec: topology.ClusterSpec, members: int) -> dict[str, Any]:
    world = topology.build(structs.replace(spec, etcd_members=members))
    while not (leader := _leader(world)):
        world.run_until(world.now + 100 * MILLISECOND)
    world.run_until(world.now + 2 * SECOND)
    counter = _Counter()
    counter.leader = leader = _leader(world)
    heard: list[int] = []
    world.outside = lambda now, dst, src, message, cause: heard.append(now)
    world.observer = counter
    before = sum(disk.fsyncs for disk in world.state.disks.values())
    took: list[int] = []
    for _ in range(PUTS):
        heard.clear()
        world.state.ids += 1
        began = world.now
        world.post("outside:cost", leader, etcd.PutRequest(world.state.ids, b"/cost", VALUE))
        while not heard:
            world.run_until(world.next_at() or world.now, 1)
        took.append((heard[0] - began) // 1000)
    after = sum(disk.fsyncs for disk in world.state.disks.values())
    took.sort()
    return {
        "members": members,
        "p50Micros": took[len(took) // 2],
        "p95Micros": took[len(took) * 95 // 100],
        "copies": round(counter.copies / PUTS, 2),
        "fsyncs": round((after - before) / PUTS, 2),
        "puts": PUTS,
    }


def _leader(world: World) -> str:
    for name, actor in world.actors.items():
        if actor.status().get("role") == "leader":
            return name
    return ""
