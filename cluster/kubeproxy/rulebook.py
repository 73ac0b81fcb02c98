"""From a ``ChangeTracker`` to the text of a sync: what every service port's rules are, which are new, which chains are stale.

In: the tracker and the options → out: ``Sync``. The rulebook remembers the last sync, so the next one is partial: it recomputes only the
Services that changed. ``update`` is the same without the text, for tables that are written when somebody looks.

In a large cluster (more than 1,000 endpoints) stale chains, which nothing jumps to any more, are deleted once a sync period at most.

Simplified here: ``update`` names stale chains in the sync that makes them stale whatever the cluster's size; only ``sync``'s text waits.

Upstream: pkg/proxy/iptables/proxier.go (``largeClusterMode``, MinimizeIPTablesRestore).
"""

from bisect import bisect_left, insort
from functools import lru_cache

from msgspec import Struct, field

from cluster.kubeproxy.change_tracker import ChangeTracker, PortName
from cluster.kubeproxy.endpoints import select
from cluster.kubeproxy.modes import mode_named
from cluster.kubeproxy.modes.iptables import LARGE_CLUSTER_ENDPOINTS, PortRules
from cluster.kubeproxy.options import ProxyOptions
from cluster.sim import SECOND

SYNC_PERIOD = 30 * SECOND
"""``iptables.syncPeriod``."""
Lines = tuple[list[str], list[str]]
"""Lines that came, lines that went."""


class Sync(Struct, frozen=True):
    """``text``: the restore input. ``changes``: Service → its lines."""

    text: str
    full: bool
    changes: dict[str, Lines]


class Update(Struct, frozen=True):
    """``written``: ports whose own chains are (re)written; ``stale``: chains to delete."""

    full: bool
    changes: dict[str, Lines]
    written: list[PortRules]
    stale: list[str]


class Rulebook(Struct):
    """The rules of every service port as of the last sync."""

    ports: dict[PortName, PortRules] = field(default_factory=dict)
    names: list[PortName] = field(default_factory=list)
    """Sorted."""
    counts: dict[PortName, int] = field(default_factory=dict)
    endpoints: int = 0
    """Of all service ports together."""
    rules: int = 0
    """Lines of all service ports together."""
    synced: bool = False
    stale: dict[str, None] = field(default_factory=dict)
    """Chains that wait to be deleted: in a large cluster."""
    cleaned: int = -1
    """When stale chains were last deleted (virtual ns)."""

    def sync(
        self,
        tracker: ChangeTracker,
        options: ProxyOptions,
        changed: list[str],
        *,
        full: bool,
        jumps: bool = False,
        now: int = 0,
    ) -> Sync:
        """``update``, and the restore input that brings a kernel there. ``jumps``: with those from the built-in chains."""
        update = self.update(tracker, options, changed, full=full)
        restore_input = mode_named(options.mode).restore_input
        stale = self._deleted(update, now)
        text = restore_input(options, [self.ports[n] for n in self.names], update.written, stale, jumps)
        return Sync(text, update.full, update.changes)

    def _deleted(self, update: Update, now: int) -> list[str]:
        """The chains that this sync deletes."""
        self.stale.update(dict.fromkeys(update.stale))
        for port in update.written:
            for chain, _ in port.chains:
                self.stale.pop(chain, None)
        if self.endpoints > LARGE_CLUSTER_ENDPOINTS and self.cleaned >= 0 and now - self.cleaned <= SYNC_PERIOD:
            return []
        gone, self.stale, self.cleaned = sorted(self.stale), {}, now
        return gone

    def update(self, tracker: ChangeTracker, options: ProxyOptions, changed: list[str], *, full: bool) -> Update:
        """Bring the rulebook up to date; ``changed`` names Services, and ``full`` recomputes all of them."""
        mode = mode_named(options.mode)
        full = full or not self.synced
        known = {f"{n.namespace}/{n.name}" for n in self.names} if full else set()
        services = sorted(known | set(tracker.services) | set(changed)) if full else changed
        by_service: dict[str, list[PortName]] = {}
        for service in services:
            current = list(tracker.services.get(service, {}))
            by_service[service] = sorted({*current, *self._known_ports(service)})
        for names in by_service.values():  # first how many endpoints there are: it decides about comments
            for name in names:
                self._count(name, tracker)
        large = self.endpoints > LARGE_CLUSTER_ENDPOINTS
        written: list[PortRules] = []
        stale: list[str] = []
        changes: dict[str, Lines] = {}
        for service, names in by_service.items():
            for name in names:
                old = self.ports.get(name)
                port = tracker.services.get(service, {}).get(name)
                new = None
                if port is not None:
                    chosen = select(tracker.endpoints(name), port, options.node, options.zone)
                    new = mode.port_rules(port, chosen, options, large)
                    written.append(new)
                self._replace(name, new)
                if old is not new:
                    kept = {chain for chain, _ in new.chains} if new is not None else set()
                    stale.extend(chain for chain, _ in (old.chains if old is not None else ()) if chain not in kept)
                    came, went = _difference(old, new)
                    lines = changes.setdefault(service, ([], []))
                    lines[0].extend(came)
                    lines[1].extend(went)
        self.synced = True
        return Update(full, {s: c for s, c in changes.items() if c[0] or c[1]}, written, stale)

    def _known_ports(self, service: str) -> list[PortName]:
        namespace, _, name = service.partition("/")
        at = bisect_left(self.names, PortName(namespace, name, "", ""))
        found: list[PortName] = []
        while at < len(self.names) and (self.names[at].namespace, self.names[at].name) == (namespace, name):
            found.append(self.names[at])
            at += 1
        return found

    def _count(self, name: PortName, tracker: ChangeTracker) -> None:
        alive = name in tracker.services.get(f"{name.namespace}/{name.name}", {})
        count = len(tracker.endpoints(name)) if alive else 0
        self.endpoints += count - self.counts.pop(name, 0)
        if alive:
            self.counts[name] = count

    def _replace(self, name: PortName, rules: PortRules | None) -> None:
        self.rules += _size(rules) - _size(self.ports.get(name))
        if rules is None:
            if self.ports.pop(name, None) is not None:
                del self.names[bisect_left(self.names, name)]
        else:
            if name not in self.ports:
                insort(self.names, name)
            self.ports[name] = rules


def _lines(rules: PortRules | None) -> dict[str, None]:
    if rules is None:
        return {}
    return dict.fromkeys([*rules.filter, *rules.nat, *(line for _, lines in rules.chains for line in lines)])


def _size(rules: PortRules | None) -> int:
    return len(rules.filter) + len(rules.nat) + sum(len(lines) for _, lines in rules.chains) if rules is not None else 0


@lru_cache(maxsize=256)
def _difference(old: PortRules | None, new: PortRules | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Remembered, as every node finds the same one."""
    before, after = _lines(old), _lines(new)
    return tuple(line for line in after if line not in before), tuple(line for line in before if line not in after)
