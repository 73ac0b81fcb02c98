"""What a busy world leaves lying about: no cycles for the collector, and no room that nobody uses."""

import gc
import tracemalloc

import orjson

from cluster.api.scheme import builtin
from cluster.apiserver import storage
from cluster.lab import HttpIn
from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import ADMIN, Desk


class Server:
    """As much of an apiserver as encoding needs."""

    scheme = builtin()


def test_a_working_world_makes_no_garbage_that_only_the_collector_finds() -> None:
    desk = Desk.boot()
    pod = {"metadata": {"generateName": "p-"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    gc.collect()
    gc.disable()
    try:
        for number in range(10):
            path = "/api/v1/namespaces/default/pods"
            body = orjson.dumps(pod if number % 2 else {"kind": "Nonsense"})
            desk.lab.submit(HttpIn("x", number, "POST", path, "", (("content-type", "application/json"),), body, ADMIN))
        desk.lab.run_until(desk.lab.now + 10 * SECOND)
        desk.lab.drain()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_stored_values_take_the_room_of_their_bytes() -> None:
    pods = builtin().resource("", "v1", "pods")
    assert pods is not None
    doc = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "x", "annotations": {str(n): "v" * 50 for n in range(40)}},
    }
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        values = [storage.encode(pods, Server, {**doc, "data": number}) for number in range(200)]
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken < 1.5 * sum(map(len, values))
