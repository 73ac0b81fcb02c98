"""The same with 1,000 nodes and 10,000 pods, of which five change a second.

Simplified here: the picture comes from a made-up model behind the pages under test (``tests/browser/site.py``), not from a simulated
cluster: what is measured is the page. The server's figure for a world of that size is ``make bench``'s.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from typing import Any

from bench.browser.room import Room, Row, frames
from tests.product import ROOT, wait_for

NODES, PODS = 1000, 10_000


def model() -> dict[str, Any]:
    """A map of that many nodes and pods: the fixture's control plane, and workers like its first."""
    from tests.browser import fixture_world

    out = fixture_world.cluster_map()
    worker = next(host for host in out["hosts"] if host["role"] == "worker")
    node = next(one for one in out["nodes"] if one["name"] == worker["name"])
    pod = next(one for one in out["pods"] if one.get("node") == worker["name"])
    hosts = [host for host in out["hosts"] if host["role"] != "worker"]
    nodes = [one for one in out["nodes"] if not one["name"].startswith("node-")]
    for i in range(1, NODES + 1):
        name = f"node-{i}"
        processes = [{**one, "name": one["name"].replace(worker["name"], name)} for one in worker["processes"]]
        hosts.append({**worker, "name": name, "processes": processes})
        nodes.append({**node, "name": name})
    pods = [
        {**pod, "name": f"web-7d4b9c6f5d-{i:05}", "uid": f"u{i}", "node": f"node-{i % NODES + 1}", "phase": "Ready"}
        for i in range(PODS)
    ]
    return {**out, "hosts": hosts, "nodes": nodes, "pods": pods}


def measure(room: Room) -> list[Row]:
    """Serve it, open it, change five pods a second, count frames."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    site = f"http://127.0.0.1:{port}"
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.browser.f4_crowd", str(port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        wait_for(lambda: urllib.request.urlopen(f"{site}/style/").status == 200, "the pages under test", 30)
        began = time.perf_counter()
        with room.page(f"{site}/clusters/crowd/") as page:
            opened = (time.perf_counter() - began) * 1000
            drawn = page.evaluate("document.querySelectorAll('*').length")
            going = threading.Event()
            hand = threading.Thread(target=_change, args=(site, going), daemon=True)
            hand.start()
            page.wait_for_timeout(1500)
            found = frames(page, 5 if room.quick else 10)
            going.set()
            hand.join(5)
    finally:
        child.terminate()
        child.wait(10)
    note = f"{drawn} elements, opened in {opened:.0f} ms, p95 gap {found['p95']:.0f} ms"
    return [
        Row("frames a second, 1,000 nodes, 10,000 pods", 1000 / found["median"], "/s", 30, least=True, note=note),
        Row("main thread a frame, the same", found["mainMs"], "ms"),
    ]


def _change(site: str, going: threading.Event) -> None:
    phases = ("Ready", "Terminating", "Running", "CrashLoop")
    i = 0
    while not going.wait(0.2):
        i += 1
        event = {
            "t": "object",
            "type": "MODIFIED",
            "resource": "pods",
            "namespace": "default",
            "uid": f"u{i * 37 % PODS}",
            "name": f"web-7d4b9c6f5d-{i * 37 % PODS:05}",
            "node": f"node-{i * 37 % NODES + 1}",
            "phase": phases[i % 4],
            "ready": i % 4 == 0,
        }
        body = json.dumps({"events": [event], "revision": 800 + i}).encode()
        with suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(f"{site}/-/frame", body, method="POST"), timeout=5).read()


def main() -> None:
    """The pages under test with one more cluster, ``crowd``."""
    from tests.browser import fixture_world
    from tests.browser.site import Site

    whole, known = model(), fixture_world.query

    async def query(cluster: str, view: str, at: str = "", **args: Any) -> Any:
        return whole if view == "map" else await known("demo", view, at, **args)

    fixture_world.query = query
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server

    ends = build_endpoint_description_strings(host="127.0.0.1", port=int(sys.argv[1]))
    Server(Site(), endpoints=ends, verbosity=0).run()


if __name__ == "__main__":
    main()
