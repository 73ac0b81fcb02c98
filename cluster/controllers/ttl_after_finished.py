"""TTL after finished: Jobs with ``ttlSecondsAfterFinished`` go that long after they completed or failed.

Upstream: kubernetes pkg/controller/ttlafterfinished/ttlafterfinished_controller.go.
"""

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import condition, deleting, path, since, spec_of, status_of
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox


class TtlAfterFinishedController(Controller):
    """Keys are ``namespace/name`` of Jobs."""

    name = "ttl-after-finished"
    user = "ttl-after-finished-controller"
    watches = ("jobs",)

    def on_jobs(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type != "DELETED" and spec_of(new).get("ttlSecondsAfterFinished") is not None:
            self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        job = self.store("jobs").get(key)
        if job is None or deleting(job) or spec_of(job).get("ttlSecondsAfterFinished") is None:
            return
        ends = [
            entry for entry in (condition(status_of(job), "Complete"), condition(status_of(job), "Failed"))
            if entry is not None and entry["status"] == "True"
        ]  # fmt: skip
        if not ends:
            return
        ended = since(ends[0].get("lastTransitionTime"), self.config.epoch)
        left = ended + job["spec"]["ttlSecondsAfterFinished"] * SECOND - now
        if left > 0:
            self.enqueue(out, key, left)
            return
        meta = job["metadata"]
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground",
                   "preconditions": {"uid": meta["uid"]}}  # fmt: skip
        self.note(
            out, f"jobs/{key}", f"Job {key} finished {job['spec']['ttlSecondsAfterFinished']} s ago, so it is deleted."
        )
        self.request(out, "DELETE", path("batch/v1", "jobs", meta["namespace"], meta["name"]), doc=options)
