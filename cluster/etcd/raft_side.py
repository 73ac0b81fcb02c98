"""The half of a member that faces Raft: messages, the disk, applying.

After every step ``ready`` does what Raft asks for, in this order: send what may leave at once; hand new entries and a
changed HardState to the disk; apply what is committed; and, once the disk says so, keep the promises (votes, acknowledgements).
While a write is on its way, what comes in the meantime waits and shares the next one.

One timer is set for the tick at which Raft has something to do; a heartbeat only moves that tick, not the timer.

Simplified here: a snapshot travels as one message; a membership change that Raft finds impossible (no voter left) is refused, where a real member panics.
Upstream: server/etcdserver/raft.go.
"""

from typing import Any

from cluster.etcd import durable
from cluster.etcd.apply import apply
from cluster.etcd.counts import IDLE, weight
from cluster.etcd.errors import UNKNOWN, Refused
from cluster.etcd.membership import Joining, seed_member
from cluster.etcd.peers import PeerHello
from cluster.etcd.raft import ConfChange, InvalidChange, Raft, RawNode, Snapshot
from cluster.etcd.raft.replication import set_members
from cluster.etcd.state import Batch, MemberState, Peer, Proposal
from cluster.etcd.telling import Telling
from cluster.sim.actor import Outbox
from cluster.sim.clock import SECOND
from cluster.sim.dice import Dice
from cluster.wire.etcd import LeaseGrantRequest, ResponseHeader, WatchEvent
from cluster.wire.raft import Entry, HardState, RaftMessage

_NEVER = 1 << 62
"""An instant that no world reaches."""


