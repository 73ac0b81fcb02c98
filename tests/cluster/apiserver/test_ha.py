"""Several apiservers over several etcd members: failover and agreement."""

from server_world import Cluster

from cluster.sim import MILLISECOND, SECOND

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


def test_who_knows_one_member_only_fails_in_bounded_time_and_comes_back() -> None:
    """Stacked: ``--etcd-servers=https://127.0.0.1:2379``. A write fails at once, a read after the client library's 100 attempts; watches stay."""
    cluster = Cluster(3, 1, 8 * SECOND, stacked=True)
    watch = cluster.send("GET", f"{CM}?watch=1")
    cluster.run(SECOND)
    cluster.world.stop("m1")
    cluster.run(SECOND)
    refused = (
        "rpc error: code = Unavailable desc = connection error: desc = "
        '"transport: Error while dialing: dial tcp 127.0.0.1:2379: connect: connection refused"'
    )
    for method, doc, least, most in (
        ("POST", {"metadata": {"name": "x"}}, 0, SECOND // 10),
        ("GET", None, 2 * SECOND, 3 * SECOND),
    ):
        began = cluster.world.now
        code, answer = cluster.ask(method, CM, doc)
        assert (code, answer["message"], answer.get("reason")) == (500, refused, None)
        assert least <= cluster.world.now - began <= most
    assert cluster.ask("GET", f"{CM}?resourceVersion=0")[0] == 200
    code, text = cluster.ask("GET", "/readyz?verbose")
    assert code == 500 and text.endswith("readyz check failed\n")
    assert "[-]etcd failed: reason withheld\n[-]etcd-readiness failed: reason withheld\n[+]informer-sync ok\n" in text
    assert "[-]etcd failed: reason withheld\n" in cluster.ask("GET", "/livez")[1]
    assert cluster.ask("GET", "/livez/etcd") == (
        500,
        "internal server error: error getting data from etcd: context deadline exceeded\n",
    )
    cluster.world.start("m1")
    cluster.run(14 * SECOND)
    assert cluster.ask("GET", "/readyz")[0] == 200
    assert cluster.ask("POST", CM, {"metadata": {"name": "after"}})[0] == 201
    cluster.run(SECOND)
    assert ("ADDED", "after") in [(kind, doc["metadata"]["name"]) for kind, doc in cluster.events(watch)]


def test_a_write_that_its_member_died_under_has_no_known_outcome() -> None:
    cluster = Cluster(3, 1, 8 * SECOND, stacked=True)
    number = cluster.send("POST", CM, {"metadata": {"name": "x"}})
    cluster.run(2 * MILLISECOND)
    cluster.world.stop("m1")
    cluster.run(SECOND)
    assert cluster.answers[number].code == 500
    assert b"error reading from server: EOF" in cluster.answers[number].body


def test_a_server_that_starts_without_its_member_refuses_connections_until_there_is_one() -> None:
    cluster = Cluster(3, 1, 8 * SECOND, stacked=True)
    for name in ("m1", "kube-apiserver-cp-1"):
        cluster.world.stop(name)
    cluster.world.start("kube-apiserver-cp-1")
    cluster.run(4 * SECOND)
    number = cluster.send("GET", CM)
    cluster.run(SECOND)
    assert [type(message).__name__ for message in cluster.chunks[number]] == ["HttpReset"]
    cluster.world.start("m1")
    cluster.run(20 * SECOND)
    assert cluster.ask("GET", CM)[0] == 200


def test_without_a_quorum_the_check_of_etcd_fails() -> None:
    cluster = Cluster(3, 1, 8 * SECOND, stacked=True)
    cluster.world.stop("m2")
    cluster.world.stop("m3")
    cluster.run(3 * SECOND)
    cluster.ask("GET", "/readyz")
    cluster.run(2 * SECOND)
    assert cluster.ask("GET", "/readyz")[0] == 500
    cluster.world.start("m2")
    cluster.run(12 * SECOND)
    cluster.ask("GET", "/readyz")
    cluster.run(SECOND)
    assert cluster.ask("GET", "/readyz") == (200, "ok")


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
