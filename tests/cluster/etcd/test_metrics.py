"""``/metrics``: each number is one that the simulation can be asked for in another way."""

import pytest

from cluster.etcd.metrics import number
from cluster.wire import etcd as w

from .support import Cluster


def metrics(c: Cluster, member: str) -> dict[str, float]:
    """Sample → value."""
    text = c.ask(member, w.MetricsRequest).text
    rows = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in rows}


def test_a_member_counts_what_happened_to_it() -> None:
    c = Cluster(3, fsync=(3_000_000, 3_000_000))
    leader = c.wait_leader()
    c.run(1)
    before = metrics(c, leader.name)
    for key in range(5):
        c.put(leader.name, b"k%d" % key, bytes(1000))
    after = metrics(c, leader.name)
    raft = leader.state.raft
    assert after["etcd_server_proposals_applied_total"] == raft.log.applied
    assert after["etcd_server_proposals_committed_total"] == raft.log.committed
    fsyncs = "etcd_disk_wal_fsync_duration_seconds"
    writes = after[f"{fsyncs}_count"] - before[f"{fsyncs}_count"]
    assert writes == 5 and after[f"{fsyncs}_sum"] - before[f"{fsyncs}_sum"] == pytest.approx(0.015)
    slow, quick = after[f'{fsyncs}_bucket{{le="0.004"}}'], after[f'{fsyncs}_bucket{{le="0.002"}}']
    assert slow == after[f"{fsyncs}_count"] and quick == 0  # 3 ms each
    follower = next(i for i in raft.voters if i != raft.id)
    sent = f'etcd_network_peer_sent_bytes_total{{To="{follower:x}"}}'
    assert 5_000 < after[sent] - before[sent] < 8_000
    assert after["etcd_debugging_mvcc_keys_total"] == 5
    assert (after["etcd_server_is_leader"], after["etcd_server_has_leader"]) == (1, 1)


def test_a_lost_quorum_is_seen() -> None:
    c = Cluster(3)
    leader = c.wait_leader()
    others = [name for name in ("m1", "m2", "m3") if name != leader.name]
    c.run(1)
    assert metrics(c, others[0])["etcd_server_leader_changes_seen_total"] == 1
    c.world.stop(leader.name)
    c.world.stop(others[1])
    c.run(3)
    alone = metrics(c, others[0])
    assert alone["etcd_server_has_leader"] == 0
    assert not [name for name in alone if name.startswith("etcd_network_active_peers")]
    c.put(others[0], b"k", b"v")
    assert metrics(c, others[0])["etcd_server_proposals_failed_total"] == 1
    c.world.start(leader.name)
    again = c.wait_leader()
    c.run(1)
    assert metrics(c, others[0])["etcd_server_leader_changes_seen_total"] == 2
    assert metrics(c, again.name)["etcd_server_is_leader"] == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (588, "588"), (-1, "-1"), (999_999, "999999"), (1e6, "1e+06"), (6_225_920, "6.22592e+06"), (2_147_483_648, "2.147483648e+09"),
     (0.001, "0.001"), (0.46468503, "0.46468503"), (0.000014, "1.4e-05"), (1_311_171.5, "1.3111715e+06"), (1e21, "1e+21")],
)  # fmt: skip
def test_numbers_are_written_as_go_does(value: float, text: str) -> None:
    assert number(value) == text
