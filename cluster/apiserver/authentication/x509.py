"""Client certificates: the subject's common name is the user, its organizations are the groups.

Upstream: apiserver/pkg/authentication/request/x509/x509.go (v1.32).
"""

from functools import lru_cache

from cluster.apiserver.authentication import Verdict, authenticated
from cluster.apiserver.user import User
from cluster.apiserver.view import View, here
from cluster.wire.http import HttpRequest, TlsPeer

NAME = "x509"
ORDER = 10


def authenticate(request: HttpRequest, view: View) -> Verdict | None:
    """None without a certificate."""
    return _verdict(request.peer)


@lru_cache(maxsize=1024)
def _verdict(peer: TlsPeer) -> Verdict | None:
    if peer.error:
        return Verdict(None, "The client certificate is not trusted", here(), f"x509: {peer.error}")
    if not peer.common_name:
        return None
    extra = ()
    if peer.fingerprint:
        extra = (("authentication.kubernetes.io/credential-id", (f"X509SHA256={peer.fingerprint}",)),)
    user = authenticated(User(peer.common_name, peer.organizations, "", extra))
    return Verdict(user, f"The client certificate's subject is CN={peer.common_name}", here())
