"""Decoding and defaulting: documents become what Go's types would have made of them."""

import json
from pathlib import Path

import pytest

from cluster.api import codec, scheme, status
from cluster.api.schema import DecodeError

DATA = Path(__file__).parent / "data"
S = scheme.builtin()
CONFIG_MAP = ("", "v1", "ConfigMap")


def decode(kind, doc, group="", version="v1"):
    return S.schema(group, version, kind).decode(doc)


@pytest.mark.parametrize(
    ("kind", "doc", "text"),
    [
        ("ConfigMap", {"data": {"a": 1}}, "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        ("Pod", {"spec": {"containers": "x"}},
         "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container"),
        ("Pod", {"spec": {"containers": [{"env": [{"name": "a", "value": 1}]}]}},
         "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string"),
        ("Secret", {"data": {"a": "***"}}, "illegal base64 data at input byte 0"),
        ("Pod", {"spec": {"containers": [{"resources": {"limits": {"cpu": "one"}}}]}},
         "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ("Pod", {"metadata": {"creationTimestamp": "2020-13"}},
         'parsing time "2020-13" as "2006-01-02T15:04:05Z07:00": cannot parse "13" as "01"'),
    ],
)  # fmt: skip
def test_wrong_types_are_refused_in_gos_words(kind, doc, text):
    with pytest.raises(DecodeError) as error:
        decode(kind, doc)
    assert str(error.value) == text


def test_unknown_fields_are_named_in_order_and_pruned():
    decoded = decode("Pod", {"spec": {"containers": [{"name": "c", "ima": 1}]}, "foo": 2})
    assert decoded.problems == ('unknown field "spec.containers[0].ima"', 'unknown field "foo"')
    assert decoded.doc["spec"]["containers"] == [{"name": "c", "resources": {}}]


def test_zero_values_are_dropped_and_value_structs_shown():
    doc = decode(
        "Pod", {"metadata": {"labels": {}}, "spec": {"hostNetwork": False, "nodeName": "", "containers": []}}
    ).doc
    assert doc == {"metadata": {"creationTimestamp": None}, "spec": {"containers": []}, "status": {}}
    claim = decode("PersistentVolumeClaim", {"spec": {"storageClassName": ""}}).doc
    assert claim["spec"] == {"resources": {}, "storageClassName": ""}
    deployment = decode("Deployment", {"spec": {"replicas": 0, "paused": False}}, "apps").doc
    assert deployment["spec"]["replicas"] == 0 and "paused" not in deployment["spec"]


def test_quantities_and_times_become_canonical():
    doc = decode("Node", {"status": {"capacity": {"cpu": 2, "memory": "1024Mi"}}}).doc
    assert doc["status"]["capacity"] == {"cpu": "2", "memory": "1Gi"}
    lease = decode("Lease", {"spec": {"renewTime": "2026-01-01T01:00:00.5+01:00"}}, "coordination.k8s.io").doc
    assert lease["spec"]["renewTime"] == "2026-01-01T00:00:00.500000Z"


def test_decoding_changes_nothing_in_place():
    doc = {"kind": "Pod", "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1000m"}}}]}}
    before = json.dumps(doc)
    S.schema("", "v1", "Pod").default(decode("Pod", doc).doc)
    assert json.dumps(doc) == before


def test_a_pod_gets_the_real_defaults_in_the_real_order():
    real = json.loads((DATA / "e01-pod-unscheduled-create.json").read_text())
    doc = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "manual"},
           "spec": {"schedulerName": "none", "containers": [{"name": "c", "image": "busybox:1.36"}]}}  # fmt: skip
    schema = S.schema("", "v1", "Pod")
    mine = schema.default(schema.decode(doc).doc)
    admitted = ("volumes", "serviceAccountName", "serviceAccount", "tolerations", "priority", "preemptionPolicy")
    spec = {k: v for k, v in real["spec"].items() if k not in admitted}
    spec["containers"] = [{k: v for k, v in spec["containers"][0].items() if k != "volumeMounts"}]
    assert json.dumps(mine["spec"]) == json.dumps(spec)
    # what admission added stands where the schema would put it
    assert json.dumps(schema.decode(real).doc) == json.dumps(real)


def test_a_deployment_template_gets_pod_defaults_but_no_service_links():
    doc = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
           "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:latest"}]}}}}  # fmt: skip
    schema = S.schema("apps", "v1", "Deployment")
    spec = schema.default(schema.decode(doc).doc)["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert spec["template"]["metadata"] == {"creationTimestamp": None}
    assert spec["template"]["spec"]["containers"][0]["imagePullPolicy"] == "Always"
    assert "enableServiceLinks" not in spec["template"]["spec"]


def test_string_data_becomes_data():
    schema = S.schema("", "v1", "Secret")
    doc = schema.default(schema.decode({"stringData": {"user": "admin"}}).doc)
    assert doc["data"] == {"user": "YWRtaW4="} and doc["type"] == "Opaque" and "stringData" not in doc


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"apiVersion": "v1", "kind": ', "the object provided is unrecognized (must be of type ConfigMap): couldn't get "
         'version/kind; json parse error: unexpected end of JSON input ({"apiVersion": "v1", "kind": )'),
        (b"", "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error: "
         "unexpected end of JSON input (<empty>)"),
        (b'{"apiVersion":"v1","kind":"Secret"}', 'Secret in version "v1" cannot be handled as a ConfigMap: converting '
         "(v1.Secret) to (core.ConfigMap): unknown conversion"),
        (b'{"apiVersion":"v1","kind":"Gizmo"}', 'Gizmo in version "v1" cannot be handled as a ConfigMap: no kind "Gizmo" is '
         'registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"'),
        (b'{"data":{"a":1}}', 'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number '
         "into Go struct field ConfigMap.data of type string"),
        (b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","foo":1},"dataa":{}}',
         'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "metadata.foo", '
         'unknown field "dataa"'),
        (b'{"metadata":{"name":"x","name":"y"}}', 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict '
         'decoding error: duplicate field "metadata.name"'),
    ],
)  # fmt: skip
def test_bodies_are_refused_in_the_real_words(body, text):
    with pytest.raises(status.ApiError) as error:
        codec.decode_body(body, "application/json", S, CONFIG_MAP, "Strict")
    assert error.value.message == text and error.value.code == 400


def test_a_body_without_kind_is_taken_as_the_expected_one():
    body = codec.decode_body(b"metadata: {name: y}\ndata: {k: v}\n", "application/yaml", S, CONFIG_MAP)
    assert list(body.doc) == ["kind", "apiVersion", "metadata", "data"]
    warned = codec.decode_body(b'{"dataa":{}}', "application/json", S, CONFIG_MAP)
    assert warned.warnings == ('unknown field "dataa"',)


def test_encoding_escapes_as_go_does():
    assert codec.encode({"a": "<&>"}) == b'{"a":"\\u003c\\u0026\\u003e"}\n'
