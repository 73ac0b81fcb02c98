"""Jobs, CronJobs, StatefulSets, quotas and budgets."""

from itertools import pairwise
from typing import Any

from cluster.controllers.lib.pod_failure import action_of
from tests.cluster.controllers.harness import DEPLOYMENTS, Bench, deployment

JOBS = "/apis/batch/v1/namespaces/default/jobs"
CRONJOBS = "/apis/batch/v1/namespaces/default/cronjobs"
STATEFULSETS = "/apis/apps/v1/namespaces/default/statefulsets"
PODS = "/api/v1/namespaces/default/pods"


def bench() -> Bench:
    b = Bench()
    b.namespace()
    return b.start()


def template(**labels: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": labels},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]},
    }


def job(name: str = "once", **spec: Any) -> dict[str, Any]:
    spec = {"parallelism": 1, "completions": 1, "backoffLimit": 6, **spec}
    return {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "metadata": {"name": name},
        "spec": {"template": template(job=name), **spec},
    }


def finish(b: Bench, phase: str = "Succeeded") -> None:
    for pod in b.all("pods"):
        if pod.get("status", {}).get("phase") not in ("Succeeded", "Failed"):
            path = f"{PODS}/{pod['metadata']['name']}"
            ready = {"type": "Ready", "status": "False", "lastTransitionTime": b.stamp()}
            b.do("PATCH", path + "/status", {"status": {"phase": phase, "conditions": [ready]}}, wait=0)
    b.run(1)


def conditions(b: Bench, name: str = "once") -> dict[str, Any]:
    return {c["type"]: c for c in b.get(f"{JOBS}/{name}")["status"].get("conditions", ())}


def test_job_counts_each_pod_once_and_completes() -> None:
    b = bench()
    b.do("POST", JOBS, job(parallelism=2, completions=3))
    assert len(b.all("pods")) == 2
    assert all("batch.kubernetes.io/job-tracking" in p["metadata"]["finalizers"] for p in b.all("pods"))
    finish(b)
    assert len(b.all("pods")) == 3
    finish(b)
    status = b.get(JOBS + "/once")["status"]
    assert status["succeeded"] == 3 and "active" not in status and status["completionTime"]
    assert conditions(b)["Complete"]["message"] == "Reached expected number of succeeded pods"
    assert conditions(b)["SuccessCriteriaMet"]["reason"] == "CompletionsReached"
    assert not any(p["metadata"].get("finalizers") for p in b.all("pods"))
    assert b.events("Completed") == ["Job completed"]


def test_job_fails_after_its_backoff_limit_with_growing_pauses() -> None:
    b = bench()
    b.do("POST", JOBS, job(backoffLimit=2))
    made = [b.world.now]
    while "Failed" not in conditions(b):
        count = len(b.all("pods"))
        finish(b, "Failed")
        while len(b.all("pods")) == count and "Failed" not in conditions(b):
            b.run(1)
        made.append(b.world.now)
        assert b.world.now < 200_000_000_000
    assert b.get(JOBS + "/once")["status"]["failed"] == 3
    assert conditions(b)["Failed"]["reason"] == "BackoffLimitExceeded"
    gaps = [(y - x) // 1_000_000_000 for x, y in pairwise(made)]
    assert 9 <= gaps[0] <= 13 and 19 <= gaps[1] <= 23


def test_indexed_job_numbers_its_pods() -> None:
    b = bench()
    b.do("POST", JOBS, job(parallelism=3, completions=3, completionMode="Indexed"))
    assert sorted(p["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for p in b.all("pods")) == [
        "0",
        "1",
        "2",
    ]
    finish(b)
    assert b.get(JOBS + "/once")["status"]["completedIndexes"] == "0-2"


def test_suspended_job_has_no_pods_until_it_is_resumed() -> None:
    b = bench()
    b.do("POST", JOBS, job(suspend=True))
    assert b.all("pods") == [] and b.events("Suspended") == ["Job suspended"]
    assert conditions(b)["Suspended"]["reason"] == "JobSuspended"
    b.do("PATCH", JOBS + "/once", {"spec": {"suspend": False}})
    assert len(b.all("pods")) == 1 and conditions(b)["Suspended"]["status"] == "False"


def test_finished_job_goes_after_its_ttl() -> None:
    b = bench()
    b.do("POST", JOBS, job(ttlSecondsAfterFinished=30))
    finish(b)
    b.run(20)
    assert b.get(JOBS + "/once") is not None
    b.run(20)
    assert b.get(JOBS + "/once") is None and b.all("pods") == []


def test_cronjob_starts_one_job_a_minute_and_keeps_three() -> None:
    b = bench()
    spec = {"schedule": "* * * * *", "successfulJobsHistoryLimit": 3, "jobTemplate": {"spec": job()["spec"]}}
    b.do("POST", CRONJOBS, {"kind": "CronJob", "apiVersion": "batch/v1", "metadata": {"name": "tick"}, "spec": spec})
    names: set[str] = set()
    for _ in range(6):
        b.run(60)
        finish(b)
        names |= {j["metadata"]["name"] for j in b.all("jobs")}
    b.run(5)
    assert len(names) == 6
    assert len(b.all("jobs")) == 3
    assert b.get(CRONJOBS + "/tick")["status"]["lastScheduleTime"].endswith(":00Z")


def test_statefulset_goes_in_order_up_and_down_and_updates_from_the_top() -> None:
    b = bench()
    spec = {"replicas": 3, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}}, "template": template(app="db"),
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]}  # fmt: skip
    b.do(
        "POST",
        STATEFULSETS,
        {"kind": "StatefulSet", "apiVersion": "apps/v1", "metadata": {"name": "db"}, "spec": spec},
        wait=3,
    )
    seen = [sorted(p["metadata"]["name"] for p in b.all("pods"))]
    for _ in range(3):
        b.settle(1)
        b.run(1)
        seen.append(sorted(p["metadata"]["name"] for p in b.all("pods")))
    assert seen[0] == ["db-0"] and seen[1] == ["db-0", "db-1"] and seen[2] == ["db-0", "db-1", "db-2"]
    b.settle(2)
    status = b.get(STATEFULSETS + "/db")["status"]
    assert (status["replicas"], status["readyReplicas"], status["updatedReplicas"]) == (3, 3, 3)
    assert sorted(c["metadata"]["name"] for c in b.all("persistentvolumeclaims")) == [
        "data-db-0",
        "data-db-1",
        "data-db-2",
    ]
    b.do(
        "PATCH",
        STATEFULSETS + "/db",
        {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "busybox:2"}]}}}},
        wait=0,
    )
    order: list[str] = []
    for _ in range(60):
        b.run(0.2)
        b.run_pods()
        for pod in b.all("pods"):
            if pod["spec"]["containers"][0]["image"] == "busybox:2" and pod["metadata"]["name"] not in order:
                order.append(pod["metadata"]["name"])
    assert order == ["db-2", "db-1", "db-0"]
    b.do("PATCH", STATEFULSETS + "/db", {"spec": {"replicas": 1}})
    b.settle(3)
    assert [p["metadata"]["name"] for p in b.all("pods")] == ["db-0"]


