"""A node's interfaces, addresses, routes and rules: what ``ip link``, ``ip addr``, ``ip route`` and ``ip rule`` show.

``lo``; ``eth0`` on the machine network; ``cni0``, the bridge that pods' veth pairs are plugged into, with the first address of the node's pod
CIDR; in an overlay network ``flannel.1``, the VXLAN device, with the CIDR's address itself; in IPVS mode the dummy ``kube-ipvs0`` that
holds every Service address. Routes to other nodes' pods go through ``flannel.1``, or through ``eth0`` to the other node itself.

In: the kernel's configuration and state, the Nodes' pod CIDRs → out: rows.

Simplified here: IPv4 only (no link-local IPv6 addresses); counters of links are not kept.

Upstream: flannel-io/flannel pkg/backend/{vxlan,hostgw}, containernetworking/plugins plugins/main/bridge.
"""

from collections.abc import Mapping
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from typing import Any

from cluster.node.state import KernelConfig, KernelState

OVERLAY_MTU = 1450
"""50 bytes go to the outer Ethernet, IP, UDP and VXLAN headers."""
VNI = 1
VXLAN_PORT = 8472


def own_cidr(config: KernelConfig, cidrs: Mapping[str, str]) -> str:
    """The node's pod CIDR, or ""."""
    return cidrs.get(config.node, "")


def bridge_address(cidr: str) -> str:
    """``10.244.1.1`` of ``10.244.1.0/24``."""
    return str(ip_network(cidr)[1]) if cidr else ""


def overlay_address(cidr: str) -> str:
    """``10.244.1.0``."""
    return str(ip_network(cidr)[0]) if cidr else ""


def mac(seed: str) -> str:
    """A locally administered address that belongs to ``seed`` for ever."""
    digest = blake2b(seed.encode(), digest_size=6).digest()
    return ":".join(f"{byte:02x}" for byte in ((digest[0] & 0xFC) | 2, *digest[1:]))


def host_mac(address: str) -> str:
    """As Docker's: 02:42 and the IPv4 address."""
    return "02:42:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def veth_name(uid: str) -> str:
    """``veth`` and eight hex digits."""
    return "veth" + blake2b(uid.encode(), digest_size=4).hexdigest()


def ipvs_addresses(state: KernelState) -> list[str]:
    """What ``kube-ipvs0`` holds; empty without IPVS mode."""
    ipvs = state.tables.current().ruleset.ipvs
    return list(ipvs.addresses) if ipvs is not None else []


def links(config: KernelConfig, state: KernelState, cidrs: Mapping[str, str]) -> list[dict[str, Any]]:
    """``{index, name, kind, mtu, mac, master, peer, pod, addresses: [cidr]}`` in order of index."""
    cidr = own_cidr(config, cidrs)
    mtu = OVERLAY_MTU if config.overlay else 1500
    rows: list[dict[str, Any]] = [
        {"index": 1, "name": "lo", "kind": "loopback", "mtu": 65536, "mac": "00:00:00:00:00:00", "addresses": ["127.0.0.1/8"]},
        {"index": 2, "name": "eth0", "kind": "ethernet", "mtu": 1500, "mac": host_mac(config.address), "addresses": [f"{config.address}/16"]},
    ]  # fmt: skip
    if cidr and config.overlay:
        rows.append({"index": 3, "name": "flannel.1", "kind": "vxlan", "mtu": OVERLAY_MTU, "mac": mac(f"flannel/{config.node}"),
                     "addresses": [f"{overlay_address(cidr)}/32"], "vni": VNI, "local": config.address, "port": VXLAN_PORT})  # fmt: skip
    plugged = [nic for nic in state.pods.values() if nic.veth]
    if cidr and (plugged or state.next_index > 5):
        length = ip_network(cidr).prefixlen
        rows.append({"index": 4, "name": "cni0", "kind": "bridge", "mtu": mtu, "mac": mac(f"cni0/{config.node}"),
                     "addresses": [f"{bridge_address(cidr)}/{length}"], "up": bool(plugged)})  # fmt: skip
    for nic in plugged:
        rows.append({"index": nic.index, "name": nic.veth, "kind": "veth", "mtu": mtu, "mac": mac(nic.veth), "addresses": [],
                     "master": "cni0", "peer": "eth0", "pod": nic.attach.key, "ip": nic.attach.ip})  # fmt: skip
    if state.tables.current().ruleset.ipvs is not None:
        rows.append({"index": 4096, "name": "kube-ipvs0", "kind": "dummy", "mtu": 1500, "mac": mac(f"ipvs/{config.node}"),
                     "addresses": [f"{address}/32" for address in ipvs_addresses(state)]})  # fmt: skip
    return rows


def routes(config: KernelConfig, state: KernelState, cidrs: Mapping[str, str]) -> list[dict[str, Any]]:
    """``{to, via, device, source, scope, flags}`` of the main table, in the order ``ip route`` prints them."""
    cidr = own_cidr(config, cidrs)
    by_node = dict(config.nodes)
    found: list[tuple[int, dict[str, Any]]] = []
    for node, other in cidrs.items():
        if node == config.node or not other or node not in by_node:
            continue
        if config.overlay:
            row = {"to": other, "via": overlay_address(other), "device": "flannel.1", "flags": "onlink", "node": node}
        else:
            row = {"to": other, "via": by_node[node], "device": "eth0", "node": node}
        found.append((int(ip_network(other)[0]), row))
    if cidr and (any(nic.veth for nic in state.pods.values()) or state.next_index > 5):
        row = {"to": cidr, "device": "cni0", "proto": "kernel", "scope": "link", "source": bridge_address(cidr)}
        if not any(nic.veth for nic in state.pods.values()):
            row["flags"] = "linkdown"
        found.append((int(ip_network(cidr)[0]), row))
    machine = ip_network(f"{config.address}/16", strict=False)
    row = {"to": str(machine), "device": "eth0", "proto": "kernel", "scope": "link", "source": config.address}
    found.append((int(machine[0]), row))
    rows = [{"to": "default", "via": config.gateway, "device": "eth0"}]
    return rows + [row for _, row in sorted(found, key=lambda pair: pair[0])]


def local_addresses(config: KernelConfig, state: KernelState, cidrs: Mapping[str, str]) -> tuple[str, ...]:
    """Addresses of the node itself, eth0's first."""
    found = [
        a.partition("/")[0] for link in links(config, state, cidrs) if link["name"] != "lo" for a in link["addresses"]
    ]
    return tuple(dict.fromkeys((config.address, *found)))


def route_to(address: str, config: KernelConfig, state: KernelState, cidrs: Mapping[str, str]) -> dict[str, Any]:
    """The row of ``routes`` that ``address`` takes: the longest prefix."""
    number = ip_address(address)
    best: dict[str, Any] = {}
    length = -1
    for row in routes(config, state, cidrs):
        net = ip_network("0.0.0.0/0" if row["to"] == "default" else row["to"])
        if number.version == 4 and number in net and net.prefixlen > length:
            best, length = row, net.prefixlen
    return best
