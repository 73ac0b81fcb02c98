"""Every lesson, played to its end by what it asks for: no step has ended before it is done, each has afterwards.

A step's acts are applied, then its lines typed, in a cluster of the lesson's own options; worlds of equal options are booted once.
"""

import re
from functools import cache

import msgspec
import pytest

from cluster.lab import ConsoleIn, Input, Lab
from cluster.sim.clock import MILLISECOND, SECOND
from explainer import lessons
from explainer.runs.clusters import Options
from tests.cluster.lab.desk import Desk

ALL = list(lessons.lessons().values())
assert ALL, "there are lessons"
PATIENT = 20 * SECOND
"""Virtual time that a typed line may take before the step goes on without it: some commands wait for what never comes."""


@cache
def booted(options: str) -> bytes:
    fields = msgspec.structs.asdict(msgspec.json.decode(options, type=Options))
    for name in ("name", "paused", "kubernetes_version"):
        del fields[name]
    desk = Desk.boot(**fields)
    desk.lab.run_until(
        desk.lab.now + 6 * SECOND
    )  # etcd lets nobody in before its members have known one another for 5 s
    return desk.lab.checkpoint()


def begin(lesson: lessons.Lesson) -> Desk:
    options = Options(name="lesson")
    options = msgspec.convert({**msgspec.to_builtins(options), **lesson.cluster}, Options)
    return Desk(Lab.restore(booted(msgspec.json.encode(options).decode())))


def known(desk: Desk) -> dict[str, str]:
    return lessons.facts(desk.lab.query("ha"), "lesson")


def asked(desk: Desk, step: lessons.Step, since: int) -> dict:
    return desk.lab.query(
        "lesson", cel=step.until, since=since, wrong=[row.holds for row in step.wrong], walks=list(step.walks)
    )


def do(desk: Desk, step: lessons.Step) -> None:
    words = known(desk)
    for act in step.act:
        for item in act.items:
            made = lessons.fill(item, words)
            desk.lab.submit(msgspec.convert({"call": "act", **made} if "call" in made else made, Input))
        desk.lab.run_until(desk.lab.now + 100 * MILLISECOND)
    for line in lessons.fill(step.type, words):
        desk.conn += 1
        call = f"c{desk.conn}"
        desk.lab.submit(ConsoleIn("s", line, call))
        ended: list[bool] = []

        def over(call: str = call, ended: list[bool] = ended) -> bool:
            ended.extend(o.doc["done"] for o in desk.drain() if getattr(o, "call", None) == call)
            return any(ended)

        until = desk.lab.now + PATIENT
        while not over() and desk.lab.now < until:
            desk.lab.run_until(desk.lab.now + 20 * MILLISECOND)


@pytest.mark.parametrize("lesson", ALL, ids=[one.slug for one in ALL])
def test_played_to_its_end(lesson: lessons.Lesson):
    desk = begin(lesson)
    for number, step in enumerate(lesson.steps, 1):
        since = desk.lab.now // 1000
        if not step.until:
            assert not step.act and not step.type, (
                f"step {number} asks for something and does not look whether it was done"
            )
            continue
        before = asked(desk, step, since)
        assert not before["holds"], f"step {number} has ended before anything was done"
        assert "not CEL" not in before["said"] and "there is no resource" not in before["said"], before["said"]
        do(desk, step)
        end = desk.lab.now + step.within * SECOND
        while not (after := asked(desk, step, since))["holds"]:
            assert desk.lab.now < end, (
                f"step {number} of {lesson.slug} did not end within {step.within} s: {after['said'] or step.until}"
            )
            desk.lab.run_until(desk.lab.now + 250 * MILLISECOND)
        assert after["wrong"] == [False] * len(step.wrong), f"step {number}: the right way is called a wrong one"
        for row in step.wrong:
            said = desk.lab.query("lesson", cel=row.holds, since=since, walks=list(step.walks))["said"]
            assert "not CEL" not in said and "there is no resource" not in said, f"step {number}: {said}"


PLACE = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("lesson", ALL, ids=[one.slug for one in ALL])
def test_written_for_everybody(lesson: lessons.Lesson):
    """Names fit into a cluster's, both languages say everything with the same placeholders, pages exist, predictions have an answer."""
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,25}", lesson.slug)
    assert 2 <= lesson.minutes <= 12 and len(lesson.steps) >= 3
    texts = [lesson.title, lesson.lead]
    for step in lesson.steps:
        texts += [text for text in (step.say, step.task, step.done, step.hint) if text]
        texts += [act.label for act in step.act] + [row.said for row in step.wrong]
        assert step.page in ("map", "requests", "objects", "etcd", "ha", "network")
        assert bool(step.until) == bool(step.task), "what is asked for is said, and looked at"
        if step.predict:
            texts += [step.predict.ask, step.predict.why, *step.predict.choices]
            assert 0 <= step.predict.right < len(step.predict.choices) >= 2
    for text in texts:
        assert text.en and text.ko and sorted(PLACE.findall(text.en)) == sorted(PLACE.findall(text.ko)), text
        assert re.search(r"[가-힣]", text.ko) or text.en == text.ko, text
    assert any(step.predict for step in lesson.steps), "a lesson asks before it reveals"
