"""The half of a member that looks after leases: renewing, asking, and, on the leader, ending them.

In: lease requests, a timer. Out: answers; a revoke proposed for every lease whose time is over. Units: TTL in seconds, instants in ns.
Upstream: server/etcdserver/v3_server.go (LeaseRenew …) and server.go (revokeExpiredLeases).
"""

from typing import Any

from cluster.etcd import errors
from cluster.etcd.errors import Refused
from cluster.etcd.lease import SCAN
from cluster.etcd.raft import RawNode
from cluster.etcd.state import Proposal, Waiter
from cluster.etcd.watch_side import WatchSide
from cluster.sim.actor import Outbox
from cluster.sim.clock import SECOND
from cluster.wire import etcd as w


class LeaseSide(WatchSide):
    """See the module's page."""

    def internal(self, request: Any, now: int) -> bool:
        """Propose something of my own, whose answer nobody waits for. False if Raft would not take it."""
        proposal = Proposal(self.config.id, 0, request, now)
        return RawNode(self.state.raft).propose([(proposal, 0, "EntryNormal")])

    def lease_granted(self, now: int, out: Outbox) -> None:
        """There is one more lease to look after, if that is my job."""
        self._arm_leases(now, out)

    def _arm_leases(self, now: int, out: Outbox) -> None:
        s = self.state
        lessor = s.app.lessor
        due = lessor.next_expiry() if lessor.primary else None
        if due is None:
            return
        scan = now + max(-(-(due - now) // SCAN), 1) * SCAN
        if not s.leases_armed or scan < s.leases_armed:
            s.leases_armed = scan
            out.timer("leases", scan - now, cause=0)

    def lease_timer(self, now: int, out: Outbox) -> None:
        """Propose the end of every lease whose time is over."""
        s = self.state
        s.leases_armed = 0
        if s.app.lessor.primary:
            for lease in s.app.lessor.expired(now):
                lease.revoking = True
                s.queued.append(Waiter("", w.LeaseRevokeRequest(0, lease.id), 0, now))
            self._next_round(now, out)
            self._arm_leases(now, out)
        self.ready(now, out)

    def revoke_expired(self, q: w.LeaseRevokeRequest, confirmed: bool, now: int, out: Outbox) -> None:
        """Propose the end of a lease if this member is the leader (``confirmed`` by a quorum a moment ago)."""
        lessor = self.state.app.lessor
        lease = lessor.leases.get(q.lease)
        if lease is not None and lessor.primary and lease.revoking:  # (a new term gave it its full time again)
            lease.revoking = confirmed and self.internal(q, now)
            self._arm_leases(now, out)

    def promote_lessor(self, now: int, out: Outbox) -> None:
        """My first entry of this term is applied, and with it all that earlier leaders did to leases: now their time is mine to keep."""
        self.state.app.lessor.promote(now, self.config.election_ns)
        self._arm_leases(now, out)

    def _next_round(self, now: int, out: Outbox) -> None:
        raise NotImplementedError

    def _keep_alive(self, q: w.LeaseKeepAliveRequest, now: int) -> w.LeaseKeepAliveResponse | w.EtcdError:
        if not self.state.app.lessor.primary:
            return w.EtcdError(q.id, *errors.NOT_PRIMARY)
        try:
            ttl = self.state.app.lessor.renew(q.lease, now).ttl
        except Refused:
            ttl = 0
        return w.LeaseKeepAliveResponse(q.id, self.header(), q.lease, ttl)

    def _time_to_live(self, q: w.LeaseTimeToLiveRequest, now: int) -> w.LeaseTimeToLiveResponse:
        lease = self.state.app.lessor.leases.get(q.lease)
        if lease is None:
            return w.LeaseTimeToLiveResponse(q.id, self.header(), q.lease, -1)
        keys = tuple(sorted(lease.keys)) if q.keys else ()
        left = max((lease.expiry - now) // SECOND, 0)
        return w.LeaseTimeToLiveResponse(q.id, self.header(), q.lease, left, lease.ttl, keys)
