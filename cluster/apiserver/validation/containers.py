"""Containers of a pod: names, images, ports, environment, mounts, probes, resources.

Simplified here: what the sources most used need; Windows options are checked by their schema only.

Upstream: pkg/apis/core/validation/validation.go.
"""

import re
from collections.abc import Iterable
from typing import Any

from cluster.api import field, meta, quantity
from cluster.api.field import FieldError
from cluster.apiserver.validation.values import (
    NON_NEGATIVE,
    at_least_zero,
    config_key,
    one_of,
    port_name,
    port_number,
    port_or_name,
)

Doc = dict[str, Any]

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_ENV_NAME = re.compile(r"^[ -<>-~]+$")
_ENV_TEXT = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_STANDARD = frozenset(("cpu", "memory", "ephemeral-storage"))
_FIELD_PATHS = frozenset(
    ("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
     "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")
)  # fmt: skip


def validate_containers(spec: Doc, kind: str, path: str, volumes: dict[str, Doc], names: set[str]) -> list[FieldError]:
    """One of the spec\'s lists of containers; ``names`` collects the names of all of them. Refers to ``volumes`` by name."""
    containers = spec.get(kind) or ()
    if not containers:
        return [field.required(f"{path}.{kind}")]
    errors: list[FieldError] = []
    host_ports: set[tuple[str, str, int]] = set()
    for i, container in enumerate(containers):
        at = f"{path}.{kind}[{i}]"
        errors += _container(container, at, spec, volumes)
        name = container.get("name", "")
        if name in names:
            errors.append(field.duplicate(f"{at}.name", name))
        elif name:
            names.add(name)
        if kind != "ephemeralContainers":
            errors += _lifecycle(container, at)
            for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
                if container.get(probe):
                    errors += _probe(container[probe], f"{at}.{probe}", probe)
        if kind == "containers":
            for j, port in enumerate(container.get("ports") or ()):
                if port.get("hostPort"):
                    key = (port.get("protocol", "TCP"), port.get("hostIP", ""), port["hostPort"])
                    if key in host_ports:
                        shown = f"{key[0]}/{key[1]}/{key[2]}"
                        errors.append(field.duplicate(f"{at}.ports[{j}].hostPort", shown))
                    host_ports.add(key)
    return errors


def _container(container: Doc, at: str, spec: Doc, volumes: dict[str, Doc]) -> list[FieldError]:
    errors: list[FieldError] = []
    name = container.get("name", "")
    if not name:
        errors.append(field.required(f"{at}.name"))
    else:
        errors += [field.invalid(f"{at}.name", name, why) for why in meta.dns1123_label(name)]
    image = container.get("image", "")
    if not image:
        errors.append(field.required(f"{at}.image"))
    elif image.strip() != image:
        errors.append(field.invalid(f"{at}.image", image, "must not have leading or trailing whitespace"))
    policy = container.get("terminationMessagePolicy")
    errors += one_of(policy, ("FallbackToLogsOnError", "File"), f"{at}.terminationMessagePolicy")
    if container.get("ports"):
        errors += _ports(container["ports"], f"{at}.ports", bool(spec.get("hostNetwork")))
    for i, variable in enumerate(container.get("env") or ()):
        errors += _env(variable, f"{at}.env[{i}]")
    for i, source in enumerate(container.get("envFrom") or ()):
        errors += _env_from(source, f"{at}.envFrom[{i}]")
    if container.get("volumeMounts"):
        errors += _mounts(container["volumeMounts"], f"{at}.volumeMounts", volumes)
    pull = container.get("imagePullPolicy")
    errors += one_of(pull, ("Always", "IfNotPresent", "Never"), f"{at}.imagePullPolicy")
    if container.get("resources"):
        errors += validate_resources(container["resources"], f"{at}.resources")
    context = container.get("securityContext")
    if context:
        errors += _security(context, f"{at}.securityContext")
    return errors


