"""What survives: spec, snapshots, journal and the clock mark; and the one commit that releases what a cluster said.

A commit is a single Lua script, so it happens whole or not at all: it checks that the writer still holds the lease
(the fencing token) and that nobody committed in between, then writes the inputs that were applied, the clock mark,
frames for onlookers and answers for web processes. An answer therefore never leaves before its input is in the journal.
After a crash: snapshot, then journal, then run to the mark; what was released is made again, the same, and dropped.

An input's place in history is ``(instant ns, events delivered before it)``. The count matters: a slice of work may end
between two events of one instant.

Simplified here: one Redis, not a Redis Cluster (keys are tagged for one; the gateways read several clusters' streams
over connections of their own, so only the two global keys would have to move).
"""

import zlib
from typing import Any

import msgspec
from msgspec import Struct, field

from explainer.runs import keys, resp

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
for i = 5, #KEYS do
  redis.call('XADD', KEYS[i], 'MAXLEN', '~', ARGV[9], id, 'm', ARGV[5 + i])
end
return 0
"""

KEEP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[3], 'side', ARGV[3])
redis.call('XTRIM', KEYS[4], 'MINID', ARGV[4] .. '-0')
redis.call('XTRIM', KEYS[5], 'MINID', ARGV[5])
return 0
"""


class Fenced(Exception):
    """Somebody else holds the lease now: stop at once, say nothing."""


class Lost(Exception):
    """Redis' last commit isn't ours: it died and forgot its last moments. What is in memory is the truth."""


class Mark(Struct, array_like=True):
    """The state of the run at a commit; with a snapshot and the journal, all that is needed to go on."""

    now: int
    delivered: int
    cursor: str
    """Inbox id: this and everything before it is done."""
    rate: float
    """Virtual seconds per second; 0: as fast as it goes."""
    paused: bool
    frame: int
    """Number of the last frame of the feed."""
    fed_now: int
    fed_delivered: int
    """Where the world was when that frame was taken."""
    ahead: list[str] = field(default_factory=list)
    """Inbox ids beyond the cursor that are done (acts on a paused cluster, while requests wait at the door)."""
    seen: dict[str, int] = field(default_factory=dict)
    """Gateway → number of its last mail up to the cursor."""
    ready: bool = False
    """The cluster has come up once."""
    world: str = ""
    """``version.world_version`` of the program that wrote it."""


class Entry(Struct, array_like=True):
    """One applied input."""

    now: int
    delivered: int
    inbox: str
    input: msgspec.Raw


class Snapshot(Struct, array_like=True):
    """A cluster at a commit. ``world`` is zlib of the lab's checkpoint; ``open`` the requests without an end."""

    commit: int
    delivered: int
    open: list[tuple[str, int]]
    world: bytes


class Kept(Struct):
    """What was found in Redis when a run began."""

    commit: int
    mark: Mark | None
    side: int
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
        found = self.link.call("HMGET", keys.mark(self.cluster), "commit", "mark", "side")
        commit, mark, side = found
        newer = int(side or 0)
        blobs = [self.link.call("GET", keys.snapshot(self.cluster, which)) for which in (newer, 1 - newer)]
        rows = self.link.call("XRANGE", keys.journal(self.cluster), "-", "+")
        return Kept(
            commit=int(commit or 0),
            mark=_mark(mark) if mark else None,
            side=newer,
            snapshots=[_snapshot(blob) for blob in blobs if blob],
            entries=[(int(row[0].split(b"-")[0]), _entries(row[1][1])) for row in rows],
        )

    def commit(
        self, number: int, before: int, mark: Mark, entries: list[Entry], frame: bytes, outs: dict[str, bytes]
    ) -> None:
        """Write commit ``number``, which follows ``before``. Saying it twice is harmless. Fenced, Lost, or RedisError."""
        cluster = self.cluster
        names = [keys.lease(cluster), keys.mark(cluster), keys.journal(cluster), keys.events(cluster)]
        names += [keys.out(cluster, gateway) for gateway in outs]
        arguments: list[resp.Argument] = [
            self.token, number, before, _encode(mark), _encode(entries) if entries else b"",
            frame, mark.frame, EVENTS_KEPT, OUT_KEPT, *outs.values(),
        ]  # fmt: skip
        answer = self.link.call("EVALSHA", self.commit_sha, len(names), *names, *arguments)
        if answer == -1:
            raise Fenced(cluster)
        if answer == -2:
            raise Lost(cluster)

    def keep(self, side: int, snapshot: Snapshot, journal_from: int, inbox_from: str) -> None:
        """Store a snapshot; forget journal before commit ``journal_from`` and mail before ``inbox_from``."""
        cluster = self.cluster
        names = (keys.lease(cluster), keys.snapshot(cluster, side), keys.mark(cluster), keys.journal(cluster),
                 keys.inbox(cluster))  # fmt: skip
        answer = self.link.call(
            "EVALSHA", self.keep_sha, len(names), *names, self.token, _encode(snapshot), side, journal_from, inbox_from
        )
        if answer == -1:
            raise Fenced(cluster)

    def forget(self) -> None:
        """Drop history: mark, snapshots and journal. The spec stays."""
        names = [keys.mark(self.cluster), keys.snapshot(self.cluster, 0), keys.snapshot(self.cluster, 1)]
        self.link.call("DEL", *names, keys.journal(self.cluster))

    def overwrite(self, number: int, mark: Mark) -> None:
        """After ``Lost``: let Redis believe that the last commit was ``number``, so that the next one follows it."""
        self.link.call("HSET", keys.mark(self.cluster), "commit", number, "mark", _encode(mark))


def compress(checkpoint: bytes) -> bytes:
    return zlib.compress(checkpoint, 1)


def decompress(data: bytes) -> bytes:
    return zlib.decompress(data)


def encode_letters(letters: list[Any]) -> bytes:
    return _encode(letters)
