"""The default RBAC policy for people and components: cluster-admin, admin, edit, view, system:*.

``admin``, ``edit`` and ``view`` hold no rules of their own: they aggregate every ClusterRole with a certain label, the
built-in ``system:aggregate-to-…`` first. On a real cluster the clusterrole-aggregation-controller fills them in within a
second; here they are filled in from the start.

Upstream: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/{policy,namespace_policy}.go, 1.32 with default feature gates.
"""

from typing import Any

from cluster.apiserver.bootstrap.rules import (
    EVENTS,
    READ,
    READ_UPDATE,
    READ_WRITE,
    WRITE,
    binding,
    cluster_binding,
    cluster_role,
    role,
    rule,
    urls,
)

Doc = dict[str, Any]

_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_RBAC = "rbac.authorization.k8s.io"
_AUTHN = "authentication.k8s.io"
_AUTHZ = "authorization.k8s.io"
_CERTIFICATES = "certificates.k8s.io"
_COORDINATION = "coordination.k8s.io"
_DISCOVERY = "discovery.k8s.io"
_NETWORKING = "networking.k8s.io"
_STORAGE = "storage.k8s.io"

_TO_ADMIN = [
    rule("create", _AUTHZ, "localsubjectaccessreviews"),
    rule(READ_WRITE, _RBAC, "roles rolebindings"),
]

_TO_EDIT = [
    rule(READ, "core", "pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy"),
    rule("impersonate", "core", "serviceaccounts"),
    rule(WRITE, "core", "pods pods/attach pods/proxy pods/exec pods/portforward"),
    rule("create", "core", "pods/eviction"),
    rule(
        WRITE,
        "core",
        "replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy "
        "persistentvolumeclaims configmaps secrets events",
    ),
    rule("create", "core", "serviceaccounts/token"),
    rule(
        WRITE,
        "apps",
        "statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback replicasets "
        "replicasets/scale",
    ),
    rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
    rule(WRITE, "batch", "jobs cronjobs"),
    rule(
        WRITE,
        "extensions",
        "daemonsets deployments deployments/scale deployments/rollback ingresses replicasets replicasets/scale "
        "replicationcontrollers/scale networkpolicies",
    ),
    rule(WRITE, "policy", "poddisruptionbudgets"),
    rule(WRITE, _NETWORKING, "networkpolicies ingresses"),
    rule(READ_WRITE, _COORDINATION, "leases"),
]

