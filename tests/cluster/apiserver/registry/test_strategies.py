"""Strategies against recordings of a real server, and the rules for what may change."""

import json
from pathlib import Path

import pytest

from cluster.api import scheme, status
from cluster.apiserver import registry
from cluster.apiserver.registry.pod_diff import spec_diff
from cluster.apiserver.registry.workloads import schedule_error
from cluster.sim import Dice

DATA = Path(__file__).parents[2] / "api" / "data"
S = scheme.builtin()
CTX = registry.Context("2026-01-01T00:00:00Z", dice=Dice.named(1, "registry"), scheme=S)


def prepare(doc, namespace="gold", uid="u-1"):
    group, _, version = doc["apiVersion"].rpartition("/")
    resource = S.kind(group, version, doc["kind"])
    schema = S.schema_of(resource)
    doc = schema.default(schema.decode(doc).doc)
    meta = {**doc["metadata"], "uid": uid, "creationTimestamp": CTX.now}
    if resource.namespaced:
        meta["namespace"] = namespace
    strategy = registry.strategy_for(resource)
    return resource, strategy, strategy.prepare_for_create({**doc, "metadata": meta}, CTX)


def refused(doc):
    resource, strategy, made = prepare(doc)
    errors = strategy.validate(made, CTX)
    return (
        status.invalid(resource.group, resource.kind, made["metadata"].get("name", ""), errors).status
        if errors
        else None
    )


def changed(doc, change, subresource=""):
    """(new document, error texts) of an update that ``change`` makes."""
    resource, strategy, old = prepare(doc)
    strategy = registry.strategy_for(resource, subresource)
    new = strategy.prepare_for_update(change(old), old, CTX)
    return old, new, [e.text() for e in strategy.validate_update(new, old, CTX)]


