"""A World with the small apiserver, one controller-manager and a hand that plays users, schedulers and kubelets."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cluster.controllers.manager import ControllerManager, ControllerManagerConfig
from cluster.sim import SECOND, World
from cluster.wire.http import HttpRequest, TlsPeer
from tests.cluster.clientgo.fake_apiserver import EPOCH, FakeApiServer, FakeConfig

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY_PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class Bench:
    """``do`` sends a request and waits a second of virtual time; ``get`` looks into the server."""

    def __init__(self, legacy_tokens: bool = False, **factories: Any) -> None:
        self.world = World.new(
            7, 500_000, 1_500_000,
            {"kube-apiserver": FakeApiServer, "kube-controller-manager": ControllerManager, **factories},
        )  # fmt: skip
        self.world.add_host("cp-1")
        self.world.add_process("api", "kube-apiserver", "cp-1", FakeConfig())
        self.world.start("api")
        self.config = ControllerManagerConfig(
            epoch=EPOCH, server="api", peer=TlsPeer(common_name="system:kube-controller-manager"), name="kcm",
            host="cp-1", sa_private_pem=KEY_PEM, ca_pem=b"-----CA-----\n", legacy_tokens=legacy_tokens,
        )  # fmt: skip

    def start(self) -> "Bench":
        self.world.add_process("kcm", "kube-controller-manager", "cp-1", self.config)
        self.world.start("kcm")
        self.run(5)
        return self

    def run(self, seconds: float) -> None:
        self.world.run_until(self.world.now + int(seconds * SECOND))

    def do(self, method: str, path: str, doc: Any = None, wait: float = 1) -> int:
        self.world.state.ids += 1
        request = HttpRequest(self.world.state.ids, method, path, doc=doc)
        self.world.post("outside:test", "api", request)
        if wait:
            self.run(wait)
        return request.id

    @property
    def api(self) -> Any:
        return self.world.actors["api"].state

    @property
    def manager(self) -> Any:
        return self.world.actors["kcm"]

    def get(self, path: str) -> Any:
        return self.api.objects.get(path)

    def all(self, plural: str, namespace: str = "") -> list[Any]:
        mark = f"/namespaces/{namespace}/{plural}/" if namespace else f"/{plural}/"
        return [doc for path, doc in self.api.objects.items() if mark in path and path.rsplit("/", 2)[1] == plural]

    def namespace(self, name: str = "default") -> None:
        self.do("POST", "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": name}})

    def run_pods(self, node: str = "node-1") -> None:
        """Play scheduler and kubelet: every live Pod runs and is ready; those asked to go are gone."""
        for n, pod in enumerate(self.all("pods")):
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
            if pod["metadata"].get("deletionTimestamp"):
                continue
            if pod.get("status", {}).get("phase") != "Running":
                self.do("PATCH", path, {"spec": {"nodeName": pod["spec"].get("nodeName") or node}}, wait=0)
                self.do("PATCH", path + "/status", {"status": ready_status(n, self.stamp())}, wait=0)
        self.run(1)

    def settle(self, rounds: int = 6, node: str = "node-1") -> None:
        for _ in range(rounds):
            self.run_pods(node)
            self.run(0.5)

    def stamp(self) -> str:
        from cluster.sim.clock import rfc3339

        return rfc3339(EPOCH, self.world.now)

    def events(self, reason: str) -> list[str]:
        return [doc["message"] for doc in self.all("events") if doc["reason"] == reason]

    def requests(self, method: str, part: str) -> list[tuple[int, str, str, int, str]]:
        return [entry for entry in self.api.log if entry[1] == method and part in entry[2]]


def ready_status(n: int, stamp: str) -> dict[str, Any]:
    return {
        "phase": "Running", "podIP": f"10.244.1.{n + 2}", "podIPs": [{"ip": f"10.244.1.{n + 2}"}],
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": stamp}],
    }  # fmt: skip


def deployment(name: str = "web", replicas: int = 3, image: str = "nginx:1.25", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}}, "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": image}]}},
            **spec,
        },
    }  # fmt: skip


DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
