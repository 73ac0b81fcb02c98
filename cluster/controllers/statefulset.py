"""StatefulSet: numbered Pods, each with a name, an order and volumes of its own.

In → a StatefulSet and its Pods; out → ``<name>-0``, ``<name>-1``, … each created when all before it are running and ready, deleted
from the highest down; the claims of ``volumeClaimTemplates``; a rolling update from the highest number down to ``partition``,
one at a time; ControllerRevisions; status.

With ``podManagementPolicy: Parallel`` nobody waits for anybody when scaling.

Simplified here: no maxUnavailable (alpha); claims aren't deleted by persistentVolumeClaimRetentionPolicy.

Upstream: kubernetes pkg/controller/statefulset/{stateful_set,stateful_set_control,stateful_set_utils}.go.
"""

from cluster.clientgo import Doc, message_of, reason_of
from cluster.controllers.lib.history import HASH_LABEL, equal, new_revision
from cluster.controllers.lib.meta import deleting, labels_of, path, status_of
from cluster.controllers.lib.pods import from_template, is_available, is_ready, phase
from cluster.controllers.lib.rollout import replicas_of
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpResponse

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


class StatefulSetController(Controller):
    """Keys are ``namespace/name`` of StatefulSets."""

    name = "statefulset"
    user = "statefulset-controller"
    watches = ("statefulsets", "pods", "controllerrevisions", "persistentvolumeclaims")

    # -- events ---------------------------------------------------------------------------------------------------

    def on_statefulsets(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = self.owner_key(new, "StatefulSet")
        if key is not None:
            self.enqueue(out, key)

    def on_controllerrevisions(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        key = self.owner_key(new, "StatefulSet")
        if key is not None:
            self.enqueue(out, key)

    # -- one run --------------------------------------------------------------------------------------------------

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        sts = self.store("statefulsets").get(key)
        if sts is None:
            return
        revisions = self._revisions(sts, out)
        if revisions is None:
            return
        current, update = revisions
        meta = sts["metadata"]
        start = (sts["spec"].get("ordinals") or {}).get("start", 0)
        wanted = range(start, start + replicas_of(sts))
        pods = {_ordinal(p, meta["name"]): p for p in self.store("pods").by("owner", meta["uid"])}
        pods.pop(-1, None)
        if not deleting(sts):
            self._act(sts, pods, wanted, current, update, now, out)
        self._write_status(sts, pods, current, update, now, out)

    def _act(
        self, sts: Doc, pods: dict[int, Doc], wanted: range, current: Doc, update: Doc, now: int, out: Outbox
    ) -> None:
        """At most one step per run when Pods are ordered; the event it causes brings the next."""
        parallel = sts["spec"].get("podManagementPolicy") == "Parallel"
        seconds = sts["spec"].get("minReadySeconds", 0)
        for ordinal in wanted:
            pod = pods.get(ordinal)
            if pod is None:
                self._create(sts, ordinal, self._revision_for(sts, ordinal, current, update), out)
                if not parallel:
                    return
                continue
            if phase(pod) in ("Failed", "Succeeded") and not deleting(pod):
                self._delete(sts, pod, out)
                if not parallel:
                    return
            elif not parallel and (deleting(pod) or not is_available(pod, seconds, now, self.config.epoch)):
                if is_ready(pod) and seconds:
                    meta = sts["metadata"]
                    self.enqueue(out, f"{meta['namespace']}/{meta['name']}", seconds * SECOND)
                return
        condemned = sorted((o for o in pods if o not in wanted), reverse=True)
        for ordinal in condemned:
            if not deleting(pods[ordinal]):
                self._delete(sts, pods[ordinal], out)
            if not parallel:
                return
        self._roll(sts, pods, wanted, update, out)

    def _roll(self, sts: Doc, pods: dict[int, Doc], wanted: range, update: Doc, out: Outbox) -> None:
        strategy = sts["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        for ordinal in reversed(wanted):
            pod = pods.get(ordinal)
            if pod is None or ordinal < partition:
                continue
            if labels_of(pod).get(HASH_LABEL) != update["metadata"]["name"] and not deleting(pod):
                self._delete(sts, pod, out)
                return
            if deleting(pod) or not is_ready(pod):
                return

    def _revision_for(self, sts: Doc, ordinal: int, current: Doc, update: Doc) -> Doc:
        strategy = sts["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return update
        partition = (strategy.get("rollingUpdate") or {}).get("partition", 0)
        return current if ordinal < partition else update

    # -- Pods -----------------------------------------------------------------------------------------------------

    def _create(self, sts: Doc, ordinal: int, revision: Doc, out: Outbox) -> None:
        meta = sts["metadata"]
        name = f"{meta['name']}-{ordinal}"
        template = revision["data"]["spec"]["template"]
        pod = from_template(
            {k: v for k, v in template.items() if k != "$patch"}, sts, "apps/v1", "StatefulSet", name=name
        )
        labels = {**labels_of(pod), HASH_LABEL: revision["metadata"]["name"], POD_NAME: name, POD_INDEX: str(ordinal)}
        spec = {**pod["spec"], "hostname": name, "subdomain": sts["spec"].get("serviceName", "")}
        if not spec["subdomain"]:
            del spec["subdomain"]
        claims = sts["spec"].get("volumeClaimTemplates") or ()
        if claims:
            names = [claim["metadata"]["name"] for claim in claims]
            own = [{"name": n, "persistentVolumeClaim": {"claimName": f"{n}-{name}"}} for n in names]
            spec["volumes"] = [*own, *(v for v in spec.get("volumes") or () if v["name"] not in names)]
        for claim in claims:
            self._create_claim(sts, claim, name, out)
        self.note(out, f"statefulsets/{meta['namespace']}/{meta['name']}", f"The turn of {name}: it is created.")
        doc = {**pod, "metadata": {**pod["metadata"], "labels": labels}, "spec": spec}
        self.request(out, "POST", path("v1", "pods", meta["namespace"]), doc=doc, then="pod_created", args=(sts, name))

    def _create_claim(self, sts: Doc, template: Doc, pod: str, out: Outbox) -> None:
        meta, name = sts["metadata"], f"{template['metadata']['name']}-{pod}"
        if self.store("persistentvolumeclaims").find(meta["namespace"], name) is not None:
            return
        labels = {**labels_of(template), **(sts["spec"]["selector"].get("matchLabels") or {})}
        doc = {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": meta["namespace"], "labels": labels},
            "spec": template["spec"],
        }
        self.request(out, "POST", path("v1", "persistentvolumeclaims", meta["namespace"]), doc=doc, then="claim_created",
                     args=(sts, name, pod))  # fmt: skip

    def claim_created(self, response: HttpResponse, sts: Doc, claim: str, pod: str, now: int, out: Outbox) -> None:
        """Its Pod waits in the scheduler until the claim can be bound."""
        if response.code == 201:
            text = f"create Claim {claim} Pod {pod} in StatefulSet {sts['metadata']['name']} success"
            self.event(out, sts, "statefulsets", "Normal", "SuccessfulCreate", text)
        elif reason_of(response) != "AlreadyExists":
            self.failed()

    def pod_created(self, response: HttpResponse, sts: Doc, pod: str, now: int, out: Outbox) -> None:
        """Say how it went. A name that is taken is either ours (a slow informer) or somebody's in the way."""
        name = sts["metadata"]["name"]
        if response.code == 201:
            text = f"create Pod {pod} in StatefulSet {name} successful"
            self.event(out, sts, "statefulsets", "Normal", "SuccessfulCreate", text)
        elif reason_of(response) == "AlreadyExists":
            if self.store("pods").find(sts["metadata"]["namespace"], pod) is not None:
                self.failed()
        elif "being terminated" not in message_of(response):
            text = f"create Pod {pod} in StatefulSet {name} failed error: {message_of(response)}"
            self.event(out, sts, "statefulsets", "Warning", "FailedCreate", text)
            self.failed()

    def _delete(self, sts: Doc, pod: Doc, out: Outbox) -> None:
        meta = pod["metadata"]
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": meta["uid"]}}
        self.request(out, "DELETE", path("v1", "pods", meta["namespace"], meta["name"]), doc=options, then="pod_deleted",
                     args=(sts, meta["name"]))  # fmt: skip

    def pod_deleted(self, response: HttpResponse, sts: Doc, pod: str, now: int, out: Outbox) -> None:
        """Say how it went."""
        name = sts["metadata"]["name"]
        if response.code in (200, 202):
            text = f"delete Pod {pod} in StatefulSet {name} successful"
            self.event(out, sts, "statefulsets", "Normal", "SuccessfulDelete", text)
        elif response.code != 404:
            self.failed()

    # -- revisions ------------------------------------------------------------------------------------------------

    def _revisions(self, sts: Doc, out: Outbox) -> tuple[Doc, Doc] | None:
        """``(the one that Pods had, the one they shall have)``; None: it was just asked for."""
        known = self.store("controllerrevisions").by("owner", sts["metadata"]["uid"])
        number = max((r["revision"] for r in known), default=0)
        wanted = new_revision(sts, "apps/v1", "StatefulSet", number + 1, status_of(sts).get("collisionCount", 0))
        update = next((r for r in known if equal(r, wanted)), None)
        meta = sts["metadata"]
        if update is None:
            self.request(out, "POST", path("apps/v1", "controllerrevisions", meta["namespace"]), doc=wanted,
                         then="revision_created", args=(f"{meta['namespace']}/{meta['name']}",))  # fmt: skip
            return None
        if update["revision"] < number:
            doc = {"kind": "ControllerRevision", "apiVersion": "apps/v1", **update, "revision": number + 1}
            self.request(out, "PUT", path("apps/v1", "controllerrevisions", meta["namespace"], update["metadata"]["name"]),
                         doc=doc)  # fmt: skip
        name = status_of(sts).get("currentRevision")
        current = next((r for r in known if r["metadata"]["name"] == name), update)
        return current, update

    def revision_created(self, response: HttpResponse, key: str, now: int, out: Outbox) -> None:
        """The informer will show it; should it be there already, look again soon."""
        if response.code == 201 or reason_of(response) == "AlreadyExists":
            self.enqueue(out, key, SECOND)
        elif response.code != 404:
            self.failed()

    # -- status ---------------------------------------------------------------------------------------------------

    def _write_status(self, sts: Doc, pods: dict[int, Doc], current: Doc, update: Doc, now: int, out: Outbox) -> None:
        seconds = sts["spec"].get("minReadySeconds", 0)
        created = [p for p in pods.values() if phase(p) not in ("Failed", "Succeeded")]
        ready = [p for p in created if phase(p) == "Running" and is_ready(p)]
        current_name, update_name = current["metadata"]["name"], update["metadata"]["name"]

        def count(name: str) -> int:
            return sum(labels_of(p).get(HASH_LABEL) == name and not deleting(p) for p in created)

        updated = count(update_name)
        done = updated == replicas_of(sts) == len(ready) and len(created) == updated
        strategy = (sts["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")
        if done and strategy == "RollingUpdate":
            current_name = update_name
        status: Doc = {"replicas": len(created)}
        extra = {
            "observedGeneration": sts["metadata"].get("generation", 0),
            "readyReplicas": len(ready),
            "currentReplicas": count(current_name),
            "updatedReplicas": updated,
            "currentRevision": current_name,
            "updateRevision": update_name,
            "collisionCount": status_of(sts).get("collisionCount", 0),
        }
        status.update({name: value for name, value in extra.items() if value or name == "collisionCount"})
        status["availableReplicas"] = sum(is_available(p, seconds, now, self.config.epoch) for p in ready)
        if status != status_of(sts):
            meta = sts["metadata"]
            doc = {"kind": "StatefulSet", "apiVersion": "apps/v1", **sts, "status": status}
            self.request(
                out, "PUT", path("apps/v1", "statefulsets", meta["namespace"], meta["name"], "status"), doc=doc
            )


def _ordinal(pod: Doc, parent: str) -> int:
    """The number in its name; -1 if it isn't one of ``parent``'s."""
    prefix, _, number = pod["metadata"]["name"].rpartition("-")
    return int(number) if prefix == parent and number.isdigit() else -1
