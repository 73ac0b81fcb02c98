"""What a fresh control plane holds before anybody has created anything.

When a kube-apiserver starts it writes, through its own REST machinery, the objects it cannot do without: the system
namespaces, the ``kubernetes`` Service and its endpoints, the default RBAC policy, the two system priority classes, the flow
schemas, an APIService for every group version. kubeadm adds its own. Here they are as documents.

In → ``BootstrapConfig``. Out → ``[(collection path, document), …]`` in an order in which they can be created one after
another (namespaces first). Documents lack what the server gives on creation (uid, resourceVersion, creationTimestamp).

Simplified here: on a real server post-start hooks reconcile these objects for as long as it runs (``autoupdate``
annotations); here they are written once, when the cluster is made.

Upstream: pkg/controlplane/controller/*, plugin/pkg/auth/authorizer/rbac/bootstrappolicy, kube-aggregator, kubeadm; 1.32.
"""

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from cluster.apiserver.bootstrap import controllers, flowcontrol, kubeadm, policy
from cluster.apiserver.discovery import groups

if TYPE_CHECKING:
    from cluster.api.scheme import Scheme

Doc = dict[str, Any]

NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "default")


class BootstrapConfig(Struct, frozen=True):
    """What differs between clusters. ``now`` (RFC 3339) dates conditions; addresses are the apiservers' own IPs."""

    now: str
    addresses: tuple[str, ...]
    port: int = 6443
    endpoint: str = "172.18.0.10:6443"
    """host:port that clients use (the balancer's)."""
    service_ip: str = "10.96.0.1"
    ca_pem: str = ""
    ca_data: str = ""
    """The CA certificate in PEM, and its base64, as kubeconfigs carry it."""
    kubernetes_version: str = "v1.32.13"
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    proxy_mode: str = ""
    kubeadm: bool = True


def documents(config: BootstrapConfig, scheme: "Scheme") -> list[tuple[str, Doc]]:
    """Every object of a fresh cluster with the path it would be POSTed to."""
    docs: list[Doc] = [_namespace(name) for name in NAMESPACES]
    docs += [_service(config), _endpoints(config), _endpoint_slice(config)]
    docs += policy.cluster_roles() + controllers.cluster_roles()
    docs += policy.cluster_role_bindings() + controllers.cluster_role_bindings()
    docs += policy.roles() + policy.role_bindings()
    docs += _priority_classes()
    docs += flowcontrol.priority_levels() + flowcontrol.flow_schemas(config.now)
    docs += _api_services(config, scheme)
    docs.append(_authentication_config(config))
    if config.kubeadm:
        docs += kubeadm.rbac()
        docs += kubeadm.objects(
            version=config.kubernetes_version,
            endpoint=config.endpoint,
            ca_data=config.ca_data,
            pod_cidr=config.pod_cidr,
            service_cidr=config.service_cidr,
            proxy_mode=config.proxy_mode,
        )
    return [(_collection(doc, scheme), doc) for doc in docs]


def _collection(doc: Doc, scheme: "Scheme") -> str:
    group, _, version = doc["apiVersion"].rpartition("/")
    resource = scheme.kind(group, version, doc["kind"])
    assert resource is not None, doc["kind"]
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    namespace = doc["metadata"].get("namespace")
    return f"{root}/namespaces/{namespace}/{resource.plural}" if namespace else f"{root}/{resource.plural}"


def _namespace(name: str) -> Doc:
    return {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


_LABELS = {"component": "apiserver", "provider": "kubernetes"}


def _service(config: BootstrapConfig) -> Doc:
    """``default/kubernetes``: how pods reach the apiserver."""
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": _LABELS},
        "spec": {
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": config.port}],
            "clusterIP": config.service_ip,
            "type": "ClusterIP",
            "sessionAffinity": "None",
            "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster",
        },
        "status": {"loadBalancer": {}},
    }


def _endpoints(config: BootstrapConfig) -> Doc:
    """The apiservers write themselves in; ``skip-mirror`` keeps the mirroring controller away."""
    return {
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [
            {
                "addresses": [{"ip": address} for address in config.addresses],
                "ports": [{"name": "https", "port": config.port, "protocol": "TCP"}],
            }
        ],
    }


def _endpoint_slice(config: BootstrapConfig) -> Doc:
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in config.addresses],
        "ports": [{"name": "https", "protocol": "TCP", "port": config.port}],
    }


def _priority_classes() -> list[Doc]:
    found = []
    for name, value, description in (
        (
            "system-node-critical",
            2000001000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
        (
            "system-cluster-critical",
            2000000000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
    ):
        found.append(
            {
                "kind": "PriorityClass",
                "apiVersion": "scheduling.k8s.io/v1",
                "metadata": {"name": name},
                "value": value,
                "description": description,
                "preemptionPolicy": "PreemptLowerPriority",
            }
        )
    return found


_GROUP_PRIORITY = {
    "": 18000, "apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700, "authorization.k8s.io": 17600,
    "autoscaling": 17500, "batch": 17400, "certificates.k8s.io": 17300, "networking.k8s.io": 17200, "policy": 17100,
    "rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800, "admissionregistration.k8s.io": 16700,
    "apiextensions.k8s.io": 16700, "scheduling.k8s.io": 16600, "coordination.k8s.io": 16500, "node.k8s.io": 16300,
    "discovery.k8s.io": 16200, "flowcontrol.apiserver.k8s.io": 16100,
}  # fmt: skip
_VERSION_PRIORITY = {("", "v1"): 1, ("autoscaling", "v2"): 30, ("flowcontrol.apiserver.k8s.io", "v1"): 21}


def _api_services(config: BootstrapConfig, scheme: "Scheme") -> list[Doc]:
    """Which server serves which group version: here always the apiserver itself ("Local")."""
    served = {"": ["v1"], **groups(scheme)}
    condition = {
        "type": "Available",
        "status": "True",
        "lastTransitionTime": config.now,
        "reason": "Local",
        "message": "Local APIServices are always available",
    }
    return [
        {
            "kind": "APIService",
            "apiVersion": "apiregistration.k8s.io/v1",
            "metadata": {
                "name": f"{version}.{group}",
                "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"},
            },
            "spec": {
                "group": group,
                "version": version,
                "groupPriorityMinimum": _GROUP_PRIORITY[group],
                "versionPriority": _VERSION_PRIORITY.get((group, version), 15),
            },
            "status": {"conditions": [condition]},
        }
        for group, versions in served.items()
        if group in _GROUP_PRIORITY
        for version in versions
    ]


def _authentication_config(config: BootstrapConfig) -> Doc:
    """How extension servers learn whom this server trusts."""
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": {
            "client-ca-file": config.ca_pem,
            "requestheader-allowed-names": '["front-proxy-client"]',
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-username-headers": '["X-Remote-User"]',
        },
    }