class RaftSide(Telling):
    """See the module's page. ``ClientSide`` implements the hooks at the end."""

    def fresh(self) -> MemberState:
        """A process that has just been executed knows nothing; ``boot`` reads the disk."""
        return MemberState(raft=Raft(id=self.config.id, dice=Dice(0), log=durable.read([])[0]))

    # -- starting -------------------------------------------------------------------------------------------------

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        """Read the disk, apply what it knows to be committed, find the peers."""
        config, s = self.config, self.state
        if not disk and config.bootstrap_log and not config.joining:
            disk = self._bootstrap_records()
            self._token_write(disk, out)
        log, hard = durable.read(disk)
        s.booted = now
        s.phase = now - out.dice.below(config.heartbeat_ns)
        s.armed_at = now
        s.saved = hard
        s.raft = r = Raft(
            id=config.id, dice=Dice(out.dice.bits()), log=log, election_tick=config.election_ticks,
            pre_vote=config.pre_vote, check_quorum=config.check_quorum, term=hard.term, vote=hard.vote,
        )  # fmt: skip
        self._first_members(log.snapshot)
        r.throw_timeout()
        s.traced = log.last
        for entry in log.to_apply():
            log.applied = entry.index
            self._apply_quietly(entry)
        if config.id in s.app.membership.removed:
            out.timer("removed", SECOND, cause=0)
        if config.bootstrap_log and len(r.progress) == 1 and r.promotable():
            r.election_since -= r.election_tick - 1
            s.advanced = True
        s.advanced = s.advanced or not (config.bootstrap_log and config.initial_election_tick_advance)
        for member in s.app.membership.processes:
            if member != config.id:
                s.peers[member] = Peer()
        self.greet(now, out)
        self.ready(now, out)

    def greet(self, now: int, out: Outbox) -> None:
        """Dial every peer that is not connected. Who has no vote and hears of no leader dials all again and again: it may have been removed before anybody spoke to it."""
        s = self.state
        lost = not s.raft.promotable() and not s.raft.lead
        for member, process in s.app.membership.processes.items():
            peer = s.peers.get(member)
            if member != self.config.id and (lost or peer is None or peer.since < 0):
                out.send(process, PeerHello(self.config.id))
        if lost:
            out.timer("greet", SECOND, cause=0)

    def _bootstrap_records(self) -> list[Any]:
        seeds = sorted(self.config.members, key=lambda seed: seed.id)
        entries: list[Any] = []
        for index, seed in enumerate(seeds, 1):
            joining = Joining(seed_member(seed, self.address(seed.host), named=False), seed.process)
            change = ConfChange("ConfChangeAddNode", seed.id, joining)
            entries.append(Entry(term=1, index=index, type="EntryConfChange", data=Proposal(0, 0, change)))
        return [*entries, HardState(term=1, vote=0, commit=len(entries))]

    def _first_members(self, snapshot: Snapshot | None) -> None:
        """Members before the first applied entry: from the snapshot, else from the command line."""
        config, s = self.config, self.state
        membership = s.app.membership
        if snapshot is not None:
            s.app.load(snapshot.data, snapshot.term)
            set_members(s.raft, list(snapshot.voters), list(snapshot.learners))
            return
        for seed in config.members:
            membership.processes[seed.id] = seed.process
        if config.bootstrap_log:
            return
        seeds = [seed for seed in config.members if not (config.joining and seed.id == config.id)]
        for seed in seeds:
            membership.members[seed.id] = seed_member(seed, self.address(seed.host), named=True)
        set_members(s.raft, [seed.id for seed in seeds], [])
        s.published = True

    # -- time -----------------------------------------------------------------------------------------------------

    def tick(self, now: int, out: Outbox) -> None:
        """The tick timer went off."""
        s = self.state
        s.armed_at = 0
        RawNode(s.raft).ticked(s.raft.tick)
        self.ready(now, out)

    def hurry(self, now: int, out: Outbox) -> None:
        """The clock runs fast: the next tick at which Raft has something to do is now."""
        s = self.state
        tick = RawNode(s.raft).due()
        if tick is not None:
            s.phase -= max(tick - s.raft.tick, 0) * self.config.heartbeat_ns
            s.armed_at = 0
            RawNode(s.raft).ticked(max(tick, s.raft.tick))
            self.ready(now, out)

    def _arm(self, now: int, out: Outbox) -> None:
        s = self.state
        tick = RawNode(s.raft).due()
        if tick is None:
            s.armed_at = _NEVER
            return
        due = s.phase + max(tick, s.raft.tick + 1) * self.config.heartbeat_ns
        if due < s.armed_at or s.armed_at <= now:
            s.armed_at = due
            out.timer("tick", due - now, cause=0)

    # -- peers ----------------------------------------------------------------------------------------------------

    def raft_message(self, src: str, m: RaftMessage, now: int, out: Outbox) -> None:
        """A message of a peer."""
        s = self.state
        r = s.raft
        if m.to != r.id:  # for who ran here before a restore: "request cluster ID mismatch"
            return
        if m.frm in s.app.membership.removed:
            if not self.forwards(src, m):
                # The real stream was closed when it was removed, and its next dial is answered 410 Gone.
                out.send(src, PeerHello(self.config.id, reply=True, gone=True))
            return
        self.heard(m.frm, now)
        received = s.counts.received
        received[m.frm] = received.get(m.frm, 0) + (weight(m) if m.entries else IDLE)
        if m.frm not in s.app.membership.processes:
            s.remotes[m.frm] = src
        if m.type == "MsgHeartbeat" and m.term == r.term and m.frm == r.lead and m.commit <= r.log.committed:
            # The commonest message by far, and nothing else can follow from it.
            r.election_since = r.tick
            s.counts.sent[m.frm] = s.counts.sent.get(m.frm, 0) + IDLE
            out.send(src, RaftMessage(type="MsgHeartbeatResp", to=m.frm, frm=r.id, term=r.term, context=m.context))
            return
        if m.type == "MsgHeartbeatResp" and m.context is None and m.term == r.term and r.role == "leader":
            p = r.progress.get(m.frm)
            if p is not None and p.state == "replicate" and p.match == r.log.last:
                p.recent_active, p.paused = True, False  # the next commonest: an idle follower that has everything
                return
        RawNode(r).step(m)
        self.ready(now, out)

    # -- doing what Raft asks for -----------------------------------------------------------------------------------

    def ready(self, now: int, out: Outbox) -> None:
        """Do everything that follows from Raft's state, until nothing more does."""
        s = self.state
        r = s.raft
        log = r.log
        cause = out.cause
        while True:
            shown = (r.role, r.term, r.vote, r.lead)
            if shown != s.shown:
                self._show(shown, now, out)
            if log.last != s.traced or log.stable < s.traced:
                self._trace_new(now, out)
            if r.messages:
                self._send(out)
            if r.restored:
                self._load_snapshot(now, out)
            if log.applied < log.committed:
                self._apply_committed(now, out)
                continue
            if r.read_states:
                states, r.read_states = r.read_states, []
                for state in states:
                    self.read_confirmed(state.index, state.context, now, out)
                continue
            if s.writing is None and self._persist(now, out):
                continue
            if r.messages:
                continue
            break
        out.cause = cause
        self._arm(now, out)

    def _send(self, out: Outbox) -> None:
        s = self.state
        processes, sent = s.app.membership.processes, s.counts.sent
        messages, s.raft.messages = s.raft.messages, []
        for m in messages:
            process = processes.get(m.to) or s.remotes.get(m.to)
            if process is not None:
                sent[m.to] = sent.get(m.to, 0) + (weight(m) if m.entries else IDLE)
                cause = m.entries[-1].cause if m.entries else None
                out.send(process, m, cause=cause)

    def _token_write(self, records: list[Any], out: Outbox, replace: bool = False) -> int:
        s = self.state
        s.token += 1
        (out.rewrite if replace else out.write)(records, s.token)
        return s.token

    def _persist(self, now: int, out: Outbox) -> bool:
        """Start the next write, or keep promises that need none. True if something new may follow."""
        s = self.state
        r = s.raft
        log = r.log
        hard = s.saved
        if hard.term != r.term or hard.vote != r.vote or hard.commit != log.committed:
            hard = r.hard_state()
        urgent = hard.term != s.saved.term or hard.vote != s.saved.vote
        if s.rewrite or urgent or log.stable < log.last:
            entries = log.unstable()
            if s.rewrite:
                token = self._token_write(durable.whole(log, hard), out, replace=True)
            else:
                token = self._token_write([*entries, hard] if hard is not s.saved else list(entries), out)
            traces = [
                (entry.index, entry.term, entry.cause, s.appended.get(entry.index, now))
                for entry in entries
                if entry.cause
            ]
            s.writing = Batch(token, now, r.after, traces)
            s.rewrite, s.saved, r.after, log.stable = False, hard, [], log.last
            return False
        if hard is not s.saved:
            # Only the commit index moved. It is worth remembering but not worth waiting for: no fsync.
            out.buffer([hard])
            s.saved = hard
        if r.after:
            promises, r.after = r.after, []
            self._keep(promises, out)
            return True
        return False

    def fsynced(self, token: int, now: int, out: Outbox) -> None:
        """A write is on the disk."""
        s = self.state
        batch = s.writing
        if batch is None or batch.token != token:
            return
        s.writing = None
        s.counts.fsync(now - batch.started)
        self._trace_stored(batch, now, out)
        self._keep(batch.after, out)
        self.ready(now, out)

    def _keep(self, promises: list[RaftMessage], out: Outbox) -> None:
        s = self.state
        node = RawNode(s.raft)
        processes = s.app.membership.processes
        for m in promises:
            if m.to == s.raft.id:
                node.step(m)
            else:
                process = processes.get(m.to) or s.remotes.get(m.to)
                if process is not None:
                    s.counts.sent[m.to] = s.counts.sent.get(m.to, 0) + IDLE
                    out.send(process, m)

    # -- applying -------------------------------------------------------------------------------------------------

    def _apply_committed(self, now: int, out: Outbox) -> None:
        s = self.state
        log = s.raft.log
        for entry in log.to_apply():
            log.applied = entry.index
            out.cause = entry.cause
            self._apply(entry, now, out)
        s.app.term = log.term_of(log.applied) or s.app.term
        done = log.snapshot.index if log.snapshot is not None else 0
        if log.applied - done > self.config.snapshot_count:
            self._take_snapshot()
        self.applied(now, out)

    def header(self) -> ResponseHeader:
        """The header of an answer given now."""
        app = self.state.app
        return ResponseHeader(self.config.cluster_id, self.config.id, app.store.revision, app.term)

    def cluster_header(self) -> ResponseHeader:
        """The header of an answer about members: it has no revision."""
        return ResponseHeader(self.config.cluster_id, self.config.id, 0, self.state.app.term)

    def _apply(self, entry: Entry, now: int, out: Outbox) -> None:
        s = self.state
        proposal: Proposal | None = entry.data
        s.app.term = entry.term
        if proposal is None:
            if s.raft.role == "leader" and entry.term == s.raft.term and entry.type == "EntryNormal":
                self.promote_lessor(now, out)
            return
        if entry.cause:
            self._trace_apply(entry, now, out)
        mine = proposal.origin == self.config.id
        try:
            if entry.type == "EntryConfChange":
                answer, events = self._apply_change(proposal.request), ()
                if self.config.id in s.app.membership.removed:
                    # "the member has been permanently removed from the cluster": it stays to tell the others, then ends
                    out.timer("removed", SECOND, cause=0)
            else:
                answer, events = apply(
                    s.app, proposal.request, entry.cause, self.header(), now, self.config.min_lease_ttl
                )
        except Refused as refused:
            if mine:
                self.answer_applied(proposal, refused, now, out)
            return
        if events:
            self.changed(events, now, out)
        if type(proposal.request) is LeaseGrantRequest:
            self.lease_granted(now, out)
        if mine:
            self.answer_applied(proposal, answer, now, out)

    def removed(self, now: int, out: Outbox) -> None:
        """A second ago this member was removed from the cluster."""
        out.exit(0)

    def _apply_quietly(self, entry: Entry) -> None:
        """At boot: nobody is waiting for an answer."""
        s = self.state
        s.app.term = entry.term
        if entry.data is None:
            return
        try:
            if entry.type == "EntryConfChange":
                self._apply_change(entry.data.request)
            else:
                apply(s.app, entry.data.request, entry.cause, self.header(), 0, self.config.min_lease_ttl)
        except Refused:
            pass  # it was refused the first time, too

    def _apply_change(self, change: ConfChange) -> int:
        s = self.state
        try:
            s.app.membership.check(change)
            try:
                RawNode(s.raft).apply_conf_change(change)
            except InvalidChange as invalid:
                raise Refused(UNKNOWN, str(invalid)) from None
        except Refused:
            if s.raft.role == "leader":
                s.raft.pending_conf = min(s.raft.pending_conf, s.raft.log.applied)
            raise
        s.app.membership.apply(change)
        if change.type == "ConfChangeRemoveNode":
            s.peers.pop(change.node, None)
        return change.node

    def _take_snapshot(self) -> None:
        s = self.state
        log, r = s.raft.log, s.raft
        term = log.term_of(log.applied)
        assert term is not None
        log.snapshot = Snapshot(log.applied, term, tuple(r.voters), tuple(r.learners), s.app.snapshot())
        log.compact(log.applied - self.config.catch_up_entries)
        s.rewrite = True

    def _load_snapshot(self, now: int, out: Outbox) -> None:
        s = self.state
        r = s.raft
        snapshot = r.log.snapshot
        assert snapshot is not None
        r.restored = False
        r.log.applied = snapshot.index
        s.app.load(snapshot.data, snapshot.term)
        s.rewrite, s.traced = True, r.log.last
        s.appended.clear()
        self.reloaded(now, out)

    # -- hooks for the client side ------------------------------------------------------------------------------------

    def answer_applied(self, proposal: Proposal, result: Any, now: int, out: Outbox) -> None:
        """An entry that this member proposed is applied."""
        raise NotImplementedError

    def changed(self, events: tuple[WatchEvent, ...], now: int, out: Outbox) -> None:
        """A new revision exists."""
        raise NotImplementedError

    def applied(self, now: int, out: Outbox) -> None:
        """The applied index moved."""
        raise NotImplementedError

    def read_confirmed(self, index: int, context: int, now: int, out: Outbox) -> None:
        """A ReadIndex round ended."""
        raise NotImplementedError

    def lease_granted(self, now: int, out: Outbox) -> None:
        """There is one more lease."""
        raise NotImplementedError

    def promote_lessor(self, now: int, out: Outbox) -> None:
        """This leader's first entry is applied."""
        raise NotImplementedError

    def reloaded(self, now: int, out: Outbox) -> None:
        """The application was replaced by a snapshot's."""
        raise NotImplementedError
