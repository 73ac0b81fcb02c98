"""The runner alone against a private Redis: exactly once, deterministic replay, fencing, a Redis that forgets."""

import time
from typing import Any

import msgspec
import pytest

from explainer.runs import clusters, journal, keys, lease, resp
from explainer.runs.mail import Ask, Mail, Pace, decode_any, decode_letters, encode, item, raw
from explainer.runs.runner import Deleted, Runner

DOOR = "tests.explainer.fakelab"


class Bench:
    """One cluster, run by hand."""

    def __init__(self, link: resp.Link, url: str, name: str = "demo") -> None:
        self.link, self.url, self.name = link, url, name
        self.number = 0
        self.wall = time.monotonic()
        options = clusters.Options(name=name)
        spec = clusters.spec_bytes(options, "https://127.0.0.1:6443", {"ca_cert": b""})
        link.pipeline(clusters.store_commands(options, spec))
        self.runner = self.boot()

    def boot(self, name: str = "local") -> Runner:
        token = lease.take(self.link, self.name, name)
        assert token is not None
        runner = Runner(self.name, self.link, token, DOOR)
        runner.reconnect = lambda: self.link
        return runner

    def mail(self, kind: str, body: Any, call: str = "") -> tuple[str, bytes]:
        self.number += 1
        data = encode(Mail(kind, "w1", self.number, call, raw(body)))  # type: ignore[arg-type]
        return self.link.call("XADD", keys.inbox(self.name), "*", "m", data).decode(), data

    def post(self, path: str) -> tuple[str, bytes]:
        fields = {"conn": "w1/1", "stream": self.number, "method": "POST", "path": path, "body": b"x"}
        return self.mail("input", item("HttpIn", **fields))

    def unread(self) -> list[tuple[str, bytes]]:
        rows = self.link.call("XRANGE", keys.inbox(self.name), f"({self.runner.cursor}", "+")
        return [(row[0].decode(), row[1][1]) for row in rows]

    def settle(self, mail: list[tuple[str, bytes]], seconds: float = 1.0) -> None:
        """Turns at invented wall times."""
        self.runner.turn(mail, self.wall)
        for _ in range(50):
            self.wall += seconds / 50
            self.runner.turn([], self.wall)

    def answers(self) -> list[dict[str, Any]]:
        rows = self.link.call("XRANGE", keys.out(self.name, "w1"), "-", "+")
        return [
            decode_any(letter.body) for row in rows for letter in decode_letters(row[1][1]) if letter.kind != "error"
        ]

    def stored(self) -> list[str]:
        return sorted(self.runner.lab.store)


@pytest.fixture
def bench(link: resp.Link, redis_url: str) -> Bench:
    made = Bench(link, redis_url)
    made.settle([])
    return made


def test_an_answer_never_leaves_before_its_input_is_in_the_journal(bench: Bench) -> None:
    bench.settle([bench.post("/objects/a")])
    assert [answer["code"] for answer in bench.answers()] == [201]
    rows = bench.link.call("XRANGE", keys.journal("demo"), "-", "+")
    answered = bench.link.call("XRANGE", keys.out("demo", "w1"), "-", "+")
    assert len(rows) == 1 and int(rows[0][0].split(b"-")[0]) <= int(answered[0][0].split(b"-")[0])


def test_a_restart_replays_to_the_same_digest_and_says_nothing_twice(bench: Bench) -> None:
    for number in range(20):
        bench.settle([bench.post(f"/objects/{number}")], 0.07)
    bench.runner._commit(bench.wall)
    before = bench.runner.lab.digest(), bench.runner.lab.now, bench.stored()
    mark = bench.link.call("HGET", keys.mark("demo"), "mark")
    said = len(bench.answers())
    bench.runner = bench.boot()
    committed = msgspec.msgpack.decode(mark, type=journal.Mark)
    assert bench.runner.lab.now == committed.now
    assert (bench.runner.lab.digest(), bench.stored()) == (before[0], before[2])
    assert bench.unread() == []
    bench.settle(bench.unread())
    assert len(bench.answers()) == said