def pod(**spec):
    spec = {"containers": [{"name": "c", "image": "busybox:1.36"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def deployment(**spec):
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


BAD_POD = {
    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Bad_Name", "labels": {"a b": "c"}},
    "spec": {"restartPolicy": "Sometimes", "containers": [
        {"name": "c", "image": "", "ports": [{"containerPort": 70000}]},
        {"name": "c", "image": "x", "imagePullPolicy": "Perhaps", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
    ]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "doc"),
    [
        ("c37-invalid-pod", BAD_POD),
        ("c38-pod-no-containers", {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}),
        ("c80-deployment-selector-mismatch", deployment(template={"metadata": {"labels": {"a": "c"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}})),
    ],
)  # fmt: skip
def test_refusals_are_the_recorded_ones(name, doc):
    assert refused(doc) == json.loads((DATA / f"{name}.json").read_text())


def test_a_new_pod_is_pending_with_its_qos_class():
    _, _, made = prepare(pod())
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    equal = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1000m", "memory": "1024Mi"}}
    assert (
        prepare(pod(containers=[{"name": "c", "image": "i", "resources": equal}]))[2]["status"]["qosClass"]
        == "Guaranteed"
    )
    some = {"requests": {"cpu": "1"}}
    assert (
        prepare(pod(containers=[{"name": "c", "image": "i", "resources": some}]))[2]["status"]["qosClass"]
        == "Burstable"
    )


def test_a_pods_image_may_change_and_its_command_not():
    def with_container(**changes):
        return lambda old: {**old, "spec": {**old["spec"], "containers": [{**old["spec"]["containers"][0], **changes}]}}

    assert changed(pod(), with_container(image="busybox:1.37"))[2] == []
    (text,) = changed(pod(), with_container(command=["sleep"]))[2]
    assert text.startswith("spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`")
    assert '+\u00a0\t\t\tCommand:    []string{"sleep"},' in text.split("\n")


def test_the_difference_of_two_specs_is_printed_as_recorded():
    spec = json.loads((DATA / "e01-pod-unscheduled-create.json").read_text())["spec"]
    recorded = json.loads((DATA / "e07-pod-spec-change-forbidden.json").read_text())["message"]
    new = {**spec, "containers": [{**spec["containers"][0], "command": ["sleep"]}]}
    wanted = recorded.partition("(allow it to be set to 1 if it was previously negative)\n")[2]
    assert spec_diff(spec, new) == wanted
    fewer = {**spec, "tolerations": spec["tolerations"][:1], "hostNetwork": True}
    lines = spec_diff(spec, fewer).replace("\u00a0", " ").split("\n")
    assert "  \tSecurityContext: &core.PodSecurityContext{" in lines
    assert [line for line in lines if "HostNetwork" in line] == [
        "- \t\tHostNetwork: false,",
        "+ \t\tHostNetwork: true,",
    ]
    assert any(line.startswith('- \t\t{Key: "node.kubernetes.io/unreachable"') for line in lines)


def test_spec_and_status_are_written_apart():
    old, new, errors = changed(pod(), lambda old: {**old, "status": {"phase": "Running"}})
    assert new["status"] == old["status"] and errors == []
    old, new, errors = changed(pod(), lambda old: {**old, "spec": {}, "status": {"phase": "Running"}}, "status")
    assert (
        new["spec"] == old["spec"] and new["status"] == {"phase": "Running", "qosClass": "BestEffort"} and errors == []
    )


def test_graceful_deletion_of_pods():
    _, strategy, made = prepare(pod())
    assert strategy.graceful_delete(made, None) == 0  # not on a node yet
    bound = {**made, "spec": {**made["spec"], "nodeName": "node-1"}}
    assert [strategy.graceful_delete(bound, s) for s in (None, 5, 0)] == [30, 5, 0]
    assert strategy.graceful_delete({**bound, "status": {"phase": "Failed"}}, None) == 0
    assert registry.strategy_for(S.resource("", "v1", "configmaps")).graceful_delete({}, 5) is None


def test_generation_counts_changes_of_the_spec():
    old, new, _ = changed(deployment(), lambda old: {**old, "spec": {**old["spec"], "replicas": 3}})
    assert (old["metadata"]["generation"], new["metadata"]["generation"]) == (1, 2)
    _, new, _ = changed(deployment(), lambda old: {**old, "metadata": {**old["metadata"], "labels": {"x": "y"}}})
    assert new["metadata"]["generation"] == 1


def test_a_deployments_selector_never_changes():
    def change(old):
        return {**old, "spec": {**old["spec"], "selector": {"matchLabels": {"a": "b", "x": "y"}}}}

    assert changed(deployment(), change)[2] == [
        'spec.template.metadata.labels: Invalid value: map[string]string{"a":"b"}: `selector` does not match template `labels`',
        'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"a":"b", "x":"y"}, '
        "MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable",
    ]


def test_a_job_selects_its_pods_by_uid():
    doc = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": {"template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1.36"}]}}}}  # fmt: skip
    _, strategy, made = prepare(doc)
    labels = {"batch.kubernetes.io/controller-uid": "u-1", "batch.kubernetes.io/job-name": "once",
              "controller-uid": "u-1", "job-name": "once"}  # fmt: skip
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    assert made["spec"]["template"]["metadata"]["labels"] == labels == made["metadata"]["labels"]
    assert strategy.validate(made, CTX) == []


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        ("0 3 * * *", ""), ("*/5 0-6/2 1,15 jan-mar mon", ""), ("@hourly", ""), ("@never", "unrecognized descriptor: @never"),
        ("0 3 * *", "expected exactly 5 fields, found 4: [0 3 * *]"), ("60 * * * *", "end of range (60) above maximum (59): 60"),
    ],
)  # fmt: skip
def test_schedules(schedule, why):
    assert schedule_error(schedule) == why


def test_a_frozen_config_map_stays():
    doc = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"n": "4"}, "immutable": True}
    _, _, errors = changed(doc, lambda old: {**old, "data": {"n": "5"}})
    assert errors == ["data: Forbidden: field is immutable when `immutable` is set"]


def test_a_bindings_role_stays():
    doc = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"},
           "roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "jane"}]}  # fmt: skip
    _, _, errors = changed(doc, lambda old: {**old, "roleRef": {**old["roleRef"], "name": "other"}})
    group = "rbac.authorization.k8s.io"
    assert errors == [
        f'roleRef: Invalid value: rbac.RoleRef{{APIGroup:"{group}", Kind:"Role", Name:"other"}}: cannot change roleRef'
    ]


def test_a_namespace_keeps_its_finalizer_until_finalized():
    doc = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}
    old, new, _ = changed(doc, lambda old: {**old, "spec": {}})
    assert new["spec"] == {"finalizers": ["kubernetes"]} and old["status"] == {"phase": "Active"}
    _, new, _ = changed(doc, lambda old: {**old, "spec": {}}, "finalize")
    assert new["spec"] == {}


