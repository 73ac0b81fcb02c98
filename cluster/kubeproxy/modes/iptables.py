"""iptables mode: every service port is a few rules in shared chains, and chains of its own that choose an endpoint.

``KUBE-SERVICES`` finds the service by address and port and jumps to its ``KUBE-SVC-…`` chain; there a random match picks one
``KUBE-SEP-…`` chain, which rewrites the destination. Traffic from outside goes through ``KUBE-EXT-…`` (and ``KUBE-FW-…`` when
source ranges are given), and is marked for masquerading when it may leave the node again. What has no endpoint is rejected in
the filter table.

In: service ports with their chosen endpoints → out: the text for ``iptables-restore --noflush``, whose ``*filter`` and ``*nat`` always
hold all shared chains, and the own chains only of services that changed (a partial sync).

Simplified here: services are written in the order of their names (upstream walks a Go map: any order).

Upstream: pkg/proxy/iptables/proxier.go ``syncProxyRules`` (1.32).
"""

from base64 import b32encode
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from msgspec import Struct

from cluster.kubeproxy.change_tracker import PortName, ServicePort
from cluster.kubeproxy.common_rules import comment, covers, masquerading
from cluster.kubeproxy.endpoints import Selection
from cluster.kubeproxy.options import CT_INVALID_COUNTER, LOCALHOST_NODEPORTS_COUNTER, ProxyOptions

FILTER_CHAINS = (
    "KUBE-NODEPORTS",
    "KUBE-SERVICES",
    "KUBE-EXTERNAL-SERVICES",
    "KUBE-FIREWALL",
    "KUBE-FORWARD",
    "KUBE-PROXY-FIREWALL",
)
NAT_CHAINS = ("KUBE-NODEPORTS", "KUBE-SERVICES", "KUBE-MARK-MASQ", "KUBE-POSTROUTING")
CANARY = "KUBE-PROXY-CANARY"
LARGE_CLUSTER_ENDPOINTS = 1000
"""Above this many endpoints the per-endpoint rules lose their comments."""
NODEPORTS_LAST = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"

BASE_JUMPS: dict[str, tuple[str, ...]] = {
    "filter": (
        '-A INPUT -j KUBE-FIREWALL',
        '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS',
        '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
        '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
        '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
        '-A OUTPUT -j KUBE-FIREWALL',
        '-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        '-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    ),
    "nat": (
        '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
    ),
}  # fmt: skip
"""The jumps from the built-in chains, in the order in which prepending them one by one leaves them."""


class Style(Struct, frozen=True):
    """What of the options shapes a service's rules: nodes that agree in it share the rules' text."""

    local: tuple[str, ...]
    not_local: tuple[str, ...]
    masquerade_all: bool
    localhost_twin: bool
    """Count node-port traffic to 127.0.0.0/8 in an nfacct object."""


class PortRules(Struct, frozen=True):
    """One service port's part of the tables, as ``-A CHAIN …`` lines."""

    filter: tuple[str, ...]
    nat: tuple[str, ...]
    """Its lines in the shared chains of nat."""
    chains: tuple[tuple[str, tuple[str, ...]], ...]
    """Its own chains with their lines."""


def style_of(options: ProxyOptions) -> Style:
    """The part of the options that shapes rules."""
    twin = options.nfacct and options.localhost_nodeports and options.family == 4 and options.loopback_nodeports()
    return Style(options.if_local(), options.if_not_local(), options.masquerade_all, twin)


@lru_cache(maxsize=65536)
def chain_hash(text: str) -> str:
    """The 16 characters that make a chain's name unique: BASE32(SHA256(text))."""
    return b32encode(sha256(text.encode()).digest())[:16].decode()


def service_chain(prefix: str, name: PortName) -> str:
    """``KUBE-SVC-`` and its kin for a service port."""
    return prefix + chain_hash(f"{name}{name.protocol}")


def endpoint_chain(name: PortName, target: str) -> str:
    """``KUBE-SEP-…`` for one endpoint (``ip:port``) of a service port."""
    return "KUBE-SEP-" + chain_hash(f"{name}{name.protocol}{target}")


