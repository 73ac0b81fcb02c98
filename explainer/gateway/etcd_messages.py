"""etcd's client API in protobuf: the messages of ``rpc.proto`` and ``kv.proto`` by field number, and which call means which path.

The JSON gateway and gRPC carry the same messages, so gRPC is served by transcoding: protobuf in → the JSON that the gateway
takes → the gateway's JSON → protobuf out. ``protobuf``'s own JSON mapping is the one that grpc-gateway uses (int64 as text, bytes
in base64), which is why nothing of etcd's meaning needs saying twice.

Upstream: etcd 3.5 api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto.

Simplified here: of Maintenance there is no Hash of the whole backend (HashKV is) and no Downgrade: both answer UNIMPLEMENTED.
"""

from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

ENUMS = {
    "SortOrder": "NONE ASCEND DESCEND",
    "SortTarget": "KEY VERSION CREATE MOD VALUE",
    "CompareResult": "EQUAL GREATER LESS NOT_EQUAL",
    "CompareTarget": "VERSION CREATE MOD VALUE LEASE",
    "FilterType": "NOPUT NODELETE",
    "EventType": "PUT DELETE",
    "AlarmAction": "GET ACTIVATE DEACTIVATE",
    "AlarmType": "NONE NOSPACE CORRUPT",
    "ServingStatus": "UNKNOWN SERVING NOT_SERVING SERVICE_UNKNOWN",
    "PermissionType": "READ WRITE READWRITE",
}

