"""Garbage collection in its three ways, and namespaces."""

from tests.cluster.controllers.harness import DEPLOYMENTS, Bench, deployment


def bench(**kwargs: bool) -> Bench:
    b = Bench(**kwargs)
    b.namespace()
    return b.start()


def test_background_deletion_takes_everything_and_descends_from_the_request() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment())
    b.settle()
    cause = b.do("DELETE", DEPLOYMENTS + "/web")
    b.run(10)
    assert b.all("replicasets") == [] and b.all("pods") == []
    (first,) = b.requests("DELETE", "/replicasets/")
    assert first[0] == cause and first[4] == "system:serviceaccount:kube-system:generic-garbage-collector"


def test_foreground_deletion_keeps_the_owner_until_its_dependents_are_gone() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment())
    b.settle()
    b.do("DELETE", DEPLOYMENTS + "/web", {"propagationPolicy": "Foreground"}, wait=0)
    gone: list[str] = []
    for _ in range(100):
        b.run(0.1)
        for kind in ("pods", "replicasets", "deployments"):
            if kind not in gone and not b.all(kind):
                gone.append(kind)
    assert gone == ["pods", "replicasets", "deployments"]


def test_orphaning_leaves_the_replica_set_and_a_new_deployment_adopts_it() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment())
    b.settle()
    b.do("DELETE", DEPLOYMENTS + "/web", {"propagationPolicy": "Orphan"})
    b.run(5)
    (rs,) = b.all("replicasets")
    assert b.all("deployments") == [] and "ownerReferences" not in rs["metadata"]
    assert len(b.all("pods")) == 3
    b.do("POST", DEPLOYMENTS, deployment())
    b.run(5)
    (rs,) = b.all("replicasets")
    assert rs["metadata"]["ownerReferences"][0]["kind"] == "Deployment"


def test_dependent_of_an_owner_that_never_was_is_deleted() -> None:
    b = bench()
    ghost = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "ghost", "uid": "no-such-uid", "controller": True}
    doc = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "orphan", "ownerReferences": [ghost]}}
    b.do("POST", "/api/v1/namespaces/default/configmaps", doc)
    b.run(5)
    assert b.get("/api/v1/namespaces/default/configmaps/orphan") is None


def test_second_owner_keeps_it_alive() -> None:
    b = bench()
    path = "/api/v1/namespaces/default/configmaps"
    for name in ("a", "b"):
        b.do("POST", path, {"kind": "ConfigMap", "metadata": {"name": name}})
    owners = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": n, "uid": b.get(f"{path}/{n}")["metadata"]["uid"]}
        for n in "ab"
    ]
    b.do("POST", path, {"kind": "ConfigMap", "metadata": {"name": "child", "ownerReferences": owners}})
    b.do("DELETE", path + "/a")
    b.run(3)
    assert [r["name"] for r in b.get(path + "/child")["metadata"]["ownerReferences"]] == ["b"]
    b.do("DELETE", path + "/b")
    b.run(3)
    assert b.get(path + "/child") is None


def owned(name: str, **owners: str) -> dict[str, object]:
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": n, "uid": uid, "blockOwnerDeletion": True}
        for n, uid in owners.items()
    ]
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "ownerReferences": references}}


def test_a_circle_of_owners_is_no_deadlock() -> None:
    b = bench()
    maps = "/api/v1/namespaces/default/configmaps"
    for name in ("one", "two", "three"):
        b.do("POST", maps, owned(name))
    uids = {name: b.get(f"{maps}/{name}")["metadata"]["uid"] for name in ("one", "two", "three")}
    for name, owner in (("one", "three"), ("two", "one"), ("three", "two")):
        b.do("PUT", f"{maps}/{name}", owned(name, **{owner: uids[owner]}))
    b.do("DELETE", f"{maps}/one", {"propagationPolicy": "Foreground"})
    b.run(5)
    assert all(b.get(f"{maps}/{name}") is None for name in uids)


def test_an_owner_stops_to_wait_for_who_has_another_owner() -> None:
    b = bench()
    maps = "/api/v1/namespaces/default/configmaps"
    for name in ("going", "staying"):
        b.do("POST", maps, owned(name))
    uids = {name: b.get(f"{maps}/{name}")["metadata"]["uid"] for name in ("going", "staying")}
    b.do("POST", maps, owned("child", **uids))
    b.do("DELETE", f"{maps}/going", {"propagationPolicy": "Foreground"})
    b.run(5)
    assert b.get(f"{maps}/going") is None
    assert [r["name"] for r in b.get(f"{maps}/child")["metadata"]["ownerReferences"]] == ["staying"]


def test_namespace_is_emptied_then_finalized() -> None:
    b = bench()
    b.namespace("gold")
    for n in range(3):
        b.do("POST", "/api/v1/namespaces/gold/configmaps", {"kind": "ConfigMap", "metadata": {"name": f"c{n}"}})
    b.run(2)
    assert b.get("/api/v1/namespaces/gold/serviceaccounts/default") is not None
    b.do("DELETE", "/api/v1/namespaces/gold")
    b.run(10)
    assert b.get("/api/v1/namespaces/gold") is None
    assert [p for p in b.api.objects if "/namespaces/gold/" in p and "/events/" not in p] == []
    assert b.get("/api/v1/namespaces/default/serviceaccounts/default") is not None


def test_namespace_says_which_finalizer_holds_it() -> None:
    b = bench()
    b.namespace("gold")
    held = {"kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.com/wait"]}}
    b.do("POST", "/api/v1/namespaces/gold/configmaps", held)
    b.do("DELETE", "/api/v1/namespaces/gold")
    b.run(10)
    conditions = {c["type"]: c for c in b.get("/api/v1/namespaces/gold")["status"]["conditions"]}
    assert conditions["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: configmaps. has 1 resource instances"
    )
    assert conditions["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/wait in 1 resource instances"
    )
    b.do("PATCH", "/api/v1/namespaces/gold/configmaps/held", {"metadata": {"finalizers": None}})
    b.run(30)
    assert b.get("/api/v1/namespaces/gold") is None
