"""An apiserver against real etcd members: what a client sees."""

import pickle
from typing import Any

import pytest
from server_world import ADMIN, JANE, NOBODY, Cluster

from cluster.api import codec
from cluster.sim import SECOND, World
from cluster.wire.http import TlsPeer

CM = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster()


def name_of(doc: dict) -> str:
    return doc["metadata"]["name"]


def test_a_fresh_server_has_bootstrapped_itself(cluster: Cluster) -> None:
    code, text = cluster.ask("GET", "/readyz")
    assert (code, text) == (200, "ok")
    code, doc = cluster.ask("GET", "/api/v1/namespaces")
    assert {name_of(item) for item in doc["items"]} >= {"default", "kube-system", "kube-public", "kube-node-lease"}
    code, doc = cluster.ask("GET", "/api/v1/namespaces/default/endpoints/kubernetes")
    assert doc["subsets"][0]["addresses"] == [{"ip": "172.18.0.2"}]


def test_create_get_update_delete(cluster: Cluster) -> None:
    code, made = cluster.ask("POST", CM, {"metadata": {"name": "one"}, "data": {"a": "1"}})
    assert code == 201 and made["data"] == {"a": "1"} and made["metadata"]["uid"]
    code, got = cluster.ask("GET", f"{CM}/one")
    assert (code, got) == (200, made)
    code, again = cluster.ask("POST", CM, {"metadata": {"name": "one"}})
    assert code == 409 and again["message"] == 'configmaps "one" already exists'
    code, put = cluster.ask("PUT", f"{CM}/one", {"metadata": {"name": "one"}, "data": {"a": "2"}})
    assert code == 200 and int(put["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
    code, stale = cluster.ask("PUT", f"{CM}/one", {**made, "data": {}})
    assert code == 409 and stale["reason"] == "Conflict"
    code, gone = cluster.ask("DELETE", f"{CM}/one")
    assert code == 200 and gone["status"] == "Success" and gone["details"]["uid"] == made["metadata"]["uid"]
    assert cluster.ask("GET", f"{CM}/one")[0] == 404


def test_an_update_that_changes_nothing_writes_nothing(cluster: Cluster) -> None:
    _, made = cluster.ask("POST", CM, {"metadata": {"name": "same"}, "data": {"a": "1"}})
    code, put = cluster.ask("PUT", f"{CM}/same", made)
    assert code == 200 and put["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_patches(cluster: Cluster) -> None:
    cluster.ask("POST", CM, {"metadata": {"name": "p"}, "data": {"a": "1"}})
    code, doc = cluster.ask("PATCH", f"{CM}/p", {"data": {"b": "2"}}, media="application/merge-patch+json")
    assert (code, doc["data"]) == (200, {"a": "1", "b": "2"})
    code, doc = cluster.ask(
        "PATCH", f"{CM}/p", [{"op": "remove", "path": "/data/a"}], media="application/json-patch+json"
    )
    assert (code, doc["data"]) == (200, {"b": "2"})
    code, doc = cluster.ask("PATCH", f"{CM}/p", {}, media="application/json")
    assert code == 415
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ssa"}, "data": {"x": "1"}}
    code, doc = cluster.ask("PATCH", f"{CM}/ssa?fieldManager=one", applied, media="application/apply-patch+yaml")
    assert (code, doc["metadata"]["managedFields"][0]["operation"]) == (201, "Apply")


def test_finalizers_hold_an_object(cluster: Cluster) -> None:
    cluster.ask("POST", CM, {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    code, doc = cluster.ask("DELETE", f"{CM}/held")
    assert code == 200 and doc["metadata"]["deletionTimestamp"] and doc["metadata"]["deletionGracePeriodSeconds"] == 0
    assert cluster.ask("GET", f"{CM}/held")[0] == 200
    code, doc = cluster.ask(
        "PATCH", f"{CM}/held", {"metadata": {"finalizers": None}}, media="application/merge-patch+json"
    )
    assert code == 200
    assert cluster.ask("GET", f"{CM}/held")[0] == 404


def test_pages_hold_still_while_the_collection_changes(cluster: Cluster) -> None:
    where = "/api/v1/namespaces/kube-public/configmaps"
    for n in range(5):
        cluster.ask("POST", where, {"metadata": {"name": f"page-{n}"}})
    _, first = cluster.ask("GET", f"{where}?limit=2")
    assert [name_of(i) for i in first["items"]] == ["page-0", "page-1"] and first["metadata"]["remainingItemCount"] == 3
    cluster.ask("DELETE", f"{where}/page-3")
    token = first["metadata"]["continue"]
    _code, rest = cluster.ask("GET", f"{where}?limit=9&continue={token}")
    assert [name_of(i) for i in rest["items"]] == ["page-2", "page-3", "page-4"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    _, now = cluster.ask("GET", where)
    assert "page-3" not in [name_of(i) for i in now["items"]]


def test_watch_tells_of_changes_in_order_and_of_selections(cluster: Cluster) -> None:
    _, listed = cluster.ask("GET", CM)
    version = listed["metadata"]["resourceVersion"]
    everything = cluster.send("GET", f"{CM}?watch=1&resourceVersion={version}")
    chosen = cluster.send("GET", f"{CM}?watch=1&resourceVersion={version}&labelSelector=x%3Dy")
    cluster.run(SECOND // 10)
    _, _doc = cluster.ask("POST", CM, {"metadata": {"name": "w"}})
    label = {"metadata": {"labels": {"x": "y"}}}
    cluster.ask("PATCH", f"{CM}/w", label, media="application/merge-patch+json")
    cluster.ask("PATCH", f"{CM}/w", {"metadata": {"labels": None}}, media="application/merge-patch+json")
    cluster.ask("DELETE", f"{CM}/w")
    cluster.run(SECOND // 10)
    assert [kind for kind, _ in cluster.events(everything)] == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
    told = cluster.events(chosen)
    assert [kind for kind, _ in told] == ["ADDED", "DELETED"]
    assert told[1][1]["metadata"]["labels"] == {"x": "y"}
    versions = [int(o["metadata"]["resourceVersion"]) for _, o in cluster.events(everything)]
    assert versions == sorted(set(versions))


def test_watch_from_a_forgotten_version_is_told_to_list_again(cluster: Cluster) -> None:
    secrets = "/api/v1/namespaces/kube-public/secrets"
    _, first = cluster.ask("POST", secrets, {"metadata": {"name": "first"}})
    for n in range(102):
        cluster.send("POST", secrets, {"metadata": {"name": f"s-{n}"}})
    cluster.run(80 * SECOND)  # older than 75 s and more than 100: no longer kept
    cluster.ask("POST", secrets, {"metadata": {"name": "last"}})
    number = cluster.send("GET", f"{secrets}?watch=1&resourceVersion={first['metadata']['resourceVersion']}")
    cluster.run(SECOND // 10)
    [(kind, answer)] = cluster.events(number)
    assert kind == "ERROR" and answer["code"] == 410 and answer["reason"] == "Expired"


def test_watch_list_ends_with_a_bookmark(cluster: Cluster) -> None:
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    number = cluster.send("GET", f"/api/v1/namespaces?{query}")
    cluster.run(SECOND // 10)
    told = cluster.events(number)
    assert [kind for kind, _ in told[:-1]] == ["ADDED"] * (len(told) - 1) and len(told) >= 5
    assert told[-1][0] == "BOOKMARK"
    assert told[-1][1]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("resourceVersion=99999999", 504, "Too large resource version: 99999999"),
        ("resourceVersion=abc", 500, 'strconv.ParseUint: parsing "abc": invalid syntax'),
        ("limit=abc", 400, 'strconv.ParseInt: parsing "abc": invalid syntax'),
        ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("labelSelector=a%3D%3Db%3D%3Dc", 400, "found '==', expected: ',' or 'end of string'"),
        ("fieldSelector=data.a%3D1", 400, '"data.a" is not a known field selector'),
        ("limit=2&continue=rubbish", 400, "invalid continue token"),
    ],
)
def test_list_options_are_checked_in_the_real_words(cluster: Cluster, query: str, code: int, words: str) -> None:
    got, doc = cluster.ask("GET", f"{CM}?{query}")
    assert got == code and words in doc["message"]


def test_who_is_who(cluster: Cluster) -> None:
    code, doc = cluster.ask("GET", "/api/v1/nodes", peer=NOBODY)
    assert code == 403 and doc["message"] == (
        'nodes is forbidden: User "system:anonymous" cannot list resource "nodes" in API group "" at the cluster scope'
    )
    bearer = (("authorization", "Bearer nonsense"),)
    assert cluster.ask("GET", "/api", peer=NOBODY, headers=bearer)[0] == 401
    assert cluster.ask("GET", "/api", peer=TlsPeer(error="certificate has expired"))[0] == 401
    code, doc = cluster.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, peer=ADMIN)
    assert code == 201 and doc["status"]["userInfo"]["groups"] == ["system:masters", "system:authenticated"]


def test_a_service_account_token_works_until_it_expires(cluster: Cluster) -> None:
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    _, _account = cluster.ask("POST", accounts, {"metadata": {"name": "robot"}})
    code, doc = cluster.ask("POST", f"{accounts}/robot/token", {"spec": {"expirationSeconds": 600}})
    assert code == 201
    bearer = (("authorization", f"Bearer {doc['status']['token']}"),)
    code, doc = cluster.ask("GET", CM, peer=NOBODY, headers=bearer)
    assert code == 403 and 'User "system:serviceaccount:default:robot"' in doc["message"]
    cluster.run(601 * SECOND)
    assert cluster.ask("GET", CM, peer=NOBODY, headers=bearer)[0] == 401


def test_rbac_allows_denies_and_says_why(cluster: Cluster) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    assert cluster.ask("GET", CM, peer=JANE)[0] == 403
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    assert cluster.ask("POST", f"{rbac}/roles", {"metadata": {"name": "reader"}, "rules": rules})[0] == 201
    binding = {
        "metadata": {"name": "jane-reads"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}],
    }
    assert cluster.ask("POST", f"{rbac}/rolebindings", binding)[0] == 201
    assert cluster.ask("GET", CM, peer=JANE)[0] == 200
    stage = next(s for s in cluster.notes.stages if s.request == cluster.last and s.name == "authorization")
    assert stage.outcome == "allow"
    assert stage.reason == "RBAC: RoleBinding jane-reads/default grants it through Role reader, rule 1"
    code, _doc = cluster.ask("DELETE", f"{CM}/x", peer=JANE)
    assert code == 403
    stage = next(s for s in cluster.notes.stages if s.request == cluster.last and s.name == "authorization")
    assert any('its verbs are "get", "list", not "delete"' in miss.get("why", "") for miss in stage.detail)


def test_impersonation(cluster: Cluster) -> None:
    code, doc = cluster.ask(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {},
        headers=(("impersonate-user", "jane"), ("impersonate-group", "dev")),
    )  # fmt: skip
    assert doc["status"]["userInfo"] == {"username": "jane", "groups": ["dev", "system:authenticated"]}
    code, doc = cluster.ask("GET", CM, peer=JANE, headers=(("impersonate-user", "root"),))
    assert code == 403 and 'cannot impersonate resource "users"' in doc["message"]


def test_stages_come_in_the_real_order(cluster: Cluster) -> None:
    cluster.ask("POST", CM, {"metadata": {"name": "staged"}})
    names = cluster.notes.of(cluster.last)
    order = ["tls", "authentication", "audit", "impersonation", "priority-and-fairness", "authorization", "decoding",
             "defaulting", "mutating-admission/NamespaceLifecycle", "strategy", "validation"]  # fmt: skip
    places = [names.index(name) for name in order]
    assert places == sorted(places)
    assert {"propose", "commit", "apply", "etcd"} <= set(names) and "response" in names
    assert all(
        stage.reason and stage.start <= stage.end for stage in cluster.notes.stages if stage.request == cluster.last
    )


def test_namespaces_are_needed_and_guarded(cluster: Cluster) -> None:
    code, doc = cluster.ask("POST", "/api/v1/namespaces/missing/configmaps", {"metadata": {"name": "x"}})
    assert (code, doc["message"]) == (404, 'namespaces "missing" not found')
    code, doc = cluster.ask("DELETE", "/api/v1/namespaces/default")
    assert code == 403 and doc["message"] == 'namespaces "default" is forbidden: this namespace may not be deleted'
    code, doc = cluster.ask("POST", CM, {"metadata": {"name": "x", "namespace": "other"}})
    assert code == 400


def test_dry_run_stores_nothing(cluster: Cluster) -> None:
    assert cluster.ask("POST", f"{CM}?dryRun=All", {"metadata": {"name": "dry"}})[0] == 201
    assert cluster.ask("GET", f"{CM}/dry")[0] == 404
    code, doc = cluster.ask("POST", f"{CM}?dryRun=Maybe", {"metadata": {"name": "dry"}})
    assert code == 422 and 'Unsupported value: []string{"Maybe"}' in doc["message"]


def test_services_get_different_addresses(cluster: Cluster) -> None:
    where = "/api/v1/namespaces/default/services"
    numbers = [
        cluster.send(
            "POST", where, {"metadata": {"name": f"s{n}"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}}
        )
        for n in range(4)
    ]
    cluster.run(2 * SECOND)
    assert all(cluster.answers[number].code == 201 for number in numbers)
    _, listed = cluster.ask("GET", where)
    ips = [item["spec"]["clusterIP"] for item in listed["items"]]
    ports = [p["nodePort"] for item in listed["items"] for p in item["spec"]["ports"] if "nodePort" in p]
    assert len(set(ips)) == len(ips) == 5 and len(set(ports)) == len(ports) == 4


def test_a_checkpoint_goes_on_as_if_nothing_had_happened() -> None:
    one = Cluster()
    one.ask("POST", CM, {"metadata": {"name": "before"}})
    data = one.world.checkpoint()
    assert pickle.loads(pickle.dumps(data)) == data
    other = World.restore(data, one.world.factories)
    until = one.world.now + 30 * SECOND
    one.world.run_until(until)
    other.run_until(until)
    assert other.digest() == one.world.digest()


def test_a_patch_types_only_what_it_touches(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    typed: list[list[str]] = []
    honest = codec.decode_doc

    def counting(doc: Any, *rest: Any, **options: Any) -> Any:
        typed.append([key for key in doc if key not in ("kind", "apiVersion")])
        return honest(doc, *rest, **options)

    nodes = "/api/v1/nodes"
    node = {"metadata": {"name": "typed"}, "spec": {"podCIDR": "10.1.0.0/24"}, "status": {"phase": "Pending"}}
    _, made = cluster.ask("POST", nodes, node)
    monkeypatch.setattr("cluster.apiserver.handlers.writing.codec.decode_doc", counting)
    patch = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    _, after = cluster.ask("PATCH", f"{nodes}/typed/status", patch, media="application/strategic-merge-patch+json")
    assert typed == [["status"]]
    assert after["spec"] == made["spec"] and after["status"]["phase"] == "Running"
    bad = {"status": {"phase": 3}}
    code, _ = cluster.ask("PATCH", f"{nodes}/typed/status", bad, media="application/merge-patch+json")
    assert code == 400 and typed[-1] == ["status"]
    _, labelled = cluster.ask(
        "PATCH", f"{nodes}/typed", {"metadata": {"labels": {"a": "b"}}}, media="application/merge-patch+json"
    )
    assert typed[-1] == ["metadata"] and list(labelled) == list(after)


def test_component_statuses_are_printed_with_their_own_columns() -> None:
    cluster = Cluster()
    table = (("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"),)
    code, doc = cluster.ask("GET", "/api/v1/componentstatuses", headers=table)
    assert (code, [c["name"] for c in doc["columnDefinitions"]]) == (200, ["Name", "Status", "Message", "Error"])
    assert ["etcd-0", "Healthy", "ok"] in [row["cells"][:3] for row in doc["rows"]]
    code, doc = cluster.ask("GET", "/api/v1/componentstatuses/etcd-0", headers=table)
    assert [row["cells"][0] for row in doc["rows"]] == ["etcd-0"]
    assert cluster.ask("GET", "/api/v1/componentstatuses")[1]["kind"] == "ComponentStatusList"
