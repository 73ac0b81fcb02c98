"""One big cluster in one process: ``python -m bench.world NODES PODS``; prints JSON.

Its Nodes are Ready when every kubelet has said so; its Pods come from Deployments of 500, made as ``kubectl apply`` would.
As in runsim at speed "max" with nobody looking: drained between slices, traces kept, the collector looking seldom.
"""

import gc
import json
import resource
import sys
import time
from typing import Any

import orjson

from cluster.lab import ClusterSpec, HttpIn, Lab, Pki
from cluster.wire.http import TlsPeer
from explainer import pki

ADMIN = TlsPeer(common_name="kubernetes-admin", organizations=("kubeadm:cluster-admins",))
SECOND = 1_000_000_000
PER_DEPLOYMENT = 500
CHUNK = 2048
JSON_HEADERS = (("content-type", "application/json"),)


def deployment(number: int, replicas: int) -> dict[str, Any]:
    """``crowd-<number>`` with that many Pods."""
    labels = {"app": f"crowd-{number}"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"crowd-{number}"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "registry.k8s.io/pause:3.10"}]},
            },
        },
    }


class Bench:
    """The cluster and the clocks."""

    def __init__(self, nodes: int, **spec: Any) -> None:
        keys = Pki(**pki.make("bench", ["localhost"], ["127.0.0.1"]))
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        self.lab = Lab.start(ClusterSpec(name="bench", epoch=1_780_000_000, pki=keys, workers=nodes, **spec))
        self.lab.watched(False)
        self.requests = 0
        self.events = 0

    def run(self, done: Any, limit: int = 3600 * SECOND) -> None:
        """Until ``done(lab)``."""
        end = self.lab.now + limit
        while not done(self.lab):
            if self.lab.now > end:
                raise TimeoutError(f"not done after {limit / SECOND} virtual seconds")
            self.events += self.lab.run_until(end + SECOND, CHUNK)
            self.lab.drain()

    def post(self, path: str, document: dict[str, Any]) -> None:
        """A request from outside."""
        self.requests += 1
        body = orjson.dumps(document)
        self.lab.submit(HttpIn(f"bench/{self.requests}", 1, "POST", path, "", JSON_HEADERS, body, ADMIN, "192.0.2.1:4"))

    def mark(self) -> dict[str, float]:
        """Seconds since the beginning."""
        return {
            "wall": round(time.perf_counter() - self.wall, 2),
            "cpu": round(time.process_time() - self.cpu, 2),
            "virtual": round(self.lab.now / SECOND, 1),
            "events": self.events,
            "peakMiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }


def running(lab: Lab, pods: int) -> bool:
    """Whether that many Pods of the Deployments run."""
    table = lab.objects.get("pods")
    if len(table) < pods:
        return False
    return sum(1 for doc in table.values() if doc["metadata"]["namespace"] == "default"
               and (doc.get("status") or {}).get("phase") == "Running") >= pods  # fmt: skip


def pod(number: int) -> dict[str, Any]:
    """``crowd-<number>``."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"crowd-{number}", "labels": {"app": "crowd"}},
        "spec": {"containers": [{"name": "c", "image": "registry.k8s.io/pause:3.10"}]},
    }


def create_pods(bench: Bench, pods: int, per_second: int = 200) -> list[float]:
    """Bare Pods, as ``kwokctl scale pod`` makes them, at an even pace of virtual time; the wall instant of every hundredth."""
    began, marks = bench.lab.now, []
    for number in range(pods):
        due = began + number * SECOND // per_second
        while bench.lab.now < due:
            bench.events += bench.lab.run_until(due, CHUNK)
            bench.lab.drain()
        if number % 100 == 0:
            marks.append(time.perf_counter())
        bench.post("/api/v1/namespaces/default/pods", pod(number))
    return [*marks, time.perf_counter()]


def measure(nodes: int, pods: int, by: str = "pods", **spec: Any) -> dict[str, Any]:
    """All nodes Ready, then all Pods Running. ``by``: ``pods`` or ``deployments``."""
    gc.set_threshold(100_000, 20, 100)
    bench = Bench(nodes, **spec)
    bench.run(Lab.ready)
    ready = bench.mark()
    result: dict[str, Any] = {"nodes": nodes, "pods": pods, "ready": ready}
    if by == "pods":
        marks = create_pods(bench, pods)
        result["created"] = bench.mark()
        result["first100PerSecond"] = round(100 / (marks[1] - marks[0]))
        result["last100PerSecond"] = round(100 / (marks[-1] - marks[-2]))
    else:
        for number in range(-(-pods // PER_DEPLOYMENT)):
            replicas = min(PER_DEPLOYMENT, pods - number * PER_DEPLOYMENT)
            bench.post("/apis/apps/v1/namespaces/default/deployments", deployment(number, replicas))
    bench.run(lambda lab: running(lab, pods))
    return result | {"running": bench.mark()}


def main() -> None:
    nodes, pods = int(sys.argv[1]), int(sys.argv[2])
    print(json.dumps(measure(nodes, pods, **json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}"))))


if __name__ == "__main__":
    main()
