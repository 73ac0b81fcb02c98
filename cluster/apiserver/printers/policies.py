"""Cells of the kinds that allow, deny, limit and route: RBAC, quotas, budgets, network policies, webhooks, flows."""

from typing import Any

from cluster.apiserver.printers import text

Doc = dict[str, Any]


def _name_and_age(doc: Doc, now: float, *between: Any) -> list[Any]:
    return [doc["metadata"]["name"], *between, text.age(doc, now)]


def binding(doc: Doc, now: float) -> list[Any]:
    role = doc.get("roleRef") or {}
    users, groups, accounts = [], [], []
    for each in doc.get("subjects") or ():
        if each["kind"] == "User":
            users.append(each["name"])
        elif each["kind"] == "Group":
            groups.append(each["name"])
        elif each["kind"] == "ServiceAccount":
            accounts.append(f"{each.get('namespace', '')}/{each['name']}")
    cells = _name_and_age(doc, now, f"{role.get('kind', '')}/{role.get('name', '')}")
    return [*cells, ", ".join(users), ", ".join(groups), ", ".join(accounts)]


def pod_disruption_budget(doc: Doc, now: float) -> list[Any]:
    spec = doc.get("spec") or {}
    low, high = spec.get("minAvailable"), spec.get("maxUnavailable")
    return _name_and_age(
        doc,
        now,
        "N/A" if low is None else str(low),
        "N/A" if high is None else str(high),
        (doc.get("status") or {}).get("disruptionsAllowed", 0),
    )


def resource_quota(doc: Doc, now: float) -> list[Any]:
    status = doc.get("status") or {}
    requests, limits = [], []
    used = status.get("used") or {}
    for name in sorted(status.get("hard") or {}):
        row = f"{name}: {text.quantity(used.get(name))}/{text.quantity(status['hard'][name])}"
        (limits if name.startswith("limits") else requests).append(row)
    return _name_and_age(doc, now, ", ".join(requests), ", ".join(limits))


def network_policy(doc: Doc, now: float) -> list[Any]:
    return _name_and_age(doc, now, text.selector((doc.get("spec") or {}).get("podSelector")))


def ingress(doc: Doc, now: float) -> list[Any]:
    spec = doc.get("spec") or {}
    annotated = (doc["metadata"].get("annotations") or {}).get("kubernetes.io/ingress.class")
    rules = spec.get("rules") or ()
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    shown = text.at_most(hosts, 3, len(rules) if len(hosts) > 3 else len(hosts), empty="*")
    where = text.addresses(((doc.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ())
    ports = "80, 443" if spec.get("tls") else "80"
    return _name_and_age(doc, now, spec.get("ingressClassName") or annotated or text.NONE, shown, where, ports)


def ingress_class(doc: Doc, now: float) -> list[Any]:
    spec = doc.get("spec") or {}
    reference = spec.get("parameters")
    parameters = text.NONE
    if reference:
        group = reference.get("apiGroup")
        parameters = f"{reference['kind']}{'.' + group if group else ''}/{reference['name']}"
    return _name_and_age(doc, now, spec.get("controller", ""), parameters)


def webhooks(doc: Doc, now: float) -> list[Any]:
    return _name_and_age(doc, now, len(doc.get("webhooks") or ()))


def validating_admission_policy(doc: Doc, now: float) -> list[Any]:
    spec = doc.get("spec") or {}
    kind = spec.get("paramKind")
    shown = f"{kind['apiVersion']}/{kind['kind']}" if kind else text.UNSET
    return _name_and_age(doc, now, len(spec.get("validations") or ()), shown)


def validating_admission_policy_binding(doc: Doc, now: float) -> list[Any]:
    spec = doc.get("spec") or {}
    reference = spec.get("paramRef")
    shown = text.UNSET
    if reference:
        namespace = reference.get("namespace")
        shown = f"{namespace}/{reference.get('name', '')}" if namespace else f"*/{reference.get('name', '')}"
    return _name_and_age(doc, now, spec.get("policyName", ""), shown)


def certificate_signing_request(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    words = {each["type"]: True for each in status.get("conditions") or ()}
    shown = "Denied" if "Denied" in words else "Approved" if "Approved" in words else "Pending"
    shown += ",Failed" if "Failed" in words else ""
    shown += ",Issued" if status.get("certificate") else ""
    seconds = spec.get("expirationSeconds")
    return [
        doc["metadata"]["name"],
        text.age(doc, now),
        spec.get("signerName") or text.NONE,
        spec.get("username", ""),
        text.human_duration(seconds) if seconds is not None else text.NONE,
        shown,
    ]


def priority_class(doc: Doc, now: float) -> list[Any]:
    policy = doc.get("preemptionPolicy", "")
    return [*_name_and_age(doc, now, doc.get("value", 0), bool(doc.get("globalDefault"))), policy]


def runtime_class(doc: Doc, now: float) -> list[Any]:
    return _name_and_age(doc, now, doc.get("handler", ""))


def flow_schema(doc: Doc, now: float) -> list[Any]:
    spec = doc.get("spec") or {}
    dangling = "?"
    for each in (doc.get("status") or {}).get("conditions") or ():
        if each["type"] == "Dangling":
            dangling = each["status"]
    method = spec.get("distinguisherMethod")
    level = (spec.get("priorityLevelConfiguration") or {}).get("name", "")
    cells = _name_and_age(doc, now, level, spec.get("matchingPrecedence", 0), method["type"] if method else text.NONE)
    return [*cells, dangling]


def priority_level_configuration(doc: Doc, now: float) -> list[Any]:
    spec = doc.get("spec") or {}
    limited = spec.get("limited")
    if limited is None:
        shares: Any = text.NONE
        queuing = None
    else:
        shares = limited.get("nominalConcurrencyShares", 30)
        queuing = (limited.get("limitResponse") or {}).get("queuing")
    values = [queuing[key] for key in ("queues", "handSize", "queueLengthLimit")] if queuing else [text.NONE] * 3
    return _name_and_age(doc, now, spec.get("type", ""), shares, *values)


def api_service(doc: Doc, now: float) -> list[Any]:
    reference = (doc.get("spec") or {}).get("service")
    shown = "Unknown"
    for each in (doc.get("status") or {}).get("conditions") or ():
        if each["type"] == "Available":
            shown = "True" if each["status"] == "True" else f"{each['status']} ({each.get('reason', '')})"
    return _name_and_age(doc, now, f"{reference['namespace']}/{reference['name']}" if reference else "Local", shown)


CELLS = {
    ("rbac.authorization.k8s.io", "RoleBinding"): binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): binding,
    ("policy", "PodDisruptionBudget"): pod_disruption_budget,
    ("", "ResourceQuota"): resource_quota,
    ("networking.k8s.io", "NetworkPolicy"): network_policy,
    ("networking.k8s.io", "Ingress"): ingress,
    ("networking.k8s.io", "IngressClass"): ingress_class,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): webhooks,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): webhooks,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): validating_admission_policy,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): validating_admission_policy_binding,
    ("certificates.k8s.io", "CertificateSigningRequest"): certificate_signing_request,
    ("scheduling.k8s.io", "PriorityClass"): priority_class,
    ("node.k8s.io", "RuntimeClass"): runtime_class,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): flow_schema,
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): priority_level_configuration,
    ("apiregistration.k8s.io", "APIService"): api_service,
}
