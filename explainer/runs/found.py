"""Founding a cluster with a past: a fork of another one's moment, or what an exported file tells.

In → a world that stands at the moment, and the volumes of its past; out → spec, history, clock mark and its row in the list, in one
transaction, and the new cluster's clock. It begins paused. Nothing is shared that changes: the past is copied. Whoever has a request
open with the old cluster stays there.

Errors: ``Taken`` when there is such a cluster; ``annals.Gone`` when the past was dropped meanwhile.
"""

import time
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from explainer.runs import annals, journal, keys, tape
from explainer.runs.annals import Annals, Chapter, Gone
from explainer.runs.record import Entry, Mark, Snapshot

if TYPE_CHECKING:
    from explainer.runs.frozen import World

_encode = msgspec.msgpack.Encoder().encode
BATCH = 16


class Taken(Exception):
    """There is a cluster of that name already."""


class Volume(Struct):
    """A chapter with all that belongs to it."""

    chapter: Chapter
    world: bytes | None
    inputs: bytes | None
    tape: bytes | None


def fork(world: "World", message: dict[str, Any]) -> dict[str, Any]:
    """Make ``message["name"]`` begin where ``world`` stands. The clock of the new cluster."""
    past = Annals(world.link, world.cluster)
    spec = world.link.call("GET", keys.spec(world.cluster))
    if spec is None:
        raise Gone
    here = world.place()
    kept = [c for c in past.chapters if c.now <= here.now and c.delivered <= here.delivered and c.inputs <= here.inputs]
    last = kept[-1] if kept else past.began
    entries = past.entries(last.inputs, here.now, here.delivered)[: here.inputs - last.inputs]
    if len(entries) != here.inputs - last.inputs:
        raise Gone
    rows = [row for row in past.tape(last.now, here.now) if row.events <= here.delivered]
    volumes = [*copied(past, kept), ended(world, last.number, entries, rows)]
    return store(world, spec, volumes, past.limit, message)


def copied(past: Annals, kept: list[Chapter]) -> list[Volume]:
    """Those chapters as they are. Gone."""
    volumes: list[Volume] = []
    where = (keys.worlds(past.cluster), keys.inputs(past.cluster), keys.tapes(past.cluster))
    for start in range(0, len(kept), BATCH):
        some = kept[start : start + BATCH]
        numbers = [c.number for c in some]
        parts = past.link.pipeline([("HMGET", key, *numbers) for key in where])
        for chapter, world, inputs, shown in zip(some, *parts, strict=True):
            row = msgspec.structs.replace(chapter, world=chapter.world if world else 0)
            volumes.append(Volume(row, world, inputs, shown))
    return volumes


def ended(world: "World", after: int, entries: list[Entry], rows: list[tape.Row]) -> Volume:
    """A chapter that ends where ``world`` stands; ``entries`` and ``rows`` since the one numbered ``after``."""
    here = world.place()
    number = max(int(time.time() * 1000), after + 1)
    packed = journal.compress(world.lab.checkpoint())
    snapshot = Snapshot(number, here.delivered, list(world.open), packed, here.now, here.inputs)
    rows = tape.coarser(rows)
    inputs, shown = annals.pack(entries) if entries else None, annals.pack(rows) if rows else None
    held = len(inputs or b"") + len(shown or b"")
    chapter = Chapter(number, here.now, here.delivered, here.inputs, False, len(packed), held, tape.counts(rows))
    return Volume(chapter, _encode(snapshot), inputs, shown)


def store(world: "World", spec: bytes, volumes: list[Volume], limit: int, message: dict[str, Any]) -> dict[str, Any]:
    """Write the cluster ``message["name"]``, all at once. Taken."""
    link, name, here = world.link, message["name"], world.place()
    number = volumes[-1].chapter.number
    mark = Mark(
        here.now, here.delivered, "0-0", message["rate"], True, int(time.time()), here.now, here.delivered,
        ready=bool(world.lab.ready()), world=message["version"], life=f"{time.time_ns():x}",
    )  # fmt: skip
    commands: list[tuple[Any, ...]] = [
        ("HSET", keys.mark(name), "commit", number, "mark", _encode(mark), "chapter", number, "limit", limit),
        ("HSET", keys.CLUSTERS, name, msgspec.json.encode({**message["described"], "name": name})),
        ("XADD", keys.CLUSTERS_LOG, "MAXLEN", "~", 1000, "*", "made", name),
    ]
    for volume in volumes:
        key = volume.chapter.number
        commands.append(("HSET", keys.chapters(name), key, _encode(volume.chapter)))
        parts = ((keys.worlds, volume.world), (keys.inputs, volume.inputs), (keys.tapes, volume.tape))
        commands += [("HSET", where(name), key, blob) for where, blob in parts if blob]
    if not link.call("SETNX", keys.spec(name), spec):
        raise Taken
    link.pipeline([("MULTI",), ("DEL", keys.inbox(name), keys.journal(name)), *commands, ("EXEC",)])
    annals.thin(link, name)
    return {
        "nowMicros": here.now // 1000,
        "rate": message["rate"] or "max",
        "paused": True,
        "waiting": 0,
        "ready": mark.ready,
    }
