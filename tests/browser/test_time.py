"""The time machine's face: the tape, looking back, steps, forks, bookmarks, links to a moment; what the past must not do."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser import fixture_world as world
from tests.browser.axe import CONTRAST, faults, sheet
from tests.browser.conftest import Site

Open = Callable[..., Page]
POD = {
    "t": "object",
    "type": "ADDED",
    "resource": "pods",
    "namespace": "default",
    "uid": "uid-fresh",
    "name": "fresh-1",
    "node": "node-3",
    "phase": "Ready",
    "ready": True,
}


def at(page: Page) -> str:
    """The moment in the page's address."""
    return parse_qs(urlsplit(page.url).query).get("at", [""])[0]


def slider(page: Page) -> str:
    return page.locator("[data-tape-slider]").get_attribute("aria-valuetext") or ""


@pytest.fixture
def live_map(open_page: Open, site: Site) -> Page:
    page = open_page("/clusters/demo/")
    site.wait_for_sockets()
    page.wait_for_function("() => document.querySelector('[data-tape-face] canvas').width > 400")
    return page


def test_a_moment_is_drawn_by_the_server_alone(open_page: Open) -> None:
    page = open_page("/clusters/demo/?at=e4960", java_script_enabled=False)
    expect(page.locator(".title-block .state")).to_have_text("AS OF")
    expect(page.locator(".as-of")).to_contain_text("AS OF rev 788 · 0:01:13.456")
    expect(page.locator(".as-of")).to_contain_text("Live is 10.0 s ahead.")
    expect(page.locator("[data-name^='web-']")).to_have_count(0)
    page.get_by_role("link", name="Live").click()
    expect(page.locator("[data-name^='web-']")).to_have_count(3)


def test_arrows_go_mark_by_mark_and_the_page_follows(live_map: Page) -> None:
    live_map.locator("[data-tape-slider]").focus()
    live_map.keyboard.press("ArrowLeft")
    expect(live_map.locator("body")).to_have_attribute("data-at", re.compile(r"^e\d+$"))
    assert slider(live_map).startswith("Pod gone: mynginx, 0:01:22.")
    live_map.keyboard.press("ArrowLeft")
    live_map.keyboard.press("ArrowLeft")
    expect(live_map.locator("[data-tape-slider]")).to_have_attribute(
        "aria-valuetext", re.compile("Request denied: 403 list nodes")
    )
    expect(live_map.locator("body")).to_have_attribute("data-at", world.exact(world.NOW - 3_000_000))
    live_map.keyboard.press("Home")
    expect(live_map.locator("[data-name^='web-']")).to_have_count(0)
    assert at(live_map) == str(world.KEPT_SINCE)
    live_map.keyboard.press("End")
    expect(live_map.locator("body:not([data-at])")).to_have_count(1)
    assert at(live_map) == ""
    assert slider(live_map) == "Live"


def test_nothing_live_is_painted_into_the_past(live_map: Page, site: Site) -> None:
    live_map.keyboard.press("[")
    expect(live_map.locator("body[data-at]")).to_have_count(1)
    revision = live_map.locator(".plane [data-revision]").text_content()
    site.frame(POD, revision=900, nowMicros=world.NOW + 9_000_000, paused=True)
    expect(live_map.locator("[data-behind]")).to_have_text(re.compile(r"Live is 10\.[23] s ahead\."))
    assert live_map.locator('[data-uid="id-fresh"]').count() == 0
    assert live_map.locator(".plane [data-revision]").text_content() == revision
    assert "fresh-1" not in live_map.locator("[data-feed]").inner_text()


