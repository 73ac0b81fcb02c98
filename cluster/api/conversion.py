"""Conversion between served versions of one kind, as a client sees it.

In → a document and the apiVersion it should have; out → a new document. Kinds with two served versions: Event (core v1
and events.k8s.io/v1) and HorizontalPodAutoscaler (autoscaling/v1 and v2). Custom resources change their apiVersion only
(conversion strategy None).

Simplified here: HPA v1 keeps the metrics, conditions and behavior that v1 cannot say in its annotations as upstream
does; conversion webhooks do not exist.

Upstream: pkg/apis/autoscaling/v1/conversion.go, pkg/apis/events/v1/conversion.go.
"""

import re
from typing import Any

import orjson

Doc = dict[str, Any]

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"

_VERSION = re.compile(r"^v(\d+)(?:(alpha|beta)(\d+))?$")


def version_order(version: str) -> tuple[int, int, int, str]:
    """Sort key of versions by preference: v2, v1, v1beta2, v1beta1, v1alpha1, then other names alphabetically."""
    match = _VERSION.match(version)
    if not match:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return (stage, -int(match[1]), -int(match[3] or 0), version)


def convert(doc: Doc, target: str) -> Doc:
    """``doc`` as ``target`` (an apiVersion) would show it."""
    kind, source = doc.get("kind", ""), doc.get("apiVersion", "")
    converter = _CONVERTERS.get((kind, source, target))
    if converter is not None:
        return converter(doc)
    return {**doc, "apiVersion": target}


def _without(doc: Doc, *names: str) -> Doc:
    return {k: v for k, v in doc.items() if k not in names}


def _event_to_events(doc: Doc) -> Doc:
    out = {"kind": "Event", "apiVersion": "events.k8s.io/v1", "metadata": doc.get("metadata", {})}
    out["eventTime"] = doc.get("eventTime")
    for name in ("series",):
        if name in doc:
            out[name] = doc[name]
    if doc.get("reportingComponent"):
        out["reportingController"] = doc["reportingComponent"]
    for name in ("reportingInstance", "action", "reason"):
        if doc.get(name):
            out[name] = doc[name]
    if "involvedObject" in doc:
        out["regarding"] = doc["involvedObject"]
    if "related" in doc:
        out["related"] = doc["related"]
    if "message" in doc:
        out["note"] = doc["message"]
    if "type" in doc:
        out["type"] = doc["type"]
    out["deprecatedSource"] = doc.get("source", {})
    out["deprecatedFirstTimestamp"] = doc.get("firstTimestamp")
    out["deprecatedLastTimestamp"] = doc.get("lastTimestamp")
    if doc.get("count"):
        out["deprecatedCount"] = doc["count"]
    return out


def _events_to_event(doc: Doc) -> Doc:
    out = {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": doc.get("metadata", {}),
        "involvedObject": doc.get("regarding", {}),
    }
    if doc.get("reason"):
        out["reason"] = doc["reason"]
    if doc.get("note"):
        out["message"] = doc["note"]
    out["source"] = doc.get("deprecatedSource", {})
    out["firstTimestamp"] = doc.get("deprecatedFirstTimestamp")
    out["lastTimestamp"] = doc.get("deprecatedLastTimestamp")
    if doc.get("deprecatedCount"):
        out["count"] = doc["deprecatedCount"]
    if "type" in doc:
        out["type"] = doc["type"]
    out["eventTime"] = doc.get("eventTime")
    if "series" in doc:
        out["series"] = doc["series"]
    if doc.get("action"):
        out["action"] = doc["action"]
    if "related" in doc:
        out["related"] = doc["related"]
    out["reportingComponent"] = doc.get("reportingController", "")
    out["reportingInstance"] = doc.get("reportingInstance", "")
    return out


def _cpu_utilization(metric: Doc) -> int | None:
    resource = metric.get("resource", {})
    if metric.get("type") == "Resource" and resource.get("name") == "cpu":
        return (resource.get("target") or resource.get("current") or {}).get("averageUtilization")
    return None


def _hpa_v2_to_v1(doc: Doc) -> Doc:
    spec, status = dict(doc.get("spec", {})), dict(doc.get("status", {}))
    metadata = doc.get("metadata", {})
    annotations = dict(metadata.get("annotations", {}))
    rest = []
    for metric in spec.pop("metrics", ()):
        cpu = _cpu_utilization(metric)
        if cpu is not None and "targetCPUUtilizationPercentage" not in spec:
            spec["targetCPUUtilizationPercentage"] = cpu
        else:
            rest.append(metric)
    if rest:
        annotations[METRICS] = orjson.dumps(rest).decode()
    behavior = spec.pop("behavior", None)
    if behavior:
        annotations[BEHAVIOR] = orjson.dumps(behavior).decode()
    current = status.pop("currentMetrics", None) or []
    others = []
    for metric in current:
        cpu = _cpu_utilization(metric)
        if cpu is not None:
            status["currentCPUUtilizationPercentage"] = cpu
        else:
            others.append(metric)
    if others:
        annotations[CURRENT_METRICS] = orjson.dumps(others).decode()
    conditions = status.pop("conditions", None)
    if conditions:
        annotations[CONDITIONS] = orjson.dumps(conditions).decode()
    status.setdefault("currentReplicas", 0)
    status.setdefault("desiredReplicas", 0)
    metadata = {**metadata, "annotations": annotations} if annotations else metadata
    return {**doc, "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def _load(annotations: Doc, name: str) -> Any:
    text = annotations.pop(name, None)
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _hpa_v1_to_v2(doc: Doc) -> Doc:
    spec, status = dict(doc.get("spec", {})), dict(doc.get("status", {}))
    metadata = doc.get("metadata", {})
    annotations = dict(metadata.get("annotations", {}))
    metrics: list[Doc] = list(_load(annotations, METRICS) or ())
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if metrics:
        spec["metrics"] = metrics
    behavior = _load(annotations, BEHAVIOR)
    if behavior:
        spec["behavior"] = behavior
    current: list[Doc] = list(_load(annotations, CURRENT_METRICS) or ())
    now = status.pop("currentCPUUtilizationPercentage", None)
    if now is not None:
        shown = {"averageUtilization": now, "averageValue": "0"}
        current.insert(0, {"type": "Resource", "resource": {"name": "cpu", "current": shown}})
    status["currentMetrics"] = current or None
    conditions = _load(annotations, CONDITIONS)
    if conditions:
        status["conditions"] = conditions
    metadata = _without(metadata, "annotations")
    if annotations:
        metadata["annotations"] = annotations
    return {**doc, "apiVersion": "autoscaling/v2", "metadata": metadata, "spec": spec, "status": status}


_CONVERTERS = {
    ("Event", "v1", "events.k8s.io/v1"): _event_to_events,
    ("Event", "events.k8s.io/v1", "v1"): _events_to_event,
    ("HorizontalPodAutoscaler", "autoscaling/v2", "autoscaling/v1"): _hpa_v2_to_v1,
    ("HorizontalPodAutoscaler", "autoscaling/v1", "autoscaling/v2"): _hpa_v1_to_v2,
}
