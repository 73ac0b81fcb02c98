"""A few seeds of the swarm, and proof that it sees what it is there to see."""

import pytest

from cluster.etcd.raft import quorum
from cluster.etcd.raft.log import RaftLog

from .etcd import Op, Run, Violation, check_linearizable


@pytest.mark.parametrize("seed", range(40))
def test_seed(seed: int) -> None:
    result = Run(seed).go()
    assert result["ops"] > 0


def _broken(seeds: range) -> bool:
    for seed in seeds:
        try:
            Run(seed).go()
        except AssertionError:
            return True
    return False


def test_it_sees_votes_for_stale_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RaftLog, "up_to_date", lambda *_: True)
    assert _broken(range(40))


def test_it_sees_commits_without_a_quorum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quorum, "committed_index", max)
    assert _broken(range(40))


def _refuse(why: str) -> None:
    raise Violation(why)


def _op(f: str, start: int, end: int | None, value: bytes = b"", out: object = None) -> Op:
    op = Op(start, f, b"x", value, 0, start)
    op.end, op.out = end, out
    return op


def test_a_stale_read_is_not_linearizable() -> None:
    ops = [_op("put", 1, 2, b"a", (None, 2)), _op("put", 3, 4, b"b", (None, 3)), _op("get", 5, 6, out=(2, b"a"))]
    with pytest.raises(Violation):
        check_linearizable(ops, _refuse)


def test_an_unknown_write_may_or_may_not_have_happened() -> None:
    maybe = _op("put", 1, None, b"a")
    check_linearizable([maybe, _op("get", 2, 3, out=None), _op("get", 4, 5, out=(2, b"a"))], _refuse)
    check_linearizable([maybe, _op("get", 2, 3, out=None)], _refuse)
    with pytest.raises(Violation):
        check_linearizable([maybe, _op("get", 2, 3, out=(2, b"a")), _op("get", 4, 5, out=None)], _refuse)
