"""IPVS mode: the kernel's load balancer chooses the endpoint; a few rules that ask sets do the rest.

Every service address becomes an address of the dummy interface ``kube-ipvs0``, so that packets for it are the node's own and reach IPVS; every
address and port is a virtual server whose real servers are the endpoints. What must be masqueraded, accepted or refused is decided
by one rule a set (``KUBE-CLUSTER-IP``, ``KUBE-NODE-PORT-TCP`` …): a new Service adds elements, not rules, which is why the number of rules
doesn't grow. A Service without endpoints keeps its virtual server, and that refuses ("port unreachable").

In: service ports with their chosen endpoints (``chosen``) → out: a ``Plan``: sets, virtual servers, addresses and the restore input; ``text_of``
prints all of it. ``sync`` brings a node's kernel to a plan as the real proxy does: an endpoint that goes gets weight 0 and stays until its
connections are over (graceful termination).

Simplified here: services are written in the order of their names (upstream walks a Go map); a set that doesn't fit the 65536 elements
is not refused.

Upstream: pkg/proxy/ipvs/{proxier,ipset,graceful_termination}.go (1.33).
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from msgspec import Struct, field

from cluster.kubeproxy.change_tracker import ChangeTracker, PortName, ServicePort
from cluster.kubeproxy.common_rules import covers, masquerading
from cluster.kubeproxy.endpoints import Selection, select
from cluster.kubeproxy.options import ProxyOptions
from cluster.netfilter.ipset import IpSet, save_sets
from cluster.netfilter.ipvs import Ipvs, RealServer, VirtualServer, save_servers
from cluster.netfilter.parse import restore
from cluster.netfilter.tables import Ruleset, fresh_ruleset

DUMMY_DEVICE = "kube-ipvs0"
NAT_CHAINS = ("KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ")
FILTER_CHAINS = (
    "KUBE-FORWARD", "KUBE-NODE-PORT", "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL", "KUBE-IPVS-FILTER", "KUBE-IPVS-OUT-FILTER",
)  # fmt: skip
SETS: dict[str, tuple[str, str]] = {
    "KUBE-LOOP-BACK": ("hash:ip,port,ip", "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"),
    "KUBE-CLUSTER-IP": ("hash:ip,port", "Kubernetes service cluster ip + port for masquerade purpose"),
    "KUBE-EXTERNAL-IP": ("hash:ip,port", "Kubernetes service external ip + port for masquerade and filter purpose"),
    "KUBE-EXTERNAL-IP-LOCAL": ("hash:ip,port", "Kubernetes service external ip + port with externalTrafficPolicy=local"),
    "KUBE-LOAD-BALANCER": ("hash:ip,port", "Kubernetes service lb portal"),
    "KUBE-LOAD-BALANCER-FW": ("hash:ip,port", "Kubernetes service load balancer ip + port for load balancer with sourceRange"),
    "KUBE-LOAD-BALANCER-LOCAL": ("hash:ip,port", "Kubernetes service load balancer ip + port with externalTrafficPolicy=local"),
    "KUBE-LOAD-BALANCER-SOURCE-IP": ("hash:ip,port,ip", "Kubernetes service load balancer ip + port + source IP for packet filter purpose"),
    "KUBE-LOAD-BALANCER-SOURCE-CIDR": ("hash:ip,port,net", "Kubernetes service load balancer ip + port + source cidr for packet filter purpose"),
    "KUBE-NODE-PORT-TCP": ("bitmap:port", "Kubernetes nodeport TCP port for masquerade purpose"),
    "KUBE-NODE-PORT-LOCAL-TCP": ("bitmap:port", "Kubernetes nodeport TCP port with externalTrafficPolicy=local"),
    "KUBE-NODE-PORT-UDP": ("bitmap:port", "Kubernetes nodeport UDP port for masquerade purpose"),
    "KUBE-NODE-PORT-LOCAL-UDP": ("bitmap:port", "Kubernetes nodeport UDP port with externalTrafficPolicy=local"),
    "KUBE-NODE-PORT-SCTP-HASH": ("hash:ip,port", "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'"),
    "KUBE-NODE-PORT-LOCAL-SCTP-HASH": ("hash:ip,port", "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'"),
    "KUBE-HEALTH-CHECK-NODE-PORT": ("bitmap:port", "Kubernetes health check node port"),
    "KUBE-IPVS-IPS": ("hash:ip", "Addresses on the ipvs interface"),
}  # fmt: skip
"""Set → its type, and the comment of the rules that ask it."""
ADDRESS_SET = "KUBE-IPVS-IPS"
SET_RULES = (
    ("KUBE-LOOP-BACK", "nat", "KUBE-POSTROUTING", "MASQUERADE", "dst,dst,src", ""),
    ("KUBE-LOAD-BALANCER", "nat", "KUBE-SERVICES", "KUBE-LOAD-BALANCER", "dst,dst", ""),
    ("KUBE-LOAD-BALANCER-LOCAL", "nat", "KUBE-LOAD-BALANCER", "RETURN", "dst,dst", ""),
    ("KUBE-NODE-PORT-LOCAL-TCP", "nat", "KUBE-NODE-PORT", "RETURN", "dst", "tcp"),
    ("KUBE-NODE-PORT-TCP", "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst", "tcp"),
    ("KUBE-NODE-PORT-LOCAL-UDP", "nat", "KUBE-NODE-PORT", "RETURN", "dst", "udp"),
    ("KUBE-NODE-PORT-UDP", "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst", "udp"),
    ("KUBE-NODE-PORT-LOCAL-SCTP-HASH", "nat", "KUBE-NODE-PORT", "RETURN", "dst,dst", "sctp"),
    ("KUBE-NODE-PORT-SCTP-HASH", "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst,dst", "sctp"),
    ("KUBE-LOAD-BALANCER-FW", "filter", "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL", "dst,dst", ""),
    ("KUBE-LOAD-BALANCER-SOURCE-CIDR", "filter", "KUBE-SOURCE-RANGES-FIREWALL", "RETURN", "dst,dst,src", ""),
    ("KUBE-LOAD-BALANCER-SOURCE-IP", "filter", "KUBE-SOURCE-RANGES-FIREWALL", "RETURN", "dst,dst,src", ""),
)
"""(set, table, chain, target, directions, protocol): rules that are there when the set isn't empty. The local ones stand before the others."""
BASE_JUMPS: dict[str, tuple[str, ...]] = {
    "nat": (
        '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
    ),
    "filter": (
        '-A INPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-FILTER',
        '-A INPUT -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL',
        '-A INPUT -m comment --comment "kubernetes health check rules" -j KUBE-NODE-PORT',
        '-A FORWARD -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL',
        '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
        '-A OUTPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-OUT-FILTER',
    ),
}
"""The jumps from the built-in chains, in the order in which prepending them one by one leaves them."""


