"""A past that takes its time says so, and is not taken for a cluster that nobody runs."""

from typing import Any

import pytest
from django.test import AsyncClient, override_settings

from tests.browser import fixture_world
from tests.loops import run


async def slow_past(cluster: str, view: str, at: str = "", **args: Any) -> Any:
    if at:
        raise OSError("Going back there takes longer than usual; ask again in a moment.")
    return await fixture_world.query(cluster, view, **args)


@pytest.mark.parametrize(("lang", "said"), [("en", "The past is being read"), ("ko", "과거를 읽고 있습니다")])
def test_a_slow_past_is_a_state_of_its_own(lang: str, said: str) -> None:
    with override_settings(CLEARPLANE_READS="tests.browser.test_reading_the_past.slow_past"):
        answer = run(AsyncClient().get(f"/clusters/demo/?at=1000000&lang={lang}"))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert page.count(said) >= 2 and "data-problem" in page
    assert "No picture yet" not in page and "does not answer. This page" not in page
    assert "rev 0" not in page and 'data-now="1000000"' in page