def test_quota_counts_again_when_something_goes() -> None:
    b = bench()
    quotas, maps = "/api/v1/namespaces/default/resourcequotas", "/api/v1/namespaces/default/configmaps"
    b.do("POST", maps, {"kind": "ConfigMap", "metadata": {"name": "a"}})
    b.do(
        "POST",
        quotas,
        {"kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "10", "pods": "1"}}},
    )
    assert b.get(quotas + "/q")["status"] == {
        "hard": {"configmaps": "10", "pods": "1"},
        "used": {"configmaps": "2", "pods": "0"},
    }
    b.do("DELETE", maps + "/a")
    assert b.get(quotas + "/q")["status"]["used"]["configmaps"] == "1"


def test_budget_allows_what_is_left_over() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment(replicas=3))
    b.settle(2)
    path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    selector = {"matchLabels": {"app": "web"}}
    b.do(
        "POST",
        path,
        {"kind": "PodDisruptionBudget", "metadata": {"name": "two"}, "spec": {"minAvailable": 2, "selector": selector}},
    )
    b.do(
        "POST",
        path,
        {
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "half"},
            "spec": {"maxUnavailable": "50%", "selector": selector},
        },
    )
    two, half = b.get(path + "/two")["status"], b.get(path + "/half")["status"]
    assert (two["disruptionsAllowed"], two["currentHealthy"], two["desiredHealthy"], two["expectedPods"]) == (
        1,
        3,
        2,
        3,
    )
    assert (half["disruptionsAllowed"], half["desiredHealthy"]) == (2, 1)
    assert two["conditions"][0]["reason"] == "SufficientPods"


def test_aggregated_role_follows_its_parts() -> None:
    b = bench()
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    whole = {
        "kind": "ClusterRole",
        "metadata": {"name": "view"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "view"}}]},
    }
    b.do("POST", path, whole)
    b.do("POST", path, {"kind": "ClusterRole", "metadata": {"name": "part", "labels": {"to": "view"}}, "rules": [rule]})
    assert b.get(path + "/view")["rules"] == [rule]
    b.do("DELETE", path + "/part")
    assert not b.get(path + "/view")["rules"]


def test_pods_of_a_deleted_node_are_garbage() -> None:
    b = bench()
    b.do("POST", "/api/v1/nodes", {"kind": "Node", "metadata": {"name": "node-1"}, "spec": {}})
    b.do("POST", PODS, {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"nodeName": "node-1", "containers": []}})
    b.do("DELETE", "/api/v1/nodes/node-1")
    b.run(30)
    assert b.get(PODS + "/p") is not None
    b.run(15)
    assert b.get(PODS + "/p") is None


