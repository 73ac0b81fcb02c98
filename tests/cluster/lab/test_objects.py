"""What pages may know of objects, in a whole cluster: kinds and tables, revisions with their writers, relations, requests."""

from itertools import pairwise

import pytest

from cluster.api.scheme import builtin
from cluster.lab import Lab
from cluster.sim.clock import SECOND
from cluster.snapshot.objects import split_key
from cluster.trace import revisions
from tests.cluster.lab.desk import Desk
from tests.cluster.lab.test_lab import DEPLOYMENTS, SERVICE, WEB

TABLE = (("accept", "application/json;as=Table;v=v1;g=meta.k8s.io"),)
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "pods.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "pods", "singular": "epod", "kind": "EPod", "listKind": "EPodList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
                "additionalPrinterColumns": [{"name": "Colour", "type": "string", "jsonPath": ".spec.colour"}],
            }
        ],
    },
}


@pytest.fixture(scope="module")
def running() -> bytes:
    desk = Desk.boot(workers=2)
    assert desk.ask("POST", DEPLOYMENTS, WEB)[0] == 201
    assert desk.ask("POST", "/api/v1/namespaces/default/services", SERVICE)[0] == 201
    desk.until(lambda: desk.get(f"{DEPLOYMENTS}/web")["status"].get("readyReplicas") == 3)
    desk.lab.run_until(desk.lab.now + 2 * SECOND)
    desk.drain()
    return desk.lab.checkpoint()


@pytest.fixture
def desk(running) -> Desk:
    return Desk(Lab.restore(running))


def test_every_stored_kind_is_found_under_its_own_name():
    for resource in builtin().resources():
        if resource.stored and resource.group != "events.k8s.io":
            key = resource.key("ns" if resource.namespaced else "", "x")
            assert split_key(key) == (resource.plural, "ns/x" if resource.namespaced else "x"), key
    assert split_key("/registry/example.com/pods/default/x") == ("pods.example.com", "default/x")
    assert split_key("/registry/ranges/serviceips")[0] == ""


def test_kinds_are_counted_and_a_custom_kind_never_mixes_with_a_built_in_one(desk):
    assert desk.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", CRD)[0] == 201
    desk.lab.run_until(desk.lab.now + 2 * SECOND)
    own = {"apiVersion": "example.com/v1", "kind": "EPod", "metadata": {"name": "one"}, "spec": {"colour": "red"}}
    assert desk.ask("POST", "/apis/example.com/v1/namespaces/default/pods", own)[0] == 201
    counts = {kind["resource"]: kind["count"] for kind in desk.lab.query("kinds")}
    listed = desk.get("/api/v1/pods")["items"]
    assert counts["pods"] == len(listed) and counts["pods.example.com"] == 1
    table = desk.lab.query("table", resource="epod")
    assert [column["name"] for column in table["columns"]] == ["Name", "Colour"]
    assert [row["cells"] for row in table["rows"]] == [["one", "red"]]
    assert "one" not in [row["name"] for row in desk.lab.query("table", resource="pods")["rows"]]
    thing = desk.lab.query("thing", resource="pods.example.com", namespace="default", name="one")
    assert thing["doc"]["spec"] == {"colour": "red"} and thing["key"] == "/registry/example.com/pods/default/one"


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ("pods", "/api/v1/pods"),
        ("deploy", "/apis/apps/v1/deployments"),
        ("nodes", "/api/v1/nodes"),
        ("services", "/api/v1/services"),
        ("clusterrolebindings.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
        ("events", "/api/v1/events"),
    ],
)
def test_a_table_has_the_servers_own_cells(desk, resource, path):
    real = desk.get(path, headers=TABLE)
    ours = desk.lab.query("table", resource=resource, limit=500)
    assert [c["name"] for c in ours["columns"]] == [c["name"] for c in real["columnDefinitions"]]
    assert ours["total"] == len(real["rows"]) == len(ours["rows"])
    key = lambda row: (row["object"]["metadata"].get("namespace", ""), row["object"]["metadata"]["name"])  # noqa: E731
    ages = [n for n, c in enumerate(ours["columns"]) if c["name"] in ("Age", "Last Seen", "First Seen")]
    for row, told in zip(sorted(real["rows"], key=key), ours["rows"], strict=True):
        cells = ["" if cell is None else str(cell) for cell in row["cells"]]
        assert [c for n, c in enumerate(told["cells"]) if n not in ages] == [
            c for n, c in enumerate(cells) if n not in ages
        ]


