"""Cells of the kinds that make pods: Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs, CronJobs, autoscalers."""

from typing import Any

from cluster.apiserver.printers import text

Doc = dict[str, Any]


def _template(doc: Doc) -> tuple[str, str]:
    return text.containers((((doc.get("spec") or {}).get("template")) or {}).get("spec") or {})


def replication_controller(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    return [
        doc["metadata"]["name"],
        spec.get("replicas", 1),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        text.age(doc, now),
        *_template(doc),
        text.labels(spec.get("selector")),
    ]


def replica_set(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    return [
        doc["metadata"]["name"],
        spec.get("replicas", 1),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        text.age(doc, now),
        *_template(doc),
        text.selector(spec.get("selector")),
    ]


def deployment(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    return [
        doc["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        text.age(doc, now),
        *_template(doc),
        text.selector(spec.get("selector")),
    ]


def stateful_set(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    return [doc["metadata"]["name"], ready, text.age(doc, now), *_template(doc)]


def daemon_set(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    pod_spec = (spec.get("template") or {}).get("spec") or {}
    return [
        doc["metadata"]["name"],
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        text.labels(pod_spec.get("nodeSelector")),
        text.age(doc, now),
        *_template(doc),
        text.selector(spec.get("selector")),
    ]


def job_status(doc: Doc) -> str:
    """The STATUS word of a Job: its decisive condition, else Running."""
    true = {
        each["type"]: True for each in (doc.get("status") or {}).get("conditions") or () if each["status"] == "True"
    }
    for condition in ("Complete", "Failed"):
        if condition in true:
            return condition
    if doc["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for condition in ("Suspended", "SuccessCriteriaMet", "FailureTarget"):
        if condition in true:
            return condition
    return "Running"


def job(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    succeeded = status.get("succeeded", 0)
    parallelism = spec.get("parallelism") or 0
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    elif parallelism > 1:
        completions = f"{succeeded}/1 of {parallelism}"
    else:
        completions = f"{succeeded}/1"
    duration = ""
    if status.get("startTime"):
        end = text.unix(status["completionTime"]) if status.get("completionTime") else now
        duration = text.human_duration(end - text.unix(status["startTime"]))
    return [
        doc["metadata"]["name"],
        job_status(doc),
        completions,
        duration,
        text.age(doc, now),
        *_template(doc),
        text.selector(spec.get("selector")),
    ]


def cron_job(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    job_spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    last = status.get("lastScheduleTime")
    return [
        doc["metadata"]["name"],
        spec.get("schedule", ""),
        spec.get("timeZone") or text.NONE,
        text.bool_pointer(spec.get("suspend")),
        len(status.get("active") or ()),
        text.since(last, now) if last else text.NONE,
        text.age(doc, now),
        *text.containers((job_spec.get("template") or {}).get("spec") or {}),
        text.selector(job_spec.get("selector")),
    ]


def controller_revision(doc: Doc, now: float) -> list[Any]:
    owner = next((each for each in doc["metadata"].get("ownerReferences") or () if each.get("controller")), None)
    controller = text.NONE
    if owner is not None:
        group = owner["apiVersion"].rpartition("/")[0]
        controller = f"{owner['kind'].lower()}{'.' + group if group else ''}/{owner['name']}"
    return [doc["metadata"]["name"], controller, doc.get("revision", 0), text.age(doc, now)]


def _value_pair(current: Doc, target: Doc) -> str:
    """``current/target`` of one metric; what isn't measured yet is ``<unknown>``."""
    if target.get("averageValue") is not None:
        now = current.get("averageValue")
        return f"{text.quantity(now) if now is not None else text.UNKNOWN}/{text.quantity(target['averageValue'])}"
    if target.get("averageUtilization") is not None:
        now = current.get("averageUtilization")
        return f"{f'{now}%' if now is not None else text.UNKNOWN}/{target['averageUtilization']}%"
    now = current.get("value")
    return f"{text.quantity(now) if now is not None else text.UNKNOWN}/{text.quantity(target.get('value'))}"


_METRIC_SOURCES = {
    "External": "external", "Pods": "pods", "Object": "object", "Resource": "resource",
    "ContainerResource": "containerResource",
}  # fmt: skip


def _metric(spec: Doc, current: Doc) -> str:
    key = _METRIC_SOURCES.get(spec["type"])
    if key is None:
        return "<unknown type>"
    source, measured = spec.get(key) or {}, (current.get(key) or {}).get("current") or {}
    pair = _value_pair(measured, source.get("target") or {})
    if key in ("resource", "containerResource"):
        return f"{source.get('name', '')}: {pair}"
    average = (source.get("target") or {}).get("averageValue") is not None
    return f"{pair} (avg)" if average and key in ("external", "object") else pair


def horizontal_pod_autoscaler(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    metrics, measured = list(spec.get("metrics") or ()), list(status.get("currentMetrics") or ())
    if "targetCPUUtilizationPercentage" in spec:  # an autoscaling/v1 document
        target = {"averageUtilization": spec["targetCPUUtilizationPercentage"]}
        metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
        seen = status.get("currentCPUUtilizationPercentage")
        measured = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": seen}}}]
    shown = [_metric(each, measured[i] if i < len(measured) else {}) for i, each in enumerate(metrics)]
    reference = spec.get("scaleTargetRef") or {}
    minimum = spec.get("minReplicas")
    return [
        doc["metadata"]["name"],
        f"{reference.get('kind', '')}/{reference.get('name', '')}",
        ", ".join(shown[:2]) + (f" + {len(shown) - 2} more..." if len(shown) > 2 else "") if shown else text.NONE,
        str(minimum) if minimum is not None else text.UNSET,
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        text.age(doc, now),
    ]


def scale(doc: Doc, now: float) -> list[Any]:
    wanted, have = (doc.get("spec") or {}).get("replicas", 0), (doc.get("status") or {}).get("replicas", 0)
    return [doc["metadata"]["name"], wanted, have, text.age(doc, now)]


CELLS = {
    ("", "ReplicationController"): replication_controller,
    ("apps", "ReplicaSet"): replica_set,
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("apps", "ControllerRevision"): controller_revision,
    ("batch", "Job"): job,
    ("batch", "CronJob"): cron_job,
    ("autoscaling", "HorizontalPodAutoscaler"): horizontal_pod_autoscaler,
    ("autoscaling", "Scale"): scale,
}
