"""The list of clusters and its makers; two moments side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from explainer.pages.views import clusters as view
from tests.browser.conftest import Site

Open = Callable[..., Page]


def test_forks_stand_under_what_they_branched_off(open_page: Open) -> None:
    page = open_page("/clusters/", java_script_enabled=False)
    names = page.locator("[data-card]").evaluate_all("els => els.map(el => el.dataset.card)")
    assert names == ["demo", "what-if", "what-if-again", "tired"]
    again = page.locator("[data-card=what-if-again]")
    expect(again).to_contain_text("fork of what-if at 0:01:20.956, without request 4060")
    expect(again.locator(".mini .down")).to_have_count(1)
    expect(page.locator("[data-card=tired]")).to_contain_text("broken")
    expect(page.locator("[data-card=demo]").get_by_role("link", name="Export")).to_have_attribute("download", "")


def test_a_circle_of_parents_loses_no_cluster() -> None:
    rows = [{"name": "a", "parent": {"cluster": "b"}}, {"name": "b", "parent": {"cluster": "a"}}, {"name": "c"}]
    assert sorted(row["name"] for row, _depth in view.family(rows)) == ["a", "b", "c"]


ALWAYS = {
    "seed": 1, "paused": False, "heartbeatMs": 100, "electionMs": 1000, "linkMs": [0.5, 1.5], "fsyncMs": [1, 20],
    "preVote": False, "checkQuorum": True, "etcdMembers": 5,
}  # fmt: skip
WHOLE = {
    "topology": "external", "controlPlanes": 3, "workers": 12, "proxyMode": "iptables", "registerControlPlane": True,
    "legacyServiceAccountTokens": False,
}  # fmt: skip


@pytest.mark.parametrize(("topology", "wanted"), [("external", WHOLE), ("bare", {"bare": True})])
def test_a_cluster_is_made_with_what_was_chosen(
    open_page: Open, site: Site, topology: str, wanted: dict[str, Any]
) -> None:
    page = open_page("/clusters/", quiet=False)
    before = len(site.calls())
    form = page.locator("[data-new]")
    form.get_by_label("Name").fill("class-7")
    form.get_by_label("Workers").fill("12")
    form.get_by_label("Topology").select_option(topology)
    form.get_by_label("etcd members").select_option("5")
    expect(form.get_by_label("Workers")).to_be_visible(visible=topology != "bare")
    form.get_by_text("etcd's timing, links and disks").click()
    form.get_by_label("Pre-vote").uncheck()
    form.get_by_role("group", name="A disk's fsync, ms").get_by_label("at most").fill("20")
    form.get_by_role("button", name="Make it").click()
    page.wait_for_url(re.compile("/clusters/class-7/"))
    body = next(call[2] for call in site.calls()[before:] if call[1] == "/api/clusters")
    assert body == {"name": "class-7", **ALWAYS, **wanted}


def test_deleting_asks_first(open_page: Open, site: Site) -> None:
    page = open_page("/clusters/")
    before = len(site.calls())
    page.get_by_role("button", name="Delete what-if", exact=True).click()
    dialog = page.get_by_role("dialog", name="Delete what-if?")
    dialog.get_by_role("button", name="Cancel").click()
    assert site.calls()[before:] == []
    page.get_by_role("button", name="Delete what-if", exact=True).click()
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog).to_be_hidden()
    assert ["DELETE", "/api/clusters/what-if", None] in site.calls()


def test_differences_as_list_and_as_yaml(open_page: Open) -> None:
    page = open_page("/clusters/demo/compare/?with=what-if&at=e4960")
    expect(page.locator(".counts")).to_contain_text("1 added")
    row = page.locator(".difference.changed")
    expect(row.get_by_role("row", name="/spec/replicas 2 3")).to_have_count(1)
    page.get_by_role("button", name="YAML").click()
    expect(row.locator(".as-yaml")).to_contain_text("@@ /spec/replicas @@\n- 2\n+ 3")
    expect(row.locator(".as-list")).to_be_hidden()


@pytest.mark.parametrize(
    ("query", "said"),
    [("", "Choose another moment"), ("with=same", "No difference"), ("with=nosuch", "there is no cluster named")],
)
def test_nothing_to_compare_is_designed(open_page: Open, query: str, said: str) -> None:
    page = open_page(f"/clusters/demo/compare/?{query}")
    expect(page.locator("main")).to_contain_text(said)
