"""Budgets, autoscalers, ingresses, network policies and priorities.

Simplified here: HPA behavior and external metrics are checked by their schema only.

Upstream: pkg/apis/{policy,autoscaling,networking,scheduling}/validation.
"""

from ipaddress import ip_address, ip_network
from typing import Any

from cluster.api import field, meta
from cluster.api.field import FieldError, GoText
from cluster.apiserver.registry.strategy import Context, Strategy
from cluster.apiserver.registry.workloads import int_or_percent
from cluster.apiserver.validation.values import port_name, port_number, port_or_name, validate_selector

Doc = dict[str, Any]


def _with_status(strategy: type[Strategy]) -> Strategy:
    made = strategy()
    made.subresource = "status"
    made.reset_fields = (("spec",),)
    return made


class BudgetStrategy(Strategy):
    """PodDisruptionBudgets."""

    kinds = (("policy", "PodDisruptionBudget"),)
    has_status = True
    counts_generation = True
    allow_unconditional_update = False
    reset_fields = (("status",),)

    def initial_status(self, doc: Doc) -> Doc:
        return dict.fromkeys(("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"), 0)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors: list[FieldError] = []
        if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
            why = "minAvailable and maxUnavailable cannot be both set"
            errors.append(field.invalid("spec", GoText("policy.PodDisruptionBudgetSpec"), why))
        for name in ("minAvailable", "maxUnavailable"):
            if spec.get(name) is not None:
                errors += int_or_percent(spec[name], f"spec.{name}")
        errors += validate_selector(spec.get("selector"), "spec.selector")
        policy = spec.get("unhealthyPodEvictionPolicy")
        if policy is not None and policy not in ("IfHealthyBudget", "AlwaysAllow"):
            errors.append(
                field.not_supported("spec.unhealthyPodEvictionPolicy", policy, ("AlwaysAllow", "IfHealthyBudget"))
            )
        return errors