def port_rules(service: ServicePort, selection: Selection, options: ProxyOptions, large: bool) -> PortRules:
    """The rules of one service port with these endpoints."""
    from_node = covers(service.source_ranges, options.node_ip)
    return _port_rules(service, selection, style_of(options), from_node, large)


@lru_cache(maxsize=4096)
def _port_rules(service: ServicePort, selection: Selection, style: Style, from_node: bool, large: bool) -> PortRules:
    return _Writer(service, selection, style, from_node, large).write()


class _Writer:
    """Writes one service port, in upstream's order. Names of locals are upstream's."""

    def __init__(self, service: ServicePort, selection: Selection, style: Style, from_node: bool, large: bool) -> None:
        self.service, self.selection, self.style = service, selection, style
        self.from_node, self.large = from_node, large
        self.name = str(service.name)
        self.protocol = service.name.protocol
        self.svc = service_chain("KUBE-SVC-", service.name)
        self.svl = service_chain("KUBE-SVL-", service.name)
        self.ext = service_chain("KUBE-EXT-", service.name)
        self.fw = service_chain("KUBE-FW-", service.name)
        self.has_endpoints = selection.has_endpoints
        self.has_internal = self.has_endpoints and not (service.internal_local and not selection.local)
        self.has_external = self.has_endpoints and not (service.external_local and not selection.local)
        self.uses_fw = self.has_endpoints and bool(service.lb_vips) and bool(service.source_ranges)
        self.filter: list[str] = []
        self.nat: list[str] = []
        self.chains: dict[str, list[str]] = {}

    def write(self) -> PortRules:
        self._shared_chains()
        if self.has_endpoints:
            self._internal()
            self._external()
            self._firewall()
            if self.selection.cluster and self.service.uses_cluster_endpoints:
                self._choose(self.svc, self.selection.cluster)
            if self.selection.local and self.service.uses_local_endpoints:
                self._choose(self.svl, self.selection.local)
            for target in self.selection.reachable:
                self._endpoint(target)
        return PortRules(tuple(self.filter), tuple(self.nat), tuple((c, tuple(r)) for c, r in self.chains.items()))

    def _to(self, address: str, port: int) -> str:
        return f"-m {self.protocol} -p {self.protocol} -d {address} --dport {port}"

    def _shared_chains(self) -> None:
        service, name = self.service, self.name
        missing = f"{name} has no endpoints" if not self.has_endpoints else f"{name} has no local endpoints"
        refuse = "REJECT" if not self.has_endpoints else "DROP"
        to = self._to(service.cluster_ip, service.port)
        if self.has_internal:
            internal = self.svl if service.internal_local else self.svc
            self.nat.append(f"-A KUBE-SERVICES {comment(f'{name} cluster IP')} {to} -j {internal}")
        else:
            self.filter.append(f"-A KUBE-SERVICES {comment(missing)} {to} -j {refuse}")
        outside: list[str] = []
        for address in service.external_ips:
            if self.has_endpoints:
                to = self._to(address, service.port)
                self.nat.append(f"-A KUBE-SERVICES {comment(f'{name} external IP')} {to} -j {self.ext}")
            outside.append(self._to(address, service.port))
        for address in service.lb_vips:
            to = self._to(address, service.port)
            if self.has_endpoints:
                chain = self.fw if self.uses_fw else self.ext
                self.nat.append(f"-A KUBE-SERVICES {comment(f'{name} loadbalancer IP')} {to} -j {chain}")
            if self.uses_fw:
                why = comment(f"{name} traffic not accepted by {self.fw}")
                self.filter.append(f"-A KUBE-PROXY-FIREWALL {why} {to} -j DROP")
            outside.append(to)
        if service.node_port:
            if self.has_endpoints:
                self._node_port()
            protocol = f"-m {self.protocol} -p {self.protocol}"
            outside.append(f"-m addrtype --dst-type LOCAL {protocol} --dport {service.node_port}")
        if not self.has_external:
            self.filter.extend(f"-A KUBE-EXTERNAL-SERVICES {comment(missing)} {to} -j {refuse}" for to in outside)
        if service.health_check_node_port:
            self.filter.append(
                f"-A KUBE-NODEPORTS {comment(f'{name} health check node port')} -m tcp -p tcp "
                f"--dport {service.health_check_node_port} -j ACCEPT"
            )

    def _node_port(self) -> None:
        head = f"-A KUBE-NODEPORTS {comment(self.name)} -m {self.protocol} -p {self.protocol}"
        port = self.service.node_port
        if self.style.localhost_twin:
            counter = f"-m nfacct --nfacct-name {LOCALHOST_NODEPORTS_COUNTER}"
            self.nat.append(f"{head} -d 127.0.0.0/8 --dport {port} {counter} -j {self.ext}")
        self.nat.append(f"{head} --dport {port} -j {self.ext}")

    def _rule(self, chain: str, rule: str) -> None:
        self.chains.setdefault(chain, []).append(f"-A {chain} {rule}")

    def _internal(self) -> None:
        """Whoever calls the cluster IP from elsewhere than a pod must get its answer through this node: masquerade."""
        if not self.has_internal:
            return
        chain = self.svl if self.service.internal_local else self.svc
        head = f"{comment(f'{self.name} cluster IP')} {self._to(self.service.cluster_ip, self.service.port)}"
        if self.style.masquerade_all:
            self._rule(chain, f"{head} -j KUBE-MARK-MASQ")
        elif self.style.not_local:
            self._rule(chain, f"{head} {' '.join(self.style.not_local)} -j KUBE-MARK-MASQ")

    def _external(self) -> None:
        if not self.service.externally_accessible:
            return
        tail = f"{self.name} external destinations"
        self.chains.setdefault(self.ext, [])
        if not self.service.external_local:
            self._rule(self.ext, f"{comment(f'masquerade traffic for {tail}')} -j KUBE-MARK-MASQ")
        else:
            if self.style.local:
                self._rule(self.ext, f"{comment(f'pod traffic for {tail}')} {' '.join(self.style.local)} -j {self.svc}")
            local = "-m addrtype --src-type LOCAL"
            self._rule(self.ext, f"{comment(f'masquerade LOCAL traffic for {tail}')} {local} -j KUBE-MARK-MASQ")
            self._rule(self.ext, f"{comment(f'route LOCAL traffic for {tail}')} {local} -j {self.svc}")
        if self.has_external:
            self._rule(self.ext, f"-j {self.svl if self.service.external_local else self.svc}")

    def _firewall(self) -> None:
        if not self.uses_fw:
            return
        why = comment(f"{self.name} loadbalancer IP")
        for cidr in self.service.source_ranges:
            self._rule(self.fw, f"{why} -s {cidr} -j {self.ext}")
        if self.from_node:  # a node that owns the load balancer's address sends from it: let it reach itself
            for address in self.service.lb_vips:
                self._rule(self.fw, f"{why} -s {address} -j {self.ext}")
        self._rule(self.fw, comment(f"other traffic to {self.name} will be dropped by KUBE-PROXY-FIREWALL"))

    def _choose(self, chain: str, targets: tuple[str, ...]) -> None:
        chosen = [
            (endpoint_chain(self.service.name, t), "" if self.large else comment(f"{self.name} -> {t}") + " ")
            for t in targets
        ]
        if self.service.affinity_seconds:
            for endpoint, why in chosen:
                recent = f"-m recent --name {endpoint} --rcheck --seconds {self.service.affinity_seconds} --reap"
                self._rule(chain, f"{why}{recent} -j {endpoint}")
        for index, (endpoint, why) in enumerate(chosen):
            left = len(chosen) - index
            chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
            self._rule(chain, f"{why}{chance}-j {endpoint}")

    def _endpoint(self, target: str) -> None:
        chain = endpoint_chain(self.service.name, target)
        why = "" if self.large else comment(self.name) + " "
        ip = target.rpartition(":")[0].strip("[]")
        self._rule(chain, f"{why}-s {ip} -j KUBE-MARK-MASQ")
        recent = f"-m recent --name {chain} --set " if self.service.affinity_seconds else ""
        self._rule(chain, f"{why}{recent}-m {self.protocol} -p {self.protocol} -j DNAT --to-destination {target}")


