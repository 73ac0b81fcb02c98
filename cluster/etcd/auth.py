"""Users, roles and permissions: kept through the log like everything else, and never asked for, as authentication stays off.

In: ``AuthRequest`` (one of ``_OPS``). Out: ``AuthResponse``; every change counts the auth revision up. Errors: ``Refused`` with etcd's words.
Upstream: server/auth/store.go.

Simplified here: authentication cannot be turned on (``auth enable`` says so once a root user with the root role is there), so nobody logs in and passwords are
not kept, not even as hashes. A snapshot's file has no users.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct, field

from cluster.etcd import errors
from cluster.etcd.errors import Refused
from cluster.wire.etcd import AuthRequest, AuthResponse, Permission, ResponseHeader

ROOT: Final = "root"


class AuthStore(Struct):
    """``users``: name → roles, sorted; ``roles``: name → permissions, by key."""

    users: dict[str, list[str]] = field(default_factory=dict)
    roles: dict[str, list[Permission]] = field(default_factory=dict)
    revision: int = 1

    def copy(self) -> "AuthStore":
        """For a snapshot."""
        users = {name: list(roles) for name, roles in self.users.items()}
        return AuthStore(users, {name: list(held) for name, held in self.roles.items()}, self.revision)

    def user(self, name: str) -> list[str]:
        """A user's roles. Refused."""
        if name not in self.users:
            raise Refused(*errors.USER_NOT_FOUND)
        return self.users[name]

    def role(self, name: str) -> list[Permission]:
        """A role's permissions. Refused."""
        if name not in self.roles:
            raise Refused(*errors.ROLE_NOT_FOUND)
        return self.roles[name]


class Found(Struct, frozen=True):
    """What was asked for."""

    roles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    permissions: tuple[Permission, ...] = ()


def apply(store: AuthStore, q: AuthRequest, header: ResponseHeader) -> AuthResponse:
    """Do what ``q`` asks for. Refused: nothing was changed."""
    found = _OPS[q.op](store, q) or Found()
    if q.op in _CHANGES:
        store.revision += 1
    return AuthResponse(q.id, header, q.op, found.roles, found.users, found.permissions, store.revision)


def _enable(store: AuthStore, q: AuthRequest) -> None:
    if ROOT not in store.users:
        raise Refused(*errors.NO_ROOT_USER)
    if ROOT not in store.users[ROOT]:
        raise Refused(*errors.NO_ROOT_ROLE)
    raise Refused(*errors.AUTH_STAYS_OFF)


def _nothing(store: AuthStore, q: AuthRequest) -> None:
    """Disabling what is off, and asking whether it is."""


def _authenticate(store: AuthStore, q: AuthRequest) -> None:
    raise Refused(*errors.AUTH_NOT_ENABLED)


def _user_add(store: AuthStore, q: AuthRequest) -> None:
    if not q.name:
        raise Refused(*errors.USER_EMPTY)
    if q.name in store.users:
        raise Refused(*errors.USER_EXISTS)
    store.users[q.name] = []


def _user_get(store: AuthStore, q: AuthRequest) -> Found:
    return Found(roles=tuple(store.user(q.name)))


def _user_list(store: AuthStore, q: AuthRequest) -> Found:
    return Found(users=tuple(sorted(store.users)))


def _user_delete(store: AuthStore, q: AuthRequest) -> None:
    store.user(q.name)
    del store.users[q.name]


def _user_password(store: AuthStore, q: AuthRequest) -> None:
    store.user(q.name)


def _user_grant(store: AuthStore, q: AuthRequest) -> None:
    held = store.user(q.name)
    if q.role != ROOT:
        store.role(q.role)
    if q.role not in held:
        store.users[q.name] = sorted([*held, q.role])
        store.revision += 1  # granting again is no change


def _user_revoke(store: AuthStore, q: AuthRequest) -> None:
    held = store.user(q.name)
    if q.role not in held:
        raise Refused(*errors.ROLE_NOT_GRANTED)
    store.users[q.name] = [role for role in held if role != q.role]


def _role_add(store: AuthStore, q: AuthRequest) -> None:
    if not q.role:
        raise Refused(*errors.ROLE_EMPTY)
    if q.role in store.roles:
        raise Refused(*errors.ROLE_EXISTS)
    store.roles[q.role] = []


def _role_get(store: AuthStore, q: AuthRequest) -> Found:
    return Found(permissions=tuple(store.role(q.role)))


def _role_list(store: AuthStore, q: AuthRequest) -> Found:
    return Found(roles=tuple(sorted(store.roles)))


def _role_delete(store: AuthStore, q: AuthRequest) -> None:
    store.role(q.role)
    del store.roles[q.role]
    for name, held in store.users.items():
        store.users[name] = [role for role in held if role != q.role]


def _role_grant(store: AuthStore, q: AuthRequest) -> None:
    if q.permission is None:
        raise Refused(*errors.PERMISSION_NOT_GIVEN)
    held, new = store.role(q.role), q.permission
    kept = [one for one in held if (one.key, one.range_end) != (new.key, new.range_end)]
    store.roles[q.role] = sorted([*kept, new], key=lambda one: (one.key, one.range_end))


def _role_revoke(store: AuthStore, q: AuthRequest) -> None:
    held, wanted = store.role(q.role), q.permission
    assert wanted is not None
    left = [one for one in held if (one.key, one.range_end) != (wanted.key, wanted.range_end)]
    if len(left) == len(held):
        raise Refused(*errors.PERMISSION_NOT_GRANTED)
    store.roles[q.role] = left


_OPS: Final[dict[str, Callable[[AuthStore, AuthRequest], Found | None]]] = {
    "enable": _enable, "disable": _nothing, "status": _nothing, "authenticate": _authenticate,
    "user add": _user_add, "user get": _user_get, "user list": _user_list, "user delete": _user_delete, "user passwd": _user_password,
    "user grant-role": _user_grant, "user revoke-role": _user_revoke,
    "role add": _role_add, "role get": _role_get, "role list": _role_list, "role delete": _role_delete,
    "role grant-permission": _role_grant, "role revoke-permission": _role_revoke,
}  # fmt: skip
_CHANGES: Final = (
    "user add", "user delete", "user passwd", "user revoke-role", "role add", "role delete", "role grant-permission",
    "role revoke-permission",
)  # fmt: skip