MESSAGES = """
ResponseHeader: cluster_id=1:uint64 member_id=2:uint64 revision=3:int64 raft_term=4:uint64
KeyValue: key=1:bytes create_revision=2:int64 mod_revision=3:int64 version=4:int64 value=5:bytes lease=6:int64
Event: type=1:EventType kv=2:KeyValue prev_kv=3:KeyValue
RangeRequest: key=1:bytes range_end=2:bytes limit=3:int64 revision=4:int64 sort_order=5:SortOrder sort_target=6:SortTarget serializable=7:bool keys_only=8:bool count_only=9:bool min_mod_revision=10:int64 max_mod_revision=11:int64 min_create_revision=12:int64 max_create_revision=13:int64
RangeResponse: header=1:ResponseHeader kvs=2:KeyValue* more=3:bool count=4:int64
PutRequest: key=1:bytes value=2:bytes lease=3:int64 prev_kv=4:bool ignore_value=5:bool ignore_lease=6:bool
PutResponse: header=1:ResponseHeader prev_kv=2:KeyValue
DeleteRangeRequest: key=1:bytes range_end=2:bytes prev_kv=3:bool
DeleteRangeResponse: header=1:ResponseHeader deleted=2:int64 prev_kvs=3:KeyValue*
RequestOp: request_range=1:RangeRequest/request request_put=2:PutRequest/request request_delete_range=3:DeleteRangeRequest/request request_txn=4:TxnRequest/request
ResponseOp: response_range=1:RangeResponse/response response_put=2:PutResponse/response response_delete_range=3:DeleteRangeResponse/response response_txn=4:TxnResponse/response
Compare: result=1:CompareResult target=2:CompareTarget key=3:bytes version=4:int64/union create_revision=5:int64/union mod_revision=6:int64/union value=7:bytes/union lease=8:int64/union range_end=64:bytes
TxnRequest: compare=1:Compare* success=2:RequestOp* failure=3:RequestOp*
TxnResponse: header=1:ResponseHeader succeeded=2:bool responses=3:ResponseOp*
CompactionRequest: revision=1:int64 physical=2:bool
CompactionResponse: header=1:ResponseHeader
HashKVRequest: revision=1:int64
HashKVResponse: header=1:ResponseHeader hash=2:uint32 compact_revision=3:int64
WatchRequest: create_request=1:WatchCreateRequest/request cancel_request=2:WatchCancelRequest/request progress_request=3:WatchProgressRequest/request
WatchCreateRequest: key=1:bytes range_end=2:bytes start_revision=3:int64 progress_notify=4:bool filters=5:FilterType* prev_kv=6:bool watch_id=7:int64 fragment=8:bool
WatchCancelRequest: watch_id=1:int64
WatchProgressRequest:
WatchResponse: header=1:ResponseHeader watch_id=2:int64 created=3:bool canceled=4:bool compact_revision=5:int64 cancel_reason=6:string fragment=7:bool events=11:Event*
LeaseGrantRequest: TTL=1:int64 ID=2:int64
LeaseGrantResponse: header=1:ResponseHeader ID=2:int64 TTL=3:int64 error=4:string
LeaseRevokeRequest: ID=1:int64
LeaseRevokeResponse: header=1:ResponseHeader
LeaseKeepAliveRequest: ID=1:int64
LeaseKeepAliveResponse: header=1:ResponseHeader ID=2:int64 TTL=3:int64
LeaseTimeToLiveRequest: ID=1:int64 keys=2:bool
LeaseTimeToLiveResponse: header=1:ResponseHeader ID=2:int64 TTL=3:int64 grantedTTL=4:int64 keys=5:bytes*
LeaseLeasesRequest:
LeaseStatus: ID=1:int64
LeaseLeasesResponse: header=1:ResponseHeader leases=2:LeaseStatus*
Member: ID=1:uint64 name=2:string peerURLs=3:string* clientURLs=4:string* isLearner=5:bool
MemberAddRequest: peerURLs=1:string* isLearner=2:bool
MemberAddResponse: header=1:ResponseHeader member=2:Member members=3:Member*
MemberRemoveRequest: ID=1:uint64
MemberRemoveResponse: header=1:ResponseHeader members=2:Member*
MemberListRequest: linearizable=1:bool
MemberListResponse: header=1:ResponseHeader members=2:Member*
MemberUpdateRequest: ID=1:uint64 peerURLs=2:string*
MemberUpdateResponse: header=1:ResponseHeader members=2:Member*
MemberPromoteRequest: ID=1:uint64
MemberPromoteResponse: header=1:ResponseHeader members=2:Member*
DefragmentRequest:
DefragmentResponse: header=1:ResponseHeader
SnapshotRequest:
SnapshotResponse: header=1:ResponseHeader remaining_bytes=2:uint64 blob=3:bytes version=4:string
MoveLeaderRequest: targetID=1:uint64
MoveLeaderResponse: header=1:ResponseHeader
AlarmRequest: action=1:AlarmAction memberID=2:uint64 alarm=3:AlarmType
AlarmMember: memberID=1:uint64 alarm=2:AlarmType
AlarmResponse: header=1:ResponseHeader alarms=2:AlarmMember*
HealthCheckRequest: service=1:string
HealthCheckResponse: status=1:ServingStatus
LockRequest: name=1:bytes lease=2:int64
LockResponse: header=1:ResponseHeader key=2:bytes
UnlockRequest: key=1:bytes
UnlockResponse: header=1:ResponseHeader
LeaderKey: name=1:bytes key=2:bytes rev=3:int64 lease=4:int64
CampaignRequest: name=1:bytes lease=2:int64 value=3:bytes
CampaignResponse: header=1:ResponseHeader leader=2:LeaderKey
ProclaimRequest: leader=1:LeaderKey value=2:bytes
ProclaimResponse: header=1:ResponseHeader
LeaderRequest: name=1:bytes
LeaderResponse: header=1:ResponseHeader kv=2:KeyValue
ResignRequest: leader=1:LeaderKey
ResignResponse: header=1:ResponseHeader
AuthRequest:
AuthResponse: header=1:ResponseHeader
AuthStatusResponse: header=1:ResponseHeader enabled=2:bool authRevision=3:uint64
AuthenticateRequest: name=1:string password=2:string
AuthenticateResponse: header=1:ResponseHeader token=2:string
AuthUserAddOptions: no_password=1:bool
AuthUserAddRequest: name=1:string password=2:string options=3:AuthUserAddOptions hashedPassword=4:string
AuthNameRequest: name=1:string
AuthUserGetResponse: header=1:ResponseHeader roles=2:string*
AuthUserListResponse: header=1:ResponseHeader users=2:string*
AuthUserChangePasswordRequest: name=1:string password=2:string hashedPassword=3:string
AuthUserGrantRoleRequest: user=1:string role=2:string
AuthUserRevokeRoleRequest: name=1:string role=2:string
AuthRoleRequest: role=1:string
Permission: permType=1:PermissionType key=2:bytes range_end=3:bytes
AuthRoleGetResponse: header=1:ResponseHeader perm=2:Permission*
AuthRoleListResponse: header=1:ResponseHeader roles=2:string*
AuthRoleGrantPermissionRequest: name=1:string perm=2:Permission
AuthRoleRevokePermissionRequest: role=1:string key=2:bytes range_end=3:bytes
StatusRequest:
StatusResponse: header=1:ResponseHeader version=2:string dbSize=3:int64 leader=4:uint64 raftIndex=5:uint64 raftTerm=6:uint64 raftAppliedIndex=7:uint64 errors=8:string* dbSizeInUse=9:int64 isLearner=10:bool
"""
"""A message a line; a field is ``name=number:type``, ``*`` repeated, ``/group`` one of a group."""

