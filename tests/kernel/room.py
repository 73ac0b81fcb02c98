"""A node, its pods and somebody outside, each in a network namespace of the real kernel, and connections between them.

One process does it all: a socket stays in the namespace in which it was made, so servers and clients are sockets made after ``setns``.
"""

import ctypes
import errno
import os
import selectors
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path

TOOLS = ("ip", "iptables-legacy-restore", "iptables-nft-restore", "nft")
COUNTERS = ("ct_state_invalid_dropped_pkts", "localhost_nps_accepted_pkts")
POD_NETS = ("10.0.0.0/8", "fd00:10::/32")
OUTSIDE = {4: ("203.0.113.1/24", "203.0.113.2/24"), 6: ("2600:5200::ffff/64", "2600:5200::1/64")}
"""The node's and the outside's end of the link between them."""
PATIENCE = 0.25
"""Seconds after which no answer is one …"""
LONG_PATIENCE = 3.0
"""… once it has been asked again for as long as this: a busy machine is slow, too …"""
REFUSAL_PATIENCE = 1.6
"""… and where a refusal is expected: one that comes back while the first SYN is still being sent is heard at the second, a second later."""
IPPROTO_SCTP = 132
CLONE_NEWNET = 0x40000000
REFUSALS = {
    errno.ECONNREFUSED: "refused",
    errno.EPERM: "not permitted",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
}
_libc = ctypes.CDLL(None, use_errno=True)


def missing() -> str:
    """Why this machine cannot do it; "" when it can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "network namespaces need root"
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    name = f"cp-{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"network namespaces are not allowed here: {made.stderr.strip()}"
    tried = subprocess.run(
        ["ip", "netns", "exec", name, "iptables-legacy", "-t", "nat", "-S"], capture_output=True, text=True, check=False
    )
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return f"iptables does not work in a namespace here: {tried.stderr.strip()}" if tried.returncode else ""


def run(*command: str, given: str = "", check: bool = True) -> str:
    """A tool's output. RuntimeError with what it said when it fails."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Be in that namespace."""
    here, there = os.open("/proc/thread-self/ns/net", os.O_RDONLY), os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if _libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {name}")
        yield
    finally:
        _libc.setns(here, CLONE_NEWNET)
        os.close(here)
        os.close(there)


@dataclass
class Tried:
    """What became of connections: endpoint → source addresses seen there; and how often each outcome."""

    seen: dict[str, set[str]] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    made: int = 0
    """Connections opened: a first try and the one with more patience are two."""


