"""``etcdutl snapshot restore``: one member's data directory of a *new* cluster that begins with a snapshot's keys.

Every member of the new cluster is restored from the same file with the same ``--initial-cluster``, each with its own ``--name``. Nothing of the old
cluster's identity is kept: a member's id is the SHA-1 of its peer URLs and the cluster token, the cluster's id that of its members' ids. So members that
still run in the old cluster don't mistake a new one for its predecessor (give a new token, or the same URLs give the same ids again).

The keys keep their revisions. Whoever remembers a later revision than the snapshot's (an apiserver's watch cache, an informer) would hear nothing until the
new cluster has caught up: ``--bump-revision`` moves the revision far ahead instead, and ``--mark-compacted`` makes every older one "compacted", so that they list anew.

In → the file and the flags; out → a ``Plan`` and the files of the directory. Errors: ``snapshot.Refused`` with etcd's text.

Simplified here: the directory holds the database as it was and, where a real one has a write-ahead log, a page of JSON that says what the new log begins with.
Upstream: etcdutl/snapshot/v3_snapshot.go, server/etcdserver/api/membership/{member,cluster}.go, server/config/config.go (VerifyBootstrap).
"""

import re
from hashlib import sha1
from typing import Final

import msgspec
from msgspec import Struct

from cluster.backup import snapshot
from cluster.backup.snapshot import Refused

DEFAULT_URL: Final = "http://localhost:2380"
DEFAULT_TOKEN: Final = "etcd-cluster"
WAL: Final = "member/wal/0000000000000000-0000000000000000.wal"
DATABASE: Final = "member/snap/db"
MOST_MEMBERS: Final = 9
MOST_BUMP: Final = 1 << 62


class Flags(Struct, frozen=True):
    """The command line. ``mark_compacted`` and ``bump`` go together."""

    name: str = "default"
    data_dir: str = ""
    initial_cluster: str = "default=http://localhost:2380"
    token: str = DEFAULT_TOKEN
    peer_urls: str = DEFAULT_URL
    skip_hash_check: bool = False
    bump: int = 0
    mark_compacted: bool = False
    wal_dir: str = ""


class NewMember(Struct, frozen=True):
    """A member of the new cluster."""

    id: str
    name: str
    peer_urls: tuple[str, ...]


class Plan(Struct, frozen=True):
    """What the new log begins with. Ids are hexadecimal, members in the order of their ids."""

    node: str
    cluster: str
    members: tuple[NewMember, ...]
    token: str
    bump: int = 0


def plan(flags: Flags) -> Plan:
    """What the flags amount to. Refused."""
    mine = urls(flags.peer_urls.split(","))
    known = _cluster(flags.initial_cluster)
    _verify(flags.name, mine, known)
    members = sorted(
        (int.from_bytes(sha1("".join(sorted(own)).encode() + flags.token.encode()).digest()[:8]), name, own)
        for name, own in known.items()
    )
    ids = b"".join(id_.to_bytes(8) for id_, _, _ in members)
    if len({id_ for id_, _, _ in members}) < len(members):
        raise Refused("member exists with identical ID")
    rows = tuple(NewMember(f"{id_:x}", name, own) for id_, name, own in members)
    node = next(row.id for row in rows if row.name == flags.name)
    return Plan(node, f"{int.from_bytes(sha1(ids).digest()[:8]):x}", rows, flags.token, flags.bump)


def check_bump(flags: Flags) -> None:
    """``--bump-revision`` and ``--mark-compacted`` are given together or not at all. Refused."""
    if bool(flags.bump) != flags.mark_compacted:
        raise Refused("--mark-compacted required if --revision-bump > 0")


def files(data: bytes, flags: Flags, made: Plan, path: str = "") -> dict[str, str | bytes]:
    """The data directory, by path within it. Refused when the file is no sound snapshot."""
    database = snapshot.database(data, flags.skip_hash_check, path)
    snapshot.read(database)
    return {DATABASE: database, WAL: msgspec.json.encode(made).decode() + "\n"}


def plan_of(text: str) -> Plan | None:
    """The plan that a restored directory's log holds; None when it is another log."""
    try:
        found = msgspec.json.decode(text, type=Plan)
        return found if 0 <= found.bump <= MOST_BUMP and [int(row.id, 16) for row in found.members] else None
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError):
        return None


def urls(texts: list[str]) -> tuple[str, ...]:
    """Peer URLs, judged as etcd does. Refused."""
    found: list[str] = []
    for text in texts:
        text = text.strip()
        match = re.fullmatch(r"([a-z]+)://([^/?#]*)([^?#]*)", text)
        if match is None or match[1] not in ("http", "https", "unix", "unixs"):
            if re.match(r"[^/?#:]+:\d+$", text):
                raise Refused(f'parse "{text}": first path segment in URL cannot contain colon')
            raise Refused(f"URL scheme must be http, https, unix, or unixs: {text}")
        if not re.fullmatch(r"(\[[^\]]*\]|[^:]+):\d+", match[2]):
            raise Refused(f'URL address does not have the form "host:port": {text}')
        if match[3]:
            raise Refused(f"URL must not contain a path: {text}")
        found.append(text)
    return tuple(sorted(found))


def _cluster(text: str) -> dict[str, tuple[str, ...]]:
    """types.NewURLsMap: name → URLs."""
    found: dict[str, list[str]] = {}
    for part in text.split(","):
        name, _, url = part.partition("=")
        found.setdefault(name, []).append(url)
    if len(found) > MOST_MEMBERS:
        raise Refused(f"this laboratory holds clusters of 1 to {MOST_MEMBERS} members, not {len(found)}")
    return {name: urls(own) for name, own in found.items()}


def _verify(name: str, mine: tuple[str, ...], known: dict[str, tuple[str, ...]]) -> None:
    """ServerConfig.VerifyBootstrap."""
    if name not in known:
        raise Refused(f'couldn\'t find local name "{name}" in the initial cluster configuration')
    every = [url for own in known.values() for url in own]
    if len(set(every)) < len(every):
        text = ",".join(f"{each}={url}" for each in sorted(known) for url in known[each])
        raise Refused(f"initial cluster {text} has duplicate url")
    if mine == known[name]:
        return
    missing = [url for url in known[name] if url not in mine]
    if missing:
        has = ",".join(f"{name}={url}" for url in missing)
        raise Refused(f"--initial-cluster has {has} but missing from --initial-advertise-peer-urls={','.join(mine)}"
                      f" (resolved urls: \"{','.join(mine)}\" != \"{','.join(known[name])}\")")  # fmt: skip
    extra = ",".join(url for url in mine if url not in known[name])
    map_ = ",".join(f"{name}={url}" for url in mine)
    raise Refused(f"--initial-advertise-peer-urls has {extra} but missing from --initial-cluster={map_}")
