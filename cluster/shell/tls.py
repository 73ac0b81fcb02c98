"""What a TLS client of the console can prove and whom it trusts: pure functions on certificates in PEM.

Upstream: what OpenSSL does in the handshake of curl and kubectl.
"""

import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from cluster.wire.http import TlsPeer

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def _bodies(pem: str) -> list[str]:
    return ["".join(each.split()) for each in _PEM.findall(pem)]


def trusts(bundle: str, ca_pem: str) -> bool:
    """Whether the CA that signed the server's certificate is in ``bundle``. ValueError: no certificate in it at all."""
    found = _bodies(bundle)
    if not found:
        raise ValueError("no certificate")
    return any(each in found for each in _bodies(ca_pem))


def peer_of_files(certificate: str, key: str, ca_pem: str) -> TlsPeer:
    """What the server learns of a client that shows ``certificate``. ValueError: unreadable, or not the key's."""
    cert = x509.load_pem_x509_certificate(certificate.encode())
    private = load_pem_private_key(key.encode(), None)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if cert.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        raise ValueError("the key is not the certificate's")
    error = ""
    try:
        cert.verify_directly_issued_by(x509.load_pem_x509_certificate(ca_pem.encode()))
    except (ValueError, TypeError, InvalidSignature):
        error = "unable to get local issuer certificate"
    names = cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return TlsPeer(
        common_name=str(names[0].value) if names else "",
        organizations=tuple(str(o.value) for o in cert.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)),
        issuer=cert.issuer.rfc4514_string(),
        not_after=cert.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        error=error,
    )
