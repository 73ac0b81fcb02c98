"""A private Redis, and the product with the little world of ``fakelab`` behind its door."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from explainer.runs import embedded, resp
from tests.product import Product, wait_for

FAKE = "tests.explainer.fakelab"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with the little world, shared by a module."""
    running = Product(tmp_path_factory.mktemp("product"), FAKE).start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def own_product(tmp_path: Path) -> Iterator[Product]:
    """A product not started yet, for one test alone."""
    product = Product(tmp_path / "data", FAKE)
    try:
        yield product
    finally:
        product.stop()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A private Redis for the session."""
    with tempfile.TemporaryDirectory(prefix="cp-redis-") as folder:
        data = Path(folder)
        server = subprocess.Popen(embedded.command(data))
        url = f"unix://{embedded.socket_path(data)}"
        wait_for(lambda: resp.Link(resp.Address(url)).call("PING"), "Redis", 10)
        try:
            yield url
        finally:
            server.terminate()
            server.wait(10)


@pytest.fixture
def link(redis_url: str) -> Iterator[resp.Link]:
    """A connection to an empty Redis."""
    link = resp.Link(resp.Address(redis_url))
    link.call("FLUSHALL")
    yield link
    link.close()
