"""Small texts of tables: ages, label selectors, lists that end in "+ 2 more...".

In → pieces of API documents and Unix seconds. Out → the exact text a real server prints.
Upstream: apimachinery util/duration, meta/v1.FormatLabelSelector, pkg/printers/internalversion.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from cluster.api.quantity import canonical

NONE = "<none>"
UNSET = "<unset>"
UNKNOWN = "<unknown>"


@lru_cache(maxsize=4096)
def unix(timestamp: str) -> float:
    """Unix seconds of an RFC 3339 text."""
    return datetime.fromisoformat(timestamp).timestamp()


def human_duration(seconds: float) -> str:
    """``duration.HumanDuration``: 95s, 4m12s, 47m, 3h20m, 30h, 5d2h, 200d, 2y11d."""
    if seconds < -1:
        return "<invalid>"
    if seconds < 0:
        return "0s"
    total = int(seconds)
    if total < 120:
        return f"{total}s"
    minutes = total // 60
    if minutes < 10:
        return _two(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = total // 3600
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(hours // 24, "d", hours % 24, "h")
    days = hours // 24
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"


def since(timestamp: str | None, now: float) -> str:
    """How long ago ``timestamp`` was."""
    return human_duration(now - unix(timestamp)) if timestamp else UNKNOWN


def age(doc: dict[str, Any], now: float) -> str:
    """The Age cell of any object."""
    timestamp = doc["metadata"].get("creationTimestamp")
    return human_duration(now - unix(timestamp)) if timestamp else UNKNOWN


def labels(pairs: dict[str, str] | None) -> str:
    """``a=1,b=2``, sorted; ``<none>`` when empty."""
    return ",".join(f"{key}={pairs[key]}" for key in sorted(pairs)) if pairs else NONE


def selector(value: dict[str, Any] | None) -> str:
    """A LabelSelector as one would type it after ``-l``; ``<none>`` when it is absent or empty."""
    if not value:
        return NONE
    terms = [(key, f"{key}={text}") for key, text in (value.get("matchLabels") or {}).items()]
    for each in value.get("matchExpressions") or ():
        key, operator = each["key"], each["operator"]
        members = ",".join(sorted(each.get("values") or ()))
        written = {
            "In": f"{key} in ({members})",
            "NotIn": f"{key} notin ({members})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        terms.append((key, written.get(operator, f"{key} {operator} ({members})")))
    return ",".join(text for _, text in sorted(terms)) or NONE


def at_most(items: Sequence[str], limit: int, count: int | None = None, *, empty: str = NONE) -> str:
    """The first ``limit`` joined by commas, and how many more there are."""
    if not items:
        return empty
    total = len(items) if count is None else count
    shown = ",".join(items[:limit])
    return f"{shown} + {total - limit} more..." if total > limit else shown


def containers(spec: dict[str, Any]) -> tuple[str, str]:
    """Names and images of a pod spec's containers, each comma-separated."""
    listed = spec.get("containers") or ()
    return ",".join(c["name"] for c in listed), ",".join(c.get("image", "") for c in listed)


def bool_pointer(value: bool | None) -> str:
    """``True``, ``False`` or ``<unset>``."""
    return UNSET if value is None else "True" if value else "False"


def addresses(ingress: Iterable[dict[str, Any]]) -> str:
    """IPs and host names a load balancer was given, without repeats, sorted."""
    found = {each.get("ip") or each.get("hostname") or "": True for each in ingress}
    return ",".join(sorted(text for text in found if text))


def quantity(value: Any) -> str:
    """A quantity in its canonical form; 0 when it is absent."""
    return "0" if value is None else canonical(str(value))
