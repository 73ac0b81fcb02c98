"""What kube-proxy 1.22 wrote in iptables mode, beside what it writes today: the same service, two sets of rules, and their difference.

What changed since:

* 1.22 had a chain ``KUBE-XLB-…`` for services with ``externalTrafficPolicy: Local``; today every service that can be reached from outside has a
  ``KUBE-EXT-…``, and ``KUBE-SVL-…`` holds the local endpoints (1.24).
* A load balancer's address went through ``KUBE-FW-…`` always, and whoever came to its end was marked 0x8000 in ``KUBE-MARK-DROP``, a chain of kubelet's, and
  dropped by kubelet's ``KUBE-FIREWALL``. Today ``KUBE-FW-…`` is there only with source ranges, and ``KUBE-PROXY-FIREWALL`` in the filter table drops (1.26).
* Masquerading for external traffic was marked in ``KUBE-SVC-…``, with the address again in each rule; today once, in ``KUBE-EXT-…``.
* Local policy without a local endpoint ended in ``KUBE-MARK-DROP``; today a rule of ``KUBE-EXTERNAL-SERVICES`` drops.
* ``internalTrafficPolicy``, a gate then (alpha in 1.21, beta in 1.22), chose another list of endpoints for ``KUBE-SVC-…``; today it has ``KUBE-SVL-…``.

In: service ports with their chosen endpoints → out: ``PortRules`` as 1.22 had them; ``by_version`` renders whole texts, ``differences`` says what only one
of them has.

Simplified here: of internalTrafficPolicy 1.22's default gate is taken as on; endpoints are chosen as today, with zone hints and, where
none is ready, terminating ones (gates of 1.22 that were off); kubelet's chains are written along (``kubelet_rules``).

Upstream: pkg/proxy/iptables/proxier.go of 1.22; pkg/kubelet/kubelet_network_linux.go.
"""

from collections.abc import Callable
from difflib import unified_diff

from msgspec import structs

from cluster.kubeproxy.change_tracker import ChangeTracker, ServicePort
from cluster.kubeproxy.common_rules import comment, covers, masquerading
from cluster.kubeproxy.endpoints import Selection, select
from cluster.kubeproxy.modes import iptables
from cluster.kubeproxy.modes.iptables import PortRules, endpoint_chain, service_chain
from cluster.kubeproxy.options import ProxyOptions
from cluster.kubeproxy.rulebook import Rulebook

