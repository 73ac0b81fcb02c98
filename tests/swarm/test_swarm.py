"""A few seeds of the swarm, and proof that it sees what it is there to see (``make swarm`` runs a thousand; ``--bugs`` every bug from seed 1)."""

from itertools import combinations, pairwise, permutations

import pytest

from cluster.sim import Dice
from tests.swarm.bugs import BUGS
from tests.swarm.checks import Checks, Violation
from tests.swarm.linear import Op, idle, linearizable, step
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
    "full-only-by-its-own-alarm": 16,
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


def test_a_burst_of_concurrent_writes_is_decided() -> None:
    """Forty writes at once whose order only their revisions tell, and one of unknown outcome: twice the swarm met this and gave up."""
    lost = op("put", 0, None, b"lost")
    burst = [op("put", 10 + n, 200 - n, b"%d" % n, revision=2 + (n * 7) % 40) for n in range(40)]
    last = max(burst, key=lambda each: each.revision)
    assert linearizable([lost, *burst, op("get", 300, 301, out=(last.value, 41), revision=41)]) is True
    assert linearizable([lost, *burst, op("get", 300, 301, out=(burst[0].value, 2), revision=41)]) is False


@pytest.mark.parametrize(
    "ops",
    [
        [A, op("put", 1, 9, b"b", revision=2)],  # one revision, two writes
        [A, op("put", 3, 9, b"b", revision=3), op("get", 4, 5, out=(b"a", 2), revision=3)],  # answered at the revision of a write it did not see
    ],
)  # fmt: skip
def test_revisions_are_an_order(ops: list[Op]) -> None:
    assert linearizable(ops) is False


def test_the_search_agrees_with_trying_every_order() -> None:
    dice, verdicts = Dice.named(1, "orders"), []
    for _ in range(3000):
        ops = random_history(dice)
        verdicts.append(linearizable(ops))
        assert verdicts[-1] is any(explains(order) for order in permutations(ops)), ops
    assert 600 < sum(map(bool, verdicts)) < 2400


def random_history(dice: Dice) -> list[Op]:
    """What one register answered to up to five operations; in some of them one answer is not its own."""
    value: tuple[bytes, int] | None = None
    revision, now, ops = 1, 0, []
    for number in range(2 + dice.below(4)):
        f = ("put", "get", "delete", "cas")[dice.below(4)]
        expect = value[0] if value and dice.chance(0.6) else None
        now += dice.below(5)
        holds = f == "cas" and (value[0] if value else None) == expect
        out: object = {"get": value, "delete": value is not None, "cas": holds}.get(f)
        if f == "put" or holds or (f == "delete" and value is not None):
            revision += 1
            value = None if f == "delete" else (b"%d" % number, revision)
        one = op(f, now - dice.below(6), now + dice.below(6), b"%d" % number, out, revision, expect)
        if dice.chance(0.2):
            one.end, one.out, one.revision = None, None, 0
        ops.append(one)
    if dice.chance(0.6):
        wrong = ops[dice.below(len(ops))]
        if wrong.f == "get" and wrong.end is not None:
            wrong.out = (b"0", 2)
        elif wrong.end is not None:
            wrong.revision = max(wrong.revision + dice.below(3) - 1, 1)
    return sorted((each for each in ops if each.f != "get" or each.end is not None), key=lambda each: each.start)


def explains(order: tuple[Op, ...]) -> bool:
    """Could one register have been asked in this order? What nobody saw the end of may also not have happened."""
    known = [each for each in order if each.end is not None]
    ends = [(each.start, each.end if each.end is not None else 1 << 62) for each in order]
    if any(later[1] < earlier[0] for number, earlier in enumerate(ends) for later in ends[number + 1 :]):
        return False
    revisions = [(each.revision, not idle(each)) for each in known]
    for (before, _), (after, wrote) in pairwise(revisions):
        if after < before or (wrote and after == before):
            return False
    unknown = [each for each in order if each.end is None]
    return any(
        runs([each for each in order if each.end is not None or each in chosen])
        for size in range(len(unknown) + 1)
        for chosen in combinations(unknown, size)
    )


def runs(order: list[Op]) -> bool:
    state = None
    for each in order:
        possible, state = step(each, state)
        if not possible:
            return False
    return True
