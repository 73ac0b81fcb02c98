"""What survives: spec, history, journal and the clock mark; and the one commit that releases what a cluster said.

A commit is a single Lua script, so it happens whole or not at all: it checks that the writer still holds the lease
(the fencing token) and that nobody committed in between, then writes the inputs that were applied, the clock mark,
frames for onlookers and answers for web processes. An answer therefore never leaves before its input is in the journal.
After a crash: snapshot, then journal, then run to the mark; what was released is made again, the same, and dropped.
A snapshot also ends a chapter of the cluster's history (``annals``): what the journal forgets is kept there.

An input's place in history is ``(instant ns, events delivered before it)``. The count matters: a slice of work may end
between two events of one instant.

Simplified here: one Redis, not a Redis Cluster (keys are tagged for one; the gateways read several clusters' streams
over connections of their own, so only the two global keys would have to move).
"""

import zlib
from typing import Any

import msgspec
from msgspec import Struct

from explainer.runs import annals, keys, resp
from explainer.runs.record import Entry, Mark, Snapshot

EVENTS_KEPT = 5000
OUT_KEPT = 50_000
"""More unread answers than this for one web process and it is taken for dead: the oldest go."""

COMMIT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local at = tonumber(redis.call('HGET', KEYS[2], 'commit') or '0')
local n = tonumber(ARGV[2])
if at == n then return 1 end
if at ~= tonumber(ARGV[3]) then return -2 end
redis.call('HSET', KEYS[2], 'commit', ARGV[2], 'mark', ARGV[4])
local id = ARGV[2] .. '-1'
if ARGV[5] ~= '' then redis.call('XADD', KEYS[3], id, 'm', ARGV[5]) end
if ARGV[6] ~= '' then redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[8], ARGV[7] .. '-1', 'm', ARGV[6]) end
if ARGV[10] ~= '' then redis.call('XADD', KEYS[5], id, 'm', ARGV[10]) end
for i = 6, #KEYS do
  redis.call('XADD', KEYS[i], 'MAXLEN', '~', ARGV[9], id, 'm', ARGV[5 + i])
end
return 0
"""

KEEP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local n = ARGV[2]
redis.call('HSET', KEYS[2], 'chapter', n)
redis.call('HSET', KEYS[5], n, ARGV[6])
redis.call('HSET', KEYS[6], n, ARGV[5])
if ARGV[7] ~= '' then redis.call('HSET', KEYS[7], n, ARGV[7]) end
if ARGV[8] ~= '' then redis.call('HSET', KEYS[8], n, ARGV[8]) end
redis.call('XTRIM', KEYS[3], 'MINID', ARGV[3] .. '-0')
redis.call('XTRIM', KEYS[9], 'MINID', n .. '-2')
redis.call('XTRIM', KEYS[4], 'MINID', ARGV[4])
return 0
"""


class Fenced(Exception):
    """Somebody else holds the lease now: stop at once, say nothing."""


class Lost(Exception):
    """Redis' last commit isn't ours: it died and forgot its last moments. What is in memory is the truth."""


class Kept(Struct):
    """What was found in Redis when a run began."""

    commit: int
    mark: Mark | None
    snapshots: list[Snapshot]
    """Newest first."""
    entries: list[tuple[int, list[Entry]]]
    """(commit, its inputs), in order."""


_encode = msgspec.msgpack.Encoder().encode
_mark = msgspec.msgpack.Decoder(Mark).decode
_entries = msgspec.msgpack.Decoder(list[Entry]).decode
_snapshot = msgspec.msgpack.Decoder(Snapshot).decode


