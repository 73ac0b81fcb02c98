"""CronJob: a Job each time its schedule comes true.

In → a CronJob and its Jobs; out → a Job named ``<cronjob>-<minutes since 1970>``, according to concurrencyPolicy (Allow, Forbid,
Replace) and startingDeadlineSeconds; finished Jobs beyond the history limits are deleted; status.

The name comes from the scheduled minute, so one minute never starts two Jobs, whatever crashes.

Simplified here: ``timeZone`` may be UTC (Etc/UTC) or absent, which is UTC too; any other gets the event UnknownTimeZone. Of
several missed times only the latest is started, as upstream.

Upstream: kubernetes pkg/controller/cronjob/{cronjob_controllerv2,utils}.go.
"""

from cluster.clientgo import Doc, message_of, reason_of
from cluster.controllers.lib import cron
from cluster.controllers.lib.meta import age_key, condition_true, deleting, owner_reference, path, since, status_of
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox
from cluster.sim.clock import rfc3339
from cluster.wire.http import HttpResponse

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobController(Controller):
    """Keys are ``namespace/name`` of CronJobs."""

    name = "cronjob"
    user = "cronjob-controller"
    watches = ("cronjobs", "jobs")

    def on_cronjobs(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def on_jobs(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = self.owner_key(new, "CronJob")
        if key is not None:
            self.enqueue(out, key)

    # -- one run --------------------------------------------------------------------------------------------------

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        cronjob = self.store("cronjobs").get(key)
        if cronjob is None:
            return
        jobs = self.store("jobs").by("owner", cronjob["metadata"]["uid"])
        status = self._observe(cronjob, jobs, out)
        self._clean_up(cronjob, jobs, out)
        if deleting(cronjob) or cronjob["spec"].get("suspend"):
            self._write(cronjob, status, out)
            return
        try:
            schedule = cron.parse(cronjob["spec"]["schedule"])
        except ValueError as error:
            text = f"unparseable schedule: {cronjob['spec']['schedule']} : {error}"
            self.event(out, cronjob, "cronjobs", "Warning", "UnparseableSchedule", text)
            self._write(cronjob, status, out)
            return
        zone = cronjob["spec"].get("timeZone")
        if zone not in (None, "", "UTC", "Etc/UTC"):
            text = f'invalid timeZone: "{zone}": unknown time zone {zone}'
            self.event(out, cronjob, "cronjobs", "Warning", "UnknownTimeZone", text)
            self._write(cronjob, status, out)
            return
        due = self._due(cronjob, schedule, now)
        upcoming = cron.following(schedule, self.config.epoch + now // SECOND)
        if upcoming is not None:
            self.enqueue(out, key, (upcoming - self.config.epoch) * SECOND - now + 100_000_000)
        if due is None or not self._may_start(cronjob, due, status, jobs, now, out):
            self._write(cronjob, status, out)
            return
        self._start(cronjob, due, status, now, out)

    def _due(self, cronjob: Doc, schedule: cron.Schedule, now: int) -> int | None:
        """The latest scheduled second that has passed and wasn't started; None if there is none."""
        epoch = self.config.epoch
        earliest = since(cronjob["metadata"].get("creationTimestamp"), epoch)
        last = status_of(cronjob).get("lastScheduleTime")
        if last:
            earliest = since(last, epoch)
        deadline = cronjob["spec"].get("startingDeadlineSeconds")
        if deadline is not None:
            earliest = max(earliest, now - deadline * SECOND)
        present = epoch + now // SECOND
        latest: int | None = None
        moment = cron.following(schedule, epoch + earliest // SECOND)
        for _ in range(100):
            if moment is None or moment > present:
                break
            latest = moment
            moment = cron.following(schedule, moment)
        return latest

    def _may_start(self, cronjob: Doc, due: int, status: Doc, jobs: list[Doc], now: int, out: Outbox) -> bool:
        name = self._job_name(cronjob, due)
        if any(job["metadata"]["name"] == name for job in jobs):
            return False
        active = status.get("active") or []
        policy = cronjob["spec"].get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and active:
            self.event(out, cronjob, "cronjobs", "Normal", "JobAlreadyActive",
                       "Not starting job because prior execution is running and concurrency policy is Forbid")  # fmt: skip
            return False
        if policy == "Replace":
            for entry in active:
                self._delete(cronjob, entry["name"], out)
        return True

    @staticmethod
    def _job_name(cronjob: Doc, due: int) -> str:
        return f"{cronjob['metadata']['name']}-{due // 60}"

    def _start(self, cronjob: Doc, due: int, status: Doc, now: int, out: Outbox) -> None:
        meta, template = cronjob["metadata"], cronjob["spec"]["jobTemplate"]
        source = template.get("metadata") or {}
        stamp = rfc3339(self.config.epoch, (due - self.config.epoch) * SECOND)
        doc: Doc = {
            "kind": "Job",
            "apiVersion": "batch/v1",
            "metadata": {
                "name": self._job_name(cronjob, due),
                "namespace": meta["namespace"],
                **({"labels": source["labels"]} if source.get("labels") else {}),
                "annotations": {**(source.get("annotations") or {}), SCHEDULED_AT: stamp},
                "ownerReferences": [owner_reference(cronjob, "batch/v1", "CronJob")],
            },
            "spec": template["spec"],
        }
        self.note(out, f"cronjobs/{meta['namespace']}/{meta['name']}", f"It is time: {meta['name']} starts a Job.")
        self.request(out, "POST", path("batch/v1", "jobs", meta["namespace"]), doc=doc, then="started",
                     args=(cronjob, status, stamp))  # fmt: skip

    def started(self, response: HttpResponse, cronjob: Doc, status: Doc, stamp: str, now: int, out: Outbox) -> None:
        """The Job exists (now, or since a run whose status was lost): remember its time."""
        if response.code == 201:
            job = response.doc
            self.event(out, cronjob, "cronjobs", "Normal", "SuccessfulCreate", f"Created job {job['metadata']['name']}")
            entry = {"kind": "Job", "namespace": job["metadata"]["namespace"], "name": job["metadata"]["name"],
                     "uid": job["metadata"]["uid"], "apiVersion": "batch/v1",
                     "resourceVersion": job["metadata"].get("resourceVersion", "")}  # fmt: skip
            status = {**status, "active": [*(status.get("active") or ()), entry]}
        elif reason_of(response) != "AlreadyExists":
            if "being terminated" not in message_of(response):
                text = f"Error creating job: {message_of(response)}"
                self.event(out, cronjob, "cronjobs", "Warning", "FailedCreate", text)
                self.failed()
            return
        self._write(cronjob, {**status, "lastScheduleTime": stamp}, out)

    # -- bookkeeping ----------------------------------------------------------------------------------------------

    def _observe(self, cronjob: Doc, jobs: list[Doc], out: Outbox) -> Doc:
        status = dict(status_of(cronjob))
        by_uid = {job["metadata"]["uid"]: job for job in jobs}
        active: list[Doc] = []
        for entry in status.get("active") or ():
            job, name = by_uid.get(entry.get("uid", "")), entry.get("name", "")
            if job is None:
                if self.store("jobs").find(cronjob["metadata"]["namespace"], name) is None:
                    self.event(out, cronjob, "cronjobs", "Normal", "MissingJob",
                               f"Active job went missing: {name}")  # fmt: skip
                continue
            verdict = _verdict(job)
            if not verdict:
                active.append(entry)
                continue
            self.event(out, cronjob, "cronjobs", "Normal", "SawCompletedJob",
                       f"Saw completed job: {name}, condition: {verdict}")  # fmt: skip
            completed = status_of(job).get("completionTime")
            if verdict == "Complete" and completed and completed > (status.get("lastSuccessfulTime") or ""):
                status["lastSuccessfulTime"] = completed
        status["active"] = active
        return status

    def _clean_up(self, cronjob: Doc, jobs: list[Doc], out: Outbox) -> None:
        spec = cronjob["spec"]
        for verdict, limit in (("Complete", spec.get("successfulJobsHistoryLimit", 3)),
                               ("Failed", spec.get("failedJobsHistoryLimit", 1))):  # fmt: skip
            finished = sorted((job for job in jobs if _verdict(job) == verdict and not deleting(job)), key=age_key)
            for job in finished[: max(0, len(finished) - limit)]:
                self._delete(cronjob, job["metadata"]["name"], out)

    def _delete(self, cronjob: Doc, name: str, out: Outbox) -> None:
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        self.request(out, "DELETE", path("batch/v1", "jobs", cronjob["metadata"]["namespace"], name), doc=options,
                     then="deleted", args=(cronjob, name))  # fmt: skip

    def deleted(self, response: HttpResponse, cronjob: Doc, name: str, now: int, out: Outbox) -> None:
        """Say so, or try again."""
        if response.code == 200:
            self.event(out, cronjob, "cronjobs", "Normal", "SuccessfulDelete", f"Deleted job {name}")
        elif response.code != 404:
            self.failed()

    def _write(self, cronjob: Doc, status: Doc, out: Outbox) -> None:
        status = {name: value for name, value in status.items() if value}
        if status == status_of(cronjob):
            return
        meta = cronjob["metadata"]
        doc = {"kind": "CronJob", "apiVersion": "batch/v1", **cronjob, "status": status}
        self.request(out, "PUT", path("batch/v1", "cronjobs", meta["namespace"], meta["name"], "status"), doc=doc)


def _verdict(job: Doc) -> str:
    for kind in ("Complete", "Failed"):
        if condition_true(status_of(job), kind):
            return kind
    return ""
