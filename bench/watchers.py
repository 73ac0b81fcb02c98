"""Many onlookers in one process: ``python -m bench.watchers PORT COUNT SECONDS`` prints JSON.

Each is a websocket that reads every frame's head: its cursor must be one more than the last. The first also reads the events: each
answered POST must be told once.
"""

import asyncio
import json
import re
import struct
import sys
import time
from typing import Any

HEAD = re.compile(rb'"cursor":"(\d+)".*?"wallMs":(\d+)')


class Viewer:
    """One socket. ``delays`` in ms."""

    def __init__(self, reads_events: bool) -> None:
        self.reads_events = reads_events
        self.delays: list[float] = []
        self.last = self.gaps = self.doubled = self.bytes = 0
        self.told: dict[int, int] = {}

    async def look(self, port: int, until: float) -> None:
        """Connect and read until then (``time.time()``)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        writer.write(
            b"GET /ws/clusters/demo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        while (left := until - time.time()) > 0:
            try:
                text = await asyncio.wait_for(message(reader), left)
            except TimeoutError:
                break
            self.read(text, time.time() * 1000)
        writer.close()

    def read(self, text: bytes, now: float) -> None:
        """One frame that arrived at ``now`` ms."""
        head = HEAD.search(text, 0, 400)
        if head is None:
            return  # not a frame of the feed: where a presenter is
        cursor = int(head[1])
        if self.last and cursor <= self.last:
            self.doubled += 1
        elif self.last:
            self.gaps += cursor - self.last - 1
        self.last = max(self.last, cursor)
        self.delays.append(now - int(head[2]))
        self.bytes += len(text)
        if self.reads_events:
            for event in json.loads(text)["events"]:
                if event.get("t") == "request" and event["method"] == "POST" and "/configmaps" in event["path"]:
                    self.told[event["id"]] = self.told.get(event["id"], 0) + 1


async def message(reader: asyncio.StreamReader) -> bytes:
    """The payload of the next text message (the server sends each whole)."""
    first = await reader.readexactly(2)
    length = first[1] & 0x7F
    if length == 126:
        (length,) = struct.unpack(">H", await reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack(">Q", await reader.readexactly(8))
    return await reader.readexactly(length)


async def main() -> None:
    port, count, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    viewers = [Viewer(number == 0) for number in range(count)]
    until = time.time() + seconds
    await asyncio.gather(*(viewer.look(port, until) for viewer in viewers))
    delays = sorted(delay for viewer in viewers for delay in viewer.delays)
    frames = len(delays)
    shown: dict[str, Any] = {
        "p50Ms": round(delays[frames // 2], 1),
        "p95Ms": round(delays[int(frames * 0.95)], 1),
        "gaps": sum(viewer.gaps for viewer in viewers),
        "doubled": sum(viewer.doubled for viewer in viewers),
        "told": len(viewers[0].told),
        "toldTwice": sum(times - 1 for times in viewers[0].told.values()),
        "framesPerSecond": round(frames / count / seconds, 1),
        "kilobytes": round(sum(viewer.bytes for viewer in viewers) / frames / 1000, 1),
    }
    print(json.dumps(shown))


if __name__ == "__main__":
    asyncio.run(main())
