"""Pictures of the real product for the documents: ``python -m tests.browser.screenshots [folder]`` (default ``docs``), or ``make pictures``.

In → nothing but this repository; it starts the product in a folder of its own, does the main job with kubectl, and looks. Out →
``map.png``, ``tracer.png``, ``etcd.png``, ``network.png``, ``objects.png``, ``past.png``, ``projector.png``, ``presenter.png``, ``style.png``, each at most
200 kB (a drawing has few colours, so it is written with a palette), and ``tour.png``, an animation of at most 2 MB: a request travels, its trace
is stepped, etcd's leader is stopped, the past is looked at and forked, a packet walks. ``--only=name,name`` takes some of them.
Needs kubectl on PATH. Errors: a picture that is too large, or a page that is not there in time, ends it with exit 1.
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

from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.tour import Tour
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


class Studio:
    """The product, a page, and what each picture needs before it is taken."""

    def __init__(self, product: Product, browser: Browser, folder: Path) -> None:
        self.product, self.browser, self.folder = product, browser, folder
        self.base = f"http://127.0.0.1:{product.port}/clusters/demo"
        self.page = self.new_page(1280, 800)

    def new_page(self, width: int, height: int) -> Page:
        context = self.browser.new_context(viewport={"width": width, "height": height}, locale="en")
        page = context.new_page()
        page.set_default_timeout(30_000)
        return page

    def open(self, path: str, page: Page | None = None) -> Page:
        page = page or self.page
        try:
            page.goto(self.base + path)
        except Error:  # the page that was there was reading itself anew
            page.goto(self.base + path)
        page.locator("html[data-ready][data-live]").wait_for(state="attached")
        return page

    def save(self, name: str, page: Page | None = None) -> None:
        """Write what the page shows as a small PNG."""
        target = self.folder / f"{name}.png"
        size = target.write_bytes(small((page or self.page).screenshot()))
        if size > LIMIT:
            raise SystemExit(f"{target} has {size} bytes, more than {LIMIT}")
        print(f"{target} {size // 1000} kB", flush=True)

    def ready(self, replicas: int) -> None:
        """The Deployment ``web`` has so many ready Pods."""
        wait_for(
            lambda: (
                sum(
                    pod["phase"] == "Ready" and pod["name"].startswith("web-")
                    for pod in self.product.api("GET", "/views/map")["pods"]
                )
                == replicas
            ),
            f"{replicas} ready pods of web",
            60,
        )

    def created(self) -> int:
        """The request that made the Deployment ``web``."""
        rows = self.product.api("GET", "/requests?verb=create&limit=200")
        rows = rows["requests"] if isinstance(rows, dict) else rows
        return next(row["id"] for row in rows if row["resource"] == "deployments" and row.get("name") != "coredns")

    def look_back(self, page: Page, micros: int) -> None:
        """The map as of then; asked again while the history is being read."""

        def drawn() -> bool:
            page.goto(f"{self.base}/?at={micros}")
            page.locator("html[data-ready]").wait_for(state="attached")
            page.wait_for_timeout(400)
            return page.locator("[data-map]").count() == 1

        wait_for(drawn, "a moment of the past", 60)

    def leader(self) -> str:
        """The etcd member that leads; waits for one."""

        def found() -> str:
            answer = self.product.api("GET", "/etcd/members?log=none")
            rows = answer["members"] if isinstance(answer, dict) else answer
            return next((row["id"] for row in rows if row["role"] == "leader" and row.get("up", True)), "")

        return wait_for(found, "a leader", 60)


def map_(studio: Studio) -> None:
    """A request on its way in."""
    studio.open("/")
    with ThreadPoolExecutor() as hands:
        typed = hands.submit(kubectl, studio.product, "expose", "deployment", "web", "--port=80")
        studio.page.locator(".flight", has_text="POST").first.wait_for()
        studio.save("map")
        typed.result()


def tracer(studio: Studio) -> None:
    studio.open(f"/requests/{studio.created()}/?step=8")
    studio.save("tracer")


def etcd(studio: Studio) -> None:
    """A follower is down and lacks what was written since."""
    page = studio.open("/etcd/")
    leader = studio.leader()
    studio.product.api("POST", f"/etcd/members/{leader}/stop")
    wait_for(lambda: studio.leader() != leader, "another leader", 60)
    kubectl(studio.product, "scale", "deployment", "web", "--replicas=4")
    page.locator(".cell.missing").first.wait_for(state="attached")
    studio.save("etcd")
    studio.product.api("POST", f"/etcd/members/{leader}/start")


def network(studio: Studio) -> None:
    rules = "/api/clusters/demo/nodes/node-1/rules"
    wait_for(lambda: studio.product.call("GET", rules)[1].count("default/web ->") >= 3, "the rules of the Service")
    page = studio.open("/network/?service=default/web&node=node-1")
    page.locator("[data-walk-verdict]", has_text="DNAT").wait_for()  # it opens at the rule that decides
    studio.save("network")


def objects(studio: Studio) -> None:
    page = studio.page
    answer = page.goto(studio.base + "/objects/?resource=deployments&namespace=default&name=web")
    if answer and answer.ok:
        page.locator("html[data-ready]").wait_for(state="attached")
        studio.save("objects")


def past(studio: Studio) -> None:
    """Just after the request that made the Deployment, while the cluster goes on."""
    made = studio.product.api("GET", f"/requests/{studio.created()}")
    studio.look_back(studio.page, made["endMicros"] + 20_000)
    studio.save("past")


def projector(studio: Studio) -> None:
    """And the presenter's window that sees it."""
    wall = studio.new_page(1024, 768)
    studio.open(f"/requests/{studio.created()}/?step=8&screen=1", wall)
    studio.save("projector", wall)
    desk = wall.context.new_page()
    desk.set_viewport_size({"width": 1280, "height": 800})
    studio.open("/presenter/", desk)
    desk.locator("[data-notes]").fill(
        "Ask them first: who fills in the fields that nobody wrote?\n\nThen step on to the quorum."
    )
    desk.locator("[data-shows]").wait_for()
    desk.wait_for_timeout(400)
    studio.save("presenter", desk)
    wall.context.close()


