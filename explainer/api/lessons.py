"""Playing lessons: begin one on a fresh cluster, ask how far it is, go on, let an act be done, go back to where a step began.

A lesson's state belongs to its cluster (``explainer/runs/played.py``), so a reload, the projector and everybody who watches see the same step.
Whether a step's end has come is asked of the world each time; that it once had is kept.

| call | does |
|---|---|
| ``POST /api/lessons/{slug}/start`` | a fresh cluster for it: ``{cluster, href}``, 201 |
| ``GET /api/clusters/{c}/lesson`` | the state, and of the present step ``holds``, ``said`` (what its expression still lacks), ``wrong``; ``trouble``: why it could not be asked; ``early``: it was so before anything was done, so it does not count |
| ``POST /api/clusters/{c}/lesson`` ``{op: go, step}`` | go to a step; its beginning is marked when it is first seen |
| ``{op: act, act}`` | the present step's act of that number; a change of members is waited for: etcd's own words when it refuses, 409 |
| ``{op: answer, choice}`` | the prediction |
| ``{op: reset}`` | a fork of the moment at which the present step began: ``{cluster, href}``; this cluster stays |
"""

import secrets
from typing import Annotated, Any, Literal

import msgspec
from django.http import HttpRequest
from msgspec import Meta, Struct

from explainer import lessons
from explainer.api.calls import body_as, call, json, sentence
from explainer.api.clusters import made
from explainer.api.faults import membership
from explainer.api.rescue import answered
from explainer.runs import clusters, played
from explainer.runs.bus import Bus, Failed, Unavailable
from explainer.runs.mail import Pace
from explainer.runs.played import State


