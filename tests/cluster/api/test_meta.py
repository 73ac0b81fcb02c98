"""Names, labels and metadata."""

from cluster.api import meta


def texts(errors):
    return [error.text() for error in errors]


def test_names():
    assert meta.dns1123_subdomain("a.b-c") == [] and meta.dns1123_label("a.b") == ["must not contain dots"]
    assert meta.dns1123_label("x" * 64) == ["must be no more than 63 characters"]
    assert meta.dns1035_label("1bad")[0].startswith("a DNS-1035 label must consist of lower case")
    assert meta.path_segment_name("a/b") == ["may not contain '/'"] and meta.path_segment_name("..") == [
        "may not be '..'"
    ]
    assert meta.qualified_name("example.com/Name") == [] and meta.qualified_name("/x") == [
        "prefix part must be non-empty"
    ]


def test_metadata_of_a_new_object():
    assert texts(meta.validate_object_meta({"metadata": {"namespace": "d"}}, True)) == [
        "metadata.name: Required value: name or generateName is required"
    ]
    assert texts(meta.validate_object_meta({"metadata": {"name": "x", "namespace": "d"}}, False)) == [
        "metadata.namespace: Forbidden: not allowed on this type"
    ]
    assert meta.validate_object_meta({"metadata": {"name": "a-1", "generateName": "a-", "namespace": "d"}}, True) == []


def test_what_may_not_change():
    old = {
        "metadata": {"name": "a", "uid": "1", "creationTimestamp": "t", "deletionTimestamp": "t", "finalizers": ["x/y"]}
    }
    new = meta.with_meta(old, uid="2", finalizers=["x/y", "x/z"])
    assert texts(meta.validate_object_meta_update(new, old)) == [
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        '[]string{"x/z"}',
        'metadata.uid: Invalid value: "2": field is immutable',
    ]


def test_with_meta_copies_in_gos_order():
    doc = {"kind": "K", "apiVersion": "v1", "metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {}}
    changed = meta.with_meta(doc, generation=2, labels=None)
    assert list(changed) == ["kind", "apiVersion", "metadata", "spec"]
    assert list(changed["metadata"]) == ["name", "generation"] and "generation" not in doc["metadata"]
    assert list(meta.with_meta({"spec": {}, "kind": "K"}, name="a")) == ["kind", "metadata", "spec"]


def test_owners():
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "uid": "u"}}
    reference = meta.owner_reference(pod)
    assert meta.owner_of({"metadata": {"ownerReferences": [{"name": "x"}, reference]}}) == reference
    assert meta.owner_of(pod) is None
