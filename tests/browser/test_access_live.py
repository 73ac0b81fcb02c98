"""axe over the main pages of the live product: what real clusters put on them, in both languages and on every sheet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.axe import faults
from tests.product import Product, wait_for

PAGES = ("map", "requests", "trace", "etcd", "network", "objects", "presenter")


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


def address(product: Product, name: str) -> str:
    rows = product.api("GET", "/requests?verb=create&limit=100")
    rows = rows["requests"] if isinstance(rows, dict) else rows
    made = next(row["id"] for row in rows if row["resource"] == "deployments")
    paths = {"map": "", "trace": f"requests/{made}/", "network": "network/?service=default/web"}
    return f"/clusters/demo/{paths.get(name, f'{name}/')}"


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", PAGES)
def test_live_page(browser: Browser, live: Product, name: str, language: str) -> None:
    url = f"http://127.0.0.1:{live.port}"
    found = {}
    for theme in ("light", "dark", "screen"):
        context = browser.new_context(viewport={"width": 1280, "height": 800}, locale=language)
        cookies = {"theme": theme, "clearplane_language": language}
        context.add_cookies([{"name": key, "value": value, "url": url} for key, value in cookies.items()])
        page = context.new_page()
        page.goto(url + address(live, name))
        page.locator("html[data-ready]").wait_for(state="attached")
        found[theme] = faults(page)
        context.close()
    assert {where: what for where, what in found.items() if what} == {}
