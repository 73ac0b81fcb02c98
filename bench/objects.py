"""How long the Objects pages' questions take, and how much they answer, with many pods.

They are asked of the simulation's own process, so their time is time in which nothing else of the cluster happens.
"""

import statistics
import time
from typing import Any

import orjson

from cluster.snapshot import VIEWS, Scene
from tests.cluster.lab.desk import Desk
from tests.cluster.lab.test_lab import DEPLOYMENTS, WEB

PODS = 10_000
ROUNDS = 7


def scene(pods: int) -> Scene:
    """A whole cluster, and ``pods`` pods more in the read model, each as a real one is."""
    desk = Desk.boot(workers=2)
    assert desk.ask("POST", DEPLOYMENTS, WEB)[0] == 201

    def ready() -> bool:
        deployment: Any = desk.get(f"{DEPLOYMENTS}/web")
        return deployment["status"].get("readyReplicas") == 3

    desk.until(ready)
    desk.drain()
    lab = desk.lab
    table: Any = lab.objects.by_resource["pods"]
    example = next(doc for name, doc in table.items() if name.startswith("default/"))
    for n in range(pods):
        doc = orjson.loads(orjson.dumps(example))
        doc["metadata"] |= {"name": f"many-{n:05}", "uid": f"uid-{n}", "namespace": f"ns-{n % 20}"}
        doc["spec"]["nodeName"] = f"node-{n % 1000}"
        table[f"ns-{n % 20}/many-{n:05}"] = doc
    return Scene(lab.spec, lab.world, lab.objects, lab.recorder.memory)


BARS: dict[str, str] = {}


def run() -> dict[str, float]:
    """Milliseconds of CPU, and kilobytes answered, of each question with 10,000 pods."""
    return {
        f"objects, {PODS:,} pods: {title}, {what}": value
        for title, ms, kilobytes in measure(PODS)
        for what, value in (("ms of CPU", ms), ("kB", kilobytes))
    }


def measure(pods: int) -> list[tuple[str, float, float]]:
    """(question, ms, kB), medians."""
    here = scene(pods)
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("all kinds", "kinds", {}),
        ("first page", "table", {"resource": "pods"}),
        ("last page", "table", {"resource": "pods", "offset": pods - 100}),
        ("one namespace", "table", {"resource": "pods", "namespace": "ns-7"}),
        ("by labels", "table", {"resource": "pods", "labels": "app=web,tier!=x"}),
        ("by a field", "table", {"resource": "pods", "fields": "spec.nodeName=node-7"}),
        ("by phase", "table", {"resource": "pods", "phase": "Ready"}),
        ("sorted by age", "table", {"resource": "pods", "sort": "age"}),
        ("sorted by status", "table", {"resource": "pods", "sort": "status"}),
        ("one object", "thing", {"resource": "pods", "namespace": "ns-7", "name": "many-00007"}),
        ("its relations", "relations", {"resource": "pods", "namespace": "ns-7", "name": "many-00007"}),
        ("a deployment's relations", "relations", {"resource": "deployments", "namespace": "default", "name": "web"}),
    ]
    found = []
    for title, view, args in asked:
        times, size = [], 0
        for _ in range(ROUNDS):
            began = time.process_time()
            size = len(orjson.dumps(VIEWS[view](here, **args)))
            times.append((time.process_time() - began) * 1000)
        found.append((title, round(statistics.median(times), 1), round(size / 1000, 1)))
    return found