def test_a_restart_from_a_snapshot_is_the_same(bench: Bench) -> None:
    for number in range(10):
        bench.settle([bench.post(f"/objects/{number}")], 0.05)
        if number in (3, 6):
            bench.runner.keep()
    bench.runner._commit(bench.wall)
    digest, stored = bench.runner.lab.digest(), bench.stored()
    assert len(bench.link.call("XRANGE", keys.journal("demo"), "-", "+")) < 10  # the old part was trimmed
    bench.runner = bench.boot()
    assert (bench.runner.lab.digest(), bench.stored()) == (digest, stored)


def test_a_snapshot_in_the_background_is_of_the_moment_it_was_begun(bench: Bench) -> None:
    keeper = bench.runner.keeper
    for number in range(10):
        if number in (3, 6):
            keeper.finish()
            keeper.debt = 100.0
        bench.settle([bench.post(f"/objects/{number}")], 0.05)
    keeper.finish()
    bench.runner._commit(bench.wall)
    assert keeper.commit and len(bench.link.call("XRANGE", keys.journal("demo"), "-", "+")) < 10
    digest, stored = bench.runner.lab.digest(), bench.stored()
    bench.runner = bench.boot()
    assert (bench.runner.lab.digest(), bench.stored()) == (digest, stored)


def test_a_snapshot_that_failed_is_taken_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = bench.runner.keeper
    keeper.finish()
    before = keeper.commit
    monkeypatch.setattr(keeper, "_write_in_child", lambda commit, take: 1)
    keeper.debt = 100.0
    bench.settle([bench.post("/objects/a")], 0.05)
    keeper.finish()  # unless a turn has noticed already
    bench.settle([bench.post("/objects/b")], 0.05)
    assert keeper.commit > before


def test_mail_that_was_not_committed_is_applied_after_the_restart(bench: Bench) -> None:
    bench.settle([bench.post("/objects/a")])
    bench.post("/objects/b")  # in the inbox, never seen by the runner that dies now
    bench.runner = bench.boot()
    bench.settle(bench.unread())
    assert bench.stored() == ["/objects/a", "/objects/b"]


def test_mail_said_twice_is_done_once(bench: Bench) -> None:
    entry_id, data = bench.post("/objects/a")
    again = bench.link.call("XADD", keys.inbox("demo"), "*", "m", data).decode()
    bench.settle([(entry_id, data), (again, data)])
    assert [answer["code"] for answer in bench.answers()] == [201]


def test_an_act_beyond_waiting_requests_is_not_repeated(bench: Bench) -> None:
    bench.settle([bench.mail("pace", Pace("set", paused=True), "w1/c1")])
    bench.settle([bench.post("/objects/patient"), bench.mail("input", item("MemberOp", member="m1", op="stop"))])
    assert bench.runner.control.clock()["waiting"] == 1
    assert len(bench.link.call("XRANGE", keys.journal("demo"), "-", "+")) == 1
    bench.runner = bench.boot()
    bench.settle(bench.unread())
    assert bench.runner.control.clock()["waiting"] == 1
    assert len(bench.link.call("XRANGE", keys.journal("demo"), "-", "+")) == 1
    bench.settle([bench.mail("pace", Pace("set", paused=False))])
    assert bench.stored() == ["/objects/patient"]


def test_a_successor_fences_its_predecessor(bench: Bench) -> None:
    assert lease.take(bench.link, "demo", "another") is None
    bench.link.call("DEL", keys.lease("demo"))
    successor = bench.boot("another")
    with pytest.raises(journal.Fenced):
        bench.settle([bench.post("/objects/a")])
    assert successor.journal.token.startswith("another/")


