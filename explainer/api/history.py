"""The past of a cluster: how far it reaches, its tape, steps in it, comparisons, bookmarks.

A moment is a text (``at``): virtual microseconds, or ``e`` and a number of events; empty: now. Errors: a moment that isn't there 404.
"""

import asyncio
from typing import Any

import msgspec
from django.http import HttpRequest

from explainer.api.bodies import BookmarkBody, HistoryBody, HistoryStepBody
from explainer.api.calls import body_as, call, json, moment, number
from explainer.runs import annals, keys, tape
from explainer.runs.bus import Bus, Failed, Unavailable

BOOKMARKS = 200
WIDEST = 4000
OVERVIEW = 256
"""More chapters than this in one picture and each is told in short."""


@call("GET", "PATCH")
async def history(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """How far the history reaches and what it takes; PATCH sets its limit (bytes)."""
    if request.method == "PATCH":
        limit = body_as(request, HistoryBody).limit_bytes
        await bus.call_redis("HSET", keys.mark(cluster), "limit", limit)
    streams = [("XRANGE", key, "-", "+") for key in (keys.journal(cluster), keys.tape(cluster))]
    kept, (journal, fresh) = await bus.history(cluster, *streams)
    if kept.mark is None:
        raise Unavailable("The cluster has not begun yet.")
    loose = kept.since(journal)
    taken = sum(c.world + c.held for c in kept.chapters) + sum(len(row[1][1]) for row in (*journal, *fresh))
    parent = (bus.known.get(cluster) or {}).get("parent")
    branches = [
        {"cluster": name, **{key: value for key, value in row["parent"].items() if key != "cluster"}}
        for name, row in sorted(bus.known.items())
        if (row.get("parent") or {}).get("cluster") == cluster
    ]
    return {
        "beganMicros": 0,
        "sinceMicros": kept.began.now // 1000,
        "nowMicros": kept.mark.now // 1000,
        "events": kept.mark.delivered,
        "bytes": taken,
        "limitBytes": kept.limit,
        "checkpoints": sum(1 for c in kept.chapters if c.world),
        "journalEntries": kept.last.inputs - kept.began.inputs + len(loose),
        "parent": parent,
        "branches": branches,
    }


@call("GET")
async def tape_of(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """What happened between two instants, as marks to draw: at most ``width`` of them."""
    bus.warm(cluster)
    kept, (rows,) = await bus.history(cluster, ("XRANGE", keys.tape(cluster), "-", "+"))
    if kept.mark is None:
        raise Unavailable("The cluster has not begun yet.")
    since = number(request, "from", kept.began.now // 1000)
    until = number(request, "to", kept.mark.now // 1000)
    width = min(max(number(request, "width", 1000), 1), WIDEST)
    if until < since:
        raise Failed(422, "to is not before from")
    begin, end = since * 1000, until * 1000 + 999
    terms, marked = await asyncio.gather(_terms(bus, cluster, since, until), _bookmarks(bus, cluster))
    found = await _rows(bus, cluster, kept, rows, begin, end)
    marks = [
        {"atMicros": row["nowMicros"], "at": row["at"], "kind": "mark", "label": row["name"], "id": row["id"]}
        for row in marked
        if since <= row["nowMicros"] <= until
    ][:width]
    shown = tape.shown(found, begin, end, max(1, width - len(marks)))
    return {
        "fromMicros": since,
        "toMicros": until,
        "terms": terms,
        "marks": sorted([*shown, *marks], key=lambda mark: mark["atMicros"]),
    }


async def _rows(bus: Bus, cluster: str, kept: annals.Kept, fresh: list[Any], begin: int, end: int) -> list[tape.Row]:
    numbers, with_fresh = annals.chapters_between(kept.chapters, begin, end)
    found: list[tape.Row] = []
    if len(numbers) > OVERVIEW:
        wanted = set(numbers)
        for chapter in kept.chapters:
            if chapter.number in wanted:
                found += tape.in_short(chapter.now, chapter.counts)
    elif numbers:
        blobs = await bus.call_redis("HMGET", keys.tapes(cluster), *numbers)
        found = [row for blob in blobs if blob for row in tape.decode_chapter(blob)]
    if with_fresh:
        last = kept.last.number
        found += [row for commit, blob in annals.rows_of(fresh) if commit > last for row in tape.decode(blob)]
    return found


async def _terms(bus: Bus, cluster: str, since: int, until: int) -> list[list[Any]]:
    """``[fromMicros, term, leader]``: the one in force at ``since`` and those that began until ``until``."""
    try:
        rows = [[row["fromMicros"], row["term"], row["leader"]] for row in await bus.query(cluster, "terms")]
    except (Failed, Unavailable):
        return []
    before = [row for row in rows if row[0] <= since]
    return before[-1:] + [row for row in rows if since < row[0] <= until]


@call("POST")
async def step(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """The moment of the next or the last event that can be seen, from ``at``; ``at`` empty: the live edge."""
    body = body_as(request, HistoryStepBody)
    asked = {"direction": body.direction, "by": body.by, "request": body.request or 0}
    return json(await bus.past("step", cluster, str(body.at), 12.0, **asked))


@call("GET")
async def compare(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """Which objects differ between ``at`` here and ``withAt`` there (``with``: another cluster; else this one)."""
    other = request.GET.get("with") or cluster
    await bus.require(other)
    quiet = request.GET.get("quiet") in ("1", "true")
    asked = {"other": other, "other_at": moment(request, "withAt"), "quiet": quiet}
    return json(await bus.past("compare", cluster, moment(request), 30.0, **asked))


@call("GET", "POST")
async def bookmarks(request: HttpRequest, bus: Bus, cluster: str) -> Any:
    """The bookmarks, oldest moment first; POST adds one (of now, if ``at`` is left out), 201."""
    if request.method == "GET":
        return await _bookmarks(bus, cluster)
    body = body_as(request, BookmarkBody)
    if await bus.call_redis("HLEN", keys.bookmarks(cluster)) >= BOOKMARKS:
        raise Failed(429, f"there are {BOOKMARKS} bookmarks already; forget one first")
    clock = msgspec.json.decode(await bus.past("view", cluster, str(body.at), view="clock", args={}))
    identity = str(await bus.call_redis("HINCRBY", keys.mark(cluster), "bookmark", 1))
    at = str(body.at) or clock["at"]
    row = {"id": identity, "at": at, "nowMicros": clock["nowMicros"], "name": body.name}
    await bus.call_redis("HSET", keys.bookmarks(cluster), identity, msgspec.json.encode(row))
    return json(row, 201)


@call("DELETE")
async def bookmark(request: HttpRequest, bus: Bus, cluster: str, number: str) -> Any:
    """Forget a bookmark; those that are left."""
    await bus.require(cluster)
    if not await bus.call_redis("HDEL", keys.bookmarks(cluster), number[:20]):
        raise Failed(404, f"there is no bookmark {number[:20]!r} in this cluster")
    return await _bookmarks(bus, cluster)


async def _bookmarks(bus: Bus, cluster: str) -> list[dict[str, Any]]:
    rows = await bus.call_redis("HVALS", keys.bookmarks(cluster))
    return sorted((msgspec.json.decode(row) for row in rows), key=lambda row: (row["nowMicros"], int(row["id"])))
