"""How far a rolling upgrade is: the release of every part on every host, and what an operator types next.

In → a ``Scene``; out → ``{newest, hosts: [{name, role, parts: {component: version}, kubelet}], next: [line], step}``. What runs is read from where
``kubectl`` would read it: the mirror pods' images and the Nodes. ``step`` is ``apply``, ``node``, ``kubelet``, ``done`` or ``away`` (a host is off: no upgrade).

Upstream: "Upgrading kubeadm clusters".
"""

from typing import Any

from cluster.api.releases import NEWEST
from cluster.snapshot.scene import Scene

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


def releases(scene: Scene) -> dict[str, Any]:
    """See the module. ``hosts`` is empty when the control plane has no Nodes of its own: there is nothing that kubeadm could swap."""
    rows: list[dict[str, Any]] = []
    pods = scene.objects.get("pods")
    for name, node in sorted(scene.objects.get("nodes").items()):
        info = (node.get("status") or {}).get("nodeInfo") or {}
        found = {part: pods.get(f"kube-system/{part}-{name}") for part in COMPONENTS}
        parts = {part: _tag(pod) for part, pod in found.items() if pod is not None}
        control = CONTROL_PLANE in (node["metadata"].get("labels") or {})
        role = "control-plane" if control else "worker"
        rows.append({"name": name, "role": role, "parts": parts, "kubelet": info.get("kubeletVersion", "")})
    rows.sort(key=lambda row: (row["role"], row["name"]))
    planes = [row for row in rows if row["role"] == "control-plane"]
    step, lines = _next(scene, planes, rows)
    return {"newest": NEWEST, "hosts": rows if planes else [], "step": step, "next": lines}


def _tag(pod: dict[str, Any]) -> str:
    return pod["spec"]["containers"][0]["image"].rpartition(":")[2]


def _next(scene: Scene, planes: list[dict[str, Any]], rows: list[dict[str, Any]]) -> tuple[str, list[str]]:
    hosts = scene.world.state.hosts
    if any(row["name"] in hosts and not hosts[row["name"]].up for row in planes):
        return "away", []
    behind = [
        row["name"] for row in planes if any(tag != NEWEST for part, tag in row["parts"].items() if part != "etcd")
    ]
    if len(behind) == len(planes) and behind:
        first = behind[0]
        return "apply", [f"ssh {first} kubeadm upgrade plan", f"ssh {first} kubeadm upgrade apply {NEWEST}"]
    if behind:
        return "node", [f"ssh {behind[0]} kubeadm upgrade node"]
    name = next((row["name"] for row in rows if row["kubelet"] != NEWEST), "")
    if not name:
        return "done", []
    return "kubelet", [
        f"kubectl drain {name} --ignore-daemonsets",
        f"ssh {name} apt-get install -y kubelet={NEWEST[1:]}-1.1",
        f"ssh {name} systemctl restart kubelet",
        f"kubectl uncordon {name}",
    ]
