"""Nobody: a request without any credential is ``system:anonymous`` in the group ``system:unauthenticated``.

Upstream: apiserver/pkg/authentication/request/anonymous (v1.32).
"""

from cluster.apiserver.authentication import Verdict
from cluster.apiserver.user import ANONYMOUS, UNAUTHENTICATED, User
from cluster.apiserver.view import View, here
from cluster.wire.http import HttpRequest

NAME = "anonymous"
ORDER = 100
_NOBODY = User(ANONYMOUS, (UNAUTHENTICATED,))


def authenticate(request: HttpRequest, view: View) -> Verdict | None:
    """Always an answer: the last of the chain."""
    return Verdict(_NOBODY, "The request carries no credential, so it is system:anonymous", here())
