"""ValidatingAdmissionPolicies, webhooks nobody answers for, and rules of custom resources, through a running server."""

from typing import Any

import pytest
from server_world import Cluster

REGISTRATION = "/apis/admissionregistration.k8s.io/v1"
MERGE = "application/merge-patch+json"
MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def put(cluster: Cluster) -> Any:
    """Creates configurations, and takes them away afterwards."""
    made: list[str] = []

    def create(plural: str, doc: dict[str, Any]) -> None:
        code, answer = cluster.ask("POST", f"{REGISTRATION}/{plural}", doc)
        assert code == 201, answer
        made.append(f"{REGISTRATION}/{plural}/{doc['metadata']['name']}")

    yield create
    for path in made:
        assert cluster.ask("DELETE", path)[0] == 200


RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}


def policy(*validations: dict[str, Any], name: str = "p", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"matchConstraints": {"resourceRules": [RULE]}, "validations": list(validations), **spec},
    }


def binding(*actions: str, name: str = "b", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"policyName": "p", "validationActions": list(actions), **spec}}


def stages(cluster: Cluster) -> dict[str, str]:
    """What was said at the admission stages of the last request."""
    found = [s for s in cluster.notes.stages if s.request == cluster.last]
    return {s.name: s.reason for s in found if "Webhook" in s.name or "Policy" in s.name}


def write(cluster: Cluster, name: str, **data: str) -> tuple[int, Any]:
    return cluster.ask("POST", MAPS, {"metadata": {"name": name}, "data": data})


SMALL = {"expression": "size(object.data) <= 1"}


def test_a_bound_policy_denies_in_the_real_words(cluster: Cluster, put: Any) -> None:
    put("validatingadmissionpolicies", policy(SMALL))
    assert write(cluster, "free", a="1", b="2")[0] == 201, "without a binding nothing happens"
    assert stages(cluster) == {}
    put("validatingadmissionpolicybindings", binding("Deny"))
    code, answer = write(cluster, "large", a="1", b="2")
    said = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: size(object.data) <= 1"
    assert (code, answer["reason"], answer["message"]) == (422, "Invalid", f'configmaps "large" is forbidden: {said}')
    assert answer["details"] == {"name": "large", "kind": "configmaps", "causes": [{"message": said}]}
    detail = next(s.detail for s in cluster.notes.stages if s.request == cluster.last and "Policy" in s.name)
    row = {"policy": "p", "binding": "b", "expression": "size(object.data) <= 1", "value": "false"}
    assert detail == {"validations": [row]}
    assert write(cluster, "small", a="1")[0] == 201
    assert stages(cluster) == {"validating-admission/ValidatingAdmissionPolicy": "Every validation of p is true"}
    assert cluster.ask("PATCH", f"{MAPS}/small", {"data": {"b": "2"}}, media=MERGE)[0] == 422
    assert cluster.ask("DELETE", f"{MAPS}/small")[0] == 200, "the rule names no DELETE"
    assert cluster.ask("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})[0] == 201


@pytest.mark.parametrize(
    ("validation", "code", "words"),
    [
        ({**SMALL, "message": "too much", "reason": "Forbidden"}, 403, "too much"),
        ({**SMALL, "messageExpression": "'has ' + string(size(object.data))", "message": "no"}, 422, "has 2"),
        ({**SMALL, "messageExpression": "string(object.none)", "message": "fallback"}, 422, "fallback"),
        (
            {"expression": "object.data.zz == 'a'"},
            422,
            "expression 'object.data.zz == 'a'' resulted in error: no such key: zz",
        ),
        (
            {"expression": "variables.many < 2", "reason": "RequestEntityTooLarge"},
            413,
            "failed expression: variables.many < 2",
        ),
        ({"expression": "request.operation == 'UPDATE' && request.userInfo.username == 'x'"}, 422, "failed expression"),
        ({"expression": "authorizer.group('').resource('nodes').check('no-such-verb').allowed() == true"}, 201, ""),
        ({"expression": "namespaceObject.metadata.name == 'default' && oldObject == null"}, 201, ""),
    ],
)
def test_what_a_validation_may_say(cluster: Cluster, put: Any, validation: Any, code: int, words: str) -> None:
    variables = [{"name": "many", "expression": "size(object.data)"}, {"name": "broken", "expression": "object.none"}]
    put("validatingadmissionpolicies", policy(validation, variables=variables))
    put("validatingadmissionpolicybindings", binding("Deny"))
    done, answer = write(cluster, "x", a="1", b="2")
    assert done == code and (not words or answer["message"].startswith(f'configmaps "x" is forbidden: ValidatingAdmissionPolicy \'p\' with binding \'b\' denied request: {words}'))  # fmt: skip
    if done == 201:
        cluster.ask("DELETE", f"{MAPS}/x")


def test_warnings_conditions_selectors_and_ignored_failures(cluster: Cluster, put: Any) -> None:
    conditions = [{"name": "not-free", "expression": "object.metadata.name != 'free2'"}]
    put("validatingadmissionpolicies", policy(SMALL, matchConditions=conditions))
    where = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}
    put("validatingadmissionpolicybindings", binding("Warn", "Audit", matchResources=where))
    assert write(cluster, "warned", a="1", b="2")[0] == 201
    warning = [value for name, value in cluster.answers[cluster.last].headers if name == "warning"]
    assert warning == [
        "299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed expression: size(object.data) <= 1\""
    ]
    assert write(cluster, "free2", a="1", b="2")[0] == 201
    assert not [1 for name, _ in cluster.answers[cluster.last].headers if name == "warning"]
    put("validatingadmissionpolicies", policy({"expression": "object.none"}, name="q", failurePolicy="Ignore"))
    put("validatingadmissionpolicybindings", binding("Deny", name="q", policyName="q"))
    assert write(cluster, "ignored", a="1")[0] == 201


