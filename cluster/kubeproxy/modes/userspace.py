"""userspace mode, for history (the default until 1.2, removed in 1.26): kube-proxy itself carries the traffic.

For every service port the process listens on a port of its own. A *portal* is a rule that turns packets for the service's address to that
port: by REDIRECT when they come from a container, by DNAT to the node's address when they come from the host itself (what the
kernel does with a REDIRECT there gave answers from the wrong address). The process accepts the connection, picks the next endpoint
(round robin, or the one the client had), connects to it and copies bytes. So the pod always sees the node's address, every byte
passes a process, and a service without endpoints accepts the connection and closes it at once.

In: service ports with their ready endpoints (``chosen``) → out: the rules as restore input, with a comment a service port for the process; ``Balancer`` is
the process's choice. Traffic policies, topology, source ranges and SCTP are unknown to it, as they were.

Simplified here: proxy ports are derived from the service port's name, and of two that would share one the later moves up (the real ones
are whatever the kernel gives, or the next of ``--proxy-port-range``); endpoints stand in the order of their text (the real one shuffles them);
``Balancer`` is the choice by itself: packets of a running cluster reach the process's port and nobody answers there.

Upstream: pkg/proxy/userspace/{proxier,roundrobin}.go (1.18 to 1.25).
"""

from collections.abc import Mapping
from hashlib import sha256

from msgspec import Struct, field

from cluster.kubeproxy.change_tracker import ChangeTracker, PortName, ServicePort
from cluster.kubeproxy.options import ProxyOptions
from cluster.netfilter.parse import restore
from cluster.netfilter.tables import Ruleset, fresh_ruleset
from cluster.sim import SECOND

NAT_CHAINS = ("KUBE-PORTALS-CONTAINER", "KUBE-PORTALS-HOST", "KUBE-NODEPORT-CONTAINER", "KUBE-NODEPORT-HOST")
FILTER_CHAINS = ("KUBE-NODEPORT-NON-LOCAL",)
FIRST, LAST = (
    '-m comment --comment "handle ClusterIPs; NOTE: this must be before the NodePort rules"',
    '-m comment --comment "handle service NodePorts; NOTE: this must be the last rule in the chain"',
)
BASE_JUMPS: dict[str, tuple[str, ...]] = {
    "nat": (
        f"-A PREROUTING {FIRST} -j KUBE-PORTALS-CONTAINER",
        f"-A PREROUTING -m addrtype --dst-type LOCAL {LAST} -j KUBE-NODEPORT-CONTAINER",
        f"-A OUTPUT {FIRST} -j KUBE-PORTALS-HOST",
        f"-A OUTPUT -m addrtype --dst-type LOCAL {LAST} -j KUBE-NODEPORT-HOST",
    ),
    "filter": (
        '-A INPUT -m comment --comment "Ensure that non-local NodePort traffic can flow" -j KUBE-NODEPORT-NON-LOCAL',
    ),
}
PORTS = range(32768, 61000)
"""Where proxy ports lie: the kernel's ephemeral range."""


class Chosen(Struct, frozen=True):
    """A service port, its ready endpoints wherever they are, and the port on which the process listens for it."""

    port: ServicePort
    endpoints: tuple[str, ...]
    proxy_port: int


def proxy_port(name: PortName) -> int:
    """The port of the process for a service port."""
    return PORTS[int.from_bytes(sha256(f"{name}/{name.protocol}".encode()).digest()[:4], "big") % len(PORTS)]


def chosen(tracker: ChangeTracker, service: str, options: ProxyOptions) -> dict[PortName, Chosen]:
    """The ports of a Service (``namespace/name``) as of now; SCTP ones are not served."""
    return {
        name: Chosen(port, tuple(e.target for e in tracker.endpoints(name) if e.ready), proxy_port(name))
        for name, port in tracker.services.get(service, {}).items()
        if name.protocol != "sctp"
    }


def everything(tracker: ChangeTracker, options: ProxyOptions) -> dict[PortName, Chosen]:
    """The ports of all Services, each with a proxy port of its own."""
    return apart({name: one for service in tracker.services for name, one in chosen(tracker, service, options).items()})


def apart(ports: Mapping[PortName, Chosen]) -> dict[PortName, Chosen]:
    """The same, with a proxy port of its own for each."""
    found: dict[PortName, Chosen] = {}
    taken: set[tuple[int, str]] = set()
    for name, one in sorted(ports.items()):
        port = one.proxy_port
        while (port, name.protocol) in taken:
            port = PORTS[(port - PORTS[0] + 1) % len(PORTS)]
        taken.add((port, name.protocol))
        found[name] = Chosen(one.port, one.endpoints, port)
    return found


