"""What pages learn of a cluster: a refusal of the past's is no moment that is lost, and views that work in a copy are waited for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings

from explainer.pages import reads
from explainer.runs import client
from explainer.runs.bus import Failed


class Bus:
    """Says no."""

    def __init__(self, status: int) -> None:
        self.status = status

    async def query_at(self, cluster: str, at: str, view: str, **args: Any) -> Any:
        raise Failed(self.status, "no")


def ran(coroutine: Any) -> Any:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@pytest.fixture(autouse=True)
def real(monkeypatch: pytest.MonkeyPatch) -> None:
    if not settings.configured:
        settings.configure()
    monkeypatch.setattr(settings, "CLEARPLANE_READS", "explainer.runs.client.query", raising=False)


@pytest.mark.parametrize(
    ("status", "at", "kind"),
    [(404, "", reads.Missing), (503, "", reads.Unreachable), (503, "17", reads.Unreachable), (422, "17", reads.Lost)],
)
def test_what_a_refusal_means(monkeypatch: pytest.MonkeyPatch, status: int, at: str, kind: type[Exception]) -> None:
    monkeypatch.setattr(client, "current", lambda: Bus(status))
    with pytest.raises(kind) as error:
        ran(reads.read("demo", "works", at=at))
    assert type(error.value) is kind


def test_a_view_that_works_in_a_copy_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(cluster: str, view: str, **args: Any) -> str:
        await asyncio.sleep(0.05)
        return view

    monkeypatch.setattr(client, "query", slow)
    monkeypatch.setattr(reads, "PATIENCE_SECONDS", 0.001)
    assert [ran(reads.read("demo", view)) for view in client.PROBES] == [*client.PROBES]
    with pytest.raises(reads.Unreachable):
        ran(reads.read("demo", "map"))
