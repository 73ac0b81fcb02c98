"""Patches: the three kinds, by example and by property."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import patch, scheme, status

POD = scheme.builtin().schema("", "v1", "Pod").root
DEPLOYMENT = scheme.builtin().schema("apps", "v1", "Deployment").root
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab/~", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("doc", "operations", "result"),
    [
        ({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": {"b/c": 1}}, [{"op": "remove", "path": "/a/b~1c"}], {"a": {}}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}], {"b": 1}),
        ({"a": 1}, [{"op": "test", "path": "/a", "value": 1}, {"op": "replace", "path": "/a", "value": 2}], {"a": 2}),
    ],
)
def test_json_patch(doc, operations, result):
    before = json.dumps(doc)
    assert patch.json_patch(doc, operations) == result
    assert json.dumps(doc) == before


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "remove", "path": "/zzz"}], [{"op": "test", "path": "/a", "value": True}],
        [{"op": "replace", "path": "/b/c", "value": 1}], [{"op": "add", "path": "/l/9", "value": 1}], [{"op": "jump", "path": "/a"}],
    ],
)  # fmt: skip
def test_json_patch_that_does_not_fit_is_one_422(operations):
    with pytest.raises(patch.PatchError) as error:
        patch.json_patch({"a": 1, "l": []}, operations)
    answer = error.value.answer()
    assert answer.code == 422
    assert answer.message == "the server rejected our request due to an error in our request"


def test_malformed_patches():
    with pytest.raises(status.ApiError, match="error decoding patch: unexpected end of JSON input"):
        patch.parse(b'{"data":', "merge")
    with pytest.raises(status.ApiError, match=r"cannot unmarshal object into Go value of type jsonpatch\.Patch"):
        patch.parse(b"{}", "json")


@given(JSON, JSON)
def test_merge_patch_reaches_its_aim(doc, wanted):
    """Laying a document without nulls over {} gives the document; doing it twice changes nothing."""
    once = patch.merge_patch(doc, wanted)
    assert patch.merge_patch(once, wanted) == once


@given(JSON)
def test_whole_document_replace_and_test(doc):
    assert (
        patch.json_patch(
            {"x": 1}, [{"op": "replace", "path": "", "value": doc}, {"op": "test", "path": "", "value": doc}]
        )
        == doc
    )


def test_strategic_merges_lists_by_key():
    doc = {
        "spec": {
            "containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}],
            "tolerations": [{"key": "x"}],
        }
    }
    change = {
        "spec": {
            "containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}],
            "tolerations": [{"key": "y"}],
        }
    }
    merged = patch.strategic_merge_patch(doc, change, POD)["spec"]
    assert merged["containers"] == [
        {"name": "a", "image": "1"},
        {"name": "b", "image": "2"},
        {"name": "c", "image": "3"},
    ]
    assert merged["tolerations"] == [{"key": "y"}]
    assert doc["spec"]["containers"][1]["image"] == "1"


def test_strategic_directives():
    doc = {"spec": {"containers": [{"name": "a"}, {"name": "b"}], "nodeSelector": {"x": "1"}}}
    gone = patch.strategic_merge_patch(doc, {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}, POD)
    assert gone["spec"]["containers"] == [{"name": "b"}]
    replaced = patch.strategic_merge_patch(doc, {"spec": {"nodeSelector": {"y": "2", "$patch": "replace"}}}, POD)
    assert replaced["spec"]["nodeSelector"] == {"y": "2"}
    ordered = patch.strategic_merge_patch(
        doc,
        {
            "spec": {
                "$setElementOrder/containers": [{"name": "b"}, {"name": "c"}, {"name": "a"}],
                "containers": [{"name": "c"}],
            }
        },
        POD,
    )
    assert [c["name"] for c in ordered["spec"]["containers"]] == ["b", "c", "a"]
    primitive = {"metadata": {"finalizers": ["a", "b"]}}
    fewer = patch.strategic_merge_patch(primitive, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, POD)
    assert fewer["metadata"]["finalizers"] == ["b"]


def test_strategic_retain_keys():
    doc = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    change = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert patch.strategic_merge_patch(doc, change, DEPLOYMENT)["spec"]["strategy"] == {"type": "Recreate"}


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text("xy", max_size=2), max_size=3))
def test_strategic_null_deletes(labels):
    doc = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    change = {"metadata": {"labels": {**labels, "b": None}}}
    merged = patch.strategic_merge_patch(doc, change, POD)["metadata"]["labels"]
    assert "b" not in merged and all(merged[k] == v for k, v in labels.items() if k != "b")
