"""200 people look at one busy cluster: how late are their frames, and is any lost or doubled?

The viewers are websockets of another process (``bench.watchers``), the load is ``bench.load``'s creates. A frame says when it was made
(``wallMs``); late is how long after that it was read, on the same machine's clock.
"""

import time

from bench import room

DELAY = "200 viewers: frame delay p95, ms"
LOST = "200 viewers: frames lost or doubled"
EVENTS = "200 viewers: answers to the load told not exactly once"
BARS = {DELAY: "<= 250", LOST: "<= 0", EVENTS: "<= 0"}
SECONDS = 10


def run() -> dict[str, float]:
    with room.folder() as place, room.product(place) as running:
        pems = room.credentials(running, place)
        viewers = room.program("watchers", running.port, 200, SECONDS + 6)
        time.sleep(3)  # until all have come
        path = "/api/v1/namespaces/default/configmaps"
        load = room.result(room.load(running, "create", path, pems, 8, SECONDS))
        seen = room.result(viewers)
    made = round(load["perSecond"] * SECONDS)
    return {
        DELAY: seen["p95Ms"],
        "200 viewers: frame delay p50, ms": seen["p50Ms"],
        LOST: seen["gaps"] + seen["doubled"],
        EVENTS: abs(made - seen["told"]) + seen["toldTwice"],
        "200 viewers: frames a second to each": seen["framesPerSecond"],
        "200 viewers: kB a frame": seen["kilobytes"],
        "200 viewers: creates a second meanwhile": load["perSecond"],
    }
