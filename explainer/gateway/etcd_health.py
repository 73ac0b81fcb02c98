"""Is a member well? ``/health``, ``/livez`` and ``/readyz`` as etcd 3.5 answers them: it asks itself for its alarms, its leader, and a read.

``/health`` (``?serializable=true``, ``?exclude=NOSPACE``) is one JSON object. ``/livez`` and ``/readyz`` run named checks (``/readyz/linearizable_read`` one alone,
``?exclude=`` leaves some out, ``?verbose`` lists them): text, 200 or 503.

In: a path, its query, ``ask`` (path, JSON body → the member's answer as a document, which may be a refusal). Out: status and text. Errors: those of ``ask``.

Simplified here: checks are listed in the order in which they are registered, at random at a real one; a read may wait as long as wall clocks
allow (``PATIENCE``), for a paused simulation answers nobody. Upstream: server/etcdserver/api/etcdhttp/health.go.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from explainer.runs.bus import Unavailable

Ask = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
PATIENCE: Final = 8.0
"""Seconds of wall clock for one question: etcd gives up after 7 of its own."""
TOO_LATE: Final = "context deadline exceeded"
LEARNER: Final = "etcdserver: rpc not supported for learner"
LIVEZ: Final = ("serializable_read",)
READYZ: Final = ("data_corruption", "serializable_read", "linearizable_read", "non_learner")


def known(path: str) -> bool:
    """Is there such a page?"""
    return (
        path in ("/health", "/livez", "/readyz")
        or (path.startswith("/livez/") and path[7:] in LIVEZ)
        or (path.startswith("/readyz/") and path[8:] in READYZ)
    )


async def check(path: str, query: str, ask: Ask) -> tuple[int, str]:
    """Status and text of a page that is ``known``."""
    said = parse_qs(query, keep_blank_values=True)
    exclude = said.get("exclude", [])
    if path == "/health":
        why = await _ill(ask, exclude, said.get("serializable", [""])[0] == "true")
        text = msgspec.json.encode({"health": "false" if why else "true", "reason": why}).decode()
        return (503, text + "\n") if why else (200, text)
    _, kind, *one = path.split("/")
    names = one or [name for name in (LIVEZ if kind == "livez" else READYZ) if name not in exclude]
    failed, lines = False, ""
    for name in names:
        why = await _CHECKS[name](ask)
        failed |= bool(why)
        lines += f"[-]{name} failed: {why}\n" if why else f"[+]{name} ok\n"
    if failed:
        return 503, lines + "\n"
    return 200, (lines if "verbose" in said else "") + "ok\n"


async def _ill(ask: Ask, exclude: list[str], local: bool) -> str:
    """Why the member is not healthy; "" if it is."""
    problems = await _problems(ask)
    for problem in problems:
        _, _, alarm = problem.partition("alarm:")
        if alarm and alarm.strip() not in exclude:
            return f"ALARM {alarm.strip()}"
    if not local and "etcdserver: no leader" in problems:
        return "RAFT NO LEADER"
    why = await _read(ask, local)
    # The handler's own deadline ends a moment before the one of the read that it began.
    return f"RANGE ERROR:{TOO_LATE if why == 'etcdserver: request timed out' else why}" if why else ""


async def _problems(ask: Ask) -> list[str]:
    return (await ask("/v3/maintenance/status", {})).get("errors", [])


async def _read(ask: Ask, local: bool) -> str:
    """Why a read fails. The handler reads below the API, where a learner serves, too."""
    wanted = {"key": "AA==", "range_end": "AA==", "limit": 1, "keys_only": True}
    try:
        found = await ask("/v3/kv/range", {**wanted, "serializable": local})
        if found.get("error") == LEARNER:
            found = await ask("/v3/kv/range", {**wanted, "serializable": True})
    except Unavailable:
        return TOO_LATE
    return found.get("error", "")


async def _corrupt(ask: Ask) -> str:
    corrupt = any("alarm:CORRUPT" in problem for problem in await _problems(ask))
    return "alarm activated: CORRUPT" if corrupt else ""


async def _serializable(ask: Ask) -> str:
    return await _read(ask, True)


async def _linearizable(ask: Ask) -> str:
    return await _read(ask, False)


async def _learner(ask: Ask) -> str:
    return "not supported for learner" if (await ask("/v3/maintenance/status", {})).get("isLearner") else ""


_CHECKS: Final = {
    "data_corruption": _corrupt,
    "serializable_read": _serializable,
    "linearizable_read": _linearizable,
    "non_learner": _learner,
}
