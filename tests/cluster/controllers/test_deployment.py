"""Deployments and ReplicaSets, from create to rollback."""

from cluster.controllers.lib.meta import condition
from tests.cluster.controllers.harness import DEPLOYMENTS, Bench, deployment


def bench() -> Bench:
    b = Bench()
    b.namespace()
    return b.start()


def test_create_makes_a_replica_set_and_pods() -> None:
    b = bench()
    cause = b.do("POST", DEPLOYMENTS, deployment())
    b.settle()
    d = b.get(DEPLOYMENTS + "/web")
    (rs,) = b.all("replicasets")
    assert rs["metadata"]["name"].startswith("web-")
    assert rs["metadata"]["annotations"] == {
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
        "deployment.kubernetes.io/revision": "1",
    }
    assert len(b.all("pods")) == 3
    assert all(p["metadata"]["generateName"] == rs["metadata"]["name"] + "-" for p in b.all("pods"))
    assert d["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    assert {k: v for k, v in d["status"].items() if k != "conditions"} == {
        "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
    }  # fmt: skip
    assert [(c["type"], c["reason"], c["message"]) for c in d["status"]["conditions"]] == [
        ("Available", "MinimumReplicasAvailable", "Deployment has minimum availability."),
        (
            "Progressing",
            "NewReplicaSetAvailable",
            f'ReplicaSet "{rs["metadata"]["name"]}" has successfully progressed.',
        ),
    ]
    assert b.events("ScalingReplicaSet") == [f"Scaled up replica set {rs['metadata']['name']} from 0 to 3"]
    assert len(b.events("SuccessfulCreate")) == 3
    (made,) = b.requests("POST", "/replicasets")
    assert made[0] == cause  # the ReplicaSet descends from the user's request
    assert made[4] == "system:serviceaccount:kube-system:deployment-controller"