def _security(context: Doc, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in ("runAsUser", "runAsGroup"):
        value = context.get(name)
        if value is not None and not 0 <= value <= 2147483647:
            errors.append(field.invalid(f"{at}.{name}", value, "must be between 0 and 2147483647, inclusive"))
    if context.get("allowPrivilegeEscalation") is False and context.get("privileged"):
        why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        errors.append(field.invalid(f"{at}", field.GoText("core.SecurityContext"), why))
    return errors


def _ports(ports: list[Doc], path: str, host_network: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        at = f"{path}[{i}]"
        name = port.get("name", "")
        if name:
            wrong = port_name(name)
            errors += [field.invalid(f"{at}.name", name, why) for why in wrong]
            if not wrong:
                if name in names:
                    errors.append(field.duplicate(f"{at}.name", name))
                names.add(name)
        number = port.get("containerPort", 0)
        if not number:
            errors.append(field.required(f"{at}.containerPort"))
        else:
            errors += port_number(number, f"{at}.containerPort")
        host = port.get("hostPort", 0)
        if host:
            errors += port_number(host, f"{at}.hostPort")
            if host_network and host != number:
                errors.append(
                    field.invalid(f"{at}.hostPort", host, "must match `containerPort` when `hostNetwork` is true")
                )
        errors += one_of(port.get("protocol"), _PROTOCOLS, f"{at}.protocol")
    return errors


def _env(variable: Doc, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    name = variable.get("name", "")
    if not name:
        errors.append(field.required(f"{at}.name"))
    elif not _ENV_NAME.match(name):
        errors.append(field.invalid(f"{at}.name", name, _ENV_TEXT))
    source = variable.get("valueFrom")
    if source is None:
        return errors
    at = f"{at}.valueFrom"
    if not source:
        errors.append(
            field.invalid(
                at, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
            )
        )
    elif len(source) > 1:
        errors.append(field.invalid(at, "", "may not have more than one field specified at a time"))
    if variable.get("value") and source:
        errors.append(field.invalid(at, "", "may not be specified when `value` is not empty"))
    reference = source.get("fieldRef")
    if reference is not None:
        errors += _field_ref(reference, f"{at}.fieldRef", _FIELD_PATHS)
    for kind in ("configMapKeyRef", "secretKeyRef"):
        key = source.get(kind)
        if key is not None:
            if not key.get("name"):
                errors.append(field.required(f"{at}.{kind}.name"))
            if not key.get("key"):
                errors.append(field.required(f"{at}.{kind}.key"))
            else:
                errors += [field.invalid(f"{at}.{kind}.key", key["key"], why) for why in config_key(key["key"])]
    return errors


def _field_ref(reference: Doc, at: str, known: Iterable[str]) -> list[FieldError]:
    path = reference.get("fieldPath", "")
    if not path:
        return [field.required(f"{at}.fieldPath")]
    base, _, subscript = path.partition("['")
    if subscript and base in ("metadata.annotations", "metadata.labels"):
        return []
    if base != path or path not in known:
        if path in ("metadata.annotations", "metadata.labels"):
            return [field.not_supported(f"{at}.fieldPath", path, known)]
        return [
            field.invalid(f"{at}.fieldPath", path, f"error converting fieldPath: field label not supported: {path}")
        ]
    return []


def _env_from(source: Doc, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    prefix = source.get("prefix", "")
    if prefix and not _ENV_NAME.match(prefix):
        errors.append(field.invalid(f"{at}.prefix", prefix, _ENV_TEXT))
    named = [k for k in ("configMapRef", "secretRef") if source.get(k) is not None]
    for kind in named:
        if not source[kind].get("name"):
            errors.append(field.required(f"{at}.{kind}.name"))
    if not named:
        errors.append(field.invalid(at, "", "must specify one of: `configMapRef` or `secretRef`"))
    elif len(named) > 1:
        errors.append(field.invalid(at, "", "may not have more than one field specified at a time"))
    return errors


def _mounts(mounts: list[Doc], path: str, volumes: dict[str, Doc]) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for i, mount in enumerate(mounts):
        at = f"{path}[{i}]"
        name, target = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            errors.append(field.required(f"{at}.name"))
        elif name not in volumes:
            errors.append(field.not_found(f"{at}.name", name))
        if not target:
            errors.append(field.required(f"{at}.mountPath"))
        if target in seen:
            errors.append(field.invalid(f"{at}.mountPath", target, "must be unique"))
        seen.add(target)
        sub = mount.get("subPath", "")
        if sub.startswith("/"):
            errors.append(field.invalid(f"{at}.subPath", sub, "must be a relative path"))
        if ".." in sub.split("/"):
            errors.append(field.invalid(f"{at}.subPath", sub, "must not contain '..'"))
    return errors


_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


def _handler(handler: Doc, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    count = 0
    for kind in _HANDLERS:
        action = handler.get(kind)
        if action is None:
            continue
        count += 1
        inner = f"{at}.{kind}"
        if count > 1:
            errors.append(field.forbidden(inner, "may not specify more than 1 handler type"))
        elif kind == "exec" and not action.get("command"):
            errors.append(field.required(f"{inner}.command"))
        elif kind == "httpGet":
            if not action.get("path"):
                errors.append(field.required(f"{inner}.path"))
            errors += port_or_name(action.get("port"), f"{inner}.port")
            errors += one_of(action.get("scheme"), ("HTTP", "HTTPS"), f"{inner}.scheme")
        elif kind == "tcpSocket":
            errors += port_or_name(action.get("port"), f"{inner}.port")
        elif kind == "grpc":
            errors += port_number(action.get("port"), f"{inner}.port")
    if not count:
        errors.append(field.required(at, "must specify a handler type"))
    return errors


def _lifecycle(container: Doc, at: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, dict):
            errors += _handler(handler, f"{at}.lifecycle.{name}")
    return errors


def _probe(probe: Doc, at: str, kind: str) -> list[FieldError]:
    errors = _handler({k: probe[k] for k in _HANDLERS if k in probe}, at)
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        errors += at_least_zero(probe.get(name, 0), f"{at}.{name}")
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is not None and grace <= 0:
        errors.append(field.invalid(f"{at}.terminationGracePeriodSeconds", grace, "must be greater than 0"))
    if kind != "readinessProbe" and probe.get("successThreshold", 1) != 1:
        errors.append(field.invalid(f"{at}.successThreshold", probe["successThreshold"], "must be 1"))
    return errors


def validate_resource_name(name: str, path: str) -> list[FieldError]:
    """A resource name of a container: a standard one, hugepages-…, or one with a domain."""
    errors = [field.invalid(path, name, why) for why in meta.qualified_name(name)]
    if not errors and "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
        errors.append(field.invalid(path, name, "must be a standard resource for containers"))
    return errors


def validate_resources(resources: Doc, path: str) -> list[FieldError]:
    """``ValidateResourceRequirements``: amounts not negative, requests within limits."""
    errors: list[FieldError] = []
    limits = quantity.resource_list(resources.get("limits"))
    requests = quantity.resource_list(resources.get("requests"))
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            at = f"{path}.{kind}"
            errors += validate_resource_name(name, at)
            if amount.nano < 0:
                errors.append(field.invalid(f"{at}[{name}]", amount.text(), NON_NEGATIVE))
            elif kind == "requests" and name in limits and amount > limits[name]:
                why = f"must be less than or equal to {name} limit of {limits[name]}"
                errors.append(field.invalid(at, amount.text(), why))
    return errors
