"""A fresh cluster has what a fresh 1.32 control plane has."""

from typing import Any

from cluster.api.scheme import builtin
from cluster.apiserver import bootstrap
from cluster.apiserver.bootstrap import BootstrapConfig, policy

SCHEME = builtin()
CONFIG = BootstrapConfig(now="2026-11-23T09:00:00Z", addresses=("172.18.0.2", "172.18.0.3"))
DOCUMENTS = bootstrap.documents(CONFIG, SCHEME)


def by_name(kind: str) -> dict[str, dict[str, Any]]:
    return {doc["metadata"]["name"]: doc for _, doc in DOCUMENTS if doc["kind"] == kind}


def test_paths_are_collections_the_server_serves_and_namespaces_come_first() -> None:
    seen = set()
    for path, doc in DOCUMENTS:
        key = (path, doc["metadata"]["name"])
        assert key not in seen
        seen.add(key)
    assert [path for path, _ in DOCUMENTS[:4]] == ["/api/v1/namespaces"] * 4
    assert ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "view") in seen


def test_every_binding_points_at_a_role_that_exists() -> None:
    cluster_roles = by_name("ClusterRole")
    roles = {(d["metadata"]["namespace"], d["metadata"]["name"]) for _, d in DOCUMENTS if d["kind"] == "Role"}
    for _, doc in DOCUMENTS:
        if doc["kind"] in ("RoleBinding", "ClusterRoleBinding"):
            reference = doc["roleRef"]
            if reference["kind"] == "ClusterRole":
                assert reference["name"] in cluster_roles
            else:
                assert (doc["metadata"]["namespace"], reference["name"]) in roles


def test_admin_edit_and_view_are_the_sum_of_what_they_aggregate() -> None:
    roles = by_name("ClusterRole")
    for name in ("admin", "edit", "view"):
        (selector,) = roles[name]["aggregationRule"]["clusterRoleSelectors"]
        ((label, value),) = selector["matchLabels"].items()
        chosen = [r for r in roles.values() if r["metadata"].get("labels", {}).get(label) == value]
        assert {str(rule) for each in chosen for rule in each["rules"]} == {str(rule) for rule in roles[name]["rules"]}


def test_everybody_may_discover_but_anonymous_only_health_and_version() -> None:
    public = by_name("ClusterRoleBinding")["system:public-info-viewer"]
    assert [each["name"] for each in public["subjects"]] == ["system:authenticated", "system:unauthenticated"]
    (rule,) = by_name("ClusterRole")["system:public-info-viewer"]["rules"]
    assert rule == {
        "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"],
        "verbs": ["get"],
    }
    discovery = by_name("ClusterRoleBinding")["system:discovery"]
    assert [each["name"] for each in discovery["subjects"]] == ["system:authenticated"]


def test_the_kubernetes_service_leads_to_every_apiserver() -> None:
    service = by_name("Service")["kubernetes"]
    assert service["spec"]["clusterIP"] == "10.96.0.1"
    (subset,) = by_name("Endpoints")["kubernetes"]["subsets"]
    assert [each["ip"] for each in subset["addresses"]] == ["172.18.0.2", "172.18.0.3"]
    assert service["spec"]["ports"][0]["targetPort"] == subset["ports"][0]["port"] == 6443


def test_flow_schemas_name_levels_that_exist() -> None:
    levels = by_name("PriorityLevelConfiguration")
    for doc in by_name("FlowSchema").values():
        assert doc["spec"]["priorityLevelConfiguration"]["name"] in levels


def test_an_api_service_for_every_group_version_but_its_own() -> None:
    names = set(by_name("APIService"))
    assert {"v1.", "v1.apps", "v1.autoscaling", "v2.autoscaling"} <= names
    assert "v1.apiregistration.k8s.io" not in names
    assert len(names) == 20


def test_nodes_are_not_bound_to_the_node_role() -> None:
    assert "subjects" not in by_name("ClusterRoleBinding")["system:node"]
    assert by_name("ClusterRole")["system:node"]["rules"] == policy.NODE_RULES
