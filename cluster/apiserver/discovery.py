"""Discovery: how a client learns what this server serves, before it asks for anything.

``kubectl get po`` knows no "po": it reads these documents first, finds that "po" is a short name of the resource
``pods`` in version ``v1``, namespaced, and only then builds the path ``/api/v1/namespaces/default/pods``.

In → the ``Scheme`` (every ``Resource`` served, custom ones included). Out → JSON documents, ready to be encoded:

* ``/api`` and ``/apis``: which groups and versions there are (``APIVersions``, ``APIGroupList``),
* ``/apis/<group>``: one ``APIGroup``; ``/api/v1`` and ``/apis/<group>/<version>``: one ``APIResourceList``,
* the same two paths with ``Accept: …;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList``: everything at once
  (aggregated discovery, KEP-3352), which is what kubectl ≥ 1.26 asks for,
* ``/``: the list of paths.

Errors: None for a group or version that isn't served (the pipeline answers 404). Pure functions; they build fresh
documents, so keep what you get while the scheme stays the same.

Simplified here: every group is served by this process, so ``freshness`` is always ``Current``; no ``ETag``.

Upstream: apiserver/pkg/endpoints/discovery (and …/discovery/aggregated), kube-aggregator/pkg/apiserver/apiservice…,
controlplane/apiserver (group priorities), Kubernetes 1.32.
"""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.api.scheme import Resource, Scheme, Subresource

GROUP_ORDER = (
    "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "autoscaling",
    "batch", "certificates.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "storage.k8s.io",
    "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io", "coordination.k8s.io", "node.k8s.io",
    "discovery.k8s.io", "flowcontrol.apiserver.k8s.io",
)  # fmt: skip
"""By falling ``groupPriorityMinimum`` of the groups' APIServices; groups of custom resources (1000) follow by name."""

