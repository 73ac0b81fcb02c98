"""History: any earlier instant again, from a checkpoint before it and what was put in since.

A world is a function of its beginning and its inputs, so an instant needs not be stored: the nearest checkpoint before it and the
inputs from there on make it again. ``History`` keeps a bounded number of checkpoints, dense near the present and ever
sparser behind it (each gap at most about in proportion to its age), so that looking back costs little where people look, and
everything stays reachable.

In → ``keep(now, events, data)``; out → ``before(now)``. A fork is ``before`` restored under another name: nothing is shared that changes.
"""

# pyright: reportUnknownVariableType=false
# (what field(default_factory=list) makes is of unknown type to pyright)

from msgspec import Struct, field


class Mark(Struct, frozen=True):
    """A checkpoint ``data`` of the instant ``now`` (virtual ns), after ``events`` deliveries."""

    now: int
    events: int
    data: bytes


class History(Struct):
    """At most ``limit`` checkpoints, oldest first. The first is never dropped: it is the way to everything after it."""

    limit: int = 24
    marks: list[Mark] = field(default_factory=list)

    def keep(self, now: int, events: int, data: bytes) -> None:
        """Remember a checkpoint. Time only moves forward."""
        assert not self.marks or (now, events) >= (self.marks[-1].now, self.marks[-1].events)
        self.marks.append(Mark(now, events, data))
        if len(self.marks) > self.limit:
            del self.marks[least_missed([mark.now for mark in self.marks], now)]

    def before(self, now: int) -> Mark | None:
        """The latest checkpoint at or before ``now``; None if the instant lies before all of them."""
        return next((mark for mark in reversed(self.marks) if mark.now <= now), None)


def least_missed(instants: list[int], now: int) -> int:
    """Which of the inner ``instants`` (ascending, at least three) leaves the smallest gap for its age when it goes: its index."""

    def missed(index: int) -> float:
        return (instants[index + 1] - instants[index - 1]) / (now - instants[index] + 1)

    return min(range(1, len(instants) - 1), key=missed)
