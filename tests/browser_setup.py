"""A browser for the tests, by whatever works: one that is installed, Playwright's own download, or apt.

``python -m tests.browser_setup`` makes sure there is one and says which; ``executable()`` is its path, or "" for Playwright's own.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def installed() -> str:
    """An installed Chromium's path, or ""."""
    named = os.environ.get("CHROMIUM", "")
    return named or next(filter(None, map(shutil.which, NAMES)), "")


def playwrights_own() -> str:
    """The path of the Chromium that Playwright downloaded, or ""."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else ""


def executable() -> str:
    """The browser to use. RuntimeError when there is none (``make test`` sets one up)."""
    found = installed() or playwrights_own()
    if not found:
        raise RuntimeError("no Chromium: run make test, or set CHROMIUM to one")
    return found


def run(*command: str) -> bool:
    """Whether the command succeeded; its output is shown."""
    try:
        return subprocess.run(command, check=False).returncode == 0
    except OSError:
        return False


def main() -> int:
    if installed() or playwrights_own():
        return 0
    print("No Chromium is installed; fetching Playwright's own.", flush=True)
    if run(sys.executable, "-m", "playwright", "install", "--with-deps", "chromium") and playwrights_own():
        return 0
    if run(sys.executable, "-m", "playwright", "install", "chromium") and playwrights_own():
        return 0
    print("That did not work; trying apt.", flush=True)
    sudo = () if os.geteuid() == 0 else ("sudo", "-n")
    if (
        run(*sudo, "apt-get", "update", "-q")
        and run(*sudo, "apt-get", "install", "-y", "-q", "chromium")
        and installed()
    ):
        return 0
    print("No browser could be set up: install Chromium, or set CHROMIUM to the path of one.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
