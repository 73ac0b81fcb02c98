"""CertificateSubjectRestriction: nobody gets a client certificate that says ``system:masters``, which no RBAC could take back.

Upstream: plugin/pkg/admission/certificates/subjectrestriction/admission.go (v1.32).
"""

from base64 import b64decode

from cryptography import x509
from cryptography.x509.oid import NameOID

from cluster.api import status
from cluster.apiserver.admission import Attributes, Context
from cluster.apiserver.user import MASTERS

NAME = "CertificateSubjectRestriction"
MUTATES, VALIDATES = False, True
RESOURCES = ("certificatesigningrequests.certificates.k8s.io",)
_SIGNER = "kubernetes.io/kube-apiserver-client"


def handles(attributes: Attributes) -> bool:
    """New requests for the apiserver's client certificates."""
    return attributes.concerns(RESOURCES[0], "CREATE") and attributes.doc["spec"].get("signerName") == _SIGNER


def validate(attributes: Attributes, ctx: Context) -> str:
    """Look into the request's subject."""
    name = attributes.doc["metadata"].get("name", "")
    try:
        request = x509.load_pem_x509_csr(b64decode(attributes.doc["spec"]["request"]))
    except ValueError as error:
        raise status.forbidden(RESOURCES[0], name, f"failed to parse CSR: {error}") from None
    if MASTERS in [each.value for each in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]:
        raise status.forbidden(RESOURCES[0], name, f"use of {_SIGNER} signer with {MASTERS} group is not allowed")
    return f"The subject does not claim {MASTERS}"
