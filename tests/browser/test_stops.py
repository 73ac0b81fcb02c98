"""The stops panel, the console's blocks and completion, and the first steps: by hand and by keys, in both languages. The control API is played."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import fixture_world
from tests.browser.axe import CONTRAST, faults, sheet
from tests.browser.conftest import Site

Open = Callable[..., Page]
NOW = fixture_world.NOW


class Played:
    """The control API of the stops, the console and the objects as a page sees it; what it was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.points: list[dict[str, Any]] = []
        self.held: list[dict[str, Any]] = []
        self.until: dict[str, Any] | tuple[int, str] = {"reached": True, "because": None}
        self.words: list[dict[str, Any]] = []

    def on(self, page: Page) -> None:
        page.route("**/api/clusters/demo/breakpoints**", self.breakpoints)
        page.route("**/api/clusters/demo/clock/until", self.run_until)
        page.route("**/api/clusters/demo/console/complete", self.complete)
        page.route("**/api/clusters/demo/objects/**", lambda route: route.fulfill(json=[{"metadata": {"name": "web"}}]))

    def breakpoints(self, route: Route) -> None:
        request = route.request
        body = request.post_data_json
        self.asked.append((request.method, request.url.rpartition("/demo")[2], body))
        if request.method == "POST":
            if body["stage"] == "tls" and body.get("user"):
                sentence = "At tls nobody knows the user yet: stop at authentication or later."
                route.fulfill(status=422, json={"error": sentence})
                return
            self.points.append({"id": str(len(self.points) + 1), **body, "hits": 0})
            route.fulfill(status=201, json=self.points[-1])
            return
        if request.method == "DELETE":
            self.points = [one for one in self.points if one["id"] != request.url.rpartition("/")[2]]
        route.fulfill(json={"breakpoints": self.points, "held": self.held, "limit": 64})

    def run_until(self, route: Route) -> None:
        self.asked.append(("POST", "/clock/until", route.request.post_data_json))
        if isinstance(self.until, tuple):
            route.fulfill(status=self.until[0], json={"error": self.until[1]})
        else:
            route.fulfill(json={"nowMicros": NOW, "rate": 1, "paused": True, **self.until})

    def complete(self, route: Route) -> None:
        self.asked.append(("POST", "/console/complete", route.request.post_data_json))
        line = route.request.post_data_json["line"]
        start = line.rfind(" ") + 1
        words = [word for word in self.words if word["word"].startswith(line[start:])]
        route.fulfill(json={"start": start, "words": words, "more": 0})


@pytest.fixture
def played() -> Played:
    return Played()


@pytest.fixture
def opened(open_page: Open, site: Site, played: Played) -> Open:
    def inner(path: str = "/clusters/demo/", **options: Any) -> Page:
        page = open_page(path, before=played.on, **options)
        site.wait_for_sockets()
        return page

    return inner


HELD = {
    "request": 4102,
    "breakpoint": "1",
    "stage": "authorization",
    "component": "kube-apiserver-cp-1",
    "user": "jane",
    "method": "POST",
    "path": "/api/v1/namespaces/default/pods",
    "userAgent": "kubectl/v1.32.4",
    "sinceMicros": NOW,
    "sinceWallMs": 0,
}
STOPPED = {
    "breakpoint": "1",
    "request": 4102,
    "stage": "authorization",
    "sentence": "",
    "sinceMicros": NOW,
    "sinceWallMs": 1,
}


def stop(site: Site, played: Played) -> None:
    played.points = [{"id": "1", "stage": "authorization", "hits": 1}]
    played.held = [HELD]
    site.frame(stopped=STOPPED, held=1, paused=True)


# -- stops -------------------------------------------------------------------------------------------------------------


def test_a_breakpoint_is_set_and_removed_by_keys_alone(opened: Open, played: Played) -> None:
    page = opened()
    page.locator(".stops > summary").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("None. A request that reaches a breakpoint")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#stop-stage")).to_be_focused()
    page.keyboard.type("Mutating")
    page.locator("#stop-suffix").focus()
    page.keyboard.type("ServiceAccount")
    page.keyboard.press("Tab")
    page.keyboard.type("create")
    page.keyboard.press("Tab")
    page.keyboard.type("pods")
    page.keyboard.press("Enter")
    row = page.locator("[data-points] tbody tr")
    expect(row).to_contain_text("Mutating admission · ServiceAccount")
    expect(row).to_contain_text("create · pods")
    said = {"stage": "mutating-admission/ServiceAccount", "verb": "create", "resource": "pods"}
    assert ("POST", "/breakpoints", said) in played.asked
    row.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(row).to_have_count(0)
    expect(page.locator("[data-stops-said]")).to_contain_text("Removed the breakpoint")
    page.keyboard.press("Escape")
    expect(page.locator(".stops > summary")).to_be_focused()


