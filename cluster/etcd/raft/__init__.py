"""Raft as etcd's own library does it: a pure state machine with no clock, no disk and no network.

In: a message (``wire.raft.RaftMessage``), the number of the current tick, a proposal, a read request. Out: what the
caller must do, collected in the state itself: messages that may leave at once (``messages``), messages that may leave
only when everything appended so far is durable (``after``), entries to persist (``log.unstable``), a HardState, entries to
apply, answers to reads. The only chance is a die in the state, thrown for election timeouts.

Read in this order: ``roles`` (who a member can be), ``log``, ``quorum``, ``progress``, ``state``, ``election``,
``replication``, ``reads``, ``confchange``, ``node`` (the door).

Simplified here: no limit on the bytes in flight (only on messages), no ForgetLeader, and a leader that is removed leads until that is committed.
Upstream: etcd-io/raft.
"""

from cluster.etcd.raft.confchange import ConfChange, ConfChangeV2, InvalidChange
from cluster.etcd.raft.log import RaftLog, Snapshot
from cluster.etcd.raft.node import RawNode
from cluster.etcd.raft.roles import TRANSITIONS, Role
from cluster.etcd.raft.state import Raft, ReadState

__all__ = [
    "TRANSITIONS",
    "ConfChange",
    "ConfChangeV2",
    "InvalidChange",
    "Raft",
    "RaftLog",
    "RawNode",
    "ReadState",
    "Role",
    "Snapshot",
]
