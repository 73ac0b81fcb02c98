"""A moment run again: a spec, a snapshot or none, and the journal give the same state, to the byte.

In → what an export holds (``moment``); out → the virtual instant reached (ns), the number of events delivered, the digest.
"""

from importlib import import_module
from typing import Any

import msgspec

from explainer.runs import journal
from explainer.runs.record import Entry, Snapshot


def replay(
    spec: bytes, snapshot: bytes | None, entries: list[Entry], now: int, delivered: int, door: str = "cluster.lab"
) -> tuple[int, int, str]:
    """Run from ``snapshot`` (or from nothing) to the point given: ``(now, delivered, digest)`` reached."""
    world: Any = import_module(door)
    decode = msgspec.msgpack.Decoder(world.Input).decode
    done = 0
    if snapshot is None:
        lab = world.Lab.start(msgspec.msgpack.decode(spec, type=world.ClusterSpec))
    else:
        found = msgspec.msgpack.decode(snapshot, type=Snapshot)
        lab, done = world.Lab.restore(journal.decompress(found.world)), found.delivered
    for entry in entries:
        if entry.delivered < done or entry.delivered > delivered:
            continue
        done += lab.run_until(entry.now, entry.delivered - done)
        try:
            lab.submit(decode(entry.input))
        except (world.UnknownName, KeyError):
            pass  # as it did the first time
        lab.drain()
    done += lab.run_until(now, delivered - done)
    return lab.now, done, lab.digest()
