"""Pods and the kinds that make them, in words.

Upstream: kubectl/pkg/describe/describe.go.
"""

from typing import Any

from cluster.shell.commands.kubectl import describing as d
from cluster.shell.commands.kubectl.client import Asking
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.describers.common import controller, head, pairs

Doc = dict[str, Any]


def pod(k: Kubectl, target: Target) -> str:
    """A Pod, its containers, conditions and volumes."""
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    out = head(doc)
    if spec.get("priority") is not None:
        out += d.line(0, f"Priority:\t{spec['priority']}")
    if spec.get("priorityClassName"):
        out += d.line(0, f"Priority Class Name:\t{spec['priorityClassName']}")
    if spec.get("runtimeClassName"):
        out += d.line(0, f"Runtime Class Name:\t{spec['runtimeClassName']}")
    out += d.line(0, f"Service Account:\t{spec.get('serviceAccountName', '')}")
    out += d.line(
        0, f"Node:\t{spec['nodeName']}/{status.get('hostIP', '')}" if spec.get("nodeName") else f"Node:\t{d.NONE}"
    )
    if status.get("startTime"):
        out += d.line(0, f"Start Time:\t{d.date(status['startTime'])}")
    out += pairs(doc)
    deleted = doc["metadata"].get("deletionTimestamp")
    if deleted and status.get("phase") not in ("Succeeded", "Failed"):
        out += d.line(0, f"Status:\tTerminating (lasts {d.age(deleted, k.client.now_unix)})")
        out += d.line(0, f"Termination Grace Period:\t{doc['metadata'].get('deletionGracePeriodSeconds', 0)}s")
    else:
        out += d.line(0, f"Status:\t{status.get('phase', '')}")
    for title, key in (("Reason", "reason"), ("Message", "message")):
        if status.get(key):
            out += d.line(0, f"{title}:\t{status[key]}")
    ips = status.get("podIPs") or []
    out += d.line(0, f"IP:\t{status.get('podIP', '')}")
    out += (
        d.line(0, "IPs:") + "".join(d.line(1, f"IP:\t{each['ip']}") for each in ips)
        if ips
        else d.line(0, f"IPs:\t{d.NONE}")
    )
    out += controller(doc)
    if status.get("nominatedNodeName"):
        out += d.line(0, f"NominatedNodeName:\t{status['nominatedNodeName']}")
    for title, field, statuses in (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
    ):
        if spec.get(field):
            known = {each["name"]: each for each in status.get(statuses) or ()}
            out += d.line(0, f"{title}:") + "".join(d.container(each, known.get(each["name"])) for each in spec[field])
    if status.get("conditions"):
        out += d.line(0, "Conditions:") + d.line(1, "Type\tStatus")
        out += "".join(d.line(1, f"{each['type']} \t{each['status']} ") for each in status["conditions"])
    out += d.volumes(spec.get("volumes"))
    out += d.line(0, f"QoS Class:\t{status.get('qosClass', 'BestEffort')}")
    return out + d.scheduling(spec)


def _replicas(doc: Doc) -> str:
    status = doc.get("status") or {}
    spec = doc.get("spec") or {}
    return (
        f"Replicas:\t{spec.get('replicas', 1)} desired | {status.get('updatedReplicas', 0)} updated | {status.get('replicas', 0)} total | "
        f"{status.get('availableReplicas', 0)} available | {status.get('unavailableReplicas', 0)} unavailable"
    )


