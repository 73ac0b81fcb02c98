"""ImageLocality: better where the images already are, by their size and by how many Nodes have them.

Upstream: kubernetes pkg/scheduler/framework/plugins/imagelocality.
"""

from cluster.scheduler.framework import Cycle, Plugin
from cluster.scheduler.nodeinfo import NodeInfo, normalized_image

_MB = 1024 * 1024
MIN_THRESHOLD = 23 * _MB
MAX_CONTAINER_THRESHOLD = 1000 * _MB


class ImageLocality(Plugin):
    """Score."""

    name = "ImageLocality"
    order = 120
    local = True
    weight = 1

    def pre_score(self, cycle: Cycle, nodes: list[NodeInfo]) -> bool:
        images = _images(cycle)
        spread = [cycle.overview.images.get(image, 0) for image in images]
        cycle.data[self.name] = spread
        return any(spread)

    def facts(self, cycle: Cycle, node: NodeInfo) -> tuple[int, ...]:
        """The size of each of the Pod's images on the Node; -1: it isn't there."""
        return tuple([node.images.get(image, -1) for image in _images(cycle)])

    def score_of(self, cycle: Cycle, facts: tuple[int, ...]) -> int:
        spread, total = cycle.data[self.name], len(cycle.nodes)
        size = sum(int(bytes_ * (nodes / total)) for bytes_, nodes in zip(facts, spread, strict=True) if bytes_ >= 0)
        top = MAX_CONTAINER_THRESHOLD * len(facts)
        size = min(max(size, MIN_THRESHOLD), top)
        return 100 * (size - MIN_THRESHOLD) // (top - MIN_THRESHOLD)


def _images(cycle: Cycle) -> list[str]:
    containers = [*(cycle.spec.get("initContainers") or ()), *(cycle.spec.get("containers") or ())]
    return [normalized_image(container.get("image", "")) for container in containers]
