"""Everything that programs wrote into one node's kernel: iptables' tables with sets and virtual servers, nft's, and who wrote it.

The tables outlive whoever wrote them. kube-proxy in another mode adds its own beside the old ones; only what it removes on purpose
(``platformCleanup``) or what somebody flushes goes.

In: writes in their order (each knows how to ``apply`` itself) → out: the tables, made when somebody looks. A write replaces the
one before it that nobody has looked at yet, if it ``covers`` it.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from cluster.netfilter.ipvs import Key
from cluster.netfilter.nft_syntax import Nft
from cluster.netfilter.tables import Ruleset, fresh_ruleset

Connections = Callable[[Key, str], int]
"""(virtual server, ``ip:port`` of a real server) → its active and inactive connections."""


def nobody(server: Key, target: str) -> int:
    """No connections."""
    return 0


class NodeTables(Struct):
    """``pending``: written, and not looked at yet."""

    ruleset: Ruleset = field(default_factory=fresh_ruleset)
    nft: Nft = field(default_factory=Nft)
    known: dict[Any, Any] = field(default_factory=dict)
    """Service port → its rules, as the last writer of iptables wrote them."""
    pending: list[Any] = field(default_factory=list)
    sysctl: dict[str, str] = field(default_factory=dict)
    """Settings that somebody changed."""
    mode: str = ""
    """Of whoever wrote last."""

    def write(self, write: Any) -> None:
        """Take a write in; it costs next to nothing until somebody looks."""
        if self.pending and write.covers(self.pending[-1]):
            write = write.after(self.pending.pop())
        self.pending.append(write)
        self.mode = write.mode or self.mode

    def current(self, connections: Connections = nobody) -> "NodeTables":
        """These tables with everything written. ``connections`` matter to eager writes only, which are applied as they come."""
        pending, self.pending = self.pending, []
        for write in pending:
            write.apply(self, connections)
        return self
