"""kube-scheduler: takes the next Pod, runs the framework, and writes the Node's name into the Pod through ``pods/binding``.

In → watches on Pods, Nodes and what plug-ins look at; out → bindings, Events (Scheduled, FailedScheduling), the Pod's condition
``PodScheduled``, now and then the deletion of Pods that must make room.

A Pod is *assumed* on its Node as soon as one is chosen, so that the next Pod is not given the same room while the binding is
on its way; the informer's news confirm it.

Simplified here: a cycle takes no virtual time; Pods that are finished are left out by the watch's field selector, as upstream.

Upstream: kubernetes pkg/scheduler/{scheduler,schedule_one,eventhandlers}.go, cmd/kube-scheduler.
"""

from typing import Any

from msgspec import field

from cluster.clientgo import ApiClient, ClientConfig, ClientState, Doc, key_of, message_of, reference_to
from cluster.scheduler.framework import (
    Cycle,
    Outcome,
    Overview,
    explained,
    failure_text,
    registry,
    run_filters,
    run_scores,
)
from cluster.scheduler.nodeinfo import NodeInfo, PodFacts, pod_facts
from cluster.scheduler.preemption import preempt
from cluster.scheduler.queue import Entry, SchedulingQueue
from cluster.sim import Outbox
from cluster.sim.clock import rfc3339
from cluster.trace.notes import Effect
from cluster.wire.http import HttpResponse

NAME = "default-scheduler"
WATCHES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("nodes", "/api/v1/nodes", "", ()),
    ("pods", "/api/v1/pods", "fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed", ()),
    ("services", "/api/v1/services", "", ("namespace",)),
    ("namespaces", "/api/v1/namespaces", "", ()),
    ("replicasets", "/apis/apps/v1/replicasets", "", ()),
    ("statefulsets", "/apis/apps/v1/statefulsets", "", ()),
    ("persistentvolumes", "/api/v1/persistentvolumes", "", ()),
    ("persistentvolumeclaims", "/api/v1/persistentvolumeclaims", "", ()),
    ("storageclasses", "/apis/storage.k8s.io/v1/storageclasses", "", ()),
)
NO_NODES = "no nodes available to schedule pods"


class SchedulerConfig(ClientConfig, frozen=True, kw_only=True):
    """``server`` is the apiserver of its own host; ``peer`` is ``system:kube-scheduler``."""

    name: str
    host: str


class SchedulerState(ClientState):
    """``nodes`` are kept up to date event by event; ``placed``: Pod → Node, assumed ones included."""

    nodes: dict[str, NodeInfo] = field(default_factory=dict)
    placed: dict[str, str] = field(default_factory=dict)
    assumed: dict[str, int] = field(default_factory=dict)
    """Pod → when it was assumed, until the informer shows its Node."""
    queue: SchedulingQueue = field(default_factory=SchedulingQueue)
    next_start: int = 0
    scheduled: int = 0
    failures: int = 0


