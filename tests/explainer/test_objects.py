"""Field owners, differences, the drawing of the owner graph, and what a page sends to the apiserver; headless."""

from __future__ import annotations

import os
from typing import Any

import pytest
import yaml

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.browser.settings")

from explainer.fragments import graph_drawing, object_view, yaml_places
from explainer.gateway import desk
from tests.browser import objects_world
from tests.loops import run

DOC = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "p",
        "uid": "u",
        "labels": {"app": "web"},
        "finalizers": ["a", "b"],
        "managedFields": [
            {
                "manager": "one",
                "operation": "Apply",
                "time": "2026-01-01T00:00:00Z",
                "fieldsV1": {
                    "f:metadata": {"f:labels": {"f:app": {}}, "f:finalizers": {'v:"b"': {}}},
                    "f:spec": {
                        "f:containers": {'k:{"name":"c"}': {".": {}, "f:name": {}, "f:image": {}, "f:ports": {
                            'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}}},
                        "f:nodeSelector": {},
                    },
                },
            },
            {
                "manager": "two",
                "operation": "Update",
                "subresource": "status",
                "fieldsV1": {"f:spec": {"f:containers": {'k:{"name":"c"}': {"f:image": {}}}}, "f:status": {".": {}, "f:phase": {}}},
            },
        ],
    },
    "spec": {
        "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}, {"name": "d"}],
        "nodeSelector": {"disk": "ssd"},
    },
    "status": {"phase": "Running", "qosClass": "Burstable"},
}  # fmt: skip


def owners(doc: dict[str, Any]) -> dict[str, str]:
    entries = object_view.managers(doc)
    found: dict[str, str] = {}
    for line in object_view.lines(doc):
        letters = "".join(entries[place]["letter"] for place in line["owners"])
        found.setdefault(line["path"], letters or {"none": "-", "structure": "."}[line["state"]])
    return found


def test_every_line_says_who_owns_it():
    told = owners(DOC)
    assert told[".apiVersion"] == told[".metadata.uid"] == "-"
    assert told[".metadata"] == told[".spec"] == told[".spec.containers"] == "."
    assert told[".metadata.labels.app"] == "A"
    assert told['.metadata.finalizers[="b"]'] == "A" and told[".metadata.finalizers[0]"] == "-"
    assert told['.spec.containers[name="c"].image'] == "AB", "two owners of one field"
    assert told['.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"].containerPort'] == "A", (
        "the key's default protocol is not in the item"
    )
    assert told[".spec.containers[1].name"] == "-", "nobody owns the second container"
    assert told[".spec.nodeSelector"] == told[".spec.nodeSelector.disk"] == "A", "a leaf owns all below it"
    assert told[".status"] == told[".status.phase"] == "B" and told[".status.qosClass"] == "-"


def test_managers_are_listed_with_what_they_own():
    first, second = object_view.managers(DOC)
    assert (first["letter"], first["operation"], first["fields"]) == ("A", "Apply", 8)
    assert (second["letter"], second["subresource"], second["fields"]) == ("B", "status", 3)
    assert [object_view.letter(n) for n in (0, 25, 26)] == ["A", "Z", "A2"]


@pytest.mark.parametrize("name", ["thing", "secret"])
def test_lines_are_the_text_that_kubectl_prints(name):
    which = objects_world.WEB if name == "thing" else objects_world.TOKEN
    doc = objects_world.ask("thing", **which)["doc"]
    lines = object_view.lines(doc)
    told = "\n".join(
        f"{one['pad']}{one['dash']}{one['key']}{' ' if one['key'] and one['value'] else ''}{one['value']}"
        for one in lines
    )
    assert told + "\n" == object_view.text_of(doc)
    assert yaml.safe_load(told)["metadata"]["name"] == doc["metadata"]["name"]
    assert [one["n"] for one in lines] == list(range(1, len(lines) + 1))
    spec = next((one for one in lines if one["path"] == ".spec"), None)
    if spec is not None:
        inside = [one["n"] for one in lines if one["path"].startswith(".spec.") or one["path"].startswith(".spec[")]
        assert spec["fold"] and (inside[0], inside[-1]) == (spec["n"] + 1, spec["end"])


def test_texts_of_several_lines_belong_to_their_field():
    doc = {
        "data": {"a": "one\ntwo\n", "b": "x"},
        "metadata": {"managedFields": [{"manager": "m", "fieldsV1": {"f:data": {"f:a": {}}}}]},
    }
    lines = object_view.lines(doc)
    assert [(one["value"], one["owners"]) for one in lines if one["path"] == ".data.a"] == [
        ("|", [0]),
        ("one", [0]),
        ("two", [0]),
    ]
    assert lines[1]["end"] == 4


def test_a_difference_says_added_removed_and_changed_with_the_old_value():
    left = {"metadata": {"name": "a"}, "spec": {"replicas": 3, "gone": 1}}
    right = {"metadata": {"name": "a"}, "spec": {"replicas": 5, "new": {"x": 1}}}
    told = object_view.difference(left, right)
    assert (told["changed"], told["added"], told["removed"]) == (1, 2, 1)
    signs = {row["text"].strip(): row["sign"] for row in told["rows"]}
    assert signs["replicas: 5"] == "~" and signs["gone: 1"] == "−" and signs["x: 1"] == "+" and signs["spec:"] == ""
    assert next(row["was"] for row in told["rows"] if row["sign"] == "~") == "3"
    assert object_view.difference(left, left)["same"]
    created = object_view.difference(None, right)
    assert created["added"] == len(object_view.text_of(right).splitlines()) and not created["removed"]


def test_secrets_are_hidden_but_still_compare():
    note = {object_view.LAST_APPLIED: '{"data":{"a":"aHVudGVyMg=="}}', "other": "x"}
    doc = {
        "kind": "Secret",
        "metadata": {"name": "s", "annotations": note},
        "data": {"a": "aHVudGVyMg==", "b": "aHVudGVyMg==", "c": "eA=="},
    }
    told = object_view.masked(doc)
    assert "aHVudGVyMg" not in str(told) and told["metadata"]["annotations"]["other"] == "x"
    assert told["data"]["a"] == told["data"]["b"] != told["data"]["c"]
    assert doc["data"]["a"] == "aHVudGVyMg==" and object_view.masked(DOC) is DOC


def test_the_graph_is_drawn_without_overlaps_and_every_arrow_goes_right():
    for which in (
        objects_world.WEB,
        {"resource": "pods", "namespace": "default", "name": objects_world.recorded()["pod"]},
    ):
        graph = objects_world.ask("relations", **which)
        for screen in (False, True):
            drawing = graph_drawing.draw(graph, screen)
            boxes = [(one["x"], one["y"], one["x"] + one["w"], one["y"] + one["h"]) for one in drawing["nodes"]]
            for n, a in enumerate(boxes):
                assert a[0] >= 0 and a[1] >= 0 and a[2] <= drawing["width"] and a[3] <= drawing["height"]
                assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[n + 1 :])
            assert not any(line["back"] for line in drawing["lines"])
        assert len(graph_drawing.sentences(graph)) == len(graph["edges"]) > 2


