"""A member's database as the file that etcd keeps and ``etcdctl snapshot save`` fetches: a bbolt file, written whole.

bbolt is a B+tree in pages of 4 KiB. Pages 0 and 1 are *metas* (which page is the root, checksummed), page 2 lists free pages (none here), then come
the trees: a *leaf* page holds keys with values, a *branch* page the first key of each page below it. The root tree's values are the buckets: each
is again the page number of a tree. Something larger than a page takes the following ones, too (*overflow*).

In: buckets → (key, value) pairs in order of key. Out: bytes. ``pages`` of a file are little-endian; all sizes in bytes.
Upstream: go.etcd.io/bbolt page.go, node.go, db.go; server/storage/schema for what etcd puts in.
"""

from hashlib import sha256
from struct import Struct as Layout
from struct import pack
from typing import Any, Final

import orjson

from cluster.etcd.membership import Membership
from cluster.etcd.mvcc import Store
from cluster.etcd.state import Application
from cluster.etcd.validate import ALARMS
from cluster.wire.etcd import KeyValue

PAGE: Final = 4096
MAGIC, VERSION = 0xED0CDAED, 2
BRANCH, LEAF, META, FREELIST = 0x01, 0x02, 0x04, 0x10
_HEAD: Final = Layout("<QHHI")
"""Of a page: its number, flags, how many elements, how many pages of overflow."""
_LEAF: Final = Layout("<IIII")
"""Of a leaf's element: flags (1: a bucket), where its key begins (from here), sizes of key and value."""
_BRANCH: Final = Layout("<IIQ")
"""Of a branch's element: where its key begins, its size, the page below."""

Pair = tuple[bytes, bytes]


