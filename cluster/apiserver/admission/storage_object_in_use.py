"""StorageObjectInUseProtection: claims and volumes get a finalizer, so that none disappears while a pod uses it.

Upstream: plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go (v1.32).
"""

from typing import Any

from cluster.apiserver.admission import Attributes, Context

NAME = "StorageObjectInUseProtection"
MUTATES, VALIDATES = True, False
_FINALIZERS = {
    "persistentvolumes": "kubernetes.io/pv-protection",
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
}
RESOURCES = tuple(_FINALIZERS)


def handles(attributes: Attributes) -> bool:
    """New claims and volumes."""
    return attributes.operation == "CREATE" and not attributes.subresource and attributes.group_resource in _FINALIZERS


def mutate(attributes: Attributes, ctx: Context) -> tuple[Any, str]:
    """Add the finalizer."""
    doc, finalizer = attributes.doc, _FINALIZERS[attributes.group_resource]
    held = doc["metadata"].get("finalizers") or []
    if finalizer in held:
        return doc, "It has the finalizer already"
    return {
        **doc,
        "metadata": {**doc["metadata"], "finalizers": [*held, finalizer]},
    }, f"The finalizer {finalizer} protects it"
