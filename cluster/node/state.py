"""What a node's kernel remembers. Plain data."""

from typing import Any

from msgspec import Struct, field

from cluster.clientgo import ClientConfig, ClientState
from cluster.netfilter.conntrack import Conntrack
from cluster.netfilter.node_tables import NodeTables
from cluster.netfilter.recent import RecentLists
from cluster.wire.packet import Attach, Listener, NetCall

KEPT = 30
"""Conversations remembered for onlookers."""


class KernelConfig(ClientConfig, frozen=True, kw_only=True):
    """``nodes``: every Node's (name, address). ``overlay``: pods' packets between nodes travel in VXLAN; else they are routed as they are."""

    node: str
    address: str
    nodes: tuple[tuple[str, str], ...] = ()
    gateway: str = "172.18.0.1"
    overlay: bool = True
    cluster_cidr: str = "10.244.0.0/16"
    apiserver: str = ""
    """The kube-apiserver process of this host."""
    ipvs: bool = True
    """Whether the kernel was built with IPVS."""


class Nic(Struct):
    """A pod's end of the network: its veth pair. ``index``: of the end in the node."""

    attach: Attach
    veth: str = ""
    index: int = 0
    listeners: dict[str, tuple[Listener, ...]] = field(default_factory=dict)
    """Container → what it listens on."""


class Conversation(Struct):
    """A program's open socket and what it waits for."""

    call: NetCall
    src: str
    """The process to answer."""
    ip: str
    sport: int
    began: int
    cause: int = 0
    phase: str = "syn"
    tries: int = 0
    connected: int = 0
    packets: int = 0


class Passed(Struct, frozen=True):
    """A packet's way through this node, for onlookers."""

    at: int
    trace: int
    kind: str
    before: tuple[str, int, str, int, str]
    """src, sport, dst, dport, protocol."""
    after: tuple[str, int, str, int, str]
    device_in: str
    device_out: str
    verdict: str
    why: str
    policies: tuple[Any, ...] = ()
    tunnel: tuple[str, str] | None = None
    state: str = ""
    walk: Any = None
    """The walk as JSON, of a connection's first packet."""


class KernelState(ClientState):
    """``pods`` by uid; ``by_ip`` only those with an address of their own."""

    pods: dict[str, Nic] = field(default_factory=dict)
    by_ip: dict[str, str] = field(default_factory=dict)
    next_index: int = 5
    tables: NodeTables = field(default_factory=NodeTables)
    conntrack: Conntrack = field(default_factory=Conntrack)
    recent: RecentLists = field(default_factory=RecentLists)
    conversations: dict[tuple[str, str, int], Conversation] = field(default_factory=dict)
    waiting: list[tuple[str, Any, int]] = field(default_factory=list)
    """(sender, message, cause) that came before the agent knew the cluster."""
    agent: str = "asleep"
    """asleep, reading, ready, blind (the API server doesn't answer)."""
    passed: list[Passed] = field(default_factory=list)
    pending: dict[int, Any] = field(default_factory=dict)
    """Requests handed to a process of this host (CoreDNS, kube-apiserver) → the segment to answer."""
    served: dict[str, tuple[int, int, int, int, int]] = field(default_factory=dict)
    """``protocol virtual real`` → (connections that IPVS handed out, packets in, packets out, bytes in, bytes out)."""
    modules: dict[str, bool] = field(default_factory=dict)
    """Kernel module → loaded, as far as somebody changed it."""
