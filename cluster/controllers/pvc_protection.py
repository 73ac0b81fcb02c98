"""PVC protection: a claim that is being deleted stays while Pods use it.

Admission gives every claim the finalizer ``kubernetes.io/pvc-protection``. In → a claim that is to go, and the Pods of its
namespace; out → the finalizer removed once no unfinished Pod uses the claim, and etcd forgets it.

Simplified here: Pods are looked at in the informer only (the real controller asks the apiserver once more).

Upstream: pkg/controller/volume/pvcprotection/pvc_protection_controller.go.
"""

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import deleting, path, spec_of
from cluster.controllers.lib.pods import phase
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox

FINALIZER = "kubernetes.io/pvc-protection"
FINISHED = ("Succeeded", "Failed")


class PvcProtectionController(Controller):
    """Keys are ``namespace/name`` of claims."""

    name = "persistentvolumeclaim-protection"
    user = "pvc-protection-controller"
    watches = ("persistentvolumeclaims", "pods")

    def on_persistentvolumeclaims(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type != "DELETED" and deleting(new):
            self.enqueue(out, f"{new['metadata']['namespace']}/{new['metadata']['name']}")

    def on_pods(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "DELETED" or phase(new) in FINISHED:
            for name in claims_of(new):
                self.enqueue(out, f"{new['metadata']['namespace']}/{name}")

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        claim = self.store("persistentvolumeclaims").get(key)
        if claim is None or not deleting(claim) or FINALIZER not in (claim["metadata"].get("finalizers") or ()):
            return
        meta = claim["metadata"]
        for pod in self.store("pods").by("namespace", meta["namespace"]):
            if meta["name"] in claims_of(pod) and phase(pod) not in FINISHED:
                return
        rest = [name for name in meta["finalizers"] if name != FINALIZER]
        doc = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", **claim, "metadata": {**meta, "finalizers": rest}}
        self.note(out, f"persistentvolumeclaims/{key}", f"No Pod uses claim {key} any more, so it may go.")
        self.request(out, "PUT", path("v1", "persistentvolumeclaims", meta["namespace"], meta["name"]), doc=doc)


def claims_of(pod: Doc) -> list[str]:
    """Names of the claims that the Pod's volumes are; a generic ephemeral volume's claim is ``<pod>-<volume>``."""
    names = []
    for volume in spec_of(pod).get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            names.append(volume["persistentVolumeClaim"]["claimName"])
        elif volume.get("ephemeral"):
            names.append(f"{pod['metadata']['name']}-{volume['name']}")
    return names