def test_rolling_update_never_breaks_its_bounds_and_rolls_back() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment(replicas=4))
    b.settle()
    b.do(
        "PATCH",
        DEPLOYMENTS + "/web",
        {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.26"}]}}}},
        wait=0,
    )
    for _ in range(40):
        b.run(0.1)
        pods = b.all("pods")
        ready = [p for p in pods if p.get("status", {}).get("phase") == "Running"]
        assert len(pods) <= 5
        assert len(ready) >= 3
        b.run_pods()
    sizes = sorted(
        (rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"], rs["spec"]["replicas"])
        for rs in b.all("replicasets")
    )
    assert sizes == [("1", 0), ("2", 4)]
    assert {p["spec"]["containers"][0]["image"] for p in b.all("pods")} == {"nginx:1.26"}
    b.do(
        "PATCH",
        DEPLOYMENTS + "/web",
        {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]}}}},
    )
    b.settle(12)
    annotations = [rs["metadata"]["annotations"] for rs in b.all("replicasets")]
    assert sorted(a["deployment.kubernetes.io/revision"] for a in annotations) == ["2", "3"]
    assert [a.get("deployment.kubernetes.io/revision-history") for a in annotations].count("1") == 1
    assert b.get(DEPLOYMENTS + "/web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_scale_down_deletes_and_up_creates() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment(replicas=5))
    b.settle()
    b.do("PATCH", DEPLOYMENTS + "/web", {"spec": {"replicas": 2}})
    b.settle(2)
    assert len(b.all("pods")) == 2
    assert len(b.events("SuccessfulDelete")) == 3
    b.do("PATCH", DEPLOYMENTS + "/web", {"spec": {"replicas": 3}})
    b.settle(2)
    assert len(b.all("pods")) == 3
    name = b.all("replicasets")[0]["metadata"]["name"]
    assert b.events("ScalingReplicaSet")[1:] == [
        f"Scaled down replica set {name} from 5 to 2", f"Scaled up replica set {name} from 2 to 3",
    ]  # fmt: skip


def test_recreate_waits_until_the_old_pods_are_gone() -> None:
    b = bench()
    doc = deployment()
    doc["spec"]["strategy"] = {"type": "Recreate"}
    b.do("POST", DEPLOYMENTS, doc)
    b.settle()
    b.do(
        "PATCH",
        DEPLOYMENTS + "/web",
        {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:2"}]}}}},
    )
    b.settle()
    assert {p["spec"]["containers"][0]["image"] for p in b.all("pods")} == {"nginx:2"}
    assert len(b.all("pods")) == 3


def test_pause_and_resume() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment())
    b.settle()
    b.do("PATCH", DEPLOYMENTS + "/web", {"spec": {"paused": True}})
    b.do(
        "PATCH",
        DEPLOYMENTS + "/web",
        {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:2"}]}}}},
    )
    b.settle(2)
    assert len(b.all("replicasets")) == 1
    known = condition(b.get(DEPLOYMENTS + "/web")["status"], "Progressing")
    assert known is not None and (known["reason"], known["message"]) == ("DeploymentPaused", "Deployment is paused")
    b.do("PATCH", DEPLOYMENTS + "/web", {"spec": {"paused": False}})
    b.settle(8)
    assert len(b.all("replicasets")) == 2


def test_deadline_passes_without_any_event() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment(progressDeadlineSeconds=60))
    b.run(30)
    assert condition(b.get(DEPLOYMENTS + "/web")["status"], "Progressing")["status"] == "True"
    b.run(90)
    known = condition(b.get(DEPLOYMENTS + "/web")["status"], "Progressing")
    assert (known["status"], known["reason"]) == ("False", "ProgressDeadlineExceeded")


def test_deleted_pod_is_replaced_by_its_replica_set() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment())
    b.settle()
    name = b.all("pods")[0]["metadata"]["name"]
    cause = b.do("DELETE", f"/api/v1/namespaces/default/pods/{name}")
    b.settle(2)
    names = [p["metadata"]["name"] for p in b.all("pods")]
    assert len(names) == 3 and name not in names
    assert b.requests("POST", "/namespaces/default/pods")[-1][0] == cause


def test_refused_creations_are_retried_with_pauses_and_said() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment(replicas=0))
    b.settle(1)
    before = len(b.api.log)
    b.api.refuse = 0
    state = b.api

    class Refusing(type(b.world.actors["api"])):  # type: ignore[misc]
        def create(self, r, collection, plural, now, out):  # type: ignore[no-untyped-def]
            if plural == "pods":
                return 403, {"kind": "Status", "reason": "Forbidden", "message": "pods is forbidden: exceeded quota"}
            return super().create(r, collection, plural, now, out)

    old = b.world.actors["api"]
    b.world.actors["api"] = Refusing(old.name, old.config, state)
    b.do("PATCH", DEPLOYMENTS + "/web", {"spec": {"replicas": 3}})
    b.run(10)
    tried = [e for e in b.api.log[before:] if e[1] == "POST" and e[2].endswith("/pods")]
    assert 5 < len(tried) < 15  # one per attempt, attempts at growing distances
    (rs,) = b.all("replicasets")
    known = condition(rs["status"], "ReplicaFailure")
    assert known is not None and known["message"] == "pods is forbidden: exceeded quota"
    assert b.events("FailedCreate")[0] == "Error creating: pods is forbidden: exceeded quota"
    b.world.actors["api"] = type(old)(old.name, old.config, state)
    b.run(60)
    assert len(b.all("pods")) == 3
    assert condition(b.all("replicasets")[0]["status"], "ReplicaFailure") is None


def test_hundred_pods_take_as_long_as_the_client_limit_says() -> None:
    b = bench()
    b.do("POST", DEPLOYMENTS, deployment(replicas=100), wait=0)
    b.run(3)
    assert len(b.all("pods")) < 100
    b.run(1.5)
    assert len(b.all("pods")) == 100
