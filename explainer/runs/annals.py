"""The history of a cluster in Redis: chapters, each with the inputs in it, and with the world as it was at the end of some.

A chapter ends where a snapshot was taken. What a chapter *holds* is small: its inputs (compressed, ten to one) and the rows of
its tape. The *world* at its end is large (1 MB for the demo cluster), and only spares work: any instant is the nearest
world before it, and the inputs since. So worlds are thinned (dense near now, sparser behind: ``cluster.sim.history``) and inputs are
kept, from the beginning of the cluster, as long as everything together stays under the limit that somebody set. When it does not,
the oldest chapters go, up to one that has its world: the history begins there from then on.

In → Redis; out → ``Chapter`` rows, ``Story`` (what lies between two places). Errors: ``Gone`` for a place before the beginning.

Simplified here: chapters are whole; a limit lower than what the newest two worlds take is not kept to, as they are what a restart needs.
"""

import zlib
from typing import Any

import msgspec
from msgspec import Struct, field

from cluster.sim.history import least_missed
from explainer.runs import keys, resp, tape
from explainer.runs.record import Entry, Mark, Snapshot

LIMIT = 64 * 1024 * 1024
"""Bytes of history a cluster may have, unless somebody set another limit."""
LEAST, MOST = 1024 * 1024, 4 * 1024 * 1024 * 1024
"""What may be set."""
WORLDS = 16
"""Worlds kept at most."""
AT_ONCE = 512
"""Chapters read in one go."""


class Gone(LookupError):
    """The place lies before the beginning of what is kept."""


class Chapter(Struct, array_like=True):
    """One chapter: where it ended and what it takes. ``number`` is the commit that ended it."""

    number: int
    now: int
    delivered: int
    inputs: int
    """How many inputs came before its end, since the cluster began."""
    broken: bool
    """Some of its inputs were lost (Redis died and forgot): the past before its end can't be made again."""
    world: int
    """Bytes of the world at its end; 0: none is kept."""
    held: int
    """Bytes of its inputs and its tape."""
    counts: list[tuple[str, str, int, int]] = field(default_factory=list)
    """The tape in short: kind, outcome, how many, the instant of the first (virtual ns)."""


_chapter = msgspec.msgpack.Decoder(Chapter).decode
_snapshot = msgspec.msgpack.Decoder(Snapshot).decode
_entries = msgspec.msgpack.Decoder(list[Entry]).decode
_mark = msgspec.msgpack.Decoder(Mark).decode
_encode = msgspec.msgpack.Encoder().encode


def pack(value: Any) -> bytes:
    """``value`` as it is kept in a chapter."""
    return zlib.compress(_encode(value), 6)


def unpack_entries(data: bytes) -> list[Entry]:
    return _entries(zlib.decompress(data))


def rows_of(reply: list[Any]) -> list[tuple[int, bytes]]:
    """(commit, blob) of a stream's entries."""
    return [(int(row[0].split(b"-")[0]), row[1][1]) for row in reply]


def chapters_of(reply: list[bytes]) -> list[Chapter]:
    """Chapters, oldest first, from what ``HGETALL`` or ``HVALS`` of ``{c}:chapters`` said."""
    return sorted(map(_chapter, reply), key=lambda chapter: chapter.number)


# -- writing: with each snapshot ----------------------------------------------------------------------------------------


def chapter(link: resp.Link, cluster: str, snapshot: Snapshot) -> tuple[Chapter, bytes, bytes]:
    """The chapter that ``snapshot`` ends, its inputs and its tape, from what was journalled since the one before."""
    newest = link.call("HGET", keys.mark(cluster), "chapter")
    last = link.call("HGET", keys.chapters(cluster), newest) if newest else None
    before = _chapter(last) if last else Chapter(0, 0, 0, 0, False, 0, 0)
    since, until = f"{before.number + 1}-0", f"{snapshot.commit}-9"
    entries = [
        e for _, blob in rows_of(link.call("XRANGE", keys.journal(cluster), since, until)) for e in _entries(blob)
    ]
    marks = [m for _, blob in rows_of(link.call("XRANGE", keys.tape(cluster), since, until)) for m in tape.decode(blob)]
    broken = before.inputs + len(entries) != snapshot.inputs
    inputs = pack(entries) if entries else b""
    marks = tape.coarser(marks)
    shown = pack(marks) if marks else b""
    made = Chapter(
        snapshot.commit, snapshot.now, snapshot.delivered, snapshot.inputs, broken, len(snapshot.world),
        len(inputs) + len(shown), tape.counts(marks),
    )  # fmt: skip
    return made, inputs, shown


