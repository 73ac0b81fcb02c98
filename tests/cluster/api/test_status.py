"""Status documents: shape, order of keys, words."""

import json
import pickle

from cluster.api import field, status


def test_not_found_as_recorded():
    error = status.not_found("configmaps", "none")
    assert json.dumps(error.status) == json.dumps(
        {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": 'configmaps "none" not found', "reason": "NotFound",
            "details": {"name": "none", "kind": "configmaps"}, "code": 404,
        }
    )  # fmt: skip
    assert status.not_found("deployments.apps", "web").status["details"] == {
        "name": "web",
        "group": "apps",
        "kind": "deployments",
    }


def test_invalid_says_one_error_bare_and_more_in_brackets():
    one = field.required("metadata.name", "name or generateName is required")
    two = field.invalid("spec.replicas", -1, "must be greater than or equal to 0")
    assert status.invalid("", "ConfigMap", "", [one]).message == (
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    )
    error = status.invalid("apps", "Deployment", "d", [one, two])
    assert error.message == (
        'Deployment.apps "d" is invalid: [metadata.name: Required value: name or generateName is required, spec.replicas: '
        "Invalid value: -1: must be greater than or equal to 0]"
    )
    assert error.status["details"]["causes"][1] == {
        "reason": "FieldValueInvalid", "message": "Invalid value: -1: must be greater than or equal to 0", "field": "spec.replicas",
    }  # fmt: skip
    bare = status.invalid("authorization.k8s.io", "", "", [two])
    assert bare.message.startswith('.authorization.k8s.io "" is invalid: ') and "kind" not in bare.status["details"]


def test_values_are_printed_as_go_prints_them():
    assert field.go_value({"b": "2", "a": "1"}) == 'map[string]string{"a":"1", "b":"2"}'
    assert field.go_value(["a", 'b"']) == '[]string{"a", "b\\""}'
    assert [field.go_value(v) for v in (True, 3, "x\n", None)] == ["true", "3", '"x\\n"', '"null"']
    shown = field.not_supported("p", "x", ("b", "a")).message
    assert shown == 'Unsupported value: "x": supported values: "b", "a"'


def test_errors_without_a_reason_and_with_a_retry():
    assert "reason" not in status.plain_error(500, "boom").status
    error = status.resource_version_too_large(99999999, 12)
    assert (error.code, error.retry_after) == (504, 1)
    assert error.message == "Timeout: Too large resource version: 99999999, current: 12"
    assert status.too_many_requests("no", causes=[("DisruptionBudget", "x")]).status["details"] == {
        "causes": [{"reason": "DisruptionBudget", "message": "x"}]
    }


def test_an_error_survives_pickling():
    error = pickle.loads(pickle.dumps(status.page_not_found()))
    assert error.plain == "404 page not found\n" and error.code == 404
