"""What there is to know about Raft beside the members' rows: the tables it runs by, its promises with their evidence, what may happen next.

In: the scene. Out: what ``cluster.etcd.views`` says of it. The three are cheap enough to be asked for at every look.
"""

from typing import Any

from cluster.etcd import views
from cluster.snapshot.scene import Scene


def raft_tables(scene: Scene) -> dict[str, Any]:
    """``{roles, progress}``: every way from one role (of a member) or state (of a follower, for its leader) to another."""
    del scene
    return views.role_table()


def raft_invariants(scene: Scene) -> list[dict[str, Any]]:
    """Raft's promises, whether each holds now, and the evidence."""
    return views.invariants(scene.world, scene.memory.terms)


def raft_next(scene: Scene, limit: int = 60) -> list[dict[str, Any]]:
    """Every legal next event of etcd's members, and what it would do."""
    return views.next_events(scene.world, limit)
