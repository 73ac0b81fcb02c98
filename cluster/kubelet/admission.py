"""The kubelet's own look at a pod before it takes it: does it fit, is it meant for this node.

In: the pod, what is used and allocatable (nano-units), the Node's labels → out: None, or (reason, message) of the refusal. The scheduler has
decided already; this is for pods bound by hand and for two decisions that met.

Simplified here: resources and nodeSelector only (no ports, no affinity terms, no device plug-ins).

Upstream: pkg/kubelet/lifecycle/predicate.go.
"""

from typing import Any

from cluster.api import quantity

Doc = dict[str, Any]


def refusal(
    doc: Doc, requests: dict[str, int], used: dict[str, int], limits: dict[str, int], labels: Doc | None
) -> tuple[str, str] | None:
    """(reason, message) if the node cannot take the pod. ``labels`` None: the Node is not known yet."""
    for name, wanted in requests.items():
        if name not in limits:
            continue  # an extended resource that the Node doesn't have is nobody's here (removeMissingExtendedResources)
        limit = limits[name]
        taken = used.get(name, 0)
        if wanted and taken + wanted > limit:
            return (
                f"OutOf{name}",
                f"Node didn't have enough resource: {name}, requested: {_shown(name, wanted)}, "
                f"used: {_shown(name, taken)}, capacity: {_shown(name, limit)}",
            )
    selector = doc["spec"].get("nodeSelector") or {}
    if labels is not None and any(labels.get(key) != value for key, value in selector.items()):
        return "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
    return None


def pod_requests(doc: Doc) -> dict[str, int]:
    """What a pod takes: the sum over containers, or the largest init container if that is more; plus overhead; one pod."""
    spec = doc["spec"]

    def of(container: Doc) -> dict[str, int]:
        resources = container.get("resources") or {}
        wanted = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        return {name: quantity.parse(str(value)).nano for name, value in wanted.items()}

    total: dict[str, int] = {}
    for container in [
        *(spec.get("containers") or ()),
        *(c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"),
    ]:
        for name, amount in of(container).items():
            total[name] = total.get(name, 0) + amount
    for container in spec.get("initContainers") or ():
        for name, amount in of(container).items():
            total[name] = max(total.get(name, 0), amount)
    for name, value in (spec.get("overhead") or {}).items():
        total[name] = total.get(name, 0) + quantity.parse(str(value)).nano
    total["pods"] = quantity.NANO
    return total


def _shown(name: str, nano: int) -> int:
    """Amounts in admission messages: milli-units for cpu, units for the rest."""
    return nano // (quantity.NANO // 1000) if name == "cpu" else nano // quantity.NANO
