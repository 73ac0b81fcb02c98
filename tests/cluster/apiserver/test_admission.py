"""Admission plug-ins through a running server."""

import pytest
from server_world import Cluster

from cluster.sim import SECOND
from cluster.wire.http import TlsPeer

PODS = "/api/v1/namespaces/default/pods"
KUBELET = TlsPeer(common_name="system:node:node-1", organizations=("system:nodes",))


def pod(name: str, **spec: object) -> dict:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "busybox:1.36"}], **spec}}


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    cluster = Cluster()
    cluster.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    for name in ("node-1", "node-2"):
        cluster.ask("POST", "/api/v1/nodes", {"metadata": {"name": name}})
    return cluster


def test_a_pod_gets_account_token_tolerations_and_priority(cluster: Cluster) -> None:
    code, made = cluster.ask("POST", PODS, pod("plain"))
    assert code == 201
    spec = made["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default" and spec["priority"] == 0
    volume = spec["volumes"][0]
    assert volume["name"].startswith("kube-api-access-") and len(volume["name"]) == len("kube-api-access-") + 5
    assert spec["containers"][0]["volumeMounts"][0]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert [t["tolerationSeconds"] for t in spec["tolerations"]] == [300, 300]
    stages = [s for s in cluster.notes.stages if s.request == cluster.last and s.outcome == "change"]
    changed = {s.name: s for s in stages}
    assert {"mutating-admission/ServiceAccount", "mutating-admission/Priority"} <= set(changed)
    assert "volumes" not in changed["mutating-admission/ServiceAccount"].before["spec"]


def test_an_unknown_account_is_refused(cluster: Cluster) -> None:
    code, doc = cluster.ask("POST", PODS, pod("x", serviceAccountName="nobody"))
    assert code == 403 and doc["message"] == (
        'pods "x" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found'
    )


def test_priority_classes(cluster: Cluster) -> None:
    code, made = cluster.ask("POST", PODS, pod("critical", priorityClassName="system-cluster-critical"))
    assert code == 201 and made["spec"]["priority"] == 2_000_000_000
    code, doc = cluster.ask("POST", PODS, pod("x", priorityClassName="nope"))
    assert code == 403 and "no PriorityClass with name nope was found" in doc["message"]


def test_limit_ranges_fill_in_and_bound(cluster: Cluster) -> None:
    cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "limited"}})
    cluster.ask("POST", "/api/v1/namespaces/limited/serviceaccounts", {"metadata": {"name": "default"}})
    limits = [{"type": "Container", "default": {"cpu": "200m"}, "defaultRequest": {"cpu": "100m"}, "max": {"cpu": "1"}}]
    assert (
        cluster.ask(
            "POST", "/api/v1/namespaces/limited/limitranges", {"metadata": {"name": "l"}, "spec": {"limits": limits}}
        )[0]
        == 201
    )
    where = "/api/v1/namespaces/limited/pods"
    _, made = cluster.ask("POST", where, pod("small"))
    assert made["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "200m"}, "requests": {"cpu": "100m"}}
    big = pod("big")
    big["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "2"}}
    code, doc = cluster.ask("POST", where, big)
    assert code == 403 and "maximum cpu usage per Container is 1, but limit is 2" in doc["message"]


def test_a_quota_counts_and_refuses(cluster: Cluster) -> None:
    where = "/api/v1/namespaces/kube-public"
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "2"}}}
    cluster.ask("POST", f"{where}/resourcequotas", quota)
    state = {"hard": {"configmaps": "2"}, "used": {"configmaps": "0"}}
    cluster.ask("PATCH", f"{where}/resourcequotas/q/status", {"status": state}, media="application/merge-patch+json")
    numbers = [cluster.send("POST", f"{where}/configmaps", {"metadata": {"name": f"c{n}"}}) for n in range(4)]
    cluster.run(2 * SECOND)
    assert sorted(cluster.answers[n].code for n in numbers) == [201, 201, 403, 403]
    _, doc = cluster.ask("GET", f"{where}/resourcequotas/q")
    assert doc["status"]["used"] == {"configmaps": "2"}
    code, doc = cluster.ask("POST", f"{where}/configmaps", {"metadata": {"name": "c9"}})
    assert code == 403 and doc["message"] == (
        'configmaps "c9" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: configmaps=2'
    )


