"""The table of built-in kinds: what a default kube-apiserver 1.32 lists in discovery, and where etcd keeps each.

In → nothing; out → ``RESOURCES`` (rows in discovery order) and ``GROUPS``. Facts only; ``cluster.api.scheme`` gives them
behaviour.

Simplified here: nothing; groups that are off by default are absent as in a default server.

Upstream: pkg/controlplane/storageversionhashdata, pkg/registry/*/rest; kube-apiserver's discovery documents.
"""

from msgspec import Struct

ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CREATE = ("create",)
STATUS_VERBS = ("get", "patch", "update")
PROXY = ("create", "delete", "get", "patch", "update")


class SubRow(Struct, frozen=True):
    """A subresource. group and version "" mean that the kind is one of the parent's group version."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


class Row(Struct, frozen=True):
    """A resource in one version."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    prefix: str
    short_names: tuple[str, ...]
    categories: tuple[str, ...]
    verbs: tuple[str, ...]
    subresources: tuple[SubRow, ...]
    storage_group_version: tuple[str, str]


def _row(
    group: str,
    version: str,
    plural: str,
    kind: str,
    *subresources: SubRow | str,
    cluster: bool = False,
    at: str | None = None,
    short: str = "",
    categories: str = "",
    verbs: tuple[str, ...] = ALL,
    stored_as: tuple[str, str] | None = None,
) -> Row:
    subs = []
    for sub in subresources:
        if isinstance(sub, SubRow):
            subs.append(sub)
        elif sub == "scale":
            subs.append(SubRow("scale", "Scale", STATUS_VERBS, "autoscaling", "v1"))
        else:
            subs.append(SubRow(sub, kind, STATUS_VERBS))
    prefix = f"/registry/{plural}" if at is None else at
    return Row(
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        namespaced=not cluster,
        prefix=prefix,
        short_names=tuple(short.split()),
        categories=tuple(categories.split()),
        verbs=verbs,
        subresources=tuple(sorted(subs, key=lambda s: s.name)),
        storage_group_version=stored_as or (group, version),
    )


