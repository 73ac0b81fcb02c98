"""Priority: a pod's priority class becomes a number; and there is at most one default class.

Upstream: plugin/pkg/admission/priority/admission.go (v1.32).
"""

from typing import Any

from cluster.api import status
from cluster.apiserver.admission import Attributes, Context

NAME = "Priority"
MUTATES, VALIDATES = True, True
CLASSES = "priorityclasses.scheduling.k8s.io"
RESOURCES = ("pods", CLASSES)
_LATE = ("runtimeClassName", "enableServiceLinks", "preemptionPolicy", "overhead", "topologySpreadConstraints")


def handles(attributes: Attributes) -> bool:
    """New pods, and priority classes."""
    return attributes.concerns("pods", "CREATE", "UPDATE") or attributes.concerns(CLASSES, "CREATE", "UPDATE")


def mutate(attributes: Attributes, ctx: Context) -> tuple[Any, str]:
    """Set ``priority`` and ``preemptionPolicy`` of a pod."""
    pod = attributes.doc
    if attributes.group_resource != "pods":
        return pod, "A PriorityClass is left as it is"
    spec = pod["spec"]
    if attributes.operation == "UPDATE":
        held = attributes.old["spec"].get("priority")
        if (
            spec.get("priority") is None
            and held is not None
            and attributes.old["spec"].get("priorityClassName") == spec.get("priorityClassName")
        ):
            return {**pod, "spec": {**spec, "priority": held}}, f"The priority stays {held}"
        return pod, "The priority of a pod was settled when it was created"
    name = spec.get("priorityClassName", "")
    if name:
        found = ctx.view.get(CLASSES, "", name)
        if found is None:
            raise status.forbidden(
                "pods", pod["metadata"].get("name", ""), f"no PriorityClass with name {name} was found"
            )
        value, policy = found["value"], found.get("preemptionPolicy", "PreemptLowerPriority")
    else:
        defaults = [c for c in ctx.view.list(CLASSES) if c.get("globalDefault")]
        value, policy = 0, "PreemptLowerPriority"
        if defaults:
            chosen = min(defaults, key=lambda c: c["value"])
            name, value = chosen["metadata"]["name"], chosen["value"]
            policy = chosen.get("preemptionPolicy", policy)
    given = spec.get("priority")
    if given is not None and given != value:
        raise status.forbidden(
            "pods", pod["metadata"].get("name", ""),
            f"the integer value of priority ({given}) must not be provided in pod spec; priority admission controller "
            f"computed {value} from the given PriorityClass name",
        )  # fmt: skip
    wanted = spec.get("preemptionPolicy")
    if wanted is not None and wanted != policy:
        raise status.forbidden(
            "pods", pod["metadata"].get("name", ""),
            f"the string value of PreemptionPolicy ({wanted}) must not be provided in pod spec; priority admission "
            f"controller computed {policy} from the given PriorityClass name",
        )  # fmt: skip
    out: dict[str, Any] = {}
    for key, old in spec.items():
        if key in _LATE and "priority" not in out:
            if name:
                out["priorityClassName"] = name
            out["priority"] = value
        if key not in ("priority", "priorityClassName", "preemptionPolicy"):
            out[key] = old
    if name:
        out["priorityClassName"] = name
    out["priority"] = value
    out["preemptionPolicy"] = policy
    return {
        **pod,
        "spec": out,
    }, f"Priority {value}, from the class {name}" if name else f"Priority {value}: no class, no default"


def validate(attributes: Attributes, ctx: Context) -> str:
    """Only one class may be the default."""
    doc = attributes.doc
    if attributes.group_resource != CLASSES:
        return "It settled the priority before"
    if not doc.get("globalDefault"):
        return "The class is not marked as the default"
    for other in ctx.view.list(CLASSES):
        if other.get("globalDefault") and other["metadata"]["name"] != doc["metadata"].get("name"):
            raise status.forbidden(
                CLASSES, doc["metadata"].get("name", ""),
                f"PriorityClass {other['metadata']['name']} is already marked as default. Only one default can exist",
            )  # fmt: skip
    return "No other class is the default"