def restore_input(
    options: ProxyOptions,
    ports: Iterable[PortRules],
    changed: Iterable[PortRules],
    stale: Iterable[str] = (),
    jumps: bool = False,
) -> str:
    """What one sync feeds to ``iptables-restore``.

    ``ports``: every service port, in order; ``changed``: those whose own chains are written; ``stale``: chains to delete;
    ``jumps``: also the jumps from the built-in chains (upstream makes them one by one, before).
    """
    ports = list(ports)
    lines = ["*filter", *(f":{chain} - [0:0]" for chain in FILTER_CHAINS)]
    if jumps:
        lines.extend(BASE_JUMPS["filter"])
    if options.loopback_nodeports():
        lines.append(
            f"-A KUBE-FIREWALL {comment('block incoming localnet connections')} -d 127.0.0.0/8 ! -s 127.0.0.0/8 "
            "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
        )
    for port in ports:
        lines.extend(port.filter)
    lines.extend(_forward(options))
    lines.append("COMMIT")
    own = [chain for port in changed for chain in port.chains]
    stale = list(stale)
    lines += ["*nat", *(f":{chain} - [0:0]" for chain in NAT_CHAINS)]
    lines.extend(f":{chain} - [0:0]" for chain, _ in own)
    lines.extend(f":{chain} - [0:0]" for chain in stale)
    if jumps:
        lines.extend(BASE_JUMPS["nat"])
    lines.extend(masquerading(options))
    for port in ports:
        lines.extend(port.nat)
    for _, rules in own:
        lines.extend(rules)
    lines.extend(node_ports(options))
    lines.extend(f"-X {chain}" for chain in stale)
    lines.append("COMMIT")
    return "\n".join(lines) + "\n"


