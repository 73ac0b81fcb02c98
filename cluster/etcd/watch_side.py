"""The half of a member that faces watchers: new watches, what they missed, what they are told.

In: watch requests, the changes of each revision. Out: WatchResponses, each caused by the request that wrote the change.
Upstream: server/etcdserver/api/v3rpc/watch.go.

Simplified here: watches are not cancelled when their member has no leader (the client option for that is not on our wire).
"""

from cluster.etcd import errors
from cluster.etcd.maintenance import Maintenance
from cluster.etcd.watch import Watcher, missed
from cluster.sim.actor import Outbox
from cluster.wire import etcd as w


class WatchSide(Maintenance):
    """See the module's page."""

    def watch(self, src: str, q: w.WatchCreateRequest, now: int, out: Outbox) -> None:
        """A new watch: say so, then what it missed, then whatever comes."""
        s = self.state
        store = s.app.store
        if s.raft.learners and s.raft.is_learner():
            out.send(src, w.EtcdError(q.watch, *errors.NOT_FOR_LEARNER))
            return
        if q.range_end not in (b"", b"\0") and q.range_end <= q.key:
            reason = "mvcc: watcher range is empty"
            out.send(src, w.WatchResponse(q.watch, self.header(), created=True, canceled=True, cancel_reason=reason))
            return
        out.send(src, w.WatchResponse(q.watch, self.header(), created=True))
        if q.start_revision and q.start_revision < store.compacted:
            reason = errors.COMPACTED[1]
            out.send(
                src,
                w.WatchResponse(
                    q.watch, self.header(), canceled=True, compact_revision=store.compacted, cancel_reason=reason
                ),
            )
            return
        s.hub.remove(q.watch)
        watcher = Watcher(src, q, max(q.start_revision, store.revision + 1), out.cause, now)
        s.hub.add(watcher)
        if q.start_revision:
            for events in missed(store, watcher, q.start_revision):
                self._tell(watcher, events, now, out)
        if q.progress_notify and not s.progress_armed:
            s.progress_armed = True
            out.timer("progress", self.config.progress_notify_ns, cause=0)

    def _tell(self, watcher: Watcher, events: list[w.WatchEvent], now: int, out: Outbox) -> None:
        watcher.progress_at = now
        response = w.WatchResponse(watcher.request.watch, self.header(), tuple(events))
        out.send(watcher.client, response, cause=events[0].kv.cause)

    def changed(self, events: tuple[w.WatchEvent, ...], now: int, out: Outbox) -> None:
        """A new revision: tell whom it concerns."""
        s = self.state
        for watcher, mine in s.hub.dispatch(s.app.store, events, s.app.store.revision):
            self._tell(watcher, mine, now, out)

    def unwatch(self, src: str, q: w.WatchCancelRequest, now: int, out: Outbox) -> None:
        """The client has seen enough."""
        if self.state.hub.remove(q.watch) is not None:
            out.send(src, w.WatchResponse(q.watch, self.header(), canceled=True))

    def progress(self, src: str, q: w.WatchProgressRequest, now: int, out: Outbox) -> None:
        """Say how far a watch is synced: everything applied here has been sent."""
        if q.watch in self.state.hub.watchers:
            out.send(src, w.WatchResponse(q.watch, self.header()))

    def progress_timer(self, now: int, out: Outbox) -> None:
        """Watches that asked for it and heard nothing for long are told how far they are."""
        s = self.state
        s.progress_armed = False
        for watcher in s.hub.watchers.values():
            if watcher.request.progress_notify:
                if not s.progress_armed:
                    s.progress_armed = True
                    out.timer("progress", self.config.progress_notify_ns, cause=0)
                if now - watcher.progress_at >= self.config.progress_notify_ns:
                    watcher.progress_at = now
                    out.send(watcher.client, w.WatchResponse(watcher.request.watch, self.header()), cause=0)
