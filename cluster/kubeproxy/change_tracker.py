"""Reads Services and EndpointSlices into what rules are made of, and remembers which Services changed since the last sync.

In: API objects (documents) → out: ``ServicePort`` (one per port of a Service) and ``Endpoint`` lists per service port; ``take_changes``
gives the Services that changed and the request that changed each.

A Service without a cluster IP (headless, ExternalName) is nobody's business here, nor one that names another proxy.

Simplified here: no metrics of how long a
change took.

Upstream: pkg/proxy/serviceport.go, endpointslicecache.go, servicechangetracker.go.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from msgspec import Struct, field

SERVICE_NAME = "kubernetes.io/service-name"
PROXY_NAME = "service.kubernetes.io/service-proxy-name"
HEADLESS = "service.kubernetes.io/headless"


class PortName(Struct, frozen=True, order=True):
    """What names a service port everywhere: Service, port's name, protocol."""

    namespace: str
    name: str
    port: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}:{self.port}" if self.port else f"{self.namespace}/{self.name}"


class ServicePort(Struct, frozen=True):
    """One port of a Service as the proxy sees it. Addresses of the proxy's family only."""

    name: PortName
    cluster_ip: str
    port: int
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    lb_vips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    external_local: bool = False
    internal_local: bool = False
    affinity_seconds: int = 0
    """0: no session affinity."""
    health_check_node_port: int = 0

    @property
    def externally_accessible(self) -> bool:
        return bool(self.node_port or self.lb_vips or self.external_ips)

    @property
    def uses_cluster_endpoints(self) -> bool:
        # even with both policies Local, pods reach external addresses by the short circuit over all endpoints
        return not self.internal_local or self.externally_accessible

    @property
    def uses_local_endpoints(self) -> bool:
        return self.internal_local or (self.external_local and self.externally_accessible)


class Endpoint(Struct, frozen=True):
    """One address of one EndpointSlice port. ``target`` is ``ip:port``, by which endpoints are sorted and told apart."""

    ip: str
    port: int
    node: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone_hints: tuple[str, ...] = ()
    node_hints: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


@lru_cache(maxsize=65536)
def sloppy_ip(text: str) -> str:
    """An address as Go prints it: ``172.30.0.041`` → ``172.30.0.41`` (once read as decimal), ``fd00:0::1`` → ``fd00::1``; "" for what is none."""
    text = text.strip()
    if ":" not in text:
        text = ".".join(str(int(p)) if p.isdigit() else p for p in text.split("."))
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def sloppy_cidr(text: str) -> str:
    """The same for ``203.0.113.000/025``; the bits of the host are cut off."""
    address, _, bits = text.strip().partition("/")
    plain = sloppy_ip(address)
    try:
        return str(ip_network(f"{plain}/{int(bits)}", strict=False)) if plain else ""
    except ValueError:
        return ""


def _of_family(addresses: list[str], family: int) -> tuple[str, ...]:
    return tuple(a for a in addresses if a and (":" in a) == (family == 6))


def service_ports(service: dict[str, Any], family: int) -> list[ServicePort]:
    """The ports of a Service that this proxy serves; empty for one it ignores."""
    meta, spec = service["metadata"], service.get("spec") or {}
    labels = meta.get("labels") or {}
    kind = spec.get("type") or "ClusterIP"
    if (
        kind == "ExternalName"
        or spec.get("clusterIP") in (None, "", "None")
        or PROXY_NAME in labels
        or HEADLESS in labels
    ):
        return []
    cluster_ips = _of_family([sloppy_ip(a) for a in spec.get("clusterIPs") or [spec["clusterIP"]]], family)
    if not cluster_ips:
        return []
    external_ips = _of_family([sloppy_ip(a) for a in spec.get("externalIPs") or []], family)
    # (whatever its type: the apiserver clears the status of what is no load balancer)
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    vips = _of_family([sloppy_ip(i.get("ip") or "") for i in ingress if i.get("ipMode") in (None, "VIP")], family)
    ranges = _of_family([sloppy_cidr(r) for r in spec.get("loadBalancerSourceRanges") or []], family)
    external_local = spec.get("externalTrafficPolicy") == "Local" and (
        kind in ("LoadBalancer", "NodePort") or bool(spec.get("externalIPs"))
    )
    affinity = 0
    if spec.get("sessionAffinity") == "ClientIP":
        affinity = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds") or 10800
    health = (spec.get("healthCheckNodePort") or 0) if kind == "LoadBalancer" and external_local else 0
    return [
        ServicePort(
            name=PortName(
                meta.get("namespace", "default"),
                meta["name"],
                port.get("name") or "",
                (port.get("protocol") or "TCP").lower(),
            ),
            cluster_ip=cluster_ips[0],
            port=port["port"],
            node_port=port.get("nodePort") or 0,
            external_ips=external_ips,
            lb_vips=vips,
            source_ranges=ranges,
            external_local=external_local,
            internal_local=spec.get("internalTrafficPolicy") == "Local",
            affinity_seconds=affinity,
            health_check_node_port=health,
        )
        for port in spec.get("ports") or []
    ]


