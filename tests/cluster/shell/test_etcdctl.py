"""etcdctl: what is sent to a member, and how its answers look."""

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from cluster.shell.console import ConsoleConfig, Login
from cluster.wire import etcd
from tests.cluster.shell.harness import EPOCH, Shell

HEADER = etcd.ResponseHeader(1, 0xABC, 7, 2)


def member(request: Any) -> Any:
    match request:
        case etcd.RangeRequest(revision=99999):
            return etcd.EtcdError(request.id, 11, "etcdserver: mvcc: required revision is a future revision")
        case etcd.RangeRequest():
            value = b"" if request.keys_only else b"bar"
            return etcd.RangeResponse(request.id, HEADER, (etcd.KeyValue(b"foo", value, 3, 5, 2),), count=1)
        case etcd.PutRequest():
            return etcd.PutResponse(request.id, HEADER)
        case etcd.DeleteRangeRequest():
            return etcd.DeleteRangeResponse(request.id, HEADER, 1)
        case etcd.MemberListRequest():
            row = etcd.Member(0xABC, "cp-1", ("https://172.18.0.2:2380",), ("https://172.18.0.2:2379",))
            return etcd.MemberResponse(request.id, HEADER, (row,))
        case etcd.StatusRequest():
            return etcd.StatusResponse(request.id, HEADER, "3.5.26", 20_480, 20_480, 0xABC, 9, 2, 9)
        case etcd.LeaseGrantRequest():
            return etcd.LeaseGrantResponse(request.id, HEADER, 0xABCD, request.ttl)
        case etcd.LeaseRevokeRequest():
            return etcd.LeaseRevokeResponse(request.id, HEADER)
        case etcd.LeaseTimeToLiveRequest():
            keys = (b"k1", b"k2") if request.keys else ()
            return etcd.LeaseTimeToLiveResponse(request.id, HEADER, request.lease, 7, 10, keys)
        case etcd.LeaseLeasesRequest():
            return etcd.LeaseLeasesResponse(request.id, HEADER, (0xABCD,))
        case etcd.LeaseKeepAliveRequest():
            return etcd.LeaseKeepAliveResponse(request.id, HEADER, request.lease, 10)
        case etcd.MemberAddRequest():
            old = etcd.Member(0xABC, "cp-1", ("https://172.18.0.2:2380",), ())
            new = etcd.Member(0xDEF, "", request.peer_urls, (), request.is_learner)
            return etcd.MemberResponse(request.id, HEADER, (old, new), new)
        case etcd.MemberRemoveRequest() | etcd.MemberUpdateRequest() | etcd.MemberPromoteRequest():
            return etcd.MemberResponse(request.id, HEADER, ())
        case etcd.AlarmRequest():
            return etcd.AlarmResponse(request.id, HEADER, ((0xABC, "NOSPACE"),))
        case etcd.DefragmentRequest():
            return etcd.DefragmentResponse(request.id, HEADER)
        case etcd.HashKVRequest():
            return etcd.HashKVResponse(request.id, HEADER, 77, 1)
        case etcd.TxnRequest():
            put, gone = etcd.PutResponse(0, HEADER), etcd.DeleteRangeResponse(0, HEADER, 2)
            return etcd.TxnResponse(request.id, HEADER, True, (put, gone))
        case etcd.MoveLeaderRequest():
            return etcd.EtcdError(request.id, 9, "etcdserver: not leader")
    raise AssertionError(request)


