"""Who is asking: the answer of authentication, the question of authorization.

Upstream: apiserver/pkg/authentication/user, .../serviceaccount (v1.32).
"""

from typing import Any

from msgspec import Struct

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"
NODES = "system:nodes"
NODE_PREFIX = "system:node:"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"


class User(Struct, frozen=True):
    """``user.Info``. ``extra``: pairs of a key and its values."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def document(self) -> dict[str, Any]:
        """``authentication.k8s.io/v1 UserInfo``; empty fields are left out."""
        doc: dict[str, Any] = {}
        if self.name:
            doc["username"] = self.name
        if self.uid:
            doc["uid"] = self.uid
        if self.groups:
            doc["groups"] = list(self.groups)
        if self.extra:
            doc["extra"] = {key: list(values) for key, values in self.extra}
        return doc


def service_account_name(user: str) -> tuple[str, str] | None:
    """``(namespace, name)`` when ``user`` is a service account's user name."""
    if not user.startswith(SERVICE_ACCOUNT_PREFIX):
        return None
    namespace, _, name = user[len(SERVICE_ACCOUNT_PREFIX) :].partition(":")
    return (namespace, name) if namespace and name and ":" not in name else None


def service_account_groups(namespace: str) -> tuple[str, ...]:
    """The groups every service account of ``namespace`` is in."""
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
