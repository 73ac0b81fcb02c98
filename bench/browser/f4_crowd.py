"""The same with 1,000 nodes and 10,000 pods, of which five change a second.

Simplified here: the picture comes from a made-up model behind the pages under test (``tests/browser/map_world.py``), not from a simulated
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

from bench.browser.room import Room, Row, frames
from tests.product import ROOT, wait_for

NODES, PODS = 1000, 10_000


def measure(room: Room) -> list[Row]:
    """Serve it, open it, change five pods a second, count frames."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    site = f"http://127.0.0.1:{port}"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.browser.site", str(port)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        wait_for(lambda: urllib.request.urlopen(f"{site}/style/").status == 200, "the pages under test", 90)
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
            "uid": f"uid-web-7d4b9c6f5d-{i * 37 % PODS:05}",
            "name": f"web-7d4b9c6f5d-{i * 37 % PODS:05}",
            "node": f"node-{i * 37 % NODES + 1}",
            "phase": phases[i % 4],
            "ready": i % 4 == 0,
        }
        body = json.dumps({"events": [event], "revision": 800 + i}).encode()
        with suppress(OSError):
            urllib.request.urlopen(urllib.request.Request(f"{site}/-/frame", body, method="POST"), timeout=5).read()
