"""May somebody approve, or sign, certificate requests for a signer? A right to the signer's own name, or to all of its domain.

Upstream: pkg/apis/certificates/authorization (``IsAuthorizedForSignerName``, v1.32).
"""

from cluster.apiserver import authorization
from cluster.apiserver.user import User
from cluster.apiserver.view import View


def may(user: User, verb: str, signer: str, view: View) -> bool:
    """Whether ``user`` has ``verb`` on ``signers`` named ``example.com/x``, or ``example.com/*``."""
    names = (signer, f"{signer.partition('/')[0]}/*")
    return any(
        authorization.authorize(
            authorization.Attributes(
                user, verb, group="certificates.k8s.io", version="*", resource="signers", name=name
            ),
            view,
        ).allowed
        for name in names
    )
