"""Binding claims to volumes: a PersistentVolumeClaim gets the smallest PersistentVolume that will do, and both say so.

In → claims and volumes; out → ``spec.claimRef`` in the volume, ``spec.volumeName`` in the claim, both ``Bound``; a volume nobody
wants is ``Available``, one whose claim is gone is ``Released``.

The volume is written first: two claims that want the same one meet at its resourceVersion, and one of them loses.

Simplified here: nothing is provisioned and nothing recycled or deleted (there is no storage behind it): a claim whose class has a
provisioner says that it waits for it, a Released volume with the policy Delete stays.

Upstream: kubernetes pkg/controller/volume/persistentvolume/{pv_controller,index}.go.
"""

from cluster.api import quantity, selectors
from cluster.clientgo import Doc, key_of
from cluster.controllers.lib.meta import annotations_of, deleting, labels_of, path, spec_of, status_of
from cluster.controllers.runtime import Controller
from cluster.sim import Outbox
from cluster.wire.http import HttpResponse

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
SELECTED_NODE = "volume.kubernetes.io/selected-node"


class PersistentVolumeBinder(Controller):
    """Keys are ``claim:namespace/name`` and ``volume:name``."""

    name = "persistentvolume-binder"
    user = "persistent-volume-binder"
    watches = ("persistentvolumes", "persistentvolumeclaims", "storageclasses")

    # -- events ---------------------------------------------------------------------------------------------------

    def on_persistentvolumeclaims(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "DELETED":
            volume = spec_of(new).get("volumeName")
            if volume:
                self.enqueue(out, f"volume:{volume}")
        else:
            self.enqueue(out, f"claim:{key_of(new)}")

    def on_persistentvolumes(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        if event_type == "DELETED":
            return
        self.enqueue(out, f"volume:{new['metadata']['name']}")
        if spec_of(new).get("claimRef"):
            reference = spec_of(new)["claimRef"]
            self.enqueue(out, f"claim:{reference.get('namespace', '')}/{reference['name']}")
        else:
            for claim in self.store("persistentvolumeclaims"):
                if not spec_of(claim).get("volumeName"):
                    self.enqueue(out, f"claim:{key_of(claim)}")

    def on_storageclasses(self, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        for claim in self.store("persistentvolumeclaims"):
            if not spec_of(claim).get("volumeName"):
                self.enqueue(out, f"claim:{key_of(claim)}")

    def reconcile(self, key: str, now: int, out: Outbox) -> None:
        what, _, name = key.partition(":")
        if what == "volume":
            self._sync_volume(name, out)
        else:
            self._sync_claim(name, out)

    # -- volumes --------------------------------------------------------------------------------------------------

    def _sync_volume(self, name: str, out: Outbox) -> None:
        volume = self.store("persistentvolumes").get(name)
        if volume is None or deleting(volume):
            return
        reference = spec_of(volume).get("claimRef")
        if reference is None or not reference.get("uid"):
            self._phase(volume, "Available", out)
            return
        claim = self.store("persistentvolumeclaims").find(reference.get("namespace", ""), reference["name"])
        if claim is None or claim["metadata"]["uid"] != reference["uid"]:
            self._phase(volume, "Released", out)
        elif spec_of(claim).get("volumeName") == name:
            self._phase(volume, "Bound", out)

    def _phase(self, volume: Doc, phase: str, out: Outbox) -> None:
        if status_of(volume).get("phase") == phase:
            return
        doc = {
            "kind": "PersistentVolume",
            "apiVersion": "v1",
            **volume,
            "status": {**status_of(volume), "phase": phase},
        }
        self.request(out, "PUT", path("v1", "persistentvolumes", "", volume["metadata"]["name"], "status"), doc=doc)

    # -- claims ---------------------------------------------------------------------------------------------------

    def _sync_claim(self, key: str, out: Outbox) -> None:
        claim = self.store("persistentvolumeclaims").get(key)
        if claim is None or deleting(claim):
            return
        bound = spec_of(claim).get("volumeName")
        if bound:
            volume = self.store("persistentvolumes").get(bound)
            if volume is None:
                if annotations_of(claim).get(BIND_COMPLETED):
                    self._claim_phase(claim, "Lost", None, out)
            elif (spec_of(volume).get("claimRef") or {}).get("uid") == claim["metadata"]["uid"]:
                self._claim_phase(claim, "Bound", volume, out)
            elif not spec_of(volume).get("claimRef"):
                self._take(claim, volume, out)
            return
        volume = self._reserved(claim) or (None if self._waits(claim) else self._smallest(claim))
        if volume is not None:
            self._take(claim, volume, out)
        else:
            self._say_waiting(claim, out)

    def _reserved(self, claim: Doc) -> Doc | None:
        """A volume whose claimRef already names this claim."""
        meta = claim["metadata"]
        for volume in self.store("persistentvolumes"):
            reference = spec_of(volume).get("claimRef") or {}
            same = reference.get("name") == meta["name"] and reference.get("namespace") == meta["namespace"]
            if same and reference.get("uid", meta["uid"]) in ("", meta["uid"]):
                return volume
        return None

    def _waits(self, claim: Doc) -> bool:
        storage_class = self._class_of(claim)
        waits = storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
        return waits and not annotations_of(claim).get(SELECTED_NODE)

    def _class_of(self, claim: Doc) -> Doc | None:
        return self.store("storageclasses").get(spec_of(claim).get("storageClassName") or "")

    def _smallest(self, claim: Doc) -> Doc | None:
        spec = spec_of(claim)
        wanted = quantity.parse(str(((spec.get("resources") or {}).get("requests") or {}).get("storage", "0")))
        selector = selectors.from_struct(spec["selector"]) if spec.get("selector") else None
        fitting: list[tuple[int, str, Doc]] = []
        for volume in self.store("persistentvolumes"):
            offer = spec_of(volume)
            size = quantity.parse(str((offer.get("capacity") or {}).get("storage", "0")))
            if (
                not offer.get("claimRef")
                and not deleting(volume)
                and (offer.get("storageClassName") or "") == (spec.get("storageClassName") or "")
                and offer.get("volumeMode", "Filesystem") == spec.get("volumeMode", "Filesystem")
                and all(mode in (offer.get("accessModes") or ()) for mode in spec.get("accessModes") or ())
                and (selector is None or selector.matches(labels_of(volume)))
                and size >= wanted
            ):
                fitting.append((size.value(), volume["metadata"]["name"], volume))
        return min(fitting, key=lambda entry: entry[:2])[2] if fitting else None

    def _take(self, claim: Doc, volume: Doc, out: Outbox) -> None:
        meta = claim["metadata"]
        reference = {
            "kind": "PersistentVolumeClaim", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"],
            "apiVersion": "v1", "resourceVersion": meta.get("resourceVersion", ""),
        }  # fmt: skip
        annotations = annotations_of(volume)
        if not spec_of(volume).get("claimRef"):
            annotations = {**annotations, BOUND_BY_CONTROLLER: "yes"}
        doc = {
            "kind": "PersistentVolume",
            "apiVersion": "v1",
            **volume,
            "metadata": {**volume["metadata"], "annotations": annotations},
            "spec": {**volume["spec"], "claimRef": reference},
        }
        name = volume["metadata"]["name"]
        self.note(out, f"persistentvolumeclaims/{key_of(claim)}", f"Claim {key_of(claim)} gets the volume {name}.")
        self.request(out, "PUT", path("v1", "persistentvolumes", "", name), doc=doc, then="taken", args=(claim, name))

    def taken(self, response: HttpResponse, claim: Doc, volume: str, now: int, out: Outbox) -> None:
        """The volume is ours: now the claim says so too."""
        if response.code != 200:
            self.failed()
            return
        annotations = {**annotations_of(claim), BIND_COMPLETED: "yes"}
        if not spec_of(claim).get("volumeName"):
            annotations[BOUND_BY_CONTROLLER] = "yes"
        meta = claim["metadata"]
        doc = {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            **claim,
            "metadata": {**meta, "annotations": annotations},
            "spec": {**claim["spec"], "volumeName": volume},
        }
        self.request(out, "PUT", path("v1", "persistentvolumeclaims", meta["namespace"], meta["name"]), doc=doc)
        self.enqueue(out, f"volume:{volume}", 1)

    def _claim_phase(self, claim: Doc, phase: str, volume: Doc | None, out: Outbox) -> None:
        meta = claim["metadata"]
        status: Doc = {"phase": phase}
        if volume is not None:
            status["accessModes"] = spec_of(volume).get("accessModes") or []
            status["capacity"] = spec_of(volume).get("capacity") or {}
            self.enqueue(out, f"volume:{volume['metadata']['name']}")
        known = {name: status_of(claim).get(name) for name in status}
        if known == status:
            return
        doc = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", **claim, "status": {**status_of(claim), **status}}
        self.request(
            out, "PUT", path("v1", "persistentvolumeclaims", meta["namespace"], meta["name"], "status"), doc=doc
        )

    def _say_waiting(self, claim: Doc, out: Outbox) -> None:
        storage_class = self._class_of(claim)
        name = spec_of(claim).get("storageClassName")
        if self._waits(claim):
            reason, text = "WaitForFirstConsumer", "waiting for first consumer to be created before binding"
            self.event(out, claim, "persistentvolumeclaims", "Normal", reason, text)
        elif storage_class is not None and storage_class.get("provisioner") != "kubernetes.io/no-provisioner":
            provisioner = storage_class["provisioner"]
            text = (
                f'Waiting for a volume to be created either by the external provisioner "{provisioner}" or manually by the '
                "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
                "correctly registered."
            )
            self.event(out, claim, "persistentvolumeclaims", "Normal", "ExternalProvisioning", text)
        elif name:
            text = f'storageclass.storage.k8s.io "{name}" not found'
            if storage_class is None:
                self.event(out, claim, "persistentvolumeclaims", "Warning", "ProvisioningFailed", text)
        else:
            text = "no persistent volumes available for this claim and no storage class is set"
            self.event(out, claim, "persistentvolumeclaims", "Normal", "FailedBinding", text)

    @property
    def event_source(self) -> str:
        return "persistentvolume-controller"
