"""What pages and fragments may use of a running cluster: its read models. ``await query("demo", "map")``.

Views: ``map``, ``members``, ``requests``, ``request`` (id=…), ``rules`` (node=…), ``objects``, ``clock`` …
Errors: ``LookupError`` for an unknown cluster, view or thing, ``ConnectionError`` when nobody runs the cluster now,
``ValueError`` for a question that makes no sense.
"""

from typing import Any

from explainer.runs.bus import Failed, current


async def query(cluster: str, view: str, at: str = "", **args: Any) -> Any:
    """A read model as plain data, from the live cluster or, for ``map`` and ``members``, as it was kept last.

    ``at``: as it was at that moment (see ``explainer.pages.context.MOMENT``).
    """
    try:
        if at:
            return await current().query_at(cluster, at, view, **args)
        return await current().query(cluster, view, **args)
    except Failed as error:
        kind = LookupError if error.status == 404 else ValueError
        raise kind(error.error) from error
