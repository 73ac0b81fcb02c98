"""Two moments compared: which objects were added, removed, changed, and how (JSON Patch with the old value beside).

In → each side's fingerprints by resource and name, then the documents that differ; out → rows for a list. The moments may be of two
clusters: a fork and what it was forked from.
"""

from typing import Any

import orjson

from cluster.trace.codec import diff

MOST = 300
"""Objects told with their differences; more are counted."""
QUIET = frozenset({"leases", "events"})
"""Resources that change all the time and say little; told on request."""

Marks = dict[str, dict[str, bytes]]


def differing(left: Marks, right: Marks, quiet: bool) -> tuple[list[dict[str, Any]], int]:
    """Rows ``{resource, key, change}`` in order of resource and name, and how many quiet ones were left out."""
    rows: list[dict[str, Any]] = []
    hidden = 0
    for resource in sorted({*left, *right}):
        before, after = left.get(resource, {}), right.get(resource, {})
        for key in sorted({*before, *after}):
            if before.get(key) == after.get(key):
                continue
            if resource in QUIET and not quiet:
                hidden += 1
                continue
            change = "added" if key not in before else "removed" if key not in after else "changed"
            rows.append({"resource": resource, "key": key, "change": change})
    return rows, hidden


def _plain(doc: Any) -> Any:
    """Without who owns which field: that changes with every write, and the page of the object tells it."""
    meta = doc.get("metadata")
    if not isinstance(meta, dict) or "managedFields" not in meta:
        return doc
    return {**doc, "metadata": {key: value for key, value in meta.items() if key != "managedFields"}}


def patches(rows: list[dict[str, Any]], left: list[bytes | None], right: list[bytes | None]) -> list[dict[str, Any]]:
    """The control API's rows: with ``namespace``, ``name`` and ``patch``."""
    out: list[dict[str, Any]] = []
    for row, before, after in zip(rows, left, right, strict=True):
        namespace, _, name = row["key"].rpartition("/")
        old, new = (None if doc is None else orjson.loads(doc) for doc in (before, after))
        if old is None:
            patch = [{"op": "add", "path": "", "value": new}]
        elif new is None:
            patch = [{"op": "remove", "path": "", "was": old}]
        else:
            patch = diff(_plain(old), _plain(new))
        out.append(
            {"resource": row["resource"], "namespace": namespace, "name": name, "change": row["change"], "patch": patch}
        )
    return out