TEXT = """apiVersion: v1
kind: Pod
metadata:
  name: p
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 6
  template:
    spec:
      containers:
      - name: a
        image: x
      - image: y
        name: b
"""


@pytest.mark.parametrize(
    ("document", "field", "line"),
    [
        (1, "spec.replicas", 11),
        (1, ".spec.replicas", 11),
        (1, "spec.template.spec.containers[1].image", 17),
        (1, '.spec.template.spec.containers[name="b"].name', 18),
        (1, "spec.template.spec.containers[7].image", 14),
        (1, "metadata.labels.app", 8),
        (0, "metadata.name", 4),
        (5, "metadata.name", 0),
    ],
)
def test_a_field_is_found_in_the_text(document, field, line):
    assert yaml_places.line_of(TEXT, document, field) == line


def test_documents_are_read_as_kubectl_reads_them():
    assert [doc["kind"] for doc in desk.read_documents(TEXT)] == ["Pod", "Deployment"]
    listed = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- {apiVersion: v1, kind: Secret}\n"
    assert [doc["kind"] for doc in desk.read_documents(listed)] == ["Pod", "Secret"]
    with pytest.raises(desk.Refused) as refused:
        desk.read_documents("a: 1\nb: [1,\n")
    assert refused.value.line == 3
    for wrong in ("", "---\n---\n", "- 1\n", "just text", "a: &a [x]\nb: " + "[" * 200, "x" * (desk.TEXT_LIMIT + 1)):
        with pytest.raises(desk.Refused):
            desk.read_documents(wrong)
    with pytest.raises(desk.Refused):
        desk.read_documents("---\nkind: A\n" * (desk.MOST_DOCUMENTS + 1))


