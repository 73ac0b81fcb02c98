"""How long until somebody leads again: ours against 80 deaths of real etcd leaders (Kolmogorov-Smirnov, 5 %)."""

import json
from pathlib import Path

import pytest

from cluster.sim import MILLISECOND, SECOND

from .support import Cluster

REAL = json.loads((Path(__file__).parent / "data" / "failover_seconds.json").read_text())
RUNS = 100


def failover(n: int, seed: int) -> float:
    """Seconds from the leader's death to the first survivor that knows another leader."""
    c = Cluster(n, seed, (100_000, 300_000), pre_vote=False)
    dead = c.wait_leader()
    c.run(3 + seed % 97 / 97)  # any phase of the heartbeats
    c.world.stop(dead.name)
    start = c.world.now
    while all(m.state.raft.lead in (0, dead.config.id) for m in map(c.member, c.world.actors)):
        c.world.run_until(c.world.now + 4 * MILLISECOND)
    return (c.world.now - start) / SECOND


def distance(a: list[float], b: list[float]) -> float:
    """The Kolmogorov-Smirnov statistic of two samples."""
    return max(abs(sum(x <= v for x in a) / len(a) - sum(x <= v for x in b) / len(b)) for v in a + b)


@pytest.mark.parametrize("n", [3, 5])
def test_failover_takes_as_long_as_the_real_one(n: int) -> None:
    real = REAL[str(n)]
    ours = [failover(n, seed) for seed in range(RUNS)]
    critical = 1.36 * ((RUNS + len(real)) / (RUNS * len(real))) ** 0.5
    assert distance(ours, real) < critical
    assert min(ours) > 0.8
