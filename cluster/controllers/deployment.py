"""Deployment: one ReplicaSet per version of the Pod template, and a rollout from one to the next.

In → a Deployment; out → a ReplicaSet named ``<deployment>-<hash of the template>``, scaled up while the old ones are scaled
down within maxSurge and maxUnavailable; revisions in annotations; status with conditions Available and Progressing.

A run does one thing and returns; the change it made comes back as an event and the next run goes on. So nothing is kept
between runs, and a crash in the middle is no different from a pause.

Simplified here: no rollback annotation of extensions/v1beta1; the ReplicaSet's hash isn't Go's (see ``template_hash``).

Upstream: kubernetes pkg/controller/deployment/{deployment_controller,sync,rolling,recreate,progress}.go.
"""

from typing import Any

from cluster.api import selectors
from cluster.clientgo import Doc, message_of, reason_of
from cluster.controllers.lib import rollout
from cluster.controllers.lib.meta import (
    age_key,
    annotations_of,
    condition,
    deleting,
    drop_condition,
    labels_of,
    owner_reference,
    path,
    set_condition,
    since,
    status_of,
    template_hash,
    with_meta,
    without_zeros,
)
from cluster.controllers.lib.pods import phase
from cluster.controllers.lib.rollout import HASH, REVISION, replicas_of, revision_of, same_template
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpResponse


