"""What the conformance suite checks of workloads, disruption budgets and quotas, in our own words."""

from typing import Any

import pytest

from tests.oracles.api_client import Api, eventually

POD_SPEC = {"containers": [{"name": "c", "image": "nginx:1.25"}]}
LABELS = {"app": "x"}


def workload(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    more = {"serviceName": "none"} if kind == "StatefulSet" else {}
    selector: Any = {"matchLabels": LABELS}
    version = "apps/v1"
    if kind == "ReplicationController":
        selector, version = LABELS, "v1"
    template = {"metadata": {"labels": LABELS}, "spec": POD_SPEC}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "labels": LABELS},
        "spec": {"selector": selector, "template": template, **more, **spec},
    }


def path(space: str, kind: str) -> str:
    if kind in ("ReplicationController", "Pod"):
        return f"{space}/{kind.lower()}s"
    group = "batch" if kind in ("Job", "CronJob") else "apps"
    return space.replace("/api/v1", f"/apis/{group}/v1") + f"/{kind.lower()}s"


def pods(api: Api, space: str, **labels: str) -> list[Any]:
    selector = ",".join(f"{k}%3D{v}" for k, v in (labels or LABELS).items())
    return [
        p
        for p in api.get(f"{space}/pods?labelSelector={selector}")["items"]
        if not p["metadata"].get("deletionTimestamp")
    ]


def ready(pod: Any) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions") or ())


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"])
def test_scale(api: Api, space: str, kind: str) -> None:
    where = path(space, kind)
    api.post(where, workload(kind, "x", replicas=1))
    scale = api.get(f"{where}/x/scale")
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 1)
    scale["metadata"].pop("resourceVersion")
    scale["spec"]["replicas"] = 2
    assert api.put(f"{where}/x/scale", scale)["spec"]["replicas"] == 2
    assert api.get(f"{where}/x")["spec"]["replicas"] == 2
    assert api.patch(f"{where}/x/scale", {"spec": {"replicas": 3}})["spec"]["replicas"] == 3
    eventually(lambda: api.get(f"{where}/x/scale")["status"]["replicas"] == 3, "three replicas")
    eventually(lambda: api.get(f"{where}/x")["status"].get("readyReplicas") == 3, "three ready")


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"])
def test_status_is_read_replaced_and_patched(api: Api, space: str, kind: str) -> None:
    where = path(space, kind)
    api.post(where, workload(kind, "x"))
    eventually(lambda: api.get(f"{where}/x")["status"].get("observedGeneration"), "a status")

    def replaced() -> bool:
        doc = api.get(f"{where}/x/status")
        mine = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from e2e test"}
        doc["status"].setdefault("conditions", []).append(mine)
        code, said = api.call("PUT", f"{where}/x/status", doc)
        return code == 200 and any(c["type"] == "StatusUpdate" for c in said["status"]["conditions"])

    eventually(replaced, "the condition")
    patch = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
    patched = api.patch(f"{where}/x/status", patch)
    assert [c["type"] for c in patched["status"]["conditions"]] == ["StatusPatched"]


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController"])
def test_a_collection_is_listed_and_deleted(api: Api, space: str, kind: str) -> None:
    where = path(space, kind)
    api.post(where, workload(kind, "x", **({} if kind == "DaemonSet" else {"replicas": 1})))
    eventually(lambda: pods(api, space) and all(ready(p) for p in pods(api, space)), "ready pods")
    everywhere = where.replace(space.removeprefix("/api/v1"), "")
    assert any(i["metadata"]["name"] == "x" for i in api.get(f"{everywhere}?labelSelector=app%3Dx")["items"])
    api.delete(f"{where}?labelSelector=app%3Dx")
    eventually(lambda: not api.get(where)["items"] and not pods(api, space), "all gone")


