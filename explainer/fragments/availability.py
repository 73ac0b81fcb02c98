"""The arithmetic of quorums: how likely a control plane is up, when each host is down by itself with probability ``p``.

In → counts and a probability; out → probabilities. Hosts fail independently and as a unit: a host that carries an apiserver and a member
takes both with it. The balancer is not counted. static/js/ha.js computes the same while the slider moves.
"""

from __future__ import annotations

from math import comb

SIZES = tuple(range(1, 10))


def quorum(members: int) -> int:
    """Return how many of ``members`` must agree."""
    return members // 2 + 1


def at_least(needed: int, count: int, p: float) -> float:
    """Return the probability that at least ``needed`` of ``count`` hosts are up."""
    return sum(comb(count, up) * (1 - p) ** up * p ** (count - up) for up in range(max(needed, 0), count + 1))


def etcd(members: int, p: float) -> float:
    """Return the probability that ``members`` have a quorum."""
    return at_least(quorum(members), members, p)


def control_plane(shared: int, servers: int, members: int, p: float) -> float:
    """Return the probability of a quorum and of at least one apiserver.

    ``shared`` hosts carry both, ``servers`` only an apiserver, ``members`` only a member of etcd.
    """
    need = quorum(shared + members)
    total = 0.0
    for both in range(shared + 1):
        chance = comb(shared, both) * (1 - p) ** both * p ** (shared - both)
        serves = 1.0 if both else (1 - p**servers if servers else 0.0)
        total += chance * serves * at_least(need - both, members, p)
    return total


def rows(p: float) -> list[dict[str, float | int]]:
    """Return the table of sizes: ``{members, need, spare, down}``, ``down`` the probability of no quorum."""
    return [{"members": n, "need": quorum(n), "spare": n - quorum(n), "down": 1 - etcd(n, p)} for n in SIZES]


def layouts(own: tuple[int, int, int], p: float) -> list[dict[str, object]]:
    """Return this cluster's layout beside the usual ones: ``{key, shared, servers, members, down}``."""
    usual = [("own", *own), ("stacked", 3, 0, 0), ("external", 0, 2, 3), ("external", 0, 3, 3), ("stacked", 5, 0, 0)]
    return [
        {"key": key, "shared": a, "servers": b, "members": c, "hosts": a + b + c, "down": 1 - control_plane(a, b, c, p)}
        for key, a, b, c in usual
    ]
