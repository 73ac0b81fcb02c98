"""Cluster IPs and node ports: who has which, and which to give next. Pure: what is taken is handed in.

In → the Service to write, the stored one (or None), the ``Ranges`` in use, a die; out → ``Allocation``: the Service with
its addresses, and what it took and gave back. Errors: ``ApiError`` 422 with the words of the real allocators.

As upstream, random choices come from the upper part of a range first; its lower part is left to those who ask for an
address by name (KEP-3070: 256 of 1,048,574 addresses, 86 of 2,768 ports).

Simplified here: one IPv4 range (a single-stack cluster).

Upstream: pkg/registry/core/service/storage/alloc.go, ipallocator, portallocator.
"""

from collections.abc import Set
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any

from msgspec import Struct

from cluster.api import field, meta, status
from cluster.api.schema import builtin_schema
from cluster.apiserver.registry.strategy import put_spec

Doc = dict[str, Any]

NODE_PORTS = (30000, 32767)
NONE = "None"


class Ranges(Struct, frozen=True):
    """The Service CIDR and everything that is in use now."""

    cidr: str
    used_ips: Set[str]
    used_ports: Set[int]


class Held(Struct, frozen=True):
    """What one Service holds."""

    ips: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


class Allocation(Struct, frozen=True):
    """The Service with its addresses; what was taken for it and what it gave back."""

    doc: Doc
    taken: Held
    freed: Held


def needs_ip(spec: Doc) -> bool:
    """Whether the type has a cluster IP and the Service is not headless."""
    return spec.get("type") in ("ClusterIP", "NodePort", "LoadBalancer") and spec.get("clusterIP") != NONE


def needs_node_ports(spec: Doc) -> bool:
    """Whether every port gets a node port."""
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True))