class Chosen(Struct, frozen=True):
    """A service port, the endpoints this node uses, and those that live on it (ready or not: for hairpin)."""

    port: ServicePort
    selection: Selection
    here: tuple[str, ...]


class Part(Struct):
    """What one service port brings along."""

    sets: list[tuple[str, str]] = field(default_factory=list)
    servers: list[VirtualServer] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    barred: list[tuple[str, str, int]] = field(default_factory=list)
    """(address, protocol, port) of load balancers that the node itself may not call."""


class Plan(Struct):
    """Everything that is to be in the kernel. ``rules`` is the input of ``iptables-restore --noflush``."""

    sets: dict[str, IpSet]
    ipvs: Ipvs
    rules: str


def set_name(name: str, family: int) -> str:
    """``KUBE-CLUSTER-IP``, in IPv6 ``KUBE-6-CLUSTER-IP`` (31 characters at most)."""
    return name if family == 4 else name.replace("KUBE-", "KUBE-6-", 1)[:31]


def chosen(tracker: ChangeTracker, service: str, options: ProxyOptions) -> dict[PortName, Chosen]:
    """The ports of a Service (``namespace/name``) with the endpoints that this node uses, as of now."""
    found = {}
    for name, port in tracker.services.get(service, {}).items():
        endpoints = tracker.endpoints(name)
        here = tuple(e.target for e in endpoints if options.node and e.node == options.node)
        found[name] = Chosen(port, select(endpoints, port, options.node, options.zone), here)
    return found


def everything(tracker: ChangeTracker, options: ProxyOptions) -> dict[PortName, Chosen]:
    """The ports of all Services."""
    return {name: one for service in tracker.services for name, one in chosen(tracker, service, options).items()}


def node_port_ips(options: ProxyOptions) -> tuple[str, ...]:
    """Addresses with a virtual server for every node port: all of the node's, or those that ``nodePortAddresses`` names; never a loopback."""
    own = [
        a for a in dict.fromkeys(options.node_ips or (options.node_ip,)) if a and (":" in a) == (options.family == 6)
    ]
    wanted = options.nodeport_match()
    return tuple(a for a in own if not ip_address(a).is_loopback and (wanted is None or a in wanted))