POST_START_HOOKS = (
    "aggregator-reload-proxy-client-cert", "apiservice-discovery-controller", "apiservice-openapi-controller",
    "apiservice-openapiv3-controller", "apiservice-registration-controller",
    "apiservice-status-local-available-controller", "apiservice-status-remote-available-controller",
    "apiservice-wait-for-first-sync", "bootstrap-controller", "crd-informer-synced",
    "generic-apiserver-start-informers", "kube-apiserver-autoregistration", "priority-and-fairness-config-consumer",
    "priority-and-fairness-config-producer", "priority-and-fairness-filter", "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes", "start-apiextensions-controllers",
    "start-apiextensions-informers", "start-apiserver-admission-initializer",
    "start-cluster-authentication-info-controller", "start-kube-aggregator-informers",
    "start-kube-apiserver-identity-lease-controller", "start-kube-apiserver-identity-lease-garbage-collector",
    "start-legacy-token-tracking-controller", "start-service-ip-repair-controllers",
    "start-system-namespaces-controller", "storage-object-count-tracker-hook",
)  # fmt: skip
"""What runs once after the server starts; each is a health check too."""

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def version_key(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as clients prefer them: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name.

    Upstream: apimachinery/pkg/version.CompareKubeAwareVersionStrings.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        return (3, 0, 0, version)
    major, stage, minor = match.groups()
    return ({None: 0, "beta": 1, "alpha": 2}[stage], -int(major), -int(minor or 0), "")


def groups(scheme: "Scheme") -> dict[str, list[str]]:
    """Every named group served, in the order of ``/apis``, with its versions, the preferred one first."""
    found: dict[str, dict[str, bool]] = {}
    for resource in scheme.resources():
        if resource.group:
            found.setdefault(resource.group, {})[resource.version] = True
    order = {name: place for place, name in enumerate(GROUP_ORDER)}
    names = sorted(found, key=lambda name: (order.get(name, len(order)), name))
    return {name: sorted(found[name], key=version_key) for name in names}


def api_versions(server_address: str) -> dict[str, Any]:
    """``/api``: the versions of the legacy group. ``server_address`` is "ip:port" of this apiserver."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def group_list(scheme: "Scheme") -> dict[str, Any]:
    """``/apis``."""
    listed = [_group(name, versions) for name, versions in groups(scheme).items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def group(scheme: "Scheme", name: str) -> dict[str, Any] | None:
    """``/apis/<name>``; None if no version of it is served."""
    versions = groups(scheme).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def resource_list(scheme: "Scheme", group_name: str, version: str) -> dict[str, Any] | None:
    """``/api/v1`` (group "") or ``/apis/<group>/<version>``; None if not served. Subresources follow their resource."""
    listed: list[dict[str, Any]] = []
    for resource in _of(scheme, group_name, version):
        listed.append(_api_resource(resource))
        listed.extend(_api_subresource(resource, each) for each in sorted(resource.subresources, key=_by_name))
    if not listed:
        return None
    if not group_name:  # the legacy group's list is the one document without its own apiVersion
        return {"kind": "APIResourceList", "groupVersion": version, "resources": listed}
    full = f"{group_name}/{version}"
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": full, "resources": listed}


def aggregated_version(accept: str) -> str | None:
    """ "v2" or "v2beta1" if the first media type a client would take is that of aggregated discovery, else None."""
    for part in accept.split(","):
        parameters = {key.strip(): value.strip() for key, _, value in (p.partition("=") for p in part.split(";")[1:])}
        if parameters.get("g") == "apidiscovery.k8s.io" and parameters.get("as") == "APIGroupDiscoveryList":
            if parameters.get("v") in ("v2", "v2beta1"):
                return parameters["v"]
        elif part.split(";")[0].strip() in ("application/json", "application/*", "*/*"):
            return None
    return None


def aggregated(scheme: "Scheme", *, legacy: bool, version: str = "v2") -> dict[str, Any]:
    """``/api`` (``legacy``) or ``/apis`` as one ``APIGroupDiscoveryList`` of apidiscovery.k8s.io/``version``."""
    if legacy:
        items = [{"metadata": {"creationTimestamp": None}, "versions": [_version_discovery(scheme, "", "v1")]}]
    else:
        items = [
            {
                "metadata": {"name": name, "creationTimestamp": None},
                "versions": [_version_discovery(scheme, name, each) for each in versions],
            }
            for name, versions in groups(scheme).items()
        ]
    kind = "APIGroupDiscoveryList"
    return {"kind": kind, "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {}, "items": items}


def root_paths(scheme: "Scheme") -> dict[str, Any]:
    """``/``: every path that is a route of its own, sorted."""
    paths = ["/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/", "/metrics", "/metrics/slis"]
    paths += ["/openapi/v2", "/openapi/v3", "/openapi/v3/", "/openid/v1/jwks", "/version"]
    for name, versions in groups(scheme).items():
        paths.append(f"/apis/{name}")
        paths += [f"/apis/{name}/{version}" for version in versions]
    hooks = [f"poststarthook/{hook}" for hook in POST_START_HOOKS]
    for check, own in (
        ("healthz", ["etcd"]),
        ("livez", ["etcd"]),
        # The recorded server's readyz handler lists neither etcd check: they are added per request.
        ("readyz", ["informer-sync", "shutdown"]),
    ):
        paths.append(f"/{check}")
        paths += [f"/{check}/{name}" for name in ["autoregister-completion", "log", "ping", *own, *hooks]]
    return {"paths": sorted(paths)}


def _of(scheme: "Scheme", group_name: str, version: str) -> "list[Resource]":
    found = [each for each in scheme.resources() if each.group == group_name and each.version == version]
    return sorted(found, key=lambda each: each.plural)


def _by_name(subresource: "Subresource") -> str:
    return subresource.name


def _api_resource(resource: "Resource") -> dict[str, Any]:
    doc: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        doc["shortNames"] = list(resource.short_names)
    if resource.categories:
        doc["categories"] = list(resource.categories)
    if resource.storage_version_hash:
        doc["storageVersionHash"] = resource.storage_version_hash
    return doc


def _api_subresource(resource: "Resource", subresource: "Subresource") -> dict[str, Any]:
    doc: dict[str, Any] = {
        "name": f"{resource.plural}/{subresource.name}",
        "singularName": "",
        "namespaced": resource.namespaced,
    }
    if _foreign(resource, subresource):
        doc["group"] = subresource.group
        doc["version"] = subresource.version
    return {**doc, "kind": subresource.kind, "verbs": list(subresource.verbs)}


def _foreign(resource: "Resource", subresource: "Subresource") -> bool:
    """Whether the subresource speaks a kind of another group: ``deployments/scale`` is an autoscaling/v1 Scale."""
    if not subresource.version:
        return False
    return (subresource.group, subresource.version) != (resource.group, resource.version)


def _version_discovery(scheme: "Scheme", group_name: str, version: str) -> dict[str, Any]:
    listed = [_resource_discovery(resource) for resource in _of(scheme, group_name, version)]
    return {"version": version, "resources": listed, "freshness": "Current"}


def _resource_discovery(resource: "Resource") -> dict[str, Any]:
    doc: dict[str, Any] = {
        "resource": resource.plural,
        # Group and version stay empty where they are those of the list, as upstream's installer leaves them.
        "responseKind": {"group": "", "version": "", "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        doc["shortNames"] = list(resource.short_names)
    if resource.categories:
        doc["categories"] = list(resource.categories)
    if resource.subresources:
        doc["subresources"] = [
            {
                "subresource": each.name,
                "responseKind": {
                    "group": each.group if _foreign(resource, each) else "",
                    "version": each.version if _foreign(resource, each) else "",
                    "kind": each.kind,
                },
                "verbs": list(each.verbs),
            }
            for each in sorted(resource.subresources, key=_by_name)
        ]
    return doc