class File:
    """Pages written so far; the next gets number ``next``."""

    def __init__(self) -> None:
        self.pages: list[bytes] = []
        self.next = 3

    def page(self, flags: int, elements: list[bytes], data: list[bytes]) -> int:
        """Write one page (with its overflow); its number."""
        body = b"".join(elements) + b"".join(data)
        size = -(-(_HEAD.size + len(body)) // PAGE)
        number, self.next = self.next, self.next + size
        head = _HEAD.pack(number, flags, len(elements), size - 1)
        self.pages.append((head + body).ljust(size * PAGE, b"\0"))
        return number

    def tree(self, pairs: list[Pair], flags: int = 0) -> int:
        """Write a tree of ``pairs`` from its leaves up; the number of its root page."""
        level = [(chunk[0][0] if chunk else b"", self._leaf(chunk, flags)) for chunk in _chunks(pairs, _LEAF.size)]
        while len(level) > 1:
            rows = [(key, pack("<Q", number)) for key, number in level]
            level = [(chunk[0][0], self._branch(chunk)) for chunk in _chunks(rows, _BRANCH.size)]
        return level[0][1]

    def _leaf(self, pairs: list[Pair], flags: int) -> int:
        elements: list[bytes] = []
        at = len(pairs) * _LEAF.size
        for place, (key, value) in enumerate(pairs):
            elements.append(_LEAF.pack(flags, at - place * _LEAF.size, len(key), len(value)))
            at += len(key) + len(value)
        return self.page(LEAF, elements, [part for pair in pairs for part in pair])

    def _branch(self, rows: list[Pair]) -> int:
        elements: list[bytes] = []
        at = len(rows) * _BRANCH.size
        for place, (key, number) in enumerate(rows):
            elements.append(_BRANCH.pack(at - place * _BRANCH.size, len(key), int.from_bytes(number, "little")))
            at += len(key)
        return self.page(BRANCH, elements, [key for key, _ in rows])


def _chunks(pairs: list[Pair], element: int) -> list[list[Pair]]:
    """Cut ``pairs`` into what fits a page, at least two each if there are two."""
    found: list[list[Pair]] = [[]]
    room = PAGE - _HEAD.size
    for pair in pairs:
        need = element + len(pair[0]) + len(pair[1])
        if need > room and len(found[-1]) >= 2:
            found.append([])
            room = PAGE - _HEAD.size
        found[-1].append(pair)
        room -= need
    return found


def write(buckets: dict[bytes, list[Pair]]) -> bytes:
    """The whole file."""
    file = File()
    roots = [(name, pack("<QQ", file.tree(buckets[name]), 0)) for name in sorted(buckets)]
    root = file.tree(roots, flags=1)
    metas = []
    for number in (0, 1):
        meta = pack("<IIIIQQQQQ", MAGIC, VERSION, PAGE, 0, root, 0, 2, file.next, number)
        metas.append((_HEAD.pack(number, META, 0, 0) + meta + pack("<Q", fnv1a(meta))).ljust(PAGE, b"\0"))
    freelist = _HEAD.pack(2, FREELIST, 0, 0).ljust(PAGE, b"\0")
    return b"".join([*metas, freelist, *file.pages])


def fnv1a(data: bytes) -> int:
    """The 64-bit FNV-1a checksum."""
    total = 0xCBF29CE484222325
    for byte in data:
        total = ((total ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return total


# -- what etcd keeps in it ----------------------------------------------------------------------------------------------


def snapshot(app: Application, index: int, voters: list[int], learners: list[int]) -> bytes:
    """What ``Maintenance/Snapshot`` sends: the file, then its SHA-256."""
    file = write(buckets(app, index, voters, learners))
    return file + sha256(file).digest()


def buckets(app: Application, index: int, voters: list[int], learners: list[int]) -> dict[bytes, list[Pair]]:
    """The buckets of a member that has applied up to ``index``."""
    leases = sorted(
        (pack(">q", id_), _field(1, id_) + _field(2, lease.ttl)) for id_, lease in app.lessor.leases.items()
    )
    state = {"voters": voters, "learners": learners or None, "auto_leave": False}
    conf = orjson.dumps({name: value for name, value in state.items() if value is not None})
    meta = {b"confState": conf, b"consistent_index": pack(">Q", index), b"term": pack(">Q", app.term)}
    if app.store.compacted > 0:
        meta[b"finishedCompactRev"] = meta[b"scheduledCompactRev"] = revision(app.store.compacted, 0)
    alarms = sorted(_field(1, member) + _field(2, ALARMS.index(alarm)) for member, alarm in app.alarms)
    return {
        b"alarm": [(alarm, b"") for alarm in alarms],
        b"auth": [(b"authEnabled", b"\0")],
        b"authRoles": [],
        b"authUsers": [],
        b"cluster": [(b"clusterVersion", app.version.encode())] if app.version else [],
        b"key": keys(app.store),
        b"lease": leases,
        b"members": members(app.membership),
        b"members_removed": sorted((b"%x" % id_, b"removed") for id_ in app.membership.removed),
        b"meta": sorted(meta.items()),
    }


def revision(main: int, sub: int) -> bytes:
    """A revision as a key of the bucket ``key``: the transaction and the place in it."""
    return pack(">Q", main) + b"_" + pack(">Q", sub)


def keys(store: Store) -> list[Pair]:
    """Every version that is left, by revision."""
    places = {(e.kv.mod_revision, e.kv.key): sub for events in store.changes for sub, e in enumerate(events)}
    found: list[Pair] = []
    last, sub = 0, 0
    versions = sorted((kv.mod_revision, key, kv) for key in store.keys for kv in store.history[key])
    for main, key, kv in versions:
        sub = 0 if main != last else sub + 1
        last = main
        place = places.get((main, key), sub)
        found.append((revision(main, place) + (b"" if kv.version else b"t"), key_value(kv)))
    found.sort()
    return found


def key_value(kv: KeyValue) -> bytes:
    """mvccpb.KeyValue; of a tombstone only the key is kept."""
    if not kv.version:
        return _field(1, kv.key)
    numbers = _field(2, kv.create_revision) + _field(3, kv.mod_revision) + _field(4, kv.version)
    return _field(1, kv.key) + numbers + _field(5, kv.value) + _field(6, kv.lease)


def members(membership: Membership) -> list[Pair]:
    """The bucket ``members``: hexadecimal id → JSON."""
    found: list[Pair] = []
    for id_, m in membership.members.items():
        doc: dict[str, Any] = {
            "id": id_,
            "peerURLs": list(m.peer_urls),
            "name": m.name,
            "clientURLs": list(m.client_urls),
        }
        if m.is_learner:
            doc["isLearner"] = True
        found.append((b"%x" % id_, orjson.dumps({name: value for name, value in doc.items() if value})))
    return sorted(found)


def _field(number: int, value: int | bytes) -> bytes:
    """A field of a protobuf message; nothing for its default."""
    if not value:
        return b""
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    return _varint(number << 3) + _varint(value & 0xFFFFFFFFFFFFFFFF)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
