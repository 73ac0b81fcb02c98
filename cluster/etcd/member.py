"""One etcd process. This file is only its switchboard: what arrives, and who in the process deals with it.

A member is ``PeerSide``, ``Telling``, ``RaftSide``, ``Maintenance``, ``WatchSide``, ``LeaseSide`` and ``ClientSide``
stacked on each other: one object with one state, a file for each thing it does.
In: mail from peers, clients, the laboratory, its own timers and disk. Out: mail, writes, timers, notes.

Upstream: server/etcdserver and server/embed.
"""

from typing import Any, ClassVar, Final, get_args

from cluster.etcd import views
from cluster.etcd.lab_side import LabSide
from cluster.etcd.membership import MemberSeed
from cluster.etcd.peers import PeerHello
from cluster.etcd.raft import RawNode
from cluster.etcd.state import MemberConfig
from cluster.sim.actor import Fsynced, Outbox, PeerDown, Timer
from cluster.sim.clock import SECOND
from cluster.wire import etcd as w
from cluster.wire.raft import RaftMessage

__all__ = ["EtcdMember", "MemberConfig", "MemberSeed"]

_TIMERS: Final = {
    "tick": "tick",
    "advance": "advance",
    "deadline": "deadline",
    "read": "read_timer",
    "leases": "lease_timer",
    "progress": "progress_timer",
    "removed": "removed",
    "greet": "greet",
}
"""Timer → method."""
_WATCHES: Final = {
    w.WatchCreateRequest: "watch",
    w.WatchCancelRequest: "unwatch",
    w.WatchProgressRequest: "progress",
}
_REQUESTS: Final = dict.fromkeys(get_args(w.Request))
_ANSWERS: Final = (w.EtcdError, w.LeaseKeepAliveResponse, w.LeaseTimeToLiveResponse, w.MemberResponse)
"""What a leader sends back to a member that passed a request on."""


class EtcdMember(LabSide):
    """An etcd member. ``state.raft`` is its Raft, ``state.app`` what the log made."""

    kind: ClassVar[str] = "etcd"

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        """Handle one message, timer or fsync."""
        self.clock(now)
        kind = type(message)
        if kind is RaftMessage:
            self.raft_message(src, message, now, out)
        elif kind is Timer:
            getattr(self, _TIMERS[message.name])(now, out)
        elif kind is Fsynced:
            self.fsynced(message.token, now, out)
        elif kind in _WATCHES:
            getattr(self, _WATCHES[kind])(src, message, now, out)
        elif kind in _ANSWERS:
            self.passed_back(message, now, out)
        elif kind is PeerHello:
            self.hello(src, message, now, out)
        elif kind is PeerDown:
            self._peer_down(message.peer, now, out)
        elif kind is w.Campaign:
            RawNode(self.state.raft).campaign()
            self.ready(now, out)
        elif kind is w.TickNow:
            self.hurry(now, out)
        elif kind in self.acts:
            getattr(self, self.acts[kind])(message, now, out)
        elif kind is w.TransferLeadership:
            self._transfer(message.to, now, out)
        elif kind in _REQUESTS:
            self.request(src, message, now, out)
        # Anything else is not etcd's language; a server drops it.

    def _peer_down(self, peer: str, now: int, out: Outbox) -> None:
        """A TCP reset: a member (its appends are lost) or a client (its watches are)."""
        s = self.state
        member = s.app.membership.id_of(peer)
        if not member:
            s.hub.drop_client(peer)
            return
        if member in s.peers:
            s.peers[member].since = -1
            # It is dialled until it answers; two followers have no other word for one another.
            out.timer("greet", SECOND, cause=0)
        RawNode(s.raft).unreachable(member)
        self.ready(now, out)

    def _transfer(self, process: str, now: int, out: Outbox) -> None:
        member = self.state.app.membership.id_of(process)
        if member:
            RawNode(self.state.raft).transfer(member)
            self.ready(now, out)

    # -- for onlookers --------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """The row of ``/etcd/members`` without the log; see ``views.status``."""
        return views.status(self.name, self.config, self.state)

    def log(self, from_index: int = 1) -> list[list[Any]]:
        """``[[index, term, text], …]`` of the entries from ``from_index`` on that are still here."""
        return views.log_rows(self.state.raft.log, from_index)
