"""Somebody writes what is no object under /registry, past the apiserver: its resource is spoilt in the real server's words, nothing else is."""

from base64 import b64encode

import orjson
import pytest
from msgspec.structs import replace

from cluster.lab import EtcdGatewayIn, HttpDataOut, HttpOut, Lab
from cluster.sim.clock import SECOND
from cluster.snapshot.objects import split_key, undecodable
from tests.cluster.lab.desk import Desk

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def booted() -> bytes:
    return Desk.boot().lab.checkpoint()


@pytest.fixture
def desk(booted: bytes) -> Desk:
    return Desk(Lab.restore(booted))


def etcd(desk: Desk, what: str, key: str, value: bytes = b"") -> None:
    """put or deleterange, as etcdctl would."""
    fields = {"key": b64encode(key.encode()).decode(), "value": b64encode(value).decode()}
    if not value:
        del fields["value"]
    desk.lab.submit(EtcdGatewayIn(f"etcd{desk.lab.now}", "m2", f"/v3/kv/{what}", orjson.dumps(fields)))
    desk.lab.run_until(desk.lab.now + SECOND)


STRUCT = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (
            b"garbage",
            f"couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type {STRUCT}",
        ),
        (
            b"[1,2]",
            f"couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type {STRUCT}",
        ),
        (
            b"\xff\x00",
            f"couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type {STRUCT}",
        ),
        (
            b"{nope",
            "couldn't get version/kind; json parse error: invalid character 'n' looking for beginning of object key string",
        ),
        (b'{"kind":"ConfigMap"}', """Object 'apiVersion' is missing in '{"kind":"ConfigMap"}'"""),
        (b'{"kind":"ConfigMap","apiVersion":"v1","metadata":7}', None),
        (b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"bad"},"data":5}', None),
    ],
)
def test_a_value_that_is_no_object_spoils_its_resource_until_it_is_gone(
    desk: Desk, value: bytes, why: str | None
) -> None:
    desk.ask("POST", CONFIGMAPS, {"metadata": {"name": "good"}})
    watch = desk.send("GET", CONFIGMAPS, query="watch=1")
    desk.lab.run_until(desk.lab.now + SECOND)
    etcd(desk, "put", "/registry/configmaps/default/bad", value)
    outputs = desk.drain()
    assert any(isinstance(o, HttpDataOut) and o.conn == watch and o.end for o in outputs), "the watch ends"
    for method, path in (
        ("GET", CONFIGMAPS),
        ("GET", f"{CONFIGMAPS}/bad"),
        ("DELETE", f"{CONFIGMAPS}/bad"),
        ("GET", "/api/v1/configmaps"),
    ):
        code, doc = desk.ask(method, path)
        assert code == 500 and (why is None or doc["message"] == why), (method, path, doc)
    assert desk.ask("GET", f"{CONFIGMAPS}/good")[0] == 200
    assert desk.ask("GET", "/api/v1/namespaces/kube-system/configmaps")[0] == 200
    assert desk.ask("GET", CONFIGMAPS, query="watch=1")[0] == 429
    desk.lab.query("map"), desk.lab.query("objects", resource="configmaps")
    etcd(desk, "deleterange", "/registry/configmaps/default/bad")
    assert sorted(i["metadata"]["name"] for i in desk.get(CONFIGMAPS)["items"]) == ["good", "kube-root-ca.crt"]
    again = desk.send("GET", CONFIGMAPS, query="watch=1")
    desk.lab.run_until(desk.lab.now + SECOND)
    assert any(isinstance(o, HttpOut) and o.conn == again and o.code == 200 for o in desk.drain())


@pytest.mark.parametrize(
    "resource", ["pods", "services/specs", "minions", "leases", "events", "namespaces", "deployments", "endpointslices"]
)
def test_the_cluster_lives_on_whatever_is_written_where(desk: Desk, resource: str) -> None:
    prefix = f"/registry/{resource}" + ("" if resource in ("minions", "namespaces") else "/default")
    etcd(desk, "put", f"{prefix}/bad", b"garbage")
    etcd(
        desk,
        "put",
        f"{prefix}/worse",
        b'{"kind":"X","apiVersion":"v1","metadata":{"name":"worse"},"spec":7,"status":[]}',
    )
    etcd(desk, "put", f"/registry/{resource}", b"?")
    etcd(desk, "put", f"/registry/{resource}/\u00e9/x/y", b"{}")
    desk.lab.run_until(desk.lab.now + 15 * SECOND)
    for view in ("map", "recent", "processes", "raft_invariants"):
        desk.lab.query(view)
    assert desk.ask("POST", CONFIGMAPS, {"metadata": {"name": "more"}})[0] in (201, 500)
    for key in (f"{prefix}/bad", f"{prefix}/worse", f"/registry/{resource}", f"/registry/{resource}/\u00e9/x/y"):
        etcd(desk, "deleterange", key)
    desk.lab.run_until(desk.lab.now + 30 * SECOND)
    desk.until(desk.lab.ready)
    assert desk.ask("POST", CONFIGMAPS, {"metadata": {"name": "after"}})[0] == 201


