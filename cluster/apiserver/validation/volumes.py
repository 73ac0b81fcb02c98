"""Volumes of a pod: one source each, and what that source must say.

Simplified here: sources of storage vendors are checked by their schema only.

Upstream: pkg/apis/core/validation/validation.go.
"""

from collections.abc import Iterable
from typing import Any

from cluster.api import field, meta
from cluster.api.field import FieldError

Doc = dict[str, Any]


_REQUIRED_IN = {
    "hostPath": ("path",), "secret": ("secretName",), "configMap": ("name",), "persistentVolumeClaim": ("claimName",),
    "nfs": ("server", "path"), "gcePersistentDisk": ("pdName",), "awsElasticBlockStore": ("volumeID",),
    "csi": ("driver",), "iscsi": ("targetPortal", "iqn"),
}  # fmt: skip


def validate_volumes(volumes: Iterable[Doc], path: str) -> tuple[dict[str, Doc], list[FieldError]]:
    """(volumes by name, what is wrong with them)."""
    errors: list[FieldError] = []
    found: dict[str, Doc] = {}
    for i, volume in enumerate(volumes):
        at = f"{path}[{i}]"
        name = volume.get("name", "")
        kinds = [k for k in volume if k != "name"]
        for extra in kinds[1:]:
            errors.append(field.forbidden(f"{at}.{extra}", "may not specify more than 1 volume type"))
        if not kinds:
            errors.append(field.required(at, "must specify a volume type"))
        else:
            for needed in _REQUIRED_IN.get(kinds[0], ()):
                if not volume[kinds[0]].get(needed):
                    errors.append(field.required(f"{at}.{kinds[0]}.{needed}"))
            errors += _items(volume[kinds[0]], f"{at}.{kinds[0]}")
        if not name:
            errors.append(field.required(f"{at}.name"))
        else:
            errors += [field.invalid(f"{at}.name", name, why) for why in meta.dns1123_label(name)]
        if name in found:
            errors.append(field.duplicate(f"{at}.name", name))
        found[name] = volume
    return found, errors


def _items(source: Any, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if not isinstance(source, dict):
        return errors
    mode = source.get("defaultMode")
    if isinstance(mode, int) and not 0 <= mode <= 0o777:
        errors.append(
            field.invalid(f"{at}.defaultMode", mode, "must be a number between 0 and 0777 (octal), both inclusive")
        )
    for i, item in enumerate(source.get("items") or ()):
        if "key" in item and not item["key"]:
            errors.append(field.required(f"{at}.items[{i}].key"))
        if not item.get("path"):
            errors.append(field.required(f"{at}.items[{i}].path"))
    return errors
