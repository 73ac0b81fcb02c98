"""IPVS: the kernel's own load balancer. A virtual server (address, port, protocol) hands each new connection to one of its real servers.

It sits in netfilter's hooks: between ``filter`` and ``nat`` of INPUT for packets that came from elsewhere (their address must be one of
the node's own, which is why kube-proxy puts every service address on the interface ``kube-ipvs0``), and between ``nat`` and ``filter`` of
OUTPUT for the node's own. What it has translated leaves by OUTPUT and POSTROUTING. A virtual server without a real server
answers "port unreachable": no rule says so.

In: what ``ipvsadm-save`` (``ipvsadm -S -n``) prints → out: ``Ipvs``, and back. ``candidates`` gives who can be chosen and how likely; ``Ipvs.pick``
chooses, and remembers whose turn is next and which client is persistent. Errors: ``ParseError`` with the line.

Simplified here: of the schedulers rr, wrr and the least-connection kinds are exact over many connections (equal or weighted shares); the
hashing ones (sh, dh, mh) are said to fix one server a client, which one isn't computed. Only masquerading (``-m``) changes
addresses; ``-g`` and ``-i`` are named. Connections are not kept here (``conntrack`` does).

Upstream: Linux net/netfilter/ipvs/ip_vs_core.c (``ip_vs_ops4``, ``ip_vs_leave``), ip_vs_xmit.c (``ip_vs_nat_send_or_cont``); ipvsadm(8).
"""

from msgspec import Struct, field

from cluster.netfilter.addresses import address_number
from cluster.netfilter.errors import ParseError
from cluster.sim import SECOND

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos")
"""Those of the kernel."""
HASHING = ("sh", "dh", "mh")
PROTOCOLS = {"-t": "tcp", "--tcp-service": "tcp", "-u": "udp", "--udp-service": "udp", "--sctp-service": "sctp"}
OPTIONS = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
PERSISTENCE_DEFAULT = 300


class RealServer(Struct, frozen=True):
    """``forward``: m masquerading, g direct routing, i tunnel."""

    ip: str
    port: int
    weight: int = 1
    forward: str = "m"
    line: int = 0

    @property
    def target(self) -> str:
        return place(self.ip, self.port)


class VirtualServer(Struct):
    """``persistent``: seconds for which a client keeps its real server, 0: not. ``flags``: of the scheduler (``mh-port``)."""

    ip: str
    port: int
    protocol: str
    scheduler: str = "rr"
    persistent: int = 0
    flags: tuple[str, ...] = ()
    servers: dict[str, RealServer] = field(default_factory=dict)
    """``ip:port`` → real server."""
    netmask: str = ""
    line: int = 0

    @property
    def key(self) -> "Key":
        return self.ip, self.port, self.protocol


Key = tuple[str, int, str]
"""(address, port, protocol) of a virtual server."""


class Ipvs(Struct):
    """All virtual servers of a node. ``addresses``: what ``kube-ipvs0`` holds (not part of ``ipvsadm-save``)."""

    servers: dict[Key, VirtualServer] = field(default_factory=dict)
    addresses: dict[str, None] = field(default_factory=dict)
    turns: dict[Key, int] = field(default_factory=dict)
    """How many connections a virtual server has handed out: round robin's place."""
    clients: dict[tuple[Key, str], tuple[str, int]] = field(default_factory=dict)
    """Persistence: (virtual server, client) → (real server, until: virtual ns)."""
    dying: dict[tuple[Key, str], None] = field(default_factory=dict)
    """Real servers (``ip:port``) with weight 0 that wait for their last connections to end."""
    timeouts: tuple[int, ...] = (900, 120, 300)
    """Seconds without a packet after which a connection is forgotten: tcp, tcp after FIN, udp."""

    def find(self, ip: str, port: int, protocol: str) -> VirtualServer | None:
        """The virtual server of that address; one of port 0 takes every port."""
        return self.servers.get((ip, port, protocol)) or self.servers.get((ip, 0, protocol))

    def pick(self, server: VirtualServer, client: str, now: int) -> RealServer | None:
        """Whose turn it is, or whom ``client`` had before; the choice is remembered. None: there is nobody."""
        key = server.key
        known = self.clients.get((key, client))
        if known is not None and server.persistent and known[1] > now:
            kept = server.servers.get(known[0])
            if kept is not None and kept.weight > 0:
                self.clients[key, client] = kept.target, now + server.persistent * SECOND
                return kept
        ring = [real for real in server.servers.values() for _ in range(_share(server, real))]
        if not ring:
            return None
        turn = self.turns.get(key, 0)
        self.turns[key] = turn + 1
        at = sum(map(ord, client)) if server.scheduler in HASHING else turn
        chosen = ring[at % len(ring)]
        if server.persistent:
            self.clients[key, client] = chosen.target, now + server.persistent * SECOND
        return chosen


def _share(server: VirtualServer, real: RealServer) -> int:
    if server.scheduler in ("rr", "lc", "nq"):
        return 1 if real.weight > 0 else 0
    return max(real.weight, 0)


def candidates(server: VirtualServer) -> list[tuple[RealServer, float]]:
    """Every real server that can be chosen, with its share of connections. Weight 0: no new ones."""
    shares = [(real, _share(server, real)) for real in server.servers.values()]
    total = sum(share for _, share in shares)
    return [(real, share / total) for real, share in shares if share]


