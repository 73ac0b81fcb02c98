"""etcd's gRPC on the members' own ports: an independent gRPC client, and a real etcdctl where there is one."""

import os
import queue
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest

from explainer.gateway import etcd_messages as messages
from tests.explainer import etcdctl_lines
from tests.product import Product, wait_for

SECONDS = 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    running = Product(tmp_path_factory.mktemp("etcd")).start()
    try:
        yield running
    finally:
        running.stop()


def port(live: Product, member: int) -> int:
    return live.etcd_port + 2 * (member - 1)


class Client:
    """A gRPC client of one member, by grpcio."""

    def __init__(self, live: Product, member: int = 1) -> None:
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{port(live, member)}", [("grpc.max_receive_message_length", 64 << 20)]
        )

    def __call__(self, method: str, **fields: Any) -> Any:
        path = f"/etcdserverpb.{method}"
        call = messages.CALLS[path]
        answer = self.channel.unary_unary(path)(message(call.request, **fields), timeout=SECONDS)
        return parse(call.response, answer)


def message(name: str, /, **fields: Any) -> bytes:
    return messages.message(name)(**fields).SerializeToString()


def parse(name: str, data: bytes) -> Any:
    found = messages.message(name)()
    found.ParseFromString(data)
    return found


@pytest.fixture
def client(live: Product) -> Iterator[Client]:
    one = Client(live)
    yield one
    one.channel.close()


def test_keys_are_put_read_and_deleted(client: Client) -> None:
    put = client("KV/Put", key=b"a", value=b"\0\xff", prev_kv=True)
    read = client("KV/Range", key=b"a")
    assert (read.kvs[0].value, read.kvs[0].mod_revision, read.count) == (b"\0\xff", put.header.revision, 1)
    assert client("KV/DeleteRange", key=b"a").deleted == 1
    assert client("KV/Range", key=b"a").count == 0


def test_a_transaction_chooses_its_branch(client: Client) -> None:
    client("KV/Put", key=b"t", value=b"1")
    m = messages.message
    wanted = m("Compare")(result="EQUAL", target="VALUE", key=b"t", value=b"1")
    put = m("RequestOp")(request_put=m("PutRequest")(key=b"t", value=b"2"))
    get = m("RequestOp")(request_range=m("RangeRequest")(key=b"t"))
    assert client("KV/Txn", compare=[wanted], success=[put], failure=[get]).succeeded
    other = client("KV/Txn", compare=[wanted], success=[put], failure=[get])
    assert not other.succeeded and other.responses[0].response_range.kvs[0].value == b"2"


def test_a_large_answer_crosses_the_clients_window(client: Client) -> None:
    for number in range(8):
        client("KV/Put", key=b"big/%d" % number, value=bytes(300_000))
    assert sum(len(kv.value) for kv in client("KV/Range", key=b"big/", range_end=b"big0").kvs) == 2_400_000


