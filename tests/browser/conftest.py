"""A browser and the pages under test, once a session; a fresh page a test. A page that logs an error or breaks the policy fails its test.

Windows are used again (`Windows`): scripts and styles are loaded once a session, which is what most of a page's time goes to. A test finds no
cookie, storage or page of the one before.
"""

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
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

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

CLOSING = 15_000
"""Milliseconds that a page has to close."""


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


class Windows:
    """Browser contexts by what can't be changed in one; those that a test is done with are emptied and given to the next."""

    def __init__(self, browser: Browser, url: str, patience: float = 30_000) -> None:
        self.browser, self.url, self.patience = browser, url, patience
        self.free: dict[str, list[BrowserContext]] = {}
        self.taken: list[tuple[str, BrowserContext]] = []
        self.problems: list[str] = []

    def page(self, theme: str, language: str, width: int, height: int, quiet: bool, **options: Any) -> Page:
        """A fresh page in a window that nobody else has; with ``quiet`` what it complains about is kept in ``problems``."""
        kind = json.dumps([language, options], sort_keys=True)
        free = self.free.setdefault(kind, [])
        context = free.pop() if free else self.browser.new_context(locale=language, **options)
        self.taken.append((kind, context))
        context.set_default_timeout(self.patience)
        cookies = {"theme": theme, "django_language": language}
        context.add_cookies([{"name": name, "value": value, "url": self.url} for name, value in cookies.items()])
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        if quiet:
            page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: self.problems.append(str(error)))
        return page

    def give_back(self) -> list[str]:
        """Empty what was taken; what its pages complained about."""
        for kind, context in self.taken:
            try:
                for page in context.pages:
                    with page.expect_event(
                        "close", timeout=CLOSING
                    ):  # once in many thousands Chromium never says that it has
                        page.close(run_before_unload=True)
                # Asked on a page that goes nowhere: one that is just leaving for another address may never answer.
                blank = context.new_page()
                line = context.new_cdp_session(blank)
                line.send("Storage.clearDataForOrigin", {"origin": self.url, "storageTypes": "local_storage"})
                blank.close()
                context.clear_cookies()
            except Error:
                pass  # it is not used again, and ends with the browser
            else:
                self.free[kind].append(context)
        problems, self.taken, self.problems = self.problems, [], []
        return problems

    def close(self) -> None:
        for context in (one for free in self.free.values() for one in free):
            context.close()


@pytest.fixture(scope="module")
def windows_on(browser: Browser) -> Iterator[Callable[..., Windows]]:
    """Windows on a product of the module's own, by its port (and the milliseconds that they wait for what they expect)."""
    made: list[Windows] = []

    def on(port: int, patience: float = 30_000) -> Windows:
        made.append(Windows(browser, f"http://127.0.0.1:{port}", patience))
        return made[-1]

    yield on
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def windows(browser: Browser, site: Site) -> Iterator[Windows]:
    """The windows on the pages under test."""
    here = Windows(browser, site.url)
    yield here
    here.close()


@pytest.fixture
def open_page(windows: Windows, site: Site) -> Iterator[Callable[..., Page]]:
    """Open an address: ``open_page("/clusters/demo/", width=1440, height=900, theme="light", language="en")``.

    ``before`` is given the page before it goes anywhere.
    """

    def opened(
        path: str,
        width: int = 1440,
        height: int = 900,
        theme: str = "light",
        language: str = "en",
        quiet: bool = True,
        before: Callable[[Page], None] = lambda page: None,
        **options: Any,
    ) -> Page:
        page = windows.page(theme, language, width, height, quiet, **options)
        before(page)
        page.goto(site.url + path)
        if options.get("java_script_enabled", True):
            page.locator("html[data-ready]").wait_for()
        return page

    yield opened
    assert windows.give_back() == []
