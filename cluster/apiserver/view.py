"""What the plug-ins of the apiserver may see: its configuration, the instant, and the watch cache. They change nothing.

In the real server every authenticator, authorizer and admission plug-in has informers of its own over the loopback
connection; here they share the watch caches, which hold the same objects at the same revisions.

Resources are named as error texts name them: ``pods``, ``clusterroles.rbac.authorization.k8s.io``.
"""

import sys
from typing import Any

from cluster.apiserver.config import ApiServerConfig
from cluster.apiserver.watch_cache import Cache
from cluster.sim.clock import SECOND, rfc3339

Document = dict[str, Any]
Documents = list[Document]


class View:
    """A read-only window. Not state: it is rebuilt from the server's state when a world is restored."""

    def __init__(self, config: ApiServerConfig, caches: dict[str, Cache]) -> None:
        self.config = config
        self.caches = caches
        self.now = 0
        self.derived: dict[str, Any] = {}
        """Where plug-ins keep what they derive from the caches (RBAC's index); they check ``generation`` themselves."""
        self._second = -1
        self._timestamp = ""

    @property
    def seconds(self) -> int:
        """Unix time."""
        return self.config.epoch + self.now // SECOND

    @property
    def timestamp(self) -> str:
        """The instant as ``metav1.Time``."""
        second = self.now // SECOND
        if second != self._second:
            self._second, self._timestamp = second, rfc3339(self.config.epoch, self.now)
        return self._timestamp

    def get(self, resource: str, namespace: str, name: str) -> Document | None:
        """One object, or None."""
        cache = self.caches.get(resource)
        if cache is None:
            return None
        item = cache.items.get(f"{namespace}/{name}" if namespace else name)
        return item.doc if item is not None else None

    def list(self, resource: str, namespace: str = "") -> Documents:
        """All objects, or those of one namespace, sorted by key."""
        cache = self.caches.get(resource)
        return [item.doc for item in cache.select(namespace)] if cache is not None else []

    def indexed(self, resource: str, value: str) -> Documents:
        """The objects whose index field (``spec.nodeName`` for pods) is ``value``."""
        cache = self.caches.get(resource)
        if cache is None:
            return []
        return [cache.items[key].doc for key in cache.index.get(value, ())]

    def generation(self, *resources: str) -> tuple[int, ...]:
        """A number per resource that grows with every change: to know when something derived is stale."""
        find = self.caches.get
        return tuple([cache.changes if (cache := find(resource)) is not None else -1 for resource in resources])


def raised_at(error: BaseException) -> str:
    """``module:line`` that refused: the innermost frame outside of ``cluster.api``, whose constructors only word it."""
    found, trace = "", error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals["__name__"]
        if not module.startswith("cluster.api."):
            found = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def here(depth: int = 1) -> str:
    """``module:line`` of the caller: what a verdict says about who gave it."""
    frame = sys._getframe(depth)
    place = (frame.f_globals["__name__"], frame.f_code.co_qualname, frame.f_lasti)
    known = _places.get(place)
    if known is None:
        known = _places[place] = f"{place[0]}:{frame.f_lineno}"
    return known


_places: dict[tuple[str, str, int], str] = {}
"""Places in this program that were asked for: module, function and instruction. To count lines takes longer than all the rest."""
