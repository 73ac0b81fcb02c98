"""Is a history of one key linearizable? Porcupine's way: Lowe's just-in-time search with memory.

Each operation has a call and, if its outcome is known, a return. Walk along the calls and returns in order of time: an operation may take effect if
it was called before the first return that is still open, and if the model allows its answer; when a return comes whose operation has not taken
effect, go back. What was tried is remembered as (set of operations done, state).

An operation whose outcome nobody knows never returns: it may take effect at any time, or in effect never (after everything else).

Three things keep the search short. **Revisions**: an answer names the revision of the store it was given at. So of what was answered only that of the
lowest revision can be next, of equals first the write: what is passed over could never take effect any more, and everything that returned must. That also
makes the check stricter. **Reads at once**: what changed nothing and fits the state
may be put here as well as later, so it is, and no other place is tried. **What nobody saw**: a write of unknown outcome whose value was never read need
not have happened. First those are left out: a history that can be explained without them is linearizable; only if it can't be, they are tried too.

In: ``Op`` of one key. Out: True, False, or None when the search was given up after ``LIMIT`` steps. Keys are independent of each other, so a history
is linearizable if each key's is.
"""

from collections.abc import Callable
from typing import Any

LIMIT = 2_000_000

State = tuple[bytes, int] | None
"""(value, mod revision) of the key; None: it isn't there. Revision -1: written by an operation whose answer nobody saw."""


class Op:
    """One operation of a client on one key, which is there in its answer ``out`` once that came (``end``)."""

    __slots__ = ("end", "error", "expect", "f", "id", "key", "member", "out", "revision", "start", "value")

    def __init__(
        self, id_: int, f: str, key: bytes, value: bytes, expect: bytes | None, start: int, member: str = ""
    ) -> None:
        self.id, self.f, self.key, self.value, self.expect, self.start, self.member = (
            id_,
            f,
            key,
            value,
            expect,
            start,
            member,
        )
        self.end: int | None = None
        self.out: Any = None
        self.revision = 0
        self.error = ""

    def __repr__(self) -> str:
        end = "?" if self.end is None else self.end // 1000
        wanted = "" if self.f != "cas" else f" if {self.expect!r}"
        return f"{self.f} {self.value!r}{wanted} at {self.member} [{self.start // 1000}, {end}] -> {self.out} rev {self.revision}"


def idle(op: Op) -> bool:
    """Is it known that ``op`` changed nothing?"""
    return op.end is not None and (op.f == "get" or op.out is False)


def dated(op: Op) -> bool:
    """Is it known at which revision ``op`` was answered?"""
    return op.end is not None and op.revision > 0


class Order:
    """The operations of a history by the revisions of their answers: which may be next, when ``done`` (a set of their numbers, as bits) are done.

    ``ops`` is sorted by revision, those without one (of unknown outcome) at the end. A number is a place in it.
    """

    def __init__(self, ops: list[Op]) -> None:
        self.ops = sorted(ops, key=lambda op: op.revision if dated(op) else 1 << 62)
        self.idle = self._bits(lambda op: dated(op) and idle(op))
        self.writes = self._bits(lambda op: dated(op) and not idle(op))

    def _bits(self, wanted: Callable[[Op], bool]) -> int:
        return sum(1 << number for number, op in enumerate(self.ops) if wanted(op))

    def _lowest(self, left: int) -> int:
        return self.ops[(left & -left).bit_length() - 1].revision if left else 1 << 62

    def allows(self, number: int, done: int) -> bool:
        """May ``number`` be next?"""
        op = self.ops[number]
        if not dated(op):
            return True
        left = ~(done | 1 << number)  # of these no two writes have the same revision
        return op.revision < self._lowest(self.writes & left) and op.revision <= self._lowest(self.idle & left)


def step(op: Op, state: State) -> tuple[bool, State]:
    """Can ``op`` happen in ``state``, and what is the state then?"""
    known = op.end is not None
    revision = op.revision if known else -1
    if op.f == "put":
        return True, (op.value, revision)
    if op.f == "get":
        if not known or op.out is None:
            return not known or state is None, state
        if state is None or state[0] != op.out[0] or state[1] not in (-1, op.out[1]):
            return False, state
        return True, op.out
    if op.f == "delete":
        return not known or op.out == (state is not None), None
    holds = (None if state is None else state[0]) == op.expect
    if known and holds != op.out:
        return False, state
    return True, (op.value, revision) if holds else state


def linearizable(ops: list[Op]) -> bool | None:
    """Whether one register could have given all these answers. See the module."""
    seen = {op.out[0] for op in ops if op.f == "get" and op.out} | {op.expect for op in ops if op.f == "cas"}
    likely = [op for op in ops if op.end is not None or (op.f in ("put", "cas") and op.value in seen)]
    if len(likely) < len(ops) and search(likely):
        return True
    return search(ops)


def search(ops: list[Op]) -> bool | None:
    """Every order that real time allows, until one explains everything: True; None after ``LIMIT`` steps."""
    order = Order(ops)
    ops = order.ops
    events: list[tuple[int, int, int]] = []
    for number, op in enumerate(ops):
        events.append((op.start, 0, number))
        events.append((op.end if op.end is not None else 1 << 62, 1, number))
    events.sort()
    count = len(events)
    returns = [0] * len(ops)
    for place, (_, kind, number) in enumerate(events, 1):
        if kind:
            returns[number] = place
    # A list of places 1 … count linked both ways; 0 is its head.
    after = [*range(1, count + 1), 0]
    before = [count, *range(count)]

    def unlink(place: int) -> None:
        after[before[place]] = after[place]
        before[after[place]] = before[place]

    def link(place: int) -> None:
        after[before[place]] = place
        before[after[place]] = place

    state: State = None
    done, steps = 0, 0
    seen: dict[tuple[int, State], None] = {}
    path: list[tuple[int, State]] = []
    """What was tried: its place (negative: nothing else needs to be tried there), and the state before it."""

    def take(place: int, new: State, only: bool) -> None:
        nonlocal state, done
        number = events[place - 1][2]
        path.append((-place if only else place, state))
        state, done = new, done | 1 << number
        unlink(place)
        unlink(returns[number])

    def fits(number: int) -> tuple[bool, State]:
        possible, new = step(ops[number], state)
        return possible and order.allows(number, done), new

    def take_idle() -> None:
        place = after[0]
        while place and not events[place - 1][1]:
            number = events[place - 1][2]
            following = after[place]
            if idle(ops[number]):
                possible, new = fits(number)
                if possible:
                    take(place, new, True)
                    following = after[0]
            place = following

    take_idle()
    place = after[0]
    while after[0]:
        steps += 1
        if steps > LIMIT:
            return None
        at, kind, number = events[place - 1]
        if not kind:
            possible, new = fits(number)
            key = (done | 1 << number, new)
            if possible and key not in seen:
                seen[key] = None
                take(place, new, False)
                take_idle()
                place = after[0]
            else:
                place = after[place]
        elif at == 1 << 62:
            return True  # only operations that nobody knows the outcome of are left
        else:
            place = -1
            while place < 0:
                if not path:
                    return False
                place, state = path.pop()
                number = events[abs(place) - 1][2]
                done &= ~(1 << number)
                link(returns[number])
                link(abs(place))
            place = after[place]
    return True
