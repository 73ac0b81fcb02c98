"""The tracer's pages: list, step-through, causal tree and comparison, by keyboard; and what their views compute."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation
from playwright.sync_api import Page, expect

from explainer.fragments import causes_view, compare_view, curl, document_view, sources, trace_view, waterfall
from tests.browser import fixture_world
from tests.browser.conftest import Site

Open = Callable[..., Page]
DEPLOYMENT, DENIED, ALLOWED = 70001, 70002, 70003
LIST = "/clusters/demo/requests/"


def trace(number: int) -> dict[str, Any]:
    return fixture_world.request(number)


def told(number: int) -> tuple[list[dict[str, Any]], causes_view.Path]:
    with translation.override("en"):
        one = trace(number)
        nodes, _count = causes_view.tree(one)
        path = causes_view.critical(one, nodes)
        assert path is not None
        return nodes, path


def flat(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for node in nodes for one in (node, *flat(node["children"]))]


# -- what the views compute ---------------------------------------------------------------------------------------


def test_the_critical_path_ends_with_the_last_container_and_adds_up() -> None:
    nodes, path = told(DEPLOYMENT)
    marked = [node for node in flat(nodes) if node["critical"]]
    assert [n.get("what") or n["component"] for n in marked] == [
        "kube-controller-manager", "reconcile", "kube-controller-manager", "schedule", "kube-scheduler", "sandbox", "image", "container",
    ]  # fmt: skip
    started = [node for node in flat(nodes) if node.get("what") == "container"]
    assert marked[-1]["startMicros"] == max(node["startMicros"] for node in started)
    assert sum(part.micros for part in path.parts) == path.micros == marked[-1]["after"]
    assert path.parts[0].sort == "image" and path.sentence.startswith("Running after ") and " image, " in path.sentence
    shares = causes_view.shares(path)
    assert sum(float(share["width"][:-1]) for share in shares) == pytest.approx(100, abs=0.1)


def test_nothing_followed_a_refusal() -> None:
    one = trace(DENIED)
    assert causes_view.critical(one, causes_view.tree(one)[0]) is None


def test_the_matrix_has_a_verdict_for_every_plugin_and_node() -> None:
    nodes, _path = told(DEPLOYMENT)
    matrix = next(node["matrix"] for node in flat(nodes) if node.get("what") == "schedule")
    names = [node["name"] for node in matrix["nodes"]]
    assert set(names) == {"cp-1", "node-1", "node-2", "node-3"}
    column = names.index("cp-1")
    verdicts = {row["plugin"]: row["cells"][column] for row in matrix["filters"]}
    assert verdicts["TaintToleration"][0] == "fail" and "taint" in verdicts["TaintToleration"][1]
    order = list(verdicts)
    before, after = order[: order.index("TaintToleration")], order[order.index("TaintToleration") + 1 :]
    assert before and after, "the verdict has neighbours"
    assert {verdicts[p][0] for p in before} == {"pass"} and {verdicts[p][0] for p in after} == {""}
    winner = next(index for index, node in enumerate(matrix["nodes"]) if node["winner"])
    assert matrix["totals"][winner] == max(total for total in matrix["totals"] if total is not None)
    for row in matrix["scores"]:
        for cell in row["cells"]:
            assert cell is None or cell[2] == cell[1] * row["weight"]


def test_near_misses_are_rows_and_the_rule_that_granted_is_marked() -> None:
    with translation.override("en"):
        denied = next(step for step in trace_view.steps(trace(DENIED)) if step["name"] == "authorization")
        allowed = next(step for step in trace_view.steps(trace(ALLOWED)) if step["name"] == "authorization")
    assert len(denied["tried"]) == 3 and not any(row["hit"] for row in denied["tried"])
    assert denied["tried"][0]["what"] == "ClusterRoleBinding system:basic-user" and denied["tried"][0][
        "why"
    ].startswith("rule 1: ")
    (hit,) = [row for row in allowed["tried"] if row["hit"]]
    assert hit["why"] == "rule 1 grants it" and hit["rule"] == "verbs: [*], apiGroups: [*], resources: [*]"


def test_sources_are_shown_of_the_world_only() -> None:
    step = next(step for step in trace_view.steps(trace(DENIED)) if step["name"] == "authorization")
    code = step["code"]
    assert code.path == "cluster/apiserver/authorization/rbac.py" and code.function == "_decide"
    assert [line.number for line in code.lines if line.decides] == [code.line]
    for place in ("explainer.settings:1", "cluster...etc.passwd:1", "cluster.sim.world:0", "cluster.sim.world:99999", "os.path:3",
                  "cluster.nothing.here:1", "cluster/../manage:1", "cluster.sim.world", ""):  # fmt: skip
        assert sources.around(place) is None, place


def test_the_source_line_is_the_deciding_one() -> None:
    for step in trace_view.steps(trace(ALLOWED)):
        if step["code"] is not None and step["name"] in ("authorization", "authentication"):
            text = next(line.text for line in step["code"].lines if line.decides)
            assert "Decision(" in text or "Verdict(" in text


def test_the_object_is_carried_to_stages_that_leave_it_alone() -> None:
    steps = trace_view.steps(trace(DEPLOYMENT))
    names = [step["name"] for step in steps]
    default = names.index("defaulting") + 1
    document, since, patch = trace_view.object_at(steps, default)
    assert since == default and patch and document["spec"]["replicas"] == 2
    after, still, _patch = trace_view.object_at(steps, names.index("mutating-admission/NamespaceLifecycle") + 1)
    assert still == default and after == document
    assert trace_view.object_at(steps, 1) == (None, 0, [])


def test_yaml_marks_what_changed_and_stays_yaml() -> None:
    import yaml

    document = {
        "a": {"b": 1, "list": [{"x": "yes", "y": "a: b"}, "c"]},
        "new": "2",
        "text": "line\nline",
        "n": None,
        "e": {},
    }
    patch = [
        {"op": "replace", "path": "/a/b", "was": 0, "value": 1},
        {"op": "add", "path": "/new", "value": "2"},
        {"op": "remove", "path": "/a/gone", "was": True},
    ]
    sections = document_view.sections(document, patch)
    rows = [row for section in sections for row in section.rows]
    marks = {row.text: row.mark for row in rows if row.mark}
    assert marks == {"b: 1": "change", 'new: "2"': "add", "gone: true": "remove"}
    text = "\n".join("  " * row.depth + row.text for row in rows if row.mark != "remove")
    assert yaml.safe_load(text) == document


def test_the_real_object_reads_back_as_yaml() -> None:
    import yaml

    document = next(s["after"] for s in trace(DEPLOYMENT)["stages"] if s["name"] == "strategy")
    rows = [row for section in document_view.sections(document) for row in section.rows]
    assert yaml.safe_load("\n".join("  " * row.depth + row.text for row in rows)) == document


def test_curl_hides_secrets_and_quotes() -> None:
    head = "POST /api/v1/x?a=b HTTP/1.1\nhost: h\nAuthorization: Bearer eyJ…\nContent-Type: application/json\n"
    line = curl.line(
        {
            "method": "POST",
            "path": "/api/v1/x?a=b",
            "user": "u",
            "raw": {"requestHead": head, "requestBody": '{"a": "it\'s"}'},
        }
    )
    assert '"Authorization: Bearer $TOKEN"' in line and "eyJ" not in line
    import shlex

    words = shlex.split(line.replace("$SERVER", "https://127.0.0.1:6443"))
    assert words[-1] == "https://127.0.0.1:6443/api/v1/x?a=b" and '{"a": "it\'s"}' in words and "-X" in words


def test_folded_pauses_leave_one_scale() -> None:
    rows = [
        {"startMicros": at, "endMicros": at + took, "parts": []}
        for at, took in ((0, 1000), (500, 1500), (60_000_000, 2000))
    ]
    axis = waterfall.axis(rows)
    assert [piece.folded for piece in axis.pieces] == [False, True, False]
    first, fold, last = axis.pieces
    assert (first.x1 - first.x0) / 2000 == pytest.approx((last.x1 - last.x0) / 2000) and fold.x1 - fold.x0 < 5
    assert axis.x(0) == 0 and axis.x(60_002_000) == pytest.approx(100)
    places = [axis.x(at) for at in (0, 500, 1000, 2000, 30_000_000, 60_000_000, 60_001_000)]
    assert places == sorted(places)


def test_the_first_difference_is_where_one_is_refused() -> None:
    with translation.override("en"):
        found = compare_view.compare(trace(DENIED), trace(ALLOWED))
    assert found["first"]["name"] == "authorization"
    assert found["sentence"].startswith("They part at Authorization. Left, denied: RBAC: 3 bindings name jane")
    assert "grants it through ClusterRole cluster-admin, rule 1." in found["sentence"]
    names = [row["name"] for row in found["rows"]]
    assert names.index("authentication") < names.index("authorization") < names.index("response")
    with translation.override("en"):
        assert compare_view.compare(trace(ALLOWED), trace(ALLOWED))["first"] is None


def test_a_request_under_way_shows_what_is_before_it() -> None:
    one = trace(DEPLOYMENT)
    kept = [s for s in one["stages"] if s["name"] in ("tls", "authentication", "audit")]
    one |= {"stages": kept, "endMicros": None, "code": 0, "outcome": "wait"}
    steps = trace_view.steps(one)
    ahead = [step["name"] for step in steps if step.get("ahead")]
    assert ahead[:3] == ["impersonation", "priority-and-fairness", "authorization"] and ahead[-2:] == [
        "etcd",
        "response",
    ]


# -- pages --------------------------------------------------------------------------------------------------------


def test_the_list_by_keyboard(open_page: Open) -> None:
    page = open_page(LIST)
    page.keyboard.press("j")
    first = page.locator("[data-rows] tr").first
    expect(first).to_have_class("is-row-allow chosen")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-rows] tr").nth(1).locator(".path a")).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.locator("[data-compare]")).to_be_enabled()
    expect(page.locator("[data-picked]")).to_contain_text("#4102")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/requests/4102/")


def test_two_picked_are_compared(open_page: Open) -> None:
    page = open_page(LIST)
    page.locator("[name=pick]").nth(0).check()
    page.locator("[name=pick]").nth(1).check()
    page.locator("[name=pick]").nth(2).check()
    expect(page.locator("[name=pick]:checked")).to_have_count(2)
    page.keyboard.press("c")
    page.wait_for_url("**/requests/compare/?pick=*")
    expect(page.locator("h1")).to_have_text("Two requests, side by side")


def test_slash_searches_and_the_address_keeps_it(open_page: Open) -> None:
    page = open_page(LIST)
    page.keyboard.press("/")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.type("mynginx")
    expect(page.locator("[data-rows] tr")).to_have_count(1)
    expect(page).to_have_url(re.compile("text=mynginx"))
    page.keyboard.press("Escape")
    expect(page.locator("#text")).not_to_be_focused()


def test_live_rows_wait_while_one_reads(open_page: Open, site: Site) -> None:
    page = open_page(LIST)
    site.wait_for_sockets()
    rows = page.locator("[data-rows] tr")
    count = rows.count()
    event = fixture_world.listed({**fixture_world.requests()[1], "outside": True})
    site.frame({**event, "id": 9001})
    expect(rows).to_have_count(count + 1)
    expect(rows.first.locator(".wf .part.etcd")).to_have_count(1)
    page.keyboard.press("j")
    site.frame({**event, "id": 9002})
    expect(page.locator("[data-flush]")).to_have_text("Show new requests: 1")
    expect(rows).to_have_count(count + 1)
    page.locator("[data-flush]").click()
    expect(rows).to_have_count(count + 2)
    page.locator("[data-tail]").click()
    site.frame({**event, "id": 9003})
    expect(page.locator("[data-flush]")).to_be_visible()
    expect(rows).to_have_count(count + 2)


SHIFTED = """window.shift = 0; new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shift += one.value;
}).observe({ type: "layout-shift" });"""


def test_live_rows_push_the_list_down_without_a_jump(open_page: Open, site: Site) -> None:
    """Also while others are still on their way, and with all that a row of the server's has."""
    page = open_page(f"{LIST}?system=1", width=1280, height=1600)  # so tall that no row is far from view
    site.wait_for_sockets()
    page.evaluate(SHIFTED)
    rows = page.locator("[data-rows] tr[data-id]")
    count = rows.count()
    caused = next(row for row in fixture_world.requests(system=True) if row["initiator"])
    for i in range(1, 7):
        event = {**fixture_world.listed(caused), "id": 9000 + i, "size": 600 + i}
        site.frame({**event, "id": 9100 + i}, event)
        expect(rows).to_have_count(count + 2 * i)
    expect(rows.first.locator("td.why")).to_have_text(f"#{caused['initiator']} create deployments/web")
    expect(page.locator("[data-rows] tr[style*=translate]")).to_have_count(0)
    assert page.evaluate("window.shift") < 0.001
    # The feed does not weigh what stays inside the cluster.
    newest = fixture_world.listed(caused)
    site.frame({**newest, "id": 9200, "size": None})
    expect(rows.first.locator("td.size")).to_have_text("–")
    site.frame({**newest, "size": None})
    expect(page.locator(f"[data-id='{caused['id']}'] td.size")).to_have_text("512 B")


