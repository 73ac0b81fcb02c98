"""The rules for a pod's spec, wherever it stands: in a Pod or in a template.

In → a spec and the path it stands at; out → ``FieldError``s in the order and with the words of the real server.

Upstream: pkg/apis/core/validation/validation.go.
"""

import re
from collections.abc import Iterable
from typing import Any

from cluster.api import field, meta
from cluster.api.field import FieldError
from cluster.apiserver.validation.containers import validate_containers
from cluster.apiserver.validation.scheduling import validate_affinity, validate_spread, validate_tolerations
from cluster.apiserver.validation.values import at_least_zero, one_of
from cluster.apiserver.validation.volumes import validate_volumes

Doc = dict[str, Any]


def validate_template(template: Doc | None, path: str) -> list[FieldError]:
    """``ValidatePodTemplateSpec``: labels, annotations, spec."""
    template = template or {}
    metadata = template.get("metadata") or {}
    errors = meta.validate_labels(metadata.get("labels"), f"{path}.labels")
    errors += meta.validate_annotations(metadata.get("annotations"), f"{path}.annotations")
    errors += validate_spec(template.get("spec") or {}, f"{path}.spec")
    if (template.get("spec") or {}).get("ephemeralContainers"):
        errors.append(
            field.forbidden(f"{path}.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")
        )
    return errors


def validate_spec(spec: Doc, path: str) -> list[FieldError]:
    """``ValidatePodSpec``."""
    volumes, errors = validate_volumes(spec.get("volumes") or (), f"{path}.volumes")
    names: set[str] = set()
    errors += validate_containers(spec, "containers", path, volumes, names)
    if spec.get("initContainers"):
        errors += validate_containers(spec, "initContainers", path, volumes, names)
    if spec.get("ephemeralContainers"):
        errors += validate_containers(spec, "ephemeralContainers", path, volumes, names)
    errors += one_of(spec.get("restartPolicy"), ("Always", "OnFailure", "Never"), f"{path}.restartPolicy")
    dns = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
    errors += one_of(spec.get("dnsPolicy"), dns, f"{path}.dnsPolicy")
    if spec.get("nodeSelector"):
        errors += meta.validate_labels(spec["nodeSelector"], f"{path}.nodeSelector")
    if spec.get("affinity"):
        errors += validate_affinity(spec["affinity"], f"{path}.affinity")
    if dns and spec.get("dnsPolicy") == "None" and not (spec.get("dnsConfig") or {}).get("nameservers"):
        errors.append(
            field.required(
                f"{path}.dnsConfig.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None"
            )
        )
    errors += _gates(spec, path)
    if spec.get("topologySpreadConstraints"):
        errors += validate_spread(spec["topologySpreadConstraints"], f"{path}.topologySpreadConstraints")
    for name, check in (
        ("serviceAccountName", meta.dns1123_subdomain), ("nodeName", meta.dns1123_subdomain),
        ("hostname", meta.dns1123_label), ("subdomain", meta.dns1123_label),
        ("priorityClassName", meta.dns1123_subdomain), ("runtimeClassName", meta.dns1123_subdomain),
    ):  # fmt: skip
        if spec.get(name):
            errors += [field.invalid(f"{path}.{name}", spec[name], why) for why in check(spec[name])]
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline <= 2147483647:
        errors.append(
            field.invalid(f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive")
        )
    errors += at_least_zero(spec.get("terminationGracePeriodSeconds"), f"{path}.terminationGracePeriodSeconds")
    if spec.get("tolerations"):
        errors += validate_tolerations(spec["tolerations"], f"{path}.tolerations")
    sysctls = (spec.get("securityContext") or {}).get("sysctls") or ()
    errors += _sysctls(sysctls, f"{path}.securityContext.sysctls")
    return errors


_SYSCTL = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"


def _sysctls(sysctls: Iterable[Doc], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    names: dict[str, None] = {}
    for index, sysctl in enumerate(sysctls):
        name = sysctl.get("name", "")
        where = f"{path}[{index}].name"
        if not name:
            errors.append(field.required(where))
        elif len(name) > 253 or not re.match(_SYSCTL, name):
            why = f"must have at most 253 characters and match regex {_SYSCTL}"
            errors.append(field.invalid(where, name, why))
        elif name in names:
            errors.append(field.duplicate(where, name))
        names[name] = None
    return errors


def _gates(spec: Doc, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for i, gate in enumerate(spec.get("readinessGates") or ()):
        at = f"{path}.readinessGates[{i}].conditionType"
        errors += [field.invalid(at, gate.get("conditionType", ""), why)
                   for why in meta.qualified_name(gate.get("conditionType", ""))]  # fmt: skip
    seen: set[str] = set()
    for i, gate in enumerate(spec.get("schedulingGates") or ()):
        name = gate.get("name", "")
        at = f"{path}.schedulingGates[{i}]"
        errors += [field.invalid(at, name, why) for why in meta.qualified_name(name)]
        if name in seen:
            errors.append(field.duplicate(at, name))
        seen.add(name)
    return errors