@pytest.mark.parametrize(
    ("method", "fields", "code", "text"),
    [
        ("KV/Put", {"key": b"", "value": b"x"}, "INVALID_ARGUMENT", "etcdserver: key is not provided"),
        ("KV/Range", {"key": b"a", "revision": 1 << 40}, "OUT_OF_RANGE", "etcdserver: mvcc: required revision is a future revision"),
        ("Lease/LeaseRevoke", {"ID": 77}, "NOT_FOUND", "etcdserver: requested lease not found"),
        ("KV/Put", {"key": b"big", "value": bytes(1_600_000)}, "INVALID_ARGUMENT", "etcdserver: request is too large"),
    ],
)  # fmt: skip
def test_refusals_are_etcds_own(client: Client, method: str, fields: Any, code: str, text: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        client(method, **fields)
    assert (refused.value.code().name, refused.value.details()) == (code, text)


def test_what_is_not_there_says_so(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        client.channel.unary_unary("/etcdserverpb.Maintenance/Downgrade")(b"", timeout=SECONDS)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED and "Downgrade" in str(refused.value.details())


def test_a_load_balancers_probe_is_answered(client: Client) -> None:
    check = client.channel.unary_unary("/grpc.health.v1.Health/Check")
    assert parse("HealthCheckResponse", check(b"", timeout=SECONDS)).status == 1
    with pytest.raises(grpc.RpcError) as refused:
        check(message("HealthCheckRequest", service="other"), timeout=SECONDS)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_snapshot_comes_in_pieces_with_its_checksum(client: Client) -> None:
    client("KV/Put", key=b"kept", value=b"in the file")
    pieces = [
        parse("SnapshotResponse", piece)
        for piece in client.channel.unary_stream("/etcdserverpb.Maintenance/Snapshot")(b"", timeout=SECONDS)
    ]
    file = b"".join(piece.blob for piece in pieces)
    assert len(pieces) > 2 and not any(piece.HasField("header") for piece in pieces)  # etcd 3.5 sends none
    assert [piece.remaining_bytes for piece in pieces[-2:]] == [0, 0]  # the checksum is not counted
    assert [piece.remaining_bytes for piece in pieces] == sorted((p.remaining_bytes for p in pieces), reverse=True)
    assert sha256(file[:-32]).digest() == file[-32:] and b"in the file" in file and len(file) % 4096 == 32


def test_watches_of_one_stream_have_their_own_numbers_and_end(client: Client) -> None:
    said = Said()
    answers = client.channel.stream_stream("/etcdserverpb.Watch/Watch")(said, timeout=SECONDS)

    def next_answer() -> Any:
        return parse("WatchResponse", next(answers))

    m = messages.message
    said.put(message("WatchRequest", create_request=m("WatchCreateRequest")(key=b"w1")))
    first = next_answer()
    said.put(message("WatchRequest", create_request=m("WatchCreateRequest")(key=b"w2", watch_id=9, filters=["NOPUT"])))
    second = next_answer()
    assert (first.watch_id, first.created, second.watch_id, second.created) == (0, True, 9, True)
    said.put(message("WatchRequest", create_request=m("WatchCreateRequest")(key=b"w4")))
    third = next_answer()  # again without a number of its own
    assert (third.watch_id, third.created, third.canceled) == (1, True, False)
    for refused in ({"key": b"w3", "watch_id": 9}, {"key": b"w3", "range_end": b"a"}):  # taken, empty
        said.put(message("WatchRequest", create_request=m("WatchCreateRequest")(**refused)))
        answer = next_answer()
        assert (answer.watch_id, answer.created, answer.canceled) == (-1, True, True) and answer.header.revision
    said.put(message("WatchRequest", progress_request=m("WatchProgressRequest")()))
    progress = next_answer()  # one for all: a client that asked takes any other for a watch it doesn't know
    assert (progress.watch_id, len(progress.events)) == (-1, 0) and progress.header.revision
    client("KV/Put", key=b"w2", value=b"kept out")
    client("KV/Put", key=b"w1", value=b"x")
    event = next_answer()
    assert (event.watch_id, event.events[0].kv.value) == (0, b"x")
    said.put(message("WatchRequest", cancel_request=m("WatchCancelRequest")(watch_id=0)))
    ended = next_answer()
    assert (ended.watch_id, ended.canceled) == (0, True)
    client("KV/Put", key=b"w1", value=b"y")
    client("KV/DeleteRange", key=b"w2")
    gone = next_answer()
    assert gone.watch_id == 9 and gone.events[0].kv.key == b"w2"
    said.put(None)
    assert list(answers) == []


class Said:
    """What a client says on a stream, as it says it; None ends it."""

    def __init__(self) -> None:
        self.items: queue.Queue[Any] = queue.Queue()
        self.put = self.items.put

    def __iter__(self) -> "Said":
        return self

    def __next__(self) -> bytes:
        item = self.items.get()
        if item is None:
            raise StopIteration
        return item


def test_a_lease_is_kept_alive(client: Client) -> None:
    lease = client("Lease/LeaseGrant", TTL=60).ID
    answers = client.channel.stream_stream("/etcdserverpb.Lease/LeaseKeepAlive")(
        iter([message("LeaseKeepAliveRequest", ID=lease)] * 2), timeout=SECONDS
    )
    assert [parse("LeaseKeepAliveResponse", one).TTL for one in answers] == [60, 60]
    client("Lease/LeaseRevoke", ID=lease)
    assert client("Lease/LeaseTimeToLive", ID=lease).TTL == -1


def test_a_lock_is_handed_on_and_a_client_that_leaves_the_queue_leaves_no_key(client: Client, live: Product) -> None:
    lock = client.channel.unary_unary("/v3lockpb.Lock/Lock")
    first = parse("LockResponse", lock(message("LockRequest", name=b"queue"), timeout=SECONDS))
    gone, second = (lock.future(message("LockRequest", name=b"queue"), timeout=SECONDS) for _ in range(2))

    def waiting(number: int) -> bool:
        return client("KV/Range", key=b"queue/", range_end=b"queue0").count == number

    wait_for(lambda: waiting(3), "two who wait", SECONDS)
    gone.cancel()
    wait_for(lambda: waiting(2), "one who left", SECONDS)
    assert not second.done()
    unlock = message("UnlockRequest", key=first.key)
    client.channel.unary_unary("/v3lockpb.Lock/Unlock")(unlock, timeout=SECONDS)
    assert parse("LockResponse", second.result()).key.startswith(b"queue/") and waiting(1)


def test_an_election_by_two_doors(client: Client, live: Product) -> None:
    def post(path: str, said: Any) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{port(live, 2)}/v3/election/{path}", orjson.dumps(said))
        return urllib.request.urlopen(request, timeout=SECONDS)

    won = orjson.loads(post("campaign", {"name": "ZQ==", "value": "b25l"}).read())["leader"]
    watched = client.channel.unary_stream("/v3electionpb.Election/Observe")(message("LeaderRequest", name=b"e"))
    assert parse("LeaderResponse", next(watched)).kv.value == b"one"
    post("proclaim", {"leader": won, "value": "dHdv"})
    assert parse("LeaderResponse", next(watched)).kv.value == b"two"
    post("resign", {"leader": won})
    with pytest.raises(urllib.error.HTTPError) as refused:
        post("leader", {"name": "ZQ=="})
    assert refused.value.code == 500 and b"election: no leader" in refused.value.read()
    campaign = client.channel.unary_unary("/v3electionpb.Election/Campaign")
    campaign(message("CampaignRequest", name=b"e", value=b"three"), timeout=SECONDS)
    assert parse("LeaderResponse", next(watched)).kv.value == b"three"
    watched.cancel()


def test_a_member_that_is_down_shakes_no_hands(live: Product) -> None:
    client = Client(live, 3)
    assert client("Maintenance/Status").version == "3.5.26"
    live.api("POST", "/etcd/members/m3/stop")
    try:
        with pytest.raises(grpc.RpcError) as refused:
            client("KV/Range", key=b"a")
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    finally:
        live.api("POST", "/etcd/members/m3/start")

    def back() -> bool:
        try:
            return bool(client("Maintenance/Status").version)
        except grpc.RpcError:
            return False

    wait_for(back, "the member that was started again", SECONDS)
    client.channel.close()


@pytest.mark.parametrize(
    "garbage",
    [PREFACE + b"\0\0\6\4\0\0\0\0\5" + bytes(6), PREFACE[:16] + b"nonsense"],
    ids=["settings of a stream", "preface"],
)
def test_garbage_ends_its_own_connection_only(live: Product, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port(live, 1)), SECONDS) as connection:
        connection.sendall(garbage)
        connection.settimeout(SECONDS)
        try:
            while connection.recv(4096):
                pass
        except ConnectionResetError:
            pass
    one = Client(live)
    assert one("Maintenance/Status").version
    one.channel.close()


@pytest.mark.skipif(shutil.which("etcdctl") is None, reason="no etcdctl on the PATH (Debian: etcd-client)")
def test_a_real_etcdctl(live: Product, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "ETCDCTL_API": "3"}
    everybody = ",".join(f"127.0.0.1:{port(live, member)}" for member in (1, 2, 3))

    def etcdctl(*arguments: str, text: str = "", at: str = everybody) -> str:
        done = subprocess.run(
            ["etcdctl", f"--endpoints={at}", *arguments],
            env=environment, input=text, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    table = etcdctl("endpoint", "status", "-w", "table")
    assert table.count("3.5.26") == 3 and table.count(" true ") == 1
    assert etcdctl("member", "list").count(", started, ") == 3
    for line in ("endpoint status --cluster", "endpoint hashkv --cluster"):  # what members advertise can be reached
        for at in (f"127.0.0.1:{port(live, 2)}", everybody):  # who knows several names one of them to each
            said = etcdctl(*line.split(), at=at)
            assert all(f"http://127.0.0.1:{port(live, member)}, " in said for member in (1, 2, 3)), said
    assert etcdctl("put", "x", "1") == "OK\n"
    assert etcdctl("get", "x") == "x\n1\n"
    assert "SUCCESS" in etcdctl("txn", text='value("x") = "1"\n\nput x 2\n\nput x 3\n\n')
    assert etcdctl("del", "x") == "1\n"
    lease = etcdctl("lease", "grant", "60").split()[1]
    assert "keepalived with TTL(60)" in etcdctl("lease", "keep-alive", "--once", lease)
    assert len({line.split(",")[1] for line in etcdctl("endpoint", "hashkv", "--rev=40").splitlines()}) == 1
    assert etcdctl("alarm", "list") == ""
    assert "Finished defragmenting" in etcdctl("defrag")
    saved = str(tmp_path / "snap.db")
    assert "Snapshot saved" in etcdctl("snapshot", "save", saved, at=f"127.0.0.1:{port(live, 2)}")
    status = orjson.loads(etcdctl("snapshot", "status", saved, "-w", "json"))
    assert status["totalKey"] > 100 and status["revision"] > 40
    etcdctl(
        "snapshot", "restore", saved, "--data-dir", str(tmp_path / "data")
    )  # it believes the checksum and reads the file
    member = etcdctl("member", "list").split(",")[0]
    assert "updated in cluster" in etcdctl("member", "update", member, "--peer-urls=https://192.0.2.7:2380")
    assert "https://192.0.2.7:2380" in etcdctl("member", "list")
    alike = (
        "put same 1", "put same 1 --prev-kv", "get same", "get same -w fields", "get s --prefix --keys-only", "del nothing",
        "get --prefix s --sort-by=modify --order=descend", "alarm list", "alarm disarm", "lease list", "member list",
        "member list -w table", "get /registry/namespaces/ --prefix --keys-only --limit=2", "lease timetolive 1234", "get zzz -w json",
    )  # fmt: skip
    first = f"127.0.0.1:{port(live, 1)}"
    for line in alike:
        real = etcdctl(*line.split(), at=first)
        ours = live.api("POST", "/console", {"session": "s", "line": f"etcdctl {line}"})["stdout"]
        strip = [
            re.sub(r'"(Revision|ModRevision|CreateRevision|RaftTerm)" : \d+|"revision":\d+', "", text)
            for text in map(etcdctl_lines.same_urls, (real, ours))
        ]
        assert strip[0] == strip[1], line
    assert etcdctl("lock", "mine", "echo", "got it") == "got it\n"


@pytest.mark.skipif(shutil.which("etcdctl") is None, reason="there is no etcdctl here")
def test_the_console_prints_what_the_real_etcdctl_prints(live: Product) -> None:
    """The same lines to both; all that may differ is masked (``etcdctl_lines``)."""
    endpoint = f"127.0.0.1:{port(live, 1)}"
    own = {**os.environ, "ETCDCTL_API": "3"}
    wanted: dict[str, tuple[int, str, str]] = {}
    for line in etcdctl_lines.LINES:
        text = etcdctl_lines.TXN.replace("\\n", "\n") if line == "txn" else ""
        command = ["etcdctl", f"--endpoints={endpoint}", *line.split()]
        real = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=SECONDS, env=own, check=False
        )
        wanted[line] = (
            real.returncode,
            etcdctl_lines.masked(real.stdout, endpoint),
            etcdctl_lines.masked(real.stderr, endpoint),
        )
    live.api("POST", "/console", {"session": "same", "line": "etcdctl del foo; etcdctl del k1; etcdctl del a"})
    differs: list[str] = []
    for line, said in wanted.items():
        typed = f"printf '{etcdctl_lines.TXN}' | etcdctl {line}" if line == "txn" else f"etcdctl {line}"
        ours = live.api("POST", "/console", {"session": "same", "line": typed})
        here = (ours["exitCode"], *(etcdctl_lines.masked(ours[name], endpoint) for name in ("stdout", "stderr")))
        if here != said:
            differs.append(f"etcdctl {line}\n  real {said}\n  ours {here}")
    assert not differs, "\n".join(differs)
