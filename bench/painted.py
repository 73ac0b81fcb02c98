"""From an answer to a real client to the websocket frame that tells of its request: the server's part of "answered → painted"."""

import threading
import time

from bench import room
from tests.websocket import Socket

SEEN = "request answered → in a frame, ms p95"
BARS = {SEEN: "<= 100"}
SAMPLES = 60


def run() -> dict[str, float]:
    with room.folder() as place, room.product(place) as running:
        pems = room.credentials(running, place)
        time.sleep(3)
        socket = Socket(running, "/ws/clusters/demo")
        seen: dict[str, float] = {}
        going = True

        def look() -> None:
            while going:
                frame = socket.frame()
                now = time.perf_counter()
                for event in frame.get("events", ()) if isinstance(frame, dict) else ():
                    if event.get("t") == "request" and event.get("code"):
                        seen.setdefault(event["path"].partition("?")[0], now)

        threading.Thread(target=look, daemon=True).start()
        connection = running.tls(certificate=pems)
        took = []
        for number in range(SAMPLES):
            path = f"/api/v1/namespaces/default/configmaps/seen-{number}"
            connection.request("GET", path)
            connection.getresponse().read()
            answered = time.perf_counter()
            while path not in seen and time.perf_counter() < answered + 5:
                time.sleep(0.001)
            took.append((seen.get(path, answered + 5) - answered) * 1000)
            time.sleep(0.013)
        going = False
    took.sort()
    return {
        "request answered → in a frame, ms p50": round(took[len(took) // 2], 1),
        SEEN: round(took[int(len(took) * 0.95)], 1),
    }
