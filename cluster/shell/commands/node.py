"""``ssh`` to a node and its network tools there; programs that send packets from the desk to a node's address.

``ssh node-1`` and from then on ``iptables nft ipvsadm ipset conntrack ip ss …`` are that node's, until ``exit``. ``ssh node-1 iptables-save`` runs one. A tool is
run by the node's kernel, not here: it reads and changes the simulated tables, and nothing else. ``curl wget ping nslookup dig nc`` send real
packets of the simulation: on a node from the node itself, at the desk from outside the cluster to a node's address (a NodePort).

Simplified here: there is one user, root, without a password; files are there on hosts with a part of the control plane only, other
programs of a node nowhere.
"""

from collections.abc import Generator
from typing import Any

from cluster.network.effects import Call, Console, Pause, Resolver
from cluster.network.programs import PROGRAMS
from cluster.network.resolve import is_address
from cluster.shell.effects import Answer, Effect, HostFiles, Net, OnNode, Sleep
from cluster.shell.interpreter import Context, Run

TOOLS = ("iptables", "iptables-nft", "iptables-save", "iptables-nft-save", "iptables-restore", "ip6tables", "ip6tables-save", "nft", "ipvsadm",
         "ipvsadm-save", "ipset", "conntrack", "ip", "ss", "hostname", "sysctl", "modprobe", "lsmod", "apt-get", "apt", "apt-mark", "systemctl")  # fmt: skip
NETWORK = ("wget", "ping", "nslookup", "dig", "host", "nc", "netcat")
NAMES = ("ssh", *TOOLS, *NETWORK)


def run(ctx: Context) -> Run | int:
    if ctx.name == "ssh":
        return _ssh(ctx)
    if ctx.name in NETWORK:
        return network(ctx, [ctx.name, *ctx.args])
    if not ctx.session.host:
        if ctx.name == "hostname":
            ctx.out("desk\n")
            return 0
        names = ", ".join(name for name, _ in ctx.config.hosts)
        ctx.err(f"{ctx.name}: this is your desk, not a node: ssh to one first ({names})\n")
        return 127
    return _tool(ctx, ctx.session.host, [ctx.name, *ctx.args])


def _tool(ctx: Context, host: str, words: list[str]) -> Run:
    if len(words) > 2 and words[0] == "nft" and words[1] == "-f" and words[2] not in ("-", "/dev/stdin"):
        words = ["nft", "-f", "-"]
    answer = yield OnNode(host, tuple(words), ctx.stdin)
    result = answer.value
    if result is None:
        ctx.err(
            f"ssh: connect to host {host} port 22: {'Connection refused' if answer.error == 'refused' else 'Connection timed out'}\n"
        )
        return 255
    ctx.out(result.stdout)
    ctx.err(result.stderr)
    return result.code


def _ssh(ctx: Context) -> Generator[Effect, Answer, int]:
    words = list(ctx.args)
    while words and words[0].startswith("-"):
        words.pop(0)
    if not words:
        ctx.err("usage: ssh [user@]node [command]\n")
        return 255
    name = words[0].rpartition("@")[2]
    hosts = (*ctx.config.hosts, *((login.host, login.address) for login in ctx.config.logins))
    host = next((one for one, address in hosts if name in (one, address)), "")
    login = any(one.host == host for one in ctx.config.logins)
    if not host:
        ctx.err(f"ssh: Could not resolve hostname {name}: Name or service not known\n")
        return 255
    if words[1:]:
        command = " ".join(words[1:]).split()
        if command[0] in TOOLS:
            return (yield from _tool(ctx, host, command))
        if command[0] == "kubeadm":
            return (yield from ctx.machine.commands["kubeadm"].on(ctx, host, command[1:]))
        if command[0] in PROGRAMS:
            return (yield from network(ctx, command, host))
        if login and command[0] in ctx.machine.commands:
            return (yield from ctx.at(host, " ".join(words[1:])))
        ctx.err(f"bash: line 1: {command[0]}: command not found\n")
        return 127
    answer = yield HostFiles(host) if login else OnNode(host, ("hostname",))
    if answer.value is None:
        why = "Connection refused" if answer.error == "refused" else "Connection timed out"
        ctx.err(f"ssh: connect to host {host} port 22: {why}\n")
        return 255
    ctx.session.host = host
    ctx.out(
        f"Linux {host} 6.1.0-clearplane #1 SMP x86_64\n{host}: "
        + (
            "this host's files (/etc/kubernetes/manifests, /var/lib/etcd), etcdctl, etcdutl and network tools"
            if login
            else "network tools of this node"
        )
        + "; exit brings you back to your desk.\n"
    )
    return 0


def is_node_address(ctx: Context, name: str) -> bool:
    """Whether ``name`` is a Node's name or address."""
    return any(name in pair for pair in ctx.config.hosts)


def network(ctx: Context, words: list[str], host: str = "") -> Generator[Effect, Answer, int]:
    """Run a network program: on the node one is logged in on, or at the desk towards a node."""
    host = host or ctx.session.host
    uid = ""
    names = dict(ctx.config.hosts)
    console = Console(_resolver(ctx), host or "desk", "", {"EPOCH": str(ctx.config.epoch)}, ctx.now)
    program = PROGRAMS["nc" if words[0] == "netcat" else words[0]].run(console, words)
    shown = 0
    sent: Any = None
    try:
        while True:
            effect = program.send(sent)
            for number, text in console.pieces[shown:]:
                (ctx.out if number == 1 else ctx.err)(text)
            shown = len(console.pieces)
            if isinstance(effect, Pause):
                answer = yield Sleep(effect.duration)
                sent = (answer.now, None)
                continue
            assert isinstance(effect, Call)
            through = host
            if not host:
                uid = "outside"
                through = next(
                    (name for name, address in names.items() if address == effect.dst), next(iter(names), "")
                )
            answer = yield Net(through, uid, effect)
            done = answer.value
            if done is None:
                from cluster.wire.packet import NetDone

                done = NetDone(0, "unreachable" if answer.error == "refused" else "timeout")
            sent = (answer.now, done)
    except StopIteration as stop:
        for number, text in console.pieces[shown:]:
            (ctx.out if number == 1 else ctx.err)(text)
        return stop.value or 0


def _resolver(ctx: Context) -> Resolver:
    """A node asks the machine network's resolver, which knows no cluster names; the desk knows the nodes by name."""
    hosts = tuple((address, (name,)) for name, address in ctx.config.hosts)
    return Resolver(("172.18.0.1",), (), 1, attempts=1, hosts=(("127.0.0.1", ("localhost",)), *hosts))


__all__ = ["NAMES", "is_address", "is_node_address", "network", "run"]
