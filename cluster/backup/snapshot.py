"""A snapshot file: whole or not, and what ``etcdutl snapshot status`` says of it.

``etcdctl snapshot save`` writes the member's database and behind it the SHA-256 of it. A file that is 32 bytes longer than a multiple of 512 is taken to have one;
a database copied out of a data directory has none. In → bytes; out → ``Status``, or the database without its checksum. Errors: ``Refused`` with etcd's text.

Upstream: etcdutl/snapshot/v3_snapshot.go (Status, copyAndVerifyDB).
"""

from array import array
from functools import cache
from hashlib import sha256
from typing import Final

from msgspec import Struct

from cluster.backup import bbolt

DIGEST: Final = 32
_CASTAGNOLI: Final = 0x82F63B78
LIMIT: Final = 16 << 20
"""Bytes of a snapshot that this product takes in."""


class Refused(Exception):
    """What follows ``Error: ``."""


class Status(Struct, frozen=True):
    """The columns of ``snapshot status``. ``hash``: CRC-32C over names, keys and values; ``size``: bytes of the database; ``checksum``: a SHA-256 follows it."""

    hash: int
    revision: int
    total_key: int
    total_size: int
    checksum: bool


def has_checksum(data: bytes) -> bool:
    """Does a SHA-256 stand at the end?"""
    return len(data) % 512 == DIGEST


def database(data: bytes, skip_hash_check: bool = False, path: str = "") -> bytes:
    """The database in a snapshot file, its checksum checked. Refused."""
    if len(data) < DIGEST:
        raise Refused(f"seek {path}: invalid argument")
    if not has_checksum(data):
        if not skip_hash_check:
            raise Refused("snapshot missing hash but --skip-hash-check=false")
        return data
    body, said = data[:-DIGEST], data[-DIGEST:]
    if not skip_hash_check and (got := sha256(body).digest()) != said:
        raise Refused(f"expected sha256 {_go(said)}, got {_go(got)}")
    return body


def _go(data: bytes) -> str:
    """A byte slice as Go's ``%v`` prints it."""
    return "[" + " ".join(str(byte) for byte in data) + "]"


def read(data: bytes) -> bbolt.Buckets:
    """The buckets of a database of etcd 3. Refused."""
    try:
        found = bbolt.read(data)
    except bbolt.NotBolt as broken:
        raise Refused(str(broken)) from None
    if b"key" not in found or b"meta" not in found:
        raise Refused("the file is a bbolt database, but not one of etcd 3: it has no buckets key and meta")
    return found


_known: dict[bytes, Status] = {}
"""SHA-256 of a file → its status: the sum takes a tenth of a second, and people ask again."""


def status(data: bytes) -> Status:
    """What is in the file. Refused."""
    name = sha256(data).digest()
    found = _known.get(name)
    if found is None:
        if len(_known) >= 64:
            _known.pop(next(iter(_known)))
        found = _known[name] = _status(data)
    return found


def _status(data: bytes) -> Status:
    buckets = read(data)
    total, revision, count = 0, 0, 0
    parts: list[bytes] = []
    for name, pairs in buckets.items():
        parts.append(name)
        for key, value in pairs:
            parts += (key, value)
        count += len(pairs)
        if name == b"key" and pairs:
            revision = int.from_bytes(pairs[-1][0][:8], "big")
    total = crc32c(b"".join(parts))
    checksum = has_checksum(data)
    return Status(total, revision, count, len(data) - DIGEST * checksum, checksum)


def crc32c(data: bytes) -> int:
    """CRC-32 with Castagnoli's polynomial, two bytes at a time."""
    table = _table()
    crc = 0xFFFFFFFF
    even = len(data) & ~1
    for word in memoryview(data[:even]).cast("H"):
        crc = table[(crc ^ word) & 0xFFFF] ^ (crc >> 16)
    if even < len(data):
        byte = (crc ^ data[-1]) & 0xFF
        for _ in range(8):
            byte = byte >> 1 ^ (_CASTAGNOLI if byte & 1 else 0)
        crc = byte ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> "array[int]":
    bytes_ = array("I")
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (_CASTAGNOLI if number & 1 else 0)
        bytes_.append(number)
    return array(
        "I", ((low >> 8) ^ bytes_[low & 0xFF] for low in (bytes_[n & 0xFF] ^ (n >> 8) for n in range(1 << 16)))
    )
