"""etcd's own words for what went wrong: gRPC status code and text, as its clients know them.

``Refused`` is raised inside a member and becomes a ``wire.etcd.EtcdError``. Upstream: api/v3rpc/rpctypes/error.go.
"""

from typing import Final

UNKNOWN, INVALID, DEADLINE, NOT_FOUND, EXHAUSTED, PRECONDITION, OUT_OF_RANGE, UNAVAILABLE = 2, 3, 4, 5, 8, 9, 11, 14


class Refused(Exception):
    """A request ends with this gRPC status. ``message`` is etcd's text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def _etcd(code: int, text: str) -> tuple[int, str]:
    return code, "etcdserver: " + text


EMPTY_KEY: Final = _etcd(INVALID, "key is not provided")
KEY_NOT_FOUND: Final = _etcd(INVALID, "key not found")
VALUE_PROVIDED: Final = _etcd(INVALID, "value is provided")
LEASE_PROVIDED: Final = _etcd(INVALID, "lease is provided")
TOO_MANY_OPS: Final = _etcd(INVALID, "too many operations in txn request")
DUPLICATE_KEY: Final = _etcd(INVALID, "duplicate key given in txn request")
TOO_LARGE: Final = _etcd(INVALID, "request is too large")
INVALID_SORT: Final = _etcd(INVALID, "invalid sort option")
NO_SUCH_ALARM: Final = (INVALID, "there is no such alarm, or nothing of the kind can be done with one")
NO_SUCH_COMPARISON: Final = (INVALID, "there is no such comparison")
COMPACTED: Final = _etcd(OUT_OF_RANGE, "mvcc: required revision has been compacted")
FUTURE_REVISION: Final = _etcd(OUT_OF_RANGE, "mvcc: required revision is a future revision")
LEASE_TTL_TOO_LARGE: Final = _etcd(OUT_OF_RANGE, "too large lease TTL")
NO_SPACE: Final = _etcd(EXHAUSTED, "mvcc: database space exceeded")
LEASE_NOT_FOUND: Final = _etcd(NOT_FOUND, "requested lease not found")
LEASE_EXISTS: Final = _etcd(PRECONDITION, "lease already exists")
MEMBER_NOT_FOUND: Final = _etcd(NOT_FOUND, "member not found")
MEMBER_EXISTS: Final = _etcd(PRECONDITION, "member ID already exist")
PEER_URL_EXISTS: Final = _etcd(PRECONDITION, "Peer URLs already exists")
BAD_URLS: Final = _etcd(INVALID, "given member URLs are invalid")
NOT_ENOUGH_STARTED: Final = _etcd(PRECONDITION, "re-configuration failed due to not enough started members")
NOT_LEARNER: Final = _etcd(PRECONDITION, "can only promote a learner member")
LEARNER_NOT_READY: Final = _etcd(PRECONDITION, "can only promote a learner member which is in sync with leader")
TOO_MANY_LEARNERS: Final = _etcd(PRECONDITION, "too many learner members in cluster")
NOT_FOR_LEARNER: Final = _etcd(PRECONDITION, "rpc not supported for learner")
NOT_LEADER: Final = _etcd(PRECONDITION, "not leader")
BAD_TRANSFEREE: Final = _etcd(PRECONDITION, "bad leader transferee")
USER_EMPTY: Final = _etcd(INVALID, "user name is empty")
USER_EXISTS: Final = _etcd(PRECONDITION, "user name already exists")
USER_NOT_FOUND: Final = _etcd(PRECONDITION, "user name not found")
ROLE_EMPTY: Final = _etcd(INVALID, "role name is empty")
ROLE_EXISTS: Final = _etcd(PRECONDITION, "role name already exists")
ROLE_NOT_FOUND: Final = _etcd(PRECONDITION, "role name not found")
ROLE_NOT_GRANTED: Final = _etcd(PRECONDITION, "role is not granted to the user")
PERMISSION_NOT_GIVEN: Final = _etcd(INVALID, "permission not given")
PERMISSION_NOT_GRANTED: Final = _etcd(PRECONDITION, "permission is not granted to the role")
NO_ROOT_USER: Final = _etcd(PRECONDITION, "root user does not exist")
NO_ROOT_ROLE: Final = _etcd(PRECONDITION, "root user does not have root role")
AUTH_NOT_ENABLED: Final = _etcd(PRECONDITION, "authentication is not enabled")
AUTH_STAYS_OFF: Final = (
    PRECONDITION,
    "Clearplane's etcd keeps authentication off: users and roles are kept, nobody is asked who they are",
)
NO_LEADER: Final = _etcd(UNAVAILABLE, "no leader")
LEADER_CHANGED: Final = _etcd(UNAVAILABLE, "leader changed")
UNHEALTHY: Final = _etcd(UNAVAILABLE, "unhealthy cluster")
TIMEOUT: Final = _etcd(UNAVAILABLE, "request timed out")
TIMEOUT_LEADER_FAILED: Final = _etcd(UNAVAILABLE, "request timed out, possibly due to previous leader failure")
TIMEOUT_CONNECTION: Final = _etcd(UNAVAILABLE, "request timed out, possibly due to connection lost")
DEADLINE_BARE: Final = (UNKNOWN, "context deadline exceeded")
NOT_PRIMARY: Final = (UNKNOWN, "not a primary lessor")
PROPOSAL_DROPPED: Final = (UNKNOWN, "raft proposal dropped")
