"""The projector, the presenter's window, followers, the autopilot: what each shows, hears and leaves alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Site

Open = Callable[..., Page]
MAP = "/clusters/demo/"
TRACE = "/clusters/demo/requests/4060/"
PICTURES = {
    "map": "/clusters/demo/?screen",
    "etcd": "/clusters/demo/etcd/?screen",
    "trace": "/clusters/demo/requests/4060/?step=10&screen",
    "denied": "/clusters/demo/requests/4102/?screen",
    "requests": "/clusters/demo/requests/?screen",
    "network": "/clusters/demo/network/?service=default/web&screen",
}


def beside(page: Page, path: str) -> Page:
    """Another window of the same browser."""
    context: BrowserContext = page.context
    other = context.new_page()
    other.set_viewport_size({"width": 1200, "height": 800})
    origin = page.evaluate("location.origin")
    other.goto(origin + path)
    other.locator("html[data-ready]").wait_for()
    return other


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_projector_is_one_picture_one_sentence_and_a_title_block(open_page: Open, name: str, language: str) -> None:
    page = open_page(PICTURES[name], width=1024, height=768, language=language)
    box = page.locator(".middle").bounding_box()
    assert box is not None
    assert box["width"] * box["height"] >= 0.7 * 1024 * 768
    caption = page.locator(":is(.caption, .caption-now):visible")  # where both can be, what was done last is silent now
    expect(caption).to_have_count(1)
    assert caption.evaluate("el => getComputedStyle(el).fontSize") == "24px"
    expect(caption).not_to_have_text("")
    expect(page.locator(".title-block:visible")).to_have_count(1)
    for chrome in (".top-row", ".inspector", ".dock", ".bottom"):
        shown = page.locator(chrome).evaluate_all(
            "els => els.filter(el => el.checkVisibility({ opacityProperty: true })).length"
        )
        assert shown == 0 or (name == "network" and chrome == ".inspector"), chrome
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_projector_shows_its_controls_where_the_plane_line_is(open_page: Open) -> None:
    page = open_page("/clusters/demo/?screen", width=1024, height=768)
    before = page.locator("[data-map]").bounding_box()
    page.mouse.move(300, 300)
    page.mouse.move(310, 320)
    expect(page.locator("html.is-pointed")).to_have_count(1)
    expect(page.locator(".top-row")).to_have_css("opacity", "1")
    assert page.locator("[data-map]").bounding_box() == before
    row, plane = page.locator(".top-row").bounding_box(), page.locator("main").bounding_box()
    assert row is not None and plane is not None
    assert row["y"] + row["height"] <= plane["y"] + 1


def test_a_clicker_steps_blanks_and_pauses(open_page: Open, site: Site) -> None:
    page = open_page(TRACE + "?step=2&screen", width=1024, height=768)
    caption = page.locator("[data-sentence]")
    first = caption.text_content()
    page.keyboard.press("PageDown")
    expect(page).to_have_url(re.compile("step=3"))
    expect(caption).not_to_have_text(first or "")
    page.keyboard.press("PageUp")
    expect(caption).to_have_text(first or "")
    page.keyboard.press("b")
    cover = page.locator(".blank")
    expect(cover).to_be_visible()
    size = cover.bounding_box()
    assert size is not None
    assert (size["width"], size["height"]) == (1024, 768)
    page.keyboard.press("PageDown")
    expect(cover).to_have_count(0)
    expect(page).to_have_url(re.compile("step=2"))
    before = len(site.calls())
    page.keyboard.press(".")
    page.wait_for_function(
        "n => fetch('/-/calls', {method: 'POST', body: 'null'}).then(r => r.json()).then(a => a.calls.length > n)",
        arg=before,
    )
    assert site.calls()[-1][:2] == ["PATCH", "/api/clusters/demo/clock"]


def test_pages_without_steps_step_the_clock(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/?screen", width=1024, height=768)
    page.keyboard.press("PageDown")
    page.wait_for_timeout(200)
    assert site.calls()[-1][:2] == ["POST", "/api/clusters/demo/clock/step"]


def test_the_presenter_sees_and_sends_the_projector(open_page: Open) -> None:
    projector = open_page(TRACE + "?step=2&screen", width=1024, height=768)
    presenter = beside(projector, "/clusters/demo/presenter/")
    expect(presenter.locator("[data-shows]")).to_be_visible()
    expect(presenter.locator("[data-shows-caption]")).to_have_text(
        projector.locator("[data-sentence]").text_content() or ""
    )
    presenter.get_by_role("button", name="Next").click()
    expect(projector).to_have_url(re.compile("step=3"))
    presenter.keyboard.press("b")
    expect(projector.locator(".blank")).to_be_visible()
    expect(presenter.get_by_role("button", name="Blank")).to_have_attribute("aria-pressed", "true")
    presenter.get_by_role("button", name="Blank").click()
    presenter.locator(".send").get_by_role("link", name="Map").click()
    expect(projector).to_have_url(re.compile(r"/clusters/demo/\?screen"))
    expect(presenter).to_have_url(re.compile("presenter"))
    expect(presenter.locator("[data-picture-copy] > svg")).to_have_count(1)
    assert presenter.locator("[data-picture-copy] [id]").count() == 0
    projector.close()
    expect(presenter.locator("[data-none]")).to_be_visible(timeout=6000)


def test_notes_stay(open_page: Open) -> None:
    page = open_page("/clusters/demo/presenter/")
    page.locator("[data-notes]").fill("Ask them first: who talks to etcd?")
    page.reload()
    expect(page.locator("[data-notes]")).to_have_value("Ask them first: who talks to etcd?")
    expect(page.locator("[data-elapsed]")).to_have_text(re.compile(r"0:0\d"))
    expect(page.locator("[data-wall]")).to_have_text(re.compile(r"\d:\d\d"))


def test_sharing_tells_the_server_where_the_projector_is(open_page: Open, site: Site) -> None:
    projector = open_page(TRACE + "?step=2&screen", width=1024, height=768)
    presenter = beside(projector, "/clusters/demo/presenter/")
    expect(presenter.locator("[data-shows]")).to_be_visible()
    presenter.locator("[data-share]").check()
    expect(presenter.locator("[data-share-said]")).to_contain_text("go where the projector goes")
    told = [call for call in site.calls() if call[1].endswith("/presenter")]
    assert told[-1][0] == "PUT"
    assert told[-1][2]["url"] == TRACE + "?step=2"


def show(site: Site, record: Any) -> None:
    site.hand("frame", {"presenter": record})


def test_a_viewer_follows_until_they_move(open_page: Open, site: Site) -> None:
    page = open_page(TRACE + "?step=2&lang=ko")
    site.wait_for_sockets()
    show(site, {"url": TRACE + "?screen=&step=4", "title": "POST", "seq": 1})
    button = page.locator("[data-follow]")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(page).to_have_url(re.compile("step=2"))
    button.click()
    expect(page).to_have_url(re.compile("step=4"))
    expect(button).to_have_attribute("aria-pressed", "true")
    show(site, {"url": "/clusters/demo/etcd/?screen=", "title": "etcd", "seq": 2})
    expect(page).to_have_url(re.compile(r"/etcd/\?lang=ko$"))
    site.wait_for_sockets()
    show(site, {"url": "/clusters/demo/etcd/?screen=", "title": "etcd", "seq": 3})
    expect(button).to_have_attribute("aria-pressed", "true")
    page.mouse.move(600, 400)
    page.mouse.wheel(0, 100)
    expect(button).to_have_attribute("aria-pressed", "false")
    show(site, {"url": MAP, "title": "Map", "seq": 4})
    page.wait_for_timeout(150)
    expect(page).to_have_url(re.compile("/etcd/"))
    button.click()
    expect(page).to_have_url(re.compile(r"/clusters/demo/\?lang=ko$"))
    site.wait_for_sockets()
    show(site, None)
    expect(button).to_have_count(0)


def test_the_autopilot_goes_round_and_rests_when_somebody_comes(open_page: Open, site: Site) -> None:
    before = len(site.calls())
    page = open_page("/clusters/demo/?screen&autopilot=0.03", width=1024, height=768, reduced_motion="reduce")
    page.wait_for_url(re.compile(r"/requests/\d+/"))
    page.wait_for_url(re.compile(r"step=\d"))
    page.wait_for_url(re.compile(r"/etcd/"))
    page.wait_for_url(re.compile(r"/network/"))
    page.wait_for_url(re.compile(r"/clusters/demo/\?screen"))
    assert {call[0] for call in site.calls()[before:]} <= {"GET"}
    page.locator("html[data-autopilot]").wait_for(state="attached")
    page.keyboard.press("Shift")
    note = page.locator(".autopilot")
    expect(note).to_be_visible()
    expect(note).to_contain_text("rests")
    expect(note).to_be_hidden(timeout=8000)


def test_the_autopilot_stays_where_it_is_while_the_server_is_away(open_page: Open) -> None:
    page = open_page("/clusters/demo/etcd/?screen&autopilot=0.1", width=1024, height=768, quiet=False)
    page.route("**/network/**", lambda route: route.abort())
    page.wait_for_timeout(2600)
    expect(page).to_have_url(re.compile("/etcd/"))
    page.unroute("**/network/**")
    page.wait_for_url(re.compile("/network/"))