@pytest.mark.parametrize("kind", ["ReplicaSet", "ReplicationController", "Job"])
def test_orphans_are_adopted_and_others_released(api: Api, space: str, kind: str) -> None:
    orphan = {"metadata": {"name": "orphan", "labels": LABELS}, "spec": POD_SPEC}
    if kind == "Job":
        doc = {
            "metadata": {"name": "x"},
            "spec": {"parallelism": 1, "completions": 5, "manualSelector": True, "selector": {"matchLabels": LABELS},
                     "template": {"metadata": {"labels": LABELS}, "spec": {**POD_SPEC, "restartPolicy": "Never"}}},
        }  # fmt: skip
        orphan["spec"] = {**POD_SPEC, "restartPolicy": "Never"}
    else:
        doc = workload(kind, "x", replicas=1)
    api.post(f"{space}/pods", orphan)
    api.post(path(space, kind), doc)
    eventually(lambda: api.get(f"{space}/pods/orphan")["metadata"].get("ownerReferences"), "adopted")
    api.patch(f"{space}/pods/orphan", {"metadata": {"labels": {"app": "other"}}})
    eventually(lambda: not api.get(f"{space}/pods/orphan")["metadata"].get("ownerReferences"), "released")
    eventually(lambda: len(pods(api, space)) == 1, "another instead")


def test_deployments_roll_recreate_roll_back_and_forget(api: Api, space: str) -> None:
    where, sets = path(space, "Deployment"), path(space, "ReplicaSet")
    api.post(where, workload("Deployment", "x", replicas=2, revisionHistoryLimit=0, strategy={"type": "Recreate"}))
    eventually(lambda: api.get(f"{where}/x")["status"].get("readyReplicas") == 2, "two ready")
    for image in ("nginx:1.26", "nginx:1.27"):
        container = {"name": "c", "image": image}
        api.patch(f"{where}/x", {"spec": {"template": {"spec": {"containers": [container]}}}}, "strategic")
        eventually(
            lambda image=image: (
                [p["spec"]["containers"][0]["image"] for p in pods(api, space) if ready(p)] == [image] * 2
            ),
            f"two pods of {image}",
        )
    eventually(lambda: len(api.get(sets)["items"]) == 1, "old ReplicaSets are forgotten")


def test_proportional_scaling(api: Api, space: str) -> None:
    where, sets = path(space, "Deployment"), path(space, "ReplicaSet")
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    api.post(where, workload("Deployment", "x", replicas=10, strategy=strategy))
    eventually(lambda: api.get(f"{where}/x")["status"].get("availableReplicas") == 10, "ten available")
    container = {"name": "c", "image": "webserver:doesnotexist"}
    api.patch(f"{where}/x", {"spec": {"template": {"spec": {"containers": [container]}}}}, "strategic")
    eventually(lambda: sorted(s["spec"]["replicas"] for s in api.get(sets)["items"]) == [5, 8], "8 old and 5 new")
    api.patch(f"{where}/x/scale", {"spec": {"replicas": 30}})
    eventually(lambda: sorted(s["spec"]["replicas"] for s in api.get(sets)["items"]) == [13, 20], "20 old and 13 new")