def test_pod_security_levels(cluster: Cluster) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "safe", "labels": labels}})
    cluster.ask("POST", "/api/v1/namespaces/safe/serviceaccounts", {"metadata": {"name": "default"}})
    where = "/api/v1/namespaces/safe/pods"
    assert cluster.ask("POST", where, pod("fine"))[0] == 201
    bad = pod("bad", hostNetwork=True)
    bad["spec"]["containers"][0]["securityContext"] = {"privileged": True}
    code, doc = cluster.ask("POST", where, bad)
    assert code == 403 and doc["message"] == (
        'pods "bad" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true), '
        'privileged (container "c" must not set securityContext.privileged=true)'
    )


def test_binding_is_done_once(cluster: Cluster) -> None:
    cluster.ask("POST", PODS, pod("bound"))
    binding = {"metadata": {"name": "bound"}, "target": {"kind": "Node", "name": "node-1"}}
    assert cluster.ask("POST", f"{PODS}/bound/binding", binding)[0] == 201
    _, doc = cluster.ask("GET", f"{PODS}/bound")
    assert doc["spec"]["nodeName"] == "node-1" and doc["status"]["conditions"][0]["type"] == "PodScheduled"
    code, doc = cluster.ask("POST", f"{PODS}/bound/binding", binding)
    assert code == 409 and 'pod bound is already assigned to node "node-1"' in doc["message"]


def test_a_kubelet_reads_and_writes_only_its_own(cluster: Cluster) -> None:
    secrets = "/api/v1/namespaces/default/secrets"
    for name in ("used", "other"):
        cluster.ask("POST", secrets, {"metadata": {"name": name}})
    cluster.ask("POST", PODS, pod("user", nodeName="node-1", volumes=[{"name": "v", "secret": {"secretName": "used"}}]))
    assert cluster.ask("GET", f"{secrets}/used", peer=KUBELET)[0] == 200
    code, doc = cluster.ask("GET", f"{secrets}/other", peer=KUBELET)
    assert code == 403 and "no relationship found between node 'node-1' and this object" in doc["message"]
    patch = {"metadata": {"labels": {"a": "b"}}}
    media = "application/merge-patch+json"
    assert cluster.ask("PATCH", "/api/v1/nodes/node-1", patch, peer=KUBELET, media=media)[0] == 200
    code, doc = cluster.ask("PATCH", "/api/v1/nodes/node-2", patch, peer=KUBELET, media=media)
    assert code == 403 and 'node "node-1" is not allowed to modify node "node-2"' in doc["message"]
    taken = {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}
    assert cluster.ask("PATCH", "/api/v1/nodes/node-1", taken, peer=KUBELET, media=media)[0] == 403


def test_a_deleted_pod_is_given_its_grace_period(cluster: Cluster) -> None:
    cluster.ask("POST", PODS, pod("leaving", nodeName="node-1"))
    code, doc = cluster.ask("DELETE", f"{PODS}/leaving")
    assert code == 200 and doc["metadata"]["deletionGracePeriodSeconds"] == 30
    assert cluster.ask("GET", f"{PODS}/leaving")[0] == 200
    assert cluster.ask("DELETE", f"{PODS}/leaving?gracePeriodSeconds=0")[0] == 200
    assert cluster.ask("GET", f"{PODS}/leaving")[0] == 404


def test_a_custom_resource_is_served_and_removed(cluster: Cluster) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}
    crd = {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    assert cluster.ask("POST", crds, crd)[0] == 201
    cluster.run(SECOND)
    where = "/apis/example.com/v1/namespaces/default/widgets"
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}}
    assert cluster.ask("POST", where, widget)[0] == 201
    assert cluster.ask("POST", where, {**widget, "metadata": {"name": "v"}, "spec": {"size": "x"}})[0] == 422
    _, listed = cluster.ask("GET", where)
    assert [item["spec"]["size"] for item in listed["items"]] == [3]
    assert cluster.ask("DELETE", f"{crds}/widgets.example.com")[0] == 200
    cluster.run(SECOND)
    assert cluster.ask("GET", where)[0] == 404