class DeploymentController(Controller):
    """Keys are ``namespace/name`` of Deployments."""

    name = "deployment"
    user = "deployment-controller"
    watches = ("deployments", "replicasets", "pods")

    # -- events ---------------------------------------------------------------------------------------------------

    def on_deployments(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def on_replicasets(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = self.owner_key(new, "Deployment")
        if key is not None:
            self.enqueue(out, key)
        elif event_type != "DELETED" and not new["metadata"].get("ownerReferences"):
            labels = labels_of(new)
            for deployment in self.store("deployments").by("namespace", new["metadata"]["namespace"]):
                if selectors.from_struct(deployment["spec"]["selector"]).matches(labels):
                    self.enqueue(out, f"{new['metadata']['namespace']}/{deployment['metadata']['name']}")

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type != "DELETED":
            return
        rs_key = self.owner_key(new, "ReplicaSet")
        rs = self.store("replicasets").get(rs_key) if rs_key else None
        key = self.owner_key(rs, "Deployment") if rs is not None else None
        deployment = self.store("deployments").get(key) if key else None
        if key and deployment is not None and rollout.recreates(deployment):
            self.enqueue(out, key)

    # -- one run --------------------------------------------------------------------------------------------------

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        deployment = self.store("deployments").get(key)
        if deployment is None:
            return
        if deployment["spec"]["selector"] == {}:
            self.event(out, deployment, "deployments", "Warning", "SelectingAll",
                       "This deployment is selecting all pods. A non-empty selector is required.")  # fmt: skip
            return
        replica_sets = self._claimed(deployment, out)
        new_rs = self._find_new(deployment, replica_sets)
        old = [rs for rs in replica_sets if rs is not new_rs]
        if deleting(deployment):
            self._write_status(deployment, replica_sets, new_rs, now, out)
            return
        if self._pause_condition(deployment, now, out):
            return
        if deployment["spec"].get("paused") or self._scaling_event(deployment, replica_sets):
            if new_rs is not None and self._annotate(deployment, new_rs, old, out):
                return
            if not self._scale(deployment, new_rs, old, out):
                if deployment["spec"].get("paused"):
                    self._clean_up(deployment, old, out)
                self._write_status(deployment, replica_sets, new_rs, now, out)
        elif rollout.recreates(deployment):
            self._recreate(deployment, replica_sets, new_rs, old, now, out)
        else:
            self._roll(deployment, replica_sets, new_rs, old, now, out)

    def _roll(
        self, deployment: Doc, everything: list[Doc], new_rs: Doc | None, old: list[Doc], now: int, out: Outbox
    ) -> None:
        if new_rs is None:
            total = sum(replicas_of(rs) for rs in everything)
            self._create(deployment, old, rollout.new_rs_size(deployment, 0, total), now, out)
            return
        if self._annotate(deployment, new_rs, old, out):
            return
        size = replicas_of(new_rs)
        wanted = replicas_of(deployment)
        if size != wanted:
            total = sum(replicas_of(rs) for rs in everything)
            target = wanted if size > wanted else rollout.new_rs_size(deployment, size, total)
            if target != size:
                self._resize(deployment, new_rs, target, out)
                self._write_status(deployment, everything, new_rs, now, out)
                return
        shrinking = rollout.scale_down_old(deployment, new_rs, old, everything) if any(map(replicas_of, old)) else {}
        for rs in old:
            if rs["metadata"]["name"] in shrinking:
                self._resize(deployment, rs, shrinking[rs["metadata"]["name"]], out)
        if not shrinking and self._complete(deployment, status_of(deployment)):
            self._clean_up(deployment, old, out)
        self._write_status(deployment, everything, new_rs, now, out)

    def _recreate(
        self, deployment: Doc, everything: list[Doc], new_rs: Doc | None, old: list[Doc], now: int, out: Outbox
    ) -> None:
        active = [rs for rs in old if replicas_of(rs)]
        for rs in active:
            self._resize(deployment, rs, 0, out)
        if active or self._old_pods_running(old):
            self._write_status(deployment, everything, new_rs, now, out)
            return
        if new_rs is None:
            self._create(deployment, old, replicas_of(deployment), now, out)
            return
        if self._annotate(deployment, new_rs, old, out):
            return
        if replicas_of(new_rs) != replicas_of(deployment):
            self._resize(deployment, new_rs, replicas_of(deployment), out)
        elif self._complete(deployment, status_of(deployment)):
            self._clean_up(deployment, old, out)
        self._write_status(deployment, everything, new_rs, now, out)

    def _old_pods_running(self, old: list[Doc]) -> bool:
        pods = self.store("pods")
        return any(
            phase(pod) not in ("Failed", "Succeeded") for rs in old for pod in pods.by("owner", rs["metadata"]["uid"])
        )

    # -- ReplicaSets ----------------------------------------------------------------------------------------------

    def _claimed(self, deployment: Doc, out: Outbox) -> list[Doc]:
        """The ReplicaSets it owns, oldest first. Orphans that match its selector are adopted on the way."""
        store, meta = self.store("replicasets"), deployment["metadata"]
        owned = store.by("owner", meta["uid"])
        orphans = store.by("orphans", meta["namespace"])
        selector = selectors.from_struct(deployment["spec"]["selector"]) if orphans or owned else None
        for rs in orphans:
            if (
                selector is not None
                and not deleting(rs)
                and not deleting(deployment)
                and selector.matches(labels_of(rs))
            ):
                self._patch_owners(rs, [*(rs["metadata"].get("ownerReferences") or ()),
                                        owner_reference(deployment, "apps/v1", "Deployment")], out)  # fmt: skip
        kept: list[Doc] = []
        for rs in owned:
            if selector is not None and not selector.matches(labels_of(rs)) and not deleting(rs):
                rest = [r for r in rs["metadata"]["ownerReferences"] if r["uid"] != meta["uid"]]
                self._patch_owners(rs, rest, out)
            else:
                kept.append(rs)
        return sorted(kept, key=age_key)

    def _patch_owners(self, rs: Doc, owners: list[Doc], out: Outbox) -> None:
        meta = rs["metadata"]
        patch = {"metadata": {"ownerReferences": owners or None, "uid": meta["uid"]}}
        self.request(out, "PATCH", path("apps/v1", "replicasets", meta["namespace"], meta["name"]), doc=patch,
                     content_type="application/merge-patch+json")  # fmt: skip

    @staticmethod
    def _find_new(deployment: Doc, replica_sets: list[Doc]) -> Doc | None:
        template = deployment["spec"]["template"]
        return next((rs for rs in replica_sets if same_template(rs["spec"]["template"], template)), None)

    def _create(self, deployment: Doc, old: list[Doc], size: int, now: int, out: Outbox) -> None:
        meta, spec = deployment["metadata"], deployment["spec"]
        template = spec["template"]
        text = template_hash(template, status_of(deployment).get("collisionCount"))
        revision = max((revision_of(rs) for rs in old), default=0) + 1
        source = template.get("metadata") or {}
        labels = {**(source.get("labels") or {}), HASH: text}
        selector = spec["selector"]
        doc = {
            "kind": "ReplicaSet",
            "apiVersion": "apps/v1",
            "metadata": {
                "name": f"{meta['name']}-{text}",
                "namespace": meta["namespace"],
                "labels": labels,
                "annotations": rollout.rs_annotations(deployment, None, revision),
                "ownerReferences": [owner_reference(deployment, "apps/v1", "Deployment")],
            },
            "spec": {
                "replicas": size,
                "minReadySeconds": spec.get("minReadySeconds", 0),
                "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH: text}},
                "template": {**template, "metadata": {**source, "labels": labels}},
            },
        }
        self.request(
            out, "POST", path("apps/v1", "replicasets", meta["namespace"]), doc=doc, then="rs_created",
            args=(deployment, doc, revision),
        )  # fmt: skip

    def rs_created(
        self, response: HttpResponse, deployment: Doc, doc: Doc, revision: int, now: int, out: Outbox
    ) -> None:
        """It exists now; or its name is taken: by our own (a slow informer), or by another template (a collision)."""
        if response.code == 201:
            size, name = replicas_of(doc), doc["metadata"]["name"]
            if size:
                self.event(out, deployment, "deployments", "Normal", "ScalingReplicaSet",
                           f"Scaled up replica set {name} from 0 to {size}")  # fmt: skip
            self._write_revision(
                deployment, revision, "NewReplicaSetCreated", f'Created new replica set "{name}"', now, out
            )
        elif reason_of(response) == "AlreadyExists":
            meta = doc["metadata"]
            self.request(out, "GET", path("apps/v1", "replicasets", meta["namespace"], meta["name"]), then="rs_exists",
                         args=(deployment, doc))  # fmt: skip
        else:
            if response.code == 403 or response.code == 422:
                self._write_failed_create(deployment, message_of(response), now, out)
            if reason_of(response) != "NamespaceTerminating" and "being terminated" not in message_of(response):
                self.failed()

    def rs_exists(self, response: HttpResponse, deployment: Doc, doc: Doc, now: int, out: Outbox) -> None:
        """Somebody has that name: if it isn't what we wanted, hash again with a higher collision count."""
        found = response.doc
        if response.code != 200:
            self.failed()
            return
        owner = next((r for r in found["metadata"].get("ownerReferences") or () if r.get("controller")), None)
        if (
            owner
            and owner["uid"] == deployment["metadata"]["uid"]
            and same_template(found["spec"]["template"], deployment["spec"]["template"])
        ):
            return  # ours: its event is on the way
        status = {**status_of(deployment), "collisionCount": status_of(deployment).get("collisionCount", 0) + 1}
        self._put_status(deployment, status, out)
        self.failed()

    def _annotate(self, deployment: Doc, new_rs: Doc, old: list[Doc], out: Outbox) -> bool:
        """Bring the new ReplicaSet's annotations and the Deployment's revision up to date. True: a request was made."""
        revision = max((revision_of(rs) for rs in old), default=0) + 1
        annotations = rollout.rs_annotations(deployment, new_rs, revision)
        ready_seconds = deployment["spec"].get("minReadySeconds", 0)
        if annotations != annotations_of(new_rs) or new_rs["spec"].get("minReadySeconds", 0) != ready_seconds:
            changed = with_meta(new_rs, annotations=annotations)
            changed = {**changed, "spec": {**new_rs["spec"], "minReadySeconds": ready_seconds}}
            self._put_rs(changed, "answered", (), out)
            return True
        shown = annotations.get(REVISION, "")
        if annotations_of(deployment).get(REVISION) != shown:
            name = new_rs["metadata"]["name"]
            self._write_revision(deployment, int(shown or 0), "FoundNewReplicaSet", f'Found new replica set "{name}"',
                                 self.manager.now, out)  # fmt: skip
            return True
        return False

    def _resize(self, deployment: Doc, rs: Doc, size: int, out: Outbox) -> None:
        before = replicas_of(rs)
        annotations = {**annotations_of(rs), **rollout.replica_annotations(deployment)}
        if before == size and annotations == annotations_of(rs):
            return
        changed = with_meta(rs, annotations=annotations)
        self._put_rs(
            {**changed, "spec": {**rs["spec"], "replicas": size}}, "rs_scaled", (deployment, before, size), out
        )

    def rs_scaled(self, response: HttpResponse, deployment: Doc, before: int, size: int, now: int, out: Outbox) -> None:
        """The ReplicaSet has another size; or somebody else changed it meanwhile, then the next run sees what."""
        if response.code != 200:
            self.failed()
        elif before != size:
            direction = "up" if size > before else "down"
            self.event(out, deployment, "deployments", "Normal", "ScalingReplicaSet",
                       f"Scaled {direction} replica set {response.doc['metadata']['name']} from {before} to {size}")  # fmt: skip

    def _put_rs(self, rs: Doc, then: str, args: tuple[Any, ...], out: Outbox) -> None:
        meta = rs["metadata"]
        doc = {"kind": "ReplicaSet", "apiVersion": "apps/v1", **rs}
        self.request(out, "PUT", path("apps/v1", "replicasets", meta["namespace"], meta["name"]), doc=doc, then=then,
                     args=args)  # fmt: skip

    @staticmethod
    def _scaling_event(deployment: Doc, replica_sets: list[Doc]) -> bool:
        wanted = str(replicas_of(deployment))
        return any(replicas_of(rs) and annotations_of(rs).get(rollout.DESIRED, wanted) != wanted for rs in replica_sets)

    def _scale(self, deployment: Doc, new_rs: Doc | None, old: list[Doc], out: Outbox) -> bool:
        """The Deployment's size changed, or it is paused: only sizes, no progress of the rollout. True: scaled."""
        everything = [*old, new_rs] if new_rs is not None else old
        active = [rs for rs in everything if replicas_of(rs)]
        wanted = replicas_of(deployment)
        sizes: dict[str, int] = {}
        if len(active) <= 1:
            only = active[0] if active else new_rs or (max(old, key=age_key) if old else None)
            if only is not None and replicas_of(only) != wanted:
                sizes[only["metadata"]["name"]] = wanted
        elif new_rs is not None and self._saturated(deployment, new_rs):
            sizes = {rs["metadata"]["name"]: 0 for rs in old if replicas_of(rs)}
        elif not rollout.recreates(deployment):
            sizes = rollout.proportional(deployment, active)
        done = False
        for rs in everything:
            name = rs["metadata"]["name"]
            if name in sizes:
                changed = sizes[name] != replicas_of(rs)
                self._resize(deployment, rs, sizes[name], out)
                done = done or changed
        return done

    @staticmethod
    def _saturated(deployment: Doc, rs: Doc) -> bool:
        wanted = replicas_of(deployment)
        return (
            replicas_of(rs) == wanted
            and annotations_of(rs).get(rollout.DESIRED) == str(wanted)
            and status_of(rs).get("availableReplicas", 0) == wanted
        )

    def _clean_up(self, deployment: Doc, old: list[Doc], out: Outbox) -> None:
        """Delete old, empty ReplicaSets beyond revisionHistoryLimit, lowest revision first."""
        limit = deployment["spec"].get("revisionHistoryLimit")
        candidates = sorted((rs for rs in old if not deleting(rs)), key=revision_of)
        if limit is None or len(candidates) <= limit:
            return
        for rs in candidates[: len(candidates) - limit]:
            observed = status_of(rs).get("observedGeneration", 0)
            if status_of(rs).get("replicas") or replicas_of(rs) or rs["metadata"].get("generation", 0) > observed:
                continue
            meta = rs["metadata"]
            self.request(out, "DELETE", path("apps/v1", "replicasets", meta["namespace"], meta["name"]))

    # -- status ---------------------------------------------------------------------------------------------------

    def _write_revision(self, deployment: Doc, revision: int, reason: str, message: str, now: int, out: Outbox) -> None:
        conditions = status_of(deployment).get("conditions") or []
        unheard = reason != "FoundNewReplicaSet" or condition(status_of(deployment), "Progressing") is None
        if "progressDeadlineSeconds" in deployment["spec"] and unheard:
            conditions = set_condition(conditions, self._condition("Progressing", "True", reason, message, now))
        doc = with_meta(deployment, annotations={**annotations_of(deployment), REVISION: str(revision)})
        self._put_status(doc, {**status_of(deployment), "conditions": conditions}, out)

    def _write_failed_create(self, deployment: Doc, message: str, now: int, out: Outbox) -> None:
        new = self._condition("Progressing", "False", "ReplicaSetCreateError", message, now)
        conditions = set_condition(status_of(deployment).get("conditions") or [], new)
        if conditions != status_of(deployment).get("conditions"):
            self._put_status(deployment, {**status_of(deployment), "conditions": conditions}, out)

    def _condition(self, kind: str, status: str, reason: str, message: str, now: int) -> Doc:
        stamp = self.stamp(now)
        return {"type": kind, "status": status, "lastUpdateTime": stamp, "lastTransitionTime": stamp, "reason": reason,
                "message": message}  # fmt: skip

    def _pause_condition(self, deployment: Doc, now: int, out: Outbox) -> bool:
        """Paused and resumed Deployments say so in Progressing, so that no deadline counts meanwhile."""
        if "progressDeadlineSeconds" not in deployment["spec"]:
            return False
        status = status_of(deployment)
        known = condition(status, "Progressing")
        if known is not None and known.get("reason") == "ProgressDeadlineExceeded":
            return False
        was_paused = known is not None and known.get("reason") == "DeploymentPaused"
        paused = bool(deployment["spec"].get("paused"))
        if paused == was_paused:
            return False
        word = "paused" if paused else "resumed"
        new = self._condition("Progressing", "Unknown", f"Deployment{word.capitalize()}", f"Deployment is {word}", now)
        self._put_status(deployment, {**status, "conditions": set_condition(status.get("conditions") or [], new)}, out)
        return True

    def _write_status(
        self, deployment: Doc, replica_sets: list[Doc], new_rs: Doc | None, now: int, out: Outbox
    ) -> None:
        status = self._status(deployment, replica_sets, new_rs, now)
        old = status_of(deployment)
        if not deleting(deployment) and not deployment["spec"].get("paused"):
            conditions = self._progress(deployment, status, replica_sets, new_rs, now)
            status = without_zeros({**status, "conditions": conditions})
            self._check_deadline_later(deployment, status, out)
        if status != without_zeros(old):
            self._put_status(deployment, status, out)

    def _status(self, deployment: Doc, replica_sets: list[Doc], new_rs: Doc | None, now: int) -> Doc:
        def total(name: str) -> int:
            return sum(status_of(rs).get(name, 0) for rs in replica_sets)

        old = status_of(deployment)
        available, replicas = total("availableReplicas"), total("replicas")
        wanted = replicas_of(deployment)
        conditions = old.get("conditions") or []
        if available >= wanted - rollout.max_unavailable(deployment):
            new = self._condition("Available", "True", "MinimumReplicasAvailable",
                                  "Deployment has minimum availability.", now)  # fmt: skip
        else:
            new = self._condition("Available", "False", "MinimumReplicasUnavailable",
                                  "Deployment does not have minimum availability.", now)  # fmt: skip
        return without_zeros({
            "observedGeneration": deployment["metadata"].get("generation", 0),
            "replicas": replicas,
            "updatedReplicas": status_of(new_rs).get("replicas", 0) if new_rs is not None else 0,
            "readyReplicas": total("readyReplicas"),
            "availableReplicas": available,
            "unavailableReplicas": max(0, sum(map(replicas_of, replica_sets)) - available),
            "conditions": set_condition(conditions, new),
            "collisionCount": old.get("collisionCount"),
        })  # fmt: skip

    def _progress(
        self, deployment: Doc, status: Doc, replica_sets: list[Doc], new_rs: Doc | None, now: int
    ) -> list[Doc]:
        """Conditions Progressing and ReplicaFailure (syncRolloutStatus)."""
        conditions: list[Doc] = status.get("conditions") or []
        current = condition(status_of(deployment), "Progressing")
        settled = (
            current is not None
            and current.get("reason") == "NewReplicaSetAvailable"
            and status.get("replicas", 0) == status.get("updatedReplicas", 0)
        )
        if "progressDeadlineSeconds" in deployment["spec"] and not settled:
            about = f'ReplicaSet "{new_rs["metadata"]["name"]}"' if new_rs is not None else (
                f'Deployment "{deployment["metadata"]["name"]}"')  # fmt: skip
            if self._complete(deployment, status):
                new = self._condition("Progressing", "True", "NewReplicaSetAvailable",
                                      f"{about} has successfully progressed.", now)  # fmt: skip
                conditions = set_condition(conditions, new)
            elif self._progressing(deployment, status):
                new = self._condition("Progressing", "True", "ReplicaSetUpdated", f"{about} is progressing.", now)
                if current is not None and current["status"] == "True":
                    new["lastTransitionTime"] = current.get("lastTransitionTime")
                conditions = [*drop_condition(conditions, "Progressing"), new]
            elif self._timed_out(deployment, status, now):
                new = self._condition("Progressing", "False", "ProgressDeadlineExceeded",
                                      f"{about} has timed out progressing.", now)  # fmt: skip
                conditions = set_condition(conditions, new)
        failure = self._failure(replica_sets, new_rs)
        if failure is not None:
            return set_condition(conditions, {"lastUpdateTime": failure.get("lastTransitionTime"), **failure})
        return drop_condition(conditions, "ReplicaFailure")

    @staticmethod
    def _failure(replica_sets: list[Doc], new_rs: Doc | None) -> Doc | None:
        first = [new_rs] if new_rs is not None else []
        for rs in [*first, *replica_sets]:
            found = condition(status_of(rs), "ReplicaFailure")
            if found is not None:
                return found
        return None

    @staticmethod
    def _complete(deployment: Doc, status: Doc) -> bool:
        wanted = replicas_of(deployment)
        return (
            status.get("updatedReplicas", 0) == wanted
            and status.get("replicas", 0) == wanted
            and status.get("availableReplicas", 0) == wanted
            and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
        )

    @staticmethod
    def _progressing(deployment: Doc, status: Doc) -> bool:
        old = status_of(deployment)

        def grew(name: str) -> bool:
            return status.get(name, 0) > old.get(name, 0)

        old_left = old.get("replicas", 0) - old.get("updatedReplicas", 0)
        left = status.get("replicas", 0) - status.get("updatedReplicas", 0)
        return grew("updatedReplicas") or left < old_left or grew("readyReplicas") or grew("availableReplicas")

    def _timed_out(self, deployment: Doc, status: Doc, now: int) -> bool:
        known = condition(status, "Progressing")
        if known is None or known.get("reason") == "NewReplicaSetAvailable":
            return False
        if known.get("reason") == "ProgressDeadlineExceeded":
            return True
        since_update = since(known.get("lastUpdateTime"), self.config.epoch)
        return since_update + deployment["spec"]["progressDeadlineSeconds"] * SECOND < now

    def _check_deadline_later(self, deployment: Doc, status: Doc, out: Outbox) -> None:
        """Nothing need happen for a deadline to pass: come back when it does (requeueStuckDeployment)."""
        known = condition(status, "Progressing")
        deadline = deployment["spec"].get("progressDeadlineSeconds")
        if known is None or deadline is None or deadline >= 2**31 - 1:
            return
        if self._complete(deployment, status) or known.get("reason") in (
            "ProgressDeadlineExceeded",
            "NewReplicaSetAvailable",
        ):
            return
        since_update = since(known.get("lastUpdateTime"), self.config.epoch)
        meta = deployment["metadata"]
        after = since_update + (deadline + 1) * SECOND - self.manager.now
        if after > 0:
            self.enqueue(out, f"{meta['namespace']}/{meta['name']}", after)

    def _put_status(self, deployment: Doc, status: Doc, out: Outbox) -> None:
        meta = deployment["metadata"]
        doc = {"kind": "Deployment", "apiVersion": "apps/v1", **deployment, "status": status}
        self.request(out, "PUT", path("apps/v1", "deployments", meta["namespace"], meta["name"], "status"), doc=doc)
