"""One node's network as a page shows it: interfaces, routes, pods, who wrote rules, what an old mode left, connections, policies, packets that passed.

In: a scene and a node's name → out: a dict (see ``node_network``). What the node's kernel has, whether or not its kube-proxy runs.

Simplified here: routes and policies are told from the cluster's objects, also where the node's agent hasn't read them yet.
"""

from typing import Any

from cluster.kubeproxy.writes import SERVICE_CHAINS
from cluster.netfilter.dump import save_dump
from cluster.netfilter.nft_render import list_ruleset
from cluster.netfilter.node_tables import NodeTables
from cluster.network.policy import policy_types, selects
from cluster.node import interfaces
from cluster.node.kernel import Kernel
from cluster.snapshot.scene import Scene

MAX_FLOWS = 200


def kernels(world: Any) -> dict[str, Kernel]:
    """Node → its kernel, of the nodes that are switched on."""
    slots = world.state.slots
    return {actor.config.node: actor for name, actor in world.actors.items() if slots[name].kind == "kernel"}


def cidrs(scene: Scene) -> dict[str, str]:
    """Node → its pod CIDR."""
    return {name: (doc.get("spec") or {}).get("podCIDR", "") for name, doc in scene.objects.get("nodes").items()}


def node_network(scene: Scene, node: str) -> dict[str, Any]:
    """KeyError: no such node, or it is off.

    ``{node, address, podCIDR, podNetwork, mode, proxy: {up, pod, mode} | None, ipvs, interfaces, routes, rules, pods, tables, leftovers, conntrack,
    moreFlows, policies, passed, agent}``; times in virtual micros.
    """
    kernel = kernels(scene.world)[node]
    config, state = kernel.config, kernel.state
    known = cidrs(scene)
    tables = state.tables.current()
    flows = [flow for flow in state.conntrack.unique() if flow.expires > scene.world.now]
    proxy = scene.world.state.slots.get(f"kube-proxy-{node}")
    state_of = getattr(scene.world.actors.get(f"kube-proxy-{node}"), "state", None)
    return {
        "node": node,
        "address": config.address,
        "podCIDR": known.get(node, ""),
        "podNetwork": "overlay" if config.overlay else "routed",
        "mode": tables.mode,
        "proxy": {"up": proxy.up, "pod": getattr(state_of, "pod", ""), "mode": getattr(state_of, "mode", "")}
        if proxy
        else None,
        "ipvs": state.modules.get("ip_vs", config.ipvs),
        "interfaces": interfaces.links(config, state, known),
        "routes": interfaces.routes(config, state, known),
        "rules": RULES,
        "pods": [_pod(nic) for nic in state.pods.values()],
        "tables": table_counts(tables),
        "leftovers": leftovers(tables),
        "conntrack": [_flow(flow, scene.world.now) for flow in flows[-MAX_FLOWS:]],
        "moreFlows": max(0, len(flows) - MAX_FLOWS),
        "policies": _policies(scene, node),
        "passed": [_passed(one) for one in state.passed],
        "agent": state.agent,
    }


RULES = [
    {"priority": 0, "from": "all", "lookup": "local"},
    {"priority": 32766, "from": "all", "lookup": "main"},
    {"priority": 32767, "from": "all", "lookup": "default"},
]


def kernel_rules(scene: Scene, node: str) -> dict[str, str]:
    """``{iptables, nftables}``: what ``iptables-save`` and ``nft list ruleset`` print on the node, leftovers and all."""
    tables = kernels(scene.world)[node].state.tables.current()
    return {"iptables": save_dump(tables.ruleset), "nftables": list_ruleset(tables.nft)}


def counters(scene: Scene, node: str) -> dict[str, list[list[int]]]:
    """``table chain`` → [packets, bytes] that each of its rules caught, in their order, the policy's last; IPVS: ``ipvs protocol address:port`` → its real servers.

    nft's rules carry their counters in their text. Chains that have caught nothing are left out.
    """
    state = kernels(scene.world)[node].state
    ruleset = state.tables.current().ruleset
    found: dict[str, list[list[int]]] = {}
    for table, chains in ruleset.tables.items():
        for name, chain in chains.items():
            if chain.counters:
                found[f"{table} {name}"] = [list(chain.counters.get(rule, (0, 0))) for rule in (*chain.rules, None)]
    for server in ruleset.ipvs.servers.values() if ruleset.ipvs is not None else ():
        name = f"{server.protocol} {server.ip}:{server.port}"
        rows = [state.served.get(f"{name} {real.target}", (0,) * 5) for real in server.servers.values()]
        if any(row[0] for row in rows):
            found[f"ipvs {name}"] = [[row[1] + row[2], row[3] + row[4]] for row in rows]
    return found


