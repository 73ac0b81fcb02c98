"""The rules for a pod's spec, wherever it stands: in a Pod or in a template.

In → a spec and the path it stands at; out → ``FieldError``s in the order and with the words of the real server.

Simplified here: container, port, environment, mount, probe, volume, resource and scheduling rules are complete for what
the sources most used need; sources of storage vendors and Windows options are checked by their schema only.

Upstream: pkg/apis/core/validation/validation.go.
"""

import re
from collections.abc import Iterable
from typing import Any

from cluster.api import field, meta, quantity
from cluster.api.field import FieldError

Doc = dict[str, Any]

_PROTOCOLS = ("SCTP", "TCP", "UDP")
_PORT_NAME = re.compile(r"^[-a-z0-9]*$")
_ENV_NAME = re.compile(r"^[ -<>-~]+$")
_ENV_TEXT = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_CONFIG_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")
CONFIG_KEY_TEXT = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_PORT_RANGE = "must be between 1 and 65535, inclusive"
NON_NEGATIVE = "must be greater than or equal to 0"
_STANDARD = frozenset(("cpu", "memory", "ephemeral-storage"))
_FIELD_PATHS = frozenset(
    ("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
     "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")
)  # fmt: skip


def port_number(value: Any, path: str) -> list[FieldError]:
    """1 to 65535."""
    return [] if isinstance(value, int) and 0 < value < 65536 else [field.invalid(path, value, _PORT_RANGE)]


def port_name(value: str) -> list[str]:
    """What is wrong with it as an IANA service name."""
    wrong = [] if len(value) <= 15 else ["must be no more than 15 characters"]
    if not _PORT_NAME.match(value):
        wrong.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        wrong.append("must contain at least one letter (a-z)")
    if "--" in value:
        wrong.append("must not contain consecutive hyphens")
    if value[:1] == "-" or value[-1:] == "-":
        wrong.append("must not begin or end with a hyphen")
    return wrong


def port_or_name(value: Any, path: str) -> list[FieldError]:
    """An IntOrString that names a port."""
    if isinstance(value, int):
        return port_number(value, path)
    return [field.invalid(path, value, why) for why in port_name(value or "")]


def config_key(value: str) -> list[str]:
    """What is wrong with it as a key of a ConfigMap or Secret."""
    wrong = [] if len(value) <= 253 else ["must be no more than 253 characters"]
    if not _CONFIG_KEY.match(value):
        wrong.append(CONFIG_KEY_TEXT)
    if value == "." or value == "..":
        wrong.append(f"must not be '{value}'")
    elif value.startswith(".."):
        wrong.append("must not start with '..'")
    return wrong


def one_of(value: Any, supported: Iterable[str], path: str) -> list[FieldError]:
    """The value is one of an enumeration; "" is a missing value."""
    if value in supported:
        return []
    if not value:
        return [field.required(path)]
    return [field.not_supported(path, value, supported)]


def at_least_zero(value: Any, path: str) -> list[FieldError]:
    """A count."""
    return [field.invalid(path, value, NON_NEGATIVE)] if isinstance(value, int) and value < 0 else []


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
    volumes, errors = _volumes(spec.get("volumes") or (), f"{path}.volumes")
    names: set[str] = set()
    errors += _containers(spec, "containers", path, volumes, names)
    if spec.get("initContainers"):
        errors += _containers(spec, "initContainers", path, volumes, names)
    if spec.get("ephemeralContainers"):
        errors += _containers(spec, "ephemeralContainers", path, volumes, names)
    errors += one_of(spec.get("restartPolicy"), ("Always", "OnFailure", "Never"), f"{path}.restartPolicy")
    dns = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
    errors += one_of(spec.get("dnsPolicy"), dns, f"{path}.dnsPolicy")
    if spec.get("nodeSelector"):
        errors += meta.validate_labels(spec["nodeSelector"], f"{path}.nodeSelector")
    if spec.get("affinity"):
        errors += _affinity(spec["affinity"], f"{path}.affinity")
    if dns and spec.get("dnsPolicy") == "None" and not (spec.get("dnsConfig") or {}).get("nameservers"):
        errors.append(
            field.required(
                f"{path}.dnsConfig.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None"
            )
        )
    errors += _gates(spec, path)
    if spec.get("topologySpreadConstraints"):
        errors += _spread(spec["topologySpreadConstraints"], f"{path}.topologySpreadConstraints")
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


# --- containers ------------------------------------------------------------------------------------------------------


def _containers(spec: Doc, kind: str, path: str, volumes: dict[str, Doc], names: set[str]) -> list[FieldError]:
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


# --- resources -------------------------------------------------------------------------------------------------------


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


# --- volumes ---------------------------------------------------------------------------------------------------------

_REQUIRED_IN = {
    "hostPath": ("path",), "secret": ("secretName",), "configMap": ("name",), "persistentVolumeClaim": ("claimName",),
    "nfs": ("server", "path"), "gcePersistentDisk": ("pdName",), "awsElasticBlockStore": ("volumeID",),
    "csi": ("driver",), "iscsi": ("targetPortal", "iqn"),
}  # fmt: skip


def _volumes(volumes: Iterable[Doc], path: str) -> tuple[dict[str, Doc], list[FieldError]]:
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


# --- scheduling ------------------------------------------------------------------------------------------------------