def deployment(k: Kubectl, target: Target) -> Asking:
    """A deployment in words."""
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    out = head(doc) + d.line(0, f"CreationTimestamp:\t{d.date(doc['metadata'].get('creationTimestamp'))}") + pairs(doc)
    out += d.line(0, f"Selector:\t{d.selector(spec.get('selector'))}") + d.line(0, _replicas(doc))
    strategy = spec.get("strategy") or {}
    out += d.line(0, f"StrategyType:\t{strategy.get('type', '')}") + d.line(
        0, f"MinReadySeconds:\t{spec.get('minReadySeconds', 0)}"
    )
    if strategy.get("rollingUpdate"):
        rolling = strategy["rollingUpdate"]
        out += d.line(
            0,
            f"RollingUpdateStrategy:\t{rolling.get('maxUnavailable')} max unavailable, {rolling.get('maxSurge')} max surge",
        )
    out += d.pod_template(spec.get("template"))
    if status.get("conditions"):
        out += d.line(0, "Conditions:") + d.line(1, "Type\tStatus\tReason") + d.line(1, "----\t------\t------")
        out += "".join(
            d.line(1, f"{each['type']} \t{each['status']}\t{each.get('reason', '')}") for each in status["conditions"]
        )
    owned = yield from _owned_sets(k, doc, target.namespace)
    template = spec["template"]["metadata"].get("labels") or {}
    new = [
        each
        for each in owned
        if _without_hash(each) == template and each["spec"]["template"]["spec"] == spec["template"]["spec"]
    ]
    old = [
        each
        for each in owned
        if each not in new and ((each["spec"].get("replicas") or 0) > 0 or (each.get("status") or {}).get("replicas"))
    ]
    out += d.line(
        0,
        f"OldReplicaSets:\t{_sets([each for each in owned if each not in new]) if owned else d.NONE}"
        if old or len(owned) > 1
        else f"OldReplicaSets:\t{d.NONE}",
    )
    return out + d.line(0, f"NewReplicaSet:\t{_sets(new[:1])}")


def _without_hash(item: Doc) -> Doc:
    found = item["spec"]["template"]["metadata"].get("labels") or {}
    return {key: value for key, value in found.items() if key != "pod-template-hash"}


def _sets(found: list[Doc]) -> str:
    shown = [
        f"{each['metadata']['name']} ({(each.get('status') or {}).get('replicas', 0)}/{each['spec'].get('replicas', 0)} replicas created)"
        for each in found
    ]
    return ", ".join(shown) or d.NONE


def _owned_sets(k: Kubectl, doc: Doc, namespace: str) -> Asking:
    pairs = (doc["spec"].get("selector") or {}).get("matchLabels") or {}
    query = [("labelSelector", ",".join(f"{key}={pairs[key]}" for key in sorted(pairs))), ("limit", "500")]
    listed = yield from k.client.call("GET", f"/apis/apps/v1/namespaces/{namespace}/replicasets", query)
    uid = doc["metadata"].get("uid")
    return [
        each
        for each in listed.get("items") or ()
        if any(owner.get("uid") == uid for owner in each["metadata"].get("ownerReferences") or ())
    ]


def _pod_counts(k: Kubectl, doc: Doc, namespace: str, selector: str) -> Asking:
    listed = yield from k.client.call(
        "GET", f"/api/v1/namespaces/{namespace}/pods", [("labelSelector", selector), ("limit", "500")]
    )
    counts = dict.fromkeys(("Running", "Pending", "Succeeded", "Failed"), 0)
    for each in listed.get("items") or ():
        owners = each["metadata"].get("ownerReferences") or ()
        phase = (each.get("status") or {}).get("phase", "")
        if phase in counts and any(owner.get("uid") == doc["metadata"].get("uid") for owner in owners):
            counts[phase] += 1
    return f"{counts['Running']} Running / {counts['Pending']} Waiting / {counts['Succeeded']} Succeeded / {counts['Failed']} Failed"


def replica_set(k: Kubectl, target: Target) -> Asking:
    """A replica set in words."""
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    selector = d.selector(spec.get("selector"))
    out = head(doc) + d.line(0, f"Selector:\t{selector}") + pairs(doc) + controller(doc)
    out += d.line(0, f"Replicas:\t{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired")
    out += d.line(0, f"Pods Status:\t{(yield from _pod_counts(k, doc, target.namespace, selector))}")
    return out + d.pod_template(spec.get("template"))