def needs_health_port(spec: Doc) -> bool:
    """Whether a load balancer asks the nodes which of them have endpoints."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _had_health_port(old: Doc | None, port: int) -> bool:
    return old is not None and (old.get("spec") or {}).get("healthCheckNodePort") == port


def held_by(doc: Doc) -> Held:
    """What a stored Service holds."""
    spec = doc.get("spec") or {}
    ips = tuple(spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else ()))
    ports = [p["nodePort"] for p in spec.get("ports") or () if p.get("nodePort")]
    if spec.get("healthCheckNodePort"):
        ports.append(spec["healthCheckNodePort"])
    return Held(tuple(ip for ip in ips if ip and ip != NONE), tuple(dict.fromkeys(ports)))


def allocate(doc: Doc, old: Doc | None, ranges: Ranges, dice: Any) -> Allocation:
    """Give ``doc`` the addresses its type needs, keeping what ``old`` has."""
    doc = families(inherit(doc, old) if old is not None else doc)
    before = held_by(old) if old is not None else Held()
    spec = doc["spec"]
    errors: list[field.FieldError] = []
    changes: Doc = {}
    if spec.get("type") != "ExternalName" and spec.get("clusterIP") != NONE:
        asked = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or ()), "")
        if not asked:
            asked = _free_ip(ranges, dice)
            changes.update(clusterIP=asked, clusterIPs=[asked])
        elif asked not in before.ips:
            why = _refuse_ip(asked, ranges)
            if why:
                listed = spec.get("clusterIPs") or [asked]
                errors.append(field.invalid("spec.clusterIPs", listed, f"failed to allocate IP {asked}: {why}"))
        if asked and not spec.get("clusterIPs"):
            changes.update(clusterIP=asked, clusterIPs=[asked])
    elif spec.get("clusterIP") == NONE and not spec.get("clusterIPs"):
        changes["clusterIPs"] = [NONE]
    if errors:
        raise status.invalid("", "Service", meta.name_of(doc), errors)
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        ports, errors = _node_ports(
            spec.get("ports") or [], before, ranges, dice, new=old is None, all_of_them=needs_node_ports(spec)
        )
        if errors:
            raise status.invalid("", "Service", meta.name_of(doc), errors)
        changes["ports"] = ports
    if needs_health_port(spec):
        in_use = set(ranges.used_ports) | {p.get("nodePort", 0) for p in changes.get("ports") or ()}
        asked_port = spec.get("healthCheckNodePort") or 0
        why = _refuse_port(asked_port, in_use) if asked_port and not _had_health_port(old, asked_port) else ""
        if why:
            raise status.internal_error(f"failed to allocate requested HealthCheck NodePort {asked_port}: {why}")
        if not asked_port:
            changes["healthCheckNodePort"] = _free_port(in_use, dice)
    if changes:
        doc = put_spec(doc, **changes)
    ordered = builtin_schema("", "v1", "Service")
    if ordered is not None:
        doc = ordered.decode(doc).doc
    after = held_by(doc)
    taken = Held(
        tuple(ip for ip in after.ips if ip not in before.ips), tuple(p for p in after.ports if p not in before.ports)
    )
    freed = Held(
        tuple(ip for ip in before.ips if ip not in after.ips), tuple(p for p in before.ports if p not in after.ports)
    )
    return Allocation(doc, taken, freed)


def families(doc: Doc) -> Doc:
    """``ipFamilies`` and ``ipFamilyPolicy`` of a single-stack IPv4 cluster."""
    spec = doc.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return doc
    changes: Doc = {}
    headless = spec.get("clusterIP") == NONE or spec.get("clusterIPs") == [NONE]
    errors = []
    if headless and not spec.get("selector"):
        policy = spec.get("ipFamilyPolicy") or "RequireDualStack"
        wanted = list(spec.get("ipFamilies") or ["IPv4"])
        if policy != "SingleStack" and len(wanted) == 1:
            wanted.append("IPv6" if wanted[0] == "IPv4" else "IPv4")
    else:
        policy = spec.get("ipFamilyPolicy") or "SingleStack"
        wanted = list(spec.get("ipFamilies") or ["IPv4"])
        if policy == "RequireDualStack":
            why = "this cluster is not configured for dual-stack services"
            errors.append(field.invalid("spec.ipFamilyPolicy", policy, why))
        for i, family in enumerate(wanted):
            if family == "IPv6":
                errors.append(field.invalid(f"spec.ipFamilies[{i}]", family, "not configured on this cluster"))
    if errors:
        raise status.invalid("", "Service", meta.name_of(doc), errors)
    if not spec.get("ipFamilyPolicy"):
        changes["ipFamilyPolicy"] = policy
    if spec.get("ipFamilies") != wanted:
        changes["ipFamilies"] = wanted
    return put_spec(doc, **changes) if changes else doc


def inherit(new: Doc, old: Doc) -> Doc:
    """What an update leaves out stays; what the old type needed and the new one does not goes."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    changes: Doc = {}
    if needs_ip(before) and needs_ip(spec):
        if not spec.get("clusterIP") and before.get("clusterIP"):
            changes["clusterIP"] = before["clusterIP"]
        if not spec.get("clusterIPs") and before.get("clusterIPs") and changes.get("clusterIP", spec.get("clusterIP")) == \
                before.get("clusterIP"):  # fmt: skip
            changes["clusterIPs"] = before["clusterIPs"]
    elif needs_ip(before) and spec.get("type") == "ExternalName" and spec.get("clusterIP") == before.get("clusterIP"):
        changes.update(clusterIP=None, clusterIPs=None, ipFamilies=None, ipFamilyPolicy=None)
    if needs_node_ports(before) and needs_node_ports(spec):
        known = {
            (p.get("protocol"), p.get("port")): p["nodePort"] for p in before.get("ports") or () if p.get("nodePort")
        }
        used = {p.get("nodePort") for p in spec.get("ports") or ()}
        ports = []
        for port in spec.get("ports") or ():
            kept = known.get((port.get("protocol"), port.get("port")))
            if not port.get("nodePort") and kept and kept not in used:
                port = {**port, "nodePort": kept}
                used.add(kept)
            ports.append(port)
        changes["ports"] = ports
    elif needs_node_ports(before) and not needs_node_ports(spec) and spec.get("type") != "LoadBalancer":
        same = [p.get("nodePort") for p in spec.get("ports") or ()] == [
            p.get("nodePort") for p in before.get("ports") or ()
        ]
        if same:
            changes["ports"] = [{k: v for k, v in p.items() if k != "nodePort"} for p in spec.get("ports") or ()]
    external = ("NodePort", "LoadBalancer")
    closed = before.get("type") in external and spec.get("type") not in external and not spec.get("externalIPs")
    if closed and spec.get("externalTrafficPolicy") == before.get("externalTrafficPolicy"):
        changes["externalTrafficPolicy"] = None
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(name) == before.get(name):
                changes[name] = None
    if needs_health_port(before):
        if needs_health_port(spec):
            if not spec.get("healthCheckNodePort"):
                changes["healthCheckNodePort"] = before.get("healthCheckNodePort")
        elif spec.get("healthCheckNodePort") == before.get("healthCheckNodePort"):
            changes["healthCheckNodePort"] = None
    for name in ("ipFamilies", "ipFamilyPolicy"):
        if name not in changes and not spec.get(name) and before.get(name) and spec.get("type") != "ExternalName":
            changes[name] = before[name]
    return put_spec(new, **changes) if changes else new


