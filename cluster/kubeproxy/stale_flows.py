"""Which connections kube-proxy makes the kernel forget: UDP flows that still point to an endpoint which is no more.

A UDP client that goes on sending from one port keeps its conntrack entry alive, so it would be sent to the dead pod for ever; TCP
notices by itself. After a sync in which a UDP service's endpoints changed, every UDP entry is looked at: one whose original destination is the
service's address (cluster, external or load balancer's, with its port), or has its node port, is deleted unless the reply comes from an endpoint (address and port) that still serves; policies and topology don't matter.
That also ends flows which were never translated, because the service had no endpoint then.

In: all flows, the tracker → out: the flows to forget. TCP and SCTP are left alone.

Upstream: pkg/proxy/conntrack/{cleanup,filter}.go ``CleanStaleEntries`` (1.33; before, addresses were compared without their ports).
"""

from collections.abc import Iterable

from cluster.kubeproxy.change_tracker import ChangeTracker
from cluster.netfilter.conntrack import Flow
from cluster.netfilter.ipvs import place


def stale_flows(flows: Iterable[Flow], tracker: ChangeTracker) -> list[Flow]:
    """The UDP flows to forget, in the order given."""
    by_place: dict[tuple[str, int], set[str]] = {}
    by_port: dict[int, set[str]] = {}
    for ports in tracker.services.values():
        for name, port in ports.items():
            if name.protocol != "udp":
                continue
            serving = {endpoint.target for endpoint in tracker.endpoints(name) if endpoint.serving}
            for address in (port.cluster_ip, *port.external_ips, *port.lb_vips):
                by_place[address, port.port] = serving
            if port.node_port:
                by_port[port.node_port] = serving
    found = []
    for flow in flows:
        if flow.original.protocol != "udp":
            continue
        answers = place(flow.reply.src, flow.reply.sport)
        for serving in (
            by_place.get((flow.original.dst, flow.original.dport)),
            by_port.get(flow.original.dport),
        ):
            if serving is not None and answers not in serving:
                found.append(flow)
                break
    return found


def cleanup_needed(changed: Iterable[str], tracker: ChangeTracker) -> bool:
    """Whether one of the Services (``namespace/name``) that changed has a UDP port."""
    return any(name.protocol == "udp" for service in changed for name in tracker.services.get(service, {}))