_CORE = (
    _row("", "v1", "bindings", "Binding", at="", verbs=CREATE),
    _row("", "v1", "componentstatuses", "ComponentStatus", cluster=True, at="", short="cs", verbs=("get", "list")),
    _row("", "v1", "configmaps", "ConfigMap", short="cm"),
    _row("", "v1", "endpoints", "Endpoints", at="/registry/services/endpoints", short="ep"),
    _row("", "v1", "events", "Event", short="ev"),
    _row("", "v1", "limitranges", "LimitRange", short="limits"),
    _row("", "v1", "namespaces", "Namespace", SubRow("finalize", "Namespace", ("update",)), "status", cluster=True,
         short="ns", verbs=tuple(v for v in ALL if v != "deletecollection")),
    _row("", "v1", "nodes", "Node", SubRow("proxy", "NodeProxyOptions", PROXY), "status", cluster=True,
         at="/registry/minions", short="no"),
    _row("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "status", short="pvc"),
    _row("", "v1", "persistentvolumes", "PersistentVolume", "status", cluster=True, short="pv"),
    _row("", "v1", "pods", "Pod",
         SubRow("attach", "PodAttachOptions", ("create", "get")),
         SubRow("binding", "Binding", CREATE),
         SubRow("ephemeralcontainers", "Pod", STATUS_VERBS),
         SubRow("eviction", "Eviction", CREATE, "policy", "v1"),
         SubRow("exec", "PodExecOptions", ("create", "get")),
         SubRow("log", "Pod", ("get",)),
         SubRow("portforward", "PodPortForwardOptions", ("create", "get")),
         SubRow("proxy", "PodProxyOptions", PROXY),
         "status", short="po", categories="all"),
    _row("", "v1", "podtemplates", "PodTemplate"),
    _row("", "v1", "replicationcontrollers", "ReplicationController", "scale", "status",
         at="/registry/controllers", short="rc", categories="all"),
    _row("", "v1", "resourcequotas", "ResourceQuota", "status", short="quota"),
    _row("", "v1", "secrets", "Secret"),
    _row("", "v1", "serviceaccounts", "ServiceAccount",
         SubRow("token", "TokenRequest", CREATE, "authentication.k8s.io", "v1"), short="sa"),
    _row("", "v1", "services", "Service", SubRow("proxy", "ServiceProxyOptions", PROXY), "status",
         at="/registry/services/specs", short="svc", categories="all"),
)  # fmt: skip

_NAMED = (
    _row("apiregistration.k8s.io", "v1", "apiservices", "APIService", "status", cluster=True,
         at="/registry/apiregistration.k8s.io/apiservices", categories="api-extensions"),
    _row("apps", "v1", "controllerrevisions", "ControllerRevision"),
    _row("apps", "v1", "daemonsets", "DaemonSet", "status", short="ds", categories="all"),
    _row("apps", "v1", "deployments", "Deployment", "scale", "status", short="deploy", categories="all"),
    _row("apps", "v1", "replicasets", "ReplicaSet", "scale", "status", short="rs", categories="all"),
    _row("apps", "v1", "statefulsets", "StatefulSet", "scale", "status", short="sts", categories="all"),
    _row("events.k8s.io", "v1", "events", "Event", short="ev", stored_as=("", "v1")),
    _row("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", cluster=True, at="", verbs=CREATE),
    _row("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", cluster=True, at="", verbs=CREATE),
    _row("authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", at="", verbs=CREATE),
    _row("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", cluster=True, at="",
         verbs=CREATE),
    _row("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", cluster=True, at="",
         verbs=CREATE),
    _row("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", cluster=True, at="",
         verbs=CREATE),
    _row("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "status", short="hpa",
         categories="all"),
    _row("autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "status", short="hpa",
         categories="all", stored_as=("autoscaling", "v2")),
    _row("batch", "v1", "cronjobs", "CronJob", "status", short="cj", categories="all"),
    _row("batch", "v1", "jobs", "Job", "status", categories="all"),
    _row("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", "approval", "status",
         cluster=True, short="csr"),
    _row("networking.k8s.io", "v1", "ingressclasses", "IngressClass", cluster=True),
    _row("networking.k8s.io", "v1", "ingresses", "Ingress", "status", at="/registry/ingress", short="ing"),
    _row("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", short="netpol"),
    _row("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "status", short="pdb"),
    _row("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", cluster=True),
    _row("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", cluster=True),
    _row("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"),
    _row("rbac.authorization.k8s.io", "v1", "roles", "Role"),
    _row("storage.k8s.io", "v1", "csidrivers", "CSIDriver", cluster=True),
    _row("storage.k8s.io", "v1", "csinodes", "CSINode", cluster=True),
    _row("storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity"),
    _row("storage.k8s.io", "v1", "storageclasses", "StorageClass", cluster=True, short="sc"),
    _row("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment", "status", cluster=True),
    _row("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration",
         cluster=True, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", "status",
         cluster=True, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings",
         "ValidatingAdmissionPolicyBinding", cluster=True, categories="api-extensions"),
    _row("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration",
         cluster=True, categories="api-extensions"),
    _row("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", "status",
         cluster=True, at="/registry/apiextensions.k8s.io/customresourcedefinitions", short="crd crds",
         categories="api-extensions"),
    _row("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", cluster=True, short="pc"),
    _row("coordination.k8s.io", "v1", "leases", "Lease"),
    _row("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", cluster=True),
    _row("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    _row("flowcontrol.apiserver.k8s.io", "v1", "flowschemas", "FlowSchema", "status", cluster=True),
    _row("flowcontrol.apiserver.k8s.io", "v1", "prioritylevelconfigurations", "PriorityLevelConfiguration", "status",
         cluster=True),
)  # fmt: skip

RESOURCES = _CORE + _NAMED

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("v1",)),
    ("apiregistration.k8s.io", ("v1",)),
    ("apps", ("v1",)),
    ("events.k8s.io", ("v1",)),
    ("authentication.k8s.io", ("v1",)),
    ("authorization.k8s.io", ("v1",)),
    ("autoscaling", ("v2", "v1")),
    ("batch", ("v1",)),
    ("certificates.k8s.io", ("v1",)),
    ("networking.k8s.io", ("v1",)),
    ("policy", ("v1",)),
    ("rbac.authorization.k8s.io", ("v1",)),
    ("storage.k8s.io", ("v1",)),
    ("admissionregistration.k8s.io", ("v1",)),
    ("apiextensions.k8s.io", ("v1",)),
    ("scheduling.k8s.io", ("v1",)),
    ("coordination.k8s.io", ("v1",)),
    ("node.k8s.io", ("v1",)),
    ("discovery.k8s.io", ("v1",)),
    ("flowcontrol.apiserver.k8s.io", ("v1",)),
)
"""Group → served versions, preferred first, in the order of ``GET /apis``."""
