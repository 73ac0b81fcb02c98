"""A browser and the pages under test, once a session; a fresh page a test. A page that logs an error or breaks the policy fails its test."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser_setup import executable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.browser.settings")
ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """The pages under test, and the hands that reach behind them."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def hand(self, name: str, body: Any = None) -> Any:
        request = urllib.request.Request(f"{self.url}/-/{name}", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def frame(self, *events: dict[str, Any], **facts: Any) -> None:
        """Send a frame to every open page."""
        self.hand("frame", {**facts, "events": list(events)})

    def calls(self) -> list[list[Any]]:
        """Control calls so far: [method, path, body]."""
        return self.hand("calls")["calls"]

    def wait_for_sockets(self, least: int = 1) -> None:
        """Until a page has its feed."""
        for _ in range(200):
            if self.hand("calls")["sockets"] >= least:
                return
            time.sleep(0.02)
        raise AssertionError("no page opened its feed")


@pytest.fixture(scope="session", autouse=True)
def words() -> None:
    """Sentences can be said: Django's catalogues are ready."""
    import django

    django.setup()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    port = free_port()
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.browser.site", str(port)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    here = Site(port)
    for _ in range(300):
        try:
            here.hand("calls")
            break
        except OSError:
            assert child.poll() is None, "the pages under test did not start"
            time.sleep(0.05)
    yield here
    child.terminate()
    child.wait(10)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, by whatever works on this machine."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Open an address: ``open_page("/clusters/demo/", width=1440, height=900, theme="light", language="en")``."""
    contexts, problems = [], []

    def opened(
        path: str,
        width: int = 1440,
        height: int = 900,
        theme: str = "light",
        language: str = "en",
        quiet: bool = True,
        **options: Any,
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, locale=language, **options)
        context.add_cookies(
            [
                {"name": "theme", "value": theme, "url": site.url},
                {"name": "django_language", "value": language, "url": site.url},
            ]
        )
        contexts.append(context)
        page = context.new_page()
        if quiet:
            page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(site.url + path)
        if options.get("java_script_enabled", True):
            page.locator("html[data-ready]").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
