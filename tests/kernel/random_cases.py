"""Cases out of a seed: Services of every kind on a node, in both modes that this kernel has, and rules that no kube-proxy would write."""

from random import Random

from msgspec import structs

from cluster.kubeproxy.offline import read_objects, tracker_of
from cluster.kubeproxy.options import ProxyOptions
from tests.cluster.kubeproxy.test_agreement import places, repr_yaml, world
from tests.kernel.checks import Row, rules_for

NODE_IPS = ("192.168.0.2", "192.168.1.2")
SOURCES = ("203.0.113.2", "203.0.113.130", "10.0.0.9", "192.168.0.2")
OUT = "198.51.100.1"
Case = tuple[str, ProxyOptions, tuple[str, ...], list[Row]]


def services(seed: int, mode: str) -> Case:
    """Random Services from every side (the node's addresses are those of the room)."""
    dice = Random(f"services {seed}")
    text = "\n---\n".join(map(repr_yaml, world(seed).documents)).replace("10.244.", "10.0.")
    given = ProxyOptions(
        node="node-1", node_ip=NODE_IPS[0], node_ips=NODE_IPS, mode=mode, cluster_cidr=dice.choice(("10.0.0.0/8", "10.0.0.0/8", "")),
        masquerade_all=dice.random() < 0.2, masquerade_bit=dice.choice((14, 14, 0, 31)), localhost_nodeports=dice.random() < 0.7,
        nodeport_addresses=dice.choice(((), (), ("192.168.1.0/24",), ("0.0.0.0/0",))), service_cidrs=dice.choice(((), ("10.96.0.0/16",))),
    )  # fmt: skip
    rows: list[Row] = []
    for ports in tracker_of(read_objects(text), 4).services.values():
        for name, service in ports.items():
            found = places(service) + [
                ("node", address, service.node_port) for address in NODE_IPS if service.node_port
            ]
            rows += [
                Row(src, dst, name.protocol, port)
                for _, dst, port in found
                if not dst.startswith("172.")
                for src in SOURCES
            ]
    return rules_for(text, structs.replace(given)), given, NODE_IPS, rows


def _matches(dice: Random, port: str = "") -> str:
    """A few matches; what they ask holds for some of the sources, and not for others.

    Not asked: ``! --ctstate DNAT`` and ``NEW,DNAT``, which ``nft list ruleset`` 1.0.6 shows as ``ct status dnat``.
    """
    bang = dice.choice(("", "! "))
    tcp = dice.choice(("", "", "", "--sport 1024:65535", "--sport 1:1023", "--tcp-flags FIN,SYN,RST,ACK SYN"))
    asks = (
        f"{bang}-s {dice.choice(('203.0.113.0/25', '203.0.113.130/32', '10.0.0.0/8', '0.0.0.0/1'))}",
        f"-m mark {bang}--mark {dice.choice(('0x1/0x1', '0x2/0xf', '0x0', '0x4000/0x4000'))}",
        f"-m addrtype {bang}--{dice.choice(('src', 'dst'))}-type {dice.choice(('LOCAL', 'UNICAST'))}",
        f"-m conntrack {bang}--ctstate {dice.choice(('NEW', 'RELATED,ESTABLISHED', 'INVALID', 'NEW' if bang else 'DNAT'))}",
        f"-m iprange {bang}--src-range 203.0.113.1-203.0.113.{dice.choice((9, 200))}",
    )
    return " ".join(("-p tcp -m tcp", *filter(None, (port, tcp)), *dice.sample(asks, dice.choice((0, 1, 1, 2)))))


TARGETS = {
    "mangle": ("MARK --set-xmark 0x1/0xffffffff", "MARK --set-xmark 0x2/0x2", "MARK --set-xmark 0x0/0x1", "ACCEPT", "RETURN"),
    "nat": ("DNAT --to-destination 10.0.1.1:8080", "DNAT --to-destination 10.0.2.1:8080", "ACCEPT", "RETURN", "MARK --set-xmark 0x4000/0x4000"),
    "filter": ("ACCEPT", "DROP", "REJECT --reject-with icmp-port-unreachable", "REJECT --reject-with tcp-reset", "RETURN"),
}  # fmt: skip
HOOKS = {"mangle": ("PREROUTING", "OUTPUT"), "nat": ("PREROUTING", "OUTPUT"), "filter": ("INPUT", "FORWARD", "OUTPUT")}


def rules(seed: int) -> Case:
    """Chains of random rules in three tables, and packets to every port that they ask for. No draws: a packet has one end."""
    dice = Random(f"rules {seed}")
    ports = range(9001, 9013)
    text = ""
    for table, hooks in HOOKS.items():
        chains = [f"{table[0].upper()}{number}" for number in range(5)]
        lines = [f"*{table}", *(f":{hook} ACCEPT [0:0]" for hook in hooks), *(f":{chain} - [0:0]" for chain in chains)]
        for hook in hooks:
            for _ in range(dice.randint(3, 6)):
                low = dice.choice(ports)
                target = (
                    f"{dice.choice(('-j', '-j', '-g'))} {dice.choice(chains)}"
                    if dice.random() < 0.6
                    else f"-j {dice.choice(TARGETS[table][: 3 if table != 'filter' else 5])}"
                )
                lines.append(f"-A {hook} {_matches(dice, f'--dport {low}:{low + dice.choice((1, 3, 9))}')} {target}")
        for at, chain in enumerate(chains):
            for _ in range(dice.randint(1, 4)):
                deeper = chains[at + 1 :]
                jump = deeper and dice.random() < 0.35
                target = (
                    f"{dice.choice(('-j', '-g'))} {dice.choice(deeper)}"
                    if jump
                    else f"-j {dice.choice(TARGETS[table])}"
                )
                lines.append(f"-A {chain} {_matches(dice)} {target}")
        if table == "nat":
            lines.insert(1 + len(hooks), ":POSTROUTING ACCEPT [0:0]")
            lines.append("-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE")
        text += "\n".join([*lines, "COMMIT"]) + "\n"
    rows = [Row(src, dst, "tcp", port) for port in ports for src in SOURCES for dst in ("192.168.0.2", OUT)]
    return text, ProxyOptions(), NODE_IPS, rows
