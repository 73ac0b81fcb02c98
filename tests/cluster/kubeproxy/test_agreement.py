"""For random Services, endpoints and policies: the walks of iptables, nftables and IPVS mode, and a plain oracle, end alike.

Where upstream itself says otherwise, ``expected`` says how. The exceptions:

* iptables: what the node itself sends to an external or balancer's address without endpoints is not refused (KUBE-EXTERNAL-SERVICES hangs in INPUT and
  FORWARD only).
* nftables: node ports only on the node's primary address (``nodePortAddresses`` not given); a packet to another one is nobody's business.
* IPVS: Local policy without a local endpoint falls back to all endpoints (a client outside gets no answer it would accept).
* IPVS: external traffic of a Local service from pods and from the node goes to local endpoints, too, when there are any (no short circuit), and isn't
  masqueraded when the node sends it.
* IPVS: a pod that reaches itself is masqueraded only if it lives on this node (the set KUBE-LOOP-BACK); one on another node doesn't pass here.
* nftables and IPVS: source ranges are asked before endpoints are: a service without any drops who isn't in them, where iptables rejects.
* IPVS: source ranges are asked of what arrives (INPUT); what the node sends to a load balancer's address with its own address passes. With the load
  balancer's address as source, which is what the node really uses, it is dropped (see test_ipvs).
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

import pytest
from msgspec import structs

from cluster.kubeproxy.change_tracker import ServicePort
from cluster.kubeproxy.offline import proxyrules, read_objects, tracker_of, walker_for
from cluster.kubeproxy.options import ProxyOptions
from cluster.wire.packet import Packet

NODE_IPS = ("172.18.0.11", "172.19.0.11")
PODS = "10.244.0.0/16"
OPTIONS = ProxyOptions(
    node="node-1", node_ip=NODE_IPS[0], node_ips=NODE_IPS, cluster_cidr=PODS, service_cidrs=("10.96.0.0/16",)
)
MODES = ("iptables", "nftables", "ipvs")
OUTSIDE = ("203.0.113.5", "203.0.114.5")


@dataclass
class World:
    """Objects as YAML text (JSON is YAML), and what the oracle knows of endpoints: service → (address, port, node, state)."""

    documents: list[dict[str, Any]]
    endpoints: dict[str, list[tuple[str, int, str, str]]]


def world(seed: int) -> World:
    """A few Services of every kind."""
    dice = Random(seed)
    documents: list[dict[str, Any]] = []
    endpoints: dict[str, list[tuple[str, int, str, str]]] = {}
    for number in range(dice.randint(1, 4)):
        name, kind = f"s{number}", dice.choice(("ClusterIP", "NodePort", "LoadBalancer"))
        protocol = dice.choice(("TCP", "TCP", "UDP", "SCTP"))
        ports = [
            {"name": f"p{at}", "protocol": protocol, "port": 80 + at, **({"nodePort": 30000 + number * 10 + at} if kind != "ClusterIP" else {})}
            for at in range(dice.randint(1, 2))
        ]  # fmt: skip
        spec: dict[str, Any] = {
            "type": kind,
            "clusterIP": f"10.96.0.{number + 1}",
            "ports": ports,
            "internalTrafficPolicy": dice.choice(("Cluster", "Cluster", "Local")),
            "sessionAffinity": dice.choice(("None", "None", "ClientIP")),
            "externalIPs": [f"192.0.2.{number + 1}"] if dice.random() < 0.4 else [],
        }
        status: dict[str, Any] = {}
        if kind != "ClusterIP" or spec["externalIPs"]:
            spec["externalTrafficPolicy"] = dice.choice(("Cluster", "Local"))
        if kind == "LoadBalancer":
            status = {
                "loadBalancer": {
                    "ingress": [{"ip": f"198.51.100.{number + 1}", "ipMode": dice.choice(("VIP", "VIP", "Proxy"))}]
                }
            }
            if dice.random() < 0.5:
                spec["loadBalancerSourceRanges"] = dice.sample(["203.0.113.0/24", "10.244.0.0/16", "172.18.0.0/16"], 2)
        documents.append(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"namespace": "d", "name": name},
                "spec": spec,
                "status": status,
            }
        )
        endpoints[name] = [
            (f"10.244.{at % 3 + 1}.{number * 10 + at}", 8080, f"node-{at % 3 + 1}", dice.choice(("ready", "ready", "ready", "terminating", "gone")))
            for at in range(dice.choice((0, 1, 2, 4)))
        ]  # fmt: skip
        conditions = {
            "ready": {"ready": True},
            "terminating": {"ready": False, "serving": True, "terminating": True},
            "gone": {"ready": False, "serving": False, "terminating": True},
        }
        documents.append(
            {
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"namespace": "d", "name": f"{name}-x", "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "ports": [{"name": p["name"], "protocol": protocol, "port": 8080} for p in ports],
                "endpoints": [{"addresses": [a], "nodeName": n, "conditions": conditions[s]} for a, _, n, s in endpoints[name]],
            }
        )  # fmt: skip
    return World(documents, endpoints)


def usable(found: list[tuple[str, int, str, str]], node: str = "") -> list[str]:
    """Ready endpoints (of a node), else those that terminate and still serve."""
    here = [e for e in found if not node or e[2] == node]
    for state in ("ready", "terminating"):
        if chosen := [f"{a}:{p}" for a, p, _, s in here if s == state]:
            return sorted(chosen)
    return []


Ends = tuple[str, dict[str, bool]]
"""(verdict, endpoint → whether it is masqueraded)."""


def expected(
    mode: str, service: ServicePort, found: list[tuple[str, int, str, str]], kind: str, src: str, dst: str
) -> Ends:
    """What the oracle says: ``kind`` is cluster, external, balancer or node."""
    if mode == "nftables" and kind == "node" and dst != NODE_IPS[0]:
        return "NONE", {}
    pod, own = ip_address(src) in ip_network(PODS), src in NODE_IPS
    local_policy = service.internal_local if kind == "cluster" else service.external_local
    everywhere = usable(found) if service.uses_cluster_endpoints else []
    here = usable(found, "node-1")
    fenced = kind == "balancer" and bool(service.source_ranges) and not (mode == "ipvs" and own)
    barred = fenced and not any(ip_address(src) in ip_network(cidr) for cidr in service.source_ranges)
    if barred and mode != "iptables":
        return "DROP", {}
    if not usable(found):
        outward = mode == "iptables" and own and kind in ("external", "balancer")
        return ("NONE" if outward else "REJECT"), {}
    if barred:
        return "DROP", {}
    short = kind != "cluster" and local_policy and (pod or own)
    if mode == "ipvs":
        chosen = (here or everywhere) if local_policy else everywhere
        masquerade = (not pod) if kind == "cluster" else not local_policy
        lives = {f"{a}:{p}" for a, p, n, _ in found if n == "node-1"}
        hairpin = [place for place in chosen if place.rpartition(":")[0] == src and place in lives]
        return ("DNAT", {p: masquerade or p in hairpin for p in chosen}) if chosen else ("REJECT", {})
    chosen = everywhere if short or not local_policy else here
    if not chosen:
        return "DROP", {}
    masquerade = (not pod) if kind == "cluster" else (own if local_policy else True)
    return "DNAT", {place: masquerade or place.rpartition(":")[0] == src for place in chosen}


@pytest.mark.parametrize("seed", range(40))
def test_all_modes_end_where_the_oracle_says(seed: int) -> None:
    made = world(seed)
    text = "\n---\n".join(map(repr_yaml, made.documents))
    tracker = tracker_of(read_objects(text), 4)
    for mode in MODES:
        options = structs.replace(OPTIONS, mode=mode)
        walker = walker_for(proxyrules(text, options, jumps=True), node_ips=NODE_IPS)
        for key, ports in tracker.services.items():
            found = made.endpoints[key.partition("/")[2]]
            local_pod = next((a for a, _, n, _ in found if n == "node-1"), "10.244.1.200")
            for name, service in ports.items():
                for kind, dst, port in places(service):
                    for src in (local_pod, "10.244.1.201", NODE_IPS[0], *OUTSIDE):
                        walk = walker.walk(Packet(src, dst, name.protocol, 40000, port))
                        seen = {leaf.endpoint: leaf.masquerade for leaf in walk.leaves if leaf.verdict == "DNAT"}
                        want = expected(mode, service, found, kind, src, dst)
                        assert (walk.verdict, seen) == want, (mode, kind, src, dst, port, service)
                        assert sum(leaf.probability for leaf in walk.leaves) == pytest.approx(1)


def repr_yaml(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document)


def places(service: ServicePort) -> list[tuple[str, str, int]]:
    """(kind, address, port) by which a service port can be called."""
    found = [("cluster", service.cluster_ip, service.port)]
    found += [("external", address, service.port) for address in service.external_ips]
    found += [("balancer", address, service.port) for address in service.lb_vips]
    return found + [("node", address, service.node_port) for address in NODE_IPS if service.node_port]