def stateful_set(k: Kubectl, target: Target) -> Asking:
    """A stateful set in words."""
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    selector = d.selector(spec.get("selector"))
    out = head(doc) + d.line(0, f"CreationTimestamp:\t{d.date(doc['metadata'].get('creationTimestamp'))}")
    out += d.line(0, f"Selector:\t{selector}") + pairs(doc)
    out += d.line(0, f"Replicas:\t{spec.get('replicas', 1)} desired | {status.get('replicas', 0)} total")
    strategy = spec.get("updateStrategy") or {}
    out += d.line(0, f"Update Strategy:\t{strategy.get('type', '')}")
    if (strategy.get("rollingUpdate") or {}).get("partition") is not None:
        out += d.line(1, f"Partition:\t{strategy['rollingUpdate']['partition']}")
    out += d.line(0, f"Pods Status:\t{(yield from _pod_counts(k, doc, target.namespace, selector))}")
    return (
        out
        + d.pod_template(spec.get("template"))
        + d.line(0, "Volume Claims:\t<none>" if not spec.get("volumeClaimTemplates") else "Volume Claims:")
    )


def daemon_set(k: Kubectl, target: Target) -> Asking:
    """A daemon set in words."""
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    selector = d.selector(spec.get("selector"))
    out = (
        d.line(0, f"Name:\t{target.name}")
        + d.line(0, f"Namespace:\t{target.namespace}")
        + d.line(0, f"Selector:\t{selector}")
    )
    node = ((spec.get("template") or {}).get("spec") or {}).get("nodeSelector")
    out += d.line(0, f"Node-Selector:\t{d.selector(node)}") + pairs(doc)
    out += d.line(0, f"Desired Number of Nodes Scheduled: {status.get('desiredNumberScheduled', 0)}")
    out += d.line(0, f"Current Number of Nodes Scheduled: {status.get('currentNumberScheduled', 0)}")
    out += d.line(0, f"Number of Nodes Scheduled with Up-to-date Pods: {status.get('updatedNumberScheduled', 0)}")
    out += d.line(0, f"Number of Nodes Scheduled with Available Pods: {status.get('numberAvailable', 0)}")
    out += d.line(0, f"Number of Nodes Misscheduled: {status.get('numberMisscheduled', 0)}")
    out += d.line(0, f"Pods Status:\t{(yield from _pod_counts(k, doc, target.namespace, selector))}")
    return out + d.pod_template(spec.get("template"))


def job(k: Kubectl, target: Target) -> str:
    """A job in words."""
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    out = head(doc) + d.line(0, f"Selector:\t{d.selector(spec.get('selector'))}") + pairs(doc) + controller(doc)
    out += d.line(0, f"Parallelism:\t{spec.get('parallelism', 1)}") + d.line(
        0, f"Completions:\t{spec.get('completions', '<unset>')}"
    )
    if spec.get("completionMode"):
        out += d.line(0, f"Completion Mode:\t{spec['completionMode']}")
    if spec.get("suspend") is not None:
        out += d.line(0, f"Suspend:\t{'true' if spec['suspend'] else 'false'}")
    if spec.get("backoffLimit") is not None:
        out += d.line(0, f"Backoff Limit:\t{spec['backoffLimit']}")
    if status.get("startTime"):
        out += d.line(0, f"Start Time:\t{d.date(status['startTime'])}")
    if status.get("completionTime"):
        out += d.line(0, f"Completed At:\t{d.date(status['completionTime'])}")
    counts = f"{status.get('active', 0)} Active ({status.get('ready', 0)} Ready) / {status.get('succeeded', 0)} Succeeded / {status.get('failed', 0)} Failed"
    return out + d.line(0, f"Pods Statuses:\t{counts}") + d.pod_template(spec.get("template"))
