"""``kubectl describe``: an object and what belongs to it (its events, a Service's endpoints, a Deployment's ReplicaSets) in words.

Kinds without a form of their own are shown field by field, as the real one does for custom resources.
Upstream: kubectl/pkg/describe/describe.go.
"""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

from cluster.api.quantity import canonical
from cluster.shell.commands.kubectl import describing as d
from cluster.shell.commands.kubectl.client import Asking
from cluster.shell.commands.kubectl.command import Kubectl, Target
from cluster.shell.commands.kubectl.failures import ApiFailure, Failure
from cluster.shell.commands.kubectl.flags import FILES, SELECTOR, TRUE, Flag
from cluster.shell.interpreter import Run
from cluster.shell.tabwriter import align

NAMES = ("describe",)
FLAGS = {
    **FILES, **SELECTOR, "all-namespaces": Flag("bool", "A", False), "show-events": TRUE, "chunk-size": Flag("int", default=500),
}  # fmt: skip

Doc = dict[str, Any]


def run(k: Kubectl) -> Run:
    """Blocks, two empty lines between objects."""
    if not k.args and not k.flags["filename"]:
        raise Failure(
            'You must specify the type of resource to describe. Use "kubectl api-resources" for a complete list of supported resources.',
            plain=False,
        )
    if len(k.args) == 2 and "/" not in k.args[0] and "," not in k.args[0]:
        targets = yield from _by_prefix(k)
    else:
        targets = yield from k.objects()
    if not targets:
        if k.flags["all-namespaces"]:
            k.err("No resources found\n")
        else:
            k.err(f"No resources found in {k.namespace} namespace.\n")
        return 0
    for place, target in enumerate(targets):
        text = yield from _describe(k, target)
        k.out(("\n\n" if place else "") + align(text, minimum=0, padding=2))
    return 0


def _by_prefix(k: Kubectl) -> Asking:
    """The object of that name, else all whose names start with it."""
    _, targets = yield from k.named()
    try:
        yield from k.fetch(targets[0])
        return targets[:1]
    except ApiFailure as error:
        if error.reason != "NotFound":
            raise
        every = yield from k.listed(targets[0].mapping)
        found = [each for each in every if each.name.startswith(targets[0].name)]
        if not found:
            raise
        return found


def _describe(k: Kubectl, target: Target) -> Asking:
    doc = target.doc or {}
    special = _KINDS.get((target.mapping.group, target.mapping.kind))
    if special is None:
        text = _generic(doc)
    else:
        result = special(k, target)
        text = result if isinstance(result, str) else (yield from result)
    silent = target.mapping.kind in (
        "Secret",
        "Role",
        "ClusterRole",
        "RoleBinding",
        "ClusterRoleBinding",
        "ResourceQuota",
        "LimitRange",
        "Namespace",
    )
    if not k.flags["show-events"] or silent:
        return text
    return text + d.events((yield from _events(k, target)), k.client.now_unix)


def _events(k: Kubectl, target: Target) -> Asking:
    fields = [f"involvedObject.name={target.name}"]
    if target.namespace:
        fields.append(f"involvedObject.namespace={target.namespace}")
    fields.append(f"involvedObject.kind={target.mapping.kind}")
    uid = (target.doc or {}).get("metadata", {}).get("uid")
    if uid:
        fields.append(f"involvedObject.uid={target.name if target.mapping.kind == 'Node' else uid}")
    where = f"/api/v1/namespaces/{target.namespace or 'default'}/events" if target.namespace else "/api/v1/events"
    try:
        listed = yield from k.client.call("GET", where, [("fieldSelector", ",".join(fields)), ("limit", "500")])
    except ApiFailure:
        return []
    return listed.get("items") or []


def _head(doc: Doc, *, namespace: bool = True) -> str:
    metadata = doc["metadata"]
    out = d.line(0, f"Name:\t{metadata['name']}")
    return out + (d.line(0, f"Namespace:\t{metadata.get('namespace', '')}") if namespace else "")


def _pairs(doc: Doc) -> str:
    return d.labels(doc["metadata"].get("labels")) + d.annotations(doc["metadata"].get("annotations"))


