"""Reading a bbolt file: the database that etcd keeps and ``snapshot save`` fetches, whoever wrote it.

A bbolt file is a B+tree in pages. Pages 0 and 1 are *metas*: whichever has the right checksum and the higher transaction is the file's truth; it
names the root page. A *branch* page leads to pages below it, a *leaf* page holds keys with values. The root tree's values are buckets: the page
number of a tree of its own, or, for a small bucket, that tree's one page right there (*inline*).

In → the bytes of a file. Out → ``{bucket: [(key, value), …]}`` in order of keys. Errors: ``NotBolt`` with bbolt's own sentence where it has one.
Strangers hand in such files, so nothing in them is believed: every offset is checked, no page is visited twice.

Simplified here: buckets in buckets (etcd has none) are refused; the free list is not looked at. Upstream: go.etcd.io/bbolt db.go, page.go, cursor.go.
"""

import struct
from collections.abc import Iterator
from struct import Struct as Layout
from typing import Final

MAGIC, VERSION = 0xED0CDAED, 2
BRANCH, LEAF, META = 0x01, 0x02, 0x04
_HEAD: Final = Layout("<QHHI")
_META: Final = Layout("<IIIIQQQQQ")
_LEAF: Final = Layout("<IIII")
_BRANCH: Final = Layout("<IIQ")
_BUCKET: Final = Layout("<QQ")
_BUCKET_FLAG: Final = 1
DEPTH: Final = 24
"""Levels of a tree: more is no tree that bbolt would write."""

Pair = tuple[bytes, bytes]
Buckets = dict[bytes, list[Pair]]


class NotBolt(Exception):
    """The bytes are no sound bbolt file."""


def read(data: bytes) -> Buckets:
    """Every bucket of the file. NotBolt."""
    try:
        return _Reader(data).buckets()
    except struct.error:
        raise NotBolt(
            "snapshot file integrity check failed. 1 errors found.\npage beyond the end of the file"
        ) from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.page_size, self.root, self.pages = self._meta()
        self.seen: set[int] = set()

    def _meta(self) -> tuple[int, int, int]:
        """(bytes of a page, page of the root, number of pages) by the newer sound meta."""
        found: list[tuple[int, int, int, int]] = []
        for at in (0, 4096, 8192, 16384, 32768, 65536):
            if at + _HEAD.size + _META.size + 8 > len(self.data):
                break
            body = self.data[at + _HEAD.size : at + _HEAD.size + _META.size]
            magic, version, size, _, root, _, _, pages, tx = _META.unpack(body)
            stored = int.from_bytes(self.data[at + _HEAD.size + _META.size :][:8], "little")
            if (magic, version) == (MAGIC, VERSION) and stored == fnv1a(body) and at in (0, size) and size >= 512:
                found.append((tx, size, root, pages))
        if not found:
            raise NotBolt("invalid database")
        _, size, root, pages = max(found)
        if pages * size > len(self.data):
            raise NotBolt(f"file size too small {len(self.data)}: the database has {pages} pages of {size} bytes")
        return size, root, pages

    def buckets(self) -> Buckets:
        found: Buckets = {}
        for flags, name, value in self._tree(self.root, 0):
            if not flags & _BUCKET_FLAG:
                raise NotBolt(f"snapshot file integrity check failed. 1 errors found.\n{name!r} is no bucket")
            root, _ = _BUCKET.unpack_from(value)
            rows = self._tree(root, 0) if root else self._rows(value[_BUCKET.size :])
            found[name] = [(key, data) for _, key, data in rows]
        return found

    def _tree(self, number: int, depth: int) -> Iterator[tuple[int, bytes, bytes]]:
        page = self._page(number)
        if depth > DEPTH:
            raise NotBolt(f"snapshot file integrity check failed. 1 errors found.\npage {number}: too deep")
        flags, count = _HEAD.unpack_from(page)[1:3]
        if flags == LEAF:
            yield from self._rows(page)
            return
        if flags != BRANCH:
            raise NotBolt(
                f"snapshot file integrity check failed. 1 errors found.\npage {number}: invalid type: {flags}"
            )
        for place in range(count):
            yield from self._tree(_BRANCH.unpack_from(page, _HEAD.size + place * _BRANCH.size)[2], depth + 1)

    def _page(self, number: int) -> bytes:
        if number in self.seen or not 2 <= number < self.pages:
            raise NotBolt(f"snapshot file integrity check failed. 1 errors found.\npage {number}: multiple references")
        self.seen.add(number)
        at = number * self.page_size
        overflow = _HEAD.unpack_from(self.data, at)[3]
        return self.data[at : at + (overflow + 1) * self.page_size]

    @staticmethod
    def _rows(page: bytes) -> Iterator[tuple[int, bytes, bytes]]:
        count = _HEAD.unpack_from(page)[2]
        for place in range(count):
            at = _HEAD.size + place * _LEAF.size
            flags, offset, key, value = _LEAF.unpack_from(page, at)
            begin = at + offset
            if begin + key + value > len(page):
                raise NotBolt("snapshot file integrity check failed. 1 errors found.\nan element beyond its page")
            yield flags, page[begin : begin + key], page[begin + key : begin + key + value]


def fnv1a(data: bytes) -> int:
    """The 64-bit FNV-1a checksum."""
    total = 0xCBF29CE484222325
    for byte in data:
        total = ((total ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return total
