"""Pure parts of the apiserver: rules, paths, protobuf, the watch cache."""

import orjson
import pytest

from cluster.api import scheme as schemes
from cluster.api.stored import with_revision, without_revision
from cluster.apiserver import protobuf, registry
from cluster.apiserver.authorization import Attributes
from cluster.apiserver.authorization.rules import compact_string, covers, uncovered
from cluster.apiserver.handlers import reading
from cluster.apiserver.negotiation import negotiate
from cluster.apiserver.request_info import parse_query, request_info
from cluster.apiserver.user import User, service_account_name
from cluster.apiserver.watch_cache import Cache, Watcher
from cluster.wire.etcd import KeyValue

JANE = User("jane", ("dev",))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/v1/pods", ("list", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/namespaces/a/pods/b/log", ("get", "", "v1", "pods", "log", "a", "b")),
        ("GET", "/api/v1/namespaces/a", ("get", "", "v1", "namespaces", "", "a", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", ("update", "", "v1", "namespaces", "finalize", "a", "a")),
        (
            "DELETE",
            "/apis/apps/v1/namespaces/a/deployments",
            ("deletecollection", "apps", "v1", "deployments", "", "a", ""),
        ),
        ("GET", "/api/v1/watch/namespaces/a/pods/b", ("watch", "", "v1", "pods", "", "a", "b")),
        ("GET", "/api/v1/pods?watch=1", ("watch", "", "v1", "pods", "", "", "")),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dx", ("list", "", "v1", "pods", "", "", "x")),
    ],
)
def test_what_a_path_means(method: str, path: str, expected: tuple) -> None:
    path, _, query = path.partition("?")
    info = request_info(method, path, parse_query(query))
    assert info.is_resource
    assert (info.verb, info.group, info.version, info.resource, info.subresource, info.namespace, info.name) == expected


def test_other_paths_are_no_resources() -> None:
    for path in ("/", "/api", "/apis/apps/v1", "/healthz/etcd", "/openapi/v3"):
        info = request_info("GET", path, {})
        assert not info.is_resource and info.verb == "get"


