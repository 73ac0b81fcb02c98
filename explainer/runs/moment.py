"""What is in an exported file: a line that says what it is, then a ``Moment`` in msgpack.

A cluster is its spec and its inputs, so that is what the file holds, from the beginning; a world only if the beginning had been dropped
to keep the history within its limit. It holds the cluster's private keys, because it *is* the cluster: share it as you would share a
classroom's cluster, not a real one.
"""

import zlib
from typing import Any

import msgspec

from explainer.runs.record import Entry

HEAD = b"clearplane moment 2\n"
LIMIT = 64 * 1024 * 1024
"""Bytes a file may have, and what is packed in it."""
UNPACKED = 16


class Unreadable(ValueError):
    """This is no such file, or one that this version can't read; a sentence."""


class Moment(msgspec.Struct):
    """What is in the file."""

    options: dict[str, Any]
    spec: bytes
    version: str
    """``version.world_version`` of the world."""
    start: bytes
    """A ``record.Snapshot`` to begin from; empty: from nothing."""
    entries: bytes
    """zlib of the ``record.Entry`` rows since the start, msgpack."""
    rate: float
    digest: str
    """Of all events up to the point ``(now, delivered)``."""
    now: int
    delivered: int


def write(moment: Moment) -> bytes:
    return HEAD + msgspec.msgpack.encode(moment)


def read(data: bytes) -> Moment:
    """Unreadable."""
    if not data.startswith(HEAD):
        raise Unreadable("this is not a file that Clearplane exported, or one of an older version")
    if len(data) > LIMIT:
        raise Unreadable(f"this file is larger than {LIMIT >> 20} MiB")
    try:
        return msgspec.msgpack.decode(data[len(HEAD) :], type=Moment)
    except msgspec.MsgspecError as error:
        raise Unreadable(f"this file can't be read by this version: {error}") from error


def entries(moment: Moment) -> list[Entry]:
    """Its inputs. Unreadable."""
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(moment.entries, LIMIT * UNPACKED)
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise Unreadable("this file is damaged, or holds more than this version reads")
        return msgspec.msgpack.decode(data, type=list[Entry])
    except (msgspec.MsgspecError, zlib.error) as error:
        raise Unreadable(f"this file is damaged: {error}") from error


def pack(rows: list[Entry]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(rows), 9)
