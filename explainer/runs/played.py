"""How far a lesson is that is played on a cluster: a hash in Redis, a field a fact, so that two who act at once never undo one another.

| field | value |
|---|---|
| ``slug`` ``step`` ``fork`` | which lesson; the step that is shown; how often a step was begun again |
| ``visited:<step>`` | where that step began: ``[moment, virtual µs]``; written once |
| ``answer:<step>`` | the choice |
| ``done:<step>`` | that its end was once reached |
| ``open:<step>`` | that its end was once seen not to be there |
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from explainer.runs import keys
from explainer.runs.bus import Bus

Mark = tuple[str, int]
"""A moment's name, and its virtual µs."""


class State(Struct):
    """``visited``: step → its beginning; ``answers``: step → choice."""

    slug: str
    step: int = 0
    visited: dict[int, Mark] = {}
    done: list[int] = []
    opened: list[int] = []
    answers: dict[int, int] = {}
    fork: int = 0


async def read(bus: Bus, cluster: str) -> State | None:
    """The state; None when no lesson is played there. Unavailable."""
    rows = await bus.call_redis("HGETALL", keys.lesson(cluster))
    if not rows:
        return None
    state = State("")
    for name, value in zip(rows[::2], rows[1::2], strict=True):
        kind, _colon, step = name.decode().partition(":")
        match kind:
            case "slug":
                state.slug = value.decode()
            case "step":
                state.step = int(value)
            case "fork":
                state.fork = int(value)
            case "visited":
                state.visited[int(step)] = msgspec.json.decode(value, type=Mark)
            case "answer":
                state.answers[int(step)] = int(value)
            case "done":
                state.done.append(int(step))
            case "open":
                state.opened.append(int(step))
    state.done.sort()
    return state


async def write(bus: Bus, cluster: str, state: State) -> None:
    """A lesson's whole state, on a cluster that has none yet."""
    fields = {"slug": state.slug, "step": str(state.step), "fork": str(state.fork)}
    fields |= {f"visited:{step}": _text(mark) for step, mark in state.visited.items()}
    fields |= {f"answer:{step}": str(choice) for step, choice in state.answers.items()}
    fields |= {f"done:{step}": "1" for step in state.done}
    await _set(bus, cluster, fields)


async def go(bus: Bus, cluster: str, step: int) -> None:
    """That step is shown."""
    await _set(bus, cluster, {"step": str(step)})


async def answer(bus: Bus, cluster: str, step: int, choice: int) -> None:
    """That step's prediction was answered."""
    await _set(bus, cluster, {f"answer:{step}": str(choice)})


async def finish(bus: Bus, cluster: str, step: int) -> None:
    """That step's end was reached."""
    await _set(bus, cluster, {f"done:{step}": "1"})


async def opened(bus: Bus, cluster: str, step: int) -> None:
    """That step's end was seen not to be there."""
    await _set(bus, cluster, {f"open:{step}": "1"})


async def visit(bus: Bus, cluster: str, step: int, mark: Mark) -> None:
    """That step begins there, unless it has begun before."""
    await bus.call_redis("HSETNX", keys.lesson(cluster), f"visited:{step}", _text(mark))


async def _set(bus: Bus, cluster: str, fields: Mapping[str, str]) -> None:
    await bus.call_redis("HSET", keys.lesson(cluster), *[part for row in fields.items() for part in row])


def _text(mark: Mark) -> str:
    return msgspec.json.encode(mark).decode()
