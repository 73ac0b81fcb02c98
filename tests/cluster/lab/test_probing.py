"""What still works, tried in a copy: true with everything up, true without quorum, of the past too, and without a trace in the cluster."""

import pytest

from cluster.lab import HostOp, Lab, PartitionIn, ProcessOp
from cluster.probing.works import PATIENCE
from cluster.sim.clock import SECOND
from tests.cluster.lab.desk import Desk


@pytest.fixture(scope="module")
def booted() -> bytes:
    desk = Desk.boot(workers=2)
    desk.lab.run_until(desk.lab.now + 5 * SECOND)
    return desk.lab.checkpoint()


@pytest.fixture
def lab(booted) -> Lab:
    return Lab.restore(booted)


def verdicts(lab: Lab) -> dict[str, str]:
    return {line["key"]: line["verdict"] for line in lab.query("works")["lines"]}


ALL = (
    "pods",
    "rules",
    "serializable",
    "linearizable",
    "put",
    "servers",
    "watch",
    "get",
    "cached",
    "apply",
    "schedule",
    "failover",
)


def test_everything_works_and_the_cluster_notices_nothing(lab):
    before, ids, revision = lab.digest(), lab.world.state.ids, lab.objects.revision
    assert verdicts(lab) == dict.fromkeys(ALL, "yes")
    assert (lab.digest(), lab.world.state.ids) == (before, ids)
    assert lab.query("works") == lab.query("works")
    assert "default/clearplane-probe" not in lab.documents()["deployments"]
    assert lab.objects.revision >= revision


def test_a_read_behind_one_that_fails_is_answered_before_patience_ends(lab):
    config = lab.world.state.slots["m1"].config
    assert config.request_timeout * 2 < PATIENCE
    lab.submit(PartitionIn((("cp-1",), ("cp-2",), ("cp-3",))))
    lab.run_until(lab.now + 10 * SECOND)  # apiservers ask all the time
    line = next(line for line in lab.query("works")["lines"] if line["key"] == "linearizable")
    assert line["verdict"] == "no" and "request timed out" in str(line["facts"])


def test_without_a_quorum_only_what_needs_none_works(lab):
    """The reference's table: serializable reads, running Pods, rules and open watches go on; all that writes or agrees does not."""
    for host in ("cp-1", "cp-2"):
        lab.submit(HostOp(host, "stop"))
    lab.run_until(lab.now + 20 * SECOND)
    found = verdicts(lab)
    assert [key for key in ALL if found[key] == "no"] == [
        "linearizable",
        "put",
        "servers",
        "get",
        "apply",
        "schedule",
        "failover",
    ]
    assert found["serializable"] == found["cached"] == found["rules"] == "yes"
    assert (found["pods"], found["watch"]) == ("partly", "partly")


def test_one_host_of_three_costs_nothing_but_its_pods(lab):
    lab.submit(HostOp("cp-1", "stop"))
    lab.run_until(lab.now + 20 * SECOND)
    assert [key for key, verdict in verdicts(lab).items() if verdict != "yes"] == ["pods"]


def test_without_a_scheduler_a_pod_exists_and_has_no_node(lab):
    for host in ("cp-1", "cp-2", "cp-3"):
        lab.submit(ProcessOp(f"kube-scheduler-{host}", "stop"))
    lab.run_until(lab.now + SECOND)
    line = next(line for line in lab.query("works")["lines"] if line["key"] == "schedule")
    assert (line["verdict"], line["why"], line["facts"]["pods"]) == ("no", "unscheduled", 1)


def test_a_stacked_apiserver_is_of_no_use_without_its_own_member(lab):
    """Its host is up and it runs, but it knows no other endpoint: the balancer leaves it out, and its host's neighbours lose their Leases."""
    holders = {row["name"]: row["host"] for row in lab.query("ha")["leases"]}
    host = holders["kube-scheduler"]
    member = f"m{host[-1]}"
    lab.submit(ProcessOp(member, "stop"))
    lab.run_until(lab.now + SECOND)
    line = next(line for line in lab.query("works")["lines"] if line["key"] == "servers")
    assert (line["verdict"], line["facts"]["good"], line["facts"]["asked"]) == ("partly", 2, 3)
    said = next(row for row in line["facts"]["servers"] if row["server"].endswith(host))
    assert said["code"] == 500 and "dial tcp 127.0.0.1:2379: connect: connection refused" in said["said"]
    lab.run_until(lab.now + 44 * SECOND)
    ha = lab.query("ha")
    server = next(row for row in ha["apiservers"] if row["host"] == host)
    assert (server["up"], server["connected"], server["etcd"], server["order"]) == (True, False, member, [member])
    assert [row["name"] for row in ha["backends"] if not row["up"]] == [server["name"]]
    assert all(row["host"] != host and not row["expired"] for row in ha["leases"])
    assert [key for key, verdict in verdicts(lab).items() if verdict != "yes"] == ["servers"]
    lab.submit(ProcessOp(member, "start"))
    lab.run_until(lab.now + 16 * SECOND)
    ha = lab.query("ha")
    assert all(row["connected"] and row["local"] for row in ha["apiservers"]) and all(
        row["up"] for row in ha["backends"]
    )


def test_the_quorum_counts_who_hears_whom(lab):
    quorum = lab.query("ha")["quorum"]
    assert [quorum[what] for what in ("voters", "need", "alive", "have", "mayLose")] == [3, 2, 3, 3, 1]
    assert (
        quorum["hears"] == {"m1": 3, "m2": 3, "m3": 3}
        and quorum["removed"] == []
        and quorum["leader"] in quorum["hears"]
    )
    lab.submit(PartitionIn((("cp-1",), ("cp-2", "cp-3"))))
    quorum = lab.query("ha")["quorum"]
    assert (quorum["alive"], quorum["have"], quorum["mayLose"]) == (3, 2, 0)
    lab.submit(HostOp("cp-2", "stop"))
    assert lab.query("ha")["quorum"]["have"] == 1


def test_a_lease_is_taken_over_when_its_holder_is_gone(lab):
    before = {row["name"]: row for row in lab.query("ha")["leases"]}["kube-scheduler"]
    lab.submit(ProcessOp(before["process"], "stop"))
    lab.run_until(lab.now + 25 * SECOND)
    after = {row["name"]: row for row in lab.query("ha")["leases"]}["kube-scheduler"]
    assert (
        after["host"] != before["host"] and after["transitions"] == before["transitions"] + 1 and not after["expired"]
    )
    assert [row["host"] for row in after["candidates"] if row["leads"]] == [after["host"]]


def test_a_write_costs_a_copy_and_a_disk_write_for_every_member(lab):
    rows = lab.query("write_cost")
    assert [row["members"] for row in rows] == list(range(1, 10))
    assert all(row["copies"] == row["members"] - 1 and row["fsyncs"] >= row["members"] for row in rows)
    assert rows[0]["p50Micros"] < rows[2]["p50Micros"]


def test_certificates_are_one_authoritys_and_the_same_each_time(lab):
    from cryptography import x509

    rows = lab.query("certificates")
    authority = x509.load_pem_x509_certificate(rows[0]["pem"].encode())
    peers = [row for row in rows if row["file"].endswith("peer.crt")]
    assert [row["host"] for row in peers] == ["cp-1", "cp-2", "cp-3"]
    for row in rows:
        x509.load_pem_x509_certificate(row["pem"].encode()).verify_directly_issued_by(authority)
    assert len({row["sha256"] for row in rows}) == len(rows) and rows == lab.query("certificates")
