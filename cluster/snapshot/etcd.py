"""The etcd members as the contract lists them, logs included. A stopped member shows what its disk holds."""

from typing import Any

from cluster.etcd.member import durable_log, durable_status
from cluster.snapshot.scene import Scene


def members(scene: Scene, log: str = "none", since: int = 0) -> list[dict[str, Any]]:
    """One row a member. ``log``: "full" adds ``[[index, term, text], …]`` from index ``since`` on."""
    world = scene.world
    rows = []
    for slot in world.state.slots.values():
        if slot.kind != "etcd":
            continue
        actor = world.actors.get(slot.name)
        disk = world.state.disks[slot.name].synced
        status = actor.status() if actor is not None else durable_status(slot.config, disk)
        row = {
            **status,
            "id": slot.name,
            "name": slot.config.name,
            "host": slot.host,
            "up": slot.up,
            "paused": slot.paused,
            "boot": slot.boot,
        }
        for key in ("timerStart", "timerEnd"):
            if row.get(key) is not None:
                row[key + "Micros"] = row.pop(key) // 1000
        if log == "full":
            row["log"] = actor.log(since) if actor is not None else durable_log(slot.config, disk, since)
        rows.append(row)
    return rows
