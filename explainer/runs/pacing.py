"""Virtual against wall time: where a cluster should be by now, and when there is something to do next.

virtual time = anchor + elapsed · rate. While nobody's request is open the world is let run on a grid of ``GRID`` seconds,
so an idle cluster wakes the processor rarely, and all idle clusters wake it together; with requests open it wakes at every next event. A world
that can't keep up slips: the anchor moves, nothing is skipped.

In → wall instants (monotonic s) and virtual ones (ns); out → a virtual instant to run to, wall seconds to sleep.
"""

import math
import time

from explainer.runs.record import Mark

SECOND = 1_000_000_000
SLICE = 0.010
"""Wall seconds of work before the inbox is looked at again."""
CHUNK = 256
"""Events between two looks at the wall clock."""
GRID = 0.020
"""Idle wake-ups are at most so frequent."""
TICK = 0.0005
"""Busy wake-ups are at most so frequent."""
BUSY = 0.030
"""Wall seconds after the last mail or answer in which the cluster counts as busy."""
SLIP = 0.25
"""Wall seconds of lag after which the anchor moves."""


def on_grid(wall: float) -> float:
    """The first instant at or after ``wall`` at which idle clusters are let run."""
    return math.ceil(wall / GRID) * GRID


class Pacer:
    """One cluster's anchor: the pair of instants from which both clocks are counted."""

    def __init__(self, now: int) -> None:
        self.busy_until = 0.0
        self.anchor(now)

    def anchor(self, now: int, wall: float | None = None) -> None:
        """Count from here: virtual ``now`` is wall time ``wall`` (or this moment)."""
        self.now, self.wall = now, time.monotonic() if wall is None else wall

    def touch(self, wall: float) -> None:
        """Somebody sent or got something."""
        self.busy_until = wall + BUSY

    def target(self, now: int, rate: float, wall: float) -> int:
        """The virtual instant to run to; never before ``now``."""
        return max(now, self.now + int((wall - self.wall) * rate * SECOND))

    def slipped(self, now: int, target: int, rate: float) -> bool:
        """Whether the world is so late that it should be let off."""
        return target - now > SLIP * SECOND * rate

    def idle_for(self, wall: float, mark: Mark, following: int | None, asked: bool, frame_due: float | None) -> float:
        """Wall seconds until the next turn: the next event, ``following``, at the mark's rate, or the frame that is due.

        ``asked``: a request is open, so its next event is worth waking for at once.
        """
        now = time.monotonic()
        wake = now + 1.0 if frame_due is None else min(frame_due, now + 1.0)
        busy = asked or now < self.busy_until
        if not mark.paused and mark.rate and following is not None:
            due = self.wall + (following - self.now) / SECOND / mark.rate
            wake = min(wake, max(due, now + TICK if busy else wall + GRID / 2))
        return max(0.0, (wake if busy else on_grid(wake)) - now)
