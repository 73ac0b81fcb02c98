"""The census says what going over all Nodes would say, and touches only what changed."""

from typing import Any

from cluster.controllers.daemonset import row_of
from cluster.controllers.lib.census import Census
from cluster.controllers.lib.history import HASH_LABEL
from cluster.sim.dice import Dice

DAEMONSET = {
    "metadata": {"name": "agent", "namespace": "default", "uid": "u"},
    "spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}, "updateStrategy": {"type": "RollingUpdate"}},
}


def node(name: str, disk: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": {"disk": disk}}, "spec": {}}


def pod(name: str, where: str, ready: bool, revision: str, phase: str = "Running") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name, "namespace": "default", "labels": {HASH_LABEL: revision},
            "ownerReferences": [{"kind": "DaemonSet", "name": "agent", "uid": "u", "controller": True}],
        },
        "spec": {"nodeName": where},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }  # fmt: skip


def test_the_sums_are_those_of_a_fresh_count_after_any_changes() -> None:
    nodes: dict[str, dict[str, Any]] = {}
    pods: dict[str, tuple[str, dict[str, Any]]] = {}

    def fresh() -> Census:
        census = Census(
            "u", DAEMONSET["spec"], "new", lambda name, there: row_of(DAEMONSET, "new", nodes.get(name), there)
        )
        for name in nodes:
            census.touch(name)
        for where, doc in pods.values():
            census.put(where, doc)
        return census

    dice, kept = Dice.named(1, "census"), fresh()
    for _ in range(600):
        name = f"n{dice.below(12)}"
        if dice.chance(0.3):
            if name in nodes and dice.chance(0.4):
                del nodes[name]
            else:
                nodes[name] = node(name, "ssd" if dice.chance(0.7) else "hdd")
            kept.touch(name)
        else:
            key = f"p{dice.below(20)}"
            known = pods.get(key)
            if known is not None and dice.chance(0.4):
                kept.heard("DELETED", *pods.pop(key))
            else:
                where = known[0] if known is not None else name
                phase = "Failed" if dice.chance(0.1) else "Running"
                pods[key] = (where, pod(key, where, dice.chance(0.5), "new" if dice.chance(0.8) else "old", phase))
                kept.heard("MODIFIED", *pods[key])
        assert kept.sums() == fresh().sums()


def test_a_change_costs_its_node_only() -> None:
    nodes = {f"n{n}": node(f"n{n}", "ssd") for n in range(1000)}
    counted: list[str] = []

    def count(name: str, there: list[dict[str, Any]]) -> Any:
        counted.append(name)
        return row_of(DAEMONSET, "new", nodes.get(name), there)

    census = Census("u", DAEMONSET["spec"], "new", count)
    for name in nodes:
        census.touch(name)
        census.put(name, pod(f"p-{name}", name, False, "new"))
    assert census.sums()[:2] == [1000, 1000]
    counted.clear()
    for number in range(50):
        census.heard("MODIFIED", f"n{number}", pod(f"p-n{number}", f"n{number}", True, "new"))
        census.sums()
    assert len(counted) == 50
