"""What a kube-proxy is told (``KubeProxyConfiguration``) and what it finds on its node, as one frozen Struct.

In: a real ``KubeProxyConfiguration`` document (``from_configuration``) → out: ``ProxyOptions``. Unknown modes and detectors are refused
by name.

Simplified here: fields that don't change the rules (metrics, health server, qps, feature gates) are read over.

Upstream: pkg/proxy/apis/config/types.go, pkg/proxy/util/nodeport_addresses.go, pkg/proxy/util/localdetector.go.
"""

from ipaddress import ip_address, ip_network
from typing import Any

from msgspec import Struct

CT_INVALID_COUNTER = "ct_state_invalid_dropped_pkts"
LOCALHOST_NODEPORTS_COUNTER = "localhost_nps_accepted_pkts"


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
    tcp_liberal: bool = False
    """nf_conntrack_tcp_be_liberal: then INVALID packets are not dropped."""

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

    def nodeport_match(self) -> tuple[str, ...] | None:
        """The node's addresses that take node ports; None: all of them (``--nodeport-addresses`` not given)."""
        if not self.nodeport_addresses or {"0.0.0.0/0", "::/0"} & set(self.nodeport_addresses):
            return None
        if self.nodeport_addresses == ("primary",):
            return (self.node_ip,)
        nets = [ip_network(cidr, strict=False) for cidr in self.nodeport_addresses]
        own = [ip_address(a) for a in dict.fromkeys(("127.0.0.1", "::1", *self.node_ips))]
        found = [a for a in own if a.version == self.family and any(a in n for n in nets if n.version == a.version)]
        return tuple(str(a) for a in found if not a.is_loopback or self.loopback_nodeports())

    def loopback_nodeports(self) -> bool:
        """Whether 127.0.0.1 takes node ports: asked for, IPv4, and not excluded by ``nodePortAddresses``."""
        if not self.localhost_nodeports or self.family != 4:
            return False
        if not self.nodeport_addresses or "0.0.0.0/0" in self.nodeport_addresses:
            return True
        loopback = ip_network("127.0.0.0/8")
        nets = [ip_network(c, strict=False) for c in self.nodeport_addresses if c != "primary"]
        return any(n.version == 4 and n.overlaps(loopback) for n in nets)


_DETECTORS = ("", "ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix")


def from_configuration(document: dict[str, Any], node: dict[str, Any] | None, /, **more: Any) -> ProxyOptions:
    """Read a ``KubeProxyConfiguration``. ``node``: the Node object, if there is one. NotSupported names what is refused."""
    iptables = document.get("iptables") or {}
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
    given: dict[str, Any] = {
        "mode": document.get("mode") or "iptables",
        "detect_local": detector or "ClusterCIDR",
        "cluster_cidr": cidr,
        "masquerade_all": bool(iptables.get("masqueradeAll", False)),
        "masquerade_bit": int(iptables["masqueradeBit"]) if iptables.get("masqueradeBit") is not None else 14,
        "localhost_nodeports": iptables.get("localhostNodePorts") is not False,
        "service_cidrs": tuple(c for c in document.get("serviceCIDRs") or () if (":" in c) == (family == 6)),
        "nodeport_addresses": tuple(document.get("nodePortAddresses") or ()),
        "scheduler": (document.get("ipvs") or {}).get("scheduler") or "",
        "zone": ((node or {}).get("metadata", {}).get("labels") or {}).get("topology.kubernetes.io/zone", ""),
    }
    return ProxyOptions(**{**given, **more})


def node_addresses(node: dict[str, Any], family: int = 4) -> tuple[str, ...]:
    """InternalIP, then ExternalIP addresses of a Node object, of one family."""
    addresses = (node.get("status") or {}).get("addresses") or []
    wanted = [a["address"] for kind in ("InternalIP", "ExternalIP") for a in addresses if a.get("type") == kind]
    return tuple(dict.fromkeys(a for a in wanted if (":" in a) == (family == 6)))
