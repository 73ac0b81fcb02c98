"""HorizontalPodAutoscaler: more or fewer replicas by what metrics say.

In → an autoscaler, every 15 s; out → its target's scale kept between minReplicas and maxReplicas, and conditions. There is no
metrics server in this cluster (nor in a fresh real one), so the part that needs metrics fails with the real server's words:
ScalingActive is False, FailedGetResourceMetric; what was desired stays as it was, 0 for a new autoscaler.

Simplified here: no metrics at all; scaling by bounds only; a target must be a Deployment, ReplicaSet or StatefulSet of apps/v1 or
a ReplicationController.

Upstream: kubernetes pkg/controller/podautoscaler/horizontal.go.
"""

from typing import Any

from cluster.clientgo import Doc, message_of
from cluster.controllers.lib.meta import deleting, path, set_condition, spec_of, status_of, without_zeros
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox
from cluster.wire.http import HttpResponse

PERIOD = 15 * SECOND
_PLURALS = {
    "Deployment": ("apps/v1", "deployments"), "ReplicaSet": ("apps/v1", "replicasets"),
    "StatefulSet": ("apps/v1", "statefulsets"), "ReplicationController": ("v1", "replicationcontrollers"),
}  # fmt: skip
_NO_METRICS = "the server could not find the requested resource"
_NO_CUSTOM = "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"


def _failure(metric: Doc, namespace: str) -> tuple[str, str, str]:
    """(reason, text, what stands before the text in the sum of all failures) of a metric that nobody serves."""
    kind = metric["type"]
    if kind in ("Resource", "ContainerResource"):
        source = metric["resource" if kind == "Resource" else "containerResource"]
        resource = source["name"]
        what = "usage" if source["target"].get("averageValue") is not None else "utilization"
        text = (f"failed to get {resource} {what}: unable to get metrics for resource {resource}: unable to fetch metrics "
                f"from resource metrics API: {_NO_METRICS} (get pods.metrics.k8s.io)")  # fmt: skip
        if kind == "Resource":
            return "FailedGetResourceMetric", text, f"failed to get {resource} resource metric value: "
        return "FailedGetContainerResourceMetric", text, f"failed to get {source['container']} container metric value: "
    source = metric[kind.lower()]
    name = source["metric"]["name"]
    if kind == "Pods":
        return "FailedGetPodsMetric", f"unable to get metric {name}: {_NO_CUSTOM}", "failed to get pods metric value: "
    if kind == "Object":
        of = source["describedObject"]
        text = f"unable to get metric {name}: {of['kind']} on {namespace} {of['name']}/{_NO_CUSTOM}"
        return "FailedGetObjectMetric", text, "failed to get object metric value: "
    text = (f"unable to get external metric {namespace}/{name}/{_selector(source['metric'].get('selector'))}: unable to fetch "
            f"metrics from external metrics API: {_NO_METRICS} (get {name}.external.metrics.k8s.io)")  # fmt: skip
    return (
        "FailedGetExternalMetric",
        text,
        f"failed to get {name} external metric value: failed to get {name} external metric: ",
    )


def _selector(selector: Doc | None) -> str:
    """A LabelSelector's ``String()``."""
    if selector is None:
        return "nil"
    labels = "".join(f"{k}: {v}," for k, v in sorted((selector.get("matchLabels") or {}).items()))
    needs = "".join(
        f"LabelSelectorRequirement{{Key:{e['key']},Operator:{e['operator']},Values:[{' '.join(e.get('values') or ())}],}},"
        for e in selector.get("matchExpressions") or ()
    )
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{needs}}},}}"


