"""A DaemonSet's census: what each Node contributes to its status, added up as events come, never by going over all Nodes.

In → the Pods of one DaemonSet and the names of Nodes that something changed on; out → the sums of the status, and whether any
Node needs something done. It is derived from the informers and may be thrown away at any time (and is, when the template or
the current revision changes): then the next question counts everybody once.
"""

from collections.abc import Callable
from typing import Any

from cluster.clientgo import Doc, controller_of, key_of

DESIRED, SCHEDULED, MISPLACED, READY, UPDATED, TROUBLED = range(6)
Row = tuple[int, int, int, int, int, int]
"""What one Node adds to each sum. TROUBLED: a Pod must be created, deleted or replaced there."""
NOTHING: Row = (0, 0, 0, 0, 0, 0)


class Census:
    """Of the DaemonSet ``uid`` with this ``spec`` at the revision ``hash``."""

    def __init__(self, uid: str, spec: Any, hash: str, count: Callable[[str, list[Doc]], Row]) -> None:
        self.uid, self.spec, self.hash = uid, spec, hash
        self._count = count
        self._at: dict[str, dict[str, Doc]] = {}
        self._where: dict[str, str] = {}
        self._rows: dict[str, Row] = {}
        self._sums = [0] * len(NOTHING)
        self._dirty: dict[str, None] = {}

    def suits(self, uid: str, spec: Any, hash: str) -> bool:
        """Whether it is of that DaemonSet, as it is now."""
        return self.uid == uid and self.hash == hash and (self.spec is spec or self.spec == spec)

    def put(self, node: str, pod: Doc) -> None:
        """``pod`` is on ``node``, or will be."""
        key = key_of(pod)
        before = self._where.get(key)
        if before is not None and before != node:
            self.remove(pod)
        self._where[key] = node
        self._at.setdefault(node, {})[key] = pod
        self._dirty[node] = None

    def remove(self, pod: Doc) -> None:
        """``pod`` is gone, or isn't its any more."""
        node = self._where.pop(key_of(pod), None)
        if node is not None:
            del self._at[node][key_of(pod)]
            self._dirty[node] = None

    def heard(self, event_type: str, node: str, pod: Doc) -> None:
        """The informer's news of a Pod whose owner has the DaemonSet's name."""
        owner = controller_of(pod)
        if event_type == "DELETED" or owner is None or owner["uid"] != self.uid:
            self.remove(pod)
        else:
            self.put(node, pod)

    def touch(self, node: str) -> None:
        """The Node came, went, or is another by its labels or taints."""
        self._dirty[node] = None

    def sums(self) -> list[int]:
        """All Nodes together. Counts only those that something changed on."""
        dirty, self._dirty = self._dirty, {}
        for node in dirty:
            row = self._count(node, list(self._at.get(node, {}).values()))
            before = self._rows.get(node, NOTHING)
            if row == before:
                continue
            self._rows[node] = row
            for place, (old, new) in enumerate(zip(before, row, strict=True)):
                self._sums[place] += new - old
        return self._sums
