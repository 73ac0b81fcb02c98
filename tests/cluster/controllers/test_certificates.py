"""The signer: what it makes of an approved request, and what it does not accept."""

import ipaddress
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.controllers import certificates as signer

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)


@cache
def authority() -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - timedelta(days=1), NOW + timedelta(days=300))
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return made.public_bytes(pem), private


@cache
def request(user: str, group: str, *names: str) -> x509.CertificateSigningRequest:
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, user), x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)]
    builder = x509.CertificateSigningRequestBuilder(x509.Name(subject))
    if names:
        made = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(made), False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())


@pytest.mark.parametrize(
    ("asked", "begins", "ends"),
    [
        (86400, -5, 24 * 60 - 5),  # eight hours and more are as long as was asked, five minutes of them past
        (3600, -5, 60),
        (60, -5, 10),
        (None, -5, 300 * 24 * 60),  # never longer than the authority's own
    ],
)
def test_what_was_approved_is_signed(asked: int | None, begins: int, ends: int) -> None:
    csr = request("bob", "dev")
    spec = {"signerName": signer.CLIENT, "usages": ["client auth", "digital signature"], "expirationSeconds": asked}
    assert signer.objection(csr, spec) == ""
    pems = [signer.sign(csr, spec, *authority(), 77, NOW) for _ in range(2)]
    assert pems[0] == pems[1], "the same request at the same instant is the same certificate"
    made = x509.load_pem_x509_certificate(pems[0])
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(authority()[0]))
    assert made.subject == csr.subject and made.public_key() == csr.public_key() and made.serial_number == 77
    assert (made.not_valid_before_utc - NOW, made.not_valid_after_utc - NOW) == (
        timedelta(minutes=begins), timedelta(minutes=ends),
    )  # fmt: skip
    purposes = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and not usage.key_encipherment
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


NODE = "system:node:node-1"


@pytest.mark.parametrize(
    ("name", "csr", "usages", "said"),
    [
        (signer.CLIENT, ("bob", "dev"), ["server auth"], "invalid usage for client certificate: server auth"),
        (
            signer.CLIENT,
            ("bob", "dev"),
            ["key encipherment"],
            "missing required usage for client certificate: client auth",
        ),
        (signer.KUBELET_CLIENT, ("bob", "dev"), [], "subject organization is not system:nodes"),
        (signer.KUBELET_CLIENT, ("bob", "system:nodes"), [], "subject common name does not begin with system:node:"),
        (signer.KUBELET_CLIENT, (NODE, "system:nodes", "a.b"), [], "DNS subjectAltNames are not allowed"),
        (signer.KUBELET_CLIENT, (NODE, "system:nodes", "1.2.3.4"), [], "IP subjectAltNames are not allowed"),
        (signer.KUBELET_CLIENT, (NODE, "system:nodes"), [], ""),
        (signer.KUBELET_SERVING, (NODE, "system:nodes"), [], "DNS or IP subjectAltName is required"),
        (signer.KUBELET_SERVING, (NODE, "system:nodes", "a.b", "1.2.3.4"), [], ""),
    ],
)
def test_what_the_signer_does_not_accept(name: str, csr: tuple[str, ...], usages: list[str], said: str) -> None:
    assert signer.objection(request(*csr), {"signerName": name, "usages": usages}) == said
