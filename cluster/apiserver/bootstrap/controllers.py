"""The roles of the controllers: one ``system:controller:<name>`` each, bound to its service account in kube-system.

Each controller may do what its loop needs and no more; reading its rules tells what the loop does.
Upstream: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/controller_policy.go, 1.32 with default feature gates.
"""

from typing import Any

from cluster.apiserver.bootstrap.rules import EVENTS, READ, cluster_binding, cluster_role, rule

Doc = dict[str, Any]

_PREFIX = "system:controller:"
_BOTH = "apps extensions"
_SLICES = rule("get list watch create update delete", "discovery.k8s.io", "endpointslices")

RULES: dict[str, list[Doc]] = {
    "attachdetach-controller": [
        rule("list watch", "core", "persistentvolumes persistentvolumeclaims"),
        rule(READ, "core", "nodes"),
        rule("patch update", "core", "nodes/status"),
        rule("list watch", "core", "pods"),
        EVENTS,
        rule("get create delete list watch", "storage.k8s.io", "volumeattachments"),
        rule(READ, "storage.k8s.io", "csidrivers"),
        rule(READ, "storage.k8s.io", "csinodes"),
    ],
    "clusterrole-aggregation-controller": [
        rule("escalate get list watch update patch", "rbac.authorization.k8s.io", "clusterroles"),
    ],
    "cronjob-controller": [
        rule("get list watch update", "batch", "cronjobs"),
        rule("get list watch create update delete patch", "batch", "jobs"),
        rule("update", "batch", "cronjobs/status"),
        rule("update", "batch", "cronjobs/finalizers"),
        rule("list watch delete", "core", "pods"),
        EVENTS,
    ],
    "daemon-set-controller": [
        rule(READ, _BOTH, "daemonsets"),
        rule("update", _BOTH, "daemonsets/status"),
        rule("update", _BOTH, "daemonsets/finalizers"),
        rule("list watch", "core", "nodes"),
        rule("list watch create delete patch", "core", "pods"),
        rule("create", "core", "pods/binding"),
        rule("get list watch create delete update patch", "apps", "controllerrevisions"),
        EVENTS,
    ],
    "deployment-controller": [
        rule("get list watch update", _BOTH, "deployments"),
        rule("update", _BOTH, "deployments/status"),
        rule("update", _BOTH, "deployments/finalizers"),
        rule("get list watch create update patch delete", _BOTH, "replicasets"),
        rule("get list watch update", "core", "pods"),
        EVENTS,
    ],
    "disruption-controller": [
        rule(READ, _BOTH, "deployments"),
        rule(READ, _BOTH, "replicasets"),
        rule(READ, "core", "replicationcontrollers"),
        rule(READ, "policy", "poddisruptionbudgets"),
        rule(READ, "apps", "statefulsets"),
        rule("update", "policy", "poddisruptionbudgets/status"),
        rule("patch update", "core", "pods/status"),
        rule("get", "*", "*/scale"),
        EVENTS,
    ],
    "endpoint-controller": [
        rule(READ, "core", "services pods"),
        rule("get list watch create update delete", "core", "endpoints"),
        rule("create", "core", "endpoints/restricted"),
        EVENTS,
    ],
    "endpointslice-controller": [
        rule(READ, "core", "services pods nodes"),
        rule("update", "core", "services/finalizers"),
        _SLICES,
        EVENTS,
    ],
    "endpointslicemirroring-controller": [
        rule(READ, "core", "services endpoints"),
        rule("update", "core", "services/finalizers"),
        rule("update", "core", "endpoints/finalizers"),
        _SLICES,
        EVENTS,
    ],
    "expand-controller": [
        rule("get list watch update patch", "core", "persistentvolumes"),
        rule("update patch", "core", "persistentvolumeclaims/status"),
        rule(READ, "core", "persistentvolumeclaims"),
        EVENTS,
        rule("get", "core", "services"),
    ],
    "ephemeral-volume-controller": [
        rule(READ, "core", "pods"),
        rule("update", "core", "pods/finalizers"),
        rule("get list watch create", "core", "persistentvolumeclaims"),
        EVENTS,
    ],
    "generic-garbage-collector": [rule("get list watch patch update delete", "*", "*"), EVENTS],
    "horizontal-pod-autoscaler": [
        rule(READ, "autoscaling", "horizontalpodautoscalers"),
        rule("update", "autoscaling", "horizontalpodautoscalers/status"),
        rule("get update", "*", "*/scale"),
        rule("list watch", "core", "pods"),
        rule("list", "metrics.k8s.io", "pods"),
        rule("get list", "custom.metrics.k8s.io", "*"),
        rule("get list", "external.metrics.k8s.io", "*"),
        EVENTS,
    ],
    "job-controller": [
        rule("get list watch update patch", "batch", "jobs"),
        rule("update", "batch", "jobs/status"),
        rule("update", "batch", "jobs/finalizers"),
        rule("list watch create delete patch", "core", "pods"),
        EVENTS,
    ],
    "namespace-controller": [
        rule("get list watch delete", "core", "namespaces"),
        rule("update", "core", "namespaces/finalize namespaces/status"),
        rule("get list watch delete deletecollection", "*", "*"),
    ],
    "node-controller": [
        rule("get list watch update delete patch", "core", "nodes"),
        rule("patch update", "core", "nodes/status"),
        rule("patch update", "core", "pods/status"),
        rule("list watch get delete", "core", "pods"),
        EVENTS,
    ],
    "persistent-volume-binder": [
        rule("get list watch update create delete", "core", "persistentvolumes"),
        rule("update", "core", "persistentvolumes/status"),
        rule("get list watch update", "core", "persistentvolumeclaims"),
        rule("update", "core", "persistentvolumeclaims/status"),
        rule("list watch get create delete", "core", "pods"),
        rule(READ, "storage.k8s.io", "storageclasses"),
        rule("list watch", "core", "nodes"),
        EVENTS,
        rule("watch", "core", "events"),
        rule("get", "core", "services"),
    ],
    "pod-garbage-collector": [
        rule("list watch delete", "core", "pods"),
        rule(READ, "core", "nodes"),
        rule("patch", "core", "pods/status"),
    ],
    "replicaset-controller": [
        rule("get list watch update", _BOTH, "replicasets"),
        rule("update", _BOTH, "replicasets/status"),
        rule("update", _BOTH, "replicasets/finalizers"),
        rule("list watch patch create delete", "core", "pods"),
        EVENTS,
    ],
    "replication-controller": [
        rule("get list watch update", "core", "replicationcontrollers"),
        rule("update", "core", "replicationcontrollers/status"),
        rule("update", "core", "replicationcontrollers/finalizers"),
        rule("list watch patch create delete", "core", "pods"),
        EVENTS,
    ],
    "resourcequota-controller": [
        rule("list watch", "*", "*"),
        rule("update", "core", "resourcequotas/status"),
        EVENTS,
    ],
    "route-controller": [rule("list watch", "core", "nodes"), rule("patch", "core", "nodes/status"), EVENTS],
    "service-account-controller": [rule("create", "core", "serviceaccounts"), EVENTS],
    "service-controller": [
        rule(READ, "core", "services"),
        rule("patch update", "core", "services/status"),
        rule("list watch", "core", "nodes"),
        EVENTS,
    ],
    "statefulset-controller": [
        rule("list watch", "core", "pods"),
        rule(READ, "apps", "statefulsets"),
        rule("update", "apps", "statefulsets/status"),
        rule("update", "apps", "statefulsets/finalizers"),
        rule("get create delete update patch", "core", "pods"),
        rule("get create delete update patch list watch", "apps", "controllerrevisions"),
        rule("get create list watch", "core", "persistentvolumeclaims"),
        rule("update delete", "core", "persistentvolumeclaims"),
        rule("update", "core", "pods/finalizers"),
        EVENTS,
    ],
    "ttl-controller": [rule("update patch list watch", "core", "nodes"), EVENTS],
    "certificate-controller": [
        rule("get list watch delete", "certificates.k8s.io", "certificatesigningrequests"),
        rule(
            "update",
            "certificates.k8s.io",
            "certificatesigningrequests/status certificatesigningrequests/approval",
        ),
        rule("approve", "certificates.k8s.io", "signers", "kubernetes.io/kube-apiserver-client-kubelet"),
        rule(
            "sign",
            "certificates.k8s.io",
            "signers",
            "kubernetes.io/legacy-unknown kubernetes.io/kube-apiserver-client "
            "kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving",
        ),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        EVENTS,
    ],
    "pvc-protection-controller": [
        rule("get list watch update", "core", "persistentvolumeclaims"),
        rule(READ, "core", "pods"),
        EVENTS,
    ],
    "pv-protection-controller": [rule("get list watch update", "core", "persistentvolumes"), EVENTS],
    "ttl-after-finished-controller": [rule("get list watch delete", "batch", "jobs"), EVENTS],
    "root-ca-cert-publisher": [rule("create update", "core", "configmaps"), EVENTS],
    "validatingadmissionpolicy-status-controller": [
        rule(READ, "admissionregistration.k8s.io", "validatingadmissionpolicies"),
        rule("get patch update", "admissionregistration.k8s.io", "validatingadmissionpolicies/status"),
        EVENTS,
    ],
    "legacy-service-account-token-cleaner": [
        rule("get", "core", "configmaps", "kube-apiserver-legacy-service-account-token-tracking"),
        rule("patch delete", "core", "secrets"),
    ],
}
"""Controller (its service account's name) → what it may do."""


def cluster_roles() -> list[Doc]:
    """A ClusterRole for each controller."""
    return [cluster_role(_PREFIX + name, rules) for name, rules in RULES.items()]


def cluster_role_bindings() -> list[Doc]:
    """Each bound to the controller's service account."""
    return [cluster_binding(_PREFIX + name, f"sa:kube-system/{name}") for name in RULES]