def test_rules_cover_what_they_say() -> None:
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "*/scale"], "resourceNames": ["a"]}
    assert covers(rule, Attributes(JANE, "get", "n", "", "v1", "pods", "", "a"))
    assert covers(rule, Attributes(JANE, "get", "n", "", "v1", "deployments", "scale", "a"))
    assert not covers(rule, Attributes(JANE, "get", "n", "", "v1", "pods", "log", "a"))
    assert not covers(rule, Attributes(JANE, "get", "n", "", "v1", "pods", "", "b"))
    paths = {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/api/*"]}
    assert covers(paths, Attributes(JANE, "get", path="/api/v1", is_resource=False))
    assert not covers(paths, Attributes(JANE, "get", path="/livez", is_resource=False))


def test_what_a_user_lacks_is_found_to_the_verb() -> None:
    owned = [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]
    wanted = [{"verbs": ["get", "delete"], "apiGroups": [""], "resources": ["pods"]}]
    assert [compact_string(rule) for rule in uncovered(owned, wanted)] == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'
    ]
    assert uncovered([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], wanted) == []


def test_service_account_names() -> None:
    assert service_account_name("system:serviceaccount:a:b") == ("a", "b")
    assert service_account_name("system:serviceaccount:a") is None and service_account_name("jane") is None


def test_negotiation_takes_the_first_it_knows() -> None:
    accept = "application/vnd.kubernetes.protobuf,application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    chosen = negotiate(accept, "kubectl/1", None, "Object")
    assert (chosen.form, chosen.include, chosen.pretty) == ("Table", "Object", False)
    assert negotiate("*/*", "curl/8", None, "").pretty and not negotiate("*/*", "curl/8", "false", "").pretty


def message(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return bytes((number << 3 | 2, len(data))) + data


def wrapped(api_version: bytes, kind: bytes, raw: bytes) -> bytes:
    """As client-go sends it: the magic and a runtime.Unknown."""
    return (
        b"k8s\x00"
        + message(1, message(1, api_version) + message(2, kind))
        + message(2, raw)
        + message(3, b"")
        + message(4, b"")
    )


def test_protobuf_bodies_are_read() -> None:
    meta = message(1, b"x") + message(2, b"") + message(8, b"") + message(11, message(1, b"k") + message(2, b"v"))
    raw = message(1, meta) + message(2, message(1, b"a") + message(2, b"1"))
    doc = protobuf.decode(wrapped(b"v1", b"ConfigMap", raw))
    assert doc == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "x", "labels": {"k": "v"}},
        "data": {"a": "1"},
    }


def test_protobuf_knows_embedded_structs_numbers_and_quantities() -> None:
    raw = message(2, message(1, bytes((3 << 3, 80)) + message(4, bytes((1 << 3, 1)) + message(3, b"http"))))
    service = protobuf.decode(wrapped(b"v1", b"Service", raw))
    assert service["spec"]["ports"] == [{"port": 80, "targetPort": "http"}]
    source = message(2, message(6, message(1, b"creds")))  # Volume.volumeSource.secret.secretName
    container = message(1, b"c") + message(8, message(2, message(1, b"cpu") + message(2, message(1, b"250m"))))
    pod = protobuf.decode(
        wrapped(b"v1", b"Pod", message(2, message(1, message(1, b"v") + source) + message(2, container)))
    )
    assert pod["spec"]["volumes"] == [{"name": "v", "secret": {"secretName": "creds"}}]
    assert pod["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "250m"}}


def test_bytes_that_are_no_protobuf_are_refused() -> None:
    with pytest.raises(ValueError, match="does not appear to be a protobuf message"):
        protobuf.decode(b"{}")
    with pytest.raises(ValueError, match=r"unexpected EOF|proto"):
        protobuf.decode(b"k8s\x00\x0a\xff")


def kv(name: str, revision: int, **labels: str) -> KeyValue:
    doc = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "uid": "u", "labels": labels}, "spec": {}}
    return KeyValue(f"/registry/pods/{name}".encode(), orjson.dumps(doc), 1, revision, 1)


def watcher(number: int, bucket: str) -> Watcher:
    return Watcher(number, "c", "c", "", "", "", "", "", "v1", "pods", False, False, "", "", bucket)


def test_the_cache_lists_in_key_order_and_by_namespace() -> None:
    cache = Cache("pods", "/registry/pods", True)
    cache.replace((kv("b/two", 3), kv("a/one", 2), kv("b-b/three", 4), kv("b/one", 5)), 9, 0)
    assert [item.doc["metadata"]["name"] for item in cache.select()] == ["a/one", "b-b/three", "b/one", "b/two"]
    assert [item.revision for item in cache.select("b")] == [5, 3]
    assert cache.revision == 9 and cache.since(9) == [] and cache.since(8) is None


def test_a_relist_gives_the_events_that_were_missed() -> None:
    cache = Cache("pods", "/registry/pods", True)
    assert cache.replace((kv("a/one", 2), kv("a/two", 3)), 3, 0) == []
    events = cache.replace((kv("a/two", 7), kv("a/three", 6)), 8, 0)
    assert sorted((e.type, e.key) for e in events) == [
        ("ADDED", "a/three"),
        ("DELETED", "a/one"),
        ("MODIFIED", "a/two"),
    ]
    assert cache.items["a/two"].doc["metadata"]["resourceVersion"] == "7"


def test_only_watchers_that_could_care_are_visited() -> None:
    cache = Cache("pods", "/registry/pods", True, ("spec", "nodeName"))
    for number, bucket in enumerate(("", "n:a", "n:b", "k:a/x", "k:a/y", "t:node-1", "t:node-2"), 1):
        cache.add_watcher(watcher(number, bucket))
    event = cache.put("a/x", {"metadata": {"name": "x"}, "spec": {"nodeName": "node-1"}}, 5, 0, 0)
    assert [w.id for w in cache.candidates(event)] == [1, 4, 2, 6]
    event = cache.put("a/x", {"metadata": {"name": "x"}, "spec": {"nodeName": "node-2"}}, 6, 0, 0)
    assert {w.id for w in cache.candidates(event)} == {1, 2, 4, 6, 7}
    assert list(cache.index) == ["node-2"]
    cache.remove_watcher(1)
    assert "" not in cache.buckets


def test_the_revision_stands_where_go_has_it() -> None:
    doc = {"metadata": {"name": "x", "uid": "u", "creationTimestamp": "t", "labels": {}}}
    seen = with_revision(doc, 12)
    assert list(seen["metadata"]) == ["name", "uid", "resourceVersion", "creationTimestamp", "labels"]
    assert without_revision(seen) == doc


def test_the_fields_of_a_document_are_read_once_for_all_who_select_by_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = schemes.builtin().resource("", "v1", "pods")
    assert pods is not None
    read: list[str] = []
    strategy = registry.strategy_for(pods)
    fields = type(strategy).selectable_fields
    monkeypatch.setattr(
        type(strategy),
        "selectable_fields",
        lambda self, doc: (read.append(doc["metadata"]["name"]), fields(self, doc))[1],
    )
    before, after = ({"metadata": {"name": name, "namespace": "d"}, "spec": {"nodeName": "n"}} for name in ("a", "b"))
    for node in ("n", "m", "n"):
        for doc in (before, after):
            assert reading.chosen(pods, doc, "", f"spec.nodeName={node}") == (node == "n")
    assert read == ["a", "b"]
    assert not reading.chosen(pods, {**after, "spec": {"nodeName": "x"}}, "", "spec.nodeName=n")
