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
    weight = 1

    def pre_score(self, cycle: Cycle, nodes: list[NodeInfo]) -> bool:
        containers = [*(cycle.spec.get("initContainers") or ()), *(cycle.spec.get("containers") or ())]
        images = [normalized_image(container.get("image", "")) for container in containers]
        spread = {image: sum(image in node.images for node in cycle.nodes.values()) for image in images}
        cycle.data[self.name] = (images, spread)
        return any(spread.values())

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        images, spread = cycle.data[self.name]
        total = len(cycle.nodes)
        size = sum(int(node.images[image] * (spread[image] / total)) for image in images if image in node.images)
        top = MAX_CONTAINER_THRESHOLD * len(images)
        size = min(max(size, MIN_THRESHOLD), top)
        return 100 * (size - MIN_THRESHOLD) // (top - MIN_THRESHOLD)
