"""The etcd page under one's hands: a message is chosen, a cut is drawn and pressed, a set-up is one key, panels change in place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from explainer.fragments import log_drawing, raft_view, ring_drawing
from tests.browser import etcd_world
from tests.browser.conftest import Site

Open = Callable[..., Page]
ETCD = "/clusters/demo/etcd/"
API = "/api/clusters/demo"


def posts(site: Site, since: int) -> list[tuple[str, object]]:
    return [(path.removeprefix(API), body) for method, path, body in site.calls()[since:] if method != "GET"]


def test_a_message_says_what_it_carries_and_is_delivered_by_choice(open_page: Open, site: Site) -> None:
    page = open_page(ETCD)
    site.wait_for_sockets()
    site.frame(paused=True)
    message = page.locator(".ring .msg")
    expect(message).to_have_count(1)
    expect(message.locator("text")).to_have_text("App +1")
    since = len(site.calls())
    message.focus()
    expect(page.locator(".msg-note")).to_contain_text("logTerm 3 · index 811 · commit 812")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Deliver now").click()
    expect(page.locator(".msg-note")).to_have_count(0)
    expect(page.locator("[data-caption]")).to_contain_text("Chosen: MsgApp: m2 → m1")
    assert ("/messages/71/deliver", {}) in posts(site, since)


def test_a_line_drawn_across_the_ring_parts_it(open_page: Open, site: Site) -> None:
    page = open_page(ETCD)
    box = page.locator(".ring").bounding_box()
    assert box is not None
    since = len(site.calls())
    page.mouse.move(box["x"] + 10, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 10, box["y"] + box["height"] * 0.5, steps=4)
    expect(page.locator("[data-drawn] text")).to_have_text("1 | 2")
    page.mouse.up()
    expect(page.locator("[data-caption]")).to_contain_text("Only a side with 2 of 3 votes can go on")
    ((path, body),) = posts(site, since)
    assert path == "/network/cuts"
    assert sorted(map(tuple, body["cut"])) == [("m1", "m2"), ("m1", "m3"), ("m2", "m1"), ("m3", "m1")]  # type: ignore[index]


def test_ways_are_cut_by_keys_and_panels_change_in_place(open_page: Open, site: Site) -> None:
    page = open_page(ETCD)
    page.evaluate("window.same = true")
    page.locator("[data-tab=ways]").click()
    cell = page.locator('[data-way-cell="m1 m3"]')
    expect(cell).to_have_attribute("aria-pressed", "false")
    since = len(site.calls())
    cell.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-caption]")).to_have_text("m3 does not hear m1 any more.")
    assert posts(site, since) == [("/network/cuts", {"cut": [["m1", "m3"]]})]
    page.locator("[data-tab=keys]").click()
    page.locator("[data-key^=file-]").click()
    expect(page.locator(".key-history")).to_contain_text("/spec/replicas")
    page.locator("[data-tab=promises]").click()
    expect(page.locator(".promises")).to_contain_text("term 3: m2")
    assert page.evaluate("window.same") and "tab=promises" in page.url


def test_a_set_up_is_one_key_and_says_what_will_be_seen(open_page: Open, site: Site) -> None:
    page = open_page(ETCD)
    since = len(site.calls())
    page.keyboard.press("2")
    expect(page.locator("[data-caption]")).to_contain_text("m2 is cut off. See it go on believing")
    (path, _), (clock, pace) = posts(site, since)
    assert (path, clock, pace) == ("/network/cuts", "/clock", {"rate": 0.1, "paused": False})
    expect(page.get_by_role("button", name="Undo")).to_be_visible()


def test_a_digit_without_an_event_is_no_set_up(open_page: Open, site: Site) -> None:
    page = open_page(ETCD + "?tab=next")
    since = len(site.calls())
    page.locator("[data-panel=next] .panel").focus()
    page.keyboard.press("1")  # nothing can be chosen while the clock runs
    page.locator("[data-cell][tabindex='0']").focus()
    page.keyboard.press("2")
    expect(page.locator("[data-caption]")).to_contain_text("m2 is cut off.")
    assert [path for path, _ in posts(site, since)] == ["/network/cuts", "/clock"]


def test_an_entry_opens_in_whichever_reading_brings_it(open_page: Open) -> None:
    page = open_page(ETCD, quiet=False)
    lost = iter([True])

    def answer(route: Route) -> None:
        if next(lost, False):
            route.abort()
        else:
            route.continue_()

    page.route("**/etcd/?*tab=entries*", answer)
    with page.expect_event("console"):  # the browser tells of the reading that was lost
        page.locator('[data-cell][tabindex="0"]').focus()
        page.keyboard.press("Enter")
    index = page.locator('[data-cell][tabindex="0"]').get_attribute("data-cell").split(":")[1]  # type: ignore[union-attr]
    expect(page.locator(f"[data-entry='{index}'] pre")).to_be_visible()


def test_a_form_is_kept_while_the_clock_runs_and_fresh_once_sent(open_page: Open, site: Site) -> None:
    page = open_page(ETCD + "?tab=members")
    page.locator("#new-member").fill("m9")
    page.get_by_label("as a learner").uncheck()
    term = fixture_term(page)
    for _ in range(2):  # the page reads on, whoever has the focus
        page.locator("[data-cell][tabindex='0']").focus()
        with page.expect_response("**part=live**"):
            pass
    expect(page.locator("#new-member")).to_have_value("m9")
    expect(page.get_by_label("as a learner")).not_to_be_checked()
    assert fixture_term(page) == term
    since = len(site.calls())
    page.locator("#new-member").press("Enter")
    expect(page.locator("[data-caption]")).to_contain_text("m9")
    assert posts(site, since)[-1] == ("/etcd/members", {"name": "m9", "learner": False})


def fixture_term(page: Page) -> str:
    return page.locator("[data-row] td.num").first.inner_text()


def test_what_a_set_up_did_before_it_failed_can_be_undone(open_page: Open) -> None:
    page = open_page(ETCD, quiet=False)
    page.route("**/etcd/timers", lambda route: route.fulfill(status=409, json={"error": "No."}))
    page.keyboard.press("1")
    expect(page.locator("[data-caption]")).to_contain_text("That could not be done: No.")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()


def test_keys_without_a_slash_have_a_place(open_page: Open) -> None:
    page = open_page(ETCD + "?tab=keys&prefix=default/")
    crumbs = page.locator(".key-list .crumbs a")
    expect(crumbs).to_have_text(["all keys", "default/"])
    crumbs.first.click()
    expect(crumbs).to_have_text(["all keys"])
    expect(page.locator(".key-rows a")).to_have_text(["default/", "web"])


@pytest.mark.parametrize("query", ["until=²", "tab=keys&rev=²", "tab=keys&rev=" + 30 * "9"])
def test_what_is_no_number_is_no_error(open_page: Open, query: str) -> None:
    expect(open_page(f"{ETCD}?{query}").locator("main [data-live]")).to_have_count(1)


@pytest.mark.parametrize("count", range(1, 10))
def test_members_never_touch_each_other_nor_leave_the_sheet(count: int) -> None:
    one = etcd_world.bench()
    model = {**one, "members": [{**one["members"][0], "id": f"m{n}"} for n in range(1, count + 1)]}
    for big in (False, True):
        places = ring_drawing.ring(model, big)
        assert len(places) == count
        for a in places:
            reach = ring_drawing.TIMER * a["scale"]
            assert reach <= a["x"] <= ring_drawing.WIDE - reach and reach <= a["y"] <= ring_drawing.TALL - reach
            for b in places:
                apart = ((a["x"] - b["x"]) ** 2 + (a["y"] - b["y"]) ** 2) ** 0.5
                assert a is b or apart > 2 * reach + 4, (count, big)


def test_a_wall_parts_neighbours_only_and_has_everybody_on_the_right_side() -> None:
    model = etcd_world.bench()
    model["members"] = [{**model["members"][0], "id": f"m{n}"} for n in range(1, 6)]
    members = ring_drawing.ring(model)
    ids = [m["id"] for m in members]

    def ways(side: list[str]) -> list[list]:
        return [[a, b, "cut" if (a in side) != (b in side) else "ok", 0] for a in ids for b in ids if a != b]

    for side in (["m1"], ["m2", "m3"], ["m5", "m1"]):
        found = ring_drawing.wall(members, ways(side))
        assert found is not None and found["line"]
        assert sorted(map(sorted, found["sides"])) == sorted([sorted(side), [id for id in ids if id not in side]])
        line = found["line"]
        turn = {
            m["id"]: (line["x2"] - line["x1"]) * (m["y"] - line["y1"])
            > (line["y2"] - line["y1"]) * (m["x"] - line["x1"])
            for m in members
        }
        assert len({turn[id] for id in side}) == 1 and {turn[id] for id in ids if id not in side} == {not turn[side[0]]}
    assert ring_drawing.wall(members, ways(["m1", "m3"]))["line"] is None  # type: ignore[index]
    assert ring_drawing.wall(members, ways([])) is None


@pytest.mark.parametrize(
    ("text", "said", "where"),
    [
        ("put /registry/pods/default/web={}", "write pods default/web", ("pods", "default", "web")),
        (
            "txn if mod(/registry/minions/node-1)=0 then put /registry/minions/node-1={}",
            "create nodes node-1",
            ("nodes", "-", "node-1"),
        ),
        ("delete /registry/services/specs/a/b", "delete services a/b", ("services", "a", "b")),
        ("put /registry/example.com/toys/a/b={}", "write toys a/b", ("toys.example.com", "a", "b")),
        ("put /lab/k=v", "put /lab/k=v", ("", "", "")),
        ("compact 7", "compact 7", ("", "", "")),
    ],
)
def test_an_entry_opens_to_the_object_it_carries(text: str, said: str, where: tuple[str, str, str]) -> None:
    assert log_drawing.line(text) == said
    found = log_drawing.what(text)
    assert (found["resource"], found["namespace"], found["name"]) == where


def test_a_cell_tells_committed_stored_written_doomed_and_missing_apart() -> None:
    model = etcd_world.bench()
    lagging, leader = model["members"][0], model["members"][1]
    leader["log"][-1] = [813, 3, "put k=1", 0]
    lagging |= {
        "commit": 810,
        "durable": 811,
        "log": [[810, 3, "a", 0], [811, 3, "b", 0], [812, 3, "c", 0], [813, 2, "d", 0]],
    }
    cells = {cell["index"]: cell["state"] for cell in log_drawing.logs(model)["rows"][0]["cells"]}
    assert [cells[n] for n in (809, 810, 811, 812, 813)] == ["missing", "committed", "stored", "writing", "doomed"]


def test_what_an_event_would_do_is_said_in_words() -> None:
    rows = raft_view.due(etcd_world.bench())
    assert rows[0]["said"] == "m1 receives entries from m2: 1." and rows[0]["does"] == [
        "appends up to 812",
        "commits up to 812",
    ]
    assert rows[2]["does"] == ["becomes pre-candidate", "sends MsgPreVote to m1, m2"]
