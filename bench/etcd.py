"""etcd alone: bare clusters in one process (see ``bench.ring``), and puts through the JSON gateway of the running product, one at a time and 32 at once.

A put takes as long as the simulated network and disks say (speed 1), so a single connection's rate is bounded by that, not by this machine. Real etcd
3.4 on two shared CPUs managed 465 puts a second with one client and 2,427 with 32 (three members, 256-byte values, a virtual disk).
"""

import asyncio
import base64
import json
import time

from bench import room

IDLE = "3 idle members: virtual s per CPU s"
CROWD = "200 idle clusters of 3: share of a core at speed 1, %"
MEMORY = "… MiB each"
BARS = {IDLE: ">= 2000", CROWD: "<= 50", MEMORY: "<= 2"}
SECONDS = 5


async def puts(port: int, connections: int) -> float:
    """Puts of 256 bytes a second over so many keep-alive connections."""
    until, done = time.perf_counter() + SECONDS, 0

    async def client(number: int) -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(b"bench/%d" % number).decode()
        body = json.dumps({"key": key, "value": base64.b64encode(bytes(256)).decode()})
        head = f"POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        while time.perf_counter() < until:
            writer.write((head + body).encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            assert answer.startswith(b"HTTP/1.1 200"), answer
            done += 1
        writer.close()

    await asyncio.gather(*(client(number) for number in range(connections)))
    return round(done / SECONDS)


def run() -> dict[str, float]:
    ring = room.result(room.program("ring"))
    with room.folder() as place, room.product(place) as running:
        one, many = asyncio.run(puts(running.etcd_port, 1)), asyncio.run(puts(running.etcd_port, 32))
    return {
        IDLE: ring["idle3"],
        "5 idle members: virtual s per CPU s": ring["idle5"],
        "7 idle members: virtual s per CPU s": ring["idle7"],
        "3 members, 500 puts a virtual s: virtual s per CPU s": ring["busy3"],
        "5 members, 500 puts a virtual s: virtual s per CPU s": ring["busy5"],
        "7 members, 500 puts a virtual s: virtual s per CPU s": ring["busy7"],
        "leaders that die and are replaced, per CPU s": ring["elections"],
        CROWD: ring["crowdShare"],
        MEMORY: ring["crowdMiB"],
        "puts through the gateway, 1 connection, /s": one,
        "puts through the gateway, 32 connections, /s": many,
    }
