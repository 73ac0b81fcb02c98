"""The signer of certificate requests: what somebody approved becomes a certificate of the cluster's CA.

In → CertificateSigningRequests with an Approved condition for one of Kubernetes' own signers; out → the same with
``status.certificate``, or with a Failed condition that says what in the request the signer does not accept. A client certificate
issued so works: its common name is the user, its organizations are the groups.

``openssl req`` → ``kubectl apply`` → ``kubectl certificate approve`` → this → ``kubectl config set-credentials``.

Simplified here: one CA for all signers (kubeadm's default, too); nobody approves kubelets' requests by itself, there are none;
old requests are not cleaned up (after an hour upstream).

Upstream: kubernetes pkg/controller/certificates/signer/{signer,policy}.go, pkg/apis/certificates/helpers.go.
"""

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import path, spec_of, status_of
from cluster.controllers.runtime import Controller
from cluster.sim import SECOND, Outbox

CLIENT, KUBELET_CLIENT, KUBELET_SERVING = (
    "kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving",
)  # fmt: skip
LONGEST, SHORTEST = timedelta(days=365), timedelta(minutes=10)
"""``--cluster-signing-duration``, and the least that anybody may ask for."""
_SHORT, _BACKDATE = timedelta(hours=8), timedelta(minutes=5)
_BITS = ("digital signature", "content commitment", "key encipherment", "data encipherment", "key agreement", "cert sign",
         "crl sign", "encipher only", "decipher only")  # fmt: skip
_PURPOSES = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
}  # fmt: skip


class CertificateSigner(Controller):
    """Keys are names of CertificateSigningRequests."""

    name = "certificatesigningrequest-signing-controller"
    user = "certificate-controller"
    watches = ("certificatesigningrequests",)

    def on_certificatesigningrequests(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type != "DELETED":
            self.enqueue(out, new["metadata"]["name"])

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        request = self.store("certificatesigningrequests").get(key)
        if request is None or status_of(request).get("certificate") or not self.config.ca_key_pem:
            return
        conditions = status_of(request).get("conditions") or []
        kinds = [each["type"] for each in conditions if each["status"] == "True"]
        spec = spec_of(request)
        if (
            "Approved" not in kinds
            or "Failed" in kinds
            or spec["signerName"] not in (CLIENT, KUBELET_CLIENT, KUBELET_SERVING)
        ):
            return
        csr = x509.load_pem_x509_csr(b64decode(spec["request"]))
        refused = objection(csr, spec)
        if refused:
            stamp = self.stamp(now)
            failed = {"type": "Failed", "status": "True", "reason": "SignerValidationFailure", "message": refused,
                      "lastUpdateTime": stamp, "lastTransitionTime": stamp}  # fmt: skip
            status = {**status_of(request), "conditions": [*conditions, failed]}
        else:
            serial = int(out.dice.uuid().replace("-", ""), 16)
            moment = datetime.fromtimestamp(self.config.epoch + now // SECOND, UTC)
            pem = sign(csr, spec, self.config.ca_pem, self.config.ca_key_pem, serial, moment)
            status = {**status_of(request), "certificate": b64encode(pem).decode()}
        doc = {"kind": "CertificateSigningRequest", "apiVersion": "certificates.k8s.io/v1", **request, "status": status}
        self.request(
            out, "PUT", path("certificates.k8s.io/v1", "certificatesigningrequests", "", key, "status"), doc=doc
        )


def objection(csr: x509.CertificateSigningRequest, spec: Doc) -> str:
    """Why the signer would not sign this; "" when it would."""
    usages = spec.get("usages") or []
    if spec["signerName"] == CLIENT:
        odd = [each for each in usages if each not in ("digital signature", "key encipherment", "client auth")]
        if odd:
            return f"invalid usage for client certificate: {odd[0]}"
        return "" if "client auth" in usages else "missing required usage for client certificate: client auth"
    if _said(csr, NameOID.ORGANIZATION_NAME) != ["system:nodes"]:
        return "subject organization is not system:nodes"
    names, addresses, others = _alternatives(csr)
    serving = spec["signerName"] == KUBELET_SERVING
    if serving and not (names or addresses):
        return "DNS or IP subjectAltName is required"
    if not serving and names:
        return "DNS subjectAltNames are not allowed"
    if not serving and addresses:
        return "IP subjectAltNames are not allowed"
    if others:
        return "URI subjectAltNames are not allowed"
    if not "".join(_said(csr, NameOID.COMMON_NAME)).startswith("system:node:"):
        return "subject common name does not begin with system:node:"
    return ""


def sign(
    csr: x509.CertificateSigningRequest, spec: Doc, ca_pem: bytes, ca_key_pem: bytes, serial: int, now: datetime
) -> bytes:
    """The certificate, PEM: the request's subject, key and names; the usages that were asked for; the CA's signature (RSA PKCS#1 v1.5,
    which needs no chance)."""
    authority = x509.load_pem_x509_certificate(ca_pem)
    key = serialization.load_pem_private_key(ca_key_pem, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    asked = spec.get("expirationSeconds")
    life = LONGEST if asked is None else min(max(timedelta(seconds=asked), SHORTEST), LONGEST)
    end = now + life - (_BACKDATE if life >= _SHORT else timedelta(0))
    usages = spec.get("usages") or []
    bits = [name in usages for name in _BITS]
    builder = (
        x509.CertificateBuilder(subject_name=csr.subject, issuer_name=authority.subject, public_key=csr.public_key())
        .serial_number(serial)
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(min(end, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    if any(bits):
        builder = builder.add_extension(
            x509.KeyUsage(*bits[:7], *(each and bits[4] for each in bits[7:])), critical=True
        )
    purposes = [_PURPOSES[name] for name in usages if name in _PURPOSES]
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    try:
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        builder = builder.add_extension(names.value, critical=names.critical)
    except x509.ExtensionNotFound:
        pass
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _said(csr: x509.CertificateSigningRequest, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(each.value) for each in csr.subject.get_attributes_for_oid(oid)]


def _alternatives(csr: x509.CertificateSigningRequest) -> tuple[int, int, int]:
    """How many DNS names, addresses and others the request asks for."""
    try:
        names = list(csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return 0, 0, 0
    dns = sum(isinstance(each, x509.DNSName) for each in names)
    addresses = sum(isinstance(each, x509.IPAddress) for each in names)
    return dns, addresses, len(names) - dns - addresses
