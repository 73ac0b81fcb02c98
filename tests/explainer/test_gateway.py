"""The TLS door: who the client is, what is refused, and that no garbage stops it."""

import base64
import datetime
import http.client
import os
import socket
import ssl
import struct
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from explainer import pki
from tests.product import Product, wait_for


def fetch(product: Product, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    connection = product.tls()
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def raw(product: Product, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", product.api_port), 10) as connection:
        connection.sendall(data)
        out = b""
        while piece := connection.recv(65536):
            out += piece
        return out


def raw_tls(product: Product, data: bytes, certificate: tuple[Path, Path] | None = None) -> bytes:
    context = ssl._create_unverified_context()
    if certificate:
        context.load_cert_chain(*certificate)
    with (
        socket.create_connection(("127.0.0.1", product.api_port), 10) as plain,
        context.wrap_socket(plain) as connection,
    ):
        connection.sendall(data)
        out = b""
        while piece := connection.recv(65536):
            out += piece
        return out


def pems(folder: Path, pair: tuple[bytes, bytes]) -> tuple[Path, Path]:
    paths = folder / "cert.pem", folder / "key.pem"
    for path, pem in zip(paths, pair, strict=True):
        path.write_bytes(pem)
    return paths


GET_ECHO = b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def test_plain_http_is_told_so(product: Product) -> None:
    expected = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
    assert raw(product, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == expected


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01garbage" * 50, b"\x00" * 600, b"SSH-2.0-x\r\n", os.urandom(2000)]
)
def test_garbage_ends_the_connection_only(product: Product, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", product.api_port), 10) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(10)
        try:
            while connection.recv(4096):
                pass
        except ConnectionError:
            pass
    assert fetch(product, "GET", "/echo")[0] == 200


@pytest.mark.parametrize(
    "request_bytes",
    [b"NONSENSE\r\n\r\n", b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/9.9\r\nbad header\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"],
)  # fmt: skip
def test_garbage_http_inside_tls(product: Product, request_bytes: bytes) -> None:
    answer = raw_tls(product, request_bytes)
    assert answer == b"" or b" 400 " in answer.split(b"\r\n")[0]
    assert fetch(product, "GET", "/echo")[0] == 200


def test_path_and_query_arrive_as_they_were_sent(product: Product) -> None:
    status, body = fetch(product, "GET", "/echo?labelSelector=a%3Db&x=%2F")
    assert status == 200 and b"'labelSelector=a%3Db&x=%2F'" in body


def test_other_clusters_by_path(product: Product) -> None:
    status, body = fetch(product, "GET", "/clusters/demo/echo")
    assert status == 200 and b"('GET', '/echo', ''," in body
    assert fetch(product, "GET", "/clusters/nowhere/api") == (404, b"404 page not found\n")


def test_a_body_beyond_the_limit_is_cut_off(product: Product) -> None:
    status, body = fetch(product, "POST", "/objects/big", b"x" * (5 * 1024 * 1024))
    assert status == 201 and len(body) == 3 * 1024 * 1024 + 1  # the apiserver sees one byte too many and says 413


def test_the_admin_certificate_proves_who_it_is(product: Product, tmp_path: Path) -> None:
    kubeconfig = yaml.safe_load((product.data / "kubeconfig").read_text())
    user = kubeconfig["users"][0]["user"]
    pair = tuple(base64.b64decode(user[f"client-{what}-data"]) for what in ("certificate", "key"))
    body = raw_tls(product, GET_ECHO, pems(tmp_path, pair))  # type: ignore[arg-type]
    assert b"'common_name': 'kubernetes-admin'" in body
    assert b"'organizations': ['kubeadm:cluster-admins']" in body or b"('kubeadm:cluster-admins',)" in body
    assert b"'error': ''" in body


def test_a_foreign_certificate_proves_nothing(product: Product, tmp_path: Path) -> None:
    stranger, _ = pki.Authority.new()
    body = raw_tls(product, GET_ECHO, pems(tmp_path, stranger.client("kubernetes-admin", ("system:masters",))))
    assert b"'error': 'certificate signature failure'" in body


def test_expired_and_wrong_purpose() -> None:
    authority, key_pem = pki.Authority.new()
    key = serialization.load_pem_private_key(key_pem, None)
    certificate, _ = authority.client("jane", ())
    good = x509.load_pem_x509_certificate(certificate)
    assert authority.objection(good) == ""
    now = datetime.datetime.now(datetime.UTC)
    old = (
        x509.CertificateBuilder().subject_name(good.subject).issuer_name(good.issuer).public_key(good.public_key())
        .serial_number(5).not_valid_before(now - datetime.timedelta(days=2)).not_valid_after(now - datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())  # type: ignore[arg-type]
    )  # fmt: skip
    assert authority.objection(old) == "certificate has expired"
    server, _ = authority.server(["x"], [])
    assert authority.objection(x509.load_pem_x509_certificate(server)) == "unsuitable certificate purpose"


def test_a_watch_streams_and_is_closed_when_its_client_leaves(product: Product) -> None:
    watch = product.tls()
    watch.request("GET", "/objects?watch=1")
    stream = watch.getresponse()
    fetch(product, "POST", "/objects/seen", b"1")
    assert stream.readline() == b"/objects/seen\n"
    watch.close()
    stream.close()
    wait_for(lambda: "clearplane_gateway_open_streams 0" in product.call("GET", "/metrics")[1], "the stream to close")


def test_a_client_that_does_not_read_is_cut_off(product: Product) -> None:
    watch = product.tls()
    watch.request("GET", "/objects?watch=1")
    stream = watch.getresponse()
    for _ in range(14):
        fetch(product, "POST", "/objects/large?echo=1", b"x" * 3_000_000)
    wait_for(
        lambda: "clearplane_gateway_open_streams 0" in product.call("GET", "/metrics")[1], "the slow watch to be cut"
    )
    with pytest.raises((OSError, http.client.HTTPException)):
        while stream.read(1 << 20):
            pass
        raise http.client.IncompleteRead(b"")
    watch.close()


def test_a_reset_inside_the_world_cuts_the_connection(product: Product) -> None:
    assert raw_tls_or_nothing(product, b"GET /boom HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    assert fetch(product, "GET", "/echo")[0] == 200


def raw_tls_or_nothing(product: Product, data: bytes) -> bytes:
    try:
        return raw_tls(product, data)
    except (ConnectionError, ssl.SSLError):
        return b""


def frame(data: bytes) -> bytes:
    assert len(data) < 126
    return bytes([0x82, 0x80 | len(data)]) + b"\0\0\0\0" + data


def test_exec_speaks_channels_over_a_websocket(product: Product) -> None:
    context = ssl._create_unverified_context()
    with socket.create_connection(("127.0.0.1", product.api_port), 10) as plain, context.wrap_socket(plain) as line:
        line.sendall(
            b"GET /exec?command=sh HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
        )
        file = line.makefile("rb")
        head = b"".join(iter(file.readline, b"\r\n"))
        assert b" 101 " in head and b"v5.channel.k8s.io" in head
        line.sendall(frame(b"\x00hello"))
        assert read_frame(file) == b"\x01HELLO"
        line.sendall(frame(b"\x00bye"))
        assert read_frame(file) == b"\x01BYE"


def test_a_refused_upgrade_is_answered_in_plain_http(product: Product) -> None:
    answer = raw_tls(
        product,
        b"GET /nothing HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")


def read_frame(file: object) -> bytes:
    first, length = struct.unpack("BB", file.read(2))  # type: ignore[attr-defined]
    assert first == 0x82 and length < 126
    return file.read(length)  # type: ignore[attr-defined]


def test_many_connections_at_once(product: Product) -> None:
    connections = [product.tls() for _ in range(60)]
    for number, connection in enumerate(connections):
        connection.request("POST", f"/objects/m{number}", b"x")
    assert [connection.getresponse().status for connection in connections] == [201] * 60
    for connection in connections:
        connection.close()


def test_etcd_ports_and_paths(product: Product) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", product.etcd_port + 2, timeout=10)
    connection.request("POST", "/v3/kv/range", b'{"key":"YQ=="}')
    assert connection.getresponse().read() == b'/v3/kv/range{"key":"YQ=="}'
    connection.close()
    assert product.call("GET", "/clusters/demo/etcd/m3/health")[1] == '{"health":"true","reason":""}'
    web = http.client.HTTPConnection("127.0.0.1", product.port, timeout=10)
    web.request("GET", "/clusters/demo/etcd/m3/version")
    assert web.getresponse().read() == b"/version{}"  # the member says it, nobody else
    web.close()
    status, _ = product.call("POST", "/clusters/nowhere/etcd/m1/v3/kv/put", b"{}")
    assert status == 404


def test_a_bug_in_one_world_leaves_the_others_alone(product: Product) -> None:
    assert product.call("POST", "/api/clusters", {"name": "buggy"})[0] == 201
    connection = product.tls(10)
    connection.request("GET", "/clusters/buggy/bug")
    wait_for(lambda: product.call("GET", "/api/clusters/buggy/clock")[0] == 503, "the trouble to be known")
    status, body = fetch(product, "GET", "/clusters/buggy/api")
    assert status == 503 and b"stopped with an error" in body
    assert fetch(product, "GET", "/echo")[0] == 200
    assert product.call("DELETE", "/api/clusters/buggy")[0] == 200
    connection.close()


GO_TAIL = b"\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
"""What Go's server says after the status of a request it can't read (net/http ``errorHeaders``)."""


def test_headers_of_a_hundred_kilobytes_are_taken(product: Product) -> None:
    head = b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-long: " + b"a" * 100_000 + b"\r\n\r\n"
    assert b" 404 " in raw_tls(product, head).splitlines()[0]  # it reached the world
    many = b"".join(b"x-%d: %b\r\n" % (n, b"b" * 200) for n in range(900))
    head = b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + many + b"\r\n"
    assert b" 404 " in raw_tls(product, head).splitlines()[0]  # it reached the world


@pytest.mark.parametrize("what", ["one", "many", "line"])
def test_headers_over_a_mebibyte_are_answered_as_go_answers(product: Product, what: str) -> None:
    size = (1 << 20) + 8192
    head = {
        "one": b"GET /version HTTP/1.1\r\nHost: x\r\nx-long: " + b"a" * size,
        "many": b"GET /version HTTP/1.1\r\nHost: x\r\n"
        + b"".join(b"x-%d: %b\r\n" % (n, b"b" * 4000) for n in range(300)),
        "line": b"GET /" + b"a" * size,
    }[what]
    status = b"431 Request Header Fields Too Large"
    answer = raw_tls(product, head + b"\r\n\r\n")
    assert answer == b"HTTP/1.1 " + status + GO_TAIL + status


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /version HTTP/1.1\r\n\r\n", b"400 Bad Request: missing required Host header"),
        (b"GET /version HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400 Bad Request: too many Host headers"),
        (b"POST /version HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"400 Bad Request: missing required Host header"),
        (b"nonsense\r\n\r\n", b"400 Bad Request"),
    ],
)
def test_a_request_without_a_host_is_refused_as_go_refuses(product: Product, head: bytes, status: bytes) -> None:
    assert raw_tls(product, head) == b"HTTP/1.1 " + status + GO_TAIL + status
    assert fetch(product, "GET", "/version")[0] == 404  # the door is open still


def test_http_1_0_needs_no_host(product: Product) -> None:
    assert b" 404 " in raw_tls(product, b"GET /version HTTP/1.0\r\n\r\n").splitlines()[0]
