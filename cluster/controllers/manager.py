"""kube-controller-manager: one process, some thirty controllers, one of its copies at work.

In → the Lease ``kube-system/kube-controller-manager`` and watches; out → the controllers' requests. Only the leader
watches and works; the others look at the Lease every few seconds. Controllers share informers: one watch per resource.

Simplified here: all informers begin when the Lease is won; each controller's client-side limit is 20 requests a second
with bursts of 30, as the real one's --kube-api-qps.

Upstream: kubernetes cmd/kube-controller-manager/app/controllermanager.go.
"""

from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from msgspec import field

from cluster import controllers as folder
from cluster.clientgo import ApiClient, ClientConfig, ClientState, Doc
from cluster.controllers.lib.meta import path
from cluster.controllers.runtime import RESOURCES, Controller, service_account
from cluster.sim import Outbox
from cluster.wire.http import TlsPeer


class ControllerManagerConfig(ClientConfig, frozen=True, kw_only=True):
    """``server`` is the apiserver of its own host; ``peer`` is ``system:kube-controller-manager``."""

    name: str
    host: str
    sa_private_pem: bytes
    ca_pem: bytes
    ca_key_pem: bytes = b""
    """The CA's key (``--cluster-signing-key-file``); without it nothing is signed."""
    cluster_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    node_cidr_mask: int = 24
    legacy_tokens: bool = False
    """Give every ServiceAccount a token Secret, as before 1.24 (LegacyServiceAccountTokenNoAutoGeneration off)."""


class ManagerState(ClientState):
    """``memory``: controller → what it remembers. ``started``: those at work."""

    memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    started: dict[str, None] = field(default_factory=dict)
    synced: dict[str, int] = field(default_factory=dict)
    """Controller → how many of its informers are not yet listed."""


@lru_cache(maxsize=1)
def registry() -> tuple[type[Controller], ...]:
    """The controllers, by file name: every module of this folder that defines one."""
    found: list[type[Controller]] = []
    for module in sorted(info.name for info in iter_modules(folder.__path__)):
        if module in ("manager", "runtime", "lib"):
            continue
        for value in vars(import_module(f"{folder.__name__}.{module}")).values():
            if isinstance(value, type) and issubclass(value, Controller) and value.__module__.endswith(f".{module}"):
                found.append(value)
    return tuple(found)


class ControllerManager(ApiClient):
    """The process."""

    kind = "kube-controller-manager"
    qps = 20.0
    burst = 30

    def __init__(self, name: str, config: ControllerManagerConfig, state: Any = None) -> None:
        super().__init__(name, config, state)
        self.controllers = {cls.name: cls(self) for cls in registry()}
        self._peers: dict[str, TlsPeer] = {
            cls.name: service_account(cls.user) for cls in registry() if not cls.root_client
        }
        self._audience: dict[str, list[Any]] = {}
        self._observers = [c.on_anything for c in self.controllers.values() if c.observes_all]

    def fresh(self) -> ManagerState:
        return ManagerState()

    def boot(self, disk: list[Any], now: int, out: Outbox) -> None:
        super().boot(disk, now, out)
        self.campaign(out, "kube-system", "kube-controller-manager", f"{self.config.host}_{out.dice.uuid()}")

    # -- the parts ------------------------------------------------------------------------------------------------

    def component(self, name: str) -> Any:
        return self.controllers.get(name, self)

    def component_peer(self, name: str) -> TlsPeer:
        peer: TlsPeer = self._peers.get(name) or self.config.peer
        return peer

    def limits(self, component: str) -> tuple[float, int]:
        controller = self.controllers.get(component)
        load = controller.load if controller is not None else 1
        return self.qps * load, self.burst * load

    def user_agent(self, component: str) -> str:
        controller = self.controllers.get(component)
        return super().user_agent(f"system:serviceaccount:kube-system:{controller.user}" if controller else "")

    def on_started_leading(self, now: int, out: Outbox) -> None:
        for name, controller in self.controllers.items():
            self.state.synced[name] = len(controller.watches)
        for controller in self.controllers.values():
            for key in controller.watches:
                self.watch_shared(key, out)
            if not controller.watches:
                self._start(controller, now, out)

    def watch_shared(self, key: str, out: Outbox) -> None:
        """Follow one of ``RESOURCES``."""
        api_version, plural, _, indexes = RESOURCES[key]
        self.watch_resource(out, key, path(api_version, plural), indexes=indexes)

    def on_synced(self, key: str, now: int, out: Outbox) -> None:
        for name, controller in self.controllers.items():
            if key in controller.watches:
                self.state.synced[name] -= 1
                if self.state.synced[name] == 0:
                    self._start(controller, now, out)
            elif controller.observes_all:
                controller.on_any_synced(key, now, out)

    def _start(self, controller: Controller, now: int, out: Outbox) -> None:
        self.state.started[controller.name] = None
        if controller.name in self.state.queues:
            self.state.work[controller.name] = None
        controller.start(now, out)

    def deliver(self, key: str, event_type: str, old: Doc | None, new: Doc, now: int, out: Outbox) -> None:
        cause = out.cause
        for handler in self._handlers(key):
            handler(event_type, old, new, now, out)
            out.cause = cause
        for handler in self._observers:
            handler(key, event_type, old, new, now, out)
            out.cause = cause

    def _handlers(self, key: str) -> list[Any]:
        handlers = self._audience.get(key)
        if handlers is None:
            handlers = [
                getattr(controller, f"on_{key}")
                for controller in self.controllers.values()
                if key in controller.watches and hasattr(controller, f"on_{key}")
            ]
            self._audience[key] = handlers
        return handlers

    # -- work -----------------------------------------------------------------------------------------------------

    def workers_of(self, queue: str) -> int:
        return self.controllers[queue].workers if queue in self.state.started else 0

    def run_key(self, queue: str, key: str, now: int, out: Outbox) -> None:
        self.controllers[queue].reconcile(key, now, out)

    def on_timer(self, name: str, data: Any, now: int, out: Outbox) -> None:
        controller = self.controllers.get(name.removeprefix("controller/"))
        if controller is not None and controller.name in self.state.started:
            controller.on_timer(data, now, out)

    def status(self) -> dict[str, Any]:
        """Leader or not, and what each queue holds."""
        election = self.state.election
        queues = {n: len(q.ready) + len(q.active) for n, q in self.state.queues.items() if q.ready or q.active}
        return {"leader": election.leader, "identity": election.identity, "queues": queues}
