"""Frames for onlookers: what happened since the last one, as one JSON text that every websocket sends as it is.

In → the lab's event dicts; out → ``{"cursor","nowMicros","rate","paused","waiting","watching","wallMs","revision","events":[…]}``, at
most 20 a second (10 before a crowd). ``wallMs`` is when it was made, Unix time. The cursor is the frame's number, and the id of its entry in the stream ``{c}:events`` is ``<number>-1``.

Simplified here: a frame keeps at most ``FLIGHTS`` messages in flight (the newest) and says how many more there were;
no eye follows more. Requests, elections, objects and effects are never dropped.
"""

import time
from typing import Any

import msgspec

FLIGHTS = 60
FRAME_SECONDS = 0.05
"""With somebody watching."""
CROWD = 50
CROWD_SECONDS = 0.1
"""With more than ``CROWD`` watching: each frame costs a web process some 60 µs a viewer."""
IDLE_SECONDS = 0.5
"""With nobody."""

_encode = msgspec.json.Encoder(enc_hook=lambda value: plain(value)).encode


def plain(value: Any) -> Any:
    """What JSON has no word for: bytes are shown as text."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    raise TypeError(f"not JSON-able: {type(value).__name__}")


def encode_json(value: Any) -> bytes:
    """JSON bytes of a read model."""
    return _encode(value)


def frame_pause(onlookers: int) -> float:
    """Wall seconds between two frames."""
    return IDLE_SECONDS if not onlookers else CROWD_SECONDS if onlookers > CROWD else FRAME_SECONDS


class Feed:
    """Collects events until a frame is due."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.revision = 0
        self._events: list[dict[str, Any]] = []

    def add(self, events: list[dict[str, Any]]) -> None:
        """Take what the lab drained."""
        self._events += events
        for event in events:
            revision = event.get("revision")
            if isinstance(revision, int) and (revision > self.revision or event.get("t") == "revision"):
                self.revision = revision  # (a restored snapshot goes back)

    def __len__(self) -> int:
        return len(self._events)

    def frame(
        self, now: int, rate: float, paused: bool, waiting: int, watching: int = 0, more: dict[str, Any] | None = None
    ) -> bytes:
        """The next frame; the collection starts anew. ``now`` in virtual ns; ``rate`` 0 means "max"; ``watching`` people;
        ``more``: what else its head says."""
        self.number += 1
        events, self._events = self._events, []
        skipped = 0
        flights = sum(1 for event in events if event.get("t") == "flight")
        if flights > FLIGHTS:
            skipped = flights - FLIGHTS
            left = skipped
            kept = []
            for event in events:
                if left and event.get("t") == "flight":
                    left -= 1
                else:
                    kept.append(event)
            events = kept
        head: dict[str, Any] = {
            "cursor": str(self.number),
            "nowMicros": now // 1000,
            "rate": rate or "max",
            "paused": paused,
            "waiting": waiting,
            "watching": watching,
            "wallMs": int(time.time() * 1000),
            "revision": self.revision,
            **(more or {}),
        }
        if skipped:
            head["skippedFlights"] = skipped
        head["events"] = events
        return _encode(head)
