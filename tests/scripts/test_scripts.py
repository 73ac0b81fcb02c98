"""Transcripts of headless clusters: what each command prints is what stands below it. ``make golden`` rewrites them."""

import difflib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripts.stage import Stage

FOLDER = Path(__file__).parent
INDENT = "    "


def played(text: str) -> Iterator[str]:
    """The transcript as it goes today."""
    stage = Stage()
    for line in text.splitlines():
        if not line or line.startswith(INDENT):  # what it printed last time
            continue
        yield line
        if line.startswith("> "):
            yield from (INDENT + said if said else INDENT.rstrip() for said in stage.do(line[2:]))


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.txt")))
def test_transcript(name: str, golden: bool) -> None:
    path = FOLDER / f"{name}.txt"
    text = path.read_text()
    today = "\n".join(played(text)) + "\n"
    if golden:
        path.write_text(today)
    difference = difflib.unified_diff(text.splitlines(), today.splitlines(), "as written", "today", lineterm="", n=2)
    assert golden or today == text, "\n".join(difference)