def test_a_page_opened_in_the_past_hears_nothing_either(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/?at=e4960")
    site.wait_for_sockets()
    site.frame(POD, revision=900, nowMicros=world.NOW + 9_000_000, paused=True)
    expect(page.locator("[data-behind]")).to_have_text("Live is 19.0 s ahead.")
    expect(page.locator(".title-block [data-revision]")).to_have_text("788")
    assert page.locator('[data-uid="id-fresh"]').count() == 0


def test_back_to_live_misses_nothing_that_happened_meanwhile(live_map: Page, site: Site) -> None:
    live_map.keyboard.press("[")
    expect(live_map.locator("body[data-at]")).to_have_count(1)
    live_map.keyboard.press("l")
    expect(live_map.locator("body:not([data-at])")).to_have_count(1)
    site.frame(POD, revision=901)
    expect(live_map.locator('[data-uid="id-fresh"]')).to_have_count(1)
    expect(live_map.locator(".plane [data-revision]")).to_have_text("901")


def test_step_back_and_forward_by_buttons_keys_and_clicker(live_map: Page) -> None:
    live_map.get_by_role("button", name="Step back").click()
    expect(live_map.locator("body")).to_have_attribute("data-at", "e4999")
    live_map.keyboard.press(",")
    expect(live_map.locator("body")).to_have_attribute("data-at", "e4998")
    live_map.keyboard.press("PageUp")
    expect(live_map.locator("body")).to_have_attribute("data-at", "e4997")
    live_map.keyboard.press("PageDown")
    expect(live_map.locator("body")).to_have_attribute("data-at", "e4998")
    live_map.get_by_role("button", name="Step forward").click()
    expect(live_map.locator("body")).to_have_attribute("data-at", "e4999")
    live_map.keyboard.press("s")
    expect(live_map.locator("body:not([data-at])")).to_have_count(1)


def test_a_requests_page_steps_back_by_stage(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/requests/4060/")
    before = len(site.calls())
    page.get_by_role("button", name="Stage back").click()
    expect(page.locator("body")).to_have_attribute("data-at", "e4999")
    said = [call[2] for call in site.calls()[before:] if call[1].endswith("/history/step")]
    assert said == [{"at": "", "direction": "back", "by": "stage", "request": 4060}]


def test_dragging_previews_and_letting_go_looks_there(live_map: Page) -> None:
    box = live_map.locator("[data-tape-face]").bounding_box()
    assert box is not None
    y = box["y"] + 40
    live_map.mouse.move(box["x"] + box["width"] - 30, y)
    live_map.mouse.down()
    live_map.mouse.move(box["x"] + box["width"] * 0.5, y, steps=4)
    expect(live_map.locator("[data-tape-label]")).to_have_text(re.compile(r"^0:00:5\d\.\d{3}$"))
    assert at(live_map) == ""
    live_map.mouse.up()
    expect(live_map.locator("body[data-at]")).to_have_count(1)
    assert 50_000_000 < int(at(live_map)) < 60_000_000


def test_zoom_from_an_hour_to_a_microsecond(live_map: Page) -> None:
    live_map.keyboard.press("[")
    expect(live_map.locator("body[data-at]")).to_have_count(1)
    for _ in range(24):
        live_map.keyboard.press("+")
    box = live_map.locator("[data-tape-face]").bounding_box()
    assert box is not None
    live_map.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
    expect(live_map.locator("[data-tape-label]")).to_have_text(re.compile(r"\.\d{3} \d{3}$"))
    for _ in range(40):
        live_map.keyboard.press("-")
    live_map.mouse.move(box["x"] + box["width"] * 0.41, box["y"] + 60)
    expect(live_map.locator("[data-tape-label]")).to_be_hidden()


def test_acts_on_the_past_are_offered_on_a_fork(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/?at=e4960&select=process:m2", quiet=False)
    before = len(site.calls())
    page.locator("[data-fault=stop]").click()
    dialog = page.get_by_role("dialog", name="Fork")
    expect(dialog).to_contain_text("The past can't be changed.")
    assert [call for call in site.calls()[before:] if call[0] != "GET"] == []
    dialog.get_by_label("Name").fill("again")
    dialog.get_by_role("button", name="Fork and open").click()
    page.wait_for_url(re.compile("/clusters/again/"))
    posts = [call for call in site.calls()[before:] if call[0] == "POST"]
    assert posts[0] == ["POST", "/api/clusters/demo/fork", {"name": "again", "at": "e4960"}]
    assert posts[1] == ["POST", "/api/clusters/again/processes/m2/stop", {}]


def test_a_forks_name_that_is_taken_is_said(open_page: Open) -> None:
    live_map = open_page("/clusters/demo/", quiet=False)
    live_map.keyboard.press("f")
    dialog = live_map.get_by_role("dialog", name="Fork")
    dialog.get_by_label("Name").fill("demo")
    dialog.get_by_role("button", name="Fork and open").click()
    expect(dialog.get_by_role("alert")).to_contain_text("There is a cluster 'demo' already.")
    live_map.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_what_if_a_request_had_never_been_made(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/?at=e4999", quiet=False)
    before = len(site.calls())
    page.get_by_role("button", name="What if").click()
    dialog = page.get_by_role("dialog", name="Fork")
    dialog.get_by_label(re.compile("never asked to create deployments/web")).check()
    dialog.get_by_label("Name").fill("without-web")
    dialog.get_by_role("button", name="Fork and open").click()
    page.wait_for_url(re.compile("/clusters/without-web/"))
    posts = [call[2] for call in site.calls()[before:] if call[0] == "POST"]
    assert posts == [{"name": "without-web", "at": "e4999", "without": {"request": 4060}}]


def test_a_bookmark_is_a_mark_one_can_go_to(live_map: Page) -> None:
    live_map.keyboard.press("[")
    expect(live_map.locator("body[data-at]")).to_have_count(1)
    live_map.keyboard.press("b")
    dialog = live_map.get_by_role("dialog", name="Bookmark")
    dialog.get_by_label("Name").fill("here it went")
    dialog.get_by_role("button", name="Set").click()
    expect(dialog).to_be_hidden()
    live_map.keyboard.press("h")
    sheet = live_map.get_by_role("dialog", name="History")
    expect(sheet).to_contain_text("3.1 of 64 MB")
    sheet.get_by_role("button", name="Remove: here it went").click()
    expect(sheet.get_by_role("button", name="Remove: here it went")).to_have_count(0)


def test_the_history_sheet_sets_what_is_kept_and_lists_the_marks(live_map: Page, site: Site) -> None:
    live_map.keyboard.press("h")
    sheet = live_map.get_by_role("dialog", name="History")
    sheet.get_by_label("Keep at most").select_option("128 MB")
    expect(sheet).to_contain_text("of 128 MB")
    assert ["PATCH", "/api/clusters/demo/history", {"limitBytes": 134217728}] in site.calls()
    sheet.get_by_role("link", name=re.compile("0:01:02.000")).click()
    expect(live_map.locator("body[data-at]")).to_have_count(1)


def test_a_link_opens_exactly_this_moment_selection_and_language(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/?at=e4960&select=process:m2", language="ko")
    page.keyboard.press("c")
    link = page.locator("#copy-link")
    expect(link).to_have_value(re.compile("at=e4960"))
    address = link.input_value()
    assert parse_qs(urlsplit(address).query) == {"at": ["e4960"], "select": ["process:m2"], "lang": ["ko"]}
    other = open_page(address.removeprefix(site.url), language="en")
    expect(other.locator("html")).to_have_attribute("lang", "ko")
    expect(other.locator("[data-selected='process:m2']")).to_have_count(1)
    assert [c["name"] for c in other.context.cookies() if "language" in c["name"]] == ["django_language"]
    assert next(c["value"] for c in other.context.cookies() if c["name"] == "django_language") == "en"


def test_browsers_back_returns_to_the_moment_before(live_map: Page) -> None:
    live_map.keyboard.press("[")
    expect(live_map.locator("body[data-at]")).to_have_count(1)
    live_map.go_back()
    expect(live_map.locator("body:not([data-at])")).to_have_count(1)


def test_a_moment_that_is_not_kept_says_so(open_page: Open) -> None:
    page = open_page("/clusters/demo/?at=5", quiet=False)
    expect(page.get_by_role("heading", name="This moment is not kept")).to_be_visible()
    page.get_by_role("link", name="Look at the live cluster").click()
    expect(page.locator("[data-map]")).to_have_count(1)


def test_the_past_differs_in_greyscale_by_three_cues(open_page: Open) -> None:
    now, then = open_page("/clusters/demo/"), open_page("/clusters/demo/?at=e4960")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert now.evaluate(ground) != then.evaluate(ground)
    hatched = "getComputedStyle(document.querySelector('.middle'), '::before').maskImage"
    assert now.evaluate(hatched) == "none" and "svg" in then.evaluate(hatched)
    assert now.locator(".plane .after").count() == 0 and then.locator(".plane .after").count() == 1
    assert now.locator(".as-of").count() == 0 and then.locator(".as-of").count() == 1
    assert then.locator(".title-block .state").text_content() == "AS OF"


def test_the_sheet_keeps_its_place_when_it_turns(live_map: Page) -> None:
    live_map.wait_for_timeout(300)
    places = "['.picture', '[data-map]', '[data-tape-face]', '.title-block', '[data-do=back]'].map(s => { const b = document.querySelector(s).getBoundingClientRect(); return [b.x, b.y].map(Math.round).join() })"
    before = live_map.evaluate(places)
    live_map.keyboard.press("[")
    expect(live_map.locator("body[data-at]")).to_have_count(1)
    after = live_map.evaluate(places)
    assert after[:3] == before[:3]
    assert after[4] == before[4]


def test_a_trace_takes_another_moment_in_place(open_page: Open) -> None:
    page = open_page("/clusters/demo/requests/4060/?step=3&at=e4960")
    page.evaluate("window.same = true")
    page.locator("[data-do=back]").click()
    expect(page).to_have_url(re.compile("at=e4959"))
    expect(page.locator("body")).to_have_attribute("data-at", "e4959")
    assert page.evaluate("window.same"), "without reload"
    expect(page.locator("[data-where]")).to_have_text(re.compile("^3 of "))
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-where]")).to_have_text(re.compile("^4 of "))
    page.locator("[data-do=live]").click()
    expect(page.locator("body[data-at]")).to_have_count(0)
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-where]")).to_have_text(re.compile("^5 of "))
    assert page.evaluate("window.same")


def test_dialogs_are_accessible(open_page: Open) -> None:
    page = open_page("/clusters/demo/")
    found = {}
    for name in ("fork", "bookmark", "copy", "history", "help"):
        dialog = f"[data-dialog={name}]"
        page.locator(f"[data-open={name}], [data-do={name}]").first.click()
        expect(page.locator(dialog)).to_be_visible()
        found[name] = faults(page, within=dialog)
        sheet(page, "dark")
        found[f"{name} in the dark"] = faults(page, CONTRAST, dialog)
        sheet(page, "light")
        page.keyboard.press("Escape")
        expect(page.locator(dialog)).to_be_hidden()
    assert {where: what for where, what in found.items() if what} == {}


def test_single_keys_can_be_switched_off(live_map: Page) -> None:
    live_map.keyboard.press("?")
    live_map.get_by_label("Single keys work on this page").uncheck()
    live_map.keyboard.press("Escape")
    live_map.keyboard.press("f")
    live_map.keyboard.press("h")
    expect(live_map.locator("dialog[open]")).to_have_count(0)


def test_nothing_is_asked_or_painted_while_the_clock_stands(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/")
    site.wait_for_sockets()
    site.frame(paused=True)
    expect(page.locator("[data-do=toggle]")).to_have_text("Resume")
    page.wait_for_timeout(500)
    counted = page.evaluate("""async () => {
      let frames = 0, timers = 0;
      const raf = window.requestAnimationFrame, later = window.setTimeout;
      window.requestAnimationFrame = (f) => (frames++, raf(f));
      window.setTimeout = (...rest) => (timers++, later(...rest));
      await new Promise((done) => later(done, 1200));
      return [frames, timers];
    }""")
    assert counted == [0, 0]
