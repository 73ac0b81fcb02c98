"""kube-proxy at 10,000 Services with 5 endpoints each: syncs, walks, reading a dump. One node; processor time; virtual objects made here.

A full sync ends with the restore input (or nft script, or sets and virtual servers) in hand; a partial one with the text of the changed part.
"""

import time
import tracemalloc
from typing import Any

from msgspec import structs

from cluster.kubeproxy.change_tracker import ChangeTracker
from cluster.kubeproxy.modes import ipvs, nftables
from cluster.kubeproxy.options import ProxyOptions
from cluster.kubeproxy.rulebook import Rulebook
from cluster.netfilter import Ruleset, Walker, parse_save, restore, save
from cluster.netfilter.dump import parse_dump
from cluster.netfilter.nft_parse import parse_nft
from cluster.netfilter.nft_walk import NftWalker
from cluster.wire.packet import Packet

SERVICES = 10_000
ENDPOINTS = 5
DUMP_LINES = 200_000
BARS = {
    "kube-proxy: iptables full sync, 10,000 services, seconds": "<= 6",
    "kube-proxy: nftables full sync, 10,000 services, seconds": "<= 6",
    "kube-proxy: ipvs full sync, 10,000 services, seconds": "<= 6",
    "kube-proxy: iptables partial sync of one change, ms": "<= 100",
    "kube-proxy: nftables partial sync of one change, ms": "<= 100",
    "kube-proxy: ipvs partial sync of one change, ms": "<= 100",
    "kube-proxy: memory of services, rules and the kernel's tables, MiB": "<= 300",
    "kube-proxy: iptables walk at 10,000 services, ms": "<= 50",
    "kube-proxy: nftables walk at 10,000 services, ms": "<= 2",
    "kube-proxy: ipvs walk at 10,000 services, ms": "<= 2",
    "kube-proxy: reading an iptables-save of 200,000 lines, seconds": "<= 5",
}
OPTIONS = ProxyOptions(
    node="node-1",
    node_ip="172.18.0.11",
    node_ips=("172.18.0.11",),
    cluster_cidr="10.0.0.0/8",
    service_cidrs=("172.16.0.0/12",),
)


def service(number: int) -> dict[str, Any]:
    """A Service as the API has it."""
    address = f"172.20.{number >> 8}.{number & 255}"
    return {
        "kind": "Service",
        "metadata": {"namespace": "bench", "name": f"svc-{number:05d}"},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": address,
            "clusterIPs": [address],
            "ports": [{"name": "http", "protocol": "TCP", "port": 80}],
        },
    }


def endpoint_slice(number: int, ready: int = ENDPOINTS) -> dict[str, Any]:
    """Its EndpointSlice; the first ``ready`` endpoints are."""
    base = number * ENDPOINTS
    return {
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": "bench",
            "name": f"svc-{number:05d}-x",
            "labels": {"kubernetes.io/service-name": f"svc-{number:05d}"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": [
            {
                "addresses": [f"10.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}"],
                "nodeName": f"node-{at % 100}",
                "conditions": {"ready": at - base < ready},
            }
            for at in range(base, base + ENDPOINTS)
        ],
    }


def loaded(services: int = SERVICES) -> ChangeTracker:
    """A tracker that has seen all of them."""
    tracker = ChangeTracker(4)
    for number in range(services):
        tracker.service(None, service(number))
        tracker.endpoint_slice(None, endpoint_slice(number))
    return tracker


def _cpu(work: Any, times: int = 1) -> tuple[float, Any]:
    began = time.process_time()
    result = None
    for _ in range(times):
        result = work()
    return (time.process_time() - began) / times, result


def change(tracker: ChangeTracker, ready: int) -> list[str]:
    """One endpoint more or less; the names of the Services that changed."""
    tracker.endpoint_slice(endpoint_slice(5000), endpoint_slice(5000, ready))
    return list(tracker.take_changes())


