"""What pages and fragments may use of a running cluster: its read models. ``await query("demo", "map")``.

Views: ``map``, ``members``, ``requests``, ``request`` (id=…), ``rules`` (node=…), ``objects``, ``clock`` …
Errors: ``LookupError`` for an unknown cluster, view or thing, ``ConnectionError`` when nobody runs the cluster now or its past
could not be read in time, ``ValueError`` for a question that makes no sense.
"""

import asyncio
from typing import Any

import msgspec

from explainer.runs import played
from explainer.runs.bus import Failed, Unavailable, current

PROBES = ("works", "write_cost", "certificates")
"""Views that take a while: asked of the historian's copy even of now, so that the live loop does not wait for them."""


async def query(cluster: str, view: str, at: str = "", **args: Any) -> Any:
    """A read model as plain data, from the live cluster or, for ``map`` and ``members``, as it was kept last.

    ``at``: as it was at that moment (see ``explainer.pages.context.MOMENT``).
    """
    try:
        if at or view in PROBES:
            return await current().query_at(cluster, at, view, **args)
        return await current().query(cluster, view, **args)
    except Failed as error:
        raise _kind(error) from error


def _kind(error: Failed) -> Exception:
    """What a refusal means to who asked."""
    kind = LookupError if error.status == 404 else ConnectionError if error.status >= 500 else ValueError
    return kind(error.error)


async def lesson(cluster: str) -> dict[str, Any] | None:
    """How far the lesson is that is played on this cluster, as it was kept; None if none is."""
    try:
        state = await played.read(current(), cluster)
    except Unavailable:
        return None
    return None if state is None else msgspec.to_builtins(state, str_keys=True)


async def known() -> dict[str, dict[str, Any]]:
    """Every cluster's options and ``parent``, by name, as this process knows them: nobody is asked."""
    return dict(sorted(current().known.items()))


async def clusters() -> list[dict[str, Any]]:
    """Every cluster: its options, ``parent`` of a fork, ``clock`` and ``map`` (None when nobody answers), ``trouble`` of a broken one."""
    bus = current()
    names = sorted(bus.known)
    rows = await asyncio.gather(*(_or_none(name, view) for name in names for view in ("clock", "map")))
    return [
        {**bus.known[name], "clock": clock, "map": drawn, "trouble": bus.troubles.get(name, "")}
        for name, clock, drawn in zip(names, rows[::2], rows[1::2], strict=True)
        if name in bus.known
    ]


LOOK_SECONDS = 2.0
"""A list does not wait for a cluster that is busy."""


async def _or_none(cluster: str, view: str) -> Any:
    try:
        return await asyncio.wait_for(current().query(cluster, view), LOOK_SECONDS)
    except (Failed, Unavailable, TimeoutError):
        return None


COMPARE_SECONDS = 30.0


async def compare(cluster: str, at: str, other: str, other_at: str) -> dict[str, Any]:
    """What differs between two moments, as ``GET compare`` tells it. Errors as of `query`."""
    bus = current()
    try:
        await bus.require(cluster)
        await bus.require(other)
        found = await bus.past("compare", cluster, at, COMPARE_SECONDS, other=other, other_at=other_at, quiet=False)
    except Failed as error:
        raise _kind(error) from error
    return msgspec.json.decode(found)