class HorizontalPodAutoscalerController(Controller):
    """Keys are ``namespace/name`` of HorizontalPodAutoscalers."""

    name = "horizontalpodautoscaler"
    user = "horizontal-pod-autoscaler"
    watches = ("horizontalpodautoscalers",)

    def on_horizontalpodautoscalers(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "ADDED" or (old is not None and spec_of(old) != spec_of(new)):
            self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        hpa = self.store("horizontalpodautoscalers").get(key)
        if hpa is None or deleting(hpa):
            return
        out.cause = 0  # from the second time on the clock is the cause, not who made it
        self.enqueue(out, key, PERIOD)
        target = spec_of(hpa)["scaleTargetRef"]
        known = _PLURALS.get(target["kind"])
        if known is None:
            text = (
                f'no matches for kind "{target["kind"]}" in group "{target.get("apiVersion", "").rpartition("/")[0]}"'
            )
            self._cannot_scale(hpa, text, now, out)
            return
        where = path(*known, hpa["metadata"]["namespace"], target["name"], "scale")
        self.request(out, "GET", where, then="scale_read", args=(key, where))

    def scale_read(self, response: HttpResponse, key: str, where: str, now: int, out: Outbox) -> None:
        """The target's size: keep it in bounds, and say that metrics can't be had."""
        hpa = self.store("horizontalpodautoscalers").get(key)
        if hpa is None:
            return
        if response.code != 200:
            self._cannot_scale(hpa, message_of(response), now, out)
            return
        scale, spec = response.doc, spec_of(hpa)
        current = spec_of(scale).get("replicas", 0)
        least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
        conditions = self._with(hpa, [], "AbleToScale", "True", "SucceededGetScale",
                                "the HPA controller was able to get the target's current scale", now)  # fmt: skip
        desired, reason = current, ""
        if current == 0 and least != 0:
            conditions = self._with(hpa, conditions, "ScalingActive", "False", "ScalingDisabled",
                                    "scaling is disabled since the replica count of the target is zero", now)  # fmt: skip
            self._write(hpa, scale, conditions, 0, out)
            return
        if current > most:
            desired, reason = most, "Current number of replicas above Spec.MaxReplicas"
        elif current < least:
            desired, reason = least, "Current number of replicas below Spec.MinReplicas"
        else:  # what was desired when metrics could last be had stays
            conditions = self._without_metrics(hpa, conditions, now, out)
            self._write(hpa, scale, conditions, status_of(hpa).get("desiredReplicas", 0), out)
            return
        doc = {**scale, "spec": {**spec_of(scale), "replicas": desired}}
        self.request(out, "PUT", where, doc=doc, then="rescaled", args=(key, conditions, desired, reason))

    def rescaled(
        self, response: HttpResponse, key: str, conditions: list[Doc], desired: int, reason: str, now: int, out: Outbox
    ) -> None:
        """The target has another size now."""
        hpa = self.store("horizontalpodautoscalers").get(key)
        if hpa is None:
            return
        if response.code != 200:
            self.failed()
            return
        self.event(
            out,
            hpa,
            "horizontalpodautoscalers",
            "Normal",
            "SuccessfulRescale",
            f"New size: {desired}; reason: {reason}",
        )
        conditions = self._with(hpa, conditions, "AbleToScale", "True", "SucceededRescale",
                                f"the HPA controller was able to update the target scale to {desired}", now)  # fmt: skip
        self._write(hpa, response.doc, conditions, desired, out, rescaled=self.stamp(now))

    def _without_metrics(self, hpa: Doc, conditions: list[Doc], now: int, out: Outbox) -> list[Doc]:
        """An event for each metric that cannot be had, one for all of them; the condition speaks of the first."""
        failures = [_failure(metric, hpa["metadata"]["namespace"]) for metric in spec_of(hpa).get("metrics") or ()]
        for reason, text, _ in failures:
            self.event(out, hpa, "horizontalpodautoscalers", "Warning", reason, text)
        count = len(failures)
        if not count:
            return conditions
        self.event(
            out, hpa, "horizontalpodautoscalers", "Warning", "FailedComputeMetricsReplicas",
            f"invalid metrics ({count} invalid out of {count}), first error is: {failures[0][2]}{failures[0][1]}",
        )  # fmt: skip
        return self._with(hpa, conditions, "ScalingActive", "False", failures[0][0],
                          f"the HPA was unable to compute the replica count: {failures[0][1]}", now)  # fmt: skip

    def _cannot_scale(self, hpa: Doc, why: str, now: int, out: Outbox) -> None:
        self.event(out, hpa, "horizontalpodautoscalers", "Warning", "FailedGetScale", why)
        text = f"the HPA controller was unable to get the target's current scale: {why}"
        self._write(hpa, None, self._with(hpa, [], "AbleToScale", "False", "FailedGetScale", text, now), 0, out)

    def _with(
        self, hpa: Doc, conditions: list[Doc], kind: str, status: str, reason: str, text: str, now: int
    ) -> list[Doc]:
        base: list[Any] = conditions or status_of(hpa).get("conditions") or []
        new = {"type": kind, "status": status, "lastTransitionTime": self.stamp(now), "reason": reason, "message": text}
        return set_condition(base, new)

    def _write(
        self, hpa: Doc, scale: Doc | None, conditions: list[Doc], desired: int, out: Outbox, rescaled: str | None = None
    ) -> None:
        current = status_of(scale).get("replicas", 0) if scale is not None else status_of(hpa).get("currentReplicas", 0)
        status = without_zeros({
            "observedGeneration": status_of(hpa).get("observedGeneration"),
            "lastScaleTime": rescaled or status_of(hpa).get("lastScaleTime"), "currentReplicas": current,
            "currentMetrics": status_of(hpa).get("currentMetrics"), "conditions": conditions,
        })  # fmt: skip
        status["desiredReplicas"] = desired
        known = {**status_of(hpa)}
        if {**known, "currentMetrics": None} == {**status, "currentMetrics": None}:
            return
        meta = hpa["metadata"]
        doc = {"kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2", **hpa, "status": status}
        where = path("autoscaling/v2", "horizontalpodautoscalers", meta["namespace"], meta["name"], "status")
        self.request(out, "PUT", where, doc=doc)