def thin(link: resp.Link, cluster: str) -> None:
    """Forget worlds, and then the oldest chapters, until the history keeps to its limit."""
    limit = int(link.call("HGET", keys.mark(cluster), "limit") or LIMIT)
    chapters = chapters_of(link.call("HVALS", keys.chapters(cluster)))
    worlds, gone = what_goes(chapters, limit)
    commands: list[tuple[resp.Argument, ...]] = []
    if worlds:
        rows = [part for c in worlds for part in (c.number, _encode(msgspec.structs.replace(c, world=0)))]
        commands += [
            ("HDEL", keys.worlds(cluster), *(c.number for c in worlds)),
            ("HSET", keys.chapters(cluster), *rows),
        ]
    if gone:
        numbers = [c.number for c in gone]
        # Its last one stays as the new beginning: with its world, without what led there.
        first, *rest = reversed(numbers)
        commands += [("HDEL", keys.inputs(cluster), *numbers), ("HDEL", keys.tapes(cluster), *numbers)]
        beginning = msgspec.structs.replace(gone[-1], broken=True, held=0, counts=[])
        commands.append(("HSET", keys.chapters(cluster), first, _encode(beginning)))
        if rest:
            commands += [("HDEL", keys.chapters(cluster), *rest), ("HDEL", keys.worlds(cluster), *rest)]
    if commands:
        link.pipeline([("MULTI",), *commands, ("EXEC",)])


def what_goes(chapters: list[Chapter], limit: int) -> tuple[list[Chapter], list[Chapter]]:
    """Which worlds to forget, and which chapters: the last of those keeps its world and is the new beginning.

    The newest two worlds always stay.
    """
    alive = beginning(chapters)
    worlds = [c for c in alive if c.world]
    rest, heavy = sum(c.held for c in alive), sum(c.world for c in alive)
    dropped: list[Chapter] = []
    cut = 0
    while len(worlds) > 3 and (len(worlds) > WORLDS or rest + heavy > limit):
        if rest > heavy and len(worlds) <= WORLDS:
            break
        fixed = 1 if alive[0].broken else 0  # the beginning is the way to everything after it
        choice = [0, *(c.now for c in worlds[:-1])] if not fixed else [c.now for c in worlds[:-1]]
        index = least_missed(choice, worlds[-1].now) - (0 if fixed else 1)
        gone = worlds.pop(index)
        heavy -= gone.world
        dropped.append(gone)
    while rest + heavy > limit:
        candidates = [c for c in worlds[:-1] if c is not alive[0] or not c.broken]
        if not candidates:
            break
        cut = alive.index(candidates[0])
        passed = alive[: cut + 1]
        rest -= sum(c.held for c in passed)
        heavy -= sum(c.world for c in passed[:-1] if c in worlds)
        worlds = [c for c in worlds if c not in passed[:-1]]
        alive = [msgspec.structs.replace(alive[cut], broken=True, held=0), *alive[cut + 1 :]]
        worlds[0] = alive[0]
    first = alive[0].number if alive else 0
    over = [c for c in chapters if c.number <= first] if alive and alive[0].broken else []
    if over and len(over) == 1 and over[0].broken and not over[0].held:
        over = []  # it is the beginning already
    return [c for c in dropped if not over or c.number > first], over


def beginning(chapters: list[Chapter]) -> list[Chapter]:
    """The chapters that can be reached: from the last broken one on (its end, that is), else all."""
    for index in range(len(chapters) - 1, -1, -1):
        if chapters[index].broken:
            return chapters[index:]
    return chapters


def chapters_between(chapters: list[Chapter], since: int, until: int) -> tuple[list[int], bool]:
    """Numbers of the chapters that have to do with that stretch (virtual ns), and whether what followed them does, too."""
    numbers: list[int] = []
    last = 0
    for chapter in chapters:
        if chapter.held and chapter.now >= since and last <= until:
            numbers.append(chapter.number)
        last = chapter.now
    return numbers, last <= until


