"""``make access``: axe, whole, over every page in every language on every sheet. ``make test`` asks each page in three of these six ways
(test_access.py); this asks all, and pages that only differ by a tab.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.axe import faults
from tests.browser.test_access import EVERY, wrong

Open = Callable[..., Page]
MORE = {
    "rules": "/clusters/demo/network/?tab=rules",
    "changes": "/clusters/demo/network/?tab=changes",
    "modes": "/clusters/demo/network/?tab=modes",
    "paste": "/clusters/demo/network/?tab=paste",
    "create": "/clusters/demo/objects/-/create/",
    "touched": "/clusters/demo/objects/deployments.apps/default/web/?tab=requests",
    "events": "/clusters/demo/objects/deployments.apps/default/web/?tab=events",
    "crowd, found": "/clusters/crowd/?find=node-7",
    "past requests": "/clusters/demo/requests/?at=e4960",
    "past network": "/clusters/demo/network/?service=default/web&at=e4960",
    "past etcd": "/clusters/demo/etcd/?at=e4960",
}


@pytest.mark.parametrize("theme", ["light", "dark", "screen"])
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", [*EVERY, *MORE])
def test_page(open_page: Open, name: str, language: str, theme: str) -> None:
    screen = theme == "screen"
    width, height = (1024, 768) if screen else (1280, 720)
    path = (EVERY | MORE)[name]
    page = open_page(path, language=language, theme=theme, width=width, height=height, quiet=False)
    assert faults(page) + wrong(page, 19.5 if screen and name != "presenter" else 11.9) == []
