"""PV protection: a volume that is being deleted stays while a claim is bound to it.

Admission gives every volume the finalizer ``kubernetes.io/pv-protection``. In → a volume that is to go; out → the finalizer removed
once the volume's phase isn't Bound.

Upstream: pkg/controller/volume/pvprotection/pv_protection_controller.go.
"""

from cluster.clientgo import Doc
from cluster.controllers.lib.meta import deleting, path, status_of
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox

FINALIZER = "kubernetes.io/pv-protection"


class PvProtectionController(Controller):
    """Keys are names of volumes."""

    name = "persistentvolume-protection"
    user = "pv-protection-controller"
    watches = ("persistentvolumes",)

    def on_persistentvolumes(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type != "DELETED" and deleting(new):
            self.enqueue(out, new["metadata"]["name"])

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        volume = self.store("persistentvolumes").get(key)
        if volume is None or not deleting(volume) or FINALIZER not in (volume["metadata"].get("finalizers") or ()):
            return
        if status_of(volume).get("phase") == "Bound":
            return
        meta = volume["metadata"]
        rest = [name for name in meta["finalizers"] if name != FINALIZER]
        doc = {"kind": "PersistentVolume", "apiVersion": "v1", **volume, "metadata": {**meta, "finalizers": rest}}
        self.note(out, f"persistentvolumes/{key}", f"No claim is bound to volume {key} any more, so it may go.")
        self.request(out, "PUT", path("v1", "persistentvolumes", "", key), doc=doc)
