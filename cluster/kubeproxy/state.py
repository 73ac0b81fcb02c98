"""What kube-proxy is told when it is made, and what it remembers. Plain data."""

from typing import Any

from msgspec import Struct, field

from cluster.clientgo import ClientConfig, ClientState
from cluster.kubeproxy.change_tracker import ChangeTracker, PortName
from cluster.kubeproxy.rulebook import Rulebook
from cluster.sim import SECOND
from cluster.wire.packet import Listener


class HealthState(Struct):
    """What the servers of ``cluster.kubeproxy.health`` need to know."""

    uid: str = ""
    """Of the Pod whose container the process is; "": nobody listens."""
    container: str = ""
    began: int = 0
    """When the process began (virtual ns)."""
    services: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Service → (healthCheckNodePort, ready endpoints on this node), as of the last sync."""
    told: tuple[Listener, ...] = ()
    """What the kernel was told last."""
    eligible: bool = True
    """The Node is not about to be deleted."""
    queued: int = -1
    """When the oldest change came that no sync has written yet; -1: there is none."""
    last_queued: int = -1
    changes: dict[str, int] = field(default_factory=lambda: {"service": 0, "endpoint": 0})
    """How many events came."""
    pending: dict[str, dict[str, int]] = field(default_factory=lambda: {"service": {}, "endpoint": {}})
    """Changes since the last sync, by Service."""
    probes: dict[str, dict[int, int]] = field(default_factory=lambda: {"healthz": {}, "livez": {}})
    """Answers to probes, by status."""


class KubeProxyConfig(ClientConfig, frozen=True, kw_only=True):
    """``server``: the balancer. ``peer``: system:kube-proxy."""

    node: str
    node_ip: str
    mode: str = "iptables"
    cluster_cidr: str = "10.244.0.0/16"
    service_cidr: str = ""
    """The real proxy learns it from ServiceCIDR objects; only nftables mode asks."""
    masquerade_bit: int = 14
    kernel: str = ""
    """The process that is the node's kernel; "": nobody keeps the tables but this process."""
    supervisor: str = ""
    """The kubelet whose container this process is; "": it is started like any daemon, with ``mode``."""
    min_sync_ns: int = SECOND
    sync_ns: int = 30 * SECOND


class ProxyState(ClientState):
    """What the process knows, and what it wrote into its node's kernel."""

    tracker: ChangeTracker = field(default_factory=ChangeTracker)
    book: Rulebook = field(default_factory=Rulebook)
    chosen: dict[str, dict[PortName, Any]] = field(default_factory=dict)
    """nftables and IPVS mode: Service → what its part was last written from (the mode's ``Chosen``)."""
    flushed: bool = False
    """Another program emptied the tables since the last sync."""
    refusal: str = ""
    """Why this proxy does nothing: its mode is not one it can write."""
    zone: str = ""
    node_ips: tuple[str, ...] = ()
    """IPVS mode: the node's addresses besides ``node_ip`` (its bridge's, its tunnel's), each of which takes node ports."""
    pod_cidrs: tuple[str, ...] = ()
    """Of the Node: what ``detectLocalMode: NodeCIDR`` looks at."""
    node_causes: int = 0
    need_full: bool = True
    scheduled: bool = False
    last_sync: int = -1
    syncs: int = 0
    rules: int = 0
    """In all tables, as of the last sync."""
    base_rules: int = 0
    """… of those that are there whatever Services there are."""
    full_syncs: int = 0
    last_full: int = -1
    """When the last full sync was."""
    mode: str = ""
    """What it runs in; "": its configuration hasn't been read."""
    document: dict[str, Any] | None = None
    """The ``KubeProxyConfiguration`` it was started with."""
    pod: str = ""
    """namespace/name of the Pod whose container it is."""
    health: HealthState = field(default_factory=HealthState)
