"""PersistentVolumes, claims and StorageClasses.

Simplified here: a volume's source is checked by its schema and for being exactly one; node affinity for its form only.

Upstream: pkg/apis/core/validation (ValidatePersistentVolume, ValidatePersistentVolumeClaim), pkg/apis/storage/validation.
"""

from typing import Any

from cluster.api import field, meta, quantity
from cluster.api.field import FieldError
from cluster.apiserver.registry.pod_diff import spec_diff
from cluster.apiserver.registry.strategy import Context, Strategy, nested
from cluster.apiserver.validation.values import one_of, validate_selector

Doc = dict[str, Any]

_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_NOT_SOURCES = frozenset(
    ("capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName", "mountOptions",
     "volumeMode", "nodeAffinity", "volumeAttributesClassName")
)  # fmt: skip


def _modes(modes: list[str], path: str) -> list[FieldError]:
    errors = [field.not_supported(path, mode, _MODES) for mode in modes if mode not in _MODES]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        errors.append(field.forbidden(path, "may not use ReadWriteOncePod with other access modes"))
    return errors


def _shown(capacity: dict[str, quantity.Quantity]) -> field.GoText:
    """A ResourceList as Go prints it; of what is in it only the names, since the rest is memory addresses and caches."""
    return field.GoText(
        f"core.ResourceList{{{', '.join(map(field.quote, sorted(capacity)))}}}"
        if capacity
        else "core.ResourceList(nil)"
    )


class VolumeStrategy(Strategy):
    """PersistentVolumes."""

    kinds = (("", "PersistentVolume"),)
    namespaced = False
    has_status = True
    reset_fields = (("status",),)
    field_labels = ("metadata.name",)

    def initial_status(self, doc: Doc) -> Doc:
        return {"phase": "Pending"}

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors: list[FieldError] = []
        if not spec.get("accessModes"):
            errors.append(field.required("spec.accessModes"))
        errors += _modes(spec.get("accessModes") or [], "spec.accessModes")
        capacity = quantity.resource_list(spec.get("capacity"))
        if not capacity:
            errors.append(field.required("spec.capacity"))
        if "storage" not in capacity or len(capacity) > 1:
            errors.append(field.not_supported("spec.capacity", _shown(capacity), ("storage",)))
        elif capacity["storage"].nano <= 0:
            errors.append(
                field.invalid("spec.capacity[storage]", capacity["storage"].text(), "must be greater than zero")
            )
        policy = spec.get("persistentVolumeReclaimPolicy", "")
        if policy and policy not in ("Delete", "Recycle", "Retain"):
            errors.append(
                field.not_supported("spec.persistentVolumeReclaimPolicy", policy, ("Delete", "Recycle", "Retain"))
            )
        sources = [name for name in spec if name not in _NOT_SOURCES]
        if not sources:
            errors.append(field.required("spec", "must specify a volume type"))
        for extra in sources[1:]:
            errors.append(field.forbidden(f"spec.{extra}", "may not specify more than 1 volume type"))
        if "local" in sources and not nested(spec, "nodeAffinity", "required"):
            errors.append(field.required("spec.nodeAffinity", "Local volume requires node affinity"))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = self.check(new, ctx)
        spec, before = new.get("spec") or {}, old.get("spec") or {}
        sources = {k: v for k, v in spec.items() if k not in _NOT_SOURCES}
        if sources != {k: v for k, v in before.items() if k not in _NOT_SOURCES}:
            why = "spec.persistentvolumesource is immutable after creation"
            errors.append(field.forbidden("spec.persistentvolumesource", f"{why}\n{spec_diff(before, spec)}"))
        if spec.get("volumeMode") != before.get("volumeMode"):
            errors.append(field.invalid("volumeMode", spec.get("volumeMode"), meta.IMMUTABLE))
        return errors