def test_a_quota_surfaces_as_a_failure_of_a_replication_controller(api: Api, space: str) -> None:
    api.post(f"{space}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "2"}}})
    eventually(lambda: api.get(f"{space}/resourcequotas/q").get("status", {}).get("hard"), "a status")
    where = path(space, "ReplicationController")
    api.post(where, workload("ReplicationController", "x", replicas=3))

    def failure() -> list[Any]:
        return [c for c in api.get(f"{where}/x")["status"].get("conditions") or () if c["type"] == "ReplicaFailure"]

    eventually(failure, "ReplicaFailure")
    assert failure()[0]["reason"] == "FailedCreate" and "exceeded quota: q" in failure()[0]["message"]
    api.patch(f"{where}/x", {"spec": {"replicas": 2}})
    eventually(lambda: not failure(), "no failure")


def test_stateful_sets_scale_in_order_and_roll_by_partition(api: Api, space: str) -> None:
    where = path(space, "StatefulSet")
    api.post(where, workload("StatefulSet", "x", replicas=3))
    eventually(lambda: api.get(f"{where}/x")["status"].get("readyReplicas") == 3, "three ready", 40)
    born = sorted((p["metadata"]["creationTimestamp"], p["metadata"]["name"]) for p in pods(api, space))
    assert [name for _, name in born] == ["x-0", "x-1", "x-2"]
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    container = {"name": "c", "image": "nginx:1.27"}
    spec = {"updateStrategy": strategy, "template": {"spec": {"containers": [container]}}}
    api.patch(f"{where}/x", {"spec": spec}, "strategic")

    def images() -> dict[str, str]:
        return {p["metadata"]["name"]: p["spec"]["containers"][0]["image"] for p in pods(api, space) if ready(p)}

    eventually(lambda: images() == {"x-0": "nginx:1.25", "x-1": "nginx:1.25", "x-2": "nginx:1.27"}, "the canary", 40)
    status = api.get(f"{where}/x")["status"]
    assert status["currentRevision"] != status["updateRevision"]
    api.delete(f"{space}/pods/x-2")
    api.delete(f"{space}/pods/x-0")
    eventually(
        lambda: images() == {"x-0": "nginx:1.25", "x-1": "nginx:1.25", "x-2": "nginx:1.27"}, "the same again", 40
    )
    api.patch(f"{where}/x", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    eventually(lambda: set(images().values()) == {"nginx:1.27"} and len(images()) == 3, "all rolled", 40)
    eventually(
        lambda: (s := api.get(f"{where}/x")["status"])["currentRevision"] == s["updateRevision"],
        "the new revision is current",
    )


def test_daemons_run_everywhere_come_back_and_roll(api: Api, space: str) -> None:
    where = path(space, "DaemonSet")
    api.post(where, workload("DaemonSet", "x"))

    def nodes() -> list[str]:
        return sorted(p["spec"].get("nodeName", "") for p in pods(api, space) if ready(p))

    eventually(lambda: nodes() == ["node-1", "node-2"], "one on each node")
    victim = pods(api, space)[0]["metadata"]["name"]
    api.patch(f"{space}/pods/{victim}/status", {"status": {"phase": "Failed"}})
    eventually(lambda: api.gone(f"{space}/pods/{victim}") and len(nodes()) == 2, "the failed one is replaced")
    first = api.get(f"{space.replace('/api/v1', '/apis/apps/v1')}/controllerrevisions")["items"]
    container = {"name": "c", "image": "nginx:1.27"}
    api.patch(f"{where}/x", {"spec": {"template": {"spec": {"containers": [container]}}}}, "strategic")
    eventually(
        lambda: {p["spec"]["containers"][0]["image"] for p in pods(api, space)} == {"nginx:1.27"} and len(nodes()) == 2,
        "both rolled",
    )
    assert len(first) == 1
    assert len(api.get(f"{space.replace('/api/v1', '/apis/apps/v1')}/controllerrevisions")["items"]) == 2


def test_jobs_complete_fail_early_and_count_indexes(api: Api, space: str) -> None:
    where = path(space, "Job")

    def job(name: str, command: list[str], **spec: Any) -> dict[str, Any]:
        container = {"name": "c", "image": "busybox:1.36", "command": command}
        return {"metadata": {"name": name}, "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}, **spec}}  # fmt: skip

    api.post(where, job("indexed", ["true"], completions=3, parallelism=2, completionMode="Indexed"))
    eventually(lambda: api.get(f"{where}/indexed")["status"].get("completedIndexes") == "0-2", "indexes 0-2")
    members = api.get(f"{space}/pods?labelSelector=job-name%3Dindexed")["items"]
    assert sorted(p["spec"]["hostname"] for p in members) == ["indexed-0", "indexed-1", "indexed-2"]
    rule = {"action": "FailJob", "onExitCodes": {"containerName": "c", "operator": "In", "values": [1]}}
    api.post(where, job("early", ["false"], backoffLimit=6, podFailurePolicy={"rules": [rule]}))

    def conditions(name: str) -> dict[str, str]:
        return {c["type"]: c.get("reason", "") for c in api.get(f"{where}/{name}")["status"].get("conditions") or ()}

    eventually(lambda: conditions("early").get("Failed") == "PodFailurePolicy", "the job failed at once")
    api.post(where, job("held", ["true"], suspend=True))
    eventually(lambda: "Suspended" in conditions("held"), "suspended")
    api.patch(f"{where}/held", {"spec": {"suspend": False}})
    eventually(lambda: "Complete" in conditions("held"), "complete")
    patch = {"metadata": {"annotations": {"patched": "true"}}, "status": {"startTime": "2026-01-01T00:00:00Z"}}
    api.post(where, job("status", ["true"], suspend=True))
    assert api.patch(f"{where}/status/status", patch)["metadata"]["annotations"]["patched"] == "true"
    api.delete(f"{where}/indexed", {"propagationPolicy": "Foreground"})
    eventually(lambda: api.gone(f"{where}/indexed"), "the job is gone")
    assert not api.get(f"{space}/pods?labelSelector=job-name%3Dindexed")["items"]


def test_cron_jobs_start_replace_and_forbid(api: Api, space: str) -> None:
    where, jobs = path(space, "CronJob"), path(space, "Job")
    container = {"name": "c", "image": "busybox:1.36", "command": ["sleep", "300"]}
    template = {"spec": {"template": {"spec": {"restartPolicy": "OnFailure", "containers": [container]}}}}
    for policy in ("Allow", "Forbid", "Replace"):
        spec = {"schedule": "*/1 * * * ?", "concurrencyPolicy": policy, "jobTemplate": template}
        api.post(where, {"metadata": {"name": policy.lower()}, "spec": spec})
    api.post(where, {"metadata": {"name": "held"}, "spec": {"schedule": "*/1 * * * ?", "suspend": True, "jobTemplate": template}})  # fmt: skip

    def active(name: str) -> list[str]:
        return [a["name"] for a in api.get(f"{where}/{name}")["status"].get("active") or ()]

    eventually(lambda: len(active("allow")) >= 2, "two at once", 30)
    eventually(lambda: active("replace"), "a job")
    first = active("replace")
    assert len(active("forbid")) == 1 and not active("held")
    eventually(lambda: active("replace") not in ([], first), "another instead", 20)
    assert len(active("replace")) == 1
    api.delete(f"{where}")
    eventually(lambda: not api.get(where)["items"] and not api.get(jobs)["items"], "all gone")


def test_budgets_block_evictions(api: Api, space: str) -> None:
    budgets = space.replace("/api/v1", "/apis/policy/v1") + "/poddisruptionbudgets"
    for name in ("a", "b", "c"):
        api.post(f"{space}/pods", {"metadata": {"name": name, "labels": LABELS}, "spec": POD_SPEC})
    api.post(budgets, {"metadata": {"name": "x", "labels": LABELS}, "spec": {"minAvailable": 3, "selector": {"matchLabels": LABELS}}})  # fmt: skip
    eventually(lambda: api.get(f"{budgets}/x").get("status", {}).get("currentHealthy") == 3, "three healthy")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}}
    code, said = api.call("POST", f"{space}/pods/a/eviction", eviction)
    assert code == 429 and said["message"] == "Cannot evict pod as it would violate the pod's disruption budget."
    assert said["details"]["causes"][0]["reason"] == "DisruptionBudget"
    api.patch(f"{budgets}/x", {"spec": {"minAvailable": 2}})
    eventually(lambda: api.get(f"{budgets}/x")["status"]["disruptionsAllowed"] == 1, "one may go")
    api.post(f"{space}/pods/a/eviction", eviction)
    eventually(lambda: api.gone(f"{space}/pods/a"), "evicted")
    eventually(lambda: api.get(f"{budgets}/x")["status"]["disruptionsAllowed"] == 0, "none may go")
    status = api.patch(f"{budgets}/x/status", {"status": {"disruptedPods": {"b": "2026-01-01T00:00:00Z"}}})["status"]
    assert status["disruptedPods"] == {"b": "2026-01-01T00:00:00Z"}
    api.delete(f"{budgets}?labelSelector=app%3Dx")
    assert not api.get(budgets)["items"]


def test_quotas_count_what_comes_and_goes(api: Api, space: str) -> None:
    quotas = f"{space}/resourcequotas"
    hard = {
        "pods": "3", "cpu": "1", "memory": "500Mi", "services": "2", "services.nodeports": "1", "secrets": "5",
        "configmaps": "4", "count/replicasets.apps": "2", "replicationcontrollers": "2", "services.loadbalancers": "1",
    }  # fmt: skip
    api.post(quotas, {"metadata": {"name": "q"}, "spec": {"hard": hard}})

    def used(name: str = "q") -> Any:
        return api.get(f"{quotas}/{name}").get("status", {}).get("used") or {}

    eventually(lambda: used().get("pods") == "0" and used().get("configmaps") == "1", "counted")
    requests = {"requests": {"cpu": "500m", "memory": "252Mi"}}
    spec = {"containers": [{"name": "c", "image": "nginx", "resources": requests}]}
    api.post(f"{space}/pods", {"metadata": {"name": "a"}, "spec": spec})
    eventually(lambda: (used()["pods"], used()["cpu"], used()["memory"]) == ("1", "500m", "252Mi"), "a pod")
    code, said = api.call("POST", f"{space}/pods", {"metadata": {"name": "b"}, "spec": spec})
    assert code == 403, said
    assert (
        said["message"]
        == 'pods "b" is forbidden: exceeded quota: q, requested: memory=252Mi, used: memory=252Mi, limited: memory=500Mi'
    )
    code, said = api.call("POST", f"{space}/pods", {"metadata": {"name": "b"}, "spec": POD_SPEC})
    assert code == 403 and "failed quota: q: must specify cpu for: c; memory for: c" in said["message"], said
    api.post(f"{space}/services", {"metadata": {"name": "n"}, "spec": {"type": "NodePort", "ports": [{"port": 80}]}})
    code, said = api.call("POST", f"{space}/services", {"metadata": {"name": "l"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}})  # fmt: skip
    assert code == 403 and "services.nodeports=1" in said["message"], said
    for kind, plural in (("ConfigMap", "configmaps"), ("Secret", "secrets")):
        before = int(used()[plural])
        api.post(f"{space}/{plural}", {"apiVersion": "v1", "kind": kind, "metadata": {"name": "one"}})
        eventually(lambda plural=plural, before=before: int(used()[plural]) == before + 1, f"one of {plural} more")
        api.delete(f"{space}/{plural}/one")
        eventually(lambda plural=plural, before=before: int(used()[plural]) == before, f"one of {plural} less")
    api.post(path(space, "ReplicaSet"), workload("ReplicaSet", "r", replicas=0))
    api.post(path(space, "ReplicationController"), workload("ReplicationController", "r", replicas=0))
    eventually(lambda: (used()["count/replicasets.apps"], used()["replicationcontrollers"]) == ("1", "1"), "two sets")
    api.delete(f"{space}/pods/a", {"gracePeriodSeconds": 0})
    eventually(lambda: used()["pods"] == "0" and used()["cpu"] == "0", "the pod is given back")
    api.put(f"{quotas}/q", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}})
    eventually(lambda: used() == {"pods": "0"}, "the new list")
    status = {"status": {"hard": {"pods": "7"}}}
    assert api.patch(f"{quotas}/q/status", status)["status"]["hard"]["pods"] == "7"