OLD, NEW = "1.22", "1.32"
FILTER_CHAINS = ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-NODEPORTS")
NAT_CHAINS = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ")
BASE_JUMPS: dict[str, tuple[str, ...]] = {
    "filter": (
        "-A INPUT -j KUBE-FIREWALL",
        '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS',
        '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
        '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
        '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
        "-A OUTPUT -j KUBE-FIREWALL",
        '-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    ),
    "nat": iptables.BASE_JUMPS["nat"],
}  # fmt: skip


class _Writer:
    """Writes one service port in 1.22's order."""

    def __init__(self, service: ServicePort, selection: Selection, options: ProxyOptions) -> None:
        self.service, self.selection, self.options = service, selection, options
        self.name, self.protocol = str(service.name), service.name.protocol
        self.svc, self.xlb, self.fw = (
            service_chain(prefix, service.name) for prefix in ("KUBE-SVC-", "KUBE-XLB-", "KUBE-FW-")
        )
        self.filter: list[str] = []
        self.nat: list[str] = []
        self.chains: dict[str, list[str]] = {}

    def write(self) -> PortRules:
        service = self.service
        inside = self.selection.local if service.internal_local else self.selection.cluster
        used = tuple(t for t in self.selection.reachable if t in inside or t in self.selection.local)
        if self.selection.has_endpoints:
            for target in used:
                self._endpoint(target)
            self.chains.setdefault(self.svc, [])
            if service.external_local:
                self.chains.setdefault(self.xlb, [])
        self._cluster_ip()
        for address in service.external_ips:
            self._external_ip(address)
        for address in service.lb_vips:
            self._load_balancer(address)
        if service.node_port:
            self._node_port()
        if service.health_check_node_port:
            why = comment(f"{self.name} health check node port")
            self.filter.append(
                f"-A KUBE-NODEPORTS {why} -m tcp -p tcp --dport {service.health_check_node_port} -j ACCEPT"
            )
        if self.selection.has_endpoints:
            self._choose(self.svc, inside, lambda at: self.name)
            if service.external_local:
                self._local()
        return PortRules(tuple(self.filter), tuple(self.nat), tuple((c, tuple(r)) for c, r in self.chains.items()))

    def _rule(self, chain: str, rule: str) -> None:
        self.chains.setdefault(chain, []).append(f"-A {chain} {rule}")

    def _to(self, address: str, port: int) -> str:
        return f"-m {self.protocol} -p {self.protocol} -d {address} --dport {port}"

    def _refuse(self, chain: str, to: str) -> None:
        self.filter.append(f"-A {chain} {comment(f'{self.name} has no endpoints')} {to} -j REJECT")

    def _endpoint(self, target: str) -> None:
        chain = endpoint_chain(self.service.name, target)
        ip = target.rpartition(":")[0].strip("[]")
        self._rule(chain, f"{comment(self.name)} -s {ip} -j KUBE-MARK-MASQ")
        recent = f"-m recent --name {chain} --set " if self.service.affinity_seconds else ""
        how = f"-m {self.protocol} -p {self.protocol} -j DNAT --to-destination {target}"
        self._rule(chain, f"{comment(self.name)} {recent}{how}")

    def _cluster_ip(self) -> None:
        to = self._to(self.service.cluster_ip, self.service.port)
        if not self.selection.has_endpoints:
            self._refuse("KUBE-SERVICES", to)
            return
        head = f"{comment(f'{self.name} cluster IP')} {to}"
        if self.options.masquerade_all:
            self._rule(self.svc, f"{head} -j KUBE-MARK-MASQ")
        elif but := self.options.if_not_local():
            self._rule(self.svc, f"{head} {' '.join(but)} -j KUBE-MARK-MASQ")
        self.nat.append(f"-A KUBE-SERVICES {head} -j {self.svc}")

    def _external_ip(self, address: str) -> None:
        to = self._to(address, self.service.port)
        if not self.selection.has_endpoints:
            self._refuse("KUBE-EXTERNAL-SERVICES", to)
            return
        head = f"{comment(f'{self.name} external IP')} {to}"
        if not self.service.external_local:
            self._rule(self.svc, " ".join((head, *self.options.if_not_local(), "-j KUBE-MARK-MASQ")))
        self.nat.append(f"-A KUBE-SERVICES {head} -j {self.xlb if self.service.external_local else self.svc}")

    def _load_balancer(self, address: str) -> None:
        to = self._to(address, self.service.port)
        if not self.selection.has_endpoints:
            self._refuse("KUBE-EXTERNAL-SERVICES", to)
            return
        why = comment(f"{self.name} loadbalancer IP")
        self.nat.append(f"-A KUBE-SERVICES {why} {to} -j {self.fw}")
        chain = self.xlb if self.service.external_local else self.svc
        if not self.service.external_local:
            self._rule(self.fw, f"{why} -j KUBE-MARK-MASQ")
        sources = list(self.service.source_ranges)
        if sources and covers(sources, self.options.node_ip):
            sources.append(address)
        for source in sources:
            self._rule(self.fw, f"{why} -s {source} -j {chain}")
        if not sources:
            self._rule(self.fw, f"{why} -j {chain}")
        self._rule(self.fw, f"{why} -j KUBE-MARK-DROP")

    def _node_port(self) -> None:
        protocol = f"-m {self.protocol} -p {self.protocol} --dport {self.service.node_port}"
        if not self.selection.has_endpoints:
            self._refuse("KUBE-EXTERNAL-SERVICES", f"-m addrtype --dst-type LOCAL {protocol}")
            return
        head = f"{comment(self.name)} {protocol}"
        if self.service.external_local:
            loopback = "127.0.0.0/8" if self.options.family == 4 else "::1/128"
            self.nat.append(f"-A KUBE-NODEPORTS {head} -s {loopback} -j KUBE-MARK-MASQ")
            self.nat.append(f"-A KUBE-NODEPORTS {head} -j {self.xlb}")
        else:
            self._rule(self.svc, f"{head} -j KUBE-MARK-MASQ")
            self.nat.append(f"-A KUBE-NODEPORTS {head} -j {self.svc}")

    def _choose(self, chain: str, targets: tuple[str, ...], why: Callable[[int], str]) -> None:
        chosen = [endpoint_chain(self.service.name, target) for target in targets]
        if self.service.affinity_seconds:
            for endpoint in chosen:
                recent = f"-m recent --name {endpoint} --rcheck --seconds {self.service.affinity_seconds} --reap"
                self._rule(chain, f"{comment(self.name)} {recent} -j {endpoint}")
        for at, endpoint in enumerate(chosen):
            left = len(chosen) - at
            chance = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
            self._rule(chain, f"{comment(why(at))} {chance}-j {endpoint}")

    def _local(self) -> None:
        if local := self.options.if_local():
            why = comment("Redirect pods trying to reach external loadbalancer VIP to clusterIP")
            self._rule(self.xlb, f"{why} {' '.join(local)} -j {self.svc}")
        node = "-m addrtype --src-type LOCAL"
        why = comment(f"masquerade LOCAL traffic for {self.name} LB IP")
        self._rule(self.xlb, f"{why} {node} -j KUBE-MARK-MASQ")
        why = comment(f"route LOCAL traffic for {self.name} LB IP to service chain")
        self._rule(self.xlb, f"{why} {node} -j {self.svc}")
        if self.selection.local:
            self._choose(self.xlb, self.selection.local, lambda at: f"Balancing rule {at} for {self.name}")
        else:
            self._rule(self.xlb, f"{comment(f'{self.name} has no local endpoints')} -j KUBE-MARK-DROP")


def port_rules(service: ServicePort, selection: Selection, options: ProxyOptions) -> PortRules:
    """The rules of one service port as 1.22 wrote them."""
    return _Writer(service, selection, options).write()


def kubelet_rules(options: ProxyOptions) -> tuple[list[str], list[str]]:
    """(filter, nat): what kubelet of 1.22 kept for kube-proxy: the mark that means "drop", and the rule that does."""
    localnet = (
        f"-A KUBE-FIREWALL {comment('block incoming localnet connections')} -d 127.0.0.0/8 ! -s 127.0.0.0/8 "
        "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
    )
    dropping = f"-A KUBE-FIREWALL {comment('kubernetes firewall for dropping marked packets')} -m mark --mark 0x8000/0x8000 -j DROP"
    return [":KUBE-FIREWALL - [0:0]", dropping, *([localnet] if options.family == 4 else [])], [
        ":KUBE-MARK-DROP - [0:0]",
        "-A KUBE-MARK-DROP -j MARK --or-mark 0x8000",
    ]


def old_text(tracker: ChangeTracker, options: ProxyOptions, *, jumps: bool = False) -> str:
    """The whole restore input in 1.22's form, with kubelet's rules."""
    ports = [
        port_rules(port, select(tracker.endpoints(name), port, options.node, options.zone), options)
        for name, port in sorted((n, p) for found in tracker.services.values() for n, p in found.items())
    ]
    mark = f"{options.mark:#08x}"
    kubelet_filter, kubelet_nat = kubelet_rules(options)
    lines = ["*filter", *(f":{chain} - [0:0]" for chain in FILTER_CHAINS), *kubelet_filter]
    lines += [*(BASE_JUMPS["filter"] if jumps else ()), *(line for port in ports for line in port.filter)]
    forward = "-A KUBE-FORWARD"
    lines += [
        f"{forward} -m conntrack --ctstate INVALID -j DROP",
        f"{forward} {comment('kubernetes forwarding rules')} -m mark --mark {mark}/{mark} -j ACCEPT",
        f"{forward} {comment('kubernetes forwarding conntrack pod source rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"{forward} {comment('kubernetes forwarding conntrack pod destination rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "COMMIT",
    ]
    own = [chain for port in ports for chain in port.chains]
    lines += ["*nat", *(f":{chain} - [0:0]" for chain in NAT_CHAINS), *kubelet_nat]
    lines += [*(f":{chain} - [0:0]" for chain, _ in own), *(BASE_JUMPS["nat"] if jumps else ())]
    lines += masquerading(options)
    lines += [line for port in ports for line in port.nat]
    lines += [rule for _, rules in own for rule in rules]
    lines += [*iptables.node_ports(options), "COMMIT"]
    return "\n".join(lines) + "\n"


def by_version(tracker: ChangeTracker, options: ProxyOptions, *, jumps: bool = False) -> dict[str, str]:
    """Version → its restore input for the same objects on the same node."""
    options = structs.replace(options, mode="iptables")
    new = Rulebook().sync(tracker, options, [], full=True, jumps=jumps).text
    return {OLD: old_text(tracker, options, jumps=jumps), NEW: new}


def differences(texts: dict[str, str]) -> list[str]:
    """A unified diff of the two, chain by chain: rules of a chain stand together, chains in the order of their names."""
    old, new = (_by_chain(texts[version]) for version in (OLD, NEW))
    return list(unified_diff(old, new, f"kube-proxy {OLD}", f"kube-proxy {NEW}", lineterm="", n=1))


def _by_chain(text: str) -> list[str]:
    chains: dict[str, list[str]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("-A "):
            chains.setdefault(f"{table} {line.split()[1]}", []).append(line)
    return [line for name in sorted(chains) for line in (f"# {name}", *chains[name])]
