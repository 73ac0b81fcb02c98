"""The recordings, and one product whose clusters are made fresh for each replay."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.oracles.api_client import Api, eventually
from tests.product import ROOT, Product

ORACLES = ROOT.parent / "shared" / "oracles"
WORLD = {"workers": 2, "registerControlPlane": False, "controlPlanes": 1, "etcdMembers": 1}
"""What was recorded from: two workers and no other Node."""


@pytest.fixture(scope="session")
def oracles() -> Path:
    """The folder of recordings; fails, never skips, without it or without the clients."""
    assert ORACLES.is_dir(), (
        f"The recordings of real Kubernetes are not at {ORACLES}: put the oracles folder beside this checkout, "
        "or leave tests/oracles out (pytest --ignore=tests/oracles)."
    )
    for tool in ("bash", "curl", "jq", "kubectl"):
        assert shutil.which(tool), f"The recordings are compared by real clients: {tool} is not on PATH."
    return ORACLES


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One product without its demo cluster."""
    running = Product(tmp_path_factory.mktemp("oracles")).start()
    try:
        status, said = running.call("DELETE", "/api/clusters/demo")
        assert status == 200, said
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def fresh_cluster(product: Product) -> Callable[[str], Path]:
    """Makes a cluster of that name; gives the folder of its ``kubeconfig`` and ``jane.kubeconfig``.

    Its clock goes at the rate of real time: clients measure ages with their own clock, and watches with a time limit
    end by the cluster's.
    """

    def make(name: str) -> Path:
        status, said = product.call("POST", "/api/clusters", {"name": name, **WORLD}, timeout=60)
        assert status == 201, said
        folder = product.data / f"{name}-files"
        folder.mkdir()
        for file, query in (("kubeconfig", ""), ("jane.kubeconfig", "?user=jane&group=dev")):
            status, text = product.call("GET", f"/clusters/{name}/kubeconfig{query}")
            assert status == 200, text
            (folder / file).write_text(text)
        return folder

    return make


@pytest.fixture(scope="session")
def api(product: Product, fresh_cluster: Callable[[str], Path]) -> Api:
    """A client of a cluster that many tests share. Nobody measures ages in it: its clock goes ten times as fast."""
    folder = fresh_cluster("conformance")
    status, said = product.call("PATCH", "/api/clusters/conformance/clock", {"rate": 10})
    assert status == 200, said
    return Api(folder / "kubeconfig")


@pytest.fixture
def space(api: Api, request: pytest.FixtureRequest) -> str:
    """The path of a fresh namespace, ``/api/v1/namespaces/<name>``."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    path = f"/api/v1/namespaces/{name}"
    eventually(lambda: not api.gone(f"{path}/serviceaccounts/default"), f"the account of {name}")
    return path
