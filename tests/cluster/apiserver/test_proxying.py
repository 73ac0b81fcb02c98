"""``…/proxy``, deletions that meet, and a pod asked to go at once."""

from server_world import SECOND, Cluster

SERVICE = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]}}
PATH = "/api/v1/namespaces/default"


def test_a_service_without_endpoints_is_unavailable() -> None:
    c = Cluster()
    assert c.ask("POST", f"{PATH}/services", SERVICE)[0] == 201
    for name in ("web", "web:80", "http:web:http"):
        for method in ("GET", "POST", "DELETE"):
            code, doc = c.ask(method, f"{PATH}/services/{name}/proxy/some/where")
            assert (code, doc["reason"]) == (503, "ServiceUnavailable")
            assert doc["message"] == 'no endpoints available for service "web"'
    code, doc = c.ask("GET", f"{PATH}/services/web:81/proxy/")
    assert (code, doc["message"]) == (503, 'no service port "81" found for service "web"')
    assert c.ask("GET", f"{PATH}/services/web")[0] == 200


def test_what_is_not_there_and_what_is_not_simulated() -> None:
    c = Cluster()
    assert c.ask("GET", f"{PATH}/services/none/proxy/")[0] == 404
    assert c.ask("GET", "/api/v1/nodes/none/proxy/metrics")[0] == 404
    code, doc = c.ask("GET", f"{PATH}/services/ftp:kubernetes:443/proxy/")
    assert (code, doc["message"]) == (400, 'invalid service request "ftp:kubernetes:443"')
    code, doc = c.ask("GET", f"{PATH}/services/kubernetes/proxy/")
    assert (code, doc["reason"]) == (501, "NotImplemented")
    assert "not simulated" in doc["message"]


def test_collections_deleted_twice_at_once() -> None:
    c = Cluster(members=3, servers=3)
    for n in range(6):
        assert c.ask("POST", f"{PATH}/configmaps", {"metadata": {"name": f"cm-{n}"}})[0] == 201
    numbers = [c.send("DELETE", f"{PATH}/configmaps", server=n) for n in (1, 2, 3)]
    c.run(5 * SECOND)
    assert [c.answers[number].code for number in numbers] == [200, 200, 200]
    assert c.ask("GET", f"{PATH}/configmaps")[1]["items"] == []


def test_a_pod_asked_to_go_at_once() -> None:
    c = Cluster()
    c.ask("POST", f"{PATH}/serviceaccounts", {"metadata": {"name": "default"}})
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert c.ask("POST", f"{PATH}/pods", pod)[0] == 201
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "node-1"}}
    assert c.ask("POST", f"{PATH}/pods/p/binding", binding)[0] == 201
    _, dying = c.ask("DELETE", f"{PATH}/pods/p")
    assert dying["metadata"]["deletionGracePeriodSeconds"] == 30
    code, gone = c.ask("DELETE", f"{PATH}/pods/p?gracePeriodSeconds=0")
    assert (code, gone["metadata"]["deletionGracePeriodSeconds"]) == (200, 0)
    assert gone["metadata"]["deletionTimestamp"] < dying["metadata"]["deletionTimestamp"]
    assert c.ask("GET", f"{PATH}/pods/p")[0] == 404


def test_the_template_of_a_job_keeps_its_null_date() -> None:
    c = Cluster()
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    _, job = c.ask(
        "POST", "/apis/batch/v1/namespaces/default/jobs", {"metadata": {"name": "j"}, "spec": {"template": template}}
    )
    metadata = job["spec"]["template"]["metadata"]
    assert metadata["creationTimestamp"] is None and metadata["labels"]["job-name"] == "j"
