"""The control API as a script and as a browser see it."""

import gzip
import http.client
import json
import re
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from explainer.api.openapi import CALLS
from tests.product import Product, wait_for
from tests.websocket import Socket


@pytest.fixture(autouse=True)
def running_clock(product: Product) -> Any:
    yield
    product.api("PATCH", "/clock", {"paused": False, "rate": 1})


def test_pause_makes_clients_wait_and_step_lets_them_in(product: Product) -> None:
    product.api("PATCH", "/clock", {"paused": True})
    answers: list[int] = []

    def client() -> None:
        connection = product.tls()
        connection.request("POST", "/objects/door", b"x")
        answers.append(connection.getresponse().status)

    thread = threading.Thread(target=client)
    thread.start()
    wait_for(lambda: product.api("GET", "/clock")["waiting"] == 1, "a request at the door")
    assert answers == []
    happened: list[dict[str, Any]] = []
    for _ in range(5):
        happened += product.api("POST", "/clock/step")["events"]
        if any(event["t"] == "request" for event in happened):
            break
    thread.join(10)
    assert answers == [201]
    assert product.api("GET", "/clock")["paused"] is True


def test_run_is_exact(product: Product) -> None:
    start = product.api("PATCH", "/clock", {"paused": True})["nowMicros"]
    assert product.api("POST", "/clock/run", {"micros": 3_600_000_000})["nowMicros"] == start + 3_600_000_000
    time.sleep(0.1)
    assert product.api("GET", "/clock")["nowMicros"] == start + 3_600_000_000


def test_rate_max_runs_ahead_of_the_wall(product: Product) -> None:
    start = product.api("PATCH", "/clock", {"rate": "max"})["nowMicros"]
    wait_for(lambda: product.api("GET", "/clock")["nowMicros"] > start + 60_000_000, "a minute at max speed")
    assert product.api("GET", "/clock")["rate"] == "max"


@pytest.mark.parametrize("body", [{"rate": 0}, {"rate": 5000}, {"rate": "fast"}, {"paused": 3}, {"speed": 1}, [1]])
def test_a_clock_that_makes_no_sense(product: Product, body: Any) -> None:
    status, answer = product.call("PATCH", "/api/clusters/demo/clock", body)
    assert status == 422 and re.fullmatch(r"[A-Z].*\.", answer["error"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/clusters/nowhere", None, 404),
        ("GET", "/api/clusters/nowhere/requests", None, 404),
        ("GET", "/api/nothing", None, 404),
        ("PUT", "/api/clusters", None, 405),
        ("POST", "/api/clusters", b"{", 400),
        ("POST", "/api/clusters", {"name": "UPPER"}, 422),
        ("POST", "/api/clusters", {"name": "x", "etcdMembers": 10}, 422),
        ("POST", "/api/clusters", {"name": "x", "linkMs": [3, 1]}, 422),
        ("POST", "/api/clusters", {"name": "x", "wrong": 1}, 422),
        ("POST", "/api/clusters", {"name": "demo"}, 409),
        ("POST", "/api/clusters/demo/etcd/members/m9/stop", None, 404),
        ("POST", "/api/clusters/demo/etcd/members/m1/explode", None, 404),
        ("POST", "/api/clusters/demo/etcd/members/m1/transfer", {}, 422),
        ("POST", "/api/clusters/demo/network/link", {"a": "m1", "b": "m2", "loss": 2}, 422),
        ("DELETE", "/api/clusters/demo/breakpoints/7", None, 404),
        ("GET", "/api/clusters/demo/etcd/members?log=some", None, 400),
        ("GET", "/api/clusters/demo/events?after=x", None, 400),
        ("POST", "/api/import", b"not a moment", 400),
        ("POST", "/api/import", b"clearplane moment 1\nxx", 422),
        ("POST", "/api/clusters/demo/network/heal", b'{"a":' * 2000, 400),
        ("DELETE", f"/api/clusters/demo/breakpoints/{'9' * 30}", None, 422),
    ],
)
def test_troubles_are_one_sentence(product: Product, method: str, path: str, body: Any, status: int) -> None:
    got, answer = product.call(method, path, body)
    assert got == status, answer
    assert set(answer) == {"error"} and re.fullmatch(r"[A-Z\"].*\.", answer["error"], re.DOTALL)


