"""NodePorts: two Pods can't have the same host port, protocol and address (0.0.0.0 is all addresses).

Upstream: kubernetes pkg/scheduler/framework/plugins/nodeports.
"""

from cluster.scheduler.framework import Cycle, Plugin, Reason
from cluster.scheduler.nodeinfo import NodeInfo

_REFUSAL = Reason(("node(s) didn't have free ports for the requested pod ports",))


class NodePorts(Plugin):
    """Filter."""

    name = "NodePorts"
    order = 50
    local = True
    reacts_to = ("node/add", "pod/delete")

    def pre_filter(self, cycle: Cycle) -> Reason | bool:
        return bool(cycle.pod.ports)

    def filter(self, cycle: Cycle, node: NodeInfo) -> Reason | None:
        for address, protocol, port in cycle.pod.ports:
            for used_address, used_protocol, used_port in node.ports:
                overlap = address == used_address or "0.0.0.0" in (address, used_address)
                if overlap and used_protocol == protocol and used_port == port:
                    return _REFUSAL
        return None
