"""The network page's other views: no axe violation and no sideways scroll, a dump pasted and walked, a wrong line shown, costs drawn as they come."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.axe import faults
from tests.browser.conftest import Site
from tests.browser.fixture_world import DATA
from tests.browser.test_pages import SIDEWAYS, SMALLEST

Open = Callable[..., Page]
PATH = "/clusters/demo/network/?service=default/web&tab="
POINT = {"lines": 9, "bytes": 9, "partialLines": 0, "syncMillis": 1.5, "walkMicros": 80.0}


@pytest.mark.parametrize(
    ("tab", "theme", "language"),
    [
        ("modes", "screen", "ko"),
        ("paste&example=1", "light", "ko"),
        ("rules", "dark", "ko"),
        ("changes", "light", "en"),
    ],
)
def test_every_view_is_whole(open_page: Open, tab: str, theme: str, language: str) -> None:
    page = open_page(PATH + tab, width=1024, height=768, theme=theme, language=language)
    assert faults(page) == []
    assert page.evaluate(SIDEWAYS) <= 0
    size, text = page.evaluate(SMALLEST)
    assert size >= (19.5 if theme == "screen" else 11.9), text


def test_a_dump_is_pasted_walked_and_corrected(open_page: Open) -> None:
    page = open_page(PATH + "paste")
    rules = (DATA / "rules.txt").read_text()
    page.locator("#p-dump").fill(rules.replace("--dport 80 ", "--dport eighty ", 1))
    for name, value in (("src", "10.244.1.9"), ("dst", "10.96.118.42"), ("port", "80"), ("ips", "172.18.0.11")):
        page.locator(f"#p-{name}").fill(value)
    page.get_by_role("button", name="Walk it").click()
    wrong = page.get_by_role("alert")
    line = next(n for n, text in enumerate(rules.splitlines(), 1) if "--dport 80 " in text)
    expect(wrong).to_contain_text(f"line {line}:")
    expect(wrong).to_be_focused()
    expect(wrong.locator(".here")).to_contain_text("--dport eighty")
    page.locator("#p-dump").fill(rules)
    page.get_by_role("button", name="Walk it").click()
    expect(page.locator("[data-walk-verdict]")).to_contain_text("DNAT to one of 2 endpoints.")
    expect(page.locator("[data-walk-verdict]")).to_be_focused()
    page.locator("[data-follow]").nth(1).click()
    expect(page.locator(".end.chosen").first).to_contain_text("10.244.1.3:8080")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-walk-where]")).to_contain_text("6 of")


def test_costs_are_drawn_as_they_come(open_page: Open) -> None:
    page = open_page(PATH + "modes")
    points = [
        {**POINT, "mode": mode, "services": n, "asked": n + 15} for n in (10, 100) for mode in ("iptables", "ipvs")
    ]
    page.route("**/network/cost", lambda route: route.fulfill(body="".join(json.dumps(p) + "\n" for p in points)))
    page.get_by_role("button", name="Measure now").click()
    expect(page.locator("[data-figures] tbody tr")).to_have_count(4)
    expect(page.locator(".curve .dot")).to_have_count(4)
    expect(page.locator(".curve .series").first).to_have_text("iptables 115")


def test_rules_are_searched_folded_and_followed(open_page: Open) -> None:
    page = open_page(PATH + "rules")
    expect(page.locator(".tree-svg .card.endpoint")).to_have_count(2)
    page.locator("#n-q").fill("10.244.1.3:8080")
    page.keyboard.press("Enter")
    expect(page.locator(".chainbox")).to_have_count(2)
    expect(page.locator(".rules .hit")).to_have_count(2)
    page.locator("#n-q").fill("")
    page.keyboard.press("Enter")
    box = page.locator("#c-nat-KUBE-SVC-CDGGSHYLG3RE2FKL")
    expect(page.locator(".tree-svg")).to_be_visible()
    box.get_by_role("link", name="KUBE-SEP-2AZ33KU3V5PGPQZH").click()
    expect(page.locator("#c-nat-KUBE-SEP-2AZ33KU3V5PGPQZH[open] .rules")).to_be_visible()


def test_a_change_is_followed_to_every_node(open_page: Open) -> None:
    page = open_page(PATH + "changes")
    expect(page.locator("main")).to_contain_text("10.244.1.2:8080 is gone. Until the last node has synced, 710 ms")
    expect(page.locator(".gantt .node.gone")).to_have_count(3)
    expect(page.get_by_role("link", name="Trace request #4102")).to_have_attribute(
        "href", "/clusters/demo/requests/4102/"
    )
    expect(page.locator(".diff .del")).to_have_count(1)


def test_a_clicker_steps_the_packet_and_not_the_clock(open_page: Open, site: Site) -> None:
    """On the projector and while the clock stands: a page's own steps come first."""
    page = open_page("/clusters/demo/network/?service=default/web&screen&step=1", width=1024, height=768)
    page.locator("[data-do=toggle]").evaluate("button => button.click()")
    before = len(site.calls())
    for _ in range(4):
        page.keyboard.press("PageDown")
    expect(page.locator(".net-chain .here")).to_contain_text("--to-destination 10.244.1.2:8080")
    assert [call for call in site.calls()[before:] if call[1].endswith("/step")] == []
    page.locator("[data-do=toggle]").evaluate("button => button.click()")
    expect(page.locator("[data-do=toggle]")).to_have_text("Pause")


