"""What a read model is made from."""

from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from cluster.sim import World
    from cluster.snapshot.objects import Objects
    from cluster.trace.recorder import Memory


class Scene(Struct):
    """One cluster at one instant. ``spec`` is a ``cluster.topology.ClusterSpec`` (above this room, so untyped)."""

    spec: Any
    world: "World"
    objects: "Objects"
    memory: "Memory"
