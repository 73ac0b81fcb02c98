"""One cluster in one process: ``python -m bench.world NODES PODS [JSON]``; prints JSON.

Its Nodes are Ready when every kubelet has said so; its Pods are made one by one, or (``{"by": "deployments"}``) come from Deployments of
500. ``services``: 1,000 Services that select all Pods. ``day``: 24 virtual hours in which something happens. Other words of the JSON are
fields of the ``ClusterSpec``.

As in runsim at speed "max" with nobody looking: drained between slices, traces kept, the collector off.
"""

import gc
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import psutil

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
        self._ask("POST", path, orjson.dumps(document))

    def delete(self, path: str) -> None:
        """Likewise."""
        self._ask("DELETE", path, b"")

    def _ask(self, method: str, path: str, body: bytes) -> None:
        self.requests += 1
        self.lab.submit(HttpIn(f"bench/{self.requests}", 1, method, path, "", JSON_HEADERS, body, ADMIN, "192.0.2.1:4"))

    def mark(self) -> dict[str, float]:
        """Seconds since the beginning."""
        return {
            "wall": round(time.perf_counter() - self.wall, 2),
            "cpu": round(time.process_time() - self.cpu, 2),
            "virtual": round(self.lab.now / SECOND, 1),
            "events": self.events,
            "peakMiB": peak_mib(),
        }


def peak_mib() -> int:
    """The most that this program had in memory. (``ru_maxrss`` would count what the one had that started it.)"""
    rows = Path("/proc/self/status")
    if not rows.exists():
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return round(int(rows.read_text().partition("VmHWM:")[2].split()[0]) / 1024)


def running(lab: Lab, pods: int, known: dict[str, None]) -> bool:
    """Whether that many Pods of the default namespace run. ``known``: those that were seen running; they are not looked at again."""
    table = lab.objects.get("pods")
    if len(table) < pods:
        return False
    for key, doc in table.items():
        if key not in known and doc["metadata"]["namespace"] == "default":
            if (doc.get("status") or {}).get("phase") != "Running":
                return False
            known[key] = None
    return len(known) >= pods


def pod(number: int) -> dict[str, Any]:
    """``crowd-<number>``."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"crowd-{number}", "labels": {"app": "crowd"}},
        "spec": {"containers": [{"name": "c", "image": "registry.k8s.io/pause:3.10"}]},
    }


def create_pods(bench: Bench, pods: int, per_second: int) -> list[float]:
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


SLICE_EVENTS = 256
"""What runsim does between two looks at its inbox (``pacing.CHUNK``)."""


def services(bench: Bench, pods: int, count: int = 1000) -> dict[str, Any]:
    """``count`` Services, each with all the Pods; the longest slice of work meanwhile, in CPU time."""
    for number in range(pods):
        bench.post("/api/v1/namespaces/default/pods", pod(number))
    seen: dict[str, None] = {}
    bench.run(lambda lab: running(lab, pods, seen))
    longest, made = 0.0, 0
    while len(bench.lab.objects.get("endpointslices")) < count:
        if made < count:
            spec = {"selector": {"app": "crowd"}, "ports": [{"port": 80, "targetPort": 8080}]}
            bench.post("/api/v1/namespaces/default/services", {"metadata": {"name": f"s{made}"}, "spec": spec})
            made += 1
        started = time.process_time()
        bench.events += bench.lab.run_until(bench.lab.now + SECOND // 50, SLICE_EVENTS)
        bench.lab.drain()
        longest = max(longest, time.process_time() - started)
    ends = bench.lab.now + 30 * SECOND
    while bench.lab.now < ends:  # rules are written, minutes later too
        started = time.process_time()
        bench.events += bench.lab.run_until(ends, SLICE_EVENTS)
        bench.lab.drain()
        longest = max(longest, time.process_time() - started)
    return {"longestSliceMs": round(longest * 1000)}


def day(bench: Bench, hours: int = 24) -> dict[str, Any]:
    """A ConfigMap a minute, made and deleted, a Pod every ten: seconds and MiB of each hour."""
    process, seconds, sizes = psutil.Process(), [], []
    for _ in range(hours):
        started = time.process_time()
        for minute in range(60):
            collection, name = "/api/v1/namespaces/default/configmaps", f"c{bench.requests}"
            bench.post(collection, {"metadata": {"name": name}, "data": {"k": "v" * 500}})
            until(bench, bench.lab.now + 30 * SECOND)
            bench.delete(f"{collection}/{name}")
            if minute % 10 == 0:
                bench.post("/api/v1/namespaces/default/pods", pod(minute))
            if minute % 10 == 5:
                bench.delete(f"/api/v1/namespaces/default/pods/crowd-{minute - 5}")
            until(bench, bench.lab.now + 30 * SECOND)
        seconds.append(round(time.process_time() - started, 2))
        sizes.append(round(process.memory_info().rss / (1 << 20), 1))
    return {"hourSeconds": seconds, "hourMiB": sizes}


def until(bench: Bench, instant: int) -> None:
    """Let time pass."""
    while bench.lab.now < instant:
        bench.events += bench.lab.run_until(instant, CHUNK)
        bench.lab.drain()


def measure(nodes: int, pods: int, by: str = "pods", per_second: int = 200, **spec: Any) -> dict[str, Any]:
    """All nodes Ready, then what ``by`` says: ``pods`` (so many a virtual second), ``deployments``, ``services`` or ``day``."""
    gc.disable()
    bench = Bench(nodes, **spec)
    bench.run(Lab.ready)
    ready = bench.mark()
    result: dict[str, Any] = {"nodes": nodes, "pods": pods, "ready": ready}
    if by in ("services", "day"):
        return result | (services(bench, pods) if by == "services" else day(bench)) | {"running": bench.mark()}
    if by == "pods":
        marks = create_pods(bench, pods, per_second)
        result["created"] = bench.mark()
        result["first100PerSecond"] = round(100 / (marks[1] - marks[0]))
        result["last100PerSecond"] = round(100 / (marks[-1] - marks[-2]))
    else:
        for number in range(-(-pods // PER_DEPLOYMENT)):
            replicas = min(PER_DEPLOYMENT, pods - number * PER_DEPLOYMENT)
            bench.post("/apis/apps/v1/namespaces/default/deployments", deployment(number, replicas))
    seen: dict[str, None] = {}
    bench.run(lambda lab: running(lab, pods, seen))
    return result | {"running": bench.mark()}


def main() -> None:
    nodes, pods = int(sys.argv[1]), int(sys.argv[2])
    print(json.dumps(measure(nodes, pods, **json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}"))))


if __name__ == "__main__":
    main()
