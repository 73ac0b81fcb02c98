"""Many pods of every kind come and go at random: in the end nothing is left behind."""

import pytest

from cluster.sim import Dice
from tests.cluster.kubelet.test_kubelet import PODS, Lab

SPECS = (
    {},
    {"containers": [{"name": "main", "image": "nginx:doesnotexist"}]},
    {"containers": [{"name": "main", "image": "busybox", "command": ["sh", "-c", "exit 1"]}]},
    {"containers": [{"name": "main", "image": "busybox", "command": ["sleep", "3"]}], "restartPolicy": "Never"},
    {
        "containers": [{"name": "main", "image": "busybox", "command": ["sleep", "99"]}],
        "terminationGracePeriodSeconds": 2,
    },
    {"initContainers": [{"name": "i", "image": "busybox", "command": ["sleep", "2"]}]},
    {"initContainers": [{"name": "s", "image": "nginx", "restartPolicy": "Always"}]},
    {"containers": [{"name": "main", "image": "nginx", "resources": {"requests": {"cpu": "3"}}}]},
    {"activeDeadlineSeconds": 3},
    {"hostNetwork": True},
    {"volumes": [{"name": "v", "configMap": {"name": "none"}}]},
    {
        "containers": [
            {
                "name": "main",
                "image": "nginx",
                "livenessProbe": {"tcpSocket": {"port": 81}, "periodSeconds": 1, "failureThreshold": 1},
            }
        ]
    },
)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_left_behind(seed: int) -> None:
    dice = Dice.named(seed, "swarm")
    lab = Lab()
    kubelet = "kubelet-node-1"
    names: list[str] = []
    for number in range(40):
        act = dice.below(10)
        if act < 5:
            names.append(f"p{number}")
            lab.create(names[-1], **dict(SPECS[dice.below(len(SPECS))]))
        elif act < 8 and names:
            name = names.pop(dice.below(len(names)))
            if lab.pod(name) is not None:
                lab.mark_deleted(name, grace=dice.below(4))
        elif act == 8 and names:
            lab.ask("DELETE", f"{PODS}/{names.pop()}")  # by force: the object is gone at once
        elif act == 9:
            lab.w.stop(kubelet)
            lab.run(dice.below(3))
            lab.w.start(kubelet)
        lab.run(dice.between(0, 2000) / 1000)
    for name in names:
        if lab.pod(name) is not None:
            lab.mark_deleted(name, grace=1)
    lab.run(60)
    left = [path for path in lab.api.objects if path.startswith(PODS + "/")]
    state = lab.w.actors[kubelet].state
    assert left == []
    assert state.pods == {} and state.addresses == {} and not any(state.used.values())
    assert not [
        name for name in lab.w.state.slots[kubelet].timers if name.count("/") == 2 and not name.startswith("client/")
    ]
