"""Finding the watchers of an event."""

from cluster.etcd.mvcc import prefix_end
from cluster.etcd.watch import Watcher, WatchHub
from cluster.wire.etcd import WatchCreateRequest


def hub(*ranges: tuple[bytes, bytes]) -> WatchHub:
    made = WatchHub()
    for number, (key, end) in enumerate(ranges, 1):
        made.add(Watcher("client", WatchCreateRequest(number, key, end), 0, 0))
    return made


def test_everybody_concerned_and_nobody_else() -> None:
    pods, all_, odd, everything = (b"/r/pods/", b"/r/pods0"), (b"/r/", b"/r0"), (b"/r/po", b"/r/pp"), (b"/", b"\0")
    found = hub((b"/r/pods/a", b""), pods, all_, odd, everything, (b"/r/nodes/", b"/r/nodes0"))
    assert sorted(found.interested(b"/r/pods/a")) == [1, 2, 3, 4, 5]
    assert sorted(found.interested(b"/r/pods/ns/b")) == [2, 3, 4, 5]
    assert sorted(found.interested(b"/r/nodes/a")) == [3, 5, 6]
    assert sorted(found.interested(b"/z")) == [5]
    assert found.interested(b"") == []


def test_kubernetes_prefixes_are_found_without_asking_every_watcher() -> None:
    found = hub(*((b"/registry/r%d/" % n, prefix_end(b"/registry/r%d/" % n)) for n in range(1000)))
    assert found.ranges == {}
    assert found.interested(b"/registry/r7/ns/name") == [8]


def test_removed_watches_leave_nothing_behind() -> None:
    found = hub((b"/a/", b"/a0"), (b"/a/b", b""), (b"/a", b"\0"))
    for number in (1, 2, 3):
        assert found.remove(number) is not None
    assert found.remove(1) is None
    assert found == WatchHub()
    gone = hub((b"/a/", b"/a0"), (b"/b", b""))
    gone.drop_client("client")
    assert gone == WatchHub()
