"""etcdctl: what is sent to a member, and how its answers look."""

from typing import Any

import pytest
from msgspec.structs import replace

from cluster.shell.console import ConsoleConfig
from cluster.wire import etcd
from tests.cluster.shell.harness import EPOCH, Shell

HEADER = etcd.ResponseHeader(1, 0xABC, 7, 2)


def member(request: Any) -> Any:
    match request:
        case etcd.RangeRequest():
            return etcd.RangeResponse(request.id, HEADER, (etcd.KeyValue(b"foo", b"bar", 3, 5, 2),), count=1)
        case etcd.PutRequest():
            return etcd.PutResponse(request.id, HEADER)
        case etcd.DeleteRangeRequest():
            return etcd.DeleteRangeResponse(request.id, HEADER, 1)
        case etcd.MemberListRequest():
            row = etcd.Member(0xABC, "cp-1", ("https://172.18.0.2:2380",), ("https://172.18.0.2:2379",))
            return etcd.MemberResponse(request.id, HEADER, (row,))
        case etcd.StatusRequest():
            return etcd.StatusResponse(request.id, HEADER, "3.5.26", 20_480, 20_480, 0xABC, 9, 2, 9)
        case etcd.MoveLeaderRequest():
            return etcd.EtcdError(request.id, 9, "etcdserver: not leader")
    raise AssertionError(request)


class Desk(Shell):
    """Requests to members are answered, too."""

    def __init__(self) -> None:
        super().__init__(config=ConsoleConfig(EPOCH, members=("m1", "m2")))
        self.asked: list[tuple[str, Any]] = []
        self._out.send = self._send  # type: ignore[method-assign]

    def _send(self, dst: str, message: Any, *, delay: int = 0, cause: int | None = None) -> None:
        self._out.sent.append((dst, message))
        if dst in self.config.members:
            self._out.sent.pop()
            self.asked.append((dst, replace(message, id=0)))
            self.pending = (dst, member(message))

    def ask(self, line: str) -> Any:
        self.pending = None
        result = self.run(line)
        while self.pending is not None:
            (src, answer), self.pending = self.pending, None
            self._deliver(src, answer)
            self._settle()
        return result


@pytest.mark.parametrize(
    ("line", "stdout"),
    [
        ("etcdctl get foo", "foo\nbar\n"),
        ("etcdctl get foo --print-value-only", "bar\n"),
        ("etcdctl get / --prefix --keys-only", "foo\n\n"),
        ("etcdctl get --count-only --prefix /", "1\n"),
        ("etcdctl put foo bar", "OK\n"),
        ("etcdctl del foo", "1\n"),
        ("etcdctl member list", "abc, started, cp-1, https://172.18.0.2:2380, https://172.18.0.2:2379, false\n"),
        ("etcdctl endpoint status", "m1, abc, 3.5.26, 20 kB, true, false, 2, 9, 9, \n"),
    ],
)
def test_answers(line: str, stdout: str) -> None:
    result = Desk().ask(line)
    assert (result.stdout, result.code) == (stdout, 0), result.stderr


def test_a_prefix_is_a_range_and_endpoints_are_members() -> None:
    desk = Desk()
    desk.ask("etcdctl get /registry/pods --prefix --endpoints=https://127.0.0.1:2381")
    ((where, request),) = desk.asked
    assert where == "m2"
    assert (request.key, request.range_end) == (b"/registry/pods", b"/registry/podt")


def test_errors_are_etcds() -> None:
    result = Desk().ask("etcdctl move-leader abc")
    assert (result.stderr, result.code) == ("Error: etcdserver: not leader\n", 1)
    assert Desk().ask("etcdctl get x --endpoints=https://10.0.0.1:2379").code == 1
