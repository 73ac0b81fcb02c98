"""RuntimeClass: a pod that asks for a runtime class gets what the class says about overhead and scheduling.

Upstream: plugin/pkg/admission/runtimeclass/admission.go (v1.32).
"""

from typing import Any

from cluster.api import status
from cluster.apiserver.admission import Attributes, Context

NAME = "RuntimeClass"
MUTATES, VALIDATES = True, False
RESOURCES = ("pods",)


def handles(attributes: Attributes) -> bool:
    """New pods that name a class."""
    return attributes.concerns("pods", "CREATE") and bool(attributes.doc["spec"].get("runtimeClassName"))


def mutate(attributes: Attributes, ctx: Context) -> tuple[Any, str]:
    """Copy overhead, node selector and tolerations of the class."""
    pod = attributes.doc
    spec, name = pod["spec"], pod["spec"]["runtimeClassName"]
    found = ctx.view.get("runtimeclasses.node.k8s.io", "", name)
    if found is None:
        text = f'pod rejected: RuntimeClass "{name}" not found'
        raise status.forbidden("pods", pod["metadata"].get("name", ""), text)
    changed = dict(spec)
    overhead = (found.get("overhead") or {}).get("podFixed")
    if overhead:
        changed["overhead"] = overhead
    scheduling = found.get("scheduling") or {}
    if scheduling.get("nodeSelector"):
        changed["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **scheduling["nodeSelector"]}
    if scheduling.get("tolerations"):
        held = spec.get("tolerations") or []
        changed["tolerations"] = held + [t for t in scheduling["tolerations"] if t not in held]
    if changed == spec:
        return pod, f"RuntimeClass {name} asks for nothing"
    return {**pod, "spec": changed}, f"From RuntimeClass {name}"
