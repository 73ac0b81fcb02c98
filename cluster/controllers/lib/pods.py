"""What controllers ask of a Pod: is it active, ready, available, and which one goes first.

Upstream: kubernetes pkg/api/v1/pod/util.go, pkg/controller/controller_utils.go.
"""

from typing import Any

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import condition, deleting, owner_reference, since, spec_of, status_of
from cluster.sim import SECOND


def phase(pod: Doc) -> str:
    """Pending, Running, Succeeded, Failed or Unknown."""
    return status_of(pod).get("phase", "Pending")


def is_active(pod: Doc) -> bool:
    """Neither finished nor about to be deleted (IsPodActive)."""
    return not deleting(pod) and phase(pod) not in ("Succeeded", "Failed")


def is_ready(pod: Doc) -> bool:
    """Its Ready condition is True."""
    entry = condition(status_of(pod), "Ready")
    return entry is not None and entry["status"] == "True"


def ready_since(pod: Doc, epoch: int) -> int:
    """When it became ready, virtual ns; only meaningful for ready Pods."""
    entry = condition(status_of(pod), "Ready")
    return since(entry.get("lastTransitionTime"), epoch) if entry is not None else 0


def is_available(pod: Doc, min_ready_seconds: int, now: int, epoch: int) -> bool:
    """Ready, and for at least ``min_ready_seconds``."""
    if not is_ready(pod):
        return False
    return min_ready_seconds == 0 or ready_since(pod, epoch) + min_ready_seconds * SECOND <= now


def from_template(template: Doc, owner: Doc, api_version: str, kind: str, **meta: Any) -> Doc:
    """A Pod of ``owner`` made from its template (GetPodFromTemplate). ``meta``: name or generateName, more labels."""
    source = template.get("metadata") or {}
    metadata: Doc = {"generateName": f"{owner['metadata']['name']}-", "namespace": owner["metadata"]["namespace"]}
    for key in ("labels", "annotations", "finalizers"):
        if source.get(key):
            metadata[key] = source[key]
    metadata["ownerReferences"] = [owner_reference(owner, api_version, kind)]
    metadata.update(meta)
    if "name" in meta:
        del metadata["generateName"]
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": template["spec"]}


_PHASE_RANK = {"Pending": 0, "Unknown": 1, "Running": 2}


def deletion_order(pods: list[Doc], epoch: int) -> list[Doc]:
    """Which go first when there are too many (ActivePodsWithRanks): unassigned before assigned, pending before running,
    not ready before ready, cheaper by annotation, those with more siblings on their node, ready for less long,
    restarted more often, younger."""
    siblings: dict[str, int] = {}
    for pod in pods:
        node = spec_of(pod).get("nodeName", "")
        siblings[node] = siblings.get(node, 0) + 1

    def rank(pod: Doc) -> tuple[Any, ...]:
        node = spec_of(pod).get("nodeName", "")
        ready = is_ready(pod)
        restarts = sum(c.get("restartCount", 0) for c in status_of(pod).get("containerStatuses") or ())
        return (
            bool(node),
            _PHASE_RANK.get(phase(pod), 2),
            ready,
            _deletion_cost(pod),
            -siblings[node],
            -ready_since(pod, epoch) if ready else 0,
            -restarts,
            -since(pod["metadata"].get("creationTimestamp"), epoch),
            pod["metadata"]["name"],
        )

    return sorted(pods, key=rank)


def _deletion_cost(pod: Doc) -> int:
    text = (pod["metadata"].get("annotations") or {}).get("controller.kubernetes.io/pod-deletion-cost", "0")
    try:
        return int(text)
    except ValueError:
        return 0
