"""WCAG 2.2 AA on every page: axe in both languages, on every sheet, from a wall to a telephone, with nothing left undecided; keys, focus,
targets, reflow, spacing, the least size of letters, and what a reader's own settings ask for.

A page is loaded three times and turned in place: in English on a desk, in Korean in the hand, on the projector. Light and dark differ by their
colours alone, so in the dark only contrast is asked again; at a second width only what depends on where things lie.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import CONTRAST, LAYOUT, faults, sheet
from tests.browser.test_pages import PAGES, SIDEWAYS, SMALLEST

Open = Callable[..., Page]
EVERY = {
    **PAGES,
    "presenter": "/clusters/demo/presenter/",
    "missing": "/clusters/nosuch/",
    "clusters": "/clusters/",
    "past": "/clusters/demo/?at=e4960",
    "branches": "/clusters/demo/compare/?with=what-if&at=e4960",
    "long trace": "/clusters/demo/requests/70001/?step=8",
    "refused": "/clusters/demo/requests/70002/",
    "two requests": "/clusters/demo/requests/compare/?a=70002&b=70003",
    "one of two": "/clusters/demo/requests/compare/?a=70002",
    "crowd": "/clusters/crowd/?select=node:node-7",
    "cells": "/clusters/cells/?select=node:node-7",
    "lessons": "/lessons/",
    "a lesson": "/lessons/two-of-three/",
    "a node's network": "/clusters/demo/network/?tab=node",
}


def load(open_page: Open, name: str, **options: object) -> Page:
    """The page, with its tree of causes unfolded if it has one."""
    page = open_page(EVERY[name], quiet=name != "missing", **options)
    for unfold in page.locator("[data-fold=none]:visible").all():
        unfold.click()
    return page


def size(page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})


def wrong(page: Page, least: float) -> list[str]:
    """What needs scrolling sideways, and letters that are too small."""
    over, (smallest, text) = page.evaluate(SIDEWAYS), page.evaluate(SMALLEST)
    return [f"{over} px sideways"] * (over > 0) + [f"{smallest} px: {text}"] * (smallest < least)


def none(found: dict[str, list[str]]) -> None:
    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.parametrize("name", EVERY)
def test_on_a_desk(open_page: Open, name: str) -> None:
    page = load(open_page, name)
    found = {"light": faults(page), "wide": wrong(page, 11.9)}
    sheet(page, "dark")
    found["dark"] = faults(page, CONTRAST)
    sheet(page, "light")
    size(page, 1024, 768)
    found["narrower"] = faults(page, LAYOUT) + wrong(page, 11.9)
    size(page, 1440, 900)
    found["wider text is not cut"] = page.evaluate(SPACED)  # WCAG 1.4.12: a reader's own spacing loses no text
    none(found)


@pytest.mark.parametrize("name", EVERY)
def test_in_the_hand(open_page: Open, name: str) -> None:
    page = load(open_page, name, language="ko", width=390, height=844)
    found = {"light": faults(page), "narrow": wrong(page, 11.9)}
    sheet(page, "dark")
    found["dark"] = faults(page, CONTRAST)
    for width, height in ((320, 700), (1280, 720), (1024, 768)):  # WCAG 1.4.10: what is 1280 wide at 400 % is 320
        size(page, width, height)
        found[f"reflow {width}"] = wrong(page, 0)
    none(found)


@pytest.mark.parametrize("name", [name for name in EVERY if name != "presenter"])
def test_on_the_projector(open_page: Open, name: str) -> None:
    page = open_page(EVERY[name], language="ko", theme="screen", width=1024, height=768, quiet=name != "missing")
    found = {"1024": faults(page) + wrong(page, 19.5)}
    size(page, 390, 844)
    found["390"] = faults(page, LAYOUT)
    none(found)


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