class Room:
    """The namespaces. ``node_ips``: the node's addresses, the primary one of each family first."""

    def __init__(self, node_ips: tuple[str, ...], endpoints: dict[str, set[int]], sources: set[str]) -> None:
        self.name = f"cp-{os.getpid()}"
        self.node_ips = node_ips
        self.made: list[str] = []
        self.pods: dict[str, str] = {}
        self.links = 0
        self.selector = selectors.DefaultSelector()
        self.servers: dict[socket.socket, tuple[str, str, int]] = {}
        try:
            self._build(endpoints, sources)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Take it all away."""
        for server in self.servers:
            server.close()
        self.selector.close()
        for name in reversed(self.made):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def __enter__(self) -> "Room":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- making -----------------------------------------------------------------------------------------------------

    def where(self, source: str) -> str:
        """The namespace that owns an address."""
        if source in self.node_ips or ip_address(source).is_loopback:
            return f"{self.name}-node"
        return self.pods.get(source, f"{self.name}-ext")

    def _build(self, endpoints: dict[str, set[int]], sources: set[str]) -> None:
        for name in ("node", "ext"):
            self._namespace(name)
        self._wire_outside(sources)
        pod_nets = [ip_network(net) for net in POD_NETS]
        for source in sorted({*endpoints, *sources}):
            address = ip_address(source)
            mine = source in endpoints or any(address in net for net in pod_nets if net.version == address.version)
            if mine and source not in self.node_ips:
                self._wire_pod(source)
        with inside(f"{self.name}-node"):
            for path, value in (
                ("ipv4/ip_forward", 1), ("ipv6/conf/all/forwarding", 1), ("ipv4/conf/all/route_localnet", 1),
                ("ipv4/icmp_ratelimit", 0), ("ipv6/icmp/ratelimit", 0),
            ):  # fmt: skip
                _set(path, value)
            for device in Path("/proc/sys/net/ipv4/conf").iterdir():
                _set(f"ipv4/conf/{device.name}/rp_filter", 0)
                _set(f"ipv4/conf/{device.name}/send_redirects", 0)
            _count_objects()
        for address, ports in endpoints.items():
            for port in ports:
                self._serve(address, port)

    def _namespace(self, name: str) -> str:
        full = f"{self.name}-{name}"
        run("ip", "netns", "add", full)
        self.made.append(full)
        with inside(full):
            for which in ("all", "default"):
                _set(f"ipv6/conf/{which}/accept_dad", 0)
                _set(f"ipv4/conf/{which}/rp_filter", 0)
        run("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def _link(self, other: str) -> str:
        self.links += 1
        device = f"v{self.links}"
        node = f"{self.name}-node"
        run("ip", "-n", node, "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", other)
        run("ip", "-n", node, "link", "set", device, "up")
        run("ip", "-n", other, "link", "set", "eth0", "up")
        return device

    def _batch(self, name: str, lines: list[str]) -> None:
        run("ip", "-n", f"{self.name}-{name}", "-batch", "-", given="\n".join(lines) + "\n")

    def _wire_outside(self, sources: set[str]) -> None:
        device = self._link(f"{self.name}-ext")
        node: list[str] = []
        ext: list[str] = []
        for address in self.node_ips:  # the primary ones first: what MASQUERADE takes
            node.append(
                f"addr add {address}/{'64 nodad' if ':' in address else '32'} dev {device}".replace(
                    "/64 nodad", "/128 nodad"
                )
            )
            node[-1] = node[-1].replace(f" nodad dev {device}", f" dev {device} nodad")
        taken = {"203.0.113.2", "2600:5200::1"}
        for six, (mine, theirs) in OUTSIDE.items():
            nodad, flag = (" nodad", "-6 ") if six == 6 else ("", "")
            node.append(f"addr add {mine} dev {device}{nodad}")
            ext.append(f"addr add {theirs} dev eth0{nodad}")
            node.append(f"{flag}route add default via {theirs.partition('/')[0]} dev {device}")
            ext.append(f"{flag}route add default via {mine.partition('/')[0]}")
        pods = [ip_network(net) for net in POD_NETS]
        for source in sorted(sources - set(self.node_ips) - taken):
            address = ip_address(source)
            if not address.is_loopback and not any(address in net for net in pods if net.version == address.version):
                ext.append(f"addr add {source}/{'128 dev eth0 nodad' if ':' in source else '32 dev eth0'}")
        self._batch_families("node", node)
        self._batch_families("ext", ext)

    def _batch_families(self, name: str, lines: list[str]) -> None:
        six = [line.removeprefix("-6 ") for line in lines if line.startswith("-6 ")]
        self._batch(name, [line for line in lines if not line.startswith("-6 ")])
        if six:
            run("ip", "-6", "-n", f"{self.name}-{name}", "-batch", "-", given="\n".join(six) + "\n")

    def _wire_pod(self, address: str) -> None:
        """The pod's only neighbour is the node, whose primary address stands on every link (as the ``ptp`` plugin does)."""
        name = f"p{len(self.pods)}"
        full = self._namespace(name)
        self.pods[address] = full
        device = self._link(full)
        six = ":" in address
        primary = next((a for a in self.node_ips if (":" in a) == six), "")
        if six:
            if primary:
                self._batch("node", [f"addr add {primary}/128 dev {device} nodad"])
            self._batch("node", [f"addr add fe80::1/64 dev {device} nodad"])
            self._batch(name, [f"addr add {address}/128 dev eth0 nodad"])
            run("ip", "-6", "-n", full, "route", "add", "default", "via", "fe80::1", "dev", "eth0")
            run("ip", "-6", "-n", f"{self.name}-node", "route", "add", f"{address}/128", "dev", device)
            return
        gateway = primary or "169.254.1.1"
        self._batch("node", [f"addr add {gateway}/32 dev {device}", f"route add {address}/32 dev {device}"])
        self._batch(name, [f"addr add {address}/32 dev eth0", f"route add default via {gateway} dev eth0 onlink"])

    def _serve(self, address: str, port: int) -> None:
        """Answer on TCP, UDP and (where the kernel has it) SCTP with who was asked, and by whom."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        where = self.where(address)
        for kind, protocol in ((socket.SOCK_STREAM, 0), (socket.SOCK_DGRAM, 0), (socket.SOCK_STREAM, IPPROTO_SCTP)):
            try:
                with inside(where):
                    server = socket.socket(family, kind, protocol)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.setblocking(False)
                server.bind((address, port))
                if kind == socket.SOCK_STREAM:
                    server.listen(64)
            except OSError:
                if protocol != IPPROTO_SCTP:
                    raise
                continue
            self.servers[server] = ("udp" if kind == socket.SOCK_DGRAM else "stream", address, port)
            self.selector.register(server, selectors.EVENT_READ)

    # -- rules ------------------------------------------------------------------------------------------------------

    def tool(self, *command: str, given: str = "", check: bool = True) -> str:
        """Run a tool on the node."""
        return run("ip", "netns", "exec", f"{self.name}-node", *command, given=given, check=check)

    def forget(self, affinity_sets: list[str]) -> None:
        """Connections, and which client had which endpoint."""
        with inside(f"{self.name}-node"):
            for path in Path("/proc/thread-self/net/xt_recent").glob("*"):
                path.write_text("/\n")
        if affinity_sets:
            self.tool("nft", "-f", "-", given="".join(f"flush set {name}\n" for name in affinity_sets))

    # -- connections ------------------------------------------------------------------------------------------------

    def connect(
        self,
        source: str,
        destination: str,
        port: int,
        protocol: str,
        wanted: set[str],
        tries: int,
        patience: tuple[float, ...],
        affinity: list[str],
    ) -> Tried:
        """Connections from ``source`` until every endpoint of ``wanted`` has answered, at most ``tries``; each is tried with every ``patience`` in turn."""
        tried = Tried()
        for _ in range(tries):
            self.forget(affinity)
            outcome = "timeout"
            for seconds in patience:
                outcome = self._once(source, destination, port, protocol, seconds, tried)
                if outcome != "timeout":
                    break
            tried.outcomes[outcome] = tried.outcomes.get(outcome, 0) + 1
            if outcome != "answered" or (wanted <= set(tried.seen) and tried.outcomes[outcome] > 3):
                break
        return tried

    def _once(self, source: str, destination: str, port: int, protocol: str, patience: float, tried: Tried) -> str:
        family = socket.AF_INET6 if ":" in destination else socket.AF_INET
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        try:
            with inside(self.where(source)):
                client = socket.socket(family, kind, IPPROTO_SCTP if protocol == "sctp" else 0)
        except OSError:
            return "unsupported"
        tried.made += 1
        try:
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind((source, 0))
            error = client.connect_ex((destination, port))
            if error not in (0, errno.EINPROGRESS):
                return REFUSALS.get(error, os.strerror(error))
            if protocol == "udp":
                client.send(b"?")
            answer = self._answer(client, patience)
        except OSError as failure:
            return REFUSALS.get(failure.errno or 0, str(failure))
        finally:
            client.close()
        if not answer:
            return "timeout"
        endpoint, _, seen = answer.partition(" ")
        tried.seen.setdefault(endpoint, set()).add(seen)
        return "answered"

    def _answer(self, client: socket.socket, patience: float) -> str:
        """Serve until the client has its answer, or for as long as patience lasts."""
        self.selector.register(client, selectors.EVENT_READ)
        waiting = time.monotonic() + patience
        try:
            while (left := waiting - time.monotonic()) > 0:
                for key, _ in self.selector.select(left):
                    found = key.fileobj
                    if found is client:
                        error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                        if error:
                            raise OSError(error, os.strerror(error))
                        with suppress(BlockingIOError):
                            return client.recv(200).decode()
                        continue
                    self._reply(found)  # type: ignore[arg-type]
        finally:
            self.selector.unregister(client)
        return ""

    def _reply(self, server: socket.socket) -> None:
        kind, address, port = self.servers[server]
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        try:
            if kind == "udp":
                _, peer = server.recvfrom(100)
                server.sendto(f"{place} {peer[0]}".encode(), peer)
            else:
                connection, peer = server.accept()
                connection.sendall(f"{place} {peer[0]}".encode())
                connection.close()
        except OSError:
            pass


def _set(path: str, value: int) -> None:
    try:
        (Path("/proc/sys/net") / path).write_text(f"{value}\n")
    except FileNotFoundError:
        pass


def _count_objects() -> None:
    """Make the nfacct objects that rules name (what kube-proxy does by netlink)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as link:  # NETLINK_NETFILTER
        link.bind((0, 0))
        for number, name in enumerate(COUNTERS, 1):
            body = struct.pack("=BBH", 0, 0, 0) + _attribute(1, name.encode() + b"\0")
            body += _attribute(2, bytes(8)) + _attribute(3, bytes(8))
            header = struct.pack("=IHHII", 16 + len(body), 7 << 8, 0x1 | 0x4 | 0x200 | 0x400, number, 0)
            link.send(header + body)
            link.recv(4096)


def _attribute(kind: int, data: bytes) -> bytes:
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + bytes(-length % 4)
