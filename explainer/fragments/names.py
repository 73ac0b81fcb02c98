"""Short forms of names and times for drawings.

In → out: full names and micros in, text out. Object names are cut in the MIDDLE: the suffix is the only part that differs between
pods of one owner, so it always stays. Nothing is lost: the full name is in the accessible name and the inspector.
"""

from __future__ import annotations


def cut(name: str, room: int) -> str:
    """Return `name` in at most `room` characters, keeping the suffix after the last dash whole when it fits."""
    if len(name) <= room:
        return name
    if room <= 2:
        return name[-room:]
    _head, dash, tail = name.rpartition("-")
    keep = len(tail) + 1 if dash and len(tail) + 3 <= room else (room - 1) // 2
    return name[: room - 1 - keep] + "…" + name[-keep:]


def parted(name: str, room: int) -> tuple[str, str]:
    """Return `name` as (head, tail) where a page has a width and not a number of letters: it cuts the head's end as narrow as it must.

    The tail is the suffix after the last dash, or what is like it in length; empty for a name of at most `room` characters.
    """
    if len(name) <= room:
        return name, ""
    _head, dash, tail = name.rpartition("-")
    keep = max(len(tail) + 1, 8) if dash and len(tail) < 16 else 12
    return name[:-keep], name[-keep:]


def parted_user(name: str) -> tuple[str, str]:
    """A user's name as (head, tail): what follows its last colon tells ``system:node:node-1`` from the next; other names differ at their head."""
    head, colon, tail = name.rpartition(":")
    return (head + colon, tail) if colon and len(tail) <= 16 else (name, "")


def instant(micros: int | float | None) -> str:
    """Simulated time since the cluster's start: ``0:01:23.456``."""
    if micros is None:
        return "–"
    whole = int(micros)
    sign, whole = ("−", -whole) if whole < 0 else ("", whole)
    seconds, rest = divmod(whole, 1_000_000)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest // 1000:03}"


def span(micros: int | float | None) -> str:
    """A duration with three significant figures and the unit a reader would choose: ``850 µs``, ``1.25 ms``, ``2.40 s``."""
    if micros is None:
        return "–"
    value = float(micros)
    if value < 1000:
        return f"{value:.0f} µs"
    value, unit = (value / 1000, "ms") if value < 1_000_000 else (value / 1_000_000, "s")
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f} {unit}"


def size(count: int | None) -> str:
    """A number of bytes as a reader would say it: ``412 B``, ``1.2 kB``."""
    if count is None:
        return "–"
    if count < 1000:
        return f"{count} B"
    value, unit = (count / 1000, "kB") if count < 1_000_000 else (count / 1_000_000, "MB")
    return f"{value:.{1 if value < 10 else 0}f} {unit}"


def speed(rate: float | str) -> str:
    """A clock rate as written beside the clock: ``×1``, ``×1/100``, ``max``."""
    if isinstance(rate, str):
        return rate
    if rate <= 0:
        return "×0"
    return f"×{rate:g}" if rate >= 1 else f"×1/{round(1 / rate)}"
