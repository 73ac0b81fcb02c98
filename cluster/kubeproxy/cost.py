"""What a packet and a sync cost when there are many Services: a made-up cluster of any size, its rules in one mode, and a packet to its last Service.

In: a mode and how many Services → out: ``Sized``: the text kube-proxy would write, what walks it, the packet, and the text of the sync after one endpoint changed.
Everything is made of the same code that writes a node's rules; whoever asks measures how long it takes.

Simplified here: every Service has one port and ``ENDPOINTS`` endpoints, one to each of as many nodes. nftables, IPVS and userspace syncs are counted whole: this
proxy writes their text anew (the real ones send what changed).
"""

from msgspec import Struct

from cluster.kubeproxy.change_tracker import ChangeTracker
from cluster.kubeproxy.modes import mode_named, nftables
from cluster.kubeproxy.offline import walker_for
from cluster.kubeproxy.options import ProxyOptions
from cluster.kubeproxy.rulebook import Rulebook
from cluster.netfilter.dump import save_dump
from cluster.netfilter.nft_walk import NftWalker
from cluster.netfilter.passage import Walk
from cluster.netfilter.walk import Walker
from cluster.wire.packet import Packet

ENDPOINTS = 2
NODE_IP = "172.18.0.11"
MODES = ("iptables", "nftables", "ipvs", "userspace")
MAX_SERVICES = 10_000


class Sized(Struct):
    """``text``: a full sync. ``partial``: the next one, after one endpoint changed; "" where this proxy has only whole ones."""

    text: str
    partial: str
    last: str
    """The address of the last Service in the tables."""


def address(number: int, second: int) -> str:
    """The ``number``-th address of 10.``second``.0.0/16 and those after it."""
    return f"10.{second + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def _service(number: int) -> dict[str, object]:
    port = {"port": 80, "protocol": "TCP", "targetPort": 8080}
    ip = address(number, 96)
    spec = {"clusterIP": ip, "clusterIPs": [ip], "type": "ClusterIP", "ports": [port]}
    return {"kind": "Service", "metadata": {"name": f"s{number:05}", "namespace": "default"}, "spec": spec}


def _slice(number: int, ports: int = 8080) -> dict[str, object]:
    meta = {
        "name": f"s{number:05}-x",
        "namespace": "default",
        "labels": {"kubernetes.io/service-name": f"s{number:05}"},
    }
    ends = [
        {"addresses": [address(number * ENDPOINTS + at, 244)], "nodeName": f"node-{at}", "conditions": {"ready": True}}
        for at in range(ENDPOINTS)
    ]
    return {
        "kind": "EndpointSlice",
        "metadata": meta,
        "addressType": "IPv4",
        "ports": [{"port": ports, "protocol": "TCP"}],
        "endpoints": ends,
    }


def sized(mode: str, services: int) -> Sized:
    """The rules of one node of a cluster with so many Services."""
    tracker = ChangeTracker(4)
    for number in range(1, services + 1):
        tracker.service(None, _service(number))
        tracker.endpoint_slice(None, _slice(number))
    options = ProxyOptions(
        node="node-0",
        node_ip=NODE_IP,
        node_ips=(NODE_IP,),
        mode=mode,
        cluster_cidr="10.244.0.0/14",
        service_cidrs=("10.96.0.0/12",),
    )
    last = address(services, 96)
    written = mode_named(mode)
    if mode == "iptables":
        book = Rulebook()
        text = book.sync(tracker, options, [], full=True, jumps=True).text
        tracker.endpoint_slice(_slice(services), _slice(services, 8081))
        partial = book.sync(tracker, options, [f"default/s{services:05}"], full=False).text
        return Sized(text, partial, last)
    if written is nftables:
        return Sized(nftables.fresh_table_text(tracker, options), "", last)
    return Sized(save_dump(written.kernel_of(written.everything(tracker, options), options)), "", last)


def reader(text: str) -> Walker | NftWalker:
    """What walks it on the node."""
    return walker_for(text, node_ips=(NODE_IP,))


def walk(walker: Walker | NftWalker, last: str) -> Walk:
    """The packet of a pod to the last Service."""
    return walker.walk(Packet("10.244.0.9", last, "tcp", 45678, 80), local=False)


__all__ = ["MAX_SERVICES", "MODES", "Sized", "reader", "sized", "walk"]