class Desk(Shell):
    """Requests to members are answered, too."""

    def __init__(self) -> None:
        super().__init__(
            config=ConsoleConfig(EPOCH, members=("m1", "m2"), logins=(Login("cp-1", "172.18.0.2", "sshd-cp-1", "m1"),))
        )
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
        ("etcdctl lease grant 10", "lease 000000000000abcd granted with TTL(10s)\n"),
        ("etcdctl lease revoke abcd", "lease 000000000000abcd revoked\n"),
        ("etcdctl lease timetolive abcd", "lease 000000000000abcd granted with TTL(10s), remaining(7s)\n"),
        (
            "etcdctl lease timetolive abcd --keys",
            "lease 000000000000abcd granted with TTL(10s), remaining(7s), attached keys([k1 k2])\n",
        ),
        ("etcdctl lease list", "found 1 leases\n000000000000abcd\n"),
        ("etcdctl lease keep-alive --once abcd", "lease 000000000000abcd keepalived with TTL(10)\n"),
        ("etcdctl member remove def", f"Member {0xDEF:16x} removed from cluster {1:16x}\n"),
        ("etcdctl member promote def", f"Member {0xDEF:16x} promoted in cluster {1:16x}\n"),
        ("etcdctl member update def --peer-urls=https://x:2380", f"Member {0xDEF:16x} updated in cluster {1:16x}\n"),
        ("etcdctl alarm disarm", "memberID:2748 alarm:NOSPACE \n"),
        (
            "etcdctl defrag --cluster",
            "Finished defragmenting etcd member[https://172.18.0.2:2379]\n",
        ),
        ("etcdctl endpoint hashkv", "127.0.0.1:2379, 77\n"),
        ("""printf 'value("x") = "1"\\n\\nput x 2\\ndel y\\n\\n' | etcdctl txn""", "SUCCESS\n\nOK\n\n2\n"),
        (
            "etcdctl member add etcd-4 --peer-urls=https://h4:2380",
            f'Member {0xDEF:16x} added to cluster {1:16x}\n\nETCD_NAME="etcd-4"\nETCD_INITIAL_CLUSTER="cp-1=https://172.18.0.2:2380,etcd-4=https://h4:2380"\n'
            'ETCD_INITIAL_ADVERTISE_PEER_URLS="https://h4:2380"\nETCD_INITIAL_CLUSTER_STATE="existing"\n',
        ),
        ("etcdctl endpoint status", "127.0.0.1:2379, abc, 3.5.26, 20 kB, true, false, 2, 9, 9, \n"),
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


@pytest.mark.parametrize(
    ("line", "stderr", "code"),
    [
        ("etcdctl auth enable", "Error: auth enable: authentication is off and stays off: the members' doors are open to whoever reaches them\n", 4),
        ("etcdctl make-mirror x", "Error: make-mirror: there is one cluster in this world, and no other to mirror it to\n", 4),
        ("etcdctl lease grant soon", 'Error: bad TTL (strconv.ParseInt: parsing "soon": invalid syntax)\n', 128),
        ("etcdctl member add x", "Error: member peer urls not provided\n", 128),
        ("echo 'nonsense' | etcdctl txn", "Error: malformed comparison: nonsense\n", 3),
        ("etcdctl get x --order=up", "Error: bad sort order up\n", 4),
        ("etcdctl check perf --load=m", "Error: check perf --load=m is not in this console: a line of it may do --load=s (150 writes/s for a minute);"
         " use a real etcdctl on the member's own port\n", 4),
        ("etcdutl snapshot save x", "Error: In order to download snapshot use: `etcdctl snapshot save ...`\n", 128),
        ("etcdutl hashkv x", "Error: etcdutl hashkv is not in this laboratory: snapshot status and snapshot restore are\n", 4),
        ("etcdutl snapshot restore x --data-dir=y --bump-revision=5", "Error: --mark-compacted required if --revision-bump > 0\n", 128),
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_in_words(line: str, stderr: str, code: int) -> None:
    result = Desk().ask(line)
    assert (result.stderr, result.code) == (stderr, code)


def test_errors_are_etcds_behind_the_clients_own_log_line() -> None:
    result = Desk().ask("etcdctl lease revoke fff0")
    assert (result.stdout, result.code) == ("lease 000000000000fff0 revoked\n", 0)
    result = Desk().ask("etcdctl get x --endpoints=https://172.18.0.2:2379 --rev=99999")
    log, error = result.stderr.splitlines()
    said = orjson.loads(log)
    assert (
        said["error"] == "rpc error: code = OutOfRange desc = etcdserver: mvcc: required revision is a future revision"
    )
    assert (error, result.code) == ("Error: etcdserver: mvcc: required revision is a future revision", 1)
