"""The default RBAC policy and the flow control defaults, against what kubernetes' own test data say for 1.32."""

from server_world import Cluster

from cluster.apiserver.bootstrap import controllers, flowcontrol, policy


def rules_of(name: str) -> list[dict]:
    roles = [*policy.cluster_roles(), *controllers.cluster_roles()]
    return next(role["rules"] for role in roles if role["metadata"]["name"] == name)


def test_as_many_as_upstream() -> None:
    assert len(policy.cluster_roles()) == 31
    assert len(policy.cluster_role_bindings()) == 12
    assert len(controllers.cluster_roles()) == len(controllers.cluster_role_bindings()) == 33
    assert len(policy.roles()) == 7
    assert len(policy.role_bindings()) == 7
    assert len(flowcontrol.flow_schemas("now")) == 13
    assert len(flowcontrol.priority_levels()) == 8


def test_names_are_unique_and_bound_roles_exist() -> None:
    roles = [doc["metadata"]["name"] for doc in [*policy.cluster_roles(), *controllers.cluster_roles()]]
    assert len(set(roles)) == len(roles)
    for doc in [*policy.cluster_role_bindings(), *controllers.cluster_role_bindings()]:
        assert doc["roleRef"]["name"] in roles
    namespaced = {(doc["metadata"]["namespace"], doc["metadata"]["name"]) for doc in policy.roles()}
    for doc in policy.role_bindings():
        assert (doc["metadata"]["namespace"], doc["roleRef"]["name"]) in namespaced


def test_every_default_has_label_and_annotation() -> None:
    for doc in [
        *policy.cluster_roles(),
        *policy.roles(),
        *policy.role_bindings(),
        *controllers.cluster_role_bindings(),
    ]:
        assert doc["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
        assert doc["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"] == "true"


def test_some_rules_word_by_word() -> None:
    assert rules_of("system:controller:pod-garbage-collector") == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete", "list", "watch"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["pods/status"], "verbs": ["patch"]},
    ]
    assert rules_of("system:controller:clusterrole-aggregation-controller") == [
        {
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["clusterroles"],
            "verbs": ["escalate", "get", "list", "patch", "update", "watch"],
        }
    ]
    assert rules_of("system:aggregate-to-edit")[3] == {
        "apiGroups": [""],
        "resources": ["pods/eviction"],
        "verbs": ["create"],
    }
    assert rules_of("system:aggregate-to-edit")[-1]["apiGroups"] == ["coordination.k8s.io"]
    signers = rules_of("system:controller:certificate-controller")[3]
    assert signers["resourceNames"] == [
        "kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet",
        "kubernetes.io/kubelet-serving", "kubernetes.io/legacy-unknown",
    ]  # fmt: skip
    assert [rule["verbs"] for rule in rules_of("system:kube-scheduler")][1:3] == [["create"], ["get", "update"]]
    assert len(rules_of("system:node")) == 22


def test_what_nobody_may_by_default() -> None:
    view = [r for r in rules_of("system:aggregate-to-view") if "secrets" in r["resources"]]
    edit = [r for r in rules_of("system:aggregate-to-edit") if "endpoints" in r["resources"]]
    assert view == [] and edit == []


def test_statuses_of_a_fresh_cluster() -> None:
    """What the apiserver's own controllers say about APIServices and FlowSchemas, which no creation can say."""
    c = Cluster()
    _, services = c.ask("GET", "/apis/apiregistration.k8s.io/v1/apiservices")
    assert services["items"]
    assert {item["status"]["conditions"][0]["type"] for item in services["items"]} == {"Available"}
    _, schemas = c.ask("GET", "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas")
    assert len(schemas["items"]) == 13
    for item in schemas["items"]:
        assert item["status"]["conditions"][0]["status"] == "False"
        managers = {
            entry["manager"] for entry in item["metadata"]["managedFields"] if entry.get("subresource") == "status"
        }
        assert managers == {"api-priority-and-fairness-config-consumer-v1"}
