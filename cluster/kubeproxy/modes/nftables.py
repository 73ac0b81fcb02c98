"""nftables mode: one table of its own, where maps find a service in one step and a numbered map picks its endpoint.

The chain ``services`` looks the destination up in the map ``service-ips`` (address, protocol, port → chain); no rule is tried one after
the other, which is why the cost doesn't grow with the number of Services. A ``service-…`` chain marks what must be masqueraded and
draws a number among its endpoints; an ``endpoint-…`` chain translates the destination. Before that translation the map
``firewall-ips`` has kept unwanted sources out; after it, ``no-endpoint-services`` refuses what nobody answers. Other ports of a
cluster IP are rejected, addresses that no Service has are dropped, which iptables mode never does.

In: service ports with their chosen endpoints → out: the table as a script for ``nft -f``: the table, sets and maps, chains, rules, elements.

Simplified here: the script is always the whole table as it is after the sync (the real proxy sends what changed); the chains of a
service that has just gone are still there, empty, as they are until its next sync. Base chains are those of the 1.35 line, which the
recordings are from (1.32 hangs its filter chains at other priorities).

Upstream: pkg/proxy/nftables/proxier.go ``syncProxyRules``.
"""

from base64 import b32encode
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address

from msgspec import structs

from cluster.kubeproxy.change_tracker import ChangeTracker, PortName, ServicePort
from cluster.kubeproxy.common_rules import covers
from cluster.kubeproxy.endpoints import Selection, select
from cluster.kubeproxy.options import ProxyOptions

TABLE = "kube-proxy"
NAME_MAX = 240
"""NFT_NAME_MAXLEN (256) less the longest prefix (16)."""


@lru_cache(maxsize=65536)
def hashed(text: str) -> str:
    """``HASH8-text``, cut to fit: the hash is of the whole text."""
    name = b32encode(sha256(text.encode()).digest())[:8].decode() + "-" + text
    return name if len(name) <= NAME_MAX else name[: NAME_MAX - 3] + "..."


def service_base(name: PortName) -> str:
    """What follows the prefix in the names of a service port's chains."""
    return hashed(f"{name.namespace}/{name.name}/{name.protocol}/{name.port}")


def endpoint_base(name: PortName, target: str) -> str:
    """What follows the prefix in the names of an endpoint's chain and affinity set. ``target`` is ``ip:port``."""
    ip, _, port = target.rpartition(":")
    plain = ip.strip("[]").replace(":", ".")
    return hashed(f"{name.namespace}/{name.name}/{name.protocol}/{name.port}__{plain}/{port}")


def nodeport_ips(options: ProxyOptions) -> tuple[str, ...] | None:
    """Addresses that take node ports: those that ``nodePortAddresses`` names, else the node's primary one; None: all. Never the loopback."""
    if not options.nodeport_addresses:
        options = structs.replace(options, nodeport_addresses=("primary",))
    nets = options.nodeport_nets()
    if nets is None:
        return None
    own = [ip_address(address) for address in dict.fromkeys((options.node_ip, *options.node_ips)) if address]
    return tuple(str(a) for a in own if not a.is_loopback and any(a in net for net in nets))


class _Table:
    """Collects the parts of the script; ``text`` puts them in an order that loads."""

    def __init__(self, options: ProxyOptions) -> None:
        self.options = options
        self.ip = "ip" if options.family == 4 else "ip6"
        self.address = "ipv4_addr" if options.family == 4 else "ipv6_addr"
        self.sets: list[str] = []
        self.chains: dict[str, str] = {}
        self.rules: list[str] = []
        self.elements: list[str] = []

    def _add(self, kind: str, name: str, rest: str = "") -> str:
        return f"add {kind} {self.ip} {TABLE} {name}{' ' + rest if rest else ''}"

    def set(self, kind: str, name: str, body: str) -> None:
        self.sets.append(self._add(kind, name, f"{{ {body} ; }}"))

    def chain(self, name: str, body: str = "") -> None:
        self.chains[name] = self._add("chain", name, f"{{ {body} ; }}" if body else "")

    def rule(self, chain: str, rule: str) -> None:
        self.rules.append(self._add("rule", chain, rule))

    def element(self, name: str, element: str) -> None:
        self.elements.append(self._add("element", name, f"{{ {element} }}"))

    def text(self) -> str:
        head = f'add table {self.ip} {TABLE} {{ comment "rules for kube-proxy" ; }}'
        return "\n".join([head, *self.sets, *self.chains.values(), *self.rules, *self.elements]) + "\n"