def test_a_measurement_that_fails_says_so_and_can_be_begun_again(open_page: Open) -> None:
    page = open_page(PATH + "modes", quiet=False)
    answers = iter([(json.dumps({**POINT, "mode": "ipvs", "services": 10, "asked": 9}) + '\n{"error": "no memory"}\n', 200), ("", 503)])  # fmt: skip

    def answer(route: Route) -> None:
        body, status = next(answers)
        route.fulfill(body=body, status=status)

    page.route("**/network/cost", answer)
    for why in ("no memory", "503"):
        page.get_by_role("button", name="Measure now").click()
        expect(page.get_by_role("alert")).to_contain_text(f"It could not be measured: {why}")
        expect(page.locator("[data-progress]")).to_be_hidden()


def test_back_shows_the_packet_of_its_address(open_page: Open) -> None:
    page = open_page("/clusters/demo/network/?service=default/web&step=3")
    page.evaluate("window.same = true")
    where = page.locator("[data-walk-where]")
    first = where.inner_text()
    page.locator("#n-from").select_option("node-2")
    expect(page).to_have_url(re.compile("from=node-2"))
    page.locator("[data-step]").nth(0).click()
    expect(where).to_contain_text("1 of")
    page.go_back()
    expect(page).to_have_url(re.compile(r"service=default/web&step=3$"))
    expect(where).to_have_text(first)
    expect(page.locator("#n-from")).not_to_have_value("node-2")
    page.go_forward()
    expect(page.locator("#n-from")).to_have_value("node-2")
    expect(where).to_contain_text("1 of")
    assert page.evaluate("window.same"), "no page was loaded"


def test_what_could_not_be_shown_is_said(open_page: Open) -> None:
    page = open_page("/clusters/demo/network/?service=default/web", quiet=False)
    page.route("**/network/?*", lambda route: route.fulfill(status=500, body="no"))
    page.locator("#n-from").select_option("node-2")
    expect(page.locator("[data-caption]")).to_contain_text("500")


def test_keys_scroll_a_region_and_do_not_step(open_page: Open) -> None:
    page = open_page("/clusters/demo/network/?service=default/web&step=3")
    page.locator(".net-ledger").focus()
    page.keyboard.press("End")
    expect(page.locator("[data-walk-where]")).to_contain_text("3 of")


@pytest.mark.parametrize("query", ["way=²", "way=" + 30 * "9", "step=²", "dst=10.96.0.1&port=²", "to=10.96.0.1:²/tcp"])
def test_what_is_no_number_is_no_error(open_page: Open, query: str) -> None:
    page = open_page(f"/clusters/demo/network/?service=default/web&{query}")
    expect(page.locator(".net")).to_have_count(1)