def test_a_redis_that_forgot_is_told_again(bench: Bench) -> None:
    bench.settle([bench.post("/objects/a")])
    saved = bench.link.call("HGET", keys.mark("demo"), "commit"), bench.link.call("HGET", keys.mark("demo"), "mark")
    bench.settle([bench.post("/objects/b")])
    rows = bench.link.call("XRANGE", keys.journal("demo"), "-", "+")
    bench.link.call("XDEL", keys.journal("demo"), rows[-1][0])  # as if the tail of the file was lost
    bench.link.call("HSET", keys.mark("demo"), "commit", saved[0], "mark", saved[1])
    bench.settle([bench.post("/objects/c")])
    bench.runner = bench.boot()
    assert bench.stored() == ["/objects/a", "/objects/b", "/objects/c"]


def test_run_goes_exactly_so_far(bench: Bench) -> None:
    bench.settle([bench.mail("pace", Pace("set", paused=True))])
    start = bench.runner.lab.now
    bench.settle([bench.mail("pace", Pace("run", micros=12_345_678), "w1/c9")])
    assert bench.runner.lab.now == start + 12_345_678_000
    assert bench.runner.control.clock()["paused"] is True


def test_questions_are_not_journalled(bench: Bench) -> None:
    bench.settle([bench.mail("ask", Ask("echo", {"a": 1}), "w1/c1"), bench.mail("ask", Ask("nothing"), "w1/c2")])
    rows = bench.link.call("XRANGE", keys.out("demo", "w1"), "-", "+")
    letters = [letter for row in rows for letter in decode_letters(row[1][1])]
    assert [(letter.kind, letter.call) for letter in letters] == [("reply", "w1/c1"), ("error", "w1/c2")]
    assert bench.link.call("XLEN", keys.journal("demo")) == 0


@pytest.mark.parametrize("data", [b"", b"\xc1garbage", encode(["input"]), encode({"a": 1})])
def test_unreadable_mail_is_dropped(bench: Bench, data: bytes) -> None:
    entry_id = bench.link.call("XADD", keys.inbox("demo"), "*", "m", data).decode()
    bench.settle([(entry_id, data), bench.post("/objects/a")])
    assert bench.stored() == ["/objects/a"]


def test_a_malformed_input_is_refused_and_not_journalled(bench: Bench) -> None:
    bench.settle([bench.mail("input", item("HttpIn", conn=5), "w1/c1"), bench.mail("input", item("Nonsense"), "w1/c2")])
    rows = bench.link.call("XRANGE", keys.out("demo", "w1"), "-", "+")
    kinds = [decode_any(letter.body)["status"] for row in rows for letter in decode_letters(row[1][1])]
    assert kinds == [422, 422]
    assert bench.link.call("XLEN", keys.journal("demo")) == 0


def test_the_clients_of_a_dead_gateway_are_closed(bench: Bench) -> None:
    watch = item("HttpIn", conn="w1/7", stream=1, method="GET", path="/objects", query="watch=1")
    bench.settle([bench.mail("input", watch)])
    assert bench.runner.gateways() == ["w1"] and bench.runner.lab.watchers == [("w1/7", 1)]
    bench.runner.forget_gateway("w1")
    bench.settle([])
    assert bench.runner.gateways() == [] and bench.runner.lab.watchers == []
    bench.runner = bench.boot()
    assert bench.runner.lab.watchers == []


def test_another_version_of_the_world_begins_anew(bench: Bench) -> None:
    bench.settle([bench.post("/objects/a")])
    bench.runner.mark.world = "older"
    bench.runner.keep()
    bench.post("/objects/b")  # still unread: it is for whoever comes next
    bench.runner = bench.boot()
    assert bench.runner.lab.now == 0 and bench.stored() == []
    bench.settle(bench.unread())
    assert bench.stored() == ["/objects/b"]
    assert bench.runner.mark.world == bench.runner.version


def test_delete(bench: Bench) -> None:
    with pytest.raises(Deleted):
        bench.settle([bench.mail("delete", None)])
