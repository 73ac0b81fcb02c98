"""The process: wait for the apiserver, then POST one document after the other."""

from typing import Any

from cluster.clientgo import ApiClient, ClientConfig, ClientState
from cluster.kubeadm.documents import documents
from cluster.sim import MILLISECOND, Outbox, Timer
from cluster.wire.http import HttpResponse

RETRY = 500 * MILLISECOND
"""kubeadm's APICallRetryInterval."""


class KubeadmConfig(ClientConfig, frozen=True, kw_only=True):
    """What ``kubeadm init`` was told. ``addons`` False: ``--skip-phases=addon`` (no node of its own to run them)."""

    server_url: str
    ca_pem: bytes
    version: str
    pod_cidr: str
    service_cidr: str
    proxy_mode: str
    addons: bool = True
    control_planes: tuple[str, ...] = ()
    """Nodes to mark as control plane: the kubelet itself must not (NodeRestriction), so kubeadm does."""


class KubeadmState(ClientState):
    """``done``: how many documents are in."""

    done: int = 0


class Kubeadm(ApiClient):
    """The process ``kubeadm``."""

    kind = "kubeadm"
    config: KubeadmConfig
    state: KubeadmState

    def fresh(self) -> KubeadmState:
        return KubeadmState()

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        super().boot(disk, now, out)
        out.timer("init", RETRY)

    def step(self, src: str, message: Any, now: int, out: Outbox) -> None:
        if isinstance(message, Timer) and message.name == "init":
            self.now = now
            self.request(out, "GET", "/readyz", then="probed", timeout=RETRY)
            return
        super().step(src, message, now, out)

    def probed(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """The apiserver said whether it is ready."""
        if response.code == 200:
            self._next(out)
        else:
            out.timer("init", RETRY)

    def _next(self, out: Outbox) -> None:
        todo = documents(self.config)
        if self.state.done >= len(todo):
            out.exit(0)
            return
        path, doc = todo[self.state.done]
        if doc["kind"] == "Node":
            patch = "application/strategic-merge-patch+json"
            self.request(out, "PATCH", path, doc=doc, content_type=patch, then="created")
        else:
            self.request(out, "POST", path, doc=doc, then="created")

    def created(self, response: HttpResponse, now: int, out: Outbox) -> None:
        """One more is there (or was there already); anything else is tried again."""
        if response.code in (200, 201, 202, 409):
            self.state.done += 1
            self._next(out)
        else:
            out.timer("init", RETRY)

    def status(self) -> dict[str, Any]:
        return {"done": self.state.done}
