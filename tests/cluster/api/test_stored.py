"""Stored values are parsed once, however many ask; the caches keep bytes of what nobody looks at."""

import orjson
import pytest

from cluster.api import stored
from cluster.apiserver.watch_cache import Cache
from cluster.wire.etcd import KeyValue


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every text that is parsed."""
    seen: list[bytes] = []

    class Counting:
        @staticmethod
        def loads(text: bytes) -> object:
            seen.append(text)
            return orjson.loads(text)

    monkeypatch.setattr(stored, "orjson", Counting)
    return seen


def value(name: str, mark: int) -> bytes:
    return orjson.dumps({"metadata": {"name": name}, "mark": mark})


def test_three_servers_parse_a_value_once(parses: list[bytes]) -> None:
    caches = [Cache("pods", "/registry/pods", True) for _ in range(3)]
    for revision in range(2, 1002):
        text = value("three", revision)
        for cache in caches:
            event = cache.put("default/three", None, revision, 0, 0, text)
            assert event.doc["mark"] == revision
    assert len(parses) == 1000
    assert caches[0].items["default/three"].doc is caches[2].items["default/three"].doc


def test_what_nobody_looks_at_is_not_parsed(parses: list[bytes]) -> None:
    cache = Cache("events", "/registry/events", True)
    pairs = tuple(KeyValue(f"/registry/events/a/{n}".encode(), value(f"n{n}", n), n, n, 1) for n in range(2, 102))
    cache.replace(pairs, 101, 0)
    cache.put("a/2", None, 102, 0, 0, value("n2", 102))
    assert parses == []
    assert cache.items["a/2"].doc["metadata"]["resourceVersion"] == "102"
    assert cache.items["a/3"].doc["mark"] == 3 and len(parses) == 2


def test_states_of_the_past_are_kept_as_bytes(parses: list[bytes]) -> None:
    cache = Cache("pods", "/registry/pods", True)
    for revision in range(2, 60):
        assert cache.put("a/x", None, revision, 0, 0, value("x", revision)).doc["mark"] == revision
    kept = [event for event in cache.history if event.item is not None and event.item.known is not None]
    assert len(kept) <= 2
    again = cache.since(40)
    assert again is not None and [event.doc["mark"] for event in again] == list(range(41, 60))
    assert again[0].previous is not None and again[0].previous["mark"] == 40


def test_the_same_bytes_at_another_revision_are_another_object() -> None:
    text = value("same", 1)
    assert stored.document(text, 7)["metadata"]["resourceVersion"] == "7"
    assert stored.document(text, 8)["metadata"]["resourceVersion"] == "8"


@pytest.mark.parametrize("text", [b"", b"[]", b"3", b'"x"', b"{}", b'{"metadata":3}', b"\xff"])
def test_what_is_no_object_is_said(text: bytes) -> None:
    with pytest.raises(ValueError):
        stored.document(text, 1)
