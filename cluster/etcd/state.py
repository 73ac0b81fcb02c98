"""One etcd member's configuration and everything it remembers while it runs.

``MemberConfig`` is the command line; ``MemberState`` is the process's memory, plain data. ``Application`` is what the log makes, the
part that goes into a snapshot. Units: nanoseconds, bytes, seconds for TTLs. Upstream: server/config, server/etcdserver/server.go.
"""

from collections import deque
from typing import Any, Final

from msgspec import Struct, field

from cluster.etcd.auth import AuthStore
from cluster.etcd.counts import Counts
from cluster.etcd.lease import Lessor
from cluster.etcd.membership import MemberSeed, Membership
from cluster.etcd.mvcc import Store
from cluster.etcd.raft import Raft, Snapshot
from cluster.etcd.watch import WatchHub
from cluster.sim.clock import MILLISECOND, MINUTE, SECOND
from cluster.wire.etcd import Request
from cluster.wire.raft import Entry, HardState, RaftMessage

VERSION: Final = "3.5.26"


class MemberConfig(Struct, frozen=True):
    """How this member was started. ``members`` is the initial cluster, this one included unless ``joining``."""

    id: int
    name: str
    host: str
    cluster_id: int
    members: tuple[MemberSeed, ...]
    addresses: tuple[tuple[str, str], ...] = ()
    """(host, IP address) pairs for the URLs in the member list; a host without one is named instead."""
    heartbeat_ns: int = 100 * MILLISECOND
    election_ns: int = 1000 * MILLISECOND
    pre_vote: bool = True
    check_quorum: bool = True
    initial_election_tick_advance: bool = True
    snapshot_count: int = 10_000
    catch_up_entries: int = 5_000
    joining: bool = False
    bootstrap_log: bool = True
    """Begin the log as etcd does: one membership entry per member in term 1, later each member's name and the cluster
    version. False: Raft with an empty log and a fixed membership, and nothing around it that hurries a starting member's election timer."""
    quota_bytes: int = 2 << 30
    max_request_bytes: int = 1_572_864
    max_txn_ops: int = 128
    strict_reconfig_check: bool = True
    progress_notify_ns: int = 10 * MINUTE
    since: int = 0
    """When this cluster began with a restored snapshot, virtual ns; 0: with the world."""

    @property
    def election_ticks(self) -> int:
        """The election timeout in heartbeats."""
        return self.election_ns // self.heartbeat_ns

    @property
    def request_timeout(self) -> int:
        """How long a request may take: 5 s and two election timeouts."""
        return 5 * SECOND + 2 * self.election_ns

    @property
    def min_lease_ttl(self) -> int:
        """Seconds: one and a half election timeouts, rounded up."""
        return -(-3 * self.election_ns // (2 * SECOND))


class Publish(Struct, frozen=True, tag=True):
    """Internal request: a started member's name and client URLs."""

    member: int
    name: str
    client_urls: tuple[str, ...]


class ClusterVersion(Struct, frozen=True, tag=True):
    """Internal request: every member runs at least this version."""

    version: str


class Proposal(Struct, frozen=True, tag=True, gc=False):
    """What an entry carries: ``request`` number ``id`` of the member ``origin``, received at ``at`` (virtual ns)."""

    origin: int
    id: int
    request: Any
    at: int = 0
    size: int = 64


class LogStart(Struct, frozen=True, tag=True):
    """Disk record: the log on this disk begins after ``index``, which had ``term``."""

    index: int
    term: int


class AppSnapshot(Struct, frozen=True):
    """``Snapshot.data``: the application at an index."""

    store: Store
    lessor: Lessor
    membership: Membership
    alarms: tuple[tuple[int, str], ...]
    version: str
    auth: AuthStore = field(default_factory=AuthStore)


class Application(Struct):
    """What applying the log has made so far."""

    store: Store = field(default_factory=Store)
    lessor: Lessor = field(default_factory=Lessor)
    membership: Membership = field(default_factory=Membership)
    alarms: list[tuple[int, str]] = field(default_factory=list)
    auth: AuthStore = field(default_factory=AuthStore)
    version: str = ""
    term: int = 0
    """Term of the last applied entry: what response headers call raft_term."""

    def snapshot(self) -> AppSnapshot:
        """A copy that later applies do not touch."""
        return AppSnapshot(
            self.store.copy(),
            self.lessor.copy(),
            self.membership.copy(),
            tuple(self.alarms),
            self.version,
            self.auth.copy(),
        )

    def load(self, data: AppSnapshot, term: int) -> None:
        """Become what a snapshot says."""
        self.store, self.lessor, self.membership = data.store.copy(), data.lessor.copy(), data.membership.copy()
        self.alarms, self.version, self.term = list(data.alarms), data.version, term
        self.auth = data.auth.copy()


class Pending(Struct):
    """A client's request that waits for its entry to be applied (or for a peer's answer)."""

    client: str
    request: tuple[Any, ...]
    """The request; for a proposal also what goes into the log, its size and the entry's type."""
    cause: int
    started: int
    parked: bool = False
    """No leader was known: it has not entered Raft yet."""


class Waiter(Struct, frozen=True):
    """What waits for a ReadIndex round: a client's read or keep-alive, or (client "") the end of a lease whose time is over."""

    client: str
    request: Request
    cause: int
    started: int


class ReadRound(Struct):
    """The one ReadIndex round under way. ``index`` is known once the leader confirmed it."""

    context: int
    waiters: list[Waiter]
    started: int
    sent: int
    index: int | None = None


class Peer(Struct):
    """The connection to another member. ``since`` < 0: not connected. Instants in virtual ns."""

    since: int = -1
    last: int = 0


class Batch(Struct):
    """A write on its way to the disk, and the promises that may be kept once it is there."""

    token: int
    started: int
    after: list[RaftMessage]
    traces: list[tuple[int, int, int, int]]
    """(index, term, cause, appended at)."""


class MemberState(Struct):
    """The memory of a running member."""

    raft: Raft
    app: Application = field(default_factory=Application)
    hub: WatchHub = field(default_factory=WatchHub)
    booted: int = 0
    phase: int = 0
    """The instant of tick 0."""
    armed_at: int = 0
    """When the tick timer goes off."""
    advanced: bool = False
    shown: tuple[str, int, int, int] = ("", 0, 0, 0)
    lead_since: int = 0
    """When this member last learned of a new leader."""
    saved: HardState = field(default_factory=HardState)
    token: int = 0
    writing: Batch | None = None
    rewrite: bool = False
    """The next write replaces the disk (after a snapshot)."""
    traced: int = 0
    appended: dict[int, int] = field(default_factory=dict)
    """Index of a traced entry → when it was appended here."""
    pending: dict[int, Pending] = field(default_factory=dict)
    deadlines: deque[tuple[int, int]] = field(default_factory=deque)
    round: ReadRound | None = None
    queued: list[Waiter] = field(default_factory=list)
    peers: dict[int, Peer] = field(default_factory=dict)
    remotes: dict[int, str] = field(default_factory=dict)
    """Who wrote to this member without being one that it knows: a leader that joined while it was away. Their streams say where they are."""
    leases_armed: int = 0
    published: bool = False
    version_proposed: bool = False
    progress_armed: bool = False
    counts: Counts = field(default_factory=Counts)
    read_armed: bool = False
    deadline_armed: bool = False


Durable = Entry | HardState | Snapshot | LogStart
"""What a member's disk is made of."""
