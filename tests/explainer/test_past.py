"""The past of a little cluster: any moment of it again, while it lives on; forks; what a kill of the historian does."""

import random
from collections.abc import Iterator

import psutil
import pytest

from explainer.runs import annals, keys, resp, tape
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


def test_a_page_makes_looking_back_quick_beforehand(live: Live, asked: Past) -> None:
    live.turn(seconds=12.0, turns=5)
    assert asked.ask("warm") == {}
    assert asked.process is not None
    historian = psutil.Process(asked.process.pid)
    wait_for(lambda: historian.children(recursive=True), "frozen worlds")


def test_idle_worlds_are_bounded(live: Live, asked: Past) -> None:
    lived(live, 30)
    for number in range(10, 90):
        asked.view(f"e{number}", "digest")
    assert asked.process is not None
    assert len(psutil.Process(asked.process.pid).children(recursive=True)) <= 48 + 2


# -- steps ---------------------------------------------------------------------------------------------------------------


def step(asked: Past, at: str, direction: str, **more: object) -> str:
    return asked.ask("step", at=at, direction=direction, by=more.get("by", "event"), request=more.get("request", 0))[
        "at"
    ]


def test_back_and_forward_again_is_where_one_was(live: Live, asked: Past) -> None:
    seen = lived(live, 6, (2,))
    start = at = f"e{seen[4]['delivered']}"
    trail = []
    for _ in range(8):
        at = step(asked, at, "back")
        trail.append((at, asked.view(at, "digest")))
    assert [int(at[1:]) for at, _ in trail] == sorted((int(at[1:]) for at, _ in trail), reverse=True)
    for before, digest in reversed(trail):
        assert at == before and asked.view(at, "digest") == digest
        at = step(asked, at, "forward")
    assert at == start


def test_steps_at_the_edges(live: Live, asked: Past) -> None:
    lived(live, 3)
    delivered = live.runner.delivered
    assert step(asked, "", "back") == f"e{delivered}"  # the clock stands a little after the last event
    assert step(asked, f"e{delivered}", "back") == f"e{delivered - 1}"
    assert step(asked, "", "forward") == "" == step(asked, f"e{delivered}", "forward")
    assert step(asked, "e1", "back") == "e0" == step(asked, "e0", "back")
    assert step(asked, "e0", "forward") == "e1"


def test_steps_by_stage_skip_what_is_none(live: Live, asked: Past) -> None:
    lived(live, 4)
    live.turn(seconds=3.0)
    at = step(asked, "", "back", by="stage")
    requests = [row["startMicros"] for row in asked.view(at, "requests")]
    assert len(requests) == 4 and asked.view(at, "clock")["nowMicros"] == max(requests)
    assert step(asked, at, "forward", by="stage") == ""


# -- comparing, what if ---------------------------------------------------------------------------------------------------


def test_what_differs_between_two_moments_and_two_branches(live: Live, asked: Past) -> None:
    seen = lived(live, 4)
    compared = asked.ask(
        "compare", at=f"e{seen[1]['delivered']}", other="demo", other_at=f"e{seen[2]['delivered']}", quiet=False
    )
    assert [(row["change"], row["name"]) for row in compared["objects"]] == [("added", "2")] and compared["total"] == 1
    assert compared["objects"][0]["patch"] == [{"op": "add", "path": "", "value": {"body": "x"}}]
    back = asked.ask("compare", at="", other="demo", other_at=f"e{seen[2]['delivered']}", quiet=False)
    assert [row["change"] for row in back["objects"]] == ["removed"]
    asked.ask("fork", at="", name="twin", described={})
    same = asked.ask("compare", at="", other="twin", other_at="", quiet=False)
    assert same["objects"] == [] and same["right"]["cluster"] == "twin" and same["left"]["at"] == same["right"]["at"]


def test_what_if_a_request_had_never_been_made(live: Live, asked: Past, link: resp.Link) -> None:
    lived(live, 6, (2,))
    live.until(5_000_000)
    rows = live.runner.lab.query("requests")
    without = {"request": rows[2]["id"], "startMicros": rows[2]["startMicros"]}
    clock = asked.ask("what-if", name="never", described={}, without=without)
    assert clock["nowMicros"] == 5_000_000
    branch = Live(link, DOOR, "never", make=False)
    assert sorted(branch.runner.lab.store) == [f"/objects/{n}" for n in (0, 1, 3, 4, 5)]
    assert sorted(live.runner.lab.store) == [f"/objects/{n}" for n in range(6)]
    # the same things have the same numbers in both branches, and the branch replays as it was made
    assert {row["id"] for row in branch.runner.lab.query("requests")} == {row["id"] for row in rows} - {rows[2]["id"]}
    assert asked.view("", "digest", "never")["digest"] == branch.runner.lab.digest()
    row = asked.ask("compare", at="", other="never", other_at="", quiet=False)["objects"]
    assert [(one["change"], one["name"]) for one in row] == [("removed", "2")]
    for wrong, status in (({"input": 99}, 404), ({"request": 9999, "startMicros": 1}, 404), ({"request": 7}, 404)):
        with pytest.raises(Failed) as failed:
            asked.ask("what-if", name="wrong", described={}, without=wrong)
        assert failed.value.status == status


