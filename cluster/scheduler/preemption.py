"""Preemption: would the Pod fit somewhere if Pods of lower priority went?

In → the cycle that failed; out → the Node and the victims that cost least, or the sentence that says why there are none.

For each Node that isn't hopeless: take all lower-priority Pods away; if the Pod fits then, give them back one by one, the most
important first, as long as it still fits; who can't come back is a victim. Of several Nodes: the one whose most important
victim is least important, then the lowest sum of priorities, then the fewest victims, then the youngest ones.

Simplified here: PodDisruptionBudgets don't protect victims; pod affinity and topology spread are judged as if the victims were
still there; room promised to a nominated Pod isn't kept from others of lower priority.

Upstream: kubernetes pkg/scheduler/framework/preemption/preemption.go, plugins/defaultpreemption.
"""

from cluster.scheduler.framework import Cycle, Outcome, filter_node
from cluster.scheduler.nodeinfo import NodeInfo, PodFacts

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


def preempt(cycle: Cycle, outcome: Outcome, names: list[str]) -> tuple[str, list[PodFacts], str]:
    """``(node, victims, "")`` or ``("", [], sentence)``."""
    if cycle.spec.get("preemptionPolicy") == "Never":
        return "", [], "preemption: not eligible due to preemptionPolicy=Never."
    candidates: dict[str, list[PodFacts]] = {}
    hopeless = 0
    for name in names:
        refusal = outcome.refused.get(name)
        if outcome.everywhere is not None or (refusal is not None and refusal.unresolvable):
            hopeless += 1
            continue
        victims = _victims(cycle, cycle.nodes[name])
        if victims:
            candidates[name] = victims
    if not candidates:
        return "", [], f"preemption: {_none_text(len(names), hopeless)}"
    node = min(candidates, key=lambda name: _cost(candidates[name]))
    return node, candidates[node], ""


def _none_text(total: int, hopeless: int) -> str:
    parts = [f"{count} {text}" for count, text in ((hopeless, NOT_HELPFUL), (total - hopeless, NO_VICTIMS)) if count]
    return f"0/{total} nodes are available: {', '.join(sorted(parts))}."


def _victims(cycle: Cycle, node: NodeInfo) -> list[PodFacts]:
    lower = [pod for pod in node.pods.values() if pod.priority < cycle.pod.priority]
    if not lower:
        return []
    filters = cycle.data["filters"]
    gone = {pod.key for pod in lower}
    if filter_node(cycle, node.without(gone), filters) is not None:
        return []
    victims: list[PodFacts] = []
    for pod in sorted(lower, key=lambda pod: (-pod.priority, pod.start or pod.created, pod.key)):
        gone.discard(pod.key)
        if filter_node(cycle, node.without(gone), filters) is not None:
            gone.add(pod.key)
            victims.append(pod)
    return victims


def _cost(victims: list[PodFacts]) -> tuple[int, int, int, str]:
    priorities = [pod.priority for pod in victims]
    oldest = min(pod.start or pod.created for pod in victims)
    return max(priorities), sum(priorities), len(victims), _descending(oldest)


def _descending(text: str) -> str:
    """Later times first: RFC 3339 texts in UTC sort by time, so complement each character."""
    return "".join(chr(0x7F - ord(c)) for c in text)