class Journal:
    """Reads and writes one cluster's durable state over a blocking link, as the holder of lease ``token``."""

    def __init__(self, link: resp.Link, cluster: str, token: str) -> None:
        self.cluster = cluster
        self.token = token
        self.use(link)

    def use(self, link: resp.Link) -> None:
        """Go on over this connection (the last one broke)."""
        self.link = link
        self.commit_sha = link.call("SCRIPT", "LOAD", COMMIT)
        self.keep_sha = link.call("SCRIPT", "LOAD", KEEP)

    def load(self) -> Kept:
        """Everything there is."""
        commit, mark = self.link.call("HMGET", keys.mark(self.cluster), "commit", "mark")
        numbers = sorted((int(number) for number in self.link.call("HKEYS", keys.worlds(self.cluster))), reverse=True)
        blobs = [self.link.call("HGET", keys.worlds(self.cluster), number) for number in numbers[:2]]
        rows = self.link.call("XRANGE", keys.journal(self.cluster), "-", "+")
        return Kept(
            commit=int(commit or 0),
            mark=_mark(mark) if mark else None,
            snapshots=[_snapshot(blob) for blob in blobs if blob],
            entries=[(int(row[0].split(b"-")[0]), _entries(row[1][1])) for row in rows],
        )

    def commit(
        self,
        number: int,
        before: int,
        mark: Mark,
        entries: list[Entry],
        frame: bytes,
        outs: dict[str, bytes],
        tape: bytes = b"",
    ) -> None:
        """Write commit ``number``, which follows ``before``. Saying it twice is harmless. Fenced, Lost, or RedisError."""
        cluster = self.cluster
        names = [
            keys.lease(cluster),
            keys.mark(cluster),
            keys.journal(cluster),
            keys.events(cluster),
            keys.tape(cluster),
        ]
        names += [keys.out(cluster, gateway) for gateway in outs]
        arguments: list[resp.Argument] = [
            self.token, number, before, _encode(mark), _encode(entries) if entries else b"",
            frame, mark.frame, EVENTS_KEPT, OUT_KEPT, tape, *outs.values(),
        ]  # fmt: skip
        answer = self.link.call("EVALSHA", self.commit_sha, len(names), *names, *arguments)
        if answer == -1:
            raise Fenced(cluster)
        if answer == -2:
            raise Lost(cluster)

    def keep(self, snapshot: Snapshot, before: int, inbox_from: str) -> None:
        """Store a snapshot, which ends a chapter; forget journal up to the snapshot ``before`` and mail before ``inbox_from``.

        The snapshot before stays usable (it and the journal since), should this one turn out unreadable. The history is
        thinned to its limit.
        """
        cluster = self.cluster
        chapter, inputs, tape = annals.chapter(self.link, cluster, snapshot)
        names = (keys.lease(cluster), keys.mark(cluster), keys.journal(cluster), keys.inbox(cluster), keys.chapters(cluster),
                 keys.worlds(cluster), keys.inputs(cluster), keys.tapes(cluster), keys.tape(cluster))  # fmt: skip
        answer = self.link.call(
            "EVALSHA", self.keep_sha, len(names), *names, self.token, snapshot.commit, before + 1 if before else 0,
            inbox_from, _encode(snapshot), _encode(chapter), inputs, tape,
        )  # fmt: skip
        if answer == -1:
            raise Fenced(cluster)
        annals.thin(self.link, cluster)

    def forget(self) -> None:
        """Drop history: mark, snapshots and journal. The spec stays."""
        past = (*keys.history(self.cluster), keys.bookmarks(self.cluster))
        self.link.call("DEL", keys.mark(self.cluster), keys.journal(self.cluster), *past)

    def overwrite(self, number: int, mark: Mark) -> None:
        """After ``Lost``: let Redis believe that the last commit was ``number``, so that the next one follows it."""
        self.link.call("HSET", keys.mark(self.cluster), "commit", number, "mark", _encode(mark))


def compress(checkpoint: bytes) -> bytes:
    return zlib.compress(checkpoint, 1)


def decompress(data: bytes) -> bytes:
    return zlib.decompress(data)


def encode_letters(letters: list[Any]) -> bytes:
    return _encode(letters)