def test_quota_scopes(api: Api, space: str) -> None:
    quotas = f"{space}/resourcequotas"
    for name, scope in (
        ("best", "BestEffort"),
        ("not-best", "NotBestEffort"),
        ("ending", "Terminating"),
        ("long", "NotTerminating"),
    ):
        api.post(quotas, {"metadata": {"name": name}, "spec": {"hard": {"pods": "5"}, "scopes": [scope]}})

    def used() -> dict[str, str]:
        return {
            q["metadata"]["name"]: (q.get("status", {}).get("used") or {}).get("pods") for q in api.get(quotas)["items"]
        }

    eventually(lambda: set(used().values()) == {"0"}, "counted")
    api.post(f"{space}/pods", {"metadata": {"name": "a"}, "spec": POD_SPEC})
    eventually(lambda: used() == {"best": "1", "not-best": "0", "ending": "0", "long": "1"}, "a best-effort pod")
    requests = {"requests": {"cpu": "100m"}}
    spec = {"containers": [{"name": "c", "image": "nginx", "resources": requests}], "activeDeadlineSeconds": 3600}
    api.post(f"{space}/pods", {"metadata": {"name": "b"}, "spec": spec})
    eventually(lambda: used() == {"best": "1", "not-best": "1", "ending": "1", "long": "1"}, "a pod that will end")