PACKAGE = "etcdserverpb"
SCALARS = ("bool", "bytes", "int64", "string", "uint32", "uint64")


def _file() -> descriptor_pb2.FileDescriptorProto:
    """The table above as protobuf's own description of a file."""
    file = descriptor_pb2.FileDescriptorProto(name="clearplane/etcd.proto", package=PACKAGE, syntax="proto3")
    for name, values in ENUMS.items():
        # Values of an enum share the file's namespace, so each enum stands in a message of its own, as upstream's do.
        holder = file.message_type.add(name=f"{name}_")
        enum = holder.enum_type.add(name=name)
        for number, value in enumerate(values.split()):
            enum.value.add(name=value, number=number)
    for line in MESSAGES.strip().splitlines():
        name, _, fields = line.partition(":")
        message = file.message_type.add(name=name)
        for text in fields.split():
            _field(message, text)
    return file


def _field(message: descriptor_pb2.DescriptorProto, text: str) -> None:
    name, _, rest = text.partition("=")
    number, _, kind = rest.partition(":")
    kind, _, group = kind.partition("/")
    field = message.field.add(name=name, number=int(number), json_name=name)
    field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    kind = kind.rstrip("*")
    if kind in SCALARS:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
    elif kind in ENUMS:
        field.type, field.type_name = field.TYPE_ENUM, f".{PACKAGE}.{kind}_.{kind}"
    else:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    if group:
        groups = [one.name for one in message.oneof_decl]
        if group not in groups:
            message.oneof_decl.add(name=group)
            groups.append(group)
        field.oneof_index = groups.index(group)


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file())


def message(name: str) -> Any:
    """The class of the message ``name``."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


def to_document(data: bytes, name: str) -> dict[str, Any]:
    """Protobuf bytes of a message → the gateway's JSON document. ValueError when they are not such a message."""
    found = message(name)()
    try:
        found.ParseFromString(data)
    except Exception as error:  # protobuf's DecodeError is no ValueError
        raise ValueError(str(error)) from error
    return json_format.MessageToDict(found, preserving_proto_field_name=True)


def from_document(document: dict[str, Any], name: str) -> bytes:
    """The gateway's JSON document → protobuf bytes."""
    return json_format.ParseDict(document, message(name)(), ignore_unknown_fields=True).SerializeToString()


class Call(NamedTuple):
    """A gRPC method: the gateway's path for it, its request and its response."""

    path: str
    request: str
    response: str


