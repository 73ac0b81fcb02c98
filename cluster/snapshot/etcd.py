"""The etcd members as the control API lists them, logs included. A stopped member shows what its disk holds."""

from typing import Any

from cluster.etcd import views
from cluster.snapshot.scene import Scene


def members(scene: Scene, log: str = "none", since: int = 0) -> list[dict[str, Any]]:
    """One row a member. ``log``: "full" adds ``[[index, term, text], …]`` from index ``since`` on."""
    world = scene.world
    rows = []
    for slot in world.state.slots.values():
        if slot.kind != "etcd":
            continue
        actor: Any = world.actors.get(slot.name)
        disk = world.state.disks[slot.name].synced
        status = actor.status() if actor is not None else views.stopped(slot.name, slot.config, disk)
        rows_of_log = status.pop("log", [])
        row = {
            **status,
            "id": slot.name,
            "name": slot.config.name,
            "host": slot.host,
            "up": slot.up,
            "paused": slot.paused,
            "boot": slot.boot,
        }
        row["progress"] = [{"id": id, **progress} for id, progress in (row.get("progress") or {}).items()]
        for key in ("timerStart", "timerEnd"):
            if row.get(key) is not None:
                row[key + "Micros"] = row.pop(key) // 1000
        if log == "full":
            row["log"] = actor.log(since) if actor is not None else [e for e in rows_of_log if e[0] >= since]
        rows.append(row)
    return rows
