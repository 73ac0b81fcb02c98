"""Creating and deleting Pods for an owner, in batches and with expectations: what ReplicaSets, DaemonSets and Jobs share.

Creations go out in batches of 1, 2, 4 …; if one of a batch is refused the rest is not tried, so that a full quota costs one
request and not five hundred. Each run expects what it asked for and is not repeated before its informer has seen it.

Upstream: kubernetes pkg/controller/controller_utils.go (RealPodControl), replicaset/replica_set.go (slowStartBatch).
"""

from typing import Any, ClassVar

from cluster.clientgo import Doc, message_of
from cluster.clientgo.expectations import created, deleted, expect, forget, satisfied
from cluster.controllers.lib.meta import deleting, path
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox
from cluster.wire.http import HttpResponse

BURST_REPLICAS = 500
"""At most so many creations or deletions in one run."""


class PodControl(Controller):
    """Subclasses say ``resource`` (of the owner) and implement ``finished``. Memory: ``batches`` and ``failed`` by key."""

    resource: ClassVar[str]
    owner_kind: ClassVar[str]

    def finished(self, key: str, now: int, out: Outbox) -> None:
        """All creations of a run are answered: time for the status."""

    def failure_of(self, key: str) -> list[str] | None:
        """``[reason, message]`` of the last refused creation, until one succeeds."""
        return self.memory.get("failed", {}).get(key)

    def clear_failure(self, key: str) -> None:
        """What is wanted is there."""
        self.memory.get("failed", {}).pop(key, None)

    # -- expectations ---------------------------------------------------------------------------------------------

    def _expecting(self, key: str) -> str:
        return f"{self.name}/{key}"

    def may_count(self, key: str, now: int) -> bool:
        """Whether the informer has seen everything that was asked for."""
        return satisfied(self.expectations, self._expecting(key), now)

    def forget(self, key: str) -> None:
        """The owner is gone."""
        forget(self.expectations, self._expecting(key))
        self.clear_failure(key)

    def observe(self, key: str, event_type: str, pod: Doc) -> None:
        """A Pod of the owner was seen to come or to go."""
        if event_type == "ADDED":
            created(self.expectations, self._expecting(key))
        if event_type == "DELETED" or deleting(pod):
            deleted(self.expectations, self._expecting(key), pod["metadata"]["name"])

    # -- acting ---------------------------------------------------------------------------------------------------

    def manage(self, key: str, owner: Doc, create: list[Doc], delete: list[Doc], now: int, out: Outbox) -> bool:
        """Create these Pods and delete those. True: ``finished`` will be called when the creations are answered."""
        create, delete = create[:BURST_REPLICAS], delete[:BURST_REPLICAS]
        if not create and not delete:
            return False
        names = [pod["metadata"]["name"] for pod in delete]
        expect(self.expectations, self._expecting(key), now, adds=len(create), deletes=names)
        for pod in delete:
            meta = pod["metadata"]
            self.request(out, "DELETE", path("v1", "pods", meta["namespace"], meta["name"]), then="pod_deleted",
                         args=(key, owner, meta["name"]))  # fmt: skip
        if create:
            # Per key: what is left, the size of the next batch, how many are unanswered, was one refused.
            self.memory.setdefault("batches", {})[key] = [create, 1, 0, False]
            self._next_batch(key, owner, out)
        return bool(create)

    def _next_batch(self, key: str, owner: Doc, out: Outbox) -> None:
        batch: list[Any] = self.memory["batches"][key]
        now_due, batch[0] = batch[0][: batch[1]], batch[0][batch[1] :]
        batch[1] *= 2
        batch[2] = len(now_due)
        for pod in now_due:
            self.request(out, "POST", path("v1", "pods", owner["metadata"]["namespace"]), doc=pod, then="pod_created",
                         args=(key, owner))  # fmt: skip

    def pod_created(self, response: HttpResponse, key: str, owner: Doc, now: int, out: Outbox) -> None:
        """One answer of a batch; after the last, the next and twice as big a batch, unless one was refused."""
        batch = self.memory.get("batches", {}).get(key)
        if batch is None:
            return
        batch[2] -= 1
        failures = self.memory.setdefault("failed", {})
        if response.code == 201:
            failures.pop(key, None)
            name = response.doc["metadata"]["name"]
            self.event(out, owner, self.resource, "Normal", "SuccessfulCreate", f"Created pod: {name}")
        else:
            created(self.expectations, self._expecting(key))
            if "being terminated" not in message_of(response):
                batch[3] = True
                failures[key] = ["FailedCreate", message_of(response)]
                text = f"Error creating: {message_of(response)}"
                self.event(out, owner, self.resource, "Warning", "FailedCreate", text)
        if batch[2]:
            return
        if batch[0] and not batch[3]:
            self._next_batch(key, owner, out)
            return
        del self.memory["batches"][key]
        for _ in batch[0]:  # the ones never tried are not to be waited for
            created(self.expectations, self._expecting(key))
        if batch[3]:
            self.failed()
        self.finished(key, now, out)

    def pod_deleted(self, response: HttpResponse, key: str, owner: Doc, pod: str, now: int, out: Outbox) -> None:
        """The deletion was accepted (200), or there was nothing to delete (404)."""
        if response.code in (200, 202):
            self.event(out, owner, self.resource, "Normal", "SuccessfulDelete", f"Deleted pod: {pod}")
            return
        deleted(self.expectations, self._expecting(key), pod)
        if response.code != 404:
            text = f"Error deleting: {message_of(response)}"
            self.event(out, owner, self.resource, "Warning", "FailedDelete", text)
            self.failed()