def test_a_cluster_is_made_forked_exported_imported_and_forgotten(product: Product) -> None:
    status, made = product.call("POST", "/api/clusters", {"name": "second", "seed": 7, "workers": 2})
    assert status == 201 and made["seed"] == 7 and made["workers"] == 2 and made["clock"]["paused"] is False
    connection = product.tls()
    connection.request("POST", "/clusters/second/objects/there", b"kept")
    assert connection.getresponse().read() == b"kept"
    status, marked = product.call("POST", "/api/clusters/second/bookmarks", {"name": "before the fork"})
    assert status == 201
    status, forked = product.call("POST", "/api/clusters/second/fork", {"name": "branch"})
    assert status == 201 and forked["clock"]["paused"] is True
    assert product.call("GET", "/api/clusters/branch/bookmarks")[1] == [marked]
    status, another = product.call("POST", "/api/clusters/branch/bookmarks", {"name": "after it"})
    assert status == 201 and another["id"] != marked["id"]
    assert product.call("GET", "/api/clusters/second/bookmarks")[1] == [marked]
    assert product.call("POST", "/api/clusters/second/fork", {"name": "branch"})[0] == 409
    assert f":{product.api_port}/clusters/branch\n" in product.call("GET", "/clusters/branch/kubeconfig")[1]
    web = http.client.HTTPConnection("127.0.0.1", product.port)
    web.request("GET", "/api/clusters/second/export")
    file = web.getresponse().read()
    path = product.data / "second.clearplane"
    for data, code, said in ((file, 0, "every byte agrees"), (file[:-60] + file[-60:].replace(b"now", b"woN"), 1, "")):
        path.write_bytes(data)
        replay = subprocess.run(
            [sys.executable, "manage.py", "replay", str(path)], env=product.environment, capture_output=True, text=True
        )
        assert replay.returncode == code and said in replay.stdout, replay
    status, loaded = product.call("POST", "/api/import?name=third", file)
    assert status == 201 and loaded["name"] == "third"
    for name in ("branch", "third"):
        product.call("PATCH", f"/api/clusters/{name}/clock", {"paused": False})
        connection.request("GET", f"/clusters/{name}/objects/there")
        assert connection.getresponse().read() == b"kept"
    names = {row["name"] for row in product.call("GET", "/api/clusters")[1]}
    assert names == {"demo", "second", "branch", "third"}
    for name in ("second", "branch", "third"):
        assert product.call("DELETE", f"/api/clusters/{name}")[0] == 200
        assert product.call("GET", f"/api/clusters/{name}")[0] == 404
    connection.close()


def test_a_foreign_page_is_refused(product: Product) -> None:
    own = f"http://127.0.0.1:{product.port}"
    for headers, expected in (
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Referer": "http://evil.example/x"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 400),
        ({"Origin": own}, 200),
        ({"Referer": own + "/clusters/demo/"}, 200),
    ):
        assert product.call("GET", "/api/clusters", None, headers)[0] == expected, headers