def _auth(method: str, path: str, request: str = "AuthRequest", response: str = "AuthResponse") -> tuple[str, Call]:
    """A call of the Auth service; messages of the same fields share a name here."""
    return f"/{PACKAGE}.Auth/{method}", Call(f"/v3/auth/{path}", request, response)


def _unary(service: str, method: str, path: str, name: str = "") -> tuple[str, Call]:
    name = name or method
    return f"/{PACKAGE}.{service}/{method}", Call(path, f"{name}Request", f"{name}Response")


CALLS = dict(
    [
        _unary("KV", "Range", "/v3/kv/range"),
        _unary("KV", "Put", "/v3/kv/put"),
        _unary("KV", "DeleteRange", "/v3/kv/deleterange"),
        _unary("KV", "Txn", "/v3/kv/txn"),
        _unary("KV", "Compact", "/v3/kv/compaction", "Compaction"),
        _unary("Lease", "LeaseGrant", "/v3/lease/grant"),
        _unary("Lease", "LeaseRevoke", "/v3/lease/revoke"),
        _unary("Lease", "LeaseTimeToLive", "/v3/lease/timetolive"),
        _unary("Lease", "LeaseLeases", "/v3/lease/leases"),
        _unary("Cluster", "MemberAdd", "/v3/cluster/member/add"),
        _unary("Cluster", "MemberRemove", "/v3/cluster/member/remove"),
        _unary("Cluster", "MemberUpdate", "/v3/cluster/member/update"),
        _unary("Cluster", "MemberList", "/v3/cluster/member/list"),
        _unary("Cluster", "MemberPromote", "/v3/cluster/member/promote"),
        _auth("AuthEnable", "enable"),
        _auth("AuthDisable", "disable"),
        _auth("AuthStatus", "status", response="AuthStatusResponse"),
        _auth("Authenticate", "authenticate", "AuthenticateRequest", "AuthenticateResponse"),
        _auth("UserAdd", "user/add", "AuthUserAddRequest"),
        _auth("UserGet", "user/get", "AuthNameRequest", "AuthUserGetResponse"),
        _auth("UserList", "user/list", response="AuthUserListResponse"),
        _auth("UserDelete", "user/delete", "AuthNameRequest"),
        _auth("UserChangePassword", "user/changepw", "AuthUserChangePasswordRequest"),
        _auth("UserGrantRole", "user/grant", "AuthUserGrantRoleRequest"),
        _auth("UserRevokeRole", "user/revoke", "AuthUserRevokeRoleRequest"),
        _auth("RoleAdd", "role/add", "AuthNameRequest"),
        _auth("RoleGet", "role/get", "AuthRoleRequest", "AuthRoleGetResponse"),
        _auth("RoleList", "role/list", response="AuthRoleListResponse"),
        _auth("RoleDelete", "role/delete", "AuthRoleRequest"),
        _auth("RoleGrantPermission", "role/grant", "AuthRoleGrantPermissionRequest"),
        _auth("RoleRevokePermission", "role/revoke", "AuthRoleRevokePermissionRequest"),
        _unary("Maintenance", "Alarm", "/v3/maintenance/alarm"),
        _unary("Maintenance", "Status", "/v3/maintenance/status"),
        _unary("Maintenance", "Defragment", "/v3/maintenance/defragment"),
        _unary("Maintenance", "HashKV", "/v3/maintenance/hash"),
        _unary("Maintenance", "MoveLeader", "/v3/maintenance/transfer-leadership"),
    ]
)
HEALTH = "/grpc.health.v1.Health/Check"
WATCH = f"/{PACKAGE}.Watch/Watch"
KEEP_ALIVE = f"/{PACKAGE}.Lease/LeaseKeepAlive"
SNAPSHOT = f"/{PACKAGE}.Maintenance/Snapshot"
SNAPSHOT_PATH = "/v3/maintenance/snapshot"
KEEP_ALIVE_PATH = "/v3/lease/keepalive"