def place(ip: str, port: int) -> str:
    """``10.0.0.1:80``, ``[fd00::1]:80``."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


# -- text -----------------------------------------------------------------------------------------------------------------


def save_servers(ipvs: Ipvs) -> str:
    """``ipvsadm-save -n``."""
    lines = []
    for server in ipvs.servers.values():
        where = f"{OPTIONS[server.protocol]} {place(server.ip, server.port)}"
        words = [f"-A {where} -s {server.scheduler}"]
        if server.persistent:
            words.append(f"-p {server.persistent}")
        if server.netmask:
            words.append(f"-M {server.netmask}")
        if server.flags:
            words.append(f"-b {','.join(server.flags)}")
        lines.append(" ".join(words))
        lines.extend(f"-a {where} -r {r.target} -{r.forward} -w {r.weight}" for r in server.servers.values())
    return "".join(f"{line}\n" for line in lines)


def sorted_servers(ipvs: Ipvs) -> list[VirtualServer]:
    """As ``ipvsadm`` lists them: by family, protocol, address and port."""
    numbers = {protocol: at for at, protocol in enumerate(OPTIONS)}
    return sorted(ipvs.servers.values(), key=lambda s: (":" in s.ip, numbers[s.protocol], address_number(s.ip), s.port))


def sorted_reals(server: VirtualServer) -> list[RealServer]:
    """By address and port."""
    return sorted(server.servers.values(), key=lambda real: (address_number(real.ip), real.port))


def list_servers(ipvs: Ipvs, connections: dict[tuple[Key, str], tuple[int, int]] | None = None) -> str:
    """``ipvsadm -Ln``. ``connections``: (virtual server, real server) → active and inactive ones."""
    lines = [
        "IP Virtual Server version 1.2.1 (size=4096)",
        "Prot LocalAddress:Port Scheduler Flags",
        "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
    ]
    forward = {"m": "Masq", "g": "Route", "i": "Tunnel"}
    for server in sorted_servers(ipvs):
        kept = f" persistent {server.persistent}" if server.persistent else ""
        flags = f" ({','.join(server.flags)})" if server.flags else ""
        lines.append(f"{server.protocol.upper():<4} {place(server.ip, server.port)} {server.scheduler}{kept}{flags}")
        for real in sorted_reals(server):
            active, inactive = (connections or {}).get((server.key, real.target), (0, 0))
            lines.append(
                f"  -> {real.target:<28} {forward[real.forward]:<7} {real.weight:<6} {active:<10} {inactive:<10}"
            )
    return "".join(f"{line}\n" for line in lines)


def is_server_line(line: str) -> bool:
    """Whether the line is one of ``ipvsadm-save`` (outside of a table, where iptables' ``-A`` stands)."""
    words = line.split(None, 2)
    return len(words) > 1 and words[0] in ("-A", "-a", "--add-service", "--add-server") and words[1] in (*PROTOCOLS, "-f", "--fwmark-service")  # fmt: skip


def apply_line(ipvs: Ipvs, number: int, line: str) -> None:
    """One line of ``ipvsadm-restore``. ParseError with the line."""
    words = line.split()
    if words[1] in ("-f", "--fwmark-service"):
        raise ParseError(number, "virtual servers by firewall mark (-f) are not walked here")
    key = (*_place(words[2] if len(words) > 2 else "", number), PROTOCOLS[words[1]])
    options = _options(words[3:], number)
    if words[0] in ("-A", "--add-service"):
        scheduler = options.get("-s", "wlc")
        if scheduler not in SCHEDULERS:
            raise ParseError(number, f"unknown scheduler {scheduler!r}")
        persistent = options.get("-p")
        ipvs.servers[key] = VirtualServer(
            *key,
            scheduler=scheduler,
            persistent=0 if persistent is None else int(persistent or PERSISTENCE_DEFAULT),
            flags=tuple(f for f in options.get("-b", "").split(",") if f),
            netmask=options.get("-M", ""),
            line=number,
        )
        return
    server = ipvs.servers.get(key)
    if server is None:
        raise ParseError(number, f"there is no virtual server {words[1]} {words[2]}")
    ip, port = _place(options.get("-r", ""), number)
    forward = next((w for w in ("m", "g", "i") if f"-{w}" in options), "g")
    real = RealServer(ip, port or server.port, int(options.get("-w", "1") or 1), forward, number)
    server.servers[real.target] = real


LONG = {
    "--scheduler": "-s", "--persistent": "-p", "--netmask": "-M", "--sched-flags": "-b", "--real-server": "-r", "--weight": "-w",
    "--masquerading": "-m", "--gatewaying": "-g", "--ipip": "-i", "--ops": "-o", "--u-threshold": "-x", "--l-threshold": "-y",
    "--pe": "--pe",
}  # fmt: skip
NUMBERS = ("-p", "-w", "-x", "-y")


def _options(words: list[str], number: int) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(words):
        name = LONG.get(words[at], words[at])
        if name not in LONG.values():
            raise ParseError(number, f"unknown option {words[at]!r}")
        has = at + 1 < len(words) and not words[at + 1].startswith("-")
        found[name] = words[at + 1] if has else ""
        if name in NUMBERS and found[name] and not found[name].isdigit():
            raise ParseError(number, f"{name} needs a number, not {found[name]!r}")
        at += 2 if has else 1
    return found


def _place(text: str, number: int) -> tuple[str, int]:
    """``10.0.0.1:80``, ``[fd00::1]:80`` → (address, port)."""
    host, colon, port = text.rpartition(":")
    if text.endswith("]") or not colon:
        host, port = text, "0"
    host = host.strip("[]")
    try:
        address_number(host)
    except ValueError:
        raise ParseError(number, f"{text!r} is no address (names are not looked up: save with -n)") from None
    if not port.isdigit() or int(port) > 65535:
        raise ParseError(number, f"{port!r} is no port")
    return host, int(port)
