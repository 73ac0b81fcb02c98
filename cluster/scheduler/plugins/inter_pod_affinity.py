"""InterPodAffinity: near these Pods, away from those, where near and away are measured by a topology key.

Required terms filter: an affinity term needs a Pod that matches in the Node's domain (or that the Pod itself is the first of its
kind); an anti-affinity term, the Pod's own or that of a Pod already there, refuses the domain. Preferred terms score, the Pod's
own and those of the Pods already there, with hard affinity of existing Pods counting 1.

Upstream: kubernetes pkg/scheduler/framework/plugins/interpodaffinity/{filtering,scoring}.go.
"""

from typing import Any

from cluster.api import selectors
from cluster.clientgo import Doc
from cluster.scheduler.affinity import PREFERRED, REQUIRED
from cluster.scheduler.framework import Cycle, Plugin, Reason
from cluster.scheduler.nodeinfo import NodeInfo, PodFacts

HARD_WEIGHT = 1
_EXISTING = Reason(("node(s) didn't satisfy existing pods anti-affinity rules",))
_ANTI = Reason(("node(s) didn't match pod anti-affinity rules",))
_AFFINITY = Reason(("node(s) didn't match pod affinity rules",), True)

Table = dict[tuple[str, str], int]
"""(topology key, value) → how many Pods, or how many points."""


class Term:
    """One affinity term of ``owner``, ready to be matched."""

    def __init__(self, term: Doc, owner: PodFacts, cycle: Cycle) -> None:
        self.topology_key: str = term["topologyKey"]
        struct = dict(term.get("labelSelector") or {}) if term.get("labelSelector") is not None else None
        keys = [k for k in term.get("matchLabelKeys") or () if k in owner.labels]
        if struct is not None and keys:
            struct["matchLabels"] = {**(struct.get("matchLabels") or {}), **{k: owner.labels[k] for k in keys}}
        self.selector = selectors.from_struct(struct) if struct is not None else None
        self.namespaces = set(term.get("namespaces") or ())
        chosen = term.get("namespaceSelector")
        if chosen is not None:
            matcher = selectors.from_struct(chosen)
            for namespace in cycle.stores["namespaces"]:
                if matcher.matches(namespace["metadata"].get("labels") or {}):
                    self.namespaces.add(namespace["metadata"]["name"])
        elif not self.namespaces:
            self.namespaces = {owner.namespace}

    def matches(self, pod: PodFacts) -> bool:
        """A term without a selector matches no Pod."""
        return self.selector is not None and pod.namespace in self.namespaces and self.selector.matches(pod.labels)

    def count(self, node: NodeInfo) -> int:
        """How many Pods of ``node`` match: one comparison per group of equal labels."""
        samples = node.group_samples
        return sum(count for group, count in node.groups.items() if self.matches(samples[group]))


class InterPodAffinity(Plugin):
    """Filter and score."""

    name = "InterPodAffinity"
    order = 90
    weight = 2
    reacts_to = ("node/add", "node/update", "pod/add", "pod/delete", "pod/update")

    def pre_filter(self, cycle: Cycle) -> Reason | bool:
        affinity = [Term(t, cycle.pod, cycle) for t in _terms(cycle.spec, "podAffinity", REQUIRED)]
        anti = [Term(t, cycle.pod, cycle) for t in _terms(cycle.spec, "podAntiAffinity", REQUIRED)]
        existing: Table = {}
        for node in cycle.affine_nodes():
            for key in node.with_required_anti_affinity:
                other = node.pods[key]
                for raw in _terms(other.doc["spec"], "podAntiAffinity", REQUIRED):
                    term = Term(raw, other, cycle)
                    if term.topology_key in node.labels and term.matches(cycle.pod):
                        domain = (term.topology_key, node.labels[term.topology_key])
                        existing[domain] = existing.get(domain, 0) + 1
        if not affinity and not anti and not existing:
            return False
        near: list[Table] = [_count_by_domain(term, cycle) for term in affinity]
        away: list[Table] = [_count_by_domain(term, cycle) for term in anti]
        cycle.data[self.name] = (affinity, near, anti, away, existing)
        return True

    def filter(self, cycle: Cycle, node: NodeInfo) -> Reason | None:
        affinity, near, anti, away, existing = cycle.data[self.name]
        if affinity:
            if any(term.topology_key not in node.labels for term in affinity):
                return _AFFINITY
            met = all(
                table.get((term.topology_key, node.labels[term.topology_key]), 0)
                for term, table in zip(affinity, near, strict=True)
            )
            first = not any(near) and all(term.matches(cycle.pod) for term in affinity)
            if not met and not first:
                return _AFFINITY
        for term, table in zip(anti, away, strict=True):
            if table.get((term.topology_key, node.labels.get(term.topology_key, "")), 0):
                return _ANTI
        if any(node.labels.get(key) == value for key, value in existing):
            return _EXISTING
        return None

    def pre_score(self, cycle: Cycle, nodes: list[NodeInfo]) -> bool:
        points: Table = {}
        for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
            for entry in _terms(cycle.spec, kind, PREFERRED):
                term = Term(entry["podAffinityTerm"], cycle.pod, cycle)
                for domain, count in _count_by_domain(term, cycle).items():
                    points[domain] = points.get(domain, 0) + sign * entry["weight"] * count
        for node in cycle.affine_nodes():
            for key in node.with_affinity:
                self._existing(cycle, node, node.pods[key], points)
        cycle.data[self.name + "/score"] = points
        return bool(points)

    @staticmethod
    def _existing(cycle: Cycle, node: NodeInfo, other: PodFacts, points: Table) -> None:
        def credit(raw: Doc, weight: int) -> None:
            term = Term(raw, other, cycle)
            if term.topology_key in node.labels and term.matches(cycle.pod):
                domain = (term.topology_key, node.labels[term.topology_key])
                points[domain] = points.get(domain, 0) + weight

        spec = other.doc["spec"]
        for raw in _terms(spec, "podAffinity", REQUIRED):
            credit(raw, HARD_WEIGHT)
        for entry in _terms(spec, "podAffinity", PREFERRED):
            credit(entry["podAffinityTerm"], entry["weight"])
        for entry in _terms(spec, "podAntiAffinity", PREFERRED):
            credit(entry["podAffinityTerm"], -entry["weight"])

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        points: Table = cycle.data[self.name + "/score"]
        return sum(value for (key, domain), value in points.items() if node.labels.get(key) == domain)

    def normalize(self, cycle: Cycle, scores: dict[str, int]) -> dict[str, int]:
        least, most = min(scores.values()), max(scores.values())
        if most == least:
            return dict.fromkeys(scores, 0)
        return {name: 100 * (value - least) // (most - least) for name, value in scores.items()}


def _terms(spec: Doc, kind: str, when: str) -> list[Any]:
    return ((spec.get("affinity") or {}).get(kind) or {}).get(when) or []


def _count_by_domain(term: Term, cycle: Cycle) -> Table:
    table: Table = {}
    for node in cycle.nodes.values():
        value = node.labels.get(term.topology_key)
        if value is None:
            continue
        count = term.count(node)
        if count:
            domain = (term.topology_key, value)
            table[domain] = table.get(domain, 0) + count
    return table
