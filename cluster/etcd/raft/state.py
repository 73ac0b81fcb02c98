"""Everything one Raft participant knows: plain data, storable at any instant.

Time is counted in ticks: ``tick`` is the number of the latest one, told by the caller before each step. "Elapsed" is
always a difference of tick numbers, so nothing has to happen on ticks at which nothing is due.

Upstream: etcd-io/raft raft.go, struct raft.
"""

from typing import Any

from msgspec import Struct, field

from cluster.etcd.raft import quorum
from cluster.etcd.raft.log import RaftLog
from cluster.etcd.raft.progress import Progress
from cluster.etcd.raft.roles import Role, Why, check
from cluster.sim.dice import Dice
from cluster.wire.raft import HardState, RaftMessage


class ReadState(Struct, frozen=True):
    """A linearizable read with this ``context`` may be served once ``index`` is applied."""

    index: int
    context: Any


class PendingRead(Struct):
    """On the leader: a read waiting for a quorum of heartbeat answers that carry its ``context``."""

    context: Any
    index: int
    request: RaftMessage
    acks: dict[int, bool]


class Raft(Struct):
    """The state machine's memory. The rules are functions in ``election``, ``replication``, ``reads``."""

    id: int
    dice: Dice
    log: RaftLog
    election_tick: int = 10
    pre_vote: bool = True
    check_quorum: bool = True
    max_message_bytes: int = 1 << 20
    max_inflight: int = 512
    max_uncommitted: int = 1 << 62
    """Bytes of proposals that may be appended and not committed; etcd sets no limit."""
    lease_reads: bool = False
    """Serve linearizable reads on the strength of check-quorum's lease, without asking: fast, and only as true as the clocks. etcd never does."""

    term: int = 0
    vote: int = 0
    lead: int = 0
    role: Role = "follower"
    why: Why = "start"
    """What the last change of role, or of the leader followed, came from: an arrow of ``roles.TRANSITIONS``."""
    voters: list[int] = field(default_factory=list)
    learners: list[int] = field(default_factory=list)
    outgoing: list[int] = field(default_factory=list)
    """While the configuration is joint: the voters of its old half. Empty else."""
    learners_next: list[int] = field(default_factory=list)
    """Voters of the old half that become learners when it is left."""
    auto_leave: bool = False
    """The leader ends the joint configuration by itself."""
    progress: dict[int, Progress] = field(default_factory=dict)
    """By member id, in the order they joined. Kept by followers too (it says who is a member)."""
    votes: dict[int, bool] = field(default_factory=dict)

    tick: int = 0
    election_since: int = 0
    """The tick at which the election timer was last reset."""
    heartbeat_since: int = 0
    timeout: int = 0
    """This time's randomized election timeout, in ticks: uniform in [election_tick, 2*election_tick-1]."""

    transferee: int = 0
    pending_conf: int = 0
    """No further membership change may be proposed until this index is applied."""
    uncommitted: int = 0
    reads: list[PendingRead] = field(default_factory=list)
    early_reads: list[RaftMessage] = field(default_factory=list)
    """Reads that came before this leader had committed an entry of its own term."""

    messages: list[RaftMessage] = field(default_factory=list)
    after: list[RaftMessage] = field(default_factory=list)
    """Promises: they may leave (or, if for myself, be stepped) only when all I know now is durable."""
    read_states: list[ReadState] = field(default_factory=list)
    restored: bool = False
    """A snapshot has replaced the log; the application must load ``log.snapshot``."""

    def hard_state(self) -> HardState:
        """What must not be forgotten in a crash."""
        return HardState(self.term, self.vote, self.log.committed)

    def is_learner(self) -> bool:
        """Am I a member without a vote?"""
        return self.id in self.learners

    def promotable(self) -> bool:
        """May I stand for election?"""
        return self.id in self.voters or self.id in self.outgoing

    def electorate(self) -> list[int]:
        """Everybody with a vote, each once."""
        if not self.outgoing:
            return self.voters
        return [*self.voters, *(member for member in self.outgoing if member not in self.voters)]

    def quorum_of(self, said: dict[int, bool]) -> quorum.VoteResult:
        """What ``said`` (id → yes) means with today's voters."""
        return quorum.joint_result(self.voters, self.outgoing, said)

    def throw_timeout(self) -> None:
        """A new randomized election timeout."""
        self.timeout = self.election_tick + self.dice.below(self.election_tick)

    def reset(self, term: int) -> None:
        """Forget what belonged to the last role."""
        if term != self.term:
            self.term, self.vote = term, 0
        self.lead = 0
        self.election_since = self.heartbeat_since = self.tick
        self.throw_timeout()
        self.transferee = 0
        self.votes = {}
        last = self.log.last
        for member, old in self.progress.items():
            self.progress[member] = Progress(match=last if member == self.id else 0, next=last + 1, learner=old.learner)
        self.pending_conf = self.uncommitted = 0
        self.reads, self.early_reads = [], []

    def become_follower(self, term: int, lead: int, why: Why) -> None:
        """Follow ``lead`` (0: nobody known) in ``term``."""
        check(self.role, why, "follower")
        self.reset(term)
        self.role, self.lead, self.why = "follower", lead, why

    def become_pre_candidate(self) -> None:
        """Ask whether an election could be won; term and vote stay as they are."""
        check(self.role, "timeout", "pre-candidate")
        self.role, self.votes, self.lead, self.why = "pre-candidate", {}, 0, "timeout"

    def become_candidate(self, why: Why) -> None:
        """Stand for the next term and vote for myself."""
        check(self.role, why, "candidate")
        self.reset(self.term + 1)
        self.role, self.vote, self.why = "candidate", self.id, why

    def become_leader(self) -> None:
        """Lead this term. The caller appends the empty entry that makes older entries committable."""
        check(self.role, "won", "leader")
        self.reset(self.term)
        self.role, self.lead, self.why = "leader", self.id, "won"
        mine = self.progress[self.id]
        mine.become("replicate")
        mine.recent_active = True
        # A membership entry may be among the uncommitted ones; wait until all of them are applied.
        self.pending_conf = self.log.last
