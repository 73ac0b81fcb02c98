"""PodTopologySpread: Pods that belong together are spread over zones and Nodes.

``DoNotSchedule`` constraints filter: after the Pod came, no topology domain may have more than ``maxSkew`` Pods more than the
emptiest. ``ScheduleAnyway`` ones score: the fewer Pods in the domain, the better; without any constraint the defaults are
maxSkew 3 over hostnames and 5 over zones, for Pods selected by a Service or controlled by a ReplicaSet or StatefulSet.

Upstream: kubernetes pkg/scheduler/framework/plugins/podtopologyspread/{filtering,scoring,common}.go.
"""

from math import log
from typing import Any

from cluster.api import selectors
from cluster.clientgo import Doc
from cluster.scheduler.affinity import matches_node
from cluster.scheduler.framework import Cycle, Plugin, Reason
from cluster.scheduler.nodeinfo import NodeInfo
from cluster.scheduler.tolerations import tolerates

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
_DEFAULTS = ((HOSTNAME, 3), (ZONE, 5))
_SKEW = Reason(("node(s) didn't match pod topology spread constraints",))
_NO_LABEL = Reason(("node(s) didn't match pod topology spread constraints (missing required label)",), True)


class PodTopologySpread(Plugin):
    """Filter and score."""

    name = "PodTopologySpread"
    order = 80
    weight = 2
    reacts_to = ("node/add", "node/update", "pod/add", "pod/delete", "pod/update")

    def pre_filter(self, cycle: Cycle) -> Reason | bool:
        hard = _constraints(cycle, "DoNotSchedule")
        if not hard:
            return False
        counts: list[dict[str, int]] = []
        for constraint, selector in hard:
            table: dict[str, int] = {}
            for node in cycle.nodes.values():
                value = node.labels.get(constraint["topologyKey"])
                if value is None or not _counts(constraint, cycle, node):
                    continue
                if any(other["topologyKey"] not in node.labels for other, _ in hard):
                    continue
                table[value] = table.get(value, 0) + matching(node, cycle.pod.namespace, selector)
            counts.append(table)
        cycle.data[self.name] = (hard, counts)
        return True

    def filter(self, cycle: Cycle, node: NodeInfo) -> Reason | None:
        hard, counts = cycle.data[self.name]
        for (constraint, selector), table in zip(hard, counts, strict=True):
            value = node.labels.get(constraint["topologyKey"])
            if value is None:
                return _NO_LABEL
            least = min(table.values(), default=0)
            if len(table) < constraint.get("minDomains", 1):
                least = 0
            itself = int(selector.matches(cycle.pod.labels))
            if table.get(value, 0) + itself - least > constraint["maxSkew"]:
                return _SKEW
        return None

    def pre_score(self, cycle: Cycle, nodes: list[NodeInfo]) -> bool:
        soft = _constraints(cycle, "ScheduleAnyway")
        defaulted = False
        if not soft and not cycle.spec.get("topologySpreadConstraints"):
            selector = _default_selector(cycle)
            if selector is None:
                return False
            soft = [({"topologyKey": key, "maxSkew": skew}, selector) for key, skew in _DEFAULTS]
            defaulted = True
        if not soft:
            return False
        tables: list[dict[str, int]] = []
        weights: list[float] = []
        ignored: dict[str, None] = {}
        for node in nodes:
            if not defaulted and any(constraint["topologyKey"] not in node.labels for constraint, _ in soft):
                ignored[node.name] = None
        for constraint, selector in soft:
            key = constraint["topologyKey"]
            scored = [node for node in nodes if node.name not in ignored]
            if key == HOSTNAME:
                tables.append({})
                weights.append(log(len(scored) + 2))
                continue
            table = {node.labels[key]: 0 for node in scored if key in node.labels}
            for node in cycle.nodes.values():
                value = node.labels.get(key)
                if value in table and _counts(constraint, cycle, node):
                    table[value] += matching(node, cycle.pod.namespace, selector)
            tables.append(table)
            weights.append(log(len(table) + 2))
        cycle.data[self.name + "/score"] = (soft, tables, weights, ignored)
        return True

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        soft, tables, weights, ignored = cycle.data[self.name + "/score"]
        if node.name in ignored:
            return 0
        score = 0.0
        for (constraint, selector), table, weight in zip(soft, tables, weights, strict=True):
            key = constraint["topologyKey"]
            if key not in node.labels:
                continue
            if key == HOSTNAME:
                count = matching(node, cycle.pod.namespace, selector)
            else:
                count = table.get(node.labels[key], 0)
            score += count * weight + (constraint["maxSkew"] - 1)
        return int(score + 0.5)

    def normalize(self, cycle: Cycle, scores: dict[str, int]) -> dict[str, int]:
        ignored = cycle.data[self.name + "/score"][3]
        known = [value for name, value in scores.items() if name not in ignored]
        least, most = min(known, default=0), max(known, default=0)
        result: dict[str, int] = {}
        for name, value in scores.items():
            if name in ignored:
                result[name] = 0
            else:
                result[name] = 100 if most == 0 else 100 * (most + least - value) // most
        return result


def matching(node: NodeInfo, namespace: str, selector: Any) -> int:
    """How many Pods of ``namespace`` on ``node`` the selector matches: one comparison per group of equal labels."""
    samples = node.group_samples
    return sum(
        count
        for group, count in node.groups.items()
        if samples[group].namespace == namespace and selector.matches(samples[group].labels)
    )


def _constraints(cycle: Cycle, when: str) -> list[tuple[Doc, Any]]:
    found: list[tuple[Doc, Any]] = []
    for constraint in cycle.spec.get("topologySpreadConstraints") or ():
        if constraint["whenUnsatisfiable"] == when:
            selector = dict(constraint.get("labelSelector") or {})
            extra = {k: cycle.pod.labels[k] for k in constraint.get("matchLabelKeys") or () if k in cycle.pod.labels}
            if extra:
                selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **extra}
            found.append((constraint, selectors.from_struct(selector)))
    return found


def _counts(constraint: Doc, cycle: Cycle, node: NodeInfo) -> bool:
    """Whether the Node's Pods count: it must satisfy the Pod's node affinity (and, if asked, its taints)."""
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not matches_node(cycle.spec, node):
        return False
    if constraint.get("nodeTaintsPolicy", "Ignore") == "Honor":
        tolerations = cycle.spec.get("tolerations") or ()
        return all(
            taint["effect"] == "PreferNoSchedule" or any(tolerates(t, taint) for t in tolerations)
            for taint in node.taints
        )
    return True


def _default_selector(cycle: Cycle) -> Any:
    """The selectors of the Services and the controller that the Pod belongs to, all of them together."""
    match_labels: dict[str, str] = {}
    labels, namespace = cycle.pod.labels, cycle.pod.namespace
    for service in cycle.stores["services"].by("namespace", namespace):
        selector = (service.get("spec") or {}).get("selector")
        if selector and all(labels.get(key) == value for key, value in selector.items()):
            match_labels.update(selector)
    struct: Doc | None = None
    for owner in cycle.pod.doc["metadata"].get("ownerReferences") or ():
        kind = {"ReplicaSet": "replicasets", "StatefulSet": "statefulsets"}.get(owner["kind"])
        if owner.get("controller") and kind is not None:
            found = cycle.stores[kind].find(namespace, owner["name"])
            struct = found["spec"]["selector"] if found is not None else None
    if struct is None:
        return selectors.from_struct({"matchLabels": match_labels}) if match_labels else None
    return selectors.from_struct({**struct, "matchLabels": {**(struct.get("matchLabels") or {}), **match_labels}})