def style(studio: Studio) -> None:
    studio.page.goto(studio.base.removesuffix("/clusters/demo") + "/style/")
    studio.page.locator("html[data-ready]").wait_for(state="attached")
    studio.save("style")


def tour(studio: Studio) -> None:
    """Five scenes, each as it happens."""
    page = studio.new_page(1120, 700)
    film = Tour(page)
    product = studio.product

    studio.open("/", page)
    film.shot()
    with ThreadPoolExecutor() as hands:
        typed = hands.submit(kubectl, product, "create", "configmap", "tour", "--from-literal=a=b")
        film.film(6)
        typed.result()

    request = studio.created()
    studio.open(f"/requests/{request}/?step=4", page)
    for _ in range(7):
        film.shot()
        page.wait_for_timeout(700)
        page.keyboard.press("ArrowRight")
    film.shot()

    studio.open("/etcd/", page)
    film.shot()
    leader = studio.leader()
    product.api("POST", f"/etcd/members/{leader}/stop")
    film.film(5)
    product.api("POST", f"/etcd/members/{leader}/start")
    film.film(2)

    made = product.api("GET", f"/requests/{request}")
    studio.look_back(page, made["endMicros"] + 20_000)
    film.shot()
    page.wait_for_timeout(1500)
    if (
        product.call("POST", "/api/clusters/demo/fork", {"name": "branch", "at": str(made["endMicros"] + 20_000)})[0]
        == 201
    ):
        product.call("PATCH", "/api/clusters/branch/clock", {"paused": False})
        page.goto(studio.base.replace("/demo", "/branch") + "/")
        page.locator("html[data-ready]").wait_for(state="attached")
        film.film(3)

    studio.open("/network/?service=default/web&node=node-1&step=1", page)
    film.shot()
    page.locator("[data-walk-verdict]", has_text="DNAT").wait_for()
    for _ in range(6):
        film.shot()
        page.wait_for_timeout(600)
        page.locator("[data-walk-go=next]").click()
    film.shot()
    size = film.write(studio.browser, studio.folder / "tour.png")
    print(f"{studio.folder / 'tour.png'} {size // 1000} kB, {len(film.frames)} looks", flush=True)
    page.context.close()


PICTURES = {
    "map": map_,
    "tracer": tracer,
    "past": past,
    "etcd": etcd,
    "network": network,
    "objects": objects,
    "projector": projector,
    "style": style,
    "tour": tour,
}


def main(arguments: list[str]) -> None:
    only = [one for name in arguments if name.startswith("--only=") for one in name[7:].split(",")]
    folder = ROOT / next((name for name in arguments if not name.startswith("-")), "docs")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        product = Product(Path(data), DJANGO_SETTINGS_MODULE="explainer.settings")
        try:
            product.start()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
                studio = Studio(product, browser, folder)
                kubectl(product, "create", "deployment", "web", "--image=nginx", "--replicas=3")
                studio.ready(3)
                if "map" not in (only or PICTURES):
                    kubectl(product, "expose", "deployment", "web", "--port=80")
                for name, take in PICTURES.items():
                    if not only or name in only:
                        take(studio)
                browser.close()
        finally:
            product.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
