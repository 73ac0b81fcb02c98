"""Defaults of networking, rbac, storage, scheduling, policy, admission, priority and fairness, extensions.

Simplified here: nothing that a default feature set does.

Upstream: pkg/apis/{networking,rbac,storage,scheduling,admissionregistration,flowcontrol}/v1/defaults.go,
apiextensions-apiserver/pkg/apis/apiextensions/v1/defaults.go, authorization and authentication's.
"""

from typing import Any

Doc = dict[str, Any]

RBAC = "rbac.authorization.k8s.io"


def _network_policy(doc: Doc) -> None:
    spec = doc.setdefault("spec", {})
    for kind in ("ingress", "egress"):
        for rule in spec.get(kind) or ():
            for port in rule.get("ports") or ():
                port.setdefault("protocol", "TCP")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _ingress_class(doc: Doc) -> None:
    parameters = (doc.get("spec") or {}).get("parameters")
    if parameters is not None:
        parameters.setdefault("scope", "Cluster")


def _role_binding(doc: Doc) -> None:
    reference = doc.setdefault("roleRef", {})
    if not reference.get("apiGroup"):
        reference["apiGroup"] = RBAC
    for subject in doc.get("subjects") or ():
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = RBAC


def _storage_class(doc: Doc) -> None:
    doc.setdefault("reclaimPolicy", "Delete")
    doc.setdefault("volumeBindingMode", "Immediate")


def _csi_driver(doc: Doc) -> None:
    spec = doc.setdefault("spec", {})
    for name, value in (
        ("attachRequired", True), ("podInfoOnMount", False), ("storageCapacity", False),
        ("fsGroupPolicy", "ReadWriteOnceWithFSType"), ("requiresRepublish", False), ("seLinuxMount", False),
    ):  # fmt: skip
        spec.setdefault(name, value)
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]


def _priority_class(doc: Doc) -> None:
    doc.setdefault("preemptionPolicy", "PreemptLowerPriority")


def _webhook(webhook: Doc) -> None:
    webhook.setdefault("failurePolicy", "Fail")
    webhook.setdefault("matchPolicy", "Equivalent")
    webhook.setdefault("namespaceSelector", {})
    webhook.setdefault("objectSelector", {})
    webhook.setdefault("timeoutSeconds", 10)
    service = (webhook.get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)
    for rule in webhook.get("rules") or ():
        rule.setdefault("scope", "*")


def _validating_webhooks(doc: Doc) -> None:
    for webhook in doc.get("webhooks") or ():
        _webhook(webhook)


def _mutating_webhooks(doc: Doc) -> None:
    for webhook in doc.get("webhooks") or ():
        _webhook(webhook)
        webhook.setdefault("reinvocationPolicy", "Never")


def _match_resources(match: Doc | None) -> None:
    if match is not None:
        match.setdefault("matchPolicy", "Equivalent")
        match.setdefault("namespaceSelector", {})
        match.setdefault("objectSelector", {})
        for rule in match.get("resourceRules") or ():
            rule.setdefault("scope", "*")


def _admission_policy(doc: Doc) -> None:
    spec = doc.setdefault("spec", {})
    spec.setdefault("failurePolicy", "Fail")
    _match_resources(spec.get("matchConstraints"))


def _admission_policy_binding(doc: Doc) -> None:
    _match_resources((doc.get("spec") or {}).get("matchResources"))


def _priority_level(doc: Doc) -> None:
    spec = doc.setdefault("spec", {})
    if spec.get("type") == "Exempt":
        exempt = spec.setdefault("exempt", {})
        exempt.setdefault("nominalConcurrencyShares", 0)
        exempt.setdefault("lendablePercent", 0)
    limited = spec.get("limited")
    if limited is not None:
        limited.setdefault("nominalConcurrencyShares", 30)
        limited.setdefault("lendablePercent", 0)
        queuing = (limited.get("limitResponse") or {}).get("queuing")
        if queuing is not None:
            for name, value in (("handSize", 8), ("queues", 64), ("queueLengthLimit", 50)):
                if not queuing.get(name):
                    queuing[name] = value


def _flow_schema(doc: Doc) -> None:
    spec = doc.setdefault("spec", {})
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = 1000


def _definition(doc: Doc) -> None:
    spec = doc.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind", "")
    if kind:
        if not names.get("singular"):
            names["singular"] = kind.lower()
        if not names.get("listKind"):
            names["listKind"] = f"{kind}List"
    conversion = spec.setdefault("conversion", {})
    if not conversion.get("strategy"):
        conversion["strategy"] = "None"
    service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)


def _api_service(doc: Doc) -> None:
    service = (doc.get("spec") or {}).get("service")
    if service is not None:
        service.setdefault("port", 443)


def _token_request(doc: Doc) -> None:
    doc.setdefault("spec", {}).setdefault("expirationSeconds", 3600)


DEFAULTS = {
    ("networking.k8s.io", "v1", "NetworkPolicy"): _network_policy,
    ("networking.k8s.io", "v1", "IngressClass"): _ingress_class,
    (RBAC, "v1", "RoleBinding"): _role_binding,
    (RBAC, "v1", "ClusterRoleBinding"): _role_binding,
    ("storage.k8s.io", "v1", "StorageClass"): _storage_class,
    ("storage.k8s.io", "v1", "CSIDriver"): _csi_driver,
    ("scheduling.k8s.io", "v1", "PriorityClass"): _priority_class,
    ("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration"): _validating_webhooks,
    ("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration"): _mutating_webhooks,
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy"): _admission_policy,
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding"): _admission_policy_binding,
    ("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration"): _priority_level,
    ("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema"): _flow_schema,
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"): _definition,
    ("apiregistration.k8s.io", "v1", "APIService"): _api_service,
    ("authentication.k8s.io", "v1", "TokenRequest"): _token_request,
}
