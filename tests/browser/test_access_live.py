"""axe over the main pages of the live product: what real clusters put on them, in both languages and on every sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.browser.axe import CONTRAST, faults, sheet
from tests.browser.conftest import Windows
from tests.product import Product, wait_for

PAGES = ("map", "requests", "trace", "etcd", "ha", "network", "objects", "presenter")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The demo cluster with a Deployment, a Service, a refused request, and its clock paused, so that every sheet shows the same."""
    product = Product(tmp_path_factory.mktemp("access"), DJANGO_SETTINGS_MODULE="explainer.settings")
    try:
        product.start()
        for line in ("create deployment web --image=nginx --replicas=2", "expose deployment web --port=80"):
            answer = product.api("POST", "/console", {"session": "a", "line": f"kubectl {line}"}, timeout=60)
            assert answer["exitCode"] == 0, answer
        product.api("POST", "/console", {"session": "a", "line": "kubectl get nodes --as=nobody"}, timeout=60)
        wait_for(
            lambda: (
                sum(p["phase"] == "Ready" for p in product.api("GET", "/views/map")["pods"] if p["name"][:4] == "web-")
                == 2
            ),
            "two ready pods",
        )
        product.api("PATCH", "/clock", {"paused": True})
        yield product
    finally:
        product.stop()


@pytest.fixture(scope="module")
def panes(windows_on: Callable[..., Windows], live: Product) -> Windows:
    """The windows on the product."""
    return windows_on(live.port)


def address(product: Product, name: str) -> str:
    rows = product.api("GET", "/requests?verb=create&limit=100")
    rows = rows["requests"] if isinstance(rows, dict) else rows
    made = next(row["id"] for row in rows if row["resource"] == "deployments")
    paths = {"map": "", "trace": f"requests/{made}/", "network": "network/?service=default/web"}
    return f"/clusters/demo/{paths.get(name, f'{name}/')}"


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("ko", "screen")])
@pytest.mark.parametrize("name", PAGES)
def test_live_page(panes: Windows, live: Product, name: str, language: str, theme: str) -> None:
    page = panes.page(theme, language, 1280, 800, quiet=False)
    page.goto(panes.url + address(live, name))
    page.locator("html[data-ready]").wait_for(state="attached")
    found = {theme: faults(page)}
    if theme == "light":
        sheet(page, "dark")
        found["dark"] = faults(page, CONTRAST)
    panes.give_back()
    assert {where: what for where, what in found.items() if what} == {}
