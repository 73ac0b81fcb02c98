"""Authorization: may this user do this to that? The first authorizer with an opinion decides; none means no.

In → ``Attributes``; out → ``Decision``. The folder is the registry: each module has ``NAME``, ``ORDER`` and
``authorize(attributes, view) -> Decision``, which allows, or has no opinion and says why not.

kubeadm runs ``--authorization-mode=Node,RBAC``; before both stands the built-in rule that ``system:masters`` may do all.

Upstream: pkg/kubeapiserver/authorizer, apiserver/pkg/authorization (v1.32).
"""

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from msgspec import Struct

from cluster.apiserver.user import User
from cluster.apiserver.view import View


class Attributes(Struct, frozen=True):
    """``authorizer.Attributes``. Non-resource requests have ``path`` and no resource."""

    user: User
    verb: str
    namespace: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    path: str = ""
    is_resource: bool = True

    @property
    def full_resource(self) -> str:
        """``pods/log``, or ``pods``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Decision(Struct, frozen=True):
    """``allowed`` false: no opinion. ``reason``: upstream's words, which clients may read. ``tried``: what was looked at and why
    it didn't help; ``said``: one plain sentence about it; both for the explanation only."""

    allowed: bool
    reason: str = ""
    authorizer: str = ""
    source: str = ""
    tried: tuple[dict[str, Any], ...] = ()
    said: str = ""


def _load() -> tuple[ModuleType, ...]:
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return tuple(sorted((m for m in modules if hasattr(m, "ORDER")), key=lambda m: m.ORDER))


_chain: tuple[ModuleType, ...] = ()


def authorizers() -> tuple[ModuleType, ...]:
    """The chain, in order."""
    global _chain
    if not _chain:
        _chain = _load()
    return _chain


def authorize(attributes: Attributes, view: View) -> Decision:
    """The first allowance; else a refusal with all reasons (only those go into the 403 text) and near misses."""
    reasons: list[str] = []
    tried: list[dict[str, Any]] = []
    source = said = ""
    for module in authorizers():
        decision = module.authorize(attributes, view)
        if decision.allowed:
            return decision
        source = decision.source or source
        said = decision.said or said
        if decision.reason:
            reasons.append(decision.reason)
        tried.extend(decision.tried)
    return Decision(False, ", ".join(reasons), "", source, tuple(tried), said)


def forbidden_message(attributes: Attributes, reason: str) -> str:
    """The words after "is forbidden: " (``responsewriters.forbiddenMessage``)."""
    name = attributes.user.name
    if not attributes.is_resource:
        text = f'User "{name}" cannot {attributes.verb} path "{attributes.path}"'
    else:
        where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
        text = (
            f'User "{name}" cannot {attributes.verb} resource "{attributes.full_resource}" '
            f'in API group "{attributes.group}" {where}'
        )
    return f"{text}: {reason}" if reason else text
