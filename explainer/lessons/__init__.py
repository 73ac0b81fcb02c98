"""Lessons: a live cluster and a script of steps, each with an end that the cluster's own state decides.

**The folder is the registry**: what a file here has in its ``LESSONS`` are some; nothing else is to be changed for a new one, and its test
(``tests/lessons``) drives it to its end by the very commands and acts that it asks for.

A step says one thing, asks for one thing, and ends when ``until`` holds: a CEL expression (see ``cluster.snapshot.lesson`` for the tables it may
name) over the cluster, not over what was typed; so a real kubectl in a terminal counts as much as the console or a button. A step without
``until`` is read, or answered: ``predict`` asks before it reveals.

In sentences, commands, acts and marks, ``{leader}``, ``{leader_host}``, ``{follower}``, ``{follower_host}``, ``{other}``, ``{other_host}``, ``{third}``, ``{third_host}``,
``{down}``, ``{down_host}`` (a member that is stopped), ``{scheduler}``, ``{controller_manager}`` (those that lead) and ``{cluster}`` stand for what they are when the step is shown. Sentences are pairs, English and Korean; for any other language the English is
looked up in the catalogue.
"""

import pkgutil
import re
from functools import cache
from importlib import import_module
from typing import Any

from msgspec import Struct


class Text(Struct, frozen=True):
    """A sentence in both languages."""

    en: str
    ko: str


def say(en: str, ko: str) -> Text:
    """A sentence."""
    return Text(en, ko)


class Act(Struct, frozen=True):
    """A button: inputs of the world (``cluster.lab``), as tagged maps with placeholders, applied one after the other.

    One that is answered has an empty ``call``: a change of members ends the act when etcd has agreed, and refuses it when etcd does; an
    operation on keys is only begun."""

    label: Text
    items: tuple[dict[str, Any], ...]


class Predict(Struct, frozen=True):
    """A question before the answer is seen. ``right`` counts from 0."""

    ask: Text
    choices: tuple[Text, ...]
    right: int
    why: Text


class Wrong(Struct, frozen=True):
    """A way that leads elsewhere: when it ``holds``, the learner is told, and how to come back."""

    holds: str
    said: Text


class Step(Struct, frozen=True):
    """One step. ``page``: where to look (``map requests objects etcd ha network``), with ``query``; ``mark``: a CSS selector of what to look at."""

    say: Text
    task: Text | None = None
    page: str = "map"
    query: str = ""
    mark: str = ""
    type: tuple[str, ...] = ()
    act: tuple[Act, ...] = ()
    until: str = ""
    walks: tuple[dict[str, Any], ...] = ()
    done: Text | None = None
    """Said when the end is reached: what was to be seen."""
    hint: Text | None = None
    predict: Predict | None = None
    wrong: tuple[Wrong, ...] = ()
    within: int = 60
    """Virtual seconds after which, all done as asked, the end has come."""


class Lesson(Struct, frozen=True):
    """A lesson. ``chapter``: where it stands; ``cluster``: options of ``POST /api/clusters`` for the cluster it is played on."""

    slug: str
    chapter: str
    order: int
    title: Text
    lead: Text
    minutes: int
    steps: tuple[Step, ...]
    cluster: dict[str, Any] = {}


CHAPTERS: tuple[tuple[str, Text], ...] = (
    ("basics", Text("What a control plane is", "컨트롤 플레인이란")),
    ("etcd", Text("etcd and Raft", "etcd와 Raft")),
    ("ha", Text("High availability", "고가용성")),
    ("network", Text("Services and packets", "Service와 패킷")),
    ("drills", Text("When things break", "무언가 고장 났을 때")),
)


@cache
def lessons() -> dict[str, Lesson]:
    """All lessons by slug, in the order in which they are taught."""
    found: list[Lesson] = []
    for module in pkgutil.iter_modules(__path__):
        found += getattr(import_module(f"{__name__}.{module.name}"), "LESSONS", ())
    chapters = [key for key, _ in CHAPTERS]
    found.sort(key=lambda one: (chapters.index(one.chapter), one.order))
    return {one.slug: one for one in found}


PREFIX = "lesson-"


def path(cluster: str, step: Step) -> str:
    """The page that a step wants to be looked at."""
    return f"/clusters/{cluster}/" + ("" if step.page == "map" else f"{step.page}/")


def href(cluster: str, step: Step) -> str:
    """The same with what of it is to be looked at."""
    return path(cluster, step) + (f"?{step.query}" if step.query else "")


def lesson_of(cluster: str) -> Lesson | None:
    """The lesson that a cluster of this name was made for."""
    name = cluster.removeprefix(PREFIX)
    if name == cluster:
        return None
    return next((one for slug, one in lessons().items() if name.startswith(f"{slug}-")), None)


def facts(ha: dict[str, Any], cluster: str = "") -> dict[str, str]:
    """What placeholders stand for, those that stand for somebody now. ``ha``: the read model of that name."""
    members = ha.get("members", [])
    leads = [row for row in members if row["up"] and row["role"] == "leader"]
    leader = max(leads, key=lambda row: row["term"], default=None)
    rest = [row for row in members if row is not leader and row["up"]]
    down = next((row for row in members if not row["up"]), None)
    named = {
        "leader": leader,
        "follower": rest[0] if rest else None,
        "other": rest[1] if len(rest) > 1 else None,
        "third": rest[2] if len(rest) > 2 else None,
        "down": down,
    }
    out = {"cluster": cluster}
    for name, row in named.items():
        if row is not None:
            out |= {name: row["id"], f"{name}_host": row["host"]}
    for lease in ha.get("leases", []):
        holder = next((one["process"] for one in lease["candidates"] if one["leads"]), "")
        if holder:
            out[lease["name"].removeprefix("kube-").replace("-", "_")] = holder
    return out


PLACE = re.compile(
    r"\{("
    + "|".join(f"{name}|{name}_host" for name in ("leader", "follower", "other", "third", "down"))
    + r"|scheduler|controller_manager)\}"
)


def missing(value: Any) -> str:
    """The first placeholder that has stayed in ``value``: nobody is that now. "" if none has."""
    if isinstance(value, str):
        found = PLACE.search(value)
        return found[1] if found else ""
    if isinstance(value, dict):
        value = list(value.values())
    return next((name for name in map(missing, value) if name), "") if isinstance(value, list | tuple) else ""


def fill(value: Any, known: dict[str, str]) -> Any:
    """``value`` with its placeholders filled in, however deep they stand."""
    if isinstance(value, str):
        for name, word in known.items():
            value = value.replace(f"{{{name}}}", word)
        return value
    if isinstance(value, dict):
        return {key: fill(one, known) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [fill(one, known) for one in value]
    return value
