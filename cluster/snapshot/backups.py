"""etcd's backups on the hosts' disks: which snapshots there are, and whether they are whole."""

from typing import Any

from cluster.backup import snapshot
from cluster.backup.snapshot import Refused
from cluster.etcd.machine import Machine
from cluster.sim import World
from cluster.snapshot.scene import Scene


def backups(scene: Scene) -> dict[str, Any]:
    """``{snapshots, members}``: the files, and which member belongs to which cluster of etcd (more than one: a restore went half way)."""
    members = [
        {"member": slot.name, "name": slot.config.name, "host": slot.host, "up": slot.up, "id": f"{slot.config.id:x}",
         "cluster": f"{slot.config.cluster_id:x}"}
        for slot in scene.world.state.slots.values() if slot.kind == "etcd"
    ]  # fmt: skip
    return {"snapshots": snapshots(scene.world), "members": members}


def snapshots(world: World) -> list[dict[str, Any]]:
    """Every snapshot on the disks of hosts that are up: where it is and what is in it; ``error`` when it is not whole."""
    rows: list[dict[str, Any]] = []
    for name, actor in world.actors.items():
        if isinstance(actor, Machine):
            host = world.state.slots[name].host
            files = actor.state.files.items()
            rows += [row(host, path, data) for path, data in files if path.endswith(".db") and isinstance(data, bytes)]
    return sorted(rows, key=lambda one: (one["path"], one["host"]))


def row(host: str, path: str, data: bytes) -> dict[str, Any]:
    """One file, looked into."""
    told: dict[str, Any] = {
        "host": host, "path": path, "size": len(data), "revision": 0, "totalKey": 0, "hash": "", "checksum": False, "error": "",
    }  # fmt: skip
    try:
        found = snapshot.status(data)
        told |= {
            "revision": found.revision,
            "totalKey": found.total_key,
            "hash": f"{found.hash:x}",
            "checksum": found.checksum,
        }
        snapshot.database(data, skip_hash_check=not found.checksum)
    except Refused as why:
        told["error"] = str(why)
    return told
