"""Which connections kube-proxy makes the kernel forget: UDP flows that still point to an endpoint which is no more.

A UDP client that goes on sending from one port keeps its conntrack entry alive, so it would be sent to the dead pod for ever; TCP
notices by itself. After a sync in which a UDP service's endpoints changed, every UDP entry is looked at: one whose original destination is the
service's address (cluster, external or load balancer's, with its port), or has its node port, is deleted unless the reply comes from an endpoint (address and port) that still serves; policies and topology don't matter.
That also ends flows which were never translated, because the service had no endpoint then. While nobody serves nothing is deleted: old
flows go on to where nobody is, until an endpoint comes.

In: the tracker → out: ``places``, what the kernel is told; it holds its flows against them (``cluster.netfilter.conntrack.Conntrack.stale``).
TCP and SCTP are left alone.

Upstream: pkg/proxy/conntrack/{cleanup,filter}.go ``CleanStaleEntries`` (1.33; before, addresses were compared without their ports).
"""

from collections.abc import Iterable

from cluster.kubeproxy.change_tracker import ChangeTracker

Places = tuple[tuple[tuple[str, int], tuple[str, ...]], ...]
"""(address, port) of a UDP service → ``ip:port`` of the endpoints that serve; address "": a node port."""


def places(tracker: ChangeTracker) -> Places:
    """Of all UDP service ports."""
    found: dict[tuple[str, int], tuple[str, ...]] = {}
    for ports in tracker.services.values():
        for name, port in ports.items():
            if name.protocol != "udp":
                continue
            serving = tuple(endpoint.target for endpoint in tracker.endpoints(name) if endpoint.serving)
            if not serving:
                continue
            for address in (port.cluster_ip, *port.external_ips, *port.lb_vips):
                found[address, port.port] = serving
            if port.node_port:
                found["", port.node_port] = serving
    return tuple(found.items())


def cleanup_needed(changed: Iterable[str], tracker: ChangeTracker) -> bool:
    """Whether one of the Services (``namespace/name``) that changed has a UDP port."""
    return any(name.protocol == "udp" for service in changed for name in tracker.services.get(service, {}))