def test_what_is_wrong_is_said_in_a_sentence(opened: Open, played: Played) -> None:
    page = opened(quiet=False)  # the browser logs every refused call
    page.locator(".stops > summary").click()
    page.select_option("#stop-stage", "tls")
    page.fill("#stop-user", "jane")
    page.locator("[data-point-form] button").click()
    expect(page.locator("[data-stops-wrong]")).to_have_text(
        "At tls nobody knows the user yet: stop at authentication or later."
    )


def test_who_is_held_where_and_since_when(opened: Open, site: Site, played: Played) -> None:
    page = opened()
    stop(site, played)
    expect(page.locator(".stops > summary")).to_contain_text("1 held")
    expect(page.locator("[data-feed]")).to_contain_text("by jane stands at Authorization. The clock is stopped.")
    page.locator(".stops > summary").click()
    link = page.locator("[data-held-rows] a")
    expect(link).to_have_text("jane waits at Authorization")
    expect(link).to_have_attribute("href", "/clusters/demo/requests/4102/")
    expect(page.locator("[data-since]")).to_contain_text("since 0:")
    page.get_by_role("button", name="Next stage").click()
    expect(page.locator("[data-stops-said]")).to_be_empty()
    assert ["POST", "/api/clusters/demo/clock/step", {"request": 4102}] in site.calls()
    page.locator("[data-stops-do=resume]").click()
    played.held = []
    site.frame(stopped=None, held=0, paused=False)
    expect(page.locator("[data-held]")).to_be_hidden()
    assert ["PATCH", "/api/clusters/demo/clock", {"paused": False}] in site.calls()


def test_run_until_an_expression(opened: Open, played: Played) -> None:
    page = opened()
    page.locator(".stops > summary").click()
    cel = 'pods.filter(p, p.status.phase == "Running").size() >= 3'
    page.fill("#until-cel", cel)
    played.until = {"reached": True, "because": {"resource": "pods", "name": "web-1", "revision": 812}}
    page.keyboard.press("Enter")
    expect(page.locator("[data-stops-said]")).to_have_text("It holds since pods web-1 changed (revision 812).")
    assert ("POST", "/clock/until", {"cel": cel, "limitMicros": 60_000_000}) in played.asked
    played.until = {"reached": False, "because": None, "sentence": "x did not become true: there is no field 'mood'"}
    page.locator("[data-until-form] button").click()
    expect(page.locator("[data-stops-said]")).to_have_text("It did not become true: there is no field 'mood'")


def test_a_button_anywhere_sets_a_breakpoint(opened: Open, played: Played) -> None:
    page = opened()
    page.evaluate(
        """() => document.getElementById("main").insertAdjacentHTML("afterbegin",
        '<button type="button" id="here" data-stop-stage="etcd" data-stop-resource="pods">Stop here</button>')"""
    )
    page.locator("#here").click()
    expect(page.locator("#here")).to_have_attribute("aria-pressed", "true")
    assert ("POST", "/breakpoints", {"stage": "etcd", "resource": "pods"}) in played.asked
    page.locator("#here").click()
    expect(page.locator("#here")).to_have_attribute("aria-pressed", "false")


# -- console -----------------------------------------------------------------------------------------------------------


def console(page: Page) -> Page:
    if page.locator(".dock[open]").count() == 0:
        page.locator(".dock > summary").click()
    expect(page.locator("#line")).to_be_focused()
    return page


def test_a_block_tells_line_output_code_and_time_and_is_folded_copied_and_run_again(opened: Open, site: Site) -> None:
    page = console(opened())
    page.keyboard.type("kubectl get nodes")
    page.keyboard.press("Enter")
    block = page.locator(".block").first
    expect(block).to_contain_text("$ kubectl get nodes")
    expect(block).to_contain_text("node-1 Ready")
    expect(block.locator(".exit")).to_have_text("exit code 0")
    block.locator(".fold").click()
    expect(block.locator(".output")).to_be_hidden()
    expect(block.locator(".fold")).to_have_attribute("aria-expanded", "false")
    block.get_by_role("button", name="Copy").click()
    expect(page.locator("[data-console-said]")).not_to_be_empty()
    block.get_by_role("button", name="Run again").click()
    expect(page.locator(".block")).to_have_count(2)
    assert [call[2]["line"] for call in site.calls() if call[1].endswith("/console")][-2:] == ["kubectl get nodes"] * 2


