"""What a kube-proxy is told (``KubeProxyConfiguration``) and what it finds on its node, as one frozen Struct.

In: a real ``KubeProxyConfiguration`` document (``from_configuration``) → out: ``ProxyOptions``. Unknown modes and detectors are refused
by name.

Simplified here: fields that don't change the rules (metrics, health server, qps, feature gates) are read over.

Upstream: pkg/proxy/apis/config/types.go, pkg/proxy/util/nodeport_addresses.go, pkg/proxy/util/localdetector.go.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from msgspec import Struct

CT_INVALID_COUNTER = "ct_state_invalid_dropped_pkts"
LOCALHOST_NODEPORTS_COUNTER = "localhost_nps_accepted_pkts"
LOOPBACK = ip_network("127.0.0.0/8")
Net = IPv4Network | IPv6Network


class NotSupported(ValueError):
    """The configuration asks for something this kube-proxy does not do."""


class ProxyOptions(Struct, frozen=True):
    """``node_ips``: every address of the node. ``cluster_cidr`` "" with detect_local "ClusterCIDR": no local detector."""

    node: str = ""
    node_ip: str = ""
    node_ips: tuple[str, ...] = ()
    zone: str = ""
    family: int = 4
    mode: str = "iptables"
    detect_local: str = "ClusterCIDR"
    cluster_cidr: str = ""
    """The CIDR of local pods, or the bridge's name or the interface prefix for those detectors."""
    masquerade_all: bool = False
    masquerade_bit: int = 14
    localhost_nodeports: bool = True
    nodeport_addresses: tuple[str, ...] = ()
    service_cidrs: tuple[str, ...] = ()
    """Of the proxy's family, from the cluster's ServiceCIDR objects; only nftables mode uses them."""
    random_fully: bool = True
    nfacct: bool = True
    scheduler: str = ""
    """Of IPVS; "" is rr."""
    exclude_cidrs: tuple[str, ...] = ()
    """Virtual servers of these networks are never taken away, whoever made them (IPVS)."""
    ipvs_timeouts: tuple[int, int, int] = (0, 0, 0)
    """Seconds (tcp, tcp after FIN, udp) for which IPVS keeps a connection; 0: as the node has it."""
    strict_arp: bool = False
    """IPVS: the node answers ARP only for addresses of the interface that was asked, so not for those of ``kube-ipvs0``."""
    tcp_liberal: bool = False
    """nf_conntrack_tcp_be_liberal (``conntrack.tcpBeLiberal`` sets it): then INVALID packets are not dropped."""

    @property
    def mark(self) -> int:
        """The packet mark that asks for masquerading."""
        return 1 << self.masquerade_bit

    def if_local(self) -> tuple[str, ...]:
        """Words of a rule that match traffic from this cluster's (or node's) pods; empty without a detector."""
        if not self.cluster_cidr:
            return ()
        match self.detect_local:
            case "BridgeInterface":
                return ("-i", self.cluster_cidr)
            case "InterfaceNamePrefix":
                return ("-i", self.cluster_cidr + "+")
            case _:
                return ("-s", self.cluster_cidr)

    def if_not_local(self) -> tuple[str, ...]:
        """The opposite."""
        words = self.if_local()
        return ("!", *words) if words else ()

    def nodeport_nets(self) -> tuple[Net, ...] | None:
        """The networks of the proxy's family in ``nodePortAddresses``; None: all addresses (none was named, or ``0.0.0.0/0`` among them)."""
        given: list[str] = list(self.nodeport_addresses)
        if given == ["primary"]:
            given = [self.node_ip] if self.node_ip and not ip_address(self.node_ip).is_loopback else []
        nets = [ip_network(cidr, strict=False) for cidr in given if cidr != "primary"]
        own = tuple(net for net in nets if net.version == self.family)
        return None if not own or any(net.prefixlen == 0 for net in own) else own

    def nodeport_match(self) -> tuple[str, ...] | None:
        """The node's addresses that take node ports; None: all of them."""
        nets = self.nodeport_nets()
        if nets is None:
            return None
        own = [ip_address(a) for a in dict.fromkeys(("127.0.0.1", "::1", *self.node_ips))]
        found = [a for a in own if any(a in net for net in nets)]
        return tuple(str(a) for a in found if not a.is_loopback or self.loopback_nodeports())

    def loopback_nodeports(self) -> bool:
        """Whether 127.0.0.1 takes node ports: asked for, IPv4, and not excluded by ``nodePortAddresses``."""
        if not self.localhost_nodeports or self.family != 4:
            return False
        nets = self.nodeport_nets()
        return nets is None or any(net.overlaps(LOOPBACK) for net in nets)


