"""Node lifecycle: who stopped sending heartbeats is marked, tainted, and its Pods are told not to count as ready.

In → Nodes and their Leases (renewed every 10 s); out → after 50 s of silence the conditions become ``Unknown``
(NodeStatusUnknown, "Kubelet stopped posting node status."), and taints follow the conditions: ``not-ready`` and
``unreachable`` as NoSchedule at once and as NoExecute, ``memory-pressure`` and friends, ``unschedulable`` for a cordoned Node.

Time is measured on this process's clock since the Lease was last *seen to change*; a Node's own clock is never believed.

Simplified here: no zones and no eviction rate (0.1 Nodes a second upstream): a Node is tainted NoExecute at once, unless
every Node is silent, when the fault is likelier to be here and nobody is evicted. The check isn't a 5 s loop but a timer for
the first Node that would be overdue.

Upstream: kubernetes pkg/controller/nodelifecycle/node_lifecycle_controller.go.
"""

from typing import Any

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import condition, deleting, path, spec_of, status_of
from cluster.controllers.lib.pods import is_ready
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpResponse

GRACE = 50 * SECOND
STARTUP_GRACE = 60 * SECOND
"""For a Node whose kubelet has never said anything."""
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
WATCHED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
NEVER = "Kubelet never posted node status."
STOPPED = "Kubelet stopped posting node status."

_PRESSURE = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
}
_OURS = (NOT_READY, UNREACHABLE, UNSCHEDULABLE, *_PRESSURE.values())


