"""The map: readable from the back of a room at every size of cluster, walked and worked by keys, true to the clock, quiet in the past."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations

import pytest
from playwright.sync_api import Page, expect

from explainer.fragments import map_drawing, map_field
from tests.browser import fixture_world, map_world
from tests.browser.conftest import Site

Open = Callable[..., Page]
PLACES = {"desktop": (False, (1100, 604)), "small": (False, (968, 400)), "projector": (True, (1024, 652))}
SHAPES = ("one", "none", "bare", "five", "seven", "apart", "boxes", "cells", "zones", "crowd")


# -- geometry, without a browser ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_its_place_on_the_sheet(shape: str, place: str) -> None:
    """Nothing overlaps, nothing leaves the sheet, text stays above the floor."""
    screen, size = PLACES[place]
    drawing = map_drawing.draw(map_world.CLUSTERS[shape](), screen, size)
    if drawing.sheet.tall and place == "small":  # the page gives it more (.picture.tall)
        drawing = map_drawing.draw(map_world.CLUSTERS[shape](), screen, (968, 443))
    things = [*drawing.boxes, *drawing.nodes, *drawing.field.cells]
    inside = {box.id for box in drawing.boxes}
    for a, b in combinations([box for box in things if getattr(box, "kind", "") not in ("kubelet", "kube-proxy")], 2):
        right, bottom = a.x + a.w, a.y + a.h
        assert right <= b.x or b.x + b.w <= a.x or bottom <= b.y or b.y + b.h <= a.y, (a, b)
    for thing in [*things, *drawing.hosts]:
        assert thing.x >= 0 and thing.y >= 0
        assert thing.x + thing.w <= drawing.width and thing.y + thing.h <= drawing.height, thing
    assert (14 if not screen else 20) * size[0] / drawing.width >= (12 if not screen else 19.5)
    model = map_world.CLUSTERS[shape]()
    running = {
        p["name"] for host in model["hosts"] for p in host["processes"] if p["kind"] in ("etcd", "kube-apiserver")
    }
    assert running <= inside


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_but_an_apiserver_has_a_line_to_etcd(shape: str) -> None:
    drawing = map_drawing.draw(map_world.CLUSTERS[shape]())
    kinds = {box.id: box.kind for box in drawing.boxes}
    assert {kinds[link.a] for link in drawing.links if kinds.get(link.b) == "etcd"} <= {"kube-apiserver", "etcd"}


def test_counts_before_dots() -> None:
    depth = {
        name: map_drawing.draw(map_world.CLUSTERS[name]()).field.kind
        for name in ("one", "boxes", "cells", "zones", "crowd")
    }
    assert depth == {"one": "boxes", "boxes": "boxes", "cells": "cells", "zones": "grid", "crowd": "grid"}
    assert map_drawing.draw(map_world.CLUSTERS["crowd"](), screen=True).field.kind == "racks"


def test_a_thousand_nodes_are_a_handful_of_elements() -> None:
    field = map_drawing.draw(map_world.CLUSTERS["crowd"]()).field
    assert len(field.cells) == 1000 and len({(c.x, c.y) for c in field.cells}) == 1000
    assert len(field.glyphs) <= len(map_field.STATES)
    assert sum(count for _, count, _ in field.legend) == 1000


@pytest.mark.parametrize(
    ("fault", "links", "groups"),
    [
        ("cut", [{"a": "lb", "b": "kube-apiserver-cp-1", "cut": True, "loss": 0, "lowMicros": 0}], None),
        ("slow", [{"a": "lb", "b": "cp-1", "cut": False, "loss": 0, "lowMicros": 200_000}], None),
        ("lossy", [{"a": "cp-1", "b": "lb", "cut": False, "loss": 0.3, "lowMicros": 0}], None),
        ("apart", [], {"lb": 0, "cp-1": 1}),
    ],
)
def test_a_faulty_line_says_so(fault: str, links: list[dict[str, object]], groups: dict[str, int] | None) -> None:
    model = {**fixture_world.cluster_map(), "network": {"groups": groups, "links": links}}
    found = {(link.a, link.b): link.fault for link in map_drawing.draw(model).links if link.a}
    assert found["lb", "kube-apiserver-cp-1"] == fault
    assert fault == "apart" or found["lb", "kube-apiserver-cp-2"] == ""


# -- names and lines on the page ---------------------------------------------------------------------------------------------

COLLISIONS = """() => {
  const map = document.querySelector('[data-map]');
  const texts = [...map.querySelectorAll('text')].filter(t => t.textContent.trim() && t.getBBox().width && !t.matches('.term, .flight text'))
    .map(t => { const b = t.getBBox(); return {words: t.textContent.trim(), x: b.x + 1, y: b.y + 3, r: b.x + b.width - 1, b: b.y + b.height - 4, at: t}; });
  for (const t of texts) { const m = t.at.closest('[transform]'); if (m) { const [dx, dy] = m.getAttribute('transform').match(/-?[0-9.]+/g).map(Number); t.x += dx; t.r += dx; t.y += dy; t.b += dy; } }
  const bad = [];
  texts.forEach((a, i) => texts.slice(i + 1).forEach(b => { if (a.x < b.r && b.x < a.r && a.y < b.b && b.y < a.b) bad.push([a.words, b.words]); }));
  for (const way of map.querySelectorAll('[data-route]')) {
    const points = way.dataset.route.split(' ').map(p => p.split(',').map(Number));
    for (let i = 1; i < points.length; i += 1) {
      const [x, r] = [points[i - 1][0], points[i][0]].sort((a, b) => a - b), [y, b] = [points[i - 1][1], points[i][1]].sort((a, b) => a - b);
      for (const t of texts) if (x < t.r && t.x < r + .1 && y < t.b && t.y < b + .1) bad.push([way.dataset.a + '-' + way.dataset.b, t.words]);
    }
  }
  return bad;
}"""


@pytest.mark.parametrize(
    ("shape", "width", "height", "theme", "language"),
    [
        ("demo", 1440, 900, "light", "en"),
        ("demo", 1280, 720, "light", "ko"),
        ("demo", 1024, 768, "screen", "ko"),
        ("five", 1280, 720, "light", "en"),
        ("apart", 1440, 900, "light", "ko"),
        ("boxes", 1280, 720, "dark", "ko"),
        ("cells", 1024, 768, "light", "en"),
        ("crowd", 1440, 900, "light", "en"),
        ("crowd", 1024, 768, "screen", "en"),
    ],
)
def test_labels_and_lines_never_collide(
    open_page: Open, shape: str, width: int, height: int, theme: str, language: str
) -> None:
    page = open_page(f"/clusters/{shape}/", width=width, height=height, theme=theme, language=language)
    page.wait_for_timeout(700)  # a place of another shape than the sheet is drawn anew once
    assert page.evaluate(COLLISIONS) == []
    assert page.evaluate("document.querySelectorAll('*').length") <= 1500


@pytest.mark.parametrize("shape", ["crowd", "cells"])
def test_a_crowd_is_there_without_scripts(open_page: Open, shape: str) -> None:
    still = open_page(f"/clusters/{shape}/", java_script_enabled=False)
    assert still.locator(".glyphs path").count() >= 3 if shape == "crowd" else still.locator("a.cell").count() == 40
    assert "node-1" in still.locator("main").inner_text()


# -- by keys -------------------------------------------------------------------------------------------------------------------


def test_one_stop_for_tab_and_arrows_from_thing_to_thing(open_page: Open) -> None:
    page = open_page("/clusters/demo/")
    expect(page.locator('[data-map] a[tabindex="0"]')).to_have_count(1)
    page.locator('[data-process="kube-apiserver-cp-1"]').focus()
    focused = "document.activeElement.dataset.select"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert "m1" in page.evaluate(focused)
    page.keyboard.press("Enter")
    expect(page.locator("#inspector h2").first).to_have_text(
        "m1" if page.evaluate(focused) == "process:m1" else page.evaluate(focused)[5:]
    )
    expect(page.locator('[data-map] a[tabindex="0"]')).to_have_count(1)


def test_nodes_of_a_crowd_by_arrow_keys_and_by_name(open_page: Open) -> None:
    page = open_page("/clusters/crowd/")
    grid = page.locator("[data-grid-keys]")
    grid.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".cursor")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(grid).to_have_attribute("data-select", re.compile("node:node-[12]2$"))  # racks are 10 or 20 wide
    page.keyboard.press("Enter")
    expect(page.locator("#inspector h2").first).to_have_text(re.compile("node-[12]2$"))
    page.locator("#find").fill("node-77")
    expect(page.locator("#found [role=option]").first).to_have_text("node-77")
    page.keyboard.press("Enter")
    expect(page.locator("#inspector h2").first).to_have_text("node-77")
    expect(page.locator("[data-detail] [data-host=node-77]")).to_be_visible()


def test_zoom_by_keys_and_buttons_is_a_link(open_page: Open) -> None:
    page = open_page("/clusters/demo/")
    page.locator('[data-process="m2"]').focus()
    whole = page.locator("[data-map]").get_attribute("viewBox")
    page.keyboard.press("+")
    page.keyboard.press("+")
    nearer = page.locator("[data-map]").get_attribute("viewBox")
    assert nearer != whole
    page.wait_for_url("**view=**")
    still = open_page(page.url[page.url.index("/clusters") :], java_script_enabled=False)
    for a, b in zip(
        str(still.locator("[data-map]").get_attribute("viewBox")).split(), str(nearer).split(), strict=True
    ):
        assert float(a) == pytest.approx(float(b), rel=0.15, abs=25)  # another sheet, the same part of it
    page.get_by_role("button", name="Fit").click()
    drawn = page.locator("[data-map]")
    expect(drawn).to_have_attribute(
        "viewBox", f"0 0 {drawn.get_attribute('data-width')} {drawn.get_attribute('data-height')}"
    )


# -- the inspector and faults --------------------------------------------------------------------------------------------------


def test_tabs_of_a_pod_are_links_and_go_by_arrows(open_page: Open) -> None:
    page = open_page("/clusters/demo/?select=pod:default/web-7d4b9c6f5d-7baro")
    page.get_by_role("link", name="Overview").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("[data-yaml]")).to_contain_text("name: web-7d4b9c6f5d-7baro")
    assert "tab=yaml" in page.url
    expect(page.get_by_role("link", name="Its page: history, owners, fields")).to_have_attribute(
        "href", "/clusters/demo/objects/pods/default/web-7d4b9c6f5d-7baro/"
    )
    still = open_page("/clusters/demo/?select=pod:default/web-7d4b9c6f5d-7baro&tab=events", java_script_enabled=False)
    assert "Successfully assigned" in still.locator("#inspector").inner_text()


@pytest.mark.parametrize(
    ("select", "key", "path", "body"),
    [
        ('[data-process="m2"]', "x", "processes/m2/stop", {}),
        ('[data-process="m2"]', "p", "processes/m2/pause", {}),
        ('[data-host="cp-1"]', "x", "hosts/cp-1/stop", {}),
        (
            '[data-a="lb"][data-b="kube-apiserver-cp-2"]',
            "c",
            "network/link",
            {"a": "lb", "b": "kube-apiserver-cp-2", "loss": 1},
        ),
        (
            '[data-a="lb"][data-b="kube-apiserver-cp-2"]',
            "l",
            "network/link",
            {"a": "lb", "b": "kube-apiserver-cp-2", "latencyMs": 200},
        ),
    ],
)
def test_a_letter_is_a_fault_and_undo_is_a_branch(
    open_page: Open, site: Site, select: str, key: str, path: str, body: dict[str, object]
) -> None:
    page = open_page("/clusters/demo/")
    page.locator(select).first.focus()
    page.keyboard.press(key)
    expect(page.locator("[data-undo] button")).to_be_visible()
    expect(page.locator("[data-caption]").first).to_contain_text("You ")
    assert ["POST", f"/api/clusters/demo/{path}", body] in site.calls()
    page.locator("[data-undo] button").click()
    expect(page.locator("[data-undo] a")).to_have_attribute("href", "/clusters/demo-before-1/")
    made = site.calls()[-1]
    assert made[:2] == ["POST", "/api/clusters/demo/fork"] and made[2]["at"] == fixture_world.NOW - 1


def test_isolate_parts_one_host_from_all_others(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/?select=host:cp-3")
    page.get_by_role("button", name="Isolate").click()
    expect(page.locator("[data-undo] button")).to_be_visible()
    groups = next(body["groups"] for _, path, body in reversed(site.calls()) if path.endswith("/network/partition"))
    assert groups[0] == ["cp-3"] and set(groups[1]) == {"cp-1", "cp-2", "node-1", "node-2", "node-3", "lb", "desk"}


def test_the_knife_cuts_what_it_crosses_and_isolates_what_it_goes_around(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/")
    page.locator('[data-process="m2"]').focus()
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Cut", exact=True)).to_have_attribute("aria-pressed", "true")
    page.locator(".mapstage.cutting").wait_for()

    def draw(*points: tuple[float, float]) -> None:
        for i, point in enumerate(points):
            x, y = page.evaluate(ON_PAGE, list(point))
            box = page.locator("[data-stage]").bounding_box()
            assert box is not None
            page.mouse.move(x + box["x"], y + box["y"], steps=4)
            if not i:
                page.mouse.down()
        page.mouse.up()

    route = str(page.locator('[data-a="m1"][data-b="m2"]').get_attribute("data-route"))
    (x, y), (_, below) = [tuple(map(float, pair.split(","))) for pair in route.split()]
    draw((x - 30, (y + below) / 2), (x + 20, (y + below) / 2))
    expect(page.locator("[data-caption]").first).to_contain_text("You cut the line between m1 and m2")
    assert ["POST", "/api/clusters/demo/network/link", {"a": "m1", "b": "m2", "loss": 1}] in site.calls()

    node = page.locator('[data-host="node-2"] .outline')
    x, y, w, h = (float(str(node.get_attribute(name))) for name in ("x", "y", "width", "height"))
    draw((x - 4, y - 4), (x + w + 4, y - 4), (x + w + 4, y + h + 4), (x - 4, y + h + 4), (x - 4, y + 4))
    expect(page.locator("[data-caption]").first).to_contain_text("You isolated node-2")
    groups = next(body["groups"] for _, path, body in reversed(site.calls()) if path.endswith("/network/partition"))
    assert groups[0] == ["node-2"]


def test_a_line_of_the_console_signs_what_it_set_moving(open_page: Open, site: Site) -> None:
    """Its own messages, and those of requests that it caused."""
    page = open_page("/clusters/demo/")
    site.wait_for_sockets()
    said = "([name, detail]) => document.dispatchEvent(new CustomEvent(name, { detail }))"
    page.evaluate(said, ["console-line", {"number": 3, "line": "kubectl get pods", "running": True}])
    expect(page.locator(".typed-lines text")).to_have_text("#3")
    page.evaluate(said, ["console-request", {"number": 3, "line": "kubectl get pods", "requests": [7001]}])
    caused = {**fixture_world.listed(fixture_world.requests()[0]), "id": 7002, "initiator": 7001, "outside": True}
    hop = {"t": "flight", "kind": "HttpRequest", "label": "GET /api/v1/pods", "sentMicros": 1, "arriveMicros": 900}
    site.frame(
        caused,
        {**hop, "src": "lb", "dst": "kube-apiserver-cp-1", "cause": 7001, "outside": True},
        {**hop, "src": "kube-scheduler-cp-2", "dst": "kube-apiserver-cp-2", "cause": 7002, "outside": True},
    )
    expect(page.locator(".flight .number")).to_have_text(["#3", "#3"])
    page.evaluate(said, ["console-line", {"number": 3, "line": "kubectl get pods", "running": False}])
    expect(page.locator(".typed-lines")).to_have_count(0)


def test_the_menu_of_a_thing_goes_by_keys(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/")
    page.locator('[data-process="kube-scheduler-cp-3"]').click(button="right")
    menu = page.get_by_role("menu")
    expect(menu.get_by_role("menuitem")).to_have_text(["Open", "Pause", "Stop"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(menu).to_have_count(0)
    expect(page.locator("[data-undo] button")).to_be_visible()
    assert ["POST", "/api/clusters/demo/processes/kube-scheduler-cp-3/pause", {}] in site.calls()


# -- true to the clock -----------------------------------------------------------------------------------------------------------

PLACE = """() => { const pill = document.querySelector('.flight'), b = pill.getBoundingClientRect(), s = document.querySelector('[data-stage]').getBoundingClientRect();
  return [b.x + b.width / 2 - s.x, b.y + b.height / 2 - s.y]; }"""


ON_PAGE = """([x, y]) => { const p = new DOMPoint(x, y).matrixTransform(document.querySelector('[data-map]').getScreenCTM()), s = document.querySelector('[data-stage]').getBoundingClientRect();
  return [p.x - s.x, p.y - s.y]; }"""


def test_a_paused_message_stands_where_the_clock_says(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/")
    site.wait_for_sockets()
    page.wait_for_timeout(500)
    hop = {
        "t": "flight",
        "kind": "HttpRequest",
        "label": "GET /api/v1/pods",
        "src": "lb",
        "dst": "kube-apiserver-cp-1",
        "cause": 5,
    }
    for part in (0.25, 0.75):
        now = 1_000_000 + int(part * 1000)
        site.frame({**hop, "sentMicros": 1_000_000, "arriveMicros": 1_001_000}, nowMicros=now, paused=True)
        expect(page.locator("a.flight")).to_have_count(1)
        page.wait_for_timeout(150)
        route = page.locator('[data-a="lb"][data-b="kube-apiserver-cp-1"]').get_attribute("data-route")
        (x, y), (r, _) = [tuple(map(float, pair.split(","))) for pair in str(route).split()]
        assert page.evaluate(PLACE) == pytest.approx(page.evaluate(ON_PAGE, [x + (r - x) * part, y]), abs=2)
    expect(page.locator("a.flight")).to_have_attribute("href", "/clusters/demo/requests/5/")


def test_heartbeats_are_ticks_without_a_word(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/")
    site.wait_for_sockets()
    beat = {
        "t": "flight",
        "kind": "MsgHeartbeat",
        "label": "MsgHeartbeat",
        "cause": 0,
        "sentMicros": 1,
        "arriveMicros": 900,
    }
    site.frame(*({**beat, "src": "m2", "dst": member} for member in ("m1", "m3")))
    expect(page.locator(".flight.tick")).to_have_count(2)
    expect(page.locator(".flight:not(.tick)")).to_have_count(0)
    page.get_by_role("button", name="Name all").click()
    site.frame({**beat, "src": "m2", "dst": "m1"})
    expect(page.locator(".flight:not(.tick)")).to_have_text("MsgHeartbeat")


def test_never_more_than_two_dozen(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/")
    site.wait_for_sockets()
    hop = {
        "t": "flight",
        "kind": "HttpRequest",
        "label": "GET /api/v1/pods",
        "cause": 0,
        "sentMicros": 1,
        "arriveMicros": 2,
    }
    site.frame(
        *({**hop, "src": f"outside:{n}", "dst": "lb", "sentMicros": n, "arriveMicros": n + 900} for n in range(60))
    )
    expect(page.locator(".flight").first).to_contain_text("×")
    assert page.locator(".flight").count() <= 24


def test_the_past_is_quiet_and_shows_what_was_on_its_way(open_page: Open, site: Site) -> None:
    page = open_page(f"/clusters/demo/?at={fixture_world.NOW}")
    expect(page.locator("a.flight")).to_have_text("Txn pods")
    expect(page.locator("[data-inflight]").get_by_role("link")).to_contain_text("Txn /registry/pods/default/web")
    before = page.locator("[data-process=m2]").get_attribute("class")
    site.frame({"t": "process", "name": "m2", "kind": "etcd", "host": "cp-2", "up": False, "paused": False, "boot": 1})
    page.wait_for_timeout(300)
    assert page.locator("[data-process=m2]").get_attribute("class") == before
    expect(page.locator("[data-faults]")).to_have_count(0)