def test_bars_of_one_moment_lie_above_each_other(open_page: Open) -> None:
    """One axis for all rows: what began later lies further right."""
    page = open_page(LIST)
    page.select_option("[data-zoom]", "")
    found = page.evaluate(
        "[...document.querySelectorAll('[data-rows] tr[data-id]')].map(tr => [Number(tr.dataset.start), parseFloat(tr.querySelector('.part').getAttribute('x'))])"
    )
    assert len(found) >= 5
    ordered = sorted(found)
    assert [x for _, x in ordered] == sorted(x for _, x in ordered)


def test_the_tree_by_keyboard(open_page: Open) -> None:
    page = open_page(f"{LIST}{DEPLOYMENT}/", quiet=False)  # the request it opens in the end is not recorded
    tree = page.locator("[data-tree]")
    tree.locator("[role=treeitem]").first.focus()
    number = "document.activeElement.dataset.number"
    assert page.evaluate(number) == "1"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(number) == "2", "an open node is left for its first child"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false"
    shown = page.locator("[role=treeitem]:visible").count()
    page.keyboard.press("ArrowRight")
    assert page.locator("[role=treeitem]:visible").count() > shown
    page.keyboard.press("End")
    page.keyboard.press("Home")
    assert page.evaluate(number) == "1"
    # The arrows of the tree don't step through the stages.
    expect(page.locator("[data-where]")).to_have_text(f"1 of {page.locator('[data-panel]').count()}")
    page.keyboard.press("Enter")
    page.wait_for_url("**/requests/*/")


