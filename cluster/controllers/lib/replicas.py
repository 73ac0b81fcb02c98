"""As many Pods as asked for, no more and no fewer: what ReplicaSets and ReplicationControllers do alike.

In → an owner with ``replicas``, a selector and a template, and the Pods it owns; out → Pods created in batches or the least
useful ones deleted; status. Pods without owner that match the selector are adopted; owned ones that no longer match are
let go. Expectations keep it from counting before its informer has seen what it did.

Upstream: kubernetes pkg/controller/replicaset/{replica_set,replica_set_utils}.go.
"""

from typing import ClassVar

from cluster.api import selectors
from cluster.clientgo import Doc
from cluster.controllers.lib.meta import (
    condition,
    deleting,
    drop_condition,
    labels_of,
    owner_reference,
    path,
    status_of,
    without_zeros,
)
from cluster.controllers.lib.podcontrol import PodControl
from cluster.controllers.lib.pods import deletion_order, from_template, is_active, is_available, is_ready, ready_since
from cluster.controllers.lib.rollout import replicas_of
from cluster.sim import SECOND, Outbox


class ReplicaControl(PodControl):
    """Keys are ``namespace/name`` of the owners. Subclasses say ``resource``, ``owner_kind``, ``api_version`` and call
    ``on_owner`` with their events."""

    api_version: ClassVar[str]

    def selector_of(self, rs: Doc) -> Doc:
        """The owner's selector as a LabelSelector."""
        return rs["spec"]["selector"]

    # -- events ---------------------------------------------------------------------------------------------------

    def on_owner(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = f"{new['metadata']['namespace']}/{new['metadata']['name']}"
        if event_type == "DELETED":
            self.forget(key)
        self.enqueue(out, key)

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = self.owner_key(new, self.owner_kind)
        previous = self.owner_key(old, self.owner_kind) if old is not None and event_type == "MODIFIED" else None
        if previous is not None and previous != key:
            self.enqueue(out, previous)
        if key is None:
            if event_type != "DELETED" and not deleting(new):
                self._enqueue_interested(new, out)
            return
        self.observe(key, event_type, new)
        self.enqueue(out, key)
        rs = self.store(self.resource).get(key)
        seconds = rs["spec"].get("minReadySeconds", 0) if rs is not None else 0
        if seconds and is_ready(new) and not (old is not None and is_ready(old)):
            self.enqueue(out, key, seconds * SECOND)

    def _enqueue_interested(self, pod: Doc, out: Outbox) -> None:
        labels = labels_of(pod)
        if not labels:
            return
        namespace = pod["metadata"]["namespace"]
        for rs in self.store(self.resource).by("namespace", namespace):
            if selectors.from_struct(self.selector_of(rs)).matches(labels):
                self.enqueue(out, f"{namespace}/{rs['metadata']['name']}")

    # -- one run --------------------------------------------------------------------------------------------------

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        rs = self.store(self.resource).get(key)
        if rs is None:
            self.forget(key)
            return
        pods = [pod for pod in self._claimed(rs, out) if is_active(pod)]
        if self.may_count(key, now) and not deleting(rs):
            difference = len(pods) - replicas_of(rs)
            count = f"{abs(difference)} Pod{'s' if abs(difference) != 1 else ''}"
            text = f"{self.owner_kind} {key} wants {replicas_of(rs)} Pods and has {len(pods)}, so it"
            if difference < 0:
                self.note(out, f"{self.resource}/{key}", f"{text} creates {count}.")
                pod = from_template(rs["spec"]["template"], rs, self.api_version, self.owner_kind)
                self.manage(key, rs, [pod] * -difference, [], now, out)
                return  # the status follows when the last batch is answered
            self.clear_failure(key)
            if difference > 0:
                self.note(out, f"{self.resource}/{key}", f"{text} deletes {count}.")
                self.manage(key, rs, [], deletion_order(pods, self.config.epoch)[:difference], now, out)
        self._write_status(key, rs, pods, self.failure_of(key), now, out)

    def _claimed(self, rs: Doc, out: Outbox) -> list[Doc]:
        meta, store = rs["metadata"], self.store("pods")
        owned, orphans = store.by("owner", meta["uid"]), store.by("orphans", meta["namespace"])
        if not owned and not orphans:
            return []
        selector = selectors.from_struct(self.selector_of(rs))
        kept: list[Doc] = []
        for pod in owned:
            if selector.matches(labels_of(pod)):
                kept.append(pod)
            elif not deleting(pod):
                rest = [r for r in pod["metadata"]["ownerReferences"] if r["uid"] != meta["uid"]]
                self._patch_owners(pod, rest, out)
        if not deleting(rs):
            for pod in orphans:
                if is_active(pod) and selector.matches(labels_of(pod)):
                    owners = pod["metadata"].get("ownerReferences") or []
                    self._patch_owners(pod, [*owners, owner_reference(rs, self.api_version, self.owner_kind)], out)
                    kept.append(pod)
        return kept

    def _patch_owners(self, pod: Doc, owners: list[Doc], out: Outbox) -> None:
        meta = pod["metadata"]
        patch = {"metadata": {"ownerReferences": owners or None, "uid": meta["uid"]}}
        self.request(out, "PATCH", path("v1", "pods", meta["namespace"], meta["name"]), doc=patch,
                     content_type="application/merge-patch+json")  # fmt: skip

    def finished(self, key: str, now: int, out: Outbox) -> None:
        rs = self.store(self.resource).get(key)
        if rs is not None:
            pods = [pod for pod in self.store("pods").by("owner", rs["metadata"]["uid"]) if is_active(pod)]
            self._write_status(key, rs, pods, self.failure_of(key), now, out)

    # -- status ---------------------------------------------------------------------------------------------------

    def _write_status(
        self, key: str, rs: Doc, pods: list[Doc], failure: list[str] | None, now: int, out: Outbox
    ) -> None:
        seconds = rs["spec"].get("minReadySeconds", 0)
        wanted = (rs["spec"]["template"].get("metadata") or {}).get("labels") or {}
        ready = [pod for pod in pods if is_ready(pod)]
        available = [pod for pod in ready if is_available(pod, seconds, now, self.config.epoch)]
        if len(available) < len(ready):
            due = min(ready_since(pod, self.config.epoch) for pod in ready if pod not in available) + seconds * SECOND
            self.enqueue(out, key, max(due - now, SECOND))
        labeled = sum(all(labels_of(pod).get(k) == v for k, v in wanted.items()) for pod in pods)
        old = status_of(rs)
        status = {
            "replicas": len(pods),
            **without_zeros({
                "fullyLabeledReplicas": labeled,
                "readyReplicas": len(ready),
                "availableReplicas": len(available),
                "observedGeneration": rs["metadata"].get("generation", 0),
                "conditions": self._conditions(rs, failure, now),
            }),
        }  # fmt: skip
        if {"replicas": 0, **old} == status:
            return
        meta = rs["metadata"]
        self.request(
            out, "PUT", path(self.api_version, self.resource, meta["namespace"], meta["name"], "status"),
            doc={"kind": self.owner_kind, "apiVersion": self.api_version, **rs, "status": status},
        )  # fmt: skip

    def _conditions(self, rs: Doc, failure: list[str] | None, now: int) -> list[Doc]:
        conditions = status_of(rs).get("conditions") or []
        known = condition(status_of(rs), "ReplicaFailure")
        if failure is None:
            return drop_condition(conditions, "ReplicaFailure") if known is not None else conditions
        if known is not None:
            return conditions
        new = {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": self.stamp(now), "reason": failure[0],
               "message": failure[1]}  # fmt: skip
        return [*conditions, new]
