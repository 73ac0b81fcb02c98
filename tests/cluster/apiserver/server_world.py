"""A small world with etcd members and apiservers, and a client that asks them things. Shared by the tests beside it."""

import json
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cluster.apiserver.server import ApiServer, ApiServerConfig
from cluster.etcd.member import EtcdMember, MemberConfig, MemberSeed
from cluster.sim import MILLISECOND, SECOND, World
from cluster.trace.notes import RequestEnded, Stage
from cluster.wire.http import HttpChunk, HttpEnd, HttpRequest, HttpReset, HttpResponse, TlsPeer

EPOCH = 1_795_400_000
ADMIN = TlsPeer(common_name="admin", organizations=("system:masters",))
JANE = TlsPeer(common_name="jane", organizations=("dev",))
NOBODY = TlsPeer()


@cache
def keys() -> tuple[bytes, bytes]:
    """A key pair for service account tokens: (private, public) PEM."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Notes:
    """An observer that keeps the stages."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.ended: list[RequestEnded] = []

    def note(self, now: int, actor: str, cause: int, note: Any) -> None:
        if isinstance(note, Stage):
            self.stages.append(note)
        elif isinstance(note, RequestEnded):
            self.ended.append(note)

    def sent(self, *args: Any) -> None:
        """Not of interest."""

    def dropped(self, *args: Any) -> None:
        """Not of interest."""

    def of(self, request: int) -> list[str]:
        """The names of a request's stages in order."""
        return [stage.name for stage in self.stages if stage.request == request]


class Cluster:
    """``members`` etcd members and ``servers`` apiservers, up and bootstrapped."""

    def __init__(self, members: int = 1, servers: int = 1, settle: int = 5 * SECOND, stacked: bool = False) -> None:
        factories = {"kube-apiserver": ApiServer, "etcd": EtcdMember}
        world = self.world = World.new(7, 500_000, 1_500_000, factories)
        seeds = tuple(MemberSeed(100 + n, f"cp-{n}", f"m{n}", f"cp-{n}") for n in range(1, members + 1))
        private, public = keys()
        for n in range(1, max(members, servers) + 1):
            world.add_host(f"cp-{n}")
        for seed in seeds:
            config = MemberConfig(id=seed.id, name=seed.name, host=seed.host, cluster_id=9, members=seeds)
            world.add_process(seed.process, "etcd", seed.host, config)
            world.add_disk(seed.process, MILLISECOND, 2 * MILLISECOND)
        for n in range(1, servers + 1):
            own = f"m{n}" if n <= members else "m1"
            etcd = (own,) if stacked else (own, *(seed.process for seed in seeds if seed.process != own))
            config = ApiServerConfig(
                epoch=EPOCH, name=f"kube-apiserver-cp-{n}", host=f"cp-{n}", address=f"172.18.0.{n + 1}",
                external_host="127.0.0.1:6443", etcd=etcd, ca_pem=b"CA", sa_public_pem=public, sa_private_pem=private,
            )  # fmt: skip
            world.add_process(config.name, "kube-apiserver", config.host, config)
        self.notes = Notes()
        world.observer = self.notes
        world.outside = self._outside
        self.answers: dict[int, HttpResponse] = {}
        self.chunks: dict[int, list[Any]] = {}
        for name in list(world.state.slots):
            world.start(name)
        world.run_until(settle)

    def _outside(self, now: int, dst: str, src: str, message: Any, cause: int) -> None:
        if isinstance(message, HttpResponse):
            self.answers[message.id] = message
        elif isinstance(message, HttpChunk | HttpEnd | HttpReset):
            self.chunks.setdefault(message.id, []).append(message)

    def send(
        self, method: str, path: str, doc: Any = None, *, peer: TlsPeer = ADMIN, server: int = 1,
        headers: tuple[tuple[str, str], ...] = (), body: bytes = b"", media: str = "application/json",
    ) -> int:  # fmt: skip
        """Send a request; its id."""
        self.world.state.ids += 1
        number = self.world.state.ids
        path, _, query = path.partition("?")
        if doc is not None:
            body = json.dumps(doc).encode()
        rows = (("user-agent", "test/1"), *headers)
        if body:
            rows += (("content-type", media),)
        request = HttpRequest(number, method, path, query, rows, body, None, peer, "10.0.0.9:4711")
        self.world.post("outside:test", f"kube-apiserver-cp-{server}", request)
        return number

    def ask(self, method: str, path: str, doc: Any = None, **rest: Any) -> tuple[int, Any]:
        """Send, wait for the answer: (code, JSON or text)."""
        number = self.send(method, path, doc, **rest)
        until = self.world.now + 70 * SECOND
        while number not in self.answers:
            at = self.world.next_at()
            assert at is not None and at < until, f"no answer to {method} {path}"
            self.world.run_until(at)
        self.last = number
        answer = self.answers[number]
        try:
            return answer.code, json.loads(answer.body)
        except ValueError:
            return answer.code, answer.body.decode()

    def run(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.world.run_until(self.world.now + nanoseconds)

    def events(self, number: int) -> list[tuple[str, dict[str, Any]]]:
        """What a watch has told so far: (type, object)."""
        found = []
        for chunk in self.chunks.get(number, ()):
            if isinstance(chunk, HttpChunk):
                event = json.loads(chunk.data)
                found.append((event["type"], event["object"]))
        return found
