"""Pictures of the real product for the documents: ``python -m tests.browser.screenshots [folder]`` (default ``docs``).

In → nothing but this repository; it starts the product in a folder of its own, does the main job with kubectl, and looks. Out →
``map.png``, ``tracer.png``, ``etcd.png``, ``network.png``, each 1280×800 and at most 200 kB: a drawing has few colours,
so it is written with a palette. Needs kubectl on PATH. Errors: a picture that is too large, or a page that is not there in time, ends it with exit 1.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser_setup import executable
from tests.product import ROOT, Product, wait_for

LIMIT = 200_000


def kubectl(product: Product, *arguments: str) -> str:
    """What kubectl says."""
    environment = {**os.environ, "KUBECONFIG": str(product.data / "kubeconfig")}
    return subprocess.run(
        ["kubectl", *arguments], env=environment, check=True, capture_output=True, text=True, timeout=60
    ).stdout


def pixels(png: bytes) -> tuple[int, list[bytearray]]:
    """The width and the rows of an 8-bit RGB picture, as Chromium writes it (PNG, RFC 2083)."""
    at, data, width, depth = 8, b"", 0, 3
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, _height, bits, colour = struct.unpack(">IIBB", body[:10])
            depth = {2: 3, 6: 4}[colour]
            assert bits == 8
        elif kind == b"IDAT":
            data += body
        at += 12 + size
    raw, stride = zlib.decompress(data), width * depth
    rows, above = [], bytearray(stride)
    for start in range(0, len(raw), stride + 1):
        way, row = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for x in range(stride if way else 0):
            left = row[x - depth] if x >= depth else 0
            up = above[x]
            if way == 4:
                corner = above[x - depth] if x >= depth else 0
                guess = left + up - corner
                near = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            else:
                near = (0, left, up, (left + up) // 2)[way]
            row[x] = (row[x] + near) & 255
        rows.append(row)
        above = row
    return width, rows if depth == 3 else [bytearray(v for i, v in enumerate(r) if i % 4 < 3) for r in rows]


def small(png: bytes) -> bytes:
    """The same picture with at most 256 colours."""
    width, rows = pixels(png)
    counts = Counter(bytes(row[x : x + 3]) for row in rows for x in range(0, len(row), 3))
    palette = [colour for colour, _times in counts.most_common(256)]
    place = {colour: index for index, colour in enumerate(palette)}
    for colour in counts:
        if colour not in place:
            near = min(palette, key=lambda other: sum((a - b) ** 2 for a, b in zip(other, colour, strict=True)))
            place[colour] = place[near]
    body = b"".join(b"\0" + bytes(place[bytes(row[x : x + 3])] for x in range(0, len(row), 3)) for row in rows)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)
    return png[:8] + b"".join(
        (
            chunk(b"IHDR", head),
            chunk(b"PLTE", b"".join(palette)),
            chunk(b"IDAT", zlib.compress(body, 9)),
            chunk(b"IEND", b""),
        )
    )


def save(page: Page, folder: Path, name: str) -> None:
    """Write what the page shows as a small PNG."""
    target = folder / f"{name}.png"
    size = target.write_bytes(small(page.screenshot()))
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
    expect(page.locator(".flight")).to_have_count(0, timeout=30_000)
    with ThreadPoolExecutor() as hands:
        typed = hands.submit(kubectl, product, "expose", "deployment", "web", "--port=80")
        page.locator(".flight text", has_text="POST").first.wait_for()
        save(page, folder, "map")
        typed.result()

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
                page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en")
                page.set_default_timeout(30_000)
                look(product, page, folder)
                browser.close()
        finally:
            product.stop()


if __name__ == "__main__":
    main()
