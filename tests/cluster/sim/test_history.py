"""Checkpoints: which are kept, and which one leads to an instant."""

from itertools import pairwise

from cluster.sim import SECOND, History


def test_the_latest_checkpoint_before_an_instant():
    history = History()
    assert history.before(0) is None
    for n in (1, 5, 9):
        history.keep(n * SECOND, n, b"%d" % n)
    assert history.before(SECOND - 1) is None
    assert [history.before(t * SECOND).data for t in (1, 4, 5, 8, 100)] == [b"1", b"1", b"5", b"5", b"9"]


def test_it_is_bounded_dense_near_now_and_reaches_back_to_the_beginning():
    history = History(limit=16)
    for n in range(5000):
        history.keep(n * SECOND, n, b"")
    instants = [mark.now // SECOND for mark in history.marks]
    assert len(instants) == 16 and instants[0] == 0 and instants[-1] == 4999
    assert instants == sorted(instants)
    ages = [4999 - at for at in instants[1:]]
    assert sum(age <= 100 for age in ages) >= 4
    for older, younger in pairwise(instants[1:]):
        assert younger - older <= max(4, (4999 - older))
