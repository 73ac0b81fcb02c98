"""Which endpoints a node's rules use: ready ones, by policy, with hints and the last resort of terminating ones.

In: all endpoints of a service port, its policies, the node's name and zone → out: a ``Selection``.

* Cluster policy: ready endpoints anywhere, narrowed by topology hints if every ready endpoint has one and one of them names us.
* Local policy: ready endpoints of this node.
* If a list is empty, the endpoints that terminate but still serve take their place (KEP-1669), each list for itself.

Simplified here: nothing.

Upstream: pkg/proxy/topology.go ``CategorizeEndpoints``.
"""

from msgspec import Struct

from cluster.kubeproxy.change_tracker import Endpoint, ServicePort


class Selection(Struct, frozen=True):
    """``reachable``: everything rules of this node may send to. ``has_endpoints``: someone, on any node, could answer."""

    cluster: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    reachable: tuple[str, ...] = ()
    has_endpoints: bool = False


def select(endpoints: tuple[Endpoint, ...], service: ServicePort, node: str, zone: str) -> Selection:
    """The endpoints (as ``ip:port``) that ``node`` in ``zone`` uses for ``service``."""
    cluster: tuple[str, ...] = ()
    topology = ""
    has_endpoints = False
    if service.uses_cluster_endpoints:
        topology = _topology(endpoints, node, zone)
        cluster = tuple(e.target for e in endpoints if e.ready and _available(e, topology, node, zone))
        if not cluster:
            cluster = tuple(e.target for e in endpoints if e.serving and e.terminating)
        has_endpoints = bool(cluster)
    if not service.uses_local_endpoints:
        return Selection(cluster, (), cluster, has_endpoints)
    has_endpoints = has_endpoints or any(e.ready or (e.serving and e.terminating) for e in endpoints)
    local = tuple(e.target for e in endpoints if e.node == node and node and e.ready)
    if not local:
        local = tuple(e.target for e in endpoints if e.node == node and node and e.serving and e.terminating)
    reachable = tuple(e.target for e in endpoints if e.target in cluster or e.target in local)
    return Selection(cluster, local, reachable, has_endpoints)


def _topology(endpoints: tuple[Endpoint, ...], node: str, zone: str) -> str:
    """ "node", "zone" or "" (no filter): hints count only when every ready endpoint has them."""
    ready = [e for e in endpoints if e.ready]
    if not ready:
        return ""
    if node and all(e.node_hints for e in ready) and any(node in e.node_hints for e in ready):
        return "node"
    if zone and all(e.zone_hints for e in ready) and any(zone in e.zone_hints for e in ready):
        return "zone"
    return ""


def _available(endpoint: Endpoint, topology: str, node: str, zone: str) -> bool:
    if topology == "node":
        return node in endpoint.node_hints
    return topology != "zone" or zone in endpoint.zone_hints