class AutoscalerStrategy(Strategy):
    """HorizontalPodAutoscalers (both versions: their common fields)."""

    kinds = (("autoscaling", "HorizontalPodAutoscaler"),)
    has_status = True
    reset_fields = (("status",),)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors: list[FieldError] = []
        least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
        if least is not None and least < 1:
            errors.append(field.invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
        if most < 1:
            errors.append(field.invalid("spec.maxReplicas", most, "must be greater than 0"))
        if least is not None and most < least:
            errors.append(field.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
        target = spec.get("scaleTargetRef") or {}
        for name in ("kind", "name"):
            path = f"spec.scaleTargetRef.{name}"
            if not target.get(name):
                errors.append(field.required(path))
            else:
                errors += [field.invalid(path, target[name], why) for why in meta.path_segment_name(target[name])]
        sources = {"Object": "object", "Pods": "pods", "Resource": "resource", "ContainerResource": "containerResource",
                   "External": "external"}  # fmt: skip
        for i, metric in enumerate(spec.get("metrics") or ()):
            at = f"spec.metrics[{i}]"
            kind = metric.get("type", "")
            if not kind:
                errors.append(field.required(f"{at}.type", "must specify a metric source type"))
            elif kind not in sources:
                errors.append(field.not_supported(f"{at}.type", kind, sorted(sources)))
            elif metric.get(sources[kind]) is None:
                why = "must populate information for the given metric source"
                errors.append(field.required(f"{at}.{sources[kind]}", why))
            resource = metric.get("resource")
            if resource is not None and not resource.get("name"):
                errors.append(field.required(f"{at}.resource.name", "must specify a resource name"))
        return errors


class IngressStrategy(Strategy):
    """Ingresses."""

    kinds = (("networking.k8s.io", "Ingress"),)
    has_status = True
    counts_generation = True
    reset_fields = (("status",),)

    def initial_status(self, doc: Doc) -> Doc:
        return {"loadBalancer": {}}

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors: list[FieldError] = []
        if not spec.get("rules") and spec.get("defaultBackend") is None:
            why = "either `defaultBackend` or `rules` must be specified"
            errors.append(field.invalid("spec", GoText("[]networking.IngressRule(nil)"), why))
        for i, tls in enumerate(spec.get("tls") or ()):
            for j, host in enumerate(tls.get("hosts") or ()):
                errors += _host(host, f"spec.tls[{i}].hosts[{j}]")
        for i, rule in enumerate(spec.get("rules") or ()):
            at = f"spec.rules[{i}]"
            if rule.get("host"):
                try:
                    ip_address(rule["host"])
                except ValueError:
                    errors += _host(rule["host"], f"{at}.host")
                else:
                    errors.append(field.invalid(f"{at}.host", rule["host"], "must be a DNS name, not an IP address"))
            http = rule.get("http")
            if http is not None:
                if not http.get("paths"):
                    errors.append(field.required(f"{at}.http.paths"))
                for j, path in enumerate(http.get("paths") or ()):
                    errors += self._path(path, f"{at}.http.paths[{j}]")
        if spec.get("defaultBackend") is not None:
            errors += _backend(spec["defaultBackend"], "spec.defaultBackend")
        name = spec.get("ingressClassName")
        if name is not None:
            errors += [field.invalid("spec.ingressClassName", name, why) for why in meta.dns1123_subdomain(name)]
        return errors

    @staticmethod
    def _path(path: Doc, at: str) -> list[FieldError]:
        errors: list[FieldError] = []
        kind, text = path.get("pathType"), path.get("path", "")
        if kind is None:
            errors.append(field.required(f"{at}.pathType", "pathType must be specified"))
        elif kind in ("Exact", "Prefix"):
            if not text.startswith("/"):
                errors.append(field.invalid(f"{at}.path", text, "must be an absolute path"))
            errors += [
                field.invalid(f"{at}.path", text, f"must not contain '{part}'")
                for part in ("//", "/./", "/../", "%2f", "%2F")
                if part in text
            ]
        elif kind == "ImplementationSpecific":
            if text and not text.startswith("/"):
                errors.append(field.invalid(f"{at}.path", text, "must be an absolute path"))
        else:
            errors.append(field.not_supported(f"{at}.pathType", kind, ("Exact", "ImplementationSpecific", "Prefix")))
        return errors + _backend(path.get("backend") or {}, f"{at}.backend")


def _host(host: str, path: str) -> list[FieldError]:
    check = meta.dns1123_subdomain
    return [field.invalid(path, host, why) for why in check(host.removeprefix("*.") if host.startswith("*.") else host)]


def _backend(backend: Doc, at: str) -> list[FieldError]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [field.invalid(at, "", "cannot set both resource and service backends")]
    if resource is not None:
        return [field.required(f"{at}.resource.{n}") for n in ("kind", "name") if not resource.get(n)]
    if service is None:
        return [field.required(at, "resource or service backend is required")]
    errors: list[FieldError] = []
    name, port = service.get("name", ""), service.get("port") or {}
    if not name:
        errors.append(field.required(f"{at}.service.name"))
    else:
        errors += [field.invalid(f"{at}.service.name", name, why) for why in meta.dns1035_label(name)]
    if port.get("name") and port.get("number"):
        errors.append(field.invalid(f"{at}.service.port", "", "cannot set both port name & port number"))
    elif port.get("name"):
        errors += [field.invalid(f"{at}.service.port.name", port["name"], why) for why in port_name(port["name"])]
    elif port.get("number"):
        errors += port_number(port["number"], f"{at}.service.port.number")
    else:
        errors.append(field.required(f"{at}.service.port", "port name or number is required"))
    return errors


class NetworkPolicyStrategy(Strategy):
    """NetworkPolicies."""

    kinds = (("networking.k8s.io", "NetworkPolicy"),)
    counts_generation = True

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        errors = validate_selector(spec.get("podSelector"), "spec.podSelector")
        for kind, side in (("ingress", "from"), ("egress", "to")):
            for i, rule in enumerate(spec.get(kind) or ()):
                at = f"spec.{kind}[{i}]"
                for j, port in enumerate(rule.get("ports") or ()):
                    errors += self._port(port, f"{at}.ports[{j}]")
                for j, peer in enumerate(rule.get(side) or ()):
                    errors += self._peer(peer, f"{at}.{side}[{j}]")
        for i, kind in enumerate(spec.get("policyTypes") or ()):
            if kind not in ("Ingress", "Egress"):
                errors.append(field.not_supported(f"spec.policyTypes[{i}]", kind, ("Egress", "Ingress")))
        return errors

    @staticmethod
    def _port(port: Doc, at: str) -> list[FieldError]:
        errors: list[FieldError] = []
        if port.get("protocol") not in ("TCP", "UDP", "SCTP"):
            errors.append(field.not_supported(f"{at}.protocol", port.get("protocol", ""), ("SCTP", "TCP", "UDP")))
        if port.get("port") is not None:
            errors += port_or_name(port["port"], f"{at}.port")
        end = port.get("endPort")
        if end is not None:
            start = port.get("port")
            if start is None:
                errors.append(field.required(f"{at}.port", "must be specified"))
            elif isinstance(start, str):
                errors.append(field.invalid(f"{at}.endPort", end, "must not be specified when `port` is non-numeric"))
            elif end < start:
                errors.append(field.invalid(f"{at}.endPort", end, "must be greater than or equal to `port`"))
        return errors

    @staticmethod
    def _peer(peer: Doc, at: str) -> list[FieldError]:
        errors: list[FieldError] = []
        for name in ("podSelector", "namespaceSelector"):
            errors += validate_selector(peer.get(name), f"{at}.{name}")
        block = peer.get("ipBlock")
        if not peer:
            errors.append(field.required(at, "must specify a peer"))
        elif block is not None and len(peer) > 1:
            errors.append(field.forbidden(at, "may not specify both ipBlock and another peer"))
        if block is not None:
            if not block.get("cidr"):
                return [*errors, field.required(f"{at}.ipBlock.cidr")]
            outer = _network(block["cidr"])
            if outer is None:
                return [*errors, _bad_cidr(f"{at}.ipBlock.cidr", block["cidr"])]
            for i, text in enumerate(block.get("except") or ()):
                path = f"{at}.ipBlock.except[{i}]"
                inner = _network(text)
                if inner is None:
                    errors.append(_bad_cidr(path, text))
                elif inner.version != outer.version or not inner.subnet_of(outer):  # type: ignore[arg-type]
                    errors.append(field.invalid(path, text, "must be a strict subset of `cidr`"))
        return errors


def _network(text: str) -> Any:
    try:
        return ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def _bad_cidr(path: str, text: str) -> FieldError:
    return field.invalid(path, text, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")


_SYSTEM_CLASSES = {"system-node-critical": 2000001000, "system-cluster-critical": 2000000000}
_HIGHEST = 1000000000


class PriorityClassStrategy(Strategy):
    """PriorityClasses."""

    kinds = (("scheduling.k8s.io", "PriorityClass"),)
    namespaced = False
    counts_generation = True
    field_labels = ("metadata.name",)

    def desired_changed(self, new: Doc, old: Doc) -> bool:
        return False

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        name, value = meta.name_of(doc), doc.get("value", 0)
        if name.startswith("system-"):
            if _SYSTEM_CLASSES.get(name) != value:
                known = f"{name} is not a known system priority class" if name not in _SYSTEM_CLASSES else \
                    f"value of {name} PriorityClass must be {_SYSTEM_CLASSES[name]}"  # fmt: skip
                why = f"priority class names with 'system-' prefix are reserved for system use only. error: {known}"
                errors.append(field.forbidden("metadata.name", why))
        elif value > _HIGHEST:
            why = f"maximum allowed value of a user defined priority is {_HIGHEST}"
            errors.append(field.forbidden("value", why))
        policy = doc.get("preemptionPolicy")
        if policy is not None and policy not in ("PreemptLowerPriority", "Never"):
            errors.append(field.not_supported("preemptionPolicy", policy, ("PreemptLowerPriority", "Never")))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        if new.get("value", 0) != old.get("value", 0):
            errors.append(field.forbidden("value", "may not be changed in an update."))
        if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
            errors.append(field.invalid("preemptionPolicy", new.get("preemptionPolicy"), meta.IMMUTABLE))
        return errors


STRATEGIES = (
    BudgetStrategy(), _with_status(BudgetStrategy), AutoscalerStrategy(), _with_status(AutoscalerStrategy),
    IngressStrategy(), _with_status(IngressStrategy), NetworkPolicyStrategy(), PriorityClassStrategy(),
)  # fmt: skip