def test_selectable_fields():
    _, strategy, made = prepare(pod(nodeName="node-1"))
    fields = strategy.selectable_fields(made)
    assert fields["spec.nodeName"] == "node-1" and fields["status.phase"] == "Pending"
    assert set(fields) == set(strategy.field_labels)


def test_every_resource_has_strategies():
    for resource in S.resources():
        assert isinstance(registry.strategy_for(resource), registry.Strategy)
        if resource.subresource("status"):
            found = registry.strategy_for(resource, "status")
            assert found.subresource == "status" and found.namespaced == resource.namespaced, resource.plural
        assert registry.strategy_for(resource).namespaced == resource.namespaced, resource.plural


def test_a_certificate_request_is_approved_through_its_subresource_only():
    request = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K"
    doc = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "jane"},
           "spec": {"request": request, "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}}  # fmt: skip
    assert refused(doc) is None
    approved = {"conditions": [{"type": "Approved", "status": "True"}]}
    assert changed(doc, lambda old: {**old, "status": approved})[1]["status"] == {}
    _, new, errors = changed(doc, lambda old: {**old, "spec": {}, "status": approved}, "approval")
    assert errors == [] and new["spec"]["request"] == request
    assert new["status"]["conditions"][0]["lastUpdateTime"] == CTX.now
    both = {"conditions": [{"type": t, "status": "True"} for t in ("Approved", "Denied")]}
    assert changed(doc, lambda old: {**old, "status": both}, "approval")[2][0].endswith("mutually exclusive")


@pytest.mark.parametrize(("api_version", "kind", "kept"), [("batch/v1", "Job", True), ("apps/v1", "Deployment", True),
                         ("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", False)])  # fmt: skip
def test_annotations_written_with_a_status(api_version, kind, kept):
    group, _, version = api_version.rpartition("/")
    strategy = registry.strategy_for(S.kind(group, version, kind), "status")
    old = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, "spec": {}}
    new = {**old, "metadata": {"name": "x", "annotations": {"a": "b"}}, "spec": {"x": 1}, "status": {"conditions": []}}
    made = strategy.prepare_for_update(new, old, CTX)
    assert ("annotations" in made["metadata"]) == kept and made["spec"] == {} and made["status"] == {"conditions": []}


def test_a_job_can_be_written_back_as_it_was_read():
    container = {"name": "c", "image": "busybox"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    doc = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": {"template": template}}
    resource, strategy, old = prepare(doc)
    again = S.schema_of(resource).decode(old).doc
    assert strategy.validate_update(strategy.prepare_for_update(again, old, CTX), old, CTX) == []


def test_sysctl_names():
    names = ("foo-", "kernel.shmmax", "bar..", "net/core/somaxconn", "kernel.shmmax")
    context = {"sysctls": [{"name": name, "value": "1"} for name in names]}
    spec = {"containers": [{"name": "c", "image": "nginx"}], "securityContext": context}
    said = refused({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec})
    where = "spec.securityContext.sysctls"
    assert [(c["field"], c["reason"]) for c in said["details"]["causes"]] == [
        (f"{where}[0].name", "FieldValueInvalid"),
        (f"{where}[2].name", "FieldValueInvalid"),
        (f"{where}[4].name", "FieldValueDuplicate"),
    ]


def test_a_service_becomes_an_external_name():
    doc = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}]}}
    _resource, strategy, old = prepare(doc)
    held = {
        "clusterIP": "10.96.0.9",
        "clusterIPs": ["10.96.0.9"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
    }
    old = {**old, "spec": {**old["spec"], **held}}
    new = {**old, "spec": {**old["spec"], "type": "ExternalName", "externalName": "example.com"}}
    new = strategy.prepare_for_update(new, old, CTX)
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & set(new["spec"])
    assert strategy.validate_update(new, old, CTX) == []