# --- choosing --------------------------------------------------------------------------------------------------------


def _refuse_ip(asked: str, ranges: Ranges) -> str:
    try:
        address = ip_address(asked)
    except ValueError:
        return ""  # not an address at all: validation says so
    network = ip_network(ranges.cidr)
    if address not in network or address in (network.network_address, network.broadcast_address):
        return f"the provided IP ({asked}) is not in the valid range. The range of valid IPs is {ranges.cidr}"
    return "provided IP is already allocated" if asked in ranges.used_ips else ""


def _free_ip(ranges: Ranges, dice: Any) -> str:
    network = ip_network(ranges.cidr)
    assert isinstance(network, IPv4Network)
    base, size = int(network.network_address), network.num_addresses - 2
    reserved = min(max(16, size // 16), 256) if size > 16 else 0
    for low, count in ((reserved, size - reserved), (0, reserved)):
        start = dice.below(count) if count else 0
        for step in range(count):
            address = str(IPv4Address(base + 1 + low + (start + step) % count))
            if address not in ranges.used_ips:
                return address
    raise status.internal_error("failed to allocate a serviceIP: range is full")


def _free_port(in_use: Set[int], dice: Any) -> int:
    low, high = NODE_PORTS
    size = high - low + 1
    reserved = min(max(16, size // 32), 128)
    for first, count in ((low + reserved, size - reserved), (low, reserved)):
        start = dice.below(count)
        for step in range(count):
            port = first + (start + step) % count
            if port not in in_use:
                return port
    raise status.internal_error("failed to allocate a nodePort: range is full")


def _node_ports(
    ports: list[Doc], before: Held, ranges: Ranges, dice: Any, *, new: bool, all_of_them: bool
) -> tuple[list[Doc], list[field.FieldError]]:
    """Every port with a node port: the one it asks for, that of a twin with another protocol, or (``all_of_them``) a free one; the first refusal ends it.

    ``new``: of a Service that is being created a twin's request counts for the ports before it, too, and two different ports cannot share a node port.
    """
    in_use = set(ranges.used_ports)
    chosen: dict[int, int] = {}
    out: list[Doc] = []
    for i, port in enumerate(ports):
        number, asked = port.get("port", 0), port.get("nodePort", 0)
        if not asked and new:
            asked = (
                next((p["nodePort"] for p in ports if p.get("port") == number and p.get("nodePort")), 0)
                if all_of_them
                else 0
            )
        if asked:
            shared = chosen.get(number) == asked if new else asked in before.ports or asked in chosen.values()
            why = "" if shared else _refuse_port(asked, in_use)
            if why:
                return [], [field.invalid(f"spec.ports[{i}].nodePort", asked, why)]
        elif all_of_them:
            asked = chosen.get(number) or _free_port(in_use, dice)
        if asked:
            in_use.add(asked)
            chosen[number] = asked
        out.append({**port, "nodePort": asked} if asked else port)
    return out, []


def _refuse_port(asked: int, in_use: Set[int]) -> str:
    """Why this port cannot be had; "" if it can."""
    low, high = NODE_PORTS
    if not low <= asked <= high:
        return f"provided port is not in the valid range. The range of valid ports is {low}-{high}"
    return "provided port is already allocated" if asked in in_use else ""
