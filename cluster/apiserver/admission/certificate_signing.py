"""CertificateSigning: who puts a certificate into a request's status must be trusted with its signer.

Upstream: plugin/pkg/admission/certificates/signing/admission.go (v1.32).
"""

from cluster.api import status
from cluster.apiserver.admission import Attributes, Context
from cluster.apiserver.authorization import signers

NAME = "CertificateSigning"
MUTATES, VALIDATES = False, True
RESOURCES = ("certificatesigningrequests.certificates.k8s.io",)


def handles(attributes: Attributes) -> bool:
    """Updates of ``…/status`` that touch the certificate or the conditions."""
    if not attributes.concerns(RESOURCES[0], "UPDATE", subresource="status"):
        return False
    new, old = attributes.doc.get("status") or {}, attributes.old.get("status") or {}
    return any(new.get(name) != old.get(name) for name in ("certificate", "conditions"))


def validate(attributes: Attributes, ctx: Context) -> str:
    """Ask for ``sign`` on the signer that the stored request names."""
    signer = attributes.old["spec"]["signerName"]
    if not signers.may(attributes.user, "sign", signer, ctx.view):
        text = f'user not permitted to sign requests with signerName "{signer}"'
        raise status.forbidden(RESOURCES[0], attributes.name, text)
    return f"The user may sign for {signer}"
