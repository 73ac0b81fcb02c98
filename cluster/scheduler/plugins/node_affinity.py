"""NodeAffinity: nodeSelector and required node affinity decide, preferred terms add their weight.

A Pod that wants exactly one Node by name (as a DaemonSet's do) is tried there only.

Upstream: kubernetes pkg/scheduler/framework/plugins/nodeaffinity.
"""

from cluster.scheduler.affinity import PREFERRED, matches_node, required_terms, term_matches
from cluster.scheduler.framework import Cycle, Plugin, Reason, default_normalize
from cluster.scheduler.nodeinfo import NodeInfo

_REFUSAL = Reason(("node(s) didn't match Pod's node affinity/selector",), True)


class NodeAffinity(Plugin):
    """Filter and score."""

    name = "NodeAffinity"
    order = 40
    local = True
    weight = 2
    reacts_to = ("node/add", "node/update")

    def pre_filter(self, cycle: Cycle) -> Reason | bool:
        terms = required_terms(cycle.spec)
        if terms is None:
            return bool(cycle.spec.get("nodeSelector"))
        names: dict[str, str] = {}
        for term in terms:
            named = [f for f in term.get("matchFields") or () if f["key"] == "metadata.name" and f["operator"] == "In"]
            if not named:
                return True  # a term that doesn't name Nodes allows any
            for entry in named:
                names.update(dict.fromkeys(entry["values"], self.name))
        if names:
            cycle.only = names
        return True

    def filter(self, cycle: Cycle, node: NodeInfo) -> Reason | None:
        return None if matches_node(cycle.spec, node) else _REFUSAL

    def pre_score(self, cycle: Cycle, nodes: list[NodeInfo]) -> bool:
        return bool(((cycle.spec.get("affinity") or {}).get("nodeAffinity") or {}).get(PREFERRED))

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        preferred = cycle.spec["affinity"]["nodeAffinity"][PREFERRED]
        return sum(term["weight"] for term in preferred if term_matches(term["preference"], node))

    def facts(self, cycle: Cycle, node: NodeInfo) -> int:
        return self.score(cycle, node) if self.pre_score(cycle, []) else 0

    def normalize(self, cycle: Cycle, scores: dict[str, int]) -> dict[str, int]:
        return default_normalize(scores, reverse=False)
