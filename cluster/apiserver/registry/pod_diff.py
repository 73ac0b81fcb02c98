"""What differs between two pod specs, printed for the message of a refused change.

In → two specs as documents; out → lines with ``-`` and ``+`` under the way to them, in the manner of go-cmp.

Simplified here: only what differs is printed, under its JSON names; go-cmp prints Go's field names and two unchanged
neighbours around each change.

Upstream: github.com/google/go-cmp ``cmp.Diff``.
"""

from typing import Any

from cluster.api import field

_ABSENT = object()


def spec_diff(old: Any, new: Any) -> str:
    """The difference as text, ending with a newline."""
    lines = ["  core.PodSpec{"]
    _walk(old, new, 1, "", lines)
    return "\n".join([*lines, "  }", ""])


def _line(sign: str, depth: int, name: str, value: Any) -> str:
    tabs = "\t" * depth
    return f"{sign} {tabs}{name}: {field.go_value(value)}," if name else f"{sign} {tabs}{field.go_value(value)},"


def _walk(old: Any, new: Any, depth: int, name: str, lines: list[str]) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            _one(old.get(key, _ABSENT), new.get(key, _ABSENT), depth, key, lines)
    elif isinstance(old, list) and isinstance(new, list):
        for i in range(max(len(old), len(new))):
            before = old[i] if i < len(old) else _ABSENT
            after = new[i] if i < len(new) else _ABSENT
            _one(before, after, depth, "", lines)


def _one(old: Any, new: Any, depth: int, name: str, lines: list[str]) -> None:
    if old is not _ABSENT and new is not _ABSENT and old == new:
        return
    container = (isinstance(old, dict) and isinstance(new, dict)) or (isinstance(old, list) and isinstance(new, list))
    if container:
        tabs = "\t" * depth
        opening, closing = ("{", "}") if isinstance(old, dict) else ("[]{", "}")
        lines.append(f"  {tabs}{name + ': ' if name else ''}{opening}")
        _walk(old, new, depth + 1, name, lines)
        lines.append(f"  {tabs}{closing},")
        return
    if old is not _ABSENT:
        lines.append(_line("-", depth, name, old))
    if new is not _ABSENT:
        lines.append(_line("+", depth, name, new))
