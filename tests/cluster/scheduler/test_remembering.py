"""What is remembered of Nodes never changes a decision, and saves asking again."""

from typing import Any

import pytest

from cluster.clientgo import Store
from cluster.scheduler import framework
from cluster.scheduler.framework import Cycle, Outcome, Overview, feasible_wanted, run_filters, run_scores
from cluster.scheduler.nodeinfo import NodeInfo, pod_facts
from cluster.scheduler.plugins.node_resources_fit import NodeResourcesFit
from cluster.sim.dice import Dice

STORES = {name: Store() for name in ("services", "namespaces", "replicasets", "statefulsets", "persistentvolumes",
                                     "persistentvolumeclaims", "storageclasses")}  # fmt: skip
STORES["services"].add_index("namespace")


def node(number: int, dice: Dice) -> NodeInfo:
    info = NodeInfo(f"n{number}")
    taints = [{"key": "soft", "effect": "PreferNoSchedule"}] if dice.chance(0.2) else []
    taints += [{"key": "hard", "effect": "NoSchedule"}] if dice.chance(0.1) else []
    info.set_node({
        "metadata": {"name": info.name, "labels": {"kubernetes.io/hostname": info.name, "zone": f"z{number % 3}"}},
        "spec": {"taints": taints},
        "status": {
            "allocatable": {"cpu": str(2 + dice.below(3)), "memory": "8Gi", "pods": "20"},
            "images": [{"names": ["web:1"], "sizeBytes": 90_000_000}] if dice.chance(0.4) else [],
        },
    })  # fmt: skip
    return info


def pod(number: int, kind: int) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "c", "image": f"web:{kind % 2}"}]}
    if kind % 2:
        spec["containers"][0]["resources"] = {"requests": {"cpu": f"{100 * kind}m"}}
    if kind == 2:
        spec["topologySpreadConstraints"] = [{
            "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"kind": "2"}},
        }]  # fmt: skip
    if kind == 3:
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"kind": "3"}}}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    if kind == 4:
        wish = {"weight": 5, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["z1"]}]}}
        spec["affinity"] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}
    return {
        "metadata": {"name": f"p{number}", "namespace": "default", "uid": str(number), "labels": {"kind": str(kind)}},
        "spec": spec,
    }


def decide(overview: Overview, document: dict[str, Any], start: int, seed: int) -> Outcome:
    cycle = Cycle(pod_facts(document), overview, STORES)
    feasible, outcome = run_filters(cycle, overview.names, start)
    if feasible:
        run_scores(cycle, feasible, outcome, Dice.named(seed, "tie"))
    return outcome


def test_remembered_answers_are_those_of_asking_again() -> None:
    dice = Dice.named(7, "nodes")
    nodes = {info.name: info for info in (node(n, dice) for n in range(130))}
    kept, start = Overview(nodes), 0
    for number in range(300):
        document = pod(number, dice.below(5))
        ours = decide(kept, document, start, number)
        theirs = decide(Overview(nodes), document, start, number)
        assert ours == theirs
        start = ours.next_start
        if ours.node:
            info = nodes[ours.node]
            info.add(pod_facts(document))
            kept.look(info)
        if dice.chance(0.2):
            info = nodes[f"n{dice.below(130)}"]
            if info.pods:
                info.remove(next(iter(info.pods)))
                kept.look(info)


def test_equal_pods_ask_each_node_once_and_then_only_the_one_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    honest = NodeResourcesFit.filter

    def counting(self: NodeResourcesFit, cycle: Cycle, info: NodeInfo) -> Any:
        asked.append(info.name)
        return honest(self, cycle, info)

    monkeypatch.setattr(NodeResourcesFit, "filter", counting)
    dice = Dice.named(7, "nodes")
    nodes = {info.name: info for info in (node(n, dice) for n in range(1000))}
    overview, start, pods = Overview(nodes), 0, 200
    for number in range(pods):
        outcome = decide(overview, pod(number, 0), start, number)
        start = outcome.next_start
        nodes[outcome.node].add(pod_facts(pod(number, 0)))
        assert len({id(row) for row in outcome.scores.values()}) < 60 < len(outcome.scores)
    assert len(asked) <= len(nodes) + pods


@pytest.mark.parametrize(("nodes", "wanted"), [(3, 3), (99, 99), (100, 100), (250, 120), (1000, 420), (6000, 300)])
def test_a_share_of_the_nodes_is_enough(nodes: int, wanted: int) -> None:
    """numFeasibleNodesToFind: 50 % − Nodes/125, at least 5 % and 100."""
    assert feasible_wanted(nodes) == wanted
    assert framework.MIN_FEASIBLE == 100