def test_the_matrix_unfolds(open_page: Open) -> None:
    page = open_page(f"{LIST}{DEPLOYMENT}/")
    node = page.locator("[role=treeitem]:has(> .unfolded .matrix)").first
    if node.get_attribute("aria-expanded") == "false":
        node.locator("> .cause").click()
    expect(node.locator("> .unfolded .winner").first).to_contain_text("chosen")
    expect(node.locator("> .unfolded")).to_contain_text("TaintToleration")


def test_the_object_comes_when_one_steps_to_it(open_page: Open) -> None:
    page = open_page(f"{LIST}{DEPLOYMENT}/?step=7")
    expect(page.locator("[data-panel]:visible .yaml")).to_contain_text("replicas: 2")
    page.keyboard.press("PageDown")
    expect(page.locator("[data-panel]:visible h2")).to_have_text("Defaulting")
    expect(page.locator("[data-panel]:visible .yaml .add").first).to_be_visible()
    assert page.url.endswith("?step=8")


def test_the_source_and_the_near_misses_are_on_the_page(open_page: Open) -> None:
    page = open_page(f"{LIST}{DENIED}/", java_script_enabled=False)
    panel = page.locator("[data-panel]:visible")
    expect(panel.locator(".tried tbody tr")).to_have_count(3)
    expect(panel.locator(".src .decides")).to_have_count(1)
    expect(panel.locator(".src .decides")).to_contain_text("return Decision(False")


