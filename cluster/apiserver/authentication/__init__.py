"""Authentication: who is this? The first authenticator that recognises the request names the user.

In → the request with what TLS proved; out → a ``Verdict`` with a ``User``, or ``ApiError`` 401. The folder is the
registry: each module here has ``ORDER`` (its place in the chain) and ``authenticate(request, view) -> Verdict | None``;
None means "not for me", ``Verdict`` with ``error`` means "for me, and wrong". As in the real server one wrong
credential makes the whole request 401, even though requests without any are ``system:anonymous``.

Simplified here: no front proxy (request header), OIDC, webhook or bootstrap tokens; one issuer of service account tokens.

Upstream: pkg/kubeapiserver/authenticator/config.go, apiserver/pkg/endpoints/filters/authentication.go (v1.32).
"""

import importlib
import pkgutil
from functools import lru_cache
from types import ModuleType

from msgspec import Struct

from cluster.api.status import unauthorized
from cluster.apiserver.user import AUTHENTICATED, User
from cluster.apiserver.view import View
from cluster.wire.http import HttpRequest


class Verdict(Struct, frozen=True):
    """``user`` None: the credential is wrong, ``error`` says why (the client only hears "Unauthorized")."""

    user: User | None
    reason: str
    source: str
    error: str = ""


def _load() -> tuple[ModuleType, ...]:
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return tuple(sorted((m for m in modules if hasattr(m, "ORDER")), key=lambda m: m.ORDER))


_chain: tuple[ModuleType, ...] = ()


def authenticators() -> tuple[ModuleType, ...]:
    """The chain, in order."""
    global _chain
    if not _chain:
        _chain = _load()
    return _chain


def authenticate(request: HttpRequest, view: View) -> tuple[Verdict, list[dict[str, str]]]:
    """The verdict, and what each authenticator that was asked answered. Raises nothing: see ``refuse``."""
    tried: list[dict[str, str]] = []
    failed: Verdict | None = None
    for module in authenticators():
        if failed is not None and module.ORDER >= 100:  # anonymous is only for those who showed nothing
            break
        verdict = module.authenticate(request, view)
        if verdict is None:
            tried.append({"authenticator": module.NAME, "answer": "no credential of this kind"})
            continue
        if verdict.user is not None:
            tried.append({"authenticator": module.NAME, "answer": verdict.reason})
            tried.extend(_unasked(module.ORDER))
            return verdict, tried
        tried.append({"authenticator": module.NAME, "answer": verdict.error})
        failed = failed or verdict
    assert failed is not None  # the anonymous authenticator always answers
    return failed, tried


@lru_cache(maxsize=8)
def _unasked(order: int) -> tuple[dict[str, str], ...]:
    """Those that come after the one that knew the user."""
    return tuple({"authenticator": m.NAME, "answer": "not asked"} for m in authenticators() if order < m.ORDER)


def refuse() -> Exception:
    """What the client hears: never why."""
    return unauthorized()


def authenticated(user: User) -> User:
    """``user`` as a member of ``system:authenticated`` (``group.AuthenticatedGroupAdder``)."""
    if AUTHENTICATED in user.groups:
        return user
    return User(user.name, (*user.groups, AUTHENTICATED), user.uid, user.extra)