def test_a_foreign_page_writes_no_keys(product: Product) -> None:
    path, key = "/clusters/demo/etcd/m1/v3/kv/range", b'{"key":"YQ=="}'
    for headers in (
        {"Origin": "http://evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},  # a name that was made to point here
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert product.call("POST", path, key, headers)[0] == 403, headers
    door = http.client.HTTPConnection("127.0.0.1", product.port, timeout=10)
    door.request("POST", path, key, {"Origin": f"http://127.0.0.1:{product.port}"})
    assert door.getresponse().status == 200
    door.close()


def test_what_is_too_large_or_no_number_is_a_sentence(product: Product) -> None:
    demo = "/api/clusters/demo"
    for path, body, expected in (
        (f"{demo}/requests?limit={'9' * 5000}", None, 400),
        (f"{demo}/events?after=%C2%B2", None, 400),
        (f"{demo}/packets", b" " * (9 << 20), 413),
        ("/api/import", b"clearplane moment 2\n" + b"x" * (9 << 20), 422),
    ):
        status, answer = product.call("POST" if body else "GET", path, body)
        assert status == expected and answer["error"].endswith("."), (path[:40], answer)


def test_pages_that_cannot_be_made_say_so_in_the_readers_language(product: Product) -> None:
    korean = {"Accept-Language": "ko"}
    for path, headers, body, expected, said in (
        ("/nope", korean, None, 404, "여기에 없습니다"),
        ("/", korean | {"Host": "evil.example"}, None, 400, "읽을 수 없는 요청입니다"),
        ("/", korean, b"x=1", 403, "이 페이지에서 온 요청이 아닙니다"),
    ):
        status, text = product.call("POST" if body else "GET", path, body, headers)
        assert status == expected and said in text, (path, headers, text)


def test_a_browser_must_show_its_token(product: Product) -> None:
    cookie = "clearplane_csrf=" + "a" * 32
    path = "/api/clusters/demo/clock"
    assert product.call("PATCH", path, {"rate": 1}, {"Cookie": cookie})[0] == 403
    assert product.call("PATCH", path, {"rate": 1}, {"Cookie": cookie, "X-CSRFToken": "b" * 32})[0] == 403
    assert product.call("PATCH", path, {"rate": 1}, {"Cookie": cookie, "X-CSRFToken": "a" * 32})[0] == 200


def test_every_described_call_has_an_address(product: Product) -> None:
    document = product.call("GET", "/api/openapi.json")[1]
    assert document["openapi"].startswith("3.")
    for method, path, _, _ in CALLS:
        address = re.sub(r"\{cluster\}", "demo", path)
        address = re.sub(r"\{number\}", "1", re.sub(r"\{(?!number)\w+\}", "x", address))
        if (method, path) in (("delete", "/api/clusters/{cluster}"), ("get", "/api/clusters/{cluster}/export")):
            continue
        status, answer = product.call(method.upper(), address, {})
        assert status != 405 and "openapi.json lists" not in str(answer), (method, path, answer)


def test_console_whole_and_in_pieces(product: Product) -> None:
    body = {"session": "s", "line": "echo hi"}
    assert product.api("POST", "/console", body) == {"stdout": "echo hi\n", "stderr": "", "exitCode": 0, "requests": []}
    _, text = product.call("POST", "/api/clusters/demo/console", body, {"Accept": "application/x-ndjson"})
    pieces = [json.loads(line) for line in text.splitlines()]
    assert [piece["done"] for piece in pieces] == [False, True]


def test_health_and_metrics(product: Product) -> None:
    assert product.call("GET", "/healthz") == (200, "ok")
    assert product.call("GET", "/readyz") == (200, "ok")
    assert 'clearplane_cluster_ready{cluster="demo"} 1' in product.call("GET", "/metrics")[1]


def test_kubeconfig_for_any_user(product: Product) -> None:
    status, text = product.call("GET", "/clusters/demo/kubeconfig?user=jane&group=dev")
    assert status == 200 and "user: jane" in text and f"server: https://127.0.0.1:{product.api_port}\n" in text
    assert product.call("GET", "/clusters/demo/kubeconfig?group=dev")[0] == 400
    assert product.call("GET", "/clusters/nowhere/kubeconfig")[0] == 404
    assert (product.data / "kubeconfig").stat().st_mode & 0o777 == 0o600


def test_the_feed_continues_from_a_cursor(product: Product) -> None:
    first = Socket(product, "/ws/clusters/demo")
    frame = first.frame()
    assert frame["events"] and frame["rate"] == 1
    frames = [first.frame() for _ in range(5)]
    assert frames[-1]["watching"] >= 1
    seen = [int(each["cursor"]) for each in frames]
    assert seen == list(range(seen[0], seen[0] + 5))
    late = Socket(product, f"/ws/clusters/demo?after={seen[0]}")
    assert [int(late.frame()["cursor"]) for _ in range(4)] == [seen[0] + n for n in range(1, 5)]
    late.say({"after": str(seen[1])})
    wait_for(lambda: int(late.frame()["cursor"]) == seen[1] + 1, "the feed from the new cursor")


def test_a_cursor_of_another_time_is_gone(product: Product) -> None:
    for cursor in ("1", "99999999999999"):
        assert Socket(product, f"/ws/clusters/demo?after={cursor}").frame() == {"gone": True}
        assert product.call("GET", f"/api/clusters/demo/events?after={cursor}")[1] == '{"gone":true}\n'


def test_events_as_lines_are_the_same_frames(product: Product) -> None:
    frame = Socket(product, "/ws/clusters/demo").frame()
    text = product.call("GET", f"/api/clusters/demo/events?after={int(frame['cursor']) - 1}")[1]
    assert json.loads(text.splitlines()[0]) == frame
    before = int(frame["cursor"]) - 1
    following = http.client.HTTPConnection("127.0.0.1", product.port, timeout=10)
    following.request("GET", f"/api/clusters/demo/events?follow=1&after={before}")
    answer = following.getresponse()
    assert [int(json.loads(answer.readline())["cursor"]) - before for _ in range(5)] == [1, 2, 3, 4, 5]
    following.close()


def test_foreign_origins_and_unknown_clusters_get_no_feed(product: Product) -> None:
    for origin in ({}, {"Host": "evil.example"}):
        assert b" 403 " in Socket(product, "/ws/clusters/demo", Origin="http://evil.example", **origin).head
    kind, data = Socket(product, "/ws/clusters/nowhere").frame()
    assert kind == 0x88 and int.from_bytes(data[:2], "big") == 4404


def test_static_files_and_policy(product: Product) -> None:
    web = http.client.HTTPConnection("127.0.0.1", product.port)
    web.request("GET", "/static/django_htmx/htmx-2.min.js")
    answer = web.getresponse()
    answer.read()
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    plain = web.request("GET", "/static/css/frame.css") or web.getresponse().read()
    web.request("GET", "/static/css/frame.css", headers={"Accept-Encoding": "gzip, br"})
    answer = web.getresponse()
    packed = answer.read()
    assert answer.headers["Content-Encoding"] == "gzip" and answer.headers["Vary"] == "Accept-Encoding"
    assert len(packed) < len(plain) / 2 and gzip.decompress(packed) == plain
    web.request("GET", "/static/css/frame.css", headers={"If-None-Match": answer.headers["ETag"]})
    answer = web.getresponse()
    assert (answer.status, answer.read()) == (304, b"")
    web.request("GET", "/static/../settings.py")
    answer = web.getresponse()
    answer.read()
    assert answer.status in (400, 404)
    web.close()
