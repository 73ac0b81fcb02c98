"""The lessons: the list, one lesson as prose, and the panel of the one that is played on a cluster."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode

from explainer import lessons
from explainer.pages import context, lesson_view, reads

from .common import drawn_errors


async def lessons_page(request: HttpRequest) -> HttpResponse:
    """All lessons by chapter, with those that are being played."""
    data = {
        "frame": context.base(request, "lessons"),
        "chapters": lesson_view.chapters(),
        "playing": await _playing(request),
    }
    return render(request, "lessons/page.html", data)


@drawn_errors
async def lesson_page(request: HttpRequest, slug: str) -> HttpResponse:
    """A lesson to be read without touching anything, and to be begun."""
    lesson = lessons.lessons().get(slug)
    if lesson is None:
        raise reads.Missing(f"there is no lesson {slug[:40]!r}")
    playing = [row for row in await _playing(request) if row["slug"] == slug]
    data = {"frame": context.base(request, "lessons"), "lesson": lesson_view.prose(lesson), "playing": playing}
    return render(request, "lessons/lesson.html", data)


@drawn_errors
async def panel(request: HttpRequest, cluster: str) -> HttpResponse:
    """The panel alone, for the script that keeps it true."""
    frame = {**context.base(request, "lesson"), "cluster": cluster, "lesson": await lesson_view.panel(cluster)}
    if frame["lesson"] is None:
        raise reads.Missing(f"no lesson is played on {cluster}")
    return render(request, "lessons/panel.html", {"frame": frame})


async def _playing(request: HttpRequest) -> list[dict[str, Any]]:
    """Clusters on which a lesson is played: ``{cluster, slug, title, done, count, href}``."""
    keep = urlencode(context.kept(request))
    rows: list[dict[str, Any]] = []
    for name in await reads.known():
        lesson = lessons.lesson_of(name)
        state = await reads.lesson(name) if lesson else None
        if lesson and state:
            href = lessons.href(name, lesson.steps[min(state["step"], len(lesson.steps) - 1)])
            href += ("&" if "?" in href else "?") + keep if keep else ""
            rows.append({"cluster": name, "slug": lesson.slug, "title": lesson_view.told(lesson.title), "done": len(state["done"]),
                         "count": len(lesson.steps), "href": href})  # fmt: skip
    return rows