class NodeLifecycleController(Controller):
    """Keys are names of Nodes. Memory ``heard``: Node → when its Lease or status was last seen to change; ``silent``: whether all
    were when a Node last turned."""

    name = "node-lifecycle"
    user = "node-controller"
    watches = ("nodes", "leases", "pods")

    @property
    def _heard(self) -> dict[str, int]:
        return self.memory.setdefault("heard", {})

    # -- events ---------------------------------------------------------------------------------------------------

    def on_leases(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        meta = new["metadata"]
        if meta.get("namespace") == "kube-node-lease" and event_type != "DELETED" and meta["name"] in self._heard:
            self._heard[meta["name"]] = now

    def on_nodes(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        name = new["metadata"]["name"]
        if event_type == "DELETED":
            self._heard.pop(name, None)
            self._say(new, "RemovingNode", f"Node {name} event: Removing Node {name} from Controller", out)
            return
        if event_type == "ADDED":
            self._heard[name] = now
            self._say(new, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller", out)
            self._check_later(now, out)
        elif old is not None and _heartbeats(old) != _heartbeats(new):
            self._heard[name] = now
        if old is None or _relevant(old) != _relevant(new):
            self.enqueue(out, name)
            if old is not None and _ready(old) != _ready(new):
                silent = self._all_silent()
                if silent != self.memory.get("silent", False):  # it decides about everybody's taints
                    self.memory["silent"] = silent
                    for node in self.store("nodes"):
                        self.enqueue(out, node["metadata"]["name"])

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """A Pod that came to a silent Node just now isn't ready either."""
        node_name = spec_of(new).get("nodeName")
        if event_type == "DELETED" or not node_name or not is_ready(new) or (old is not None and is_ready(old)):
            return
        node = self.store("nodes").get(node_name)
        ready = condition(status_of(node), "Ready") if node is not None else None
        if ready is not None and ready["status"] == "Unknown":
            self._mark_pod(new, now, out)

    # -- silence --------------------------------------------------------------------------------------------------

    def _check_later(self, now: int, out: Outbox) -> None:
        if self._heard:
            self.timer(out, max(min(map(self._due, self._heard)) - now, SECOND))

    def _due(self, name: str) -> int:
        """When the Node's conditions become Unknown if nothing more is heard of it."""
        node = self.store("nodes").get(name)
        never = node is not None and condition(status_of(node), "Ready") is None
        return self._heard[name] + (STARTUP_GRACE if never else GRACE)

    def on_timer(self, data: Any, now: int, out: Outbox) -> None:
        out.cause = 0
        overdue = {}
        waiting = []
        for name in self._heard:
            due = self._due(name)
            if due > now:
                waiting.append(due)
            else:
                node = self.store("nodes").get(name)
                ready = condition(status_of(node), "Ready") if node is not None else None
                if node is not None and (ready is None or ready["status"] != "Unknown"):
                    overdue[name] = node
        for node in overdue.values():
            self._mark_unknown(node, now, out)
        after = min(waiting) - now if waiting else 5 * SECOND
        self.timer(out, max(after, SECOND) if not overdue else min(max(after, SECOND), 5 * SECOND))

    def _mark_unknown(self, node: Doc, now: int, out: Outbox) -> None:
        status, stamp = status_of(node), self.stamp(now)
        conditions: list[Doc] = []
        known = {c["type"]: c for c in status.get("conditions") or ()}
        for entry in status.get("conditions") or ():
            if entry["type"] in WATCHED and entry["status"] != "Unknown":
                entry = {**entry, "status": "Unknown", "reason": "NodeStatusUnknown", "message": STOPPED,
                         "lastTransitionTime": stamp}  # fmt: skip
            conditions.append(entry)
        for kind in WATCHED:
            if kind not in known:
                conditions.append({
                    "type": kind, "status": "Unknown", "reason": "NodeStatusNeverUpdated", "message": NEVER,
                    "lastHeartbeatTime": node["metadata"].get("creationTimestamp"), "lastTransitionTime": stamp,
                })  # fmt: skip
        name = node["metadata"]["name"]
        was_ready = known.get("Ready", {}).get("status") == "True"
        doc = {"kind": "Node", "apiVersion": "v1", **node, "status": {**status, "conditions": conditions}}
        seconds = (GRACE if "Ready" in known else STARTUP_GRACE) // SECOND
        self.note(out, f"nodes/{name}", f"No heartbeat from {name} for {seconds} s: its conditions are Unknown now.")
        self.request(out, "PUT", path("v1", "nodes", "", name, "status"), doc=doc, then="marked", args=(was_ready,))

    def marked(self, response: HttpResponse, was_ready: bool, now: int, out: Outbox) -> None:
        """The Node is Unknown: its Pods aren't ready any more, which takes them out of their Services."""
        if response.code != 200:
            return  # the timer comes again
        node = response.doc
        name = node["metadata"]["name"]
        if was_ready:
            self._say(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady", out)
        for pod in self.store("pods").by("node", name):
            if is_ready(pod):
                self._mark_pod(pod, now, out)

    def _mark_pod(self, pod: Doc, now: int, out: Outbox) -> None:
        meta = pod["metadata"]
        conditions = [
            {**c, "status": "False", "lastTransitionTime": self.stamp(now)} if c["type"] == "Ready" else c
            for c in status_of(pod).get("conditions") or ()
        ]
        self.event(out, pod, "pods", "Warning", "NodeNotReady", "Node is not ready")
        self.request(out, "PATCH", path("v1", "pods", meta["namespace"], meta["name"], "status"),
                     doc={"status": {"conditions": conditions}}, content_type="application/merge-patch+json")  # fmt: skip

    # -- taints ---------------------------------------------------------------------------------------------------

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        """Make the Node's taints say what its conditions say."""
        node = self.store("nodes").get(key)
        if node is None or deleting(node):
            return
        status = status_of(node)
        wanted: list[tuple[str, str]] = []
        ready = condition(status, "Ready")
        state = ready["status"] if ready is not None else "Unknown"
        if state != "True" and ready is not None:
            taint = NOT_READY if state == "False" else UNREACHABLE
            wanted.append((taint, "NoSchedule"))
            if not self._all_silent():
                wanted.append((taint, "NoExecute"))
        for kind, taint in _PRESSURE.items():
            entry = condition(status, kind)
            if entry is not None and entry["status"] == "True":
                wanted.append((taint, "NoSchedule"))
        if spec_of(node).get("unschedulable"):
            wanted.append((UNSCHEDULABLE, "NoSchedule"))
        before: list[Doc] = spec_of(node).get("taints") or []
        kept = [t for t in before if t["key"] not in _OURS or (t["key"], t["effect"]) in wanted]
        present = {(t["key"], t["effect"]) for t in kept}
        added: list[Doc] = []
        for taint, effect in wanted:
            if (taint, effect) not in present:
                added.append({"key": taint, "effect": effect, "timeAdded": self.stamp(now)})
        if ready is None:  # not heard of yet: leave the taint that registration gave it
            kept = before
        taints = [*kept, *added]
        if taints == before:
            return
        words = ", ".join(f"{t['key']}:{t['effect']}" for t in added) or "none of its former taints"
        self.note(out, f"nodes/{key}", f"Node {key} gets {words}.")
        spec = {**spec_of(node), "taints": taints}
        if not taints:
            del spec["taints"]
        self.request(
            out, "PUT", path("v1", "nodes", "", key), doc={"kind": "Node", "apiVersion": "v1", **node, "spec": spec}
        )

    def _all_silent(self) -> bool:
        """The first Node that isn't says no: nearly always the first that is looked at."""
        nodes = self.store("nodes")
        return len(nodes) > 1 and all(_ready(node) == "Unknown" for node in nodes)

    # -- events ---------------------------------------------------------------------------------------------------

    def _say(self, node: Doc, reason: str, message: str, out: Outbox) -> None:
        self.event(out, node, "nodes", "Normal", reason, message)

    @property
    def event_source(self) -> str:
        return "node-controller"


def _heartbeats(node: Doc) -> list[Any]:
    return [entry.get("lastHeartbeatTime") for entry in status_of(node).get("conditions") or ()]


def _ready(node: Doc) -> str:
    entry = condition(status_of(node), "Ready")
    return entry["status"] if entry is not None else ""


def _relevant(node: Doc) -> tuple[Any, ...]:
    states = [(entry["type"], entry["status"]) for entry in status_of(node).get("conditions") or ()]
    return states, spec_of(node).get("taints"), spec_of(node).get("unschedulable")
