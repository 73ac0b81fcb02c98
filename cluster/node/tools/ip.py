"""``ip addr|link|route|rule|neigh`` (``-br``, ``-4``, ``-d``, ``show``, ``get``) and ``ss -tln``, ``hostname``, ``sysctl``.

Upstream: iproute2 6.1 (texts). Simplified here: IPv4 only; nothing is changed by ``ip``; counters and neighbours are absent.
"""

from typing import Any

from cluster.node import interfaces
from cluster.node.tools import Printed

NAMES = ("ip", "ss", "hostname", "sysctl")
OBJECTS = ("address", "link", "route", "rule", "neighbour")
SYSCTL = {"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1", "net.ipv4.conf.all.route_localnet": "0",
          "net.ipv4.conf.all.arp_ignore": "0", "net.ipv4.conf.all.arp_announce": "0",
          "net.netfilter.nf_conntrack_max": "131072", "net.netfilter.nf_conntrack_tcp_timeout_established": "86400",
          "net.ipv4.tcp_syn_retries": "6"}  # fmt: skip
"""What the node was set up with; a kube-proxy changes some of them."""
VS_SYSCTL = {"net.ipv4.vs.conntrack": "0", "net.ipv4.vs.conn_reuse_mode": "1", "net.ipv4.vs.expire_nodest_conn": "0",
             "net.ipv4.vs.expire_quiescent_template": "0"}  # fmt: skip
"""Those that are there once IPVS is loaded."""


def run(kernel: Any, words: list[str], stdin: str, now: int) -> Printed:
    match words[0]:
        case "hostname":
            return Printed(f"{kernel.config.node}\n")
        case "ss":
            return _ss(kernel, words[1:])
        case "sysctl":
            return _sysctl(kernel, words[1:])
    flags = [word for word in words[1:] if word.startswith("-")]
    rest = [word for word in words[1:] if not word.startswith("-")]
    if any(flag in ("-V", "-Version") for flag in flags):
        return Printed("ip utility, iproute2-6.1.0, libbpf 1.1.0\n")
    what = next((name for name in OBJECTS if rest and name.startswith(rest[0])), "")
    if not what:
        if not rest:
            return Printed(err="Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n", code=255)
        return Printed(err=f'Object "{rest[0]}" is unknown, try "ip help".\n', code=1)
    verb = rest[1] if len(rest) > 1 else "show"
    if verb in ("add", "del", "delete", "set", "replace", "flush", "change"):
        return Printed(
            err=f"ip: {what} {verb} is not simulated: interfaces and routes belong to the CNI plug-in here\n", code=2
        )
    known = kernel.known().cidrs
    links = interfaces.links(kernel.config, kernel.state, known)
    device = rest[-1] if len(rest) > 2 and verb in ("show", "list", "ls", "dev") else ""
    if what in ("address", "link") and device:
        links = [one for one in links if one["name"] == device]
        if not links:
            return Printed(err=f'Device "{device}" does not exist.\n', code=1)
    brief = any(flag in ("-br", "-brief") for flag in flags)
    match what:
        case "rule":
            return Printed("0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n")
        case "neighbour":
            rows = [nic for nic in kernel.state.pods.values() if nic.veth]
            return Printed(
                "".join(f"{nic.attach.ip} dev cni0 lladdr {interfaces.mac(nic.attach.uid)} REACHABLE\n" for nic in rows)
            )
        case "route" if verb == "get" and len(rest) > 2:
            return _get(kernel, rest[2], known)
        case "route":
            rows = interfaces.routes(kernel.config, kernel.state, known)
            if device:
                rows = [row for row in rows if row["device"] == device]
            return Printed("".join(route_line(row) for row in rows))
        case "address" if brief:
            return Printed(
                "".join(f"{_name(one):<16} {_state(one):<14} {' '.join(one['addresses'])} \n" for one in links)
            )
        case "link" if brief:
            return Printed(
                "".join(f"{_name(one):<16} {_state(one):<14} {one['mac']} <{_flags(one)}> \n" for one in links)
            )
        case "address":
            return Printed("".join(_address(one) for one in links))
    detailed = any(flag in ("-d", "-details") for flag in flags)
    return Printed("".join(_link(one, detailed) for one in links))


