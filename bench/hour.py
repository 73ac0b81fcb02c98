"""One virtual hour of an idle cluster; and two runs under different hash seeds that must be one history."""

import os
import subprocess
import sys
import time

from bench import room
from explainer import pki
from explainer.runs import mail

HOUR = "one virtual hour of the idle cluster, s"
DIGESTS = "digests under two hash seeds"
BARS = {HOUR: "<= 10", DIGESTS: "== equal"}


def run() -> dict[str, float | str]:
    with room.folder() as place:
        with room.product(place) as running:
            running.api("PATCH", "/clock", {"paused": True})
            started = time.perf_counter()
            running.api("POST", "/clock/run", {"micros": 3_600_000_000}, timeout=600)
            took = time.perf_counter() - started
        file = place / "pki"
        file.write_bytes(mail.encode(pki.make("demo", ["cp-1", "cp-2", "cp-3"], [])))
        found = {digest(str(file), seed) for seed in ("1", "2")}
    return {HOUR: round(took, 2), DIGESTS: "equal" if len(found) == 1 else "DIFFERENT"}


def digest(file: str, seed: str) -> str:
    """What ``bench.digest`` prints under that hash seed."""
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-m", "bench.digest", file]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()
