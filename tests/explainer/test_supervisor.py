"""``up``: one clear line when it can't start."""

import socket
import subprocess
from pathlib import Path

import pytest

from explainer.runs import embedded
from tests.explainer.conftest import FAKE
from tests.product import Product, wait_for


@pytest.mark.parametrize(
    ("which", "variable"),
    [("port", "CLEARPLANE_PORT"), ("api_port", "CLEARPLANE_API_PORT"), ("etcd_port", "CLEARPLANE_ETCD_PORT")],
)
def test_a_taken_port(own_product: Product, which: str, variable: str) -> None:
    port = getattr(own_product, which)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert own_product.spawn().wait(20) == 1
    assert own_product.output() == f"clearplane: Port {port} is taken; stop what uses it or set {variable}.\n"


def test_a_data_folder_in_use(product: Product, tmp_path: Path) -> None:
    second = Product(product.data, FAKE)
    second.log = tmp_path / "second.log"
    assert second.spawn().wait(20) == 1
    assert (
        second.output()
        == f"clearplane: Clearplane is running already in {product.data}; stop it or set CLEARPLANE_DATA.\n"
    )


def test_a_redis_that_is_not_there(tmp_path: Path) -> None:
    lonely = Product(tmp_path / "data", FAKE, REDIS_URL="redis://127.0.0.1:1/0")
    assert lonely.spawn().wait(20) == 1
    assert (
        lonely.output().startswith("clearplane: Redis is not reachable at REDIS_URL: ")
        and lonely.output().count("\n") == 1
    )


def test_a_leftover_redis_is_ended_first(own_product: Product) -> None:
    command = embedded.command(own_product.data)
    leftover = subprocess.Popen(command)
    try:
        wait_for(embedded.socket_path(own_product.data).exists, "the leftover", 10)
        own_product.start()
        assert leftover.wait(10) == 0
    finally:
        leftover.kill()
        leftover.wait()


def test_a_port_that_is_no_number(tmp_path: Path) -> None:
    wrong = Product(tmp_path / "data", FAKE, CLEARPLANE_PORT="eighty")
    assert wrong.spawn().wait(20) == 1
    assert wrong.output() == "clearplane: CLEARPLANE_PORT must be a port number from 1 to 65535, not 'eighty'.\n"


def test_secrets_stay_out_of_the_log(product: Product) -> None:
    connection = product.tls()
    connection.request("GET", "/echo", headers={"Authorization": "Bearer very-secret-token"})
    connection.getresponse().read()
    connection.close()
    assert "very-secret-token" not in product.output() and "PRIVATE KEY" not in product.output()