def _controller(doc: Doc) -> str:
    for owner in doc["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return d.line(0, f"Controlled By:\t{owner['kind']}/{owner['name']}")
    return ""


def _pod(k: Kubectl, target: Target) -> str:
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    out = _head(doc)
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
    out += _pairs(doc)
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
    out += _controller(doc)
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


def _deployment(k: Kubectl, target: Target) -> Asking:
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    out = (
        _head(doc) + d.line(0, f"CreationTimestamp:\t{d.date(doc['metadata'].get('creationTimestamp'))}") + _pairs(doc)
    )
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


def _replica_set(k: Kubectl, target: Target) -> Asking:
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    selector = d.selector(spec.get("selector"))
    out = _head(doc) + d.line(0, f"Selector:\t{selector}") + _pairs(doc) + _controller(doc)
    out += d.line(0, f"Replicas:\t{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired")
    out += d.line(0, f"Pods Status:\t{(yield from _pod_counts(k, doc, target.namespace, selector))}")
    return out + d.pod_template(spec.get("template"))


def _stateful_set(k: Kubectl, target: Target) -> Asking:
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    selector = d.selector(spec.get("selector"))
    out = _head(doc) + d.line(0, f"CreationTimestamp:\t{d.date(doc['metadata'].get('creationTimestamp'))}")
    out += d.line(0, f"Selector:\t{selector}") + _pairs(doc)
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


def _daemon_set(k: Kubectl, target: Target) -> Asking:
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    selector = d.selector(spec.get("selector"))
    out = (
        d.line(0, f"Name:\t{target.name}")
        + d.line(0, f"Namespace:\t{target.namespace}")
        + d.line(0, f"Selector:\t{selector}")
    )
    node = ((spec.get("template") or {}).get("spec") or {}).get("nodeSelector")
    out += d.line(0, f"Node-Selector:\t{d.selector(node)}") + _pairs(doc)
    out += d.line(0, f"Desired Number of Nodes Scheduled: {status.get('desiredNumberScheduled', 0)}")
    out += d.line(0, f"Current Number of Nodes Scheduled: {status.get('currentNumberScheduled', 0)}")
    out += d.line(0, f"Number of Nodes Scheduled with Up-to-date Pods: {status.get('updatedNumberScheduled', 0)}")
    out += d.line(0, f"Number of Nodes Scheduled with Available Pods: {status.get('numberAvailable', 0)}")
    out += d.line(0, f"Number of Nodes Misscheduled: {status.get('numberMisscheduled', 0)}")
    out += d.line(0, f"Pods Status:\t{(yield from _pod_counts(k, doc, target.namespace, selector))}")
    return out + d.pod_template(spec.get("template"))


def _service(k: Kubectl, target: Target) -> Asking:
    doc = target.doc or {}
    spec = doc["spec"]
    query = [("labelSelector", f"kubernetes.io/service-name={target.name}")]
    listed = yield from k.client.call(
        "GET", f"/apis/discovery.k8s.io/v1/namespaces/{target.namespace}/endpointslices", query
    )
    out = (
        _head(doc)
        + _pairs(doc)
        + d.line(0, f"Selector:\t{d.selector(spec.get('selector'))}")
        + d.line(0, f"Type:\t{spec.get('type', '')}")
    )
    if spec.get("ipFamilyPolicy"):
        out += d.line(0, f"IP Family Policy:\t{spec['ipFamilyPolicy']}")
    if spec.get("ipFamilies"):
        out += d.line(0, f"IP Families:\t{','.join(spec['ipFamilies'])}")
    out += d.line(0, f"IP:\t{spec.get('clusterIP', '')}")
    if spec.get("clusterIPs"):
        out += d.line(0, f"IPs:\t{','.join(spec['clusterIPs'])}")
    if spec.get("externalIPs"):
        out += d.line(0, f"External IPs:\t{','.join(spec['externalIPs'])}")
    if spec.get("externalName"):
        out += d.line(0, f"External Name:\t{spec['externalName']}")
    ingress = ((doc.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if ingress:
        out += d.line(
            0, "LoadBalancer Ingress:\t" + ", ".join(each.get("ip") or each.get("hostname", "") for each in ingress)
        )
    for port in spec.get("ports") or ():
        name, protocol = port.get("name") or "<unset>", port.get("protocol", "TCP")
        out += d.line(0, f"Port:\t{name}  {port['port']}/{protocol}")
        out += d.line(0, f"TargetPort:\t{port.get('targetPort')}/{protocol}")
        if port.get("nodePort"):
            out += d.line(0, f"NodePort:\t{name}  {port['nodePort']}/{protocol}")
        out += d.line(0, f"Endpoints:\t{_backends(listed.get('items') or (), port.get('name') or '')}")
    out += d.line(0, f"Session Affinity:\t{spec.get('sessionAffinity', 'None')}")
    if spec.get("externalTrafficPolicy"):
        out += d.line(0, f"External Traffic Policy:\t{spec['externalTrafficPolicy']}")
    if spec.get("internalTrafficPolicy"):
        out += d.line(0, f"Internal Traffic Policy:\t{spec['internalTrafficPolicy']}")
    return out


def _backends(slices: Any, name: str) -> str:
    found = []
    for each in slices:
        for port in each.get("ports") or ():
            if (port.get("name") or "") == name:
                for endpoint in each.get("endpoints") or ():
                    if (endpoint.get("conditions") or {}).get("ready", True):
                        found += [f"{address}:{port['port']}" for address in endpoint["addresses"]]
    if not found:
        return ""
    return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")


def _endpoints(k: Kubectl, target: Target) -> str:
    doc = target.doc or {}
    out = _head(doc) + _pairs(doc) + d.line(0, "Subsets:")
    for subset in doc.get("subsets") or ():
        for title, key in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            out += d.line(1, f"{title}:\t" + (",".join(each["ip"] for each in subset.get(key) or ()) or d.NONE))
        if subset.get("ports"):
            out += d.line(1, "Ports:") + d.line(2, "Name\tPort\tProtocol") + d.line(2, "----\t----\t--------")
            out += "".join(
                d.line(2, f"{p.get('name') or '<unset>'}\t{p['port']}\t{p.get('protocol', 'TCP')}")
                for p in subset["ports"]
            )
        out += "\n"
    return out


def _namespace(k: Kubectl, target: Target) -> Asking:
    doc = target.doc or {}
    out = (
        _head(doc, namespace=False) + _pairs(doc) + d.line(0, f"Status:\t{(doc.get('status') or {}).get('phase', '')}")
    )
    quotas = yield from k.client.call("GET", f"/api/v1/namespaces/{target.name}/resourcequotas")
    ranges = yield from k.client.call("GET", f"/api/v1/namespaces/{target.name}/limitranges")
    out += "\n"
    if quotas.get("items"):
        out += d.line(0, "Resource Quotas") + "".join(_quota_rows(each, 1) for each in quotas["items"])
    else:
        out += d.line(0, "No resource quota.")
    out += "\n"
    if ranges.get("items"):
        return out + d.line(0, "Resource Limits") + "".join(_limit_rows(each, " ") for each in ranges["items"])
    return out + d.line(0, "No LimitRange resource.")


def _quota_rows(doc: Doc, level: int) -> str:
    status = doc.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    out = d.line(level, f"Name:\t{doc['metadata']['name']}") if level else ""
    out += d.line(level, "Resource\tUsed\tHard") + d.line(
        level, "--------\t----\t----" if not level else "--------\t---\t---"
    )
    for name in sorted(hard):
        out += d.line(level, f"{name}\t{canonical(str(used.get(name, '0')))}\t{canonical(str(hard[name]))}")
    return out


def _quota(k: Kubectl, target: Target) -> str:
    doc = target.doc or {}
    return _head(doc) + _quota_rows(doc, 0)


def _limit_rows(doc: Doc, indent: str) -> str:
    rows = ["Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio"]
    rows.append("----\t--------\t---\t---\t---------------\t-------------\t-----------------------")
    for limit in doc["spec"].get("limits") or ():
        keys = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")
        names = sorted({name: True for key in keys for name in limit.get(key) or {}})
        for name in names:
            cells = [
                canonical(str((limit.get(key) or {})[name])) if name in (limit.get(key) or {}) else "-" for key in keys
            ]
            rows.append("\t".join([limit["type"], name, *cells]))
    return "".join(f"{indent}{row}\n" for row in rows)


def _limit_range(k: Kubectl, target: Target) -> str:
    doc = target.doc or {}
    return _head(doc) + _limit_rows(doc, "")


def _secret(k: Kubectl, target: Target) -> str:
    doc = target.doc or {}
    out = (
        _head(doc)
        + _pairs(doc)
        + "\n"
        + d.line(0, f"Type:\t{doc.get('type', '')}")
        + "\n"
        + d.line(0, "Data")
        + d.line(0, "====")
    )
    for key in sorted(doc.get("data") or {}):
        value = b64decode(doc["data"][key])
        if key == "token" and doc.get("type") == "kubernetes.io/service-account-token":
            out += d.line(0, f"{key}:\t{value.decode('utf-8', 'replace')}")
        else:
            out += d.line(0, f"{key}:\t{len(value)} bytes")
    return out


def _config_map(k: Kubectl, target: Target) -> str:
    doc = target.doc or {}
    out = _head(doc) + _pairs(doc) + "\n" + d.line(0, "Data") + d.line(0, "====")
    for key in sorted(doc.get("data") or {}):
        out += f"{key}:\n----\n{doc['data'][key]}\n\n"
    out += "\nBinaryData\n====\n"
    for key in sorted(doc.get("binaryData") or {}):
        out += f"{key}: {len(b64decode(doc['binaryData'][key]))} bytes\n"
    return out + "\n"


def _service_account(k: Kubectl, target: Target) -> Asking:
    doc = target.doc or {}
    pulls = [each["name"] for each in doc.get("imagePullSecrets") or ()]
    mounts = [each["name"] for each in doc.get("secrets") or ()]
    tokens = []
    listed = yield from k.client.call("GET", f"/api/v1/namespaces/{target.namespace}/secrets", [("limit", "500")])
    for each in listed.get("items") or ():
        owner = (each["metadata"].get("annotations") or {}).get("kubernetes.io/service-account.name")
        if each.get("type") == "kubernetes.io/service-account-token" and owner == target.name:
            tokens.append(each["metadata"]["name"])
    out = _head(doc) + _pairs(doc)
    for title, names in (("Image pull secrets", pulls), ("Mountable secrets", mounts), ("Tokens", tokens)):
        out += d.multiline(title, names)
    return out


def _rules(k: Kubectl, target: Target) -> str:
    doc = target.doc or {}
    out = d.line(0, f"Name:\t{target.name}") + _pairs(doc) + d.line(0, "PolicyRule:")
    out += d.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs") + d.line(
        1, "---------\t-----------------\t--------------\t-----"
    )
    return out + "".join(d.line(1, row) for row in d.rule_rows(doc.get("rules") or []))


def _binding(k: Kubectl, target: Target) -> str:
    doc = target.doc or {}
    out = d.line(0, f"Name:\t{target.name}") + _pairs(doc) + d.line(0, "Role:")
    out += (
        d.line(1, f"Kind:\t{doc['roleRef']['kind']}")
        + d.line(1, f"Name:\t{doc['roleRef']['name']}")
        + d.line(0, "Subjects:")
    )
    out += d.line(1, "Kind\tName\tNamespace") + d.line(1, "----\t----\t---------")
    return out + "".join(
        d.line(1, f"{s['kind']}\t{s['name']}\t{s.get('namespace', '')}") for s in doc.get("subjects") or ()
    )


def _job(k: Kubectl, target: Target) -> str:
    doc = target.doc or {}
    spec, status = doc["spec"], doc.get("status") or {}
    out = _head(doc) + d.line(0, f"Selector:\t{d.selector(spec.get('selector'))}") + _pairs(doc) + _controller(doc)
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


def _quantity_rows(title: str, found: Doc) -> str:
    return d.line(0, f"{title}:") + "".join(
        d.line(1, f"{name}:\t{canonical(str(found[name]))}") for name in sorted(found)
    )


def _node(k: Kubectl, target: Target) -> Asking:
    doc = target.doc or {}
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    prefix = "node-role.kubernetes.io/"
    roles = sorted(key.removeprefix(prefix) for key in doc["metadata"].get("labels") or {} if key.startswith(prefix))
    out = d.line(0, f"Name:\t{target.name}") + d.line(0, f"Roles:\t{','.join(roles) or d.NONE}") + _pairs(doc)
    out += d.line(0, f"CreationTimestamp:\t{d.date(doc['metadata'].get('creationTimestamp'))}")
    taints = [f"{t['key']}{'=' + t['value'] if t.get('value') else ''}:{t['effect']}" for t in spec.get("taints") or ()]
    out += d.multiline("Taints", sorted(taints)) + d.line(
        0, f"Unschedulable:\t{'true' if spec.get('unschedulable') else 'false'}"
    )
    try:
        lease = yield from k.client.call(
            "GET", f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{target.name}"
        )
        held = lease.get("spec") or {}
        out += d.line(0, "Lease:") + d.line(1, f"HolderIdentity:\t{held.get('holderIdentity', '<unset>')}")
        out += d.line(1, "AcquireTime:\t<unset>") + d.line(1, f"RenewTime:\t{d.date(held.get('renewTime'))}")
    except ApiFailure as error:
        out += d.line(0, f"Lease:\tFailed to get lease: {error.message}")
    if status.get("conditions"):
        out += d.line(0, "Conditions:") + d.line(
            1, "Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage"
        )
        out += d.line(1, "----\t------\t-----------------\t------------------\t------\t-------")
        for each in status["conditions"]:
            times = f"{d.date(each.get('lastHeartbeatTime'))} \t{d.date(each.get('lastTransitionTime'))} "
            out += d.line(
                1, f"{each['type']} \t{each['status']} \t{times}\t{each.get('reason', '')} \t{each.get('message', '')}"
            )
    out += d.line(0, "Addresses:") + "".join(
        d.line(1, f"{each['type']}:\t{each['address']}") for each in status.get("addresses") or ()
    )
    out += _quantity_rows("Capacity", status.get("capacity") or {}) + _quantity_rows(
        "Allocatable", status.get("allocatable") or {}
    )
    info = status.get("nodeInfo") or {}
    out += d.line(0, "System Info:")
    for title, key in (
        ("Machine ID", "machineID"), ("System UUID", "systemUUID"), ("Boot ID", "bootID"), ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"), ("Operating System", "operatingSystem"), ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"), ("Kubelet Version", "kubeletVersion"),
        ("Kube-Proxy Version", "kubeProxyVersion"),
    ):  # fmt: skip
        out += d.line(1, f"{title}:\t{info.get(key, '')}")
    if spec.get("podCIDR"):
        out += d.line(0, f"PodCIDR:\t{spec['podCIDR']}")
    if spec.get("podCIDRs"):
        out += d.line(0, f"PodCIDRs:\t{','.join(spec['podCIDRs'])}")
    if spec.get("providerID"):
        out += d.line(0, f"ProviderID:\t{spec['providerID']}")
    fields = f"spec.nodeName={target.name},status.phase!=Failed,status.phase!=Succeeded"
    listed = yield from k.client.call("GET", "/api/v1/pods", [("fieldSelector", fields), ("limit", "500")])
    return out + _node_pods(k, listed.get("items") or [])


def _node_pods(k: Kubectl, pods: list[Doc]) -> str:
    out = d.line(0, f"Non-terminated Pods:\t({len(pods)} in total)")
    out += d.line(1, "Namespace\tName\t\tAge") + d.line(1, "---------\t----\t\t---")
    for pod in pods:
        metadata = pod["metadata"]
        out += d.line(
            1,
            f"{metadata['namespace']}\t{metadata['name']}\t\t{d.age(metadata.get('creationTimestamp'), k.client.now_unix)}",
        )
    return out


def _ingress(k: Kubectl, target: Target) -> str:
    doc = target.doc or {}
    spec = doc["spec"]
    out = (
        d.line(0, f"Name:\t{target.name}")
        + d.labels(doc["metadata"].get("labels"))
        + d.line(0, f"Namespace:\t{target.namespace}")
    )
    given = ((doc.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    out += d.line(0, "Address:\t" + ",".join(each.get("ip") or each.get("hostname", "") for each in given))
    out += d.line(0, f"Ingress Class:\t{spec.get('ingressClassName') or d.NONE}")
    default = spec.get("defaultBackend")
    out += d.line(0, f"Default backend:\t{_backend(default) if default else '<default>'}")
    out += d.line(0, "Rules:\n  Host\tPath\tBackends\n  ----\t----\t--------")
    for rule in spec.get("rules") or ():
        out += d.line(1, f"{rule.get('host') or '*'}\t")
        for path in (rule.get("http") or {}).get("paths") or ():
            out += d.line(1, f"\t{path.get('path', '')} \t{_backend(path['backend'])}")
    return out + d.annotations(doc["metadata"].get("annotations"))


def _backend(backend: Doc) -> str:
    service = backend.get("service")
    if not service:
        return f"APIGroup: {(backend.get('resource') or {}).get('apiGroup', '')}, Kind: {(backend.get('resource') or {}).get('kind', '')}"
    port = service.get("port") or {}
    return f"{service['name']}:{port.get('number') or port.get('name', '')}"


def _title(key: str) -> str:
    """``creationTimestamp`` → ``Creation Timestamp``; ``podIP`` → ``Pod IP``."""
    out = ""
    for place, char in enumerate(key):
        before = key[place - 1] if place else ""
        after = key[place + 1] if place + 1 < len(key) else ""
        if place and char.isupper() and (before.islower() or (before.isupper() and after.islower())):
            out += " "
        out += char
    return out[:1].upper() + out[1:]


def _generic(doc: Doc) -> str:
    metadata = doc["metadata"]
    out = (
        d.line(0, f"Name:\t{metadata['name']}")
        + d.line(0, f"Namespace:\t{metadata.get('namespace', '')}")
        + _pairs(doc)
    )
    out += d.line(0, f"API Version:\t{doc.get('apiVersion', '')}") + d.line(0, f"Kind:\t{doc.get('kind', '')}")
    hidden = ("name", "namespace", "labels", "annotations", "managedFields")
    rest = {key: value for key, value in metadata.items() if key not in hidden}
    out += d.line(0, "Metadata:") + _fields(rest, 1)
    return out + _fields({key: value for key, value in doc.items() if key not in ("apiVersion", "kind", "metadata")}, 0)


def _fields(value: Doc, level: int) -> str:
    out = ""
    for key in sorted(value):
        each = value[key]
        if isinstance(each, dict):
            out += d.line(level, f"{_title(key)}:") + _fields(each, level + 1)
        elif isinstance(each, list):
            out += d.line(level, f"{_title(key)}:")
            out += "".join(
                _fields(item, level + 1) if isinstance(item, dict) else d.line(level + 1, str(item)) for item in each
            )
        else:
            shown = "true" if each is True else "false" if each is False else "<nil>" if each is None else str(each)
            out += d.line(level, f"{_title(key)}:\t{shown}")
    return out


_RBAC = "rbac.authorization.k8s.io"
_KINDS: dict[tuple[str, str], Callable[[Kubectl, Target], Any]] = {
    ("", "Pod"): _pod,
    ("", "Node"): _node,
    ("", "Service"): _service,
    ("", "Endpoints"): _endpoints,
    ("", "Namespace"): _namespace,
    ("", "Secret"): _secret,
    ("", "ConfigMap"): _config_map,
    ("", "ServiceAccount"): _service_account,
    ("", "ResourceQuota"): _quota,
    ("", "LimitRange"): _limit_range,
    ("apps", "Deployment"): _deployment,
    ("apps", "ReplicaSet"): _replica_set,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("networking.k8s.io", "Ingress"): _ingress,
    (_RBAC, "Role"): _rules,
    (_RBAC, "ClusterRole"): _rules,
    (_RBAC, "RoleBinding"): _binding,
    (_RBAC, "ClusterRoleBinding"): _binding,
}
