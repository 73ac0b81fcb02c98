"""The names of a cluster: which records ``cluster.local`` has, from Services, EndpointSlices and Namespaces.

In: a question (name without its last dot, type) and the objects → out: code, answers, extra records. Records are those of the Kubernetes
DNS specification 1.1.0 as CoreDNS 1.11 gives them:

* ``web.default.svc.cluster.local``: A, the cluster IP; of a headless Service the ready endpoints' addresses;
* ``<hostname>.web.default.svc.cluster.local``: A, one endpoint; without a hostname its address with dashes (``10-244-1-2.web…``);
* ``_http._tcp.web.default.svc.cluster.local``: SRV, a record a port; of a headless Service one for each endpoint;
* an ExternalName Service: CNAME;  ``10-244-1-2.default.pod.cluster.local``: A, the address in the name (``pods insecure``);
* ``50.0.96.10.in-addr.arpa``: PTR, the Service or the endpoint.

A name that exists without records of the type asked for is NOERROR with nothing (NODATA); one that doesn't is NXDOMAIN with the SOA.

Simplified here: wildcards (removed upstream) and zone transfers are absent; IPv4 names only in PTR.

Upstream: coredns plugin/kubernetes/{kubernetes,parse,reverse}.go; kubernetes/dns docs/specification.md.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from msgspec import Struct

from cluster.wire.dns import DnsRecord

Doc = Mapping[str, Any]
ZONE = "cluster.local"
REVERSE = ("in-addr.arpa", "ip6.arpa")
TTL = 30


class Found(Struct, frozen=True):
    """``authoritative`` False: nothing of ours; it is forwarded."""

    code: str = "NOERROR"
    answers: tuple[DnsRecord, ...] = ()
    extra: tuple[DnsRecord, ...] = ()
    authority: tuple[DnsRecord, ...] = ()
    ours: bool = True


class Objects(Struct, frozen=True):
    """``services`` by namespace/name; ``slices`` by the Service they belong to; ``spaces``: names of namespaces."""

    services: Mapping[str, Doc]
    slices: Mapping[str, tuple[Doc, ...]]
    spaces: frozenset[str]
    serial: int = 0


def answer(name: str, kind: str, objects: Objects) -> Found:
    """See the module."""
    name = name.rstrip(".").lower()
    if name == ZONE or name.endswith("." + ZONE):
        return _finish(_zone(name, kind, objects), objects)
    if name.endswith(REVERSE):
        found = _reverse(name, objects)
        return found if found is not None else Found(ours=False)
    return Found(ours=False)


def _finish(found: Found | None, objects: Objects) -> Found:
    soa = DnsRecord(ZONE, "SOA", f"ns.dns.{ZONE}. hostmaster.{ZONE}. {objects.serial} 7200 1800 86400 30", TTL)
    if found is None:
        return Found("NXDOMAIN", authority=(soa,))
    return found if found.answers else Found(found.code, authority=(soa,))


def _zone(name: str, kind: str, objects: Objects) -> Found | None:
    """None: no such name."""
    labels = name[: -len(ZONE)].rstrip(".").split(".") if name != ZONE else []
    if not labels:
        if kind in ("SOA", "ANY"):
            return Found(answers=(DnsRecord(ZONE, "SOA", f"ns.dns.{ZONE}. hostmaster.{ZONE}. {objects.serial} 7200 1800 86400 30", 5),))  # fmt: skip
        if kind == "NS":
            return Found(answers=(DnsRecord(ZONE, "NS", f"ns.dns.{ZONE}.", 5),))
        return Found()
    if labels == ["dns-version"]:
        return Found(answers=(DnsRecord(name, "TXT", '"1.1.0"', 5),) if kind == "TXT" else ())
    if labels[-1] == "pod":
        return _pod(labels[:-1], name, kind, objects)
    if labels[-1] != "svc":
        return Found() if labels == ["dns"] or labels == ["ns", "dns"] else None
    if len(labels) == 1:
        return Found()
    if labels[-2] not in objects.spaces:
        return None
    if len(labels) == 2:
        return Found()
    return _service(labels[:-1], name, kind, objects)


def _pod(labels: list[str], name: str, kind: str, objects: Objects) -> Found | None:
    if not labels:
        return Found()
    if labels[-1] not in objects.spaces:
        return None
    if len(labels) == 1:
        return Found()
    if len(labels) > 2:
        return None
    try:
        address = str(ip_address(labels[0].replace("-", ".")))
    except ValueError:
        return None
    return Found(answers=(DnsRecord(name, "A", address, TTL),) if kind in ("A", "ANY") else ())


def _service(labels: list[str], name: str, kind: str, objects: Objects) -> Found | None:
    """``[more…, service, namespace]``."""
    key, more = f"{labels[-1]}/{labels[-2]}", labels[:-2]
    service = objects.services.get(key)
    if service is None:
        return None
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return _external(name, kind, spec["externalName"]) if not more else None
    headless = spec.get("clusterIP") == "None"
    base = f"{labels[-2]}.{labels[-1]}.svc.{ZONE}"
    if len(more) == 2 and more[0].startswith("_") and more[1].startswith("_"):
        return _ports(service, more[0][1:], more[1][1:], base, name, kind, headless, objects)
    rows = list(endpoints(service, objects)) if headless else []
    if not more:
        if kind == "SRV":
            return _ports(service, "", "", base, name, kind, headless, objects)
        if headless:
            addresses = dict.fromkeys(address for address, _, _ in rows)
            if not rows and not objects.slices.get(key):
                return None
            return Found(answers=_addresses(name, kind, addresses))
        return Found(
            answers=_addresses(name, kind, dict.fromkeys(spec.get("clusterIPs") or [spec.get("clusterIP", "")]))
        )
    if len(more) == 1 and headless:
        mine = dict.fromkeys(address for address, hostname, _ in rows if more[0] == (hostname or dashed(address)))
        return Found(answers=_addresses(name, kind, mine)) if mine else None
    return None


def _external(name: str, kind: str, target: str) -> Found:
    return Found(answers=(DnsRecord(name, "CNAME", target.rstrip(".") + ".", TTL),)) if kind != "NS" else Found()


def _addresses(name: str, kind: str, addresses: Iterable[str]) -> tuple[DnsRecord, ...]:
    found = []
    for address in addresses:
        of = "AAAA" if ":" in address else "A"
        if address and kind in (of, "ANY"):
            found.append(DnsRecord(name, of, address, TTL))
    return tuple(found)


def _ports(
    service: Doc, port: str, protocol: str, base: str, name: str, kind: str, headless: bool, objects: Objects
) -> Found | None:
    """SRV of a named port ("" : all ports)."""
    answers: list[DnsRecord] = []
    extra: list[DnsRecord] = []
    if headless:
        for address, hostname, ports in endpoints(service, objects):
            target = f"{hostname or dashed(address)}.{base}"
            for one, of, number in ports:
                if (not port or one == port) and (not protocol or of == protocol):
                    answers.append(DnsRecord(name, "SRV", f"0 100 {number} {target}.", TTL))
                    extra += _addresses(target, "ANY", (address,))
    else:
        for one in service["spec"].get("ports") or ():
            if (not port or one.get("name") == port) and (
                not protocol or one.get("protocol", "TCP").lower() == protocol
            ):
                answers.append(DnsRecord(name, "SRV", f"0 100 {one['port']} {base}.", TTL))
        if answers:
            extra += _addresses(
                base, "ANY", service["spec"].get("clusterIPs") or [service["spec"].get("clusterIP", "")]
            )
    if not answers:
        return None if port else Found()
    if kind not in ("SRV", "ANY"):
        return Found()
    weight = 100 // len(answers) or 1
    spread = tuple(DnsRecord(a.name, a.kind, a.data.replace(" 100 ", f" {weight} ", 1), a.ttl) for a in answers)
    return Found(answers=spread, extra=tuple(dict.fromkeys(extra)))


def endpoints(service: Doc, objects: Objects) -> Iterable[tuple[str, str, tuple[tuple[str, str, int], ...]]]:
    """(address, hostname or "", ports as (name, protocol, number)) of what a headless Service's names stand for."""
    meta = service["metadata"]
    everyone = bool(service["spec"].get("publishNotReadyAddresses"))
    for one in objects.slices.get(f"{meta['namespace']}/{meta['name']}", ()):
        ports = tuple(((p.get("name") or ""), (p.get("protocol") or "TCP").lower(), p["port"]) for p in one.get("ports") or () if p.get("port"))  # fmt: skip
        for endpoint in one.get("endpoints") or ():
            ready = (endpoint.get("conditions") or {}).get("ready")
            if ready is False and not everyone:
                continue
            for address in endpoint["addresses"]:
                yield address, endpoint.get("hostname") or "", ports


def dashed(address: str) -> str:
    """``10-244-1-2``."""
    return address.replace(".", "-").replace(":", "-")


def _reverse(name: str, objects: Objects) -> Found | None:
    if not name.endswith(".in-addr.arpa"):
        return None
    address = ".".join(reversed(name.removesuffix(".in-addr.arpa").split(".")))
    for service in objects.services.values():
        spec, meta = service["spec"], service["metadata"]
        base = f"{meta['name']}.{meta['namespace']}.svc.{ZONE}."
        if address in (spec.get("clusterIPs") or [spec.get("clusterIP")]):
            return Found(answers=(DnsRecord(name, "PTR", base, TTL),))
    names: list[str] = []
    for key in objects.slices:
        service = objects.services.get(key)
        if service is not None:
            base = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc.{ZONE}."
            names += [
                f"{host or dashed(where)}.{base}" for where, host, _ in endpoints(service, objects) if where == address
            ]
    return Found(answers=tuple(DnsRecord(name, "PTR", one, TTL) for one in names)) if names else None
