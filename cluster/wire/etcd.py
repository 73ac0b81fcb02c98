"""etcd's client API (etcdserverpb, v3) as messages between an apiserver (or a gateway) and one member.

Every request carries an ``id`` chosen by the client (world-unique); the member answers to the sender with the same
``id``. Keys and values are bytes, as on the real wire. Revisions, leases and versions are int64.

Upstream: etcd api/etcdserverpb/rpc.proto.
"""

from typing import Literal

from msgspec import Struct


class KeyValue(Struct, frozen=True, tag=True, gc=False):
    """mvccpb.KeyValue. ``cause`` (ours): the request whose transaction wrote it."""

    key: bytes
    value: bytes = b""
    create_revision: int = 0
    mod_revision: int = 0
    version: int = 0
    lease: int = 0
    cause: int = 0


class ResponseHeader(Struct, frozen=True, gc=False):
    cluster_id: int
    member_id: int
    revision: int
    raft_term: int


class EtcdError(Struct, frozen=True, tag=True):
    """A gRPC status instead of an answer: ``code`` is the gRPC number, ``message`` etcd's own text."""

    id: int
    code: int
    message: str


class RangeRequest(Struct, frozen=True, tag=True):
    """``range_end`` empty: one key; b"\\0": everything ≥ key; else [key, range_end)."""

    id: int
    key: bytes
    range_end: bytes = b""
    limit: int = 0
    revision: int = 0
    sort_order: Literal["NONE", "ASCEND", "DESCEND"] = "NONE"
    sort_target: Literal["KEY", "VERSION", "CREATE", "MOD", "VALUE"] = "KEY"
    serializable: bool = False
    keys_only: bool = False
    count_only: bool = False
    min_mod_revision: int = 0
    max_mod_revision: int = 0
    min_create_revision: int = 0
    max_create_revision: int = 0


class RangeResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader
    kvs: tuple[KeyValue, ...] = ()
    more: bool = False
    count: int = 0


class PutRequest(Struct, frozen=True, tag=True):
    id: int
    key: bytes
    value: bytes
    lease: int = 0
    prev_kv: bool = False
    ignore_value: bool = False
    ignore_lease: bool = False


class PutResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader
    prev_kv: KeyValue | None = None


class DeleteRangeRequest(Struct, frozen=True, tag=True):
    id: int
    key: bytes
    range_end: bytes = b""
    prev_kv: bool = False


class DeleteRangeResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader
    deleted: int = 0
    prev_kvs: tuple[KeyValue, ...] = ()


class Compare(Struct, frozen=True, tag=True):
    """``target`` of ``key`` ``result`` ``value``; bytes for VALUE, int for the others."""

    key: bytes
    target: Literal["VERSION", "CREATE", "MOD", "VALUE", "LEASE"]
    result: Literal["EQUAL", "GREATER", "LESS", "NOT_EQUAL"]
    value: int | bytes
    range_end: bytes = b""


class TxnRequest(Struct, frozen=True, tag=True):
    """If all ``compare`` hold do ``success``, else ``failure``. Nested requests have id 0."""

    id: int
    compare: tuple[Compare, ...] = ()
    success: "tuple[RequestOp, ...]" = ()
    failure: "tuple[RequestOp, ...]" = ()


class TxnResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader
    succeeded: bool
    responses: "tuple[ResponseOp, ...]" = ()


RequestOp = RangeRequest | PutRequest | DeleteRangeRequest | TxnRequest
ResponseOp = RangeResponse | PutResponse | DeleteRangeResponse | TxnResponse


class CompactionRequest(Struct, frozen=True, tag=True):
    id: int
    revision: int
    physical: bool = False


class CompactionResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader


class LeaseGrantRequest(Struct, frozen=True, tag=True):
    """``ttl`` seconds; ``lease`` 0 lets the member choose."""

    id: int
    ttl: int
    lease: int = 0


class LeaseGrantResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader
    lease: int
    ttl: int


class LeaseRevokeRequest(Struct, frozen=True, tag=True):
    id: int
    lease: int


class LeaseRevokeResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader


class LeaseKeepAliveRequest(Struct, frozen=True, tag=True):
    id: int
    lease: int


class LeaseKeepAliveResponse(Struct, frozen=True, tag=True):
    """``ttl`` 0: the lease does not exist."""

    id: int
    header: ResponseHeader
    lease: int
    ttl: int


class LeaseTimeToLiveRequest(Struct, frozen=True, tag=True):
    id: int
    lease: int
    keys: bool = False


class LeaseTimeToLiveResponse(Struct, frozen=True, tag=True):
    """``ttl`` -1: unknown lease."""

    id: int
    header: ResponseHeader
    lease: int
    ttl: int
    granted_ttl: int = 0
    keys: tuple[bytes, ...] = ()


class LeaseLeasesRequest(Struct, frozen=True, tag=True):
    id: int


class LeaseLeasesResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader
    leases: tuple[int, ...] = ()


class WatchEvent(Struct, frozen=True, tag_field="kind", tag=True, gc=False):
    """``cause`` is on ``kv`` (for a DELETE too: the deleting request)."""

    type: Literal["PUT", "DELETE"]
    kv: KeyValue
    prev_kv: KeyValue | None = None


class WatchCreateRequest(Struct, frozen=True, tag=True):
    """``watch`` is the client's world-unique number for it; ``start_revision`` 0 means from now on."""

    watch: int
    key: bytes
    range_end: bytes = b""
    start_revision: int = 0
    prev_kv: bool = False
    progress_notify: bool = False
    filters: tuple[str, ...] = ()
    """What not to tell: NOPUT, NODELETE."""


class WatchCancelRequest(Struct, frozen=True, tag=True):
    watch: int


