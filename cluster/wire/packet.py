"""A packet, and what a probe of one learns."""

from typing import Any

from msgspec import Struct


class Packet(Struct, frozen=True, tag=True):
    """What netfilter sees of it. Ports are 0 for protocols without."""

    src: str
    dst: str
    protocol: str
    sport: int
    dport: int
    mark: int = 0


class Listener(Struct, frozen=True):
    """A socket in state LISTEN. ``app``: which program answers there (``cluster.network.servers``); ``arg``: what it was told.
    ``address``: the one it is bound to; "": all."""

    protocol: str
    port: int
    app: str
    arg: str = ""
    address: str = ""


class Attach(Struct, frozen=True, tag=True):
    """CNI ADD: a pod's network namespace was made on this node (or, ``host``: the pod uses the node's own)."""

    uid: str
    key: str
    ip: str
    host: bool
    container_ports: tuple[tuple[str, str, int], ...] = ()
    """(name, protocol, port): what a NetworkPolicy's named port can mean."""


class Detach(Struct, frozen=True, tag=True):
    """CNI DEL."""

    uid: str


class Listening(Struct, frozen=True, tag=True):
    """What a container's processes listen on now; empty: it ended."""

    uid: str
    container: str
    listeners: tuple[Listener, ...] = ()


class NetCall(Struct, frozen=True, tag=True):
    """A program asks its kernel for one exchange: a TCP connection (with a request, unless ``payload`` is None), a datagram, a ping.

    ``uid``: the pod it runs in; "": the node itself; ``outside``: a client beyond the cluster whose packets arrive at eth0.
    ``timeout`` ns for the connection, ``patience`` ns for the whole.
    """

    id: int
    uid: str
    protocol: str
    dst: str
    port: int
    payload: Any = None
    timeout: int = 0
    patience: int = 0


class NetDone(Struct, frozen=True, tag=True):
    """How call ``id`` went. ``error`` "" or refused, timeout, unreachable, reset. ``took`` ns; ``connected``: of it until the handshake was over."""

    id: int
    error: str = ""
    payload: Any = None
    took: int = 0
    connected: int = 0
    local: str = ""
    """The caller's own "address:port"."""
    packets: int = 0


class Segment(Struct, frozen=True, tag=True):
    """One packet on the wire between two nodes. ``kind``: syn, syn-ack, rst, data, fin, udp, echo, echo-reply, unreachable."""

    packet: Packet
    kind: str
    payload: Any = None
    trace: int = 0
    """Names the conversation, for those who look."""
    tunnel: tuple[str, str] | None = None
    """The outer addresses when it travels in VXLAN."""
    ttl: int = 64


class Written(Struct, frozen=True, tag=True):
    """kube-proxy wrote into the kernel: ``write`` has ``apply(tables, connections)``, and is applied when somebody looks or a packet comes; at
    once if it is ``eager``, because what it does depends on the connections of this very moment."""

    write: Any


class Forget(Struct, frozen=True, tag=True):
    """kube-proxy had conntrack's UDP entries looked through: those to one of ``places`` whose reply doesn't come from one of its endpoints go.

    ``places``: (address, port) → ``ip:port`` of those that serve; address "": a node port, whatever the address.
    """

    places: tuple[tuple[tuple[str, int], tuple[str, ...]], ...]


class SocketRequest(Struct, frozen=True, tag=True):
    """An HTTP request came to a process's socket, whose listener has ``arg`` ``socket``; a ``HttpResponse`` with the same id answers."""

    id: int
    socket: str
    method: str
    path: str


class Flushed(Struct, frozen=True, tag=True):
    """To kube-proxy: somebody else emptied tables of ``family`` (iptables, nftables, ipvs); its canary is gone."""

    family: str


class ToolCall(Struct, frozen=True, tag=True):
    """Somebody logged in on the node runs one of its network tools."""

    id: int
    words: tuple[str, ...]
    stdin: str = ""


class ToolResult(Struct, frozen=True, tag=True):
    """What tool call ``id`` printed."""

    id: int
    stdout: str
    stderr: str
    code: int
