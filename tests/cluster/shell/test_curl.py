"""curl: TLS as a real one decides it, and how requests and answers look."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cluster.shell.console import ConsoleConfig
from cluster.wire.http import HttpRequest, HttpResponse
from tests.cluster.shell.harness import EPOCH, Shell

DATA = Path(__file__).parent / "data"
URL = "https://127.0.0.1:6443"


def certificate(
    name: str, group: str = "", issuer: tuple | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    parts += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    subject = x509.Name(parts)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365))
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


CA = certificate("kubernetes")
OTHER = certificate("other")
PEM = CA[0].public_bytes(Encoding.PEM).decode()


def echo(request: HttpRequest) -> tuple[int, dict]:
    headers = dict(request.headers)
    body = request.body.decode()
    return 200, {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": headers,
        "body": body,
    }


@pytest.fixture
def shell() -> Shell:
    made = Shell(echo, config=ConsoleConfig(EPOCH, ca_pem=PEM))
    made.run(f"cat > ca.crt <<EOF\n{PEM}EOF")
    made.run(f"cat > other.crt <<EOF\n{OTHER[0].public_bytes(Encoding.PEM).decode()}EOF")
    return made


def test_an_unknown_ca_is_exit_60_in_the_recorded_words(shell: Shell) -> None:
    result = shell.run(f"curl {URL}")
    recorded = "".join(
        line for line in (DATA / "a01-stderr.txt").read_text().splitlines(keepends=True)
        if not line.lstrip().startswith(("%", "Dload", "0", "\r"))
    )  # fmt: skip
    assert result.code == 60
    assert recorded.endswith(result.stderr)
    assert shell.run(f"curl --cacert other.crt {URL}").code == 60
    assert shell.requests == []


def test_the_right_ca_or_k_lets_it_through_without_a_name(shell: Shell) -> None:
    for trust in ("--cacert ca.crt", "-k"):
        assert shell.run(f"curl {trust} {URL}/api").code == 0
    assert [each.peer.common_name for each in shell.requests] == ["", ""]


def test_a_ca_file_that_is_none_is_exit_77(shell: Shell) -> None:
    assert shell.run(f"curl --cacert none.crt {URL}").code == 77


def test_a_client_certificate_names_its_holder(shell: Shell) -> None:
    for issuer in (CA, OTHER):
        cert, key = certificate("jane", "dev", issuer)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        shell.run(f"cat > jane.crt <<EOF\n{cert.public_bytes(Encoding.PEM).decode()}EOF")
        shell.run(f"cat > jane.key <<EOF\n{pem}EOF")
        shell.run(f"curl --cacert ca.crt --cert jane.crt --key jane.key {URL}/")
    good, bad = (each.peer for each in shell.requests)
    assert (good.common_name, good.organizations, good.error) == ("jane", ("dev",), "")
    assert bad.error == "unable to get local issuer certificate"


def test_requests_carry_what_was_typed(shell: Shell) -> None:
    shell.run(
        f"""curl -sk -X POST -H 'Content-Type: application/json' -H "X-A: b" -d '{{"a": 1}}' "{URL}/api?x=1&y=%20" """
    )
    sent = shell.requests[0]
    headers = dict(sent.headers)
    assert (sent.method, sent.path, sent.query, sent.body) == ("POST", "/api", "x=1&y=%20", b'{"a": 1}')
    assert headers["content-type"] == "application/json" and headers["x-a"] == "b"
    shell.run(f"echo '{{}}' | curl -sk -d @- {URL}/; curl -skG -d a=1 {URL}/; curl -sk -u admin:admin {URL}/")
    posted, got, basic = shell.requests[1:]
    assert (posted.method, dict(posted.headers)["content-type"]) == ("POST", "application/x-www-form-urlencoded")
    assert (got.method, got.query) == ("GET", "a=1")
    assert dict(basic.headers)["authorization"] == "Basic YWRtaW46YWRtaW4="


def test_answers_are_shown_as_asked() -> None:
    def refuse(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.id, 403, (("content-type", "text/plain"),), b"no\n")

    shell = Shell(refuse)
    assert shell.run(f"curl -sk -w '[HTTP %{{http_code}}]\\n' {URL}").stdout == "no\n[HTTP 403]\n"
    assert shell.run(f"curl -ski {URL}").stdout.startswith("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n")
    assert shell.run(f"curl -skf {URL}").code == 22
    assert shell.run(f"curl -sk -o f {URL}; cat f").stdout == "no\n"
    assert "< HTTP/1.1 403 Forbidden\r\n".replace("\r", "") in shell.run(f"curl -skv {URL}").stderr.replace("\r", "")
    assert shell.run("curl http://127.0.0.1:6443/").stdout == "Client sent an HTTP request to an HTTPS server.\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [("curl -k https://example.com", 6), ("curl -k https://8.8.8.8/", 7), ("curl", 2), ("curl --frob x", 2)],
)
def test_nothing_else_can_be_reached(line: str, code: int) -> None:
    shell = Shell(echo)
    assert shell.run(line).code == code
    assert shell.requests == []
