"""A cluster's certificate authority, keys and certificates, made once when the cluster is made.

In → the cluster's name and its control-plane hosts; out → PEM bytes. RSA 2048 as kubeadm makes them (its CA lives ten
years, its leaves one; here both live ten, because nobody renews a classroom). Also reads a client certificate from a
handshake and says whether the cluster's CA vouches for it.

Simplified here: one CA for serving, clients and etcd (kubeadm has three); no revocation, which Kubernetes lacks too.

Upstream: cmd/kubeadm/app/phases/certs, staging/src/k8s.io/apiserver/pkg/authentication/request/x509.
"""

import base64
import datetime
import ipaddress

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEARS = datetime.timedelta(days=3650)
BACKDATED = datetime.timedelta(hours=1)
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SNI_SUFFIX = ".clusters.clearplane.internal"
SERVER_ADDRESSES = ("127.0.0.1", "::1", "10.96.0.1", "172.18.0.10")


def sni(cluster: str) -> str:
    """The TLS server name by which a client asks for this cluster's own certificate (kubeconfig ``tls-server-name``)."""
    return cluster + SNI_SUFFIX


def cluster_of(server_name: str) -> str:
    """The cluster that ``sni`` made this name for; empty for every other name."""
    name = server_name.removesuffix(SNI_SUFFIX)
    return name if name != server_name else ""


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _name(common_name: str, organizations: tuple[str, ...] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, public_key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + YEARS)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=authority,
        crl_sign=False,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


class Authority:
    """The cluster's CA: signs, and says whom it vouches for."""

    def __init__(self, certificate_pem: bytes, key_pem: bytes) -> None:
        self.certificate = x509.load_pem_x509_certificate(certificate_pem)
        self.pem = certificate_pem
        self._key_pem = key_pem
        public = self.certificate.public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        self._public = public

    @staticmethod
    def new() -> tuple["Authority", bytes]:
        """A fresh CA named ``kubernetes`` and its key's PEM."""
        key = _key()
        name = _name("kubernetes")
        certificate = (
            _builder(name, name, key.public_key())
            .add_extension(_usage(authority=True), critical=True)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("kubernetes")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = _key_pem(key)
        return Authority(_pem(certificate), pem), pem

    def server(self, names: list[str], addresses: list[str]) -> tuple[bytes, bytes]:
        """Certificate and key of a server known by these names and addresses."""
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        return self._leaf(_name("kube-apiserver"), ExtendedKeyUsageOID.SERVER_AUTH, alternatives)

    def client(self, user: str, groups: tuple[str, ...]) -> tuple[bytes, bytes]:
        """Certificate and key of the user ``user`` in ``groups``."""
        return self._leaf(_name(user, groups), ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def _leaf(
        self, subject: x509.Name, purpose: x509.ObjectIdentifier, alternatives: list[x509.GeneralName]
    ) -> tuple[bytes, bytes]:
        key = _key()
        builder = (
            _builder(subject, self.certificate.subject, key.public_key())
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._public), critical=False)
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        signer = serialization.load_pem_private_key(self._key_pem, None)
        assert isinstance(signer, rsa.RSAPrivateKey)
        return _pem(builder.sign(signer, hashes.SHA256())), _key_pem(key)

    def objection(self, certificate: x509.Certificate) -> str:
        """Why this client certificate proves nothing here, in OpenSSL's words; empty when it does."""
        if certificate.issuer != self.certificate.subject:
            return "unable to get local issuer certificate"
        algorithm = certificate.signature_hash_algorithm
        if algorithm is None:
            return "unable to get local issuer certificate"
        try:
            self._public.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), algorithm)
        except InvalidSignature:
            return "certificate signature failure"
        now = datetime.datetime.now(datetime.UTC)
        if now > certificate.not_valid_after_utc:
            return "certificate has expired"
        if now < certificate.not_valid_before_utc:
            return "certificate is not yet valid"
        try:
            usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except x509.ExtensionNotFound:
            return ""
        allowed = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
        return "" if any(purpose in allowed for purpose in usage) else "unsuitable certificate purpose"


def make(cluster: str, hosts: list[str], addresses: list[str]) -> dict[str, bytes]:
    """Everything ``cluster.lab.Pki`` wants: field name → PEM. Takes about half a second (five RSA keys)."""
    authority, ca_key = Authority.new()
    names = [*SERVER_NAMES, *hosts, sni(cluster)]
    server_cert, server_key = authority.server(names, [*SERVER_ADDRESSES, *addresses])
    admin_cert, admin_key = authority.client("kubernetes-admin", ("kubeadm:cluster-admins",))
    accounts = _key()
    return {
        "ca_cert": authority.pem,
        "ca_key": ca_key,
        "server_cert": server_cert,
        "server_key": server_key,
        "admin_cert": admin_cert,
        "admin_key": admin_key,
        "sa_private": _key_pem(accounts),
        "sa_public": accounts.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    }


def peer_fields(certificate: x509.Certificate) -> dict[str, object]:
    """The subject of a certificate as ``TlsPeer`` fields: CN is the user, O are the groups."""

    def values(oid: x509.ObjectIdentifier) -> list[str]:
        return [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(oid)]

    issuer = [str(a.value) for a in certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return {
        "common_name": (values(NameOID.COMMON_NAME) or [""])[-1],
        "organizations": tuple(values(NameOID.ORGANIZATION_NAME)),
        "issuer": (issuer or [""])[-1],
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(),
        "not_after": certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def base64_text(pem: bytes) -> str:
    """As kubeconfig carries it (``…-data`` fields)."""
    return base64.b64encode(pem).decode()