META = {"name": "bad", "namespace": "default", "uid": "0-0-0-0-0", "creationTimestamp": "2026-06-01T00:00:00Z"}
ROLE_REF = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
CRD = {"group": "a.io", "scope": "Cluster", "names": {"plural": "bad", "kind": "Bad"}, "versions": []}
CONTAINER = {"name": "c", "image": "nginx"}


def meta(*without: str) -> dict[str, str]:
    return {name: value for name, value in META.items() if name not in without}


@pytest.mark.parametrize(
    ("key", "doc"),
    [
        ("pods/default/bad", {"kind": "Pod", "apiVersion": "v1", "metadata": META}),
        (
            "pods/default/bad",
            {"kind": "Pod", "apiVersion": "v1", "metadata": meta("namespace"), "spec": {"containers": [CONTAINER]}},
        ),
        (
            "pods/default/bad",
            {"kind": "Pod", "apiVersion": "v1", "metadata": META, "spec": {"containers": [{"name": "c"}]}},
        ),
        ("pods/default/bad", {"kind": "Service", "apiVersion": "v1", "metadata": META, "spec": {}}),
        ("minions/bad", {"kind": "Node", "apiVersion": "v1", "metadata": meta("namespace", "uid")}),
        ("namespaces/bad", {"kind": "Namespace", "apiVersion": "v1", "metadata": meta("namespace", "uid")}),
        (
            "clusterrolebindings/bad",
            {
                "kind": "ClusterRoleBinding",
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "metadata": meta("namespace", "uid"),
                "roleRef": ROLE_REF,
            },
        ),
        (
            "apiextensions.k8s.io/customresourcedefinitions/bad.a.io",
            {
                "kind": "CustomResourceDefinition",
                "apiVersion": "apiextensions.k8s.io/v1",
                "metadata": {"name": "bad.a.io"},
                "spec": CRD,
            },
        ),
        ("deployments/default/bad", {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": META}),
        ("deployments/default/bad", {"kind": "Deployment", "apiVersion": "v1", "metadata": META, "spec": {}}),
        ("configmaps/default/other", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": META}),
        ("configmaps/default/bad", b'{"kind":"ConfigMap","apiVersion":"v1","metadata":%s,"data":{"a":"\\ud800"}}'),
        ("configmaps/default/bad", b'{"kind":"ConfigMap","apiVersion":"v1","metadata":%s,"data":{"a":"\xff"}}'),
        ("events/default/bad", {"kind": "Event", "apiVersion": "v1", "metadata": {}}),
    ],
)
def test_an_object_that_nobody_could_use_spoils_its_resource_and_nobody_falls_over_it(
    desk: Desk, key: str, doc: dict[str, object] | bytes
) -> None:
    value = doc % orjson.dumps(META) if isinstance(doc, bytes) else orjson.dumps(doc)
    etcd(desk, "put", f"/registry/{key}", value)
    desk.lab.run_until(desk.lab.now + 15 * SECOND)
    listed = {
        "pods": "/api/v1/pods",
        "minions": "/api/v1/nodes",
        "namespaces": "/api/v1/namespaces",
        "clusterrolebindings": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "apiextensions.k8s.io": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "deployments": "/apis/apps/v1/deployments",
        "configmaps": "/api/v1/configmaps",
        "events": "/api/v1/events",
    }[key.split("/")[0]]
    assert desk.ask("GET", listed)[0] == 500
    for view in ("map", "recent", "processes"):
        desk.lab.query(view)
    etcd(desk, "deleterange", f"/registry/{key}")
    desk.lab.run_until(desk.lab.now + 15 * SECOND)
    desk.until(desk.lab.ready)
    assert desk.ask("GET", listed)[0] == 200


def test_what_an_apiserver_has_written_is_an_object_whoever_writes_it_back(desk: Desk) -> None:
    store = desk.lab.objects.freshest(desk.lab.world).state.app.store
    looked = 0
    for pair in (store.current[key] for key in store.live):
        resource, _ = split_key(pair.key.decode())
        if resource:
            looked += 1
            assert not undecodable(resource, replace(pair, cause=0)), pair
    assert looked > 100


WIDGETS = "/apis/a.io/v1/namespaces/default/widgets"
WIDGET = {"kind": "Widget", "apiVersion": "a.io/v1", "metadata": META}
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}


@pytest.mark.parametrize(
    ("doc", "code"),
    [
        (WIDGET, 200),
        ({**WIDGET, "spec": None, "status": [1]}, 200),  # what is in it is its definition's business
        ({**WIDGET, "metadata": {}}, 500),
        ({**WIDGET, "metadata": meta("uid")}, 500),
        ({**WIDGET, "metadata": {**META, "labels": {"a": 1}}}, 500),
        ({**WIDGET, "metadata": {**META, "ownerReferences": [OWNER]}}, 500),
        ({**WIDGET, "kind": "Pod"}, 500),
    ],
)
def test_a_custom_resource_is_one_by_its_metadata(desk: Desk, doc: dict[str, object], code: int) -> None:
    shape = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": shape}
    spec = {"group": "a.io", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"}}
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    crd = {"metadata": {"name": "widgets.a.io"}, "spec": {**spec, "versions": [version]}}
    assert desk.ask("POST", crds, crd)[0] == 201
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    for key in ("a.io/widgets/default/bad", "nobody.io/things/default/bad"):
        etcd(desk, "put", f"/registry/{key}", orjson.dumps(doc))
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    assert desk.ask("GET", WIDGETS)[0] == code
    for view in ("map", "recent", "kinds"):
        desk.lab.query(view)


def test_one_transaction_changes_several_objects_and_none_is_left_as_a_ghost(desk: Desk) -> None:
    for name in ("one", "two", "three"):
        desk.ask("POST", CONFIGMAPS, {"metadata": {"name": name}})
    desk.lab.run_until(desk.lab.now + SECOND)
    watch = desk.send("GET", CONFIGMAPS, query="watch=1")
    desk.lab.run_until(desk.lab.now + SECOND)
    desk.drain()
    span = {"key": "/registry/configmaps/default/o", "range_end": "/registry/configmaps/default/u"}
    fields = {name: b64encode(value.encode()).decode() for name, value in span.items()}
    desk.lab.submit(EtcdGatewayIn("all", "m2", "/v3/kv/deleterange", orjson.dumps(fields)))
    desk.lab.run_until(desk.lab.now + SECOND)
    told = b"".join(o.data for o in desk.drain() if isinstance(o, HttpDataOut) and o.conn == watch)
    assert sorted(orjson.loads(line)["object"]["metadata"]["name"] for line in told.splitlines()) == [
        "one",
        "three",
        "two",
    ]
    for query in ("", "resourceVersion=0"):
        assert [i["metadata"]["name"] for i in desk.get(CONFIGMAPS, query=query)["items"]] == ["kube-root-ca.crt"]


def test_one_transaction_spoils_two_values_and_one_heals_them(desk: Desk) -> None:
    put = [{"request_put": {"key": _b64(f"/registry/configmaps/default/{name}"), "value": _b64("?")}} for name in "ab"]
    drop = [{"request_delete_range": {"key": op["request_put"]["key"]}} for op in put]
    desk.lab.submit(EtcdGatewayIn("spoil", "m2", "/v3/kv/txn", orjson.dumps({"success": put})))
    desk.lab.run_until(desk.lab.now + SECOND)
    assert [desk.ask("GET", f"{CONFIGMAPS}/{name}", query="resourceVersion=0")[0] for name in "ab"] == [500, 500]
    desk.lab.submit(EtcdGatewayIn("heal", "m2", "/v3/kv/txn", orjson.dumps({"success": drop})))
    desk.lab.run_until(desk.lab.now + SECOND)
    assert desk.ask("GET", CONFIGMAPS, query="resourceVersion=0")[0] == 200
    assert desk.ask("GET", CONFIGMAPS, query="watch=1")[0] == 200


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode()


def test_what_a_client_may_write_is_nobodys_end(desk: Desk) -> None:
    code, answer = desk.ask("POST", "/api/v1/nodes", {"metadata": {"name": "n"}, "spec": {"podCIDR": "x"}})
    assert code == 422 and "must be a valid CIDR value" in answer["message"]
    empty = {"metadata": {"name": "empty"}, "data": {"nothing": None}}
    assert desk.ask("POST", "/api/v1/namespaces/default/secrets", empty)[0] == 201
    jobs = "/apis/batch/v1/namespaces/default/cronjobs"
    pod = {"restartPolicy": "Never", "containers": [CONTAINER]}
    job = {"spec": {"template": {"spec": pod}}}
    desk.ask("POST", jobs, {"metadata": {"name": "c"}, "spec": {"schedule": "0 0 1 1 *", "jobTemplate": job}})
    patch = ((("content-type", "application/merge-patch+json"),), b'{"status":{"active":[{"kind":"Job"}]}}')
    assert desk.ask("PATCH", f"{jobs}/c/status", headers=patch[0], body=patch[1])[0] == 200
    desk.lab.run_until(desk.lab.now + 15 * SECOND)
    assert "active" not in desk.get(f"{jobs}/c")["status"]
