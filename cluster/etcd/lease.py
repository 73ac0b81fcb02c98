"""Leases: keys that die with a promise nobody keeps renewing.

Which leases exist and which keys hang on them is replicated through the log. *When* one expires is known only to the leader, who
proposes a revoke then; so a new leader first gives every lease its full time again (plus one election timeout).

Units: TTL in seconds, expiry in virtual ns. Errors: ``Refused``. Simplified here: no checkpoints of the remaining TTL (etcd has
them off by default). Upstream: server/lease/lessor.go.
"""

from typing import Final

from msgspec import Struct, field

from cluster.etcd import errors
from cluster.etcd.errors import Refused
from cluster.sim.clock import SECOND

MAX_TTL: Final = 9_000_000_000
SCAN: Final = SECOND // 2
"""Expired leases are looked for this often."""


class Lease(Struct):
    """``expiry`` is 0 on members that are not the leader."""

    id: int
    ttl: int
    expiry: int = 0
    keys: dict[bytes, None] = field(default_factory=dict)
    revoking: bool = False


class Lessor(Struct):
    """All leases of a member."""

    leases: dict[int, Lease] = field(default_factory=dict)
    owner: dict[bytes, int] = field(default_factory=dict)
    """Key → its lease."""
    primary: bool = False

    def grant(self, id_: int, ttl: int, minimum: int, now: int) -> Lease:
        """A new lease of at least ``minimum`` seconds."""
        if id_ in self.leases:
            raise Refused(*errors.LEASE_EXISTS)
        ttl = max(ttl, minimum)
        lease = self.leases[id_] = Lease(id_, ttl, now + ttl * SECOND if self.primary else 0)
        return lease

    def get(self, id_: int) -> Lease:
        """The lease, or ``Refused``."""
        lease = self.leases.get(id_)
        if lease is None:
            raise Refused(*errors.LEASE_NOT_FOUND)
        return lease

    def revoke(self, id_: int) -> list[bytes]:
        """End a lease; the keys that go with it, sorted."""
        lease = self.get(id_)
        del self.leases[id_]
        for key in lease.keys:
            del self.owner[key]
        return sorted(lease.keys)

    def attach(self, key: bytes, id_: int) -> None:
        """``key`` was written with lease ``id_`` (0: none)."""
        old = self.owner.get(key, 0)
        if old == id_:
            return
        if old:
            self.detach(key)
        if id_:
            self.leases[id_].keys[key] = None
            self.owner[key] = id_

    def detach(self, key: bytes) -> None:
        """``key`` is gone or has another lease."""
        id_ = self.owner.pop(key, 0)
        if id_:
            self.leases[id_].keys.pop(key, None)

    def promote(self, now: int, extend: int) -> None:
        """I lead now: every lease gets its full time, and ``extend`` ns for the time nobody could renew."""
        self.primary = True
        for lease in self.leases.values():
            lease.expiry = now + lease.ttl * SECOND + extend
            lease.revoking = False

    def demote(self) -> None:
        """I don't lead any more."""
        self.primary = False
        for lease in self.leases.values():
            lease.expiry = 0
            lease.revoking = False

    def renew(self, id_: int, now: int) -> Lease:
        """The full time again."""
        lease = self.get(id_)
        if lease.revoking:
            raise Refused(*errors.LEASE_NOT_FOUND)
        lease.expiry = now + lease.ttl * SECOND
        return lease

    def expired(self, now: int) -> list[Lease]:
        """Leases whose time is over and whose revoke was not yet proposed."""
        return [lease for lease in self.leases.values() if lease.expiry <= now and not lease.revoking]

    def next_expiry(self) -> int | None:
        """When the next one expires; None if none will."""
        times = [lease.expiry for lease in self.leases.values() if not lease.revoking]
        return min(times) if times else None

    def copy(self) -> "Lessor":
        """For a snapshot."""
        return Lessor(
            {i: Lease(i, lease.ttl, 0, dict(lease.keys)) for i, lease in self.leases.items()}, dict(self.owner)
        )
