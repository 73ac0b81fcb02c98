"""Job: Pods that run until enough of them have succeeded, or too many have failed.

In → a Job and its Pods; out → Pods up to ``parallelism``, the counts of succeeded and failed ones, and at last the condition
Complete or Failed. Each Pod carries the finalizer ``batch.kubernetes.io/job-tracking``: it can't vanish before it is counted.
Counting takes three steps so that a crash between any two neither loses nor doubles one: the Pod's uid goes into
``status.uncountedTerminatedPods``, then the finalizer goes, then the uid becomes a number.

After a failed Pod the next waits 10 s · 2ⁿ ≤ 10 min.

Pods without owner that match the selector are adopted, owned ones that no longer match are let go. What a failed Pod means is up
to the pod failure policy (``lib/pod_failure``).

Simplified here: no success policy, no per-index back-off limit.

Upstream: kubernetes pkg/controller/job/{job_controller,indexed_job_utils,backoff_utils,pod_failure_policy}.go.
"""

from typing import Any

from cluster.api import selectors
from cluster.clientgo import Doc, controller_of, reason_of
from cluster.controllers.lib.meta import (
    condition,
    condition_true,
    deleting,
    labels_of,
    owner_reference,
    path,
    since,
    status_of,
    without_zeros,
)
from cluster.controllers.lib.pod_failure import action_of
from cluster.controllers.lib.podcontrol import PodControl
from cluster.controllers.lib.pods import from_template, is_active, is_ready, phase
from cluster.sim import MINUTE, SECOND, Outbox
from cluster.wire.http import HttpResponse

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
BACKOFF_FIRST = 10 * SECOND
BACKOFF_MAX = 10 * MINUTE


