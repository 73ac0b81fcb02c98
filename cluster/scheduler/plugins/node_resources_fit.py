"""NodeResourcesFit: what the Pod asks for must be free; and the emptier the Node, the better (LeastAllocated).

In → requests against allocatable minus what is requested already; out → ``Insufficient cpu`` and the like, or a score: the mean
over CPU and memory of the free share after the Pod came, 0…100.

Upstream: kubernetes pkg/scheduler/framework/plugins/noderesources/{fit,least_allocated}.go.
"""

from cluster.scheduler.framework import Cycle, Plugin, Reason
from cluster.scheduler.nodeinfo import NodeInfo


class NodeResourcesFit(Plugin):
    """Filter and score."""

    name = "NodeResourcesFit"
    order = 60
    local = True
    weight = 1
    reacts_to = ("node/add", "node/update", "pod/delete", "pod/update")

    def filter(self, cycle: Cycle, node: NodeInfo) -> Reason | None:
        texts: list[str] = []
        unresolvable = False
        allocatable, requested = node.allocatable, node.requested
        pods = allocatable.get("pods", 0)
        if len(node.pods) + 1 > pods:
            texts.append("Too many pods")
        for name, count in cycle.pod.requests.items():
            if count and count > allocatable.get(name, 0) - requested.get(name, 0):
                texts.append(f"Insufficient {name}")
                unresolvable = unresolvable or count > allocatable.get(name, 0)
        return Reason(tuple(texts), unresolvable) if texts else None

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        cpu = _free(node.nonzero_cpu + cycle.pod.nonzero_cpu, node.allocatable.get("cpu", 0))
        memory = _free(node.nonzero_memory + cycle.pod.nonzero_memory, node.allocatable.get("memory", 0))
        return (cpu + memory) // 2


def _free(requested: int, capacity: int) -> int:
    if capacity == 0 or requested > capacity:
        return 0
    return (capacity - requested) * 100 // capacity
