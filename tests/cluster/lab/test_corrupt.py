"""Somebody writes what is no object under /registry, past the apiserver: its resource is spoilt in the real server's words, nothing else is."""

from base64 import b64encode

import orjson
import pytest

from cluster.lab import EtcdGatewayIn, HttpDataOut, HttpOut, Lab
from cluster.sim.clock import SECOND
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
