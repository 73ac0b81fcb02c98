"""The scheme against the discovery documents of a real Kubernetes 1.32."""

import json
from pathlib import Path

import pytest

from cluster.api import scheme

DATA = Path(__file__).parent / "data"
DISCOVERY = [
    ("b09-api-v1", "", "v1"),
    ("b11-apis-apps-v1", "apps", "v1"),
    ("b12-apis-batch-v1", "batch", "v1"),
    ("b13-apis-rbac-v1", "rbac.authorization.k8s.io", "v1"),
]


def discovered(group: str, version: str) -> list[dict]:
    rows = []
    for r in scheme.builtin().resources():
        if (r.group, r.version) != (group, version):
            continue
        row = {
            "name": r.plural,
            "singularName": r.singular,
            "namespaced": r.namespaced,
            "kind": r.kind,
            "verbs": list(r.verbs),
        }
        if r.short_names:
            row["shortNames"] = list(r.short_names)
        if r.categories:
            row["categories"] = list(r.categories)
        if r.storage_version_hash:
            row["storageVersionHash"] = r.storage_version_hash
        rows.append(row)
        for s in r.subresources:
            sub = {"name": f"{r.plural}/{s.name}", "singularName": "", "namespaced": s.namespaced}
            if s.group:
                sub |= {"group": s.group, "version": s.version}
            rows.append(sub | {"kind": s.kind, "verbs": list(s.verbs)})
    return rows


@pytest.mark.parametrize(("name", "group", "version"), DISCOVERY)
def test_resources_are_those_of_a_real_server(name, group, version):
    real = json.loads((DATA / f"{name}.json").read_text())["resources"]
    assert discovered(group, version) == real


def test_keys_are_the_real_ones():
    s = scheme.builtin()
    assert s.resource("", "v1", "nodes").key("", "n") == "/registry/minions/n"
    assert s.resource("", "v1", "services").key("default", "web") == "/registry/services/specs/default/web"
    assert s.resource("networking.k8s.io", "v1", "ingresses").key("a", "") == "/registry/ingress/a/"
    assert not s.resource("authorization.k8s.io", "v1", "subjectaccessreviews").stored


def test_every_kind_has_a_schema_and_decodes_its_own_zero():
    s = scheme.builtin()
    for r in s.resources():
        schema = s.schema_of(r)
        decoded = schema.decode({"apiVersion": r.api_version, "kind": r.kind, "metadata": {"name": "x"}})
        assert decoded.problems == ()
        assert schema.decode(decoded.doc).doc == decoded.doc, r.kind


def test_autoscaler_converts_both_ways():
    s = scheme.builtin()
    v1 = {
        "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"maxReplicas": 6, "targetCPUUtilizationPercentage": 80, "scaleTargetRef": {"kind": "D", "name": "web"}},
        "status": {"currentReplicas": 0, "desiredReplicas": 0},
    }  # fmt: skip
    v2 = s.convert(v1, "autoscaling", "v2")
    assert v2["spec"]["metrics"][0]["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}
    assert s.convert(v2, "autoscaling", "v1") == v1


def test_events_convert_both_ways():
    s = scheme.builtin()
    core = {
        "kind": "Event", "apiVersion": "v1", "metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p"},
        "reason": "Killing", "message": "bye", "source": {"component": "kubelet"}, "firstTimestamp": None,
        "lastTimestamp": None, "count": 2, "type": "Normal", "eventTime": None, "reportingComponent": "kubelet",
        "reportingInstance": "n",
    }  # fmt: skip
    new = s.convert(core, "events.k8s.io", "v1")
    assert new["note"] == "bye" and new["regarding"]["name"] == "p"
    assert s.convert(new, "", "v1") == core


def test_custom_resources_get_later_defaults_when_they_are_read():
    schema = {"type": "object", "properties": {"a": {"type": "string", "default": "A"}}}
    crd = {
        "metadata": {"name": "lates.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "lates", "singular": "late", "kind": "Late", "listKind": "LateList"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    crd["status"] = {"acceptedNames": crd["spec"]["names"], "conditions": [{"type": "Established", "status": "True"}]}
    found = scheme.builtin().with_crds([crd])
    stored = {"apiVersion": "example.com/v1", "kind": "Late", "metadata": {"name": "x"}}
    assert found.convert(stored, "example.com", "v1") == {**stored, "a": "A"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
    assert found.convert(pod, "", "v1") is pod
