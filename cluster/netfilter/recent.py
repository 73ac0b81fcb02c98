"""``xt_recent``: named lists of addresses and when each was last seen. kube-proxy keeps session affinity in them.

A Service with ``sessionAffinity: ClientIP`` has one list per endpoint, named like the endpoint's chain: choosing the endpoint puts the
client on the list, and as long as it stays there (``--seconds``) the endpoint is chosen again.

Simplified here: one instant per address instead of the last 20 packets' (so ``--hitcount`` above 1 never holds); the
kernel's cap of 100 addresses per list is kept.

Upstream: Linux net/netfilter/xt_recent.c (``ip_list_tot``).
"""

from msgspec import Struct, field

from cluster.netfilter.rules import Recent
from cluster.sim import SECOND

LIST_TOTAL = 100
"""Addresses a list remembers; the one seen longest ago makes room."""


class RecentLists(Struct):
    """List name → address → last seen (virtual ns)."""

    lists: dict[str, dict[str, int]] = field(default_factory=dict)

    def match(self, match: Recent, address: str, now: int) -> bool:
        """What the kernel answers, and the change it makes on the way."""
        seen = self.lists.setdefault(match.name, {})
        if match.op == "set":
            seen.pop(address, None)
            if len(seen) >= LIST_TOTAL:
                del seen[next(iter(seen))]
            seen[address] = now
            return not match.negate
        last = seen.get(address)
        if last is None:
            return match.negate
        if match.op == "remove":
            del seen[address]
            return not match.negate
        fresh = not match.seconds or now - last <= match.seconds * SECOND
        if not fresh and match.reap:
            del seen[address]
        if fresh and match.hitcount > 1:
            fresh = False
        if fresh and match.op == "update":
            del seen[address]
            seen[address] = now
        return fresh != match.negate
