"""Snapshots as files: one that a real etcd 3.4.23 wrote (four keys put, one deleted), what real tools said of it, and files that are none."""

import zlib
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest

from cluster.backup import bbolt, restore, snapshot
from cluster.backup.restore import Flags
from cluster.backup.snapshot import Refused, Status
from cluster.etcd import bolt, restored
from cluster.etcd.membership import MemberSeed
from cluster.etcd.state import Application, MemberConfig

REAL = zlib.decompress(b64decode((Path(__file__).parent / "data/etcd-3.4.23.db.zlib.b64").read_text()))
THREE = "m1=https://172.18.0.2:2380,m2=https://172.18.0.3:2380,m3=https://172.18.0.4:2380"
SEEDS = tuple(MemberSeed(n, f"m{n}", f"m{n}", f"etcd-{n}") for n in (1, 2, 3))
FIRST = Flags(name="m1", initial_cluster=THREE, peer_urls="https://172.18.0.2:2380", token="new")


def test_a_real_file_says_what_real_etcdctl_says_of_it():
    assert snapshot.status(REAL) == Status(0xACCF323C, 6, 9, 20480, True)


def test_a_real_file_becomes_a_key_space():
    store, _ = restored.key_space(snapshot.read(REAL[:-32]), len(REAL) - 32, 0)
    assert {key: (kv.value, kv.create_revision, kv.mod_revision, kv.version) for key, kv in store.current.items()} == {
        b"k1": (b"v1", 2, 2, 1),
        b"k3": (b"v3", 4, 4, 1),
        b"k4": (b"v4", 5, 5, 1),
    }
    assert store.revision == 6 and [kv.version for kv in store.history[b"k2"]] == [1, 0]
    assert [[event.type for event in events] for events in store.since(2)] == [["PUT"]] * 4 + [["DELETE"]]


def test_ids_are_those_that_real_etcdctl_gives():
    made = restore.plan(FIRST)
    assert made.cluster == "ac64039b0fae6f8e" and made.node == "1b21ce6b79eeae4c"
    ids = {member.name: member.id for member in made.members}
    assert ids == {"m3": "863926d8b839ee0", "m1": "1b21ce6b79eeae4c", "m2": "cca853446dbacae0"}


def flags(**fields):
    return Flags(
        **{"name": "a", "initial_cluster": "a=http://1.2.3.4:2380", "peer_urls": "http://1.2.3.4:2380", **fields}
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (flags(name="zz"), 'couldn\'t find local name "zz" in the initial cluster configuration'),
        (flags(peer_urls="http://localhost:2380"), "--initial-cluster has a=http://1.2.3.4:2380 but missing from"
         ' --initial-advertise-peer-urls=http://localhost:2380 (resolved urls: "http://localhost:2380" != "http://1.2.3.4:2380")'),
        (flags(peer_urls="http://1.2.3.4:2380,http://1.2.3.5:2380"), "--initial-advertise-peer-urls has http://1.2.3.5:2380"
         " but missing from --initial-cluster=a=http://1.2.3.4:2380,a=http://1.2.3.5:2380"),
        (flags(initial_cluster="a=foo"), "URL scheme must be http, https, unix, or unixs: foo"),
        (flags(initial_cluster="a=1.2.3.4:2380"), 'parse "1.2.3.4:2380": first path segment in URL cannot contain colon'),
        (flags(initial_cluster="a=http://1.2.3.4"), 'URL address does not have the form "host:port": http://1.2.3.4'),
        (flags(initial_cluster="a=http://1.2.3.4:2380/x"), "URL must not contain a path: http://1.2.3.4:2380/x"),
        (flags(initial_cluster="a"), "URL scheme must be http, https, unix, or unixs: "),
        (flags(initial_cluster="a=http://1.2.3.4:2380,b=http://1.2.3.4:2380"),
         "initial cluster a=http://1.2.3.4:2380,b=http://1.2.3.4:2380 has duplicate url"),
    ],
)  # fmt: skip
def test_flags_are_refused_in_etcds_words(given, said):
    with pytest.raises(Refused) as refused:
        restore.plan(given)
    assert str(refused.value) == said


def changed(at: int) -> bytes:
    return REAL[:at] + bytes([REAL[at] ^ 1]) + REAL[at + 1 :]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (REAL[:-32], "snapshot missing hash but --skip-hash-check=false"),
        (changed(8000), "expected sha256 ["),
        (b"hello\n", "seek x.db: invalid argument"),
    ],
)
def test_files_that_are_not_whole_are_refused(data, said):
    with pytest.raises(Refused) as refused:
        restore.files(data, FIRST, restore.plan(FIRST), "x.db")
    assert str(refused.value).startswith(said)


def test_the_checksum_may_be_passed_over_the_structure_not():
    made = restore.plan(FIRST)
    assert restore.files(REAL[:-32], Flags(skip_hash_check=True), made)[restore.DATABASE] == REAL[:-32]
    with pytest.raises(Refused, match="invalid database"):
        restore.files(bytes(4096 * 5), Flags(skip_hash_check=True), made)


def test_no_change_of_a_byte_or_a_cut_brings_the_reader_down():
    for at in range(0, len(REAL) - 32, 23):
        for data in (changed(at)[:-32], REAL[:at]):
            try:
                restored.member(data, restore.plan(FIRST), MemberConfig(1, "m1", "etcd-1", 1, SEEDS), SEEDS)
            except Refused as refused:
                assert str(refused)


def test_what_this_etcd_writes_it_reads_back():
    app = Application()
    for number in range(300):
        app.store.put(b"key/%d" % (number % 90), bytes(number * 20), 0, 0)
        app.store.commit()
    app.store.compact(120)
    data = bolt.snapshot(app, 400, [1, 2, 3], [])
    store, _ = restored.key_space(snapshot.read(data[:-32]), len(data), 0)
    assert (store.current, store.history, store.revision, store.compacted) == (
        app.store.current, app.store.history, app.store.revision, app.store.compacted,
    )  # fmt: skip
    assert store.hash_kv(0) == app.store.hash_kv(0) and store.since(121) == app.store.since(121)
    assert sorted(bbolt.read(data)) == sorted(bolt.buckets(app, 400, [1, 2, 3], []))
    assert snapshot.status(data).total_size == len(data) - 32 and sha256(data[:-32]).digest() == data[-32:]


def test_a_bumped_revision_forgets_what_came_before():
    store, _ = restored.key_space(snapshot.read(REAL[:-32]), len(REAL), 1_000_000_000)
    assert (store.revision, store.compacted) == (1_000_000_006, 1_000_000_006)
    store.put(b"k9", b"x", 0, 0)
    assert [event.kv.mod_revision for event in store.commit()] == [1_000_000_007]
    assert [len(events) for events in store.since(1_000_000_006)] == [0, 1]
