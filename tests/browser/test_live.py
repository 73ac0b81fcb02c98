"""The pages, live: what the feed says appears; what is lost is said; controls reach the control API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import fixture_world
from tests.browser.conftest import Site

Open = Callable[..., Page]
POD = {
    "t": "object",
    "type": "MODIFIED",
    "resource": "pods",
    "namespace": "default",
    "uid": "uid-web-7d4b9c6f5d-q8zvn",
    "name": "web-7d4b9c6f5d-q8zvn",
    "node": "node-3",
    "phase": "Ready",
    "ready": True,
}


@pytest.fixture
def live_map(open_page: Open, site: Site) -> Page:
    page = open_page("/clusters/demo/")
    site.wait_for_sockets()
    return page


def test_a_pod_changes_in_place(live_map: Page, site: Site) -> None:
    chip = live_map.locator('[data-uid="5d-q8zvn"]')
    before = chip.get_attribute("transform")
    site.frame(POD)
    expect(chip).to_have_attribute("data-phase", "Ready")
    assert chip.get_attribute("transform") == before
    assert chip.locator("use").get_attribute("href") == "#phase-Ready"
    expect(live_map.locator("[data-feed] li").first).to_contain_text("Pod web-7d4b9c6f5d-q8zvn on node-3 is ready.")


def test_a_new_pod_takes_a_free_slot_and_nothing_else_moves(live_map: Page, site: Site) -> None:
    places = "els => els.map(el => [el.dataset.uid, el.getAttribute('transform')])"
    before = dict(live_map.locator("[data-slots=node-2] a.pod").evaluate_all(places))
    site.frame(
        {**POD, "type": "ADDED", "uid": "uid-new", "name": "aaa-first-by-name", "node": "node-2", "phase": "Creating"}
    )
    expect(live_map.locator('[data-uid="uid-new"]')).to_have_count(1)
    after = dict(live_map.locator("[data-slots=node-2] a.pod").evaluate_all(places))
    assert after.pop("uid-new") not in before.values()
    assert after == before


def test_a_deleted_pod_leaves_its_slot(live_map: Page, site: Site) -> None:
    site.frame({**POD, "type": "DELETED"})
    expect(live_map.locator('[data-uid="5d-q8zvn"]')).to_have_count(0)


def test_an_election_changes_roles_and_is_told(live_map: Page, site: Site) -> None:
    raft = {"t": "raft", "votedFor": "m3", "commit": 813, "applied": 813, "lastIndex": 814}
    site.frame({**raft, "member": "m3", "role": "follower", "term": 3, "lead": "m2"})
    site.frame({**raft, "member": "m3", "role": "candidate", "term": 4, "lead": ""})
    site.frame({**raft, "member": "m3", "role": "leader", "term": 4, "lead": "m3"})
    box = live_map.locator('[data-process="m3"]')
    expect(box.locator("[data-role]")).to_have_attribute("href", "#role-leader")
    expect(box.locator("[data-term]")).to_have_text("4")
    expect(live_map.locator("[data-feed]")).to_contain_text("m3 leads in term 4.")


def test_a_commit_moves_the_notch(live_map: Page, site: Site) -> None:
    notch = live_map.locator("[data-notch]")
    before = notch.get_attribute("x")
    site.frame(revision=799)
    expect(live_map.locator(".plane [data-revision]")).to_have_text("799")
    assert notch.get_attribute("x") != before


# When each pill appeared (it waits unseen for its turn) and when it was gone, as the page itself saw it: a look from outside comes too late.
WATCH_FLIGHTS = """() => {
  window.seen = [];
  const notes = new Map();
  let turn = 0;
  new MutationObserver((changes) => {
    turn += 1;
    for (const { target, addedNodes, removedNodes } of changes) {
      for (const node of addedNodes) if (node.classList?.contains("mine")) {
        notes.set(node, { name: node.textContent });
        window.seen.push(notes.get(node));
      }
      for (const node of removedNodes) if (notes.has(node)) notes.get(node).gone ??= turn;
      if (notes.has(target) && !target.style.visibility) notes.get(target).shown ??= turn;
    }
  }).observe(document.querySelector("[data-flights]"), { childList: true, subtree: true, attributes: true, attributeFilter: ["style"] });
}"""


def test_messages_of_one_request_travel_one_after_the_other(live_map: Page, site: Site) -> None:
    request = {**fixture_world.requests()[5], "id": 9001}
    hop = {
        "t": "flight",
        "srcHost": "",
        "dstHost": "",
        "kind": "HttpRequest",
        "label": "POST /apis/apps/v1/namespaces/default/deployments",
        "cause": 9001,
    }
    live_map.evaluate(WATCH_FLIGHTS)
    site.frame(
        request,
        {**hop, "src": "outside:1", "dst": "lb", "sentMicros": 100, "arriveMicros": 900},
        {**hop, "src": "lb", "dst": "kube-apiserver-cp-1", "sentMicros": 900, "arriveMicros": 1700},
    )
    live_map.wait_for_function("() => seen.length > 1 && document.querySelectorAll('.flight.mine').length === 0")
    drawn = live_map.evaluate("seen")
    assert drawn[0]["name"] == drawn[1]["name"] == "POST deployments"
    # The second appears when the first has arrived: never both at once, however slow the screen is.
    assert drawn[1]["shown"] >= drawn[0]["gone"] > drawn[0]["shown"]


def test_reduced_motion_draws_numbered_arrows(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/", reduced_motion="reduce")
    site.wait_for_sockets()
    hop = {"t": "flight", "kind": "HttpRequest", "label": "GET /api/v1/nodes", "sentMicros": 1, "arriveMicros": 2}
    request = {**fixture_world.requests()[5], "id": 7, "outside": True}
    site.frame(
        request,
        {**hop, "src": "outside:1", "dst": "lb", "cause": 7},
        {**hop, "src": "lb", "dst": "kube-apiserver-cp-1", "cause": 7},
    )
    expect(page.locator(".flight.still")).to_have_text(["1 GET nodes", "2 GET nodes"])
    place = "els => els.map(el => el.style.transform)"
    before = page.locator(".flight.still").evaluate_all(place)
    page.wait_for_timeout(200)
    assert page.locator(".flight.still").evaluate_all(place) == before
    assert page.evaluate("document.getAnimations().length") == 0


def test_a_lost_message_ends_at_a_wall_with_its_reason(live_map: Page, site: Site) -> None:
    site.frame(
        {
            "t": "flight",
            "src": "lb",
            "dst": "kube-apiserver-cp-2",
            "kind": "HttpRequest",
            "label": "GET /api/v1/pods",
            "cause": 8,
            "sentMicros": 1,
            "arriveMicros": 1,
            "dropped": "cut",
        }
    )
    expect(live_map.locator(".flight.fell .why")).to_have_text("cut")
    expect(live_map.locator("[data-feed]")).to_contain_text("is lost: cut.")


def test_a_lost_connection_says_so_and_comes_back_from_its_cursor(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/", quiet=False)
    site.wait_for_sockets()
    site.frame(cursor="41")
    expect(page.locator("[data-speed]")).to_have_text("×1")
    site.hand("refuse", True)
    site.hand("cut")
    expect(page.locator("[data-lost]")).to_be_visible()
    site.hand("refuse", False)
    site.wait_for_sockets()
    site.frame(cursor="42")
    expect(page.locator("[data-lost]")).to_be_hidden()
    assert {"after": "41"} in site.hand("calls")["hellos"]


def test_pause_by_key_and_by_button(live_map: Page, site: Site) -> None:
    live_map.locator("#main").focus()
    live_map.keyboard.press(".")
    expect(live_map.locator("[data-do=toggle]")).to_have_text("Resume")
    assert ["PATCH", "/api/clusters/demo/clock", {"paused": True}] in site.calls()
    live_map.locator("[data-do=toggle]").focus()
    live_map.keyboard.press("Space")  # on a button Space presses it, once
    expect(live_map.locator("[data-do=toggle]")).to_have_text("Pause")
    assert site.calls()[-1] == ["PATCH", "/api/clusters/demo/clock", {"paused": False}]


def test_speed(live_map: Page, site: Site) -> None:
    live_map.select_option("#rate", "0.01")
    expect(live_map.locator("[data-speed]")).to_have_text("×1/100")
    assert site.calls()[-1] == ["PATCH", "/api/clusters/demo/clock", {"rate": 0.01}]
    live_map.select_option("#rate", "1")


def test_anything_drawn_opens_in_the_inspector_by_keys(live_map: Page, site: Site) -> None:
    live_map.locator('[data-process="m2"]').focus()
    live_map.keyboard.press("Enter")
    expect(live_map.locator("#inspector h2").first).to_have_text("m2")
    expect(live_map.locator('[data-process="m2"]')).to_have_class("thing box etcd up leads is-selected")
    assert "select=process" in live_map.url
    with live_map.expect_response("**/processes/m2/stop"):
        live_map.get_by_role("button", name="Stop", exact=True).click()
    expect(live_map.locator("#inspector h2").first).to_have_text("m2")
    assert ["POST", "/api/clusters/demo/processes/m2/stop", {}] in site.calls()


def test_a_request_appears_in_the_list_unless_filtered(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/requests/?code=403")
    site.wait_for_sockets()
    rows = page.locator("[data-rows] tr")
    expect(rows).to_have_count(1)
    site.frame({**fixture_world.requests()[0], "id": 5000}, {**fixture_world.requests()[1], "id": 5001})
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("/api/v1/nodes")
    page.get_by_role("link", name="Show all").click()
    expect(rows).to_have_count(7)


def test_filters_ask_the_server(open_page: Open) -> None:
    page = open_page("/clusters/demo/requests/")
    page.select_option("select[name=verb]", "delete")
    expect(page.locator("[data-rows] tr")).to_have_count(1)
    assert "verb=delete" in page.url


@pytest.mark.parametrize(
    ("key", "step"),
    [
        ("ArrowRight", "5 of 5"),
        ("PageDown", "5 of 5"),
        ("ArrowLeft", "3 of 5"),
        ("PageUp", "3 of 5"),
        ("Home", "1 of 5"),
        ("End", "5 of 5"),
    ],
)
def test_stepping_by_keys_starts_at_the_stage_that_decided(open_page: Open, key: str, step: str) -> None:
    page = open_page("/clusters/demo/requests/4102/")
    expect(page.locator("[data-where]")).to_have_text("4 of 5")
    expect(page.locator("[data-panel]:visible h2")).to_have_text("Authorization")
    page.keyboard.press(key)
    expect(page.locator("[data-where]")).to_have_text(step)


def test_stepping_by_button_keeps_the_address(open_page: Open) -> None:
    page = open_page("/clusters/demo/requests/4060/")
    page.get_by_role("link", name="Next").click()
    expect(page.locator("[data-panel]:visible h2")).to_have_text("Authentication")
    assert page.url.endswith("?step=2")
    page.reload()
    expect(page.locator("[data-panel]:visible h2")).to_have_text("Authentication")


def test_the_console_runs_a_line_and_links_its_requests(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/")
    page.locator(".dock > summary").click()
    page.locator("#line").fill("kubectl get nodes")
    page.keyboard.press("Enter")
    block = page.locator(".console .block").first
    expect(block).to_contain_text("node-1 Ready")
    expect(block).to_contain_text("exit code 0")
    expect(block.get_by_role("link", name="request #4102")).to_have_attribute("href", "/clusters/demo/requests/4102/")
    page.locator("#line").fill("nonsense")
    page.keyboard.press("Enter")
    expect(page.locator(".console .block").nth(1)).to_contain_text("exit code 127")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#line")).to_have_value("kubectl get nodes")


def test_a_packet_walks_step_by_step(open_page: Open) -> None:
    """Keys, links and the ends at the right; every step is an address that opens at it, and choices are read in place."""
    page = open_page("/clusters/demo/network/?service=default/web&step=1")
    expect(page.locator("[data-walk-verdict]")).to_contain_text("DNAT to one of 2 endpoints.")
    where, here = page.locator("[data-walk-where]"), page.locator(".net-chain .here")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(where).to_contain_text("5 of")
    expect(here).to_contain_text("--to-destination 10.244.1.2:8080")
    expect(page.locator("[data-slot=step]")).to_contain_text("10.96.118.42:80 becomes 10.244.1.2:8080")
    expect(page.locator("[data-row].now")).to_contain_text("10.244.1.2")
    expect(page.locator(".card.later")).to_have_count(1)
    page.keyboard.press("End")
    expect(page.locator(".card.later")).to_have_count(0)
    expect(page.locator(".caption")).to_contain_text("sees 10.96.118.42 as the sender")
    page.locator("[data-walk-go=back]").click()
    page.evaluate("window.same = true")
    page.locator("[data-step='2']").click()
    page.locator("[data-follow]").nth(1).click()
    expect(page.locator(".end.chosen").first).to_contain_text("x2k9f")
    page.locator("#n-service").select_option("default/kubernetes")
    expect(page.locator("[data-walk-verdict]")).to_contain_text("to the only endpoint, 192.168.49.2:16443")
    assert page.evaluate("window.same"), "read in place"
    page.goto(page.url.partition("&step")[0] + "&step=4")
    expect(page.locator("[data-walk-where]")).to_contain_text("4 of")


def test_a_member_is_stopped_by_a_click(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/demo/etcd/")
    page.get_by_role("button", name="Stop m2").click()
    expect(page.locator("[data-caption]")).to_contain_text("m2 is stopped")
    assert site.calls()[-1] == ["POST", "/api/clusters/demo/etcd/members/m2/stop", {}]


def test_the_strips_are_walked_by_keys_and_an_entry_opens(open_page: Open) -> None:
    page = open_page("/clusters/demo/etcd/")
    stops = page.locator('[data-cell][tabindex="0"]')
    expect(stops).to_have_count(1)
    stops.focus()
    first = page.evaluate("document.activeElement.dataset.cell")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    here = page.evaluate("document.activeElement.dataset.cell")
    assert here.split(":")[0] != first.split(":")[0] and int(here.split(":")[1]) == int(first.split(":")[1]) - 1
    expect(page.locator("[data-entry-line]")).to_contain_text(here.replace(":", " · "))
    page.keyboard.press("Enter")
    expect(page.locator(f"[data-entry='{here.split(':')[1]}'] pre")).to_be_visible()


def test_a_request_flies_from_its_client_through_the_gate(live_map: Page, site: Site) -> None:
    """Before an apiserver numbers a request its messages have no cause; they are drawn all the same, in order."""
    request = {**fixture_world.requests()[5], "id": 9100, "method": "POST", "outside": True, "initiator": 0}
    request["path"] = "/api/v1/namespaces/default/services?fieldManager=kubectl-expose"
    hop = {"t": "flight", "kind": "HttpRequest", "label": "POST /api/v1/namespaces/default/services", "cause": 0}
    site.frame(
        {**hop, "src": "outside:w1/2", "dst": "lb", "sentMicros": 100, "arriveMicros": 900},
        {**hop, "src": "lb", "dst": "kube-apiserver-cp-1", "sentMicros": 900, "arriveMicros": 1700},
        request,
    )
    expect(live_map.locator(".flight.mine")).to_have_count(2)
    expect(live_map.locator(".flight.mine")).to_have_count(1)


def test_messages_in_flight_are_listed_while_the_clock_stands(live_map: Page, site: Site) -> None:
    hop = {"t": "flight", "kind": "MsgApp", "label": "MsgApp 1", "src": "m1", "dst": "m2", "cause": 9200}
    section = live_map.locator("[data-inflight]")
    expect(section).to_be_hidden()
    there = {**hop, "sentMicros": 900, "arriveMicros": 1400}
    gone = {**hop, "label": "MsgApp 2", "sentMicros": 100, "arriveMicros": 900}
    site.frame(there, gone, nowMicros=1000, paused=True)
    expect(section.get_by_role("link")).to_have_text("MsgApp 1: m1 → m2, arrives in 400 µs")
    site.frame(nowMicros=2000, paused=True)
    expect(section).to_contain_text("Nothing is on its way at this moment.")
    site.frame(nowMicros=2000, paused=False)
    expect(section).to_be_hidden()