def _forward(options: ProxyOptions) -> list[str]:
    mark = f"{options.mark:#08x}"
    counter = f"-m nfacct --nfacct-name {CT_INVALID_COUNTER} " if options.nfacct else ""
    invalid = [] if options.tcp_liberal else [f"-A KUBE-FORWARD -m conntrack --ctstate INVALID {counter}-j DROP"]
    return [
        *invalid,
        f"-A KUBE-FORWARD {comment('kubernetes forwarding rules')} -m mark --mark {mark}/{mark} -j ACCEPT",
        f"-A KUBE-FORWARD {comment('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ]


def node_ports(options: ProxyOptions) -> list[str]:
    """The jumps to the node ports: the last rules of KUBE-SERVICES."""
    head = f"-A KUBE-SERVICES {comment(NODEPORTS_LAST)}"
    addresses = options.nodeport_match()
    if addresses is not None:
        return [f"{head} -d {address} -j KUBE-NODEPORTS" for address in addresses]
    but = " ! -d ::1/128" if options.family == 6 else "" if options.localhost_nodeports else " ! -d 127.0.0.0/8"
    return [f"{head} -m addrtype --dst-type LOCAL{but} -j KUBE-NODEPORTS"]


def base_jumps() -> str:
    """Restore input that makes the shared chains and the jumps to them: what a full sync ensures before it writes."""
    lines: list[str] = []
    for table, chains in (("filter", FILTER_CHAINS), ("nat", NAT_CHAINS)):
        lines += [f"*{table}", *(f":{chain} - [0:0]" for chain in chains), *BASE_JUMPS[table], "COMMIT"]
    return "\n".join(lines) + "\n"


def canaries() -> str:
    """Restore input for the empty chains whose disappearance tells that somebody flushed the tables."""
    return "".join(f"*{table}\n:{CANARY} - [0:0]\nCOMMIT\n" for table in ("mangle", "nat", "filter"))
