"""managedFields, as a real server keeps them."""

import json
from pathlib import Path

import pytest

from cluster.api import fieldmanager, fieldset, scheme, status

DATA = Path(__file__).parent / "data"
S = scheme.builtin()
CM = S.schema("", "v1", "ConfigMap")
POD = S.schema("", "v1", "Pod")


def config(data, **meta):
    doc = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied", **meta}, "data": data}
    return CM.decode(doc).doc


def apply(live, data, manager, force=False):
    return fieldmanager.applied(
        CM, live, config(data), manager=manager, api_version="v1", now="2026-01-01T00:00:00Z", force=force
    )


def owned(doc):
    return {e["manager"]: e["fieldsV1"] for e in doc["metadata"]["managedFields"]}


def test_a_created_pod_is_owned_as_by_the_real_server():
    real = json.loads((DATA / "e01-pod-unscheduled-create.json").read_text())
    doc = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "manual", "namespace": "default"},
           "spec": {"schedulerName": "none", "containers": [{"name": "c", "image": "busybox:1.36"}]}}  # fmt: skip
    doc = POD.default(POD.decode(doc).doc)
    made = fieldmanager.updated(
        POD, None, doc, manager="curl", api_version="v1", now="2026-01-01T00:00:00Z", reset=(("status",),)
    )
    (entry,) = made["metadata"]["managedFields"]
    (wanted,) = real["metadata"]["managedFields"]
    assert entry["fieldsV1"] == wanted["fieldsV1"]
    assert list(entry) == list(wanted)


