"""The half of a member that faces clients: what is answered from here, what goes through Raft, what waits for what.

- Writes become a ``Proposal`` in the log; the answer is given when this member has applied it. Without a leader they wait
  outside of Raft ("parked"), and after 7 s end as ``context deadline exceeded``. Whatever entered Raft and timed out has an
  **unknown outcome**: it may still be committed.
- Linearizable reads wait for a ReadIndex round. One round is under way at a time; what comes meanwhile shares the next. So a read that comes
  while a round fails waits up to 14 s, as at a real member: the rest of that round and the 7 s of its own.
- Serializable reads, status and hashes are answered at once from what this member has.
- Renewing a lease, asking its remaining time, and promoting a learner is the leader's business: others pass it on, or wait up to 7 s until there is one. Before a leader renews or ends a lease
  it makes sure, by such a round, that it still leads.

Errors: ``wire.etcd.EtcdError`` with etcd's codes and texts. Upstream: server/etcdserver/v3_server.go.
"""

from typing import Any

import msgspec

from cluster.etcd import errors, validate
from cluster.etcd.apply import evaluate, grows, read_only, serializable
from cluster.etcd.errors import Refused
from cluster.etcd.lease_side import LeaseSide
from cluster.etcd.raft import Raft, RawNode
from cluster.etcd.state import VERSION as ETCD_VERSION
from cluster.etcd.state import ClusterVersion, Pending, Proposal, Publish, ReadRound, Waiter
from cluster.etcd.watch import missed
from cluster.sim.actor import Outbox
from cluster.sim.clock import MILLISECOND
from cluster.wire import etcd as w

READ_RETRY = 500 * MILLISECOND
_CHANGES = (w.MemberAddRequest, w.MemberRemoveRequest, w.MemberPromoteRequest, w.MemberUpdateRequest)
_FOR_LEADER = (w.LeaseKeepAliveRequest, w.LeaseTimeToLiveRequest, w.MemberPromoteRequest)
_PAGES = (w.StatusRequest, w.MetricsRequest, w.VersionRequest)
"""What every member says of itself, a learner too."""
_LOCAL = (*_PAGES, w.HashKVRequest, w.DefragmentRequest, w.LeaseLeasesRequest, w.SnapshotRequest)


def way_of(q: Any, r: Raft) -> str:
    """What a member whose Raft is ``r`` does with a client's request: "refuse" it as a learner, "look" or "read" (at once, or after a ReadIndex round),
    answer from what is "local" or the leader's own ("time to live"), "pass on" to the leader, "change" the membership, "move" leadership, or "propose"."""
    kind = type(q)
    if r.learners and r.is_learner():
        asked = kind in (*_PAGES, w.SnapshotRequest) or (kind is w.RangeRequest and q.serializable)
        if not asked:
            return "refuse"
    if kind is w.RangeRequest:
        return "look" if q.serializable else "read"
    if kind is w.TxnRequest and read_only(q):
        return "look" if serializable(q) else "read"
    if kind is w.MemberListRequest:
        return "read" if q.linearizable else "look"
    if kind in _LOCAL:
        return "local"
    if kind in _FOR_LEADER and r.role != "leader":
        return "pass on"
    if kind is w.LeaseKeepAliveRequest:
        return "read"  # a leader that was deposed and does not know it must not renew
    if kind is w.LeaseTimeToLiveRequest:
        return "time to live"
    if kind in _CHANGES:
        return "change"
    return "move" if kind is w.MoveLeaderRequest else "propose"