class _Writer:
    """Writes one service port, in upstream's order."""

    def __init__(self, one: Chosen, options: ProxyOptions, node_ips: tuple[str, ...]) -> None:
        self.service, self.selection, self.here = one.port, one.selection, one.here
        self.options, self.node_ips = options, node_ips
        self.protocol = self.service.name.protocol
        self.part = Part()

    def write(self) -> Part:
        service = self.service
        for target in self.here:
            ip, _, port = target.rpartition(":")
            self._add("KUBE-LOOP-BACK", f"{ip.strip('[]')},{self.protocol}:{port},{ip.strip('[]')}")
        self._add("KUBE-CLUSTER-IP", self._element(service.cluster_ip))
        self._serve(service.cluster_ip, service.port, service.internal_local, True)
        for address in service.external_ips:
            local = "-LOCAL" if service.external_local else ""
            self._add(f"KUBE-EXTERNAL-IP{local}", self._element(address))
            self._serve(address, service.port, service.external_local, address not in self.options.node_ips)
        for address in service.lb_vips:
            self._load_balancer(address)
            self._serve(address, service.port, service.external_local, address not in self.options.node_ips)
        if service.node_port:
            if not self.node_ips:
                return self.part  # upstream goes on with the next service here, past the health check as well
            self._node_port()
        if service.health_check_node_port:
            self._add("KUBE-HEALTH-CHECK-NODE-PORT", str(service.health_check_node_port))
        return self.part

    def _add(self, name: str, element: str) -> None:
        self.part.sets.append((name, element))

    def _element(self, address: str) -> str:
        return f"{address},{self.protocol}:{self.service.port}"

    def _serve(self, address: str, port: int, local: bool, bind: bool) -> None:
        """A virtual server with the endpoints of its policy; without local ones those of the whole cluster take their place."""
        targets = self.selection.cluster
        if local and self.selection.local:
            targets = self.selection.local
        scheduler = self.options.scheduler or "rr"
        flags = ("mh-port",) if scheduler == "mh" else ()
        server = VirtualServer(address, port, self.protocol, scheduler, self.service.affinity_seconds, flags)
        for target in targets:
            ip, _, real_port = target.rpartition(":")
            server.servers[target] = RealServer(ip.strip("[]"), int(real_port))
        self.part.servers.append(server)
        if bind:
            self.part.addresses.append(address)

    def _load_balancer(self, address: str) -> None:
        service, options = self.service, self.options
        self._add("KUBE-LOAD-BALANCER", self._element(address))
        if service.external_local:
            self._add("KUBE-LOAD-BALANCER-LOCAL", self._element(address))
        if not service.source_ranges:
            return
        self._add("KUBE-LOAD-BALANCER-FW", self._element(address))
        for cidr in service.source_ranges:
            net = str(ip_network(cidr, strict=False))
            self._add("KUBE-LOAD-BALANCER-SOURCE-CIDR", f"{self._element(address)},{net}")
        if covers(service.source_ranges, options.node_ip):
            self._add("KUBE-LOAD-BALANCER-SOURCE-IP", f"{self._element(address)},{address}")
        else:
            self.part.barred.append((address, self.protocol, service.port))

    def _node_port(self) -> None:
        port = self.service.node_port
        names = [f"KUBE-NODE-PORT-{self.protocol.upper()}"]
        if self.service.external_local:
            names.append(f"KUBE-NODE-PORT-LOCAL-{self.protocol.upper()}")
        for name in names:
            if self.protocol == "sctp":
                for address in self.node_ips:
                    self._add(f"{name}-HASH", f"{address},sctp:{port}")
            else:
                self._add(name, str(port))
        for address in self.node_ips:
            self._serve(address, port, self.service.external_local, False)


def parts_of(ports: dict[PortName, Chosen], options: ProxyOptions) -> list[Part]:
    """One part a service port, in the order of their names."""
    node_ips = node_port_ips(options)
    return [_Writer(ports[name], options, node_ips).write() for name in sorted(ports)]


