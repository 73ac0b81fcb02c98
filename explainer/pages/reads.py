"""The pages' one door to read models.

In → out: a cluster's name and a view's name in, plain JSON data out (times in virtual micros). ``settings.CLEARPLANE_READS`` names the
coroutine that answers (default ``explainer.runs.client.query``). Errors: `Unreachable` when nobody answers in time, `Missing` when the
answer is that there is no such thing, `Lost` when there is no such moment (any more); pages draw a designed state for each.
"""

from __future__ import annotations

import asyncio
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from explainer.runs.client import PROBES

PATIENCE_SECONDS = 4.0
PROBE_SECONDS = 10.0
"""For views that work in a copy of the cluster first (`PROBES`): as long as the historian is waited for."""


class Unreachable(Exception):
    """The simulation did not answer."""


class Missing(Exception):
    """There is no such cluster, request, node or view."""


class Lost(Missing):
    """The moment asked for is not kept any more, or has not been yet."""


async def read(cluster: str, view: str, at: str = "", **args: Any) -> Any:
    """Return the read model `view` of `cluster`, now or at the moment `at`. Raises Unreachable, Missing or Lost."""
    if at:
        args["at"] = at
    query = import_string(getattr(settings, "CLEARPLANE_READS", "explainer.runs.client.query"))
    patience = PROBE_SECONDS if view in PROBES else PATIENCE_SECONDS
    try:
        answer = await asyncio.wait_for(query(cluster, view, **args), patience)
    except (LookupError, FileNotFoundError) as error:
        raise Missing(str(error)) from error
    except ValueError as error:
        if at:
            raise Lost(str(error)) from error
        raise
    except (OSError, TimeoutError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
    if answer is None or (isinstance(answer, dict) and set(answer) == {"error"}):
        raise Missing("" if answer is None else str(answer["error"]))
    return answer


async def clusters() -> list[dict[str, Any]]:
    """Return every cluster there is: its options, ``parent`` (of a fork), ``clock`` and ``map`` (None when it does not answer).

    ``settings.CLEARPLANE_CLUSTERS`` names the coroutine that answers. Raises Unreachable.
    """
    source = import_string(getattr(settings, "CLEARPLANE_CLUSTERS", "explainer.runs.client.clusters"))
    try:
        return await asyncio.wait_for(source(), PATIENCE_SECONDS)
    except (OSError, TimeoutError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error


async def known() -> dict[str, dict[str, Any]]:
    """Return every cluster's options and ``parent`` by name, without asking any of them.

    ``settings.CLEARPLANE_KNOWN`` names the coroutine that answers.
    """
    return await import_string(getattr(settings, "CLEARPLANE_KNOWN", "explainer.runs.client.known"))()


async def difference(cluster: str, at: str, other: str, other_at: str) -> dict[str, Any]:
    """Return what differs between two moments (of one cluster, or of two branches), as ``GET compare`` tells it.

    ``settings.CLEARPLANE_COMPARE`` names the coroutine that answers. Raises Unreachable, Missing or Lost.
    """
    source = import_string(getattr(settings, "CLEARPLANE_COMPARE", "explainer.runs.client.compare"))
    try:
        return await asyncio.wait_for(source(cluster, at, other, other_at), 3 * PATIENCE_SECONDS)
    except (LookupError, FileNotFoundError) as error:
        raise Missing(str(error)) from error
    except ValueError as error:
        raise Lost(str(error)) from error
    except (OSError, TimeoutError) as error:
        raise Unreachable(str(error) or type(error).__name__) from error


async def lesson(cluster: str) -> dict[str, Any] | None:
    """Return how far the lesson on this cluster is; None when none is played on it, or nobody answers.

    ``settings.CLEARPLANE_LESSON`` names the coroutine that answers.
    """
    source = import_string(getattr(settings, "CLEARPLANE_LESSON", "explainer.runs.client.lesson"))
    try:
        return await asyncio.wait_for(source(cluster), PATIENCE_SECONDS)
    except (OSError, TimeoutError):
        return None
