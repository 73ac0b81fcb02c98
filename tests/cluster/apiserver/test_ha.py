"""Several apiservers over several etcd members: failover and agreement."""

from server_world import Cluster

from cluster.sim import SECOND

CM = "/api/v1/namespaces/default/configmaps"


def test_a_write_through_one_server_is_seen_through_another_at_once() -> None:
    cluster = Cluster(3, 3, 8 * SECOND)
    for turn in range(6):
        assert cluster.ask("POST", CM, {"metadata": {"name": f"x-{turn}"}}, server=1 + turn % 3)[0] == 201
        _code, listed = cluster.ask("GET", CM, server=1 + (turn + 1) % 3)
        assert f"x-{turn}" in [item["metadata"]["name"] for item in listed["items"]]
    _, doc = cluster.ask("GET", "/api/v1/namespaces/default/endpoints/kubernetes")
    assert [a["ip"] for a in doc["subsets"][0]["addresses"]] == ["172.18.0.2", "172.18.0.3", "172.18.0.4"]


def test_the_death_of_the_own_member_is_survived() -> None:
    cluster = Cluster(3, 1, 8 * SECOND)
    watch = cluster.send("GET", f"{CM}?watch=1")
    cluster.run(SECOND)
    cluster.world.stop("m1")
    cluster.run(5 * SECOND)
    assert cluster.ask("POST", CM, {"metadata": {"name": "after"}})[0] == 201
    cluster.run(SECOND)
    assert ("ADDED", "after") in [(kind, doc["metadata"]["name"]) for kind, doc in cluster.events(watch)]


def test_without_quorum_reads_of_any_version_still_work() -> None:
    cluster = Cluster(3, 1, 8 * SECOND)
    cluster.ask("POST", CM, {"metadata": {"name": "kept"}})
    cluster.world.stop("m2")
    cluster.world.stop("m3")
    cluster.run(3 * SECOND)
    code, doc = cluster.ask("GET", f"{CM}?resourceVersion=0")
    assert code == 200 and "kept" in [item["metadata"]["name"] for item in doc["items"]]
    code, doc = cluster.ask("POST", CM, {"metadata": {"name": "lost"}})
    assert code in (500, 504) and doc["status"] == "Failure"


def test_a_dead_apiserver_leaves_the_endpoints() -> None:
    cluster = Cluster(1, 2, 8 * SECOND)
    cluster.world.stop("kube-apiserver-cp-2")
    cluster.run(40 * SECOND)
    _, doc = cluster.ask("GET", "/api/v1/namespaces/default/endpoints/kubernetes")
    assert [a["ip"] for a in doc["subsets"][0]["addresses"]] == ["172.18.0.2"]


def test_no_event_is_lost_while_the_member_changes() -> None:
    cluster = Cluster(3, 2, 8 * SECOND)
    _, listed = cluster.ask("GET", CM)
    version = listed["metadata"]["resourceVersion"]
    watch = cluster.send("GET", f"{CM}?watch=1&resourceVersion={version}")
    cluster.run(SECOND)
    cluster.world.stop("m1")
    names = []
    for turn in range(40):  # written through the other server, while the first one has no watch of its own
        names.append(f"n-{turn:02}")
        cluster.send("POST", CM, {"metadata": {"name": names[-1]}}, server=2)
        cluster.send("GET", CM)
        cluster.run(SECOND // 20)
    cluster.run(20 * SECOND)
    _, listed = cluster.ask("GET", CM)
    stored = [item["metadata"]["name"] for item in listed["items"] if item["metadata"]["name"].startswith("n-")]
    told = [doc["metadata"]["name"] for kind, doc in cluster.events(watch) if kind == "ADDED"]
    assert len(stored) >= 20 and [name for name in told if name.startswith("n-")] == sorted(stored)