def table_counts(tables: NodeTables) -> dict[str, int]:
    """Rules in iptables' tables and in nft's; virtual servers."""
    servers = tables.ruleset.ipvs.servers if tables.ruleset.ipvs is not None else {}
    return {
        "iptables": tables.ruleset.rule_count(),
        "nftables": sum(len(chain.rules) for table in tables.nft.tables.values() for chain in table.chains.values()),
        "ipvs": len(servers),
    }


def leftovers(tables: NodeTables) -> list[dict[str, Any]]:
    """What modes other than the one that runs have left: ``{mode, chains, rules, flush}``."""
    found: list[dict[str, Any]] = []
    nat = tables.ruleset.tables.get("nat", {})
    chains = [name for name in nat if name.startswith(SERVICE_CHAINS)]
    if tables.mode not in ("", "iptables") and chains:
        rules = sum(len(nat[name].rules) for name in chains)
        found.append({"mode": "iptables", "chains": len(chains), "rules": rules, "flush": "iptables -F -t nat"})
    for key, table in tables.nft.tables.items():
        if tables.mode not in ("", "nftables") and key[1].startswith("kube-proxy"):
            rules = sum(len(chain.rules) for chain in table.chains.values())
            found.append({"mode": "nftables", "chains": len(table.chains), "rules": rules, "flush": f"nft delete table {key[0]} {key[1]}"})  # fmt: skip
    servers = tables.ruleset.ipvs.servers if tables.ruleset.ipvs is not None else {}
    if tables.mode not in ("", "ipvs") and servers:
        found.append({"mode": "ipvs", "chains": 0, "rules": len(servers), "flush": "ipvsadm -C"})
    return found


def _pod(nic: Any) -> dict[str, Any]:
    return {
        "key": nic.attach.key,
        "ip": nic.attach.ip,
        "host": nic.attach.host,
        "veth": nic.veth,
        "index": nic.index,
        "listeners": [
            {"container": name, "protocol": one.protocol, "port": one.port, "app": one.app}
            for name, listening in nic.listeners.items()
            for one in listening
        ],
    }


def _flow(flow: Any, now: int) -> dict[str, Any]:
    def side(one: Any) -> dict[str, Any]:
        return {"src": one.src, "dst": one.dst, "sport": one.sport, "dport": one.dport}

    return {
        "protocol": flow.original.protocol,
        "state": flow.state,
        "left": max(0, flow.expires - now) // 1000,
        "original": side(flow.original),
        "reply": side(flow.reply),
        "seenReply": flow.seen_reply,
        "dnat": flow.dnat,
        "snat": flow.snat,
    }


def _passed(one: Any) -> dict[str, Any]:
    names = ("src", "sport", "dst", "dport", "protocol")
    return {
        "at": one.at // 1000,
        "trace": one.trace,
        "kind": one.kind,
        "before": dict(zip(names, one.before, strict=True)),
        "after": dict(zip(names, one.after, strict=True)),
        "in": one.device_in,
        "out": one.device_out,
        "verdict": one.verdict,
        "why": one.why,
        "policies": list(one.policies),
        "tunnel": list(one.tunnel) if one.tunnel else None,
        "state": one.state,
        "walk": one.walk,
    }


def _policies(scene: Scene, node: str) -> list[dict[str, Any]]:
    """Policies that select a pod of this node, with those pods."""
    pods = {key: doc for key, doc in scene.objects.get("pods").items()
            if doc["spec"].get("nodeName") == node and not doc["spec"].get("hostNetwork")}  # fmt: skip
    found: list[dict[str, Any]] = []
    for key, policy in scene.objects.get("networkpolicies").items():
        mine = [name for name, doc in pods.items() if selects(policy, doc)]
        if mine:
            found.append({"key": key, "types": list(policy_types(policy)), "pods": mine})
    return found