_TO_VIEW = [
    rule(
        READ,
        "core",
        "pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status endpoints "
        "persistentvolumeclaims persistentvolumeclaims/status configmaps",
    ),
    rule(
        READ,
        "core",
        "limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status "
        "replicationcontrollers/status pods/log",
    ),
    rule(READ, "core", "namespaces"),
    rule(READ, _DISCOVERY, "endpointslices"),
    rule(
        READ,
        "apps",
        "controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status "
        "deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale",
    ),
    rule(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
    rule(READ, "batch", "jobs cronjobs cronjobs/status jobs/status"),
    rule(
        READ,
        "extensions",
        "daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status "
        "replicasets replicasets/scale replicasets/status replicationcontrollers/scale networkpolicies",
    ),
    rule(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
    rule(READ, _NETWORKING, "networkpolicies ingresses ingresses/status"),
]

NODE_RULES = [
    rule("create", _AUTHN, "tokenreviews"),
    rule("create", _AUTHZ, "subjectaccessreviews localsubjectaccessreviews"),
    rule(READ, "core", "services"),
    rule("create get list watch", "core", "nodes"),
    rule("update patch", "core", "nodes/status"),
    rule("update patch", "core", "nodes"),
    rule("create update patch", "core", "events"),
    rule(READ, "core", "pods"),
    rule("create delete", "core", "pods"),
    rule("update patch", "core", "pods/status"),
    rule("create", "core", "pods/eviction"),
    rule(READ, "core", "secrets configmaps"),
    rule("get", "core", "persistentvolumeclaims persistentvolumes"),
    rule("get", "core", "endpoints"),
    rule("create get list watch", _CERTIFICATES, "certificatesigningrequests"),
    rule("create delete get patch update", _COORDINATION, "leases"),
    rule("get", _STORAGE, "volumeattachments"),
    rule("create", "core", "serviceaccounts/token"),
    rule("get update patch", "core", "persistentvolumeclaims/status"),
    rule(READ, _STORAGE, "csidrivers"),
    rule("create delete get patch update", _STORAGE, "csinodes"),
    rule(READ, "node.k8s.io", "runtimeclasses"),
]
"""What a kubelet needs; the Node authorizer grants it to nodes, narrowed to their own objects."""

_SCHEDULER = [
    EVENTS,
    rule("create", _COORDINATION, "leases"),
    rule("get update", _COORDINATION, "leases", "kube-scheduler"),
    rule(READ, "core", "nodes"),
    rule("get list watch delete", "core", "pods"),
    rule("create", "core", "pods/binding bindings"),
    rule("update patch", "core", "pods/status"),
    rule(READ, "core", "replicationcontrollers services"),
    rule(READ, "apps extensions", "replicasets"),
    rule(READ, "apps", "statefulsets"),
    rule(READ, "policy", "poddisruptionbudgets"),
    rule(READ, "core", "persistentvolumeclaims persistentvolumes"),
    rule("create", _AUTHN, "tokenreviews"),
    rule("create", _AUTHZ, "subjectaccessreviews"),
    rule(READ, _STORAGE, "csinodes"),
    rule(READ, "core", "namespaces"),
    rule(READ, _STORAGE, "csidrivers"),
    rule(READ, _STORAGE, "csistoragecapacities"),
]

_CONTROLLER_MANAGER = [
    EVENTS,
    rule("create", _COORDINATION, "leases"),
    rule("get update", _COORDINATION, "leases", "kube-controller-manager"),
    rule("create", "core", "secrets serviceaccounts"),
    rule("delete", "core", "secrets"),
    rule("get", "core", "configmaps namespaces secrets serviceaccounts"),
    rule("update", "core", "secrets serviceaccounts"),
    rule("create", _AUTHN, "tokenreviews"),
    rule("create", _AUTHZ, "subjectaccessreviews"),
    rule("list watch", "*", "*"),
    rule("create", "core", "serviceaccounts/token"),
]


def _aggregated(name: str, rules: list[Doc], labels: dict[str, str]) -> Doc:
    doc = cluster_role(name, rules, labels)
    selector = {"matchLabels": {f"{_AGGREGATE}{name}": "true"}}
    aggregation = {"clusterRoleSelectors": [selector]}
    return {**{key: doc[key] for key in ("kind", "apiVersion", "metadata", "rules")}, "aggregationRule": aggregation}


def cluster_roles() -> list[Doc]:
    """Every default ClusterRole but the controllers'."""
    health = "/livez /readyz /healthz /version /version/"
    approvers = {
        "legacy-unknown-approver": "kubernetes.io/legacy-unknown",
        "kubelet-serving-approver": "kubernetes.io/kubelet-serving",
        "kube-apiserver-client-approver": "kubernetes.io/kube-apiserver-client",
        "kube-apiserver-client-kubelet-approver": "kubernetes.io/kube-apiserver-client-kubelet",
    }
    return [
        cluster_role("cluster-admin", [rule("*", "*", "*"), urls("*", "*")]),
        cluster_role("system:discovery", [urls("get", f"{health} /openapi /openapi/* /api /api/* /apis /apis/*")]),
        cluster_role(
            "system:monitoring",
            [urls("get", "/metrics /metrics/slis /livez /readyz /healthz /livez/* /readyz/* /healthz/*")],
        ),
        cluster_role(
            "system:basic-user",
            [
                rule("create", _AUTHZ, "selfsubjectaccessreviews selfsubjectrulesreviews"),
                rule("create", _AUTHN, "selfsubjectreviews"),
            ],
        ),
        cluster_role("system:public-info-viewer", [urls("get", health)]),
        _aggregated("admin", [*_TO_ADMIN, *_TO_EDIT, *_TO_VIEW], {}),
        _aggregated("edit", [*_TO_EDIT, *_TO_VIEW], {f"{_AGGREGATE}admin": "true"}),
        _aggregated("view", _TO_VIEW, {f"{_AGGREGATE}edit": "true"}),
        cluster_role("system:aggregate-to-admin", _TO_ADMIN, {f"{_AGGREGATE}admin": "true"}),
        cluster_role("system:aggregate-to-edit", _TO_EDIT, {f"{_AGGREGATE}edit": "true"}),
        cluster_role("system:aggregate-to-view", _TO_VIEW, {f"{_AGGREGATE}view": "true"}),
        cluster_role(
            "system:heapster",
            [rule(READ, "core", "events pods nodes namespaces"), rule(READ, "extensions", "deployments")],
        ),
        cluster_role("system:node", NODE_RULES),
        cluster_role(
            "system:node-problem-detector",
            [rule("get", "core", "nodes"), rule("patch", "core", "nodes/status"), EVENTS],
        ),
        cluster_role(
            "system:kubelet-api-admin",
            [
                rule(READ, "core", "nodes"),
                rule("proxy", "core", "nodes"),
                rule("*", "core", "nodes/proxy nodes/metrics nodes/stats nodes/log"),
            ],
        ),
        cluster_role(
            "system:node-bootstrapper", [rule("create get list watch", _CERTIFICATES, "certificatesigningrequests")]
        ),
        cluster_role(
            "system:auth-delegator",
            [rule("create", _AUTHN, "tokenreviews"), rule("create", _AUTHZ, "subjectaccessreviews")],
        ),
        cluster_role("system:kube-aggregator", [rule(READ, "core", "services endpoints")]),
        cluster_role("system:kube-controller-manager", _CONTROLLER_MANAGER),
        cluster_role("system:kube-dns", [rule("list watch", "core", "endpoints services")]),
        cluster_role(
            "system:persistent-volume-provisioner",
            [
                rule("get list watch create delete", "core", "persistentvolumes"),
                rule("get list watch update", "core", "persistentvolumeclaims"),
                rule(READ, _STORAGE, "storageclasses"),
                rule("watch", "core", "events"),
                EVENTS,
            ],
        ),
        cluster_role(
            "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
            [rule("create", _CERTIFICATES, "certificatesigningrequests/nodeclient")],
        ),
        cluster_role(
            "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
            [rule("create", _CERTIFICATES, "certificatesigningrequests/selfnodeclient")],
        ),
        cluster_role(
            "system:volume-scheduler",
            [
                rule(READ_UPDATE, "core", "persistentvolumes"),
                rule(READ, _STORAGE, "storageclasses"),
                rule(READ_UPDATE, "core", "persistentvolumeclaims"),
            ],
        ),
        *(
            cluster_role(f"system:certificates.k8s.io:{name}", [rule("approve", _CERTIFICATES, "signers", signer)])
            for name, signer in approvers.items()
        ),
        cluster_role(
            "system:service-account-issuer-discovery",
            [
                urls(
                    "get",
                    "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks "
                    "/openid/v1/jwks/",
                )
            ],
        ),
        cluster_role(
            "system:node-proxier",
            [
                rule("list watch", "core", "services endpoints"),
                rule(READ, "core", "nodes"),
                EVENTS,
                rule("list watch", _DISCOVERY, "endpointslices"),
            ],
        ),
        cluster_role("system:kube-scheduler", _SCHEDULER),
    ]


def cluster_role_bindings() -> list[Doc]:
    """Who has the default roles. ``system:node`` has no subjects: the Node authorizer does that work."""
    return [
        cluster_binding("cluster-admin", "group:system:masters"),
        cluster_binding("system:monitoring", "group:system:monitoring"),
        cluster_binding("system:discovery", "group:system:authenticated"),
        cluster_binding("system:basic-user", "group:system:authenticated"),
        cluster_binding("system:public-info-viewer", "group:system:authenticated group:system:unauthenticated"),
        cluster_binding("system:node-proxier", "user:system:kube-proxy"),
        cluster_binding("system:kube-controller-manager", "user:system:kube-controller-manager"),
        cluster_binding("system:kube-dns", "sa:kube-system/kube-dns"),
        cluster_binding("system:kube-scheduler", "user:system:kube-scheduler"),
        cluster_binding("system:volume-scheduler", "user:system:kube-scheduler"),
        cluster_binding("system:service-account-issuer-discovery", "group:system:serviceaccounts"),
        cluster_binding("system:node", ""),
    ]


def roles() -> list[Doc]:
    """The default Roles of kube-system and kube-public."""
    found = [
        role(
            "kube-system",
            "extension-apiserver-authentication-reader",
            [rule(READ, "core", "configmaps", "extension-apiserver-authentication")],
        ),
        role("kube-system", "system:controller:bootstrap-signer", [rule(READ, "core", "secrets")]),
        role(
            "kube-system",
            "system:controller:cloud-provider",
            [rule("create get list watch", "core", "configmaps")],
        ),
        role(
            "kube-system",
            "system:controller:token-cleaner",
            [rule("get list watch delete", "core", "secrets"), EVENTS],
        ),
        role(
            "kube-public",
            "system:controller:bootstrap-signer",
            [rule(READ, "core", "configmaps"), rule("update", "core", "configmaps", "cluster-info"), EVENTS],
        ),
    ]
    for component in ("kube-controller-manager", "kube-scheduler"):
        rules = [rule("watch", "core", "configmaps"), rule("get update", "core", "configmaps", component)]
        found.append(role("kube-system", f"system::leader-locking-{component}", rules))
    return found


def role_bindings() -> list[Doc]:
    """Who has the default Roles."""
    found = [
        binding("kube-system", "system:controller:bootstrap-signer", "sa:kube-system/bootstrap-signer"),
        binding("kube-system", "system:controller:cloud-provider", "sa:kube-system/cloud-provider"),
        binding("kube-system", "system:controller:token-cleaner", "sa:kube-system/token-cleaner"),
        binding("kube-public", "system:controller:bootstrap-signer", "sa:kube-system/bootstrap-signer"),
        binding(
            "kube-system",
            "system::extension-apiserver-authentication-reader",
            "user:system:kube-controller-manager user:system:kube-scheduler",
            to="extension-apiserver-authentication-reader",
        ),
    ]
    for component in ("kube-controller-manager", "kube-scheduler"):
        who = f"user:system:{component} sa:kube-system/{component}"
        found.append(binding("kube-system", f"system::leader-locking-{component}", who))
    return found