def plan(ports: dict[PortName, Chosen], options: ProxyOptions, *, jumps: bool = False) -> Plan:
    """What is to be in the kernel for these service ports."""
    sets: dict[str, IpSet] = {}
    for name, (kind, _) in SETS.items():
        family = "inet" if options.family == 4 else "inet6"
        hashed = ("family", family, "hashsize", "1024", "maxelem", "65536")
        sets[name] = IpSet(
            set_name(name, options.family),
            kind,
            options.family,
            ("range", "0-65535") if kind == "bitmap:port" else hashed,
        )
    ipvs = Ipvs()
    barred: list[tuple[str, str, int]] = []
    for one in parts_of(ports, options):
        for name, element in one.sets:
            sets[name].entries[element] = ""
        for server in one.servers:
            ipvs.servers.setdefault(server.key, server)
        ipvs.addresses.update(dict.fromkeys(one.addresses))
        barred += one.barred
    sets[ADDRESS_SET].entries.update(dict.fromkeys(ipvs.addresses, ""))
    filled = {name for name, found in sets.items() if found.entries}
    rules = restore_input(options, filled, barred, jumps=jumps)
    return Plan({found.name: found for found in sets.values()}, ipvs, rules)


# -- its iptables rules -------------------------------------------------------------------------------------------------


def restore_input(
    options: ProxyOptions, filled: set[str], barred: Iterable[tuple[str, str, int]], *, jumps: bool = False
) -> str:
    """What one sync feeds to ``iptables-restore``. ``filled``: the sets (IPv4 names) that hold something."""
    nat = [f"-A KUBE-SERVICES -s {'127.0.0.0/8' if options.family == 4 else '::1/128'} -j RETURN"]
    rules: dict[str, list[str]] = {"nat": nat, "filter": []}
    for name, table, chain, target, sides, protocol in SET_RULES:
        if name in filled:
            head = f"-A {chain} -p {protocol} " if protocol else f"-A {chain} "
            rules[table].append(f"{head}{_asks(name, sides, options)} -j {target}")
    if "KUBE-CLUSTER-IP" in filled:
        masked = "src,dst"
        if options.masquerade_all or options.if_not_local():
            masked = "dst,dst"
        but = () if options.masquerade_all else options.if_not_local()
        words = ["-A KUBE-SERVICES", _asks("KUBE-CLUSTER-IP", masked, options), *but, "-j KUBE-MARK-MASQ"]
        nat.append(" ".join(words))
    for name in ("KUBE-EXTERNAL-IP", "KUBE-EXTERNAL-IP-LOCAL"):
        if name in filled:
            head = f"-A KUBE-SERVICES {_asks(name, 'dst,dst', options)}"
            if name == "KUBE-EXTERNAL-IP":
                nat.append(f"{head} -j KUBE-MARK-MASQ")
            nat.append(f"{head} -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT")
            nat.append(f"{head} -m addrtype --dst-type LOCAL -j ACCEPT")
    nat.append("-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT")
    nat.append("-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ")
    rules["filter"].append("-A KUBE-SOURCE-RANGES-FIREWALL -j DROP")
    for address, protocol, port in barred:  # IPVS leaves the load balancer's address as source and virtual address
        vip = f"-m ipvs --vaddr {address} --vproto {protocol} --vport {port}"
        rules["filter"].append(f"-A KUBE-IPVS-OUT-FILTER -s {address} {vip} -j DROP")
    for name in ("KUBE-CLUSTER-IP", "KUBE-LOAD-BALANCER"):
        if name in filled:
            nat.append(f"-A KUBE-SERVICES {_set(name, 'dst,dst', options)} -j ACCEPT")
    rules["filter"] += _filter_tail(options)
    nat += masquerading(options)
    lines: list[str] = []
    for table, chains in (("nat", NAT_CHAINS), ("filter", FILTER_CHAINS)):
        lines += [f"*{table}", *(f":{chain} - [0:0]" for chain in chains)]
        lines += [*(BASE_JUMPS[table] if jumps else ()), *rules[table], "COMMIT"]
    return "\n".join(lines) + "\n"


def _set(name: str, sides: str, options: ProxyOptions) -> str:
    return f"-m set --match-set {set_name(name, options.family)} {sides}"


def _asks(name: str, sides: str, options: ProxyOptions) -> str:
    return f'-m comment --comment "{SETS[name][1]}" {_set(name, sides, options)}'


def _filter_tail(options: ProxyOptions) -> list[str]:
    mark = f"{options.mark:#08x}"
    returns = [("KUBE-LOAD-BALANCER", "dst,dst"), ("KUBE-CLUSTER-IP", "dst,dst"), ("KUBE-EXTERNAL-IP", "dst,dst"),
               ("KUBE-EXTERNAL-IP-LOCAL", "dst,dst"), ("KUBE-HEALTH-CHECK-NODE-PORT", "dst")]  # fmt: skip
    return [
        f'-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark {mark}/{mark} -j ACCEPT',
        '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        f"-A KUBE-NODE-PORT {_asks('KUBE-HEALTH-CHECK-NODE-PORT', 'dst', options)} -j ACCEPT",
        *(f"-A KUBE-IPVS-FILTER {_set(name, sides, options)} -j RETURN" for name, sides in returns),
        f"-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW {_set(ADDRESS_SET, 'dst', options)} -j REJECT",
    ]