def test_a_second_one_is_suggested_and_the_first_difference_marked(open_page: Open) -> None:
    page = open_page(f"{LIST}{DENIED}/")
    page.get_by_role("link", name="Compare with another").click()
    page.locator(".choices .suggested").click()
    expect(page.locator(".pair .first th")).to_contain_text("Authorization")
    expect(page.locator("main .reason")).to_contain_text("They part at Authorization.")
    page.keyboard.press("PageDown")
    expect(page.locator(".pair .first a").first).to_be_focused()
    expect(page.locator(".pair .first a").first).to_have_attribute("href", re.compile(rf"/{DENIED}/\?step="))


def test_a_request_under_way_opens_where_it_stands() -> None:
    from explainer.pages.views.requests import _opened

    one = trace(DEPLOYMENT)
    one |= {"stages": one["stages"][:4], "endMicros": None, "code": 0, "outcome": "wait"}
    steps = trace_view.steps(one)
    assert len(steps) > 4 and _opened(steps, None, one) == 4
    assert _opened(steps, {"name": "authentication"}, one) == 2


def test_links_stay_in_the_moment(open_page: Open) -> None:
    page = open_page(f"{LIST}?at=83000000")
    assert page.locator("[data-tail]").count() == 0, "the past is not live"
    href = page.locator("[data-rows] .path a").first.get_attribute("href") or ""
    assert "at=83000000" in href
    page = open_page(f"{LIST}{DEPLOYMENT}/?at=83000000")
    for selector in ("[data-step]", "[data-cause]", "[href*=compare]", "a[download]"):
        assert "at=83000000" in (page.locator(selector).first.get_attribute("href") or ""), selector


def test_fixtures_are_what_the_recorder_writes() -> None:
    """The recorded traces have the shape of today's read model (else: python -m tests.browser.record_traces)."""
    recorded = json.loads((Path(__file__).parent / "data" / "traces.json").read_text())
    assert [one["id"] for one in recorded] == [DEPLOYMENT, DENIED, ALLOWED]
    for one in recorded:
        assert {"stages", "tree", "packet", "parts", "size", "because", "component", "nowMicros"} <= set(one)
