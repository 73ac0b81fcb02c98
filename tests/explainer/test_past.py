"""The past of a little cluster: any moment of it again, while it lives on; forks; what a kill of the historian does."""

import random
from collections.abc import Iterator

import psutil
import pytest

from explainer.runs import keys, resp
from explainer.runs.mail import item
from tests.explainer.past_bench import Failed, Live, Past, past
from tests.product import wait_for

DOOR = "tests.explainer.fakelab"


@pytest.fixture
def live(link: resp.Link) -> Live:
    made = Live(link, DOOR)
    made.turn(seconds=1.0)
    return made


@pytest.fixture
def asked(link: resp.Link, redis_url: str) -> Iterator[Past]:
    with past(redis_url, DOOR) as made:
        yield made


def digest(live: Live) -> dict[str, object]:
    return {"digest": live.runner.lab.digest(), "now": live.runner.lab.now, "delivered": live.runner.delivered}


def lived(live: Live, writes: int, keep: tuple[int, ...] = ()) -> list[dict[str, object]]:
    """Some writes, and what the cluster was after each."""
    seen = []
    for number in range(writes):
        live.turn(live.post(f"/objects/{number}"), seconds=0.31)
        seen.append({**digest(live), "store": sorted(live.runner.lab.store)})
        if number in keep:
            live.runner.keep()
    return seen


