"""Pod garbage: Pods whose Node doesn't exist, Pods that are to go but never had a Node, and too many finished ones.

In → Pods and Nodes; out → the Pod is marked Failed with the condition DisruptionTarget and deleted without grace. A Node that
isn't there gets 40 s to appear first (a controller may be ahead of its Node informer).

Simplified here: instead of a look every 20 s each event that could make garbage starts a check.

Upstream: kubernetes pkg/controller/podgc/gc_controller.go.
"""

from typing import Any

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import age_key, deleting, path, spec_of, status_of
from cluster.controllers.lib.pods import phase
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpResponse

QUARANTINE = 40 * SECOND
TERMINATED_THRESHOLD = 12_500


class PodGcController(Controller):
    """Keys are ``pod:namespace/name``, ``node:name`` and ``finished``. Memory ``finished``: how many Pods are finished."""

    name = "pod-gc"
    user = "pod-garbage-collector"
    watches = ("pods", "nodes")

    def on_nodes(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "DELETED":
            self.enqueue(out, f"node:{new['metadata']['name']}", QUARANTINE)

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        was = old is not None and phase(old) in ("Succeeded", "Failed")
        done = event_type != "DELETED" and phase(new) in ("Succeeded", "Failed")
        if was != done:
            self.memory["finished"] = self.memory.get("finished", 0) + (1 if done else -1)
            if self.memory["finished"] > TERMINATED_THRESHOLD:
                self.enqueue(out, "finished", SECOND)
        if event_type == "DELETED":
            return
        node = spec_of(new).get("nodeName")
        if deleting(new) and not node:
            self.enqueue(out, f"pod:{new['metadata']['namespace']}/{new['metadata']['name']}")
        elif node and event_type == "ADDED" and self.manager.synced("nodes") and self.store("nodes").get(node) is None:
            self.enqueue(out, f"node:{node}", QUARANTINE)

    def start(self, now: int, out: Outbox) -> None:
        nodes = self.store("nodes")
        for pod in self.store("pods"):
            node = spec_of(pod).get("nodeName")
            if node and nodes.get(node) is None:
                self.enqueue(out, f"node:{node}", QUARANTINE)

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        what, _, name = key.partition(":")
        if what == "finished":
            done = sorted((p for p in self.store("pods") if phase(p) in ("Succeeded", "Failed")), key=age_key)
            for pod in done[: max(0, len(done) - TERMINATED_THRESHOLD)]:
                self._delete(pod, None, now, out)
        elif what == "pod":
            pod = self.store("pods").get(name)
            if pod is not None and deleting(pod) and not spec_of(pod).get("nodeName"):
                self._delete(pod, None, now, out)
        elif self.store("nodes").get(name) is None and self.store("pods").by("node", name):
            self.request(out, "GET", path("v1", "nodes", "", name), then="node_read", args=(name,))

    def node_read(self, response: HttpResponse, name: str, now: int, out: Outbox) -> None:
        """The server itself says that there is no such Node: its Pods are orphans."""
        if response.code == 404:
            for pod in self.store("pods").by("node", name):
                self._delete(pod, "PodGC: node no longer exists", now, out)
        elif response.code != 200:
            self.failed()

    def _delete(self, pod: Doc, message: str | None, now: int, out: Outbox) -> None:
        meta = pod["metadata"]
        where = path("v1", "pods", meta["namespace"], meta["name"])
        if message is None or phase(pod) in ("Succeeded", "Failed"):
            self._remove(where, meta["uid"], out)
            return
        target: Doc = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "message": message,
                       "lastTransitionTime": self.stamp(now)}  # fmt: skip
        kept = [c for c in status_of(pod).get("conditions") or () if c["type"] != "DisruptionTarget"]
        patch: dict[str, Any] = {"status": {"phase": "Failed", "conditions": [*kept, target]}}
        self.request(out, "PATCH", where + "/status", doc=patch, content_type="application/merge-patch+json",
                     then="marked", args=(where, meta["uid"]))  # fmt: skip

    def marked(self, response: HttpResponse, where: str, uid: str, now: int, out: Outbox) -> None:
        """It says why; now it goes."""
        if response.code == 200:
            self._remove(where, uid, out)
        elif response.code != 404:
            self.failed()

    def _remove(self, where: str, uid: str, out: Outbox) -> None:
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "preconditions": {"uid": uid}}
        self.request(out, "DELETE", where, doc=options)
