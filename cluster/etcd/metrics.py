"""``GET /metrics`` of a member, in Prometheus' text format: what it counted itself since its process began.

In: a member's state. Out: text, families by name as Go's client library writes them. Everything is measured in the simulation: the times of ``wal_fsync`` are
those its disk took; a message to a peer counts the bytes that raftpb would need for it (all fields, ids as varints) and the 8 of its frame.

Simplified here: the families that an operator looks at, and none whose facts do not exist here: there is no bbolt file (no ``backend_commit``), no prober between
peers (no ``round_trip_time``), no Go runtime. Upstream: server/etcdserver/metrics.go, server/storage/wal/metrics.go, api/rafthttp/metrics.go.
"""

from cluster.etcd.counts import FSYNC_BUCKETS, Counts
from cluster.etcd.state import VERSION, MemberConfig, MemberState
from cluster.sim.clock import SECOND

Labels = tuple[tuple[str, str], ...]
Family = tuple[str, str, str, list[tuple[str, Labels, float]]]
"""(name, help, type, samples): a sample is a suffix of the name, labels and the value."""


def exposition(config: MemberConfig, s: MemberState, now: int) -> str:
    """The page."""
    lines: list[str] = []
    for name, text, kind, samples in sorted(_families(config, s, now)):
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        for suffix, labels, value in samples:
            shown = ",".join(f'{key}="{said}"' for key, said in labels)
            lines.append(f"{name}{suffix}{'{' + shown + '}' if shown else ''} {number(value)}")
    return "\n".join(lines) + "\n"


def _families(config: MemberConfig, s: MemberState, now: int) -> list[Family]:
    r, store, counts = s.raft, s.app.store, s.counts
    waiting = sum(len(pending.request) > 1 and not pending.parked for pending in s.pending.values())
    found: list[Family] = [
        ("etcd_cluster_version", "Which version is running. 1 for 'cluster_version' label with current cluster version",
         "gauge", [("", (("cluster_version", s.app.version.rpartition(".")[0]),), 1)] if s.app.version else []),
        _gauge("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.", store.compacted),
        _gauge("etcd_debugging_mvcc_current_revision", "The current revision of store.", store.revision),
        _gauge("etcd_debugging_mvcc_keys_total", "Total number of keys.", len(store.keys)),
        _gauge("etcd_debugging_mvcc_watcher_total", "Total number of watchers.", len(s.hub.watchers)),
        _fsyncs(counts),
        _gauge("etcd_mvcc_db_total_size_in_bytes", "Total size of the underlying database physically allocated in bytes.", store.size),
        _gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Total size of the underlying database logically in use in bytes.", store.in_use),
        _peers("etcd_network_active_peers", "The current number of active peer connections.", "gauge", [
            ("", (("Local", f"{config.id:x}"), ("Remote", f"{member:x}")), 1)
            for member, peer in s.peers.items() if (peer.since >= 0 and now - peer.last <= 5 * SECOND) or _silent(s, member)]),
        _peers("etcd_network_peer_received_bytes_total", "The total number of bytes received from peers.", "counter",
               [("", (("From", f"{member:x}"),), size) for member, size in counts.received.items()]),
        _peers("etcd_network_peer_sent_bytes_total", "The total number of bytes sent to peers.", "counter",
               [("", (("To", f"{member:x}"),), size) for member, size in counts.sent.items()]),
        _gauge("etcd_server_has_leader", "Whether or not a leader exists. 1 is existence, 0 is not.", bool(r.lead)),
        ("etcd_server_id", "Server or member ID in hexadecimal format. 1 for 'server_id' label with current ID.", "gauge",
         [("", (("server_id", f"{config.id:x}"),), 1)]),
        _gauge("etcd_server_is_leader", "Whether or not this member is a leader. 1 if is, 0 otherwise.", r.role == "leader"),
        _gauge("etcd_server_is_learner", "Whether or not this member is a learner. 1 if is, 0 otherwise.", r.is_learner()),
        _counter("etcd_server_leader_changes_seen_total", "The number of leader changes seen.", counts.leader_changes),
        _gauge("etcd_server_proposals_applied_total", "The total number of consensus proposals applied.", r.log.applied),
        _gauge("etcd_server_proposals_committed_total", "The total number of consensus proposals committed.", r.log.committed),
        _counter("etcd_server_proposals_failed_total", "The total number of failed proposals seen.", counts.proposals_failed),
        _gauge("etcd_server_proposals_pending", "The current number of pending proposals to commit.", waiting),
        _gauge("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.", config.quota_bytes),
        _counter("etcd_server_read_indexes_failed_total", "The total number of failed read indexes seen.", counts.reads_failed),
        ("etcd_server_version", "Which version is running. 1 for 'server_version' label with current version.", "gauge",
         [("", (("server_version", VERSION),), 1)]),
    ]  # fmt: skip
    return [family for family in found if family[3]]


def _silent(s: MemberState, member: int) -> bool:
    """Between two followers nothing is heard for long: the connection is known to have begun, and not to have ended."""
    return s.peers[member].since >= 0 and s.raft.role != "leader" and member != s.raft.lead


def _gauge(name: str, text: str, value: float) -> Family:
    return name, text, "gauge", [("", (), value)]


def _counter(name: str, text: str, value: float) -> Family:
    return name, text, "counter", [("", (), value)]


def _peers(name: str, text: str, kind: str, samples: list[tuple[str, Labels, float]]) -> Family:
    return name, text, kind, sorted(samples)


def _fsyncs(counts: Counts) -> Family:
    total, samples = 0, []
    for bound, count in zip((*FSYNC_BUCKETS, None), counts.fsyncs, strict=True):
        total += count
        limit = "+Inf" if bound is None else number(bound / SECOND)
        samples.append(("_bucket", (("le", limit),), float(total)))
    samples += [("_sum", (), counts.fsync_time / SECOND), ("_count", (), float(total))]
    return (
        "etcd_disk_wal_fsync_duration_seconds",
        "The latency distributions of fsync called by WAL.",
        "histogram",
        samples,
    )


def number(value: float) -> str:
    """As Go prints a float64: the shortest digits that mean it, with an exponent from a million on and below 0.0001."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    if 1e-4 <= abs(value) < 1e6:
        return repr(float(value))
    digits, _, power = f"{float(value)!r}".partition("e")
    if not power:  # repr writes no exponent up to 1e16
        whole, _, rest = digits.partition(".")
        power, digits = str(len(whole) - 1), f"{whole[0]}.{whole[1:]}{rest}".rstrip("0").rstrip(".")
    return f"{digits.removesuffix('.0')}e{'-' if int(power) < 0 else '+'}{abs(int(power)):02}"
