"""etcd alone: bare clusters in one process (see ``bench.ring``), a hundred of them in the running product, and puts through its JSON gateway.

A put takes as long as the simulated network and disks say (speed 1): on the default ones some 5 ms, so a single connection's rate is bounded by that, not
by this machine. ``NEAR`` is a cluster with links and disks like those where real etcd 3.4 was measured (loopback, fsync 0.8 ms on average): it managed 465
puts a second with one client and 2,427 with 32 (three members, 256-byte values, two shared CPUs). Processor time a put is said too: on a busy machine
it is the figure that can be compared.
"""

import asyncio
import base64
import json
import time
from typing import Any

from bench import room
from tests.product import Product

IDLE = "3 idle members: virtual s per CPU s"
CROWD = "200 idle clusters of 3: share of a core at speed 1, %"
MEMORY = "… MiB each"
FLEET = "100 idle clusters of 3 in the product: share of a core, all processes, %"
FLEET_MEMORY = "… MiB each, all processes"
BARS = {IDLE: ">= 2000", CROWD: "<= 50", MEMORY: "<= 2", FLEET: "<= 25", FLEET_MEMORY: "<= 2"}
SECONDS = 5
NEAR = {"name": "near", "bare": True, "linkMs": [0.03, 0.06], "fsyncMs": [0.4, 1.2]}


async def puts(port: int, connections: int, prefix: str = "") -> float:
    """Puts of 256 bytes a second over so many keep-alive connections."""
    until, done = time.perf_counter() + SECONDS, 0

    async def client(number: int) -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(b"bench/%d" % number).decode()
        body = json.dumps({"key": key, "value": base64.b64encode(bytes(256)).decode()})
        head = f"POST {prefix}/v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        message = (head + body).encode()
        while time.perf_counter() < until:
            writer.write(message)
            answer = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
            assert answer.startswith(b"HTTP/1.1 200"), answer
            done += 1
        writer.close()

    await asyncio.gather(*(client(number) for number in range(connections)))
    return round(done / SECONDS)


def make(running: Product, **options: Any) -> None:
    """A cluster more, and time for it to have a leader."""
    status, said = running.call("POST", "/api/clusters", options)
    assert status < 300, said


def leader(running: Product, cluster: str) -> str:
    """Who leads that cluster."""
    _, rows = running.call("GET", f"/api/clusters/{cluster}/etcd/members?log=none")
    return next(row["id"] for row in rows if row["role"] == "leader")


def gateway(running: Product) -> dict[str, float]:
    """Rows about puts."""
    make(running, **NEAR)
    time.sleep(4)
    near = f"/clusters/near/etcd/{leader(running, 'near')}"
    rows: dict[str, float] = {}
    for what, port, prefix in (("", running.etcd_port, ""), (" of a near cluster", running.port, near)):
        for connections in (1, 32):
            before = room.cpu_seconds(running)
            rate = asyncio.run(puts(port, connections, prefix))
            spent = (room.cpu_seconds(running) - before) / SECONDS
            name = f"puts through the gateway{what}, {connections} connection{'s' * (connections > 1)}"
            rows[f"{name}, /s"] = rate
            rows[f"{name}, processor ms each"] = round(1000 * spent / rate, 2)
    return rows


def fleet(running: Product, count: int = 100, seconds: int = 15) -> dict[str, float]:
    """Rows about so many idle clusters in the product, over what it needs without them."""

    def share() -> float:
        before = room.cpu_seconds(running)
        time.sleep(seconds)
        return (room.cpu_seconds(running) - before) / seconds

    alone, memory = share(), room.memory(running)
    for number in range(1, count + 1):
        make(running, name=f"b{number}", bare=True, seed=number)
    time.sleep(10)
    return {
        FLEET: round(100 * (share() - alone), 1),
        FLEET_MEMORY: round((room.memory(running) - memory) / count, 2),
    }


def run() -> dict[str, float]:
    ring = room.result(room.program("ring"))
    with room.folder() as place, room.product(place) as running:
        rows = gateway(running)
        rows |= fleet(running)
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
        **rows,
    }
