"""NodeUnschedulable: a cordoned Node takes no new Pods, unless they tolerate ``node.kubernetes.io/unschedulable``.

Upstream: kubernetes pkg/scheduler/framework/plugins/nodeunschedulable.
"""

from cluster.scheduler.framework import Cycle, Plugin, Reason
from cluster.scheduler.nodeinfo import NodeInfo
from cluster.scheduler.tolerations import tolerates

_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
_REFUSAL = Reason(("node(s) were unschedulable",), True)


class NodeUnschedulable(Plugin):
    """Filter."""

    name = "NodeUnschedulable"
    order = 10
    local = True
    reacts_to = ("node/add", "node/update")

    def filter(self, cycle: Cycle, node: NodeInfo) -> Reason | None:
        if not node.unschedulable or any(tolerates(t, _TAINT) for t in cycle.spec.get("tolerations") or ()):
            return None
        return _REFUSAL
