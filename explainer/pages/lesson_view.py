"""A lesson in the reader's language: as prose, and as the panel beside a picture."""

from __future__ import annotations

from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from explainer import lessons
from explainer.fragments import particles

from . import reads


def told(text: lessons.Text | None, known: dict[str, str] | None = None) -> str:
    """Return the sentence in the reader's language, with its placeholders filled in."""
    if text is None:
        return ""
    language = get_language() or "en"
    said = text.ko if language.startswith("ko") else text.en if language.startswith("en") else _(text.en)
    return particles.settle(lessons.fill(said, known or {}))


def page_name(page: str) -> str:
    """Return the name of a cluster's page as its navigation has it."""
    return {
        "map": _("Map"),
        "requests": _("Requests"),
        "objects": _("Objects"),
        "etcd": "etcd",
        "ha": _("HA"),
        "network": _("Network"),
    }[page]


def step_view(step: lessons.Step, number: int, known: dict[str, str]) -> dict[str, Any]:
    """Return a step for templates."""
    predict = step.predict
    return {
        "number": number,
        "say": told(step.say, known),
        "task": told(step.task, known),
        "page": page_name(step.page),
        "path": lessons.path(known["cluster"], step) if known.get("cluster") else "",
        "query": lessons.fill(step.query, known),
        "mark": lessons.fill(step.mark, known),
        "type": [lessons.fill(line, known) for line in step.type],
        "acts": [told(act.label, known) for act in step.act],
        "checked": bool(step.until),
        "done": told(step.done, known),
        "hint": told(step.hint, known),
        "wrong": [told(row.said, known) for row in step.wrong],
        "predict": predict
        and {
            "ask": told(predict.ask, known),
            "choices": [told(choice, known) for choice in predict.choices],
            "right": predict.right,
            "why": told(predict.why, known),
        },
    }


async def panel(cluster: str) -> dict[str, Any] | None:
    """Return what the panel shows of the lesson that is played on ``cluster``; None when none is."""
    lesson, state = lessons.lesson_of(cluster), await reads.lesson(cluster)
    if lesson is None or state is None:
        return None
    at = min(state["step"], len(lesson.steps) - 1)
    try:
        known = _roles() | lessons.facts(await reads.read(cluster, "ha"), cluster)
    except (reads.Unreachable, reads.Missing):
        known = _roles() | lessons.facts({}, cluster)
    step = step_view(lesson.steps[at], at + 1, known)
    answer = state.get("answers", {}).get(str(at))
    done = set(state["done"])
    return {
        "slug": lesson.slug,
        "title": told(lesson.title),
        "step": step,
        "at": at,
        "count": len(lesson.steps),
        "last": at + 1 == len(lesson.steps),
        "answer": answer,
        "is_done": at in done,
        "left": len(lesson.steps) - len(done),
        "steps": [
            {"number": n + 1, "at": n, "done": n in done, "here": n == at, "said": told(one.say, known)}
            for n, one in enumerate(lesson.steps)
        ],
        "next": _next(lesson),
    }


def _next(lesson: lessons.Lesson) -> dict[str, str] | None:
    """Return the lesson that comes after."""
    slugs = list(lessons.lessons())
    after = slugs.index(lesson.slug) + 1
    if after >= len(slugs):
        return None
    return {"slug": slugs[after], "title": told(lessons.lessons()[slugs[after]].title)}


def _roles() -> dict[str, str]:
    """Return what placeholders are called where they stand for nobody in particular."""
    return {"leader": _("the leader"), "leader_host": _("the leader's host"), "follower": _("a follower"), "follower_host": _("a follower's host"),
             "other": _("the other follower"), "other_host": _("the other follower's host"), "third": _("the third follower"), "third_host": _("the third follower's host"), "down": _("a stopped member"), "down_host": _("its host"), "scheduler": _("the scheduler that leads"), "controller_manager": _("the controller-manager that leads"), "cluster": ""}  # fmt: skip


def prose(lesson: lessons.Lesson) -> dict[str, Any]:
    """Return the whole lesson to be read."""
    known = _roles()
    return {
        "slug": lesson.slug,
        "title": told(lesson.title),
        "lead": told(lesson.lead),
        "minutes": lesson.minutes,
        "count": len(lesson.steps),
        "steps": [step_view(step, n, known) for n, step in enumerate(lesson.steps, 1)],
    }


def chapters() -> list[dict[str, Any]]:
    """Return the chapters with their lessons."""
    rows: list[dict[str, Any]] = []
    for key, title in lessons.CHAPTERS:
        mine = [one for one in lessons.lessons().values() if one.chapter == key]
        if mine:
            short = [
                {
                    "slug": one.slug,
                    "title": told(one.title),
                    "lead": told(one.lead),
                    "minutes": one.minutes,
                    "count": len(one.steps),
                }
                for one in mine
            ]
            rows.append({"key": key, "title": told(title), "lessons": short})
    return rows
