"""Pictures of the real product for the documents: ``python -m tests.browser.screenshots [folder]`` (default ``docs``).

In → nothing but this repository; it starts the product in a folder of its own, does the main job with kubectl, and looks. Out →
``map.png``, ``tracer.png``, ``etcd.png``, ``network.png``, each 1440×900 in at most 64 colours (a drawing has few) and 200 kB.
Needs kubectl on PATH and Pillow. Errors: a picture that is too large, or a page that is not there in time, ends it with exit 1.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser_setup import executable
from tests.product import ROOT, Product, wait_for

LIMIT = 200_000
COLOURS = 64


def kubectl(product: Product, *arguments: str) -> str:
    """What kubectl says."""
    environment = {**os.environ, "KUBECONFIG": str(product.data / "kubeconfig")}
    return subprocess.run(
        ["kubectl", *arguments], env=environment, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def save(page: Page, folder: Path, name: str) -> None:
    """Write what the page shows as a small PNG."""
    target = folder / f"{name}.png"
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)
    size = target.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{target} has {size} bytes, more than {LIMIT}")
    print(f"{target} {size // 1000} kB")


def look(product: Product, page: Page, folder: Path) -> None:
    """The four pictures."""
    base = f"http://127.0.0.1:{product.port}/clusters/demo"

    def open_page(path: str) -> None:
        page.goto(base + path)
        page.locator("html[data-ready][data-live]").wait_for()

    open_page("/")
    kubectl(product, "create", "deployment", "web", "--image=nginx", "--replicas=3")
    page.locator(".flight text", has_text="POST").first.wait_for()
    expect(page.locator("a.pod.Ready[data-name^='web-']")).to_have_count(3, timeout=30_000)
    kubectl(product, "expose", "deployment", "web", "--port=80")
    page.locator(".flight text", has_text="POST services").first.wait_for()
    save(page, folder, "map")

    rows = product.api("GET", "/requests?verb=create&limit=200")
    made = next(row["id"] for row in rows if row["resource"] == "deployments" and row["name"] != "coredns")
    open_page(f"/requests/{made}/?step=8")
    save(page, folder, "tracer")

    open_page("/etcd/")
    leader = page.locator(".member.leader").get_attribute("data-member") or ""
    page.get_by_role("button", name=f"Stop {leader}").click()
    expect(page.locator(f".member.leader:not([data-member={leader}])")).to_have_count(1, timeout=30_000)
    kubectl(product, "scale", "deployment", "web", "--replicas=4")
    page.locator(".cell.missing").first.wait_for()
    save(page, folder, "etcd")
    page.get_by_role("button", name=f"Start {leader}").click()

    rules = "/api/clusters/demo/nodes/node-1/rules"
    wait_for(lambda: product.call("GET", rules)[1].count("default/web ->") >= 3, "the rules of the Service")
    open_page("/network/?service=default/web&node=node-1")
    page.get_by_role("button", name="Send").click()
    page.locator("[data-walk-verdict]", has_text="DNAT").wait_for()
    for _ in range(3):
        page.locator("[data-walk-go=next]").click()
    save(page, folder, "network")


def main() -> None:
    folder = ROOT / (sys.argv[1] if len(sys.argv) > 1 else "docs")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        product = Product(Path(data), DJANGO_SETTINGS_MODULE="explainer.settings")
        try:
            product.start()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
                page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en")
                page.set_default_timeout(30_000)
                look(product, page, folder)
                browser.close()
        finally:
            product.stop()


if __name__ == "__main__":
    main()
