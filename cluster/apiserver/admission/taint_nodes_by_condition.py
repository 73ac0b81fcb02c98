"""TaintNodesByCondition: a new node is not ready, and says so with a taint until its kubelet has proved otherwise.

Upstream: plugin/pkg/admission/nodetaint/admission.go (v1.32).
"""

from typing import Any

from cluster.apiserver.admission import Attributes, Context

NAME = "TaintNodesByCondition"
MUTATES, VALIDATES = True, False
RESOURCES = ("nodes",)
_TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def handles(attributes: Attributes) -> bool:
    """New nodes."""
    return attributes.concerns("nodes", "CREATE")


def mutate(attributes: Attributes, ctx: Context) -> tuple[Any, str]:
    """Add the taint."""
    node = attributes.doc
    spec = node.get("spec") or {}
    taints = list(spec.get("taints") or ())
    if any(t["key"] == _TAINT["key"] and t["effect"] == _TAINT["effect"] for t in taints):
        return node, "The node has the taint already"
    changed = {**node, "spec": {**spec, "taints": [*taints, _TAINT]}}
    return changed, "A new node is tainted not-ready until it is"
