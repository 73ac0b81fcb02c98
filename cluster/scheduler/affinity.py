"""Node affinity of a Pod: its nodeSelector and its required and preferred terms (component-helpers/scheduling/corev1)."""

from cluster.api import selectors
from cluster.clientgo import Doc
from cluster.scheduler.nodeinfo import NodeInfo

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def required_terms(spec: Doc) -> list[Doc] | None:
    """The nodeSelectorTerms of which one must match; None when there are no such terms."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get(REQUIRED)
    return required.get("nodeSelectorTerms") or [] if required is not None else None


def matches_node(spec: Doc, node: NodeInfo) -> bool:
    """Whether ``node`` satisfies the nodeSelector and one of the required terms."""
    selector = spec.get("nodeSelector")
    if selector and any(node.labels.get(key) != value for key, value in selector.items()):
        return False
    terms = required_terms(spec)
    return terms is None or any(term_matches(term, node) for term in terms)


def term_matches(term: Doc, node: NodeInfo) -> bool:
    """Whether one nodeSelectorTerm matches; an empty one matches nothing."""
    if not term.get("matchExpressions") and not term.get("matchFields"):
        return False
    return selectors.node_selector_matches(term, node.labels, {"metadata.name": node.name})
