"""DefaultIngressClass: an ingress that names no class gets the one marked as default.

Upstream: plugin/pkg/admission/network/defaultingressclass/admission.go (v1.32).
"""

from typing import Any

from cluster.api import status
from cluster.apiserver.admission import Attributes, Context

NAME = "DefaultIngressClass"
MUTATES, VALIDATES = True, False
RESOURCES = ("ingresses.networking.k8s.io",)
_MARK = "ingressclass.kubernetes.io/is-default-class"


def handles(attributes: Attributes) -> bool:
    """New ingresses."""
    return attributes.concerns("ingresses.networking.k8s.io", "CREATE")


def mutate(attributes: Attributes, ctx: Context) -> tuple[Any, str]:
    """Fill in ``ingressClassName``."""
    doc = attributes.doc
    spec = doc.get("spec") or {}
    if spec.get("ingressClassName") is not None or "kubernetes.io/ingress.class" in (
        doc["metadata"].get("annotations") or {}
    ):
        return doc, "It names its class"
    classes = ctx.view.list("ingressclasses.networking.k8s.io")
    marked = [c["metadata"]["name"] for c in classes if (c["metadata"].get("annotations") or {}).get(_MARK) == "true"]
    if not marked:
        return doc, "No class is the default"
    if len(marked) > 1:
        raise status.internal_error(f"{len(marked)} default IngressClasses were found, only 1 allowed")
    return {**doc, "spec": {"ingressClassName": marked[0], **spec}}, f"The default class is {marked[0]}"
