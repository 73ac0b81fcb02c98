"""The store against a second, dumb implementation: a list of whole copies, one per revision."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.etcd import errors
from cluster.etcd.errors import Refused
from cluster.etcd.mvcc import EVERYTHING, Store, in_range, prefix_end
from cluster.wire.etcd import Compare, KeyValue, RangeRequest

KEYS = [b"a", b"a/", b"a/1", b"a/2", b"a/2/x", b"b", b"b/1", b"\xff"]
key = st.sampled_from(KEYS)
end = st.sampled_from([b"", b"", EVERYTHING, b"a0", b"a/2", b"b", b"b0"])
step = st.one_of(
    st.tuples(st.just("put"), key, st.binary(max_size=3)),
    st.tuples(st.just("delete"), key, end),
    st.tuples(st.just("compact"), st.integers(0, 30), st.none()),
)
query = st.builds(
    RangeRequest,
    st.just(0),
    key,
    end,
    limit=st.integers(0, 3),
    revision=st.integers(0, 12),
    sort_order=st.sampled_from(["NONE", "ASCEND", "DESCEND"]),
    sort_target=st.sampled_from(["KEY", "VERSION", "CREATE", "MOD", "VALUE"]),
    keys_only=st.booleans(),
    count_only=st.booleans(),
    min_mod_revision=st.integers(0, 5),
    max_create_revision=st.integers(0, 9),
)


class Dumb:
    """``copies[r]`` is the whole key space at revision ``r``."""

    def __init__(self) -> None:
        self.copies: list[dict[bytes, KeyValue]] = [{}, {}]
        self.compacted = -1

    def put(self, k: bytes, v: bytes) -> None:
        now, rev = self.copies[-1], len(self.copies)
        old = now.get(k)
        new = KeyValue(k, v, old.create_revision if old else rev, rev, old.version + 1 if old else 1)
        self.copies.append({**now, k: new})

    def delete(self, start: bytes, stop: bytes) -> int:
        now = self.copies[-1]
        left = {k: kv for k, kv in now.items() if not in_range(k, start, stop)}
        if len(left) != len(now):
            self.copies.append(left)
        return len(now) - len(left)

    def range(self, q: RangeRequest) -> tuple[list[KeyValue], int, bool] | tuple[int, str]:
        if q.revision >= len(self.copies):
            return errors.FUTURE_REVISION
        if 0 < q.revision < self.compacted:
            return errors.COMPACTED
        then = self.copies[q.revision or -1]
        found = [then[k] for k in sorted(then) if in_range(k, q.key, q.range_end)]
        total = len(found)
        if q.count_only:
            return [], total, False
        found = [
            kv
            for kv in found
            if kv.mod_revision >= q.min_mod_revision
            and (not q.max_create_revision or kv.create_revision <= q.max_create_revision)
        ]
        by = {"KEY": "key", "VERSION": "version", "CREATE": "create_revision", "MOD": "mod_revision", "VALUE": "value"}
        if q.sort_order != "NONE" or q.sort_target != "KEY":
            found.sort(key=lambda kv: getattr(kv, by[q.sort_target]), reverse=q.sort_order == "DESCEND")
        more = 0 < q.limit < len(found)
        found = found[: q.limit] if q.limit else found
        if q.keys_only:
            found = [KeyValue(kv.key, b"", kv.create_revision, kv.mod_revision, kv.version) for kv in found]
        return found, total, more


@settings(max_examples=300, deadline=None)
@given(st.lists(step, max_size=25), st.lists(query, min_size=1, max_size=8))
def test_store_agrees_with_whole_copies(steps: list[tuple], queries: list[RangeRequest]) -> None:
    store, dumb = Store(), Dumb()
    for what, first, second in steps:
        if what == "put":
            store.put(first, second, 0, 0)
            store.commit()
            dumb.put(first, second)
        elif what == "delete":
            assert len(store.delete(first, second, 0)) == dumb.delete(first, second)
            store.commit()
        elif dumb.compacted < first < len(dumb.copies):
            store.compact(first)
            dumb.compacted = first
        else:
            with pytest.raises(Refused):
                store.compact(first)
        assert store.revision == len(dumb.copies) - 1
    for q in queries:
        try:
            found = store.range(q)
            assert (found.kvs, found.count, found.more) == dumb.range(q)
        except Refused as refused:
            assert (refused.code, refused.message) == dumb.range(q)


@settings(max_examples=100, deadline=None)
@given(st.lists(step, max_size=25), st.integers(1, 20))
def test_changes_since_a_revision_lead_from_there_to_now(steps: list[tuple], start: int) -> None:
    store, dumb = Store(), Dumb()
    for what, first, second in steps:
        if what == "put":
            store.put(first, second, 0, 0)
            store.commit()
            dumb.put(first, second)
        elif what == "delete" and dumb.delete(first, second):
            store.delete(first, second, 0)
            store.commit()
        elif what == "compact" and dumb.compacted < first < len(dumb.copies):
            store.compact(first)
            dumb.compacted = first
    if start <= dumb.compacted or start >= len(dumb.copies):
        return
    now = dict(dumb.copies[start])
    for events in store.since(start + 1):
        for event in events:
            if event.type == "PUT":
                now[event.kv.key] = event.kv
            else:
                del now[event.kv.key]
    assert now == dumb.copies[-1]


def test_a_transaction_is_one_revision_and_sees_its_own_writes() -> None:
    store = Store()
    store.put(b"a", b"1", 0, 7)
    assert [kv.value for kv in store.range(RangeRequest(0, b"a")).kvs] == [b"1"]
    store.put(b"b", b"2", 0, 7)
    events = store.commit()
    assert store.revision == 2
    assert [(e.kv.key, e.kv.mod_revision, e.kv.cause) for e in events] == [(b"a", 2, 7), (b"b", 2, 7)]


def test_nothing_changed_is_no_revision() -> None:
    store = Store()
    assert store.delete(b"a", b"", 0) == []
    assert store.commit() == ()
    assert store.revision == 1


def test_compaction_gives_space_back_only_after_defragmentation() -> None:
    store = Store()
    for _ in range(10):
        store.put(b"a", b"x" * 1000, 0, 0)
        store.commit()
    before = store.size
    store.compact(store.revision)
    assert store.in_use < before - 8000
    assert store.size == before
    store.defragment()
    assert store.size == store.in_use
    assert store.history.keys() == {b"a"}


def test_compaction_forgets_deleted_keys() -> None:
    store = Store()
    store.put(b"a", b"1", 0, 0)
    store.commit()
    store.delete(b"a", b"", 0)
    store.commit()
    store.compact(store.revision)
    assert store.keys == []
    assert store.history == {}


@pytest.mark.parametrize(
    ("compare", "holds"),
    [
        (Compare(b"a", "VERSION", "EQUAL", 2), True),
        (Compare(b"a", "MOD", "GREATER", 3), False),
        (Compare(b"a", "CREATE", "LESS", 3), True),
        (Compare(b"a", "VALUE", "NOT_EQUAL", b"1"), True),
        (Compare(b"no", "MOD", "EQUAL", 0), True),
        (Compare(b"no", "VERSION", "GREATER", 0), False),
        (Compare(b"no", "VALUE", "EQUAL", b""), False),
        (Compare(b"a", "VERSION", "GREATER", 0, b"b"), True),
        (Compare(b"a", "VALUE", "EQUAL", b"2", b"z"), False),
    ],
)
def test_comparisons(compare: Compare, holds: bool) -> None:
    store = Store()
    for k, v in ((b"a", b"1"), (b"a", b"2"), (b"c", b"3")):
        store.put(k, v, 0, 0)
        store.commit()
    assert store.holds(compare) is holds


def test_prefix_end() -> None:
    assert prefix_end(b"/a/") == b"/a0"
    assert prefix_end(b"a\xff") == b"b"
    assert prefix_end(b"\xff\xff") == EVERYTHING


def test_hash_depends_on_content_only() -> None:
    one, two = Store(), Store()
    for store in (one, two):
        for n in range(5):
            store.put(b"k%d" % (n % 2), b"%d" % n, 0, 0)
            store.commit()
    assert one.hash_kv(0) == two.hash_kv(0) == one.copy().hash_kv(0)
    two.put(b"k0", b"other", 0, 0)
    two.commit()
    assert one.hash_kv(0) != two.hash_kv(0)
    assert one.hash_kv(6) == two.hash_kv(6)