def test_blocks_and_lines_outlive_the_page_and_the_dock_is_as_it_was(opened: Open, site: Site) -> None:
    page = console(opened())
    page.keyboard.type("kubectl get nodes")
    page.keyboard.press("Enter")
    expect(page.locator(".exit")).to_have_count(1)
    page.goto(f"{site.url}/clusters/demo/etcd/")
    page.locator("html[data-ready]").wait_for()
    expect(page.locator(".dock")).to_have_attribute("open", "")
    expect(page.locator(".block")).to_contain_text("node-1 Ready")
    page.locator("#line").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#line")).to_have_value("kubectl get nodes")


def test_earlier_lines_are_searched_backwards(opened: Open) -> None:
    page = console(opened())
    for count, line in enumerate(("kubectl get nodes", "kubectl get pods", "echo done"), 1):
        page.keyboard.type(line)
        page.keyboard.press("Enter")
        expect(page.locator(".block .exit")).to_have_count(count)
    page.keyboard.press("Control+r")
    page.keyboard.type("get")
    expect(page.locator("[data-console-said]")).to_contain_text("kubectl get pods")
    page.keyboard.press("Control+r")
    expect(page.locator("[data-console-said]")).to_contain_text("kubectl get nodes")
    page.keyboard.press("Tab")
    expect(page.locator("#line")).to_have_value("kubectl get nodes")
    page.keyboard.press("Control+r")
    page.keyboard.type("zebra")
    expect(page.locator("[data-console-said]")).to_have_text("No earlier line has zebra.")
    page.keyboard.press("Escape")
    expect(page.locator("#line")).to_have_value("kubectl get nodes")


def test_tab_completes_and_still_leaves_an_empty_line(opened: Open, played: Played) -> None:
    played.words = [{"word": "pods", "note": "po"}, {"word": "podtemplates", "note": ""}]
    page = console(opened())
    page.keyboard.type("kubectl get po")
    page.keyboard.press("Tab")
    options = page.locator(".choices [role=option]")
    expect(options).to_have_count(2)
    expect(page.locator("#line")).to_have_value("kubectl get pod")
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    assert page.locator("#line").get_attribute("aria-activedescendant") == options.first.get_attribute("id")
    page.keyboard.press("Enter")
    expect(page.locator("#line")).to_have_value("kubectl get pods ")
    expect(options).to_have_count(0)
    page.locator("#line").fill("")
    page.keyboard.press("Tab")
    expect(page.locator("#line")).not_to_be_focused()


def test_composing_korean_takes_no_key(opened: Open, site: Site) -> None:
    page = console(opened(language="ko"))
    before = len(site.calls())
    page.locator("#line").evaluate(
        """line => {
          line.value = "echo 한";
          line.dispatchEvent(new CompositionEvent("compositionstart"));
          for (const key of ["Enter", "Tab", "ArrowUp"]) line.dispatchEvent(new KeyboardEvent("keydown", {key, isComposing: true, bubbles: true, cancelable: true}));
        }"""
    )
    expect(page.locator("#line")).to_have_value("echo 한")
    assert len(site.calls()) == before
    page.locator("#line").evaluate("line => line.dispatchEvent(new CompositionEvent('compositionend'))")
    page.keyboard.press("Enter")
    expect(page.locator(".block")).to_contain_text("echo 한")


def test_a_trace_opens_beside_the_console(opened: Open) -> None:
    page = console(opened())
    page.keyboard.type("kubectl get nodes")
    page.keyboard.press("Enter")
    page.locator(".block .links a").click()
    panel = page.locator(".beside")
    expect(panel.locator("[data-trace='4102']")).to_be_visible()
    assert page.url.endswith("/clusters/demo/")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.locator(".block .links a")).to_be_focused()


