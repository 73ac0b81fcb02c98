"""Snapshots of etcd and what is restored from them. The files live on the simulated hosts; none is written on this machine.

A snapshot is saved by a member (``POST etcd/snapshots``) or comes as the body of a ``PUT`` (what a real ``etcdctl snapshot save`` wrote; at most 4 MiB, checked).
Errors: 409 with etcd's or etcdutl's own words when it cannot be done, 400 and 413 for a body that is none.
"""

from typing import Any

from django.http import HttpRequest

from explainer.api.bodies import RestoreBody, SnapshotBody
from explainer.api.calls import BODY_LIMIT, ask, body_as, call
from explainer.runs.bus import Bus, Failed


@call("GET", "POST")
async def snapshots(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """The snapshots on the hosts' disks; POST saves one."""
    if request.method == "GET":
        return await ask(request, bus, cluster, "backups")
    body = body_as(request, SnapshotBody)
    return await answered(bus, cluster, "SnapshotIn", member=body.member, path=body.path)


@call("PUT", "DELETE")
async def snapshot(request: HttpRequest, bus: Bus, cluster: str, host: str) -> Any:
    """A file on a host: put there from outside, or removed."""
    path = request.GET.get("path", "")
    if request.method == "DELETE":
        await bus.require(cluster)
        return await answered(bus, cluster, "SnapshotRemoveIn", host=host, path=path)
    data = request.body
    if not data:
        raise Failed(400, "the body is the snapshot file, and it is empty")
    if len(data) > BODY_LIMIT:
        raise Failed(413, f"the file has {len(data)} bytes; at most {BODY_LIMIT} are taken")
    return await answered(bus, cluster, "SnapshotFileIn", host=host, path=path, data=data)


@call("POST")
async def restore(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """A new cluster of etcd begins with a snapshot's keys."""
    body = body_as(request, RestoreBody)
    return await answered(
        bus, cluster, "RestoreIn", host=body.host, path=body.path, members=body.members, token=body.token,
        bump=body.bump_revision, skip_hash_check=body.skip_hash_check, control_plane=body.restart_control_plane,
    )  # fmt: skip


async def answered(bus: Bus, cluster: str, kind: str, **fields: Any) -> Any:
    """Hand the world an input and wait for what it says; its own words when it refuses (409)."""
    async for piece in bus.stream(cluster, kind, 60.0, **fields):
        if piece.get("error"):
            raise Failed(409, piece["error"])
        return {name: value for name, value in piece.items() if name != "done"}
    raise Failed(503, "no answer")
