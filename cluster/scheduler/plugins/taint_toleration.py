"""TaintToleration: NoSchedule and NoExecute taints keep out whoever doesn't tolerate them; PreferNoSchedule costs points.

Upstream: kubernetes pkg/scheduler/framework/plugins/tainttoleration.
"""

from cluster.scheduler.framework import Cycle, Plugin, Reason, default_normalize
from cluster.scheduler.nodeinfo import NodeInfo
from cluster.scheduler.tolerations import tolerates


class TaintToleration(Plugin):
    """Filter and score: the fewer intolerable PreferNoSchedule taints, the better."""

    name = "TaintToleration"
    order = 30
    local = True
    weight = 3
    reacts_to = ("node/add", "node/update", "pod/update")

    def filter(self, cycle: Cycle, node: NodeInfo) -> Reason | None:
        for taint in node.taints:
            if taint["effect"] != "PreferNoSchedule" and not _tolerated(taint, cycle):
                return Reason((f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}",), True)
        return None

    def pre_score(self, cycle: Cycle, nodes: list[NodeInfo]) -> bool:
        return bool(nodes)

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        if not node.taints:
            return 0
        return sum(taint["effect"] == "PreferNoSchedule" and not _tolerated(taint, cycle) for taint in node.taints)

    def normalize(self, cycle: Cycle, scores: dict[str, int]) -> dict[str, int]:
        return default_normalize(scores, reverse=True)


def _tolerated(taint: dict[str, str], cycle: Cycle) -> bool:
    return any(tolerates(toleration, taint) for toleration in cycle.spec.get("tolerations") or ())