def test_replication_controller_keeps_its_number_and_lets_go_of_relabelled_pods() -> None:
    b = bench()
    path = "/api/v1/namespaces/default/replicationcontrollers"
    spec = {"replicas": 2, "selector": {"app": "rc"}, "template": template(app="rc")}
    b.do("POST", path, {"kind": "ReplicationController", "metadata": {"name": "rc"}, "spec": spec})
    assert len(b.all("pods")) == 2
    name = b.all("pods")[0]["metadata"]["name"]
    b.do("PATCH", f"{PODS}/{name}", {"metadata": {"labels": {"app": "free"}}})
    assert "ownerReferences" not in b.get(f"{PODS}/{name}")["metadata"]
    assert len(b.all("pods")) == 3 and b.get(path + "/rc")["status"]["replicas"] == 2
    b.do("PATCH", f"{PODS}/{name}", {"metadata": {"labels": {"app": "rc"}}})  # adopted again, so one is too many
    assert len(b.all("pods")) == 2


def test_claim_takes_the_smallest_volume_that_will_do() -> None:
    b = bench()
    volumes, claims = "/api/v1/persistentvolumes", "/api/v1/namespaces/default/persistentvolumeclaims"
    for name, size in (("big", "10Gi"), ("small", "2Gi"), ("tiny", "100Mi")):
        spec = {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
        }
        b.do("POST", volumes, {"kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
    assert b.get(volumes + "/big")["status"]["phase"] == "Available"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    b.do("POST", claims, {"kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec})
    claim = b.get(claims + "/data")
    assert claim["spec"]["volumeName"] == "small" and claim["status"]["phase"] == "Bound"
    assert claim["status"]["capacity"] == {"storage": "2Gi"} and b.get(volumes + "/small")["status"]["phase"] == "Bound"
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    b.do("POST", claims, {"kind": "PersistentVolumeClaim", "metadata": {"name": "none"}, "spec": spec})
    assert b.events("FailedBinding") == ["no persistent volumes available for this claim and no storage class is set"]
    b.do("DELETE", claims + "/data")
    assert b.get(volumes + "/small")["status"]["phase"] == "Released"


def test_pod_failure_policy_names_the_first_rule_that_matches() -> None:
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"containerName": "c", "operator": "In", "values": [1, 42]}},
        {"action": "Ignore", "onExitCodes": {"operator": "NotIn", "values": [3]}},
    ]

    def action(code: int, *conditions: dict[str, str], name: str = "c") -> tuple[str, str]:
        ended = [{"name": name, "state": {"terminated": {"exitCode": code}}}]
        status = {"phase": "Failed", "containerStatuses": ended, "conditions": list(conditions)}
        return action_of({"rules": rules}, {"metadata": {"namespace": "default", "name": "p"}, "status": status})

    why = "Container c for pod default/p failed with exit code 42 matching FailJob rule at index 1"
    assert action(42) == ("FailJob", why)
    assert action(42, {"type": "DisruptionTarget", "status": "True"})[0] == "Ignore"
    assert action(42, name="other")[0] == "Ignore" and action(3) == ("Count", "")
    assert action_of(None, {"metadata": {}, "status": {}}) == ("Count", "")


def test_a_job_fails_early_by_its_policy_and_ignores_disrupted_pods() -> None:
    b = bench()
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [1]}},
    ]
    b.do("POST", JOBS, job(backoffLimit=0, podFailurePolicy={"rules": rules}))
    fail(b, conditions=[{"type": "DisruptionTarget", "status": "True"}])
    assert conditions(b) == {} and "failed" not in b.get(JOBS + "/once")["status"], "that failure does not count"
    b.run(20)
    fail(b)
    b.run(5)
    assert conditions(b)["Failed"]["reason"] == "PodFailurePolicy"


def fail(b: Bench, **status: Any) -> None:
    (pod,) = [p for p in b.all("pods") if (p.get("status") or {}).get("phase") != "Failed"]
    ended = [{"name": "c", "state": {"terminated": {"exitCode": 1, "finishedAt": b.stamp()}}}]
    where = f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}"
    b.do("PUT", f"{where}/status", {**pod, "status": {"phase": "Failed", "containerStatuses": ended, **status}})
    b.run(2)


def test_a_job_adopts_what_it_selects_and_lets_go_of_what_it_does_not() -> None:
    b = bench()
    pods = "/api/v1/namespaces/default/pods"
    b.do(
        "POST",
        pods,
        {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "orphan", "labels": {"a": "b"}}, "spec": {}},
    )
    doc = job(selector={"matchLabels": {"a": "b"}}, manualSelector=True)
    doc["spec"]["template"]["metadata"] = {"labels": {"a": "b"}}
    b.do("POST", JOBS, doc)
    b.run(3)
    meta = b.get(pods + "/orphan")["metadata"]
    assert meta["ownerReferences"][0]["kind"] == "Job" and meta["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    assert len(b.all("pods")) == 1
    b.do("PUT", pods + "/orphan", {**b.get(pods + "/orphan"), "metadata": {**meta, "labels": {"a": "c"}}})
    b.run(3)
    meta = b.get(pods + "/orphan")["metadata"]
    assert not meta.get("ownerReferences") and not meta.get("finalizers")
    assert len(b.all("pods")) == 2
