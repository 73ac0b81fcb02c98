"""One Service's rules as kube-proxy 1.22 wrote them beside today's, in iptables mode: see ``cluster/kubeproxy/history.py``.

In: a node and a Service's key → out: ``{old, new, lines}``, a unified diff of what each version would write there for this Service alone.
"""

from typing import Any

from cluster.kubeproxy.change_tracker import ChangeTracker
from cluster.kubeproxy.history import NEW, OLD, by_version, differences
from cluster.snapshot.network import proxies
from cluster.snapshot.scene import Scene


def versions(scene: Scene, node: str, service: str) -> dict[str, Any]:
    """KeyError: no kube-proxy runs there, or it knows no such Service."""
    proxy = proxies(scene.world)[node]
    known = proxy.state.tracker
    alone = ChangeTracker(known.family)
    alone.services[service] = known.services[service]
    if service in known.slices:
        alone.slices[service] = known.slices[service]
    return {"old": OLD, "new": NEW, "lines": differences(by_version(alone, proxy.options(), jumps=True))[2:]}