# -- reading: on the way to a moment -------------------------------------------------------------------------------------


class Kept:
    """What one cluster's history consists of, as it was found at one instant: from the replies to ``commands``."""

    def __init__(self, replies: list[Any]) -> None:
        (commit, mark, limit), chapters = replies
        self.commit = int(commit or 0)
        self.mark = _mark(mark) if mark else None
        self.limit = int(limit or LIMIT)
        self.all = chapters_of(chapters)
        self.chapters = beginning(self.all)

    @property
    def began(self) -> Chapter:
        """The earliest place that can be reached."""
        if self.chapters and self.chapters[0].broken:
            return self.chapters[0]
        return Chapter(0, 0, 0, 0, False, 0, 0)

    @property
    def last(self) -> Chapter:
        """The newest chapter's end; what came after it is in the journal and the tape."""
        return self.chapters[-1] if self.chapters else self.began

    def since(self, rows: list[Any]) -> list[Entry]:
        """The inputs after the newest chapter, of the journal's ``rows``."""
        return [e for number, blob in rows_of(rows) if self.last.number < number <= self.commit for e in _entries(blob)]

    @staticmethod
    def commands(cluster: str) -> list[tuple[resp.Argument, ...]]:
        """What to ask Redis, within one transaction."""
        return [("HMGET", keys.mark(cluster), "commit", "mark", "limit"), ("HVALS", keys.chapters(cluster))]


class Annals(Kept):
    """The same, with the way to its parts, which are read when they are asked for."""

    def __init__(self, link: resp.Link, cluster: str) -> None:
        self.link, self.cluster = link, cluster
        super().__init__(link.pipeline([("MULTI",), *self.commands(cluster), ("EXEC",)])[-1])

    def world(self, number: int) -> Snapshot | None:
        """The world at the end of that chapter; None if it was forgotten meanwhile."""
        blob = self.link.call("HGET", keys.worlds(self.cluster), number)
        return _snapshot(blob) if blob else None

    def _since(self, stream: str, last: Chapter) -> list[bytes]:
        rows = self.link.call("XRANGE", stream, f"{last.number + 1}-0", f"{self.commit}-9")
        return [blob for _, blob in rows_of(rows)]

    def tape(self, since: int, until: int) -> list[tape.Row]:
        """The rows of the tape between two instants (virtual ns)."""
        found: list[tape.Row] = []
        numbers, fresh = chapters_between(self.chapters, since, until)
        for start in range(0, len(numbers), AT_ONCE):
            blobs = self.link.call("HMGET", keys.tapes(self.cluster), *numbers[start : start + AT_ONCE])
            found += [row for blob in blobs if blob for row in tape.decode_chapter(blob)]
        if fresh:
            found += [row for blob in self._since(keys.tape(self.cluster), self.last) for row in tape.decode(blob)]
        return [row for row in found if since <= row.at <= until]

    def entries(self, inputs: int, now: int, delivered: int) -> list[Entry]:
        """The inputs after the first ``inputs`` ones, up to the instant ``now`` and the ``delivered``-th event. Gone."""
        began = self.began
        if inputs < began.inputs:
            raise Gone
        wanted, last = [], began
        for chapter in self.chapters:
            if chapter.inputs > max(inputs, last.inputs) and (last.now <= now and last.delivered <= delivered):
                wanted.append((chapter.number, last.inputs))
            last = chapter
        found: list[Entry] = []
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            blobs = self.link.call("HMGET", keys.inputs(self.cluster), *(number for number, _ in some))
            for (_, before), blob in zip(some, blobs, strict=True):
                if blob is None:
                    raise Gone
                found += unpack_entries(blob)[max(0, inputs - before) :]
        if last.now <= now and last.delivered <= delivered:
            fresh = [entry for blob in self._since(keys.journal(self.cluster), last) for entry in _entries(blob)]
            found += fresh[max(0, inputs - last.inputs) :]
        return [entry for entry in found if entry.now <= now and entry.delivered <= delivered]
