"""Cells of volumes, claims and what provides them."""

from typing import Any

from cluster.apiserver.printers import text

Doc = dict[str, Any]

_MODES = (("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP"))


def access_modes(modes: Any) -> str:
    """``RWO,ROX``: the short names, in upstream's order."""
    return ",".join(short for mode, short in _MODES if mode in (modes or ()))


def _phase(doc: Doc) -> str:
    if doc["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return (doc.get("status") or {}).get("phase", "")


def _class(doc: Doc) -> str:
    annotated = (doc["metadata"].get("annotations") or {}).get("volume.beta.kubernetes.io/storage-class")
    return annotated or (doc.get("spec") or {}).get("storageClassName") or ""


def persistent_volume(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    claim = spec.get("claimRef")
    return [
        doc["metadata"]["name"],
        text.quantity((spec.get("capacity") or {}).get("storage")),
        access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(doc),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class(doc),
        spec.get("volumeAttributesClassName") or text.UNSET,
        status.get("reason", ""),
        text.age(doc, now),
        spec.get("volumeMode") or text.UNSET,
    ]


def persistent_volume_claim(doc: Doc, now: float) -> list[Any]:
    spec, status = doc.get("spec") or {}, doc.get("status") or {}
    bound = bool(spec.get("volumeName"))
    return [
        doc["metadata"]["name"],
        _phase(doc),
        spec.get("volumeName", ""),
        text.quantity((status.get("capacity") or {}).get("storage")) if bound else "",
        access_modes(status.get("accessModes")) if bound else "",
        _class(doc),
        spec.get("volumeAttributesClassName") or text.UNSET,
        text.age(doc, now),
        spec.get("volumeMode") or text.UNSET,
    ]


def storage_class(doc: Doc, now: float) -> list[Any]:
    annotations = doc["metadata"].get("annotations") or {}
    default = annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    return [
        doc["metadata"]["name"] + (" (default)" if default else ""),
        doc.get("provisioner", ""),
        doc.get("reclaimPolicy", "Delete"),
        doc.get("volumeBindingMode", "Immediate"),
        bool(doc.get("allowVolumeExpansion")),
        text.age(doc, now),
    ]


def volume_attachment(doc: Doc, now: float) -> list[Any]:
    spec = doc.get("spec") or {}
    return [
        doc["metadata"]["name"],
        spec.get("attacher", ""),
        (spec.get("source") or {}).get("persistentVolumeName") or "",
        spec.get("nodeName", ""),
        bool((doc.get("status") or {}).get("attached")),
        text.age(doc, now),
    ]


def csi_node(doc: Doc, now: float) -> list[Any]:
    return [doc["metadata"]["name"], len((doc.get("spec") or {}).get("drivers") or ()), text.age(doc, now)]


def csi_driver(doc: Doc, now: float) -> list[Any]:
    spec = doc.get("spec") or {}
    tokens = ",".join(each.get("audience", "") for each in spec.get("tokenRequests") or ())
    return [
        doc["metadata"]["name"],
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        tokens if spec.get("tokenRequests") else text.UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or text.NONE,
        text.age(doc, now),
    ]


def csi_storage_capacity(doc: Doc, now: float) -> list[Any]:
    capacity = doc.get("capacity")
    shown = text.UNSET if capacity is None else text.quantity(capacity)
    return [doc["metadata"]["name"], doc.get("storageClassName", ""), shown]


CELLS = {
    ("", "PersistentVolume"): persistent_volume,
    ("", "PersistentVolumeClaim"): persistent_volume_claim,
    ("storage.k8s.io", "StorageClass"): storage_class,
    ("storage.k8s.io", "VolumeAttachment"): volume_attachment,
    ("storage.k8s.io", "CSINode"): csi_node,
    ("storage.k8s.io", "CSIDriver"): csi_driver,
    ("storage.k8s.io", "CSIStorageCapacity"): csi_storage_capacity,
}
