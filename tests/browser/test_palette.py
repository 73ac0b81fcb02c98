"""What the palette promises, counted from the style sheet that ships: contrast, distances for every eye, three sheets with the same roles."""

from __future__ import annotations

import re

import pytest

from explainer.fragments import palette

TEXT_LEAST = {"light": 4.5, "dark": 4.5, "screen": 6.6}


def test_contrast_as_wcag_counts_it() -> None:
    assert palette.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert palette.contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("sheet", palette.SHEETS)
def test_text_and_lines_stand_out_on_every_ground(sheet: str) -> None:
    weak = {role: palette.worst(sheet, role) for role in palette.TEXT if palette.worst(sheet, role) < TEXT_LEAST[sheet]}
    assert weak == {}
    assert {role for role in palette.STROKES if palette.worst(sheet, role) < 3} == set()


def test_a_projector_has_text_of_seven_on_white() -> None:
    colours = palette.sheets()["screen"]
    assert {role for role in palette.TEXT if palette.contrast(colours[role], "#FFFFFF") < 7} == set()


@pytest.mark.parametrize("sheet", palette.SHEETS)
@pytest.mark.parametrize("eye", ["", *palette.MACHADO])
def test_kinds_stay_apart_for_every_eye(sheet: str, eye: str) -> None:
    distance, one, other = palette.nearest(sheet, eye)
    assert distance >= 12, (one, other)


def test_every_sheet_has_every_role_and_auto_is_dark_in_the_dark() -> None:
    roles = [set(colours) for colours in palette.sheets().values()]
    assert roles[0] == roles[1] == roles[2]
    text = palette.TOKENS.read_text()
    auto = re.search(r':root\[data-theme="auto"\] \{(.*?)\}', text, re.S)
    assert auto is not None
    assert dict(re.findall(r"--(\w+): (#[0-9A-F]{6});", auto.group(1))) == palette.sheets()["dark"]