def _name(one: dict[str, Any]) -> str:
    if one["kind"] == "veth":
        return f"{one['name']}@if2"
    return f"{one['name']}@if{one['index'] + 8}" if one["kind"] == "ethernet" else str(one["name"])


def _flags(one: dict[str, Any]) -> str:
    match one["kind"]:
        case "loopback":
            return "LOOPBACK,UP,LOWER_UP"
        case "dummy":
            return "BROADCAST,NOARP"
        case "bridge" if not one["up"]:
            return "NO-CARRIER,BROADCAST,MULTICAST,UP"
        case _:
            return "BROADCAST,MULTICAST,UP,LOWER_UP"


def _state(one: dict[str, Any]) -> str:
    if one["kind"] in ("loopback", "vxlan"):
        return "UNKNOWN"
    return "DOWN" if one["kind"] == "dummy" or (one["kind"] == "bridge" and not one["up"]) else "UP"


def _head(one: dict[str, Any], mode: bool) -> str:
    master = f" master {one['master']}" if one.get("master") else ""
    qdisc = "noop" if one["kind"] == "dummy" else "noqueue"
    text = f"{one['index']}: {_name(one)}: <{_flags(one)}> mtu {one['mtu']} qdisc {qdisc}{master} state {_state(one)}"
    text += (
        (" mode DEFAULT" if mode else "")
        + " group default "
        + ("qlen 1000" if one["kind"] in ("loopback", "bridge") else "")
    )
    kind = "loopback" if one["kind"] == "loopback" else "ether"
    edge = "00:00:00:00:00:00" if kind == "loopback" else "ff:ff:ff:ff:ff:ff"
    peer = " link-netnsid 0" if one["kind"] in ("veth", "ethernet") else ""
    return f"{text}\n    link/{kind} {one['mac']} brd {edge}{peer}"


def _address(one: dict[str, Any]) -> str:
    text = _head(one, False) + "\n"
    for address in one["addresses"]:
        scope = "host" if one["kind"] == "loopback" else "global"
        edge = ""
        if one["kind"] in ("ethernet", "bridge"):
            edge = f" brd {interfaces.ip_network(address, strict=False).broadcast_address}"
        text += (
            f"    inet {address}{edge} scope {scope} {one['name']}\n       valid_lft forever preferred_lft forever\n"
        )
    return text


def _link(one: dict[str, Any], detailed: bool) -> str:
    text = _head(one, True) + "\n"
    if detailed and one["kind"] == "vxlan":
        text += f"    vxlan id {one['vni']} local {one['local']} dev eth0 srcport 0 0 dstport {one['port']} nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx \n"  # fmt: skip
    elif detailed and one["kind"] == "veth":
        text += "    veth \n    bridge_slave state forwarding priority 32 cost 2 hairpin on guard off root_block off fastleave off learning on flood on \n"
    elif detailed and one["kind"] == "bridge":
        text += "    bridge forward_delay 1500 hello_time 200 max_age 2000 \n"
    return text


def route_line(row: dict[str, Any]) -> str:
    """One line of ``ip route``; it ends in a blank, as the real one's."""
    parts = [row["to"]]
    parts += [f"via {row['via']}"] if row.get("via") else []
    parts.append(f"dev {row['device']}")
    parts += [f"proto {row['proto']}"] if row.get("proto") else []
    parts += [f"scope {row['scope']}"] if row.get("scope") else []
    parts += [f"src {row['source']}"] if row.get("source") else []
    parts += [row["flags"]] if row.get("flags") else []
    return " ".join(parts) + " \n"


