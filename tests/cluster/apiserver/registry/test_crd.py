"""Custom resources: from a definition to objects with defaults, pruning, validation and scale."""

import pytest

from cluster.api import scale, scheme, status
from cluster.apiserver import registry
from cluster.apiserver.registry import crd

NOW = "2026-01-01T00:00:00Z"
S = scheme.builtin()
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
        "versions": [{
            "name": "v1", "served": True, "storage": True,
            "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "required": ["size"], "properties": {
                    "size": {"type": "integer", "minimum": 1, "maximum": 10}, "note": {"type": "string", "default": "none"}}},
                "status": {"type": "object", "properties": {"size": {"type": "integer"}}}}}},
        }],
    },
}  # fmt: skip


def definition(doc=CRD):
    resource = S.resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
    schema = S.schema_of(resource)
    strategy = registry.strategy_for(resource)
    made = strategy.prepare_for_create(schema.default(schema.decode(doc).doc), registry.Context(NOW, scheme=S))
    return made, [e.text() for e in strategy.validate(made, registry.Context(NOW, scheme=S))]


@pytest.fixture
def served():
    made, errors = definition()
    assert errors == []
    whole = S.with_crds([crd.settled(made, [], NOW)])
    resource = whole.resource("example.com", "v1", "widgets")
    return whole, resource, registry.Context(NOW, scheme=whole)


def test_a_definition_is_served_only_when_established(served):
    made, _ = definition()
    assert made["spec"]["names"] == {
        "plural": "widgets",
        "singular": "widget",
        "shortNames": ["wd"],
        "kind": "Widget",
        "listKind": "WidgetList",
    }
    assert S.with_crds([made]).resource("example.com", "v1", "widgets") is None
    settled = crd.settled(made, [], NOW)
    assert crd.is_established(settled) and crd.settled(settled, [settled], "later") is settled
    whole, resource, _ = served
    assert resource.group_resource == "widgets.example.com" and whole.groups()[-1].name == "example.com"
    assert resource.key("default", "w") == "/registry/example.com/widgets/default/w"


def test_taken_names_are_refused():
    first = crd.settled(definition()[0], [], NOW)
    other = {**CRD, "metadata": {"name": "gadgets.example.com"}}
    other["spec"] = {**CRD["spec"], "names": {"plural": "gadgets", "kind": "Widget"}}
    settled = crd.settled(definition(other)[0], [first], NOW)
    assert crd.condition(settled, "NamesAccepted") == "False" and not crd.is_established(settled)


def test_a_definition_must_be_named_after_its_kind():
    _, errors = definition({**CRD, "metadata": {"name": "x"}})
    assert errors == ['metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group']


def test_objects_are_defaulted_pruned_and_validated(served):
    whole, resource, ctx = served
    schema, strategy = whole.schema_of(resource), registry.strategy_for(resource)
    decoded = schema.decode(
        {
            "apiVersion": "example.com/v1",
            "kind": "Widget",
            "metadata": {"name": "w", "foo": 1},
            "spec": {"size": 3, "x": 1},
        }
    )
    assert decoded.problems == ('unknown field "spec.x"', 'unknown field "metadata.foo"')
    doc = schema.default(decoded.doc)
    assert doc["spec"] == {"size": 3, "note": "none"}
    made = strategy.prepare_for_create(
        {**doc, "metadata": {"name": "w", "namespace": "default"}, "status": {"size": 1}}, ctx
    )
    assert "status" not in made and strategy.validate(made, ctx) == []

    def errors(**spec):
        return [e.text() for e in strategy.validate_update({**made, "spec": spec}, made, ctx)]

    assert errors(size=50) == ["spec.size: Invalid value: 50: spec.size in body should be less than or equal to 10"]
    assert errors(size="x") == [
        'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
        ".spec.size: Invalid value: 0: .spec.size accessor error: x is of the type string, expected int64",
    ]
    assert errors() == ["spec.size: Required value"]


def test_scale(served):
    _, resource, _ = served
    doc = {"metadata": {"name": "w"}, "spec": {"size": 3}, "status": {"size": 2}}
    shown = scale.scale_of(doc, resource)
    assert shown["spec"] == {"replicas": 3} and shown["status"] == {"replicas": 2}
    assert scale.with_scale(doc, {"spec": {"replicas": 4}}, resource)["spec"] == {"size": 4}
    with pytest.raises(status.ApiError, match="must be greater than or equal to 0"):
        scale.with_scale(doc, {"spec": {"replicas": -1}}, resource)