def test_a_table_is_filtered_sorted_and_paged(desk):
    def names(**asked):
        return [row["name"] for row in desk.lab.query("table", resource="pods", **asked)["rows"]]

    everything = names(limit=500)
    web = names(labels="app=web")
    assert len(web) == 3 and all(name.startswith("web-") for name in web)
    assert names(namespace="default") == web and names(text="WEB-") == web
    assert names(namespace="defaul") == []
    node = desk.lab.query("table", resource="pods", namespace="default", limit=1)["rows"][0]["cells"][6]
    on_node = names(fields=f"spec.nodeName={node}", limit=500)
    assert set(on_node) == {
        pod["metadata"]["name"] for pod in desk.get("/api/v1/pods")["items"] if pod["spec"]["nodeName"] == node
    }
    assert names(phase="Ready", limit=500) == everything and names(phase="Failed") == []
    assert names(sort="-name", limit=500) == sorted(everything, reverse=True)
    assert names(limit=5) + names(limit=5, offset=5) == everything[:10]
    youngest = desk.lab.query("table", resource="pods", sort="age", limit=3)["rows"]
    assert {row["name"] for row in youngest} == set(web)
    table = desk.lab.query("table", resource="pods", labels="app in (")
    assert table["problem"] and not table["rows"]
    table = desk.lab.query("table", resource="pods", limit=100000)
    assert table["limit"] == 500
    with pytest.raises(KeyError):
        desk.lab.query("table", resource="nonsense")


def pod_of(desk) -> str:
    return desk.lab.query("table", resource="pods", namespace="default")["rows"][0]["name"]


def test_a_pods_history_names_who_wrote_each_revision(desk):
    name = pod_of(desk)
    found = desk.lab.query("revisions", resource="pods", namespace="default", name=name)
    rows = found["rows"][::-1]
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1)) and found["complete"]
    assert rows[0]["change"] == "created" and rows[0]["user"].endswith(":replicaset-controller")
    assert (rows[1]["user"], rows[1]["verb"]) == ("system:kube-scheduler", "create binding")
    assert "/spec/nodeName" in [path["path"] for path in rows[1]["paths"]]
    assert all(row["user"].startswith("system:node:") and row["verb"] == "patch status" for row in rows[2:])
    assert all(a["atMicros"] < b["atMicros"] for a, b in pairwise(rows))
    for row in rows:
        trace = desk.lab.query("request", id=row["request"])
        assert trace["startMicros"] <= row["atMicros"] <= trace["endMicros"] + 10_000
    live = desk.get(f"/api/v1/namespaces/default/pods/{name}")
    assert found["right"]["doc"] == live and found["left"]["revision"] == rows[-2]["revision"]
    picked = desk.lab.query(
        "revisions",
        resource="pods",
        namespace="default",
        name=name,
        left=rows[0]["revision"],
        right=rows[1]["revision"],
    )
    assert "nodeName" not in picked["left"]["doc"]["spec"] and picked["right"]["doc"]["spec"]["nodeName"]


def test_history_outlives_compaction_deletion_and_a_restart(desk):
    path = "/api/v1/namespaces/default/configmaps"
    which = {"resource": "configmaps", "namespace": "default", "name": "c"}
    doc = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"n": "0"}}
    assert desk.ask("POST", path, doc)[0] == 201
    for n in range(1, 4):
        assert desk.ask("PUT", f"{path}/c", {**doc, "data": {"n": str(n)}})[0] == 200
    for _ in range(30):
        desk.lab.run_until(desk.lab.now + 40 * SECOND)
        desk.drain()
    store = desk.lab.world.actors["m1"].state.app.store
    before = desk.lab.query("revisions", **which)
    assert [row["version"] for row in before["rows"]] == [4, 3, 2, 1]
    assert [row["etcd"] for row in before["rows"]] == [True, False, False, False], store.compacted
    assert {row["user"] for row in before["rows"]} == {"kubernetes-admin"}
    assert desk.ask("DELETE", f"{path}/c")[0] == 200
    again = Lab.restore(desk.lab.checkpoint())
    after = again.query("revisions", **which)
    assert [row["change"] for row in after["rows"]] == ["deleted", "changed", "changed", "changed", "created"]
    assert after["rows"][1:] == [
        {**row, "etcd": told["etcd"]} for row, told in zip(before["rows"], after["rows"][1:], strict=True)
    ]
    gone = again.query("thing", **which)
    assert gone["gone"] == after["rows"][0]["revision"] and gone["doc"]["data"] == {"n": "3"}
    with pytest.raises(KeyError):
        again.query("thing", resource="configmaps", namespace="default", name="never")


