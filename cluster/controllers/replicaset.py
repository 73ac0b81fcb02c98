"""ReplicaSet: as many Pods as asked for, no more and no fewer.

In → a ReplicaSet and the Pods it owns; out → Pods created in batches of 1, 2, 4 … (so that a refusal costs one request, not
five hundred) or the least useful ones deleted; status. Pods without owner that match its selector are adopted; owned ones
that no longer match are let go. Expectations keep it from counting before its informer has seen what it did.

Simplified here: ReplicationControllers aren't run by the same code as upstream does; no TerminatingReplicas (alpha).

Upstream: kubernetes pkg/controller/replicaset/{replica_set,replica_set_utils}.go.
"""

from cluster.api import selectors
from cluster.clientgo import Doc, message_of
from cluster.clientgo.expectations import created, deleted, expect, forget, satisfied
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
from cluster.controllers.lib.pods import deletion_order, from_template, is_active, is_available, is_ready, ready_since
from cluster.controllers.lib.rollout import replicas_of
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpResponse

BURST_REPLICAS = 500
"""At most so many creations or deletions in one run."""


class ReplicaSetController(Controller):
    """Keys are ``namespace/name`` of ReplicaSets."""

    name = "replicaset"
    user = "replicaset-controller"
    watches = ("replicasets", "pods")

    # -- events ---------------------------------------------------------------------------------------------------

    def on_replicasets(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = f"{new['metadata']['namespace']}/{new['metadata']['name']}"
        if event_type == "DELETED":
            forget(self.expectations, self._expecting(key))
            self.memory.get("failed", {}).pop(key, None)
        self.enqueue(out, key)

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = self.owner_key(new, "ReplicaSet")
        previous = self.owner_key(old, "ReplicaSet") if old is not None and event_type == "MODIFIED" else None
        if previous is not None and previous != key:
            self.enqueue(out, previous)
        if key is None:
            if event_type != "DELETED" and not deleting(new):
                self._enqueue_interested(new, out)
            return
        expecting = self._expecting(key)
        if event_type == "ADDED":
            created(self.expectations, expecting)
        if event_type == "DELETED" or deleting(new):
            deleted(self.expectations, expecting, new["metadata"]["name"])
        self.enqueue(out, key)
        rs = self.store("replicasets").get(key)
        seconds = rs["spec"].get("minReadySeconds", 0) if rs is not None else 0
        if seconds and is_ready(new) and not (old is not None and is_ready(old)):
            self.enqueue(out, key, seconds * SECOND)

    def _enqueue_interested(self, pod: Doc, out: Outbox) -> None:
        labels = labels_of(pod)
        if not labels:
            return
        namespace = pod["metadata"]["namespace"]
        for rs in self.store("replicasets").by("namespace", namespace):
            if selectors.from_struct(rs["spec"]["selector"]).matches(labels):
                self.enqueue(out, f"{namespace}/{rs['metadata']['name']}")

    def _expecting(self, key: str) -> str:
        return f"{self.name}/{key}"

    # -- one run --------------------------------------------------------------------------------------------------

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        rs = self.store("replicasets").get(key)
        if rs is None:
            forget(self.expectations, self._expecting(key))
            return
        pods = [pod for pod in self._claimed(rs, out) if is_active(pod)]
        if satisfied(self.expectations, self._expecting(key), now) and not deleting(rs):
            difference = len(pods) - replicas_of(rs)
            if difference < 0:
                self._create(key, rs, min(-difference, BURST_REPLICAS), now, out)
                return  # the status follows when the last batch is answered
            self.memory.get("failed", {}).pop(key, None)
            if difference > 0:
                self._delete(key, rs, pods, min(difference, BURST_REPLICAS), now, out)
        failure = self.memory.get("failed", {}).get(key)
        self._write_status(key, rs, pods, failure, now, out)

    def _claimed(self, rs: Doc, out: Outbox) -> list[Doc]:
        meta, store = rs["metadata"], self.store("pods")
        owned, orphans = store.by("owner", meta["uid"]), store.by("orphans", meta["namespace"])
        if not owned and not orphans:
            return []
        selector = selectors.from_struct(rs["spec"]["selector"])
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
                    self._patch_owners(pod, [*owners, owner_reference(rs, "apps/v1", "ReplicaSet")], out)
                    kept.append(pod)
        return kept

    def _patch_owners(self, pod: Doc, owners: list[Doc], out: Outbox) -> None:
        meta = pod["metadata"]
        patch = {"metadata": {"ownerReferences": owners or None, "uid": meta["uid"]}}
        self.request(out, "PATCH", path("v1", "pods", meta["namespace"], meta["name"]), doc=patch,
                     content_type="application/merge-patch+json")  # fmt: skip

    # -- creating -------------------------------------------------------------------------------------------------

    def _create(self, key: str, rs: Doc, count: int, now: int, out: Outbox) -> None:
        expect(self.expectations, self._expecting(key), now, adds=count)
        text = "1 Pod" if count == 1 else f"{count} Pods"
        self.note(out, f"replicasets/{key}", f"ReplicaSet {key} wants {replicas_of(rs)} Pods, so it creates {text}.")
        # Per key: how many are left, the size of this batch, how many of it are unanswered, did one fail.
        self.memory.setdefault("batches", {})[key] = [count, 1, 0, False]
        self._next_batch(key, rs, out)

    def _next_batch(self, key: str, rs: Doc, out: Outbox) -> None:
        batch = self.memory["batches"][key]
        size = min(batch[0], batch[1])
        batch[0] -= size
        batch[1] = size * 2
        batch[2] = size
        pod = from_template(rs["spec"]["template"], rs, "apps/v1", "ReplicaSet")
        for _ in range(size):
            self.request(out, "POST", path("v1", "pods", rs["metadata"]["namespace"]), doc=pod, then="pod_created",
                         args=(key, rs))  # fmt: skip

    def pod_created(self, response: HttpResponse, key: str, rs: Doc, now: int, out: Outbox) -> None:
        """One answer of a batch; after the last, the next and twice as big a batch, unless one was refused."""
        batch = self.memory.get("batches", {}).get(key)
        if batch is None:
            return
        batch[2] -= 1
        failures = self.memory.setdefault("failed", {})
        if response.code == 201:
            failures.pop(key, None)
            self.event(out, rs, "replicasets", "Normal", "SuccessfulCreate",
                       f"Created pod: {response.doc['metadata']['name']}")  # fmt: skip
        else:
            created(self.expectations, self._expecting(key))
            if "being terminated" not in message_of(response):
                batch[3] = True
                failures[key] = ["FailedCreate", message_of(response)]
                self.event(out, rs, "replicasets", "Warning", "FailedCreate", f"Error creating: {message_of(response)}")
        if batch[2]:
            return
        if batch[0] and not batch[3]:
            self._next_batch(key, rs, out)
            return
        del self.memory["batches"][key]
        for _ in range(batch[0]):  # the ones never tried are not to be waited for
            created(self.expectations, self._expecting(key))
        if batch[3]:
            self.failed()
        rs = self.store("replicasets").get(key) or rs
        pods = [pod for pod in self.store("pods").by("owner", rs["metadata"]["uid"]) if is_active(pod)]
        self._write_status(key, rs, pods, failures.get(key), now, out)

    # -- deleting -------------------------------------------------------------------------------------------------

    def _delete(self, key: str, rs: Doc, pods: list[Doc], count: int, now: int, out: Outbox) -> None:
        doomed = deletion_order(pods, self.config.epoch)[:count]
        expect(self.expectations, self._expecting(key), now, deletes=[pod["metadata"]["name"] for pod in doomed])
        text = "1 Pod" if count == 1 else f"{count} Pods"
        self.note(out, f"replicasets/{key}", f"ReplicaSet {key} wants {replicas_of(rs)} Pods, so it deletes {text}.")
        for pod in doomed:
            meta = pod["metadata"]
            self.request(out, "DELETE", path("v1", "pods", meta["namespace"], meta["name"]), then="pod_deleted",
                         args=(key, rs, meta["name"]))  # fmt: skip

    def pod_deleted(self, response: HttpResponse, key: str, rs: Doc, pod: str, now: int, out: Outbox) -> None:
        """The deletion was accepted (200), or there was nothing to delete (404)."""
        if response.code in (200, 202):
            self.event(out, rs, "replicasets", "Normal", "SuccessfulDelete", f"Deleted pod: {pod}")
            return
        deleted(self.expectations, self._expecting(key), pod)
        if response.code != 404:
            self.event(out, rs, "replicasets", "Warning", "FailedDelete", f"Error deleting: {message_of(response)}")
            self.failed()

    # -- status ---------------------------------------------------------------------------------------------------

    def _write_status(self, key: str, rs: Doc, pods: list[Doc], failure: list[str] | None, now: int, out: Outbox) -> None:
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
            out, "PUT", path("apps/v1", "replicasets", meta["namespace"], meta["name"], "status"),
            doc={"kind": "ReplicaSet", "apiVersion": "apps/v1", **rs, "status": status},
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