def test_parameters(cluster: Cluster, put: Any) -> None:
    limit = {"expression": "size(object.data) <= int(params.data.most)"}
    put("validatingadmissionpolicies", policy(limit, paramKind={"apiVersion": "v1", "kind": "ConfigMap"}))
    ref = {"name": "limits", "parameterNotFoundAction": "Deny"}
    put("validatingadmissionpolicybindings", binding("Deny", paramRef=ref))
    code, answer = write(cluster, "none", a="1")
    assert code == 422 and answer["message"].endswith(
        "denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"
    )
    cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "there"}})
    here = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/b"
    spec = {"paramRef": {"namespace": "there", **ref}}
    assert (
        cluster.ask(
            "POST", "/api/v1/namespaces/there/configmaps", {"metadata": {"name": "limits"}, "data": {"most": "2"}}
        )[0]
        == 422
    )
    assert cluster.ask("PATCH", here, {"spec": {"matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, **spec}}, media=MERGE)[0] == 200  # fmt: skip
    made = cluster.ask(
        "POST", "/api/v1/namespaces/there/configmaps", {"metadata": {"name": "limits"}, "data": {"most": "2"}}
    )
    assert made[0] == 201
    assert write(cluster, "two", a="1", b="2")[0] == 201 and write(cluster, "three", a="1", b="2", c="3")[0] == 422


@pytest.mark.parametrize(
    ("plural", "doc", "words"),
    [
        ("validatingadmissionpolicies", policy({"expression": "foo"}),
         "spec.validations[0].expression: Invalid value: \"foo\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'foo'"),
        ("validatingadmissionpolicies", policy(SMALL, variables=[{"name": "if", "expression": "1"}]), "name is not a valid CEL identifier"),
        ("validatingadmissionpolicies", policy(), "validations or auditAnnotations must contain at least one item"),
        ("validatingadmissionpolicybindings", binding("Deny", "Warn"), "must not contain both Deny and Warn"),
        ("validatingadmissionpolicybindings", binding(), "at least one validation action is required"),
        ("validatingwebhookconfigurations", {"metadata": {"name": "w"}, "webhooks": [{"name": "short", "clientConfig": {}}]},
         "should be a domain with at least three segments separated by dots"),
        ("mutatingwebhookconfigurations", {"metadata": {"name": "w"}, "webhooks": [
            {"name": "a.b.c", "clientConfig": {"url": "http://x"}, "sideEffects": "None", "admissionReviewVersions": ["v1"]}]},
         "'https' is the only allowed URL scheme; desired format: https://host[/path]"),
    ],
)  # fmt: skip
def test_what_may_not_be_written(cluster: Cluster, plural: str, doc: Any, words: str) -> None:
    code, answer = cluster.ask("POST", f"{REGISTRATION}/{plural}", doc)
    assert code == 422 and words in answer["message"]


def hook(name: str = "w.example.com", **parts: Any) -> dict[str, Any]:
    service = {"namespace": "default", "name": "hooks", "path": "/check"}
    one = {
        "name": name, "rules": [RULE], "clientConfig": {"service": service}, "sideEffects": "None",
        "admissionReviewVersions": ["v1"], **parts,
    }  # fmt: skip
    return {"metadata": {"name": "hooks"}, "webhooks": [one]}


@pytest.mark.parametrize("plural", ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"])
def test_a_webhook_that_nobody_answers_blocks_or_is_ignored(cluster: Cluster, put: Any, plural: str) -> None:
    put(plural, hook())
    code, answer = write(cluster, "blocked", a="1")
    assert (code, answer["reason"]) == (500, "InternalError")
    assert answer["message"] == (
        'Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: '
        'Post "https://hooks.default.svc:443/check?timeout=10s": service "hooks" not found'
    )
    services = "/api/v1/namespaces/default/services"
    _, service = cluster.ask("POST", services, {"metadata": {"name": "hooks"}, "spec": {"ports": [{"port": 443}]}})
    code, answer = write(cluster, "blocked", a="1")
    assert answer["message"].endswith(f"dial tcp {service['spec']['clusterIP']}:443: connect: connection refused")
    cluster.ask("DELETE", f"{services}/hooks")
    assert cluster.ask("POST", MAPS + "?dryRun=All", {"metadata": {"name": "dry"}})[0] == 500
    path = f"{REGISTRATION}/{plural}/hooks"
    _, doc = cluster.ask("GET", path)
    doc["webhooks"][0]["failurePolicy"] = "Ignore"
    assert cluster.ask("PUT", path, doc)[0] == 200, "configurations themselves are never asked about"
    assert write(cluster, f"open-{plural}", a="1")[0] == 201
    assert "did not answer and is ignored" in next(iter(stages(cluster).values()))


def definition(props: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"spec": {"type": "object", **props}}}
    return {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            "conversion": {"strategy": "None"},
        },
    }  # fmt: skip


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RULES = {
    "properties": {"replicas": {"type": "integer"}, "max": {"type": "integer"}, "host-name": {"type": "string"}},
    "required": ["replicas"],
    "x-kubernetes-validations": [
        {
            "rule": "self.replicas <= self.max",
            "messageExpression": "'at most ' + string(self.max)",
            "fieldPath": ".replicas",
        },
        {
            "rule": "self.host__dash__name == oldSelf.host__dash__name",
            "message": "host-name is immutable",
            "reason": "FieldValueForbidden",
        },
    ],
}


def test_rules_of_a_custom_resource(cluster: Cluster) -> None:
    code, answer = cluster.ask("POST", CRDS, definition({"x-kubernetes-validations": [{"rule": "this.x"}]}))
    assert code == 422 and "undeclared reference to 'this'" in answer["message"]
    assert 'Invalid value: apiextensions.ValidationRule{Rule:"this.x"' in answer["message"]
    assert cluster.ask("POST", CRDS, definition(RULES))[0] == 201
    cluster.world.run_until(cluster.world.now + 2_000_000_000)
    widgets = "/apis/example.com/v1/namespaces/default/widgets"

    def widget(**spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "example.com/v1",
            "kind": "Widget",
            "metadata": {"name": "w"},
            "spec": {"max": 3, "host-name": "a", **spec},
        }

    code, answer = cluster.ask("POST", widgets, widget(replicas=4))
    assert (code, answer["message"]) == (
        422, 'Widget.example.com "w" is invalid: spec.replicas: Invalid value: "object": at most 3'
    )  # fmt: skip
    code, answer = cluster.ask("POST", widgets, widget())
    assert (
        'spec.replicas: Required value, <nil>: Invalid value: "null": some validation rules were not checked'
        in answer["message"]
    )
    assert cluster.ask("POST", widgets, widget(replicas=2))[0] == 201
    code, answer = cluster.ask("PATCH", f"{widgets}/w", {"spec": {"host-name": "b"}}, media=MERGE)
    assert code == 422 and answer["message"].endswith("spec: Forbidden: host-name is immutable")


def test_connecting_and_scaling_are_asked_about_by_their_own_objects(cluster: Cluster, put: Any) -> None:
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"], "resources": ["pods/exec"]},
        {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments/scale"]},
    ]
    only = [
        {"expression": "object.kind != 'PodExecOptions' || object.command[0] != 'sh'", "message": "no shells"},
        {"expression": "object.kind != 'Scale' || object.spec.replicas < 5 || request.kind.group != 'autoscaling'"},
    ]
    put("validatingadmissionpolicies", policy(*only, matchConstraints={"resourceRules": rules}))
    put("validatingadmissionpolicybindings", binding("Deny"))
    code, answer = cluster.ask("POST", "/api/v1/namespaces/default/pods/web/exec?command=sh&command=-c&stdout=true")
    assert code == 422 and answer["message"].endswith("denied request: no shells")
    assert cluster.ask("POST", "/api/v1/namespaces/default/pods/web/exec?command=ls")[0] == 404, "there is no such Pod"
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    doc = {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    path = "/apis/apps/v1/namespaces/default/deployments"
    assert cluster.ask("POST", path, doc)[0] == 201
    assert cluster.ask("PATCH", f"{path}/web/scale", {"spec": {"replicas": 3}}, media=MERGE)[0] == 200
    code, answer = cluster.ask("PATCH", f"{path}/web/scale", {"spec": {"replicas": 7}}, media=MERGE)
    assert code == 422 and "failed expression: object.kind != 'Scale'" in answer["message"]
    assert cluster.ask("PATCH", f"{path}/web", {"spec": {"replicas": 7}}, media=MERGE)[0] == 200