def test_a_yaml_bomb_is_refused():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    with pytest.raises(desk.Refused):
        desk.read_documents(bomb)


KINDS = [
    {"apiVersion": "v1", "kind": "Pod", "group": "", "plural": "pods", "resource": "pods", "namespaced": True},
    {"apiVersion": "v1", "kind": "Namespace", "group": "", "plural": "namespaces", "resource": "namespaces", "namespaced": False},
    {"apiVersion": "apps/v1", "kind": "Deployment", "group": "apps", "plural": "deployments", "resource": "deployments.apps", "namespaced": True},
]  # fmt: skip


@pytest.mark.parametrize(
    ("doc", "how", "path"),
    [
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}, "apply", "/api/v1/namespaces/default/pods/p"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}, "create", "/api/v1/namespaces/default/pods"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-"}}, "create", "/api/v1/namespaces/default/pods"),
        ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n"}}, "delete", "/api/v1/namespaces/n"),
        (
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "../x", "namespace": "a/b"}},
            "replace",
            "/apis/apps/v1/namespaces/a%2Fb/deployments/..%2Fx",
        ),
    ],
)  # fmt: skip
def test_documents_have_the_addresses_of_kubectls_mapping(doc, how, path):
    assert desk.address(doc, KINDS, "", how).path == path


@pytest.mark.parametrize(
    ("doc", "sentence"),
    [
        ({"kind": "Pod"}, "apiVersion not set"),
        ({"apiVersion": "v1"}, "kind not set"),
        ({"apiVersion": "v1", "kind": "Pod"}, "metadata not set"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {}}, "metadata.name not set"),
        ({"apiVersion": "v2", "kind": "Pod", "metadata": {"name": "p"}}, 'no matches for kind "Pod" in version "v2"'),
        (
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 7}},
            "metadata.name and metadata.namespace are texts",
        ),
    ],
)
def test_what_has_no_address_is_refused_by_name(doc, sentence):
    with pytest.raises(desk.Refused) as refused:
        desk.address(doc, KINDS, "", "apply")
    assert refused.value.sentence == sentence


class Line:
    """A bus that remembers its mail and answers as a test says."""

    name = "w1"

    def __init__(self, answer: dict[str, Any] | None) -> None:
        self.sent: list[dict[str, Any]] = []
        self.exchanges: dict[Any, Any] = {}
        self.answer = answer

    async def spec(self, cluster: str) -> Any:
        from tests.cluster.lab.desk import keys

        return type("Keys", (), {"pki": {"admin_cert": keys().admin_cert}})

    def send(self, cluster: str, kind: str, body: dict[str, Any]) -> None:
        self.sent.append(body)
        if self.answer is not None and body["type"] == "HttpIn":
            self.exchanges[(cluster, body["conn"], body["stream"])](self.answer)


def test_a_request_is_the_admins_and_its_answer_comes_back():
    line = Line({"type": "HttpOut", "code": 201, "body": b'{"kind":"Pod"}', "request": 77, "end": True})
    at = desk.address({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}, KINDS, "", "apply")
    request = desk.request_of("apply", at, {"kind": "Pod"}, True, True, "")
    answer = run(desk.ask(line, "demo", *request, "127.0.0.1:1"))  # type: ignore[arg-type]
    assert (answer.code, answer.doc, answer.request) == (201, {"kind": "Pod"}, 77)
    (sent,) = line.sent
    assert (sent["method"], sent["path"]) == ("PATCH", "/api/v1/namespaces/default/pods/p")
    assert sent["query"] == "fieldManager=clearplane-page&fieldValidation=Strict&force=true&dryRun=All"
    assert sent["peer"]["common_name"] == "kubernetes-admin" and sent["peer"]["organizations"] == (
        "kubeadm:cluster-admins",
    )
    assert dict(sent["headers"])["content-type"] == "application/apply-patch+yaml"
    assert line.exchanges == {}


def test_a_request_that_nobody_answers_is_withdrawn(monkeypatch):
    monkeypatch.setattr(desk, "PATIENCE", 0.01)
    line = Line(None)
    with pytest.raises(desk.Unavailable, match="withdrawn"):
        run(desk.ask(line, "demo", "GET", "/x", "", "application/json", b"", ""))  # type: ignore[arg-type]
    assert [one["type"] for one in line.sent] == ["HttpIn", "HttpCloseIn"] and line.exchanges == {}