class Scheduler(ApiClient):
    """The process."""

    kind = "kube-scheduler"
    qps = 50.0
    burst = 100

    def __init__(self, name: str, config: SchedulerConfig, state: Any = None) -> None:
        super().__init__(name, config, state)
        self._overview: Overview | None = None
        self._reacting: dict[str, tuple[str, ...]] = {}
        for plugin in registry():
            for event in plugin.reacts_to:
                self._reacting[event] = (*self._reacting.get(event, ()), plugin.name)

    def fresh(self) -> SchedulerState:
        return SchedulerState()

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        super().boot(disk, now, out)
        for key, path, query, indexes in WATCHES:
            self.watch_resource(out, key, path, query, indexes)
        self.campaign(out, "kube-system", "kube-scheduler", f"{self.config.host}_{out.dice.uuid()}")

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        super().step(src, message, now, out)
        if self.state.queue.active and self.leading and self._all_synced():
            self._schedule_pending(now, out)

    def on_timer(self, name: str, data: Any, now: int, out: Outbox) -> None:
        if name == "queue":
            self.state.queue.due(now)
            self._set_timer(now, out)

    def _all_synced(self) -> bool:
        return all(r.synced for r in self.state.reflectors.values())

    def _set_timer(self, now: int, out: Outbox) -> None:
        due = self.state.queue.next_due()
        if due is not None:
            out.timer("queue", max(due - now, 1), cause=0)

    # -- what is heard --------------------------------------------------------------------------------------------

    def on_nodes(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """Keep the Node's facts; a new or changed Node may suit Pods that wait."""
        name = new["metadata"]["name"]
        if event_type == "DELETED":
            self._overview = None
            info = self.state.nodes.get(name)
            if info is not None:
                info.doc = None
                if not info.pods:
                    del self.state.nodes[name]
            return
        known = old is not None and _node_facts(old) == _node_facts(new)
        info = self._node(name)
        if known and info.doc is not None:
            info.doc = new
            return
        overview = self._overview
        if overview is None or info.doc is None:
            self._overview = None
            info.set_node(new)
        else:
            overview.count_images(info, -1)
            info.set_node(new)
            overview.count_images(info, 1)
        if not known:
            self._wake("node/add" if event_type == "ADDED" else "node/update", now, out)

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """A Pod with a Node counts there; one without waits in the queue."""
        key = key_of(new)
        node_name = new["spec"].get("nodeName")
        if event_type == "DELETED":
            self.state.queue.remove(key)
            self.state.assumed.pop(key, None)
            if self._unplace(key):
                self._wake("pod/delete", now, out)
            return
        if node_name:
            self._placed(key, node_name, old, new, now, out)
            return
        if new["spec"].get("schedulerName", NAME) != NAME:
            return
        if new["metadata"].get("deletionTimestamp") or new["spec"].get("schedulingGates"):
            self.state.queue.remove(key)
            return
        if key in self.state.assumed:
            return
        if key not in self.state.queue.entries:
            self.state.queue.add(key, new["spec"].get("priority") or 0, now, out.cause)
        elif old is not None and (
            old["spec"] != new["spec"] or old["metadata"].get("labels") != new["metadata"].get("labels")
        ):
            self.state.queue.wake_one(key, now, out.cause)
            self._set_timer(now, out)

    def _placed(self, key: str, node_name: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        self.state.queue.remove(key)
        self.state.assumed.pop(key, None)
        known = self.state.placed.get(key) == node_name
        if known and old is not None and old["spec"] == new["spec"] and _same_meta(old, new):
            facts = self.state.nodes[node_name].pods.get(key)
            if facts is not None:
                facts.doc = new  # only its status changed; the older document needs not be kept
            return
        self._unplace(key)
        self._place(pod_facts(new), node_name)
        self._wake("pod/update" if known and old is not None and old["spec"].get("nodeName") else "pod/add", now, out)

    def on_services(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """Looked up by PodTopologySpread when it needs them."""

    def on_persistentvolumes(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """A volume may be what a Pod waits for."""
        self._wake("volume", now, out)

    def on_persistentvolumeclaims(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        """A claim may be what a Pod waits for."""
        self._wake("volume", now, out)

    def _wake(self, event: str, now: int, out: Outbox) -> None:
        queue = self.state.queue
        if queue.entries and queue.wake(self._reacting.get(event, ()), now, out.cause):
            self._set_timer(now, out)

    def _node(self, name: str) -> NodeInfo:
        info = self.state.nodes.get(name)
        if info is None:
            info = self.state.nodes[name] = NodeInfo(name)
        return info

    def _place(self, pod: PodFacts, node_name: str) -> None:
        info = self._node(node_name)
        info.add(pod)
        self.state.placed[pod.key] = node_name
        if self._overview is not None:
            self._overview.look(info)

    def _unplace(self, key: str) -> bool:
        node_name = self.state.placed.pop(key, None)
        if node_name is None:
            return False
        info = self.state.nodes.get(node_name)
        if info is not None:
            info.remove(key)
            if self._overview is not None:
                self._overview.look(info)
            if info.doc is None and not info.pods:
                del self.state.nodes[node_name]
        return True

    # -- one cycle ------------------------------------------------------------------------------------------------

    def _schedule_pending(self, now: int, out: Outbox) -> None:
        if self._overview is None:
            self._overview = Overview(self.state.nodes)
        while (entry := self.state.queue.pop()) is not None:
            pod = self.store("pods").get(entry.key)
            if pod is None:
                self.state.queue.remove(entry.key)
                continue
            out.cause = entry.cause
            self._schedule_one(entry, pod, self._overview, now, out)
        self._set_timer(now, out)

    def _schedule_one(self, entry: Entry, pod: Doc, overview: Overview, now: int, out: Outbox) -> None:
        facts, names = pod_facts(pod), overview.names
        if not names:
            self._failed(entry, facts, NO_NODES, ("NodeName", "NodeAffinity", "NodeResourcesFit"), "", now, out)
            return
        cycle = Cycle(facts, overview, self.state.stores)
        feasible, outcome = run_filters(cycle, names, self.state.next_start % len(names))
        self.state.next_start = outcome.next_start
        if feasible:
            run_scores(cycle, feasible, outcome, out.dice)
            self._note(facts, cycle, outcome, names, out)
            self._bind(facts, outcome.node, out)
            return
        self.state.failures += 1
        nominated, sentence = self._make_room(entry, cycle, outcome, names, now, out)
        text = failure_text(outcome, len(names), sentence)
        refused_by = {reason.plugin: None for reason in outcome.refused.values()}
        if outcome.everywhere is not None:
            refused_by[outcome.everywhere.plugin] = None
        self._note(facts, cycle, outcome, names, out, text)
        self._failed(entry, facts, text, tuple(refused_by), nominated, now, out)

    def _note(
        self, pod: PodFacts, cycle: Cycle, outcome: Outcome, names: list[str], out: Outbox, text: str = ""
    ) -> None:
        if not out.cause:
            return
        if text:
            text = f"Pod {pod.key} can't be scheduled: {text}"
        else:
            fit = outcome.evaluated - len(outcome.refused) if not cycle.only else len(names) - len(outcome.refused)
            text = f"Pod {pod.key} goes to {outcome.node}: {fit} of {len(names)} nodes would do"
            if fit > 1:
                text += " and it has the highest score." if outcome.best == 1 else (
                    f", {outcome.best} of them share the highest score, and the dice chose.")  # fmt: skip
            else:
                text += "."
        out.note(Effect("schedule", f"pods/{pod.key}", text, explained(cycle, outcome, names)))

    # -- binding --------------------------------------------------------------------------------------------------

    def _bind(self, pod: PodFacts, node_name: str, out: Outbox) -> None:
        self.state.assumed[pod.key] = self.now
        self._place(pod, node_name)
        meta = pod.doc["metadata"]
        doc = {
            "kind": "Binding",
            "apiVersion": "v1",
            "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
            "target": {"kind": "Node", "name": node_name},
        }
        self.request(
            out, "POST", f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/binding", doc=doc, then="bound",
            args=(pod.key, node_name, reference_to({"metadata": meta}, "Pod", "v1"), pod.priority),
        )  # fmt: skip

    def bound(
        self, response: HttpResponse, key: str, node_name: str, about: Doc, priority: int, now: int, out: Outbox
    ) -> None:
        """Bound; or not: then the Pod isn't assumed any longer and tries again, if it still needs to."""
        if response.code in (200, 201):
            self.state.scheduled += 1
            self.state.queue.remove(key)
            self.event_v1(out, about, "Normal", "Scheduled", f"Successfully assigned {key} to {node_name}",
                          action="Binding", controller=NAME, instance=f"{NAME}-{self.config.host}")  # fmt: skip
            return
        if self.state.assumed.pop(key, None) is None:
            return  # the informer knows better: it has a Node, or is gone
        self._unplace(key)
        entry = self.state.queue.entries.get(key)
        pod = self.store("pods").get(key)
        if entry is None or pod is None or response.code == 404:
            self.state.queue.remove(key)
            return
        text = f"binding rejected: {message_of(response)}"
        self._failed(entry, pod_facts(pod), text, (), "", now, out, reason="SchedulerError")
        self._set_timer(now, out)

    # -- failing --------------------------------------------------------------------------------------------------

    def _make_room(
        self, entry: Entry, cycle: Cycle, outcome: Outcome, names: list[str], now: int, out: Outbox
    ) -> tuple[str, str]:
        """Preemption: ``(nominated node, "")``, or ``("", why not)``."""
        nominated = self.state.nodes.get(entry.nominated)
        if nominated is not None and any(
            p.terminating and p.priority < cycle.pod.priority for p in nominated.pods.values()
        ):
            return entry.nominated, "preemption: not eligible due to a terminating pod on the nominated node."
        cycle.data.setdefault("filters", [])
        node_name, victims, sentence = preempt(cycle, outcome, names)
        for victim in victims:
            self._evict(victim, cycle.pod, node_name, now, out)
        return node_name, sentence

    def _evict(self, victim: PodFacts, pod: PodFacts, node_name: str, now: int, out: Outbox) -> None:
        condition = {
            "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
            "message": f"{NAME}: preempting to accommodate a higher priority pod",
            "lastTransitionTime": rfc3339(self.config.epoch, now),
        }  # fmt: skip
        path = f"/api/v1/namespaces/{victim.namespace}/pods/{victim.name}"
        self.request(out, "PATCH", f"{path}/status", doc={"status": {"conditions": [condition]}},
                     content_type="application/strategic-merge-patch+json", then="victim_told", args=(path,))  # fmt: skip
        self.event_v1(
            out, reference_to(victim.doc, "Pod", "v1"), "Normal", "Preempted",
            f"Preempted by pod {pod.uid} on node {node_name}", action="Preempting", controller=NAME,
            instance=f"{NAME}-{self.config.host}",
        )  # fmt: skip

    def victim_told(self, response: HttpResponse, path: str, now: int, out: Outbox) -> None:
        """The victim says why it goes; now it goes."""
        if response.code == 200:
            self.request(out, "DELETE", path, then="ignored")

    def ignored(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """Whatever came of it, the informer will tell."""

    def _failed(
        self, entry: Entry, pod: PodFacts, text: str, refused_by: tuple[str, ...], nominated: str, now: int, out: Outbox,
        reason: str = "Unschedulable",
    ) -> None:  # fmt: skip
        entry.nominated = nominated
        self.state.queue.failed(entry, refused_by, now)
        self.event_v1(out, reference_to(pod.doc, "Pod", "v1"), "Warning", "FailedScheduling", text, action="Scheduling",
                      controller=NAME, instance=f"{NAME}-{self.config.host}")  # fmt: skip
        status = pod.doc.get("status") or {}
        known = next((c for c in status.get("conditions") or () if c["type"] == "PodScheduled"), None)
        condition: Doc = {"type": "PodScheduled", "status": "False", "reason": reason, "message": text}
        same = known is not None and all(known.get(name) == value for name, value in condition.items())
        if same and status.get("nominatedNodeName", "") == nominated:
            return
        changed = known is None or known["status"] != "False"
        condition["lastProbeTime"] = None
        condition["lastTransitionTime"] = rfc3339(self.config.epoch, now) if changed or known is None else (
            known.get("lastTransitionTime"))  # fmt: skip
        patch: Doc = {"status": {"conditions": [condition]}}
        if nominated:
            patch["status"]["nominatedNodeName"] = nominated
        self.request(out, "PATCH", f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/status", doc=patch,
                     content_type="application/strategic-merge-patch+json", then="ignored")  # fmt: skip

    def status(self) -> dict[str, Any]:
        """Leader or not, and the queue."""
        election = self.state.election
        return {"leader": election.leader, "identity": election.identity, "queue": self.state.queue.counts(),
                "scheduled": self.state.scheduled}  # fmt: skip


def _node_facts(node: Doc) -> tuple[Any, ...]:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    return (
        node["metadata"].get("labels"), spec.get("taints"), spec.get("unschedulable"), status.get("allocatable"),
        status.get("images"),
    )  # fmt: skip


def _same_meta(old: Doc, new: Doc) -> bool:
    a, b = old["metadata"], new["metadata"]
    return a.get("labels") == b.get("labels") and a.get("deletionTimestamp") == b.get("deletionTimestamp")
