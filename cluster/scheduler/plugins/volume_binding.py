"""VolumeBinding: the Pod's claims must exist, be bound or bindable, and bound volumes must be reachable from the Node.

Simplified here: claims of a WaitForFirstConsumer class count as bindable on every Node (a provisioner would make the volume
there); no capacity tracking; no per-driver attach limits.

Upstream: kubernetes pkg/scheduler/framework/plugins/volumebinding.
"""

from cluster.clientgo import Doc
from cluster.scheduler.affinity import term_matches
from cluster.scheduler.framework import Cycle, Plugin, Reason
from cluster.scheduler.nodeinfo import NodeInfo

_CONFLICT = Reason(("node(s) had volume node affinity conflict",), True)
_IMMEDIATE = "pod has unbound immediate PersistentVolumeClaims"


class VolumeBinding(Plugin):
    """Filter."""

    name = "VolumeBinding"
    order = 70
    reacts_to = ("node/add", "node/update", "volume")

    def pre_filter(self, cycle: Cycle) -> Reason | bool:
        volumes: list[Doc] = []
        for name in _claims(cycle):
            claim = cycle.stores["persistentvolumeclaims"].find(cycle.pod.namespace, name)
            if claim is None:
                return Reason((f'persistentvolumeclaim "{name}" not found',), True)
            if claim["metadata"].get("deletionTimestamp"):
                return Reason((f'persistentvolumeclaim "{name}" is being deleted',), True)
            bound = (claim.get("spec") or {}).get("volumeName")
            if bound:
                volume = cycle.stores["persistentvolumes"].get(bound)
                if volume is not None:
                    volumes.append(volume)
            elif not self._waits(claim, cycle):
                return Reason((_IMMEDIATE,), True)
        cycle.data[self.name] = volumes
        return bool(volumes)

    @staticmethod
    def _waits(claim: Doc, cycle: Cycle) -> bool:
        class_name = (claim.get("spec") or {}).get("storageClassName")
        storage_class = cycle.stores["storageclasses"].get(class_name) if class_name else None
        return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"

    def filter(self, cycle: Cycle, node: NodeInfo) -> Reason | None:
        for volume in cycle.data[self.name]:
            required = ((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required")
            if required is not None and not any(term_matches(t, node) for t in required.get("nodeSelectorTerms") or ()):
                return _CONFLICT
        return None


def _claims(cycle: Cycle) -> list[str]:
    names: list[str] = []
    for volume in cycle.spec.get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            names.append(volume["persistentVolumeClaim"]["claimName"])
        elif volume.get("ephemeral"):
            names.append(f"{cycle.pod.name}-{volume['name']}")
    return names
