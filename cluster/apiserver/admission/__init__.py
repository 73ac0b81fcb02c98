"""Admission: after it is clear who may do what, does the cluster want this object, and in what shape?

Mutating plug-ins fill in and change (a default service account, tolerations, a priority); validating ones refuse. The
folder is the registry: each module has ``NAME``, ``MUTATES``, ``VALIDATES``, ``handles(attributes) -> bool`` and
``mutate(attributes, ctx) -> (doc, reason)`` and/or ``validate(attributes, ctx) -> reason``; a refusal is an ``ApiError``.
A module that has ``RESOURCES`` is not even asked about others; one that has ``applies(attributes, ctx)`` only when that is true.
``ORDER`` is kube-apiserver's own, which no flag can change.

Simplified here: plug-ins about storage that would have nothing to say in this cluster are left out.

Upstream: pkg/kubeapiserver/options/plugins.go ``AllOrderedPlugins`` (v1.32).
"""

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal

from msgspec import Struct

from cluster.api.scheme import Resource
from cluster.apiserver.options import DeleteOptions
from cluster.apiserver.user import User
from cluster.apiserver.view import View

ORDER = (
    "NamespaceLifecycle", "ServiceAccount", "NodeRestriction", "TaintNodesByCondition", "LimitRanger", "PodSecurity",
    "Priority", "DefaultTolerationSeconds", "DefaultStorageClass", "StorageObjectInUseProtection", "RuntimeClass",
    "CertificateApproval", "CertificateSigning", "CertificateSubjectRestriction", "DefaultIngressClass", "MutatingAdmissionWebhook", "ValidatingAdmissionPolicy", "ValidatingAdmissionWebhook", "ResourceQuota",
)  # fmt: skip


class Attributes(Struct):
    """``admission.Attributes``: what is being done. ``doc`` None for deletions; ``old`` None for creations."""

    operation: Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
    resource: Resource
    subresource: str
    namespace: str
    name: str
    user: User
    doc: Any = None
    old: Any = None
    dry_run: bool = False
    options: DeleteOptions | None = None

    @property
    def group_resource(self) -> str:
        """``pods``, ``deployments.apps``."""
        return self.resource.group_resource

    def concerns(self, group_resource: str, *operations: str, subresource: str = "") -> bool:
        """Is this one of ``operations`` on ``group_resource`` (itself, not another subresource)?"""
        return (
            self.operation in operations
            and self.subresource == subresource
            and self.resource.group_resource == group_resource
        )


class Context:
    """What plug-ins may look at: the view, chance for generated names, and the registry's context."""

    def __init__(self, view: View, dice: Any, rest: Any, scheme: Any) -> None:
        self.view, self.dice, self.rest, self.scheme = view, dice, rest, scheme
        self.warnings: list[str] = []
        """For the client, as Warning headers."""
        self.looked_at: dict[str, Any] = {}
        """What the plug-in at work asked, for the trace."""
        self.allocate: Callable[[Any, Any], Any] | None = None
        """For kinds that need addresses: gives them to (new, old)."""


_plugins: tuple[ModuleType, ...] = ()
_concerned: dict[str, tuple[ModuleType, ...]] = {}


def plugins() -> tuple[ModuleType, ...]:
    """All plug-ins in order."""
    global _plugins
    if not _plugins:
        found = {
            module.NAME: module
            for info in pkgutil.iter_modules(__path__)
            if hasattr(module := importlib.import_module(f"{__name__}.{info.name}"), "NAME")
        }
        assert not set(found) - set(ORDER), f"plug-ins without a place in ORDER: {sorted(set(found) - set(ORDER))}"
        _plugins = tuple(found[name] for name in ORDER if name in found)
    return _plugins


def asked(plugin: ModuleType, attributes: Attributes, ctx: Context) -> bool:
    """Whether ``plugin`` has something to say about this request, as things are."""
    if not plugin.handles(attributes):
        return False
    applies = getattr(plugin, "applies", None)
    return applies is None or bool(applies(attributes, ctx))


def plugins_for(group_resource: str) -> tuple[ModuleType, ...]:
    """Those that may have something to say about ``group_resource``, in order."""
    found = _concerned.get(group_resource)
    if found is None:
        if len(_concerned) > 4096:  # kinds that clients define come and go
            _concerned.clear()
        found = _concerned[group_resource] = tuple(
            plugin for plugin in plugins() if group_resource in getattr(plugin, "RESOURCES", (group_resource,))
        )
    return found
