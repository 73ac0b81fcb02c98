"""What all tests share: the option that rewrites transcripts, and nothing written into the checkout."""

import os
import tempfile
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / f"hypothesis-{os.getuid()}"))

# The suite asks the same questions every time, so that a change is judged by the change; look for new ones with
# HYPOTHESIS_PROFILE=explore.
hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="rewrite tests/scripts/*.txt with what happens today")


REAL_CLIENTS = ("tests/browser/", "tests/explainer/", "tests/oracles/")
"""Tests with processes, real clients and wall time: on a busy machine one may be late. One more try, which the summary counts."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(REAL_CLIENTS):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> bool:
    """Whether transcripts are to be rewritten."""
    return bool(request.config.getoption("--golden"))
