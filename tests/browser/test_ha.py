"""The HA page and a lesson's panel: acts reach the control API by button and by keys, what was tried is listed, the slider computes, a step ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from explainer.fragments import availability
from tests.browser.axe import faults
from tests.browser.conftest import Site

Open = Callable[..., Page]
PLAYED = "/clusters/lesson-two-of-three-test"


def test_hosts_fail_as_a_unit_by_button_and_by_keys(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/ha/")
    page.locator("[data-host-do][data-host=cp-2]").click()
    expect(page.locator("[data-acted-said]")).to_contain_text("cp-2 was switched off")
    assert site.calls()[-1] == ["POST", "/api/clusters/demo/hosts/cp-2/stop", {}]
    page.locator(".ha-picture [data-host=cp-1]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("d")
    expect(page.locator("[data-acted-said]")).to_contain_text("cp-3 was switched off")
    assert site.calls()[-1] == ["POST", "/api/clusters/demo/hosts/cp-3/stop", {}]
    expect(page.locator("[data-undo]")).to_have_count(1)


def test_what_was_tried_what_it_costs_and_how_likely_it_is(open_page: Open) -> None:
    page = open_page("/clusters/demo/ha/")
    expect(page.locator("[data-line]")).to_have_count(11)
    expect(page.locator("table.cost tbody tr")).to_have_count(9)
    slider = page.locator("[data-odds-rate]")
    slider.fill("-1")
    expect(page.locator("[data-odds-told]")).to_have_text("10 %")
    down = 100 * (1 - availability.etcd(5, 0.1))
    expect(page.locator("[data-size='5'] [data-down]")).to_have_text(f"{down:.3f} %")
    own = 100 * (1 - availability.control_plane(3, 0, 0, 0.1))
    expect(page.locator("tr.own [data-down]")).to_have_text(f"{own:.2f} %")


@pytest.fixture
def begun(site: Site) -> Iterator[Callable[..., None]]:
    """Begin the lesson, at a step; it is over when the test is."""

    def begin(**more: object) -> None:
        first = {"slug": "two-of-three", "step": 0, "visited": {}, "done": [], "answers": {}, "fork": 0}
        site.hand("lesson", {**first, **more})

    yield begin
    site.hand("lesson", {})


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("screen", 1024)])
def test_a_step_is_answered_done_and_left(
    open_page: Open, site: Site, begun: Callable[..., None], theme: str, width: int
) -> None:
    begun()
    page = open_page(f"{PLAYED}/ha/", width=width, height=768, theme=theme)
    panel = page.locator(".lesson")
    panel.locator("[data-lesson-answer='1']").click()
    expect(panel.locator(".lesson-verdict")).to_contain_text("Right.")
    if theme == "screen":
        page.keyboard.press("PageDown")  # a clicker
    else:
        panel.locator("[data-go=next]").click()
    expect(panel.locator("[data-lesson-sentence]")).to_contain_text("Switch off two control-plane hosts")
    expect(page.locator(".ha-picture.lesson-mark")).to_have_count(1)
    panel.locator("[data-lesson-act='0']").click()
    expect(panel.locator("[data-lesson-state]")).to_contain_text("Done.")
    assert ["POST", "/api/clusters/lesson-two-of-three-test/lesson", {"op": "act", "act": 0}] in site.calls()
    assert faults(page) == []
    page.reload()
    expect(panel.locator("[data-lesson-state]")).to_contain_text("Done.")
    panel.locator("[data-go=next]").click()
    page.wait_for_url("**/requests/**")


def test_a_verdict_is_announced_and_the_keys_go_on_from_it(open_page: Open, begun: Callable[..., None]) -> None:
    begun()
    page = open_page(f"{PLAYED}/ha/")
    page.locator("[data-lesson-answer='0']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-lesson-said]")).to_contain_text("Not quite.")
    expect(page.locator(".lesson [data-go=next]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-lesson-said]")).to_contain_text("Switch off two control-plane hosts")
    expect(page.locator(".lesson [data-go=next]")).to_be_focused()


def test_a_step_that_is_not_known_any_more_is_fetched_once(open_page: Open, begun: Callable[..., None]) -> None:
    """What was told is older than the panel: the next question decides, nothing is fetched over and over."""
    begun()
    page = open_page(f"{PLAYED}/ha/")
    fetched: list[str] = []
    stale = {"slug": "two-of-three", "step": 3, "done": [], "answers": {}, "said": "", "wrong": [], "holds": False}
    page.route("**/api/clusters/*/lesson", lambda route: route.fulfill(json={**stale, "href": "/"}))
    page.on("request", lambda one: fetched.append(one.url) if "/lesson/" in one.url else None)
    for _ in range(3):
        with page.expect_request("**/api/clusters/*/lesson"):
            pass
    assert 1 <= len(fetched) <= 3, fetched


def test_a_cluster_that_cannot_be_asked_is_said(open_page: Open, site: Site, begun: Callable[..., None]) -> None:
    begun(step=1, trouble="Nobody runs the cluster now.")
    page = open_page(f"{PLAYED}/ha/")
    expect(page.locator("[data-lesson-trouble]")).to_have_text("Nobody runs the cluster now.")
    begun(step=1)
    expect(page.locator("[data-lesson-trouble]")).to_be_hidden()


def test_a_clicker_leaves_no_step_undone(open_page: Open, site: Site, begun: Callable[..., None]) -> None:
    begun(step=4)
    page = open_page(f"{PLAYED}/ha/", theme="screen", width=1024, height=768)
    onward = page.locator(".lesson [data-go=next]")
    expect(onward).not_to_have_class("primary")
    page.keyboard.press("PageDown")
    expect(page.locator(".lesson [data-go=next]")).to_have_count(1)
    assert "/ha/" in page.url
    begun(step=4, done=[4])
    expect(onward).to_have_class("button primary")
    page.keyboard.press("PageDown")
    page.wait_for_url("**/lessons/**")


def test_what_another_layout_refused_is_read_before_one_goes_there(open_page: Open) -> None:
    page = open_page("/clusters/demo/ha/")
    told = {"name": "demo-external", "copied": 2, "refused": ["Pod default/web: no room", "Secret default/s: no"]}
    page.route("**/api/clusters/demo/again", lambda route: route.fulfill(json=told, status=201))
    page.get_by_role("button", name="Make it and compare").click()
    said = page.locator("[data-switch] [data-said]")
    expect(said).to_contain_text("with 2 objects of this cluster; its apiserver refused 2:")
    expect(said.locator("li")).to_have_text(told["refused"])
    said.get_by_role("link", name="Put beside").click()
    page.wait_for_url("**/ha/?with=demo-external")
