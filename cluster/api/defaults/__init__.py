"""Defaulting: what a kind's objects get when the client left it out.

In → (group, version, kind) and a decoded document; out → a new document (the same one when nothing was missing). One
module a group; each has ``DEFAULTS``: kind → function that fills in a private copy in place.

Simplified here: conversions that change what a client sees (Secret's ``stringData``, Pod's ``serviceAccount`` alias)
are done here too, because documents have no internal version.

Upstream: pkg/apis/*/v1/defaults.go, conversion.go.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

Doc = dict[str, Any]
Default = Callable[[Doc], None]


@cache
def _table() -> dict[tuple[str, str, str], Default]:
    table: dict[tuple[str, str, str], Default] = {}
    for module in sorted(info.name for info in iter_modules(__path__)):
        table.update(getattr(import_module(f"{__name__}.{module}"), "DEFAULTS", {}))
    return table


def copy(value: Any) -> Any:
    """A copy of plain JSON data that may be changed."""
    if type(value) is dict:
        return {k: copy(v) if type(v) is dict or type(v) is list else v for k, v in value.items()}
    if type(value) is list:
        return [copy(v) if type(v) is dict or type(v) is list else v for v in value]
    return value


def apply(group: str, version: str, kind: str, doc: Doc) -> Doc:
    """``doc`` with its kind's defaults, keys in the order of the Go struct."""
    from cluster.api.schema import builtin_schema

    fill = _table().get((group, version, kind))
    if fill is None:
        return doc
    filled = copy(doc)
    fill(filled)
    if filled == doc:
        return doc
    schema = builtin_schema(group, version, kind)
    return schema.root.decode(filled) if schema else filled
