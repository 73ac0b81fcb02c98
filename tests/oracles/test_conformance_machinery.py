"""What Kubernetes' conformance suite checks of the API machinery, checked against the living product in our own words."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.oracles.api_client import Api, eventually

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def config_map(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **more.pop("meta", {})}, **more}


def crd(group: str, kind: str, schema: Any, *, versions: tuple[str, ...] = ("v1",), **more: Any) -> dict[str, Any]:
    plural = kind.lower() + "s"
    return {
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [
                {"name": v, "served": True, "storage": v == versions[0], "schema": {"openAPIV3Schema": schema}, **more}
                for v in versions
            ],
        },
    }


def define(api: Api, document: dict[str, Any]) -> None:
    """Create the CRD and wait until it is served."""
    name = document["metadata"]["name"]
    api.post(CRDS, document)
    eventually(
        lambda: (
            {"type": "Established", "status": "True"}.items()
            <= next(
                (
                    c
                    for c in api.get(f"{CRDS}/{name}").get("status", {}).get("conditions", ())
                    if c["type"] == "Established"
                ),
                {},
            ).items()
        ),
        f"{name} established",
    )
    spec = document["spec"]
    for version in spec["versions"]:
        path = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
        eventually(lambda path=path: api.call("GET", path)[0] == 200, path)


# -- watches --------------------------------------------------------------------------------------------------------


def test_watchers_observe_add_update_delete(api: Api, space: str) -> None:
    a = api.watch(f"{space}/configmaps?labelSelector=l%3Da")
    both = api.watch(f"{space}/configmaps?labelSelector=l%20in%20(a,b)")
    api.post(f"{space}/configmaps", config_map("a", meta={"labels": {"l": "a"}}))
    api.patch(f"{space}/configmaps/a", {"data": {"mutation": "1"}})
    api.delete(f"{space}/configmaps/a")
    api.post(f"{space}/configmaps", config_map("b", meta={"labels": {"l": "b"}}))
    api.delete(f"{space}/configmaps/b")
    eventually(lambda: len(both.events) >= 5, "five events")
    assert list(a.seen()) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert list(both.seen()) == [*a.seen(), ("ADDED", "b"), ("DELETED", "b")]
    a.close()
    both.close()


def test_a_watch_starts_after_a_version_and_restarts(api: Api, space: str) -> None:
    first = api.post(f"{space}/configmaps", config_map("x"))["metadata"]["resourceVersion"]
    second = api.patch(f"{space}/configmaps/x", {"data": {"n": "1"}})["metadata"]["resourceVersion"]
    api.patch(f"{space}/configmaps/x", {"data": {"n": "2"}})
    api.delete(f"{space}/configmaps/x")
    for version, kinds in ((first, ["MODIFIED", "MODIFIED", "DELETED"]), (second, ["MODIFIED", "DELETED"])):
        watch = api.watch(f"{space}/configmaps?resourceVersion={version}&fieldSelector=metadata.name%3Dx")
        eventually(lambda watch=watch, kinds=kinds: len(watch.events) >= len(kinds), str(kinds))
        assert [kind for kind, _ in watch.seen()] == kinds
        watch.close()


def test_an_object_that_stops_to_match_is_deleted_for_a_watch(api: Api, space: str) -> None:
    watch = api.watch(f"{space}/configmaps?labelSelector=w%3Dy")
    api.post(f"{space}/configmaps", config_map("x", meta={"labels": {"w": "y"}}))
    api.patch(f"{space}/configmaps/x", {"data": {"n": "1"}})
    api.patch(f"{space}/configmaps/x", {"metadata": {"labels": {"w": "n"}}})
    api.patch(f"{space}/configmaps/x", {"data": {"n": "2"}})
    api.patch(f"{space}/configmaps/x", {"metadata": {"labels": {"w": "y"}}})
    api.delete(f"{space}/configmaps/x")
    eventually(lambda: len(watch.events) >= 5, "five events")
    assert [kind for kind, _ in watch.seen()] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    watch.close()


def test_concurrent_watches_have_the_same_order(api: Api, space: str) -> None:
    start = api.get(f"{space}/configmaps")["metadata"]["resourceVersion"]
    watches = [api.watch(f"{space}/configmaps?resourceVersion={start}") for _ in range(4)]

    def write(worker: int) -> None:
        for number in range(6):
            api.post(f"{space}/configmaps", config_map(f"c{worker}-{number}"))
            api.delete(f"{space}/configmaps/c{worker}-{number}")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, range(3)))
    eventually(lambda: all(len(w.events) == 36 for w in watches), "36 events each")
    orders = [[e["object"]["metadata"]["resourceVersion"] for e in w.events] for w in watches]
    assert all(order == orders[0] == sorted(order, key=int) for order in orders)
    for watch in watches:
        watch.close()


# -- lists ----------------------------------------------------------------------------------------------------------


def test_chunks(api: Api, space: str) -> None:
    for number in range(17):
        api.post(f"{space}/podtemplates", {"metadata": {"name": f"t-{number:02}"}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}})  # fmt: skip
    found, token, version = [], "", ""
    while True:
        page = api.get(f"{space}/podtemplates?limit=5&continue={token}")
        meta = page["metadata"]
        found += [item["metadata"]["name"] for item in page["items"]]
        version = version or meta["resourceVersion"]
        assert meta["resourceVersion"] == version
        if not meta.get("continue"):
            break
        assert meta["remainingItemCount"] == 17 - len(found)
        token = meta["continue"]
        if len(found) == 5:
            api.delete(f"{space}/podtemplates/t-16")  # later pages are of the same version
    assert found == [f"t-{number:02}" for number in range(17)]


def test_tables(api: Api, space: str) -> None:
    api.post(f"{space}/pods", {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}})
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = api.ok("GET", f"{space}/pods/p", None, Accept=accept)
    assert table["kind"] == "Table" and table["columnDefinitions"][0]["name"] == "Name"
    assert table["rows"][0]["cells"][0] == "p"
    listed = api.ok("GET", f"{space}/pods?limit=1", None, Accept=accept)
    assert len(listed["rows"]) == 1
    review = {"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}}
    code, said = api.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, Accept=accept)
    assert (code, said["reason"]) == (406, "NotAcceptable")


# -- field validation -------------------------------------------------------------------------------------------------


def deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}},
        },
    }


def test_unknown_and_duplicate_fields_of_a_typed_object(api: Api, space: str) -> None:
    apps = space.replace("/api/v1", "/apis/apps/v1")
    text = json.dumps(deployment("web"))
    text = text.replace('"replicas": 1', '"replicas": 1, "replicas": 2, "unknown1": "x"')
    code, said = api.call("POST", f"{apps}/deployments?fieldValidation=Strict", text)
    assert code == 400
    assert 'strict decoding error: duplicate field "spec.replicas", unknown field "spec.unknown1"' in said["message"], (
        said
    )
    once = json.dumps({**deployment("web"), "bogus": 1})
    code, said = api.call(
        "PATCH", f"{apps}/deployments/web?fieldValidation=Strict&fieldManager=m", once, "application/apply-patch+yaml"
    )
    assert (code, ".bogus: field not declared in schema" in said["message"]) == (500, True), said


def test_unknown_metadata_fields(api: Api, space: str) -> None:
    code, said = api.call("POST", f"{space}/configmaps?fieldValidation=Strict", config_map("x", meta={"nope": 1}))
    assert code == 400 and 'unknown field "metadata.nope"' in said["message"]


def test_custom_resources_are_validated(api: Api, space: str) -> None:
    spec = {"type": "object", "properties": {"foo": {"type": "string"}, "n": {"type": "integer", "maximum": 5}}, "required": ["foo"]}  # fmt: skip
    define(api, crd("fields.example.com", "Strict", {"type": "object", "properties": {"spec": spec}}))
    stricts = space.replace("/api/v1", "/apis/fields.example.com/v1") + "/stricts"
    body = {"apiVersion": "fields.example.com/v1", "kind": "Strict", "metadata": {"name": "x"}}
    code, said = api.call("POST", stricts + "?fieldValidation=Strict", {**body, "spec": {"foo": "a", "bar": 1}})
    assert code == 400 and 'strict decoding error: unknown field "spec.bar"' in said["message"], said
    code, said = api.call("POST", stricts, {**body, "spec": {"n": 9}})
    assert code == 422
    assert "spec.foo: Required value" in said["message"]
    assert "spec.n: Invalid value: 9: spec.n in body should be less than or equal to 5" in said["message"], said
    api.post(stricts, {**body, "spec": {"foo": "a", "bar": 1}})
    assert api.get(f"{stricts}/x")["spec"] == {"foo": "a"}
    code, said = api.call("POST", stricts + "?fieldValidation=Strict", {**body, "metadata": {"name": "y", "un": 1}, "spec": {"foo": "a"}})  # fmt: skip
    assert code == 400 and 'unknown field "metadata.un"' in said["message"], said
    text = json.dumps({**body, "spec": {"foo": "a"}}).replace('"foo": "a"', '"foo": "a", "foo": "b"')
    code, said = api.call("POST", stricts + "?fieldValidation=Strict", text)
    assert code == 400 and 'duplicate field "spec.foo"' in said["message"], said


# -- custom resource definitions ---------------------------------------------------------------------------------------


def test_defaults_of_custom_resources_for_requests_and_from_storage(api: Api, space: str) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    define(api, crd("defaults.example.com", "Late", schema))
    lates = space.replace("/api/v1", "/apis/defaults.example.com/v1") + "/lates"
    body = {"apiVersion": "defaults.example.com/v1", "kind": "Late", "metadata": {"name": "a"}}
    api.post(lates, body)
    schema = {
        **schema,
        "properties": {"a": {"type": "string", "default": "A"}, "b": {"type": "string", "default": "B"}},
    }
    changed = [{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": schema}]
    api.patch(f"{CRDS}/lates.defaults.example.com", changed, "json")
    eventually(lambda: api.get(f"{lates}/a").get("a") == "A", "a default from storage")
    assert api.post(lates, {**body, "metadata": {"name": "b"}, "b": "mine"})["b"] == "mine"
    assert api.get(f"{lates}/b")["a"] == "A"


def test_custom_resources_in_discovery_and_openapi(api: Api) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"foo": {"type": "string"}}}}}
    define(api, crd("found.example.com", "Thing", schema, versions=("v1", "v2")))
    group = api.get("/apis/found.example.com")
    assert [v["version"] for v in group["versions"]] == ["v2", "v1"] and group["preferredVersion"]["version"] == "v2"
    assert api.get("/apis/found.example.com/v1")["resources"][0]["name"] == "things"

    def published(version: str) -> bool:
        code, document = api.call("GET", f"/openapi/v3/apis/found.example.com/{version}")
        return code == 200 and f"com.example.found.{version}.Thing" in document["components"]["schemas"]

    eventually(lambda: published("v1") and published("v2"), "both versions published")
    api.patch(f"{CRDS}/things.found.example.com", [{"op": "replace", "path": "/spec/versions/1/served", "value": False}], "json")  # fmt: skip
    eventually(lambda: not published("v2"), "v2 unpublished")
    definitions = api.get("/openapi/v2")["definitions"]
    assert "com.example.found.v1.Thing" in definitions and "com.example.found.v2.Thing" not in definitions
    api.delete(f"{CRDS}/things.found.example.com")
    eventually(lambda: api.gone("/apis/found.example.com"), "the group is gone")


def test_status_of_a_custom_resource_definition(api: Api) -> None:
    define(api, crd("status.example.com", "Some", {"type": "object"}))
    path = f"{CRDS}/somes.status.example.com/status"
    condition = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
    doc = api.get(path)
    doc["status"]["conditions"].append(condition)
    updated = api.put(path, doc)
    assert any(c["type"] == "StatusUpdate" for c in updated["status"]["conditions"])
    api.patch(path, {"metadata": {"labels": {"x": "y"}}})


def test_selectable_fields_of_custom_resources(api: Api, space: str) -> None:
    schema = {"type": "object", "properties": {"host": {"type": "string"}, "port": {"type": "integer"}}}
    fields = [{"jsonPath": ".host"}, {"jsonPath": ".port"}]
    define(api, crd("selectable.example.com", "Place", schema, selectableFields=fields))
    places = space.replace("/api/v1", "/apis/selectable.example.com/v1") + "/places"
    watch = api.watch(places + "?fieldSelector=host%3Dhost1")
    for name, host, port in (("a", "host1", 80), ("b", "host1", 8080), ("c", "host2", 80)):
        api.post(places, {"apiVersion": "selectable.example.com/v1", "kind": "Place", "metadata": {"name": name}, "host": host, "port": port})  # fmt: skip
    listed = api.get(places + "?fieldSelector=host%3Dhost1")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a", "b"]
    listed = api.get(places + "?fieldSelector=host%3Dhost1,port%3D80")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]
    assert api.call("GET", places + "?fieldSelector=nope%3D1")[0] == 400
    api.patch(f"{places}/a", {"host": "host2"})
    eventually(lambda: len(watch.events) >= 3, "three events")
    assert list(watch.seen()) == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]
    watch.close()


# -- garbage collection --------------------------------------------------------------------------------------------------


def test_a_circle_of_owners_does_not_block(api: Api, space: str) -> None:
    maps = f"{space}/configmaps"
    uids = {name: api.post(maps, config_map(name))["metadata"]["uid"] for name in ("one", "two", "three")}
    for name, owner in (("one", "three"), ("two", "one"), ("three", "two")):
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uids[owner], "controller": True, "blockOwnerDeletion": True}  # fmt: skip
        api.patch(f"{maps}/{name}", {"metadata": {"ownerReferences": [reference]}})
    api.delete(f"{maps}/one", {"propagationPolicy": "Foreground"})
    eventually(lambda: all(api.gone(f"{maps}/{name}") for name in uids), "the circle is gone")


def test_deployments_are_deleted_in_all_three_ways(api: Api, space: str) -> None:
    apps = space.replace("/api/v1", "/apis/apps/v1")
    for policy in ("Background", "Foreground", "Orphan"):
        name = policy.lower()
        api.post(f"{apps}/deployments", deployment(name))
        sets = f"{apps}/replicasets?labelSelector=app%3D{name}"
        eventually(lambda sets=sets: api.get(sets)["items"], "a ReplicaSet")
        api.delete(f"{apps}/deployments/{name}", {"propagationPolicy": policy})
        eventually(lambda name=name: api.gone(f"{apps}/deployments/{name}"), f"{name} is gone")
        if policy == "Orphan":
            assert not api.get(sets)["items"][0]["metadata"].get("ownerReferences")
        else:
            eventually(lambda sets=sets: not api.get(sets)["items"], "its ReplicaSets are gone")


# -- namespaces ------------------------------------------------------------------------------------------------------------


def test_namespace_status_finalizers_and_deletion(api: Api, space: str) -> None:
    status = {"conditions": [{"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Patched"}]}
    assert api.patch(f"{space}/status", {"metadata": {"annotations": {"a": "b"}}, "status": status})["status"][
        "conditions"
    ]
    doc = api.get(f"{space}/status")
    doc["status"]["conditions"].append(
        {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Updated"}
    )
    assert len(api.put(f"{space}/status", doc)["status"]["conditions"]) == 2
    api.post(f"{space}/pods", {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}})
    api.post(f"{space}/services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    doc = api.get(space)
    doc["spec"]["finalizers"].append("e2e.example.com/fake")
    assert api.put(f"{space}/finalize", doc)["spec"]["finalizers"] == ["kubernetes", "e2e.example.com/fake"]
    api.delete(space)
    assert api.get(space)["status"]["phase"] == "Terminating"
    code, said = api.call("POST", f"{space}/configmaps", config_map("late"))
    assert code == 403 and "because it is being terminated" in said["message"]
    eventually(lambda: api.get(space)["spec"]["finalizers"] == ["e2e.example.com/fake"], "the contents are gone")
    doc = api.get(space)
    doc["spec"]["finalizers"] = []
    api.put(f"{space}/finalize", doc)
    eventually(lambda: api.gone(space), "the namespace is gone")
