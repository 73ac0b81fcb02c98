"""Every page: meaning without scripts, panels beside the picture, names that stay apart, choices that stay, nothing that glows (test_access.py asks the rest)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from explainer.fragments import catalogs

Open = Callable[..., Page]
ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "map": "/clusters/demo/?select=process:m2",
    "requests": "/clusters/demo/requests/",
    "trace": "/clusters/demo/requests/4060/?step=10",
    "denied": "/clusters/demo/requests/4102/",
    "kinds": "/clusters/demo/objects/",
    "objects": "/clusters/demo/objects/pods/",
    "object": "/clusters/demo/objects/deployments.apps/default/web/",
    "history": "/clusters/demo/objects/deployments.apps/default/web/?tab=history",
    "graph": "/clusters/demo/objects/deployments.apps/default/web/?tab=graph",
    "edit": "/clusters/demo/objects/deployments.apps/default/web/?tab=edit",
    "etcd": "/clusters/demo/etcd/",
    "ha": "/clusters/demo/ha/",
    "network": "/clusters/demo/network/?service=default/web",
    "style": "/style/",
}
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SMALLEST = """() => {
  let least = [99, ''];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const el = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || el.closest('.visually-hidden, template, script, title, desc, [hidden]')) continue;
    const box = el.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    const matrix = el.getScreenCTM ? el.getScreenCTM() : null;
    const size = parseFloat(getComputedStyle(el).fontSize) * (matrix ? matrix.d : 1);
    if (size < least[0]) least = [size, el.textContent.trim().slice(0, 30)];
  }
  return least;
}"""


@pytest.mark.parametrize("name", [name for name in PAGES if name != "style"])
def test_meaning_without_scripts(open_page: Open, name: str) -> None:
    page = open_page(PAGES[name], java_script_enabled=False)
    said = page.locator("main").inner_text()
    need = {
        "map": "node-1",
        "requests": "/api/v1/nodes",
        "trace": "ServiceAccount",
        "denied": "forbidden",
        "kinds": "Deployment",
        "objects": "web-",
        "object": "replicas",
        "history": "deployment-controller",
        "graph": "ReplicaSet",
        "edit": "dryRun=All",
        "etcd": "leader",
        "network": "KUBE-SVC-",
        "ha": "controller-manager",
    }[name]
    assert need in said or page.locator(f"main :text('{need}')").count() > 0


@pytest.mark.parametrize(("width", "height"), [(1024, 768), (1280, 720), (1440, 900)])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_panels_never_cover_the_picture(open_page: Open, width: int, height: int, language: str) -> None:
    page = open_page("/clusters/demo/", width=width, height=height, language=language)
    boxes = {
        name: page.locator(name).first.bounding_box()
        for name in ("[data-map]", ".inspector", ".caption-row", ".bottom", ".top")
    }
    picture = boxes.pop("[data-map]")
    assert picture is not None
    shown = min(picture["y"] + picture["height"], page.locator(".bottom").bounding_box()["y"])  # type: ignore[index]
    for name, box in boxes.items():
        if box is None:
            continue
        across = min(picture["x"] + picture["width"], box["x"] + box["width"]) - max(picture["x"], box["x"])
        down = min(shown, box["y"] + box["height"]) - max(picture["y"], box["y"])
        assert min(across, down) <= 1, name


def test_projector_gives_the_picture_seven_tenths(open_page: Open) -> None:
    page = open_page("/clusters/demo/?screen", width=1024, height=768)
    box = page.locator("[data-map]").bounding_box()
    assert box is not None
    assert box["width"] * box["height"] >= 0.7 * 1024 * 768


def test_names_stay_apart(open_page: Open) -> None:
    page = open_page("/clusters/demo/")
    for node in ("node-1", "node-2", "node-3"):
        names = page.locator(f"[data-slots={node}] .podname").all_text_contents()
        assert len(names) == len(set(names))


def test_choice_of_language_and_sheet_is_remembered(open_page: Open) -> None:
    page = open_page("/clusters/demo/", theme="light")
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="한국어").click()
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="어둡게").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("html")).to_have_attribute("lang", "ko")


def test_nobody_runs_the_cluster(open_page: Open) -> None:
    page = open_page("/clusters/away/", quiet=False)
    expect(page.locator(".lost").first).to_contain_text("The simulation does not answer.")


def test_unknown_cluster_and_request(open_page: Open) -> None:
    assert "no cluster named nosuch" in open_page("/clusters/nosuch/", quiet=False).locator("main").inner_text()
    assert "not remembered" in open_page("/clusters/demo/requests/1/", quiet=False).locator("main").inner_text()


def test_no_glow_no_endless_motion() -> None:
    """The lint of identity.md: nothing that blurs, glows or loops may ship."""
    for path in [*ROOT.glob("static/css/*.css"), *ROOT.glob("static/js/*.js"), *ROOT.glob("templates/**/*.html")]:
        text = path.read_text()
        bad = re.search(
            r"blur\(|backdrop-filter|box-shadow:(?!\s*none)|gradient\(|infinite|webgl|text-shadow|letter-spacing|text-transform",
            text,
            re.I,
        )
        assert bad is None, f"{path.name}: {bad.group()}"
        assert not re.search(r"\sstyle=|\son\w+=", text) or path.suffix != ".html", (
            f"{path.name}: inline style or handler"
        )


def test_every_sentence_is_translated() -> None:
    assert catalogs.missing(ROOT / "locale/ko/LC_MESSAGES/django.po") == []


def test_weight_of_the_map(open_page: Open) -> None:
    """At most 120 kB compressed, from this host only."""
    import gzip

    page = open_page("/clusters/demo/")
    expect(page.locator("html.js")).to_have_count(1)
    page.wait_for_load_state("networkidle")
    addresses = page.evaluate("[location.href, ...performance.getEntriesByType('resource').map(e => e.name)]")
    assert all(address.startswith(page.evaluate("location.origin")) for address in addresses)
    files = [address for address in addresses if "/api/" not in address]
    total = sum(len(gzip.compress(page.request.get(address).body())) for address in files)
    assert total <= 120_000
