"""The registry: what is special about each kind when it is written. One file a kind (or small family).

``strategy_for(resource, subresource)`` finds the strategy; the modules of this package are the list (each has
``STRATEGIES``). Kinds without one of their own get ``Strategy`` itself, custom resources ``custom_resource.strategy``.
The index of everything is in ``cluster.api``.

Upstream: pkg/registry/*/*/strategy.go.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from cluster.api.scheme import Resource
from cluster.apiserver.registry.strategy import Context, Strategy

__all__ = ["Context", "Strategy", "strategy_for"]


@cache
def _table() -> dict[tuple[str, str, str], Strategy]:
    table: dict[tuple[str, str, str], Strategy] = {}
    for module in sorted(info.name for info in iter_modules(__path__)):
        for strategy in getattr(import_module(f"{__name__}.{module}"), "STRATEGIES", ()):
            for group, kind in strategy.kinds:
                table[group, kind, strategy.subresource] = strategy
    return table


_GENERIC: dict[tuple[str, str, str, bool], Strategy] = {}


def strategy_for(resource: Resource, subresource: str = "") -> Strategy:
    """The strategy for writes to ``resource`` or to its subresource."""
    if resource.crd is not None:
        from cluster.apiserver.registry import custom_resource

        return custom_resource.strategy(resource, subresource)
    table = _table()
    found = table.get((resource.group, resource.kind, subresource))
    if found is None and subresource not in ("", "status"):
        found = table.get((resource.group, resource.kind, ""))  # scale, for one, is written like the object
    if found is not None:
        return found
    key = (resource.group, resource.kind, subresource, resource.namespaced)
    if key not in _GENERIC:
        has_status = resource.subresource("status") is not None
        _GENERIC[key] = Strategy.generic(resource.group, resource.kind, subresource, resource.namespaced, has_status)
    return _GENERIC[key]