class LessonBody(Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    op: Literal["go", "act", "answer", "reset"]
    step: Annotated[int, Meta(ge=0, le=99)] = 0
    act: Annotated[int, Meta(ge=0, le=9)] = 0
    choice: Annotated[int, Meta(ge=0, le=9)] = 0


@call("POST")
async def start(request: HttpRequest, bus: Bus, slug: str) -> Any:
    """Make the lesson's cluster and begin."""
    lesson = lessons.lessons().get(slug)
    if lesson is None:
        raise Failed(404, f"there is no lesson {slug[:40]!r}")
    name = f"{lessons.PREFIX}{slug}-{secrets.token_hex(2)}"
    options = clusters.parse(msgspec.json.encode({**lesson.cluster, "name": name}))
    await made(bus, options)
    await played.write(bus, name, State(slug, visited={0: await _now(bus, name)}))
    return json({"cluster": name, "href": lessons.href(name, lesson.steps[0])}, 201)


MEMBERS = ("MemberAddIn", "MemberRemoveIn", "MemberPromoteIn")
"""Acts that etcd may refuse."""
ABSENT = {
    "down": "stopped member",
    "other": "second follower",
    "third": "third follower",
    "scheduler": "scheduler that leads",
    "controller_manager": "controller-manager that leads",
}
"""What placeholders are called when they stand for nobody."""
RESCUE = ("SnapshotIn", "RestoreIn")
"""Acts that a host may refuse."""


@call("GET", "POST")
async def lesson(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """The state; or one of the module's ops."""
    script, state = await _state(bus, cluster)
    if request.method == "POST":
        body = body_as(request, LessonBody)
        match body.op:
            case "go":
                if body.step >= len(script.steps):
                    raise Failed(422, f"this lesson has {len(script.steps)} steps")
                if body.step not in state.visited:
                    await played.visit(bus, cluster, body.step, await _now(bus, cluster))
                await played.go(bus, cluster, body.step)
            case "answer":
                if script.steps[state.step].predict is None:
                    raise Failed(422, "this step asks nothing")
                await played.answer(bus, cluster, state.step, body.choice)
            case "act":
                await _act(bus, cluster, script.steps[state.step], body.act)
            case "reset":
                return json(await _reset(bus, cluster, script, state), 201)
        script, state = await _state(bus, cluster)
    return await _told(bus, cluster, script, state)


async def _told(bus: Bus, cluster: str, script: lessons.Lesson, state: State) -> dict[str, Any]:
    """The state as JSON, with the present step's end asked of the world."""
    step = script.steps[state.step]
    found: dict[str, Any] = {"holds": False, "said": "", "wrong": [], "trouble": "", "early": False}
    if step.until:
        since = state.visited.get(state.step, ("", 0))[1]
        asked = {
            "cel": step.until,
            "since": since,
            "wrong": [row.holds for row in step.wrong],
            "walks": list(step.walks),
        }
        try:
            found |= await bus.query(cluster, "lesson", **asked)
            await _credited(bus, cluster, script, state, found)
        except (Failed, Unavailable) as error:
            found["trouble"] = sentence(error.error if isinstance(error, Failed) else str(error))
    else:
        found["holds"] = step.predict is None or state.step in state.answers
    if found["holds"] and state.step not in state.done:
        state.done.append(state.step)
        await played.finish(bus, cluster, state.step)
    return {
        "slug": state.slug,
        "step": state.step,
        "steps": len(script.steps),
        "done": sorted(state.done),
        "answers": state.answers,
        "complete": len(state.done) == len(script.steps),
        **found,
        "href": lessons.href(cluster, step),
    }


async def _credited(bus: Bus, cluster: str, script: lessons.Lesson, state: State, found: dict[str, Any]) -> None:
    """An end that is there when steps before it were left out is nobody's doing: it counts once it was seen not to be there (``early`` until then)."""
    if not found["holds"] and state.step not in state.opened:
        await played.opened(bus, cluster, state.step)
    left_out = any(step.until and number not in state.done for number, step in enumerate(script.steps[: state.step]))
    if found["holds"] and left_out and state.step not in (*state.opened, *state.done):
        found |= {"holds": False, "early": True}


async def _state(bus: Bus, cluster: str) -> tuple[lessons.Lesson, State]:
    script, state = lessons.lesson_of(cluster), await played.read(bus, cluster)
    if script is None or state is None:
        raise Failed(404, f"no lesson is played on {cluster}")
    state.step = min(state.step, len(script.steps) - 1)
    return script, state


async def _now(bus: Bus, cluster: str) -> played.Mark:
    """This moment, as the beginning of a step."""
    try:
        clock = msgspec.json.decode(await bus.past("view", cluster, "", view="clock", args={}))
    except (Failed, Unavailable):
        clock = {**await bus.query(cluster, "clock"), "at": ""}
    return clock["at"] or str(clock["nowMicros"]), clock["nowMicros"]


async def _act(bus: Bus, cluster: str, step: lessons.Step, number: int) -> None:
    """Do it. Failed 409 in etcd's words when it refuses a change of members; an operation on keys is begun, however long it takes."""
    if number >= len(step.act):
        raise Failed(422, f"this step has {len(step.act)} acts")
    known = lessons.facts(await bus.query(cluster, "ha"), cluster)
    items = [lessons.fill(one, known) for one in step.act[number].items]
    absent = lessons.missing(items)
    if absent:
        raise Failed(
            409,
            f"there is no {ABSENT.get(absent.removesuffix('_host'), absent)} now: this step begins where the one before it has ended",
        )
    for item in items:
        if item["type"] in MEMBERS:
            fields = {name: value for name, value in item.items() if name not in ("type", "call")}
            await membership(bus, cluster, item["type"], **fields)
        elif item["type"] in RESCUE:
            await answered(
                bus,
                cluster,
                item["type"],
                **{name: value for name, value in item.items() if name not in ("type", "call")},
            )
        elif "call" in item:
            bus.send(cluster, "input", {**item, "call": bus.new_call()})
        else:
            await bus.act(cluster, item)


async def _reset(bus: Bus, cluster: str, script: lessons.Lesson, state: State) -> dict[str, Any]:
    """Back to where the step began: a fork of that moment, which is played on from there."""
    at, _ = state.visited[state.step]
    stem = f"{lessons.PREFIX}{state.slug}-{cluster.rsplit('-', 1)[-1][:4]}"
    name = f"{stem}{secrets.token_hex(1)}"
    await bus.fork(cluster, name, at)
    done = [step for step in state.done if step < state.step]
    answers = {step: choice for step, choice in state.answers.items() if step < state.step}
    visited = {step: mark for step, mark in state.visited.items() if step <= state.step}
    await played.write(bus, name, State(state.slug, state.step, visited, done, answers=answers, fork=state.fork + 1))
    await bus.pace(name, Pace("set", None, False))
    return {"cluster": name, "href": lessons.href(name, script.steps[state.step])}