def port_lines(one: Chosen, options: ProxyOptions) -> dict[str, list[str]]:
    """Table → the rules of one service port."""
    service, protocol = one.port, one.port.name.protocol
    bits = 32 if options.family == 4 else 128
    host = f"[{options.node_ip}]" if options.family == 6 else options.node_ip
    to_process = f"-j REDIRECT --to-ports {one.proxy_port}"
    to_host = f"-j DNAT --to-destination {host}:{one.proxy_port}"

    def common(port: int, address: str = "") -> str:
        to = f" -d {address}/{bits}" if address else ""
        return f"-m comment --comment {service.name} -p {protocol} -m {protocol} --dport {port}{to}"

    lines: dict[str, list[str]] = {"nat": [], "filter": []}
    for address in (service.cluster_ip, *service.lb_vips):
        lines["nat"].append(f"-A KUBE-PORTALS-CONTAINER {common(service.port, address)} {to_process}")
        lines["nat"].append(f"-A KUBE-PORTALS-HOST {common(service.port, address)} {to_host}")
    for address in service.external_ips:
        head = common(service.port, address)
        lines["nat"].append(f"-A KUBE-PORTALS-CONTAINER {head} -m physdev ! --physdev-is-in {to_process}")
        lines["nat"].append(f"-A KUBE-PORTALS-CONTAINER {head} -m addrtype --dst-type LOCAL {to_process}")
        lines["nat"].append(f"-A KUBE-PORTALS-HOST {head} -m addrtype --dst-type LOCAL {to_host}")
    if service.node_port:
        lines["nat"].append(f"-A KUBE-NODEPORT-CONTAINER {common(service.node_port)} {to_process}")
        lines["nat"].append(f"-A KUBE-NODEPORT-HOST {common(service.node_port)} {to_host}")
        lines["filter"].append(f"-A KUBE-NODEPORT-NON-LOCAL {common(one.proxy_port)} -m state --state NEW -j ACCEPT")
    return lines


def restore_input(ports: Mapping[PortName, Chosen], options: ProxyOptions, *, jumps: bool = False) -> str:
    """The rules of these service ports as restore input (the real one appends them one by one)."""
    found = [port_lines(ports[name], options) for name in sorted(ports)]
    lines: list[str] = []
    for table, chains in (("filter", FILTER_CHAINS), ("nat", NAT_CHAINS)):
        lines += [f"*{table}", *(f":{chain} - [0:0]" for chain in chains), *(BASE_JUMPS[table] if jumps else ())]
        lines += [*(line for one in found for line in one[table]), "COMMIT"]
    return "\n".join(lines) + "\n"


def base_jumps() -> str:
    """Restore input that makes the chains and the jumps to them."""
    return restore_input({}, ProxyOptions(), jumps=True)


def table_text(ports: Mapping[PortName, Chosen], options: ProxyOptions, *, jumps: bool = False) -> str:
    """The rules, after a comment a service port that says where the process listens and between whom it chooses."""
    heads = "".join(
        f"# kube-proxy listens on {one.proxy_port}/{name.protocol} for {name}: {', '.join(one.endpoints) or 'nobody'}\n"
        for name, one in sorted(ports.items())
    )
    return heads + restore_input(ports, options, jumps=jumps)


def fresh_table_text(tracker: ChangeTracker, options: ProxyOptions, *, jumps: bool = False) -> str:
    """All of it for what the tracker knows."""
    return table_text(everything(tracker, options), options, jumps=jumps)


def kernel_of(ports: Mapping[PortName, Chosen], options: ProxyOptions) -> Ruleset:
    """A node's kernel with these service ports' rules in it."""
    kernel = fresh_ruleset(options.family)
    restore(kernel, restore_input(apart(ports), options, jumps=True))
    return kernel


def part(ports: Mapping[PortName, Chosen], options: ProxyOptions) -> dict[str, None]:
    """The lines that are there because of these ports, each once."""
    return dict.fromkeys(
        line for name in sorted(ports) for lines in port_lines(ports[name], options).values() for line in lines
    )


def base_rules(options: ProxyOptions) -> int:
    """How many rules there are without any Service."""
    return sum(map(len, BASE_JUMPS.values()))


class Balancer(Struct):
    """The process's choice for one service port: the next endpoint in turn, or the one that the client had."""

    endpoints: tuple[str, ...] = ()
    index: int = 0
    affinity_seconds: int = 0
    clients: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Client address → (endpoint, last used: virtual ns)."""

    def update(self, endpoints: tuple[str, ...]) -> None:
        """Other endpoints: the turn begins anew, and clients of those that went are forgotten."""
        if set(endpoints) != set(self.endpoints):
            gone = set(self.endpoints) - set(endpoints)
            self.clients = {c: kept for c, kept in self.clients.items() if kept[0] not in gone}
            self.endpoints, self.index = endpoints, 0

    def next(self, client: str, now: int, *, reset: bool = False) -> str:
        """The endpoint for a new connection; "" when there is none. ``reset``: the client's last one did not answer."""
        if not self.endpoints:
            return ""
        known = self.clients.get(client)
        fresh = known is not None and now - known[1] < self.affinity_seconds * SECOND
        if known is not None and fresh and not reset:
            self.clients[client] = known[0], now
            return known[0]
        found = self.endpoints[self.index]
        self.index = (self.index + 1) % len(self.endpoints)
        if self.affinity_seconds:
            self.clients[client] = found, now
        return found