class WatchProgressRequest(Struct, frozen=True, tag=True):
    """Ask for a WatchResponse without events that says how far ``watch`` is synced."""

    watch: int


class WatchResponse(Struct, frozen=True, tag=True):
    """Events of one or more revisions in order. ``compact_revision`` set: cancelled because compacted."""

    watch: int
    header: ResponseHeader
    events: tuple[WatchEvent, ...] = ()
    created: bool = False
    canceled: bool = False
    compact_revision: int = 0
    cancel_reason: str = ""


class StatusRequest(Struct, frozen=True, tag=True):
    id: int


class StatusResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader
    version: str
    db_size: int
    db_size_in_use: int
    leader: int
    raft_index: int
    raft_term: int
    raft_applied_index: int
    is_learner: bool = False
    errors: tuple[str, ...] = ()


class MetricsRequest(Struct, frozen=True, tag=True):
    """``GET /metrics``: what this member has counted."""

    id: int


class MetricsResponse(Struct, frozen=True, tag=True):
    """``text``: Prometheus' format."""

    id: int
    text: str


class VersionRequest(Struct, frozen=True, tag=True):
    """``GET /version``."""

    id: int


class VersionResponse(Struct, frozen=True, tag=True):
    """``cluster``: what all members agreed on; "" before they did."""

    id: int
    cluster: str


class HashKVRequest(Struct, frozen=True, tag=True):
    id: int
    revision: int = 0


class HashKVResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader
    hash: int
    compact_revision: int


class Member(Struct, frozen=True, tag=True):
    id: int
    name: str
    peer_urls: tuple[str, ...] = ()
    client_urls: tuple[str, ...] = ()
    is_learner: bool = False


class MemberListRequest(Struct, frozen=True, tag=True):
    id: int
    linearizable: bool = False


class MemberAddRequest(Struct, frozen=True, tag=True):
    """``address`` (ours): the process name that will run the new member."""

    id: int
    peer_urls: tuple[str, ...]
    is_learner: bool = False
    address: str = ""


class MemberRemoveRequest(Struct, frozen=True, tag=True):
    id: int
    member: int


class MemberUpdateRequest(Struct, frozen=True, tag=True):
    """Other peer URLs for a member."""

    id: int
    member: int
    peer_urls: tuple[str, ...]


class MemberPromoteRequest(Struct, frozen=True, tag=True):
    id: int
    member: int


class MemberResponse(Struct, frozen=True, tag=True):
    """Answer to all five; ``member`` is the one that was added."""

    id: int
    header: ResponseHeader
    members: tuple[Member, ...]
    member: Member | None = None


class MoveLeaderRequest(Struct, frozen=True, tag=True):
    id: int
    target: int


class MoveLeaderResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader


class AlarmRequest(Struct, frozen=True, tag=True):
    id: int
    action: Literal["GET", "ACTIVATE", "DEACTIVATE"] = "GET"
    member: int = 0
    alarm: Literal["NONE", "NOSPACE", "CORRUPT"] = "NONE"


class AlarmResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader
    alarms: tuple[tuple[int, str], ...] = ()


class Permission(Struct, frozen=True, tag=True):
    """authpb.Permission: ``may`` is READ, WRITE, READWRITE, or the text of a number that means nothing."""

    may: str = "READ"
    key: bytes = b""
    range_end: bytes = b""


class AuthRequest(Struct, frozen=True, tag=True):
    """All calls of the Auth service: ``op`` as etcdctl calls them ("user add", "role get", "enable" …). Passwords stay at the door."""

    id: int
    op: str
    name: str = ""
    role: str = ""
    permission: Permission | None = None


class AuthResponse(Struct, frozen=True, tag=True):
    """``revision`` is the auth store's."""

    id: int
    header: ResponseHeader
    op: str
    roles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    permissions: tuple[Permission, ...] = ()
    revision: int = 0


class DefragmentRequest(Struct, frozen=True, tag=True):
    id: int


class DefragmentResponse(Struct, frozen=True, tag=True):
    id: int
    header: ResponseHeader


class SnapshotRequest(Struct, frozen=True, tag=True):
    """The member's whole database as a file."""

    id: int


class SnapshotResponse(Struct, frozen=True, tag=True):
    """``blob``: a bbolt file and its SHA-256. On the real wire it comes in pieces of 32 KiB."""

    id: int
    header: ResponseHeader
    blob: bytes


class Campaign(Struct, frozen=True, tag=True):
    """From the laboratory, not from a client: let the election timer of this member run out now."""


class TickNow(Struct, frozen=True, tag=True):
    """From the laboratory: this member's clock runs fast; its next heartbeat, or its election timeout, is due now."""


class ElectionAt(Struct, frozen=True, tag=True):
    """From the laboratory: the election timer of this member runs out at this very instant (virtual ns)."""

    at: int


class SnapshotNow(Struct, frozen=True, tag=True):
    """From the laboratory: take a snapshot and compact the log up to it, as 10,000 applied entries would make a member do."""


class TransferLeadership(Struct, frozen=True, tag=True):
    """From the laboratory: hand leadership to the member whose process is ``to``."""

    to: str


Request = (
    RangeRequest | PutRequest | DeleteRangeRequest | TxnRequest | CompactionRequest | LeaseGrantRequest
    | LeaseRevokeRequest | LeaseKeepAliveRequest | LeaseTimeToLiveRequest | LeaseLeasesRequest | StatusRequest
    | HashKVRequest | MemberListRequest | MemberAddRequest | MemberRemoveRequest | MemberPromoteRequest
    | MemberUpdateRequest | MoveLeaderRequest | AlarmRequest | DefragmentRequest | SnapshotRequest | MetricsRequest
    | VersionRequest | AuthRequest
)  # fmt: skip
