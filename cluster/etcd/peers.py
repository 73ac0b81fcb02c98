"""The half of a member that faces its peers: which of them are there, since when, and what time it is in ticks.

A member greets the others when it starts. Connections are never stored anywhere: what is known is when something was last heard.
The tick number follows from the instant, so that no tick has to be delivered; a process that was paused finds its ticks
missing, as a Go ticker drops them.

In: mail of peers, the instant. Out: greetings, the tick number for Raft. Units: virtual ns.
Upstream: server/etcdserver/api/rafthttp, server.go adjustTicks.

Simplified here: members start anywhere within one tick (real processes do by themselves), so their tick phases differ; of
connections between followers only their beginning and TCP resets are known, a silent cut is not.
"""

from typing import ClassVar, Final

from msgspec import Struct

from cluster.etcd.state import MemberConfig, MemberState, Peer
from cluster.sim.actor import Actor, Outbox
from cluster.sim.clock import MILLISECOND, SECOND
from cluster.wire.raft import RaftMessage

PEER_TIMEOUT = 5 * SECOND
"""A connection that says nothing for so long is given up (rafthttp.ConnReadTimeout)."""
PEER_POLL = 50 * MILLISECOND
"""How often a starting member looks whether its peers are there."""
FORWARDED: Final = ("MsgProp", "MsgReadIndex", "MsgTransferLeader")
"""What a follower passes on to its leader as it came: ``frm`` is who sent it first."""


class PeerHello(Struct, frozen=True, tag=True):
    """A member opens its stream to another; ``reply`` answers. ``gone``: you were removed (HTTP 410 on the real stream)."""

    lossy: ClassVar[bool] = True
    frm: int
    reply: bool = False
    gone: bool = False


class PeerSide(Actor):
    """See the module's page."""

    config: MemberConfig
    state: MemberState

    def address(self, host: str) -> str:
        """The IP address of a host, or its name when it has none here."""
        for name, ip in self.config.addresses:
            if name == host:
                return ip
        return host

    def clock(self, now: int) -> None:
        """Tell Raft the tick number. Ticks that a pause swallowed do not count."""
        s = self.state
        late = now - s.armed_at
        period = self.config.heartbeat_ns
        if late > period:
            lost = late // period * period
            s.phase += lost
            s.armed_at += lost  # counted once, however much mail has waited with the timer
        s.raft.tick = (now - s.phase) // period

    def forwards(self, src: str, message: RaftMessage) -> bool:
        """Does a member that is still one pass ``message`` on for another? Then the real one refuses the message (403), not the member (410)."""
        return message.type in FORWARDED and self.state.app.membership.id_of(src) not in (0, message.frm)

    def hello(self, src: str, message: PeerHello, now: int, out: Outbox) -> None:
        """A peer is there."""
        if message.gone:
            out.exit(0)  # "the member has been permanently removed from the cluster"
            return
        if message.frm in self.state.app.membership.removed:
            out.send(src, PeerHello(self.config.id, reply=True, gone=True))
            return
        self.heard(message.frm, now)
        if not message.reply:
            out.send(src, PeerHello(self.config.id, reply=True))
        s = self.state
        if not s.advanced and sum(peer.since >= 0 for peer in s.peers.values()) > 1:
            age = now - s.booted
            polls = max(-(-age // PEER_POLL), 1)
            out.timer("advance", polls * PEER_POLL - age)

    def advance(self, now: int, out: Outbox) -> None:
        """A starting member does not wait a whole election timeout for a leader that may not exist.

        etcd fast-forwards the election timer by all but two ticks once it is connected to two peers, within 5 s.
        """
        s = self.state
        if s.advanced:
            return
        s.advanced = True
        if s.raft.role != "leader" and now - s.booted <= PEER_TIMEOUT:
            s.raft.election_since -= s.raft.election_tick - 2
        self.ready(now, out)

    def heard(self, member: int, now: int) -> None:
        """Something came from ``member``: the connection lives."""
        peer = self.state.peers.get(member)
        if peer is None:
            peer = self.state.peers[member] = Peer()
        if peer.since < 0 or (now - peer.last > PEER_TIMEOUT and self.state.raft.role == "leader"):
            peer.since = now
        peer.last = now

    def connected_since(self, member: int, instant: int, now: int) -> bool:
        """Has the connection to ``member`` (or myself) held since ``instant``?"""
        if member == self.config.id:
            return True
        s = self.state
        peer = s.peers.get(member)
        if peer is None or peer.since < 0 or peer.since > instant:
            return False
        # Only between the leader and a member is there always something to hear.
        talking = s.raft.role == "leader" or s.raft.lead == member
        return not talking or now - peer.last <= PEER_TIMEOUT

    def ready(self, now: int, out: Outbox) -> None:
        """Do what follows from Raft's state."""
        raise NotImplementedError