class JobController(PodControl):
    """Keys are ``namespace/name`` of Jobs."""

    name = "job"
    user = "job-controller"
    watches = ("jobs", "pods")
    resource = "jobs"
    owner_kind = "Job"

    # -- events ---------------------------------------------------------------------------------------------------

    def on_jobs(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = f"{new['metadata']['namespace']}/{new['metadata']['name']}"
        if event_type == "DELETED":
            self.forget(key)
            for pod in self.store("pods").by("owner", new["metadata"]["uid"]):
                self._release(pod, out)
        self.enqueue(out, key)

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = self.owner_key(new, "Job")
        previous = self.owner_key(old, "Job") if old is not None and event_type == "MODIFIED" else None
        if previous is not None and previous != key:
            self.enqueue(out, previous)
        if key is None:
            if event_type != "DELETED" and not deleting(new) and labels_of(new):
                for job in self.store("jobs").by("namespace", new["metadata"]["namespace"]):
                    if _selects(job, new):
                        self.enqueue(out, f"{job['metadata']['namespace']}/{job['metadata']['name']}")
            return
        self.observe(key, event_type, new)
        if self.store("jobs").get(key) is None and event_type != "DELETED":
            self._release(new, out)
        self.enqueue(out, key)

    def _release(self, pod: Doc, out: Outbox) -> None:
        """Nobody counts it any more: let it go."""
        finalizers = pod["metadata"].get("finalizers") or ()
        if FINALIZER in finalizers:
            meta = pod["metadata"]
            patch = {"metadata": {"uid": meta["uid"], "finalizers": [f for f in finalizers if f != FINALIZER] or None}}
            self.request(out, "PATCH", path("v1", "pods", meta["namespace"], meta["name"]), doc=patch,
                         content_type="application/merge-patch+json")  # fmt: skip

    # -- one run --------------------------------------------------------------------------------------------------

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        job = self.store("jobs").get(key)
        if job is None:
            self.forget(key)
            return
        if job["spec"].get("managedBy", "kubernetes.io/job-controller") != "kubernetes.io/job-controller":
            return
        pods = self._claimed(job, out)
        if _finished(status_of(job)):
            for pod in pods:
                self._release(pod, out)
            return
        if deleting(job):
            return
        counted = self._count(job, pods)
        for pod in counted["_ignored"]:
            self._release(pod, out)
        status = {k: v for k, v in counted.items() if not k.startswith("_")}
        active: list[Doc] = [pod for pod in pods if is_active(pod)]
        conditions: list[Doc] = list(status.get("conditions") or ())
        suspended = bool(job["spec"].get("suspend"))
        if not status.get("startTime") and not suspended:
            status["startTime"] = self.stamp(now)
        verdict = self._verdict(job, status, active, pods, now)
        doomed: list[Doc] = []
        if verdict is None and suspended:
            doomed = active
            conditions = self._suspension(job, conditions, True, now, out)
        elif verdict is None and condition_true(status, "Suspended"):
            conditions = self._suspension(job, conditions, False, now, out)
            status["startTime"] = self.stamp(now)
        elif verdict is not None:
            kind, reason, message = verdict
            interim = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
            conditions = _with(conditions, interim, reason, message, self.stamp(now))
            doomed = active
            waiting = [p for p in pods if not _terminated(p)]
            if not waiting and not counted["_uncounted"]:
                conditions = _with(conditions, kind, reason, message, self.stamp(now))
                self._say_finished(job, kind, reason, message, out)
                if kind == "Complete":
                    status["completionTime"] = self.stamp(now)
        create: list[Doc] = []
        if verdict is None and not suspended and self.may_count(key, now):
            create = self._missing(key, job, status, active, counted["_failed_at"], now, out)
        if doomed and not self.may_count(key, now):
            doomed = []
        status["conditions"] = conditions
        status["active"] = len(active) - len(doomed)
        status["ready"] = sum(is_ready(pod) for pod in active) if not doomed else 0
        status["terminating"] = sum(deleting(p) and not _terminated(p) for p in pods)
        self.manage(key, job, create, doomed, now, out)
        self._write(job, status, pods, now, out)

    def _claimed(self, job: Doc, out: Outbox) -> list[Doc]:
        """The Job's Pods; orphans that it selects become its own, its own that it no longer selects are let go."""
        meta, store = job["metadata"], self.store("pods")
        kept: list[Doc] = []
        over = _finished(status_of(job)) or deleting(job)
        for pod in store.by("owner", meta["uid"]):
            if not (controller_of(pod) or {}).get("uid"):
                continue
            if over or deleting(pod) or not job["spec"].get("selector") or _selects(job, pod):
                kept.append(pod)
                continue
            owners = [r for r in pod["metadata"]["ownerReferences"] if r["uid"] != meta["uid"]]
            finalizers = [f for f in pod["metadata"].get("finalizers") or () if f != FINALIZER]
            self._patch_meta(pod, {"ownerReferences": owners or None, "finalizers": finalizers or None}, out)
        for pod in () if over else store.by("orphans", meta["namespace"]):
            if not deleting(pod) and _selects(job, pod):
                owners = [*(pod["metadata"].get("ownerReferences") or ()), owner_reference(job, "batch/v1", "Job")]
                finalizers = [*(pod["metadata"].get("finalizers") or ()), FINALIZER]
                self._patch_meta(pod, {"ownerReferences": owners, "finalizers": finalizers}, out)
                kept.append(pod)
        return kept

    def _patch_meta(self, pod: Doc, change: Doc, out: Outbox) -> None:
        meta = pod["metadata"]
        self.request(out, "PATCH", path("v1", "pods", meta["namespace"], meta["name"]),
                     doc={"metadata": {"uid": meta["uid"], **change}}, content_type="application/merge-patch+json")  # fmt: skip

    # -- counting -------------------------------------------------------------------------------------------------

    def _count(self, job: Doc, pods: list[Doc]) -> dict[str, Any]:
        status: dict[str, Any] = dict(status_of(job))
        uncounted = status.get("uncountedTerminatedPods") or {}
        lists: dict[str, list[str]] = {}
        by_uid = {pod["metadata"]["uid"]: pod for pod in pods}
        policy = job["spec"].get("podFailurePolicy")
        ignored: list[Doc] = []
        for outcome in ("succeeded", "failed"):
            left: list[str] = []
            for uid in uncounted.get(outcome) or ():
                pod = by_uid.get(uid)
                if pod is not None and FINALIZER in (pod["metadata"].get("finalizers") or ()):
                    left.append(uid)
                else:
                    status[outcome] = status.get(outcome, 0) + 1
            lists[outcome] = left
        for pod in pods:
            uid = pod["metadata"]["uid"]
            known = uid in lists["succeeded"] or uid in lists["failed"]
            if known or FINALIZER not in (pod["metadata"].get("finalizers") or ()):
                continue
            if phase(pod) == "Succeeded":
                lists["succeeded"].append(uid)
            elif phase(pod) == "Failed" and action_of(policy, pod)[0] == "Ignore":
                ignored.append(pod)
            elif phase(pod) == "Failed" or (
                deleting(pod) and phase(pod) != "Running" and not is_ready(pod) and policy is None
            ):
                lists["failed"].append(uid)
        status["uncountedTerminatedPods"] = {name: uids for name, uids in lists.items() if uids}
        status["_ignored"] = ignored
        status["_uncounted"] = sum(len(uids) for uids in lists.values())
        if job["spec"].get("completionMode") == "Indexed":
            done = set(_parse_indexes(status.get("completedIndexes", "")))
            done.update(_index_of(pod) for pod in pods if phase(pod) == "Succeeded" and _index_of(pod) >= 0)
            status["completedIndexes"] = _format_indexes(sorted(done))
        failed = [pod for pod in pods if phase(pod) == "Failed"]
        status["_failed_at"] = max((_finish_time(pod, self.config.epoch) for pod in failed), default=0)
        return status

    def _totals(self, status: Doc) -> tuple[int, int]:
        uncounted = status.get("uncountedTerminatedPods") or {}
        succeeded = status.get("succeeded", 0) + len(uncounted.get("succeeded") or ())
        return succeeded, status.get("failed", 0) + len(uncounted.get("failed") or ())

    def _verdict(
        self, job: Doc, status: Doc, active: list[Doc], pods: list[Doc], now: int
    ) -> tuple[str, str, str] | None:
        """``(condition, reason, message)`` when the Job is decided."""
        spec = job["spec"]
        for kind, interim in (("Complete", "SuccessCriteriaMet"), ("Failed", "FailureTarget")):
            known = condition(status, interim)
            if known is not None and known["status"] == "True":
                return kind, known.get("reason", ""), known.get("message", "")
        for pod in pods if spec.get("podFailurePolicy") else ():
            if phase(pod) == "Failed":
                action, why = action_of(spec["podFailurePolicy"], pod)
                if action == "FailJob":
                    return "Failed", "PodFailurePolicy", why
        succeeded, failed = self._totals(status)
        limit = spec.get("backoffLimit", 6)
        restarts = 0
        if spec["template"]["spec"].get("restartPolicy") == "OnFailure":
            restarts = sum(
                c.get("restartCount", 0) for p in active for c in status_of(p).get("containerStatuses") or ()
            )
        if failed > limit or (restarts and restarts >= limit and limit > 0) or (restarts and limit == 0):
            return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline = spec.get("activeDeadlineSeconds")
        if (
            deadline is not None
            and status.get("startTime")
            and not spec.get("suspend")
            and (since(status["startTime"], self.config.epoch) + deadline * SECOND <= now)
        ):
            return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
        completions = spec.get("completions")
        if completions is None:
            done = succeeded > 0 and not active
        elif spec.get("completionMode") == "Indexed":
            done = len(_parse_indexes(status.get("completedIndexes", ""))) >= completions
        else:
            done = succeeded >= completions
        return ("Complete", "CompletionsReached", "Reached expected number of succeeded pods") if done else None

    # -- Pods -----------------------------------------------------------------------------------------------------

    def _missing(
        self, key: str, job: Doc, status: Doc, active: list[Doc], failed_at: int, now: int, out: Outbox
    ) -> list[Doc]:
        spec = job["spec"]
        succeeded, failed = self._totals(status)
        parallelism = spec.get("parallelism", 1)
        completions = spec.get("completions")
        if completions is None:
            wanted = len(active) if succeeded else parallelism
        else:
            wanted = min(parallelism, max(0, completions - succeeded))
        deadline = spec.get("activeDeadlineSeconds")
        if deadline is not None and status.get("startTime"):
            left = since(status["startTime"], self.config.epoch) + deadline * SECOND - now
            if left > 0:
                self.enqueue(out, key, left)
        count = wanted - len(active)
        if count <= 0:
            return []
        if failed and failed_at:
            ready_at = failed_at + min(BACKOFF_FIRST << min(failed - 1, 10), BACKOFF_MAX)
            if ready_at > now:
                self.enqueue(out, key, ready_at - now)
                return []
        if spec.get("completionMode") == "Indexed":
            done = set(_parse_indexes(status.get("completedIndexes", "")))
            taken = {_index_of(pod) for pod in active}
            free = [i for i in range(completions or 0) if i not in done and i not in taken]
            return [self._pod(job, index) for index in free[:count]]
        return [self._pod(job, None)] * count

    def _pod(self, job: Doc, index: int | None) -> Doc:
        pod = from_template(job["spec"]["template"], job, "batch/v1", "Job")
        meta: Doc = {**pod["metadata"], "finalizers": [*(pod["metadata"].get("finalizers") or ()), FINALIZER]}
        spec = pod["spec"]
        if index is not None:
            name = job["metadata"]["name"]
            meta["generateName"] = f"{name}-{index}-"
            meta["annotations"] = {**(meta.get("annotations") or {}), INDEX: str(index)}
            meta["labels"] = {**(meta.get("labels") or {}), INDEX: str(index)}
            variable = {
                "name": "JOB_COMPLETION_INDEX",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{INDEX}']"}},
            }
            containers = [{**c, "env": [*(c.get("env") or ()), variable]} for c in spec["containers"]]
            spec = {**spec, "hostname": f"{name}-{index}", "containers": containers}
        return {**pod, "metadata": meta, "spec": spec}

    # -- status ---------------------------------------------------------------------------------------------------

    def _suspension(self, job: Doc, conditions: list[Doc], suspend: bool, now: int, out: Outbox) -> list[Doc]:
        known = next((c for c in conditions if c["type"] == "Suspended"), None)
        if known is not None and (known["status"] == "True") == suspend:
            return conditions
        word = "Suspended" if suspend else "Resumed"
        self.event(out, job, "jobs", "Normal", word, f"Job {word.lower()}")
        new = {
            "type": "Suspended", "status": "True" if suspend else "False", "lastProbeTime": self.stamp(now),
            "lastTransitionTime": self.stamp(now), "reason": f"Job{word}", "message": f"Job {word.lower()}",
        }  # fmt: skip
        return [*(c for c in conditions if c["type"] != "Suspended"), new]

    def _say_finished(self, job: Doc, kind: str, reason: str, message: str, out: Outbox) -> None:
        if kind == "Complete":
            self.event(out, job, "jobs", "Normal", "Completed", "Job completed")
        else:
            self.event(out, job, "jobs", "Warning", reason, message)

    def _write(self, job: Doc, status: Doc, pods: list[Doc], now: int, out: Outbox) -> None:
        kept = without_zeros({**status, "ready": None, "uncountedTerminatedPods": None, "terminating": None})
        kept["ready"] = status["ready"]
        kept["terminating"] = status["terminating"]
        kept["uncountedTerminatedPods"] = status.get("uncountedTerminatedPods") or {}
        meta = job["metadata"]
        if kept == status_of(job):
            self._release_counted(job, pods, out)
            return
        doc = {"kind": "Job", "apiVersion": "batch/v1", **job, "status": kept}
        self.request(out, "PUT", path("batch/v1", "jobs", meta["namespace"], meta["name"], "status"), doc=doc,
                     then="status_written", args=(f"{meta['namespace']}/{meta['name']}",))  # fmt: skip

    def status_written(self, response: HttpResponse, key: str, now: int, out: Outbox) -> None:
        """The uids are safe in the status: now their finalizers may go."""
        if response.code != 200:
            if response.code != 404 and reason_of(response) != "NotFound":
                self.failed()
            return
        self._release_counted(response.doc, self.store("pods").by("owner", response.doc["metadata"]["uid"]), out)

    def _release_counted(self, job: Doc, pods: list[Doc], out: Outbox) -> None:
        uncounted = status_of(job).get("uncountedTerminatedPods") or {}
        uids = [*(uncounted.get("succeeded") or ()), *(uncounted.get("failed") or ())]
        for pod in pods:
            if pod["metadata"]["uid"] in uids:
                self._release(pod, out)

    def finished(self, key: str, now: int, out: Outbox) -> None:
        failure = self.failure_of(key)
        if failure is not None:
            self.note(out, f"jobs/{key}", f"Job {key} could not create a Pod: {failure[1]}")


def _selects(job: Doc, pod: Doc) -> bool:
    selector = job["spec"].get("selector")
    return bool(selector) and selectors.from_struct(selector).matches(labels_of(pod))


def _finished(status: Doc) -> bool:
    return condition_true(status, "Complete") or condition_true(status, "Failed")


def _terminated(pod: Doc) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def _with(conditions: list[Doc], kind: str, reason: str, message: str, stamp: str) -> list[Doc]:
    if any(c["type"] == kind and c["status"] == "True" for c in conditions):
        return conditions
    new = {"type": kind, "status": "True", "lastProbeTime": stamp, "lastTransitionTime": stamp, "reason": reason,
           "message": message}  # fmt: skip
    return [*(c for c in conditions if c["type"] != kind), new]


def _index_of(pod: Doc) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(INDEX, "")
    return int(text) if text.isdigit() else -1


def _finish_time(pod: Doc, epoch: int) -> int:
    ends = [
        since(((c.get("state") or {}).get("terminated") or {}).get("finishedAt"), epoch)
        for c in status_of(pod).get("containerStatuses") or ()
    ]
    ready = condition(status_of(pod), "Ready")
    return max([*ends, since(ready.get("lastTransitionTime"), epoch) if ready is not None else 0])


def _parse_indexes(text: str) -> list[int]:
    """``1,3-5`` → 1, 3, 4, 5."""
    found: list[int] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def _format_indexes(indexes: list[int]) -> str:
    """1, 3, 4, 5 → ``1,3-5``."""
    parts: list[list[int]] = []
    for index in indexes:
        if parts and parts[-1][1] == index - 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(str(a) if a == b else f"{a},{b}" if b == a + 1 else f"{a}-{b}" for a, b in parts)
