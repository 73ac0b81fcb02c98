"""Snapshots: a cluster's whole state in Redis now and then, so that a replay of its journal stays short.

A snapshot of the demo cluster takes 200 ms (pickle 150, zlib 50; 7 MB become 1). The loop doesn't wait for it: the process
forks, which takes 5 ms, and the child writes down the state as it was at that commit over a connection of its own
while the parent goes on (its events cost a third more meanwhile: pages are copied). The lease's token fences the
child like everybody. When the child fails, the parent takes the snapshot itself, and waits.

In → a commit; out → a chapter of the history that ends in this snapshot (``annals``), and journal and inbox without what is older
than the last but one. A cluster that hardly works gets a snapshot now and then, too: so that looking back a few
minutes never takes long.
"""

import gc
import logging
import os
import time
from collections.abc import Callable

from explainer.runs import resp
from explainer.runs.journal import Journal
from explainer.runs.record import Snapshot

log = logging.getLogger("clearplane.runsim")

REPLAY_BUDGET = 0.5
"""Seconds of world's work (of a processor) after which a snapshot is taken: about how long a replay may take."""
SHARE = 5
"""The work between two snapshots is at least so many times what a snapshot takes."""
CALM_VIRTUAL = 60_000_000_000
CALM_WALL = 60.0
"""Without so much work: after so many virtual ns, but not oftener than in so many wall seconds."""
CALM_WORK = 0.1
"""And if there was at least so much of it (seconds of a processor)."""


class Keeper:
    """Takes one cluster's snapshots."""

    def __init__(self, book: Journal, reconnect: Callable[[], resp.Link]) -> None:
        self.journal = book
        self.reconnect = reconnect
        self.debt = 0.0
        """Seconds of work (of a processor) since the last snapshot began."""
        self.cost = 0.0
        """Seconds of a processor the last one took (a machine that is busy with other things must not make them rare)."""
        self.commit = 0
        """The last snapshot's commit; 0: none."""
        self.cursor = "0-0"
        """And how far the inbox was read."""
        self.instant = 0
        """Virtual instant of the last one that was begun, and the wall instant."""
        self.wall = time.monotonic()
        self._child: tuple[int, int, str] | None = None
        """(process id, commit, cursor) of the one that is being written."""
        self._failed = False

    def due(self, now: int) -> bool:
        """Whether it is time for one at the virtual instant ``now``. Takes note of one that has been written."""
        self._reap(wait=False)
        if self._child is not None:
            return False
        if self.debt > max(REPLAY_BUDGET, SHARE * self.cost):
            return True
        calm = now - self.instant > CALM_VIRTUAL and time.monotonic() - self.wall > max(CALM_WALL, 100 * self.cost)
        return calm and self.debt > CALM_WORK

    def begin(self, commit: int, cursor: str, now: int, take: Callable[[int], Snapshot]) -> None:
        """Write ``take(commit)`` in the background; call it at commit ``commit``, with the inbox read to ``cursor``."""
        self.finish()
        self.instant, self.wall = now, time.monotonic()
        if self._failed:
            self.now(commit, cursor, take)
            return
        self.debt = 0.0
        child = os.fork()
        if child == 0:
            os._exit(self._write_in_child(commit, take))
        self._child = (child, commit, cursor)

    def now(self, commit: int, cursor: str, take: Callable[[int], Snapshot]) -> None:
        """Write ``take(commit)`` and wait for it. Fenced if the lease is another's."""
        self.finish()
        started = time.process_time()
        snapshot = take(commit)
        while True:
            try:
                self.journal.keep(snapshot, self.commit, self.cursor)
                break
            except (OSError, resp.ConnectionLost):
                self.journal.use(self.reconnect())
        self._kept(commit, cursor, time.process_time() - started)
        self._failed, self.debt = False, 0.0

    def finish(self) -> None:
        """Wait for the one that is being written."""
        self._reap(wait=True)

    def _kept(self, commit: int, cursor: str, cost: float) -> None:
        self.commit, self.cursor, self.cost = commit, cursor, cost

    def _reap(self, wait: bool) -> None:
        if self._child is None:
            return
        pid, commit, cursor = self._child
        cost = 0.0
        try:
            gone, status, used = os.wait4(pid, 0 if wait else os.WNOHANG)
            cost = used.ru_utime + used.ru_stime
        except ChildProcessError:
            gone, status = pid, 1
        if gone == 0:
            return
        self._child = None
        if status == 0:
            self._kept(commit, cursor, cost)
        else:
            log.warning("cluster %s: a snapshot was not written; it is taken again", self.journal.cluster)
            self._failed, self.debt = True, float("inf")

    def _write_in_child(self, commit: int, take: Callable[[int], Snapshot]) -> int:
        """In the child: 0 when it is written. Touches none of the parent's connections."""
        try:
            gc.disable()  # a collection would copy every page
            book = Journal(resp.Link(self.journal.link.address), self.journal.cluster, self.journal.token)
            book.keep(take(commit), self.commit, self.cursor)
            return 0
        except BaseException as error:  # whatever it is: this process must end here
            log.warning("cluster %s: no snapshot (%s: %s)", self.journal.cluster, type(error).__name__, error)
            return 1