Endpoints = dict[tuple[str, str], tuple[Endpoint, ...]]
"""(port name, protocol) → endpoints, one per ``ip:port``, sorted by that text (as upstream: "10.1.1.11:11" < "10.1.1.1:11")."""

_last_read: list[Any] = [None, 0, {}]
"""The slice read last, for which family, and what it says: all nodes hear of the same document at about the same time."""


def slice_endpoints(endpoint_slice: dict[str, Any], family: int) -> Endpoints:
    """The endpoints of one slice; empty for a slice of the other family or of names. Never changed by anyone."""
    if _last_read[0] is not endpoint_slice or _last_read[1] != family:
        read = _read_endpoints(endpoint_slice, family)
        _last_read[:] = [endpoint_slice, family, {key: _one_per_target(found) for key, found in read.items()}]
    return _last_read[2]


def _one_per_target(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """An address that was given on while its old pod still ends is the new pod's: who terminates yields, then who isn't ready."""
    found: dict[str, Endpoint] = {}
    for endpoint in endpoints:
        target = endpoint.target
        known = found.get(target)
        if known is None or (endpoint.terminating, not endpoint.ready) < (known.terminating, not known.ready):
            found[target] = endpoint
    return tuple(found[target] for target in sorted(found))


def _read_endpoints(endpoint_slice: dict[str, Any], family: int) -> dict[tuple[str, str], list[Endpoint]]:
    if endpoint_slice.get("addressType") != ("IPv6" if family == 6 else "IPv4"):
        return {}
    found: dict[tuple[str, str], list[Endpoint]] = {}
    for port in endpoint_slice.get("ports") or []:
        if not port.get("port"):  # "all ports": not for kube-proxy
            continue
        key = (port.get("name") or "", (port.get("protocol") or "TCP").lower())
        endpoints = found.setdefault(key, [])
        for endpoint in endpoint_slice.get("endpoints") or []:
            address = sloppy_ip((endpoint.get("addresses") or [""])[0])
            if not address:
                continue
            conditions = endpoint.get("conditions") or {}
            ready = conditions.get("ready") is not False
            hints = endpoint.get("hints") or {}
            endpoints.append(
                Endpoint(
                    address,
                    port["port"],
                    endpoint.get("nodeName") or "",
                    ready,
                    conditions.get("serving") is not False,
                    bool(conditions.get("terminating")),
                    tuple(h["name"] for h in hints.get("forZones") or ()),
                    tuple(h["name"] for h in hints.get("forNodes") or ()),
                )
            )
    return found


class ChangeTracker(Struct):
    """Everything the proxy knows of Services, by ``namespace/name``, and what changed."""

    family: int = 4
    services: dict[str, dict[PortName, ServicePort]] = field(default_factory=dict)
    slices: dict[str, dict[str, Endpoints]] = field(default_factory=dict)
    """Service → slice name → (port name, protocol) → endpoints."""
    changed: dict[str, int] = field(default_factory=dict)
    """Service → the request that last changed it."""

    def service(self, old: dict[str, Any] | None, new: dict[str, Any] | None, cause: int = 0) -> bool:
        """A Service came, changed or (``new`` None) went. Whether that matters to rules."""
        meta = (new or old or {})["metadata"]
        key = f"{meta.get('namespace', 'default')}/{meta['name']}"
        ports = {p.name: p for p in service_ports(new, self.family)} if new is not None else {}
        if ports == self.services.get(key, {}):
            return False
        if ports:
            self.services[key] = ports
        else:
            self.services.pop(key, None)
        self.changed[key] = cause
        return True

    def endpoint_slice(self, old: dict[str, Any] | None, new: dict[str, Any] | None, cause: int = 0) -> bool:
        """An EndpointSlice came, changed or went."""
        meta = (new or old or {})["metadata"]
        owner = (meta.get("labels") or {}).get(SERVICE_NAME)
        if not owner or HEADLESS in (meta.get("labels") or {}):
            return False
        key = f"{meta.get('namespace', 'default')}/{owner}"
        known = self.slices.setdefault(key, {})
        endpoints = slice_endpoints(new, self.family) if new is not None else {}
        before = known.get(meta["name"])
        if new is None:
            known.pop(meta["name"], None)
            if not known:
                del self.slices[key]
        else:
            known[meta["name"]] = endpoints
        if (before or {}) == endpoints:
            return False
        self.changed[key] = cause
        return True

    def endpoints(self, name: PortName) -> tuple[Endpoint, ...]:
        """All endpoints of a service port, whatever slices they are in."""
        key = name.port, name.protocol
        parts = [e for s in self.slices.get(f"{name.namespace}/{name.name}", {}).values() if (e := s.get(key))]
        if len(parts) == 1:
            return parts[0]
        return _one_per_target(endpoint for part in parts for endpoint in part)

    def take_changes(self) -> dict[str, int]:
        """Services changed since the last call, with causes; and start anew."""
        changed, self.changed = self.changed, {}
        return changed
