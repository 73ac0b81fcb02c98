"""Services: addresses that stay, types that change, ports that must make sense.

Simplified here: what needs a cloud (source ranges, load balancer classes) is checked for its form only.

Upstream: pkg/registry/core/service/{strategy.go,storage}, pkg/apis/core/validation (ValidateService).
"""

from ipaddress import ip_address, ip_network
from typing import Any

from cluster.api import field, meta
from cluster.api.field import FieldError
from cluster.apiserver.registry import service_ip
from cluster.apiserver.registry.strategy import Context, Strategy, put_spec
from cluster.apiserver.validation.values import one_of, port_number, port_or_name

Doc = dict[str, Any]

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_NOT_AN_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def is_ip(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def normalise_ips(new: Doc, old: Doc | None) -> Doc:
    """``clusterIP`` and ``clusterIPs`` say the same: a change of one is a change of both."""
    spec = new.get("spec") or {}
    ip, ips = spec.get("clusterIP"), spec.get("clusterIPs")
    if old is None:
        if ip and not ips:
            return put_spec(new, clusterIPs=[ip])
        return new
    before = old.get("spec") or {}
    changed_one, changed_all = ip != before.get("clusterIP"), ips != before.get("clusterIPs")
    if changed_one and not changed_all:
        return put_spec(new, clusterIPs=[ip] if ip else None)
    if changed_all and not changed_one and not ips:
        return put_spec(new, clusterIP=None)
    return new


class ServiceStrategy(Strategy):
    """The Service itself."""

    kinds = (("", "Service"),)
    has_status = True
    allow_create_on_update = True
    name_check = staticmethod(meta.dns1035_label)
    reset_fields = (("status",),)
    field_labels = ("metadata.name", "metadata.namespace", "spec.clusterIP", "spec.type")

    def initial_status(self, doc: Doc) -> Doc:
        return {"loadBalancer": {}}

    def on_create(self, doc: Doc, ctx: Context) -> Doc:
        return normalise_ips(doc, None)

    def on_update(self, new: Doc, old: Doc, ctx: Context) -> Doc:
        return service_ip.inherit(_drop_unneeded(normalise_ips(new, old), old), old)

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        spec = doc.get("spec") or {}
        kind = spec.get("type", "")
        errors: list[FieldError] = []
        ports = spec.get("ports") or []
        headless = spec.get("clusterIP") == "None"
        if not ports and not headless and kind != "ExternalName":
            errors.append(field.required("spec.ports"))
        if kind == "LoadBalancer" and headless:
            errors.append(
                field.invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for LoadBalancer services")
            )
        if kind == "NodePort" and headless:
            errors.append(field.invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for NodePort services"))
        if kind == "ExternalName":
            for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                if spec.get(name):
                    errors.append(field.forbidden(f"spec.{name}", "may not be set when `type` is 'ExternalName'"))
            name = spec.get("externalName", "").removesuffix(".")
            if not name:
                errors.append(field.required("spec.externalName"))
            else:
                errors += [field.invalid("spec.externalName", name, why) for why in meta.dns1123_subdomain(name)]
        errors += self._ports(ports, headless, kind)
        if spec.get("selector"):
            errors += meta.validate_labels(spec["selector"], "spec.selector")
        errors += one_of(spec.get("sessionAffinity"), ("ClientIP", "None"), "spec.sessionAffinity")
        if spec.get("sessionAffinity") == "ClientIP":
            seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds")
            if not isinstance(seconds, int) or not 0 < seconds <= 86400:
                path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
                errors.append(field.invalid(path, seconds, "must be greater than 0 and less than or equal to 86400"))
        errors += self._ips(spec)
        errors += one_of(kind, _TYPES, "spec.type")
        errors += self._external(spec, kind)
        return errors

    @staticmethod
    def _ports(ports: list[Doc], headless: bool, kind: str) -> list[FieldError]:
        errors: list[FieldError] = []
        names: set[str] = set()
        seen: set[tuple[str, int]] = set()
        node_ports: set[tuple[str, int]] = set()
        for i, port in enumerate(ports):
            at = f"spec.ports[{i}]"
            name = port.get("name", "")
            if len(ports) > 1 and not name:
                errors.append(field.required(f"{at}.name"))
            elif name:
                errors += [field.invalid(f"{at}.name", name, why) for why in meta.dns1123_label(name)]
                if name in names:
                    errors.append(field.duplicate(f"{at}.name", name))
                names.add(name)
            errors += port_number(port.get("port", 0), f"{at}.port")
            errors += one_of(port.get("protocol"), ("SCTP", "TCP", "UDP"), f"{at}.protocol")
            errors += port_or_name(port.get("targetPort"), f"{at}.targetPort")
            protocol = port.get("appProtocol")
            if protocol is not None:
                errors += [field.invalid(f"{at}.appProtocol", protocol, why) for why in meta.qualified_name(protocol)]
            target = port.get("targetPort")
            if headless and isinstance(target, int) and target != port.get("port"):
                errors.append(
                    field.invalid(
                        f"{at}.targetPort", target, "must be equal to the value of 'port' when clusterIP = None"
                    )
                )
            if port.get("nodePort"):
                if kind in ("ClusterIP", "ExternalName"):
                    why = f"may not be used when `type` is '{kind}'"
                    errors.append(field.forbidden(f"{at}.nodePort", why))
                key = (port.get("protocol", ""), port["nodePort"])
                if key in node_ports:
                    errors.append(field.duplicate(f"{at}.nodePort", port["nodePort"]))
                node_ports.add(key)
            pair = (port.get("protocol", ""), port.get("port", 0))
            if pair in seen:
                shown = field.GoText(f'core.ServicePort{{Name:"", Protocol:"{pair[0]}", AppProtocol:(*string)(nil), '
                                     f'Port:{pair[1]}, TargetPort:intstr.IntOrString{{Type:0, IntVal:0, StrVal:""}}, '
                                     "NodePort:0}")  # fmt: skip
                errors.append(field.duplicate(at, shown))
            seen.add(pair)
        return errors

    @staticmethod
    def _ips(spec: Doc) -> list[FieldError]:
        errors: list[FieldError] = []
        ips = spec.get("clusterIPs") or []
        if spec.get("clusterIP") and (not ips or ips[0] != spec["clusterIP"]):
            errors.append(field.invalid("spec.clusterIPs", ips, "first value must match `clusterIP`"))
        for i, ip in enumerate(ips):
            if ip == "None":
                if len(ips) > 1:
                    errors.append(field.invalid(f"spec.clusterIPs[{i}]", ip, "'None' must be the first and only value"))
            elif not is_ip(ip):
                errors.append(field.invalid(f"spec.clusterIPs[{i}]", ip, _NOT_AN_IP))
        for i, ip in enumerate(spec.get("externalIPs") or ()):
            if not is_ip(ip):
                errors.append(field.invalid(f"spec.externalIPs[{i}]", ip, _NOT_AN_IP))
            elif ip_address(ip).is_loopback:
                errors.append(
                    field.invalid(
                        f"spec.externalIPs[{i}]", ip, "may not be in the loopback range (127.0.0.0/8, ::1/128)"
                    )
                )
        return errors

    @staticmethod
    def _external(spec: Doc, kind: str) -> list[FieldError]:
        errors: list[FieldError] = []
        policy = spec.get("externalTrafficPolicy")
        external = kind in ("NodePort", "LoadBalancer") or bool(spec.get("externalIPs"))
        if policy:
            if not external:
                why = "may only be set for externally-accessible services"
                errors.append(field.invalid("spec.externalTrafficPolicy", policy, why))
            else:
                errors += one_of(policy, ("Cluster", "Local"), "spec.externalTrafficPolicy")
        if spec.get("healthCheckNodePort") and not service_ip.needs_health_port(spec):
            why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            errors.append(field.invalid("spec.healthCheckNodePort", spec["healthCheckNodePort"], why))
        internal = spec.get("internalTrafficPolicy")
        if internal is not None:
            errors += one_of(internal, ("Cluster", "Local"), "spec.internalTrafficPolicy")
        if spec.get("trafficDistribution") is not None:
            errors += one_of(spec["trafficDistribution"], ("PreferClose",), "spec.trafficDistribution")
        ranges = spec.get("loadBalancerSourceRanges") or []
        if ranges and kind != "LoadBalancer":
            errors.append(
                field.forbidden("spec.LoadBalancerSourceRanges", "may only be used when `type` is 'LoadBalancer'")
            )
        for i, text in enumerate(ranges):
            try:
                ip_network(text.strip(), strict=False)
            except ValueError:
                why = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
                errors.append(field.invalid(f"spec.loadBalancerSourceRanges[{i}]", text, why))
        if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
            errors.append(field.required("spec.allocateLoadBalancerNodePorts"))
        if kind != "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not None:
            why = "may only be used when `type` is 'LoadBalancer'"
            errors.append(field.forbidden("spec.allocateLoadBalancerNodePorts", why))
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        spec, before = new.get("spec") or {}, old.get("spec") or {}
        errors: list[FieldError] = []
        if before.get("type") != "ExternalName" and spec.get("type") != "ExternalName":
            ips, known = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
            if known and (not ips or ips[0] != known[0]):
                errors.append(field.invalid("spec.clusterIPs[0]", ips, "may not change once set"))
        return errors + self.check(new, ctx)

    def selectable_fields(self, doc: Doc) -> dict[str, str]:
        spec = doc.get("spec") or {}
        return {
            **super().selectable_fields(doc),
            "spec.clusterIP": spec.get("clusterIP", ""),
            "spec.type": spec.get("type", ""),
        }


class ServiceStatusStrategy(ServiceStrategy):
    """``services/status``."""

    subresource = "status"
    reset_fields = (("spec",),)


class EndpointsStrategy(Strategy):
    """Endpoints: the addresses behind a Service, as one object."""

    kinds = (("", "Endpoints"),)
    allow_create_on_update = True

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        for i, subset in enumerate(doc.get("subsets") or ()):
            at = f"subsets[{i}]"
            if not subset.get("addresses") and not subset.get("notReadyAddresses"):
                errors.append(field.required(at, "must specify `addresses` or `notReadyAddresses`"))
            for kind in ("addresses", "notReadyAddresses"):
                for j, address in enumerate(subset.get(kind) or ()):
                    errors += endpoint_ip(address.get("ip", ""), f"{at}.{kind}[{j}].ip")
            ports = subset.get("ports") or ()
            for j, port in enumerate(ports):
                where = f"{at}.ports[{j}]"
                if len(ports) > 1 and not port.get("name"):
                    errors.append(field.required(f"{where}.name"))
                elif port.get("name"):
                    errors += [
                        field.invalid(f"{where}.name", port["name"], w) for w in meta.dns1123_label(port["name"])
                    ]
                errors += port_number(port.get("port", 0), f"{where}.port")
                errors += one_of(port.get("protocol"), ("SCTP", "TCP", "UDP"), f"{where}.protocol")
        return errors


def endpoint_ip(text: str, path: str) -> list[FieldError]:
    """An address that traffic can be sent to."""
    if not is_ip(text):
        return [field.invalid(path, text, _NOT_AN_IP)]
    ip = ip_address(text)
    if ip.is_unspecified:
        return [field.invalid(path, text, f"may not be unspecified ({text})")]
    if ip.is_loopback:
        return [field.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)")]
    if ip.is_link_local:
        return [field.invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")]
    return []


class EndpointSliceStrategy(Strategy):
    """EndpointSlices: the addresses behind a Service, in pieces of up to 1000."""

    kinds = (("discovery.k8s.io", "EndpointSlice"),)
    counts_generation = True

    def desired_changed(self, new: Doc, old: Doc) -> bool:
        a = {k: v for k, v in new.items() if k != "metadata"}
        b = {k: v for k, v in old.items() if k != "metadata"}
        labels = meta.labels_of(new) != meta.labels_of(old)
        return a != b or labels

    def check(self, doc: Doc, ctx: Context) -> list[FieldError]:
        errors: list[FieldError] = []
        kind = doc.get("addressType", "")
        if not kind:
            errors.append(field.required("addressType"))
        elif kind not in ("IPv4", "IPv6", "FQDN"):
            errors.append(field.not_supported("addressType", kind, ("FQDN", "IPv4", "IPv6")))
        endpoints = doc.get("endpoints") or ()
        if len(endpoints) > 1000:
            errors.append(field.too_many("endpoints", len(endpoints), 1000))
            return errors
        for i, endpoint in enumerate(endpoints):
            at = f"endpoints[{i}]"
            addresses = endpoint.get("addresses") or ()
            if not addresses:
                errors.append(field.required(f"{at}.addresses", "must contain at least 1 address"))
            for j, address in enumerate(addresses):
                path = f"{at}.addresses[{j}]"
                if kind == "FQDN":
                    errors += [field.invalid(path, address, why) for why in meta.dns1123_subdomain(address)]
                else:
                    wrong = endpoint_ip(address, path)
                    if not wrong and ip_address(address).version != (6 if kind == "IPv6" else 4):
                        wrong = [field.invalid(path, address, f"must be an {kind} address")]
                    errors += wrong
        names: set[str] = set()
        for i, port in enumerate(doc.get("ports") or ()):
            at = f"ports[{i}]"
            name = port.get("name", "")
            if name:
                errors += [field.invalid(f"{at}.name", name, why) for why in meta.dns1123_label(name)]
            if name in names:
                errors.append(field.duplicate(f"{at}.name", name))
            names.add(name)
            errors += one_of(port.get("protocol"), ("SCTP", "TCP", "UDP"), f"{at}.protocol")
        return errors

    def check_update(self, new: Doc, old: Doc, ctx: Context) -> list[FieldError]:
        errors = self.check(new, ctx)
        if new.get("addressType") != old.get("addressType"):
            errors.append(field.invalid("addressType", new.get("addressType", ""), meta.IMMUTABLE))
        return errors


STRATEGIES = (ServiceStrategy(), ServiceStatusStrategy(), EndpointsStrategy(), EndpointSliceStrategy())


def _drop_unneeded(new: Doc, old: Doc) -> Doc:
    """A Service that becomes an ExternalName loses what only a cluster IP needs, if the client left it as it was."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if spec.get("type") != "ExternalName" or before.get("type") == "ExternalName":
        return new
    left = [name for name in _OF_CLUSTER_IPS if name in spec and spec[name] == before.get(name)]
    return put_spec(new, **dict.fromkeys(left)) if left else new


_OF_CLUSTER_IPS = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
