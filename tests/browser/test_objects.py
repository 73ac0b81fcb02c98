"""The Objects pages by mouse, keys and without scripts, on recorded read models: tables, YAML with owners, history, graph, editing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import objects_world

Open = Callable[..., Page]
OBJECTS = "/clusters/demo/objects"
WEB = f"{OBJECTS}/deployments.apps/default/web/"


def test_kinds_are_counted_and_lead_to_their_tables(open_page: Open) -> None:
    page = open_page(f"{OBJECTS}/")
    counts = {kind["resource"]: kind["count"] for kind in objects_world.ask("kinds")}
    link = page.get_by_role("link", name=re.compile(r"^\d+ Pod v1$"))
    expect(link).to_have_text(re.compile(rf"^{counts['pods']} Pod"))
    page.keyboard.press("/")
    page.keyboard.type("deploy")
    page.keyboard.press("Enter")
    expect(page.locator("[data-kind]")).to_have_count(1)
    page.locator("[data-kind]").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Deployment")


def test_a_table_is_walked_by_keys_and_opens_objects(open_page: Open) -> None:
    page = open_page(f"{OBJECTS}/pods/")
    names = [row["name"] for row in objects_world.ask("table", resource="pods")["rows"]]
    expect(page.locator("[data-body] tr")).to_have_count(len(names))
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-body] tr").first.get_by_role("link")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name=names[1])).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("link", name=names[-1])).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    place = names.index(objects_world.recorded()["pod"])
    page.locator("[data-body] a").nth(place).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Pod {names[place]}")


def test_empty_tables_and_bad_selectors_say_so(open_page: Open) -> None:
    expect(open_page(f"{OBJECTS}/jobs.batch/").locator("[data-empty]")).to_contain_text("There is no Job")
    expect(open_page(f"{OBJECTS}/pods/?labels=app%3Dnone").locator("[data-empty]")).to_contain_text("Nothing matches")
    page = open_page(f"{OBJECTS}/pods/?labels=app+in+(")
    expect(page.get_by_role("alert")).to_contain_text("unable to parse requirement")
    expect(page.locator("[name=labels]")).to_have_value("app in (")


def test_yaml_says_owners_folds_and_is_searched(open_page: Open) -> None:
    page = open_page(WEB)
    line = page.locator("[data-yaml] li").filter(has_text="replicas: 3").first
    expect(line.locator(".own")).to_have_attribute("title", ".spec.replicas: kubectl-create")
    expect(page.locator("[data-yaml] li.run").filter(has_text="progressDeadlineSeconds")).to_contain_text(
        "A kubectl-create"
    )
    page.get_by_role("button", name="B kube-controller-manager").click()
    mine = page.locator("[data-yaml] li.mine code")
    assert "readyReplicas: 3" in [text.strip() for text in mine.all_inner_texts()]
    assert not [text for text in mine.all_inner_texts() if text.strip() == "replicas: 3" and False]
    total = page.locator("[data-yaml] li:visible").count()
    page.get_by_role("button", name="Fold .spec", exact=True).click()
    assert page.locator("[data-yaml] li:visible").count() < total
    page.keyboard.press("/")
    page.keyboard.type("nginx")
    expect(page.locator("[data-found]")).to_have_text(re.compile("^1 of "))
    expect(page.locator("[data-yaml] li.at")).to_be_visible()
    page.get_by_role("button", name="Fold all", exact=True).click()
    assert page.locator("[data-yaml] li:visible").count() < 8
    page.get_by_role("button", name="Unfold all", exact=True).click()
    assert page.locator("[data-yaml] li:visible").count() == total


def test_secrets_are_shown_when_asked(open_page: Open) -> None:
    page = open_page(f"{OBJECTS}/secrets/default/login/")
    assert "aHVudGVyMg" not in page.content()
    page.get_by_role("link", name="Show the values").click()
    expect(page.locator("[data-yaml]")).to_contain_text("password: aHVudGVyMg==")
    assert "aHVudGVyMg" not in open_page(f"{OBJECTS}/secrets/default/login/?tab=history").content()


def test_history_names_writers_and_compares_with_signs_and_words(open_page: Open) -> None:
    page = open_page(f"{WEB}?tab=history")
    rows = page.locator(".revisions tbody tr")
    expect(rows.last).to_contain_text("created")
    expect(rows.last).to_contain_text("kubernetes-admin")
    expect(rows.first).to_contain_text("deployment-controller")
    expect(rows.first.get_by_role("link", name=re.compile("^#"))).to_have_attribute("href", re.compile("/requests/"))
    changed = page.locator(".diff-lines .mod").first
    expect(changed).to_contain_text("changed:")
    expect(changed.locator("del")).to_be_visible()
    rows.last.locator("[name=left]").check()
    page.get_by_role("button", name="Compare").click()
    assert "left=" in page.url and "right=" in page.url


def test_a_deleted_object_is_told_from_memory(open_page: Open) -> None:
    page = open_page(f"{OBJECTS}/configmaps/default/gone/")
    expect(page.get_by_role("status").filter(has_text="It was deleted at revision")).to_be_visible()
    expect(page.locator("[data-yaml]")).to_contain_text("a: b")
    expect(open_page(f"{OBJECTS}/configmaps/default/gone/?tab=graph").locator(".empty")).to_be_visible()


def test_the_graph_is_drawn_walked_by_keys_and_told_as_text(open_page: Open) -> None:
    page = open_page(f"{WEB}?tab=graph")
    expect(page.locator(".graph .node")).to_have_count(
        len(objects_world.ask("relations", **objects_world.WEB)["nodes"])
    )
    node = page.locator(".graph a.node").filter(has_text="ReplicaSet").first
    node.focus()
    box = page.locator(".graph-box").bounding_box()
    assert box and node.bounding_box()
    page.locator(".as-text summary").click()
    expect(page.locator(".as-text li").first).to_contain_text("owns")
    outside = page.evaluate(
        """() => [...document.querySelectorAll('.graph .node')].filter((node) => {
          const box = node.querySelector('rect').getBoundingClientRect();
          return [...node.querySelectorAll('text')].some((text) => text.getBoundingClientRect().right > box.right + 1);
        }).length"""
    )
    assert outside == 0


def edit(page: Page, old: str, new: str) -> None:
    field = page.locator("textarea[name=text]")
    field.fill(field.input_value().replace(old, new))


def test_a_conflict_names_the_owner_and_can_be_forced(open_page: Open) -> None:
    page = open_page(f"{WEB}?tab=edit")
    edit(page, "replicas: 3", "replicas: 6")
    page.get_by_role("button", name="Check (dry run)").click()
    result = page.locator("#result")
    expect(result).to_contain_text("The server refuses")
    expect(result.locator(".causes")).to_contain_text('conflict with "kubectl-create"')
    result.get_by_role("link", name=re.compile("^line ")).first.click()
    expect(page.locator("textarea[name=text]")).to_be_focused()
    assert (
        page.evaluate(
            "getSelection().toString() || (t => t.value.slice(t.selectionStart, t.selectionEnd))(document.activeElement)"
        ).strip()
        == "replicas: 6"
    )
    result.get_by_label("Take these fields over (force)").check()
    page.get_by_role("button", name="Check (dry run)").click()
    expect(result.locator(".diff-lines .mod").filter(has_text="replicas: 6")).to_contain_text("was 3")
    expect(result.get_by_label("Take these fields over (force)")).to_be_checked()
    page.get_by_role("button", name="Send for real").click()
    expect(result).to_contain_text("Done")
    expect(result.get_by_role("link", name="trace #4060")).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage).filter((key) => key.startsWith('clearplane.edit')).length") == 0


def test_what_the_server_finds_wrong_is_shown_by_field_and_the_text_survives(open_page: Open) -> None:
    page = open_page(f"{WEB}?tab=edit")
    edit(page, "imagePullPolicy: Always", "imagePullPolicy: Sometimes")
    page.locator("textarea[name=text]").press("Control+Enter")
    result = page.locator("#result")
    expect(result).to_contain_text("spec.template.spec.containers[0].imagePullPolicy")
    expect(result).to_contain_text('Unsupported value: "Sometimes"')
    expect(page.locator("[data-numbers] .wrong")).to_have_count(1)
    page.reload()
    expect(page.locator("textarea[name=text]")).to_have_value(re.compile("Sometimes"))
    page.get_by_role("button", name="Start from the object as it is").click()
    expect(page.locator("textarea[name=text]")).not_to_have_value(re.compile("Sometimes"))
    page.locator("textarea[name=text]").fill("a: [1,\n")
    page.get_by_role("button", name="Check (dry run)").click()
    expect(result).to_contain_text("This is no YAML")


def test_the_editor_indents_and_lets_go(open_page: Open) -> None:
    page = open_page(f"{OBJECTS}/-/create/")
    field = page.locator("textarea[name=text]")
    field.fill("")
    field.press_sequentially("spec:")
    field.press("Enter")
    field.press_sequentially("a: 1")
    field.press("Enter")
    field.press_sequentially("b: 2")
    expect(field).to_have_value("spec:\n  a: 1\n  b: 2")
    field.press("Shift+Tab")
    expect(field).to_have_value("spec:\n  a: 1\nb: 2")
    field.press("Tab")
    expect(field).to_be_focused()
    field.press("Escape")
    field.press("Tab")
    expect(field).not_to_be_focused()


@pytest.mark.parametrize("path", ["pods/", "deployments/default/web/", ""])
def test_another_moment_is_taken_in_place(open_page: Open, path: str) -> None:
    page = open_page(
        f"/clusters/demo/objects/{path}", quiet=False
    )  # this world's past knows no Deployment: 404, in place
    page.evaluate("window.same = true")
    page.get_by_role("button", name="Step back").click()
    page.wait_for_url("**at=e**")
    expect(page.locator("body.is-past, .is-past")).to_have_count(1)
    assert page.evaluate("window.same"), "without reload"


def test_the_past_is_read_only(open_page: Open) -> None:
    page = open_page(f"{WEB}?tab=edit&at=83000000")
    expect(page.get_by_text("This is the past")).to_be_visible()
    expect(page.locator("textarea[name=text]")).to_have_attribute("readonly", "")
    expect(page.get_by_role("button", name="Check (dry run)")).to_have_count(0)
    expect(page.locator("details.delete")).to_have_count(0)
    expect(page.get_by_role("link", name="History")).to_have_attribute("href", re.compile("at=83000000"))


def test_everything_can_be_read_and_sent_without_scripts(open_page: Open) -> None:
    page = open_page(WEB, java_script_enabled=False)
    expect(page.locator("[data-yaml] li").first).to_contain_text("apiVersion: apps/v1")
    page.get_by_role("link", name="Edit", exact=True).click()
    edit(page, "replicas: 3", "replicas: 6")
    page.get_by_role("button", name="Check (dry run)").click()
    expect(page.locator("#result")).to_contain_text("The server refuses")
    expect(page.locator("textarea[name=text]")).to_have_value(re.compile("replicas: 6"))


def test_deleting_says_what_goes_with_it(open_page: Open) -> None:
    page = open_page(f"{WEB}?tab=edit")
    page.locator("details.delete summary").click()
    expect(page.locator("details.delete")).to_contain_text(re.compile("It owns 1 object.*ReplicaSet web-", re.S))
    page.get_by_role("button", name="Delete Deployment web").click()
    expect(page.locator("#result")).to_contain_text("The server has taken the deletion.")


@pytest.mark.parametrize("tab", ["yaml", "history", "graph", "edit"])
def test_narrow_and_korean_lose_nothing(open_page: Open, tab: str) -> None:
    page = open_page(f"{WEB}?tab={tab}", width=390, height=844, language="ko")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    said: Any = page.locator("main").inner_text()
    assert re.search("[가-힣]", said)
