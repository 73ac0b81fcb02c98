"""Work queues: events say *which* object may need work, never what to do (client-go's workqueue).

``self.enqueue(out, "deployment", "default/web")`` puts a key in a queue; at the end of the step ``run_key`` is called for
each key that a worker is free for. A key that comes again while it waits is once in the queue; while it is worked on, it
runs again afterwards. So a thousand events of one ReplicaSet are a few runs of ``reconcile``.

A key remembers the cause of the event that put it there, and ``reconcile`` runs with ``out.cause`` set to it. When several
events meet in one key the first cause that isn't 0 stays: the others are contained in what it leads to.

A run that failed (``self.failed()``, or an unhandled error answer) is repeated after 5 ms · 2ⁿ, 1,000 s at most.

Simplified here: no overall token bucket of 10 a second beside the exponential one; a run begins without scheduling delay.

Upstream: k8s.io/client-go/util/workqueue/{queue,delaying_queue,default_rate_limiters}.go.
"""

import heapq
from typing import ClassVar

from cluster.clientgo.reflector import Reflecting
from cluster.clientgo.state import Queue, Task
from cluster.sim import MILLISECOND, SECOND, Outbox

RETRY_FIRST = 5 * MILLISECOND
RETRY_MAX = 1000 * SECOND


class Queueing(Reflecting):
    """The third layer of ``ApiClient``."""

    workers: ClassVar[int] = 5
    """How many keys of one queue are worked on at once (--concurrent-…-syncs)."""

    def run_key(self, queue: str, key: str, now: int, out: Outbox) -> None:
        """Work on ``key``. Here: the method ``reconcile_<queue>``, or ``reconcile`` for the queue named ""."""
        getattr(self, f"reconcile_{queue}" if queue else "reconcile")(key, now, out)

    def workers_of(self, queue: str) -> int:
        """How many keys of ``queue`` may be worked on at once."""
        return self.workers

    def enqueue(self, out: Outbox, queue: str, key: str, after: int = 0) -> None:
        """Put ``key`` in ``queue`` now or ``after`` ns from now (the earlier of two dates counts)."""
        q = self.state.queues.get(queue)
        if q is None:
            q = self.state.queues[queue] = Queue()
        if after > 0:
            self._add_later(q, queue, key, self.now + after, out)
            return
        where = q.dirty if key in q.active else q.ready
        if not where.get(key):
            where[key] = out.cause
        self.state.work[queue] = None

    def retry_later(self, out: Outbox, queue: str, key: str) -> None:
        """Put ``key`` back after its exponential delay."""
        q = self.state.queues[queue]
        failures = q.failures.get(key, 0)
        q.failures[key] = failures + 1
        self._add_later(q, queue, key, self.now + min(RETRY_FIRST << min(failures, 20), RETRY_MAX), out)

    def _add_later(self, q: Queue, queue: str, key: str, at: int, out: Outbox) -> None:
        known = q.later.get(key)
        if known is not None and known <= at:
            return
        q.later[key] = at
        state = self.state
        first = state.later[0][0] if state.later else None
        state.later_sequence += 1
        heapq.heappush(state.later, (at, state.later_sequence, queue, key, out.cause))
        if first is None or at < first:
            out.timer("client/later", at - self.now, cause=0)

    def _due(self, out: Outbox) -> None:
        state = self.state
        while state.later and state.later[0][0] <= self.now:
            at, _, queue, key, cause = heapq.heappop(state.later)
            q = state.queues.get(queue)
            if q is None or q.later.get(key) != at:
                continue
            del q.later[key]
            out.cause = cause
            self.enqueue(out, queue, key)
        if state.later:
            out.timer("client/later", state.later[0][0] - self.now, cause=0)

    def drain(self, now: int, out: Outbox) -> None:
        """Run what is ready. The last thing a step does."""
        work = self.state.work
        while work:
            queue = next(iter(work))
            del work[queue]
            q = self.state.queues[queue]
            limit = self.workers_of(queue)
            while q.ready and len(q.active) < limit:
                key = next(iter(q.ready))
                self._run(q, queue, key, q.ready.pop(key), now, out)

    def _run(self, q: Queue, queue: str, key: str, cause: int, now: int, out: Outbox) -> None:
        state = self.state
        state.next_task += 1
        task_id = state.next_task
        # One pending "request" is the run itself, so that the task cannot end before reconcile returns.
        state.tasks[task_id] = Task(queue, key, cause, pending=1)
        q.active[key] = task_id
        out.cause = cause
        self.task = task_id
        self.run_key(queue, key, now, out)
        self.task = 0
        self._settle(task_id, out)

    def _settle(self, task_id: int, out: Outbox) -> None:
        task = self.state.tasks.get(task_id)
        if task is None:
            return
        task.pending -= 1
        if task.pending > 0:
            return
        del self.state.tasks[task_id]
        q = self.state.queues.get(task.queue)
        if q is None or q.active.get(task.key) != task_id:
            return
        del q.active[task.key]
        out.cause = task.cause
        if task.failed:
            self.retry_later(out, task.queue, task.key)
        else:
            q.failures.pop(task.key, None)
        cause = q.dirty.pop(task.key, None)
        if cause is not None:
            q.ready.setdefault(task.key, cause)
        self.state.work[task.queue] = None
