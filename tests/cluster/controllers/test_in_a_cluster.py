"""Controllers and scheduler in a whole cluster: real apiserver, etcd, kubelets."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

from cluster.sim import SECOND
from tests.cluster.controllers.harness import DEPLOYMENTS, deployment
from tests.cluster.lab.desk import NOBODY, Desk


class Town:
    """A booted cluster of one control-plane host and two workers."""

    def __init__(self, **spec: Any) -> None:
        self.desk = Desk.boot(control_planes=1, workers=2, **spec)
        self.pass_time(5)

    def pass_time(self, seconds: float) -> None:
        self.desk.lab.run_until(self.desk.lab.now + int(seconds * SECOND))

    def get(self, path: str) -> Any:
        code, doc = self.desk.ask("GET", path)
        return doc if code == 200 else None

    def make(self, path: str, doc: Any) -> Any:
        code, made = self.desk.ask("POST", path, doc)
        assert code == 201, made
        return made

    def wait(self, done: Callable[[], Any], seconds: int = 60) -> None:
        self.desk.until(done, seconds * SECOND)

    def ready(self, name: str) -> int:
        return self.get(f"{DEPLOYMENTS}/{name}")["status"].get("readyReplicas", 0)


def test_deployment_service_rollout_and_deletion() -> None:
    town = Town()
    town.make(DEPLOYMENTS, deployment())
    ports = [{"name": "http", "port": 80}]
    service = {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": "web-svc"},
        "spec": {"selector": {"app": "web"}, "ports": ports},
    }
    town.make("/api/v1/namespaces/default/services", service)
    town.wait(lambda: town.ready("web") == 3)
    town.pass_time(1)
    status = town.get(f"{DEPLOYMENTS}/web")["status"]
    assert [c["reason"] for c in status["conditions"]] == ["MinimumReplicasAvailable", "NewReplicaSetAvailable"]
    slices = town.get(
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name=web-svc"
    )
    assert [len(s["endpoints"]) for s in slices["items"]] == [3]
    nodes = {p["spec"]["nodeName"] for p in town.get("/api/v1/namespaces/default/pods")["items"]}
    assert nodes == {"node-1", "node-2"}  # spread, and none on the tainted control-plane host
    changed = deployment(image="nginx:1.26")
    changed["metadata"]["resourceVersion"] = ""
    assert town.desk.ask("PUT", f"{DEPLOYMENTS}/web", changed)[0] == 200
    town.wait(lambda: town.get(f"{DEPLOYMENTS}/web")["status"].get("updatedReplicas") == 3 and town.ready("web") == 3)
    assert town.get(f"{DEPLOYMENTS}/web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert town.desk.ask("DELETE", f"{DEPLOYMENTS}/web")[0] == 200
    town.wait(lambda: not town.get("/api/v1/namespaces/default/pods")["items"], 90)
    assert town.get("/apis/apps/v1/namespaces/default/replicasets")["items"] == []


def test_namespace_goes_with_everything_in_it() -> None:
    town = Town()
    town.make("/api/v1/namespaces", {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "gold"}})
    town.wait(lambda: town.get("/api/v1/namespaces/gold/configmaps/kube-root-ca.crt"))
    town.make("/api/v1/namespaces/gold/secrets", {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}})
    assert town.desk.ask("DELETE", "/api/v1/namespaces/gold")[0] == 200
    town.wait(lambda: town.get("/api/v1/namespaces/gold") is None)


def test_legacy_token_of_the_default_account_is_accepted() -> None:
    town = Town(legacy_service_account_tokens=True)
    account = town.get("/api/v1/namespaces/default/serviceaccounts/default")
    secret = town.get(f"/api/v1/namespaces/default/secrets/{account['secrets'][0]['name']}")
    assert secret["type"] == "kubernetes.io/service-account-token" and sorted(secret["data"]) == [
        "ca.crt",
        "namespace",
        "token",
    ]
    token = b64decode(secret["data"]["token"]).decode()
    code, answer = town.desk.ask("GET", "/api/v1/nodes", peer=NOBODY, headers=(("authorization", f"Bearer {token}"),))
    assert (
        code == 403 and 'User "system:serviceaccount:default:default" cannot list resource "nodes"' in answer["message"]
    )


def test_pod_that_fits_nowhere_says_why_as_kubectl_shows_it() -> None:
    town = Town(register_control_plane=False)
    pod = {
        "kind": "Pod", "apiVersion": "v1", "metadata": {"name": "big"},
        "spec": {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "big", "image": "nginx"}]},
    }  # fmt: skip
    town.make("/api/v1/namespaces/default/pods", pod)
    town.pass_time(1)
    text = (
        "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )
    (event,) = town.get(
        "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=big,reason=FailedScheduling"
    )["items"]
    assert event["message"] == text
    conditions = town.get("/api/v1/namespaces/default/pods/big")["status"]["conditions"]
    assert [(c["type"], c["reason"], c["message"]) for c in conditions] == [("PodScheduled", "Unschedulable", text)]


def test_job_autoscaler_and_volume() -> None:
    town = Town()
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1.36", "command": ["true"]}]}
    job = {
        "kind": "Job",
        "apiVersion": "batch/v1",
        "metadata": {"name": "once"},
        "spec": {"completions": 2, "template": {"spec": pod}},
    }
    town.make("/apis/batch/v1/namespaces/default/jobs", job)
    town.wait(lambda: town.get("/apis/batch/v1/namespaces/default/jobs/once")["status"].get("completionTime"))
    assert town.get("/apis/batch/v1/namespaces/default/jobs/once")["status"]["succeeded"] == 2
    town.make(DEPLOYMENTS, deployment(replicas=1))
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    hpa = {
        "kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2", "metadata": {"name": "h"},
        "spec": {"minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": target, "metrics": [metric]},
    }  # fmt: skip
    town.make("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", hpa)
    town.wait(lambda: town.ready("web") == 2)
    town.pass_time(40)
    status = town.get("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/h")["status"]
    assert [c["reason"] for c in status["conditions"]] == ["SucceededGetScale", "FailedGetResourceMetric"]
    events = town.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=h")["items"]
    assert sorted(e["reason"] for e in events) == [
        "FailedComputeMetricsReplicas",
        "FailedGetResourceMetric",
        "SuccessfulRescale",
    ]
    assert max(e["count"] for e in events) >= 2  # said again, counted, not written again
    storage = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    town.make(
        "/api/v1/persistentvolumes",
        {"kind": "PersistentVolume", "apiVersion": "v1", "metadata": {"name": "v"}, "spec": storage},
    )
    wanted = {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "500Mi"}}}
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    town.make(claims, {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "c"}, "spec": wanted})
    town.wait(lambda: town.get(claims + "/c")["status"]["phase"] == "Bound", 20)
