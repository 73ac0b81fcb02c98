"""NodeName: a Pod that names its Node goes there or nowhere.

Upstream: kubernetes pkg/scheduler/framework/plugins/nodename.
"""

from cluster.scheduler.framework import Cycle, Plugin, Reason
from cluster.scheduler.nodeinfo import NodeInfo

_REFUSAL = Reason(("node(s) didn't match the requested node name",), True)


class NodeName(Plugin):
    """Filter."""

    name = "NodeName"
    order = 20
    local = True
    reacts_to = ("node/add",)

    def pre_filter(self, cycle: Cycle) -> Reason | bool:
        return bool(cycle.spec.get("nodeName"))

    def filter(self, cycle: Cycle, node: NodeInfo) -> Reason | None:
        return None if node.name == cycle.spec["nodeName"] else _REFUSAL
