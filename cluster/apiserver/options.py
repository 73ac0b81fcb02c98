"""CreateOptions, UpdateOptions, PatchOptions, DeleteOptions: what a query (or a body, for deletions) says about how.

In → the query of a write; out → ``WriteOptions``, or ApiError 422 in the words of the real validation.

Upstream: apimachinery/pkg/apis/meta/v1/validation/validation.go (v1.32).
"""

import re
from typing import Any

from msgspec import Struct

from cluster.api import status
from cluster.api.field import FieldError, forbidden, invalid, not_supported, required

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_FIELD_VALIDATION = ("Ignore", "Warn", "Strict")
_POLICIES = ("Foreground", "Background", "Orphan")


class WriteOptions(Struct, frozen=True):
    """``field_validation`` "": Warn. ``force`` is for apply patches."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = ""
    force: bool = False


class DeleteOptions(Struct, frozen=True):
    """None: not said."""

    grace_period_seconds: int | None = None
    uid: str | None = None
    resource_version: str | None = None
    propagation_policy: str | None = None
    orphan_dependents: bool | None = None
    dry_run: bool = False


def write_options(query: dict[str, str], kind: str, apply: bool = False) -> WriteOptions:
    """The options of a create, update or patch; ``kind`` names them in errors."""
    errors: list[FieldError] = []
    manager = query.get("fieldManager", "")
    forced = query.get("force")
    if kind == "PatchOptions" and apply and not manager:
        errors.append(required("fieldManager", "is required for apply patch"))
    if kind == "PatchOptions" and not apply and forced is not None:
        errors.append(forbidden("force", "may not be specified for non-apply patch"))
    dry = query.get("dryRun")
    errors += _dry_run(dry)
    validation = query.get("fieldValidation", "")
    if validation and validation not in _FIELD_VALIDATION:
        errors.append(not_supported("fieldValidation", validation, _FIELD_VALIDATION))
    if len(manager) > 128:
        errors.append(invalid("fieldManager", manager, "may not be more than 128 bytes"))
    if errors:
        raise status.invalid("meta.k8s.io", kind, "", errors)
    return WriteOptions(dry == "All", manager, validation, forced in ("true", "1"))


def delete_options(query: dict[str, str], body: dict[str, Any] | None) -> DeleteOptions:
    """The options of a deletion: from the body when there is one, else from the query."""
    said: dict[str, Any] = body if body else dict(query)
    if body:
        dry = (body.get("dryRun") or [None])[0]
    else:
        dry = query.get("dryRun")
    errors = _dry_run(dry)
    policy, orphan = said.get("propagationPolicy"), said.get("orphanDependents")
    if isinstance(orphan, str):
        orphan = orphan in ("true", "1")
    if policy is not None and orphan is not None:
        errors.append(
            invalid("propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
        )
    if policy is not None and policy not in _POLICIES:
        errors.append(not_supported("propagationPolicy", policy, (*_POLICIES, "nil")))
    if errors:
        raise status.invalid("meta.k8s.io", "DeleteOptions", "", errors)
    seconds = said.get("gracePeriodSeconds")
    if isinstance(seconds, str):
        if not _INTEGER.fullmatch(seconds):
            raise status.bad_request(f'strconv.ParseInt: parsing "{seconds}": invalid syntax')
        seconds = int(seconds)
    conditions = said.get("preconditions") if body else None
    conditions = conditions or {}
    return DeleteOptions(
        seconds, conditions.get("uid"), conditions.get("resourceVersion"), policy, orphan, dry == "All"
    )


def _dry_run(value: Any) -> list[FieldError]:
    if value is None or value == "All":
        return []
    return [not_supported("dryRun", [value], ["All"])]
