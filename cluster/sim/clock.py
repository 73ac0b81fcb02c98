"""Time is an integer: nanoseconds of virtual time since the cluster began.

Integers add without rounding, so two machines agree on every instant. The wall clock never enters this package; the
``epoch`` in a cluster's spec says which calendar date instant 0 stands for.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(epoch_seconds: int, now: int) -> str:
    """``metav1.Time``: whole seconds, UTC, e.g. ``2026-11-23T09:00:00Z``. ``now`` in virtual nanoseconds."""
    return _second(epoch_seconds + now // SECOND) + "Z"


def rfc3339_micro(epoch_seconds: int, now: int) -> str:
    """``metav1.MicroTime``: six decimals, UTC, as Leases and Events carry it."""
    return f"{_second(epoch_seconds + now // SECOND)}.{now % SECOND // 1000:06d}Z"


@lru_cache(maxsize=64)
def _second(unix: int) -> str:
    """Many things happen in one second."""
    return (_UNIX + timedelta(seconds=unix)).strftime("%Y-%m-%dT%H:%M:%S")


def parse_rfc3339(text: str, epoch_seconds: int) -> int:
    """The virtual nanosecond that an RFC 3339 text names; negative before the cluster began. ValueError if malformed."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    delta = moment - _UNIX
    return (delta.days * 86_400 + delta.seconds - epoch_seconds) * SECOND + delta.microseconds * 1_000