_DETECTORS = ("", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix")


def from_configuration(document: dict[str, Any], node: dict[str, Any] | None, /, **more: Any) -> ProxyOptions:
    """Read a ``KubeProxyConfiguration``. ``node``: the Node object, if there is one. NotSupported names what is refused."""
    iptables, ipvs = document.get("iptables") or {}, document.get("ipvs") or {}
    detector = document.get("detectLocalMode") or ""
    if detector not in _DETECTORS:
        raise NotSupported(
            f"detectLocalMode {detector!r} is not one of ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix"
        )
    family = more.get("family", 4)
    spec = (node or {}).get("spec") or {}
    local = document.get("detectLocal") or {}
    cidr = document.get("clusterCIDR") or ""
    if detector == "NodeCIDR":
        cidr = ",".join(spec.get("podCIDRs") or [spec.get("podCIDR") or ""])
    if detector == "BridgeInterface":
        cidr = local.get("bridgeInterface") or ""
    elif detector == "InterfaceNamePrefix":
        cidr = local.get("interfaceNamePrefix") or ""
    else:
        cidr = next((c.strip() for c in cidr.split(",") if c.strip() and (":" in c) == (family == 6)), "")
        cidr = str(ip_network(cidr, strict=False)) if cidr else ""
    given: dict[str, Any] = {
        "mode": document.get("mode") or "iptables",
        "detect_local": detector or "ClusterCIDR",
        "cluster_cidr": cidr,
        "masquerade_all": bool(iptables.get("masqueradeAll", False)),
        "masquerade_bit": int(iptables["masqueradeBit"]) if iptables.get("masqueradeBit") is not None else 14,
        "tcp_liberal": bool((document.get("conntrack") or {}).get("tcpBeLiberal", False)),
        "localhost_nodeports": iptables.get("localhostNodePorts") is not False,
        "service_cidrs": tuple(c for c in document.get("serviceCIDRs") or () if (":" in c) == (family == 6)),
        "nodeport_addresses": tuple(document.get("nodePortAddresses") or ()),
        "scheduler": ipvs.get("scheduler") or "",
        "exclude_cidrs": tuple(str(ip_network(cidr, strict=False)) for cidr in ipvs.get("excludeCIDRs") or ()),
        "ipvs_timeouts": tuple(go_seconds(ipvs.get(f"{name}Timeout") or "0s") for name in ("tcp", "tcpFin", "udp")),
        "strict_arp": bool(ipvs.get("strictARP", False)),
        "zone": ((node or {}).get("metadata", {}).get("labels") or {}).get("topology.kubernetes.io/zone", ""),
    }
    return ProxyOptions(**{**given, **more})


_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000001, "ns": 0.000000001}


def go_seconds(text: str) -> int:
    """A Go duration in whole seconds: ``15m0s`` → 900. ValueError: it is none."""
    parts = re.findall(r"(\d+(?:\.\d*)?)(h|ms|us|ns|m|s)", text.removeprefix("-"))
    if text != "0" and (not parts or "".join(number + unit for number, unit in parts) != text.removeprefix("-")):
        raise ValueError(f'time: invalid duration "{text}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -int(seconds) if text.startswith("-") else int(seconds)


def node_addresses(node: dict[str, Any], family: int = 4) -> tuple[str, ...]:
    """InternalIP, then ExternalIP addresses of a Node object, of one family."""
    addresses = (node.get("status") or {}).get("addresses") or []
    wanted = [a["address"] for kind in ("InternalIP", "ExternalIP") for a in addresses if a.get("type") == kind]
    return tuple(dict.fromkeys(a for a in wanted if (":" in a) == (family == 6)))
