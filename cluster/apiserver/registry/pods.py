"""Pods: what the server sets, what may change, and how they are deleted.

A new Pod is Pending and has its QoS class; its spec is fixed but for images, the deadline and tolerations; deletion is
graceful when it runs on a node.

Simplified here: resizing in place is not served (alpha in 1.32).

Upstream: pkg/registry/core/pod/strategy.go, pkg/apis/core/helper/qos, pkg/apis/core/validation (ValidatePodUpdate).
"""

from typing import Any

from cluster.api import field, meta, quantity
from cluster.api.field import FieldError
from cluster.apiserver.registry.pod_diff import spec_diff
from cluster.apiserver.registry.strategy import Context, Strategy, nested
from cluster.apiserver.validation.pod_spec import validate_spec, validate_template
from cluster.apiserver.validation.scheduling import validate_tolerations

Doc = dict[str, Any]

_QOS_RESOURCES = ("cpu", "memory")
_MAY_CHANGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def qos_class(spec: Doc) -> str:
    """Guaranteed, Burstable or BestEffort, from what the containers ask for."""
    requests: dict[str, quantity.Quantity] = {}
    limits: dict[str, quantity.Quantity] = {}
    guaranteed = True
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container.get("resources")
        if not resources:
            guaranteed = False
            continue
        limited = 0
        for name in _QOS_RESOURCES:
            asked = quantity.parse((resources.get("requests") or {}).get(name, "0"))
            most = quantity.parse((resources.get("limits") or {}).get(name, "0"))
            if asked:
                requests[name] = requests.get(name, quantity.ZERO) + asked
            if most:
                limits[name] = limits.get(name, quantity.ZERO) + most
                limited += 1
        guaranteed = guaranteed and limited == len(_QOS_RESOURCES)
    if not requests and not limits:
        return "BestEffort"
    if guaranteed and len(requests) == len(limits) and all(requests.get(n) == limits[n] for n in limits):
        return "Guaranteed"
    return "Burstable"


class PodStrategy(Strategy):
    """The pod itself."""

    kinds = (("", "Pod"),)
    has_status = True
    reset_fields = (("status",),)
    field_labels = (
        "metadata.name", "metadata.namespace", "spec.nodeName", "spec.restartPolicy", "spec.schedulerName",
        "spec.serviceAccountName", "spec.hostNetwork", "status.phase", "status.podIP", "status.podIPs",
        "status.nominatedNodeName",
    )  # fmt: skip

    def on_create(self, doc: Doc, ctx: Context) -> Doc:
        spec = doc.get("spec") or {}
        status: Doc = {"phase": "Pending"}
        if spec.get("schedulingGates"):
            status["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "lastProbeTime": None,
                    "lastTransitionTime": None,
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                }
            ]
        status["qosClass"] = qos_class(spec)
        return {**doc, "status": status}

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors = validate_spec(doc.get("spec") or {}, "spec")
        if (doc.get("spec") or {}).get("ephemeralContainers"):
            why = "cannot be set on create"
            errors.append(field.forbidden("spec.ephemeralContainers", why))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        spec, before = new.get("spec") or {}, old.get("spec") or {}
        if spec == before:
            return []
        errors: list[FieldError] = []
        for kind in ("containers", "initContainers"):
            containers, known = spec.get(kind) or [], before.get(kind) or []
            if len(containers) != len(known):
                errors.append(field.forbidden(f"spec.{kind}", "pod updates may not add or remove containers"))
                return errors
            for i, container in enumerate(containers):
                if not container.get("image"):
                    errors.append(field.required(f"spec.{kind}[{i}].image"))
        errors += self._deadline(spec, before)
        if spec.get("tolerations") != before.get("tolerations"):
            errors += _only_added(spec.get("tolerations") or [], before.get("tolerations") or [])
            errors += validate_tolerations(spec.get("tolerations") or [], "spec.tolerations")
        if errors:
            return errors
        munged = _munge(spec, before)
        if munged != before:
            errors.append(field.forbidden("spec", f"{_MAY_CHANGE}\n{spec_diff(before, munged)}"))
        return errors

    @staticmethod
    def _deadline(spec: Doc, before: Doc) -> list[FieldError]:
        new, old = spec.get("activeDeadlineSeconds"), before.get("activeDeadlineSeconds")
        path = "spec.activeDeadlineSeconds"
        if new is not None:
            if not 0 <= new <= 2147483647:
                return [field.invalid(path, new, "must be between 0 and 2147483647, inclusive")]
            if old is not None and old < new:
                return [field.invalid(path, new, "must be less than or equal to previous value")]
        elif old is not None:
            return [field.invalid(path, None, "must not update from a positive integer to nil value")]
        return []

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        metadata, spec, status = meta.meta_of(doc), doc.get("spec") or {}, doc.get("status") or {}
        return {
            "metadata.name": metadata.get("name", ""),
            "metadata.namespace": metadata.get("namespace", ""),
            "spec.nodeName": spec.get("nodeName", ""),
            "spec.restartPolicy": spec.get("restartPolicy", ""),
            "spec.schedulerName": spec.get("schedulerName", ""),
            "spec.serviceAccountName": spec.get("serviceAccountName", ""),
            "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
            "status.phase": status.get("phase", ""),
            "status.podIP": status.get("podIP", ""),
            "status.podIPs": status.get("podIP", ""),
            "status.nominatedNodeName": status.get("nominatedNodeName", ""),
        }

    def graceful_delete(self, doc: Doc, seconds: int | None) -> int | None:
        spec = doc.get("spec") or {}
        period = seconds if seconds is not None else spec.get("terminationGracePeriodSeconds") or 0
        if not spec.get("nodeName") or nested(doc, "status", "phase") in ("Failed", "Succeeded"):
            return 0
        return 1 if period < 0 else period