def test_every_moment_is_what_it_was(live: Live, asked: Past) -> None:
    seen = lived(live, 12, (3, 4, 8))
    before = digest(live)
    for moment in random.Random(1).sample(seen, len(seen)):
        for at in (str(int(moment["now"]) // 1000), f"e{moment['delivered']}"):
            assert sorted(asked.view(at, "store")) == moment["store"]
            assert asked.view(at, "digest")["digest"] == moment["digest"]
            assert asked.view(at, "digest")["delivered"] == moment["delivered"]
    assert digest(live) == before


def test_the_clock_of_a_moment(live: Live, asked: Past) -> None:
    lived(live, 3)
    clock = asked.view("700000", "clock")
    assert clock["nowMicros"] == 700_000 and clock["at"] == "e7" and clock["paused"] is True and clock["ready"] is True
    assert clock["liveMicros"] == live.runner.lab.now // 1000 and clock["waiting"] == 0
    assert asked.view("e7", "clock")["nowMicros"] == 700_000


def test_a_fault_while_paused_belongs_to_its_moment(live: Live, asked: Past) -> None:
    live.until(2_000_000)
    _, delivered = live.place
    assert asked.view(f"e{delivered}", "store") == {}
    live.turn(live.mail("input", item("MemberOp", member="m1", op="stop")), seconds=0.0, turns=1)
    live.turn(live.mail("input", item("ConsoleIn", session="s", line="date", call="w1/c")), seconds=0.0, turns=1)
    live.until(3_000_000)
    assert asked.view("2000000", "digest")["delivered"] == delivered


def test_what_has_not_been_and_what_makes_no_sense(live: Live, asked: Past) -> None:
    for at, status in (("e999999", 404), ("99999999999", 404), ("x", 422), ("e", 422), ("-1", 422)):
        with pytest.raises(Failed) as failed:
            asked.view(at, "store")
        assert failed.value.status == status and failed.value.error.endswith(".")
    with pytest.raises(Failed, match=r"404: there was no 'nothing'"):
        asked.view("700000", "nothing")
    with pytest.raises(Failed, match="404: There is no cluster named"):
        asked.view("1", "store", cluster="other")
    with pytest.raises(Failed, match="422: nobody knows how to dance"):
        asked.ask("dance")


def test_a_killed_historian_takes_its_worlds_along_and_is_followed_by_another(live: Live, redis_url: str) -> None:
    seen = lived(live, 5)
    first = Past(redis_url, DOOR).start()
    assert sorted(first.view(f"e{seen[2]['delivered']}", "store")) == seen[2]["store"]
    assert first.process is not None
    children = psutil.Process(first.process.pid).children(recursive=True)
    assert children
    first.kill()
    wait_for(lambda: not any(c.is_running() and c.status() != "zombie" for c in children), "frozen worlds to end", 10)
    call = first.send("view", "demo", "e15", view="digest", args={})  # nobody is there
    first.start()
    assert first.answer(call)["delivered"] == 15
    first.stop()


def test_questions_that_a_dead_historian_took_are_taken_over(live: Live, redis_url: str, link: resp.Link) -> None:
    lived(live, 3)
    link.call("XGROUP", "CREATE", keys.PAST, "historians", "0", "MKSTREAM")
    other = Past(redis_url, DOOR, "h2")
    call = other.send("view", "demo", "e12", view="digest", args={})
    link.call("XREADGROUP", "GROUP", "historians", "gone", "COUNT", 1, "STREAMS", keys.PAST, ">")
    other.start()
    assert other.answer(call)["delivered"] == 12
    other.stop()


def test_two_historians_share_the_clusters(live: Live, redis_url: str, link: resp.Link) -> None:
    lived(live, 3)
    with past(redis_url, DOOR) as one:
        two = Past(redis_url, DOOR, "h2").start()
        wait_for(
            lambda: link.call("EXISTS", keys.past_alive("h2")) and link.call("EXISTS", keys.past_alive("h1")), "both"
        )
        for number in range(10, 18):
            assert one.view(f"e{number}", "digest")["delivered"] == number
        holder = link.call("GET", keys.keeper("demo")).decode()
        idle = {"h1": two, "h2": one}[holder]
        assert idle.process is not None and not psutil.Process(idle.process.pid).children()
        two.stop()


def test_a_cluster_made_anew_has_another_past(live: Live, asked: Past, link: resp.Link) -> None:
    at = f"e{lived(live, 4)[-1]['delivered']}"
    assert asked.view(at, "store")
    link.call("DEL", *keys.every("demo"))
    again = Live(link, DOOR)
    again.turn(seconds=4.0, turns=20)
    assert asked.view(at, "store") == {}
    with pytest.raises(Failed):
        asked.view("e90", "store")


def test_another_version_is_said(live: Live, asked: Past) -> None:
    live.runner.mark.world = "older"
    live.runner._commit(live.wall)
    with pytest.raises(Failed, match="503: This cluster was made by another version"):
        asked.view("e3", "store")


def test_a_fork_has_the_same_past_and_another_future(live: Live, asked: Past, link: resp.Link) -> None:
    seen = lived(live, 10, (2, 5))
    at = seen[6]
    clock = asked.ask("fork", at=f"e{at['delivered']}", name="branch", described={"seed": 1})
    assert clock["paused"] is True and clock["nowMicros"] <= int(at["now"]) // 1000
    branch = Live(link, DOOR, "branch", make=False)
    assert sorted(branch.runner.lab.store) == at["store"] and branch.runner.delivered == at["delivered"]
    branch.turn(branch.post("/objects/only-here"))
    branch.until(6_000_000)
    assert "/objects/only-here" in branch.runner.lab.store and "/objects/only-here" not in live.runner.lab.store
    for moment in (seen[1], seen[4], seen[6]):
        assert asked.view(f"e{moment['delivered']}", "digest", "branch")["digest"] == moment["digest"]
    with pytest.raises(Failed, match="409: There is a cluster named 'branch' already"):
        asked.ask("fork", at="e9", name="branch", described={})
    branch.boot()
    assert "/objects/only-here" in branch.runner.lab.store


def test_idle_worlds_are_bounded(live: Live, asked: Past) -> None:
    lived(live, 30)
    for number in range(10, 90):
        asked.view(f"e{number}", "digest")
    assert asked.process is not None
    assert len(psutil.Process(asked.process.pid).children(recursive=True)) <= 48 + 2
