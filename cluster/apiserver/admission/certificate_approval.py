"""CertificateApproval: who approves a certificate request must be trusted with its signer, not only with requests.

Upstream: plugin/pkg/admission/certificates/approval/admission.go (v1.32).
"""

from cluster.api import status
from cluster.apiserver.admission import Attributes, Context
from cluster.apiserver.authorization import signers

NAME = "CertificateApproval"
MUTATES, VALIDATES = False, True
RESOURCES = ("certificatesigningrequests.certificates.k8s.io",)


def handles(attributes: Attributes) -> bool:
    """Updates of ``…/approval``."""
    return attributes.concerns(RESOURCES[0], "UPDATE", subresource="approval")


def validate(attributes: Attributes, ctx: Context) -> str:
    """Ask for ``approve`` on the signer that the stored request names."""
    signer = attributes.old["spec"]["signerName"]
    if not signers.may(attributes.user, "approve", signer, ctx.view):
        text = f'user not permitted to approve requests with signerName "{signer}"'
        raise status.forbidden(RESOURCES[0], attributes.name, text)
    return f"The user may approve for {signer}"