def validate_tolerations(tolerations: list[Doc], path: str) -> list[FieldError]:
    """``ValidateTolerations``."""
    errors: list[FieldError] = []
    for i, toleration in enumerate(tolerations):
        at = f"{path}[{i}]"
        key, operator = toleration.get("key", ""), toleration.get("operator", "")
        if key:
            errors += [field.invalid(f"{at}.key", key, why) for why in meta.qualified_name(key)]
        elif operator != "Exists":
            why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errors.append(field.invalid(f"{at}.operator", operator, why))
        if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
            why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            errors.append(field.invalid(f"{at}.effect", toleration.get("effect", ""), why))
        if operator in ("", "Equal"):
            value = toleration.get("value", "")
            errors += [field.invalid(f"{at}.operator", value, why) for why in meta.label_value(value)]
        elif operator == "Exists":
            if toleration.get("value"):
                errors.append(
                    field.invalid(
                        f"{at}.operator", toleration["value"], "value must be empty when `operator` is 'Exists'"
                    )
                )
        else:
            errors.append(field.not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
        if toleration.get("effect"):
            effects = ("NoExecute", "NoSchedule", "PreferNoSchedule")
            errors += one_of(toleration["effect"], effects, f"{at}.effect")
    return errors


def _node_terms(terms: Iterable[Doc], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    operators = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
    for i, term in enumerate(terms):
        for j, e in enumerate(term.get("matchExpressions") or ()):
            at = f"{path}[{i}].matchExpressions[{j}]"
            operator, values = e.get("operator", ""), e.get("values") or []
            if operator in ("In", "NotIn") and not values:
                errors.append(field.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
            elif operator in ("Exists", "DoesNotExist") and values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(field.forbidden(f"{at}.values", why))
            elif operator in ("Gt", "Lt") and len(values) != 1:
                errors.append(
                    field.required(f"{at}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
                )
            elif operator not in operators:
                errors.append(field.invalid(f"{at}.operator", operator, "not a valid selector operator"))
            errors += [
                field.invalid(f"{at}.key", e.get("key", ""), why) for why in meta.qualified_name(e.get("key", ""))
            ]
    return errors


def _affinity(affinity: Doc, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    required, preferred = (
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    )
    node = affinity.get("nodeAffinity") or {}
    if node.get(required) is not None:
        at = f"{path}.nodeAffinity.{required}.nodeSelectorTerms"
        terms = node[required].get("nodeSelectorTerms") or ()
        if not terms:
            errors.append(field.required(at, "must have at least one node selector term"))
        errors += _node_terms(terms, at)
    for i, term in enumerate(node.get(preferred) or ()):
        at = f"{path}.nodeAffinity.{preferred}[{i}]"
        if not 1 <= term.get("weight", 0) <= 100:
            errors.append(field.invalid(f"{at}.weight", term.get("weight", 0), "must be in the range 1-100"))
        errors += _node_terms((term.get("preference") or {},), f"{at}.preference")
    for kind in ("podAffinity", "podAntiAffinity"):
        pods = affinity.get(kind) or {}
        for i, term in enumerate(pods.get(required) or ()):
            errors += _pod_term(term, f"{path}.{kind}.{required}[{i}]")
        for i, weighted in enumerate(pods.get(preferred) or ()):
            at = f"{path}.{kind}.{preferred}[{i}]"
            if not 1 <= weighted.get("weight", 0) <= 100:
                errors.append(field.invalid(f"{at}.weight", weighted.get("weight", 0), "must be in the range 1-100"))
            errors += _pod_term(weighted.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm")
    return errors


def _pod_term(term: Doc, at: str) -> list[FieldError]:
    errors = validate_selector(term.get("labelSelector"), f"{at}.labelSelector")
    key = term.get("topologyKey", "")
    if not key:
        return [*errors, field.required(f"{at}.topologyKey", "can not be empty")]
    return errors + [field.invalid(f"{at}.topologyKey", key, why) for why in meta.qualified_name(key)]


def _spread(constraints: list[Doc], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[tuple[str, str]] = set()
    for i, constraint in enumerate(constraints):
        at = f"{path}[{i}]"
        if constraint.get("maxSkew", 0) <= 0:
            errors.append(field.invalid(f"{at}.maxSkew", constraint.get("maxSkew", 0), "must be greater than zero"))
        key, action = constraint.get("topologyKey", ""), constraint.get("whenUnsatisfiable", "")
        if not key:
            errors.append(field.required(f"{at}.topologyKey", "can not be empty"))
        errors += one_of(action, ("DoNotSchedule", "ScheduleAnyway"), f"{at}.whenUnsatisfiable")
        if (key, action) in seen:
            errors.append(field.duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{key}, {action}}}"))
        seen.add((key, action))
        errors += validate_selector(constraint.get("labelSelector"), f"{at}.labelSelector")
    return errors


def validate_selector(selector: Doc | None, path: str) -> list[FieldError]:
    """``ValidateLabelSelector``."""
    if not selector:
        return []
    errors = meta.validate_labels(selector.get("matchLabels"), f"{path}.matchLabels")
    for i, e in enumerate(selector.get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{i}]"
        operator, values = e.get("operator", ""), e.get("values") or []
        if operator in ("In", "NotIn"):
            if not values:
                errors.append(field.required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                errors.append(field.forbidden(f"{at}.values", why))
        else:
            errors.append(field.invalid(f"{at}.operator", operator, "not a valid selector operator"))
        errors += [field.invalid(f"{at}.key", e.get("key", ""), why) for why in meta.qualified_name(e.get("key", ""))]
        for j, value in enumerate(values):
            errors += [field.invalid(f"{at}.values[{j}]", value, why) for why in meta.label_value(value)]
    return errors