class ClientSide(LeaseSide):
    """See the module's page."""

    def request(self, src: str, q: Any, now: int, out: Outbox) -> None:
        """A client's request (or one that another member passes on)."""
        try:
            self._take(src, q, now, out)
        except Refused as refused:
            out.send(src, w.EtcdError(q.id, refused.code, refused.message))
        self.ready(now, out)

    def _take(self, src: str, q: Any, now: int, out: Outbox) -> None:
        s = self.state
        r = s.raft
        validate.check(q, self.config.max_txn_ops)
        match way_of(q, r):
            case "refuse":
                raise Refused(*errors.NOT_FOR_LEARNER)
            case "look":
                out.send(src, self._look(q, now))
            case "read":
                s.queued.append(Waiter(src, q, out.cause, now))
                self._next_round(now, out)
            case "local":
                out.send(src, self.local(q, now))
            case "pass on":
                self._pass_on(src, q, now, out)
            case "time to live":
                out.send(src, self._time_to_live(q, now))
            case "change":
                change = self.member_change(q, now, out)
                self.propose(src, q, change, "EntryConfChange", now, out)
            case "move":
                self._move_leader(src, q, now, out)
            case _:
                if type(q) is w.LeaseGrantRequest and not q.lease:
                    q = w.LeaseGrantRequest(q.id, q.ttl, out.dice.bits() >> 1)
                self.propose(src, q, q, "EntryNormal", now, out)

    # -- writes ---------------------------------------------------------------------------------------------------

    def propose(self, src: str, q: Any, data: Any, type_: str, now: int, out: Outbox) -> None:
        """Put ``data`` into the log for ``q`` of the client ``src``; answered when applied."""
        s = self.state
        size = validate.size(data)
        if size > self.config.max_request_bytes:
            raise Refused(*errors.TOO_LARGE)
        if grows(data) and s.app.store.size + size > self.config.quota_bytes:
            if (self.config.id, "NOSPACE") not in s.app.alarms:
                self.internal(w.AlarmRequest(0, "ACTIVATE", self.config.id, "NOSPACE"), now)
            raise Refused(*errors.NO_SPACE)
        self._wait(q.id, Pending(src, (q, data, size, type_), out.cause, now), now, out)
        if s.raft.lead:
            self._submit(q.id, out)
        else:
            s.pending[q.id].parked = True

    def _wait(self, id_: int, pending: Pending, now: int, out: Outbox) -> None:
        s = self.state
        s.pending[id_] = pending
        s.deadlines.append((now + self.config.request_timeout, id_))
        if not s.deadline_armed:
            s.deadline_armed = True
            out.timer("deadline", self.config.request_timeout, cause=0)

    def _submit(self, id_: int, out: Outbox) -> None:
        s = self.state
        pending = s.pending[id_]
        pending.parked = False
        _, data, size, type_ = pending.request
        proposal = Proposal(self.config.id, id_, data, pending.started, size)
        if not RawNode(s.raft).propose([(proposal, pending.cause, type_)]):
            self._fail(id_, errors.PROPOSAL_DROPPED, out)

    def answer_applied(self, proposal: Proposal, result: Any, now: int, out: Outbox) -> None:
        """An entry of mine is applied: tell whoever waits for it."""
        pending = self.state.pending.pop(proposal.id, None)
        if pending is None:
            return
        q = pending.request[0]
        if isinstance(result, Refused):
            result = w.EtcdError(q.id, result.code, result.message)
        elif type(q) in _CHANGES:
            added = self.state.app.membership.members.get(result) if isinstance(q, w.MemberAddRequest) else None
            result = w.MemberResponse(q.id, self.cluster_header(), self.state.app.membership.listing(), added)
        out.send(pending.client, result, cause=pending.cause)

    def _fail(self, id_: int, why: tuple[int, str], out: Outbox) -> None:
        pending = self.state.pending.pop(id_)
        if len(pending.request) > 1 and type(pending.request[0]) not in _CHANGES:
            self.state.counts.proposals_failed += 1
        out.send(pending.client, w.EtcdError(id_, *why), cause=pending.cause)

    def deadline(self, now: int, out: Outbox) -> None:
        """Requests whose time is up end with the text that says most."""
        s = self.state
        s.deadline_armed = False
        while s.deadlines:
            at, id_ = s.deadlines[0]
            pending = s.pending.get(id_)
            if pending is not None and at > now:
                s.deadline_armed = True
                out.timer("deadline", at - now, cause=0)
                break
            s.deadlines.popleft()
            if pending is not None:
                self._fail(id_, self._timeout(pending, now), out)
        self.ready(now, out)

    def _timeout(self, pending: Pending, now: int) -> tuple[int, str]:
        s = self.state
        r = s.raft
        if pending.parked:
            return errors.NO_LEADER if type(pending.request[0]) in _FOR_LEADER else errors.DEADLINE_BARE
        if s.lead_since - 2 * self.config.election_ns < pending.started < s.lead_since:
            return errors.TIMEOUT_LEADER_FAILED
        if r.role == "leader":
            held = sum(self.connected_since(member, pending.started, now) for member in r.voters)
            connected = held > len(r.voters) // 2
        else:
            connected = r.lead == 0 or self.connected_since(r.lead, pending.started, now)
        return errors.TIMEOUT if connected else errors.TIMEOUT_CONNECTION

    # -- reads ----------------------------------------------------------------------------------------------------

    def _look(self, q: Any, now: int) -> Any:
        """Answer a read from what is applied here."""
        app = self.state.app
        if type(q) is w.LeaseKeepAliveRequest:
            return self._keep_alive(q, now)
        if type(q) is w.RangeRequest:
            found = app.store.range(q)
            return w.RangeResponse(q.id, self.header(), tuple(found.kvs), found.more, found.count)
        if type(q) is w.TxnRequest:
            return evaluate(app, q, self.header())
        return w.MemberResponse(q.id, self.cluster_header(), app.membership.listing())

    def _next_round(self, now: int, out: Outbox) -> None:
        s = self.state
        if s.round is not None or not s.queued:
            return
        s.round = ReadRound(out.next_id(), s.queued, now, now)
        s.queued = []
        RawNode(s.raft).read_index(s.round.context)
        if not s.read_armed:
            s.read_armed = True
            out.timer("read", READ_RETRY, cause=0)

    def read_timer(self, now: int, out: Outbox) -> None:
        """The round may have been lost on the way: ask again; give up after the request timeout."""
        s = self.state
        s.read_armed = False
        current = s.round
        if current is not None:
            if now - current.started >= self.config.request_timeout:
                self._end_round(errors.TIMEOUT, now, out)
            elif current.index is None and now - current.sent >= READ_RETRY:
                current.sent = now
                RawNode(s.raft).read_index(current.context)
        current = s.round
        if current is not None and not s.read_armed:
            s.read_armed = True
            due = min(current.sent + READ_RETRY, current.started + self.config.request_timeout)
            out.timer("read", due - now if due > now else READ_RETRY, cause=0)
        self.ready(now, out)

    def read_confirmed(self, index: int, context: int, now: int, out: Outbox) -> None:
        """The leader was the leader, and ``index`` was its commit index."""
        current = self.state.round
        if current is not None and current.context == context:
            current.index = index
            self._serve_round(now, out)

    def _serve_round(self, now: int, out: Outbox) -> None:
        current = self.state.round
        if current is not None and current.index is not None and self.state.raft.log.applied >= current.index:
            self._end_round(None, now, out)

    def _end_round(self, why: tuple[int, str] | None, now: int, out: Outbox) -> None:
        s = self.state
        current, s.round = s.round, None
        assert current is not None
        s.counts.reads_failed += why == errors.TIMEOUT
        for waiter in current.waiters:
            answer: Any
            if type(waiter.request) is w.LeaseRevokeRequest:
                self.revoke_expired(waiter.request, why is None, now, out)
                continue
            if why is not None:
                kept = type(waiter.request) is w.LeaseKeepAliveRequest
                answer = w.EtcdError(waiter.request.id, *(errors.NOT_PRIMARY if kept else why))
            else:
                try:
                    answer = self._look(waiter.request, now)
                except Refused as refused:
                    answer = w.EtcdError(waiter.request.id, refused.code, refused.message)
            out.send(waiter.client, answer, cause=waiter.cause)
        self._next_round(now, out)

    # -- passed on to the leader ----------------------------------------------------------------------------------

    def _pass_on(self, src: str, q: Any, now: int, out: Outbox) -> None:
        s = self.state
        leader = s.app.membership.name_of(s.raft.lead)
        self._wait(q.id, Pending(src, (q,), out.cause, now, parked=not leader), now, out)
        if leader:
            out.send(leader, q)

    def _leader_found(self, id_: int, pending: Pending, now: int, out: Outbox) -> None:
        """Somebody leads now: what waited for that goes on. (Upstream looks once an election timeout what we are told at once.)"""
        q = pending.request[0]
        if type(q) not in _FOR_LEADER:
            self._submit(id_, out)
        elif self.state.raft.role != "leader":
            pending.parked = False
            out.send(self.state.app.membership.name_of(self.state.raft.lead), q, cause=pending.cause)
        else:
            del self.state.pending[id_]
            out.cause = pending.cause
            try:
                self._take(pending.client, q, now, out)
            except Refused as refused:
                out.send(pending.client, w.EtcdError(id_, refused.code, refused.message))

    def passed_back(self, answer: Any, now: int, out: Outbox) -> None:
        """The leader's answer to a request that was passed on."""
        pending = self.state.pending.pop(answer.id, None)
        if pending is not None:
            if not isinstance(answer, w.EtcdError):
                header = self.cluster_header() if type(answer) is w.MemberResponse else self.header()
                answer = msgspec.structs.replace(answer, header=header)
            out.send(pending.client, answer, cause=pending.cause)

    def _move_leader(self, src: str, q: w.MoveLeaderRequest, now: int, out: Outbox) -> None:
        s = self.state
        if s.raft.role != "leader":
            raise Refused(*errors.NOT_LEADER)
        if q.target not in s.raft.voters:
            raise Refused(*errors.BAD_TRANSFEREE)
        if q.target == self.config.id:
            out.send(src, w.MoveLeaderResponse(q.id, self.header()))
            return
        self._wait(q.id, Pending(src, (q,), out.cause, now), now, out)
        RawNode(s.raft).transfer(q.target)

    # -- what Raft says -------------------------------------------------------------------------------------------

    def applied(self, now: int, out: Outbox) -> None:
        """The applied index moved: reads may wait for that; a new cluster agrees on its version."""
        s = self.state
        self._serve_round(now, out)
        if s.app.version or not self.config.bootstrap_log or s.raft.role != "leader":
            return
        members = s.app.membership.members
        if members and all(member.name for member in members.values()) and not s.version_proposed:
            s.version_proposed = self.internal(ClusterVersion(ETCD_VERSION.rsplit(".", 1)[0] + ".0"), now)

    def leader_changed(self, was_leader: bool, new_leader: bool, now: int, out: Outbox) -> None:
        """Another leader, or none, or me, or no longer me."""
        s = self.state
        r = s.raft
        s.version_proposed = False
        if was_leader and r.role != "leader":
            s.app.lessor.demote()
            s.leases_armed = 0
            out.cancel("leases")
        if not new_leader:
            return
        if s.round is not None and s.round.index is None:
            self._end_round(errors.LEADER_CHANGED, now, out)
        for id_, pending in list(s.pending.items()):
            if pending.parked:
                self._leader_found(id_, pending, now, out)
            elif isinstance(pending.request[0], w.MoveLeaderRequest) and pending.request[0].target == r.lead:
                del s.pending[id_]
                out.send(pending.client, w.MoveLeaderResponse(id_, self.header()), cause=pending.cause)
        if not s.published:
            s.published = self.internal(Publish(self.config.id, self.config.name, self.client_urls()), now)

    def reloaded(self, now: int, out: Outbox) -> None:
        """A snapshot replaced everything: watches get what they missed, as far as the snapshot knows it."""
        s = self.state
        store = s.app.store
        for watcher in list(s.hub.watchers.values()):
            if watcher.minimum < store.compacted:
                s.hub.remove(watcher.request.watch)
                out.send(
                    watcher.client,
                    w.WatchResponse(
                        watcher.request.watch, self.header(), canceled=True, compact_revision=store.compacted,
                        cancel_reason=errors.COMPACTED[1],
                    ),
                )  # fmt: skip
                continue
            start, watcher.minimum = watcher.minimum, max(watcher.minimum, store.revision + 1)
            for events in missed(store, watcher, start):
                self._tell(watcher, events, now, out)
        self._serve_round(now, out)
