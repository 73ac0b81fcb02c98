"""Looking at and caring for one member: status, hashes, defragmentation, membership changes.

In: requests of the maintenance and cluster services. Out: answers from local knowledge, or a membership change to propose.
Simplified here: peer URLs are names only (mail goes to processes), so updating them changes what is listed, and nothing else.

Errors: ``Refused``. Upstream: server/etcdserver/server.go (AddMember …) and api/v3rpc/maintenance.go.
"""

from typing import Any

from cluster.etcd import bolt, errors
from cluster.etcd.errors import Refused
from cluster.etcd.membership import Joining
from cluster.etcd.metrics import exposition
from cluster.etcd.raft import ConfChange
from cluster.etcd.raft_side import RaftSide
from cluster.etcd.state import VERSION
from cluster.sim.actor import Outbox
from cluster.sim.clock import SECOND
from cluster.wire import etcd as w

HEALTH_INTERVAL = 5 * SECOND
"""Members must have been connected for so long before the membership may change."""
READY_PERCENT = 0.9
"""A learner may be promoted when it has this share of the leader's log."""


class Maintenance(RaftSide):
    """See the module's page."""

    def client_urls(self) -> tuple[str, ...]:
        """Where clients reach this member."""
        return (f"https://{self.address(self.config.host)}:2379",)

    def local(self, q: Any, now: int) -> Any:
        """Answer from what this member knows by itself."""
        s = self.state
        store, r = s.app.store, s.raft
        if type(q) is w.MetricsRequest:
            return w.MetricsResponse(q.id, exposition(self.config, s, now))
        if type(q) is w.VersionRequest:
            return w.VersionResponse(q.id, s.app.version)
        if type(q) is w.HashKVRequest:
            return w.HashKVResponse(q.id, self.header(), store.hash_kv(q.revision), store.compacted)
        if type(q) is w.DefragmentRequest:
            store.defragment()
            return w.DefragmentResponse(q.id, self.header())
        if type(q) is w.SnapshotRequest:
            blob = bolt.snapshot(s.app, r.log.applied, r.voters, r.learners)
            return w.SnapshotResponse(q.id, self.header(), blob)
        if type(q) is w.LeaseLeasesRequest:
            by_expiry = sorted(s.app.lessor.leases.values(), key=lambda lease: lease.expiry)
            return w.LeaseLeasesResponse(q.id, self.header(), tuple(lease.id for lease in by_expiry))
        problems = [] if r.lead else [errors.NO_LEADER[1]]
        problems += [f"memberID:{member} alarm:{alarm} " for member, alarm in s.app.alarms]
        return w.StatusResponse(
            q.id, self.header(), VERSION, store.size, store.in_use, r.lead, r.log.committed, s.app.term, r.log.applied,
            r.is_learner(), tuple(problems),
        )  # fmt: skip

    # -- membership -----------------------------------------------------------------------------------------------

    def member_change(self, q: Any, now: int, out: Outbox) -> ConfChange:
        """The change that ``q`` asks for, if it is safe to try."""
        if isinstance(q, w.MemberAddRequest):
            return self._add(q, now, out)
        if isinstance(q, w.MemberRemoveRequest):
            return self._remove(q, now)
        if isinstance(q, w.MemberUpdateRequest):
            return self._update(q)
        return self._promote(q)

    def _add(self, q: w.MemberAddRequest, now: int, out: Outbox) -> ConfChange:
        voters = self.state.app.membership.voters()
        if self.config.strict_reconfig_check:
            started = self._started(voters)
            if not q.is_learner and started < (len(voters) + 1) // 2 + 1:
                raise Refused(*errors.NOT_ENOUGH_STARTED)
            if not all(self.connected_since(member, now - HEALTH_INTERVAL, now) for member in voters):
                raise Refused(*errors.UNHEALTHY)
        id_ = out.dice.bits()
        process = q.address or q.peer_urls[0].split("//")[-1].split(":")[0]
        member = w.Member(id_, "", q.peer_urls, (), q.is_learner)
        kind = "ConfChangeAddLearnerNode" if q.is_learner else "ConfChangeAddNode"
        change = ConfChange(kind, id_, Joining(member, process))
        self.state.app.membership.check(change)
        return change

    def _remove(self, q: w.MemberRemoveRequest, now: int) -> ConfChange:
        membership = self.state.app.membership
        change = ConfChange("ConfChangeRemoveNode", q.member)
        membership.check(change)
        voters = membership.voters()
        if self.config.strict_reconfig_check and q.member in voters:
            rest = [member for member in voters if member != q.member]
            if self._started(rest) < len(rest) // 2 + 1:
                raise Refused(*errors.NOT_ENOUGH_STARTED)
            since = now - HEALTH_INTERVAL
            if self.connected_since(q.member, since, now):  # a member that is down may always be removed
                active = sum(self.connected_since(member, since, now) for member in voters)
                if active - 1 < 1 + (len(voters) - 2) // 2:
                    raise Refused(*errors.UNHEALTHY)
        return change

    def _update(self, q: w.MemberUpdateRequest) -> ConfChange:
        known = self.state.app.membership.members.get(q.member)
        if known is None:
            raise Refused(*errors.MEMBER_NOT_FOUND)
        member = w.Member(known.id, known.name, q.peer_urls, known.client_urls, known.is_learner)
        process = self.state.app.membership.name_of(q.member)
        change = ConfChange("ConfChangeUpdateNode", q.member, Joining(member, process))
        self.state.app.membership.check(change)
        return change

    def _promote(self, q: w.MemberPromoteRequest) -> ConfChange:
        s = self.state
        known = s.app.membership.members.get(q.member)
        process = s.app.membership.name_of(q.member)
        if known is None:
            raise Refused(*errors.MEMBER_NOT_FOUND)
        change = ConfChange("ConfChangeAddNode", q.member, Joining(known, process, promote=True))
        s.app.membership.check(change)
        match = s.raft.progress[q.member].match
        if match < READY_PERCENT * s.raft.progress[s.raft.id].match:
            raise Refused(*errors.LEARNER_NOT_READY)
        return change

    def _started(self, members: list[int]) -> int:
        """How many of ``members`` have ever published themselves."""
        known = self.state.app.membership.members
        return sum(bool(known[member].name) for member in members)
