"""Disaster recovery as one act: save a member's snapshot on its host, restore snapshots onto hosts, take in a file from outside.

What an operator does by hand (``ssh cp-1``, ``etcdctl snapshot save``, ``mv`` the manifests, ``etcdutl snapshot restore`` on every host, ``mv`` them back) the
laboratory does here at one instant, by the same means: files are written by ``sshd`` of the hosts, and their kubelets restart what the manifests name.

In → a ``Restoring``; out → the new cluster's ids. Errors: ``Refused``. Simplified here: copying a snapshot to another host takes no time.
"""

import re
from typing import Any, Final

from msgspec import Struct

from cluster import topology
from cluster.backup import restore, snapshot
from cluster.backup.snapshot import Refused
from cluster.etcd import restored
from cluster.etcd.machine import DATA_DIR, Machine
from cluster.sim import World
from cluster.snapshot.backups import row, snapshots
from cluster.wire.machine import Content, FilesChange

FOLDER: Final = "/var/lib/etcd-backup"
CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
MOST_KEPT: Final = 40
"""Snapshots that a cluster's hosts hold together."""
_PATH = re.compile(r"(/[A-Za-z0-9._-]{1,80}){1,8}")


class Restoring(Struct, frozen=True):
    """Restore the snapshot ``path`` of ``host`` for ``members`` (processes; (): all). ``control_plane``: the apiservers and what hangs on them are
    stopped first and started after; False leaves them running, which is the mistake that the documentation warns of."""

    host: str
    path: str
    members: tuple[str, ...] = ()
    token: str = restore.DEFAULT_TOKEN
    bump: int = 0
    skip_hash_check: bool = False
    control_plane: bool = True


def machine(world: World, host: str) -> Machine:
    """``sshd`` of a host. Refused when there is none to be reached."""
    actor = world.actors.get(topology.machine(host))
    if not isinstance(actor, Machine):
        known = topology.machine(host) in world.state.slots
        raise Refused(f"host {host} is down" if known else f"there is no host {host} with a part of the control plane")
    return actor


def check_path(path: str) -> str:
    """A path that a snapshot may be written to. Refused."""
    if _PATH.fullmatch(path) is None or "/../" in f"{path}/" or "/./" in f"{path}/":
        raise Refused(f"{path[:80]} is no absolute path of letters, digits, dots, hyphens and underscores")
    if not path.endswith(".db"):
        raise Refused(f"{path[:80]}: the name of a snapshot ends in .db")
    return path


def keep(world: World, host: str, path: str, data: bytes) -> dict[str, Any]:
    """Write a snapshot to the disk of a host; its row. Refused."""
    here = machine(world, host)
    check_path(path)
    if len(data) > snapshot.LIMIT:
        raise Refused(f"a snapshot of {len(data)} bytes is more than this laboratory keeps ({snapshot.LIMIT})")
    told = row(host, path, data)
    if told["error"]:
        raise Refused(told["error"])
    if path not in here.state.files and len(snapshots(world)) >= MOST_KEPT:
        raise Refused(f"the hosts hold {MOST_KEPT} snapshots already: remove some")
    _tell(world, host, {path: data})
    if here.state.files.get(path) is not data:
        raise Refused("No space left on device")
    return told


def remove(world: World, host: str, path: str) -> dict[str, Any]:
    """Remove a snapshot from the disk of a host. Refused."""
    if not any((one["host"], one["path"]) == (host, path) for one in snapshots(world)):
        raise Refused(f"remove {path[:80]}: no such file or directory")
    _tell(world, host, {path: None})
    return {"host": host, "path": path}


def apply(world: World, act: Restoring) -> dict[str, Any]:
    """Restore. What the new cluster is called, and who is in it. Refused: nothing happened then."""
    data = machine(world, act.host).state.files.get(act.path)
    if not isinstance(data, bytes):
        raise Refused(f"open {act.path}: no such file or directory")
    places = {seed.process: seed for seed in topology.member_places(world)}
    chosen = act.members or tuple(process for process in places if world.state.hosts[places[process].host].up)
    unknown = [name for name in chosen if name not in places]
    if unknown:
        raise Refused(f"there is no member {unknown[0]!r} in this cluster")
    seeds = tuple(places[name] for name in dict.fromkeys(chosen))
    for seed in seeds:
        machine(world, seed.host)
    made: dict[str, dict[str, str | bytes]] = {}
    plan: restore.Plan | None = None
    for seed in seeds:
        flags = restore.Flags(
            name=seed.name, data_dir=DATA_DIR, initial_cluster=topology.initial_cluster(seeds), token=act.token,
            peer_urls=f"https://{topology.address_of_member(seed.host)}:2380", skip_hash_check=act.skip_hash_check,
            bump=act.bump, mark_compacted=bool(act.bump),
        )  # fmt: skip
        plan = restore.plan(flags)
        made[seed.host] = restore.files(data, flags, plan, act.path)
        database = made[seed.host][restore.DATABASE]
        assert isinstance(database, bytes)
        # Whatever is wrong with it is said now:
        restored.member(database, plan, world.state.slots[seed.process].config, seeds)
    for host, files in made.items():
        _replace_data(world, host, act, data, files)
    if act.control_plane:
        for slot in list(world.state.slots.values()):
            if slot.kind == "sshd" and slot.up:
                _tell(world, slot.host, {}, CONTROL_PLANE)
    assert plan is not None
    return {
        "cluster": plan.cluster,
        "members": [{"id": new.id, "name": new.name, "peerURLs": list(new.peer_urls)} for new in plan.members],
        "revision": snapshot.status(data).revision + act.bump,
    }


def _replace_data(world: World, host: str, act: Restoring, data: bytes, files: dict[str, str | bytes]) -> None:
    """The old directory goes aside, the new one takes its place, and etcd starts anew."""
    here = machine(world, host)
    folder = here.data_dir()
    aside = next(f"{folder}.old-{n}" for n in range(1, 1000) if not here.folder(f"{folder}.old-{n}"))
    changes: dict[str, Content | None] = {}
    for path in here.folder(folder):
        changes[path] = None
        changes[aside + path.removeprefix(folder)] = here.state.files[path]
    changes |= {f"{folder}/{name}": content for name, content in files.items()}
    if host != act.host:
        changes[act.path] = data
    _tell(world, host, changes, ("etcd",))


def _tell(world: World, host: str, changes: dict[str, Content | None], restart: tuple[str, ...] = ()) -> None:
    world.now_step(topology.machine(host), FilesChange(0, tuple(changes.items()), restart))
