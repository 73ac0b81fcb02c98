"""A bare etcd cluster in a world, and a client outside of it, for tests."""

from typing import Any

from cluster.etcd import EtcdMember, MemberConfig, MemberSeed
from cluster.sim import MILLISECOND, SECOND, World
from cluster.wire import etcd as w

CLIENT = "outside:client"
FACTORIES = {"etcd": EtcdMember}


def seeds(n: int) -> tuple[MemberSeed, ...]:
    """Members m1 … mN on hosts h1 … hN."""
    return tuple(MemberSeed(0x1000 + i, f"etcd-{i}", f"m{i}", f"h{i}") for i in range(1, n + 1))


class Cluster:
    """``n`` members and a client. ``got`` has everything the client received, with the instant."""

    def __init__(
        self,
        n: int = 3,
        seed: int = 1,
        link: tuple[int, int] = (500_000, 1_500_000),
        fsync: tuple[int, int] = (1_000_000, 2_000_000),
        **config: Any,
    ) -> None:
        self.world = World.new(seed, *link, FACTORIES)
        self.fsync = fsync
        self.config = config
        self.got: list[tuple[int, str, Any, int]] = []
        self.ids = 0
        self.world.outside = lambda now, _to, src, message, cause: self.got.append((now, src, message, cause))
        members = seeds(n)
        for member in members:
            self.place(member, MemberConfig(member.id, member.name, member.host, 77, members, **config))
        for member in members:
            self.world.start(member.process)

    def place(self, member: MemberSeed, config: MemberConfig) -> None:
        """A host, a process and a disk for ``member``."""
        self.world.add_host(member.host)
        self.world.add_process(member.process, "etcd", member.host, config)
        self.world.add_disk(member.process, *self.fsync)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.world.run_until(self.world.now + int(seconds * SECOND))

    def member(self, name: str) -> EtcdMember:
        """The running member of that process name."""
        actor = self.world.actors[name]
        assert isinstance(actor, EtcdMember)
        return actor

    def leader(self) -> EtcdMember | None:
        """The running leader of the highest term."""
        found = [a for a in self.world.actors.values() if isinstance(a, EtcdMember) and a.state.raft.role == "leader"]
        return max(found, key=lambda a: a.state.raft.term, default=None)

    def wait_leader(self, seconds: float = 30) -> EtcdMember:
        """Run until somebody leads and everyone running knows it."""
        for _ in range(int(seconds * 100)):
            leader = self.leader()
            if leader is not None and all(
                a.state.raft.lead == leader.config.id for a in self.world.actors.values() if isinstance(a, EtcdMember)
            ):
                return leader
            self.world.run_until(self.world.now + 10 * MILLISECOND)
        raise AssertionError("no leader")

    def post(self, to: str, message: Any, cause: int = 0) -> None:
        """The client sends ``message``."""
        self.world.post(CLIENT, to, message, cause)

    def next_id(self) -> int:
        """A request number."""
        self.ids += 1
        return self.ids

    def ask(self, to: str, kind: Any, *args: Any, seconds: float = 20, cause: int = 0, **fields: Any) -> Any:
        """Send a request and run until its answer."""
        id_ = self.next_id()
        self.post(to, kind(id_, *args, **fields), cause)
        until = self.world.now + int(seconds * SECOND)
        while self.world.now < until:
            self.world.run_until(self.world.now + MILLISECOND)
            for _, _, message, _ in reversed(self.got):
                if getattr(message, "id", None) == id_:
                    return message
        raise AssertionError(f"no answer to {kind.__name__}")

    def put(self, to: str, key: bytes, value: bytes, **fields: Any) -> Any:
        """Put and wait."""
        return self.ask(to, w.PutRequest, key, value, **fields)

    def get(self, to: str, key: bytes, **fields: Any) -> Any:
        """Range and wait."""
        return self.ask(to, w.RangeRequest, key, **fields)

    def watched(self, watch: int) -> list[w.WatchResponse]:
        """What a watch has been told."""
        return [m for _, _, m, _ in self.got if isinstance(m, w.WatchResponse) and m.watch == watch]
