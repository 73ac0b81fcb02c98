"""Refusals in the words of the real apiserver, request by request against one small server."""

from typing import Any

import pytest

from tests.cluster.apiserver.server_world import ADMIN, Cluster

NS = "/api/v1/namespaces/default"
CM = f"{NS}/configmaps"
APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
_server: list[Cluster] = []


@pytest.fixture
def server() -> Cluster:
    """One for all rows: each row only adds refusals."""
    if not _server:
        cluster = Cluster()
        cluster.ask("POST", f"{NS}/serviceaccounts", {"metadata": {"name": "default"}})
        cluster.ask("POST", CM, {"metadata": {"name": "a"}, "data": {"k": "v"}})
        cluster.ask(
            "POST",
            "/api/v1/nodes",
            {"metadata": {"name": "n"}, "spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}},
        )
        _server.append(cluster)
    return _server[0]


def cm(**meta: Any) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta}


ROWS: list[tuple[str, str, Any, dict[str, Any], int, str]] = [
    ("POST", CM, cm(name="x", resourceVersion="5"), {}, 500, "resourceVersion should not be set on objects to be created"),
    ("PUT", f"{CM}/a", cm(), {}, 400, "the name of the object (a based on URL) was undeterminable: name must be provided"),
    ("PATCH", f"{CM}/new?fieldManager=m", cm(name="new", uid="u1"), {"media": APPLY}, 409,
     'Operation cannot be fulfilled on configmaps "new": uid mismatch: the provided object specified uid u1, and no existing object was found'),
    ("PATCH", f"{CM}/a?fieldManager=m", {**cm(name="a"), "data": {"x": 1}}, {"media": APPLY}, 500,
     "failed to create typed patch object (default/a; /v1, Kind=ConfigMap): .data.x: expected string, got &value.valueUnstructured{Value:1}"),
    ("PATCH", f"{CM}/a?fieldManager=m", {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}}, {"media": APPLY}, 400,
     'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion'),
    ("PATCH", f"{CM}/a", {"metadata": {"finalizers": ["foo"]}}, {"media": MERGE}, 422,
     'ConfigMap "a" is invalid: metadata.finalizers[0]: Invalid value: "foo": name is neither a standard finalizer name nor is it fully qualified'),
    ("POST", CM, cm(name="o", ownerReferences=[{"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "1", "controller": True}]), {}, 422,
     'ConfigMap "o" is invalid: metadata.ownerReferences: Invalid value: &OwnerReference{Kind:Event,Name:e,UID:1,APIVersion:v1,'
     "Controller:*true,BlockOwnerDeletion:nil,}: /v1, Kind=Event is disallowed from being an owner"),
    ("POST", f"{NS}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"foo": "1", "services": "1500m"}}}, {}, 422,
     'ResourceQuota "q" is invalid: [spec.hard[foo]: Invalid value: "foo": must be a standard resource for quota, '
     'spec.hard[services]: Invalid value: "1500m": must be an integer]'),
    ("POST", f"{NS}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"cpu": "1"}, "scopes": ["BestEffort", "Odd"]}}, {}, 422,
     'ResourceQuota "q" is invalid: [spec.scopes: Invalid value: []core.ResourceQuotaScope{"BestEffort", "Odd"}: unsupported scope applied to '
     'resource, spec.scopes: Invalid value: []core.ResourceQuotaScope{"BestEffort", "Odd"}: unsupported scope]'),
    ("POST", f"{NS}/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": [
        {"type": "Container", "max": {"cpu": "1"}, "min": {"cpu": "2"}, "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "3"}}]}}, {}, 422,
     'LimitRange "l" is invalid: [spec.limits[0].min[cpu]: Invalid value: 2: min value 2 is greater than max value 1, '
     "spec.limits[0].defaultRequest[cpu]: Invalid value: 3: default request value 3 is greater than max value 1, "
     "spec.limits[0].defaultRequest[cpu]: Invalid value: 3: default request value 3 is greater than default limit value 500m, "
     "spec.limits[0].default[cpu]: Invalid value: 500m: min value 2 is greater than default value 500m]"),
    ("POST", "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
     {"metadata": {"name": "n"}, "spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "1.2.3.4"}}]}]}}, {}, 422,
     'NetworkPolicy.networking.k8s.io "n" is invalid: spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "1.2.3.4": must be a valid CIDR '
     "value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"),
    ("PATCH", "/api/v1/nodes/n", {"spec": {"podCIDR": "10.9.0.0/24"}}, {"media": MERGE}, 422,
     'Node "n" is invalid: spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'),
    ("GET", "/api/v1/configmaps/a", None, {}, 404, "the server could not find the requested resource"),
    ("GET", f"{NS}/nodes", None, {}, 404, "the server could not find the requested resource"),
    ("POST", "/api/v1/pods", {"metadata": {"name": "p"}}, {}, 405, "the server does not allow this method on the requested resource"),
    ("DELETE", "/api/v1/configmaps", None, {}, 405, "the server does not allow this method on the requested resource"),
    ("GET", f"{CM}?timeoutSeconds=abc", None, {}, 400, 'strconv.ParseInt: parsing "abc": invalid syntax'),
    ("GET", f"{CM}?sendInitialEvents=true", None, {}, 422,
     'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list'),
    ("GET", CM, None, {"headers": (("accept", "application/json;as=Foo;v=v1;g=meta.k8s.io"),)}, 406,
     "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf"),
    ("GET", f"{CM}?includeObject=Foo", None, {"headers": (("accept", "application/json;as=Table;v=v1;g=meta.k8s.io"),)}, 400,
     "Unable to convert to Table as requested: includeObject: Invalid value: \"Foo\": must be 'Metadata', 'Object', 'None', or empty"),
    ("GET", "/version", None, {"headers": (("accept", "text/plain"),)}, 406, "406: Not Acceptable\n\nAvailable representations: application/json"),
    ("DELETE", f"{CM}/a", None, {"body": b"{"}, 500, "couldn't get version/kind; json parse error: unexpected end of JSON input"),
    ("GET", f"{NS}/pods/p/log?tailLines=-1&sinceSeconds=0", None, {}, 422,
     'PodLogOptions "p" is invalid: [tailLines: Invalid value: -1: must be greater than or equal to 0, sinceSeconds: Invalid value: 0: must be greater than 0]'),
    ("GET", f"{NS}/pods/p/log?limitBytes=x", None, {}, 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "doc", "rest", "code", "said"), ROWS)
def test_a_refusal_says_what_the_real_server_says(
    server: Cluster, method: str, path: str, doc: Any, rest: dict[str, Any], code: int, said: str
) -> None:
    got, answer = server.ask(method, path, doc, **rest)
    assert (got, answer["message"]) == (code, said)


def test_groups_without_a_user_cannot_be_impersonated(server: Cluster) -> None:
    headers = (("impersonate-group", "dev"), ("impersonate-extra-acme.com%2fx", "y"))
    code, text = server.ask("GET", "/api?a=b&c", peer=ADMIN, headers=headers)
    assert code == 500
    assert text == (
        'Internal Server Error: "/api?a=b&amp;c": requested [{Group  dev    } {UserExtra  y  authentication.k8s.io/v1  acme.com/x}] '
        "without impersonating a user\n"
    )


def test_a_managed_fields_entry_that_nobody_understands_is_not_taken(server: Cluster) -> None:
    _, before = server.ask("GET", f"{CM}/a")
    odd = {
        "metadata": {"managedFields": [{"manager": "x", "operation": "Foo", "fieldsType": "FieldsV1", "fieldsV1": {}}]}
    }
    _, after = server.ask("PATCH", f"{CM}/a", odd, media=MERGE)
    assert after["metadata"]["managedFields"] == before["metadata"]["managedFields"]


def test_who_pages_too_slowly_is_given_a_token_to_go_on_with() -> None:
    cluster = Cluster()
    for name in "abc":
        cluster.ask("POST", CM, cm(name=name))
    _, page = cluster.ask("GET", f"{CM}?limit=1")
    cluster.ask("POST", CM, cm(name="d"))
    cluster.run(11 * 60 * 1_000_000_000)  # the compactor's interval is five minutes
    code, answer = cluster.ask("GET", f"{CM}?limit=1&continue={page['metadata']['continue']}")
    assert (code, answer["reason"]) == (410, "Expired")
    code, answer = cluster.ask("GET", f"{CM}?continue={answer['metadata']['continue']}")
    assert code == 200 and [item["metadata"]["name"] for item in answer["items"]] == ["b", "c", "d"]
    assert cluster.ask("GET", f"{CM}?resourceVersion=5&resourceVersionMatch=Exact&limit=1")[1]["message"] == (
        "The resourceVersion for the provided list is too old."
    )


def test_the_kubernetes_service_comes_back(server: Cluster) -> None:
    assert server.ask("DELETE", f"{NS}/services/kubernetes")[0] == 200
    server.ask("DELETE", f"{NS}/endpoints/kubernetes")
    server.run(12 * 1_000_000_000)
    _, service = server.ask("GET", f"{NS}/services/kubernetes")
    _, endpoints = server.ask("GET", f"{NS}/endpoints/kubernetes")
    assert service["spec"]["clusterIP"] == "10.96.0.1" and endpoints["subsets"][0]["addresses"] == [
        {"ip": "172.18.0.2"}
    ]
