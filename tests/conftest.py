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


LONG_FIRST = ("oracles/test_apiserver_replay.py", "browser/", "oracles/", "explainer/", "cluster/lab/")
"""Files are handed to the workers whole and in this order: a long one at the end would leave one core idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((n for n, start in enumerate(LONG_FIRST) if f"/tests/{start}" in path), len(LONG_FIRST))

    items.sort(key=place)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> bool:
    """Whether transcripts are to be rewritten."""
    return bool(request.config.getoption("--golden"))