def test_the_dock_grows_by_keys_and_is_remembered(opened: Open) -> None:
    page = console(opened())
    tall = "document.querySelector('.dock-split').clientHeight"
    before = page.evaluate(tall)
    page.locator("[data-console-grip]").focus()
    page.keyboard.press("ArrowUp")
    assert page.evaluate(tall) > before
    expect(page.locator("[data-console-grip]")).to_have_attribute("aria-valuenow", "10")
    page.reload()
    page.locator("html[data-ready]").wait_for()
    assert page.evaluate(tall) > before


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_what_happens_is_said_over_the_open_console(opened: Open, width: int, height: int) -> None:
    page = console(opened(width=width, height=height))
    said, dock = (page.locator(which).bounding_box() for which in (".caption", ".dock-row"))
    assert said and dock and said["y"] + said["height"] <= dock["y"]


def test_a_key_opens_the_console_from_anywhere(opened: Open) -> None:
    page = opened(theme="screen", width=1024, height=768)
    expect(page.locator(".dock")).to_be_hidden()
    page.locator("#main").focus()
    page.keyboard.press("`")
    expect(page.locator("#line")).to_be_focused()
    assert page.evaluate("parseFloat(getComputedStyle(document.getElementById('line')).fontSize)") >= 20
    page.keyboard.press("`")
    expect(page.locator(".dock")).to_be_hidden()


# -- the first steps ---------------------------------------------------------------------------------------------------

MINE = {
    **fixture_world.requests()[5], "id": 9300, "verb": "create", "resource": "deployments", "namespace": "default",
    "code": 201, "outcome": "allow", "outside": True, "initiator": 0,
}  # fmt: skip
POD = {"t": "object", "type": "MODIFIED", "resource": "pods", "namespace": "default", "uid": "u1", "node": "node-1"}


@pytest.mark.parametrize(
    ("language", "done", "name"), [("en", "Trace of request #9300", "web-2"), ("ko", "요청 #9300 추적", "my-own")]
)
def test_the_first_steps_tick_themselves_off(opened: Open, site: Site, language: str, done: str, name: str) -> None:
    """Whatever the Deployment is called, and though it is there before its request is answered."""
    page = opened(language=language)
    guide = page.locator("[data-guide]")
    expect(guide.locator("[data-guide-line]")).to_have_text("kubectl create deployment web-2 --image=nginx")
    guide.locator("[data-guide-do=type]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#line")).to_have_value("kubectl create deployment web-2 --image=nginx")
    expect(page.locator("#line")).to_be_focused()
    steps = guide.locator("[data-guide-step]")
    expect(steps.nth(0)).to_have_attribute("aria-current", "step")
    born = {
        "t": "object",
        "type": "ADDED",
        "resource": "deployments",
        "namespace": "default",
        "uid": "d1",
        "cause": 9300,
    }
    site.frame({**born, "name": name}, MINE)
    expect(steps.nth(0)).to_have_class("is-done")
    link = guide.locator("[data-guide-trace]")
    expect(link).to_have_text(done)
    expect(link).to_have_attribute("href", "/clusters/demo/requests/9300/")
    for phase in ("Pending", "Creating", "Ready"):
        site.frame({**POD, "name": f"{name}-abc-1", "phase": phase})
    expect(steps.nth(1)).to_have_class("is-done")
    expect(steps.nth(2)).to_have_attribute("aria-current", "step")


def test_the_first_steps_are_put_away_and_come_back(opened: Open, site: Site) -> None:
    page = opened(width=1024, height=768)
    page.get_by_role("button", name="Put away").click()
    expect(page.locator(".guide-sheet")).to_be_hidden()
    page.reload()
    page.locator("html[data-ready]").wait_for()
    expect(page.locator(".guide-sheet")).to_be_hidden()
    page.get_by_role("button", name="Show the first steps").press("Enter")
    expect(page.locator("[data-guide-do=type]")).to_be_focused()
    expect(page.locator(".guide-sheet")).to_be_visible()


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("ko", "screen")])
def test_axe_finds_nothing(opened: Open, site: Site, played: Played, language: str, theme: str) -> None:
    page = opened(language=language, theme=theme, width=1024, height=768)
    stop(site, played)
    page.keyboard.press("`")
    expect(page.locator("#line")).to_be_focused()
    page.keyboard.type("kubectl get nodes")
    page.keyboard.press("Enter")
    expect(page.locator(".exit")).to_have_count(1)
    page.locator(".stops > summary").click()
    expect(page.locator("[data-held-rows] a")).to_be_visible()
    assert faults(page) == []
    if theme == "light":
        sheet(page, "dark")
        assert faults(page, CONTRAST) == []
