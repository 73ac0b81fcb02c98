"""One presenter a cluster; whoever has a page open hears where they are."""

from __future__ import annotations

from tests.product import Product
from tests.websocket import Socket

PATH = "/api/clusters/demo/presenter"
MINE, OTHER = "t" * 12, "u" * 12


def put(product: Product, url: str = "/clusters/demo/etcd/?screen", token: str = MINE, **headers: str) -> int:
    body = {"url": url, "title": "etcd", "token": token}
    return product.call("PUT", PATH, body, {"Content-Type": "application/json", **headers})[0]


def end(product: Product, token: str = MINE) -> int:
    return product.call("DELETE", PATH, {"token": token}, {"Content-Type": "application/json"})[0]


def told(socket: Socket) -> object:
    """The next record that this page hears."""
    while True:
        frame = socket.frame()
        if isinstance(frame, dict) and "presenter" in frame:
            return frame["presenter"]


def test_a_page_hears_where_the_presenter_is(product: Product) -> None:
    socket = Socket(product, "/ws/clusters/demo")
    socket.frame()
    assert product.call("GET", PATH) == (200, {"presenter": None})
    assert put(product) == 200
    first = told(socket)
    assert first == {"url": "/clusters/demo/etcd/?screen", "title": "etcd", "seq": 1}
    late = Socket(product, "/ws/clusters/demo")
    assert told(late) == first
    assert put(product, "/clusters/demo/requests/7/?step=3&at=e9") == 200
    assert told(socket) == told(late) == {"url": "/clusters/demo/requests/7/?step=3&at=e9", "title": "etcd", "seq": 2}
    assert end(product) == 200
    assert told(socket) is None
    assert product.call("GET", PATH)[1] == {"presenter": None}


def test_there_is_one_presenter(product: Product) -> None:
    assert put(product) == 200
    assert put(product, token=OTHER) == 409
    assert end(product, OTHER) == 409
    assert end(product) == 200
    assert put(product, token=OTHER) == 200
    assert end(product, OTHER) == 200


def test_an_address_leads_to_this_cluster_only(product: Product) -> None:
    for url in (
        "https://elsewhere.example/",
        "//elsewhere.example/",
        "/clusters/other/",
        "/clusters/demo/\\x",
        "",
        "javascript:1",
    ):
        assert put(product, url) == 422, url


def test_a_foreign_page_does_not_present(product: Product) -> None:
    assert put(product, Origin="http://elsewhere.example") == 403
    assert product.call("GET", PATH)[1] == {"presenter": None}
