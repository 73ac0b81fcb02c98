"""DefaultStorageClass: a claim that names no class gets the one marked as default, the newest if there are several.

Upstream: plugin/pkg/admission/storage/storageclass/setdefault/admission.go (v1.32).
"""

from typing import Any

from cluster.apiserver.admission import Attributes, Context

NAME = "DefaultStorageClass"
MUTATES, VALIDATES = True, False
RESOURCES = ("persistentvolumeclaims",)
CLASSES = "storageclasses.storage.k8s.io"
_MARKS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def handles(attributes: Attributes) -> bool:
    """New claims."""
    return attributes.concerns("persistentvolumeclaims", "CREATE")


def mutate(attributes: Attributes, ctx: Context) -> tuple[Any, str]:
    """Fill in ``storageClassName``."""
    claim = attributes.doc
    if claim["spec"].get("storageClassName") is not None:
        return claim, "It names its class"
    annotations = claim["metadata"].get("annotations") or {}
    if "volume.beta.kubernetes.io/storage-class" in annotations:
        return claim, "It names its class by annotation"
    marked = [
        c
        for c in ctx.view.list(CLASSES)
        if any((c["metadata"].get("annotations") or {}).get(m) == "true" for m in _MARKS)
    ]
    if not marked:
        return claim, "No class is the default"
    newest = max(c["metadata"].get("creationTimestamp", "") for c in marked)
    name = min(c["metadata"]["name"] for c in marked if c["metadata"].get("creationTimestamp", "") == newest)
    return {**claim, "spec": {**claim["spec"], "storageClassName": name}}, f"The default class is {name}"