def test_a_created_namespace_owns_its_defaulted_label():
    real = json.loads((DATA / "c01-ns-create.json").read_text())
    schema = S.schema("", "v1", "Namespace")
    doc = schema.default(schema.decode({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gold"}}).doc)
    made = fieldmanager.updated(
        schema, None, doc, manager="curl", api_version="v1", now="2026-01-01T00:00:00Z", reset=(("status",),)
    )
    assert made["metadata"]["managedFields"][0]["fieldsV1"] == real["metadata"]["managedFields"][0]["fieldsV1"]


def test_an_update_takes_what_it_changes_and_loses_what_it_removes():
    first = fieldmanager.updated(CM, None, config({"a": "1", "b": "2"}), manager="x", api_version="v1", now="T1")
    changed = {**first, "data": {"a": "1", "b": "3", "c": "4"}}
    second = fieldmanager.updated(CM, first, changed, manager="y", api_version="v1", now="T2")
    assert owned(second) == {"x": {"f:data": {".": {}, "f:a": {}}}, "y": {"f:data": {"f:b": {}, "f:c": {}}}}
    third = fieldmanager.updated(CM, second, {**second, "data": {"b": "3"}}, manager="y", api_version="v1", now="T3")
    assert owned(third) == {"x": {"f:data": {}}, "y": {"f:data": {"f:b": {}}}}
    same = fieldmanager.updated(CM, third, {**third}, manager="z", api_version="v1", now="T4")
    assert same == third


def test_status_and_spec_have_their_own_writers():
    doc = POD.default(POD.decode({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}).doc)
    live = fieldmanager.updated(POD, None, doc, manager="k", api_version="v1", now="T1", reset=(("status",),))
    new = {**live, "status": {"conditions": [{"type": "Ready", "status": "True", "lastProbeTime": None}]}}
    new = fieldmanager.updated(
        POD, live, new, manager="kubelet", api_version="v1", now="T2", subresource="status", reset=(("spec",),)
    )
    entry = next(e for e in new["metadata"]["managedFields"] if e["manager"] == "kubelet")
    assert entry["subresource"] == "status"
    item = {".": {}, "f:lastProbeTime": {}, "f:status": {}, "f:type": {}}
    assert entry["fieldsV1"] == {"f:status": {"f:conditions": {".": {}, 'k:{"type":"Ready"}': item}}}


def test_server_side_apply_as_recorded():
    made = apply(None, {"x": "1", "y": "2"}, "one")
    assert owned(made) == {"one": {"f:data": {"f:x": {}, "f:y": {}}}}
    with pytest.raises(status.ApiError) as error:
        apply(made, {"x": "2"}, "two")
    assert error.value.message == 'Apply failed with 1 conflict: conflict with "one": .data.x'
    assert error.value.status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.x"}
    ]
    forced = apply(made, {"x": "2"}, "two", force=True)
    assert forced["data"] == {"x": "2", "y": "2"}
    assert owned(forced) == {"one": {"f:data": {"f:y": {}}}, "two": {"f:data": {"f:x": {}}}}
    dropped = apply(forced, {"x": "2"}, "one", force=True)
    assert dropped["data"] == {"x": "2"}
    assert owned(dropped) == {"one": {"f:data": {"f:x": {}}}, "two": {"f:data": {"f:x": {}}}}


def test_two_conflicts_are_listed_by_manager():
    made = apply(None, {"x": "1", "y": "2"}, "kubectl")
    with pytest.raises(status.ApiError) as error:
        apply(made, {"x": "3", "y": "3"}, "other")
    assert error.value.message == 'Apply failed with 2 conflicts: conflicts with "kubectl":\n- .data.x\n- .data.y'


def test_applying_the_same_again_changes_nothing():
    made = apply(None, {"x": "1"}, "one")
    made = {**made, "metadata": {**made["metadata"], "creationTimestamp": "2026-01-01T00:00:00Z"}}
    again = fieldmanager.applied(
        CM, made, config({"x": "1"}), manager="one", api_version="v1", now="2026-01-02T00:00:00Z"
    )
    assert again == made


def test_containers_merge_by_name():
    def pod(**container):
        doc = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", **container}]},
        }
        return POD.decode(doc).doc

    live = fieldmanager.applied(POD, None, pod(image="a"), manager="one", api_version="v1", now="2026-01-01T00:00:00Z")
    both = fieldmanager.applied(
        POD, live, pod(workingDir="/x"), manager="two", api_version="v1", now="2026-01-01T00:00:00Z"
    )
    assert both["spec"]["containers"] == [{"name": "c", "image": "a", "workingDir": "/x", "resources": {}}]
    assert fieldset.paths(owned(both)["two"]) == [
        '.spec.containers[name="c"]', '.spec.containers[name="c"].name', '.spec.containers[name="c"].workingDir',
    ]  # fmt: skip
    gone = fieldmanager.applied(POD, both, pod(), manager="two", api_version="v1", now="2026-01-01T00:00:00Z")
    assert "workingDir" not in gone["spec"]["containers"][0] and gone["spec"]["containers"][0]["image"] == "a"


def test_at_most_ten_updaters():
    doc = config({})
    for i in range(14):
        new = {**doc, "data": {**doc.get("data", {}), f"k{i}": "v"}}
        doc = fieldmanager.updated(CM, doc if i else None, new, manager=f"m{i:02}", api_version="v1", now=f"T{i:02}")
    entries = doc["metadata"]["managedFields"]
    assert len(entries) == 10 and entries[0]["manager"] == "ancient-changes"
    assert {p for e in entries for p in fieldset.paths(e["fieldsV1"])} >= {f".data.k{i}" for i in range(14)}


def test_manager_names():
    assert fieldmanager.manager_name("", "curl/8.5.0") == "curl"
    assert fieldmanager.manager_name("mine", "curl/8.5.0") == "mine"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"containers": [{"name": "c", "imag": "nginx"}], "nodeNam": "x"},
         'errors:\n  .spec.containers[name="c"].imag: field not declared in schema\n  .spec.nodeNam: field not declared in schema'),
        ({"containers": [{"name": "c", "env": [{"name": "A", "value": 1}]}]},
         '.spec.containers[name="c"].env[name="A"].value: expected string, got &value.valueUnstructured{Value:1}'),
        ({"containers": [{"name": "c", "env": [{"name": "A", "value": True}]}]},
         '.spec.containers[name="c"].env[name="A"].value: expected string, got &value.valueUnstructured{Value:true}'),
        ({"hostNetwork": "yes"}, ".spec.hostNetwork: expected boolean, got &{yes}"),
        ({"terminationGracePeriodSeconds": "30"}, ".spec.terminationGracePeriodSeconds: expected numeric (int or float), got string"),
        ({"containers": {"name": "c"}}, ".spec.containers: expected list, got &{map[name:c]}"),
        ({"securityContext": [1, None]}, ".spec.securityContext: expected map, got &{[1 <nil>]}"),
        ({"containers": [{"image": "a"}]},
         '.spec.containers: element 0: associative list with keys has an element that omits key field "name" (and doesn\'t have default value)'),
        ({"containers": [{"name": "a"}, {"name": "a"}]}, '.spec.containers: duplicate entries for key [name="a"]'),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_kind_cannot_be_applied(spec, said):
    error = fieldmanager.misfit(POD, {"kind": "Pod", "apiVersion": "v1", "spec": spec}, ("default", "web"))
    assert error.code == 500
    assert error.message == f"failed to create typed patch object (default/web; /v1, Kind=Pod): {said}"


def test_what_fits_can_be_applied():
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [
        {"name": "c", "resources": {"limits": {"cpu": 1}}, "ports": [{"containerPort": 80}], "livenessProbe": {"httpGet": {"port": "web"}}}]}}  # fmt: skip
    assert fieldmanager.misfit(POD, pod, ("default", "web")) is None
