"""The HA page and a lesson's panel: acts reach the control API by button and by keys, what was tried is listed, the slider computes, a step ends."""

from __future__ import annotations

from collections.abc import Callable

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


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("screen", 1024)])
def test_a_step_is_answered_done_and_left(open_page: Open, site: Site, theme: str, width: int) -> None:
    site.hand("lesson", {"slug": "two-of-three", "step": 0, "visited": {}, "done": [], "answers": {}, "fork": 0})
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
    site.hand("lesson", {})
