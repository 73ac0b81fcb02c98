"""Raft's messages between etcd members (raftpb). Member ids are etcd's 64-bit numbers; processes are found by name.

Upstream: etcd-io/raft raftpb/raft.proto.
"""

from typing import Any, ClassVar, Literal

from msgspec import Struct

MessageType = Literal[
    "MsgHup", "MsgProp", "MsgApp", "MsgAppResp", "MsgVote", "MsgVoteResp", "MsgPreVote", "MsgPreVoteResp", "MsgSnap",
    "MsgHeartbeat", "MsgHeartbeatResp", "MsgUnreachable", "MsgSnapStatus", "MsgTransferLeader", "MsgTimeoutNow",
    "MsgReadIndex", "MsgReadIndexResp",
]  # fmt: skip


class Entry(Struct, frozen=True, tag_field="kind", tag=True, gc=False):
    """One log entry. ``data`` is a request to apply (plain data) or None for a new leader's empty entry.

    ``cause`` (ours) is the request that proposed it; it travels with the entry so that every member's apply, and
    the watch events it makes, know what they descend from.
    """

    term: int
    index: int
    type: Literal["EntryNormal", "EntryConfChange", "EntryConfChangeV2"] = "EntryNormal"
    data: Any = None
    cause: int = 0


class HardState(Struct, frozen=True, tag=True):
    term: int = 0
    vote: int = 0
    commit: int = 0


class RaftMessage(Struct, frozen=True, tag_field="kind", tag=True):
    """raftpb.Message. ``entries`` for MsgApp and MsgProp; ``context`` for ReadIndex and forced votes."""

    lossy: ClassVar[bool] = True

    type: MessageType
    to: int
    frm: int
    term: int = 0
    log_term: int = 0
    index: int = 0
    entries: tuple[Entry, ...] = ()
    commit: int = 0
    vote: int = 0
    reject: bool = False
    reject_hint: int = 0
    context: Any = None
    snapshot: Any = None
