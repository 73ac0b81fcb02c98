"""Bearer tokens of service accounts: RS256 JWTs that this cluster signed.

In → ``Authorization: Bearer …``; out → ``system:serviceaccount:<namespace>:<name>``. Two kinds: bound tokens from the
TokenRequest API (expire, have audiences, may be bound to a pod, Secret or node) and legacy tokens kept in Secrets
(never expire; valid while the Secret and the account exist). ``mint`` makes the claims of a bound one.

A verified signature is remembered per token text (verification is pure); everything that can change (expiry, does
the account still exist) is checked each time.

Simplified here: the legacy token's ``kubernetes.io/legacy-token-last-used`` label is not kept.

Upstream: pkg/serviceaccount/{jwt,claims,legacy}.go (v1.32).
"""

from base64 import b64encode
from typing import Any

from cluster.api import jwt
from cluster.apiserver.authentication import Verdict, authenticated
from cluster.apiserver.user import SERVICE_ACCOUNT_PREFIX, User, service_account_groups
from cluster.apiserver.view import View, here
from cluster.wire.http import HttpRequest

NAME = "service-account-token"
ORDER = 20
LEGACY_ISSUER = "kubernetes/serviceaccount"
INVALID = "invalid bearer token"
_REMEMBER = 4096
_verified: dict[tuple[str, bytes], dict[str, Any] | None] = {}
"""Signature checks already done: a pure function's results, so the world doesn't depend on them."""


def authenticate(request: HttpRequest, view: View) -> Verdict | None:
    """None without a bearer token."""
    header = request.header("authorization")
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    user, why = user_of_token(token.strip(), (view.config.issuer,), view)
    if user is None:
        return Verdict(None, "The bearer token is not valid", here(), why)
    return Verdict(authenticated(user), f"The bearer token was signed by this cluster for {user.name}", here())


def user_of_token(token: str, audiences: tuple[str, ...], view: View) -> tuple[User | None, str]:
    """``(user, "")``, or ``(None, why)``. The token must be meant for one of ``audiences``."""
    claims = _claims(token, view.config.sa_public_pem)
    if claims is None:
        return None, INVALID
    issuer = claims.get("iss")
    if issuer == LEGACY_ISSUER:
        return _legacy(claims, token, view)
    if issuer != view.config.issuer:
        return None, INVALID
    return _bound(claims, audiences, view)


def audiences_of(token: str, view: View) -> tuple[str, ...]:
    """The audiences that a valid token names (a legacy token: the issuer)."""
    claims = _claims(token, view.config.sa_public_pem) or {}
    audience = claims.get("aud", view.config.issuer)
    return (audience,) if isinstance(audience, str) else tuple(audience)


def _claims(token: str, public_pem: bytes) -> dict[str, Any] | None:
    key = (token, public_pem)
    if key not in _verified:
        if len(_verified) >= _REMEMBER:
            _verified.clear()
        try:
            _verified[key] = jwt.verify(token, public_pem)
        except ValueError:
            _verified[key] = None
    return _verified[key]


def _legacy(claims: dict[str, Any], token: str, view: View) -> tuple[User | None, str]:
    prefix = "kubernetes.io/serviceaccount/"
    namespace = claims.get(f"{prefix}namespace", "")
    name = claims.get(f"{prefix}service-account.name", "")
    uid = claims.get(f"{prefix}service-account.uid", "")
    secret_name = claims.get(f"{prefix}secret.name", "")
    if claims.get("sub") != f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}":
        return None, INVALID
    secret = view.get("secrets", namespace, secret_name)
    if secret is None or secret["metadata"].get("deletionTimestamp"):
        return None, f"the token's secret {namespace}/{secret_name} has been deleted"
    if secret.get("data", {}).get("token") != b64encode(token.encode()).decode():
        return None, "the token does not match the server's copy in its secret"
    account = view.get("serviceaccounts", namespace, name)
    if account is None or account["metadata"]["uid"] != uid:
        return None, f"service account {namespace}/{name} has been deleted"
    return _user(namespace, name, uid, ()), ""


def _bound(claims: dict[str, Any], audiences: tuple[str, ...], view: View) -> tuple[User | None, str]:
    now = view.seconds
    if now >= claims.get("exp", 0):
        return None, "service account token has expired"
    if now < claims.get("nbf", 0):
        return None, "service account token is not valid yet"
    wanted = claims.get("aud", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if not any(audience in audiences for audience in wanted):
        return None, f"token audiences {wanted} is invalid for the target audiences {list(audiences)}"
    private = claims.get("kubernetes.io")
    if not isinstance(private, dict) or "serviceaccount" not in private:
        return None, INVALID
    namespace, reference = private.get("namespace", ""), private["serviceaccount"]
    name, uid = reference.get("name", ""), reference.get("uid", "")
    account = view.get("serviceaccounts", namespace, name)
    if account is None or account["metadata"]["uid"] != uid:
        return None, f"service account {namespace}/{name} has been deleted"
    extra: list[tuple[str, tuple[str, ...]]] = []
    if claims.get("jti"):
        extra.append(("authentication.kubernetes.io/credential-id", (f"JTI={claims['jti']}",)))
    for kind, resource in (("node", "nodes"), ("pod", "pods"), ("secret", "secrets")):
        bound = private.get(kind)
        if bound is None:
            continue
        held = view.get(resource, "" if kind == "node" else namespace, bound["name"])
        if kind == "node" and "pod" in private:
            held = held or {"metadata": {"uid": bound.get("uid")}}  # the pod decides; its node is only recorded
        if held is None or held["metadata"]["uid"] != bound.get("uid"):
            return None, f"the {kind} {bound['name']} that the token is bound to has been deleted"
        if kind != "secret":
            extra.append((f"authentication.kubernetes.io/{kind}-name", (bound["name"],)))
            extra.append((f"authentication.kubernetes.io/{kind}-uid", (bound["uid"],)))
    return _user(namespace, name, uid, tuple(extra)), ""


def _user(namespace: str, name: str, uid: str, extra: tuple[tuple[str, tuple[str, ...]], ...]) -> User:
    return User(f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}", service_account_groups(namespace), uid, extra)


def mint(
    account: dict[str, Any],
    audiences: list[str],
    seconds: int,
    bound: tuple[str, dict[str, Any]] | None,
    node: dict[str, Any] | None,
    jti: str,
    view: View,
) -> dict[str, Any]:
    """The claims of a token for ``account`` that lives ``seconds``; ``bound`` is ("pod" | "secret" | "node", object)."""
    meta = account["metadata"]
    private: dict[str, Any] = {"namespace": meta["namespace"]}
    if node is not None:
        private["node"] = {"name": node["metadata"]["name"], "uid": node["metadata"]["uid"]}
    if bound is not None:
        kind, holder = bound
        private[kind] = {"name": holder["metadata"]["name"], "uid": holder["metadata"]["uid"]}
    private["serviceaccount"] = {"name": meta["name"], "uid": meta["uid"]}
    now = view.seconds
    expires = now + seconds
    if bound is not None and bound[0] == "pod" and seconds == 3607:
        # pkg/registry/core/serviceaccount/storage/token.go: the kubelet's 1 h tokens really live a year, and warn
        private["warnafter"] = expires
        expires = now + 365 * 24 * 3600
    return {
        "aud": audiences,
        "exp": expires,
        "iat": now,
        "iss": view.config.issuer,
        "jti": jti,
        "kubernetes.io": private,
        "nbf": now,
        "sub": f"{SERVICE_ACCOUNT_PREFIX}{meta['namespace']}:{meta['name']}",
    }
