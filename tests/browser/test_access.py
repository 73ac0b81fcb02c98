"""WCAG 2.2 AA on every page: axe in both languages, on every sheet, at three widths, with nothing left undecided; keys, focus, targets, reflow,
spacing, and what a reader's own settings ask for.

A page is loaded once a language and sheet; light and dark differ by their colours alone, so in the dark only contrast is asked again.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import CONTRAST, faults
from tests.browser.test_pages import PAGES, SIDEWAYS

Open = Callable[..., Page]
EVERY = {**PAGES, "presenter": "/clusters/demo/presenter/", "missing": "/clusters/nosuch/"}
WIDTHS = ((1440, 900), (1024, 768), (390, 844))


def sheet(page: Page, name: str) -> None:
    page.evaluate("name => { document.documentElement.dataset.theme = name; }", name)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", EVERY)
def test_axe_in_light_and_dark(open_page: Open, name: str, language: str) -> None:
    page = open_page(EVERY[name], language=language, quiet=name != "missing")
    found = {}
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        sheet(page, "light")
        found[f"light {width}"] = faults(page)
        sheet(page, "dark")
        found[f"dark {width}"] = faults(page, CONTRAST)
        found[f"sideways {width}"] = [str(page.evaluate(SIDEWAYS))] if page.evaluate(SIDEWAYS) > 0 else []
    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", [name for name in EVERY if name != "presenter"])
def test_axe_on_the_projector(open_page: Open, name: str, language: str) -> None:
    page = open_page(EVERY[name], language=language, theme="screen", width=1440, quiet=name != "missing")
    found = {}
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        found[str(width)] = faults(page)
    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.parametrize("name", EVERY)
def test_reflow_at_320(open_page: Open, name: str) -> None:
    """WCAG 1.4.10: what is 1280 wide at 400 % is 320 wide; nothing needs scrolling in two directions."""
    page = open_page(EVERY[name], width=320, height=700, language="ko", quiet=name != "missing")
    assert page.evaluate(SIDEWAYS) <= 0


SPACED = """() => {
  const clipped = () => new Set([...document.querySelectorAll('body *')].filter((el) => {
    const style = getComputedStyle(el);
    if (!el.checkVisibility() || el.closest('svg, .visually-hidden, .tape') || !el.textContent.trim()) return false;
    if (style.overflowX !== 'hidden' && style.overflowX !== 'clip' && style.overflowY !== 'hidden') return false;
    if (style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none') return false;
    return el.scrollHeight > el.clientHeight + 2 || el.scrollWidth > el.clientWidth + 2;
  }));
  const before = clipped();
  const rules = new CSSStyleSheet();
  rules.replaceSync('* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; } p { margin-bottom: 2em !important; }');
  document.adoptedStyleSheets = [rules];
  return [...clipped()].filter((el) => !before.has(el)).map((el) => el.outerHTML.slice(0, 120));
}"""


@pytest.mark.parametrize("name", EVERY)
def test_wider_text_is_not_cut(open_page: Open, name: str) -> None:
    """WCAG 1.4.12: a reader's own spacing loses no text."""
    page = open_page(EVERY[name], quiet=name != "missing")
    assert page.evaluate(SPACED) == []


FOCUS = """() => {
  const el = document.activeElement;
  if (!el || el === document.body) return null;
  const style = getComputedStyle(el), box = el.getBoundingClientRect();
  const name = el.getAttribute('aria-label') || el.textContent.trim() || el.labels?.[0]?.textContent.trim() || el.getAttribute('title')
    || el.getAttribute('placeholder') || (el.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(' ').trim();
  return {
    html: el.outerHTML.slice(0, 140), name, ring: style.outlineStyle !== 'none' ? parseFloat(style.outlineWidth) : 0,
    seen: box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth && box.width > 0,
    native: el.matches('video, audio'),
  };
}"""


@pytest.mark.parametrize("name", ["map", "trace", "etcd", "network", "style", "presenter"])
def test_keys_reach_everything_and_show_where_they_are(open_page: Open, name: str) -> None:
    page = open_page(EVERY[name])
    seen = []
    for i in range(70):
        page.keyboard.press("Tab")
        here = page.evaluate(FOCUS)
        if here is None:
            break
        if i == 0:
            assert "skip" in here["html"]
        seen.append(here)
    assert len(seen) > 5
    assert [one["html"] for one in seen if not one["name"]] == []
    assert [one["html"] for one in seen if one["ring"] < 2] == []
    assert [one["html"] for one in seen if not one["seen"]] == []


def test_skip_link_goes_to_the_picture(open_page: Open) -> None:
    page = open_page("/clusters/demo/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_readers_own_colours_reach_the_drawings(open_page: Open) -> None:
    page = open_page("/clusters/demo/", forced_colors="active")
    text, line, ground = page.evaluate(
        """() => { const of = (selector, what) => getComputedStyle(document.querySelector(selector))[what];
        return [of('svg.map .name, [data-map] .name', 'fill'), of('[data-map] .outline', 'stroke'), of('body', 'backgroundColor')]; }"""
    )
    assert text == line != ground


def test_more_contrast_is_given(open_page: Open) -> None:
    for theme in ("light", "dark"):
        page = open_page("/style/", theme=theme, contrast="more")
        assert page.evaluate(
            "getComputedStyle(document.querySelector('.second')).color === getComputedStyle(document.body).color"
        )


def test_less_motion_stops_every_transition(open_page: Open) -> None:
    page = open_page("/clusters/demo/", reduced_motion="reduce")
    slow = "[...document.querySelectorAll('*')].filter(el => parseFloat(getComputedStyle(el).transitionDuration) > 0).length"
    assert page.evaluate(slow) == 0


def test_dialog_keeps_the_focus_and_gives_it_back(open_page: Open) -> None:
    page = open_page("/style/")
    button = page.locator("[data-show]")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(button).to_be_focused()