def run() -> dict[str, float | str]:
    """The figures."""
    tracemalloc.start()
    tracker = loaded()
    tracker.take_changes()
    book = Rulebook()
    kernel = Ruleset()
    restore(kernel, book.sync(tracker, OPTIONS, [], full=True, jumps=True).text)
    memory = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    assert kernel.rule_count() > SERVICES * ENDPOINTS
    figures: dict[str, float | str] = {
        "kube-proxy: memory of services, rules and the kernel's tables, MiB": round(memory, 1)
    }
    figures |= _iptables(tracker)
    figures |= _whole(tracker, "nftables", nftables)
    figures |= _whole(tracker, "ipvs", ipvs)
    return figures


def _iptables(tracker: ChangeTracker) -> dict[str, float | str]:
    book = Rulebook()
    full, sync = _cpu(lambda: book.sync(tracker, OPTIONS, [], full=True, jumps=True))
    partial, _ = _cpu(lambda: book.sync(tracker, OPTIONS, change(tracker, 4), full=False))
    change(tracker, ENDPOINTS)
    kernel = Ruleset()
    restore(kernel, sync.text)
    last = Packet("10.0.0.9", f"172.20.{SERVICES - 1 >> 8}.{SERVICES - 1 & 255}", "tcp", 40000, 80)
    walker = Walker(kernel, OPTIONS.node_ips)
    walker.walk(last)
    walk, found = _cpu(lambda: walker.walk(last), 5)
    assert len(found.endpoints) == ENDPOINTS
    dump = _dump()
    assert dump.count("\n") == DUMP_LINES
    reading, _ = _cpu(lambda: parse_save(dump))
    return {
        "kube-proxy: iptables full sync, 10,000 services, seconds": round(full, 2),
        "kube-proxy: iptables partial sync of one change, ms": round(partial * 1000, 1),
        "kube-proxy: iptables walk at 10,000 services, ms": round(walk * 1000, 2),
        "kube-proxy: reading an iptables-save of 200,000 lines, seconds": round(reading, 2),
    }


def _dump() -> str:
    """A save of exactly that many lines, all of its rules different."""
    tracker = loaded(DUMP_LINES // 30)
    text = Rulebook().sync(tracker, structs.replace(OPTIONS, nfacct=False), [], full=True, jumps=True).text
    kernel = Ruleset()
    restore(kernel, text)
    found = save(kernel).splitlines()
    missing = DUMP_LINES - len(found)
    at = found.index("COMMIT", found.index("*nat"))
    extra = [
        f"-A KUBE-SERVICES -d 172.31.{n >> 8 & 255}.{n & 255}/32 -p tcp -m tcp --dport {n} -j RETURN"
        for n in range(1, missing + 1)
    ]
    return "\n".join(found[:at] + extra + found[at:]) + "\n"


def _whole(tracker: ChangeTracker, name: str, mode: Any) -> dict[str, float | str]:
    options = structs.replace(OPTIONS, mode=name)
    kept = {service: mode.chosen(tracker, service, options) for service in tracker.services}

    def everything() -> str:
        ports = {n: one for found in kept.values() for n, one in found.items()}
        return mode.table_text(ports, options)

    def partial() -> None:
        for service in change(tracker, 4):
            before = kept[service]
            kept[service] = mode.chosen(tracker, service, options)
            mode.part(before, options)
            mode.part(kept[service], options)

    full, text = _cpu(everything)
    part, _ = _cpu(partial)
    change(tracker, ENDPOINTS)
    last = Packet("10.0.0.9", f"172.20.{SERVICES - 1 >> 8}.{SERVICES - 1 & 255}", "tcp", 40000, 80)
    walker: Any
    if name == "nftables":
        walker = NftWalker(parse_nft(text), OPTIONS.node_ips)
    else:
        kernel, _ = parse_dump(text)
        restore(kernel, mode.base_jumps())
        walker = Walker(kernel, OPTIONS.node_ips)
    walker.walk(last)
    walk, found = _cpu(lambda: walker.walk(last), 20)
    assert len(found.endpoints) == ENDPOINTS
    return {
        f"kube-proxy: {name} full sync, 10,000 services, seconds": round(full, 2),
        f"kube-proxy: {name} partial sync of one change, ms": round(part * 1000, 1),
        f"kube-proxy: {name} walk at 10,000 services, ms": round(walk * 1000, 2),
    }
