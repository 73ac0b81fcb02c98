"""What the ring says of a quorum: counted by who hears whom, a cluster at a time; two clusters after a restore that went half way are two rings."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.snapshot.quorum import clusters
from explainer.fragments import log_drawing, raft_view, ring_caption, ring_drawing

Row = dict[str, Any]


def model(rows: list[Row], cut: set[frozenset[str]] = frozenset()) -> Row:  # type: ignore[assignment]
    """A ``bench`` model of members; ``cut``: pairs that do not hear each other."""
    known = {one: [row["id"] for row in rows if row["cluster"] == one and not row.get("gone")] for one in "ab"}
    told = [{**row, "names": known[row["cluster"]]} for row in rows]
    formed = clusters(told, lambda a, b: frozenset((a["id"], b["id"])) not in cut)
    for row in rows:
        row["removed"] = any(row["id"] in one["removed"] for one in formed)
    return {"members": rows, "clusters": formed, "nowMicros": 0, "firstShown": 1, "lastShown": 3, "last": 3}


def member(number: int, role: str = "follower", term: int = 2, cluster: str = "a", **more: Any) -> Row:
    log = [[index, term, "put k=v", 0] for index in range(1, 4)]
    return {
        "id": f"m{number}", "role": role, "term": term, "cluster": cluster, "up": True, "paused": False, "learner": False, "revision": 1,
        "commit": 3, "lastIndex": 3, "durable": 3, "firstIndex": 1, "votes": {}, "progress": [], "log": log, **more,
    }  # fmt: skip


def parts(*sides: str) -> set[frozenset[str]]:
    """The pairs that a partition into such sides cuts: ``parts("m1 m2", "m3")``."""
    named = [side.split() for side in sides]
    return {frozenset((a, b)) for one in named for other in named if one is not other for a in one for b in other}


FIVE = [member(1, "leader"), *map(member, range(2, 6))]


@pytest.mark.parametrize(
    ("rows", "cut", "quorum", "said"),
    [
        (FIVE, set(), (5, 5, 3), "m1 leads in term 2."),
        (
            FIVE,
            parts("m1 m2", "m3 m4 m5"),
            (5, 3, 3),
            "m1 believes that it leads, in term 2, but hears 2 of 5. Its writes wait.",
        ),
        (
            [member(1, "leader"), member(2), member(3, "leader", 3), member(4, term=3), member(5, term=3)],
            parts("m1 m2", "m3 m4 m5"),
            (5, 3, 3),
            "m3 leads in term 3. m1 still believes that it leads, in term 2. Its writes wait.",
        ),
        (
            [member(n) for n in range(1, 6)],
            parts("m1 m2", "m3 m4", "m5"),
            (5, 2, 3),
            "Nobody can lead: 2 of 5 hear each other, and 3 are needed. Writes wait.",
        ),
        ([member(1, "candidate"), member(2, "candidate"), member(3)], set(), (3, 3, 2), "Nobody leads. m1, m2 ask for votes."),
        (
            [member(1, "leader", commit=9, lastIndex=9), member(2, lastIndex=9), member(3)],
            set(),
            (3, 3, 2),
            "m1 leads in term 2. m3 lacks 6 committed entries.",
        ),
        ([member(1, "leader"), member(2), member(3, up=False, gone=True)], set(), (2, 2, 2), "m1 leads in term 2."),
    ],
)  # fmt: skip
def test_a_quorum_is_of_those_who_hear_each_other(
    rows: list[Row], cut: set[frozenset[str]], quorum: tuple, said: str
) -> None:
    told = model([dict(row) for row in rows], cut)
    found = ring_drawing.quorum(told)
    assert (found["voters"], found["have"], found["need"]) == quorum
    assert ring_caption.caption(told, ring_drawing.ring(told)) == said


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 2), (2, 3), (4, 1), (4, 5), (8, 1), (1, 1, 1)])
def test_two_clusters_are_two_rings_that_do_not_touch(sizes: tuple[int, ...], big: bool) -> None:
    rows = [
        member(10 * place + n, "leader" if n == 0 else "follower", cluster="abc"[place])
        for place, size in enumerate(sizes)
        for n in range(size)
    ]
    told = {"members": rows, "nowMicros": 0, "clusters": clusters([{**row, "names": [one["id"] for one in rows if one["cluster"] == row["cluster"]]} for row in rows], lambda a, b: True)}  # fmt: skip
    drawn = ring_drawing.ring(told, big)
    assert sorted(row["id"] for row in drawn) == sorted(row["id"] for row in rows)
    wide = ring_drawing.WIDE / len(sizes)
    for a in drawn:
        reach = ring_drawing.TIMER * a["scale"]
        assert wide * a["party"] + reach <= a["x"] + 0.1 and a["x"] + reach <= wide * (a["party"] + 1) + 0.1
        assert all(a is b or ((a["x"] - b["x"]) ** 2 + (a["y"] - b["y"]) ** 2) ** 0.5 > 2 * reach for b in drawn)
    assert {one["party"] for one in drawn} == set(range(len(sizes)))
    titles = ring_drawing.titles(told, drawn, big)
    assert [title["have"] for title in titles] == sorted(sizes, reverse=True)
    assert all(title["y"] + 2 * title["line"] < ring_drawing.TALL + 20 for title in titles)


def test_who_was_left_behind_still_counts_on_those_who_went() -> None:
    rows = [{**member(n, "leader" if n == 2 else "follower", cluster="a" if n == 1 else "b"), "names": ["m1", "m2", "m3"] if n == 1 else ["m2", "m3"]} for n in (1, 2, 3)]  # fmt: skip
    went, left = clusters(rows, lambda a, b: True)
    assert [(one["have"], one["need"], one["voters"], one["leader"]) for one in (went, left)] == [
        (2, 2, 2, "m2"),
        (1, 2, 3, ""),
    ]
    assert "B: Nobody can lead: 1 of 3 hear each other" in ring_caption.caption(
        {"members": rows, "clusters": [went, left]},
        ring_drawing.ring({"members": rows, "clusters": [went, left], "nowMicros": 0}),
    )


def test_two_clusters_are_told_apart_in_the_sentence_and_in_the_logs() -> None:
    told = model(
        [member(1, "leader", 3), member(2, "leader", 2, "b"), member(3, term=3), member(4, term=2, cluster="b"), member(5, term=3)]
    )  # fmt: skip
    said = ring_caption.caption(told, ring_drawing.ring(told))
    assert said.startswith("These are 2 clusters") and said.endswith("A: m1 leads in term 3. B: m2 leads in term 2.")
    grid = log_drawing.logs(told)
    assert [(row["mark"], row["member"]["id"]) for row in grid["rows"]] == [("A", "m1"), ("A", "m3"), ("A", "m5"), ("B", "m2"), ("B", "m4")]  # fmt: skip
    assert {cell["state"] for row in grid["rows"] for cell in row["cells"]} == {"committed"}
    assert not any(row["old_term"] or row["lag"] for row in ring_drawing.ring(told))
    assert {link["state"] for link in ring_drawing.links(ring_drawing.ring(told), [])} == {"leads", "idle"}
    assert len(ring_drawing.links(ring_drawing.ring(told), [])) == 3 + 1


def test_a_promise_without_evidence_says_why_there_is_none() -> None:
    rows = [{"key": key, "name": key, "holds": True, "evidence": []} for key in ("log-matching", "leader-completeness")]
    said = [row["evidence"] for row in raft_view.promises({"promises": rows})]
    assert said == [
        ["There is one log: nothing to compare it with."],
        ["Nobody leads: there is nothing to compare with."],
    ]
