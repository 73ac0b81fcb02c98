"""What is in an exported file: a line that says what it is, then a ``Moment`` in msgpack."""

from typing import Any

import msgspec

HEAD = b"clearplane moment 1\n"


class Moment(msgspec.Struct):
    """What is in the file."""

    options: dict[str, Any]
    spec: bytes
    commit: int
    mark: bytes
    snapshots: list[bytes]
    journal: list[tuple[str, bytes]]
    digest: str = ""
    """Of all events up to the point ``(now, delivered)``."""
    now: int = 0
    delivered: int = 0