def _only_added(new: list[Doc], old: list[Doc]) -> list[FieldError]:
    """Existing tolerations stay (their seconds may change); others may join."""
    for toleration in old:
        rest = {k: v for k, v in toleration.items() if k != "tolerationSeconds"}
        if not any({k: v for k, v in t.items() if k != "tolerationSeconds"} == rest for t in new):
            return [
                field.forbidden(
                    "spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"
                )
            ]
    return []


def _munge(spec: Doc, before: Doc) -> Doc:
    """``spec`` with everything that may change set back, so that what still differs may not."""
    munged = dict(spec)
    for kind in ("containers", "initContainers"):
        known = before.get(kind)
        if known is not None and spec.get(kind) is not None:
            munged[kind] = [
                {**container, "image": old.get("image")} for container, old in zip(spec[kind], known, strict=True)
            ]
    for name in ("activeDeadlineSeconds", "tolerations", "nodeSelector", "schedulingGates"):
        if name in ("nodeSelector", "schedulingGates") and not before.get("schedulingGates"):
            continue
        munged.pop(name, None)
        if name in before:
            munged[name] = before[name]
    if before.get("terminationGracePeriodSeconds", 0) < 0 and spec.get("terminationGracePeriodSeconds") == 1:
        munged["terminationGracePeriodSeconds"] = before["terminationGracePeriodSeconds"]
    return munged


class PodStatusStrategy(PodStrategy):
    """``pods/status``, written by the kubelet."""

    subresource = "status"
    reset_fields = (("spec",), ("metadata", "deletionTimestamp"), ("metadata", "ownerReferences"))
    status_keeps = ("ownerReferences", "deletionTimestamp")

    def on_status(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        status = dict(new.get("status") or {})
        if not status.get("qosClass") and nested(old, "status", "qosClass"):
            status["qosClass"] = nested(old, "status", "qosClass")
        return {**new, "status": status}

    def check_status(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        phases = ("Pending", "Running", "Succeeded", "Failed", "Unknown", "")
        phase = nested(new, "status", "phase", default="")
        if phase not in phases:
            errors.append(field.not_supported("status.phase", phase, phases[:-1]))
        was = nested(old, "status", "qosClass")
        if was and nested(new, "status", "qosClass") != was:
            errors.append(field.invalid("status.qosClass", nested(new, "status", "qosClass"), meta.IMMUTABLE))
        nominated = nested(new, "status", "nominatedNodeName", default="")
        if nominated:
            errors += [
                field.invalid("status.nominatedNodeName", nominated, w) for w in meta.dns1123_subdomain(nominated)
            ]
        return errors


class PodEphemeralContainersStrategy(PodStrategy):
    """``pods/ephemeralcontainers``: only those may be added."""

    subresource = "ephemeralcontainers"

    def on_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        spec = dict(old.get("spec") or {})
        ephemeral = (new.get("spec") or {}).get("ephemeralContainers")
        if ephemeral:
            spec["ephemeralContainers"] = ephemeral
        return {**old, "metadata": new["metadata"], "spec": spec}

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = validate_spec(new.get("spec") or {}, "spec")
        for i, container in enumerate((new.get("spec") or {}).get("ephemeralContainers") or ()):
            for name in ("ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources"):
                if container.get(name):
                    path = f"spec.ephemeralContainers[{i}].{name}"
                    errors.append(field.forbidden(path, "cannot be set for an Ephemeral Container"))
        known = {c["name"]: c for c in (old.get("spec") or {}).get("ephemeralContainers") or ()}
        now = {c.get("name"): c for c in (new.get("spec") or {}).get("ephemeralContainers") or ()}
        for i, (name, container) in enumerate(known.items()):
            path = f"spec.ephemeralContainers[{i}]"
            if name not in now:
                errors.append(
                    field.forbidden(
                        "spec.ephemeralContainers",
                        f"existing ephemeral containers {field.quote(name)} may not be removed\n",
                    )
                )
            elif now[name] != container:
                errors.append(
                    field.forbidden(path, f"existing ephemeral containers {field.quote(name)} may not be changed\n")
                )
        return errors


class PodTemplateStrategy(Strategy):
    """PodTemplates."""

    kinds = (("", "PodTemplate"),)
    counts_generation = True

    def desired_changed(self, new: Doc, old: Doc) -> bool:
        return new.get("template") != old.get("template")

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        return validate_template(doc.get("template"), "template")


STRATEGIES = (PodStrategy(), PodStatusStrategy(), PodEphemeralContainersStrategy(), PodTemplateStrategy())
