"""A few seeds of the swarm, and proof that it sees what it is there to see (``make swarm`` runs a thousand; ``--bugs`` every bug from seed 1)."""

import pytest

from tests.swarm.bugs import BUGS
from tests.swarm.checks import Checks, Violation
from tests.swarm.linear import Op, linearizable
from tests.swarm.run import Run

CAUGHT = {
    "votes-for-stale-logs": 3,
    "commits-without-quorum": 1,
    "counts-replicas-of-old-terms": 44,
    "forgets-its-vote": 1,
    "votes-twice": 2,
    "answers-before-fsync": 1,
    "appends-without-looking": 14,
    "keeps-what-conflicts": 6,
    "commits-what-the-leader-says": 9,
    "leads-on-in-an-old-term": 1,
    "wins-with-half": 13,
    "counts-refusals": 2,
    "reads-without-asking": 56,
    "reads-before-its-first-commit": 7,
    "reads-without-waiting-for-apply": 24,
    "leaders-keep-silent": 1,
    "same-timeout-for-everybody": 1,
    "loses-a-snapshots-keys": 2,
    "replays-twice": 4,
    "forgets-the-end-of-its-log": 1,
    "changes-members-two-at-a-time": 68,
    "learners-count": 29,
    "watches-skip-a-snapshot": 3,
    "watches-begin-one-late": 1,
    "leases-not-extended": 6,
}
"""Bug → a seed that catches it, to be quick. (``probes-for-ever`` takes its time: ``make swarm-bugs`` has it.)"""


CLEAN = range(1, 25)


@pytest.mark.parametrize("seed", CLEAN)
def test_nothing_is_ever_violated(seed: int) -> None:
    result = Run(seed).go()
    assert result["done"] > 10 and result["events"] > 0 and not result["undecided"]


@pytest.mark.parametrize("name", CAUGHT)
def test_a_broken_raft_is_caught(name: str) -> None:
    """By the seed that is known to, or else (the engine has changed since) by one of the bug's number of seeds."""
    bug, known = BUGS[name], CAUGHT[name]
    if bug.members or bug.hunted or known not in CLEAN:
        Run(known, bug.members, bug.hunted).go()  # and of a sound Raft nothing is said
    with pytest.raises(AssertionError):  # some checker says it, or a member's own assertion
        for seed in (known, *range(1, bug.seeds + 1)):
            bug.run(seed)


def test_no_bug_is_forgotten() -> None:
    assert set(BUGS) - set(CAUGHT) == {"probes-for-ever"}


def test_a_run_is_its_seed() -> None:
    first, second = Run(5), Run(5)
    assert first.go() == second.go() and first.world.digest() == second.world.digest()


# -- the checkers themselves -------------------------------------------------------------------------------------------


def op(
    f: str,
    start: int,
    end: int | None,
    value: bytes = b"",
    out: object = None,
    revision: int = 0,
    expect: bytes | None = None,
) -> Op:
    made = Op(start, f, b"x", value, expect, start)
    made.end, made.out, made.revision = end, out, revision
    return made


A = op("put", 1, 2, b"a", revision=2)
B = op("put", 3, 4, b"b", revision=3)
MAYBE = op("put", 1, None, b"a")


@pytest.mark.parametrize(
    ("ops", "good"),
    [
        ([A, B, op("get", 5, 6, out=(b"b", 3))], True),
        ([A, B, op("get", 5, 6, out=(b"a", 2))], False),  # stale
        ([A, op("put", 3, 9, b"b", revision=3), op("get", 5, 6, out=(b"a", 2)), op("get", 7, 8, out=(b"b", 3))], True),
        ([A, op("put", 3, 9, b"b", revision=3), op("get", 5, 6, out=(b"b", 3)), op("get", 7, 8, out=(b"a", 2))], False),  # back in time
        ([MAYBE, op("get", 2, 3), op("get", 4, 5, out=(b"a", 2))], True),
        ([MAYBE, op("get", 2, 3)], True),
        ([MAYBE, op("get", 2, 3, out=(b"a", 2)), op("get", 4, 5)], False),  # it had happened
        ([A, op("delete", 3, 4, out=True, revision=3), op("get", 5, 6)], True),
        ([A, op("delete", 3, 4, out=False, revision=2)], False),
        ([A, op("cas", 3, 4, b"c", True, 3, b"a"), op("get", 5, 6, out=(b"c", 3))], True),
        ([A, op("cas", 3, 4, b"c", True, 3, b"z")], False),
        ([A, op("cas", 3, 4, b"c", False, 2, b"a")], False),
        ([A, op("cas", 3, None, b"c", None, 0, b"a"), op("get", 5, 6, out=(b"c", 3)), op("get", 7, 8, out=(b"a", 2))], False),
        ([op("cas", 1, 4, b"c", True, 2), op("cas", 2, 3, b"d", True, 3)], False),  # both found nothing
    ],
)  # fmt: skip
def test_linearizability_is_decided(ops: list[Op], good: bool) -> None:
    assert linearizable(sorted(ops, key=lambda each: each.start)) is good


def test_a_lost_acknowledged_write_is_seen() -> None:
    checks = Checks(Run(1))
    with pytest.raises(Violation, match="lost"):
        checks.acknowledged([A])