def test_an_input_taken_out(live: Live, asked: Past, link: resp.Link) -> None:
    lived(live, 3)
    asked.ask("what-if", name="less", described={}, without={"input": 1})
    assert sorted(Live(link, DOOR, "less", make=False).runner.lab.store) == ["/objects/1", "/objects/2"]


# -- limits ---------------------------------------------------------------------------------------------------------------


def test_a_history_within_its_limit(live: Live, asked: Past, link: resp.Link) -> None:
    seen = lived(live, 4, (0, 1, 2, 3))
    link.call("HSET", keys.mark("demo"), "limit", 6000)
    for number in range(4, 24):
        body = bytes(random.Random(number).randbytes(700)).hex().encode()
        live.turn(live.post(f"/objects/{number}", body), seconds=0.3)
        seen.append({**digest(live), "store": sorted(live.runner.lab.store)})
        live.runner.keep()
    rows = annals.chapters_of(link.call("HVALS", keys.chapters("demo")))
    assert rows[0].broken and rows[0].world and len(rows) < 10
    assert asked.view(f"e{seen[-2]['delivered']}", "digest")["digest"] == seen[-2]["digest"]
    with pytest.raises(Failed, match="404: The history of this cluster begins at"):
        asked.view(f"e{seen[2]['delivered']}", "store")
    live.boot()
    assert sorted(live.runner.lab.store) == seen[-1]["store"]
    live.turn(live.post("/objects/after"), seconds=0.3)
    assert "/objects/after" in asked.view("", "store")
    asked.ask("fork", at="", name="young", described={})
    assert asked.view(f"e{seen[-1]['delivered']}", "digest", "young")["digest"] == seen[-1]["digest"]


def chapters(count: int, world: int = 1000, held: int = 10) -> list[annals.Chapter]:
    return [annals.Chapter(n, n * 10**9, n * 100, n, False, world, held) for n in range(1, count + 1)]


def test_which_worlds_go() -> None:
    kept = chapters(40)
    worlds, gone = annals.what_goes(kept, 1 << 30)
    assert len(worlds) == 40 - annals.WORLDS and gone == []
    assert not {c.number for c in worlds} & {38, 39, 40}  # dense near now
    worlds, gone = annals.what_goes(kept, 5000)
    assert gone == [] and 40 - len(worlds) <= 4
    worlds, gone = annals.what_goes(chapters(10, 10, 1000), 3500)
    assert [c.number for c in gone] == [1, 2, 3, 4, 5, 6, 7] and worlds == []
    worlds, gone = annals.what_goes(chapters(10, 1000, 1000), 1)
    assert [c.number for c in gone] == [1, 2, 3, 4, 5, 6, 7, 8, 9]  # the newest two worlds stay whatever the limit
    assert annals.what_goes([], 1) == ([], [])


# -- the tape -------------------------------------------------------------------------------------------------------------


def test_the_tape_counts_what_stands_close() -> None:
    writer = tape.Writer()
    for number in range(5000):
        frame = {
            "t": "request",
            "id": number,
            "outcome": "allow",
            "verb": "get",
            "resource": "pods",
            "client": "1.2.3.4:5",
        }
        writer.add([{**frame, "endMicros": number, "e": number}], 0, 0)
    writer.add([{"t": "raft", "role": "leader", "term": 3, "member": "m2", "atMicros": 2500, "e": 7}], 0, 0)
    rows = writer.rows
    shown = tape.shown(rows, 0, 5_000_000, 100)
    assert len(shown) <= 101 and sum(mark.get("count", 1) for mark in shown) == 5001
    assert [mark for mark in shown if mark["kind"] == "election"] == [
        {"atMicros": 2500, "at": "e7", "kind": "election", "label": "m2", "outcome": "ok"}
    ]
    near = tape.shown(rows, 1_000_000, 1_005_000, 100)
    assert [mark["at"] for mark in near] == [f"e{n}" for n in range(1000, 1006)] and near[0]["request"] == 1000
    assert len(tape.shown(rows, 0, 5_000_000, 1)) <= 2
    coarse = tape.coarser(rows)
    assert len(coarse) <= tape.MOST + 1 and sum(row.count for row in coarse) == 5001
    assert ("request", "allow", 5000, 0) in tape.counts(coarse)


def test_the_tape_leaves_out_what_components_ask_and_try_again() -> None:
    writer = tape.Writer()
    inside = {"t": "request", "id": 1, "client": "kubelet-node-1", "endMicros": 1, "verb": "get", "resource": "nodes"}
    for outcome, code in (("allow", 200), ("error", 404), ("error", 409)):
        writer.add([{**inside, "outcome": outcome, "code": code}], 0, 0)
    assert writer.rows == []
    writer.add([{**inside, "outcome": "deny", "code": 403}], 0, 0)
    assert [row.outcome for row in writer.rows] == ["deny"]


def test_a_restart_tells_nothing_on_the_tape_twice(live: Live, link: resp.Link) -> None:
    lived(live, 5, (2,))

    def told() -> int:
        past = annals.Annals(link, "demo")
        return sum(row.count for row in past.tape(0, 1 << 62) if row.kind == "request")

    assert told() == 5
    live.boot()
    live.turn(live.post("/objects/z"))
    live.runner.keep()
    assert told() == 6