def base_jumps() -> str:
    """Restore input that makes the chains and the jumps to them."""
    lines: list[str] = []
    for table, chains in (("nat", NAT_CHAINS), ("filter", FILTER_CHAINS)):
        lines += [f"*{table}", *(f":{chain} - [0:0]" for chain in chains), *BASE_JUMPS[table], "COMMIT"]
    return "\n".join(lines) + "\n"


def kernel_of(ports: dict[PortName, Chosen], options: ProxyOptions) -> Ruleset:
    """A node's kernel with these service ports in it: base jumps, rules, sets, virtual servers."""
    found = plan(ports, options)
    kernel = fresh_ruleset(options.family)
    restore(kernel, base_jumps())
    restore(kernel, found.rules)
    kernel.sets, kernel.ipvs = found.sets, found.ipvs
    return kernel


# -- as text ------------------------------------------------------------------------------------------------------------


def text_of(found: Plan) -> str:
    """``ipset save``, ``ipvsadm-save -n``, the addresses of ``kube-ipvs0`` (as comments) and the rules: what ``tracepacket`` reads again."""
    addresses = "".join(f"# {a}/{128 if ':' in a else 32} dev {DUMMY_DEVICE}\n" for a in found.ipvs.addresses)
    return (
        f"# ipset save\n{save_sets(found.sets)}# ipvsadm-save -n\n{save_servers(found.ipvs)}"
        f"# ip addr show dev {DUMMY_DEVICE}\n{addresses}# iptables-restore --noflush\n{found.rules}"
    )


def table_text(ports: dict[PortName, Chosen], options: ProxyOptions) -> str:
    """All of it for these service ports."""
    return text_of(plan(ports, options))


def fresh_table_text(tracker: ChangeTracker, options: ProxyOptions, *, jumps: bool = False) -> str:
    """All of it for what the tracker knows."""
    return text_of(plan(everything(tracker, options), options, jumps=jumps))


def part(ports: dict[PortName, Chosen], options: ProxyOptions) -> dict[str, None]:
    """The lines of sets and virtual servers that are there because of these ports, each once."""
    lines: dict[str, None] = {}
    for one in parts_of(ports, options):
        for name, element in one.sets:
            lines[f"add {set_name(name, options.family)} {element}"] = None
        for address in one.addresses:
            lines[f"add {set_name(ADDRESS_SET, options.family)} {address}"] = None
        for server in one.servers:
            lines.update(dict.fromkeys(save_servers(Ipvs({server.key: server})).splitlines()))
    return lines


def base_rules(options: ProxyOptions) -> int:
    """How many rules there are without any Service."""
    return restore_input(options, set(), ()).count("\n-A ") + sum(map(len, BASE_JUMPS.values()))


def rule_count(ports: Iterable[Chosen], options: ProxyOptions) -> int:
    """How many rules there are: they depend on which sets hold anything, not on how much."""
    filled: set[str] = set()
    barred = 0
    node_ips = node_port_ips(options)
    for one in ports:
        port, local = one.port, "-LOCAL" if one.port.external_local else ""
        filled.add("KUBE-CLUSTER-IP")
        if one.here:
            filled.add("KUBE-LOOP-BACK")
        if port.external_ips:
            filled.add(f"KUBE-EXTERNAL-IP{local}")
        if port.node_port and node_ips:
            tail = f"{port.name.protocol.upper()}{'-HASH' if port.name.protocol == 'sctp' else ''}"
            filled.update((f"KUBE-NODE-PORT-{tail}", f"KUBE-NODE-PORT{local}-{tail}"))
        if port.lb_vips:
            filled.update(("KUBE-LOAD-BALANCER", f"KUBE-LOAD-BALANCER{local}"))
            if port.source_ranges:
                filled.update(("KUBE-LOAD-BALANCER-FW", "KUBE-LOAD-BALANCER-SOURCE-CIDR"))
                if covers(port.source_ranges, options.node_ip):
                    filled.add("KUBE-LOAD-BALANCER-SOURCE-IP")
                else:
                    barred += len(port.lb_vips)
    return restore_input(options, filled, ()).count("\n-A ") + barred + sum(map(len, BASE_JUMPS.values()))