BASE_CHAINS = (
    ("cluster-ips-check", ""),
    ("filter-prerouting-pre-dnat", "type filter hook prerouting priority -110"),
    ("filter-output-pre-dnat", "type filter hook output priority -110"),
    ("filter-forward", "type filter hook forward priority 0"),
    ("filter-input", "type filter hook input priority 0"),
    ("filter-output", "type filter hook output priority 0"),
    ("firewall-check", ""),
    ("mark-for-masquerade", ""),
    ("masquerading", ""),
    ("nat-output", "type nat hook output priority -100"),
    ("nat-postrouting", "type nat hook postrouting priority 100"),
    ("nat-prerouting", "type nat hook prerouting priority -100"),
    ("nodeport-endpoints-check", ""),
    ("reject-chain", 'comment "helper for @no-endpoint-services / @no-endpoint-nodeports"'),
    ("services", ""),
    ("service-endpoints-check", ""),
)


def _base(table: _Table) -> None:
    """What is there whatever Services there are."""
    ip, options = table.ip, table.options
    addresses = nodeport_ips(options)
    service, port = (
        f"type {table.address} . inet_proto . inet_service : verdict",
        "type inet_proto . inet_service : verdict",
    )
    table.set("set", "cluster-ips", f'type {table.address} ; comment "Active ClusterIPs"')
    if addresses is not None:
        table.set("set", "nodeport-ips", f'type {table.address} ; comment "IPs that accept NodePort traffic"')
    for name, kind, comment in (
        ("firewall-ips", service, "destinations that are subject to LoadBalancerSourceRanges"),
        ("no-endpoint-nodeports", port, "vmap to drop or reject packets to service nodeports with no endpoints"),
        ("no-endpoint-services", service, "vmap to drop or reject packets to services with no endpoints"),
        ("service-ips", service, "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
        ("service-nodeports", port, "NodePort traffic"),
    ):
        table.set("map", name, f'{kind} ; comment "{comment}"')
    for name, body in BASE_CHAINS:
        table.chain(name, body)
    lookup = f"{ip} daddr . meta l4proto . th dport vmap"
    place = "meta l4proto . th dport vmap"
    node_port = node_port_check = f"{ip} daddr @nodeport-ips {place}"
    if addresses is None:
        node_port_check = f"{ip} daddr != {'127.0.0.0/8' if ip == 'ip' else '::1'} {place}"
        node_port = f"fib daddr type local {node_port_check}"
    mark = f"{options.mark:#x}"
    reject = 'reject comment "Reject traffic to invalid ports of ClusterIPs"'
    table.rule("cluster-ips-check", f"{ip} daddr @cluster-ips {reject}")
    if options.service_cidrs:
        ranges = ", ".join(options.service_cidrs)
        drop = 'drop comment "Drop traffic to unallocated ClusterIPs"'
        table.rule("cluster-ips-check", f"{ip} daddr {{ {ranges} }} {drop}")
    for chain, to in (
        ("filter-prerouting-pre-dnat", "firewall-check"),
        ("filter-forward", "service-endpoints-check"),
        ("filter-forward", "cluster-ips-check"),
        ("filter-input", "nodeport-endpoints-check"),
        ("filter-input", "service-endpoints-check"),
        ("filter-output", "service-endpoints-check"),
        ("filter-output-pre-dnat", "firewall-check"),
        ("filter-output", "cluster-ips-check"),
    ):
        table.rule(chain, f"ct state new jump {to}")
    table.rule("firewall-check", f"{lookup} @firewall-ips")
    table.rule("mark-for-masquerade", f"mark set mark or {mark}")
    table.rule("masquerading", f"mark and {mark} == 0 return")
    table.rule("masquerading", f"mark set mark xor {mark}")
    table.rule("masquerading", "masquerade fully-random")
    table.rule("nat-output", "jump services")
    table.rule("nat-postrouting", "jump masquerading")
    table.rule("nat-prerouting", "jump services")
    table.rule("nodeport-endpoints-check", f"{node_port_check} @no-endpoint-nodeports")
    table.rule("reject-chain", "reject")
    table.rule("services", f"{lookup} @service-ips")
    table.rule("services", f"{node_port} @service-nodeports")
    table.rule("service-endpoints-check", f"{lookup} @no-endpoint-services")
    for address in addresses or ():
        table.element("nodeport-ips", address)


class _Writer:
    """Writes one service port, in upstream's order."""

    def __init__(self, table: _Table, service: ServicePort, selection: Selection) -> None:
        self.table, self.service, self.selection = table, service, selection
        self.name, self.protocol = str(service.name), service.name.protocol
        base = service_base(service.name)
        self.svc, self.local = f"service-{base}", f"local-{base}"
        self.external, self.firewall = f"external-{base}", f"firewall-{base}"
        self.has_endpoints = selection.has_endpoints
        self.has_internal = self.has_endpoints and not (service.internal_local and not selection.local)
        self.has_external = self.has_endpoints and not (service.external_local and not selection.local)
        self.uses_firewall = bool(service.lb_vips) and bool(service.source_ranges)

    def write(self) -> None:
        service, selection = self.service, self.selection
        if self.has_endpoints:
            if selection.cluster and service.uses_cluster_endpoints:
                self.table.chain(self.svc)
            if selection.local and service.uses_local_endpoints:
                self.table.chain(self.local)
            if service.externally_accessible:
                self.table.chain(self.external)
            for target in selection.reachable:
                self._declare(target)
            self._internal()
            if selection.cluster and service.uses_cluster_endpoints:
                self._choose(self.svc, selection.cluster)
            if selection.local and service.uses_local_endpoints:
                self._choose(self.local, selection.local)
            self._external()
            for target in selection.reachable:
                self._endpoint(target)
        self._firewall()
        self._elements()

    def _declare(self, target: str) -> None:
        base = endpoint_base(self.service.name, target)
        self.table.chain(f"endpoint-{base}")
        if self.service.affinity_seconds:
            body = f"type {self.table.address} ; flags dynamic,timeout ; timeout {self.service.affinity_seconds}s"
            self.table.set("set", f"affinity-{base}", body)

    def _internal(self) -> None:
        """Who calls the cluster IP from elsewhere than a pod must get its answer through this node: masquerade."""
        if not self.has_internal:
            return
        chain = self.local if self.service.internal_local else self.svc
        head = f"{self.table.ip} daddr {self.service.cluster_ip}"
        if self.table.options.masquerade_all:
            self.table.rule(chain, f"{head} jump mark-for-masquerade")
        elif not_local := _detector(self.table, False):
            self.table.rule(chain, f"{head} {not_local} jump mark-for-masquerade")

    def _choose(self, chain: str, targets: tuple[str, ...]) -> None:
        bases = [endpoint_base(self.service.name, target) for target in targets]
        if self.service.affinity_seconds:
            for base in bases:
                self.table.rule(chain, f"{self.table.ip} saddr @affinity-{base} goto endpoint-{base}")
        choices = " , ".join(f"{number} : goto endpoint-{base}" for number, base in enumerate(bases))
        self.table.rule(chain, f"numgen random mod {len(bases)} vmap {{ {choices} }}")

    def _external(self) -> None:
        if not self.service.externally_accessible:
            return
        if not self.service.external_local:
            self.table.rule(self.external, "jump mark-for-masquerade")
        else:
            if local := _detector(self.table, True):
                self.table.rule(self.external, f'{local} goto {self.svc} comment "short-circuit pod traffic"')
            node = "fib saddr type local"
            self.table.rule(self.external, f'{node} jump mark-for-masquerade comment "masquerade local traffic"')
            self.table.rule(self.external, f'{node} goto {self.svc} comment "short-circuit local traffic"')
        if self.has_external:
            self.table.rule(self.external, f"goto {self.local if self.service.external_local else self.svc}")

    def _endpoint(self, target: str) -> None:
        base, ip = endpoint_base(self.service.name, target), self.table.ip
        address = target.rpartition(":")[0].strip("[]")
        self.table.rule(f"endpoint-{base}", f"{ip} saddr {address} jump mark-for-masquerade")
        if self.service.affinity_seconds:
            self.table.rule(f"endpoint-{base}", f"update @affinity-{base} {{ {ip} saddr }}")
        self.table.rule(f"endpoint-{base}", f"meta l4proto {self.protocol} dnat to {target}")

    def _firewall(self) -> None:
        if not self.uses_firewall:  # (there with endpoints or without, which iptables mode's is not)
            return
        self.table.chain(self.firewall)
        allowed = list(self.service.source_ranges)
        if covers(self.service.source_ranges, self.table.options.node_ip):
            allowed += self.service.lb_vips  # a node that owns the load balancer's address sends from it
        self.table.rule(self.firewall, f"{self.table.ip} saddr != {{ {', '.join(allowed)} }} drop")

    def _elements(self) -> None:
        service, table = self.service, self.table
        refuse = "drop" if self.has_endpoints else "goto reject-chain"
        internal = f"{service.cluster_ip} . {self.protocol} . {service.port}"
        table.element("cluster-ips", service.cluster_ip)
        if self.has_internal:
            chain = self.local if service.internal_local else self.svc
            table.element("service-ips", f"{internal} : goto {chain}")
        else:
            table.element("no-endpoint-services", f'{internal} comment "{self.name}" : {refuse}')
        for address in service.external_ips + service.lb_vips:
            place = f"{address} . {self.protocol} . {service.port}"
            if self.has_endpoints:
                table.element("service-ips", f"{place} : goto {self.external}")
            if self.uses_firewall and address in service.lb_vips:
                table.element("firewall-ips", f"{place} : goto {self.firewall}")
            if not self.has_external:
                table.element("no-endpoint-services", f'{place} comment "{self.name}" : {refuse}')
        if service.node_port:
            place = f"{self.protocol} . {service.node_port}"
            if self.has_endpoints:
                table.element("service-nodeports", f"{place} : goto {self.external}")
            if not self.has_external:
                table.element("no-endpoint-nodeports", f'{place} comment "{self.name}" : {refuse}')


def _detector(table: _Table, local: bool) -> str:
    """Words that match traffic from (or not from) this cluster's pods; empty without a detector."""
    options = table.options
    if not options.cluster_cidr:
        return ""
    no = "" if local else "!= "
    match options.detect_local:
        case "BridgeInterface":
            return f"iifname {no}{options.cluster_cidr}"
        case "InterfaceNamePrefix":
            return f"iifname {no}{options.cluster_cidr}*"
        case _:
            return f"{table.ip} saddr {no}{options.cluster_cidr}"


Chosen = tuple[ServicePort, Selection]
"""A service port with its chosen endpoints: what its part of the table is made of."""


def chosen(tracker: ChangeTracker, service: str, options: ProxyOptions) -> dict[PortName, Chosen]:
    """The ports of a Service (``namespace/name``) with the endpoints that this node uses, as of now."""
    return {
        name: (port, select(tracker.endpoints(name), port, options.node, options.zone))
        for name, port in tracker.services.get(service, {}).items()
    }


def table_text(ports: dict[PortName, Chosen], options: ProxyOptions) -> str:
    """The table with these service ports."""
    table = _Table(options)
    _base(table)
    for name in sorted(ports):
        _Writer(table, *ports[name]).write()
    return table.text()


def fresh_table_text(tracker: ChangeTracker, options: ProxyOptions) -> str:
    """The table for what the tracker knows."""
    return table_text({n: c for s in tracker.services for n, c in chosen(tracker, s, options).items()}, options)


def part(ports: dict[PortName, Chosen], options: ProxyOptions) -> dict[str, None]:
    """The lines that are there because of these ports, each once, in the order of the script."""
    table = _Table(options)
    for name in sorted(ports):
        _Writer(table, *ports[name]).write()
    return dict.fromkeys(table.text().splitlines()[1:])


def base_rules(options: ProxyOptions) -> int:
    """How many rules there are without any Service."""
    table = _Table(options)
    _base(table)
    return len(table.rules)


def with_stale(text: str, previous: str) -> str:
    """``text`` with the chains of ``previous`` that it no longer has: flushed at once, deleted by a later sync."""
    lines = text.splitlines()
    known = {line.split()[4] for line in lines if line.startswith("add chain ")}
    at = max(number for number, line in enumerate(lines) if line.startswith("add chain ")) + 1
    stale = [
        " ".join(w[:5])
        for w in map(str.split, previous.splitlines())
        if w[:2] == ["add", "chain"] and w[4] not in known
    ]
    return "\n".join([*lines[:at], *stale, *lines[at:]]) + "\n"