def _get(kernel: Any, address: str, known: Any) -> Printed:
    try:
        interfaces.ip_address(address)
    except ValueError:
        return Printed(err=f'Error: inet prefix is expected rather than "{address}".\n', code=1)
    if address in interfaces.local_addresses(kernel.config, kernel.state, known):
        return Printed(f"local {address} dev lo src {address} uid 0 \n    cache <local> \n")
    row = interfaces.route_to(address, kernel.config, kernel.state, known)
    cidr = known.get(kernel.config.node, "")
    source = {"cni0": interfaces.bridge_address(cidr), "flannel.1": interfaces.overlay_address(cidr)}.get(row["device"], kernel.config.address)  # fmt: skip
    via = f" via {row['via']}" if row.get("via") else ""
    return Printed(f"{address}{via} dev {row['device']} src {source} uid 0 \n    cache \n")


def _ss(kernel: Any, words: list[str]) -> Printed:
    flags = "".join(word[1:] for word in words if word.startswith("-") and not word.startswith("--"))
    if set(flags) - set("tulnpaH4"):
        return Printed(
            err=f"ss: option -{(set(flags) - set('tulnpaH4')).pop()} is not simulated: -t -u -l -n -p -a\n", code=1
        )
    wanted = [name for name, letter in (("tcp", "t"), ("udp", "u")) if letter in flags] or ["tcp", "udp"]
    rows: list[tuple[str, str, str]] = []
    own = [("tcp", 10250, "*", "kubelet"), ("tcp", 10248, "127.0.0.1", "kubelet"), ("tcp", 22, "0.0.0.0", "sshd")]
    if kernel.config.overlay:
        own.append(("udp", interfaces.VXLAN_PORT, "0.0.0.0", ""))
    for nic in kernel.state.pods.values():
        if nic.attach.host:
            name = nic.attach.key.rpartition("/")[2]
            for container, listening in nic.listeners.items():
                own += [
                    (
                        one.protocol,
                        one.port,
                        one.address or ("127.0.0.1" if one.port in (10257, 10259, 2381) else "*"),
                        container or name,
                    )
                    for one in listening
                ]
    own.sort(key=lambda row: (row[0] != "udp", row[1]))
    pids = {program: 700 + number * 13 for number, program in enumerate(dict.fromkeys(row[3] for row in own))}
    for number, (protocol, port, address, program) in enumerate(own):
        if protocol in wanted:
            peer = "*:*" if address == "*" else "0.0.0.0:*"
            users = (
                f'users:(("{program[:15]}",pid={pids[program]},fd={3 + number}))' if "p" in flags and program else ""
            )
            rows.append((protocol, f"{address}:{port}", f"{peer:<17}{users}" if users else peer))
    both = len(wanted) > 1
    head = ("Netid " if both else "") + "State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess"
    lines = [] if "H" in flags else [head]
    for protocol, local, peer in rows:
        state, queue = ("LISTEN", "4096") if protocol == "tcp" else ("UNCONN", "0")
        lines.append(
            ((f"{protocol:<5} " if both else "") + f"{state:<6} 0      {queue:<6} {local:>18} {peer:>18}").rstrip()
            + " "
        )
    return Printed("\n".join(lines) + "\n")


def _sysctl(kernel: Any, words: list[str]) -> Printed:
    tables = kernel.state.tables.current()
    known = SYSCTL | (VS_SYSCTL if tables.ruleset.ipvs is not None else {}) | tables.sysctl
    names = [word for word in words if not word.startswith("-")]
    printed = Printed()
    for name in names or sorted(known):
        if "=" in name:
            printed.err, printed.code = printed.err + "sysctl: setting values is not simulated\n", 1
        elif name in known:
            printed.out += f"{name} = {known[name]}\n"
        else:
            path = name.replace(".", "/")
            printed.err, printed.code = (
                printed.err + f"sysctl: cannot stat /proc/sys/{path}: No such file or directory\n",
                255,
            )
    return printed
