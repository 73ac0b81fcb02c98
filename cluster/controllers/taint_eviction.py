"""Taint eviction: Pods leave a Node with a NoExecute taint that they don't tolerate, or when their tolerance ends.

In → Nodes' NoExecute taints and the Pods on them; out → a deletion at once, or after the shortest ``tolerationSeconds``
(300 for ``not-ready`` and ``unreachable`` unless the Pod says otherwise: the admission plug-in DefaultTolerationSeconds).
If the taint goes first, so does the plan.

Upstream: kubernetes pkg/controller/tainteviction/taint_eviction.go.
"""

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import deleting, path, since, spec_of, status_of
from cluster.controllers.lib.pods import phase
from cluster.controllers.lib.taints import tolerates
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpResponse

EVICT_MESSAGE = "Taint manager: deleting due to NoExecute taint"


class TaintEvictionController(Controller):
    """Keys are ``namespace/name`` of Pods. Memory ``planned``: Pod → the instant at which it goes."""

    name = "taint-eviction"
    user = "node-controller"
    watches = ("nodes", "pods")
    workers = 8

    @property
    def _planned(self) -> dict[str, int]:
        return self.memory.setdefault("planned", {})

    def on_nodes(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "DELETED":
            return
        before = no_execute(old) if old is not None else []
        if no_execute(new) != before:
            for pod in self.store("pods").by("node", new["metadata"]["name"]):
                self.enqueue(out, f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = f"{new['metadata']['namespace']}/{new['metadata']['name']}"
        if event_type == "DELETED":
            self._planned.pop(key, None)
            return
        node_name = spec_of(new).get("nodeName")
        node = self.store("nodes").get(node_name) if node_name else None
        if node is None or not no_execute(node):
            return
        if (
            old is None
            or spec_of(old).get("nodeName") != node_name
            or spec_of(old).get("tolerations") != spec_of(new).get("tolerations")
        ):
            self.enqueue(out, key)

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        pod = self.store("pods").get(key)
        node = self.store("nodes").get(spec_of(pod).get("nodeName", "")) if pod is not None else None
        if pod is None or node is None or deleting(pod) or phase(pod) in ("Succeeded", "Failed"):
            self._planned.pop(key, None)
            return
        due = self._due(pod, no_execute(node), now)
        if due is None:
            if self._planned.pop(key, None) is not None:
                self.event(out, pod, "pods", "Normal", "TaintManagerEviction", f"Cancelling deletion of Pod {key}")
        elif due <= now:
            self._planned.pop(key, None)
            self._evict(key, pod, now, out)
        elif self._planned.get(key) != due:
            self._planned[key] = due
            self.enqueue(out, key, due - now)

    def _due(self, pod: Doc, taints: list[Doc], now: int) -> int | None:
        """When it has to go: None never, ``now`` at once."""
        tolerations: list[Doc] = spec_of(pod).get("tolerations") or []
        shortest: int | None = None
        began = now
        for taint in taints:
            matching = [t for t in tolerations if tolerates(t, taint)]
            if not matching:
                return now
            for toleration in matching:
                seconds = toleration.get("tolerationSeconds")
                if seconds is not None:
                    shortest = max(0, seconds) if shortest is None else min(shortest, max(0, seconds))
            if taint.get("timeAdded"):
                began = min(began, since(taint["timeAdded"], self.config.epoch))
        return None if shortest is None else began + shortest * SECOND

    def _evict(self, key: str, pod: Doc, now: int, out: Outbox) -> None:
        meta = pod["metadata"]
        node_name = spec_of(pod)["nodeName"]
        self.note(
            out, f"pods/{key}", f"Pod {key} doesn't tolerate the taints of {node_name} any longer, so it is deleted."
        )
        self.event(out, pod, "pods", "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key}")
        target = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
                  "message": EVICT_MESSAGE, "lastTransitionTime": self.stamp(now)}  # fmt: skip
        conditions = [*(c for c in status_of(pod).get("conditions") or () if c["type"] != "DisruptionTarget"), target]
        self.request(out, "PATCH", path("v1", "pods", meta["namespace"], meta["name"], "status"),
                     doc={"status": {"conditions": conditions}}, content_type="application/merge-patch+json",
                     then="told", args=(meta["namespace"], meta["name"]))  # fmt: skip

    def told(self, response: HttpResponse, namespace: str, name: str, now: int, out: Outbox) -> None:
        """The Pod says why it goes; now it goes."""
        if response.code == 404:
            return
        if response.code != 200:
            self.failed()
            return
        self.request(out, "DELETE", path("v1", "pods", namespace, name))

    @property
    def event_source(self) -> str:
        return "taint-eviction-controller"


def no_execute(node: Doc) -> list[Doc]:
    """Its taints with effect NoExecute."""
    return [taint for taint in spec_of(node).get("taints") or () if taint["effect"] == "NoExecute"]