def test_memory_of_revisions_is_bounded(desk, monkeypatch):
    monkeypatch.setattr(revisions, "BYTES", 9_000)
    monkeypatch.setattr(revisions, "PER_OBJECT", 3)
    path = "/api/v1/namespaces/default/configmaps"
    for n in range(40):
        doc = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{n % 30}"}, "data": {"n": "x" * n}}
        desk.ask("POST" if n < 30 else "PUT", path if n < 30 else f"{path}/c{n % 30}", doc)
    kept = desk.lab.recorder.memory.revisions
    assert kept.size <= 9_000 and all(len(rows) <= 3 for rows in kept.by_key.values())
    assert kept.size == sum(len(row.kv.value) for rows in kept.by_key.values() for row in rows)
    assert b"/registry/configmaps/default/c9" in kept.by_key and b"/registry/configmaps/default/c10" not in kept.by_key
    assert len(kept.order) <= 4 * len(kept.by_key) + 3 + 1


def words(graph):
    known = {node["id"]: f"{node['kind']}/{node['name']}" for node in graph["nodes"]}
    return {(known[edge["from"]], edge["word"], known[edge["to"]]) for edge in graph["edges"]}


def test_relations_of_a_pod_lead_from_its_owners_to_what_it_uses(desk):
    name = pod_of(desk)
    graph = desk.lab.query("relations", resource="pods", namespace="default", name=name)
    told = words(graph)
    replica_set = name.rpartition("-")[0]
    pod = f"Pod/{name}"
    assert {
        ("Deployment/web", "owns", f"ReplicaSet/{replica_set}"),
        (f"ReplicaSet/{replica_set}", "owns", pod),
        (pod, "acts as", "ServiceAccount/default"),
        (pod, "uses", "ConfigMap/kube-root-ca.crt"),
    } <= told
    assert any(a == pod and word == "runs on" and b.startswith("Node/") for a, word, b in told)
    assert any(a == "Service/web" and word == "owns" and b.startswith("EndpointSlice/") for a, word, b in told)
    levels = {node["id"]: node["level"] for node in graph["nodes"]}
    assert all(levels[edge["from"]] < levels[edge["to"]] for edge in graph["edges"])


def test_relations_of_rbac_volumes_and_ingresses(desk):
    role = desk.lab.query("relations", resource="clusterroles", namespace="", name="cluster-admin")
    told = words(role)
    assert ("ClusterRole/cluster-admin", "granted by", "ClusterRoleBinding/cluster-admin") in told
    assert ("ClusterRoleBinding/cluster-admin", "grants to", "groups/system:masters") in told
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "pv"},
    }
    assert desk.ask("POST", "/api/v1/namespaces/default/persistentvolumeclaims", claim)[0] == 201
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "i"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    }
    assert desk.ask("POST", "/apis/networking.k8s.io/v1/namespaces/default/ingresses", ingress)[0] == 201
    desk.drain()
    graph = desk.lab.query("relations", resource="pvc", namespace="default", name="data")
    assert ("PersistentVolumeClaim/data", "bound to", "PersistentVolume/pv") in words(graph)
    assert [node["exists"] for node in graph["nodes"] if node["name"] == "pv"] == [False]
    service = desk.lab.query("relations", resource="services", namespace="default", name="web")
    assert ("Ingress/i", "routes to", "Service/web") in words(service)


def test_requests_and_events_are_those_about_the_object(desk):
    name = pod_of(desk)
    requests = desk.lab.query("touched", resource="pods", namespace="default", name=name)
    assert [row["verb"] for row in requests][::-1][:2] == ["create", "create"] and all(row["wrote"] for row in requests)
    code, _ = desk.ask("PATCH", f"/api/v1/namespaces/default/pods/{name}", {"spec": {"nodeName": "x"}},
                       headers=(("content-type", "application/merge-patch+json"),))  # fmt: skip
    assert code != 200
    newest = desk.lab.query("touched", resource="pods", namespace="default", name=name)[0]
    assert newest["code"] == code and not newest["wrote"]
    events = desk.lab.query("about", resource="pods", namespace="default", name=name)
    assert {"Scheduled", "Started"} <= {event["reason"] for event in events}
    other = desk.lab.query("about", resource="replicasets", namespace="default", name=name)
    assert other == []