class VolumeStatusStrategy(VolumeStrategy):
    """``persistentvolumes/status``."""

    subresource = "status"
    reset_fields = (("spec",),)


class ClaimStrategy(Strategy):
    """PersistentVolumeClaims: only the size of a bound one may grow."""

    kinds = (("", "PersistentVolumeClaim"),)
    has_status = True
    reset_fields = (("status",),)

    def initial_status(self, doc: Doc) -> Doc:
        return {"phase": "Pending"}

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors: list[FieldError] = []
        if not spec.get("accessModes"):
            errors.append(field.required("spec.accessModes", "at least 1 access mode is required"))
        errors += validate_selector(spec.get("selector"), "spec.selector")
        errors += _modes(spec.get("accessModes") or [], "spec.accessModes")
        size = nested(spec, "resources", "requests", "storage")
        if size is None:
            errors.append(field.required("spec.resources[storage]"))
        elif quantity.parse(size).nano <= 0:
            errors.append(field.invalid("spec.resources[storage]", size, "must be greater than zero"))
        name = spec.get("storageClassName")
        if name:
            errors += [field.invalid("spec.storageClassName", name, why) for why in meta.dns1123_subdomain(name)]
        if spec.get("volumeMode") is not None:
            errors += one_of(spec["volumeMode"], ("Block", "Filesystem"), "spec.volumeMode")
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = self.check(new, ctx)
        spec, before = dict(new.get("spec") or {}), old.get("spec") or {}
        if not before.get("volumeName") and spec.get("volumeName"):
            spec["volumeName"] = None
            spec = {k: v for k, v in spec.items() if v is not None}
        if "storageClassName" not in before:
            spec.pop("storageClassName", None)
        if nested(old, "status", "phase") == "Bound":
            was = quantity.parse(nested(before, "resources", "requests", "storage", default="0"))
            now = quantity.parse(nested(spec, "resources", "requests", "storage", default="0"))
            if now < was:
                why = "field can not be less than status.capacity"
                errors.append(field.forbidden("spec.resources.requests.storage", why))
            spec["resources"] = before.get("resources")
        if spec != before:
            why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
            errors.append(field.forbidden("spec", f"{why}\n{spec_diff(before, spec)}"))
        return errors


class ClaimStatusStrategy(ClaimStrategy):
    """``persistentvolumeclaims/status``."""

    subresource = "status"
    reset_fields = (("spec",),)


class StorageClassStrategy(Strategy):
    """StorageClasses: what they do never changes."""

    kinds = (("storage.k8s.io", "StorageClass"),)
    namespaced = False
    field_labels = ("metadata.name",)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        provisioner = doc.get("provisioner", "")
        if not provisioner:
            errors.append(field.required("provisioner"))
        else:
            errors += [field.invalid("provisioner", provisioner, w) for w in meta.qualified_name(provisioner.lower())]
        if doc.get("reclaimPolicy") not in ("Delete", "Retain"):
            errors.append(field.not_supported("reclaimPolicy", doc.get("reclaimPolicy", ""), ("Delete", "Retain")))
        mode = doc.get("volumeBindingMode")
        if mode not in ("Immediate", "WaitForFirstConsumer"):
            errors.append(field.not_supported("volumeBindingMode", mode or "", ("Immediate", "WaitForFirstConsumer")))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = self.check(new, ctx)
        for name in ("parameters", "provisioner", "reclaimPolicy"):
            if (new.get(name) or {}) != (old.get(name) or {}):
                errors.append(field.forbidden(name, f"updates to {name} are forbidden."))
        if new.get("volumeBindingMode") != old.get("volumeBindingMode"):
            errors.append(field.invalid("volumeBindingMode", new.get("volumeBindingMode"), meta.IMMUTABLE))
        return errors


STRATEGIES = (
    VolumeStrategy(), VolumeStatusStrategy(), ClaimStrategy(), ClaimStatusStrategy(), StorageClassStrategy(),
)  # fmt: skip
