"""What is put to the kernel: upstream's cases with their packets, services of every kind from every side, and rules of no kube-proxy.

A case is made when it is run: (rules, options, the node's addresses, rows).
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import yaml
from msgspec import structs

from cluster.kubeproxy.offline import read_objects, tracker_of
from cluster.kubeproxy.options import ProxyOptions
from tests.cluster.kubeproxy.test_upstream_cases import CASES as UPSTREAM
from tests.cluster.kubeproxy.test_upstream_cases import DATA, case, options
from tests.kernel.checks import Row, rules_for
from tests.kernel.random_cases import rules as random_rules
from tests.kernel.random_cases import services as random_services

Case = tuple[str, ProxyOptions, tuple[str, ...], list[Row]]
HERE = Path(__file__).parent
NODE_IPS = {4: ("192.168.0.2", "192.168.1.2"), 6: ("2001:db8::1", "2001:db8:1::2")}


def upstream(name: str) -> Case:
    """A case of upstream's, with its own packets."""
    header, body = case(name)
    given = options(header)
    node_ips = tuple(a for a in header["proxy"]["localIPsForPacketWalk"] if ":" not in a and not a.startswith("127."))
    rows = [
        Row(row["src"], row["dst"], row["protocol"].lower(), row["port"])
        for row in yaml.safe_load((DATA / header["packets"]).read_text())["rows"]
    ]
    return rules_for(body, given), given, node_ips, [row for row in rows if row.src != row.dst]


def services(mode: str, family: int) -> Case:
    """Every kind of service, from a pod, the node, and outside (in the source ranges and not)."""
    objects = (HERE / f"services-{family}.yaml").read_text()
    cidr = "10.0.0.0/8" if family == 4 else "fd00:10::/32"
    node_ips = NODE_IPS[family]
    given = ProxyOptions(
        node="node-1",
        node_ip=node_ips[0],
        node_ips=node_ips,
        mode=mode,
        family=family,
        cluster_cidr=cidr,
        service_cidrs=("172.30.0.0/16",) if family == 4 else ("fd00:1722::/112",),
    )
    sources = ["10.0.0.9", "192.168.0.2", "203.0.113.2", "203.0.113.130"]
    if family == 6:
        sources = ["fd00:10::9", "2001:db8::1", "2600:5200::1", "2600:5201::1"]
    tracker = tracker_of(read_objects(objects), family)
    rows: list[Row] = []
    for ports in tracker.services.values():
        for name, port in ports.items():
            places = [(a, port.port) for a in (port.cluster_ip, *port.external_ips, *port.lb_vips)]
            if port.node_port:
                places += [(a, port.node_port) for a in node_ips]
            rows += [Row(src, dst, name.protocol, at) for src in sources for dst, at in places]
    if family == 4:
        rows.append(Row("127.0.0.1", "127.0.0.1", "tcp", 30080))
    hairpin = "10.0.1.1" if family == 4 else "fd00:10:1::1"
    first = tracker.services["shop/web"]
    rows += [Row(hairpin, port.cluster_ip, name.protocol, port.port) for name, port in first.items()]
    return rules_for(objects, given), given, node_ips, rows


def generic() -> Case:
    """Rules of no kube-proxy: every match and target that is walked."""
    ports = range(9001, 9001 + 40)
    rows = [Row(src, "192.168.0.2", "tcp", port) for port in ports for src in ("203.0.113.2", "203.0.113.130")]
    rows += [Row("192.168.0.2", "198.51.100.1", "tcp", port) for port in (9101, 9102)]
    rows += [Row("10.0.0.9", "198.51.100.1", "udp", 9103)]
    return (HERE / "generic.iptables").read_text(), ProxyOptions(), NODE_IPS[4], rows


def generic_nft() -> Case:
    """The same in nft's own language, as nft lists it."""
    rows = [
        Row(src, "192.168.0.2", "tcp", port) for port in range(9201, 9264) for src in ("203.0.113.2", "203.0.113.130")
    ]
    return (HERE / "generic.nft").read_text(), ProxyOptions(mode="nftables"), NODE_IPS[4], rows


def _upstream(name: str) -> Callable[[], Case]:
    return lambda: upstream(name)


def _services(mode: str, family: int) -> Callable[[], Case]:
    return lambda: services(mode, family)


def random_cases(first: int, last: int) -> dict[str, Callable[[], Case]]:
    """Those of the seeds from ``first`` to ``last``."""
    found: dict[str, Callable[[], Case]] = {}
    for seed in range(first, last + 1):
        found[f"random rules, seed {seed}"] = lambda seed=seed: random_rules(seed)
        for mode in ("iptables", "nftables"):
            found[f"random services, {mode}, seed {seed}"] = lambda seed=seed, mode=mode: random_services(seed, mode)
    return found


CASES: dict[str, Callable[[], Case]] = {
    **{name: _upstream(name) for name in UPSTREAM if "packets" in case(name)[0]},
    **{
        f"services, {mode}, IPv{family}": _services(mode, family)
        for family in (4, 6)
        for mode in ("iptables", "nftables")
    },
    **{f"services, ipvs, IPv{family}": _services("ipvs", family) for family in (4, 6) if shutil.which("ipset")},
    **random_cases(1, 2),
    "rules of no kube-proxy": generic,
    "tables of no kube-proxy": generic_nft,
}
__all__ = ["CASES", "Case", "structs"]
