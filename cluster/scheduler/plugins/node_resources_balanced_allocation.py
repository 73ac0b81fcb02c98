"""NodeResourcesBalancedAllocation: better where CPU and memory would be used up at the same pace.

Score: 100 · (1 − standard deviation of the used shares).

Upstream: kubernetes pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go.
"""

from cluster.scheduler.framework import Cycle, Plugin
from cluster.scheduler.nodeinfo import NodeInfo


class NodeResourcesBalancedAllocation(Plugin):
    """Score."""

    name = "NodeResourcesBalancedAllocation"
    order = 110
    local = True
    weight = 1

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        shares: list[float] = []
        for name in ("cpu", "memory"):
            capacity = node.allocatable.get(name, 0)
            if capacity:
                wanted = node.requested.get(name, 0) + cycle.pod.requests.get(name, 0)
                shares.append(min(1.0, wanted / capacity))
        deviation = abs(shares[0] - shares[1]) / 2 if len(shares) == 2 else 0.0
        return int((1 - deviation) * 100)
