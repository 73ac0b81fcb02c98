"""Is a history of one key linearizable? Porcupine's way: Lowe's just-in-time search with memory.

Each operation has a call and, if its outcome is known, a return. Walk along the calls and returns in order of time: an operation may take effect if
it was called before the first return that is still open, and if the model allows its answer; when a return comes whose operation has not taken
effect, go back. What was tried is remembered as (set of operations done, state).

An operation whose outcome nobody knows never returns: it may take effect at any time, or in effect never (after everything else).

In: ``Op`` of one key. Out: True, False, or None when the search was given up after ``LIMIT`` steps. Keys are independent of each other, so a history
is linearizable if each key's is.
"""

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
    done = 0
    seen: dict[tuple[int, State], None] = {}
    path: list[tuple[int, State]] = []
    place, steps = after[0], 0
    while after[0]:
        steps += 1
        if steps > LIMIT:
            return None
        _, kind, number = events[place - 1]
        if not kind:
            possible, new = step(ops[number], state)
            key = (done | 1 << number, new)
            if possible and key not in seen:
                seen[key] = None
                path.append((place, state))
                state, done = new, key[0]
                unlink(place)
                unlink(returns[number])
                place = after[0]
            else:
                place = after[place]
        elif events[place - 1][0] == 1 << 62:
            return True  # only operations that nobody knows the outcome of are left
        else:
            if not path:
                return False
            place, state = path.pop()
            number = events[place - 1][2]
            done &= ~(1 << number)
            link(returns[number])
            link(place)
            place = after[place]
    return True
